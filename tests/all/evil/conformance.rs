//! What `hygge plugin test` says of a guest that doesn't keep the contract: which law it breaks,
//! and how.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{EVIL, Part, hex, home, rows, store, stream};
use crate::harness::Project;

/// The laws that are broken, and why, below the name of each case.
fn broken<'a>(cases: impl IntoIterator<Item = (&'a str, Part, Value)>) -> String {
    let folder = Project::bare();
    folder.write("evil.wasm", &*EVIL);
    folder.write(
        "grants.yml",
        "limits: {memory: 16 MiB, call_timeout: 2s, batch: 4 MiB}\nwrite: [out]\n",
    );
    let mut all = String::new();
    for (name, part, settings) in cases {
        folder.write("settings.json", settings.to_string());
        let part = match part {
            Part::Home => "home",
            Part::Transform => "transform",
            Part::Store => "store",
        };
        let arguments = format!(
            "plugin test evil.wasm --as {part} --config-file settings.json --grants grants.yml \
             --output json"
        );
        let outcome = super::hygge(&folder, &arguments).run();
        assert_eq!(outcome.code, Some(1), "{name}: {outcome}");
        let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
        writeln!(all, "{name}").unwrap();
        for check in report["checks"].as_array().unwrap() {
            if check["outcome"] == "failed" {
                let (law, why) = (
                    check["law"].as_str().unwrap(),
                    check["why"].as_str().unwrap(),
                );
                writeln!(all, "    {law}\n        {why}").unwrap();
            }
        }
    }
    all
}

#[test]
fn a_home_that_breaks_laws_is_found_out() {
    let batch = rows();
    let good = hex(&stream(&batch.schema(), std::slice::from_ref(&batch)));
    let other = batch.project(&[0]).unwrap();
    let other = hex(&stream(&other.schema(), std::slice::from_ref(&other)));
    let single: Vec<String> = (0..3)
        .map(|n| hex(&stream(&batch.schema(), &[batch.slice(n, 1)])))
        .collect();
    let next = |deed: &str| home(json!({"at": "next", "deed": deed}));
    let found = broken([
        (
            "gives more rows than it is asked for",
            Part::Home,
            home(json!({})),
        ),
        (
            "gives positions, and starts anew",
            Part::Home,
            home(json!({"batches": single})),
        ),
        ("crashes", Part::Home, next("unreachable")),
        ("spins", Part::Home, next("spin")),
        ("hoards", Part::Home, next("hoard")),
        (
            "spins in a check",
            Part::Home,
            home(json!({"at": "check", "deed": "spin"})),
        ),
        (
            "changes its schema midway",
            Part::Home,
            home(json!({"batches": [good, other]})),
        ),
        (
            "gives what is no batch",
            Part::Home,
            home(json!({"batches": ["00ff00ff"]})),
        ),
        (
            "has an id that is none",
            Part::Home,
            home(json!({"split": "../../etc"})),
        ),
        (
            "has too many splits",
            Part::Home,
            home(json!({"splits": 10_001})),
        ),
        (
            "fails at length",
            Part::Home,
            home(json!({"at": "open", "deed": "fault", "size": 50_000})),
        ),
    ]);
    insta::assert_snapshot!(found);
}

#[test]
fn a_transform_that_breaks_laws_is_found_out() {
    let found = broken([
        (
            "crashes when it is bound",
            Part::Transform,
            json!({"at": "bind", "deed": "unreachable"}),
        ),
        (
            "spins when rows come",
            Part::Transform,
            json!({"at": "apply", "deed": "spin"}),
        ),
        (
            "crashes at the end",
            Part::Transform,
            json!({"at": "finish", "deed": "unreachable"}),
        ),
    ]);
    insta::assert_snapshot!(found);
}

#[test]
fn a_store_that_breaks_laws_is_found_out() {
    let found = broken([
        ("lies in its receipts", Part::Store, store(json!({}))),
        (
            "crashes in the commit",
            Part::Store,
            store(json!({"rows": 500, "folder": "out", "at": "commit", "deed": "unreachable"})),
        ),
        ("writes nothing", Part::Store, store(json!({"rows": 500}))),
    ]);
    insta::assert_snapshot!(found);
}

#[test]
fn a_section_that_lies_is_found_out() {
    let mut said: Value = serde_json::from_slice(super::describe()).unwrap();
    said["summary"] = "Harmless".into();
    let sealed = hygge_plugins::seal(&EVIL, said.to_string().as_bytes()).unwrap();
    let folder = Project::bare();
    folder.write("evil.wasm", sealed);
    let outcome = super::hygge(&folder, "plugin test evil.wasm --as transform").run();
    assert_eq!(outcome.code, Some(1), "{outcome}");
    let said = "the section and `describe` say different things";
    assert!(outcome.stdout.contains(said), "{outcome}");
}
