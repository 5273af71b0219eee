//! Every type, there and back.

use std::io::Write as _;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int16Array, Int32Array, Int64Array, RecordBatch, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray, UInt8Array,
};
use hygge_core::{Action, SplitRequest};
use serde_json::json;

use crate::scene::*;

/// Columns of every type, each with its ends, a NULL, and what else is easily got wrong.
pub(crate) fn every_type() -> Vec<(&'static str, &'static str, ArrayRef)> {
    let long = "x".repeat(9_000);
    let micros = |values: [i64; 3]| {
        TimestampMicrosecondArray::from(vec![
            Some(values[0]),
            None,
            Some(values[1]),
            Some(values[2]),
        ])
    };
    // 0001-01-01, 9999-12-31 and a moment before 1970 with a fraction.
    let (least, most) = (-62_135_596_800_000_000_i64, 253_402_300_799_999_999_i64);
    let texts =
        |a: &str, b: &str, c: &str| StringArray::from(vec![Some(a), None, Some(b), Some(c)]);
    let bytes =
        |a: &[u8], b: &[u8], c: &[u8]| BinaryArray::from(vec![Some(a), None, Some(b), Some(c)]);
    let decimals = |precision, scale, values: [i128; 3]| {
        let values = vec![Some(values[0]), None, Some(values[1]), Some(values[2])];
        let array = Decimal128Array::from(values);
        array.with_precision_and_scale(precision, scale).unwrap()
    };
    let most38 = 10_i128.pow(38) - 1;
    vec![
        (
            "a",
            "tinyint",
            Arc::new(UInt8Array::from(vec![Some(0), None, Some(255), Some(7)])),
        ),
        (
            "b",
            "smallint",
            Arc::new(Int16Array::from(vec![
                Some(i16::MIN),
                None,
                Some(i16::MAX),
                Some(0),
            ])),
        ),
        (
            "c",
            "int",
            Arc::new(Int32Array::from(vec![
                Some(i32::MIN),
                None,
                Some(i32::MAX),
                Some(-1),
            ])),
        ),
        (
            "d",
            "bigint",
            Arc::new(Int64Array::from(vec![
                Some(i64::MIN),
                None,
                Some(i64::MAX),
                Some(1),
            ])),
        ),
        (
            "e",
            "bit",
            Arc::new(BooleanArray::from(vec![
                Some(true),
                None,
                Some(false),
                Some(true),
            ])),
        ),
        (
            "f",
            "decimal(38,38)",
            Arc::new(decimals(38, 38, [most38, -most38, 1])),
        ),
        (
            "g",
            "decimal(9,0)",
            Arc::new(decimals(9, 0, [999_999_999, -999_999_999, 0])),
        ),
        (
            "h",
            "decimal(19,4)",
            Arc::new(decimals(
                19,
                4,
                [10_i128.pow(19) - 1, 1 - 10_i128.pow(19), 5],
            )),
        ),
        (
            "i",
            "money",
            Arc::new(decimals(19, 4, [i64::MAX.into(), i64::MIN.into(), -1])),
        ),
        (
            "j",
            "smallmoney",
            Arc::new(decimals(10, 4, [i32::MAX.into(), i32::MIN.into(), 1])),
        ),
        (
            "k",
            "real",
            Arc::new(Float32Array::from(vec![
                Some(f32::MAX),
                None,
                Some(-1.5e-30),
                Some(0.0),
            ])),
        ),
        (
            "l",
            "float",
            Arc::new(Float64Array::from(vec![
                Some(f64::MAX),
                None,
                Some(-1.5e-300),
                Some(0.1),
            ])),
        ),
        (
            "m",
            "nvarchar(20)",
            Arc::new(texts("", "trailing  ", "grüße 𝄞 中")),
        ),
        ("n", "nvarchar(max)", Arc::new(texts(&long, "", "𝄞"))),
        (
            "o",
            "varchar(20)",
            Arc::new(texts("", "plain  ", "naïve €")),
        ),
        ("p", "varchar(max)", Arc::new(texts(&long, "", "é"))),
        (
            "q",
            "varbinary(20)",
            Arc::new(bytes(b"", &[0, 255, 1], &[0; 20])),
        ),
        (
            "r",
            "varbinary(max)",
            Arc::new(bytes(long.as_bytes(), b"", &[0])),
        ),
        (
            "s",
            "date",
            Arc::new(Date32Array::from(vec![
                Some(-719_162),
                None,
                Some(2_932_896),
                Some(-1),
            ])),
        ),
        (
            "t",
            "time(6)",
            Arc::new(Time64MicrosecondArray::from(vec![
                Some(0),
                None,
                Some(86_399_999_999),
                Some(1),
            ])),
        ),
        ("u", "datetime2(6)", Arc::new(micros([least, most, -1]))),
        (
            "v",
            "datetime2(0)",
            Arc::new(micros([least, most - 999_999, -1_000_000])),
        ),
        (
            "w",
            "datetime2(3)",
            Arc::new(micros([least, most - 999, -1_000])),
        ),
        (
            "x",
            "datetimeoffset(6)",
            Arc::new(micros([least, most, -1]).with_timezone("UTC")),
        ),
        // 1753-01-01, 9999-12-31T23:59:59.997 and a third of a second.
        (
            "y",
            "datetime",
            Arc::new(micros([
                -6_847_804_800_000_000,
                253_402_300_799_997_000,
                333_000,
            ])),
        ),
        (
            "z",
            "smalldatetime",
            Arc::new(micros([
                -2_208_988_800_000_000,
                3_453_321_540_000_000,
                60_000_000,
            ])),
        ),
        (
            "aa",
            "uniqueidentifier",
            Arc::new(texts(
                "00112233-4455-6677-8899-aabbccddeeff",
                "00000000-0000-0000-0000-000000000000",
                "ffffffff-ffff-ffff-ffff-ffffffffffff",
            )),
        ),
        ("ab", "nchar(4)", Arc::new(texts("abcd", "ÄÖÜß", "    "))),
        ("ac", "char(4)", Arc::new(texts("abcd", "wxyz", "    "))),
        (
            "ad",
            "binary(4)",
            Arc::new(bytes(&[1, 2, 3, 4], &[0; 4], &[255; 4])),
        ),
    ]
}

/// Every type in every column order: each column once at every place, the others behind it.
#[tokio::test(flavor = "multi_thread")]
async fn every_type_in_every_place_comes_back() {
    let scene = Scene::new();
    let mut columns = every_type();
    for turn in 0..columns.len() {
        let table = format!("dbo.hygge_test_types_{turn}");
        let store = scene.store(&json!({"table": table, "create": "if_missing", "adopt": true}));
        let written = batch(&columns);
        write(
            store.as_ref(),
            &[written.clone(), written.clone()],
            Action::Replace,
        )
        .await
        .unwrap_or_else(|fault| panic!("turn {turn}: {fault:?}"));
        let home = scene.home(&json!({"table": table}));
        let found = read(home.as_ref()).await.unwrap();
        let rows: usize = found.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows, 8, "turn {turn}");
        for (n, (name, sql_type, array)) in columns.iter().enumerate() {
            let field = found[0].schema().field(n).clone();
            assert_eq!(field.name(), name);
            assert_eq!(
                field.metadata()[hygge_mssql::TYPE_KEY],
                *sql_type,
                "turn {turn}"
            );
            let mut at = 0;
            for batch in &found {
                for row in 0..batch.num_rows() {
                    let is = batch.column(n).slice(row, 1);
                    let was = array.slice(at % 4, 1);
                    assert_eq!(
                        &is, &was,
                        "turn {turn}, column {name} ({sql_type}), row {at}"
                    );
                    at += 1;
                }
            }
        }
        columns.rotate_left(1);
    }
}

/// Both are texts to hygge, and the server takes only those that are what they say.
#[tokio::test(flavor = "multi_thread")]
async fn json_and_vectors_come_back_as_text() {
    let scene = Scene::new();
    let known = "SELECT name FROM sys.types WHERE name IN ('json', 'vector')";
    if execute(&scene, known).await.len() < 2 {
        // Servers before that of 2025.
        let stderr = std::io::stderr();
        writeln!(&stderr, "SKIPPED: this server has no json or no vector").unwrap();
        return;
    }
    let table = "dbo.hygge_test_documents";
    execute(&scene, &format!("DROP TABLE IF EXISTS {table}")).await;
    let texts =
        |values: [Option<&str>; 3]| -> ArrayRef { Arc::new(StringArray::from_iter(values)) };
    let columns = |vector| {
        batch(&[
            (
                "n",
                "int",
                Arc::new(Int32Array::from(vec![1, 2, 3])) as ArrayRef,
            ),
            (
                "j",
                "json",
                texts([Some("{\"a\":[1,null]}"), None, Some("[]")]),
            ),
            (
                "v",
                "vector(3)",
                texts([Some("[1, -0.5, 200]"), None, vector]),
            ),
        ])
    };
    let store = scene.store(&json!({"table": table, "create": "if_missing"}));
    let good = columns(Some("[0,0,1e-3]"));
    write(store.as_ref(), std::slice::from_ref(&good), Action::Replace)
        .await
        .unwrap();
    let home = scene.home(&json!({"table": table}));
    let plan = home.splits(&SplitRequest::default(), &context()).await;
    let plan = plan.unwrap();
    assert_eq!(
        plan.warnings,
        [
            "column \"v\" is vector: its values are read as the text that the server makes of them, \
             with eight digits"
        ]
    );
    let declared = |n: usize| plan.schema.field(n).metadata()[hygge_mssql::TYPE_KEY].clone();
    assert_eq!([declared(1), declared(2)], ["json", "vector(3)"]);
    let found = read(home.as_ref()).await.unwrap();
    let found = arrow_select::concat::concat_batches(&found[0].schema(), &found).unwrap();
    assert_eq!(found.column(1), good.column(1));
    let vectors = found.column(2).as_any().downcast_ref::<StringArray>();
    let numbers = vectors.unwrap().iter().map(|text| {
        let text = text?;
        Some(serde_json::from_str::<Vec<f32>>(text).unwrap())
    });
    assert_eq!(
        numbers.collect::<Vec<_>>(),
        [
            Some(vec![1.0, -0.5, 200.0]),
            None,
            Some(vec![0.0, 0.0, 0.001])
        ]
    );
    // One number too few.
    let bad = columns(Some("[1,2]"));
    let refused = write(store.as_ref(), &[bad], Action::Append).await;
    let fault = refused.unwrap_err();
    assert!(!fault.retryable, "{fault}");
    assert_eq!(fault.attribute("sql_error"), Some("42204"), "{fault}");
    let again = read(home.as_ref()).await.unwrap();
    assert_eq!(again.iter().map(RecordBatch::num_rows).sum::<usize>(), 3);
}

/// A value that doesn't fit is an error that names column, row and value, and nothing arrives.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_named() {
    let scene = Scene::new();
    let table = "dbo.hygge_test_unfit";
    let made = format!("DROP TABLE IF EXISTS {table}; CREATE TABLE {table} (n tinyint)");
    execute(&scene, &made).await;
    let store = scene.store(&json!({"table": table}));
    let good: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    write(
        store.as_ref(),
        &[batch(&[("n", "tinyint", good)])],
        Action::Append,
    )
    .await
    .unwrap();
    let bad: ArrayRef = Arc::new(Int32Array::from(vec![3, 300]));
    let fault = write(
        store.as_ref(),
        &[batch(&[("n", "tinyint", bad)])],
        Action::Append,
    )
    .await
    .unwrap_err();
    assert_eq!(
        fault.message,
        "column \"n\", row 2 of its split: 300 doesn't fit tinyint"
    );
    let found = read(scene.home(&json!({"table": table})).as_ref())
        .await
        .unwrap();
    assert_eq!(found.iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
}

/// The value and the column's own type are named, and only ways out that lead out.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_does_not_fit_is_shown() {
    let scene = Scene::new();
    let table = "dbo.hygge_test_unfit_too";
    let said = async |sql_type: &'static str, column: ArrayRef| {
        let drop = format!("DROP TABLE IF EXISTS {table}; CREATE TABLE {table} (v {sql_type})");
        execute(&scene, &drop).await;
        let store = scene.store(&json!({"table": table}));
        let rows = batch(&[("v", sql_type, column)]);
        let fault = write(store.as_ref(), &[rows], Action::Append)
            .await
            .unwrap_err();
        let told = fault.message.split_once("its split: ").unwrap().1;
        (told.to_owned(), fault.advice.unwrap_or_default())
    };
    let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
    let moment =
        |micros: i64| -> ArrayRef { Arc::new(TimestampMicrosecondArray::from(vec![micros])) };
    let (bytes, nan): (ArrayRef, ArrayRef) = (
        Arc::new(BinaryArray::from(vec![&b"\x01\xff\x03"[..]])),
        Arc::new(Float64Array::from(vec![f64::NAN])),
    );
    let widen = "widen the column, or say `on_overflow: set_null` or `clip` in the store";
    for (sql_type, column, message, advice) in [
        (
            "nchar(3)",
            text("four"),
            "\"four\" has 4 characters, which don't fit nchar(3)",
            widen,
        ),
        (
            "char(3)",
            text("four"),
            "\"four\" has 4 bytes, which don't fit char(3)",
            widen,
        ),
        (
            "binary(2)",
            bytes,
            "0x01FF03 has 3 bytes, which don't fit binary(2)",
            widen,
        ),
        (
            "datetime2(0)",
            moment(1_500_000),
            "1970-01-01T00:00:01.500000 has more digits behind the second than datetime2(0)",
            widen,
        ),
        (
            "datetime",
            moment(-9_999_999_999_000_000),
            "1653-02-10T06:13:21.000000 is outside the years 1753 to 9999",
            widen,
        ),
        (
            "smalldatetime",
            moment(1_000_000),
            "1970-01-01T00:00:01.000000 has seconds, which smalldatetime doesn't",
            widen,
        ),
        (
            "float",
            nan,
            "NaN has no form in float",
            "mend it in the source, or say `on_overflow: set_null` in the store",
        ),
        (
            "nchar(3) NOT NULL",
            text("four"),
            "\"four\" has 4 characters, which don't fit nchar(3)",
            "widen the column, or say `on_overflow: clip` in the store",
        ),
    ] {
        let told = said(sql_type, column).await;
        assert_eq!(told, (message.to_owned(), advice.to_owned()), "{sql_type}");
    }
}
