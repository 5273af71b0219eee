//! Merging into a table of SQL Server: what stands afterwards doesn't hang on how often, or in which
//! order, rows came.

use crate::harness::{Database, Outcome, Project};

const FROM: &str = "dbo.hygge_test_merge_from";
const TO: &str = "dbo.hygge_test_merge_to";

/// The ways to merge, as settings of a store.
const WAYS: [&str; 3] = [
    "",
    ", write_strategy: merge, merge_statement: true",
    ", write_strategy: delete_insert",
];

struct Scene {
    database: Database,
    project: Project,
}

impl Scene {
    /// A source of these columns, which is moved to another table with these settings.
    fn new(columns: &str, home: &str, store: &str) -> Self {
        let database = Database::start();
        database.without(&[FROM, TO]);
        database.run(&format!("CREATE TABLE {FROM} ({columns})"));
        let project = database.project(4);
        let scene = Self { database, project };
        scene.flow(home, store);
        scene
    }

    fn flow(&self, home: &str, store: &str) {
        self.project.flow(
            "merge",
            &format!(
                "home: {{connection: db, table: {FROM}{home}}}\n\
                 store: {{connection: db, table: {TO}{store}}}\n"
            ),
        );
    }

    fn run(&self) -> Outcome {
        self.project.hygge("start").succeed()
    }

    fn refused(&self) -> String {
        let outcome = self.project.hygge("start").run();
        assert_eq!(outcome.code, Some(1), "{outcome}");
        outcome.shown()
    }

    fn rows(&self, columns: &str) -> Vec<String> {
        self.database
            .run(&format!("SELECT CONCAT({columns}) FROM {TO} ORDER BY 1"))
    }
}

/// A late version is no newer for having come later.
#[test]
fn an_older_version_does_not_replace_a_newer_one() {
    let home = ", incremental: {column: t, strategy: merge, key: k}";
    for way in WAYS {
        let store = format!(", create: if_missing{way}");
        let columns = "id int NOT NULL PRIMARY KEY, k int, t datetime2(3), v nvarchar(10)";
        let scene = Scene::new(columns, home, &store);
        let rows = || scene.rows("k, '|', DATEPART(minute, t), '|', v");
        scene.database.run(&format!(
            "INSERT INTO {FROM} (id, k, t, v) VALUES (1, 1, '2026-01-01 10:04', N'new'), \
             (2, 2, '2026-01-01 10:05', N'x'), (3, 3, '2026-01-01 10:02', N'y'), \
             (4, 4, '2026-01-01 10:02', N'z'), (5, 5, '2026-01-01 10:02', NULL)"
        ));
        scene.run();
        // What the source says is equally late or later, what came too late, and what is new.
        scene.database.run(&format!(
            "DELETE FROM {FROM} WHERE id = 1; UPDATE {FROM} SET v = N'again' WHERE id = 2; \
             UPDATE {FROM} SET v = N'later', t = '2026-01-01 10:03' WHERE id = 3; \
             INSERT INTO {FROM} (id, k, t, v) VALUES (6, 1, '2026-01-01 10:03', N'older'), \
             (7, 7, '2026-01-01 10:01', N'first'); \
             UPDATE {TO} SET t = NULL WHERE k = 4; \
             UPDATE {TO} SET v = N'ours' WHERE k = 5"
        ));
        let told = "1 row isn't written: the one with its key in dbo.hygge_test_merge_to is newer \
                    by \"t\"";
        let outcome = scene.run();
        assert!(outcome.shown().contains(told), "{way}: {outcome}");
        let mut expected = [
            "1|4|new",
            "2|5|again",
            "3|3|later",
            "4|2|z",
            "5|2|",
            "7|1|first",
        ];
        assert_eq!(rows(), expected, "{way}");
        // A full run knows all there is.
        expected[0] = "1|3|older";
        let mirror = ", write_strategy: merge, delete_missing: true";
        for store in [store.as_str(), mirror] {
            scene.flow(home, store);
            let full = scene.project.hygge("start --full").succeed();
            assert!(!full.shown().contains("newer"), "{way}: {full}");
            assert_eq!(rows(), expected, "{way}");
            scene.database.run(&format!(
                "UPDATE {TO} SET t = '2026-01-01 10:09', v = N'ours' WHERE k = 1"
            ));
        }
    }
}

#[test]
fn a_row_without_a_value_gets_the_default_however_often_it_comes() {
    for (way, null) in WAYS
        .iter()
        .flat_map(|way| [(way, "NOT NULL"), (way, "NULL")])
    {
        let scene = Scene::new(
            "id int NOT NULL PRIMARY KEY, v int NULL",
            ", incremental: {column: id, strategy: merge, key: id}",
            &format!(", keep_nulls: false{way}"),
        );
        scene.database.run(&format!(
            "CREATE TABLE {TO} (id int NOT NULL PRIMARY KEY, v int {null} DEFAULT 5); \
             INSERT INTO {FROM} (id, v) VALUES (1, 1), (2, NULL)"
        ));
        scene.run();
        assert_eq!(scene.rows("id, '|', v"), ["1|1", "2|5"], "{way} {null}");
        // The row at the watermark comes again.
        scene
            .database
            .run(&format!("INSERT INTO {FROM} (id, v) VALUES (3, 7)"));
        scene.run();
        let rows = scene.rows("id, '|', v");
        assert_eq!(rows, ["1|1", "2|5", "3|7"], "{way} {null}");
    }
}

/// Also in the first run, which makes the table and so fills it in another way.
#[test]
fn a_table_that_is_made_has_one_row_a_key() {
    let store = |key: &str| {
        format!(", create: if_missing, write_strategy: merge, delete_missing: true, key: {key}")
    };
    let scene = Scene::new("k int NULL, v int NULL", "", &store("nope"));
    let fill = |rows: &str| {
        scene.database.run(&format!(
            "DELETE FROM {FROM}; INSERT INTO {FROM} (k, v) VALUES {rows}"
        ));
    };
    fill("(1, 1), (NULL, 2)");
    let shown = scene.refused();
    assert!(
        shown.contains("column \"nope\", which the store or the key names"),
        "{shown}"
    );
    scene.flow("", &store("k"));
    let shown = scene.refused();
    let expected = "column \"k\", row 2 of its split: no value, and rows are told apart by it";
    assert!(shown.contains(expected), "{shown}");
    fill("(1, 1), (1, 2), (2, 3)");
    for _ in 0..2 {
        scene.run();
        assert_eq!(scene.rows("k, '|', v"), ["1|2", "2|3"]);
    }
    fill("(2, 4)");
    scene.run();
    assert_eq!(scene.rows("k, '|', v"), ["2|4"]);
}
