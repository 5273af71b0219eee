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

pub(crate) const APPEND: &str = "  incremental: {column: updated_at, strategy: append}\n";

/// A project whose first run took 1,000 rows, and that has 200 more since.
pub(crate) fn once_run(incremental: &str) -> (Project, Orders, Orders) {
    let project = project("incremental", incremental);
    let (first, more) = (Orders::new(0..1_000), Orders::new(1_000..1_200));
    project.orders("data/orders/a.parquet", &first);
    project.hygge("start").succeed();
    project.orders("data/orders/b.parquet", &more);
    (project, first, more)
}

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
        .failpoints("receipt.stored=kill")
        .run();
    assert!(killed.was_killed(), "{killed}");
    project.orders("data/orders/0.parquet", &Orders::new(0..1_000));
    let dry = project.hygge("start --dry-run").succeed();
    assert!(dry.stdout.contains("staged by an interrupted run"), "{dry}");
    let run = project.hygge("start --output json").succeed();
    assert!(run.stdout.contains("the source changed since run"), "{run}");
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

/// The reader had ended when the writer failed: its next attempt reads the window again.
#[test]
fn a_writer_that_is_tried_again_appends_nothing_twice() {
    for point in ["writer.finishing", "writer.finished", "split.batch"] {
        let (project, first, more) = once_run(APPEND);
        let run = project
            .hygge("start --output json")
            .failpoints(&format!("{point}=retryable"))
            .succeed();
        assert_eq!(Events::of(&run).all("retrying").count(), 1, "{run}");
        assert_eq!(project.content("lake/orders"), first.and(&more).content());
    }
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

/// What a run would do goes by the commit that it finishes first.
#[test]
fn a_dry_run_sees_past_a_commit_that_waits() {
    let project = project("incremental", APPEND);
    project.orders("data/orders/a.parquet", &Orders::new(0..500));
    let killed = project
        .hygge("start")
        .failpoints("intent.stored=kill")
        .run();
    assert!(killed.was_killed(), "{killed}");
    let would = project.hygge("start --dry-run --output json").succeed();
    let would: serde_json::Value = serde_json::from_str(would.stdout.trim()).unwrap();
    assert_eq!(would["recovers"], true, "{would}");
    assert_eq!(would["action"], "append", "{would}");
    assert_eq!(would["watermark"]["column"], "updated_at", "{would}");
    assert_eq!(would["staged"], 0, "{would}");
    let run = project.hygge("start --output json").succeed();
    let events = Events::of(&run);
    assert_eq!(events.all("recovered").count(), 1, "{run}");
    assert_eq!(events.rows("sales.sales"), 0, "{run}");
}

#[test]
fn lost_state_is_set_by_hand() {
    let (project, first, more) = once_run(APPEND);
    let state = project
        .hygge("state show sales.sales --output json")
        .succeed();
    let state: serde_json::Value = serde_json::from_str(&state.stdout).unwrap();
    let mark = &state["watermark"];
    fs::remove_dir_all(project.path(".hygge")).unwrap();
    let refused = project.hygge("start").run();
    assert_eq!(refused.code, Some(1), "{refused}");
    let set = format!(
        "state set sales.sales --watermark {} --type",
        mark["value"].as_str().unwrap(),
    );
    let kind = mark["type"].as_str().unwrap();
    project.hygge(&set).argument(kind).succeed();
    // Rows below what was set are known to nobody: also a later run must not take them.
    for _ in 0..3 {
        project.hygge("start").succeed();
        let all = first.0.len() + more.0.len();
        // The row at the watermark itself is taken again, as `state set` says.
        assert_eq!(project.content("lake/orders").rows, all as u64 + 1);
    }
}

#[test]
fn a_watermark_that_was_edited_takes_nothing_twice() {
    for lookback in ["0", "5m"] {
        let append = APPEND.replace("append}", &format!("append, lookback: {lookback}}}"));
        let (project, first, more) = once_run(&append);
        let file = ".hygge/state/sales/sales.state.yml";
        let written = fs::read_to_string(project.path(file)).unwrap();
        let edited: Vec<_> = written
            .lines()
            .map(|line| match line.trim_start().split(": ").next() {
                // A minute before the newest row.
                Some("value") => line.replace("00:16:39", "00:15:39"),
                Some("checksum") => "checksum: by hand".to_owned(),
                _ => line.to_owned(),
            })
            .collect();
        assert!(edited.join("").contains("00:15:39"));
        project.write(file, edited.join("\n") + "\n");
        let refused = project.hygge("start").run();
        assert_eq!(refused.code, Some(1), "{refused}");
        assert!(refused.stdout.contains("was changed by hand"), "{refused}");
        assert_eq!(project.content("lake/orders"), first.content());

        project.write(file, written);
        project.hygge("start").succeed();
        assert_eq!(project.content("lake/orders"), first.and(&more).content());
    }
}

#[test]
fn whatever_is_left_can_be_forgotten() {
    let project = project("full", "");
    let orders = Orders::new(0..1_000);
    project.orders("data/orders/a.parquet", &orders);
    let reset = "state reset sales.sales --yes";
    let nothing = project.hygge(reset).run();
    assert_eq!(nothing.code, Some(2), "{nothing}");
    for point in ["receipt.stored", "intent.stored"] {
        let killed = project
            .hygge("start")
            .failpoints(&format!("{point}=kill"))
            .run();
        assert!(killed.was_killed(), "{killed}");
        project.hygge(reset).succeed();
        let again = project.hygge(reset).run();
        assert_eq!(again.code, Some(2), "{again}");
    }
    project.hygge("start").succeed();
    assert_eq!(project.content("lake/orders"), orders.content());

    project.write(
        ".hygge/state/sales/sales.state.yml",
        "version: 1\nflow: [\n",
    );
    let damaged = project.hygge("start").run();
    assert_eq!(damaged.code, Some(1), "{damaged}");
    project.hygge(reset).succeed();
    project.hygge("start --full").succeed();
    assert_eq!(project.content("lake/orders"), orders.content());
    let flow = project.hygge("state show sales").run();
    insta::assert_snapshot!(flow.shown());
}

#[test]
fn a_watermark_set_by_hand_makes_marked_files_its_own() {
    let append = "  incremental: {column: updated_at, strategy: append, lookback: 0}\n";
    for lost in ["in part", "altogether"] {
        let project = project("incremental", append);
        project.orders("data/orders/a.parquet", &Orders::new(0..1_000));
        project.hygge("start").succeed();
        let (state, old) = (project.path(".hygge/state"), project.path("old"));
        let copied = std::process::Command::new("cp")
            .arg("-a")
            .args([&state, &old])
            .status();
        assert!(copied.unwrap().success());
        project.orders("data/orders/b.parquet", &Orders::new(1_000..1_200));
        project.hygge("start").succeed();
        fs::remove_dir_all(&state).unwrap();
        if lost == "in part" {
            // As if .hygge had come back from a backup.
            fs::rename(&old, &state).unwrap();
        }
        let refused = project.hygge("start").run();
        assert_eq!(refused.code, Some(1), "{lost}: {refused}");
        assert!(
            refused.shown().contains("hygge state set"),
            "{lost}: {refused}"
        );
        project
            .hygge("state set sales.sales --watermark 2024-01-01T00:19:59.5 --type timestamp[us]")
            .succeed();
        project.orders("data/orders/c.parquet", &Orders::new(1_200..1_300));
        project.hygge("start").succeed();
        let all = Orders::new(0..1_300).content();
        assert_eq!(project.content("lake/orders"), all, "{lost}");
        project.hygge("start").succeed();
        assert_eq!(project.content("lake/orders"), all, "{lost}");
    }
}

#[test]
fn text_whose_state_was_lost_can_be_taken_back() {
    let project = Project::new();
    let flow = |adopt: bool| {
        project.flow(
            "sales",
            &format!(
                "mode: incremental\nhome:\n  type: parquet\n  path: data/orders\n  \
                 incremental: {{column: updated_at, strategy: append, lookback: 0}}\n\
                 store: {{type: csv, path: lake/orders, adopt: {adopt}}}\n"
            ),
        );
    };
    flow(false);
    project.orders("data/orders/a.parquet", &Orders::new(0..1_000));
    project.hygge("start").succeed();
    fs::remove_dir_all(project.path(".hygge")).unwrap();
    let refused = project.hygge("start").run();
    assert_eq!(refused.code, Some(1), "{refused}");
    insta::assert_snapshot!(refused.shown());
    project
        .hygge("state set sales.sales --watermark 2024-01-01T00:16:39.5 --type timestamp[us]")
        .succeed();
    flow(true);
    project.orders("data/orders/b.parquet", &Orders::new(1_000..1_200));
    project.hygge("start").succeed();
    let lines: usize = fs::read_dir(project.path("lake/orders"))
        .unwrap()
        .map(|file| {
            fs::read_to_string(file.unwrap().path())
                .unwrap()
                .lines()
                .count()
                - 1
        })
        .sum();
    assert_eq!(lines, 1_200);
}

#[test]
fn a_full_run_of_nothing_leaves_an_empty_data_set() {
    let orders = Orders::new(0..500);
    for (mode, incremental) in [
        ("full", ""),
        ("incremental", APPEND),
        ("incremental", "  incremental: {strategy: files}\n"),
    ] {
        let project = project(mode, &format!("  allow_empty: true\n{incremental}"));
        // Nothing stands yet, and nothing comes.
        project.hygge("start --full").succeed();
        assert!(!project.path("lake/orders").exists(), "{incremental}");
        project.orders("data/orders/a.parquet", &orders);
        project.hygge("start").succeed();
        fs::rename(project.path("data"), project.path("away")).unwrap();
        if mode == "incremental" {
            project.hygge("start").succeed();
            assert_eq!(project.content("lake/orders"), orders.content());
        }
        let run = project.hygge("start --full").succeed();
        assert_eq!(
            project.content("lake/orders"),
            Orders::default().content(),
            "{incremental}: {run}"
        );
        if mode == "full" {
            insta::assert_snapshot!(run.shown());
        }
        // What comes back is taken again.
        fs::rename(project.path("away"), project.path("data")).unwrap();
        project.hygge("start").succeed();
        assert_eq!(
            project.content("lake/orders"),
            orders.content(),
            "{incremental}"
        );
    }
}
