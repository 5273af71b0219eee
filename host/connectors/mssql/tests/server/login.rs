//! Ways to log in.

use hygge_core::{Action, BuildContext, EntityId, Registry, Settings};
use hygge_tds_server::{Options, Server};
use serde_json::{Value, json};

use crate::scene::*;

/// Both drivers log in with a token; one that isn't taken is told once, without showing it.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_entra_id_is_as_good_as_a_password() {
    let server = Server::start(Options {
        tokens: vec!["ey.good".to_owned()],
        ..Options::default()
    })
    .unwrap();
    let mut registry = Registry::default();
    hygge_mssql::register(&mut registry);
    let place = BuildContext {
        root: "/p".into(),
        work: "/p/.hygge".into(),
        entity: Some(EntityId::new("f", "e")),
        run: None,
    };
    let settings = |token: &str, more: Value| {
        let mut all = json!({
            "server": format!("127.0.0.1,{}", server.address().port()), "database": "test",
            "trust_server_certificate": true, "access_token": token, "table": "dbo.t",
        });
        let object = all.as_object_mut().unwrap();
        object.extend(more.as_object().unwrap().clone());
        Settings::new(all, ["/access_token".to_owned()])
    };
    let good = settings("ey.good", json!({"create": "if_missing"}));
    let store = registry
        .store("mssql")
        .unwrap()
        .build(&good, &place)
        .unwrap();
    let rows = versions([(1, 1), (2, 2)]);
    write(store.as_ref(), &[rows], Action::Replace)
        .await
        .unwrap();
    let good = settings("ey.good", json!({}));
    let home = registry
        .home("mssql")
        .unwrap()
        .build(&good, &place)
        .unwrap();
    assert_eq!(numbers(&read(home.as_ref()).await.unwrap()), [1, 2]);
    let bad = settings("ey.expired", json!({}));
    let home = registry.home("mssql").unwrap().build(&bad, &place).unwrap();
    let fault = read(home.as_ref()).await.unwrap_err();
    assert_eq!(fault.attribute("sql_error"), Some("18456"), "{fault:?}");
    assert!(!fault.retryable);
    assert!(!format!("{fault:?}").contains("ey."), "{fault:?}");
}
