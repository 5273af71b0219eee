//! Tables that are swapped.

use hygge_core::Action;
use hygge_tds_server::{Effect, Fault};
use serde_json::json;

use crate::scene::*;

/// What a swapped table is made of stays: keys, indexes, constraints, columns that are computed.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_swapped_with_all_it_is_made_of() {
    let scene = Scene::new();
    execute(
        &scene,
        "DROP TABLE IF EXISTS dbo.hygge_test_swap; DROP TABLE IF EXISTS dbo.hygge_test_swap_to; \
         CREATE TABLE dbo.hygge_test_swap_to (id bigint NOT NULL PRIMARY KEY); \
         INSERT INTO dbo.hygge_test_swap_to (id) VALUES (1), (2), (3); \
         CREATE TABLE dbo.hygge_test_swap ( \
           n bigint NOT NULL CONSTRAINT hygge_test_swap_key PRIMARY KEY CLUSTERED, \
           version bigint NOT NULL CHECK (version > 0) REFERENCES dbo.hygge_test_swap_to (id), \
           twice AS (n * 2), \
           state varchar(10) COLLATE Latin1_General_CI_AS NOT NULL DEFAULT 'new'); \
         CREATE UNIQUE INDEX hygge_test_swap_index ON dbo.hygge_test_swap (state, n DESC) INCLUDE (version)",
    )
    .await;
    let made_of = || async {
        execute(
            &scene,
            "SELECT CONCAT(o.type, ' ', o.name) FROM sys.objects AS o \
             WHERE o.parent_object_id = OBJECT_ID('dbo.hygge_test_swap') OR o.name = 'hygge_test_swap' \
             UNION ALL SELECT CONCAT('index ', i.name, ' ', i.is_unique) FROM sys.indexes AS i \
             WHERE i.object_id = OBJECT_ID('dbo.hygge_test_swap') \
             UNION ALL SELECT CONCAT('id ', OBJECT_ID('dbo.hygge_test_swap'))",
        )
        .await
    };
    let before = made_of().await;
    assert!(before.len() >= 7, "{before:?}");
    let settings = json!({"table": "dbo.hygge_test_swap", "write_strategy": "temp_swap"});
    let store = scene.store(&settings);
    for rows in [10, 20] {
        let batches = [
            versions((0..rows).map(|n| (n, 2))),
            versions((rows..rows * 2).map(|n| (n, 3))),
        ];
        write(store.as_ref(), &batches, Action::Replace)
            .await
            .unwrap();
        let count = "SELECT CAST(COUNT(*) AS varchar(9)) FROM dbo.hygge_test_swap \
                     WHERE state = 'new' AND twice = n * 2";
        assert_eq!(execute(&scene, count).await, [(rows * 2).to_string()]);
        assert_eq!(made_of().await, before);
    }
    if let Some(server) = &scene.server {
        assert!(
            server
                .log()
                .iter()
                .any(|logged| logged.text.contains("SWITCH TO"))
        );
    }
    // What breaks a constraint leaves the rows that stand there.
    let wrong = versions([(1, 4)]);
    let fault = write(store.as_ref(), &[wrong], Action::Replace)
        .await
        .unwrap_err();
    assert_eq!(fault.attribute("sql_error"), Some("547"), "{fault:?}");
    let count = "SELECT CAST(COUNT(*) AS varchar(9)) FROM dbo.hygge_test_swap";
    assert_eq!(execute(&scene, count).await, ["40"]);
}

/// A table that can't be swapped says why; without being asked for a swap, it is filled another way.
#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_of_a_swap_is_told() {
    let scene = Scene::new();
    let name = "hygge_test_noswap";
    let columns = "n bigint NOT NULL, version bigint NOT NULL";
    let drop = format!("DROP TABLE IF EXISTS dbo.{name}_from; DROP TABLE IF EXISTS dbo.{name}");
    let settings = json!({"table": format!("dbo.{name}")});
    let mut asked = settings.clone();
    asked["write_strategy"] = "temp_swap".into();
    let rows = || versions([(1, 1), (2, 2)]);
    execute(
        &scene,
        &format!("{drop}; CREATE TABLE dbo.{name} ({columns}, id int NOT NULL IDENTITY)"),
    )
    .await;
    let fault = write(scene.store(&asked).as_ref(), &[rows()], Action::Replace)
        .await
        .unwrap_err();
    assert_eq!(
        fault.message,
        "dbo.hygge_test_noswap can't be swapped: it has an identity column, whose counter would start anew"
    );
    assert_eq!(
        fault.advice.as_deref(),
        Some("`write_strategy: truncate_insert` does it within one transaction")
    );
    let looked = scene.store(&asked).check(&context()).await.unwrap();
    assert!(
        looked
            .iter()
            .any(|finding| !finding.ok && finding.message == fault.message),
        "{looked:?}"
    );
    write(scene.store(&settings).as_ref(), &[rows()], Action::Replace)
        .await
        .unwrap();
    let count = format!("SELECT CAST(SUM(id) AS varchar(9)) FROM dbo.{name}");
    assert_eq!(execute(&scene, &count).await, ["3"]);
    execute(
        &scene,
        &format!(
            "{drop}; CREATE TABLE dbo.{name} ({columns}, PRIMARY KEY (n)); \
             CREATE TABLE dbo.{name}_from (n bigint NOT NULL REFERENCES dbo.{name} (n))"
        ),
    )
    .await;
    let fault = write(scene.store(&settings).as_ref(), &[rows()], Action::Replace)
        .await
        .unwrap_err();
    assert_eq!(
        fault.message,
        "dbo.hygge_test_noswap can't be replaced as a whole: foreign keys of other tables point to it"
    );
    execute(&scene, &drop).await;
}

/// A server that won't switch is given the next best way, unless somebody insisted.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wont_switch_fills_the_table_instead() {
    let scene = Scene::new();
    let Some(server) = &scene.server else {
        return;
    };
    let table = "dbo.hygge_test_wont";
    execute(
        &scene,
        &format!("CREATE TABLE {table} (n bigint NOT NULL, version bigint NULL)"),
    )
    .await;
    let refusal = hygge_tds_server::SqlError::new(4947, "There is no identical index");
    let fault = || Fault::at("SWITCH TO", Effect::Error(refusal.clone())).always();
    server.fault(fault());
    let store = scene.store(&json!({"table": table}));
    let new = versions((0..10).map(|n| (n, 1)));
    write(store.as_ref(), &[new], Action::Replace)
        .await
        .unwrap();
    assert!(server.faults_struck() > 0);
    assert_eq!(found(&scene, table).await.len(), 10);
    let store = scene.store(&json!({"table": table, "write_strategy": "temp_swap"}));
    let new = versions((0..20).map(|n| (n, 1)));
    let refused = write(store.as_ref(), std::slice::from_ref(&new), Action::Replace)
        .await
        .unwrap_err();
    assert!(!refused.retryable);
    assert_eq!(
        refused.advice.as_deref(),
        Some(
            "`write_strategy: truncate_insert` needs no SWITCH, and does it within one transaction"
        )
    );
    // Who waits too long for readers may try again.
    server.clear_faults();
    let busy = hygge_tds_server::SqlError::new(1222, "Lock request time out period exceeded.");
    server.fault(Fault::at("TRUNCATE", Effect::Error(busy)));
    let fault = write(store.as_ref(), &[new], Action::Replace)
        .await
        .unwrap_err();
    assert!(fault.retryable, "{fault:?}");
    assert_eq!(found(&scene, table).await.len(), 10);
}
