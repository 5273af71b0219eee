//! Texts in expressions: places and parts of them are counted in letters, from one.

use arrow_array::Int32Array;
use arrow_cast::display::array_value_to_string;

use super::*;

fn given() -> RecordBatch {
    let texts = |texts: [Option<&str>; 4]| Arc::new(StringArray::from(texts.to_vec())) as ArrayRef;
    batch(vec![
        ("s", texts([Some("abc"), Some("é.x-y"), Some(""), None])),
        ("t", texts([Some("c"), Some("x"), Some("."), Some("a")])),
        (
            "n",
            Arc::new(Int32Array::from(vec![Some(2), Some(-1), None, Some(7)])),
        ),
    ])
}

fn shown(text: &str) -> Vec<String> {
    let made = derive(text, &given()).unwrap();
    let each = (0..made.len()).map(|row| match made.is_null(row) {
        true => "NULL".to_owned(),
        false => array_value_to_string(&made, row).unwrap(),
    });
    each.collect()
}

#[test]
fn a_place_is_that_of_a_text_and_counts_letters() {
    for (text, expected) in [
        ("STRPOS(s, '.')", ["0", "2", "0", "0"]),
        ("STRPOS(s, t)", ["3", "3", "0", "0"]),
        ("STRPOS('abc', t)", ["3", "0", "0", "1"]),
        ("POSITION('-' IN s)", ["0", "4", "0", "0"]),
        ("POSITION(t IN s)", ["3", "3", "0", "0"]),
        ("STRPOS(s, '')", ["1", "1", "1", "0"]),
        ("STRPOS(s, '(')", ["0", "0", "0", "0"]),
        ("SUBSTR(s, 1, STRPOS(s, '.') - 1)", ["", "é", "", "NULL"]),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
}

#[test]
fn a_part_begins_within_the_text_and_has_a_length() {
    for (text, expected) in [
        ("RIGHT(s, 2)", ["bc", "-y", "", "NULL"]),
        ("RIGHT(s, 4)", ["abc", ".x-y", "", "NULL"]),
        ("RIGHT(s, n)", ["bc", ".x-y", "NULL", "NULL"]),
        ("RIGHT(s, n + 3)", ["abc", "-y", "NULL", "NULL"]),
        ("RIGHT(s, 0)", ["", "", "", "NULL"]),
        ("RIGHT(s, -1)", ["bc", ".x-y", "", "NULL"]),
        ("LEFT(s, 4)", ["abc", "é.x-", "", "NULL"]),
        ("LEFT(s, n)", ["ab", "é.x-", "NULL", "NULL"]),
        ("LEFT(s, 0)", ["", "", "", "NULL"]),
        ("LEFT(s, (0))", ["", "", "", "NULL"]),
        ("RIGHT(s, -0)", ["", "", "", "NULL"]),
        ("LEFT(s, -4)", ["", "é", "", "NULL"]),
        ("SUBSTR(s, 2)", ["bc", ".x-y", "", "NULL"]),
        ("SUBSTR(s, n)", ["bc", "é.x-y", "NULL", "NULL"]),
        ("SUBSTR(s, -1)", ["abc", "é.x-y", "", "NULL"]),
        ("SUBSTR(s, 1, n)", ["ab", "", "NULL", "NULL"]),
        ("SUBSTR(s, n, 3)", ["bc", "é", "NULL", "NULL"]),
        ("SUBSTRING(s FROM -1 FOR 4)", ["ab", "é.", "", "NULL"]),
        ("LPAD(s, n, '0')", ["ab", "", "NULL", "NULL"]),
        ("RPAD(s, 4, '0')", ["abc0", "é.x-", "0000", "NULL"]),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
}

#[test]
fn a_cast_to_a_text_of_a_length_cuts_it() {
    for (text, expected) in [
        ("CAST(s AS VARCHAR(2))", ["ab", "é.", "", "NULL"]),
        ("TRY_CAST(n + 10 AS VARCHAR(1))", ["1", "9", "NULL", "1"]),
        ("s::varchar(1) || 'x'", ["ax", "éx", "x", "NULL"]),
        (
            "CAST(s AS VARCHAR(18446744073709551615))",
            ["abc", "é.x-y", "", "NULL"],
        ),
        ("CAST(s AS VARCHAR)", ["abc", "é.x-y", "", "NULL"]),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
    for (text, expected) in [
        (
            "CAST(s AS CHAR)",
            "has CHAR, which is one letter, and a CAST would take all of them\n`VARCHAR` is a text of any \
             length, and `VARCHAR(1)` one letter",
        ),
        (
            "CAST(s AS CHAR(2))",
            "has CHAR(2), whose length a CAST doesn't keep to\n`VARCHAR(…)` cuts a text, and `RPAD(…, …)` fills \
             one up as well",
        ),
        (
            "CAST(s AS VARBINARY(2))",
            "has VARBINARY(2), whose length a CAST doesn't keep to\nleave the length out",
        ),
        (
            "CAST(s AS TIME(0))",
            "has TIME(0), whose digits a CAST doesn't keep to\nleave them out; `STRFTIME` writes as many as it is \
             told",
        ),
        (
            "CAST(s AS UUID)",
            "has UUID, which any text would be\ncast it to VARCHAR, and look at it with a pattern: `… ~ \
             '^[0-9a-f-]{36}$'`",
        ),
    ] {
        let why = problem("derive", json!({"columns": {"made": text}}));
        assert_eq!(
            why,
            format!("/columns/made: derive: the expression `{text}` {expected}")
        );
    }
}

/// What is made of a secret is no secret by its letters, so it is hidden nowhere else.
#[test]
fn no_value_is_told_that_is_made_of_a_written_text() {
    for (text, value) in [
        (
            "CAST(UPPER('token') || n AS INT)",
            "a text that was computed,",
        ),
        (
            "CAST(SUBSTR('token', 3) AS INT)",
            "a text that was computed,",
        ),
        ("CAST(s || 'token' AS INT)", "a text that was computed,"),
        ("CAST('token' AS INT)", "\"token\","),
        ("CAST(s || 'x' AS INT)", "\"abcx\","),
        ("CAST(s || t AS INT)", "\"abcc\","),
        (
            "CAST(s AS INT) + LENGTH('token')",
            "\"abc\" in column s, which is string,",
        ),
    ] {
        let fault = derive(text, &given()).unwrap_err();
        let whole = format!(
            "derive can't compute made as `{text}`: it meets {value} and int32 can't hold it"
        );
        assert_eq!(fault.message, whole);
    }
}

/// A length may be less than another, and one more is no other type.
#[test]
fn lengths_are_whole_numbers_like_others() {
    for (text, expected) in [
        ("LENGTH(s) - LENGTH(t)", ["2", "4", "-1", "NULL"]),
        (
            "LENGTH(s) > LENGTH(t) - 2",
            ["true", "true", "true", "NULL"],
        ),
        ("STRPOS(s, '-') - 1", ["-1", "3", "-1", "-1"]),
        ("OCTET_LENGTH(s) - 4", ["-1", "2", "-4", "NULL"]),
        ("-LENGTH(s)", ["-3", "-5", "0", "NULL"]),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// What stands before a place, at it and behind makes the text again.
    #[test]
    fn a_text_is_its_parts(text in "[ab.é€]{0,6}", at in -9_i64..9, sought in "[ab.é€]{1,2}") {
        let given = batch(vec![
            ("s", Arc::new(StringArray::from(vec![text.as_str()])) as ArrayRef),
            ("sought", Arc::new(StringArray::from(vec![sought.as_str()]))),
            ("at", Arc::new(Int64Array::from(vec![at]))),
        ]);
        let made = |text: &str| array_value_to_string(&derive(text, &given).unwrap(), 0).unwrap();
        let letters = i64::try_from(text.chars().count()).unwrap();
        let right = made("RIGHT(s, at)");
        let left = made("LEFT(s, at)");
        let kept = if at < 0 { (letters + at).max(0) } else { at.min(letters) };
        prop_assert_eq!(i64::try_from(right.chars().count()).unwrap(), kept);
        prop_assert!(text.ends_with(&right) && text.starts_with(&left));
        prop_assert_eq!(right.chars().count(), left.chars().count());
        prop_assert_eq!(&made("SUBSTR(s, 1, at) || SUBSTR(s, at + 1)"), &text);
        let place: usize = made("STRPOS(s, sought)").parse().unwrap();
        let expected = text.find(&sought).map_or(0, |at| text[..at].chars().count() + 1);
        prop_assert_eq!(place, expected);
    }
}
