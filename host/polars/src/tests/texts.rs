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
