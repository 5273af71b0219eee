//! Scripts that would end the transaction that all of them are applied in.

use hygge_tds_server::{Effect, Fault, SqlError};

use crate::apply::{APPLY, Target, nothing};
use crate::harness::Database;

#[test]
fn a_script_ends_no_transaction_but_its_own() {
    for target in Target::both() {
        let project = target.project();
        for (script, line) in [
            (
                "INSERT INTO hygge_test_seeds (id) VALUES (7);\nCOMMIT;\n",
                "schema/2.sql:",
            ),
            ("SELECT 1;\nGO\nROLLBACK;\n", "schema/2.sql:3: "),
        ] {
            project.write("schema/2.sql", script);
            let outcome = project.hygge(APPLY).run();
            assert_eq!(outcome.code, Some(1), "{outcome}");
            assert!(outcome.stderr.contains(line), "{outcome}");
            assert!(outcome.stderr.contains("transaction"), "{outcome}");
            assert_eq!(target.holds(&project), nothing());
        }
    }
    let target = Target::Mssql(Database::start());
    let project = target.project();
    let own = "BEGIN TRANSACTION\nGO\nINSERT INTO hygge_test_seeds (id) VALUES (7)\nGO\n";
    project.write("schema/2.sql", own);
    let outcome = project.hygge(APPLY).run();
    assert!(
        outcome
            .stderr
            .contains("begins a transaction that it doesn't end"),
        "{outcome}"
    );
    assert_eq!(target.holds(&project), nothing());
    project.write("schema/2.sql", format!("{own}COMMIT\n"));
    project.hygge(APPLY).succeed();
    assert_eq!(target.holds(&project).0, ["1", "7"]);
}

#[test]
fn what_a_script_commits_itself_is_told() {
    let target = Target::Mssql(Database::start());
    let project = target.project();
    let Target::Mssql(database) = &target else {
        unreachable!()
    };
    database.without(&["dbo.hygge_test_stays"]);
    let stays = || database.run("SELECT name FROM sys.objects WHERE name = 'hygge_test_stays'");
    // What comes after a ROLLBACK lasts no more than what came before it.
    for script in [
        "ROLLBACK;\nCREATE TABLE hygge_test_stays (id int);\nINSERT INTO hygge_test_stays VALUES (1);\n",
        "BEGIN TRY\n  SELECT 1 / 0;\nEND TRY\nBEGIN CATCH\n  ROLLBACK;\n  CREATE TABLE hygge_test_stays (id int);\n\
         END CATCH\n",
        "ROLLBACK;\nCREATE TABLE hygge_test_stays (id int);\nSELECT 1 / 0;\n",
    ] {
        project.write("schema/2.sql", script);
        let refused = project.hygge(APPLY).run();
        assert_eq!(refused.code, Some(1), "{refused}");
        assert!(refused.stderr.contains("nothing was applied"), "{refused}");
        assert_eq!(target.holds(&project), nothing(), "{script}");
        assert_eq!(stays(), [""; 0], "{script}");
    }
    // But for what is committed after it.
    for script in [
        "ROLLBACK;\nINSERT INTO hygge_test_seeds (id) VALUES (9);\nCOMMIT;\n",
        "ROLLBACK;\nINSERT INTO hygge_test_seeds (id) VALUES (8);\nWHILE @@TRANCOUNT > 0 COMMIT;\nSELECT 1 / 0;\n",
    ] {
        database.run(
            "CREATE TABLE hygge_test_seeds (id int NOT NULL PRIMARY KEY, name varchar(20) NULL)",
        );
        project.write("schema/2.sql", script);
        let refused = project.hygge("apply schema/2.sql --connection db").run();
        assert_eq!(refused.code, Some(1), "{refused}");
        assert!(
            refused
                .stderr
                .contains("if it committed anything itself, that stays"),
            "{refused}"
        );
        assert_eq!(target.holds(&project).0.len(), 1, "{script}");
        database.without(&["dbo.hygge_test_seeds", "dbo.hygge_applied"]);
    }
    // What one batch sets is no matter of the next, and an error undoes all.
    let set = "SET IMPLICIT_TRANSACTIONS OFF;\nGO\nSELECT 1 / 0;\n";
    project.write("schema/2.sql", set);
    let refused = project.hygge(APPLY).run();
    assert!(refused.stderr.contains("nothing was applied"), "{refused}");
    assert_eq!(target.holds(&project), nothing());
    // What commits all and then loses its session can't be asked.
    let lost = "CREATE TABLE hygge_test_stays (id int);\nWHILE @@TRANCOUNT > 0 COMMIT;\n\
                RAISERROR('x', 20, 1) WITH LOG;\n";
    project.write("schema/2.sql", lost);
    let refused = project.hygge(APPLY).run();
    assert_eq!(refused.code, Some(1), "{refused}");
    assert!(
        refused
            .stderr
            .contains("if it committed anything itself, that stays"),
        "{refused}"
    );
    assert_eq!(stays(), ["hygge_test_stays"]);
    database.without(&["dbo.hygge_test_stays", "dbo.hygge_test_seeds"]);
    database.without(&["dbo.hygge_applied"]);
    // Another database is none that something was committed in.
    project.write("schema/2.sql", "USE master;\n");
    insta::assert_snapshot!("another_database", project.hygge(APPLY).run().shown());
    assert_eq!(target.holds(&project), nothing());
    // What is committed stays, whatever comes after it.
    let commits =
        "CREATE TABLE hygge_test_stays (id int);\nWHILE @@TRANCOUNT > 0 COMMIT;\nSELECT 1 / 0;\n";
    project.write("schema/2.sql", commits);
    insta::assert_snapshot!("commits_and_fails", project.hygge(APPLY).run().shown());
    assert_eq!(stays(), ["hygge_test_stays"]);
    database.without(&["dbo.hygge_test_stays", "dbo.hygge_test_seeds"]);
    database.without(&["dbo.hygge_applied"]);
    for (name, script) in [
        ("commits", commits.replace("SELECT 1 / 0;\n", "")),
        (
            "commits_by_statement",
            "SET IMPLICIT_TRANSACTIONS OFF;\nROLLBACK;\nCREATE TABLE hygge_test_stays (id int);\n"
                .to_owned(),
        ),
    ] {
        project.write("schema/2.sql", script);
        insta::assert_snapshot!(name, project.hygge(APPLY).run().shown());
        assert_eq!(stays(), ["hygge_test_stays"]);
        database.without(&["dbo.hygge_test_stays", "dbo.hygge_test_seeds"]);
        database.without(&["dbo.hygge_applied"]);
    }
}

#[test]
fn a_file_undoes_nothing_of_another() {
    for target in Target::both() {
        let project = target.project();
        let sqlite = matches!(target, Target::Sqlite);
        let (save, back) = match sqlite {
            true => ("SAVEPOINT Outer_A", "ROLLBACK TO outer_a"),
            false => ("SAVE TRANSACTION a", "ROLLBACK TRANSACTION a"),
        };
        let first = std::fs::read_to_string(project.path("schema/1.sql")).unwrap();
        project.write("schema/1.sql", format!("{first}GO\n{save};\n"));
        project.write("schema/2.sql", format!("{back};\nSELECT 1;\n"));
        let kind = if sqlite { "sqlite" } else { "mssql" };
        let said = project.hygge(APPLY).run().shown();
        insta::assert_snapshot!(format!("{kind}_of_another"), said);
        assert_eq!(target.holds(&project), nothing());
        // What is its own comes and goes as it likes.
        project.write("schema/1.sql", first);
        let insert = "INSERT INTO hygge_test_seeds (id) VALUES";
        let own = format!("{save};\n{insert} (7);\nGO\n{back};\n{insert} (8);\n");
        let release = if sqlite { "RELEASE outer_a;\n" } else { "" };
        project.write("schema/2.sql", format!("{own}{release}"));
        project.hygge(APPLY).succeed();
        assert_eq!(target.holds(&project).0, ["1", "8"]);
    }
}

#[test]
fn what_no_transaction_takes_is_refused() {
    let project = Target::Sqlite.project();
    project.write("schema/2.sql", "VACUUM;\n");
    insta::assert_snapshot!("vacuum", project.hygge(APPLY).run().shown());
    // It would do nothing, and dropping a table would take rows of others along.
    project.write("schema/2.sql", "SELECT 1;\nPRAGMA Foreign_Keys = off;\n");
    insta::assert_snapshot!("foreign_keys", project.hygge(APPLY).run().shown());
    let json = project.hygge(&format!("{APPLY} --output json")).run();
    insta::assert_snapshot!("foreign_keys_json", json.shown());
    // What holds already may be said.
    let aside = Target::Sqlite.project();
    aside.write("schema/2.sql", "PRAGMA Foreign_Keys = on;\nSELECT 1;\n");
    aside.hygge(APPLY).succeed();
    project.write("schema/2.sql", "SELECT 1;\nPRAGMA journal_mode = WAL;\n");
    insta::assert_snapshot!("journal_mode", project.hygge(APPLY).run().shown());
    assert_eq!(Target::Sqlite.holds(&project), nothing());
    let target = Target::Mssql(Database::start());
    let project = target.project();
    let Target::Mssql(database) = &target else {
        unreachable!()
    };
    let said = "CREATE DATABASE statement not allowed within multi-statement transaction.";
    let refused = Fault::at(
        "CREATE TABLE later",
        Effect::Error(SqlError::new(226, said)),
    );
    if database.fault(refused) {
        project.write("schema/2.sql", "\nCREATE TABLE later (id int);\n");
        insta::assert_snapshot!("create_database", project.hygge(APPLY).run().shown());
        assert_eq!(target.holds(&project), nothing());
    }
}
