//! What `hygge debug` finds out.

use hygge_core::{BuildContext, EntityId, Finding, Registry, Settings};
use hygge_tds_server::{Encryption, Options, PASSWORD, Server, USER};
use serde_json::{Value, json};

use crate::scene::context;

/// A server that encrypts so, what is found of a store there, and of a home.
async fn found(encryption: Encryption, more: &Value) -> (Vec<Finding>, Vec<Finding>) {
    let server = Server::start(Options {
        encryption,
        ..Options::default()
    })
    .unwrap();
    server
        .run("CREATE TABLE dbo.t (n bigint NOT NULL); INSERT INTO dbo.t (n) VALUES (1)")
        .unwrap();
    let mut registry = Registry::default();
    hygge_mssql::register(&mut registry);
    let place = BuildContext {
        root: "/p".into(),
        work: "/p/.hygge".into(),
        entity: Some(EntityId::new("f", "e")),
        run: None,
    };
    let mut settings = json!({
        "server": format!("127.0.0.1,{}", server.address().port()), "database": "test",
        "user": USER, "password": PASSWORD, "trust_server_certificate": true, "table": "dbo.t",
    });
    let object = settings.as_object_mut().unwrap();
    object.extend(more.as_object().unwrap().clone());
    let settings = Settings::new(settings, ["/password".to_owned()]);
    let store = registry.store("mssql").unwrap();
    let store = store.build(&settings, &place).unwrap();
    let home = registry.home("mssql").unwrap();
    let home = home.build(&settings, &place).unwrap();
    let cx = context();
    (
        store.check(&cx).await.unwrap(),
        home.check(&cx).await.unwrap(),
    )
}

fn says(findings: &[Finding], what: &str) -> bool {
    findings
        .iter()
        .any(|finding| finding.message.contains(what))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_and_the_cipher_are_shown_whatever_is_encrypted() {
    for (server, client, expected) in [
        (
            Encryption::Optional,
            "required",
            "all is encrypted by TLS 1.",
        ),
        (
            Encryption::Optional,
            "optional",
            "all is encrypted by TLS 1.",
        ),
        (
            Encryption::Optional,
            "off",
            "only the login is encrypted, by TLS 1.",
        ),
        (Encryption::Required, "off", "all is encrypted by TLS 1."),
    ] {
        let (store, home) = found(server, &json!({"encrypt": client})).await;
        let shown = format!("{server:?} {client}: {store:?}");
        assert!(store.iter().all(|finding| finding.ok), "{shown}");
        assert!(says(&store, expected), "{shown}");
        assert!(says(&home, expected), "{shown}");
        assert!(says(&store, "; the certificate is that of CN="), "{shown}");
        assert!(says(&store, "signed by itself, until "), "{shown}");
        assert!(says(&store, "taken unseen, as `trust_server"), "{shown}");
        assert!(says(&store, "database test, as sa"), "{shown}");
    }
}

/// No password is sent to one that can't encrypt it, and why is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cant_encrypt_is_told() {
    let (store, _) = found(Encryption::Off, &json!({"encrypt": "off"})).await;
    assert!(!store[0].ok, "{store:?}");
    assert!(says(&store, "the server can encrypt nothing"), "{store:?}");
    assert!(!says(&store, "certificate"), "{store:?}");
}

/// One that isn't trusted is shown, so that a person sees whose it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_isnt_trusted_is_shown_all_the_same() {
    let more = json!({"trust_server_certificate": false});
    let (store, _) = found(Encryption::Required, &more).await;
    assert!(!store[0].ok, "{store:?}");
    assert!(
        says(&store, "; the certificate is that of CN="),
        "{store:?}"
    );
    assert!(!says(&store, "unseen"), "{store:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_strategy_needs_is_asked_for() {
    let (store, home) = found(Encryption::Optional, &json!({})).await;
    assert!(says(&home, "dbo.t can be read: 1 column"), "{home:?}");
    for (strategy, has, hasnt) in [
        ("direct_insert", "INSERT on dbo.t", "UPDATE on dbo.t"),
        ("merge", "UPDATE on dbo.t", "DELETE on dbo.t"),
        ("delete_insert", "DELETE on dbo.t", "UPDATE on dbo.t"),
        ("temp_swap", "ALTER on dbo.t", "UPDATE on dbo.t"),
    ] {
        let more = json!({"write_strategy": strategy});
        let (store, _) = found(Encryption::Optional, &more).await;
        assert!(says(&store, has), "{strategy} {store:?}");
        assert!(!says(&store, hasnt), "{strategy} {store:?}");
    }
    assert!(
        says(&store, "ALTER on the schema dbo, to stage rows in it"),
        "{store:?}"
    );
}

/// A condition that the server can't understand is found before a run.
#[tokio::test(flavor = "multi_thread")]
async fn a_home_is_asked_for_no_rows_as_it_will_be_for_all() {
    let more = json!({"where": "nope > 1"});
    let (_, home) = found(Encryption::Optional, &more).await;
    let bad: Vec<_> = home.iter().filter(|finding| !finding.ok).collect();
    assert_eq!(bad.len(), 1, "{home:?}");
    assert!(bad[0].message.contains("nope"), "{home:?}");
}

/// What only a run would meet otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_would_fail_on_is_told() {
    let nowhere = json!({"table": "nosch.t", "create": "if_missing"});
    let (store, _) = found(Encryption::Optional, &nowhere).await;
    assert!(
        says(&store, "there is no schema \"nosch\" in "),
        "{store:?}"
    );
    assert!(!store.iter().all(|finding| finding.ok), "{store:?}");
    let (_, home) = found(Encryption::Optional, &json!({"split_by": "nope"})).await;
    assert!(says(&home, "dbo.t has no column \"nope\""), "{home:?}");
}
