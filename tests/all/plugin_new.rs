//! `hygge plugin new`: what it writes builds, passes its own test and the contract's, and works
//! when it is dropped in.

use std::path::{Path, PathBuf};

use crate::harness::{Orders, Project};
use crate::shipped::hygge;

/// Cargo in a crate that was just begun. All of them share what they build.
pub(crate) fn cargo(folder: &Path, arguments: &str) {
    let output = std::process::Command::new(env!("CARGO"))
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", built())
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "cargo {arguments}: {said}");
}

/// Where they are built.
pub(crate) fn built() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("new")
}

/// Begins a plugin, builds and tests it, and puts it into a project.
fn project(kind: &str, name: &str) -> Project {
    let project = Project::new();
    let begun = hygge(&project, &format!("plugin new --kind {kind} {name}")).succeed();
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sdk/rust");
    let sdk = sdk.canonicalize().unwrap();
    insta::assert_snapshot!(format!("begun_{kind}"), begun.shown());
    let written = project.path(name).join("Cargo.toml");
    let written = std::fs::read_to_string(written).unwrap();
    assert!(written.contains(sdk.to_str().unwrap()), "{written}");

    let folder = project.path(name);
    cargo(&folder, "fmt --check");
    cargo(&folder, "build --quiet --target wasm32-wasip2");
    cargo(&folder, "test --quiet");
    let file = built().join(format!(
        "wasm32-wasip2/debug/{}.wasm",
        name.replace('-', "_")
    ));
    let add = hygge(&project, "plugin add").argument(file.to_str().unwrap());
    add.argument("--name").argument(name).succeed();
    project
}

#[test]
fn a_home_is_begun() {
    let project = project("home", "my-crm");
    project.flow(
        "crm",
        "home: {type: my-crm, rows: 1000}\nstore: {type: parquet, path: lake}\n",
    );
    hygge(&project, "plugin test my-crm").succeed();
    hygge(&project, "start").succeed();
    assert_eq!(project.content("lake").rows, 1_000);
}

/// With the SDK's feature, the macros of `tracing` say it in the log of the run, as those of `log`.
#[test]
fn what_is_traced_is_logged() {
    let project = Project::new();
    hygge(&project, "plugin new --kind home traces").succeed();
    let change = |file: &str, from: &str, to: &str| {
        let text = std::fs::read_to_string(project.path(file)).unwrap();
        assert!(text.contains(from), "{text}");
        project.write(file, text.replace(from, to));
    };
    change(
        "traces/Cargo.toml",
        "sdk/rust\" }",
        "sdk/rust\", features = [\"tracing\"] }",
    );
    change(
        "traces/src/lib.rs",
        "log::debug!(\"begins at {at}\");",
        "log::info!(\"logged\"); hygge_sdk::tracing::info!(at, \"traced\");",
    );
    cargo(
        &project.path("traces"),
        "build --quiet --target wasm32-wasip2",
    );
    let file = built().join("wasm32-wasip2/debug/traces.wasm");
    let run = hygge(&project, "-v plugin run").argument(file.to_str().unwrap());
    let said = run.succeed().stderr;
    assert!(said.contains("traces: logged"), "{said}");
    assert!(said.contains("traces: traced at=0"), "{said}");
}

#[test]
fn a_transform_is_begun() {
    let project = project("transform", "upper");
    project.write("data/a.csv", "id,city\n1,Oslo\n2,\n");
    project.flow(
        "cities",
        "home: {type: csv, path: data}\n\
         transforms: [{type: upper, column: city}]\n\
         store: {type: csv, path: out.csv}\n",
    );
    hygge(&project, "plugin test upper --config column=text").succeed();
    hygge(&project, "start").succeed();
    let out = std::fs::read_to_string(project.path("out.csv")).unwrap();
    assert_eq!(out, "id,city\n1,OSLO\n2,\n");
}

#[test]
fn a_store_is_begun() {
    let project = project("store", "archive");
    project.orders("data/a.parquet", &Orders::new(0..5_000));
    project.write(
        "hygge.yml",
        "name: test\nplugins: {archive: {write: [out]}}\n",
    );
    std::fs::create_dir(project.path("out")).unwrap();
    let flow = |home: &str, store: &str| format!("home: {home}\nstore: {store}\n");
    let there = "{type: archive, path: out/orders}";
    project.flow("orders", &flow("{type: parquet, path: data}", there));
    hygge(&project, "plugin trust archive").succeed();
    hygge(
        &project,
        "plugin test archive --config path=out/a --grant-write out",
    )
    .succeed();
    hygge(&project, "start").succeed();
    hygge(&project, "start").succeed();
    // Read back by hygge's own home.
    let back = "{type: parquet, path: lake}";
    project.flow("orders", &flow("{type: arrow, path: out/orders}", back));
    hygge(&project, "start").succeed();
    assert_eq!(project.content("lake").rows, 5_000);
}

#[test]
fn what_cannot_be_begun_leaves_nothing() {
    let folder = Project::bare();
    let shown = |arguments: &str| hygge(&folder, arguments).run().shown();
    folder.write("there/file", "");
    insta::assert_snapshot!("there", shown("plugin new --kind home there"));
    insta::assert_snapshot!("no_name", shown("plugin new --kind home My/Crm"));
    insta::assert_snapshot!("taken", shown("plugin new --kind store parquet"));
    insta::assert_snapshot!("no_sdk", shown("plugin new --kind store crm --sdk there"));
    insta::assert_snapshot!(
        "no_language",
        shown("plugin new --kind store crm --lang cobol")
    );
    assert_eq!(folder.tree(), ["there/", "there/file"]);
}
