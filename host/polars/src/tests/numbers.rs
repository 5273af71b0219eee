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
        ("dear", decimal(123_456_789, 9, 2)),
        ("share", decimal(312, 9, 4)),
        ("thin", decimal(5 * i128::pow(10, 29), 38, 30)),
        ("wide", decimal(1_500_000_000_000_000_000, 38, 18)),
        ("huge", decimal(i128::pow(10, 37), 38, 0)),
        ("i", Arc::new(Int32Array::from(vec![-7])) as ArrayRef),
        (
            "qty",
            Arc::new(Int64Array::from(vec![3_000_000_000])) as ArrayRef,
        ),
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
            "clock",
            Arc::new(arrow_array::Time64MicrosecondArray::from(vec![0])) as ArrayRef,
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
        ("-price * rate", "-1.31875", "decimal(38, 5)"),
        ("price * (1 - rate)", "-0.06875", "decimal(38, 5)"),
        ("price * (rate + 1)", "2.56875", "decimal(38, 5)"),
        ("COALESCE(price, 0) * rate", "1.31875", "decimal(38, 5)"),
        (
            "(CASE WHEN i > 0 THEN 0 ELSE price END) * rate",
            "1.31875",
            "decimal(38, 5)",
        ),
        ("ABS(-price) * rate", "1.31875", "decimal(38, 5)"),
        ("ROUND(price * i, 1) * rate", "-9.28400", "decimal(38, 5)"),
        ("price * i * rate", "-9.23125", "decimal(38, 5)"),
        ("i * price * rate", "-9.23125", "decimal(38, 5)"),
        ("price * rate * i", "-9.23125", "decimal(38, 5)"),
        (
            "qty * (price * 2) * rate",
            "7912500000.00000",
            "decimal(38, 5)",
        ),
        ("price / 4 * rate", "0.32705", "decimal(38, 5)"),
        // Integers are taken last, which need no places.
        (
            "qty * CAST(price AS DECIMAL(18, 2)) * CAST(rate AS DECIMAL(18, 4))",
            "3956250000.000000",
            "decimal(38, 6)",
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
        ("1 / price", "0.80", "decimal(38, 2)"),
        ("qty / price", "2400000000.00", "decimal(38, 2)"),
        ("1 / rate * price", "1.18500", "decimal(38, 5)"),
        ("1 / CAST(price AS DOUBLE)", "0.8", "float64"),
    ] {
        assert_eq!(one(text), (value.to_owned(), kind.to_owned()), "{text}");
    }
}

/// 1234567.89 is no decimal(9, 4), which Polars would bring both sides to.
#[test]
fn decimals_that_meet_get_a_type_that_holds_them() {
    for (text, value, kind) in [
        ("dear + share", "1234567.9212", "decimal(38, 4)"),
        ("share - dear", "-1234567.8588", "decimal(38, 4)"),
        ("dear * share", "38518.518168", "decimal(38, 6)"),
        ("dear / share", "39569483.6538", "decimal(38, 4)"),
        ("dear > share", "true", "bool"),
        ("share BETWEEN 0 AND dear", "true", "bool"),
        ("share = 12345678901", "false", "bool"),
        ("share + 12345678", "12345678.0312", "decimal(38, 4)"),
        (
            "CASE WHEN i < 0 THEN dear ELSE share END",
            "1234567.8900",
            "decimal(11, 4)",
        ),
        ("COALESCE(dear, share)", "1234567.8900", "decimal(11, 4)"),
        ("GREATEST(share, dear)", "1234567.8900", "decimal(11, 4)"),
        ("LEAST(share, dear, 0)", "0.0000", "decimal(11, 4)"),
        ("COALESCE(price, 0)", "1.25", "decimal(38, 2)"),
        ("CASE WHEN i < 0 THEN price END", "1.25", "decimal(9, 2)"),
        ("NULLIF(dear, share)", "1234567.89", "decimal(9, 2)"),
    ] {
        assert_eq!(one(text), (value.to_owned(), kind.to_owned()), "{text}");
    }
    let kept = filter("dear > share", &row()).unwrap();
    assert_eq!(kept.num_rows(), 1);
    for text in [
        "huge + price",
        "huge * price",
        "huge > price",
        "huge / price",
        "thin + qty",
        "thin * qty",
        "thin > qty",
        "thin / qty",
    ] {
        let made = derive(text, &row());
        let fault = made.expect_err(text);
        assert!(fault.message.contains("can't hold it"), "{text}: {fault:?}");
    }
    for (text, why) in [
        (
            "thin + 12345678901",
            "meets 12345678901, and decimal(38, 30) can't hold it",
        ),
        (
            "thin <= 12345678901",
            "meets 12345678901, and decimal(38, 30) can't hold it",
        ),
        (
            "CEIL(CAST('9999999.99' AS DECIMAL(9, 2)))",
            "(decimal precision 9 can't fit values with 10 digits)",
        ),
    ] {
        let fault = derive(text, &row()).expect_err(text);
        assert!(fault.message.contains(why), "{text}: {fault:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// As integers are, or failing; never NULL.
    #[test]
    fn decimals_are_exact_or_fail(
        (p, s) in (1..=38_u8).prop_flat_map(|p| (Just(p), 0..=p)),
        (q, t) in (1..=38_u8).prop_flat_map(|p| (Just(p), 0..=p)),
        left in any::<i128>(),
        right in any::<i128>(),
    ) {
        let (left, right) = (left % 10_i128.pow(p.into()), right % 10_i128.pow(q.into()));
        let column = |value: i128, p, s: u8| -> ArrayRef {
            let column = Decimal128Array::from(vec![value]);
            Arc::new(column.with_precision_and_scale(p, i8::try_from(s).unwrap()).unwrap())
        };
        let given =
            RecordBatch::try_from_iter([("a", column(left, p, s)), ("b", column(right, q, t))]);
        let given = given.unwrap();
        let made = |text: &str| {
            let made = derive(text, &given).ok()?;
            assert_eq!(made.null_count(), 0, "{text}");
            Some(made)
        };
        let places = s.max(t);
        let scaled = |value: i128, s: u8| value.checked_mul(10_i128.pow((places - s).into()));
        let both = scaled(left, s).zip(scaled(right, t));
        let fits = |text: &str| match text {
            "a * b" => p + q <= 38,
            _ => (p - s).max(q - t) + 1 + places <= 38,
        };
        for text in ["a + b", "a - b", "a > b", "a * b", "COALESCE(a, b)", "LEAST(a, b)"] {
            let Some(made) = made(text) else {
                prop_assert!(!fits(text), "{} fails", text);
                continue;
            };
            let value = |scale: i8| {
                let made = made.as_primitive::<arrow_array::types::Decimal128Type>();
                assert_eq!(made.scale(), scale, "{text}");
                made.value(0)
            };
            let places = i8::try_from(places).unwrap();
            match (text, both) {
                ("a > b", Some((left, right))) => {
                    prop_assert_eq!(made.as_boolean().value(0), left > right);
                }
                ("a + b", Some((left, right))) => prop_assert_eq!(value(places), left + right),
                ("a - b", Some((left, right))) => prop_assert_eq!(value(places), left - right),
                ("a * b", _) if fits(text) => {
                    prop_assert_eq!(value(i8::try_from(s + t).unwrap()), left * right);
                }
                ("COALESCE(a, b)", Some((left, _))) => prop_assert_eq!(value(places), left),
                ("LEAST(a, b)", Some((left, right))) => {
                    prop_assert_eq!(value(places), left.min(right));
                }
                _ => {}
            }
        }
    }
}

#[test]
fn numbers_are_as_documented() {
    for (text, value) in [
        ("CAST(price AS DECIMAL(9, 1))", "1.2"),
        ("CAST('1.255' AS DECIMAL(9, 2))", "1.26"),
        ("CAST(CAST('2.50' AS DECIMAL(9, 2)) AS BIGINT)", "2"),
        ("CAST(CAST('-1.50' AS DECIMAL(9, 2)) AS BIGINT)", "-2"),
        ("CAST(f AS BIGINT)", "-2"),
        ("CAST(-1.75 AS BIGINT)", "-1"),
        ("ROUND(price, 1)", "1.20"),
        ("ROUND(f)", "-2.0"),
        ("i / 2", "-3.5"),
        ("i // 2", "-4"),
        ("i % 2", "1"),
        ("MOD(i, 2)", "1"),
        ("i // 0", "NULL"),
        ("i % 0", "NULL"),
        ("i / 0", "-inf"),
        ("most > 5", "true"),
        ("CAST(most AS DECIMAL(20, 0)) > -1", "true"),
        ("CAST(most AS DECIMAL(20, 0)) = qty", "false"),
        ("price IN (1.25, 3.5)", "true"),
        ("price || '1'", "1.251"),
        ("price IN (1, 2)", "false"),
        ("2147483647 + 1", "2147483648"),
        ("(CASE WHEN i < 0 THEN 1 END) + 5000000000", "5000000001"),
        ("POWER(i, 2)", "49"),
        ("ABS(i)", "7"),
        ("9007199254740993 // 1", "9007199254740993"),
        ("STRPOS(none, 'b')", "0"),
        ("EXTRACT(MONTH FROM DATE '2024-12-01') * 100", "1200"),
        ("EXTRACT(DAY FROM zoned) + 127", "129"),
        ("EXTRACT(DOW FROM DATE '2024-02-01') * 1000", "4000"),
        ("DATE_PART('week', DATE '2024-12-01') * 100", "4800"),
        ("CAST(i AS SMALLINT) * 20000", "-140000"),
        ("CAST(100 AS TINYINT) + CAST(100 AS TINYINT)", "200"),
        ("CAST(123456789012345.67 AS DOUBLE) > price", "true"),
        (
            "CAST('12345678901234567.89' AS DECIMAL(38, 2)) > 12345678901234500.0",
            "true",
        ),
        ("CAST('0.3' AS DECIMAL(38, 20)) = 0.3", "true"),
        (
            "CAST('0.30000000000000001' AS DECIMAL(38, 20)) > 0.3",
            "true",
        ),
        (
            "CAST('12345678901234567890.1' AS DECIMAL(38, 1)) = 12345678901234500000.0",
            "false",
        ),
        ("price < 1.0e300", "true"),
        ("price > -1.0e300", "true"),
        ("-price = -1.25", "true"),
        ("CAST(0.1 AS REAL) IN (0.1)", "true"),
        ("CAST(0.1 AS REAL) NOT IN (0.1, 2.5)", "false"),
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
            "SQRT('4')",
            "SQRT is of numbers, and string is none\nmake a number of it before: `CAST(… AS DOUBLE)`",
        ),
        (
            "LN(day)",
            "LOG is of numbers, and date is none\nmake a number of it before: `CAST(… AS DOUBLE)`",
        ),
        (
            "ATAN2(1.0, at)",
            "ARCTAN2 is of numbers, and timestamp[us] is none\nmake a number of it before: `CAST(… AS \
             DOUBLE)`",
        ),
        (
            "CAST(i AS TIME)",
            "int32 can't be cast to time\nthe `cast` transform takes what it counts: microseconds for a \
             `time`",
        ),
        (
            "CAST(clock AS BIGINT)",
            "time can't be cast to int64\ntake its parts: `EXTRACT(HOUR FROM …)`",
        ),
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
        (
            "price BETWEEN '1' AND '2'",
            "cannot compare string with numeric type (decimal(9, 2))\nwrite numbers without quotes, and \
             texts as numbers: `CAST(… AS DECIMAL(…))`",
        ),
        (
            "CASE WHEN none <> price * 2 THEN 1 END",
            "cannot compare string with numeric type (decimal(38, 2))\nwrite numbers without quotes, and \
             texts as numbers: `CAST(… AS DECIMAL(…))`",
        ),
        (
            "price + '1'",
            "decimal(9, 2) and string don't add up\nwrite numbers without quotes, and texts as numbers: \
             `CAST(… AS DECIMAL(…))`",
        ),
        (
            "STRFTIME(at, '%Q')",
            "cannot format timezone-naive Datetime with format '%Q'\nthe usual codes are `%Y-%m-%d \
             %H:%M:%S`; others are in Polars' documentation",
        ),
        (
            "price IN (1.25, 1.255)",
            "1.255 has more places than decimal(9, 2) has\nleave it out: no value of that type equals it",
        ),
        (
            "CAST('2024-01-02T03:04' AS TIMESTAMP)",
            "it meets \"2024-01-02T03:04\", and timestamp[us] can't hold it\nwrite it as the \
             `cast` transform takes it; `TRY_CAST(… AS …)` gives NULL for what doesn't fit",
        ),
        (
            "most = qty",
            "uint64 and int64 have no whole number type that holds both\nsay as what: `CAST(… AS \
             DECIMAL(20, 0))` holds every uint64",
        ),
        (
            "COALESCE(most, i)",
            "uint64 and int32 have no whole number type that holds both\nsay as what: `CAST(… AS \
             DECIMAL(20, 0))` holds every uint64",
        ),
        (
            "most > -1",
            "uint64 and a number that may be negative have no whole number type that holds both\nsay as \
             what: `CAST(… AS DECIMAL(20, 0))` holds every uint64",
        ),
        (
            "day + INTERVAL '1 hour'",
            "a date has no hours, which this adds to one\nadd them to a moment: `CAST(… AS TIMESTAMP) + …`; \
             whole days can be added to a date",
        ),
        (
            "day - (at - at)",
            "a date has no hours, which this adds to one\nadd them to a moment: `CAST(… AS TIMESTAMP) + …`; \
             whole days can be added to a date",
        ),
        (
            "(at - at) + INTERVAL '1 hour'",
            "an interval is added to a moment, and this is one that stands first\nwrite the interval before \
             it: `INTERVAL '1 hour' + (b - a)`",
        ),
        (
            "clock > '10:00'",
            "cannot compare 'date/datetime/time' to a string value\nwrite it as one: `TIME '10:00:00'`, `INTERVAL \
             '2 hours'`",
        ),
        (
            "(CASE WHEN i < 0 THEN 2147483647 END) + 1",
            "it meets 2147483647 + 1, which is beyond int32\ngive one of them more room before: `CAST(… AS \
             BIGINT)`",
        ),
        (
            "POWER(qty, 3)",
            "it meets POWER(3000000000, 3), which is beyond int64\ngive one of them more room before: `CAST(… \
             AS DECIMAL(38, 0))`",
        ),
        (
            "ABS(CAST('-2147483648' AS INT))",
            "it meets ABS(-2147483648), which is beyond int32\ngive one of them more room before: `CAST(… AS \
             BIGINT)`",
        ),
        (
            "f // 0",
            "it meets -inf, and int64 can't hold it\ncompute it in a type with more room (`CAST(… AS DOUBLE)` \
             has it, and rounds), or leave such rows out before (`filter`)",
        ),
        (
            "most // 1",
            "it meets 18446744073709551615, and int64 can't hold it\ncompute it in a type with more room \
             (`CAST(… AS DOUBLE)` has it, and rounds), or leave such rows out before (`filter`)",
        ),
        (
            "most + 1",
            "it meets 18446744073709551615 + 1, which is beyond uint64\ngive one of them more room before: \
             `CAST(… AS DECIMAL(38, 0))`",
        ),
        (
            "i * 306783379",
            "it meets -7 * 306783379, which is beyond int32\ngive one of them more room before: `CAST(… AS \
             BIGINT)`",
        ),
        (
            "CAST(qty AS TINYINT)",
            "it meets 3000000000 in column qty, which is int64, and int8 can't hold it\n`TRY_CAST(… AS …)` \
             gives NULL for what doesn't fit",
        ),
        (
            "CAST(i AS SMALLINT UNSIGNED)",
            "expressions know no uint16\nwrite one that has more room: `CAST(… AS INT UNSIGNED)`",
        ),
        (
            "POWER(2, i)",
            "it meets POWER(2, -7), which is beyond int32\nmake a float of it before: `POWER(CAST(… AS DOUBLE), \
             …)`",
        ),
        (
            "price / (price - price)",
            "division by zero Decimal\n`NULLIF(…, 0)` makes NULL of what is divided by zero",
        ),
        (
            "price = 12345678901234567.89",
            "12345678901234568 has more digits than a number with a point keeps\nwrite it as a decimal: \
             `CAST('…' AS DECIMAL(38, 2))`",
        ),
        (
            "price NOT IN (1.25, 12345678901234567.89)",
            "12345678901234568 has more digits than a number with a point keeps\ncompare it with a decimal: `… = \
             CAST('…' AS DECIMAL(38, 2))`",
        ),
        (
            "(price > 1) = 'TRUE'",
            "cannot compare string with bool\nwrite it without quotes: `… = TRUE`; a text that says it, `… = \
             'true'`",
        ),
        (
            "TRY_CAST(none AS BOOLEAN)",
            "string is neither true nor false\ncompare it with something: `… <> 0`, `… = 'true'`",
        ),
        (
            "NOT none",
            "string is neither true nor false\ncompare it with something: `… <> 0`, `… = 'true'`",
        ),
        (
            "CAST(price > 1 AS DECIMAL(3, 1))",
            "bool can't be cast to decimal(3, 1)\nmake a number of it before: `CAST(… AS INT)`",
        ),
        (
            "(at - at) || ''",
            "duration[us] can't be cast to string\ntake its seconds: `EXTRACT(EPOCH FROM …)`",
        ),
        (
            "none = clock",
            "cannot compare 'date/datetime/time' to a string value\nwrite it as one: `TIME '10:00:00'`, `INTERVAL \
             '2 hours'`",
        ),
        (
            "DATE(none)",
            "it reads texts of any form, of which it would see the first of each batch\nsay the form, as in \
             `DATE(…, '%d.%m.%Y')`, or cast: `CAST(… AS DATE)`",
        ),
        (
            "STRPTIME('7' || i, '%Y')",
            "it meets \"7-7\", and timestamp[us] can't hold it\nleave such rows out before (`filter`)",
        ),
        (
            "CORR(i, qty)",
            "its value would depend on which rows happen to pass together\ncompute it where all rows are: in \
             the query of the home, or after",
        ),
        (
            "REGEXP_LIKE(none, '[')",
            "the pattern can't be read: unclosed character class\n`\\` makes the next character stand for \
             itself: `\\[`",
        ),
    ] {
        let whole = format!("derive can't compute made as `{text}`: {expected}");
        assert_eq!(told(text), whole);
    }
}

#[test]
fn a_case_of_hundreds_of_decimals_is_bound() {
    let whens: String = (0..200)
        .map(|n| format!("WHEN i = {n} THEN price * {n} "))
        .collect();
    let text = format!("CASE {whens}ELSE dear END");
    assert_eq!(one(&text), ("1234567.89".into(), "decimal(38, 2)".into()));
}

#[test]
fn whole_days_are_added_to_a_date() {
    for (text, expected) in [
        ("day + INTERVAL '1 day'", "1970-01-02"),
        ("day - INTERVAL '48 hours'", "1969-12-30"),
        ("day + INTERVAL '1 month'", "1970-02-01"),
        ("day + (day - day)", "1970-01-01"),
        ("day + INTERVAL '1 day' * 2", "1970-01-03"),
        ("day - i * INTERVAL '1 day'", "1970-01-08"),
    ] {
        assert_eq!(
            one(text),
            (expected.to_owned(), "date".to_owned()),
            "{text}"
        );
    }
}
