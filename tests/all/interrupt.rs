//! Ctrl-C, and two runs that want the same entity.

use rustix::process::Signal;

use crate::harness::{Orders, Project};

fn project() -> Project {
    let project = Project::new();
    project.flow(
        "sales",
        "home: {type: parquet, path: data/orders}\n\
         store: {type: parquet, path: lake/orders}\n",
    );
    project.orders("data/orders/a.parquet", &Orders::new(0..20_000));
    project
}

#[test]
fn once_stops_reading_and_says_what_was_not_committed() {
    let project = project();
    let mut paused = project.hygge("start").spawn_to("split.batch");
    paused.running.signal(Signal::INT);
    let stopped = paused.go_on();
    assert_eq!(stopped.code, Some(130), "{stopped}");
    insta::assert_snapshot!(stopped.shown());
    assert!(!project.path("lake").exists(), "{:?}", project.tree());

    project.hygge("start").succeed();
    assert_eq!(
        project.content("lake/orders"),
        Orders::new(0..20_000).content()
    );
}

#[test]
fn twice_ends_at_once_and_the_next_run_recovers() {
    let project = project();
    let mut paused = project.hygge("start").spawn_to("split.batch");
    paused.running.signal(Signal::INT);
    // The second counts only once the first was noticed; so they are sent until it ends.
    crate::harness::eventually("the end after two signals", || {
        paused.running.signal(Signal::INT);
        paused.running.ended().then_some(())
    });
    let stopped = paused.running.wait();
    assert_eq!(stopped.code, Some(130), "{stopped}");
    assert!(!project.path("lake/orders").exists());
    project.hygge("start").succeed();
    assert_eq!(
        project.content("lake/orders"),
        Orders::new(0..20_000).content()
    );
}

#[test]
fn a_second_start_is_refused_while_one_runs() {
    let project = project();
    let paused = project.hygge("start").spawn_to("split.batch");
    let refused = project.hygge("start").run();
    assert_eq!(refused.code, Some(1), "{refused}");
    insta::assert_snapshot!(refused.shown());
    let first = paused.go_on();
    assert_eq!(first.code, Some(0), "{first}");
    assert_eq!(
        project.content("lake/orders"),
        Orders::new(0..20_000).content()
    );
}

#[test]
fn the_lock_dies_with_its_holder() {
    let project = project();
    let mut paused = project.hygge("start").spawn_to("split.batch");
    paused.running.signal(Signal::KILL);
    assert!(paused.running.wait().was_killed());
    project.hygge("start").succeed();
}

/// Whoever waits for a flow that a person stopped was stopped, too; nothing failed.
#[test]
fn a_terminal_that_goes_away_stops_those_that_wait_as_well() {
    let project = project();
    project.flow(
        "later",
        "home: lake/orders\nstore: lake/later\nafter: sales\n",
    );
    let mut paused = project.hygge("start").spawn_to("split.batch");
    paused.running.signal(Signal::HUP);
    let stopped = paused.go_on();
    assert_eq!(stopped.code, Some(130), "{stopped}");
    assert!(stopped.stdout.contains("2 stopped"), "{stopped}");
    project.hygge("start").succeed();
    assert_eq!(
        project.content("lake/later"),
        Orders::new(0..20_000).content()
    );
}
