//! Merging on request: by one statement, in full runs, by partition.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};
use hygge_core::Action;
use hygge_tds_server::{Effect, Fault, SqlError};
use serde_json::json;

use crate::scene::*;

async fn fresh(scene: &Scene, table: &str) {
    execute(
        scene,
        &format!(
            "DROP TABLE IF EXISTS {table}; \
             CREATE TABLE {table} (n bigint NOT NULL, version bigint NULL); \
             INSERT INTO {table} (n, version) VALUES (1, 10), (2, 10), (3, 20), (4, 20), (5, NULL)"
        ),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_the_source_lost_are_deleted_and_the_others_stay_in_place() {
    let scene = Scene::new();
    let table = "dbo.hygge_test_missing";
    fresh(&scene, table).await;
    let settings = json!({
        "table": table, "adopt": true, "write_strategy": "merge", "delete_missing": true, "key": "n",
    });
    let store = scene.store(&settings);
    let new = [versions([(2, 11), (6, 60)]), versions([(2, 12)])];
    write(store.as_ref(), &new, Action::Replace).await.unwrap();
    assert_eq!(found(&scene, table).await, [(2, 12), (6, 60)]);
    if let Some(server) = &scene.server {
        let log = server.log();
        assert!(!log.iter().any(|logged| logged.text.contains("TRUNCATE")));
    }
    // A source without rows leaves none.
    write(store.as_ref(), &[versions([])], Action::Replace)
        .await
        .unwrap();
    assert!(found(&scene, table).await.is_empty());
    // An incremental run knows only of some.
    fresh(&scene, table).await;
    let record = stage(
        store.as_ref(),
        &[versions([(1, 11)])],
        Action::Upsert,
        &["n"],
    )
    .await
    .unwrap();
    store.commit(&record, &context()).await.unwrap();
    let count = format!("SELECT CAST(COUNT(*) AS varchar(9)) FROM {table}");
    assert_eq!(execute(&scene, &count).await, ["5"]);
    let mut settings = settings;
    settings.as_object_mut().unwrap().remove("key");
    let store = scene.store(&settings);
    let fault = write(store.as_ref(), &[versions([(1, 1)])], Action::Replace)
        .await
        .unwrap_err();
    assert_eq!(
        fault.message,
        "`delete_missing` needs a key to tell by which rows are gone"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_partitions_that_come_are_replaced() {
    let scene = Scene::new();
    let table = "dbo.hygge_test_parts";
    fresh(&scene, table).await;
    let settings = json!({
        "table": table, "adopt": true, "write_strategy": "delete_insert", "partition_by": "version",
    });
    let store = scene.store(&settings);
    // Both splits have rows of one partition.
    let new = [versions([(7, 20), (8, 30)]), versions([(9, 20)])];
    write(store.as_ref(), &new, Action::Replace).await.unwrap();
    let rows = format!("SELECT CONCAT(n, ':', version) FROM {table} ORDER BY n");
    assert_eq!(
        execute(&scene, &rows).await,
        ["1:10", "2:10", "5:", "7:20", "8:30", "9:20"]
    );
    // An incremental run that follows the partition: by key as well, so that a row which moved
    // there isn't left where it was.
    let new = [versions([(1, 30), (8, 31)])];
    let record = stage_by(
        store.as_ref(),
        &new,
        Action::Upsert,
        &["n"],
        Some("version"),
    )
    .await
    .unwrap();
    store.commit(&record, &context()).await.unwrap();
    assert_eq!(
        execute(&scene, &rows).await,
        ["1:30", "2:10", "5:", "7:20", "8:31", "9:20"]
    );
    let fault = stage_by(store.as_ref(), &new, Action::Upsert, &["n"], Some("n"))
        .await
        .unwrap_err();
    assert_eq!(
        fault.message,
        "an incremental run by another column than `partition_by: version` doesn't take all rows of \
         a partition, so it would lose the others"
    );
}

/// Rows without a value in the column are a partition too.
#[tokio::test(flavor = "multi_thread")]
async fn rows_without_a_value_are_a_partition() {
    use arrow_array::{ArrayRef, Int64Array};
    let scene = Scene::new();
    let table = "dbo.hygge_test_parts_null";
    fresh(&scene, table).await;
    let settings = json!({
        "table": table, "adopt": true, "write_strategy": "delete_insert", "partition_by": "version",
    });
    let columns: [(&'static str, &'static str, ArrayRef); 2] = [
        ("n", "bigint", Arc::new(Int64Array::from(vec![6]))),
        ("version", "bigint", Arc::new(Int64Array::from(vec![None]))),
    ];
    let store = scene.store(&settings);
    write(store.as_ref(), &[batch(&columns)], Action::Replace)
        .await
        .unwrap();
    let rows = format!("SELECT CONCAT(n, ':', version) FROM {table} ORDER BY n");
    assert_eq!(
        execute(&scene, &rows).await,
        ["1:10", "2:10", "3:20", "4:20", "6:"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_merge_is_found_out_before_a_row_is_loaded() {
    let scene = Scene::new();
    let Some(server) = &scene.server else {
        return;
    };
    let table = "dbo.hygge_test_nomerge";
    fresh(&scene, table).await;
    let settings = json!({"table": table, "write_strategy": "merge", "merge_statement": true});
    let unknown = SqlError::new(102, "Incorrect syntax near 'MERGE'.");
    server.fault(Fault::at("MERGE", Effect::Error(unknown)).always());
    let store = scene.store(&settings);
    let fault = stage(
        store.as_ref(),
        &[versions([(1, 1)])],
        Action::Upsert,
        &["n"],
    )
    .await
    .unwrap_err();
    assert!(
        fault.message.starts_with("this server has no MERGE: "),
        "{fault:?}"
    );
    assert_eq!(
        fault.advice.as_deref(),
        Some("leave `merge_statement` out: an UPDATE and an INSERT do the same")
    );
    assert!(
        !server
            .log()
            .iter()
            .any(|logged| logged.text.contains("INSERT BULK"))
    );
}

/// A column may have any name, also one that hygge uses for its own beside it.
#[tokio::test(flavor = "multi_thread")]
async fn no_column_is_taken_for_one_of_hygges_own() {
    let scene = Scene::new();
    let table = "dbo.hygge_test_names";
    let rows = |rows: &[(i64, i64)]| {
        let numbers = |pick: fn(&(i64, i64)) -> i64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(rows.iter().map(pick)))
        };
        batch(&[
            ("n", "bigint", numbers(|row| row.0)),
            ("HYGGE_ROW", "bigint", numbers(|row| -row.1)),
            ("hygge_split", "bigint", numbers(|row| -row.1)),
            ("hygge_nth", "bigint", numbers(|row| row.1)),
            ("hygge_nth_", "bigint", numbers(|row| row.1 + 1)),
        ])
    };
    for (how, action) in [
        (json!({}), Action::Upsert),
        (
            json!({"write_strategy": "merge", "merge_statement": true}),
            Action::Upsert,
        ),
        (json!({"write_strategy": "delete_insert"}), Action::Upsert),
        (json!({}), Action::Replace),
        (
            json!({"write_strategy": "truncate_insert"}),
            Action::Replace,
        ),
        (json!({}), Action::Append),
    ] {
        let made = format!(
            "DROP TABLE IF EXISTS {table}; CREATE TABLE {table} (n bigint NOT NULL PRIMARY KEY, \
             HYGGE_ROW bigint, hygge_split bigint, hygge_nth bigint, hygge_nth_ bigint)"
        );
        execute(&scene, &made).await;
        let mut settings = json!({"table": table, "adopt": true});
        let own = how.as_object().unwrap().clone();
        settings.as_object_mut().unwrap().extend(own);
        let store = scene.store(&settings);
        let (new, key): (_, &[&str]) = match action {
            Action::Append => (vec![rows(&[(2, 7)]), rows(&[(1, 5)])], &[]),
            _ => (
                vec![rows(&[(1, 1), (2, 7), (1, 3)]), rows(&[(1, 5)])],
                &["n"],
            ),
        };
        let record = stage(store.as_ref(), &new, action, key).await.unwrap();
        store.commit(&record, &context()).await.unwrap();
        let all = format!(
            "SELECT CONCAT(n, ':', HYGGE_ROW, ':', hygge_split, ':', hygge_nth, ':', hygge_nth_) \
             FROM {table} ORDER BY n"
        );
        let found = execute(&scene, &all).await;
        assert_eq!(found, ["1:-5:-5:5:6", "2:-7:-7:7:8"], "{how} {action}");
    }
}
