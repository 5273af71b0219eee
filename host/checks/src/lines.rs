//! Rows that failed, as lines of JSON.

use std::sync::Arc;

use arrow_array::timezone::Tz;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, make_array};
use arrow_json::WriterBuilder;
use arrow_json::writer::LineDelimited;
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Schema};
use arrow_select::filter::filter_record_batch;
use hygge_core::{Fault, Result, code};

/// The rows of a batch that failed, `most` of them at most, each with its newline.
pub fn lines(batch: &RecordBatch, failed: &BooleanArray, most: usize) -> Result<Vec<String>> {
    written(batch, failed, most).map_err(|error| {
        Fault::new(
            code::SCHEMA,
            format!("rows that failed a check can't be kept as JSON: {error}"),
        )
        .advise("take `rejects` out of the check")
    })
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
    let mut bytes = Vec::new();
    let builder = WriterBuilder::new().with_explicit_nulls(true);
    let mut writer = builder.build::<_, LineDelimited>(&mut bytes);
    writer.write(&in_utc(&rows)?)?;
    writer.finish()?;
    drop(writer);
    let text = String::from_utf8(bytes).map_err(|e| ArrowError::JsonError(e.to_string()))?;
    Ok(text.split_inclusive('\n').map(str::to_owned).collect())
}

/// Moments in named zones as those in UTC, which are the same: Arrow has no table of zones.
fn in_utc(rows: &RecordBatch) -> std::result::Result<RecordBatch, ArrowError> {
    let schema = rows.schema();
    let mut fields: Vec<FieldRef> = Vec::with_capacity(schema.fields().len());
    let mut columns = Vec::with_capacity(schema.fields().len());
    for (field, column) in schema.fields().iter().zip(rows.columns()) {
        let column = utc(column)?;
        let field = Field::clone(field).with_data_type(column.data_type().clone());
        fields.push(Arc::new(field));
        columns.push(column);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

/// The same for one column.
pub(crate) fn utc(column: &ArrayRef) -> std::result::Result<ArrayRef, ArrowError> {
    match column.data_type() {
        DataType::Timestamp(unit, Some(zone)) if zone.parse::<Tz>().is_err() => {
            let utc = DataType::Timestamp(*unit, Some("+00:00".into()));
            let data = column.to_data().into_builder().data_type(utc).build()?;
            Ok(make_array(data))
        }
        _ => Ok(Arc::clone(column)),
    }
}
