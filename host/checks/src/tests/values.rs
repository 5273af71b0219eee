//! What a value is: numbers, moments in whatever zone, and bounds as they are written.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray, TimestampSecondArray,
};
use arrow_schema::{DataType, Field, TimeUnit};
use hygge_core::Verdict;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{about, judged};

/// -0.0 is 0.0, whichever NaN is one, and none lies in a range.
#[test]
fn each_number_counts_once() {
    let odd = -f64::NAN;
    let z: ArrayRef = Arc::new(Float64Array::from(vec![-0.0, f64::NAN]));
    let y: ArrayRef = Arc::new(Float64Array::from(vec![0.0, odd]));
    let (z, y) = ([("z", z)], [("z", y)]);
    let rows = |columns: [(&str, ArrayRef); 1]| RecordBatch::try_from_iter(columns).unwrap();
    let splits = [vec![rows(z)], vec![rows(y)]];
    let of = |check: Value| match judged(&check, &splits).unwrap() {
        Verdict::Passed => "-".to_owned(),
        Verdict::Failed { why, .. } => why,
    };
    assert_eq!(
        [
            of(json!({"type": "unique", "key": "z"})),
            of(json!({"type": "range", "column": "z", "min": 0})),
            of(json!({"type": "range", "column": "z", "max": -0.0})),
            of(json!({"type": "accepted_values", "column": "z", "values": [0]})),
            of(json!({"type": "accepted_values", "column": "z", "values": [0, "NaN"]})),
        ],
        [
            "2 rows have the \"z\" of another",
            "\"z\" isn't at least 0 in 2 rows, such as NaN",
            "\"z\" isn't at most -0.0 in 2 rows, such as NaN",
            "\"z\" holds other values in 2 rows, such as NaN",
            "-",
        ]
    );
}

/// Half floats, and what stands within structs, are numbers like others.
#[test]
fn each_number_counts_once_whatever_holds_it() {
    let half: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN, -0.0, 0.0]));
    let half = arrow_cast::cast(&half, &DataType::Float16).unwrap();
    let field = Arc::new(Field::new("a", DataType::Float16, true));
    let within = StructArray::from(vec![(field, Arc::clone(&half))]);
    let columns = [("h", half), ("s", Arc::new(within) as ArrayRef)];
    let rows = RecordBatch::try_from_iter(columns).unwrap();
    let of = |check: Value| match judged(&check, &[vec![rows.clone()]]).unwrap() {
        Verdict::Passed => "-".to_owned(),
        Verdict::Failed { why, .. } => why,
    };
    assert_eq!(
        [
            of(json!({"type": "range", "column": "h", "min": 0})),
            of(json!({"type": "accepted_values", "column": "h", "values": [0]})),
            of(json!({"type": "unique", "key": "h"})),
            of(json!({"type": "unique", "key": "s"})),
        ],
        [
            "\"h\" isn't at least 0 in 1 row, such as NaN",
            "\"h\" holds other values in 1 row, such as NaN",
            "1 row has the \"h\" of another",
            "1 row has the \"s\" of another",
        ]
    );
}

/// What a column is called, and values that have no text, are shown as they are.
#[test]
fn names_and_values_are_shown_as_they_are() {
    let days: ArrayRef = Arc::new(Date32Array::from(vec![i32::MAX]));
    let rows = RecordBatch::try_from_iter([("s {rows} x", days)]).unwrap();
    let check = json!({"type": "range", "column": "s {rows} x", "max": "2030-01-02"});
    let Verdict::Failed { why, .. } = judged(&check, &[vec![rows]]).unwrap() else {
        panic!("it lies in the future");
    };
    assert_eq!(
        why,
        "\"s {rows} x\" isn't at most 2030-01-02 in 1 row, such as \"2147483647\""
    );
}

#[test]
fn an_age_never_reads_as_less_than_was_allowed() {
    for (age, allowed, told) in [
        (56, "1s", "56 seconds before the run; at most 1s"),
        (86_340, "23h 30m", "23 hours 59 minutes before the run"),
        (86_461, "1d", "1 day 1 minute 1 second before the run"),
        (180_000, "2d 1h", "2 days 2 hours before the run"),
    ] {
        let began = about(1).began.as_microsecond();
        let newest = TimestampMicrosecondArray::from(vec![began - age * 1_000_000]);
        let rows = RecordBatch::try_from_iter([("at", Arc::new(newest) as ArrayRef)]).unwrap();
        let check = json!({"type": "freshness", "column": "at", "max_age": allowed});
        let Verdict::Failed { why, .. } = judged(&check, &[vec![rows]]).unwrap() else {
            panic!("{age} is older than {allowed}");
        };
        assert!(why.contains(told), "{why}");
    }
}

/// A bound that was rounded would let through what it was written against.
#[test]
fn bounds_are_what_was_written() {
    let prices = Decimal128Array::from(vec![Some(0), Some(1), None]);
    let prices: ArrayRef = Arc::new(prices.with_precision_and_scale(9, 2).unwrap());
    let rows = RecordBatch::try_from_iter_with_nullable([("price", prices, true)]).unwrap();
    let of = |check: Value| {
        let judged = judged(&check, &[vec![rows.clone()]]);
        match judged {
            Ok(Verdict::Passed) => "-".to_owned(),
            Ok(Verdict::Failed { why, .. }) => why,
            Err(fault) => fault.message,
        }
    };
    assert_eq!(
        of(json!({"type": "range", "column": "price", "min": 0.005})),
        "the range check of \"price\" can't take \"0.005\": the column is decimal(9, 2)"
    );
    assert_eq!(
        of(json!({"type": "accepted_values", "column": "price", "values": ["0.00", "0.014"]})),
        "the accepted_values check of \"price\" can't take \"0.014\": the column is decimal(9, 2)"
    );
    assert_eq!(
        of(json!({"type": "range", "column": "price", "min": "0.010"})),
        "\"price\" isn't at least 0.010 in 1 row, such as 0.00"
    );
    assert_eq!(
        of(json!({"type": "range", "column": "price", "min": 5, "max": 1})),
        "the range check of \"price\" lets nothing through: no value is between 5 and 1"
    );
}

/// A bound that the column's type would round is none that was asked for.
#[test]
fn what_a_type_would_round_is_refused() {
    let moments = |unit: TimeUnit| -> ArrayRef {
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["2020-01-01"]));
        arrow_cast::cast(&texts, &DataType::Timestamp(unit, None)).unwrap()
    };
    let as_type = |text: &str, to: DataType| -> ArrayRef {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![text]));
        arrow_cast::cast(&texts, &to).unwrap()
    };
    let columns: [(&str, ArrayRef, [Value; 2], Value); 8] = [
        (
            "ms",
            moments(TimeUnit::Millisecond),
            [
                json!("2020-01-01T00:00:00.0009"),
                json!("2020-01-01T00:00:00.000000001"),
            ],
            json!("2020-01-01T00:00:00.000"),
        ),
        (
            "us",
            moments(TimeUnit::Microsecond),
            [json!("2020-01-01T00:00:00.0000009"), json!("x")],
            json!("1066-10-14T10:00:00"),
        ),
        (
            "day",
            as_type("2020-01-01", DataType::Date32),
            [
                json!("2020-01-01T12:00:00"),
                json!("2019-12-31T23:00:00-05:00"),
            ],
            json!("2020-01-01"),
        ),
        (
            "small",
            as_type("0.00", DataType::Decimal32(7, 2)),
            [json!(0.004), json!("-0.001")],
            json!(0.0),
        ),
        (
            "large",
            as_type("0.00", DataType::Decimal128(38, 2)),
            [json!(0.004), json!("-0.001")],
            json!("-0.01"),
        ),
        (
            "f32",
            as_type("0", DataType::Float32),
            [json!(16_777_217), json!("-16777217")],
            json!(-1),
        ),
        (
            "f64",
            as_type("0", DataType::Float64),
            [json!(9_007_199_254_740_993_i64), json!("-9007199254740993")],
            json!(-0.1),
        ),
        (
            "clock",
            as_type("10:00:00", DataType::Time32(TimeUnit::Second)),
            [json!("10:00:00.5"), json!("09:59:59.999999")],
            json!("10:00:00"),
        ),
    ];
    for (name, column, rounded, exact) in columns {
        let rows = RecordBatch::try_from_iter([(name, column)]).unwrap();
        for bound in rounded {
            for check in [
                json!({"type": "range", "column": name, "min": bound}),
                json!({"type": "accepted_values", "column": name, "values": [bound]}),
            ] {
                let refused = judged(&check, &[vec![rows.clone()]]).unwrap_err();
                assert!(refused.message.contains("can't take"), "{check}: {refused}");
            }
        }
        let check = json!({"type": "range", "column": name, "min": exact});
        assert_eq!(
            judged(&check, &[vec![rows]]).unwrap(),
            Verdict::Passed,
            "{check}"
        );
    }
}

#[test]
fn a_moment_beyond_the_calendar_is_fresh_and_one_before_it_is_not() {
    for (micros, fresh) in [
        (253_402_214_400_000_000, true),
        (i64::MAX, true),
        (i64::MIN, false),
    ] {
        let column: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![micros]));
        let rows = RecordBatch::try_from_iter([("at", column)]).unwrap();
        let check = json!({"type": "freshness", "column": "at", "max_age": "1d"});
        let verdict = judged(&check, &[vec![rows]]).unwrap();
        assert_eq!(verdict == Verdict::Passed, fresh, "{micros}: {verdict:?}");
    }
}

proptest! {
    /// A moment lies where it lies: the zone that its column shows it in changes no verdict.
    #[test]
    fn the_zone_of_a_column_does_not_matter(
        at in -4_000_000_000i64..4_000_000_000,
        off in prop_oneof![Just(0i64), -90_000i64..90_000],
        zone in prop_oneof![
            Just("UTC".to_owned()),
            Just("Europe/Oslo".to_owned()),
            (-14i32..=14, 0i32..60).prop_map(|(hours, minutes)| {
                format!("{}{:02}:{minutes:02}", if hours < 0 { '-' } else { '+' }, hours.abs())
            }),
        ],
        unit in prop_oneof![
            Just(TimeUnit::Second), Just(TimeUnit::Millisecond),
            Just(TimeUnit::Microsecond), Just(TimeUnit::Nanosecond),
        ],
        written_with_zone in any::<bool>(),
    ) {
        let seconds: ArrayRef = Arc::new(TimestampSecondArray::from(vec![at]).with_timezone("UTC"));
        let to = DataType::Timestamp(unit, Some(zone.into()));
        let moments = arrow_cast::cast(&seconds, &to).unwrap();
        let rows = RecordBatch::try_from_iter([("at", moments)]).unwrap();
        let bound = jiff::Timestamp::from_second(at + off).unwrap().to_string();
        let bound = match written_with_zone {
            true => bound.as_str(),
            false => bound.trim_end_matches('Z'),
        };
        let passes = |check: Value| judged(&check, &[vec![rows.clone()]]).unwrap() == Verdict::Passed;
        prop_assert_eq!(passes(json!({"type": "range", "column": "at", "min": bound})), off <= 0);
        prop_assert_eq!(passes(json!({"type": "range", "column": "at", "max": bound})), off >= 0);
        let accepted = json!({"type": "accepted_values", "column": "at", "values": [bound]});
        prop_assert_eq!(passes(accepted), off == 0);
    }
}
