//! Moments with a zone. A zone's name needs a table of all zones to be written as a time of day,
//! and says nothing about when it was: in UTC it is the same moment.

use std::sync::Arc;

use arrow_cast::cast;
use hygge_sdk::{ArrowSchema, DataType, Field, RecordBatch, Result};

/// The batch with every moment that has a zone in UTC.
pub(crate) fn in_utc(batch: RecordBatch) -> Result<RecordBatch> {
    let schema = batch.schema();
    let fields: Vec<Arc<Field>> = schema.fields().iter().map(utc).collect();
    if fields
        .iter()
        .zip(schema.fields())
        .all(|(a, b)| Arc::ptr_eq(a, b))
    {
        return Ok(batch);
    }
    let columns = batch
        .columns()
        .iter()
        .zip(&fields)
        .map(
            |(column, field)| match column.data_type() == field.data_type() {
                true => Ok(Arc::clone(column)),
                false => cast(column, field.data_type()),
            },
        )
        .collect::<Result<_, _>>()?;
    Ok(RecordBatch::try_new(
        Arc::new(ArrowSchema::new(fields)),
        columns,
    )?)
}

fn utc(field: &Arc<Field>) -> Arc<Field> {
    use DataType::{FixedSizeList, LargeList, List, Map, Struct, Timestamp};
    let kind = match field.data_type() {
        Timestamp(unit, Some(_)) => Timestamp(*unit, Some("+00:00".into())),
        List(item) => List(utc(item)),
        LargeList(item) => LargeList(utc(item)),
        FixedSizeList(item, size) => FixedSizeList(utc(item), *size),
        Map(entries, sorted) => Map(utc(entries), *sorted),
        Struct(fields) => Struct(fields.iter().map(utc).collect()),
        _ => return Arc::clone(field),
    };
    match kind == *field.data_type() {
        true => Arc::clone(field),
        false => Arc::new(field.as_ref().clone().with_data_type(kind)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hygge_sdk::arrow_array::types::TimestampMicrosecondType;
    use hygge_sdk::arrow_array::{ArrayRef, Int64Array, PrimitiveArray, StructArray};

    #[test]
    fn a_moment_stays_the_moment() {
        let at = PrimitiveArray::<TimestampMicrosecondType>::from(vec![Some(1), None]);
        let at: ArrayRef = Arc::new(at.with_timezone("Europe/Oslo"));
        let field = Field::new("at", at.data_type().clone(), true);
        let within: ArrayRef = Arc::new(StructArray::from(vec![(Arc::new(field), at.clone())]));
        let n: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let batch = RecordBatch::try_from_iter([("n", n), ("at", at), ("in", within)]).unwrap();
        let mut text = Vec::new();
        let mut lines = arrow_json::LineDelimitedWriter::new(&mut text);
        lines.write(&in_utc(batch).unwrap()).unwrap();
        lines.finish().unwrap();
        drop(lines);
        assert_eq!(
            str::from_utf8(&text).unwrap(),
            "{\"n\":1,\"at\":\"1970-01-01T00:00:00.000001Z\",\
             \"in\":{\"at\":\"1970-01-01T00:00:00.000001Z\"}}\n{\"n\":2,\"in\":{}}\n"
        );
    }
}
