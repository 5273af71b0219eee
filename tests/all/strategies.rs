//! An incremental run never replaces what settled: where what is remembered doesn't say how it
//! goes on, it is refused.

use std::fs;

use crate::harness::{Content, Orders, Outcome, Project};

const COLUMN: &str = "  incremental: {column: updated_at, strategy: append, lookback: 0}\n";
const MERGE: &str = "  incremental: {column: updated_at, strategy: merge, key: id}\n";
const FILES: &str = "  incremental: {strategy: files}\n";

fn flow(project: &Project, incremental: &str, store: &str) {
    project.flow(
        "sales",
        &format!(
            "home:\n  type: parquet\n  path: data/orders\n{incremental}\
             store: {{{store}, path: lake/orders}}\n"
        ),
    );
}

/// A project in which 1,000 rows settled, the landing folder was cleared, and 200 more came.
fn settled(incremental: &str) -> (Project, Orders) {
    let project = Project::new();
    flow(&project, incremental, "type: parquet");
    let first = Orders::new(0..1_000);
    project.orders("data/orders/a.parquet", &first);
    project.hygge("start").succeed();
    fs::remove_file(project.path("data/orders/a.parquet")).unwrap();
    project.orders("data/orders/b.parquet", &Orders::new(1_000..1_200));
    (project, first)
}

fn content(project: &Project) -> Content {
    project.content("lake/orders")
}

/// Neither the dry run nor the run goes on, and what settled stays.
fn refused(project: &Project, first: &Orders) -> Outcome {
    let dry = project.hygge("start --dry-run").run();
    assert_eq!(dry.code, Some(1), "{dry}");
    assert!(!dry.shown().contains("nothing is remembered"), "{dry}");
    let refused = project.hygge("start").run();
    assert_eq!(refused.code, Some(1), "{refused}");
    assert_eq!(content(project), first.content(), "{refused}");
    refused
}

#[test]
fn another_strategy_does_not_replace_what_settled() {
    for (name, before, after) in [
        ("column_to_files", COLUMN, FILES),
        ("files_to_column", FILES, COLUMN),
        ("merge_to_files", MERGE, FILES),
        ("files_to_merge", FILES, MERGE),
        ("full_to_column", "", COLUMN),
        ("merge_to_column", MERGE, COLUMN),
    ] {
        let (project, first) = settled(before);
        flow(&project, after, "type: parquet");
        let refused = refused(&project, &first);
        insta::assert_snapshot!(name, refused.shown());
        // The old strategy goes on.
        flow(&project, before, "type: parquet");
        if !before.is_empty() {
            project.hygge("start").succeed();
            assert_eq!(content(&project), Orders::new(0..1_200).content(), "{name}");
        }
    }
}

#[test]
fn another_strategy_goes_on_from_what_was_read_back() {
    for (before, after) in [
        ("", COLUMN),
        (FILES, COLUMN),
        (FILES, MERGE),
        (MERGE, COLUMN),
    ] {
        let (project, _) = settled(before);
        flow(&project, after, "type: parquet");
        project.hygge("state recover sales.sales").succeed();
        for _ in 0..2 {
            project.hygge("start").succeed();
            let all = Orders::new(0..1_200).content();
            assert_eq!(content(&project), all, "{before} {after}");
        }
    }
}

#[test]
fn a_list_of_files_is_forgotten_once_a_watermark_is_followed() {
    let (project, _) = settled(FILES);
    flow(&project, COLUMN, "type: parquet");
    project.hygge("start --full").succeed();
    let taken = Orders::new(1_000..1_200);
    assert_eq!(content(&project), taken.content());
    // What was read meanwhile isn't in the list: it would be taken twice.
    flow(&project, FILES, "type: parquet");
    refused(&project, &taken);
}

#[test]
fn a_full_run_of_all_files_is_gone_on_with_file_by_file() {
    let (project, _) = settled("");
    flow(&project, FILES, "type: parquet");
    project.hygge("start").succeed();
    assert_eq!(content(&project), Orders::new(0..1_200).content());
}

#[test]
fn rows_without_a_watermark_are_not_replaced() {
    let project = Project::new();
    flow(&project, COLUMN, "type: parquet");
    let mut first = Orders::new(0..10);
    first.0.iter_mut().for_each(|order| order.updated = None);
    project.orders("data/orders/a.parquet", &first);
    project.hygge("start").succeed();
    fs::remove_file(project.path("data/orders/a.parquet")).unwrap();
    project.orders("data/orders/b.parquet", &Orders::new(10..20));
    let refused = refused(&project, &first);
    insta::assert_snapshot!(refused.shown());
}

#[test]
fn adopting_is_not_replacing() {
    for incremental in [COLUMN, FILES, MERGE] {
        let project = Project::new();
        let theirs = Orders::new(0..300);
        project.orders("lake/orders/theirs.parquet", &theirs);
        project.orders("data/orders/a.parquet", &Orders::new(300..400));
        flow(&project, incremental, "type: parquet, adopt: true");
        let refused = project.hygge("start").run();
        assert_eq!(refused.code, Some(1), "{refused}");
        assert_eq!(content(&project), theirs.content());
        if incremental == FILES {
            insta::assert_snapshot!("adopting_files", refused.shown());
            project.hygge("start --full").succeed();
            assert_eq!(content(&project), Orders::new(300..400).content());
        } else {
            let set = "state set sales.sales --watermark 2024-01-01 --type timestamp[us]";
            project.hygge(set).succeed();
            project.hygge("start").succeed();
            assert_eq!(content(&project), Orders::new(0..400).content());
        }
    }
}

#[test]
fn text_taken_back_after_its_state_was_lost_is_not_replaced() {
    let project = Project::new();
    flow(&project, COLUMN, "type: csv");
    project.orders("data/orders/a.parquet", &Orders::new(0..50));
    project.hygge("start").succeed();
    let stood = project.tree();
    fs::remove_dir_all(project.path(".hygge")).unwrap();
    fs::remove_file(project.path("data/orders/a.parquet")).unwrap();
    project.orders("data/orders/b.parquet", &Orders::new(50..60));
    flow(&project, COLUMN, "type: csv, adopt: true");
    let refused = project.hygge("start").run();
    assert_eq!(refused.code, Some(1), "{refused}");
    let name = |tree: &[String]| -> Vec<String> {
        let lake = tree.iter().filter(|path| path.starts_with("lake/"));
        lake.cloned().collect()
    };
    assert_eq!(name(&project.tree()), name(&stood));
    let shown = refused.shown();
    assert!(shown.contains("hygge state set sales.sales"), "{shown}");
}
