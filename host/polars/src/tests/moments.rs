//! Dates, times and moments in expressions: as text they are what files and `cast` take for them.

use super::*;

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
        let shown = arrow_cast::display::array_value_to_string(&made, 0).unwrap();
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
