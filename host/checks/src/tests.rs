//! What each check finds, whatever the batches and splits.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Float64Array, Int64Array, ListArray, NullArray, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use hygge_core::{
    About, BuildContext, Context, Fault, Registry, Result, Settings, Severity, Verdict,
};
use proptest::prelude::*;
use serde_json::{Value, json};

mod values;

fn place() -> BuildContext {
    let root = std::env::temp_dir();
    BuildContext {
        work: root.join("hygge-checks-tests"),
        root,
        entity: None,
        run: None,
    }
}

fn about(rows: u64) -> About {
    About {
        rows,
        began: "2026-11-18T12:00:00Z".parse().unwrap(),
        // Quiet runs don't count.
        earlier: vec![0, 100, 200, 0],
    }
}

fn registry() -> Registry {
    let mut registry = Registry::default();
    crate::register(&mut registry);
    registry
}

/// What a check says of splits, each of some batches.
fn judged(check: &Value, splits: &[Vec<RecordBatch>]) -> Result<Verdict> {
    let mut settings = check.clone();
    let kind = settings["type"].as_str().unwrap().to_owned();
    settings.as_object_mut().unwrap().remove("type");
    let settings = Settings::new(settings, []);
    let registry = registry();
    let kind = registry.check(&kind).unwrap();
    kind.plan(&settings, &place())
        .map_err(|problems| Fault::new("config", problems[0].message.clone()))?;
    let built = kind.build(&settings, &place())?;
    let bound = built.check.bind(&splits[0][0].schema(), &place())?;
    let mut seen = Vec::new();
    for batches in splits {
        let mut looking = bound.look(&Context::inline());
        for batch in batches {
            looking.take(batch)?;
        }
        seen.push(looking.finish()?);
    }
    let rows = splits.iter().flatten().map(|b| b.num_rows() as u64).sum();
    // It is stored as text in between.
    let seen = serde_json::from_str::<Vec<Value>>(&serde_json::to_string(&seen).unwrap());
    bound.judge(&seen.unwrap(), &about(rows))
}

fn rows() -> RecordBatch {
    let ids = Int64Array::from(vec![Some(1), Some(2), Some(2), None]);
    let states = vec![Some("paid"), Some("open"), None, Some("lost")];
    let states: DictionaryArray<Int32Type> = states.into_iter().collect();
    let prices = Float64Array::from(vec![1.5, -2.0, f64::NAN, 300.0]);
    let mails = StringArray::from(vec![Some("a@b.c"), Some("no"), None, Some("x@y.z")]);
    let day = 86_400_000_000_i64;
    let noon = 20_775 * day + day / 2;
    let times = TimestampMicrosecondArray::from(vec![Some(noon - 3 * day), None, None, None]);
    let columns: [(&str, ArrayRef); 5] = [
        ("id", Arc::new(ids)),
        ("state", Arc::new(states)),
        ("price", Arc::new(prices)),
        ("mail", Arc::new(mails)),
        ("at", Arc::new(times.with_timezone("Europe/Berlin"))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .unwrap()
}

/// What it says: `-` when all is well.
fn said(check: &Value) -> String {
    match judged(check, &[vec![rows()]]) {
        Ok(Verdict::Passed) => "-".to_owned(),
        Ok(Verdict::Failed { why, rows }) => match rows {
            Some(rows) => format!("{why} [{rows}]"),
            None => why,
        },
        Err(fault) => format!("{}: {}", fault.code, fault.message),
    }
}

#[test]
fn each_check_says_what_it_found() {
    let said = [
        json!({"type": "not_null", "columns": ["id", "state"]}),
        json!({"type": "not_null", "columns": "price"}),
        json!({"type": "not_null", "columns": "pric"}),
        json!({"type": "not_null", "columns": []}),
        json!({"type": "unique", "key": "id"}),
        json!({"type": "unique", "key": ["id", "state"]}),
        json!({"type": "accepted_values", "column": "state", "values": ["paid", "open"]}),
        json!({"type": "accepted_values", "column": "id", "values": [1, "2"]}),
        json!({"type": "accepted_values", "column": "id", "values": ["x"]}),
        json!({"type": "accepted_values", "column": "id", "values": []}),
        json!({"type": "range", "column": "price", "min": 0, "max": 100}),
        json!({"type": "range", "column": "price", "min": -2}),
        json!({"type": "range", "column": "id", "max": 1.5}),
        json!({"type": "range", "column": "at", "min": "2026-11-18"}),
        json!({"type": "range", "column": "id"}),
        json!({"type": "regex", "column": "mail", "pattern": "^.+@.+$"}),
        json!({"type": "regex", "column": "state", "pattern": "^[a-z]+$"}),
        json!({"type": "regex", "column": "id", "pattern": "1"}),
        json!({"type": "regex", "column": "mail", "pattern": "("}),
        json!({"type": "row_count", "min": 4, "max": 4}),
        json!({"type": "row_count", "min": 5}),
        json!({"type": "row_count", "max": 3}),
        json!({"type": "row_count", "min": 3, "max": 2}),
        json!({"type": "freshness", "column": "at", "max_age": "4d"}),
        json!({"type": "freshness", "column": "at", "max_age": "1d 12h"}),
        json!({"type": "range", "column": "id", "min": 0.5, "max": 1.5}),
        json!({"type": "range", "column": "id", "min": 2.0}),
        json!({"type": "accepted_values", "column": "id", "values": [1.0, 2]}),
        json!({"type": "accepted_values", "column": "id", "values": [1.5]}),
        json!({"type": "accepted_values", "column": "state", "values": ["paid", 7]}),
        json!({"type": "freshness", "column": "id", "max_age": "1d"}),
        json!({"type": "freshness", "column": "at", "max_age": "soon"}),
        json!({"type": "volume"}),
        json!({"type": "volume", "runs": 1, "min_ratio": 0.01}),
        json!({"type": "volume", "min_ratio": 3}),
    ]
    .map(|check| format!("{check}\n    {}", said(&check)));
    insta::assert_snapshot!(said.join("\n"));
}

/// After quiet runs something may come again.
#[test]
fn runs_without_rows_are_no_volume() {
    let check = json!({"type": "volume", "runs": 3});
    let registry = registry();
    let kind = registry.check("volume").unwrap();
    let mut settings = check;
    settings.as_object_mut().unwrap().remove("type");
    let built = kind.build(&Settings::new(settings, []), &place()).unwrap();
    let bound = built.check.bind(&rows().schema(), &place()).unwrap();
    let of = |rows: u64, earlier: &[u64]| {
        let about = About {
            earlier: earlier.to_vec(),
            ..about(rows)
        };
        bound.judge(&[], &about).unwrap()
    };
    assert_eq!(of(2, &[0, 0, 0]), Verdict::Passed);
    assert_eq!(of(90, &[0, 0, 0, 100]), Verdict::Passed);
    assert_ne!(of(2, &[0, 0, 0, 100]), Verdict::Passed);
}

/// As Parquet and Arrow have a column in which nothing came, and what is no single value.
#[test]
fn columns_without_a_type_pass_and_nested_ones_are_refused_at_once() {
    let nothing: ArrayRef = Arc::new(NullArray::new(2));
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)]), None]);
    let rows = [("none", nothing), ("list", Arc::new(list) as ArrayRef)];
    let rows = rows.map(|(name, column)| (name, column, true));
    let rows = RecordBatch::try_from_iter_with_nullable(rows).unwrap();
    let of = |check: Value| match judged(&check, &[vec![rows.clone()]]) {
        Ok(Verdict::Passed) => "-".to_owned(),
        Ok(Verdict::Failed { why, .. }) => why,
        Err(fault) => format!("{}\n{}", fault.message, fault.advice.unwrap_or_default()),
    };
    for check in [
        json!({"type": "accepted_values", "column": "none", "values": [1]}),
        json!({"type": "range", "column": "none", "min": 1, "max": 2}),
        json!({"type": "regex", "column": "none", "pattern": "^a"}),
        json!({"type": "unique", "key": "none"}),
    ] {
        assert_eq!(of(check.clone()), "-", "{check}");
    }
    // As of a column of dates.
    let fresh = |column: &str| json!({"type": "freshness", "column": column, "max_age": "1d"});
    assert_eq!(of(fresh("none")), "\"none\" has no value at all");
    insta::assert_snapshot!(
        [
            of(json!({"type": "accepted_values", "column": "list", "values": [1]})),
            of(json!({"type": "range", "column": "list", "min": 1})),
            of(fresh("list")),
        ]
        .join("\n")
    );
}

#[test]
fn settings_that_are_for_all() {
    let registry = registry();
    let kind = registry.check("not_null").unwrap();
    let settings = json!({"columns": "id", "severity": "warn", "rejects": "bad"});
    let settings = Settings::new(settings, []);
    let built = kind.build(&settings, &place()).unwrap();
    assert_eq!(built.severity, Severity::Warn);
    assert_eq!(built.rejects.as_deref(), Some("bad"));
    assert_eq!(
        kind.plan(&settings, &place()),
        Ok("not_null id (warn)".into())
    );
    for kind in registry.checks() {
        let schema = kind.schema();
        assert!(schema["properties"]["severity"].is_object());
        let known = Settings::new(json!({"nonsense": 1}), []);
        assert!(kind.plan(&known, &place()).is_err(), "{}", kind.name());
    }
}

/// Keys that need the file, too: three times what is held in memory.
#[test]
fn many_keys_are_counted_through_a_file() {
    let keys = |from: i64, to: i64| {
        let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(from..to));
        RecordBatch::try_from_iter([("k", keys)]).unwrap()
    };
    let check = json!({"type": "unique", "key": "k"});
    let splits = [
        vec![keys(0, 300_000), keys(300_000, 400_000)],
        vec![keys(400_000, 900_000)],
        vec![keys(900_000, 900_010)],
    ];
    assert_eq!(judged(&check, &splits).unwrap(), Verdict::Passed);
    let splits = [
        splits[0].clone(),
        vec![keys(399_990, 900_000)],
        splits[2].clone(),
    ];
    let Verdict::Failed { why, rows } = judged(&check, &splits).unwrap() else {
        panic!("ten keys came twice");
    };
    assert_eq!(rows, Some(10));
    assert_eq!(why, "10 rows have the \"k\" of another");
}

proptest! {
    /// How rows are cut into batches and splits, and in which order those come, changes nothing.
    #[test]
    fn batches_and_splits_do_not_matter(
        values in prop::collection::vec((prop::option::of(-3i64..6), prop::option::of("[a-c]{0,2}")), 1..40),
        cuts in prop::collection::vec((0usize..40, any::<bool>()), 0..6),
        turn in 0usize..5,
    ) {
        let ids: ArrayRef = Arc::new(values.iter().map(|(id, _)| *id).collect::<Int64Array>());
        let texts: ArrayRef =
            Arc::new(values.iter().map(|(_, text)| text.clone()).collect::<StringArray>());
        let all = RecordBatch::try_from_iter_with_nullable([
            ("id", ids, true), ("text", texts, true),
        ]).unwrap();
        let mut cuts: Vec<(usize, bool)> =
            cuts.into_iter().filter(|(at, _)| *at < all.num_rows()).collect();
        cuts.sort_unstable();
        let mut splits = vec![vec![]];
        let mut from = 0;
        for (at, new) in cuts {
            splits.last_mut().unwrap().push(all.slice(from, at - from));
            from = at;
            if new {
                splits.push(Vec::new());
            }
        }
        splits.last_mut().unwrap().push(all.slice(from, all.num_rows() - from));
        let many = splits.len();
        splits.rotate_left(turn % many);
        for check in [
            json!({"type": "not_null", "columns": ["id", "text"]}),
            json!({"type": "unique", "key": ["id", "text"]}),
            json!({"type": "range", "column": "id", "min": 0, "max": 4}),
            json!({"type": "accepted_values", "column": "text", "values": ["a", "ab"]}),
            json!({"type": "regex", "column": "text", "pattern": "^a"}),
            json!({"type": "row_count", "max": 10}),
        ] {
            let one = judged(&check, &[vec![all.clone()]]).unwrap();
            let cut = judged(&check, &splits).unwrap();
            match (one, cut) {
                (Verdict::Failed { rows, why }, Verdict::Failed { rows: other, why: cut }) => {
                    prop_assert_eq!(rows, other);
                    // The examples may be others.
                    let known = |why: &str| why.split(", such as").next().unwrap().to_owned();
                    prop_assert_eq!(known(&why), known(&cut));
                }
                (one, cut) => prop_assert_eq!(one, cut),
            }
        }
    }
}
