//! Rows that failed a check, as lines of JSON.

use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch, new_null_array};
use arrow_schema::{ArrowError, Field, Schema};
use arrow_select::filter::filter_record_batch;
use hygge_core::{Fault, OPERATION_COLUMN, Result, code, zone};

use crate::json::json_lines;

/// The rows of a batch that failed, `most` of them at most, each with its newline.
pub(crate) fn lines(
    batch: &RecordBatch,
    failed: &BooleanArray,
    most: usize,
) -> Result<Vec<String>> {
    written(batch, failed, most).map_err(|error| {
        Fault::new(
            code::SCHEMA,
            format!("rows that fail a check can't be kept as JSON: {error}"),
        )
        .advise("take `rejects` out of the check")
    })
}

/// Refuses columns that no row could be kept of, before rows move.
pub(crate) fn possible(schema: &Schema) -> Result<()> {
    if schema.fields().is_empty() {
        return Ok(());
    }
    let fields = schema.fields().iter();
    let fields = fields.map(|field| Field::clone(field).with_nullable(true));
    let columns = schema.fields().iter();
    let columns = columns.map(|field| new_null_array(field.data_type(), 1));
    let schema = Schema::new(fields.collect::<Vec<_>>());
    let one = RecordBatch::try_new(Arc::new(schema), columns.collect())
        .map_err(|error| Fault::internal(format!("a row of nulls can't be made: {error}")))?;
    lines(&one, &BooleanArray::from(vec![true]), 1).map(drop)
}

fn written(
    batch: &RecordBatch,
    failed: &BooleanArray,
    most: usize,
) -> std::result::Result<Vec<String>, ArrowError> {
    // What isn't written isn't filtered either.
    let end = failed.values().set_indices().take(most).last();
    let Some(end) = end else {
        return Ok(Vec::new());
    };
    let rows = filter_record_batch(&batch.slice(0, end + 1), &failed.slice(0, end + 1))?;
    let text = json_lines(&shown(&rows)?)?;
    Ok(text.split_inclusive('\n').map(str::to_owned).collect())
}

/// With moments in named zones as those in UTC, and without what becomes of a row at the destination,
/// which is none of its values.
fn shown(rows: &RecordBatch) -> std::result::Result<RecordBatch, ArrowError> {
    let mut rows = zone::rows(rows)?;
    if let Ok(operation) = rows.schema().index_of(OPERATION_COLUMN) {
        rows.remove_column(operation);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::builder::{Int64Builder, MapBuilder};
    use arrow_array::{
        Array as _, ArrayRef, Int64Array, StringArray, StructArray, TimestampMicrosecondArray,
    };

    use super::*;

    #[test]
    fn rows_that_fail_are_written_as_they_are() {
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(2), None, Some(4)]));
        let mails: ArrayRef = Arc::new(StringArray::from(vec![Some("a@b.c"), None, None, None]));
        let times = TimestampMicrosecondArray::from(vec![1_000_000; 4]);
        let times: ArrayRef = Arc::new(times.with_timezone("Europe/Berlin"));
        let field = Arc::new(Field::new("at", times.data_type().clone(), true));
        let within = StructArray::from(vec![(field, Arc::clone(&times))]);
        let within = Arc::new(within) as ArrayRef;
        let rows = [("id", ids), ("mail", mails), ("at", times), ("in", within)];
        let rows = rows.map(|(name, column)| (name, column, true));
        let rows = RecordBatch::try_from_iter_with_nullable(rows).unwrap();
        let failed = BooleanArray::from(vec![true, false, true, true]);
        let lines = lines(&rows, &failed, 2).unwrap();
        let at = "\"at\":\"1970-01-01T00:00:01Z\"";
        let at = format!("{at},\"in\":{{{at}}}");
        assert_eq!(
            lines,
            [
                format!("{{\"id\":1,\"mail\":\"a@b.c\",{at}}}\n"),
                format!("{{\"id\":null,\"mail\":null,{at}}}\n"),
            ]
        );
        assert_eq!(possible(&rows.schema()), Ok(()));
        let none = BooleanArray::from(vec![false; 4]);
        assert_eq!(super::lines(&rows, &none, 2).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn maps_whose_keys_are_no_texts_are_refused_before_rows_move() {
        let mut map = MapBuilder::new(None, Int64Builder::new(), Int64Builder::new());
        map.append(true).unwrap();
        let map: ArrayRef = Arc::new(map.finish());
        let rows = RecordBatch::try_from_iter([("map", map)]).unwrap();
        let refused = possible(&rows.schema()).unwrap_err();
        assert!(
            refused.message.contains("can't be kept as JSON"),
            "{refused}"
        );
    }
}
