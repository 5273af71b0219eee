//! Lies about what was done, and functions of the host used as they mustn't be.

use serde_json::{Value, json};

use super::{EVIL, Part, Scene, home, hygge, store, trust};

#[test]
fn lies_are_found_out() {
    let lie = |more: Value| (Part::Store, store(more));
    let plan = |more: Value| (Part::Home, home(more));
    let cases = [
        ("a receipt for more rows", lie(json!({"rows": 11}))),
        ("a receipt for fewer rows", lie(json!({"rows": 9}))),
        (
            "a receipt for another split",
            lie(json!({"split": "other"})),
        ),
        ("a receipt for another attempt", lie(json!({"attempt": 7}))),
        ("a receipt that is too large", lie(json!({"data": 70_000}))),
        ("too much given in begin", lie(json!({"begun": 70_000}))),
        (
            "a split with a path for a name",
            plan(json!({"split": "../../evil"})),
        ),
        (
            "a split with an escape for a name",
            plan(json!({"split": "\u{1b}[31m"})),
        ),
        ("a split that is too large", plan(json!({"spec": 70_000}))),
        ("too many splits", plan(json!({"splits": 20_000}))),
        (
            "a position that is too large",
            plan(json!({"position": 70_000})),
        ),
    ];
    let cases = cases.map(|(name, (part, settings))| (name, part, settings));
    insta::assert_snapshot!(Scene::new().shown(cases));
}

#[test]
fn functions_of_the_host_hold_when_misused() {
    let reach = |what: &str| home(json!({"at": "next", "deed": "reach", "tries": [what]}));
    let state = |at: &str, more: Value| {
        let mut settings = home(json!({"at": at}));
        super::add(&mut settings, more);
        settings
    };
    let cases = [
        ("after close", reach("closed")),
        ("10,000 handles", reach("handles 10000")),
        ("a secret that wasn't granted", reach("reveal HOME")),
        (
            "state in a reader",
            state("next", json!({"deed": "state", "text": "key"})),
        ),
        (
            "state in open",
            state("open", json!({"deed": "state", "text": "key"})),
        ),
        (
            "more state than there is room",
            state("splits", json!({"deed": "state long", "size": 300_000})),
        ),
    ];
    let cases = cases.map(|(name, settings)| (name, Part::Home, settings));
    insta::assert_snapshot!(Scene::new().shown(cases));
}

/// Codes by which hygge's own parts tell each other what to do are words like any other when a
/// plugin says them: they don't stop a run, and don't empty a destination.
#[test]
fn codes_of_faults_steer_nothing() {
    let mut cases = Vec::new();
    for code in ["source.empty", "stopped", "source.missing", "commit.lost"] {
        let fault = |at: &str| json!({"at": at, "deed": "fault", "text": code});
        cases.push((code, Part::Transform, fault("bind")));
        cases.push((code, Part::Transform, fault("apply")));
        cases.push((code, Part::Home, home(fault("open"))));
        cases.push((code, Part::Store, store(fault("begin"))));
    }
    insta::assert_snapshot!(Scene::new().shown(cases));
}

/// The same plugin under another name, byte for byte as long.
fn renamed() -> Vec<u8> {
    let mut bytes = EVIL.clone();
    let (from, to) = (b"\"name\": \"evil\"", b"\"name\": \"twin\"");
    let places: Vec<usize> = (0..bytes.len() - from.len())
        .filter(|at| bytes[*at..].starts_with(from))
        .collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}

/// What one plugin keeps, or is granted, another doesn't see, also not in the same entity.
#[test]
fn another_plugin_has_another_state_and_other_secrets() {
    let scene = Scene::new();
    super::grant(&scene.project, "secrets: {EVIL_TOKEN: 127.0.0.1}");
    trust(&scene.project, "evil", &EVIL);
    scene.project.write("plugins/twin.wasm", renamed());
    let run = |kind: &str, settings: Value| {
        scene.flow(Part::Home, &settings);
        let path = scene.project.path("flows/bad/flow.yml");
        let flow = std::fs::read_to_string(&path).unwrap();
        let flow = flow.replace("\"type\":\"evil\"", &format!("\"type\":\"{kind}\""));
        std::fs::write(path, flow).unwrap();
        let run = hygge(&scene.project, "start --output json");
        let outcome = run.env("EVIL_TOKEN", "s3cret-value").run();
        format!("{}{}", outcome.stdout, outcome.stderr)
    };
    let remember = |text: &str| home(json!({"at": "splits", "deed": "state", "text": text}));
    scene.forget();
    assert!(run("evil", remember("mine")).contains("evil: remembers mine=mine"));
    assert!(run("evil", remember("")).contains("evil: remembers mine=mine"));
    // The entity is read by the twin now, and its memory is of the other one.
    let said = run("twin", remember(""));
    assert!(said.contains("twin: remembers\""), "{said}");
    let reach = home(json!({
        "at": "open", "deed": "reach",
        "tries": ["placeholder EVIL_TOKEN", "reveal EVIL_TOKEN"],
    }));
    let said = run("twin", reach.clone());
    let denied = "placeholder EVIL_TOKEN: refused: secret.denied; \
                  reveal EVIL_TOKEN: refused: secret.denied";
    assert!(said.contains(denied), "{said}");
    let said = run("evil", reach);
    assert!(
        said.contains("placeholder EVIL_TOKEN: got hygge-secret-"),
        "{said}"
    );
    assert!(
        said.contains("reveal EVIL_TOKEN: refused: secret.denied"),
        "{said}"
    );
}

/// The rows are there when it traps; committing them again is the same as once.
#[test]
fn a_trap_after_the_commit_commits_once() {
    let scene = Scene::granted("write: [out]");
    std::fs::create_dir(scene.project.path("out")).unwrap();
    trust(&scene.project, "evil", &EVIL);
    let settings = store(json!({"folder": "out", "at": "commit", "deed": "unreachable"}));
    let seen = scene.run(Part::Store, &settings);
    insta::assert_snapshot!(seen.told());
    let rows = || {
        let entries = std::fs::read_dir(scene.project.path("out")).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let first = rows();
    assert_eq!(first.len(), 2, "{first:?}");
    // The intent stands; the next run finishes it before anything else, then does its own work,
    // which in turn traps after its first commit.
    let again = hygge(&scene.project, "start --output json").run();
    let both = rows();
    assert!(
        first.iter().all(|name| both.contains(name)),
        "{both:?}\n{again}"
    );
    let of_first = first[1].strip_suffix(".committed").unwrap();
    let kept = both
        .iter()
        .filter(|name| name.starts_with(of_first))
        .count();
    assert_eq!(kept, 2, "{both:?}");
}

/// An honest run of the same guest: what fails above fails for its deed.
#[test]
fn without_a_deed_it_is_a_guest_like_any_other() {
    let scene = Scene::new();
    for (part, settings) in [
        (Part::Home, home(json!({}))),
        (Part::Transform, json!({})),
        (Part::Store, store(json!({}))),
    ] {
        let seen = scene.run(part, &settings);
        assert!(seen.fault.is_none(), "{part:?}: {}", seen.outcome);
    }
}
