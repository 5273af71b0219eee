//! Rows and schemas that a plugin gives back.

use std::sync::Arc;

use arrow_array::builder::{Int32Builder, ListBuilder};
use arrow_array::{Array as _, TimestampMicrosecondArray};
use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, StructArray};
use arrow_schema::{DataType, Field};

use crate::ipc;
use crate::seeds::Seeds;

const ROWS: usize = 1_000;
const BYTES: usize = 64 << 10;

/// Reads bytes as a batch in the schema at their start. What is taken for rows is valid
/// throughout, and stays what it is on the way back.
pub(crate) fn read(bytes: &[u8]) {
    let length = bytes.get(4..8).map_or(0, |length| {
        u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize
    });
    let schema = bytes.get(..length.saturating_add(8)).unwrap_or(bytes);
    let end = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    let Ok(schema) = ipc::read_schema(&[schema, &end].concat()) else {
        return;
    };
    let Ok(batch) = ipc::read_batch(bytes.to_vec(), &schema, ROWS, BYTES) else {
        return;
    };
    assert!(batch.num_rows() <= ROWS);
    for column in batch.columns() {
        let valid = column.to_data().validate_full();
        valid.expect("what was taken is valid");
    }
    let again = ipc::write_batch(&batch).expect("what came from a guest can go to one");
    let again = ipc::read_batch(again, &schema, ROWS, usize::MAX);
    assert_eq!(again.as_ref(), Ok(&batch), "rows that change on the way");
}

/// Rows of most kinds that may cross.
pub(crate) fn batch() -> RecordBatch {
    let mut lists = ListBuilder::new(Int32Builder::new());
    lists.append_value([Some(1), None]);
    lists.append_null();
    lists.append_value([]);
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(-3)]));
    let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true, false, true]));
    let parts = vec![(
        Arc::new(Field::new("flag", DataType::Boolean, false)),
        Arc::clone(&flags),
    )];
    let times = TimestampMicrosecondArray::from(vec![Some(0), Some(1), None]);
    let columns: [(&str, ArrayRef); 6] = [
        ("n", numbers),
        ("s", Arc::new(StringArray::from(vec!["ä", "", "text"]))),
        ("f", flags),
        ("l", Arc::new(lists.finish())),
        ("t", Arc::new(times.with_timezone("UTC"))),
        ("p", Arc::new(StructArray::from(parts))),
    ];
    let columns = columns.map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length")
}

pub(crate) fn seeds() -> Seeds {
    let batch = batch();
    let columns = 0..batch.num_columns();
    let mut seeds: Seeds = columns
        .map(|at| {
            let column = batch.project(&[at]).expect("a column");
            let bytes = ipc::write_batch(&column).expect("a batch");
            (format!("column-{at}"), bytes)
        })
        .collect();
    seeds.push(("all".into(), ipc::write_batch(&batch).expect("a batch")));
    seeds.push((
        "none".into(),
        ipc::write_batch(&batch.slice(0, 0)).expect("a batch"),
    ));
    let schema = ipc::write_schema(&batch.schema()).expect("a schema");
    seeds.push(("schema".into(), schema));
    seeds
}
