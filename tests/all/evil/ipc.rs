//! Bytes that are no rows.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, Int64Array, NullArray, RecordBatch, StringViewArray};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_schema::{DataType, Field, Schema};
use serde_json::{Value, json};

use super::{Part, Scene, hex, home, rows, stream};

/// The honest batch.
fn honest() -> Vec<u8> {
    stream(&rows().schema(), &[rows()])
}

/// With `from` replaced by `to`, the `nth` time it is there, or each time.
fn patched(from: &[u8], to: &[u8], nth: Option<usize>) -> Vec<u8> {
    let mut bytes = honest();
    let places: Vec<usize> = (0..bytes.len() - from.len())
        .filter(|at| bytes[*at..].starts_with(from))
        .collect();
    assert!(places.len() > nth.unwrap_or(0), "the bytes aren't there");
    for (n, at) in places.into_iter().enumerate() {
        if nth.is_none_or(|nth| nth == n) {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
    }
    bytes
}

fn one(batch: impl AsRef<[u8]>) -> Value {
    home(json!({"batches": [hex(batch.as_ref())]}))
}

/// A Home of this schema, also when it is one that may not be.
fn of(batch: &RecordBatch) -> Value {
    home(json!({
        "schema": hex(&stream(&batch.schema(), &[])),
        "batches": [hex(&stream(&batch.schema(), std::slice::from_ref(batch)))],
    }))
}

fn column(name: &str, column: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([(name, column, true)]).unwrap()
}

fn compressed() -> Vec<u8> {
    let mut bytes = Vec::new();
    let options = IpcWriteOptions::default();
    let options = options
        .try_with_compression(Some(CompressionType::ZSTD))
        .unwrap();
    // A thousand zeros: what a bomb is made of.
    let n: ArrayRef = Arc::new(Int64Array::from(vec![0; 1_000]));
    let words: ArrayRef = Arc::new(arrow_array::StringArray::from(vec![""; 1_000]));
    let batch =
        RecordBatch::try_from_iter_with_nullable([("n", n, true), ("word", words, true)]).unwrap();
    let mut writer =
        StreamWriter::try_new_with_options(&mut bytes, &batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    bytes
}

/// The schema that was announced, then what only other schemas have.
fn with_dictionary() -> Vec<u8> {
    let words: DictionaryArray<Int32Type> = ["a", "b", "a"].into_iter().collect();
    let words = column("word", Arc::new(words));
    let other = stream(&words.schema(), std::slice::from_ref(&words));
    let schema = |batch: &RecordBatch| stream(&batch.schema(), &[]).len() - 8;
    let mut bytes = honest()[..schema(&rows())].to_vec();
    bytes.extend_from_slice(&other[schema(&words)..]);
    bytes
}

#[test]
fn garbage_is_refused() {
    let honest = honest();
    let mut behind = honest.clone();
    behind.extend_from_slice(b"more");
    let twice = stream(&rows().schema(), &[rows(), rows()]);
    let cases = [
        ("nothing", one(Vec::new())),
        ("words", one(b"these are words, and no rows at all")),
        ("zeros", one(vec![0; 1_000])),
        ("half of it", one(&honest[..honest.len() / 2])),
        ("without its end", one(&honest[..honest.len() - 8])),
        ("something behind it", one(behind)),
        ("two batches in one", one(twice)),
        ("only a schema", one(stream(&rows().schema(), &[]))),
        (
            "a message of 4 GiB",
            one(patched(&[0xff; 4], &[0xff; 8], Some(1))),
        ),
        ("compressed", one(compressed())),
        ("with a dictionary", one(with_dictionary())),
    ];
    let cases = cases.map(|(name, settings)| (name, Part::Home, settings));
    insta::assert_snapshot!(Scene::new().shown(cases));
}

#[test]
fn numbers_that_lie_are_refused() {
    let ten = 10_i64.to_le_bytes();
    let eighty = 80_i64.to_le_bytes();
    let many = 1_000_000_000_i64.to_le_bytes();
    // Offsets of the texts: each has four bytes.
    let offsets = [4_i32.to_le_bytes(), 8_i32.to_le_bytes()].concat();
    let beyond = [4_i32.to_le_bytes(), i32::MAX.to_le_bytes()].concat();
    let back = [4_i32.to_le_bytes(), 0_i32.to_le_bytes()].concat();
    let negative = [4_i32.to_le_bytes(), (-8_i32).to_le_bytes()].concat();
    let cases = [
        (
            "more rows than it gave, everywhere",
            patched(&ten, &many, None),
        ),
        (
            "more rows in the first number",
            patched(&ten, &many, Some(0)),
        ),
        (
            "more rows in the second number",
            patched(&ten, &many, Some(1)),
        ),
        ("one row more", patched(&ten, &11_i64.to_le_bytes(), None)),
        ("one row less", patched(&ten, &9_i64.to_le_bytes(), Some(0))),
        (
            "less than no rows",
            patched(&ten, &(-1_i64).to_le_bytes(), None),
        ),
        (
            "a buffer that is huge",
            patched(&eighty, &i64::MAX.to_le_bytes(), None),
        ),
        (
            "a buffer of less than nothing",
            patched(&eighty, &(-80_i64).to_le_bytes(), None),
        ),
        (
            "a buffer that is too short",
            patched(&eighty, &8_i64.to_le_bytes(), None),
        ),
        (
            "an offset beyond the text",
            patched(&offsets, &beyond, None),
        ),
        ("an offset that goes back", patched(&offsets, &back, None)),
        ("an offset below zero", patched(&offsets, &negative, None)),
        (
            "text that isn't UTF-8",
            patched(b"text", &[0xff, 0xfe, 0xc0, 0x80], Some(0)),
        ),
        (
            "a character cut in two",
            patched(
                b"text",
                "abcé".as_bytes().first_chunk::<4>().unwrap(),
                Some(0),
            ),
        ),
    ];
    let cases = cases.map(|(name, batch)| (name, Part::Home, one(batch)));
    insta::assert_snapshot!(Scene::new().shown(cases));
}

#[test]
fn another_schema_than_was_announced_is_refused() {
    let n: ArrayRef = Arc::new(Int64Array::from_iter_values(0..10));
    let other = column("n", Arc::clone(&n));
    let renamed = RecordBatch::try_from_iter_with_nullable([
        ("m", n, true),
        ("word", Arc::clone(rows().column(1)), true),
    ])
    .unwrap();
    let swapped = rows().project(&[1, 0]).unwrap();
    let bytes = |batch: &RecordBatch| hex(&stream(&batch.schema(), std::slice::from_ref(batch)));
    let after = |batch: &RecordBatch| home(json!({"batches": [bytes(&rows()), bytes(batch)]}));
    let reader = |batch: &RecordBatch| {
        let schema = hex(&stream(&batch.schema(), &[]));
        home(json!({"read_schema": schema, "batches": [bytes(batch)]}))
    };
    insta::assert_snapshot!(Scene::new().shown([
        ("a reader of fewer columns", Part::Home, reader(&other)),
        ("a reader of other columns", Part::Home, reader(&renamed)),
        ("a column less, midway", Part::Home, after(&other)),
        ("another name, midway", Part::Home, after(&renamed)),
        ("another order, midway", Part::Home, after(&swapped)),
        (
            "a transform that gives something else",
            Part::Transform,
            json!({"batches": [bytes(&other)]})
        ),
        (
            "a transform that gives garbage",
            Part::Transform,
            json!({"batches": ["00ff"]})
        ),
        (
            "a transform that binds to garbage",
            Part::Transform,
            json!({"schema": "00ff"})
        ),
        (
            "a transform that gives without end",
            Part::Transform,
            json!({"times": 100_000})
        ),
    ]));
}

#[test]
fn columns_that_may_not_cross_are_refused() {
    let dictionary: DictionaryArray<Int32Type> = ["a", "b", "a"].into_iter().collect();
    let wide: Vec<Field> = (0..=4_096)
        .map(|n| Field::new(format!("{n}"), DataType::Null, true))
        .collect();
    let nulls: ArrayRef = Arc::new(NullArray::new(1));
    let columns = vec![nulls; wide.len()];
    let wide = RecordBatch::try_new(Arc::new(Schema::new(wide)), columns).unwrap();
    let mut deep = Field::new("x", DataType::Int64, true);
    for _ in 0..40 {
        deep = Field::new("x", DataType::List(Arc::new(deep)), true);
    }
    let deep = RecordBatch::new_empty(Arc::new(Schema::new(vec![deep])));
    let long = column("n", Arc::new(Int64Array::from(vec![1; 150_000])));
    let huge: Vec<Field> = (0..3)
        .map(|n| Field::new(format!("{n}").repeat(400_000), DataType::Int64, true))
        .collect();
    let huge = Schema::new(huge);
    let twin = Field::new("n", DataType::Int64, true);
    let twin = RecordBatch::new_empty(Arc::new(Schema::new(vec![twin; 2])));
    insta::assert_snapshot!(Scene::new().shown([
        (
            "a dictionary",
            Part::Home,
            of(&column("d", Arc::new(dictionary)))
        ),
        (
            "a view",
            Part::Home,
            of(&column("v", Arc::new(StringViewArray::from(vec!["a"]))))
        ),
        ("too many columns", Part::Home, of(&wide)),
        ("columns that are too deep", Part::Home, of(&deep)),
        ("two columns of one name", Part::Home, of(&twin)),
        (
            "two columns of one name, from a transform",
            Part::Transform,
            json!({"schema": hex(&stream(&twin.schema(), &[]))})
        ),
        ("a batch above the limit", Part::Home, of(&long)),
        (
            "names of a megabyte",
            Part::Home,
            of(&RecordBatch::new_empty(Arc::new(huge)))
        ),
    ]));
}
