//! Values that don't fit, and offsets that are kept.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, Decimal128Array, Float64Array, Int16Array, Int64Array, StringArray,
    StructArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Fields, TimeUnit};
use arrow_select::concat::concat_batches;
use hygge_core::Action;
use serde_json::json;

use crate::scene::*;

/// What a column of that type holds after values were written to it that don't fit all.
async fn written(sql_type: &'static str, values: ArrayRef, on_overflow: &str) -> ArrayRef {
    let scene = Scene::new();
    let table = "dbo.hygge_test_fit";
    execute(&scene, &format!("DROP TABLE IF EXISTS {table}")).await;
    execute(
        &scene,
        &format!("CREATE TABLE {table} (n bigint NOT NULL, v {sql_type} NULL)"),
    )
    .await;
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..values.len() as i64));
    let rows = batch(&[("n", "bigint", numbers), ("v", sql_type, values)]);
    let store = scene.store(&json!({"table": table, "on_overflow": on_overflow}));
    write(store.as_ref(), &[rows], Action::Append)
        .await
        .unwrap();
    let found = read(scene.home(&json!({"table": table})).as_ref()).await;
    let found = found.unwrap();
    let all = concat_batches(&found[0].schema(), &found).unwrap();
    let order = all.column(0).as_primitive::<Int64Type>().values();
    assert!(order.is_sorted(), "one split keeps its order");
    Arc::clone(all.column(1))
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_clipped_to_the_last_there_is_or_are_null() {
    let numbers = || Arc::new(Int64Array::from(vec![300, -1, 7])) as ArrayRef;
    let clipped = written("tinyint", numbers(), "clip").await;
    assert_eq!(
        clipped
            .as_primitive::<arrow_array::types::UInt8Type>()
            .values(),
        &[255, 0, 7]
    );
    let null = written("tinyint", numbers(), "set_null").await;
    let null: Vec<Option<u8>> = null
        .as_primitive::<arrow_array::types::UInt8Type>()
        .iter()
        .collect();
    assert_eq!(null, [None, None, Some(7)]);
    let decimals = Decimal128Array::from(vec![123_456, -99_999_999, 1_000])
        .with_precision_and_scale(20, 3)
        .unwrap();
    let clipped = written("decimal(5,2)", Arc::new(decimals), "clip").await;
    // The third digit is cut, and what is too small is the least there is.
    assert_eq!(
        clipped.as_primitive::<Decimal128Type>().values(),
        &[12_345, -99_999, 100]
    );
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![
        f64::INFINITY,
        f64::NEG_INFINITY,
        1.0,
    ]));
    let clipped = written("float", floats, "clip").await;
    let clipped = clipped.as_primitive::<arrow_array::types::Float64Type>();
    assert_eq!(clipped.values(), &[f64::MAX, -f64::MAX, 1.0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_cut_between_characters() {
    let texts = || Arc::new(StringArray::from(vec!["abcd", "abc𝄞", "ü"])) as ArrayRef;
    let clipped = written("nvarchar(4)", texts(), "clip").await;
    let clipped: Vec<_> = clipped.as_string::<i32>().iter().flatten().collect();
    assert_eq!(clipped, ["abcd", "abc", "ü"]);
    let narrow: ArrayRef = Arc::new(StringArray::from(vec!["naïve", "é"]));
    let clipped = written("varchar(3)", narrow, "clip").await;
    let clipped: Vec<_> = clipped.as_string::<i32>().iter().flatten().collect();
    assert_eq!(clipped, ["naï", "é"]);
    let null = written("nvarchar(4)", texts(), "set_null").await;
    let null: Vec<_> = null.as_string::<i32>().iter().collect();
    assert_eq!(null, [Some("abcd"), None, Some("ü")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn moments_are_cut_and_kept_within_the_years_there_are() {
    // A day in year 1, one of today with microseconds, and the end of 9999.
    let moments = || {
        let values = vec![
            -62_135_596_800_000_000,
            1_700_000_000_123_456,
            253_402_300_799_999_999,
        ];
        Arc::new(TimestampMicrosecondArray::from(values)) as ArrayRef
    };
    let found = |column: ArrayRef| {
        let column = column.as_primitive::<arrow_array::types::TimestampMicrosecondType>();
        column.values().to_vec()
    };
    let clipped = found(written("datetime2(3)", moments(), "clip").await);
    assert_eq!(
        clipped,
        [
            -62_135_596_800_000_000,
            1_700_000_000_123_000,
            253_402_300_799_999_000
        ]
    );
    let clipped = found(written("datetime", moments(), "clip").await);
    assert_eq!(
        clipped,
        [
            -6_847_804_800_000_000,
            1_700_000_000_123_000,
            253_402_300_799_997_000
        ]
    );
    let clipped = found(written("smalldatetime", moments(), "clip").await);
    assert_eq!(
        clipped,
        [
            -2_208_988_800_000_000,
            1_699_999_980_000_000,
            3_453_321_540_000_000
        ]
    );
}

/// Two keys that are clipped to one would be one row; what has no near value stays an error.
#[tokio::test(flavor = "multi_thread")]
async fn keys_and_what_is_near_to_nothing_are_errors_all_the_same() {
    let scene = Scene::new();
    let table = "dbo.hygge_test_fit_key";
    execute(&scene, &format!("DROP TABLE IF EXISTS {table}")).await;
    execute(
        &scene,
        &format!("CREATE TABLE {table} (n tinyint NOT NULL PRIMARY KEY, v float NULL)"),
    )
    .await;
    let rows = |n: i64, v: f64| {
        batch(&[
            (
                "n",
                "tinyint",
                Arc::new(Int64Array::from(vec![n])) as ArrayRef,
            ),
            ("v", "float", Arc::new(Float64Array::from(vec![v]))),
        ])
    };
    for on_overflow in ["set_null", "clip"] {
        let store = scene.store(&json!({"table": table, "on_overflow": on_overflow}));
        let staged = stage(store.as_ref(), &[rows(300, 1.0)], Action::Upsert, &["n"]).await;
        assert_eq!(
            staged.unwrap_err().message,
            "column \"n\", row 1 of its split: 300 doesn't fit tinyint"
        );
    }
    let store = scene.store(&json!({"table": table, "on_overflow": "clip"}));
    let staged = stage(store.as_ref(), &[rows(1, f64::NAN)], Action::Append, &[]).await;
    let fault = staged.unwrap_err();
    assert_eq!(
        fault.message,
        "column \"v\", row 1 of its split: NaN has no form in float"
    );
    assert_eq!(
        fault.advice.as_deref(),
        Some("no other value is near: mend it in the source")
    );
}

fn with_offsets(moments: Vec<i64>, offsets: Vec<i16>, nulls: Vec<bool>) -> ArrayRef {
    let moment = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let fields = Fields::from(vec![
        Field::new("utc", moment, false),
        Field::new("offset_minutes", DataType::Int16, false),
    ]);
    let moments = TimestampMicrosecondArray::from(moments).with_timezone("UTC");
    let columns: Vec<ArrayRef> = vec![Arc::new(moments), Arc::new(Int16Array::from(offsets))];
    Arc::new(StructArray::try_new(fields, columns, Some(nulls.into())).unwrap())
}

/// A `datetimeoffset` is written back as it was: the moment and its offset.
#[tokio::test(flavor = "multi_thread")]
async fn offsets_are_kept_both_ways() {
    let scene = Scene::new();
    let table = "dbo.hygge_test_offsets";
    let at = 1_700_000_000_123_456;
    let column = with_offsets(
        vec![at, 0, -1, at],
        vec![90, 0, -840, 840],
        vec![true, false, true, true],
    );
    let rows = batch(&[("at", "datetimeoffset(6)", Arc::clone(&column))]);
    let store = scene.store(&json!({"table": table, "create": "if_missing", "adopt": true}));
    write(store.as_ref(), &[rows], Action::Replace)
        .await
        .unwrap();
    let kept = scene.home(&json!({"table": table, "offsets": "keep"}));
    let found = read(kept.as_ref()).await.unwrap();
    let found = concat_batches(&found[0].schema(), &found).unwrap();
    assert_eq!(found.column(0).as_ref(), column.as_ref());
    let dropped = read(scene.home(&json!({"table": table})).as_ref())
        .await
        .unwrap();
    let dropped = concat_batches(&dropped[0].schema(), &dropped).unwrap();
    let moments = dropped
        .column(0)
        .as_primitive::<arrow_array::types::TimestampMicrosecondType>();
    let moments: Vec<Option<i64>> = moments.iter().collect();
    assert_eq!(moments, [Some(at), None, Some(-1), Some(at)]);
    let shown = execute(
        &scene,
        &format!("SELECT CONVERT(varchar(40), at) FROM {table} WHERE at IS NOT NULL"),
    )
    .await;
    assert!(shown[0].ends_with("+01:30"), "{shown:?}");
}

/// Nanoseconds count the years 1678 to 2261 only.
#[tokio::test(flavor = "multi_thread")]
async fn moments_that_nanoseconds_cannot_count_are_what_the_home_says() {
    let scene = Scene::new();
    let table = "dbo.hygge_test_ns";
    let moments: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![
        -62_135_596_800_000_000,
        1_000_000,
    ]));
    let rows = batch(&[("at", "datetime2(6)", moments)]);
    let store = scene.store(&json!({"table": table, "create": "if_missing", "adopt": true}));
    write(store.as_ref(), &[rows], Action::Replace)
        .await
        .unwrap();
    let asked = |on_overflow: &str| {
        scene.home(&json!({"table": table, "timestamp_unit": "ns", "on_overflow": on_overflow}))
    };
    let fault = read(asked("error").as_ref()).await.unwrap_err();
    assert_eq!(
        fault.message,
        "column \"at\", row 1 of its split: a moment outside the years 1678 to 2261, which \
         nanoseconds can't count"
    );
    for (on_overflow, first) in [
        ("set_null", None),
        ("clip", Some(-9_223_372_036_854_775_800)),
    ] {
        let found = read(asked(on_overflow).as_ref()).await.unwrap();
        let all = concat_batches(&found[0].schema(), &found).unwrap();
        let column = all
            .column(0)
            .as_primitive::<arrow_array::types::TimestampNanosecondType>();
        let column: Vec<Option<i64>> = column.iter().collect();
        assert_eq!(column, [first, Some(1_000_000_000)], "{on_overflow}");
    }
}

/// Receipts of a run that died are worth something only while their tables are there.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_staged_and_is_gone_is_staged_anew() {
    let scene = Scene::new();
    let table = "dbo.hygge_test_still";
    let store = scene.store(&json!({"table": table, "create": "if_missing", "adopt": true}));
    let rows = || versions([(1, 1)]);
    let record = stage(store.as_ref(), &[rows(), rows()], Action::Append, &[])
        .await
        .unwrap();
    let target = hygge_core::Target {
        run: record.run.clone(),
        entity: record.entity.clone(),
        schema: rows().schema(),
        action: Action::Append,
        key: Vec::new(),
        latest_by: None,
        on_schema_change: hygge_core::OnSchemaChange::default(),
        memory: None,
        begun: record.begun.clone(),
    };
    let cx = context();
    let kept = store
        .still_staged(&target, record.receipts.clone(), &cx)
        .await
        .unwrap();
    assert_eq!(kept.len(), 2);
    let staged = record.receipts[0].data["table"].as_str().unwrap();
    execute(&scene, &format!("DROP TABLE dbo.[{staged}]")).await;
    let kept = store
        .still_staged(&target, record.receipts.clone(), &cx)
        .await
        .unwrap();
    let kept: Vec<&str> = kept
        .iter()
        .map(|receipt| receipt.split.0.as_str())
        .collect();
    assert_eq!(kept, [record.receipts[1].split.0.as_str()]);
}
