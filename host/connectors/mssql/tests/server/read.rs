//! Tables and queries as Home.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray, TimestampMicrosecondArray};
use hygge_core::{Action, Batch, Position, SplitRequest, Want};
use serde_json::json;

use crate::scene::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_table_in_pieces_is_the_table() {
    let scene = Scene::new();
    let table = "dbo.hygge_test_pieces";
    thousand(&scene, table).await;
    for (splits, by) in [(1, "n"), (7, "n"), (4, "at"), (5_000, "n")] {
        let home = scene.home(&json!({"table": table, "splits": splits, "split_by": by}));
        let plan = home
            .splits(&SplitRequest::default(), &context())
            .await
            .unwrap();
        assert_eq!(plan.splits.len(), splits.min(1_000), "by {by}");
        if splits > 10 {
            continue;
        }
        let found = read(home.as_ref()).await.unwrap();
        assert_eq!(
            numbers(&found),
            (0..1_000).collect::<Vec<_>>(),
            "{splits} by {by}"
        );
    }
}

/// Keys that can only be compared: parts lie between values of a sample, and are the table.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_in_pieces_by_keys_that_are_no_numbers_is_the_table() {
    let scene = Scene::new();
    let types = [
        ("uniqueidentifier", "NEWID()"),
        (
            "varchar(20) COLLATE Latin1_General_CI_AS",
            "CONCAT('k\u{e9}', n % 50)",
        ),
        ("nvarchar(20)", "CONCAT(N'\u{20ac}', n)"),
        ("varbinary(8)", "CAST(n AS binary(8))"),
        ("char(5)", "CASE WHEN n % 3 = 0 THEN 'a' ELSE 'b' END"),
    ];
    for (sql_type, value) in types {
        let table = "dbo.hygge_test_keys";
        execute(
            &scene,
            &format!(
                "DROP TABLE IF EXISTS {table}; CREATE TABLE {table} (n bigint NOT NULL, k {sql_type} NULL); \
                 INSERT INTO {table} (n, k) SELECT value, NULL FROM GENERATE_SERIES(0, 999); \
                 UPDATE {table} SET k = {value} WHERE n % 10 <> 9"
            ),
        )
        .await;
        let home = scene.home(&json!({"table": table, "splits": 4, "split_by": "k"}));
        let plan = home
            .splits(&SplitRequest::default(), &context())
            .await
            .unwrap();
        assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
        let expected = if sql_type == "char(5)" { 2 } else { 4 };
        assert!(
            (expected..=4).contains(&plan.splits.len()),
            "{sql_type}: {} splits",
            plan.splits.len()
        );
        let found = read(home.as_ref()).await.unwrap();
        assert_eq!(
            numbers(&found),
            (0..1_000).collect::<Vec<_>>(),
            "{sql_type}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_new_begins_at_the_watermark_and_ends_where_it_was_fixed() {
    let scene = Scene::new();
    let table = "dbo.hygge_test_new";
    thousand(&scene, table).await;
    let home = scene.home(&json!({"table": table}));
    let cx = context();
    let kind = hygge_core::WatermarkType::Timestamp {
        per_second: 1_000_000,
        utc: false,
    };
    let request = SplitRequest {
        bounds: Some(hygge_core::Bounds {
            column: "at".into(),
            kind,
            low: 900_000_123,
        }),
        watermark: Some("at".into()),
        ..SplitRequest::default()
    };
    let plan = home.splits(&request, &cx).await.unwrap();
    assert_eq!(plan.high, Some(998_000_123));
    let found = read_by(home.as_ref(), &request).await.unwrap();
    let expected: Vec<i64> = (900..1_000).filter(|n| n % 10 != 9).collect();
    assert_eq!(numbers(&found), expected);
    // Rows that come once it was fixed wait for the next run.
    let late: Vec<(&str, &str, ArrayRef)> = vec![
        ("n", "bigint", Arc::new(Int64Array::from(vec![5_000]))),
        (
            "at",
            "datetime2(6)",
            Arc::new(TimestampMicrosecondArray::from(vec![2_000_000_000])),
        ),
        (
            "text",
            "nvarchar(20)",
            Arc::new(StringArray::from(vec!["late"])),
        ),
    ];
    let store = scene.store(&json!({"table": table}));
    write(store.as_ref(), &[batch(&late)], Action::Append)
        .await
        .unwrap();
    let want = Want {
        batch_bytes: 1 << 20,
        encoded: None,
        bounds: request.bounds.clone(),
    };
    let mut reader = home
        .open(&plan.splits[0], &Position::start(), &want, &cx)
        .await
        .unwrap();
    let mut rows = Vec::new();
    while let Some(step) = reader.next().await.unwrap() {
        if let Batch::Rows(batch) = step.batch {
            rows.push(batch);
        }
    }
    assert_eq!(numbers(&rows), expected);
    assert_eq!(reader.without_watermark(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_read_like_a_table() {
    let scene = Scene::new();
    let table = "dbo.hygge_test_query";
    thousand(&scene, table).await;
    let query = format!("SELECT n, text FROM {table} WHERE n < 10;");
    let home = scene.home(&json!({"query": query, "where": "n > 4 -- not the first"}));
    let found = read(home.as_ref()).await.unwrap();
    assert_eq!(numbers(&found), [5, 6, 7, 8, 9]);
    assert_eq!(found[0].num_columns(), 2);
}

/// What it gives must have names that differ: nothing else tells columns apart.
#[tokio::test(flavor = "multi_thread")]
async fn a_query_names_its_columns() {
    let scene = Scene::new();
    for (query, expected) in [
        ("SELECT 1 AS a, 2 AS b, 3 AS A", "8156"),
        ("SELECT 1 AS a, 2", "8155"),
    ] {
        let home = scene.home(&json!({"query": query}));
        let request = SplitRequest::default();
        let fault = home.splits(&request, &context()).await.unwrap_err();
        assert_eq!(fault.attribute("sql_error"), Some(expected), "{fault}");
        let advice = fault.advice.unwrap();
        assert!(advice.contains("a name of its own"), "{advice}");
        let looked = home.check(&context()).await.unwrap();
        assert!(looked.iter().any(|finding| !finding.ok), "{looked:?}");
    }
}
