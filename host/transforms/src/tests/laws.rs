use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Decimal128Array, Float64Array, Int64Array, StringArray};
use arrow_cast::display::array_value_to_string;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn rows() -> impl Strategy<Value = RecordBatch> {
    let row = (
        any::<Option<i64>>(),
        prop::option::of(prop_oneof![any::<f64>(), (-9_i32..9).prop_map(f64::from)]),
        prop::option::of(prop_oneof!["[a-z€]{0,9}", "-?[0-9]{1,20}"]),
    );
    prop::collection::vec(row, 0..40).prop_map(|rows| {
        let i: Int64Array = rows.iter().map(|row| row.0).collect();
        let f: Float64Array = rows.iter().map(|row| row.1).collect();
        let s: StringArray = rows.iter().map(|row| row.2.as_deref()).collect();
        batch(vec![
            ("i", Arc::new(i)),
            ("f", Arc::new(f)),
            ("s", Arc::new(s)),
        ])
    })
}

proptest! {
    #[test]
    fn the_size_of_batches_changes_nothing(given in rows(), size in 1_usize..9) {
        for (kind, settings) in [
            ("select", json!({"columns": ["s", "i"]})),
            ("exclude", json!({"columns": ["f"]})),
            ("rename", json!({"case": "pascal"})),
            ("rename", json!({"remove_special": true})),
            ("constant", json!({"columns": {"x": "y"}})),
            ("hash", json!({"columns": ["f", "s", "i"], "into": "h"})),
            ("mask", json!({"key": "k", "columns": {"s": {"how": "tokenise"}, "i": {"how": "hash"}, "f": {"how": "redact"}}})),
            ("fill_null", json!({"columns": {"i": 0, "f": 0.5, "s": ""}})),
            ("cast", json!({"columns": {"i": "float64", "f": "int64", "s": "int64"}, "on_failure": "set_null"})),
        ] {
            let whole = run(kind, settings.clone(), &given).unwrap();
            let parts = sized(kind, settings, &given, size).unwrap();
            prop_assert_eq!(whole, parts);
        }
    }

    #[test]
    fn renaming_back_is_as_if_nothing_was(given in rows(), names in prop::collection::btree_set("[a-zA-Z €]{1,6}", 3)) {
        let there: BTreeMap<&str, &String> = ["i", "f", "s"].into_iter().zip(&names).collect();
        let back: BTreeMap<&String, &str> = there.iter().map(|(a, b)| (*b, *a)).collect();
        let renamed = run("rename", json!({"columns": there}), &given).unwrap();
        prop_assert_eq!(run("rename", json!({"columns": back}), &renamed).unwrap(), given);
    }

    /// What a strict cast lets through comes back by the opposite one.
    #[test]
    fn a_cast_that_succeeds_can_be_undone(given in rows()) {
        for (column, to, from) in [("i", "float64", "int64"), ("i", "string", "int64"), ("i", "decimal(20, 0)", "int64")] {
            let lenient = json!({"columns": {column: to}, "on_failure": "set_null"});
            let made = run("cast", lenient, &given).unwrap();
            let strict = json!({"columns": {column: from}});
            let back = run("cast", strict, &made).unwrap();
            let (before, after) = (given.column_by_name(column).unwrap(), back.column_by_name(column).unwrap());
            let pairs = before.as_primitive::<Int64Type>().iter().zip(after.as_primitive::<Int64Type>());
            for (before, after) in pairs {
                prop_assert!(after.is_none() || before == after);
            }
        }
    }

    /// Whole numbers and decimals become the same number or NULL, whatever their widths.
    #[test]
    fn a_number_stays_the_same_or_becomes_null(
        wholes in prop::collection::vec(prop_oneof![any::<i64>(), -300_i64..300], 1..20),
        decimals in prop::collection::vec(prop_oneof![any::<i64>().prop_map(i128::from), -300_i128..300], 1..20),
        scale in 0_i8..9,
    ) {
        let decimals = Decimal128Array::from(decimals).with_precision_and_scale(38, scale).unwrap();
        let wholes: ArrayRef = Arc::new(Int64Array::from(wholes));
        for given in [wholes, Arc::new(decimals)] {
            let given = batch(vec![("c", given)]);
            for to in [
                "int8", "int16", "int32", "int64", "uint8", "uint32", "uint64", "decimal(3, 1)",
                "decimal(9, 2)", "decimal(20, 6)", "decimal(38, 0)", "decimal(60, 9)",
            ] {
                let settings = json!({"columns": {"c": to}, "on_failure": "set_null"});
                let made = run("cast", settings, &given).unwrap();
                for row in 0..given.num_rows() {
                    let number = |batch: &RecordBatch| {
                        let text = array_value_to_string(batch.column(0), row).unwrap();
                        match text.contains('.') {
                            true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                            false => text,
                        }
                    };
                    let (before, after) = (number(&given), number(&made));
                    prop_assert!(after.is_empty() || before == after, "{before} to {to} is {after}");
                }
            }
        }
    }
}
