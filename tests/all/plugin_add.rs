//! `hygge plugin add URL`, from a server of this machine.

use hygge_plugins::Digest;

use crate::harness::{Answer, Asked, Authority, Project, Server, fixture};
use crate::shipped::hygge;

fn guest() -> Vec<u8> {
    std::fs::read(fixture("../guests/golden/0.1.0/c-guest.wasm")).unwrap()
}

/// Offers the guest, and what isn't one.
fn server() -> Server {
    Server::start(offer)
}

fn offer(asked: &Asked) -> Answer {
    let leads = |to: &str| Answer::of("302 Found", "").with("location", to);
    match asked.target.split('?').next().unwrap() {
        "/c-guest.wasm" => Answer::ok(guest()),
        "/moved.wasm" => leads("/c-guest.wasm"),
        "/round" => leads("/round"),
        "/away" => leads("http://192.0.2.1/a.wasm"),
        "/here" => leads("http://127.0.0.1:9/a.wasm"),
        "/text.wasm" => Answer::ok("<html>not found</html>"),
        "/huge.wasm" => Answer::ok(vec![0; (64 << 20) + 1]),
        "/endless.wasm" => Answer::ok(vec![0; (64 << 20) + 1]).of_any_length(),
        _ => Answer::of("404 Not Found", ""),
    }
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
        "/endless.wasm",
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

/// Who offers it is who the certificate says, or nothing is taken.
#[test]
fn over_https_the_server_proves_who_it_is() {
    let project = Project::new();
    let authority = Authority::new();
    project.write("ca.pem", authority.pem());
    project.write("other.pem", Authority::new().pem());
    project.write("none.pem", "no certificate\n");
    std::fs::create_dir(project.path("tmp")).unwrap();
    let before = project.tree();
    let server = Server::start_tls(authority.server("localhost"), offer);
    let other = Server::start_tls(authority.server("elsewhere.example"), offer);
    let add = |server: &Server, rest: &str, roots: &str| {
        let origin = format!("https://localhost:{}", server.port());
        let mut command = hygge(&project, &format!("plugin add {origin}{rest}"));
        command = command.env("TMPDIR", project.path("tmp"));
        if !roots.is_empty() {
            command = command.env("SSL_CERT_FILE", project.path(roots));
        }
        command.run().shown().replace(&origin, "[SERVER]")
    };
    let digest = Digest::of(b"other");
    let refused = [
        add(&server, "/c-guest.wasm", ""),
        add(&server, "/c-guest.wasm", "other.pem"),
        add(&server, "/c-guest.wasm", "none.pem"),
        add(&server, "/c-guest.wasm", "gone.pem"),
        add(&other, "/c-guest.wasm", "ca.pem"),
        add(&server, "/away", "ca.pem"),
        add(&server, "/here", "ca.pem"),
        add(&server, "/huge.wasm", "ca.pem"),
        add(&server, "/endless.wasm", "ca.pem"),
        add(
            &server,
            &format!("/c-guest.wasm --digest {digest}"),
            "ca.pem",
        ),
    ];
    insta::assert_snapshot!("refused_over_https", refused.concat());
    assert_eq!(project.tree(), before);
    insta::assert_snapshot!(
        "fetched_over_https",
        add(&server, "/moved.wasm --name moved", "ca.pem")
    );
    let added = std::fs::read(project.path("plugins/moved.wasm")).unwrap();
    assert_eq!(added, guest());
}
