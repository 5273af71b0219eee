//! What a script may do in SQLite, and what it may not; and what the catalogue of SQLite says.

use rusqlite::Connection;

use crate::harness::{Outcome, Project};

fn project() -> Project {
    let project = Project::bare();
    project.write(
        "hygge.yml",
        "name: test\nconnections:\n  db: {type: sqlite, path: seeds.db}\n",
    );
    project
}

fn database(project: &Project) -> Connection {
    Connection::open(project.path("seeds.db")).unwrap()
}

fn count(project: &Project, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    let counted = database(project).query_row(&sql, (), |row| row.get(0));
    counted.unwrap_or_default()
}

/// Applies scripts, in order, that are called `1.sql` and so on.
fn apply(project: &Project, scripts: &[&str]) -> Outcome {
    let mut command = "apply --connection db".to_owned();
    for (at, script) in (1..).zip(scripts) {
        project.write(&format!("{at}.sql"), script);
        command.push_str(&format!(" {at}.sql"));
    }
    project.hygge(&command).run()
}

#[test]
fn what_is_explained_opens_and_ends_nothing() {
    let explained = project();
    let said = apply(
        &explained,
        &[
            "CREATE TABLE l (v);",
            "SAVEPOINT s; INSERT INTO l VALUES (1); EXPLAIN RELEASE s;",
            "ROLLBACK TO s;",
        ],
    );
    insta::assert_snapshot!("explained", said.shown());
    let only = "EXPLAIN SAVEPOINT a; EXPLAIN QUERY PLAN SAVEPOINT b; CREATE TABLE l (v);";
    assert_eq!(apply(&explained, &[only]).code, Some(0));
}

#[test]
fn the_record_stays_in_the_schema() {
    let project = project();
    let table = "CREATE TABLE l (v);";
    for (name, script) in [
        (
            "schema_emptied",
            "PRAGMA writable_schema = 1; DELETE FROM sqlite_master;",
        ),
        (
            "record_indexed",
            "CREATE UNIQUE INDEX own ON hygge_applied (batches);",
        ),
        (
            "record_temporary_trigger",
            "CREATE TEMP TRIGGER own BEFORE INSERT ON hygge_applied BEGIN SELECT RAISE(IGNORE); END;",
        ),
    ] {
        insta::assert_snapshot!(name, apply(&project, &[table, script]).shown());
        assert_eq!(count(&project, "sqlite_master"), 0, "{name}");
    }
    // That of another database is its own.
    let other = project.path("other.db").display().to_string();
    let attached = format!(
        "ATTACH '{other}' AS other; CREATE TABLE other.hygge_applied (v); \
         INSERT INTO other.hygge_applied VALUES (1); ALTER TABLE other.hygge_applied ADD w; \
         DELETE FROM other.hygge_applied; DROP TABLE other.hygge_applied;"
    );
    let said = apply(&project, &[table, &attached]);
    assert_eq!(said.code, Some(0), "{said}");
}

#[test]
fn what_a_file_sets_is_no_matter_of_the_record() {
    let project = project();
    let said = apply(
        &project,
        &[
            "PRAGMA count_changes = 1; PRAGMA foreign_keys = 2; CREATE TABLE l (v);",
            "PRAGMA query_only = 1;",
            "INSERT INTO l VALUES (sqrt(4));",
        ],
    );
    assert_eq!(said.code, Some(0), "{said}");
    assert_eq!(count(&project, "l"), 1);
    assert_eq!(count(&project, "hygge_applied"), 3);
    // By whatever case it was made, it is the record.
    let cased =
        "ALTER TABLE hygge_applied RENAME TO hygge; ALTER TABLE hygge RENAME TO HYGGE_APPLIED;";
    database(&project).execute_batch(cased).unwrap();
    let said = project.hygge("apply 1.sql --connection db").succeed();
    assert!(said.stdout.contains("Unchanged"), "{said}");
    let said = project
        .hygge("generate entities --connection db --tables *")
        .succeed();
    assert!(!said.stdout.contains("HYGGE"), "{said}");
    // What keeps it from taking a row names the file.
    let index = "CREATE UNIQUE INDEX own ON hygge_applied (batches) WHERE id > 2";
    database(&project).execute_batch(index).unwrap();
    project.write("4.sql", "SELECT 1;");
    let said = project.hygge("apply 4.sql --connection db").run();
    insta::assert_snapshot!("record_refused", said.shown());
}

#[test]
fn what_a_transaction_locks_is_nobody_elses() {
    let project = project();
    let wal = "PRAGMA journal_mode = WAL";
    database(&project).query_row(wal, (), |_| Ok(())).unwrap();
    let script = "CREATE TABLE l (v);\nPRAGMA wal_checkpoint;";
    insta::assert_snapshot!("checkpoint", apply(&project, &[script]).shown());
}

#[test]
fn tables_are_described_whatever_else_is_there() {
    let project = project();
    let tables = "CREATE TABLE plain (id INTEGER PRIMARY KEY, v); CREATE TABLE loose (code text PRIMARY KEY); \
                  CREATE TABLE [a.b] (v); CREATE TABLE b (v); CREATE VIEW broken AS SELECT * FROM nowhere;";
    database(&project).execute_batch(tables).unwrap();
    let described = |arguments: &str| {
        let command = format!("generate entities --connection db --tables {arguments}");
        project.hygge(&command).run().shown()
    };
    insta::assert_snapshot!("tables", described("plain,loose,broke?"));
    insta::assert_snapshot!("broken_view", described("* --views"));
    insta::assert_snapshot!("dotted", described("a.b"));
    insta::assert_snapshot!("dotted_in_main", described("main.a.b"));
}
