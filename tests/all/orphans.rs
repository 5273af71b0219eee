//! An entity is renamed or removed while a run's work on it waits: nothing of it is lost, and
//! nothing is left for ever without a word.

use std::fs;

use crate::harness::{Orders, Project, walk};

fn flow(project: &Project, entity: &str) {
    project.flow(
        "sales",
        &format!(
            "entities: [{entity}]\n\
             home: {{type: parquet, path: data/orders, split_size: 1}}\n\
             store: {{type: parquet, path: lake/orders}}\n"
        ),
    );
}

/// A run of `sales.old` was killed at a point; now the project calls it `sales.new`.
fn renamed(point: &str) -> Project {
    let project = Project::new();
    flow(&project, "old");
    project.orders("data/orders/a.parquet", &Orders::new(0..1_000));
    project.orders("data/orders/b.parquet", &Orders::new(1_000..2_000));
    let killed = project
        .hygge("start --concurrency 1")
        .failpoints(point)
        .run();
    assert!(killed.was_killed(), "{killed}");
    flow(&project, "new");
    project
}

fn staged(project: &Project) -> usize {
    let mut found = 0;
    walk(&project.path(".hygge"), &mut |path, is_folder| {
        let is_staged = path.components().any(|part| part.as_os_str() == "staging");
        found += usize::from(!is_folder && is_staged);
    });
    found
}

#[test]
fn a_commit_that_waits_is_told_of_and_finished_from_its_record() {
    let project = renamed("intent.stored=kill");
    let listed = project.hygge("state list").succeed();
    insta::assert_snapshot!("listed", listed.shown());
    let json = project.hygge("state list --output json").succeed();
    let line: serde_json::Value = serde_json::from_str(json.stdout.trim()).unwrap();
    assert_eq!(line["waits"]["rows"], 2_000, "{json}");
    assert_eq!(line["waits"]["in_project"], false, "{json}");
    let debug = project.hygge("debug").run();
    assert_eq!(debug.code, Some(1), "{debug}");
    insta::assert_snapshot!("debug", debug.shown());
    let elsewhere = project.hygge("debug --entity sales.new").succeed();
    assert!(!elsewhere.stdout.contains("sales.old"), "{elsewhere}");
    let tree = project.tree();
    let dry = project.hygge("start --dry-run").succeed();
    insta::assert_snapshot!("dry_run", dry.shown());
    let shown = project.hygge("state show sales.old").run();
    assert_eq!(shown.code, Some(1), "{shown}");
    insta::assert_snapshot!("shown", shown.shown());
    assert_eq!(project.tree(), tree, "something was written");

    // Nothing but the record is needed.
    fs::remove_dir_all(project.path("data")).unwrap();
    let finished = project.hygge("state recover sales.old").succeed();
    insta::assert_snapshot!("finished", finished.shown());
    assert_eq!(
        project.content("lake/orders"),
        Orders::new(0..2_000).content()
    );
    let again = project.hygge("state recover sales.old").run();
    assert_eq!(again.code, Some(2), "{again}");
    let debug = project.hygge("debug").run();
    assert!(!debug.stdout.contains("sales.old"), "{debug}");
}

/// What is said of one that can't be finished any more is possible without the entity.
#[test]
fn a_commit_that_is_lost_says_what_there_is_to_do() {
    let lost = || {
        let project = renamed("intent.stored=kill");
        walk(&project.path(".hygge"), &mut |path, is_folder| {
            if !is_folder && path.components().any(|part| part.as_os_str() == "staging") {
                fs::remove_file(path).unwrap();
            }
        });
        let recover = project.hygge("state recover sales.old").run();
        assert_eq!(recover.code, Some(1), "{recover}");
        let said = recover.shown();
        let next = said.lines().find(|line| line.contains("next: ")).unwrap();
        let next = next.trim().to_owned();
        (project, next)
    };
    let (project, next) = lost();
    insta::assert_snapshot!("lost", next);
    project.hygge("state reset sales.old --yes").succeed();
    project.hygge("start").succeed();
    let (project, _) = lost();
    flow(&project, "old");
    project.hygge("start --full --entity sales.old").succeed();
    assert_eq!(project.content("lake/orders").rows, 2_000);
}

/// Also while the project can't be read at all.
#[test]
fn a_commit_is_finished_in_a_broken_project() {
    let project = renamed("intent.stored=kill");
    project.write("flows/sales/flow.yml", "home: [\n");
    let listed = project.hygge("state list").succeed();
    assert!(
        listed.stdout.contains("hygge state recover sales.old"),
        "{listed}"
    );
    project.hygge("state recover sales.old").succeed();
    assert_eq!(project.content("lake/orders").rows, 2_000);
}

#[test]
fn a_run_warns_of_a_commit_that_waits() {
    let project = renamed("intent.stored=kill");
    project.write("flows/sales/flow.yml", "");
    fs::remove_dir_all(project.path("flows/sales")).unwrap();
    project.flow("crm", "home: data/orders\nstore: lake/crm\n");
    let run = project.hygge("start").succeed();
    let said = "sales.old has a commit of run";
    assert!(run.stderr.contains(said), "{run}");
    assert!(
        run.stderr.contains("`hygge state recover sales.old`"),
        "{run}"
    );
    assert_eq!(project.content("lake/crm").rows, 2_000);
    assert!(!project.path("lake/orders").exists());
}

#[test]
fn a_commit_can_be_given_up() {
    let project = renamed("intent.stored=kill");
    assert_eq!(staged(&project), 2);
    let reset = project.hygge("state reset sales.old --yes").succeed();
    insta::assert_snapshot!("given_up", reset.shown());
    assert_eq!(staged(&project), 0);
    let run = project.hygge("start").succeed();
    assert!(!run.shown().contains("sales.old"), "{run}");
    assert_eq!(project.content("lake/orders").rows, 2_000);
}

/// What nobody decided on is in the source still.
#[test]
fn what_was_staged_only_is_thrown_away() {
    for point in [
        "receipt.stored=kill",
        "store.prepared=kill",
        "writer.finished=kill",
    ] {
        let project = renamed(point);
        assert!(staged(&project) > 0);
        let run = project.hygge("start").succeed();
        assert!(run.stderr.contains("threw away what run"), "{run}");
        assert_eq!(staged(&project), 0);
        assert_eq!(project.content("lake/orders").rows, 2_000);
        let run = project.hygge("start").succeed();
        assert!(!run.stderr.contains("sales.old"), "{run}");
    }
}

/// The entity of another configuration that is at work now is none of ours.
#[test]
fn what_a_run_is_at_work_on_stays() {
    let project = Project::new();
    flow(&project, "old");
    project.orders("data/orders/a.parquet", &Orders::new(0..1_000));
    let paused = project.hygge("start").spawn_to("receipt.stored");
    flow(&project, "new");
    let run = project.hygge("start --dry-run").succeed();
    assert!(!run.shown().contains("sales.old"), "{run}");
    project.flow(
        "sales",
        "entities: [new]\nhome: data/orders\nstore: lake/new\n",
    );
    let run = project.hygge("start").succeed();
    assert!(!run.shown().contains("sales.old"), "{run}");
    let went_on = paused.go_on();
    assert_eq!(went_on.code, Some(0), "{went_on}");
    assert_eq!(project.content("lake/orders").rows, 1_000);
}

/// A staged attempt whose destination is another one now.
#[test]
fn what_was_staged_for_another_destination_is_thrown_away() {
    let project = Project::new();
    let flow = |path: &str| {
        project.flow("sales", &format!("home: data/orders\nstore: {path}\n"));
    };
    flow("lake/one");
    project.orders("data/orders/a.parquet", &Orders::new(0..1_000));
    let killed = project
        .hygge("start")
        .failpoints("receipt.stored=kill")
        .run();
    assert!(killed.was_killed(), "{killed}");
    flow("lake/two");
    project.hygge("start").succeed();
    assert_eq!(staged(&project), 0);
    assert_eq!(project.content("lake/two").rows, 1_000);
}

/// A record that can't be read is named, also when nothing else says whose it is.
#[test]
fn a_record_that_cannot_be_read_is_named() {
    let project = renamed("intent.stored=kill");
    let intent = project.path(".hygge/state/sales/old.intent.json");
    let text = fs::read_to_string(&intent).unwrap();
    fs::write(&intent, &text[..text.len() / 2]).unwrap();
    let run = project.hygge("start --dry-run").succeed();
    assert!(run.stderr.contains("old.intent.json"), "{run}");
    let listed = project.hygge("state list").run();
    assert_eq!(listed.code, Some(1), "{listed}");
    assert!(listed.stderr.contains("old.intent.json"), "{listed}");
    let debug = project.hygge("debug").run();
    assert_eq!(debug.code, Some(1), "{debug}");
    assert!(debug.stdout.contains("old.intent.json"), "{debug}");
}
