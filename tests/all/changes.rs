//! Change tracking of SQL Server: what was inserted, updated and deleted between runs arrives, also
//! when a run dies on its way, and a version that is too old gives way to all rows.

use crate::harness::{Database, Events, Outcome, Project};

const FROM: &str = "dbo.hygge_test_changes";
const TO: &str = "dbo.hygge_test_changed";

/// A table whose changes are tracked, and a project that follows them.
struct Scene {
    database: Database,
    project: Project,
}

/// Lets the database track changes, which on a real server it may do already.
fn tracking(database: &Database) {
    database.run(
        "IF NOT EXISTS (SELECT 1 FROM sys.change_tracking_databases WHERE database_id = DB_ID()) \
         ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS, AUTO_CLEANUP = ON)",
    );
}

impl Scene {
    fn new(home: &str, store: &str) -> Self {
        let database = Database::start();
        database.without(&[FROM, TO]);
        tracking(&database);
        database.run(&format!(
            "CREATE TABLE {FROM} (at date NOT NULL, id int NOT NULL, name nvarchar(20) NOT NULL, \
             price decimal(9, 2) NULL, PRIMARY KEY (id)); \
             ALTER TABLE {FROM} ENABLE CHANGE_TRACKING; \
             INSERT INTO {FROM} (at, id, name, price) VALUES \
             ('2026-01-01', 1, N'one', 1.50), ('2026-01-02', 2, N'two', NULL), \
             ('2026-01-03', 3, N'three', 3.00), ('2026-01-04', 4, N'four', 4.00)"
        ));
        let project = database.project(4);
        project.flow(
            "follow",
            &format!(
                "home:\n  connection: db\n  table: {FROM}\n  incremental: {{strategy: \
                 change_tracking}}\n{home}store:\n  connection: db\n  table: {TO}\n  create: \
                 if_missing\n{store}"
            ),
        );
        Self { database, project }
    }

    fn run(&self) -> Outcome {
        self.project.hygge("start").succeed()
    }

    fn change(&self) {
        self.database.run(&format!(
            "INSERT INTO {FROM} (at, id, name, price) VALUES ('2026-01-05', 5, N'five', 5.00), \
             ('2026-01-06', 6, N'gone', 6.00), ('2026-01-07', 7, N'seven', 7.00); \
             UPDATE {FROM} SET name = N'two again', price = 2.00 WHERE id = 2; \
             UPDATE {FROM} SET price = 7.50 WHERE id = 7; \
             DELETE FROM {FROM} WHERE id IN (3, 6)"
        ));
    }

    fn rows(&self, table: &str, condition: &str) -> Vec<String> {
        self.database.run(&format!(
            "SELECT CONCAT(id, '|', name, '|', price, '|', CONVERT(varchar(10), at, 23)) \
             FROM {table}{condition} ORDER BY id"
        ))
    }

    /// Both tables hold the same, and nothing was left.
    fn check(&self, condition: &str) {
        let truth = self.rows(FROM, condition);
        assert_eq!(self.rows(TO, ""), truth);
        let left = self.database.run(
            "SELECT name FROM sys.objects WHERE type = 'U' AND LEFT(name, 12) = 'hygge_stage_'",
        );
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}

#[test]
fn what_changed_between_runs_arrives() {
    let ways = [
        "",
        "  write_strategy: merge\n  merge_statement: true\n",
        "  write_strategy: delete_insert\n",
    ];
    for store in ways {
        let scene = Scene::new("", store);
        scene.run();
        scene.check("");
        scene.change();
        let outcome = scene.run();
        // Two new rows, one that changed, and the keys of two that went.
        assert!(outcome.shown().contains("5 rows"), "{outcome}");
        scene.check("");
        // What didn't change isn't written again.
        scene
            .database
            .run(&format!("UPDATE {TO} SET name = N'ours' WHERE id = 1"));
        scene.run();
        let ours = scene.rows(TO, " WHERE id = 1");
        assert_eq!(ours, ["1|ours|1.50|2026-01-01"], "{store}");
        // A row that comes back, and a key that changes.
        scene.database.run(&format!(
            "INSERT INTO {FROM} (at, id, name) VALUES ('2026-02-01', 3, N'back'); \
             UPDATE {FROM} SET id = 40 WHERE id = 4; \
             UPDATE {FROM} SET name = N'one again' WHERE id = 1"
        ));
        scene.run();
        scene.check("");
        scene.database.run(&format!("DELETE FROM {FROM}"));
        scene.run();
        scene.check("");
    }
}

#[test]
fn a_row_that_no_longer_meets_the_condition_is_gone() {
    let scene = Scene::new("  where: price > 2\n", "");
    scene.run();
    scene.check(" WHERE price > 2");
    scene.database.run(&format!(
        "UPDATE {FROM} SET price = 1 WHERE id = 4; UPDATE {FROM} SET price = 9 WHERE id = 1"
    ));
    scene.run();
    scene.check(" WHERE price > 2");
}

/// Rows that meet the new condition don't change, so nothing else would tell of them.
#[test]
fn another_condition_reads_all_rows_again() {
    let scene = Scene::new("  where: price > 2\n", "");
    scene.run();
    let flow = scene.project.path("flows/follow/flow.yml");
    let yaml = std::fs::read_to_string(&flow).unwrap();
    std::fs::write(&flow, yaml.replace("price > 2", "price > 1")).unwrap();
    let again = scene.run();
    assert!(
        again
            .shown()
            .contains("is another one than in the last run: all rows are read again"),
        "{again}"
    );
    scene.check(" WHERE price > 1");
    assert!(!scene.run().shown().contains("another one"));
}

/// Nothing of a secret is kept, not a digest either.
#[test]
fn a_condition_with_a_secret_is_not_followed() {
    let scene = Scene::new("  where: name <> '${API_TOKEN}'\n", "");
    let refused = scene
        .project
        .hygge("start")
        .env("API_TOKEN", "hunter2")
        .run();
    assert_eq!(refused.code, Some(1), "{refused}");
    let shown = refused.shown();
    assert!(
        shown.contains("`where` of dbo.hygge_test_changes holds a secret"),
        "{shown}"
    );
    assert!(!shown.contains("hunter2"), "{shown}");
}

/// It was hygge that emptied the table, and no one else.
#[test]
fn a_source_that_loses_all_rows_goes_on() {
    let scene = Scene::new("", "");
    scene.run();
    scene.database.run(&format!("DELETE FROM {FROM}"));
    scene.run();
    scene.check("");
    scene.run();
    scene.database.run(&format!(
        "INSERT INTO {FROM} (at, id, name) VALUES ('2026-02-01', 9, N'back')"
    ));
    scene.run();
    scene.check("");
    // Of somebody else it is still told.
    scene.database.run(&format!("DELETE FROM {TO}"));
    let told = scene.project.hygge("start").run();
    assert_eq!(told.code, Some(1), "{told}");
    assert!(told.shown().contains("is empty"), "{told}");
}

#[test]
fn keys_of_several_columns_in_any_order() {
    let scene = Scene::new("  columns: [name, at, id]\n", "");
    scene.database.run(&format!(
        "ALTER TABLE {FROM} DISABLE CHANGE_TRACKING; DROP TABLE {FROM}; \
         CREATE TABLE {FROM} (id int NOT NULL, name nvarchar(20) NOT NULL, at date NULL, \
         price decimal(9, 2) NULL, PRIMARY KEY (name, id)); \
         ALTER TABLE {FROM} ENABLE CHANGE_TRACKING; \
         INSERT INTO {FROM} (id, name, at) VALUES (1, N'a', '2026-01-01'), (1, N'b', NULL), (2, N'a', NULL)"
    ));
    scene.run();
    scene.database.run(&format!(
        "DELETE FROM {FROM} WHERE id = 1 AND name = N'b'; \
         UPDATE {FROM} SET at = '2026-03-03' WHERE id = 2; \
         INSERT INTO {FROM} (id, name) VALUES (2, N'b')"
    ));
    scene.run();
    let rows = |table: &str| {
        scene.database.run(&format!(
            "SELECT CONCAT(id, '|', name, '|', CONVERT(varchar(10), at, 23)) FROM {table} \
             ORDER BY id, name"
        ))
    };
    assert_eq!(rows(TO), ["1|a|2026-01-01", "2|a|2026-03-03", "2|b|"]);
    assert_eq!(rows(FROM), rows(TO));
}

#[test]
fn a_version_that_is_too_old_gives_way_to_all_rows() {
    let scene = Scene::new("", "");
    scene.run();
    scene.change();
    // From here on the server knows nothing of what was before.
    scene.database.run(&format!(
        "TRUNCATE TABLE {FROM}; \
         INSERT INTO {FROM} (at, id, name) VALUES ('2026-01-01', 8, N'eight')"
    ));
    let outcome = scene.run();
    let shown = outcome.shown();
    assert!(shown.contains("all rows are read again"), "{outcome}");
    assert!(shown.contains("are known since version"), "{outcome}");
    scene.check("");
    // And goes on from there.
    scene.change();
    let outcome = scene.run();
    assert!(
        !outcome.shown().contains("all rows are read again"),
        "{outcome}"
    );
    scene.check("");
    let full = scene.project.hygge("start --full").succeed();
    assert!(full.shown().contains("3 rows"), "{full}");
    scene.check("");
    scene
        .database
        .run(&format!("DELETE FROM {FROM} WHERE id = 5"));
    scene.run();
    scene.check("");
}

/// Versions go on from where they were, so they say nothing of what changed while nobody counted.
#[test]
fn changes_that_were_tracked_anew_give_way_to_all_rows() {
    let scene = Scene::new("", "");
    scene.run();
    let off = format!("ALTER TABLE {FROM} DISABLE CHANGE_TRACKING");
    let on = format!("ALTER TABLE {FROM} ENABLE CHANGE_TRACKING");
    let again = |why: &str| {
        let outcome = scene.run();
        let expected = format!("{why}: all rows are read again");
        assert!(outcome.shown().contains(&expected), "{outcome}");
        scene.check("");
        let outcome = scene.run();
        assert!(!outcome.shown().contains("read again"), "{outcome}");
    };
    // The second time, the account begins at the version where the one before it began.
    for id in [50, 51] {
        scene.database.run(&format!(
            "{off}; INSERT INTO {FROM} (at, id, name) VALUES ('2026-05-05', {id}, N'unseen'); \
             DELETE FROM {FROM} WHERE id = {id} - 49; {on}"
        ));
        again("weren't tracked all the time since the last run");
    }
    // A table that is made anew, as some are every night.
    scene.database.run(&format!(
        "{off}; DROP TABLE {FROM}; \
         CREATE TABLE {FROM} (at date NOT NULL, id int NOT NULL, name nvarchar(20) NOT NULL, \
         price decimal(9, 2) NULL, PRIMARY KEY (id)); \
         INSERT INTO {FROM} (at, id, name) VALUES ('2026-06-06', 9, N'nine'); {on}"
    ));
    again("is another table than in the last run");
    // It ends while changes are read: those of this run aren't all.
    let paused = scene.project.hygge("start").spawn_to("split.opened");
    scene.database.run(&format!(
        "{off}; UPDATE {FROM} SET name = N'unseen' WHERE id = 9; {on}"
    ));
    let outcome = paused.go_on();
    assert_eq!(outcome.code, Some(1), "{outcome}");
    let expected = "were thrown away by the server while they were read";
    assert!(outcome.shown().contains(expected), "{outcome}");
    again("weren't tracked all the time since the last run");
}

/// Also when more happened since than had happened before, so that its version says nothing.
#[test]
fn a_database_that_was_put_back_is_read_again() {
    const TABLE: &str = "dbo.hygge_test_restored";
    for more in [0, 20] {
        let (erp, dw) = (Database::start(), Database::start());
        let Some(server) = erp.made() else {
            return;
        };
        tracking(&erp);
        erp.run(&format!(
            "CREATE TABLE {TABLE} (id int NOT NULL PRIMARY KEY, name nvarchar(20) NULL); \
             ALTER TABLE {TABLE} ENABLE CHANGE_TRACKING; \
             INSERT INTO {TABLE} (id, name) VALUES (1, N'one'), (2, N'two')"
        ));
        let project = Project::new();
        let connection = |database: &Database| {
            let string = database.connection_string().replace('\'', "''");
            format!("{{type: mssql, connection_string: '{string}', pool_size: 4}}")
        };
        project.write(
            "hygge.yml",
            format!(
                "name: test\nconnections:\n  erp: {}\n  dw: {}\n",
                connection(&erp),
                connection(&dw)
            ),
        );
        project.flow(
            "follow",
            &format!(
                "home: {{connection: erp, table: {TABLE}, incremental: {{strategy: \
                 change_tracking}}}}\nstore: {{connection: dw, table: {TABLE}, create: if_missing}}\n"
            ),
        );
        let rows = |database: &Database| {
            database.run(&format!(
                "SELECT CONCAT(id, '|', name) FROM {TABLE} ORDER BY id"
            ))
        };
        let backup = server.backup();
        project.hygge("start").succeed();
        erp.run(&format!(
            "INSERT INTO {TABLE} (id, name) VALUES (3, N'three'); DELETE FROM {TABLE} WHERE id = 1"
        ));
        project.hygge("start").succeed();
        assert_eq!(rows(&dw), ["2|two", "3|three"]);
        server.restore(&backup);
        for id in 10..10 + more {
            erp.run(&format!(
                "INSERT INTO {TABLE} (id, name) VALUES ({id}, N'after')"
            ));
        }
        let outcome = project.hygge("start").succeed();
        let shown = outcome.shown();
        assert!(shown.contains("was put back"), "{shown}");
        assert!(shown.contains("all rows are read again"), "{shown}");
        assert_eq!(rows(&dw), rows(&erp));
        assert_eq!(rows(&dw).len(), 2 + more);
    }
}

/// They are thrown away once they are read, before anybody can know that they were all of them.
#[test]
fn changes_that_are_thrown_away_while_they_are_read_fail_the_run() {
    let scene = Scene::new("", "");
    scene.run();
    let before = scene.rows(TO, "");
    scene.change();
    let paused = scene.project.hygge("start").spawn_to("split.opened");
    scene.database.run(&format!(
        "ALTER TABLE {FROM} DISABLE CHANGE_TRACKING; ALTER TABLE {FROM} ENABLE CHANGE_TRACKING"
    ));
    let outcome = paused.go_on();
    assert_eq!(outcome.code, Some(1), "{outcome}");
    let shown = outcome.shown();
    let expected = "were thrown away by the server while they were read";
    assert!(shown.contains(expected), "{shown}");
    assert!(shown.contains("the next run reads all rows"), "{shown}");
    assert_eq!(scene.rows(TO, ""), before);
    let again = scene.run();
    assert!(again.shown().contains("all rows are read again"), "{again}");
    scene.check("");
}

/// A snapshot for the statement that reads: what it isn't allowed is an error of the server's.
#[test]
fn changes_are_read_in_a_snapshot_where_that_is_asked_for() {
    let scene = Scene::new("  isolation: snapshot\n", "");
    let allow = "ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON";
    scene.database.run(allow);
    scene.run();
    scene.check("");
    scene.change();
    // What others do once it has begun isn't seen, and is what the next run begins with.
    let paused = scene.project.hygge("start").spawn_to("split.batch");
    scene.database.run(&format!(
        "UPDATE {FROM} SET name = N'late' WHERE id = 1; DELETE FROM {FROM} WHERE id = 2"
    ));
    assert_eq!(paused.go_on().code, Some(0));
    scene.run();
    scene.check("");
}

#[test]
fn every_table_of_a_pattern_is_followed() {
    let database = Database::start();
    let of = |name: &str| format!("dbo.hygge_test_followed_{name}");
    let to = |name: &str| format!("dbo.hygge_copy_hygge_test_followed_{name}");
    tracking(&database);
    for name in ["a", "b"] {
        database.without(&[&of(name), &to(name)]);
        database.run(&format!(
            "CREATE TABLE {0} (id int NOT NULL PRIMARY KEY, name nvarchar(20) NULL); \
             ALTER TABLE {0} ENABLE CHANGE_TRACKING; \
             INSERT INTO {0} (id, name) VALUES (1, N'{name}'), (2, N'two')",
            of(name)
        ));
    }
    let project = database.project(4);
    project.flow(
        "all",
        "home:\n  connection: db\n  tables: dbo.hygge_test_followed_*\n  incremental: {strategy: \
         change_tracking}\nstore: {connection: db, table: 'dbo.hygge_copy_{entity}', create: \
         if_missing}\n",
    );
    project.hygge("start").succeed();
    // Versions are the database's: each table has what is its own.
    database.run(&format!(
        "UPDATE {} SET name = N'new' WHERE id = 1; DELETE FROM {} WHERE id = 2",
        of("a"),
        of("b")
    ));
    let outcome = project.hygge("start --output json").succeed();
    let events = Events::of(&outcome);
    for (name, expected) in [("a", ["1|new", "2|two"].as_slice()), ("b", &["1|b"])] {
        assert_eq!(events.rows(&format!("all.hygge_test_followed_{name}")), 1);
        let rows = database.run(&format!(
            "SELECT CONCAT(id, '|', name) FROM {} ORDER BY id",
            to(name)
        ));
        assert_eq!(rows, expected, "{name}");
    }
}

#[test]
fn killed_between_reading_and_committing_no_change_is_lost() {
    let points = [
        "split.opened",
        "split.batch",
        "writer.finished",
        "receipt.stored",
        "store.prepared",
        "intent.stored",
        "commit.started",
        "commit.linked",
        "commit.synced",
        "commit.swapped",
        "store.committed",
        "state.written",
        "intent.closed",
    ];
    for point in points {
        let scene = Scene::new("", "");
        scene.run();
        scene.change();
        let killed = scene
            .project
            .hygge("start")
            .failpoints(&format!("{point}=kill"))
            .run();
        assert!(killed.was_killed(), "{point}: {killed}");
        // More happens before anybody looks again.
        scene.database.run(&format!(
            "DELETE FROM {FROM} WHERE id = 2; UPDATE {FROM} SET name = N'late' WHERE id = 1"
        ));
        scene.run();
        scene.run();
        scene.check("");
    }
}

#[test]
fn what_can_not_be_followed_is_refused_with_what_to_run() {
    let scene = Scene::new("", "");
    let refused = || {
        let outcome = scene.project.hygge("start").run();
        assert_eq!(outcome.code, Some(1), "{outcome}");
        outcome.shown()
    };
    scene
        .database
        .run(&format!("ALTER TABLE {FROM} DISABLE CHANGE_TRACKING"));
    let shown = refused();
    assert!(shown.contains("aren't tracked"), "{shown}");
    let statement = "ALTER TABLE [dbo].[hygge_test_changes] ENABLE CHANGE_TRACKING";
    assert!(shown.contains(statement), "{shown}");

    scene.database.run(&format!(
        "DROP TABLE {FROM}; CREATE TABLE {FROM} (id int NOT NULL)"
    ));
    let shown = refused();
    assert!(shown.contains("has no primary key"), "{shown}");
    assert!(shown.contains("ADD PRIMARY KEY"), "{shown}");

    if scene.database.made().is_some() {
        scene.database.run(&format!(
            "DROP TABLE {FROM}; CREATE TABLE {FROM} (id int NOT NULL PRIMARY KEY); \
             ALTER DATABASE CURRENT SET CHANGE_TRACKING = OFF"
        ));
        let shown = refused();
        assert!(shown.contains("doesn't track changes"), "{shown}");
        assert!(shown.contains("SET CHANGE_TRACKING = ON"), "{shown}");
    }
}

#[test]
fn ends_that_know_no_changes_are_refused_before_anything_runs() {
    let scene = Scene::new("", "");
    let refused = |home: &str, store: &str| {
        scene
            .project
            .flow("follow", &format!("home: {home}\nstore: {store}\n"));
        let outcome = scene.project.hygge("start").run();
        assert_eq!(outcome.code, Some(2), "{outcome}");
        outcome.shown()
    };
    let tracked = "incremental: {strategy: change_tracking}";
    let shown = refused(
        &format!("{{connection: db, table: {FROM}, {tracked}}}"),
        "lake/x",
    );
    assert!(shown.contains("can't take a change stream"), "{shown}");
    let shown = refused(
        &format!("{{connection: db, table: {FROM}, {tracked}}}"),
        &format!(
            "{{connection: db, table: {TO}}}\ntransforms: [{{type: filter, where: price > 2}}]"
        ),
    );
    assert!(
        shown.contains("would lose those of deleted rows"),
        "{shown}"
    );
    let shown = refused(
        &format!("{{connection: db, query: SELECT 1 AS a, {tracked}}}"),
        &format!("{{connection: db, table: {TO}}}"),
    );
    assert!(shown.contains("can't tell what changed"), "{shown}");
    let shown = refused(
        &format!(
            "{{connection: db, table: {FROM}, incremental: {{strategy: change_tracking, column: \
             id}}}}"
        ),
        &format!("{{connection: db, table: {TO}}}"),
    );
    assert!(shown.contains("has no use for `column`"), "{shown}");
}
