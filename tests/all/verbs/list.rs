use super::orders;
use crate::harness::Project;

#[test]
fn shows_from_where_to_where() {
    let project = orders("");
    project.flow(
        "archive",
        "after: sales\nhome: {type: parquet, path: lake/orders}\n\
         store: {type: csv, path: archive/orders, compression: gzip}\n",
    );
    insta::assert_snapshot!(project.hygge("list").succeed().shown());
    insta::assert_snapshot!(
        "in_json",
        project.hygge("list --output json").succeed().shown()
    );
    let one = project.hygge("list --flow arch*").succeed();
    assert!(!one.stdout.contains("sales.orders"), "{one}");
}

#[test]
fn discovers_what_homes_could_read() {
    let project = orders("");
    insta::assert_snapshot!(project.hygge("list --discover").succeed().shown());
}

#[test]
fn secrets_are_not_listed() {
    let project = Project::new();
    project.flow(
        "sales",
        "home: {type: parquet, path: \"data/${DATA_TOKEN}\"}\n\
         store: {type: parquet, path: lake}\n",
    );
    for arguments in [
        "list",
        "list --output json",
        "start --dry-run",
        "debug",
        "start",
    ] {
        let listed = project.hygge(arguments).env("DATA_TOKEN", "hunter2").run();
        assert!(!listed.shown().contains("hunter2"), "{arguments}: {listed}");
    }
}
