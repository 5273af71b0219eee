//! The server as clients see it that aren't ours.

use std::process::Command;

use hygge_tds_server::{Encryption, Options, PASSWORD, Server, USER};

/// A Python with pymssql, which `.ci/test` sets up; without it the test is skipped, in CI it fails.
#[test]
fn pymssql_gets_what_it_would_of_a_real_one() {
    let Some(python) = std::env::var_os("HYGGE_TEST_PYTHON") else {
        skip("HYGGE_TEST_PYTHON names no Python with pymssql; run .ci/test");
        return;
    };
    for encryption in [Encryption::Off, Encryption::Optional, Encryption::Required] {
        let server = Server::start(Options {
            encryption,
            ..Options::default()
        })
        .unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients.py");
        let output = Command::new(&python)
            .arg(script)
            .args([&server.address().port().to_string(), USER, PASSWORD])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{encryption:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// What this machine can't do is skipped, loudly, at home; in CI it is a failure.
#[expect(
    clippy::print_stderr,
    reason = "the test runner shows it when it matters"
)]
fn skip(why: &str) {
    assert!(
        std::env::var_os("CI").is_none(),
        "can't be skipped in CI: {why}"
    );
    eprintln!("SKIPPED: {why}");
}
