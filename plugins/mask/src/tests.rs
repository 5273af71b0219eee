use std::sync::Arc;

use hygge_sdk::arrow_array::cast::AsArray;
use hygge_sdk::arrow_array::{
    Array, ArrayRef, BinaryArray, Int32Array, Int64Array, LargeStringArray, StringArray,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn masked(settings: Value, batches: &[RecordBatch]) -> Result<Vec<RecordBatch>> {
    let mask: Mask = serde_json::from_value(settings).map_err(|e| Fault::config(e.to_string()))?;
    let mut bound = mask.bind(&batches[0].schema())?;
    let mut all = Vec::new();
    for batch in batches {
        for masked in bound.apply(batch.clone())? {
            assert_eq!(masked.schema(), bound.schema());
            all.push(masked);
        }
    }
    all.extend(bound.finish()?);
    Ok(all)
}

fn rows(texts: &[Option<String>]) -> RecordBatch {
    let text: ArrayRef = Arc::new(StringArray::from_iter(texts));
    let large: ArrayRef = Arc::new(LargeStringArray::from_iter(texts));
    let binary: ArrayRef = Arc::new(BinaryArray::from_iter(texts));
    let number: ArrayRef = Arc::new(Int64Array::from_iter(
        texts
            .iter()
            .map(|t| t.as_ref().map(|t| t.len().cast_signed() as i64)),
    ));
    let names = [
        "text", "large", "binary", "number", "redacted", "cleared", "cut", "token", "plain",
    ];
    let columns = [
        &text, &large, &binary, &number, &text, &number, &text, &large, &text,
    ];
    RecordBatch::try_from_iter_with_nullable(
        names
            .into_iter()
            .zip(columns)
            .map(|(n, c)| (n, c.clone(), true)),
    )
    .unwrap()
}

fn everything() -> Value {
    json!({"key": "k", "columns": {
        "text": {"how": "hash"},
        "large": {"how": "hash"},
        "binary": {"how": "hash"},
        "number": {"how": "hash"},
        "redacted": {"how": "redact", "with": "***"},
        "cleared": {"how": "redact"},
        "cut": {"how": "truncate", "keep": 2},
        "token": {"how": "tokenise"},
    }})
}

fn texts() -> impl Strategy<Value = Vec<Option<String>>> {
    vec(option::of(".{0,80}"), 1..40)
}

proptest! {
    #[test]
    fn the_size_of_batches_changes_nothing(texts in texts(), size in 1_usize..10) {
        let whole = rows(&texts);
        let parts: Vec<_> = (0..whole.num_rows())
            .step_by(size)
            .map(|at| whole.slice(at, size.min(whole.num_rows() - at)))
            .collect();
        let once = masked(everything(), &[whole]).unwrap().remove(0);
        let many = masked(everything(), &parts).unwrap();
        let mut at = 0;
        for part in many {
            prop_assert_eq!(&part, &once.slice(at, part.num_rows()));
            at += part.num_rows();
        }
        prop_assert_eq!(at, once.num_rows());
    }

    #[test]
    fn nulls_stay_null_and_nothing_else_becomes_it(texts in texts()) {
        let masked = masked(everything(), &[rows(&texts)]).unwrap().remove(0);
        for (field, column) in masked.schema().fields().iter().zip(masked.columns()) {
            for (at, text) in texts.iter().enumerate() {
                let null = text.is_none() || field.name() == "cleared";
                prop_assert_eq!(column.is_null(at), null, "{} row {}", field.name(), at);
            }
        }
    }

    #[test]
    fn equal_values_stay_equal_and_others_differ(texts in texts()) {
        let masked = masked(everything(), &[rows(&texts)]).unwrap().remove(0);
        let hashes = masked["text"].as_string::<i32>();
        // The same text has the same hash whatever type of text it stands in.
        prop_assert!(hashes.iter().eq(masked["large"].as_string::<i64>()));
        prop_assert!(hashes.iter().eq(masked["binary"].as_string::<i32>()));
        for (a, x) in texts.iter().zip(hashes) {
            for (b, y) in texts.iter().zip(hashes) {
                prop_assert_eq!(a == b, x == y);
            }
        }
        prop_assert!(masked["plain"].as_string::<i32>().iter().eq(texts.iter().map(Option::as_deref)));
    }

    #[test]
    fn what_is_cut_begins_its_text(texts in texts()) {
        let masked = masked(everything(), &[rows(&texts)]).unwrap().remove(0);
        for (text, cut) in texts.iter().zip(masked["cut"].as_string::<i32>()) {
            let Some(text) = text else { continue };
            prop_assert_eq!(cut.unwrap(), text.chars().take(2).collect::<String>());
        }
    }

    #[test]
    fn another_key_gives_other_hashes(text in ".{1,80}") {
        prop_assert_ne!(Key::new("a").hash(text.as_bytes()), Key::new("b").hash(text.as_bytes()));
    }
}

#[test]
fn a_number_has_one_hash_whatever_its_width() {
    let narrow: ArrayRef = Arc::new(Int32Array::from(vec![-42]));
    let text: ArrayRef = Arc::new(StringArray::from(vec!["-42"]));
    let batch = RecordBatch::try_from_iter([("narrow", narrow), ("text", text)]).unwrap();
    let settings =
        json!({"key": "k", "columns": {"narrow": {"how": "hash"}, "text": {"how": "hash"}}});
    let masked = masked(settings, &[batch]).unwrap().remove(0);
    assert_eq!(
        masked["narrow"].as_string::<i32>().value(0),
        masked["text"].as_string::<i32>().value(0)
    );
}

#[test]
fn hashes_stay_what_they_are_from_version_to_version() {
    assert_eq!(
        &Key::new("k").hash(b"ada@example.com"),
        b"4b25c5962a9a5815181865b776290c14"
    );
}

#[test]
fn what_does_not_fit_is_refused_before_rows_move() {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let floats: ArrayRef = Arc::new(hygge_sdk::arrow_array::Float64Array::from(vec![1.0]));
    let batch = RecordBatch::try_from_iter([("Number", numbers), ("float", floats)]).unwrap();
    let refused = |column: &str, how: Value| {
        let fault = masked(
            json!({"key": "k", "columns": {column: how}}),
            std::slice::from_ref(&batch),
        )
        .unwrap_err();
        assert_eq!(
            (fault.code.as_str(), fault.attribute("column")),
            ("schema", Some(column))
        );
        fault
    };
    assert_eq!(
        refused("number", json!({"how": "redact"})).attribute("advice"),
        Some("did you mean \"Number\"?")
    );
    assert_eq!(
        refused("float", json!({"how": "hash"})).message,
        "\"float\" is Float64, which can't be hashed"
    );
    assert_eq!(
        refused("Number", json!({"how": "truncate", "keep": 1})).message,
        "\"Number\" is Int64, and only texts can be truncated"
    );
    assert_eq!(
        refused("Number", json!({"how": "redact"})).message,
        "\"Number\" can't become null"
    );
    let keyless = masked(
        json!({"columns": {"Number": {"how": "hash"}}}),
        std::slice::from_ref(&batch),
    )
    .unwrap_err();
    assert_eq!(keyless.code, "config");
}

#[test]
fn the_description_says_what_serde_takes() {
    let description: Value = serde_json::from_str(HYGGE_DESCRIPTION).unwrap();
    let config = &description["transform"]["config"];
    assert_eq!(config["required"], json!(["columns"]));
    assert_eq!(config["properties"]["key"]["format"], "password");
    let hows = config["properties"]["columns"]["additionalProperties"]["oneOf"]
        .as_array()
        .unwrap();
    for how in hows {
        let mut value = json!({"how": how["properties"]["how"]["const"]});
        for name in how["required"].as_array().unwrap() {
            if name != "how" {
                value[name.as_str().unwrap()] = json!(1);
            }
        }
        serde_json::from_value::<How>(value).unwrap();
        let unknown = json!({"how": how["properties"]["how"]["const"], "keep": 1, "other": 1});
        assert!(serde_json::from_value::<How>(unknown).is_err());
    }
    assert_eq!(hows.len(), 4);
}
