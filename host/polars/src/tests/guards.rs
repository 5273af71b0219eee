//! What stands behind a condition.

use arrow_array::{Decimal128Array, Int32Array, UInt64Array};
use arrow_cast::display::array_value_to_string;

use super::*;

/// Rows that a condition keeps something from don't fail by it.
#[test]
fn a_condition_guards_what_stands_behind_it() {
    let given = batch(vec![
        (
            "n",
            Arc::new(Int32Array::from(vec![Some(3), Some(100_000), None])) as ArrayRef,
        ),
        (
            "s",
            Arc::new(StringArray::from(vec!["7", "x", "9"])) as ArrayRef,
        ),
        (
            "t",
            Arc::new(StringArray::from(vec!["2024-01-02", "x", "2024-01-03"])) as ArrayRef,
        ),
        (
            "huge",
            Arc::new(
                Decimal128Array::from(vec![3, i128::pow(10, 37), 7])
                    .with_precision_and_scale(38, 0)
                    .unwrap(),
            ) as ArrayRef,
        ),
        (
            "pattern",
            Arc::new(StringArray::from(vec!["b", "(", "x"])) as ArrayRef,
        ),
        (
            "d",
            Arc::new(
                Decimal128Array::from(vec![5, 0, 7])
                    .with_precision_and_scale(9, 2)
                    .unwrap(),
            ) as ArrayRef,
        ),
    ]);
    for (text, expected) in [
        ("CASE WHEN n < 40000 THEN n * n END", ["9", "", ""]),
        (
            "CASE WHEN n >= 40000 THEN -1 ELSE n * n END",
            ["9", "-1", ""],
        ),
        (
            "CASE WHEN n IS NULL THEN 0 WHEN n > 9 THEN -n ELSE n * n * n END",
            ["27", "-100000", "0"],
        ),
        (
            "CASE WHEN s ~ '^[0-9]+$' THEN CAST(s AS INT) ELSE 0 END",
            ["7", "0", "9"],
        ),
        ("n < 40000 AND n * n > 5", ["true", "false", ""]),
        ("n > 40000 OR n * n > 5", ["true", "true", ""]),
        ("(CASE WHEN n < 9 THEN n * n END) + 1", ["10", "", ""]),
        (
            "CASE WHEN n < 9 THEN CASE WHEN n * n < 10 THEN n * n * n END END",
            ["27", "", ""],
        ),
        ("CASE WHEN d <> 0 THEN d / d END", ["1.00", "", "1.00"]),
        ("d <> 0 AND d / d > 0", ["true", "false", "true"]),
        (
            "CASE WHEN huge < 100 THEN huge * huge ELSE 0 END",
            ["9", "0", "49"],
        ),
        (
            "COALESCE(CASE WHEN n > 9 THEN -1 END, n * n)",
            ["9", "-1", ""],
        ),
        (
            "COALESCE(NULL, NULLIF(n, 3), n * n, 0) + 1",
            ["10", "100001", "1"],
        ),
        ("CASE WHEN huge < 100 THEN huge * 10 END", ["30", "", "70"]),
        ("huge < 100 AND huge * 10 > 0", ["true", "false", "true"]),
        ("CASE WHEN huge < 100 THEN 10 * huge END", ["30", "", "70"]),
        (
            "CASE WHEN pattern <> '(' THEN REGEXP_LIKE('abc', pattern) END",
            ["true", "", "false"],
        ),
        (
            "CASE WHEN t <> 'x' THEN STRPTIME(t, '%Y-%m-%d') END IS NULL",
            ["false", "true", "false"],
        ),
    ] {
        let made = derive(text, &given).unwrap();
        let shown = (0..3).map(|row| array_value_to_string(&made, row).unwrap());
        assert_eq!(shown.collect::<Vec<_>>(), expected, "{text}");
    }
    for text in [
        "CASE WHEN n > 40000 THEN n * n END",
        "CASE WHEN n < 40000 THEN 0 ELSE n * n END",
        "CASE WHEN n > 0 THEN CAST(s AS INT) END",
        "n > 0 AND n * n > 5",
    ] {
        let fault = derive(text, &given).unwrap_err();
        assert!(fault.message.contains("it meets"), "{text}: {fault}");
    }
}

/// A written number among them stays one without a type.
#[test]
fn what_is_chosen_keeps_its_type() {
    let u = UInt64Array::from(vec![9_007_199_254_740_993, 7, 7]);
    let given = batch(vec![
        ("u", Arc::new(u) as ArrayRef),
        ("t", Arc::new(StringArray::from(vec!["1", "2", "x"]))),
        ("n", Arc::new(Int64Array::from(vec![1, 2, 4_000_000_000]))),
    ]);
    let read = "CASE WHEN t <> 'x' THEN CAST(t AS INT UNSIGNED) END";
    let text = format!("COALESCE(CASE WHEN n < 5 THEN u END, {read}, 5)");
    let made = derive(&text, &given).unwrap();
    let shown = (0..3).map(|row| array_value_to_string(&made, row).unwrap());
    let expected = ["9007199254740993", "7", "5"];
    assert_eq!(shown.collect::<Vec<_>>(), expected);
}

/// Nor by what Polars gives up over, or makes no end of.
#[test]
fn a_condition_guards_what_is_beyond_everything() {
    let given = batch(vec![(
        "n",
        Arc::new(Int64Array::from(vec![3, 9_000_000_000_000_000_000])) as ArrayRef,
    )]);
    for (text, expected) in [
        (
            "CASE WHEN n = 3 THEN STRFTIME(CAST(n AS TIMESTAMP), '%Y') END",
            ["1970", ""],
        ),
        (
            "CASE WHEN n = 3 THEN CAST(n AS TIMESTAMP) + INTERVAL '1 month' END",
            ["1970-02-01T00:00:00.000003", ""],
        ),
        ("CASE WHEN n < 9 THEN LPAD('x', n, 'y') END", ["yyx", ""]),
    ] {
        let made = derive(text, &given).unwrap();
        let shown = (0..2).map(|row| array_value_to_string(&made, row).unwrap());
        assert_eq!(shown.collect::<Vec<_>>(), expected, "{text}");
    }
    let fault = derive("STRFTIME(CAST(n AS TIMESTAMP), '%Y')", &given).unwrap_err();
    assert!(
        fault.message.contains("beyond what can be computed"),
        "{fault:?}"
    );
    let fault = derive("RPAD('x', n, 'y')", &given).unwrap_err();
    assert!(
        fault
            .message
            .contains("it meets a text of 9000000000000000000 letters"),
        "{fault:?}"
    );
}

/// Conditions are columns, beside those of the rows.
#[test]
fn a_column_of_any_name_is_what_it_is() {
    let of = |numbers: [i64; 2]| Arc::new(Int64Array::from(numbers.to_vec())) as ArrayRef;
    let given = batch(vec![
        ("n", of([3, i64::MAX])),
        ("\u{1f}0", of([10, 20])),
        ("\u{1f}1", of([11, 21])),
        ("\u{1f}2", of([12, 22])),
    ]);
    for (name, value) in [("\u{1f}0", 20), ("\u{1f}1", 21), ("\u{1f}2", 22)] {
        let text = format!("CASE WHEN n < 10 THEN n * n ELSE \"{name}\" END");
        let made = derive(&text, &given).unwrap();
        assert_eq!(made.as_primitive::<Int64Type>().values(), &[9, value]);
    }
}

/// However many there are, each is computed once.
#[test]
fn many_conditions_are_computed_once_each() {
    let n = Int64Array::from(vec![Some(i64::MAX), Some(1)]);
    let s = StringArray::from(vec!["abc", ""]);
    let given = batch(vec![
        ("n", Arc::new(n) as ArrayRef),
        ("s", Arc::new(s) as ArrayRef),
    ]);
    let whens: String = (0..40)
        .map(|k| format!("WHEN LENGTH(s) + 1 > {} THEN {k} ", 50 - k))
        .collect();
    let text = format!("CASE {whens}WHEN n > 9 THEN 99 ELSE n + 1 END");
    let made = derive(&text, &given).unwrap();
    let shown = (0..2).map(|row| array_value_to_string(&made, row).unwrap());
    assert_eq!(shown.collect::<Vec<_>>(), ["99", "2"]);
    let each: Vec<String> = (0..40).map(|k| format!("n + {k} > 0")).collect();
    let text = format!("LENGTH(s) < 2 AND {}", each.join(" AND "));
    // What can't fail is no condition that anything waits for.
    let plain: Vec<String> = (0..1_000).map(|k| format!("n = {k}")).collect();
    let text = format!("{text} AND ({})", plain.join(" OR "));
    let made = derive(&text, &given).unwrap();
    let shown = (0..2).map(|row| array_value_to_string(&made, row).unwrap());
    assert_eq!(shown.collect::<Vec<_>>(), ["false", "true"]);
}
