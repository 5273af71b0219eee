use serde_json::Value;

use super::{hygge, project};
use crate::harness::{Orders, Project};

fn flow(project: &Project, home: &str) {
    project.flow(
        "orders",
        &format!("home: {home}\nstore: {{type: ndjson-wasm, path: out/orders}}\n"),
    );
}

const FULL: &str = "{type: parquet, path: data}";
const APPEND: &str =
    "{type: parquet, path: data, incremental: {column: updated_at, strategy: append}}";

fn grant(project: &Project) {
    project.write(
        "hygge.yml",
        "name: test\nplugins: {ndjson: {write: [out]}}\n",
    );
    std::fs::create_dir_all(project.path("out")).unwrap();
    hygge(project, "plugin trust ndjson").succeed();
}

/// The ids that stand at the destination, sorted; nothing but whole files may be there.
fn ids(project: &Project) -> Vec<i64> {
    let mut all = Vec::new();
    for entry in project.path("out/orders").read_dir().unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name.ends_with(".ndjson"), "{name} was left");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with('\n'), "{name} is cut off");
        for line in text.lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            all.push(row["id"].as_i64().unwrap());
        }
    }
    all.sort_unstable();
    all
}

#[test]
fn a_full_run_replaces_and_an_append_adds() {
    let project = project("ndjson");
    grant(&project);
    project.orders("data/a.parquet", &Orders::new(0..5_000));
    flow(&project, FULL);
    hygge(&project, "start").succeed();
    assert_eq!(ids(&project), (0..5_000).collect::<Vec<_>>());
    project.orders("data/a.parquet", &Orders::new(100..200));
    hygge(&project, "start").succeed();
    assert_eq!(ids(&project), (100..200).collect::<Vec<_>>());

    project.flow("orders", "");
    std::fs::remove_dir_all(project.path("flows/orders")).unwrap();
    project.flow(
        "added",
        &format!("home: {APPEND}\nstore: {{type: ndjson-wasm, path: out/orders}}\n"),
    );
    // Another entity's files are somebody else's.
    let foreign = hygge(&project, "start").run();
    assert_eq!(foreign.code, Some(1), "{foreign}");
    std::fs::remove_dir_all(project.path("out/orders")).unwrap();
    hygge(&project, "start").succeed();
    project.orders("data/b.parquet", &Orders::new(200..300));
    hygge(&project, "start").succeed();
    assert_eq!(ids(&project), (100..300).collect::<Vec<_>>());
    hygge(&project, "start").succeed();
    assert_eq!(ids(&project), (100..300).collect::<Vec<_>>());
}

#[test]
fn a_folder_with_something_else_in_it_is_refused() {
    let project = project("ndjson");
    grant(&project);
    project.orders("data/a.parquet", &Orders::new(0..10));
    project.write("out/orders/mine.txt", "not a row\n");
    flow(&project, FULL);
    let refused = hygge(&project, "start").run();
    assert_eq!(refused.code, Some(1), "{refused}");
    insta::assert_snapshot!("foreign", refused.shown());
    flow(&project, APPEND);
    let refused = hygge(&project, "start").run();
    assert_eq!(refused.code, Some(1), "{refused}");
    let left = project.path("out/orders").read_dir().unwrap();
    let left: Vec<_> = left.map(|each| each.unwrap().file_name()).collect();
    assert_eq!(left, ["mine.txt"]);
    assert_eq!(
        std::fs::read_to_string(project.path("out/orders/mine.txt")).unwrap(),
        "not a row\n"
    );
}

#[test]
fn nothing_is_written_without_a_grant() {
    let project = project("ndjson");
    project.orders("data/a.parquet", &Orders::new(0..10));
    std::fs::create_dir_all(project.path("out")).unwrap();
    flow(&project, FULL);
    let refused = hygge(&project, "start").run();
    assert_eq!(refused.code, Some(1), "{refused}");
    insta::assert_snapshot!("denied", refused.shown());
    assert!(project.path("out").read_dir().unwrap().next().is_none());
}
