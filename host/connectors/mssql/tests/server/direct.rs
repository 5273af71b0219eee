//! `direct: true`: straight into the table, in the transaction that commits it.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int16Array,
    Int32Array, Int64Array, StringArray, TimestampMicrosecondArray, UInt8Array,
};
use hygge_core::{Action, code};
use serde_json::json;

use crate::scene::*;

const TABLE: &str = "dbo.hygge_test_direct";

async fn made(scene: &Scene, columns: &str) {
    let sql = format!(
        "DROP TABLE IF EXISTS {TABLE}; CREATE TABLE {TABLE} ({columns}); \
         IF OBJECT_ID('dbo.hygge_commits') IS NOT NULL DELETE FROM dbo.hygge_commits"
    );
    execute(scene, &sql).await;
}

const PLAIN: &str = "n bigint NOT NULL, version bigint NULL";

fn staging_tables() -> &'static str {
    "SELECT name FROM sys.objects WHERE type = 'U' AND LEFT(name, 12) = 'hygge_stage_'"
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_go_straight_into_the_table() {
    let scene = Scene::new();
    made(&scene, PLAIN).await;
    let settings = json!({"table": TABLE, "direct": true, "pool_size": 2, "batch_size": 4});
    let store = scene.store(&settings);
    let some = |rows: std::ops::Range<i64>| versions(rows.map(|n| (n, 1)));
    write(store.as_ref(), &[some(0..10)], Action::Append)
        .await
        .unwrap();
    write(store.as_ref(), &[some(10..13)], Action::Append)
        .await
        .unwrap();
    let all: Vec<_> = (0..13).map(|n| (n, 1)).collect();
    assert_eq!(found(&scene, TABLE).await, all);
    let store = scene.store(&json!({"table": TABLE, "direct": true, "adopt": true}));
    write(store.as_ref(), &[some(5..7)], Action::Replace)
        .await
        .unwrap();
    assert_eq!(found(&scene, TABLE).await, [(5, 1), (6, 1)]);
    let commits = "SELECT CAST(row_count AS varchar(20)) FROM dbo.hygge_commits ORDER BY row_count";
    assert_eq!(execute(&scene, commits).await, ["2", "3", "10"]);
    if let Some(server) = &scene.server {
        let log = server.log();
        let staged = log
            .iter()
            .any(|logged| logged.text.contains("CREATE TABLE [dbo].[hygge_stage"));
        assert!(!staged);
        let loads = log
            .iter()
            .filter(|logged| logged.text.contains("INSERT BULK"))
            .count();
        assert_eq!(loads, 3 + 1 + 1);
    }
}

/// A table with more columns than come, in another order, all of them NOT NULL: types of a fixed
/// length have other tokens then.
#[tokio::test(flavor = "multi_thread")]
async fn every_fixed_length_column_may_be_not_null() {
    let scene = Scene::new();
    for direct in [false, true] {
        made(
            &scene,
            "at datetime NOT NULL, spare int NOT NULL DEFAULT 7, b bit NOT NULL, t tinyint NOT NULL, \
             s smallint NOT NULL, i int NOT NULL, n bigint NOT NULL, r real NOT NULL, \
             f float NOT NULL, m money NOT NULL, sm smallmoney NOT NULL, d date NOT NULL, \
             u uniqueidentifier NOT NULL, p decimal(9,2) NOT NULL, sd smalldatetime NOT NULL, \
             c char(4) NOT NULL, nc nchar(4) NOT NULL, x int NULL",
        )
        .await;
        let money = |value: i128, precision| -> ArrayRef {
            let values = Decimal128Array::from(vec![value, -value]);
            Arc::new(values.with_precision_and_scale(precision, 4).unwrap())
        };
        let minute = 60_000_000;
        let moments =
            || -> ArrayRef { Arc::new(TimestampMicrosecondArray::from(vec![minute, 2 * minute])) };
        let rows = batch(&[
            ("n", "bigint", Arc::new(Int64Array::from(vec![1, -2]))),
            ("i", "int", Arc::new(Int32Array::from(vec![3, -4]))),
            ("s", "smallint", Arc::new(Int16Array::from(vec![5, -6]))),
            ("t", "tinyint", Arc::new(UInt8Array::from(vec![7, 255]))),
            ("b", "bit", Arc::new(BooleanArray::from(vec![true, false]))),
            ("r", "real", Arc::new(Float32Array::from(vec![1.5, -2.5]))),
            ("f", "float", Arc::new(Float64Array::from(vec![3.5, -4.5]))),
            ("m", "money", money(123_456, 19)),
            ("sm", "smallmoney", money(1_234, 10)),
            ("d", "date", Arc::new(Date32Array::from(vec![1, 20_000]))),
            (
                "u",
                "uniqueidentifier",
                Arc::new(StringArray::from(vec![
                    "00112233-4455-6677-8899-aabbccddeeff",
                    "ffeeddcc-bbaa-9988-7766-554433221100",
                ])),
            ),
            ("p", "decimal(9,2)", {
                let values = Decimal128Array::from(vec![199, -299]);
                Arc::new(values.with_precision_and_scale(9, 2).unwrap())
            }),
            ("at", "datetime", moments()),
            ("sd", "smalldatetime", moments()),
            (
                "c",
                "char(4)",
                Arc::new(StringArray::from(vec!["abcd", "e"])),
            ),
            (
                "nc",
                "nchar(4)",
                Arc::new(StringArray::from(vec!["äöüß", "f"])),
            ),
        ]);
        let settings = json!({
            "table": TABLE, "direct": direct, "adopt": true, "write_strategy": "truncate_insert",
        });
        let store = scene.store(&settings);
        write(store.as_ref(), std::slice::from_ref(&rows), Action::Replace)
            .await
            .unwrap();
        let names: Vec<_> = rows
            .schema()
            .fields()
            .iter()
            .map(|f| f.name().clone())
            .collect();
        let home = scene.home(&json!({"table": TABLE, "columns": names}));
        let [again] = &read(home.as_ref()).await.unwrap()[..] else {
            panic!("several batches")
        };
        for (column, name) in rows.columns().iter().zip(&names) {
            let again = again.column_by_name(name).unwrap();
            if name == "c" || name == "nc" {
                // Filled up with spaces, as such types are.
                let texts = |array: &ArrayRef| -> Vec<String> {
                    let array = array.as_any().downcast_ref::<StringArray>().unwrap();
                    array
                        .iter()
                        .map(|text| text.unwrap().trim_end().to_owned())
                        .collect()
                };
                assert_eq!(texts(again), texts(column), "{name}");
                continue;
            }
            assert_eq!(again, column, "{name}, direct: {direct}");
        }
        let spare = "SELECT CAST(spare AS varchar(9)) + ISNULL(CAST(x AS varchar(9)), '-') FROM ";
        assert_eq!(
            execute(&scene, &format!("{spare}{TABLE}")).await,
            ["7-", "7-"]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_loaded_is_gone_with_its_session() {
    let mut scene = Scene::new();
    made(&scene, PLAIN).await;
    let settings = json!({"table": TABLE, "direct": true, "adopt": true});
    let first = scene.store(&settings);
    write(first.as_ref(), &[versions([(1, 1)])], Action::Replace)
        .await
        .unwrap();
    for action in [Action::Append, Action::Replace] {
        let store = scene.store(&settings);
        let record = stage(store.as_ref(), &[versions([(2, 1)])], action, &[])
            .await
            .unwrap();
        drop(store);
        // As another process, given nothing but the record; as often as it asks.
        scene.forget();
        for _ in 0..2 {
            let store = scene.store(&settings);
            let fault = store.commit(&record, &context()).await.unwrap_err();
            assert_eq!(fault.code, code::COMMIT_UNDONE, "{fault}");
            assert!(store.undone(&fault) && !fault.retryable, "{fault}");
            assert_eq!(found(&scene, TABLE).await, [(1, 1)], "{action:?}");
        }
        let receipts = record.receipts.clone();
        let store = scene.store(&settings);
        let target = hygge_core::Target {
            run: record.run.clone(),
            entity: record.entity.clone(),
            schema: versions([]).schema(),
            action,
            key: Vec::new(),
            latest_by: None,
            on_schema_change: hygge_core::OnSchemaChange::default(),
            memory: None,
            begun: record.begun.clone(),
        };
        let there = store.still_staged(&target, receipts, &context()).await;
        assert_eq!(there.unwrap(), []);
    }
    // What never was committed says nothing about who filled the table.
    let marks = "SELECT CAST(COUNT(*) AS varchar(9)) FROM dbo.hygge_commits WHERE row_count = -1";
    assert_eq!(execute(&scene, marks).await, ["2"]);
    assert_eq!(
        execute(&scene, staging_tables()).await,
        Vec::<String>::new()
    );
}

/// Whoever asks for the fate of a transaction decides it: a process that comes back later can't
/// commit it any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_was_given_up_commits_no_more() {
    let mut scene = Scene::new();
    made(&scene, PLAIN).await;
    let settings = json!({"table": TABLE, "direct": true});
    let sleeper = scene.store(&settings);
    let record = stage(sleeper.as_ref(), &[versions([(1, 1)])], Action::Append, &[])
        .await
        .unwrap();
    scene.forget();
    let other = scene.store(&settings);
    let fault = other.commit(&record, &context()).await.unwrap_err();
    assert_eq!(fault.code, code::COMMIT_UNDONE);
    let fault = sleeper.commit(&record, &context()).await.unwrap_err();
    assert_eq!(fault.code, code::COMMIT_UNDONE, "{fault}");
    assert_eq!(found(&scene, TABLE).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn constraints_are_checked_unless_told_otherwise() {
    let scene = Scene::new();
    for (check, expected) in [(None, 0), (Some(true), 0), (Some(false), 1)] {
        made(
            &scene,
            "n bigint NOT NULL CHECK (n > 5), version bigint NULL",
        )
        .await;
        let mut settings = json!({"table": TABLE, "direct": true});
        if let Some(check) = check {
            settings["check_constraints"] = check.into();
        }
        let store = scene.store(&settings);
        let written = write(store.as_ref(), &[versions([(1, 1)])], Action::Append).await;
        if expected == 0 {
            let fault = written.unwrap_err();
            assert_eq!(fault.attribute("sql_error"), Some("547"), "{fault}");
            assert!(!fault.retryable);
        }
        assert_eq!(found(&scene, TABLE).await.len(), expected, "{check:?}");
    }
    for (settings, expected) in [
        (json!({}), "CHECK_CONSTRAINTS, FIRE_TRIGGERS"),
        (json!({"fire_triggers": false}), "CHECK_CONSTRAINTS"),
        (
            json!({"table_hints": "TABLOCK"}),
            "TABLOCK, CHECK_CONSTRAINTS, FIRE_TRIGGERS",
        ),
    ] {
        let scene = Scene::new();
        made(&scene, PLAIN).await;
        let mut settings = settings;
        settings["table"] = TABLE.into();
        settings["direct"] = true.into();
        let store = scene.store(&settings);
        write(store.as_ref(), &[versions([(1, 1)])], Action::Append)
            .await
            .unwrap();
        let Some(server) = &scene.server else {
            continue;
        };
        let log = server.log();
        let load = log
            .iter()
            .find(|logged| logged.text.contains("INSERT BULK"))
            .unwrap();
        let with = format!("WITH (KEEP_NULLS, {expected})");
        assert!(load.text.contains(&with), "{}", load.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_column_takes_the_rows_values_on_request() {
    let scene = Scene::new();
    let rows = || versions([(7, 1), (9, 1)]);
    made(
        &scene,
        "n bigint IDENTITY(1,1) NOT NULL, version bigint NULL",
    )
    .await;
    let settings = json!({"table": TABLE, "direct": true, "keep_identity": true});
    write(scene.store(&settings).as_ref(), &[rows()], Action::Append)
        .await
        .unwrap();
    assert_eq!(found(&scene, TABLE).await, [(7, 1), (9, 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_converted_after_staging_is_refused() {
    let scene = Scene::new();
    made(&scene, "n bigint NOT NULL, version xml NULL").await;
    let store = scene.store(&json!({"table": TABLE, "direct": true}));
    let rows = batch(&[
        (
            "n",
            "bigint",
            Arc::new(Int64Array::from(vec![1])) as ArrayRef,
        ),
        ("version", "xml", Arc::new(StringArray::from(vec!["<a/>"]))),
    ]);
    let fault = write(store.as_ref(), &[rows], Action::Append)
        .await
        .unwrap_err();
    assert_eq!(
        fault.message,
        "column \"version\" is xml, which rows are converted to from what is staged, and `direct` \
         stages nothing"
    );
}
