//! What went wrong in the Python original can't happen here. A test each.

use crate::harness::{Events, Order, Orders, Project};

/// One flow, orders from `data/orders` to `lake/orders`, with more lines for home and for the
/// flow.
fn project(home: &str, flow: &str) -> Project {
    let project = Project::new();
    project.flow(
        "sales",
        &format!(
            "{flow}\nhome:\n  type: parquet\n  path: data/orders\n{home}\n\
             store:\n  type: parquet\n  path: lake/orders\n"
        ),
    );
    project
}

const APPEND: &str = "  incremental: {column: updated_at, strategy: append}";

#[test]
fn a_second_run_into_the_same_destination() {
    let project = project("", "");
    let orders = Orders::new(0..3_000);
    project.orders("data/orders/a.parquet", &orders);
    for _ in 0..3 {
        project.hygge("start").succeed();
        assert_eq!(project.content("lake/orders"), orders.content());
    }
}

#[test]
fn a_full_run_onto_what_an_earlier_run_wrote_replaces_it() {
    let project = project("", "");
    project.orders("data/orders/a.parquet", &Orders::new(0..3_000));
    project.hygge("start").succeed();
    let fewer = Orders::new(10..20);
    project.orders("data/orders/a.parquet", &fewer);
    project.hygge("start").succeed();
    assert_eq!(project.content("lake/orders"), fewer.content());
}

#[test]
fn a_full_run_onto_files_of_somebody_else_is_refused() {
    let project = project("", "");
    project.orders("data/orders/a.parquet", &Orders::new(0..100));
    let theirs = Orders::new(500..600);
    project.orders("lake/orders/theirs.parquet", &theirs);
    let refused = project.hygge("start").run();
    insta::assert_snapshot!(refused.shown());
    assert_eq!(project.content("lake/orders"), theirs.content());

    project.flow(
        "sales",
        "home: {type: parquet, path: data/orders}\n\
         store: {type: parquet, path: lake/orders, adopt: true}\n",
    );
    project.hygge("start").succeed();
    assert_eq!(
        project.content("lake/orders"),
        Orders::new(0..100).content()
    );
}

#[test]
fn an_incremental_run_reads_no_row_group_that_statistics_rule_out() {
    let project = project(APPEND, "mode: incremental");
    let old = Orders::new(0..20_000);
    project.orders("data/orders/a.parquet", &old);
    project.hygge("start").succeed();
    let new = Orders::new(20_000..20_500);
    project.orders("data/orders/b.parquet", &new);

    let run = project.hygge("start --output json").succeed();
    let events = Events::of(&run);
    assert_eq!(events.rows("sales.sales"), 500);
    // Five minutes of lookback are 300 rows in one row group of 1,000.
    assert!(events.rows_read("sales.sales") <= 1_500, "{run}");
    assert_eq!(project.content("lake/orders"), old.and(&new).content());
}

#[test]
fn new_files_only_reads_nothing_twice() {
    let project = project("  incremental: {strategy: files}", "mode: incremental");
    project.orders("data/orders/a.parquet", &Orders::new(0..5_000));
    project.hygge("start").succeed();
    project.orders("data/orders/b.parquet", &Orders::new(5_000..5_100));
    let run = project.hygge("start --output json").succeed();
    let events = Events::of(&run);
    assert_eq!(events.rows_read("sales.sales"), 100);
    assert_eq!(
        project.content("lake/orders"),
        Orders::new(0..5_100).content()
    );
    let idle = project.hygge("start --output json").succeed();
    assert_eq!(Events::of(&idle).rows_read("sales.sales"), 0);
    assert_eq!(
        project.content("lake/orders"),
        Orders::new(0..5_100).content()
    );
}

#[test]
fn options_in_hygge_yml_count() {
    let project = project("", "");
    project.orders("data/orders/a.parquet", &Orders::new(0..100));
    for (retries, code) in [(0, Some(1)), (1, Some(0))] {
        project.write(
            "hygge.yml",
            format!("name: test\noptions:\n  retries: {retries}\n"),
        );
        let run = project
            .hygge("start")
            .failpoints("split.opened=retryable")
            .run();
        assert_eq!(run.code, code, "{retries} retries: {run}");
    }
}

#[test]
fn on_error_says_what_becomes_of_the_others() {
    let project = Project::new();
    for flow in ["a", "b"] {
        project.flow(
            flow,
            &format!(
                "home: {{type: parquet, path: data/{flow}}}\n\
                 store: {{type: parquet, path: lake/{flow}}}\n"
            ),
        );
    }
    project.orders("data/b/b.parquet", &Orders::new(0..100));
    for (on_error, outcome) in [("stop", "skip"), ("continue", "pass")] {
        project.write(
            "hygge.yml",
            format!("name: test\noptions: {{on_error: {on_error}, concurrency: 1}}\n"),
        );
        let run = project.hygge("start --output json").run();
        assert_eq!(run.code, Some(1), "{run}");
        let events = Events::of(&run);
        assert_eq!(events.finished("a.a")["outcome"], "fail");
        assert_eq!(events.finished("b.b")["outcome"], outcome, "{run}");
    }
}

#[test]
fn debug_fails_on_bad_paths() {
    let project = project("", "");
    let missing = project.hygge("debug").run();
    assert_eq!(missing.code, Some(1), "{missing}");
    insta::assert_snapshot!(missing.shown());

    project.orders("data/orders/a.parquet", &Orders::new(0..10));
    let before = project.tree();
    project.hygge("debug").succeed();
    assert_eq!(project.tree(), before, "debug left something behind");
}

#[test]
fn two_hundred_entities_need_few_file_handles() {
    let project = Project::new();
    let entities: Vec<_> = (0..200).map(|n| format!("e{n:03}")).collect();
    let orders = Orders::new(0..50);
    for entity in &entities {
        project.orders(&format!("data/{entity}/a.parquet"), &orders);
    }
    project.flow(
        "many",
        &format!(
            "entities: [{}]\nhome: {{type: parquet, path: \"data/{{entity}}\"}}\n\
             store: {{type: parquet, path: \"lake/{{entity}}\"}}\n",
            entities.join(", ")
        ),
    );
    project.hygge("start").open_files_at_most(64).succeed();
    for entity in &entities {
        assert_eq!(
            project.content(&format!("lake/{entity}")),
            orders.content(),
            "{entity}"
        );
    }
}

#[test]
fn a_dry_run_creates_nothing() {
    let project = project(APPEND, "mode: incremental");
    project.orders("data/orders/a.parquet", &Orders::new(0..100));
    let before = project.tree();
    let run = project.hygge("start --dry-run").succeed();
    insta::assert_snapshot!(run.shown());
    assert_eq!(project.tree(), before);
}

#[test]
fn ties_at_the_watermark_are_neither_lost_nor_doubled() {
    let project = project(APPEND, "mode: incremental");
    let mut all = Orders::new(0..1_000);
    project.orders("data/orders/a.parquet", &all);
    project.hygge("start").succeed();

    // Rows that were still being written: one exactly at the watermark, one a little before it. And
    // a row that equals one of the first run in everything: two rows that are equal are two.
    let late = Orders(vec![
        Order {
            id: 999,
            version: 1,
            updated: Some(999),
        },
        Order {
            id: 5_000,
            version: 1,
            updated: Some(999),
        },
        Order {
            id: 5_001,
            version: 1,
            updated: Some(800),
        },
    ]);
    project.orders("data/orders/b.parquet", &late);
    all = all.and(&late);
    for _ in 0..3 {
        project.hygge("start").succeed();
        assert_eq!(project.content("lake/orders"), all.content());
    }
}

#[test]
fn rows_without_a_watermark_come_with_the_first_run() {
    let project = project(APPEND, "mode: incremental");
    let mut orders = Orders::new(0..100);
    for order in orders.0.iter_mut().step_by(10) {
        order.updated = None;
    }
    project.orders("data/orders/a.parquet", &orders);
    for _ in 0..2 {
        project.hygge("start").succeed();
        assert_eq!(project.content("lake/orders"), orders.content());
    }
}
