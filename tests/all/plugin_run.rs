//! `hygge plugin run`: one plugin alone, without a project.

use std::sync::mpsc;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::harness::{
    Answer, Asked, Authority, Command, Content, Orders, Project, Server, fixture,
};
use crate::shipped;

/// A folder with plugins in it, and some orders; no project.
fn folder() -> Project {
    let folder = Project::bare();
    for name in ["mask", "ndjson", "http-json"] {
        let bytes = std::fs::read(shipped::file(name)).unwrap();
        folder.write(&format!("{name}.wasm"), bytes);
    }
    folder.write(
        "c-guest.wasm",
        std::fs::read(fixture("../guests/golden/0.1.0/c-guest.wasm")).unwrap(),
    );
    folder.orders("orders.parquet", &Orders::new(1..1_001));
    folder
}

fn run(folder: &Project, arguments: &str) -> Command {
    shipped::hygge(folder, &format!("plugin run {arguments}"))
}

#[test]
fn a_home_is_shown() {
    let folder = folder();
    let shown = |arguments: &str| run(&folder, arguments).run().shown();
    insta::assert_snapshot!(
        "home",
        shown("c-guest.wasm --as home --config rows=1000 --rows 3")
    );
    insta::assert_snapshot!(
        "home_in_json",
        shown("c-guest.wasm --as home --config rows=2 --output json")
    );
    insta::assert_snapshot!("home_or_transform", shown("c-guest.wasm"));
    insta::assert_snapshot!("no_store", shown("c-guest.wasm --as store"));
    insta::assert_snapshot!(
        "wrong_setting",
        shown("c-guest.wasm --as home --config rows=many")
    );
    insta::assert_snapshot!("no_setting", shown("c-guest.wasm --as home"));
    insta::assert_snapshot!("no_value", shown("c-guest.wasm --as home --config rows"));
    insta::assert_snapshot!("no_such_file", shown("other.wasm"));
    run(
        &folder,
        "c-guest.wasm --as home --config rows=5 --output-file rows.parquet",
    )
    .succeed();
    assert_eq!(folder.content("rows.parquet").rows, 5);
}

#[test]
fn a_transform_is_put_over_a_file() {
    let folder = folder();
    folder.write(
        "mask.yml",
        "key: ${MASK_KEY}\ncolumns:\n  customer: {how: hash}\n",
    );
    let with = "mask.wasm --config-file mask.yml --input orders.parquet";
    let keyed = |more: &str| run(&folder, &format!("{with} {more}")).env("MASK_KEY", "s3cret");
    insta::assert_snapshot!("masked", keyed("--rows 2").succeed().shown());
    insta::assert_snapshot!("no_key", run(&folder, with).run().shown());
    insta::assert_snapshot!(
        "written",
        keyed("--output-file out.parquet").succeed().shown()
    );
    let once = folder.content("out.parquet");
    assert_eq!(once.rows, 1_000);
    assert_ne!(once, folder.content("orders.parquet"));
    // Its own file it writes anew, another's it doesn't.
    keyed("--output-file out.parquet").succeed();
    assert_eq!(folder.content("out.parquet"), once);
    let foreign = keyed("--output-file orders.parquet").run();
    assert_eq!(foreign.code, Some(1), "{foreign}");
    insta::assert_snapshot!("foreign_file", foreign.shown());
    assert_eq!(
        folder.content("orders.parquet"),
        Orders::new(1..1_001).content()
    );
    insta::assert_snapshot!(
        "no_input",
        run(&folder, "mask.wasm --config columns.id.how=redact")
            .run()
            .shown()
    );
    insta::assert_snapshot!(
        "no_column",
        run(
            &folder,
            "mask.wasm --config columns.mail.how=redact --input orders.parquet"
        )
        .run()
        .shown()
    );
    // Nothing is left but what was asked for.
    let left: Vec<String> = folder.tree();
    assert!(!left.iter().any(|path| path.contains("hygge/")), "{left:?}");
}

#[test]
fn a_store_is_fed_from_a_file() {
    let folder = folder();
    let with = "ndjson.wasm --config path=out/orders --input orders.parquet";
    insta::assert_snapshot!("denied", run(&folder, with).run().shown());
    assert!(!folder.path("out").exists());
    std::fs::create_dir(folder.path("out")).unwrap();
    let granted = format!("{with} --grant-write out");
    insta::assert_snapshot!("settled", run(&folder, &granted).succeed().shown());
    let files: Vec<_> = folder.path("out/orders").read_dir().unwrap().collect();
    assert_eq!(files.len(), 1);
    let text = std::fs::read_to_string(files[0].as_ref().unwrap().path()).unwrap();
    assert_eq!(text.lines().count(), 1_000);
    // What stands there now is known to nobody.
    insta::assert_snapshot!("foreign", run(&folder, &granted).run().shown());
}

#[test]
fn requests_and_secrets_are_granted_by_flags() {
    let folder = folder();
    let server = Server::start(|asked| match asked.header("authorization") {
        Some("Bearer s3cret-token") => Answer::ok(json!([{"id": 1, "city": "Oslo"}]).to_string()),
        _ => Answer::of("401 Unauthorized", ""),
    });
    let origin = server.origin();
    let with = format!("http-json.wasm --config url={origin}/deals --config bearer=CRM_TOKEN");
    let shown = |more: &str| {
        let outcome = run(&folder, &format!("{with} {more}"))
            .env("CRM_TOKEN", "s3cret-token")
            .run();
        outcome.shown().replace(&origin, "[SERVER]")
    };
    insta::assert_snapshot!("no_secret", shown(&format!("--grant-http {origin}")));
    assert!(server.asked().is_empty());
    insta::assert_snapshot!("no_http", shown("--grant-secret CRM_TOKEN=127.0.0.1"));
    assert!(server.asked().is_empty());
    let all = format!("--grant-http {origin} --grant-secret CRM_TOKEN=127.0.0.1");
    insta::assert_snapshot!("served", shown(&all));
    folder.write(
        "grants.yml",
        format!("http: [\"{origin}\"]\nsecrets: {{CRM_TOKEN: 127.0.0.1}}\n"),
    );
    assert_eq!(shown("--grants grants.yml"), shown(&all));
    insta::assert_snapshot!("no_origin", shown("--grant-http example.com"));
}

#[test]
fn what_it_wants_is_told_as_flags() {
    let folder = folder();
    let bytes = std::fs::read(folder.path("c-guest.wasm")).unwrap();
    let said = hygge_plugins::inspect(&bytes).unwrap().sealed.unwrap();
    let mut description: serde_json::Value = serde_json::from_slice(&said).unwrap();
    description["grants"] = json!({"http": ["https://api.example.com"],
        "secrets": {"TOKEN": "api.example.com"}, "write": ["out"]});
    let greedy = hygge_plugins::seal(&bytes, description.to_string().as_bytes()).unwrap();
    folder.write("greedy.wasm", greedy);
    let outcome = run(&folder, "greedy.wasm --as home --config rows=1").run();
    insta::assert_snapshot!("greedy", outcome.shown());

    let elsewhere = "greedy.wasm --as home --config rows=1 --grant-http https://api.example.com \
                     --grant-write out --grant-secret TOKEN=example.com";
    insta::assert_snapshot!(
        "elsewhere",
        run(&folder, elsewhere).env("TOKEN", "s3cret").run().shown()
    );
}

#[test]
fn the_rows_of_a_transform_are_those_of_its_flow() {
    let folder = folder();
    run(
        &folder,
        "mask.wasm --config columns.customer.how=redact --input orders.parquet \
         --output-file alone.parquet",
    )
    .succeed();
    folder.write("hygge.yml", "name: test\n");
    folder.write(
        "plugins/mask.wasm",
        std::fs::read(shipped::file("mask")).unwrap(),
    );
    folder.flow(
        "orders",
        "home: {type: parquet, path: orders.parquet}\n\
         transforms: [{type: sandboxed-mask, columns: {customer: {how: redact}}}]\n\
         store: {type: parquet, path: lake}\n",
    );
    shipped::hygge(&folder, "start").succeed();
    let alone = Content::of(&folder.path("alone.parquet")).unwrap();
    assert_eq!(alone, folder.content("lake"));
}

#[test]
fn a_plugin_speaks_https_to_who_can_prove_its_name() {
    let folder = folder();
    let authority = Authority::new();
    folder.write("ca.pem", authority.pem());
    let deals = |_: &Asked| Answer::ok(json!([{"id": 1, "city": "Oslo"}]).to_string());
    let server = Server::start_tls(authority.server("localhost"), deals);
    let other = Server::start_tls(authority.server("elsewhere.example"), deals);
    let with = |server: &Server, roots: &str| {
        let origin = format!("https://localhost:{}", server.port());
        let arguments = format!("http-json.wasm --config url={origin}/deals --grant-http {origin}");
        let run = run(&folder, &arguments).env("SSL_CERT_FILE", folder.path(roots));
        run.run().shown().replace(&origin, "[SERVER]")
    };
    insta::assert_snapshot!("proven", with(&server, "ca.pem"));
    insta::assert_snapshot!("unproven", with(&other, "ca.pem"));
    insta::assert_snapshot!("no_roots", with(&server, "gone.pem"));
    assert!(other.asked().is_empty());
}

/// As in a flow: a variable has no type, and becomes what is wanted.
#[test]
fn variables_of_settings_are_filled_in() {
    let folder = folder();
    let with = |setting: &str| {
        let run = run(&folder, "c-guest.wasm --as home --config").argument(setting);
        run.env("N", "2").run()
    };
    for setting in ["rows=${N}", "rows=${UNSET:-2}"] {
        let outcome = with(setting);
        assert!(outcome.stdout.ends_with("\n2 rows.\n"), "{outcome}");
    }
    insta::assert_snapshot!("no_variable", with("rows=${UNSET}").shown());
    insta::assert_snapshot!("no_brace", with("rows=${N").shown());
    insta::assert_snapshot!("no_number", with("rows=${N}x").shown());
}

/// A commit goes on after the first Ctrl-C; the second ends it, and what it worked with goes away.
#[test]
fn ctrl_c_again_ends_a_commit_and_leaves_no_folder() {
    let folder = Project::bare();
    let evil = crate::plugins::build("evil", "wasm32-wasip2");
    folder.write("evil.wasm", std::fs::read(evil).unwrap());
    folder.write("two.csv", "id\n1\n2\n");
    for made in ["tmp", "out"] {
        std::fs::create_dir(folder.path(made)).unwrap();
    }
    let arguments = "plugin run evil.wasm --as store --config rows=2 --config folder=out --config \
                     at=commit --config deed=spin --grant-write out --input two.csv";
    let command = shipped::hygge(&folder, arguments).env("TMPDIR", folder.path("tmp"));
    let mut running = command.spawn();
    // What it does before it spins.
    crate::harness::eventually("the commit", || {
        let mut out = std::fs::read_dir(folder.path("out")).unwrap().flatten();
        out.find(|entry| entry.path().extension().is_some_and(|e| e == "committed"))
    });
    let names = || std::fs::read_dir(folder.path("tmp")).unwrap().count();
    assert_eq!(names(), 1);
    // Pressed at once they would count as one.
    crate::harness::eventually("the end", || {
        running.signal(Signal::INT);
        crate::harness::pause(Duration::from_millis(200));
        running.ended().then_some(())
    });
    let outcome = running.wait();
    assert_eq!(outcome.code, Some(130), "{outcome}");
    assert!(outcome.stderr.contains("finishing up"), "{outcome}");
    assert!(outcome.stderr.contains("stopped at once"), "{outcome}");
    assert_eq!(names(), 0);
}

#[test]
fn ctrl_c_ends_it_and_leaves_nothing() {
    for (verb, more) in [
        ("run", ""),
        ("run", "--output-file out/deals.parquet"),
        ("test", ""),
    ] {
        let folder = folder();
        std::fs::create_dir(folder.path("tmp")).unwrap();
        let before = folder.tree();
        let (tell, reached) = mpsc::channel();
        let server = Server::start(move |asked| {
            if asked.parameter("page") == Some("1") {
                return Answer::ok(json!([{"id": 1}]).to_string());
            }
            tell.send(()).unwrap();
            // The second page never comes.
            loop {
                std::thread::park();
            }
        });
        let origin = server.origin();
        let arguments = format!(
            "plugin {verb} http-json.wasm --config url={origin}/deals --config pages.by=number \
             --config pages.parameter=page --grant-http {origin} {more}"
        );
        let command = shipped::hygge(&folder, &arguments).env("TMPDIR", folder.path("tmp"));
        let mut running = command.spawn();
        reached.recv_timeout(Duration::from_secs(60)).unwrap();
        running.signal(Signal::INT);
        let outcome = running.wait();
        assert_eq!(outcome.code, Some(130), "{outcome}");
        assert_eq!(outcome.stdout, "");
        assert!(outcome.stderr.contains("finishing up"), "{outcome}");
        assert!(!outcome.stderr.contains("error"), "{outcome}");
        assert_eq!(folder.tree(), before, "{verb} {more}");
    }
}
