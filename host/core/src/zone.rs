//! Moments in named time zones, for where they become text.
//!
//! What the clocks of a named zone show needs that zone's history, which hygge doesn't carry.
//! The moment itself doesn't: so it is written in UTC, with its `Z`, and stays what it was.

use std::sync::Arc;

use arrow_array::timezone::Tz;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Schema, SchemaRef};

/// A schema with UTC for every named zone, also within nested columns.
pub fn schema(schema: &SchemaRef) -> SchemaRef {
    let fields: Vec<FieldRef> = schema.fields().iter().map(field).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// Rows with every moment of a named zone in UTC, so that they can be shown as text.
pub fn rows(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    batch(rows, &schema(&rows.schema()))
}

/// Rows with the types of a schema that differs from theirs only in form.
pub fn batch(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| as_type(column, field.data_type()))
        .collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(Arc::clone(schema), columns)
}

/// A column in UTC when it is in a named zone.
pub fn column(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    as_type(column, &kind(column.data_type()))
}

fn as_type(column: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    if column.data_type() == data_type {
        Ok(Arc::clone(column))
    } else {
        cast(column, data_type)
    }
}

fn field(field: &FieldRef) -> FieldRef {
    let data_type = kind(field.data_type());
    if data_type == *field.data_type() {
        return Arc::clone(field);
    }
    Arc::new(Field::clone(field).with_data_type(data_type))
}

/// The entries of a map, with keys that are texts as they are: nobody writes those of a dictionary.
fn named(entries: &FieldRef) -> FieldRef {
    let entries = field(entries);
    let DataType::Struct(pair) = entries.data_type() else {
        return entries;
    };
    let pair = pair
        .iter()
        .enumerate()
        .map(|(at, part)| match part.data_type() {
            DataType::Dictionary(_, words) if at == 0 => {
                Arc::new(Field::clone(part).with_data_type(words.as_ref().clone()))
            }
            _ => Arc::clone(part),
        });
    let pair = DataType::Struct(pair.collect());
    Arc::new(Field::clone(&entries).with_data_type(pair))
}

fn kind(data_type: &DataType) -> DataType {
    use DataType as T;
    match data_type {
        T::Timestamp(unit, Some(zone)) if zone.parse::<Tz>().is_err() => {
            T::Timestamp(*unit, Some("+00:00".into()))
        }
        T::Dictionary(_, values) if kind(values) != **values => kind(values),
        T::List(item) => T::List(field(item)),
        T::LargeList(item) => T::LargeList(field(item)),
        T::FixedSizeList(item, length) => T::FixedSizeList(field(item), *length),
        T::Struct(members) => T::Struct(members.iter().map(field).collect()),
        T::RunEndEncoded(_, values) if kind(values.data_type()) != *values.data_type() => {
            kind(values.data_type())
        }
        T::Map(entries, sorted) => T::Map(named(entries), *sorted),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Array as _, StructArray, TimestampMillisecondArray};

    use super::*;

    #[test]
    fn the_moment_stays_and_the_zone_goes() {
        let moments = || TimestampMillisecondArray::from(vec![1_372_680_000_000]);
        let named: ArrayRef = Arc::new(moments().with_timezone("America/New_York"));
        let offset: ArrayRef = Arc::new(moments().with_timezone("+02:00"));
        let inner = Arc::new(Field::new("at", named.data_type().clone(), true));
        let nested: ArrayRef = Arc::new(StructArray::from(vec![(inner, Arc::clone(&named))]));
        let rows = RecordBatch::try_from_iter([("a", named), ("b", offset), ("c", nested)]);
        let rows = rows.unwrap();
        let plain = schema(&rows.schema());
        let rows = batch(&rows, &plain).unwrap();
        let utc: ArrayRef = Arc::new(moments().with_timezone("+00:00"));
        assert_eq!(rows.column(0), &utc);
        assert_eq!(
            plain.field(1).data_type().to_string(),
            "Timestamp(ms, \"+02:00\")"
        );
        let nested = rows.column(2).as_any().downcast_ref::<StructArray>();
        assert_eq!(nested.unwrap().column(0), &utc);
    }
}
