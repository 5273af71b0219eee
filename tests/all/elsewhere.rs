//! What is remembered is true of one source and one destination: others, and one that was emptied,
//! aren't gone on with unless a person says so.

use std::fs;

use crate::harness::{Orders, Project};
use crate::recovery::{APPEND, once_run};

fn to(project: &Project, incremental: &str, path: &str) {
    project.flow(
        "sales",
        &format!(
            "mode: incremental\nhome:\n  type: parquet\n  path: data/orders\n{incremental}\
             store: {{type: parquet, path: {path}}}\n"
        ),
    );
}

const FILES: &str = "  incremental: {strategy: files}\n";

/// What stops the run after a commit that waits, though it isn't finished yet, is said without a run.
#[test]
fn another_destination_is_told_beside_a_commit_that_waits() {
    let (project, _, _) = once_run(APPEND);
    let killed = project
        .hygge("start")
        .failpoints("intent.stored=kill")
        .run();
    assert!(killed.was_killed(), "{killed}");
    project.hygge("debug").succeed();
    to(&project, APPEND, "lake/elsewhere");
    let before = project.tree();
    for verb in ["start --dry-run", "debug"] {
        let refused = project.hygge(verb).run();
        assert_eq!(refused.code, Some(1), "{verb}: {refused}");
        let said = refused.shown();
        let why = "what is remembered is true of lake/orders, where it settled until now";
        assert!(said.contains(why), "{verb}: {said}");
        assert!(
            said.contains("hygge start --full --entity sales.sales"),
            "{verb}: {said}"
        );
    }
    assert_eq!(project.tree(), before, "something was written");
    let dry = project.hygge("start --dry-run").run().shown();
    assert!(
        dry.contains("finishes the commit of an earlier run first"),
        "{dry}"
    );
    let refused = project.hygge("start").run();
    assert_eq!(refused.code, Some(1), "{refused}");
    let all = Orders::new(0..1_200).content();
    assert_eq!(
        project.content("lake/orders"),
        all,
        "the commit is finished"
    );
}

#[test]
fn another_destination_is_not_gone_on_with() {
    for (name, incremental) in [("append", APPEND), ("files", FILES)] {
        let (project, first, more) = once_run(incremental);
        to(&project, incremental, "lake/elsewhere");
        let before = project.tree();
        let dry = project.hygge("start --dry-run").run();
        assert_eq!(dry.code, Some(1), "{dry}");
        assert_eq!(project.tree(), before);
        insta::assert_snapshot!(format!("dry_{name}"), dry.shown());
        let refused = project.hygge("start").run();
        assert_eq!(refused.code, Some(1), "{refused}");
        insta::assert_snapshot!(name, refused.shown());
        assert!(!project.path("lake/elsewhere").exists());
        assert_eq!(project.content("lake/orders"), first.content());

        // Another way to write the same path is the same destination.
        to(&project, incremental, "./lake//orders");
        project.hygge("start").succeed();
        let all = first.and(&more).content();
        assert_eq!(project.content("lake/orders"), all);

        to(&project, incremental, "lake/elsewhere");
        project.hygge("start --full").succeed();
        assert_eq!(project.content("lake/elsewhere"), all);
        assert_eq!(project.content("lake/orders"), all, "it stays");
        let more = Orders::new(1_200..1_300);
        project.orders("data/orders/c.parquet", &more);
        project.hygge("start").succeed();
        let all = Orders::new(0..1_300).content();
        assert_eq!(project.content("lake/elsewhere"), all);
    }
}

#[test]
fn another_destination_is_gone_on_with_when_a_person_says_so() {
    let (project, first, more) = once_run(APPEND);
    let state = project
        .hygge("state show sales.sales --output json")
        .succeed();
    let state: serde_json::Value = serde_json::from_str(&state.stdout).unwrap();
    let mark = state["watermark"]["value"].as_str().unwrap().to_owned();

    // To an empty place: only what is new settles there.
    to(&project, APPEND, "lake/elsewhere");
    project
        .hygge(&format!("state set sales.sales --watermark {mark}"))
        .succeed();
    for _ in 0..2 {
        project.hygge("start").succeed();
    }
    // The row at the watermark itself is taken again, as `state set` says.
    assert_eq!(project.content("lake/elsewhere").rows, 201);

    // Moved by hand, with all that is in it.
    fs::rename(project.path("lake/orders"), project.path("lake/moved")).unwrap();
    to(&project, APPEND, "lake/moved");
    project.hygge("start").run();
    project.hygge("state recover sales.sales").succeed();
    project.hygge("start").succeed();
    assert_eq!(project.content("lake/moved"), first.and(&more).content());
}

#[test]
fn an_emptied_destination_is_not_gone_on_with() {
    for (name, incremental) in [("append", APPEND), ("files", FILES)] {
        let (project, first, more) = once_run(incremental);
        fs::remove_dir_all(project.path("lake/orders")).unwrap();
        let refused = project.hygge("start").run();
        assert_eq!(refused.code, Some(1), "{refused}");
        insta::assert_snapshot!(format!("emptied_{name}"), refused.shown());
        assert!(!project.path("lake/orders").exists());
        project.hygge("start --full").succeed();
        assert_eq!(project.content("lake/orders"), first.and(&more).content());
    }
}

#[test]
fn a_landing_folder_that_others_empty_gets_what_is_new() {
    for incremental in [APPEND, FILES] {
        let (project, _, more) = once_run(incremental);
        project.flow(
            "sales",
            &format!(
                "mode: incremental\nhome:\n  type: parquet\n  path: data/orders\n{incremental}\
                 store: {{type: parquet, path: lake/orders, emptied_by_others: true}}\n"
            ),
        );
        // Picked up with the folder, then file by file.
        fs::remove_dir_all(project.path("lake/orders")).unwrap();
        let run = project.hygge("start --verbose").succeed();
        let said = "lake/orders is empty, as `emptied_by_others` allows";
        assert!(run.stdout.contains(said), "{run}");
        assert_eq!(project.content("lake/orders"), more.content());
        for entry in fs::read_dir(project.path("lake/orders")).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        let last = Orders::new(1_300..1_350);
        project.orders("data/orders/c.parquet", &last);
        project.hygge("debug").succeed();
        project.hygge("start").succeed();
        assert_eq!(project.content("lake/orders"), last.content());
        project.hygge("start").succeed();
        assert_eq!(project.content("lake/orders"), last.content());
    }
}

#[test]
fn an_emptied_destination_is_gone_on_with_when_a_person_says_so() {
    let (project, _, _) = once_run(APPEND);
    fs::remove_dir_all(project.path("lake/orders")).unwrap();
    fs::remove_file(project.path("data/orders/b.parquet")).unwrap();
    project
        .hygge("state set sales.sales --watermark 2030-01-01")
        .succeed();
    // Runs that find nothing leave nothing, and that is no loss.
    for _ in 0..3 {
        project.hygge("start").succeed();
    }
}

#[test]
fn another_source_is_told() {
    let (project, ..) = once_run(APPEND);
    project.flow(
        "sales",
        &format!(
            "mode: incremental\nhome:\n  type: parquet\n  path: data/others\n{APPEND}\
             store: {{type: parquet, path: lake/orders}}\n"
        ),
    );
    project.orders("data/others/a.parquet", &Orders::new(2_000..2_100));
    let run = project.hygge("start").succeed();
    insta::assert_snapshot!(run.shown());
}

#[test]
fn a_path_with_the_date_is_one_destination() {
    let (project, ..) = once_run(APPEND);
    to(&project, APPEND, "\"lake/{run_date}/orders\"");
    let refused = project.hygge("start").run();
    assert_eq!(refused.code, Some(1), "{refused}");
    project.hygge("start --full").succeed();
    let shown = project.hygge("state show sales.sales").succeed();
    assert!(
        shown
            .stdout
            .contains("store: parquet lake/{run_date}/orders"),
        "{shown}"
    );
}
