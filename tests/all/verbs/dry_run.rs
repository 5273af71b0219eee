//! What a dry run knows of columns: what transforms make of those that the source has now.

use serde_json::{Value, json};

use crate::harness::{Database, Project};

/// A flow `f` of one entity, with transforms.
fn shop(transforms: &str) -> Project {
    let project = Project::new();
    project.write("data/orders.csv", "id,price\n1,12.5\n2,7\n");
    flow(&project, transforms);
    project
}

fn flow(project: &Project, transforms: &str) {
    let ends = "home: data/orders.csv\nstore: lake/orders\n";
    project.flow("f", &format!("{ends}{transforms}"));
}

fn line(project: &Project) -> Value {
    let would = project.hygge("start --dry-run --output json").run();
    serde_json::from_str(&would.stdout).unwrap()
}

const DERIVED: &str = "transforms:\n  - {type: derive, columns: {dear: 'price > 10'}}\n  \
                       - {type: rename, columns: {id: key}}\n";

#[test]
fn columns_are_known_before_a_first_run() {
    let project = shop(DERIVED);
    let before = project.tree();
    insta::assert_snapshot!(project.hygge("start --dry-run").succeed().shown());
    let would = line(&project);
    let columns = json!({"key": "int64", "price": "float64", "dear": "bool"});
    assert_eq!(would["columns"], columns, "{would}");
    assert_eq!(would["columns_from"], "source", "{would}");
    assert_eq!(would["columns_unknown"], Value::Null, "{would}");
    assert_eq!(project.tree(), before, "something was written");
    // What settles has those.
    project.hygge("start").succeed();
    let found = project.hygge("state show f.f --output json").succeed();
    let found: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!(found["columns"], columns, "{found}");
    // They are those of the source now, and not of that run.
    project.write("data/orders.csv", "id,price,state\n1,12.5,paid\n");
    assert_eq!(line(&project)["columns"]["state"], "string");
}

#[test]
fn what_a_run_would_refuse_is_an_error() {
    let project = shop("transforms: [{type: filter, where: prise > 10}]\n");
    let refused = project.hygge("start --dry-run").run();
    assert_eq!(refused.code, Some(1), "{refused}");
    insta::assert_snapshot!(refused.shown());
    let would = line(&project);
    assert_eq!(would["action"], Value::Null, "{would}");
    assert_eq!(would["columns"], json!({}), "{would}");
    // So it is with columns that came to be others.
    flow(&project, DERIVED);
    project.hygge("start").succeed();
    project.write("data/orders.csv", "id,price\none,12.5\n");
    let ends = "home: data/orders.csv\nstore: {path: lake/orders, on_schema_change: fail}\n";
    project.flow("f", &format!("{ends}{DERIVED}"));
    let refused = project.hygge("start --dry-run").run();
    assert_eq!(refused.code, Some(1), "{refused}");
    insta::assert_snapshot!("drifted", refused.shown());
}

#[test]
fn a_source_that_can_not_be_asked_is_told() {
    let project = shop(DERIVED);
    std::fs::remove_file(project.path("data/orders.csv")).unwrap();
    let mut said = project.hygge("start --dry-run").succeed().shown();
    assert_eq!(line(&project)["columns_from"], Value::Null);
    project.write("data/orders.csv", "id,price\n1,12.5\n");
    project.hygge("start").succeed();
    std::fs::remove_file(project.path("data/orders.csv")).unwrap();
    said.push_str(&project.hygge("start --dry-run").succeed().shown());
    assert_eq!(line(&project)["columns_from"], "last_run");
    // Another flow may be about to write it.
    project.write("data/raw.csv", "id,price\n1,12.5\n");
    let to = "{type: csv, path: data/orders.csv}";
    project.flow("first", &format!("home: data/raw.csv\nstore: {to}\n"));
    flow(&project, &format!("after: first\n{DERIVED}"));
    said.push_str(&project.hygge("start --dry-run").succeed().shown());
    insta::assert_snapshot!(said);
}

/// A flow of the same run replaces it before it is read.
#[test]
fn what_stands_at_a_source_that_is_written_first_is_no_fact() {
    let project = shop("");
    project.flow(
        "g",
        "home: lake/orders\nstore: lake/g\nafter: f\n\
         transforms: [{type: derive, columns: {twice: 'total * 2'}}]\n",
    );
    project.hygge("start --flow f").succeed();
    // It has no column `total` yet.
    project.write("data/orders.csv", "id,total\n1,12.5\n");
    let would = project.hygge("start --dry-run").succeed().shown();
    let told = "g.g: its columns aren't known: flow f goes first and writes the source";
    assert!(would.contains(told), "{would}");
    let alone = project.hygge("start --dry-run --flow g").run();
    assert_eq!(alone.code, Some(1), "{alone}");
    project.hygge("start").succeed();
}

#[test]
fn a_commit_that_waits_comes_before_columns() {
    let project = shop(DERIVED);
    let killed = project
        .hygge("start")
        .failpoints("intent.stored=kill")
        .run();
    assert!(killed.was_killed(), "{killed}");
    insta::assert_snapshot!(project.hygge("start --dry-run").succeed().shown());
}

#[test]
fn of_many_tables_each_is_asked_by_its_name() {
    let database = Database::start();
    let table = "dbo.hygge_test_would";
    database.without(&[table]);
    database.run(&format!("CREATE TABLE {table} (id int NOT NULL)"));
    let project = database.project(2);
    let home = "home: {connection: db, tables: 'dbo.hygge_test_wou*'}\nstore: lake\n";
    let transforms = "transforms: [{type: rename, columns: {id: key}}]\n";
    project.flow("all", &format!("{home}{transforms}"));
    let one = "all.hygge_test_would";
    for dry in [
        "start --dry-run",
        &format!("start --dry-run --entity {one}"),
    ] {
        let said = project.hygge(dry).succeed().shown();
        assert!(said.contains("its rows would have key int32"), "{said}");
        let shown = format!("(`hygge schema {one}` shows the columns after each)");
        assert!(said.contains(&shown), "{said}");
    }
    // As in a run there is no such entity.
    let pattern = project.hygge("start --dry-run --entity all.all").run();
    assert_eq!(pattern.code, Some(2), "{pattern}");
    let home = format!("home: {{connection: db, table: {table}}}\nstore: lake\n");
    project.flow("all", &format!("{home}{transforms}"));
    let said = project.hygge("start --dry-run").succeed().shown();
    assert!(said.contains("its rows would have key int32"), "{said}");
}

/// Where nobody can ask it what a wildcard stands for.
#[test]
fn a_server_that_is_away_is_told() {
    let project = Project::new();
    project.write(
        "hygge.yml",
        "name: test\nconnections:\n  db: {type: mssql, server: db.invalid, user: ann, password: p}\n",
    );
    let home = "home: {connection: db, tables: dbo.*}\nstore: lake\n";
    let transforms = "transforms: [{type: rename, columns: {id: key}}]\n";
    project.flow("all", &format!("{home}{transforms}"));
    let said = project.hygge("start --dry-run").succeed().shown();
    for told in [
        "warning: can't look what `all.all` has: ",
        "its pattern is shown instead",
        "all.all: rename id to key\n",
        "each table has its own, which `hygge schema all.TABLE` shows",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    let named = project.hygge("start --dry-run --entity all.orders").run();
    assert_eq!(named.code, Some(1), "{named}");
    let told = "error: can't look what `all.all` has: ";
    assert!(named.shown().contains(told), "{named}");
}
