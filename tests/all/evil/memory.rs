//! Guests that want all the memory there is, or say they had it.

use serde_json::json;

use super::{Part, Scene, home, store};

#[test]
fn memory_ends_at_the_limit() {
    let next = |deed: &str| home(json!({"at": "next", "deed": deed}));
    insta::assert_snapshot!(Scene::new().shown([
        ("everything there is, kept", Part::Home, next("hoard")),
        ("memory.grow until it is refused", Part::Home, next("grow")),
        (
            "in a transform",
            Part::Transform,
            json!({"at": "apply", "deed": "hoard"})
        ),
        (
            "in a store",
            Part::Store,
            store(json!({"at": "write", "deed": "hoard"}))
        ),
    ]));
}

#[test]
fn a_stack_without_end_is_no_end_of_the_host() {
    let next = |deed: &str| home(json!({"at": "next", "deed": deed}));
    insta::assert_snapshot!(Scene::new().shown([
        ("deep recursion", Part::Home, next("recurse")),
        ("large frames", Part::Home, next("recurse wide")),
    ]));
}

/// The length is the guest's word; the host must believe it only as far as memory goes.
#[test]
fn lists_and_texts_of_4_gib_are_not_there() {
    let sizes = [
        ("4 GiB", u64::from(u32::MAX) - 32),
        ("2 GiB", 1 << 31),
        ("64 MiB", 1 << 26),
    ];
    let mut cases = Vec::new();
    for (name, size) in sizes {
        let settings = home(json!({"at": "batch", "size": size}));
        cases.push((name, Part::Home, settings));
        for deed in ["long text", "log long"] {
            let settings = home(json!({"at": "next", "deed": deed, "size": size}));
            cases.push((deed, Part::Home, settings));
        }
        cases.push((name, Part::Transform, json!({"at": "batch", "size": size})));
    }
    insta::assert_snapshot!(Scene::new().shown(cases));
}

/// Its memory goes with the instance: many that take all they may are no more than one.
#[test]
fn instances_leave_nothing_behind() {
    let scene = Scene::new();
    scene.flow(Part::Home, &home(json!({"at": "next", "deed": "grow"})));
    let mut flow = std::fs::read_to_string(scene.project.path("flows/bad/flow.yml")).unwrap();
    // The rest of the process has its needs; 40 times 16 MiB would be beyond them.
    flow.insert_str(1, &format!("\"entities\": {},", json!(names(40))));
    let flow = flow.replace("lake/bad", "lake/bad-{entity}");
    scene.project.flow("bad", &flow);
    scene.forget();
    let mut running = super::hygge(&scene.project, "start --output json").spawn();
    let status = format!("/proc/{}/status", running.pid());
    let mut peak = 0;
    while !running.ended() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) >> 10);
        crate::harness::pause(std::time::Duration::from_millis(5));
    }
    let outcome = running.wait();
    assert_eq!(
        outcome.stdout.matches("evil: grew to 15 MiB").count(),
        40,
        "{outcome}"
    );
    assert!((1..400).contains(&peak), "{peak} MiB\n{outcome}");
}

fn names(count: u32) -> Vec<serde_json::Value> {
    (0..count)
        .map(|n| json!({"name": format!("bad{n}")}))
        .collect()
}
