//! Guests that never come back.

use serde_json::json;

use super::{EVIL, Part, Scene, home, store};

/// In the calls that may take long (`finish`, `commit`) ten minutes are the least that can be
/// granted, too long for a test: they go the same way with another number.
#[test]
fn a_loop_without_end_in_any_call_ends_when_its_time_is_up() {
    let mut cases = Vec::new();
    for at in ["splits", "open", "schema", "next", "drop"] {
        cases.push((at, Part::Home, home(json!({"at": at, "deed": "spin"}))));
    }
    for at in ["bind", "apply"] {
        cases.push((at, Part::Transform, json!({"at": at, "deed": "spin"})));
    }
    for at in ["begin", "open-writer", "write"] {
        cases.push((at, Part::Store, store(json!({"at": at, "deed": "spin"}))));
    }
    insta::assert_snapshot!(Scene::new().shown(cases));
}

#[test]
fn loops_that_allocate_wait_or_print_end_as_well() {
    let next = |deed: &str| home(json!({"at": "next", "deed": deed}));
    let waits = home(json!({"at": "next", "deed": "reach", "tries": ["sleep"]}));
    insta::assert_snapshot!(Scene::new().shown([
        ("allocations that are freed", Part::Home, next("churn")),
        ("a host call that blocks for ever", Part::Home, waits),
    ]));
}

#[test]
fn a_constructor_without_end_ends_when_its_time_is_up() {
    let mut component = EVIL.clone();
    let marker = b"evil: spin in start = no";
    let at = component
        .windows(marker.len())
        .position(|each| each == marker)
        .unwrap();
    component[at..at + marker.len()].copy_from_slice(b"evil: spin in start = on");
    let scene = Scene::of(&component, "");
    insta::assert_snapshot!(scene.shown([("constructor", Part::Home, home(json!({})))]));
}

/// Retries are for faults that may pass, and there is an end to them too.
#[test]
fn a_loop_is_not_tried_for_ever() {
    let scene = Scene::new();
    let config = std::fs::read_to_string(scene.project.path("hygge.yml")).unwrap();
    scene
        .project
        .write("hygge.yml", config.replace("retries: 0", "retries: 1"));
    let seen = scene.run(Part::Home, &home(json!({"at": "next", "deed": "spin"})));
    let told = "plugin.timeout: evil took longer than 2s in `reader.next`";
    assert_eq!(seen.told(), told, "{}", seen.outcome);
}
