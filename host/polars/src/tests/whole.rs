//! Arithmetic of whole numbers.

use arrow_array::{Int32Array, UInt32Array, UInt64Array};
use arrow_cast::display::array_value_to_string;

use super::*;

/// Whole numbers of each type that arithmetic is done in, ends and middles.
fn ends() -> RecordBatch {
    let (i, l) = (
        [i32::MIN, -1, 0, 2, i32::MAX],
        [i64::MIN, -1, 0, 2, i64::MAX],
    );
    let (u, v) = ([0, 1, 2, 3, u32::MAX], [0, 1, 2, 3, u64::MAX]);
    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    // Each value beside each.
    for at in 0..5 {
        columns.extend([
            (
                format!("i{at}"),
                Arc::new(Int32Array::from(vec![Some(i[at]), None])) as ArrayRef,
            ),
            (
                format!("l{at}"),
                Arc::new(Int64Array::from(vec![Some(l[at]), None])) as ArrayRef,
            ),
            (
                format!("u{at}"),
                Arc::new(UInt32Array::from(vec![Some(u[at]), None])) as ArrayRef,
            ),
            (
                format!("v{at}"),
                Arc::new(UInt64Array::from(vec![Some(v[at]), None])) as ArrayRef,
            ),
        ]);
    }
    RecordBatch::try_from_iter(columns).unwrap()
}

#[test]
fn arithmetic_of_whole_numbers_is_exact_or_fails() {
    let given = ends();
    let value = |column: &ArrayRef| array_value_to_string(column, 0).unwrap().parse::<i128>();
    let number = |name: &str| match given.column_by_name(name) {
        Some(column) => value(column).unwrap(),
        None => name.parse::<i128>().unwrap(),
    };
    let mut names: Vec<String> = given
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .collect();
    names.extend(["2", "-1", "2147483647", "2147483648", "9223372036854775807"].map(str::to_owned));
    let (mut made, mut failed) = (0, 0);
    for (left, right) in names.iter().flat_map(|l| names.iter().map(move |r| (l, r))) {
        for (op, exact) in [
            ("+", i128::checked_add as fn(i128, i128) -> Option<i128>),
            ("-", i128::checked_sub),
            ("*", i128::checked_mul),
        ] {
            let text = format!("{left} {op} {right}");
            let exact = exact(number(left), number(right));
            match derive(&text, &given) {
                Ok(column) => {
                    assert_eq!(value(&column).ok(), exact, "{text} {}", column.data_type());
                    let written = !text.contains(char::is_alphabetic);
                    assert_eq!(column.is_null(1), !written, "{text}");
                    made += 1;
                }
                Err(fault) => {
                    let message = &fault.message;
                    let beyond = format!(
                        "it meets {} {op} {}, which is beyond",
                        number(left),
                        number(right)
                    );
                    let apart = message.contains("uint64 and ");
                    let long = message.contains("can't hold it");
                    assert!(message.contains(&beyond) || apart || long, "{message}");
                    failed += 1;
                }
            }
        }
    }
    assert!(made > 500 && failed > 100, "{made} made, {failed} failed");
}

#[test]
fn what_stands_under_null_is_nothing_that_overflows() {
    let nulls = vec![true, false].into();
    let column = Int32Array::new(vec![1, i32::MAX].into(), Some(nulls));
    let given = batch(vec![("i", Arc::new(column) as ArrayRef)]);
    for text in ["i + 1", "1 + i", "i + i"] {
        let made = derive(text, &given).unwrap();
        assert_eq!(made.data_type(), &DataType::Int32, "{text}");
        assert_eq!(array_value_to_string(&made, 0).unwrap(), "2");
        assert!(made.is_null(1));
    }
}
