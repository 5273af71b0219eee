//! Columns that the table lacks, or has as another type.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, BinaryArray, Decimal128Array, Int64Array, RecordBatch, StringArray};
use hygge_core::{Action, OnSchemaChange, Result};
use serde_json::json;

use crate::scene::*;

const TABLE: &str = "dbo.hygge_test_drift";

async fn table(scene: &Scene) {
    execute(scene, &format!("DROP TABLE IF EXISTS {TABLE}")).await;
    let columns = "n int NOT NULL, price decimal(5, 2) NULL, name varchar(3) NULL";
    execute(scene, &format!("CREATE TABLE {TABLE} ({columns})")).await;
    let old = format!("INSERT INTO {TABLE} (n, price, name) VALUES (1, 1.25, 'old')");
    execute(scene, &old).await;
}

fn rows() -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![5_000_000_000]));
    let prices = Decimal128Array::from(vec![12_345_678]);
    let prices: ArrayRef = Arc::new(prices.with_precision_and_scale(12, 3).unwrap());
    let names: ArrayRef = Arc::new(StringArray::from(vec!["longer"]));
    let extra: ArrayRef = Arc::new(StringArray::from(vec!["new"]));
    batch(&[
        ("n", "bigint", numbers),
        ("price", "decimal(12,3)", prices),
        ("name", "varchar(10)", names),
        ("extra", "nvarchar(20)", extra),
    ])
}

async fn append(scene: &Scene, policy: OnSchemaChange) -> Result<()> {
    let store = scene.store(&json!({"table": TABLE, "adopt": true}));
    let rows = [rows()];
    let staged = stage_under(policy, store.as_ref(), &rows, Action::Append, &[], None);
    let record = staged.await?;
    store.commit(&record, &context()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_added_and_types_become_wider() {
    let scene = Scene::new();
    table(&scene).await;
    append(&scene, OnSchemaChange::Evolve).await.unwrap();
    let home = scene.home(&json!({"table": TABLE}));
    let found = read(home.as_ref()).await.unwrap();
    let schema = found[0].schema();
    let types = schema.fields().iter();
    let types: Vec<String> = types
        .map(|field| {
            let null = if field.is_nullable() { "" } else { " NOT NULL" };
            let sql_type = &field.metadata()["mssql.type"];
            format!("{} {sql_type}{null}", field.name())
        })
        .collect();
    let declared = [
        "n bigint NOT NULL",
        "price decimal(12,3)",
        "name varchar(10)",
        "extra nvarchar(20)",
    ];
    assert_eq!(types, declared);
    let mut numbers = Vec::new();
    for batch in &found {
        let column = batch.column(0).as_primitive::<Int64Type>();
        numbers.extend(column.values().iter().copied());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 5_000_000_000]);
    // Once more there is nothing to change.
    append(&scene, OnSchemaChange::Evolve).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn other_columns_are_refused_or_left_out() {
    let scene = Scene::new();
    table(&scene).await;
    let mut refused = Vec::new();
    for policy in [OnSchemaChange::Warn, OnSchemaChange::Fail] {
        let fault = append(&scene, policy).await.unwrap_err();
        refused.push(format!("{} ({})", fault.message, fault.advice.unwrap()));
    }
    assert_eq!(refused[0], refused[1]);
    assert!(
        refused[0].starts_with("the rows don't fit dbo.hygge_test_drift: \"extra\" isn't there"),
        "{}",
        refused[0]
    );
    assert!(
        refused[0].contains("additive` to have them added"),
        "{}",
        refused[0]
    );
    // The number doesn't fit the type it has, whatever becomes of columns.
    let fault = append(&scene, OnSchemaChange::IgnoreExtra).await;
    let fault = fault.unwrap_err();
    assert!(fault.message.contains("5000000000"), "{fault}");
    let found = execute(
        &scene,
        &format!("SELECT CAST(COUNT(*) AS varchar(9)) FROM {TABLE}"),
    )
    .await;
    assert_eq!(found, ["1"]);
}

/// What only values tell: a column whose length was made for shorter ones grows with `evolve`.
#[tokio::test(flavor = "multi_thread")]
async fn a_column_grows_with_its_values() {
    let scene = Scene::new();
    let table = "dbo.hygge_test_grows";
    execute(&scene, &format!("DROP TABLE IF EXISTS {table}")).await;
    let store = scene.store(&json!({"table": table, "adopt": true, "create": "if_missing"}));
    let plain = |values: Vec<String>| {
        let values: ArrayRef = Arc::new(StringArray::from(values));
        RecordBatch::try_from_iter([("name", values)]).unwrap()
    };
    let length = async || {
        let sql = format!("SELECT CAST(COL_LENGTH('{table}', 'name') / 2 AS varchar(9))");
        execute(&scene, &sql).await
    };
    let load = async |values: Vec<String>, policy, action| {
        let rows = [plain(values)];
        let staged = stage_under(policy, store.as_ref(), &rows, action, &[], None);
        store.commit(&staged.await?, &context()).await.map(drop)
    };
    let (warn, evolve) = (OnSchemaChange::Warn, OnSchemaChange::Evolve);
    load(vec![], warn, Action::Replace).await.unwrap();
    assert_eq!(length().await, ["255"], "nothing to measure");
    execute(&scene, &format!("DROP TABLE {table}")).await;
    load(vec!["abc".into()], warn, Action::Replace)
        .await
        .unwrap();
    assert_eq!(length().await, ["10"]);
    let long = vec!["x".repeat(30)];
    let refused = load(long.clone(), warn, Action::Append).await.unwrap_err();
    assert!(refused.message.contains("has 30 characters"), "{refused}");
    load(vec!["abcdefghij".into()], evolve, Action::Append)
        .await
        .unwrap();
    assert_eq!(length().await, ["10"], "it fits");
    load(long, evolve, Action::Append).await.unwrap();
    assert_eq!(length().await, ["100"]);
    let count = format!("SELECT CAST(SUM(LEN(name)) AS varchar(9)) FROM {table}");
    assert_eq!(execute(&scene, &count).await, ["43"]);
}

/// So do those of a fixed length, and those in a code page, where a character is what it takes there.
#[tokio::test(flavor = "multi_thread")]
async fn a_column_of_any_texts_or_bytes_grows_with_its_values() {
    let scene = Scene::new();
    let table = "dbo.hygge_test_grows_too";
    let load = async |values: &[&str], remembered: Option<&'static str>| {
        let texts: ArrayRef = Arc::new(StringArray::from(values.to_vec()));
        let bytes: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
        let bytes: ArrayRef = Arc::new(BinaryArray::from(bytes));
        let keys: ArrayRef = Arc::new(StringArray::from(values.to_vec()));
        let rows = [match remembered {
            None => RecordBatch::try_from_iter([
                ("k", keys),
                ("v", Arc::clone(&texts)),
                ("c", Arc::clone(&texts)),
                ("n", texts),
                ("b", bytes),
            ])
            .unwrap(),
            Some(sql_type) => batch(&[("k", "varchar(9)", keys), ("c", sql_type, texts)]),
        }];
        let store = scene.store(&json!({"table": table, "adopt": true}));
        let policy = OnSchemaChange::Evolve;
        let staged = stage_under(policy, store.as_ref(), &rows, Action::Upsert, &["k"], None);
        store.commit(&staged.await?, &context()).await.map(drop)
    };
    let types = async || {
        let sql = format!(
            "SELECT CONCAT(c.name, ' ', t.name, ' ', c.max_length) FROM sys.columns AS c \
             JOIN sys.types AS t ON t.user_type_id = c.user_type_id \
             WHERE c.object_id = OBJECT_ID('{table}') ORDER BY c.column_id"
        );
        execute(&scene, &sql).await
    };
    let made = format!(
        "DROP TABLE IF EXISTS {table}; CREATE TABLE {table} (k varchar(9) NOT NULL PRIMARY KEY, \
         v varchar(3) COLLATE Latin1_General_CI_AS, c char(3), n nchar(3), b binary(6))"
    );
    execute(&scene, &made).await;
    let before = [
        "k varchar 9",
        "v varchar 3",
        "c char 3",
        "n nchar 6",
        "b binary 6",
    ];
    load(&["a", "\u{e9}\u{e9}\u{e9}"], None).await.unwrap();
    assert_eq!(types().await, before, "all fits");
    load(&["abcdefg"], None).await.unwrap();
    let after = [
        "k varchar 9",
        "v varchar 20",
        "c varchar 20",
        "n nvarchar 40",
        "b varbinary 20",
    ];
    assert_eq!(types().await, after);
    // What stood there is what it was, and what is new isn't filled up.
    let sql = format!(
        "SELECT CONCAT(v, '|', c, '|', n, '|', DATALENGTH(b)) FROM {table} ORDER BY LEN(k)"
    );
    let rows = execute(&scene, &sql).await;
    assert_eq!(
        rows,
        [
            "a|a  |a  |6",
            "\u{e9}\u{e9}\u{e9}|\u{e9}\u{e9}\u{e9}|\u{e9}\u{e9}\u{e9}|6",
            "abcdefg|abcdefg|abcdefg|7"
        ]
    );
    // A type that is told from the first, but longer than the column: only the values tell.
    execute(
        &scene,
        &format!("ALTER TABLE {table} ALTER COLUMN c char(20) NULL"),
    )
    .await;
    load(&["abc"], Some("varchar(50)")).await.unwrap();
    assert_eq!(types().await[2], "c char 20");
    load(&["abcd"], Some("varchar(9)")).await.unwrap();
    let long = "x".repeat(30);
    let fault = load(&[&long], Some("varchar(50)")).await.unwrap_err();
    assert!(
        fault.message.contains("column \"k\""),
        "a key doesn't grow: {fault}"
    );
}
