//! Conditions that are true or false of NULL too.

use arrow_array::BooleanArray;

use super::*;

#[test]
fn is_true_and_its_kin_are_never_null() {
    let flags = BooleanArray::from(vec![Some(true), Some(false), None]);
    let given = batch(vec![
        ("id", Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef),
        ("b", Arc::new(flags)),
        ("s", Arc::new(StringArray::from(vec!["it's", "x", "y"]))),
    ]);
    for (text, expected) in [
        ("b IS TRUE", vec![1]),
        ("b IS NOT TRUE", vec![2, 3]),
        ("b IS FALSE", vec![2]),
        ("b IS NOT FALSE", vec![1, 3]),
        ("b IS UNKNOWN", vec![3]),
        ("b IS NOT UNKNOWN", vec![1, 2]),
        ("NOT (b IS TRUE)", vec![2, 3]),
        ("NOT b IS TRUE", vec![2, 3]),
        ("(id > 1) IS NOT TRUE", vec![1]),
        ("(b OR id = 2) IS TRUE", vec![1, 2]),
        // What stands beside it stays beside it.
        ("b IS TRUE = b", vec![1, 2]),
        ("b IS NOT TRUE AND s = 'x' OR s = 'it''s'", vec![1, 2]),
        ("(b IS TRUE) IS FALSE", vec![2, 3]),
    ] {
        assert_eq!(ids(&filter(text, &given).unwrap()), expected, "{text}");
    }
    for text in ["s IS TRUE", "id IS NOT FALSE"] {
        let fault = filter(text, &given.slice(0, 0)).unwrap_err();
        let kind = if text.starts_with('s') {
            "string"
        } else {
            "int64"
        };
        assert_eq!(
            told(&fault),
            format!(
                "filter can't evaluate `{text}`: {kind} is neither true nor false\ncompare it with \
                 something: `… <> 0`, `… = 'true'`"
            )
        );
    }
}
