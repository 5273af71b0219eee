//! Commits to SQL Server that can't come about: the server refuses them, or what they need is gone.
//! No entity waits for one for ever, and no project takes away what another one's commit needs.

use hygge_tds_server::{Effect, Fault, SqlError};

use crate::harness::{Database, Orders, Outcome, Project};

const TABLE: &str = "dbo.hygge_test_refused";
const COLUMNS: &str = "id bigint NOT NULL, customer nvarchar(50), amount float, \
                       version bigint CONSTRAINT hygge_test_refused_small CHECK (version < 100), \
                       updated_at datetime2(6)";

fn flow(project: &Project, incremental: &str, store: &str) {
    project.flow(
        "sales",
        &format!(
            "home:\n  type: parquet\n  path: data/orders\n{incremental}\
             store:\n  connection: db\n  table: {TABLE}\n{store}"
        ),
    );
}

const APPEND: &str = "  incremental: {column: updated_at, strategy: append}\n";
const MERGE: &str = "  incremental: {column: updated_at, strategy: merge, key: id}\n";

/// A table of orders, and a project whose flow has filled it with those of one file.
fn scene(incremental: &str, store: &str) -> (Database, Project) {
    let database = Database::start();
    database.without(&[TABLE]);
    database.run(&format!("CREATE TABLE {TABLE} ({COLUMNS})"));
    let project = database.project(4);
    flow(&project, incremental, store);
    project.orders("data/orders/0.parquet", &Orders::new(0..10));
    project.hygge("start").succeed();
    (database, project)
}

fn rows(database: &Database) -> Vec<String> {
    database.run(&format!(
        "SELECT CONCAT(COUNT(*), ' up to ', MAX(id)) FROM {TABLE}"
    ))
}

fn staged(database: &Database) -> Vec<String> {
    database
        .run("SELECT name FROM sys.objects WHERE type = 'U' AND LEFT(name, 12) = 'hygge_stage_'")
}

fn failed(project: &Project, command: &str) -> Outcome {
    let outcome = project.hygge(command).run();
    assert_eq!(outcome.code, Some(1), "{outcome}");
    outcome
}

#[test]
fn rows_that_the_table_refuses_are_no_commit_that_waits() {
    for (incremental, store) in [
        (APPEND, ""),
        (MERGE, ""),
        (MERGE, "  write_strategy: delete_insert\n"),
        ("", "  write_strategy: truncate_insert\n"),
    ] {
        let (database, project) = scene(incremental, store);
        let mut more = Orders::new(10..20);
        more.0[3].version = 1_000;
        project.orders("data/orders/1.parquet", &more);
        for command in ["start", "start --full"] {
            let refused = failed(&project, command).shown();
            assert!(refused.contains("hygge_test_refused"), "{refused}");
            assert!(refused.contains("SQL Server error 547"), "{refused}");
            // All rows replaced by a swap break it before anything is decided.
            assert!(
                command == "start --full" || refused.contains("nothing of this run was written"),
                "{refused}"
            );
            assert!(!refused.contains("finishes it"), "{refused}");
            assert_eq!(rows(&database), ["10 up to 9"], "{store}");
            assert_eq!(staged(&database), [""; 0], "{store}");
        }
        // Also when a run was killed once it had decided.
        let killed = project
            .hygge("start")
            .failpoints("commit.started=kill")
            .run();
        assert!(killed.was_killed(), "{killed}");
        let again = failed(&project, "start").shown();
        assert!(again.contains("its rows are moved again"), "{again}");
        project.orders("data/orders/1.parquet", &Orders::new(10..20));
        project.hygge("start").succeed();
        assert_eq!(rows(&database), ["20 up to 19"], "{incremental}{store}");
        assert_eq!(staged(&database), [""; 0]);
    }
}

#[test]
fn a_swap_that_the_server_refuses_can_be_done_in_another_way() {
    let (database, project) = scene("", "  write_strategy: temp_swap\n");
    let refusal = SqlError::new(4944, "ALTER TABLE SWITCH statement failed.");
    if !database.fault(Fault::at("SWITCH TO", Effect::Error(refusal)).always()) {
        return;
    }
    project.orders("data/orders/1.parquet", &Orders::new(10..20));
    for _ in 0..2 {
        let refused = failed(&project, "start").shown();
        assert!(
            refused.contains("`write_strategy: truncate_insert` needs no SWITCH"),
            "{refused}"
        );
        assert_eq!(staged(&database), [""; 0]);
    }
    flow(&project, "", "  write_strategy: truncate_insert\n");
    project.hygge("start").succeed();
    assert_eq!(rows(&database), ["20 up to 19"]);
}

#[test]
fn what_another_project_decided_on_is_left_alone() {
    let (database, project) = scene(APPEND, "");
    project.orders("data/orders/1.parquet", &Orders::new(10..20));
    let killed = project
        .hygge("start")
        .failpoints("commit.linked=kill")
        .run();
    assert!(killed.was_killed(), "{killed}");
    let left = staged(&database);
    assert!(!left.is_empty());
    // Another one, whose flow and entity are called the same, and which writes beside it.
    let other = database.project(4);
    let beside = format!("{TABLE}_beside");
    database.without(&[&beside]);
    other.flow(
        "sales",
        &format!(
            "home: {{type: parquet, path: data/orders}}\n\
             store: {{connection: db, table: {beside}, create: if_missing}}\n"
        ),
    );
    other.orders("data/orders/0.parquet", &Orders::new(0..10));
    other.hygge("start").succeed();
    assert_eq!(staged(&database), left);
    project.hygge("start").succeed();
    assert_eq!(rows(&database), ["20 up to 19"]);
    assert_eq!(staged(&database), [""; 0]);
}

#[test]
fn a_commit_that_lost_what_it_needs_gives_way_to_a_full_run() {
    for incremental in [APPEND, MERGE] {
        for gone in ["hygge_stage_", "hygge_commits", "hygge_test_refused"] {
            let (database, project) = scene(incremental, "  create: if_missing\n");
            project.orders("data/orders/1.parquet", &Orders::new(10..20));
            let killed = project
                .hygge("start")
                .failpoints("commit.started=kill")
                .run();
            assert!(killed.was_killed(), "{killed}");
            let tables = database.run("SELECT name FROM sys.objects WHERE type = 'U'");
            for table in tables.iter().filter(|name| name.starts_with(gone)) {
                database.without(&[&format!("dbo.[{table}]")]);
            }
            let lost = failed(&project, "start").shown();
            assert!(lost.contains(gone), "{lost}");
            assert!(lost.contains("is gone from "), "{lost}");
            assert!(lost.contains("hygge start --full --entity"), "{lost}");
            assert!(lost.contains("hygge state reset"), "{lost}");
            let full = project.hygge("start --full").succeed().shown();
            assert!(full.contains("this run takes its place"), "{full}");
            assert_eq!(rows(&database), ["20 up to 19"], "{gone}");
            project.hygge("start").succeed();
            assert_eq!(rows(&database), ["20 up to 19"], "{gone}");
            assert_eq!(staged(&database), [""; 0], "{gone}");
        }
    }
}

/// One that the server may carry out another time stays, and says what else there is.
#[test]
fn a_commit_that_waits_says_how_to_give_it_up() {
    let (database, project) = scene(APPEND, "");
    project.orders("data/orders/1.parquet", &Orders::new(10..20));
    let full = SqlError::new(9002, "The transaction log for database 'test' is full.").class(17);
    if !database.fault(Fault::at("INSERT INTO [dbo].[hygge_test", Effect::Error(full)).always()) {
        return;
    }
    for _ in 0..2 {
        let waits = failed(&project, "start").shown();
        assert!(
            waits.contains("`hygge state reset sales.orders --yes` gives it up instead")
                || waits.contains("`hygge state reset sales.sales --yes` gives it up instead"),
            "{waits}"
        );
    }
    database.made().unwrap().clear_faults();
    project.hygge("start").succeed();
    assert_eq!(rows(&database), ["20 up to 19"]);
}

#[test]
fn a_temporary_table_is_no_place_to_settle_in() {
    let database = Database::start();
    let project = database.project(4);
    for table in ["'#tmp'", "'##tmp'", "'dbo.#tmp'"] {
        project.flow(
            "sales",
            &format!(
                "home: {{type: parquet, path: data/orders}}\n\
                 store: {{connection: db, table: {table}, create: if_missing}}\n"
            ),
        );
        let refused = project.hygge("list").run();
        assert_eq!(refused.code, Some(2), "{refused}");
        let said = refused.shown();
        assert!(said.contains("is a temporary table"), "{said}");
    }
}

/// A twin's constraints have names that nobody knows.
#[test]
fn rows_that_break_a_constraint_name_the_tables_own() {
    let (_database, project) = scene("", "");
    let mut more = Orders::new(10..20);
    more.0[3].version = 1_000;
    project.orders("data/orders/1.parquet", &more);
    let broken = failed(&project, "start").shown();
    assert!(
        broken.contains("the rows break \"hygge_test_refused_small\" of dbo.hygge_test_refused: "),
        "{broken}"
    );
    assert!(!broken.contains("hygge_stage_"), "{broken}");
}
