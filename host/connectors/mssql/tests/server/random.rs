//! Rows of random columns in random order, and values of a hundred megabytes.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray, UInt32Array,
};
use hygge_core::Action;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use crate::scene::*;
use crate::types::every_type;

/// Which columns in which order, and for each row which of the four values each column has.
fn tables() -> impl Strategy<Value = (Vec<usize>, Vec<Vec<u32>>)> {
    let count = every_type().len();
    let columns = Just((0..count).collect::<Vec<_>>()).prop_shuffle();
    (columns, 1..=count).prop_flat_map(|(mut columns, width)| {
        columns.truncate(width);
        let rows = prop::collection::vec(prop::collection::vec(0_u32..4, width), 0..60);
        (Just(columns), rows)
    })
}

/// The table, with the number of each row in front.
fn table(columns: &[usize], rows: &[Vec<u32>]) -> RecordBatch {
    let count = i64::try_from(rows.len()).unwrap();
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..count));
    let mut made = vec![("row", "bigint", numbers)];
    let all = every_type();
    for (at, column) in columns.iter().enumerate() {
        let (name, sql_type, values) = &all[*column];
        let picked = UInt32Array::from_iter_values(rows.iter().map(|row| row[at]));
        let picked = arrow_select::take::take(values, &picked, None).unwrap();
        made.push((name, sql_type, picked));
    }
    batch(&made)
}

#[test]
fn random_tables_come_back() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let scene = Scene::new();
    let mut runner = TestRunner::new(Config::with_cases(24));
    let law = |(columns, rows): (Vec<usize>, Vec<Vec<u32>>)| {
        runtime.block_on(async {
            let name = "dbo.hygge_test_random";
            execute(&scene, &format!("DROP TABLE IF EXISTS {name}")).await;
            let store = scene.store(&json!({"table": name, "create": "if_missing"}));
            let written = table(&columns, &rows);
            // In two splits, one of which may have no rows.
            let middle = written.num_rows() / 3;
            let splits = [
                written.slice(0, middle),
                written.slice(middle, written.num_rows() - middle),
            ];
            write(store.as_ref(), &splits, Action::Replace)
                .await
                .unwrap();
            let found = read(scene.home(&json!({"table": name})).as_ref())
                .await
                .unwrap();
            let found = match found.first() {
                Some(first) => {
                    arrow_select::concat::concat_batches(&first.schema(), &found).unwrap()
                }
                None => written.slice(0, 0),
            };
            prop_assert_eq!(found.num_rows(), written.num_rows());
            let numbers = found
                .column(0)
                .as_any()
                .downcast_ref::<Int64Array>()
                .unwrap();
            for (at, number) in numbers.values().iter().enumerate() {
                let number = usize::try_from(*number).unwrap();
                for column in 0..written.num_columns() {
                    prop_assert_eq!(
                        &found.column(column).slice(at, 1),
                        &written.column(column).slice(number, 1),
                        "row {}, column {}",
                        number,
                        written.schema().field(column).name()
                    );
                }
            }
            Ok(())
        })
    };
    runner.run(&tables(), law).unwrap();
}

/// The largest values that anybody moves: text and bytes of 100 MB on the wire.
#[tokio::test(flavor = "multi_thread")]
async fn values_of_a_hundred_megabytes_come_back() {
    const BYTES: usize = 100 << 20;
    let scene = Scene::new();
    let name = "dbo.hygge_test_huge";
    // A pattern that no chunk's end falls into step with.
    let bytes: Vec<u8> = (0..=250_u8).cycle().take(BYTES).collect();
    let text: String = "h\u{e6}rlig ".chars().cycle().take(BYTES / 2).collect();
    let columns: [(&'static str, &'static str, ArrayRef); 2] = [
        (
            "bytes",
            "varbinary(max)",
            Arc::new(BinaryArray::from_vec(vec![&bytes])),
        ),
        (
            "text",
            "nvarchar(max)",
            Arc::new(StringArray::from(vec![text.as_str()])),
        ),
    ];
    for column in columns {
        execute(&scene, &format!("DROP TABLE IF EXISTS {name}")).await;
        let store = scene.store(&json!({"table": name, "create": "if_missing"}));
        let written = batch(std::slice::from_ref(&column));
        write(
            store.as_ref(),
            std::slice::from_ref(&written),
            Action::Replace,
        )
        .await
        .unwrap();
        let found = read(scene.home(&json!({"table": name})).as_ref())
            .await
            .unwrap();
        let rows: usize = found.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows, 1);
        // Not `assert_eq!`: nobody reads a message of that length.
        assert!(found[0].column(0) == written.column(0), "{}", column.0);
        assert_eq!(found[0].column(0).null_count(), 0);
    }
}
