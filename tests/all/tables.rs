//! Tables of SQL Server as those meet them who write to some: columns of any name and length, and
//! commits that wait for a table that the project doesn't name any more.

use hygge_tds_server::{PASSWORD, USER};

use crate::harness::{Database, Project};

/// A project that writes `data/in.ndjson` into a table, which is made with these columns.
fn project(database: &Database, table: &str, columns: &str, settings: &str) -> Project {
    database.without(&[table]);
    database.run(&format!("CREATE TABLE {table} ({columns})"));
    let project = database.project(4);
    write_to(&project, table, settings);
    project
}

fn write_to(project: &Project, table: &str, settings: &str) {
    project.flow(
        "f",
        &format!(
            "home: {{path: data/in.ndjson, incremental: {{column: id, strategy: merge, key: id}}}}\n\
             store: {{connection: db, table: {table}{settings}}}\n"
        ),
    );
}

#[test]
fn columns_called_as_those_that_hygge_stages_with_lose_no_row() {
    let database = Database::start();
    let (table, additive) = ("dbo.hygge_test_reserved", ", on_schema_change: additive");
    let project = project(&database, table, "id bigint NOT NULL PRIMARY KEY", additive);
    project.write("data/in.ndjson", "{\"id\":1}\n");
    project.hygge("start --quiet").succeed();
    project.write(
        "data/in.ndjson",
        "{\"id\":2,\"hygge_row\":9,\"Hygge_Split\":1,\"hygge_nth\":3}\n\
         {\"id\":2,\"hygge_row\":8,\"Hygge_Split\":1,\"hygge_nth\":4}\n",
    );
    project.hygge("start --quiet").succeed();
    let rows = database.run(&format!(
        "SELECT CONCAT(id, ':', hygge_row, ':', Hygge_Split, ':', hygge_nth) FROM {table} ORDER BY id"
    ));
    assert_eq!(rows, ["1:::", "2:8:1:4"]);
}

#[test]
fn under_evolve_a_column_of_any_texts_grows_with_its_values() {
    let database = Database::start();
    let (table, columns) = (
        "dbo.hygge_test_longer",
        "id bigint NOT NULL PRIMARY KEY, v varchar(3), c char(3)",
    );
    let project = project(&database, table, columns, ", on_schema_change: evolve");
    project.write("data/in.ndjson", "{\"id\":1,\"v\":\"abc\",\"c\":\"ab\"}\n");
    project.hygge("start --quiet").succeed();
    project.write(
        "data/in.ndjson",
        "{\"id\":2,\"v\":\"abcdefg\",\"c\":\"abcd\"}\n",
    );
    project.hygge("start --quiet").succeed();
    let rows = database.run(&format!("SELECT CONCAT(id, v, c) FROM {table} ORDER BY id"));
    assert_eq!(rows, ["1abcab ", "2abcdefgabcd"]);
}

#[test]
fn a_commit_that_waits_for_another_table_is_told_with_its_place() {
    let database = Database::start();
    let (before, now) = ("dbo.hygge_test_before", "dbo.hygge_test_now");
    let project = project(&database, before, "id bigint NOT NULL", "");
    let columns = "CREATE TABLE dbo.hygge_test_now (id bigint NOT NULL)";
    database.without(&[now]).run(columns);
    project.write("data/in.ndjson", "{\"id\":1}\n");
    let killed = project
        .hygge("start")
        .failpoints("commit.started=kill")
        .run();
    assert!(killed.was_killed(), "{killed}");
    // The next run finishes it there, and a dry one knows where that is.
    write_to(&project, now, "");
    let dry = project.hygge("start --dry-run").run();
    let moved = "error: f.f: what is remembered is true of mssql dbo.hygge_test_before in ";
    assert!(dry.stdout.contains(moved), "{dry}");
    // Its password stands in the project only, and nothing there names it any more.
    project.flow("f", "home: data/in.ndjson\nstore: lake\n");
    for verb in ["start", "state recover f.f"] {
        let refused = project.hygge(verb).run();
        assert_eq!(refused.code, Some(1), "{refused}");
        let said = refused.shown();
        assert!(
            said.contains("is for mssql dbo.hygge_test_before in "),
            "{said}"
        );
        assert!(
            said.contains("the store that the entity has now has none"),
            "{said}"
        );
        assert!(
            said.contains("put its old store back into the project"),
            "{said}"
        );
        assert!(
            said.contains("`hygge state reset f.f --yes` gives it up"),
            "{said}"
        );
    }
    write_to(&project, before, "");
    project.hygge("start").succeed();
    assert_eq!(database.run(&format!("SELECT id FROM {before}")), ["1"]);
}

/// The connection leads elsewhere since, and its password is for there.
#[test]
fn a_server_that_a_commit_waits_for_is_shown_no_password_of_another() {
    let database = Database::start();
    let Some(server) = database.made() else {
        return;
    };
    let table = "dbo.hygge_test_left";
    let project = project(&database, table, "id bigint NOT NULL", "");
    let port = server.address().port();
    let connect = |host: &str, password: &str| {
        let connection = format!(
            "name: test\nconnections:\n  db: {{type: mssql, server: '{host},{port}', database: test, \
             user: {USER}, password: {password}, trust_server_certificate: true}}\n"
        );
        project.write("hygge.yml", connection);
    };
    connect("127.0.0.1", PASSWORD);
    project.write("data/in.ndjson", "{\"id\":1}\n");
    let killed = project
        .hygge("start")
        .failpoints("commit.started=kill")
        .run();
    assert!(killed.was_killed(), "{killed}");
    connect("localhost", "hunter2");
    for verb in ["start", "state recover f.f"] {
        let refused = project.hygge(verb).run();
        assert_eq!(refused.code, Some(1), "{refused}");
        let said = refused.shown();
        assert!(said.contains("whose secrets go nowhere else"), "{said}");
        assert!(
            said.contains("`hygge state reset f.f --yes` gives it up"),
            "{said}"
        );
        assert!(!said.contains("hunter2"), "{said}");
    }
    connect("127.0.0.1", PASSWORD);
    project.hygge("start").succeed();
    assert_eq!(database.run(&format!("SELECT id FROM {table}")), ["1"]);
}

#[test]
fn a_table_is_one_however_its_name_is_written() {
    let project = Project::new();
    project.write(
        "hygge.yml",
        "name: test\nconnections:\n  db: {type: mssql, server: db.invalid, user: ann, password: p}\n",
    );
    project.flow(
        "a",
        "home: data/a\nstore: {connection: db, table: dbo.same}\n",
    );
    project.flow(
        "b",
        "home: data/b\nstore: {connection: db, table: DBO.SAME}\n",
    );
    let refused = project.hygge("list").run();
    assert_eq!(refused.code, Some(2), "{refused}");
    insta::assert_snapshot!(refused.shown());
}
