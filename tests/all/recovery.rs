//! What is remembered is enough: a commit needs nothing but the record, a run that died is gone
//! on with, and a state that was lost is noticed.

use std::fs;

use crate::harness::{Events, Orders, Project};

fn project(mode: &str, incremental: &str) -> Project {
    let project = Project::new();
    project.flow(
        "sales",
        &format!(
            "mode: {mode}\nhome:\n  type: parquet\n  path: data/orders\n{incremental}\
             store: {{type: parquet, path: lake/orders}}\n"
        ),
    );
    project
}

const APPEND: &str = "  incremental: {column: updated_at, strategy: append}\n";

#[test]
fn another_process_commits_from_the_record_alone() {
    let project = project("full", "");
    let orders = Orders::new(0..10_000);
    project.orders("data/orders/a.parquet", &orders);
    let killed = project
        .hygge("start")
        .failpoints("intent.stored=kill")
        .run();
    assert!(killed.was_killed(), "{killed}");
    assert!(!project.path("lake/orders").exists());

    // The source is gone: the new run can't read anything, and doesn't need to.
    fs::remove_dir_all(project.path("data")).unwrap();
    let run = project.hygge("start --output json").run();
    assert_eq!(run.code, Some(1), "{run}");
    assert_eq!(Events::of(&run).all("recovered").count(), 1, "{run}");
    assert_eq!(project.content("lake/orders"), orders.content());
}

#[test]
fn a_run_that_died_is_gone_on_with() {
    let project = project("full", "");
    for n in 0..4 {
        project.orders(
            &format!("data/orders/{n}.parquet"),
            &Orders::new(n * 2_000..(n + 1) * 2_000),
        );
    }
    project.flow(
        "sales",
        "home: {type: parquet, path: data/orders, split_size: 1}\n\
         store: {type: parquet, path: lake/orders}\n",
    );
    let killed = project
        .hygge("start --concurrency 1")
        .failpoints("receipt.stored=kill@3")
        .run();
    assert!(killed.was_killed(), "{killed}");
    let run = project.hygge("start --output json").succeed();
    let events = Events::of(&run);
    let started = events.all("entity_started").next().unwrap();
    assert_eq!(started["resumed"], 3, "{run}");
    assert_eq!(
        project.content("lake/orders"),
        Orders::new(0..8_000).content()
    );
}

#[test]
fn a_source_that_changed_is_not_gone_on_with() {
    let project = project("full", "");
    for n in 0..4 {
        project.orders(
            &format!("data/orders/{n}.parquet"),
            &Orders::new(n * 2_000..(n + 1) * 2_000),
        );
    }
    let killed = project
        .hygge("start")
        .failpoints("writer.finished=kill")
        .run();
    assert!(killed.was_killed(), "{killed}");
    project.orders("data/orders/0.parquet", &Orders::new(0..1_000));
    project.hygge("start").succeed();
    let expected = Orders::new(0..1_000).and(&Orders::new(2_000..8_000));
    assert_eq!(project.content("lake/orders"), expected.content());
}

#[test]
fn lost_state_is_noticed() {
    let project = project("incremental", APPEND);
    let orders = Orders::new(0..1_000);
    project.orders("data/orders/a.parquet", &orders);
    project.hygge("start").succeed();
    fs::remove_dir_all(project.path(".hygge")).unwrap();
    let refused = project.hygge("start").run();
    assert_eq!(refused.code, Some(1), "{refused}");
    insta::assert_snapshot!(refused.shown());
    assert_eq!(project.content("lake/orders"), orders.content());

    project.hygge("state recover sales.sales").succeed();
    let more = Orders::new(1_000..1_200);
    project.orders("data/orders/b.parquet", &more);
    project.hygge("start").succeed();
    assert_eq!(project.content("lake/orders"), orders.and(&more).content());
}

#[test]
fn a_fault_that_may_pass_is_tried_again() {
    let project = project("full", "");
    project.orders("data/orders/a.parquet", &Orders::new(0..100));
    let run = project
        .hygge("start --output json")
        .failpoints("writer.finishing=retryable")
        .succeed();
    assert_eq!(Events::of(&run).all("retrying").count(), 1, "{run}");
    assert_eq!(
        project.content("lake/orders"),
        Orders::new(0..100).content()
    );
}

#[test]
fn a_file_that_comes_while_rows_move_holds_the_commit_up_until_it_is_moved_away() {
    let project = project("full", "");
    let orders = Orders::new(0..500);
    project.orders("data/orders/a.parquet", &orders);
    project.hygge("start").succeed();
    let more = orders.clone().and(&Orders::new(500..900));
    project.orders("data/orders/b.parquet", &Orders::new(500..900));
    let killed = project
        .hygge("start")
        .failpoints("intent.stored=kill")
        .run();
    assert!(killed.was_killed(), "{killed}");
    let late = project.path("lake/orders/notes.txt");
    fs::write(&late, "mine").unwrap();
    let refused = project.hygge("start").run();
    assert_eq!(refused.code, Some(1), "{refused}");
    insta::assert_snapshot!(refused.shown());
    let refused = project.hygge("start --full").run();
    assert_eq!(refused.code, Some(1), "{refused}");

    fs::rename(&late, project.path("notes.txt")).unwrap();
    let run = project.hygge("start --output json").succeed();
    assert_eq!(Events::of(&run).all("recovered").count(), 1, "{run}");
    assert_eq!(project.content("lake/orders"), more.content());
}
