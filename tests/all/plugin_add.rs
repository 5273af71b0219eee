//! `hygge plugin add URL`, from a server of this machine.

use hygge_plugins::Digest;

use crate::harness::{Answer, Project, Server, fixture};
use crate::shipped::hygge;

fn guest() -> Vec<u8> {
    std::fs::read(fixture("../guests/golden/0.1.0/c-guest.wasm")).unwrap()
}

/// Offers the guest, and what isn't one.
fn server() -> Server {
    Server::start(|asked| match asked.target.split('?').next().unwrap() {
        "/c-guest.wasm" => Answer::ok(guest()),
        "/moved.wasm" => Answer::of("302 Found", "").with("location", "/c-guest.wasm"),
        "/round" => Answer::of("302 Found", "").with("location", "/round"),
        "/away" => Answer::of("302 Found", "").with("location", "http://192.0.2.1/a.wasm"),
        "/text.wasm" => Answer::ok("<html>not found</html>"),
        "/huge.wasm" => Answer::ok(vec![0; (64 << 20) + 1]),
        _ => Answer::of("404 Not Found", ""),
    })
}

#[test]
fn a_plugin_is_added_from_where_it_is_offered() {
    let (project, server) = (Project::new(), server());
    let origin = server.origin();
    let add = |rest: &str| {
        let outcome = hygge(&project, &format!("plugin add {origin}{rest}")).run();
        outcome.shown().replace(&origin, "[SERVER]")
    };
    insta::assert_snapshot!("fetched", add("/c-guest.wasm?token=s3cret"));
    let added = std::fs::read(project.path("plugins/c-guest.wasm")).unwrap();
    assert_eq!(added, guest());
    project.flow(
        "count",
        "home: {type: c-guest, rows: 10}\nstore: {type: parquet, path: lake}\n",
    );
    hygge(&project, "start").succeed();
    assert_eq!(project.content("lake").rows, 10);

    insta::assert_snapshot!("fetched_again", add("/c-guest.wasm"));
    let digest = Digest::of(&guest());
    let moved = add(&format!(
        "/moved.wasm --name c-guest --replace --digest {digest}"
    ));
    assert!(moved.starts_with("exit code 0"), "{moved}");
    let other = Digest::of(b"other");
    insta::assert_snapshot!(
        "another_digest",
        add(&format!("/c-guest.wasm --replace --digest {other}"))
    );
}

#[test]
fn what_cannot_be_fetched_leaves_nothing() {
    let (project, server) = (Project::new(), server());
    let origin = server.origin();
    let mut all = String::new();
    for rest in [
        "/nowhere.wasm?token=s3cret",
        "/text.wasm",
        "/huge.wasm",
        "/round",
        "/away",
        "/",
    ] {
        let outcome = hygge(&project, &format!("plugin add {origin}{rest}")).run();
        assert_ne!(outcome.code, Some(0), "{outcome}");
        let shown = outcome.shown().replace(&origin, "[SERVER]");
        all.push_str(&shown);
    }
    assert!(!all.contains("s3cret"), "{all}");
    insta::assert_snapshot!(all);
    assert!(!project.path("plugins").exists());
}
