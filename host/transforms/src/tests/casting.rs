use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, BooleanArray, Decimal128Array, DurationSecondArray, Float32Array, Float64Array,
    Int32Array, Int64Array, ListArray, StringArray, TimestampMicrosecondArray,
    TimestampSecondArray, new_null_array,
};
use arrow_cast::display::array_value_to_string;
use arrow_schema::TimeUnit;
use serde_json::json;

use super::*;

fn cast(column: ArrayRef, to: &str, on_failure: &str) -> Result<ArrayRef, Fault> {
    let settings = json!({"columns": {"c": to}, "on_failure": on_failure});
    let out = run("cast", settings, &batch(vec![("c", column)]))?;
    Ok(Arc::clone(out.column(0)))
}

fn texts(texts: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(texts.to_vec()))
}

#[test]
fn a_value_that_would_change_is_never_passed_on() {
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.0, -0.0, 1.5, f64::NAN, 1e300]));
    let big = (1_i64 << 53) + 1;
    let wholes: ArrayRef = Arc::new(Int64Array::from(vec![1, big, i64::MAX]));
    let decimals: ArrayRef = Arc::new(
        Decimal128Array::from(vec![100, 125])
            .with_precision_and_scale(9, 2)
            .unwrap(),
    );
    for (column, to, fits) in [
        (
            Arc::clone(&floats),
            "int64",
            vec![true, true, false, false, false],
        ),
        (
            floats,
            "decimal(5, 2)",
            vec![true, true, true, false, false],
        ),
        (Arc::clone(&wholes), "float64", vec![true, false, false]),
        (wholes, "int32", vec![true, false, false]),
        (Arc::clone(&decimals), "decimal(9, 1)", vec![true, false]),
        (decimals, "int64", vec![true, false]),
        (
            texts(&["1.25", "1.255", "x", ""]),
            "decimal(9, 2)",
            vec![true, false, false, false],
        ),
        (
            texts(&["12", "1.5", "9223372036854775808"]),
            "int64",
            vec![true, false, false],
        ),
        (
            texts(&["2026-02-28", "2026-02-30"]),
            "date",
            vec![true, false],
        ),
        (texts(&["true", "maybe"]), "bool", vec![true, false]),
        (
            Arc::new(Int64Array::from(vec![0, 1, 2, -1])),
            "bool",
            vec![true, true, false, false],
        ),
        (
            Arc::new(Float64Array::from(vec![0.0, 1.0, 0.1])),
            "bool",
            vec![true, true, false],
        ),
        (
            Arc::new(Int64Array::from(vec![
                0,
                86_399_999_999,
                86_400_000_000,
                -1,
            ])),
            "time",
            vec![true, true, false, false],
        ),
        (
            texts(&["13:05", "1711852200", "10:11:12.1234567", "23:59:60"]),
            "time",
            vec![true, false, false, false],
        ),
        (
            texts(&["2026-02-28 10:00", "+1-2"]),
            "date",
            vec![false, false],
        ),
        (
            texts(&[
                "2026-01-01T10:00:00.5",
                "2026-01-01T10:00:00+02:00",
                "2026-01-01T10:00:00.1234567",
                "10:00",
            ]),
            "timestamp",
            vec![true, false, false, false],
        ),
        (
            texts(&["2026-01-01T10:00:00Z", "2026-01-01T10:00:00", "now"]),
            "timestamp[us, UTC]",
            vec![true, true, false],
        ),
        (
            texts(&["1.5", "inf", "1e400"]),
            "float64",
            vec![true, true, false],
        ),
        (
            Arc::new(Float64Array::from(vec![1.5, f64::INFINITY, 1e39])),
            "float32",
            vec![true, true, false],
        ),
    ] {
        let out = cast(Arc::clone(&column), to, "set_null").unwrap();
        let valid: Vec<bool> = (0..out.len()).map(|row| out.is_valid(row)).collect();
        assert_eq!(valid, fits, "{to} from {column:?}");
        assert!(cast(column, to, "fail").is_err(), "{to}");
    }
}

/// A float is the number that it is shown as, and what is written is what is meant.
#[test]
fn decimals_have_the_digits_that_are_written() {
    let shown = |column: ArrayRef, to: &str| {
        let out = cast(column, to, "set_null").unwrap();
        let shown = |row| {
            out.is_valid(row)
                .then(|| array_value_to_string(&out, row).unwrap())
        };
        (0..out.len()).map(shown).collect::<Vec<_>>()
    };
    let of = |texts: &[&str]| -> Vec<Option<String>> {
        let each = texts.iter();
        each.map(|text| (!text.is_empty()).then(|| (*text).to_owned()))
            .collect()
    };
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![123_456.7, 0.5, 1e20, 0.1 + 0.2]));
    for (column, to, expected) in [
        (
            Arc::clone(&floats),
            "decimal(38, 17)",
            [
                "123456.70000000000000000",
                "0.50000000000000000",
                "100000000000000000000.00000000000000000",
                "0.30000000000000004",
            ],
        ),
        (
            floats,
            "decimal(38, 1)",
            ["123456.7", "0.5", "100000000000000000000.0", ""],
        ),
        (
            texts(&[
                "1.000000000000000000000000000000000000001",
                "1.2500",
                " 125e-2 ",
                "1.255",
            ]),
            "decimal(9, 2)",
            ["", "1.25", "1.25", ""],
        ),
        (
            texts(&[
                "0.000000000000000000000000000000000000005",
                "1e15",
                "1e16",
                "NaN",
            ]),
            "decimal(76, 60)",
            [
                "0.000000000000000000000000000000000000005000000000000000000000",
                "1000000000000000.000000000000000000000000000000000000000000000000000000000000",
                "",
                "",
            ],
        ),
        (
            texts(&[
                "99999999999999999999999999999999999999999999999999",
                "1",
                "x",
                "",
            ]),
            "decimal(76, 0)",
            [
                "99999999999999999999999999999999999999999999999999",
                "1",
                "",
                "",
            ],
        ),
    ] {
        assert_eq!(shown(column, to), of(&expected), "{to}");
    }
    let large: ArrayRef = Arc::new(Float64Array::from(vec![(1_u64 << 60) as f64, -1e22]));
    let whole = ["1152921504606846976", "-10000000000000000000000"];
    assert_eq!(shown(Arc::clone(&large), "decimal(38, 0)"), of(&whole));
    let short: ArrayRef = Arc::new(Float32Array::from(vec![(1_u64 << 40) as f32, 0.1]));
    assert_eq!(
        shown(short, "decimal(38, 4)"),
        of(&["1099511627776.0000", "0.1000"])
    );
    // And back.
    let whole: ArrayRef = Arc::new(
        Decimal128Array::from(vec![1 << 60, (1 << 60) + 1, 1_234_567_890_123_456_800])
            .with_precision_and_scale(38, 0)
            .unwrap(),
    );
    let out = cast(whole, "float64", "set_null").unwrap();
    let valid: Vec<bool> = (0..3).map(|row| out.is_valid(row)).collect();
    assert_eq!(valid, [true, false, false]);
    assert_eq!(
        out.as_primitive::<Float64Type>().value(0),
        large.as_primitive::<Float64Type>().value(0)
    );
    let fine = |scale: i8| -> ArrayRef {
        let one = 10_i128.pow(scale.unsigned_abs().into());
        let fine = Decimal128Array::from(vec![one / 4, 2 * one, one / 10, one + 1]);
        Arc::new(fine.with_precision_and_scale(38, scale).unwrap())
    };
    for scale in [2, 20, 23, 36] {
        let out = shown(fine(scale), "float64");
        let exact = if scale == 2 { "1.01" } else { "" };
        assert_eq!(out, of(&["0.25", "2.0", "0.1", exact]), "{scale}");
    }
    let lengths: ArrayRef = Arc::new(DurationSecondArray::from(vec![1, 1 << 62]));
    assert_eq!(shown(lengths, "string"), of(&["PT1S", ""]));
}

#[test]
fn what_fits_has_the_same_value() {
    let out = cast(texts(&["12", "-3"]), "int64", "fail").unwrap();
    assert_eq!(out.as_primitive::<Int64Type>().values()[..], [12, -3]);
    let out = cast(texts(&["1.25"]), "decimal(9, 2)", "fail").unwrap();
    assert_eq!(out.as_primitive::<Decimal128Type>().values()[..], [125]);
    let out = cast(Arc::new(Int32Array::from(vec![7])), "float64", "fail").unwrap();
    assert_eq!(out.as_primitive::<Float64Type>().values()[..], [7.0]);
    let nulls: ArrayRef = Arc::new(Int64Array::from(vec![None, Some(1)]));
    let out = cast(nulls, "string", "fail").unwrap();
    assert_eq!(out.as_ref(), &StringArray::from(vec![None, Some("1")]));
}

#[test]
fn moments_are_cut_downwards_before_1970_as_well() {
    let moments: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![
        Some(1_999_999),
        Some(-1),
        Some(-1_000_000),
        None,
    ]));
    let out = cast(moments, "timestamp[s]", "fail").unwrap();
    let seconds = TimestampSecondArray::from(vec![Some(1), Some(-1), Some(-1), None]);
    assert_eq!(out.as_ref(), &seconds);
}

#[test]
fn the_first_value_that_does_not_fit_is_told() {
    let fault = cast(texts(&["1", "12,50", "x"]), "float64", "fail").unwrap_err();
    assert_eq!(
        told(&fault),
        "cast meets \"12,50\" in column c, which float64 can't hold\n\
         choose a wider type, or `on_failure: set_null` to have NULL in its place"
    );
}

#[test]
fn what_can_not_be_is_told_without_a_row() {
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1)])]);
    let fault = cast(Arc::new(list), "int64", "fail").unwrap_err();
    assert_eq!(
        fault.message,
        "cast can't make int64 from list<int64> of column c"
    );
    let time: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0]));
    let fault = cast(time, "timestamp[us, UTC]", "set_null").unwrap_err();
    assert_eq!(
        fault.message,
        "cast can't make timestamp[us, UTC] from timestamp[us] (a moment and a time without a \
         zone differ by a zone that nobody named) of column c"
    );
}

#[test]
fn moments_are_the_same_in_every_zone() {
    let berlin = TimestampMicrosecondArray::from(vec![1_000_000]).with_timezone("Europe/Berlin");
    let out = cast(Arc::new(berlin.clone()), "timestamp[s, UTC]", "fail").unwrap();
    let expected = TimestampSecondArray::from(vec![1]).with_timezone("UTC");
    assert_eq!(out.as_ref(), &expected);
    let fault = cast(Arc::new(berlin), "string", "fail").unwrap_err();
    assert!(fault.message.contains("a named zone needs"), "{fault:?}");
    let out = cast(
        texts(&["1970-01-01T01:00:01+01:00"]),
        "timestamp[s, UTC]",
        "fail",
    )
    .unwrap();
    assert_eq!(out.as_ref(), &expected);
}

#[test]
fn only_what_was_cast_loses_what_was_said_of_it() {
    let given = batch(vec![
        ("a", Arc::new(Int64Array::from(vec![1]))),
        ("b", texts(&["2"])),
        ("c", Arc::new(Int64Array::from(vec![3]))),
    ]);
    let settings = json!({"columns": {"b": "int64", "c": "int64"}});
    let out = run("cast", settings, &given).unwrap();
    let schema = out.schema();
    assert_eq!(schema.field(0), given.schema().field(0));
    assert_eq!(schema.field(2), given.schema().field(2));
    assert!(schema.field(1).metadata().is_empty());
    assert_eq!(type_of(&out, "b"), DataType::Int64);
}

/// A part of a second would be taken for a part of a tick.
#[test]
fn fractions_count_no_ticks() {
    for column in [
        Arc::new(Float64Array::from(vec![1.5])) as ArrayRef,
        Arc::new(Decimal128Array::from(vec![150])),
    ] {
        for to in ["timestamp", "time", "date"] {
            let fault = cast(Arc::clone(&column), to, "set_null").unwrap_err();
            assert!(fault.message.contains("only whole numbers"), "{fault:?}");
            assert!(fault.advice.unwrap().contains("`int64`"), "{to}");
        }
    }
}

/// Every pair of types either is refused when it is bound, or passes NULLs and nothing at all.
#[test]
fn nulls_pass_between_all_types() {
    let units = [
        TimeUnit::Second,
        TimeUnit::Millisecond,
        TimeUnit::Microsecond,
        TimeUnit::Nanosecond,
    ];
    let mut from = vec![
        DataType::Null,
        DataType::Boolean,
        DataType::Int8,
        DataType::UInt64,
        DataType::Float16,
        DataType::Float32,
        DataType::Utf8,
        DataType::LargeUtf8,
        DataType::Utf8View,
        DataType::Binary,
        DataType::BinaryView,
        DataType::FixedSizeBinary(4),
        DataType::Date32,
        DataType::Date64,
        DataType::Decimal128(9, 2),
        DataType::Decimal256(50, 2),
        DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
    ];
    from.extend(units.map(|unit| DataType::Timestamp(unit, None)));
    from.extend(units.map(DataType::Duration));
    let to = [
        "bool",
        "int8",
        "uint64",
        "float32",
        "float64",
        "decimal(9, 2)",
        "decimal(50, 3)",
        "string",
        "binary",
        "date",
        "time",
        "timestamp[s]",
        "timestamp[ns, UTC]",
    ];
    let mut possible = 0;
    for from in &from {
        for to in to {
            match cast(new_null_array(from, 3), to, "fail") {
                Ok(out) => {
                    possible += 1;
                    assert_eq!(out.logical_null_count(), 3, "{to} from {from}");
                }
                Err(fault) => {
                    assert!(fault.message.starts_with("cast can't make"), "{fault:?}");
                }
            }
        }
    }
    assert!(possible > 100, "{possible}");
}

#[test]
fn nulls_are_filled_with_a_value_of_the_column_s_type() {
    let given = batch(vec![
        ("i", Arc::new(Int32Array::from(vec![Some(1), None]))),
        ("s", Arc::new(StringArray::from(vec![None, Some("x")]))),
        ("b", Arc::new(BooleanArray::from(vec![None, Some(true)]))),
        ("whole", Arc::new(Int64Array::from(vec![5, 6]))),
    ]);
    let columns = json!({"i": 0, "s": "none", "b": false, "whole": 9});
    let out = run("fill_null", json!({"columns": columns}), &given).unwrap();
    let expected: [ArrayRef; 4] = [
        Arc::new(Int32Array::from(vec![1, 0])),
        texts(&["none", "x"]),
        Arc::new(BooleanArray::from(vec![false, true])),
        Arc::new(Int64Array::from(vec![5, 6])),
    ];
    assert_eq!(out.columns(), expected);
    assert!(!out.schema().field(0).is_nullable());
    assert_eq!(out.schema().field(0).metadata()["origin"], "i");
    assert!(
        out.schema().field(1).metadata().is_empty(),
        "what was said of a text's length may not hold"
    );
    for (column, value) in [
        ("i", json!("secret")),
        ("i", json!(1.5)),
        ("b", json!("maybe")),
    ] {
        let fault = run("fill_null", json!({"columns": {column: value}}), &given).unwrap_err();
        assert!(
            fault
                .message
                .starts_with("fill_null has a value for column"),
            "{fault:?}"
        );
        assert!(!format!("{fault:?}").contains("secret"));
    }
}

/// A moment in a named zone is that of its offset or of UTC.
#[test]
fn moments_of_a_named_zone_are_filled() {
    let zone = Some("Europe/Berlin".into());
    let given = batch(vec![(
        "at",
        new_null_array(&DataType::Timestamp(TimeUnit::Microsecond, zone), 1),
    )]);
    for (text, seconds) in [
        ("1970-01-01T00:00:07Z", 7),
        ("1970-01-01T01:00:08+01:00", 8),
    ] {
        let out = run("fill_null", json!({"columns": {"at": text}}), &given).unwrap();
        assert_eq!(out.column(0).data_type(), given.column(0).data_type());
        let at = out.column(0).as_primitive::<TimestampMicrosecondType>();
        assert_eq!(at.value(0), seconds * 1_000_000);
    }
}

#[test]
fn a_list_that_names_no_column_is_refused() {
    for kind in ["fill_null", "constant"] {
        let wrong = problems(kind, json!({"columns": {}}));
        assert!(wrong[0].contains("names no column"), "{wrong:?}");
    }
}

/// A number may have been written otherwise than it was read.
#[test]
fn numbers_that_were_rounded_stand_in_no_column() {
    let decimals = Decimal128Array::from(vec![None]).with_precision_and_scale(38, 2);
    let given = batch(vec![
        ("s", new_null_array(&DataType::Utf8, 1)),
        ("d", Arc::new(decimals.unwrap())),
        ("u", new_null_array(&DataType::UInt64, 1)),
    ]);
    let filled = |column: &str, value: Value| {
        let out = run("fill_null", json!({"columns": {column: value}}), &given)?;
        let at = out.schema().index_of(column).unwrap();
        Ok::<_, Fault>(array_value_to_string(out.column(at), 0).unwrap())
    };
    for (column, value) in [
        ("s", json!(1.1)),
        ("s", json!(7)),
        ("d", json!(12_345_678_901_234_568.0)),
        ("d", json!(0.123_456_789_012_345_68)),
    ] {
        let fault = filled(column, value).unwrap_err();
        assert!(
            fault
                .message
                .starts_with("fill_null has a number for column"),
            "{fault}"
        );
    }
    for (column, value, made) in [
        ("s", json!("007"), "007"),
        ("d", json!("12345678901234567.89"), "12345678901234567.89"),
        ("d", json!(0.5), "0.50"),
        ("u", json!(u64::MAX), "18446744073709551615"),
    ] {
        assert_eq!(filled(column, value).unwrap(), made);
    }
    let out = run("constant", json!({"columns": {"c": u64::MAX}}), &given).unwrap();
    assert_eq!(out.schema().field(3).data_type(), &DataType::UInt64);
}

#[test]
fn what_lies_beyond_the_calendar_has_no_text() {
    let days: ArrayRef = Arc::new(arrow_array::Date32Array::from(vec![
        Some(0),
        Some(i32::MAX),
        None,
    ]));
    let made = cast(Arc::clone(&days), "string", "set_null").unwrap();
    assert_eq!(
        made.as_string::<i32>().iter().collect::<Vec<_>>(),
        [Some("1970-01-01"), None, None]
    );
    let fault = cast(days, "string", "fail").unwrap_err();
    assert!(
        fault
            .message
            .contains("in column c, which string can't hold"),
        "{fault}"
    );
}

/// A merge goes by what a cast leaves of its key and its watermark.
#[test]
fn what_a_cast_leaves_of_values_is_told() {
    use hygge_core::Origin as O;
    let origin = |from: DataType, to: &str, on_failure: &str| {
        let settings = json!({"columns": {"c": to}, "on_failure": on_failure});
        let mut registry = Registry::default();
        crate::register(&mut registry);
        let kind = registry.transform("cast").unwrap();
        let cast = kind.build(&Settings::new(settings, []), &place()).unwrap();
        let schema = Arc::new(Schema::new(vec![Field::new("c", from, true)]));
        let bound = block_on(cast.bind(&schema, &Context::inline())).unwrap();
        bound.lineage().unwrap().columns.remove(0)
    };
    let (micros, millis) = (
        DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Timestamp(TimeUnit::Millisecond, None),
    );
    for (from, to, expected) in [
        (DataType::Int32, "int64", O::Same(0)),
        (DataType::Int64, "int32", O::Same(0)),
        (DataType::Float64, "int64", O::Same(0)),
        (millis.clone(), "timestamp[us]", O::Same(0)),
        (micros.clone(), "timestamp[ms]", O::Made(vec![0])),
        (micros, "date", O::Made(vec![0])),
        (DataType::Float64, "float32", O::Made(vec![0])),
        (DataType::Int64, "bool", O::Made(vec![0])),
        (DataType::Int64, "string", O::Apart(0)),
        (DataType::Utf8, "int64", O::Apart(0)),
        (DataType::Utf8, "date", O::Made(vec![0])),
    ] {
        assert_eq!(origin(from.clone(), to, "fail"), expected, "{from} to {to}");
    }
    assert_eq!(origin(DataType::Int32, "int64", "set_null"), O::Same(0));
    assert_eq!(
        origin(DataType::Int64, "int32", "set_null"),
        O::Made(vec![0])
    );
}

/// The value may be none of a dictionary's words.
#[test]
fn nulls_of_a_dictionary_are_filled() {
    let words: arrow_array::DictionaryArray<arrow_array::types::Int8Type> =
        [Some("a"), None, Some("b")].into_iter().collect();
    let words: ArrayRef = Arc::new(words);
    let given = RecordBatch::try_from_iter_with_nullable([("d", words, true)]).unwrap();
    let out = run("fill_null", json!({"columns": {"d": "c"}}), &given).unwrap();
    let filled: ArrayRef = Arc::new(StringArray::from(vec!["a", "c", "b"]));
    assert_eq!(out.column(0), &filled);
}
