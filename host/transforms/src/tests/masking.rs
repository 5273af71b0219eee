use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, BinaryArray, Decimal128Array, Float64Array, Int8Array, Int64Array, StringArray,
    StringViewArray,
};
use serde_json::json;

use super::*;

fn people() -> RecordBatch {
    batch(vec![
        ("id", Arc::new(Int64Array::from(vec![Some(42), None]))),
        (
            "email",
            Arc::new(StringArray::from(vec![Some("ada@example.com"), None])),
        ),
        (
            "phone",
            Arc::new(StringViewArray::from(vec![
                Some("+49 (30) 12-34 Ünï"),
                None,
            ])),
        ),
        ("price", Arc::new(Float64Array::from(vec![Some(1.5), None]))),
    ])
}

fn masked(column: &str, how: &Value) -> Result<ArrayRef, Fault> {
    let settings = json!({"key": "k", "columns": {column: how}});
    let out = run("mask", settings, &people())?;
    Ok(Arc::clone(out.column_by_name(column).unwrap()))
}

fn shown(column: &ArrayRef) -> Vec<Option<String>> {
    let texts = arrow_cast::cast(column, &DataType::Utf8).unwrap();
    let texts = texts.as_string::<i32>();
    texts.iter().map(|text| text.map(str::to_owned)).collect()
}

/// What is stored somewhere must be found again by every later version, and by who computes it with
/// another program: BLAKE3, keyed with `derive_key(context, key)`.
#[test]
fn hashes_stay_what_they_are() {
    let hashed = masked("email", &json!({"how": "hash"})).unwrap();
    let expected = "4b25c5962a9a5815181865b776290c14".to_owned();
    assert_eq!(shown(&hashed), [Some(expected), None]);
}

#[test]
fn a_number_has_one_hash_whatever_its_width() {
    let decimal = Decimal128Array::from(vec![42]).with_precision_and_scale(18, 0);
    let given = batch(vec![
        ("narrow", Arc::new(Int8Array::from(vec![42]))),
        ("wide", Arc::new(Int64Array::from(vec![42]))),
        ("decimal", Arc::new(decimal.unwrap())),
        ("text", Arc::new(StringArray::from(vec!["42"]))),
        ("bytes", Arc::new(BinaryArray::from(vec![&b"42"[..]]))),
    ]);
    let how = json!({"how": "hash"});
    let columns = json!({"narrow": how, "wide": how, "decimal": how, "text": how, "bytes": how});
    let out = run("mask", json!({"key": "k", "columns": columns}), &given).unwrap();
    for column in out.columns() {
        assert_eq!(shown(column), shown(out.column(0)));
    }
}

#[test]
fn each_way_keeps_what_it_says() {
    let cut = masked("phone", &json!({"how": "truncate", "keep": 5})).unwrap();
    assert_eq!(shown(&cut), [Some("+49 (".to_owned()), None]);
    assert_eq!(cut.data_type(), &DataType::Utf8View);
    let fixed = masked("email", &json!({"how": "redact", "with": "***"})).unwrap();
    assert_eq!(shown(&fixed), [Some("***".to_owned()), None]);
    let gone = masked("price", &json!({"how": "redact"})).unwrap();
    assert_eq!(
        (gone.null_count(), gone.data_type()),
        (2, &DataType::Float64)
    );
    let token = masked("phone", &json!({"how": "tokenise"})).unwrap();
    let token = shown(&token).remove(0).unwrap();
    let shape = token.chars().map(|c| match c {
        '0'..='9' => '9',
        'A'..='Z' => 'A',
        'a'..='z' => 'a',
        other => other,
    });
    assert_eq!(shape.collect::<String>(), "+99 (99) 99-99 Aaa");
    assert_ne!(token, "+49 (30) 12-34 Ünï");
}

#[test]
fn only_what_still_holds_is_said_of_a_column() {
    let said = |how: Value| {
        let settings = json!({"key": "k", "columns": {"email": how}});
        let out = run("mask", settings, &people()).unwrap();
        !out.schema().field(1).metadata().is_empty()
    };
    assert!(said(json!({"how": "redact"})), "NULL is anything");
    assert!(!said(json!({"how": "truncate", "keep": 1})));
    assert!(!said(json!({"how": "tokenise"})));
    assert!(!said(json!({"how": "hash"})));
    assert!(!said(
        json!({"how": "redact", "with": "much longer than it was"})
    ));
}

#[test]
fn what_does_not_fit_is_told_before_rows_move() {
    for (column, how, expected) in [
        (
            "emial",
            json!({"how": "hash"}),
            "mask names a column that isn't there: emial\n\
             did you mean `email`? there are id, email, phone, price",
        ),
        (
            "price",
            json!({"how": "hash"}),
            "mask can't hash column price, which is float64: one value of it can be written in \
             several ways\nuse `how: redact`, or cast it before",
        ),
        (
            "id",
            json!({"how": "truncate", "keep": 1}),
            "mask can't truncate column id, which is int64: that is for text\n\
             use `how: redact`, or cast it before",
        ),
    ] {
        assert_eq!(told(&masked(column, &how).unwrap_err()), expected);
    }
    let given =
        RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(vec![1])) as ArrayRef)]);
    let settings = json!({"columns": {"id": {"how": "redact"}}});
    assert_eq!(
        told(&run("mask", settings, &given.unwrap()).unwrap_err()),
        "mask can't redact column id, which is int64: it can't be NULL\n\
         say `with: …`, or exclude the column"
    );
    let keyless = json!({"columns": {"a/b": {"how": "hash"}, "c": {"how": "redact"}}});
    assert_eq!(
        problems("mask", keyless),
        ["/columns/a~1b: mask needs a `key` to hash a/b"]
    );
    let empty = json!({"key": "", "columns": {"c": {"how": "redact"}}});
    assert_eq!(problems("mask", empty), ["/key: mask has an empty `key`"]);
}

#[test]
fn the_key_is_never_shown() {
    let settings = json!({"key": "hunter2", "columns": {"c": {"how": "hash"}}});
    let mut registry = Registry::default();
    crate::register(&mut registry);
    let kind = registry.transform("mask").unwrap();
    let made = kind.build(&Settings::new(settings, []), &place()).unwrap();
    assert!(!format!("{made:?}").contains("hunter2"), "{made:?}");
}
