//! SQL files in a database, each once: there, killed anywhere, side by side, and refused.

use hygge_core::failpoint::APPLY_POINTS;
use hygge_tds_server::{Effect, Fault};

use crate::harness::{Database, Project};

/// A database that scripts are applied to, of either kind.
pub(crate) enum Target {
    Sqlite,
    Mssql(Database),
}

impl Target {
    pub(crate) fn both() -> [Self; 2] {
        [Self::Sqlite, Self::Mssql(Database::start())]
    }

    /// A project with a connection `db`, and a table's and its rows' scripts.
    pub(crate) fn project(&self) -> Project {
        let project = match self {
            Self::Sqlite => {
                let project = Project::bare();
                let yaml = "name: test\nconnections:\n  db: {type: sqlite, path: seeds.db}\n";
                project.write("hygge.yml", yaml);
                project
            }
            Self::Mssql(database) => {
                database.without(&["dbo.hygge_test_seeds", "dbo.hygge_applied"]);
                database.project(5)
            }
        };
        project.write(
            "schema/1.sql",
            "-- The table.\nCREATE TABLE hygge_test_seeds (id int NOT NULL PRIMARY KEY, name varchar(20) NULL);\nGO\n\
             INSERT INTO hygge_test_seeds VALUES (1, 'GO');\n",
        );
        project.write(
            "schema/2.sql",
            "INSERT INTO hygge_test_seeds VALUES (2, 'a\nGO\nb');\ngo\n\nINSERT INTO hygge_test_seeds (id) \
             SELECT MAX(id) + 1 FROM hygge_test_seeds;\nGO 3\n",
        );
        project
    }

    /// The ids in the table, and the files that were applied; `[]` where there is no table.
    pub(crate) fn holds(&self, project: &Project) -> (Vec<String>, Vec<String>) {
        match self {
            Self::Sqlite => {
                let database = rusqlite::Connection::open(project.path("seeds.db")).unwrap();
                let column = |sql: &str| {
                    let Ok(mut statement) = database.prepare(sql) else {
                        return Vec::new();
                    };
                    let rows = statement
                        .query_map([], |row| row.get::<_, String>(0))
                        .unwrap();
                    rows.map(Result::unwrap).collect()
                };
                (
                    column("SELECT CAST(id AS TEXT) FROM hygge_test_seeds ORDER BY id"),
                    column("SELECT file_name FROM hygge_applied ORDER BY id"),
                )
            }
            Self::Mssql(database) => {
                let column = |table: &str, column: &str| {
                    let there = database.run(&format!(
                        "SELECT name FROM sys.objects WHERE name = '{table}'"
                    ));
                    match there.is_empty() {
                        true => Vec::new(),
                        false => {
                            database.run(&format!("SELECT {column} FROM dbo.{table} ORDER BY id"))
                        }
                    }
                };
                (
                    column("hygge_test_seeds", "id"),
                    column("hygge_applied", "file_name"),
                )
            }
        }
    }
}

pub(crate) const APPLY: &str = "apply schema/1.sql schema/2.sql --connection db";

pub(crate) fn all() -> (Vec<String>, Vec<String>) {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    (
        owned(&["1", "2", "3", "4", "5"]),
        owned(&["schema/1.sql", "schema/2.sql"]),
    )
}

pub(crate) fn nothing() -> (Vec<String>, Vec<String>) {
    (Vec::new(), Vec::new())
}

#[test]
fn each_file_is_applied_once() {
    let port = regex::Regex::new(r"127\.0\.0\.1,\d+").unwrap();
    for target in Target::both() {
        let project = target.project();
        let kind = match target {
            Target::Sqlite => "sqlite",
            Target::Mssql(_) => "mssql",
        };
        let shown = |name: &str, command: &str| {
            let said = project.hygge(command).run().shown();
            let said = port.replace_all(&said, "[SERVER]");
            insta::assert_snapshot!(format!("{kind}_{name}"), said);
        };
        shown("dry", &format!("{APPLY} --dry-run"));
        assert_eq!(target.holds(&project), nothing());
        shown("first", APPLY);
        assert_eq!(target.holds(&project), all());
        shown("second", APPLY);
        assert_eq!(target.holds(&project), all());
        // On another machine, with other ends of lines, from another folder.
        let text = std::fs::read_to_string(project.path("schema/1.sql")).unwrap();
        project.write("schema/1.sql", text.replace('\n', "\r\n"));
        std::fs::rename(project.path("schema/2.sql"), project.path("schema/02.sql")).unwrap();
        let again = project
            .hygge("apply 1.sql 02.sql --connection db --output json")
            .in_folder(project.path("schema"));
        let said = again.succeed().shown();
        insta::assert_snapshot!(format!("{kind}_renamed"), said);
        assert_eq!(target.holds(&project).0, all().0);
        // Edited, it is refused, and nothing beside it is run.
        project.write(
            "schema/1.sql",
            "DELETE FROM hygge_test_seeds WHERE id > 3\n",
        );
        project.write("schema/3.sql", "DELETE FROM hygge_test_seeds\n");
        let edited = "apply schema/1.sql schema/3.sql --connection db";
        shown("edited", edited);
        shown("edited_dry", &format!("{edited} --dry-run"));
        assert_eq!(target.holds(&project).0, all().0);
        shown(
            "allowed",
            "apply schema/1.sql --connection db --allow-edited",
        );
        assert_eq!(target.holds(&project).0, ["1", "2", "3"]);
        shown(
            "allowed_once",
            "apply schema/1.sql --connection db --allow-edited",
        );
    }
}

#[test]
fn an_error_undoes_all_and_names_its_line() {
    for target in Target::both() {
        let project = target.project();
        project.write(
            "schema/2.sql",
            "INSERT INTO hygge_test_seeds VALUES (2, 'b');\nGO\n\n-- Twice.\nINSERT INTO hygge_test_seeds VALUES (3, 'c');\n\
             INSERT INTO\n  hygge_test_seeds VALUES (1, 'a');\nGO\n",
        );
        let outcome = project.hygge(APPLY).run();
        assert_eq!(outcome.code, Some(1), "{outcome}");
        assert!(outcome.stderr.contains("schema/2.sql:6: "), "{outcome}");
        assert!(outcome.stderr.contains("nothing was applied"), "{outcome}");
        assert_eq!(target.holds(&project), nothing());
        // A word that is wrong.
        project.write(
            "schema/2.sql",
            "SELECT 1;\nGO\n\n\nSELECT nothing_at_all\nFROM hygge_test_seeds;\n",
        );
        let outcome = project.hygge(APPLY).run();
        assert!(outcome.stderr.contains("schema/2.sql:5: "), "{outcome}");
        assert_eq!(target.holds(&project), nothing());
    }
}

#[test]
fn killed_anywhere_the_next_apply_ends_the_same() {
    for target in Target::both() {
        let project = target.project();
        for point in APPLY_POINTS {
            for nth in 1..=9 {
                if let Target::Mssql(database) = &target {
                    database.without(&["dbo.hygge_test_seeds", "dbo.hygge_applied"]);
                } else {
                    drop(std::fs::remove_file(project.path("seeds.db")));
                }
                let killed = project
                    .hygge(APPLY)
                    .failpoints(&format!("{point}=kill@{nth}"))
                    .run();
                if !killed.was_killed() {
                    assert!(nth > 1, "{point} isn't reached: {killed}");
                    break;
                }
                let held = target.holds(&project);
                let whole = *point == "apply.committed";
                assert_eq!(held, if whole { all() } else { nothing() }, "{point}@{nth}");
                project.hygge(APPLY).succeed();
                assert_eq!(target.holds(&project), all(), "{point}@{nth}");
            }
        }
    }
}

#[test]
fn two_at_once_are_one_after_the_other() {
    for target in Target::both() {
        let project = target.project();
        if matches!(target, Target::Mssql(_)) {
            // Who only looks isn't kept waiting.
            project
                .hygge("apply schema/1.sql --connection db")
                .succeed();
            let first = project.hygge(APPLY).spawn_to("apply.recorded");
            let looks = project.hygge(&format!("{APPLY} --dry-run")).run();
            assert_eq!(looks.code, Some(1), "{looks}");
            assert!(
                looks.stderr.contains("run again when they are done"),
                "{looks}"
            );
            first.go_on();
            assert_eq!(target.holds(&project), all());
            if let Target::Mssql(database) = &target {
                database.without(&["dbo.hygge_test_seeds", "dbo.hygge_applied"]);
            }
        }
        let first = project.hygge(APPLY).spawn_to("apply.ran");
        let second = project.hygge(APPLY).run();
        assert_eq!(second.code, Some(1), "{second}");
        assert!(second.stderr.contains("another `hygge apply`"), "{second}");
        let first = first.go_on();
        assert_eq!(first.code, Some(0), "{first}");
        assert_eq!(target.holds(&project), all());
        project.hygge(APPLY).succeed();
        assert_eq!(target.holds(&project), all());
    }
}

#[test]
fn ends_of_lines_are_data() {
    for target in Target::both() {
        let project = target.project();
        project.write(
            "schema/1.sql",
            "CREATE TABLE hygge_test_seeds (id int NOT NULL, name varchar(20) NULL);\r\nGO\r\n\
             INSERT INTO hygge_test_seeds VALUES (1, 'a\r\nb');\r\n",
        );
        project
            .hygge("apply schema/1.sql --connection db")
            .succeed();
        let length = "FROM hygge_test_seeds WHERE name = 'a' + CHAR(13) + CHAR(10) + 'b'";
        let found = match &target {
            Target::Mssql(database) => database.run(&format!("SELECT COUNT(*) {length}")),
            Target::Sqlite => {
                let database = rusqlite::Connection::open(project.path("seeds.db")).unwrap();
                let hex = "SELECT hex(name) FROM hygge_test_seeds";
                let hex: String = database.query_row(hex, (), |row| row.get(0)).unwrap();
                assert_eq!(hex, "610D0A62");
                vec!["1".to_owned()]
            }
        };
        assert_eq!(found, ["1"]);
    }
}

#[test]
fn a_file_is_the_same_by_every_way_to_it() {
    for target in Target::both() {
        let project = target.project();
        project.hygge(APPLY).succeed();
        // The project by another name, and a folder of it.
        let aside = tempfile::tempdir().unwrap();
        let link = aside.path().join("link");
        std::os::unix::fs::symlink(project.path(""), &link).unwrap();
        std::os::unix::fs::symlink(project.path("schema"), project.path("again")).unwrap();
        let link = link.to_str().unwrap();
        for command in [
            format!("{APPLY} --project {link}"),
            format!("apply {link}/schema/1.sql {link}/schema/2.sql --connection db"),
            format!(
                "apply {link}/schema/1.sql {link}/schema/2.sql --connection db --project {link}"
            ),
            "apply again/1.sql again/2.sql --connection db".to_owned(),
        ] {
            let said = project.hygge(&command).succeed();
            assert_eq!(said.stdout.matches("Unchanged").count(), 2, "{said}");
            assert_eq!(target.holds(&project), all(), "{command}");
        }
        let twice = "apply schema/1.sql again/1.sql --connection db";
        let twice = project.hygge(twice).run();
        assert!(twice.stderr.contains("is named twice"), "{twice}");
        // Its name goes to another file.
        let second = std::fs::read_to_string(project.path("schema/2.sql")).unwrap();
        project.write("schema/3.sql", second);
        project.write(
            "schema/2.sql",
            "DELETE FROM hygge_test_seeds WHERE id = 5;\n",
        );
        let moved = "apply schema/2.sql schema/3.sql --connection db";
        // Alone, it says nothing of where what it was went to.
        let refused = project.hygge("apply schema/2.sql --connection db").run();
        assert_eq!(refused.code, Some(2), "{refused}");
        // Nor does it say with it whether it is new, or what it was edited.
        insta::assert_snapshot!("taken_name", project.hygge(moved).run().shown());
        assert_eq!(target.holds(&project), all());
        project.hygge(&format!("{moved} --allow-edited")).succeed();
        assert_eq!(target.holds(&project).0, ["1", "2", "3", "4"]);
        let said = project.hygge(moved).succeed();
        assert_eq!(said.stdout.matches("Unchanged").count(), 2, "{said}");
        // A copy of one that has another name now is new, and what is renamed once more isn't.
        project.write(
            "schema/4.sql",
            "DELETE FROM hygge_test_seeds WHERE id = 4;\n",
        );
        let apply = |file: &str| {
            let command = format!("apply schema/{file}.sql --connection db");
            project.hygge(&command).succeed().stdout
        };
        apply("4");
        let named = |old: &str, new: &str| {
            let [old, new] = [old, new].map(|name| project.path(format!("schema/{name}.sql")));
            std::fs::rename(old, new).unwrap();
        };
        named("4", "5");
        assert!(apply("5").contains("applied as schema/4.sql"));
        std::fs::copy(project.path("schema/5.sql"), project.path("schema/6.sql")).unwrap();
        assert!(apply("6").contains("Applied"));
        // Its new name may have been another's.
        std::fs::remove_file(project.path("schema/6.sql")).unwrap();
        named("5", "2");
        assert!(apply("2").contains("applied as schema/"));
        assert!(apply("2").contains("Unchanged"));
    }
}

#[test]
fn the_record_is_nobody_elses() {
    for target in Target::both() {
        let project = target.project();
        let kind = match target {
            Target::Sqlite => "sqlite",
            Target::Mssql(_) => "mssql",
        };
        project.hygge(APPLY).succeed();
        for (name, script) in [
            ("dropped", "DROP TABLE hygge_applied;\n"),
            (
                "deleted",
                "SELECT 1;\nDELETE FROM hygge_applied WHERE file_name = 'schema/1.sql';\n",
            ),
            (
                "updated",
                "UPDATE hygge_applied SET checksum = 'x' WHERE file_name = 'schema/1.sql';\n",
            ),
        ] {
            project.write("schema/3.sql", script);
            let refused = project.hygge("apply schema/3.sql --connection db").run();
            assert_eq!(refused.code, Some(1), "{refused}");
            insta::assert_snapshot!(format!("{kind}_record_{name}"), refused.shown());
            assert_eq!(target.holds(&project), all());
        }
    }
    // Read whole, whatever a file sets.
    let target = Target::Mssql(Database::start());
    let project = target.project();
    project.hygge(APPLY).succeed();
    project.write("schema/3.sql", "SET ROWCOUNT 1;\nSET NOCOUNT ON;\n");
    project
        .hygge("apply schema/3.sql --connection db")
        .succeed();
    assert_eq!(target.holds(&project).1.len(), 3);
    // A trigger on it that takes no row.
    let project = Target::Sqlite.project();
    project.hygge(APPLY).succeed();
    for (name, does) in [
        (
            "passed_over",
            "BEFORE INSERT ON hygge_applied BEGIN SELECT RAISE(IGNORE); END",
        ),
        (
            "taken_out",
            "AFTER INSERT ON hygge_applied BEGIN DELETE FROM hygge_applied WHERE id = new.id; END",
        ),
    ] {
        let database = rusqlite::Connection::open(project.path("seeds.db")).unwrap();
        database
            .execute_batch(&format!("CREATE TRIGGER own {does}"))
            .unwrap();
        project.write(
            "schema/3.sql",
            "INSERT INTO hygge_test_seeds (id) VALUES (9);\n",
        );
        let refused = project.hygge("apply schema/3.sql --connection db").run();
        insta::assert_snapshot!(format!("record_{name}"), refused.shown());
        assert_eq!(Target::Sqlite.holds(&project), all());
        database.execute_batch("DROP TRIGGER own").unwrap();
    }
    let own =
        "CREATE TRIGGER own BEFORE INSERT ON hygge_applied BEGIN SELECT RAISE(IGNORE); END;\n";
    project.write("schema/3.sql", own);
    let refused = project.hygge("apply schema/3.sql --connection db").run();
    insta::assert_snapshot!("record_trigger", refused.shown());
    // One that was there before.
    let port = regex::Regex::new(r"127\.0\.0\.1,\d+").unwrap();
    for target in Target::both() {
        let project = target.project();
        let theirs = "CREATE TABLE hygge_applied (id int)";
        let kind = match &target {
            Target::Sqlite => {
                let database = rusqlite::Connection::open(project.path("seeds.db")).unwrap();
                database.execute_batch(theirs).unwrap();
                "sqlite"
            }
            Target::Mssql(database) => {
                database.run(theirs);
                "mssql"
            }
        };
        let said = project.hygge(APPLY).run().shown();
        insta::assert_snapshot!(
            format!("{kind}_record_of_another"),
            port.replace_all(&said, "[SERVER]")
        );
    }
}

#[test]
fn stopped_it_says_what_is_left() {
    let project = Target::Sqlite.project();
    let mut paused = project.hygge(APPLY).spawn_to("apply.ran");
    paused.running.signal(rustix::process::Signal::INT);
    let stopped = paused.running.wait();
    assert_eq!(stopped.code, Some(130), "{stopped}");
    insta::assert_snapshot!("stopped", stopped.shown());
    assert_eq!(Target::Sqlite.holds(&project), nothing());
}

#[test]
fn rows_are_looked_at_whatever_an_earlier_file_set() {
    let project = Target::Sqlite.project();
    project.write(
        "schema/1.sql",
        "CREATE TABLE hygge_test_seeds (id int CHECK (id > 5));\nPRAGMA ignore_check_constraints = ON;\n\
         INSERT INTO hygge_test_seeds VALUES (1);\n",
    );
    project.write("schema/2.sql", "INSERT INTO hygge_test_seeds VALUES (2);\n");
    let refused = project.hygge(APPLY).run();
    assert!(refused.stderr.contains("schema/2.sql:1: "), "{refused}");
    assert!(refused.stderr.contains("CHECK"), "{refused}");
    assert_eq!(Target::Sqlite.holds(&project), nothing());
}

#[test]
fn a_deferred_key_that_names_no_row_is_told() {
    let project = Target::Sqlite.project();
    project.write(
        "schema/2.sql",
        "CREATE TABLE p(a PRIMARY KEY);\n\
         CREATE TABLE c(a REFERENCES p DEFERRABLE INITIALLY DEFERRED);\n\
         INSERT INTO c VALUES (5);\n",
    );
    let refused = project.hygge(APPLY).run();
    assert_eq!(refused.code, Some(1), "{refused}");
    insta::assert_snapshot!("deferred_key", refused.shown());
    assert_eq!(Target::Sqlite.holds(&project), nothing());
    // One of before is nothing that a commit fails of, which somebody who reads holds up.
    let database = rusqlite::Connection::open(project.path("seeds.db")).unwrap();
    let before = "PRAGMA foreign_keys = OFF; CREATE TABLE p(a PRIMARY KEY); CREATE TABLE c(a REFERENCES p); \
                  INSERT INTO c VALUES (5); BEGIN; SELECT * FROM c;";
    database.execute_batch(before).unwrap();
    project.write("schema/2.sql", "SELECT 1;\n");
    let refused = project.hygge(APPLY).run();
    insta::assert_snapshot!("read_meanwhile", refused.shown());
    drop(database);
    assert_eq!(Target::Sqlite.holds(&project), nothing());
}

#[test]
fn a_line_that_is_cut_leaves_nothing_or_all() {
    let target = Target::Mssql(Database::start());
    let project = target.project();
    let Target::Mssql(database) = &target else {
        unreachable!()
    };
    let commit = "COMMIT TRANSACTION";
    for (fault, whole) in [
        (
            Fault::at("INSERT INTO hygge_test_seeds", Effect::DropBefore),
            false,
        ),
        (Fault::at(commit, Effect::DropBefore), false),
        // Seven of them end nothing.
        (Fault::at(commit, Effect::DropAfter).nth(7), false),
        (Fault::at(commit, Effect::DropBefore).nth(8), false),
        (Fault::at(commit, Effect::DropAfter).nth(8), true),
    ] {
        let what = format!("{fault:?}");
        if !database.fault(fault) {
            return;
        }
        let outcome = project.hygge(APPLY).run();
        assert_eq!(outcome.code, Some(1), "{outcome}");
        let held = target.holds(&project);
        assert_eq!(held, if whole { all() } else { nothing() }, "{what}");
        let outcome = project.hygge(APPLY).succeed();
        assert_eq!(target.holds(&project), all(), "{outcome}");
        database.without(&["dbo.hygge_test_seeds", "dbo.hygge_applied"]);
    }
}

#[test]
fn wrongly() {
    let project = Target::Sqlite.project();
    project.write("open.sql", "SELECT 1;\n/* never\n");
    project.write("latin.sql", b"SELECT 'caf\xe9'");
    project.write("go.sql", "SELECT 1;\nGO 0\n");
    project.write("nul.sql", "SELECT 1;\n\0SELECT 2;\n");
    project.write("flows/f/flow.yml", "home: {connection: db}\nstore: lake\n");
    for (name, arguments) in [
        ("no_connection", "apply schema/1.sql --connection dv"),
        ("no_file", "apply nothing.sql --connection db"),
        ("a_folder", "apply schema --connection db"),
        ("quoted", "apply schema/*.sql --connection db"),
        ("twice", "apply schema/1.sql ./schema/1.sql --connection db"),
        ("open", "apply open.sql --connection db"),
        ("latin", "apply latin.sql --connection db"),
        ("go", "apply go.sql --connection db"),
        ("nul", "apply nul.sql --connection db"),
        ("no_home", "list"),
        ("json", "apply nothing.sql --connection db --output json"),
    ] {
        insta::assert_snapshot!(name, project.hygge(arguments).run().shown());
    }
    project.write("hygge.yml", "connections:\n  db: {type: sqlite, pfad: x}\n  dc: {type: parquet}\n  de: {type: sqlite, path: no/where.db}\n");
    for (name, connection) in [
        ("no_path", "db"),
        ("no_database", "dc"),
        ("no_folder", "de"),
    ] {
        let arguments = format!("apply schema/1.sql --connection {connection}");
        insta::assert_snapshot!(name, project.hygge(&arguments).run().shown());
    }
    project.write(
        "hygge.yml",
        "connections:\n  db: {type: mssql, server: \"127.0.0.1,1\", database: d, user: u, password: p}\n",
    );
    insta::assert_snapshot!("no_server", project.hygge(APPLY).run().shown());
    project.write(
        "hygge.yml",
        "connections:\n  db: {type: sqlite, path: hygge.yml}\n",
    );
    insta::assert_snapshot!("something_else", project.hygge(APPLY).run().shown());
}
