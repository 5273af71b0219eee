//! Rows that aren't as they should be, told before they are committed.

use crate::harness::{Events, Project};

/// A flow `sales` from CSV files to Parquet files.
fn project(checks: &str) -> Project {
    let project = Project::new();
    project.flow(
        "sales",
        &format!("home: data/\nstore: lake/sales\nchecks:\n{checks}"),
    );
    project
}

fn checked(events: &Events) -> Vec<(String, bool)> {
    let told: Vec<&serde_json::Value> = events.all("checked").collect();
    assert_eq!(told.len(), 1, "once an entity");
    let each = told[0]["checks"].as_array().unwrap().iter();
    each.map(|check| {
        let name = check["check"].as_str().unwrap().to_owned();
        (name, check["passed"].as_bool().unwrap())
    })
    .collect()
}

#[test]
fn a_failure_leaves_the_destination_as_it_was() {
    let project = project("  - {type: not_null, columns: customer}\n  - {type: unique, key: id}\n");
    project.write("data/a.csv", "id,customer\n1,ann\n2,bob\n");
    let first = project.hygge("start --output json").succeed();
    let passed = [
        ("not_null customer".into(), true),
        ("unique id".into(), true),
    ];
    assert_eq!(checked(&Events::of(&first)), passed);
    let before = project.content("lake/sales");

    // In another file, so in another split.
    project.write("data/b.csv", "id,customer\n2,\n3,eve\n");
    let failed = project.hygge("start").run();
    assert_eq!(failed.code, Some(1));
    insta::assert_snapshot!("a_check_fails", failed.shown());
    assert_eq!(project.content("lake/sales"), before);
    let runs = project.hygge("runs show").succeed();
    assert!(
        runs.stdout.contains("1 row has the \"id\" of another"),
        "{runs}"
    );
    // Nothing that was staged is left.
    let staged = project.tree();
    assert!(
        !staged.iter().any(|path| path.ends_with(".new")),
        "{staged:?}"
    );

    project.write("data/b.csv", "id,customer\n3,eve\n");
    project.hygge("start").succeed();
    assert_eq!(project.content("lake/sales").rows, 3);
}

#[test]
fn a_warning_is_told_and_committed() {
    let project = project(
        "  - {type: range, column: id, max: 2, severity: warn, rejects: bad/rows}\n\
         \x20 - {type: row_count, min: 1}\n",
    );
    project.write("data/a.csv", "id,customer\n1,ann\n9,bob\n");
    let outcome = project.hygge("start").succeed();
    insta::assert_snapshot!("a_check_warns", outcome.shown());
    assert_eq!(project.content("lake/sales").rows, 2);
    let rejects = project.path("bad/rows/sales.sales.1-range.ndjson");
    assert_eq!(
        std::fs::read_to_string(&rejects).unwrap(),
        "{\"id\":9,\"customer\":\"bob\"}\n"
    );
    project.write("data/a.csv", "id,customer\n1,ann\n");
    project.hygge("start").succeed();
    assert!(!rejects.exists(), "of a run that is over");
}

#[test]
fn rows_of_a_check_that_is_gone_are_taken_away() {
    let project = project(
        "  - {type: not_null, columns: id}\n\
         \x20 - {type: regex, column: customer, pattern: '^a', severity: warn, rejects: bad}\n",
    );
    project.write("data/a.csv", "id,customer\n1,ann\n9,bob\n");
    project.write("bad/sales.sales.note.txt", "mine");
    project.hygge("start").succeed();
    let rejects = project.path("bad/sales.sales.2-regex.ndjson");
    assert!(rejects.exists());
    project.flow(
        "sales",
        "home: data/\nstore: lake/sales\nchecks:\n  - {type: not_null, columns: id}\n",
    );
    project.hygge("start").succeed();
    assert!(!rejects.exists());
    assert!(project.path("bad/sales.sales.note.txt").exists());
}

#[test]
fn rejects_go_to_a_folder_of_their_own() {
    let mut shown = String::new();
    for folder in [
        "flows",
        ".hygge/state",
        "lake",
        "data/bad",
        "link",
        "~/bad",
        "s3://x/bad",
    ] {
        let check = format!("  - {{type: not_null, columns: id, rejects: {folder}}}\n");
        let project = project(&check);
        project.write("data/a.csv", "id,customer\n1,ann\n");
        std::fs::create_dir_all(project.path("lake/sales")).unwrap();
        std::os::unix::fs::symlink(project.path("lake/sales"), project.path("link")).unwrap();
        let refused = project.hygge("start").run();
        assert_eq!(refused.code, Some(2), "{folder}: {refused}");
        shown.push_str(&format!("- {folder}\n{}\n", refused.shown()));
    }
    // What another flow reads or writes.
    for (folder, home, store) in [
        ("other/bad", "data/a.csv", "other"),
        ("in/bad", "in", "lake/other"),
    ] {
        let check = format!("  - {{type: not_null, columns: id, rejects: {folder}}}\n");
        let project = project(&check);
        project.write("data/a.csv", "id,customer\n1,ann\n");
        project.flow("other", &format!("home: {home}\nstore: {store}\n"));
        let refused = project.hygge("start").run();
        assert_eq!(refused.code, Some(2), "{folder}: {refused}");
        shown.push_str(&format!("- {folder}\n{}\n", refused.shown()));
    }
    insta::assert_snapshot!("rejects_go_to_a_folder_of_their_own", shown);
    // A flow may be there for those rows.
    let project = project("  - {type: not_null, columns: id, rejects: bad}\n");
    project.write("data/a.csv", "id,customer\n1,ann\n");
    project.flow(
        "mend",
        "home: bad/*.ndjson\nstore: lake/mend\nafter: sales\n",
    );
    project.hygge("list").succeed();
    // Or read other files of a folder above.
    let project = self::project("  - {type: not_null, columns: id, rejects: more/bad}\n");
    project.write("data/a.csv", "id,customer\n1,ann\n");
    project.flow("other", "home: more/**/*.csv\nstore: lake/other\n");
    project.hygge("list").succeed();
}

/// The history would remember it.
#[test]
fn a_folder_for_rows_that_fail_holds_no_secret() {
    let project =
        project("  - {type: not_null, columns: customer, rejects: \"bad/${API_TOKEN}\"}\n");
    project.write("data/a.csv", "id,customer\n1,\n");
    let refused = project
        .hygge("start")
        .env("API_TOKEN", "hunter2-hunter2")
        .run();
    assert_eq!(refused.code, Some(2), "{refused}");
    assert!(!project.path("bad").exists());
    insta::assert_snapshot!("a_secret_folder_for_rows", refused.shown());
}

#[test]
fn only_what_can_keep_rows_is_told_to() {
    let project = project("  - {type: row_count, min: 5}\n  - {type: unique, key: id}\n");
    project.write("data/a.csv", "id,customer\n1,ann\n1,bob\n");
    insta::assert_snapshot!("no_rows_to_keep", project.hygge("start").run().shown());
}

/// Splits that were staged before a kill count as well.
#[test]
fn what_was_seen_before_a_kill_counts() {
    let project = project("  - {type: not_null, columns: customer, rejects: bad}\n");
    project.write("data/a.csv", "id,customer\n1,\n");
    project.write("data/b.csv", "id,customer\n2,bob\n");
    project.write("data/c.csv", "id,customer\n3,eve\n");
    let killed = project
        .hygge("start --concurrency 1")
        .failpoints("receipt.stored=kill")
        .run();
    assert!(killed.was_killed(), "{killed}");
    let failed = project.hygge("start --output json").run();
    let events = Events::of(&failed);
    assert_eq!(events.all("recovered").count(), 1, "{failed}");
    assert_eq!(checked(&events), [("not_null customer".into(), false)]);
    assert_eq!(
        events.fault("sales.sales"),
        "a check failed: \"customer\" is NULL in 1 row"
    );
    let kept = std::fs::read_to_string(project.path("bad/sales.sales.1-not_null.ndjson"));
    assert_eq!(kept.unwrap(), "{\"id\":1,\"customer\":null}\n");
    assert!(!project.path("lake/sales").exists());
}

/// No more than are written in the end, however many splits have some.
#[test]
fn rows_that_fail_are_kept_once_for_all_splits() {
    let project = Project::new();
    project.flow(
        "sales",
        "home: {path: data/, split_size: 64 KiB}\nstore: lake/sales\nchecks:\n  \
         - {type: not_null, columns: customer, rejects: bad, severity: warn}\n",
    );
    let rows: String = (0..400)
        .map(|id| format!("{id},,{}\n", "x".repeat(200)))
        .collect();
    for file in 0..20 {
        let text = format!("id,customer,note\n{rows}");
        project.write(&format!("data/{file}.csv"), text);
    }
    let killed = project
        .hygge("start --concurrency 1")
        .failpoints("entity.checked=kill")
        .run();
    assert!(killed.was_killed(), "{killed}");
    let kept = project.path("bad/sales.sales.1-not_null.ndjson");
    let kept = std::fs::read_to_string(kept).unwrap();
    assert_eq!(kept.lines().count(), 1_000);
    let stored = project.path(".hygge/state/sales/sales.attempt.jsonl");
    let stored = std::fs::read_to_string(stored).unwrap();
    assert_eq!(
        stored.lines().filter(|line| line.contains("xxx")).count(),
        3
    );
    project.hygge("start").succeed();
    assert_eq!(project.content("lake/sales").rows, 8_000);
}

/// Of keys only hashes are kept, by a process that is gone.
#[test]
fn a_dry_run_knows_what_is_read_again() {
    for (check, staged) in [
        ("{type: unique, key: id}", 0),
        ("{type: row_count, min: 1}", 1),
    ] {
        let project = project(&format!("  - {check}\n"));
        project.write("data/a.csv", "id,customer\n1,ann\n");
        project.write("data/b.csv", "id,customer\n2,bob\n");
        let killed = project
            .hygge("start --concurrency 1")
            .failpoints("receipt.stored=kill")
            .run();
        assert!(killed.was_killed(), "{killed}");
        let would = project.hygge("start --dry-run --output json").succeed();
        let told = format!("\"staged\":{staged}");
        assert!(would.stdout.contains(&told), "{check}: {would}");
    }
}

#[test]
fn a_kill_after_the_verdict_commits_nothing_twice() {
    let project = project("  - {type: unique, key: id}\n");
    project.write("data/a.csv", "id,customer\n1,ann\n");
    project.write("data/b.csv", "id,customer\n2,bob\n");
    for point in ["receipt.stored", "entity.checked", "intent.stored"] {
        let killed = project
            .hygge("start")
            .failpoints(&format!("{point}=kill"))
            .run();
        assert!(killed.was_killed(), "{point}: {killed}");
        project.hygge("start").succeed();
        assert_eq!(project.content("lake/sales").rows, 2, "{point}");
    }
}

#[test]
fn nothing_is_judged_as_well() {
    for incremental in ["", ", incremental: {column: id}"] {
        let project = Project::new();
        project.flow(
            "sales",
            &format!(
                "home: {{type: csv, path: data, allow_empty: true{incremental}}}\n\
                 store: lake/sales\n\
                 checks:\n  - {{type: row_count, min: 1}}\n  - {{type: not_null, columns: id}}\n"
            ),
        );
        project.write("data/a.csv", "id,customer\n1,ann\n");
        project.hygge("start").succeed();
        std::fs::remove_file(project.path("data/a.csv")).unwrap();
        let failed = project.hygge("start --output json").run();
        assert_eq!(
            Events::of(&failed).fault("sales.sales"),
            "a check failed: 0 rows reach the store, not at least 1"
        );
        assert_eq!(project.content("lake/sales").rows, 1);
    }
}

/// A merge keeps one of several rows with one key, after they are counted.
#[test]
fn rows_are_counted_alike_in_every_run_of_a_merge() {
    let project = Project::new();
    project.flow(
        "sales",
        "home:\n  path: data/a.csv\n  incremental: {column: v, strategy: merge, key: id}\n\
         store: lake/sales\nchecks:\n  - {type: volume}\n  - {type: row_count, max: 12}\n",
    );
    for run in 0..3 {
        let rows: String = (0..10)
            .map(|row| format!("1,{}\n", run * 10 + row))
            .collect();
        project.write("data/a.csv", format!("id,v\n{rows}"));
        project.hygge("start").succeed();
    }
    assert_eq!(project.content("lake/sales").rows, 1);
}

#[test]
fn the_volume_of_earlier_runs_is_known() {
    let project = project("  - {type: volume, runs: 2}\n");
    let write = |rows: usize| {
        let rows: String = (0..rows).map(|id| format!("{id},x\n")).collect();
        project.write("data/a.csv", format!("id,customer\n{rows}"));
    };
    for (rows, code) in [(100, 0), (60, 0), (30, 1), (90, 0), (200, 1)] {
        write(rows);
        let outcome = project.hygge("start").run();
        assert_eq!(outcome.code, Some(code), "{rows}: {outcome}");
    }
}

/// Whoever finishes a commit tells what was found before it.
#[test]
fn what_a_check_warned_of_is_told_after_a_kill() {
    let project = project("  - {type: not_null, columns: customer, severity: warn}\n");
    project.write("data/a.csv", "id,customer\n1,\n");
    let killed = project
        .hygge("start")
        .failpoints("intent.stored=kill")
        .run();
    assert!(killed.was_killed(), "{killed}");
    std::fs::write(project.path("data/a.csv"), "id,customer\n1,ann\n").unwrap();
    let recovered = project.hygge("start").succeed();
    let told = "a check warned of those rows: \"customer\" is NULL in 1 row";
    assert!(recovered.shown().contains(told), "{recovered}");
}

/// A full run of a source that has nothing any more takes away what stood.
#[test]
fn a_source_that_was_emptied_is_told() {
    let project = project("  - {type: not_null, columns: id}\n");
    project.write("data/a.csv", "id,customer\n1,ann\n");
    project.hygge("start").succeed();
    project.write("data/a.csv", "id,customer\n");
    let emptied = project.hygge("start").succeed();
    assert!(
        emptied
            .shown()
            .contains("the source had no rows, so none stand"),
        "{emptied}"
    );
    let again = project.hygge("start").succeed();
    assert!(!again.shown().contains("the source had no rows"), "{again}");
}

/// Whatever others do, and the history is left of.
#[test]
fn the_volume_of_earlier_runs_is_kept_with_the_entity() {
    let project = project("  - {type: volume}\n");
    let rows = |count: usize| -> String {
        let rows: String = (0..count).map(|id| format!("{id},x\n")).collect();
        format!("id,customer\n{rows}")
    };
    project.write("data/a.csv", rows(100));
    project.hygge("start").succeed();
    std::fs::remove_dir_all(project.path(".hygge/runs")).unwrap();
    project.write("data/a.csv", rows(1));
    let outcome = project.hygge("start").run();
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(
        outcome
            .shown()
            .contains("1 row reaches the store; the last run had 100"),
        "{outcome}"
    );
}

/// It would get past every check, and delete rows where they are merged.
#[test]
fn a_column_called_as_hygge_s_own_is_refused() {
    let project = project("  - {type: not_null, columns: id}\n");
    project.write("data/a.csv", "id,__hygge_operation\n,delete\n");
    for verb in ["start", "debug"] {
        let outcome = project.hygge(verb).run();
        assert_eq!(outcome.code, Some(1), "{outcome}");
        let why = "the source has a column __hygge_operation, which is hygge's own";
        assert!(outcome.shown().contains(why), "{outcome}");
    }
    assert!(!project.path("lake").exists());
}

#[test]
fn what_cannot_be_checked_is_said_before_rows_move() {
    let checks = [
        "{type: not_null, columns: custmer}",
        "{type: range, column: customer, min: [1]}",
        "{type: regex, column: id, pattern: x}",
        "{type: notnull, columns: id}",
        "{type: unique, key: id, rejects: bad}",
        "{columns: id}",
        "{type: sql, expression: \"SUM(id) > 1\"}",
        "{type: not_null, columns: id, severity: warning}",
        "{type: not_null, columns: id, rejects: data/bad}",
        "{type: not_null, columns: id, rejects: lake}",
    ];
    let mut said = String::new();
    for check in checks {
        let project = project(&format!("  - {check}\n"));
        project.write("data/a.csv", "id,customer\n1,ann\n");
        let outcome = project.hygge("start --quiet").run();
        assert_ne!(outcome.code, Some(0), "{check}");
        assert!(!project.path("lake").exists(), "{check}");
        said.push_str(&format!("{check}\n{}\n", outcome.shown()));
    }
    insta::assert_snapshot!("checks_that_cannot_be", said);
}

#[test]
fn a_dry_run_says_what_would_be_looked_for() {
    let project =
        project("  - {type: not_null, columns: id}\n  - {type: volume, severity: warn}\n");
    project.write("data/a.csv", "id\n1\n");
    let outcome = project.hygge("start --dry-run").succeed();
    assert!(
        outcome
            .stdout
            .contains("checks not_null id, volume 0.5 to 2 times the last 7 (warn)"),
        "{outcome}"
    );
}
