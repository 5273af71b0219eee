use super::orders;

#[test]
fn nothing_yet() {
    let project = orders("");
    insta::assert_snapshot!(project.hygge("runs").succeed().shown());
    let none = project.hygge("runs show").run();
    assert_eq!(none.code, Some(2), "{none}");
    assert!(!project.path(".hygge").exists());
}

#[test]
fn history_with_rows_and_outcome() {
    let project = orders("");
    project.hygge("start").succeed();
    std::fs::rename(project.path("data"), project.path("away")).unwrap();
    assert_eq!(project.hygge("start").run().code, Some(1));
    insta::assert_snapshot!(project.hygge("runs").succeed().shown());
    insta::assert_snapshot!("the_last", project.hygge("runs show").succeed().shown());

    let listed = project.hygge("runs --output json").succeed().stdout;
    let runs: Vec<serde_json::Value> = listed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(runs.len(), 2);
    assert_eq!(runs[1]["entities"][0]["rows"], 20);
    let id = runs[1]["run"].as_str().unwrap();
    let shown = project
        .hygge(&format!("runs show {id} --output json"))
        .succeed();
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown, runs[1]);
    let ambiguous = project.hygge("runs show 20").run();
    assert_eq!(ambiguous.code, Some(2), "{ambiguous}");
    insta::assert_snapshot!("two_begin_so", ambiguous.shown());
}

#[test]
fn values_of_vars_are_not_kept() {
    let project = orders("");
    project
        .hygge("start --var flow.sales.store.path=lake/hunter2 --quiet")
        .succeed();
    let shown = project.hygge("runs show").succeed();
    assert!(
        shown
            .stdout
            .contains("start --var flow.sales.store.path=*** --quiet"),
        "{shown}"
    );
}

#[test]
fn why_something_was_not_tried() {
    let project = orders("");
    project.flow(
        "later",
        "home: lake/orders\nstore: lake/later\nafter: sales\n",
    );
    std::fs::remove_dir_all(project.path("data")).unwrap();
    let start = project.hygge("start").run();
    assert_eq!(start.code, Some(1), "{start}");
    let shown = project.hygge("runs show").succeed();
    assert!(
        shown.stdout.contains("flow sales did not succeed"),
        "{shown}"
    );
}

#[test]
fn a_run_that_moves_is_told_from_one_that_died() {
    let project = orders("");
    let outcome = || project.hygge("runs").succeed().stdout;
    let paused = project.hygge("start").spawn_to("split.batch");
    assert!(outcome().contains("running"), "{}", outcome());
    assert_eq!(paused.go_on().code, Some(0));
    project.orders(
        "data/orders/b.parquet",
        &crate::harness::Orders::new(20..30),
    );
    let killed = project.hygge("start").failpoints("split.batch=kill").run();
    assert!(killed.was_killed(), "{killed}");
    assert!(outcome().contains("died"), "{}", outcome());
    let last = project.hygge("runs show last").succeed();
    assert!(last.stdout.contains("outcome  died"), "{last}");
    assert!(last.stdout.contains("goes on from what it left"), "{last}");
    assert_eq!(project.hygge("runs --last 0").run().code, Some(2));
}
