//! Dates, times and moments in expressions: as text they are what files and `cast` take for them.

use arrow_array::{
    Date32Array, DurationMillisecondArray, Time64NanosecondArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray,
};
use arrow_cast::display::array_value_to_string;

use super::*;

/// One row; `us` is a moment before 1970, `far` the last millisecond of 9999, `last` the last
/// nanosecond that there is.
fn row() -> RecordBatch {
    const FAR: i64 = 253_402_300_799_999;
    batch(vec![
        (
            "ms",
            Arc::new(TimestampMillisecondArray::from(vec![-1])) as ArrayRef,
        ),
        (
            "us",
            Arc::new(TimestampMicrosecondArray::from(vec![-1_000])),
        ),
        (
            "ns",
            Arc::new(TimestampNanosecondArray::from(vec![-999_999])),
        ),
        ("far", Arc::new(TimestampMillisecondArray::from(vec![FAR]))),
        (
            "last",
            Arc::new(TimestampNanosecondArray::from(vec![i64::MAX])),
        ),
        ("day", Arc::new(Date32Array::from(vec![19_723]))),
        (
            "clock",
            Arc::new(Time64NanosecondArray::from(vec![86_399_999_999_999])),
        ),
        (
            "long",
            Arc::new(DurationMillisecondArray::from(vec![7_200_001])),
        ),
        ("n", Arc::new(Int64Array::from(vec![2]))),
    ])
}

fn one(text: &str) -> (String, String) {
    let made = derive(text, &row()).unwrap();
    (
        array_value_to_string(&made, 0).unwrap(),
        type_name(made.data_type()),
    )
}

fn texts(texts: &[&str]) -> RecordBatch {
    batch(vec![("s", Arc::new(StringArray::from(texts.to_vec())))])
}

#[test]
fn text_is_cast_as_files_are_read() {
    for (text, to, same) in [
        (
            "2024-01-01 10:00:00",
            "TIMESTAMP",
            "TIMESTAMP '2024-01-01 10:00:00'",
        ),
        (
            "2024-01-01T10:00:00.5",
            "TIMESTAMP",
            "TIMESTAMP '2024-01-01 10:00:00.5'",
        ),
        ("2024-02-29", "DATE", "DATE '2024-02-29'"),
        ("10:00:00", "TIME", "TIME '10:00:00'"),
        ("10:00", "TIME", "TIME '10:00:00'"),
    ] {
        let rows = texts(&[text]);
        let made = derive(&format!("CAST(s AS {to}) = {same}"), &rows).unwrap();
        assert!(made.as_boolean().value(0), "{text}");
    }
}

#[test]
fn text_that_is_none_is_null_or_an_error() {
    for (text, to) in [
        ("2024-01-01T10:00:00+02:00", "TIMESTAMP"),
        ("2024-02-30T10:00:00", "TIMESTAMP"),
        ("x", "TIMESTAMP"),
        ("2024-01-01 10:00:00", "DATE"),
        ("2024-02-30", "DATE"),
        ("24:00:00", "TIME"),
        ("", "TIME"),
    ] {
        let rows = texts(&[text, text]);
        let made = derive(&format!("TRY_CAST(s AS {to})"), &rows).unwrap();
        assert_eq!(made.null_count(), 2, "{text}");
        let fault = derive(&format!("CAST(s AS {to})"), &rows).unwrap_err();
        assert!(
            fault
                .message
                .contains(&format!("it meets {text:?} in column s")),
            "{fault:?}"
        );
        assert_eq!(fault.attribute("column"), Some("s"));
    }
    let nulls = batch(vec![("s", new_null_array(&DataType::Utf8, 2))]);
    let made = derive("CAST(s AS TIMESTAMP)", &nulls).unwrap();
    assert_eq!(made.null_count(), 2);
}

#[test]
fn a_day_that_there_is_not_is_refused_where_it_is_written() {
    for text in [
        "DATE '2024-13-01'",
        "id = 1 AND DATE '2024-02-30' > DATE '2024-01-01'",
        "TIMESTAMP '2024-02-30 10:00:00' IS NULL",
        "TIME '25:00:00' IS NULL",
    ] {
        let why = problem("filter", json!({"where": text}));
        assert!(why.contains("which there is not"), "{why}");
    }
    assert_eq!(
        problem("filter", json!({"where": "DATE '2024-13-01' IS NULL"})),
        "/where: filter: the expression `DATE '2024-13-01' IS NULL` has DATE '2024-13-01', which there is \
         not\nwrite it like DATE '2026-01-31'"
    );
}

#[test]
fn an_interval_that_is_none_or_too_long_is_refused_where_it_is_written() {
    for interval in [
        "INTERVAL 'abc'",
        "INTERVAL ''",
        "INTERVAL '1'",
        "INTERVAL '1i'",
        "INTERVAL '1.5 hours'",
        "INTERVAL '1 parsec'",
        "INTERVAL '99999999999999999999 days'",
        "INTERVAL '9223372036854775807 weeks'",
        "INTERVAL '200000 days'",
        "INTERVAL '10001 years'",
        "INTERVAL '\u{e9} day'",
    ] {
        let text = format!("TIMESTAMP '2024-01-31 10:00:00' + {interval}");
        assert_eq!(
            problem("derive", json!({"columns": {"made": text}})),
            format!(
                "/columns/made: derive: the expression `{text}` has {interval}, which there is not\nwrite it \
                 like INTERVAL '1 year 2 days 12 hours'; days and hours are less than 292 years"
            )
        );
    }
    for (interval, expected) in [
        ("1 year, 2 mons 3d 4h", "2025-04-03T14:00:00"),
        ("+1 Day", "2024-02-01T10:00:00"),
        ("106751 days", "2316-05-11T10:00:00"),
        ("100 years 1 ms", "2124-01-31T10:00:00.001"),
    ] {
        let text = format!("TIMESTAMP '2024-01-31 10:00:00' + INTERVAL '{interval}'");
        let made = derive(&text, &texts(&["x"])).unwrap();
        let shown = array_value_to_string(&made, 0).unwrap();
        assert_eq!(shown, expected, "{interval}");
    }
    let why = problem(
        "filter",
        json!({"where": "INTERVAL '1 month' > INTERVAL '30 days'"}),
    );
    assert!(why.contains("has one interval beside another"), "{why}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever stands there.
    #[test]
    fn no_interval_ends_the_program(text in "[-+]?[0-9]{0,20} ?(day|s|mo|y|\\PC{0,3}),?[ 0-9]{0,3}[a-z]{0,5}") {
        let text = text.replace('\'', "''");
        let text = format!("day + INTERVAL '{text}'");
        let settings = Settings::new(json!({"columns": {"made": text}}), []);
        let planned = registry().transform("derive").unwrap().plan(&settings, &place());
        if let Err(problems) = planned {
            prop_assert!(problems.iter().all(|each| !each.message.contains("overflow")));
        }
    }
}

#[test]
fn moments_of_different_units_lose_nothing() {
    for (text, value, kind) in [
        ("ms = us", "true", "bool"),
        ("us = ns", "false", "bool"),
        ("us < ns", "true", "bool"),
        ("ns <= ms", "false", "bool"),
        ("us IS DISTINCT FROM ns", "true", "bool"),
        ("ms IS NOT DISTINCT FROM us", "true", "bool"),
        ("ns > TIMESTAMP '1969-12-31 23:59:59.999'", "true", "bool"),
        (
            "ms >= TIMESTAMP '1969-12-31 23:59:59.9995'",
            "false",
            "bool",
        ),
        ("last < TIMESTAMP '9999-12-31 00:00:00'", "true", "bool"),
        ("last < far", "true", "bool"),
        ("last < DATE '9999-12-31'", "true", "bool"),
        ("last > DATE '2262-04-11'", "true", "bool"),
        ("ns >= DATE '1970-01-01'", "false", "bool"),
        ("ns BETWEEN us AND DATE '1970-01-01'", "true", "bool"),
        (
            "ms IN (TIMESTAMP '1969-12-31 23:59:59.9995', TIMESTAMP '1969-12-31 23:59:59.999')",
            "true",
            "bool",
        ),
        (
            "ms IN (TIMESTAMP '1969-12-31 23:59:59.9995')",
            "false",
            "bool",
        ),
        (
            "ns IN (TIMESTAMP '1969-12-31 23:59:59.999')",
            "false",
            "bool",
        ),
        ("ns - us", "PT0.000000001S", "duration[ns]"),
        ("us - ms", "P0D", "duration[us]"),
        (
            "COALESCE(ms, ns)",
            "1969-12-31T23:59:59.999",
            "timestamp[ns]",
        ),
        (
            "GREATEST(ns, us)",
            "1969-12-31T23:59:59.999000001",
            "timestamp[ns]",
        ),
        (
            "CASE WHEN n = 2 THEN ns ELSE ms END",
            "1969-12-31T23:59:59.999000001",
            "timestamp[ns]",
        ),
        (
            "CASE WHEN n = 2 THEN far ELSE us END",
            "9999-12-31T23:59:59.999",
            "timestamp[us]",
        ),
        ("long > INTERVAL '2 hours'", "true", "bool"),
        ("ns - us > INTERVAL '1 us'", "false", "bool"),
        (
            "ns + long",
            "1970-01-01T02:00:00.000000001",
            "timestamp[ns]",
        ),
        (
            "us + INTERVAL '1 day' * n",
            "1970-01-02T23:59:59.999",
            "timestamp[us]",
        ),
        (
            "ms + INTERVAL '500 microseconds'",
            "1969-12-31T23:59:59.999500",
            "timestamp[us]",
        ),
        (
            "us - INTERVAL '1 nanosecond'",
            "1969-12-31T23:59:59.998999999",
            "timestamp[ns]",
        ),
        (
            "TIMESTAMP '2024-01-01 00:00:00' + INTERVAL '500 nanoseconds'",
            "2024-01-01T00:00:00.000000500",
            "timestamp[ns]",
        ),
        (
            "far + INTERVAL '1 hour'",
            "+10000-01-01T00:59:59.999",
            "timestamp[ms]",
        ),
        (
            "CAST(ns AS TIMESTAMP)",
            "1969-12-31T23:59:59.999",
            "timestamp[us]",
        ),
        (
            "CAST(us AS TIMESTAMP(9))",
            "1969-12-31T23:59:59.999",
            "timestamp[ns]",
        ),
    ] {
        assert_eq!(one(text), (value.to_owned(), kind.to_owned()), "{text}");
    }
    // Each is looked at once, however many stand in each other.
    let days = format!("ns{}", " + INTERVAL '1 day'".repeat(60));
    assert_eq!(one(&days).0, "1970-03-01T23:59:59.999000001");
}

/// Though no column has one.
#[test]
fn moments_of_texts_are_moments() {
    let rows = texts(&["2024-01-31 10:00:00"]);
    for (text, value) in [
        (
            "STRPTIME(s, '%Y-%m-%d %H:%M:%S') - INTERVAL '1 nanosecond'",
            "2024-01-31T09:59:59.999999999",
        ),
        (
            "CASE WHEN s > '' THEN TIMESTAMP '2024-01-01 00:00:00' + INTERVAL '500 nanoseconds' END",
            "2024-01-01T00:00:00.000000500",
        ),
    ] {
        let made = derive(text, &rows).unwrap();
        assert_eq!(array_value_to_string(&made, 0).unwrap(), value, "{text}");
    }
    let far = "TIMESTAMP '9999-12-31 00:00:00' + INTERVAL '1 nanosecond'";
    let fault = derive(far, &rows).unwrap_err();
    assert!(
        fault.message.contains("timestamp[ns] can't hold it"),
        "{fault:?}"
    );
    // What a cast makes of a column isn't what stands in it.
    let far = texts(&["9999-12-31 00:00:00"]);
    let text = "CASE WHEN s < '3' THEN CAST(s AS TIMESTAMP(9)) ELSE CAST(s AS TIMESTAMP) END";
    let fault = derive(text, &far).unwrap_err();
    assert!(!fault.message.contains("which is timestamp"), "{fault:?}");
}

#[test]
fn moments_that_there_are_not_are_told() {
    const COARSER: &str = "`CAST(… AS TIMESTAMP)` brings the finer one to microseconds, which have room for \
                           it; `TRY_CAST(… AS …)` gives NULL";
    const BEFORE: &str = "microseconds have more room: `CAST(… AS TIMESTAMP)` before";
    const FAR: &str = "it meets 9999-12-31 23:59:59.999 in column far, which is timestamp[ms], and \
                       timestamp[ns] can't hold it";
    for (text, why, advice) in [
        ("COALESCE(NULLIF(ns, ns), far)", FAR, COARSER),
        ("last - far", FAR, COARSER),
        ("CAST(far AS TIMESTAMP(9))", FAR, COARSER),
        (
            "COALESCE(NULLIF(ns, ns), DATE '9999-01-01')",
            "it meets 9999-01-01, and timestamp[ns] can't hold it",
            COARSER,
        ),
        (
            "last + long",
            "it meets 2262-04-11 23:47:16.854775807 + 2h 1ms, which is beyond timestamp[ns]",
            BEFORE,
        ),
        (
            "last + INTERVAL '1 hour'",
            "it meets a moment that long after 2262-04-11 23:47:16.854775807, which is beyond timestamp[ns]",
            BEFORE,
        ),
        (
            "last + INTERVAL '1 month'",
            "it meets a moment that long after 2262-04-11 23:47:16.854775807, which is beyond timestamp[ns]",
            BEFORE,
        ),
        (
            "ns - INTERVAL '300 years'",
            "it meets a moment that long before 1969-12-31 23:59:59.999000001, which is beyond timestamp[ns]",
            BEFORE,
        ),
        (
            "ns + INTERVAL '5000 years'",
            "it meets a moment that long after 1969-12-31 23:59:59.999000001, which is beyond timestamp[ns]",
            BEFORE,
        ),
        (
            "last - TIMESTAMP '1700-01-01 00:00:00'",
            "it meets 2262-04-11 23:47:16.854775807 - 1700-01-01 00:00:00, which is beyond duration[ns]",
            BEFORE,
        ),
        (
            "long * 9223372036854775807",
            "it meets 2h 1ms * 9223372036854775807, which is beyond duration[ms]",
            BEFORE,
        ),
    ] {
        let whole = format!("derive can't compute made as `{text}`: {why}\n{advice}");
        assert_eq!(told(&derive(text, &row()).unwrap_err()), whole);
    }
    // Where nobody asks for it, it needs no room.
    assert_eq!(derive("COALESCE(ns, far)", &row()).unwrap().null_count(), 0);
}

#[test]
fn a_number_is_no_moment() {
    for (text, why, advice) in [
        (
            "day > 2024-01-01",
            "date and a number can't be compared",
            "write it as one: `DATE '2024-12-31'`",
        ),
        (
            "19723 = day",
            "date and a number can't be compared",
            "write it as one: `DATE '2024-12-31'`",
        ),
        (
            "day IN (19723)",
            "date and a number can't be compared",
            "write it as one: `DATE '2024-12-31'`",
        ),
        (
            "us BETWEEN 0 AND 3000000",
            "timestamp[us] and a number can't be compared",
            "write it as one: `TIMESTAMP '2024-12-31 10:00:00'`",
        ),
        (
            "clock > 0.5",
            "time and a number can't be compared",
            "write it as one: `TIME '10:00:00'`",
        ),
        (
            "long >= 3600000",
            "duration[ms] and a number can't be compared",
            "write it as one: `INTERVAL '2 hours'`",
        ),
        (
            "day IS DISTINCT FROM n",
            "date and a number can't be compared",
            "write it as one: `DATE '2024-12-31'`",
        ),
        (
            "CASE WHEN n = 1 THEN day ELSE 0 END",
            "date and a number have no type that holds both",
            "write it as one: `DATE '2024-12-31'`",
        ),
        (
            "day + 1",
            "date and a number don't add up",
            "add an interval: `… + INTERVAL '1 day'`",
        ),
    ] {
        let fault = derive(text, &row().slice(0, 0)).unwrap_err();
        let whole = format!("derive can't compute made as `{text}`: {why}\n{advice}");
        assert_eq!(told(&fault), whole);
    }
    assert_eq!(one("long * 2").0, "PT14400.002S");
}

#[test]
fn times_are_whole_as_text() {
    for (text, expected) in [
        ("CAST(clock AS VARCHAR)", "23:59:59.999999999"),
        ("TRY_CAST(clock AS VARCHAR)", "23:59:59.999999999"),
        ("clock || ''", "23:59:59.999999999"),
        ("CONCAT('at ', clock)", "at 23:59:59.999999999"),
        ("CONCAT_WS('-', n, clock)", "2-23:59:59.999999999"),
        ("COALESCE(clock, 'x')", "23:59:59.999999999"),
        (
            "CASE WHEN n = 2 THEN clock ELSE 'x' END",
            "23:59:59.999999999",
        ),
        ("CAST(CAST(us AS TIME) AS VARCHAR)", "23:59:59.999"),
        ("TIME '10:00:00' || ''", "10:00:00"),
    ] {
        assert_eq!(one(text).0, expected, "{text}");
    }
}

#[test]
fn an_epoch_is_that_of_every_moment() {
    for (text, expected) in [
        ("EXTRACT(EPOCH FROM us)", "-0.001"),
        ("EXTRACT(EPOCH FROM far)", "253402300799.999"),
        ("EXTRACT(EPOCH FROM ns)", "-0.000999999"),
        (
            "DATE_PART('epoch', TIMESTAMP '0001-01-01 00:00:00')",
            "-62135596800.0",
        ),
        ("EXTRACT(EPOCH FROM day)", "1704067200.0"),
        ("EXTRACT(EPOCH FROM long)", "7200.001"),
        ("EXTRACT(EPOCH FROM clock)", "86399.999999999"),
    ] {
        assert_eq!(
            one(text),
            (expected.to_owned(), "float64".to_owned()),
            "{text}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Moments are told apart by their nanoseconds, whatever they are counted in.
    #[test]
    fn moments_are_compared_by_what_they_are(
        ms in prop_oneof![-2_i64..2, any::<i64>().prop_map(|ms| ms / 1_000_000)],
        us in prop_oneof![-2_000_i64..2_000, any::<i64>().prop_map(|us| us / 1_000)],
        ns in prop_oneof![-2_000_000_i64..2_000_000, any::<i64>()],
    ) {
        let given = batch(vec![
            ("ms", Arc::new(TimestampMillisecondArray::from(vec![ms])) as ArrayRef),
            ("us", Arc::new(TimestampMicrosecondArray::from(vec![us]))),
            ("ns", Arc::new(TimestampNanosecondArray::from(vec![ns]))),
        ]);
        let size = |name: &str| match name {
            "ms" => i128::from(ms) * 1_000_000,
            "us" => i128::from(us) * 1_000,
            _ => i128::from(ns),
        };
        for (left, right) in [("ms", "us"), ("us", "ms"), ("ms", "ns"), ("ns", "ms"), ("us", "ns"), ("ns", "us")] {
            let (l, r) = (size(left), size(right));
            for (op, expected) in [
                ("=", l == r),
                ("<>", l != r),
                ("<", l < r),
                ("<=", l <= r),
                (">", l > r),
                (">=", l >= r),
                ("IS DISTINCT FROM", l != r),
            ] {
                let made = derive(&format!("{left} {op} {right}"), &given).unwrap();
                prop_assert_eq!(made.as_boolean().value(0), expected, "{} {} {}", left, op, right);
            }
            let exact = (l - r) / if [left, right].contains(&"ns") { 1 } else { 1_000 };
            match derive(&format!("CAST({left} - {right} AS BIGINT)"), &given) {
                Ok(made) => {
                    let made = made.as_primitive::<Int64Type>().value(0);
                    prop_assert_eq!(i128::from(made), exact, "{} - {}", left, right);
                }
                Err(_) => prop_assert!(l.abs().max(r.abs()).max(exact.abs()) > i128::from(i64::MAX)),
            }
        }
    }
}
