//! What docs/transforms.md says of numbers and moments.

use arrow_array::{Decimal128Array, Int32Array, UInt64Array};
use arrow_cast::display::array_value_to_string;

use super::*;

/// One row.
fn row() -> RecordBatch {
    let decimal = |value, precision, scale| -> ArrayRef {
        let column = Decimal128Array::from(vec![value]);
        Arc::new(column.with_precision_and_scale(precision, scale).unwrap())
    };
    RecordBatch::try_from_iter([
        ("price", decimal(1_25, 9, 2)),
        ("rate", decimal(1_055, 9, 3)),
        ("wide", decimal(1_500_000_000_000_000_000, 38, 18)),
        ("huge", decimal(i128::pow(10, 37), 38, 0)),
        ("i", Arc::new(Int32Array::from(vec![-7])) as ArrayRef),
        ("f", Arc::new(Float64Array::from(vec![-2.5])) as ArrayRef),
        (
            "most",
            Arc::new(UInt64Array::from(vec![u64::MAX])) as ArrayRef,
        ),
        (
            "none",
            Arc::new(StringArray::from(vec![None::<&str>])) as ArrayRef,
        ),
        (
            "day",
            Arc::new(arrow_array::Date32Array::from(vec![0])) as ArrayRef,
        ),
        (
            "at",
            Arc::new(arrow_array::TimestampMicrosecondArray::from(vec![0])) as ArrayRef,
        ),
        (
            // 2024-01-01T23:30Z, half past midnight of the next day there.
            "zoned",
            Arc::new(
                arrow_array::TimestampMillisecondArray::from(vec![1_704_151_800_000])
                    .with_timezone("Europe/Oslo"),
            ) as ArrayRef,
        ),
    ])
    .unwrap()
}

fn one(text: &str) -> (String, String) {
    let made = derive(text, &row()).unwrap();
    let value = match made.is_null(0) {
        true => "NULL".to_owned(),
        false => array_value_to_string(&made, 0).unwrap(),
    };
    (value, type_name(made.data_type()))
}

#[test]
fn a_product_of_decimals_is_exact_where_there_is_room() {
    for (text, value, kind) in [
        ("price * price", "1.5625", "decimal(38, 4)"),
        ("price * rate", "1.31875", "decimal(38, 5)"),
        ("price * price * price", "1.953125", "decimal(38, 6)"),
        ("(price + price) * rate", "2.63750", "decimal(38, 5)"),
        ("price * 2", "2.50", "decimal(38, 2)"),
        (
            "CAST(price * rate AS DECIMAL(9, 2))",
            "1.32",
            "decimal(9, 2)",
        ),
        // There are 38 digits, and those before the point come first.
        ("wide * price", "1.875000000000000000", "decimal(38, 18)"),
        (
            "CAST(wide AS DECIMAL(20, 4)) * price",
            "1.875000",
            "decimal(38, 6)",
        ),
        // What isn't a product has the places of the one that has more.
        ("price + rate", "2.305", "decimal(38, 3)"),
        ("price / 3", "0.42", "decimal(9, 2)"),
        (
            "CAST(price AS DECIMAL(38, 6)) / 3",
            "0.416667",
            "decimal(38, 6)",
        ),
        ("CAST(price AS DOUBLE) / 3", "0.4166666666666667", "float64"),
    ] {
        assert_eq!(one(text), (value.to_owned(), kind.to_owned()), "{text}");
    }
}

#[test]
fn numbers_are_as_documented() {
    for (text, value) in [
        ("CAST(price AS DECIMAL(9, 1))", "1.2"),
        ("CAST('1.255' AS DECIMAL(9, 2))", "1.26"),
        ("ROUND(price, 1)", "1.20"),
        ("ROUND(f)", "-2.0"),
        ("i / 2", "-3.5"),
        ("i // 2", "-4"),
        ("i % 2", "1"),
        ("MOD(i, 2)", "1"),
        ("i // 0", "NULL"),
        ("i % 0", "NULL"),
        ("i / 0", "-inf"),
        ("most + 1", "0"),
        ("i - 2147483647", "2147483642"),
        ("STRPOS(none, 'b')", "0"),
    ] {
        assert_eq!(one(text).0, value, "{text}");
    }
}

#[test]
fn casts_of_a_moment_take_utc_and_its_parts_its_zone() {
    for (text, value) in [
        ("CAST(zoned AS DATE)", "2024-01-01"),
        (
            "CAST(CAST(zoned AS TIMESTAMP) AS VARCHAR)",
            "2024-01-01 23:30:00.000000",
        ),
        ("EXTRACT(DAY FROM zoned)", "2"),
        ("STRFTIME(zoned, '%Y-%m-%d')", "2024-01-02"),
    ] {
        assert_eq!(one(text).0, value, "{text}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_reason() {
    let told = |text: &str| told(&derive(text, &row()).unwrap_err());
    for (text, expected) in [
        (
            "i = NULL",
            "NULL has no type there\n`IS NULL` and `IS NOT NULL` test for it, `CAST(NULL AS …)` gives \
             it a type",
        ),
        (
            "huge * huge",
            "overflow in decimal multiplication for 10000000000000000000000000000000000000 * \
             10000000000000000000000000000000000000\ncompute it in a type with more room (`CAST(… AS \
             DOUBLE)` has it, and rounds), or leave such rows out before (`filter`)",
        ),
        (
            "day = '2024-02-29'",
            "cannot compare 'date/datetime/time' to a string value\nwrite it as one: `DATE \
             '2024-12-31'`",
        ),
        (
            "at >= '2024-01-01'",
            "cannot compare 'date/datetime/time' to a string value\nwrite it as one: `TIMESTAMP \
             '2024-12-31 10:00:00'`",
        ),
        (
            "i = '7'",
            "cannot compare string with numeric type (int32)\ni is int32; `CAST(… AS …)` gives another \
             type",
        ),
    ] {
        let whole = format!("derive can't compute made as `{text}`: {expected}");
        assert_eq!(told(text), whole);
    }
}
