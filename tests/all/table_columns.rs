//! Other columns than a table of SQL Server has.

use crate::harness::Database;

/// What a run finds out of a table before rows move, others find as well.
#[test]
fn what_a_table_cannot_take_is_known_before_a_run() {
    let database = Database::start();
    let table = "hygge_test_known";
    database.without(&[table]);
    database.run(&format!(
        "CREATE TABLE dbo.{table} (name nvarchar(20) NULL, n int NOT NULL)"
    ));
    let project = database.project(4);
    project.write("data/in.csv", "id,name,n\n1,a,1\n");
    for (home, store, told) in [
        (
            "",
            "direct: true, on_schema_change: additive",
            "can't be changed for them",
        ),
        (
            ", incremental: {column: n, strategy: merge, key: id}",
            "on_schema_change: ignore_extra",
            "isn't written to the table",
        ),
    ] {
        project.flow(
            "f",
            &format!(
                "home: {{path: data/in.csv{home}, schema: {{n: int32}}}}\n\
                 store: {{connection: db, table: dbo.{table}, {store}}}\n"
            ),
        );
        for verb in ["schema diff f.f", "debug", "start"] {
            let refused = project.hygge(verb).run();
            assert_eq!(refused.code, Some(1), "{verb}: {refused}");
            assert!(refused.shown().contains(told), "{verb}: {refused}");
        }
    }
    database.without(&[table]);
}

/// Its columns are the table's, and what the last run had is remembered.
#[test]
fn a_table_is_emptied_where_its_source_may_be_empty() {
    let database = Database::start();
    let table = "hygge_test_emptied";
    database.without(&[table]);
    database.run(&format!(
        "CREATE TABLE dbo.{table} (id int NOT NULL, req int NOT NULL DEFAULT 7)"
    ));
    let project = database.project(4);
    project.flow(
        "f",
        &format!(
            "home: {{type: csv, path: data, allow_empty: true, schema: {{id: int32}}}}\n\
             store: {{connection: db, table: dbo.{table}, on_schema_change: additive}}\n"
        ),
    );
    project.write("data/a.csv", "id\n1\n");
    project.hygge("start --quiet").succeed();
    std::fs::remove_file(project.path("data/a.csv")).unwrap();
    project.hygge("start --quiet").succeed();
    let rows = database.run(&format!("SELECT CONCAT(id, ' ', req) FROM dbo.{table}"));
    assert_eq!(rows, [""; 0]);
    project.write("data/a.csv", "id,req\n1,5\n");
    let diff = project.hygge("schema diff f.f").run();
    let next = "adds what the table doesn't have yet (on_schema_change: additive)";
    assert!(diff.stdout.contains(next), "{diff}");
    database.without(&[table]);
}

/// A partition gives way to rows of its own, and none came.
#[test]
fn no_partition_is_replaced_by_nothing() {
    let database = Database::start();
    let table = "hygge_test_partitions";
    database.without(&[table]);
    database.run(&format!(
        "CREATE TABLE dbo.{table} (id int NOT NULL, day int NOT NULL)"
    ));
    let project = database.project(4);
    project.flow(
        "f",
        &format!(
            "home: {{type: csv, path: data, allow_empty: true}}\n\
             store: {{connection: db, table: dbo.{table}, write_strategy: delete_insert, \
             partition_by: day}}\n"
        ),
    );
    project.write("data/a.csv", "id,day\n1,5\n");
    project.hygge("start --quiet").succeed();
    std::fs::remove_file(project.path("data/a.csv")).unwrap();
    let run = project.hygge("start").succeed();
    assert!(run.shown().contains("nothing was moved"), "{run}");
    let rows = database.run(&format!("SELECT CONCAT(id, ' ', day) FROM dbo.{table}"));
    assert_eq!(rows, ["1 5"]);
    database.without(&[table]);
}

#[test]
fn a_table_follows() {
    let database = Database::start();
    let table = "hygge_test_follows";
    database.without(&[table]);
    database.run(&format!(
        "CREATE TABLE dbo.{table} (id int NOT NULL, name nvarchar(20) NULL)"
    ));
    let project = database.project(4);
    project.flow(
        "f",
        &format!(
            "home: data/in.csv\n\
             store: {{connection: db, table: dbo.{table}, on_schema_change: evolve, adopt: true}}\n"
        ),
    );
    project.write("data/in.csv", "id,name\n1,a\n");
    project.hygge("start --quiet").succeed();
    project.write("data/in.csv", "id,name,since\n5000000000,b,2026-01-01\n");
    project.hygge("start --quiet").succeed();
    let rows = database.run(&format!(
        "SELECT CONCAT(id, ' ', name, ' ', since) FROM dbo.{table}"
    ));
    assert_eq!(rows, ["5000000000 b 2026-01-01"]);
    database.without(&[table]);
}

/// What is extra goes by the table, and so do names: what it has is written, whatever the last run
/// brought.
#[test]
fn a_table_says_itself_what_is_extra() {
    let database = Database::start();
    let table = "hygge_test_extra";
    database.without(&[table]);
    database.run(&format!(
        "CREATE TABLE dbo.{table} (id int NOT NULL, fax int NULL)"
    ));
    let project = database.project(4);
    project.flow(
        "f",
        &format!(
            "home: data/in.csv\n\
             store: {{connection: db, table: dbo.{table}, on_schema_change: ignore_extra, adopt: true}}\n"
        ),
    );
    for (rows, settled) in [
        ("id,fax\n1,1\n", "1 1"),
        ("id\n2\n", "2 "),
        ("id,fax,new\n3,7,8\n", "3 7"),
        ("ID,FAX\n4,9\n", "4 9"),
    ] {
        project.write("data/in.csv", rows);
        let diff = project.hygge("schema diff f.f").succeed();
        let left_out = diff.stdout.contains("the table doesn't have");
        assert_eq!(left_out, rows.contains("new"), "{diff}");
        project.hygge("start --quiet").succeed();
        let found = database.run(&format!("SELECT CONCAT(id, ' ', fax) FROM dbo.{table}"));
        assert_eq!(found, [settled], "{rows}");
    }
    // What is left out is neither remembered nor checked.
    project.write("data/in.csv", "id,fax,new\n3,7,8\n");
    let run = project.hygge("start").succeed();
    assert!(
        run.shown().contains("has no column for new: left out"),
        "{run}"
    );
    let state = project.hygge("state show f.f --output json").succeed();
    assert!(!state.stdout.contains("\"new\""), "{state}");
    project.flow(
        "f",
        &format!(
            "home: data/in.csv\nchecks: [{{type: not_null, columns: new}}]\n\
             store: {{connection: db, table: dbo.{table}, on_schema_change: ignore_extra, adopt: true}}\n"
        ),
    );
    for verb in ["start", "debug", "schema diff f.f"] {
        let refused = project.hygge(verb).run();
        assert_eq!(refused.code, Some(1), "{verb}: {refused}");
        let said = refused.shown();
        assert!(
            said.contains("names a column that isn't there: new"),
            "{said}"
        );
    }
    // Under another policy all that doesn't fit is told, with what helps.
    project.flow(
        "f",
        &format!("home: data/in.csv\nstore: {{connection: db, table: dbo.{table}}}\n"),
    );
    project.write("data/in.csv", "id,fax,new\n5,1.5,2\n");
    // Before a run does.
    let diff = project.hygge("schema diff f.f").run();
    assert_eq!(diff.code, Some(1), "{diff}");
    assert!(diff.stdout.contains("\"new\" isn't there"), "{diff}");
    let debugged = project.hygge("debug").run();
    assert_eq!(debugged.code, Some(1), "{debugged}");
    let refused = project.hygge("start").run();
    assert_eq!(refused.code, Some(1), "{refused}");
    for said in [
        "\"fax\": float64 can't be written as int; \"new\" isn't there",
        "next: change the table; leave columns out (a transform `exclude`)",
        "a transform `cast`",
        "`on_schema_change: evolve` widens those of the table",
    ] {
        assert!(refused.shown().contains(said), "{refused}");
    }
    // Where it can.
    project.write("data/in.csv", "id,fax\n5,x\n");
    let refused = project.hygge("start").run();
    assert!(!refused.shown().contains("evolve"), "{refused}");
    std::fs::remove_dir_all(project.path("flows/f")).unwrap();
    project.flow(
        "g",
        &format!(
            "home: data/in.csv\n\
             store: {{connection: db, table: dbo.{table}, on_schema_change: evolve, adopt: true}}\n"
        ),
    );
    project.write("data/in.csv", "id,fax\n5,1.5\n");
    project.hygge("start --quiet").succeed();
    let found = database.run(&format!("SELECT CONCAT(fax, '') FROM dbo.{table}"));
    assert_eq!(found, ["1.5"]);
    database.without(&[table]);
}

/// Whatever comes is written where the table has no column to tell what is newer by.
#[test]
fn a_merge_leaves_its_watermark_out_of_a_table_without_it() {
    let database = Database::start();
    let table = "hygge_test_unmarked";
    database.without(&[table]);
    database.run(&format!(
        "CREATE TABLE dbo.{table} (id int NOT NULL, name nvarchar(20) NULL)"
    ));
    let project = database.project(4);
    project.flow(
        "f",
        &format!(
            "home: {{type: csv, path: data, \
             incremental: {{column: upd, strategy: merge, key: id}}}}\n\
             store: {{connection: db, table: dbo.{table}, on_schema_change: ignore_extra, adopt: true}}\n"
        ),
    );
    for (file, row) in [("a", "1,ann,5"), ("b", "1,ben,6")] {
        project.write(&format!("data/{file}.csv"), format!("id,name,upd\n{row}\n"));
        project.hygge("debug").succeed();
        project.hygge("start --quiet").succeed();
    }
    let found = database.run(&format!("SELECT CONCAT(id, ' ', name) FROM dbo.{table}"));
    assert_eq!(found, ["1 ben"]);
}
