//! Moments with a zone. A zone's name needs a table of all zones to be written as a time of day,
//! and says nothing about when it was: in UTC it is the same moment.

use std::sync::Arc;

use hygge_sdk::arrow_array::cast::AsArray;
use hygge_sdk::arrow_array::types::{
    ArrowTimestampType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use hygge_sdk::arrow_array::{
    Array, ArrayRef, FixedSizeListArray, GenericListArray, MapArray, OffsetSizeTrait, StructArray,
};
use hygge_sdk::arrow_schema::TimeUnit;
use hygge_sdk::{ArrowSchema, DataType, Field, RecordBatch, Result};

const UTC: &str = "+00:00";

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
        .map(|(column, field)| named(column, field.data_type()))
        .collect::<Result<_>>()?;
    Ok(RecordBatch::try_new(
        Arc::new(ArrowSchema::new(fields)),
        columns,
    )?)
}

fn utc(field: &Arc<Field>) -> Arc<Field> {
    use DataType::{FixedSizeList, LargeList, List, Map, Struct, Timestamp};
    let kind = match field.data_type() {
        Timestamp(unit, Some(_)) => Timestamp(*unit, Some(UTC.into())),
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

/// The same moments under another zone's name. Arrow's `cast` could do it, and would bring every
/// cast there is into the component: three quarters of its size.
fn named(column: &ArrayRef, kind: &DataType) -> Result<ArrayRef> {
    use DataType::{FixedSizeList, LargeList, List, Map, Struct, Timestamp};
    if column.data_type() == kind {
        return Ok(Arc::clone(column));
    }
    Ok(match kind {
        Timestamp(TimeUnit::Second, _) => moments::<TimestampSecondType>(column),
        Timestamp(TimeUnit::Millisecond, _) => moments::<TimestampMillisecondType>(column),
        Timestamp(TimeUnit::Microsecond, _) => moments::<TimestampMicrosecondType>(column),
        Timestamp(TimeUnit::Nanosecond, _) => moments::<TimestampNanosecondType>(column),
        List(item) => list::<i32>(column, item)?,
        LargeList(item) => list::<i64>(column, item)?,
        FixedSizeList(item, size) => {
            let length = column.len();
            let (_, _, values, nulls) = column.as_fixed_size_list().clone().into_parts();
            let (item, values) = (Arc::clone(item), named(&values, item.data_type())?);
            let list = FixedSizeListArray::try_new_with_length(item, *size, values, nulls, length);
            Arc::new(list?)
        }
        Map(field, sorted) => {
            let (_, offsets, entries, nulls, _) = column.as_map().clone().into_parts();
            let entries: ArrayRef = Arc::new(entries);
            let entries = named(&entries, field.data_type())?.as_struct().clone();
            let field = Arc::clone(field);
            Arc::new(MapArray::try_new(field, offsets, entries, nulls, *sorted)?)
        }
        Struct(fields) => {
            let (_, columns, nulls) = column.as_struct().clone().into_parts();
            let columns = columns.iter().zip(fields);
            let columns = columns.map(|(column, field)| named(column, field.data_type()));
            let columns = columns.collect::<Result<_>>()?;
            Arc::new(StructArray::try_new(fields.clone(), columns, nulls)?)
        }
        _ => Arc::clone(column),
    })
}

fn moments<T: ArrowTimestampType>(column: &ArrayRef) -> ArrayRef {
    Arc::new(column.as_primitive::<T>().clone().with_timezone(UTC))
}

fn list<O: OffsetSizeTrait>(column: &ArrayRef, item: &Arc<Field>) -> Result<ArrayRef> {
    let (_, offsets, values, nulls) = column.as_list::<O>().clone().into_parts();
    let (item, values) = (Arc::clone(item), named(&values, item.data_type())?);
    let list = GenericListArray::<O>::try_new(item, offsets, values, nulls)?;
    Ok(Arc::new(list))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hygge_sdk::arrow_array::{Int64Array, PrimitiveArray};

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
    #[test]
    fn a_moment_stays_the_moment_wherever_it_is() {
        use hygge_sdk::arrow_array::builder::{
            FixedSizeListBuilder, LargeListBuilder, ListBuilder, MapBuilder, StringBuilder,
            TimestampMillisecondBuilder, TimestampNanosecondBuilder, TimestampSecondBuilder,
        };
        let seconds = || TimestampSecondBuilder::new().with_timezone("Asia/Tokyo");
        let mut list = ListBuilder::new(seconds());
        list.append_value([Some(1), None]);
        list.append_null();
        let millis = TimestampMillisecondBuilder::new().with_timezone("-03:00");
        let mut large = LargeListBuilder::new(millis);
        large.append_value([Some(2)]);
        large.append_value([]);
        let nanos = TimestampNanosecondBuilder::new().with_timezone("Europe/Oslo");
        let mut fixed = FixedSizeListBuilder::new(nanos, 1);
        fixed.values().append_value(3);
        fixed.append(true);
        fixed.values().append_null();
        fixed.append(false);
        let mut map = MapBuilder::new(None, StringBuilder::new(), seconds());
        map.keys().append_value("k");
        map.values().append_value(4);
        map.append(true).unwrap();
        map.append(true).unwrap();
        let columns: [(_, ArrayRef); 4] = [
            ("list", Arc::new(list.finish())),
            ("large", Arc::new(large.finish())),
            ("fixed", Arc::new(fixed.finish())),
            ("map", Arc::new(map.finish())),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut text = Vec::new();
        let mut lines = arrow_json::LineDelimitedWriter::new(&mut text);
        // Also of a part of it.
        lines.write(&in_utc(batch.slice(0, 1)).unwrap()).unwrap();
        lines.write(&in_utc(batch.slice(1, 1)).unwrap()).unwrap();
        lines.finish().unwrap();
        drop(lines);
        assert_eq!(
            str::from_utf8(&text).unwrap(),
            "{\"list\":[\"1970-01-01T00:00:01Z\",null],\"large\":[\"1970-01-01T00:00:00.002Z\"],\
             \"fixed\":[\"1970-01-01T00:00:00.000000003Z\"],\
             \"map\":{\"k\":\"1970-01-01T00:00:04Z\"}}\n{\"large\":[],\"map\":{}}\n"
        );
    }
}
