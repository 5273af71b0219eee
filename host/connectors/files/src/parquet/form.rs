//! Types that Parquet has no form for, and the ones they are stored as.
//!
//! Without an annotation a value is a plain integer to every reader but those that look for
//! Arrow's own schema. Parquet knows days, and times and moments from milliseconds on; so seconds
//! become milliseconds, and a day counted in milliseconds becomes a day, as other writers do it.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use parquet::errors::{ParquetError, Result};

use super::int96::mapped;

/// The schema that files of such rows declare. A day stays what it is: readers that know the
/// difference are told, to all others it is a day.
pub fn declared(schema: &SchemaRef) -> SchemaRef {
    each(schema, declared_field)
}

/// The same for a column.
pub(crate) fn declared_field(field: &FieldRef) -> FieldRef {
    mapped(field, &|data_type| with_room(&timed(data_type)))
}

/// The schema to read a file with, which may have been written with smaller dictionaries.
pub(crate) fn roomy(schema: &SchemaRef) -> SchemaRef {
    each(schema, |field| mapped(field, &with_room))
}

fn each(schema: &SchemaRef, column: fn(&FieldRef) -> FieldRef) -> SchemaRef {
    let fields: Vec<FieldRef> = schema.fields().iter().map(column).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// The column as its values are stored, when that is another type.
pub(super) fn stored(field: &FieldRef) -> Option<FieldRef> {
    let stored = mapped(field, &known);
    (stored.data_type() != field.data_type()).then_some(stored)
}

/// Brings values to the form they are stored in, without losing anything.
pub(super) fn store(array: &ArrayRef, stored: &Field) -> Result<ArrayRef> {
    let broken = |why: &dyn std::fmt::Display| {
        ParquetError::General(format!("column {:?}: {why}", stored.name()))
    };
    // Not "safe", which would turn what doesn't fit into NULL.
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let cast = |array: &ArrayRef, to: &DataType| {
        cast_with_options(array, to, &options).map_err(|error| broken(&error))
    };
    let is = cast(array, stored.data_type())?;
    // What can be lost is the time of a day.
    if *cast(&is, array.data_type())? != **array {
        return Err(broken(
            &"a date64 is a day, and one of the values has a time of day",
        ));
    }
    Ok(is)
}

/// A dictionary whose keys can number all values of a row group: each batch that was written had
/// one of its own, and who reads makes one of them all.
fn with_room(data_type: &DataType) -> DataType {
    use DataType as T;
    match data_type {
        T::Dictionary(key, values)
            if matches!(**key, T::Int8 | T::UInt8 | T::Int16 | T::UInt16) =>
        {
            T::Dictionary(Box::new(T::Int32), values.clone())
        }
        other => other.clone(),
    }
}

/// What Parquet knows.
fn known(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Date64 => DataType::Date32,
        DataType::Dictionary(key, values) => {
            DataType::Dictionary(key.clone(), Box::new(known(values)))
        }
        other => timed(other),
    }
}

/// Milliseconds for seconds.
fn timed(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Timestamp(TimeUnit::Second, zone) => {
            DataType::Timestamp(TimeUnit::Millisecond, zone.clone())
        }
        DataType::Time32(TimeUnit::Second) => DataType::Time32(TimeUnit::Millisecond),
        DataType::Dictionary(key, values) => {
            DataType::Dictionary(key.clone(), Box::new(timed(values)))
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::{Date64Type, Int8Type, TimestampMillisecondType};
    use arrow_array::{
        Array as _, Date64Array, DictionaryArray, Int64Array, RecordBatch, StructArray,
        Time32SecondArray, TimestampSecondArray,
    };
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::super::{EncodeOptions, Encoder};
    use super::*;

    fn written(batch: &RecordBatch) -> Result<Vec<u8>> {
        let encoder = Encoder::new(batch.schema(), EncodeOptions::default())?;
        let mut file = encoder.file_writer(Vec::new(), Vec::new())?;
        encoder
            .encode(std::slice::from_ref(batch))?
            .append(&mut file)?;
        file.into_inner()
    }

    fn batch(days: &[i64]) -> RecordBatch {
        let n = days.len();
        let days: ArrayRef = Arc::new(Date64Array::from(days.to_vec()));
        let at: ArrayRef = Arc::new(
            TimestampSecondArray::from(vec![Some(1_356_998_400); n]).with_timezone("Europe/Oslo"),
        );
        let time: ArrayRef = Arc::new(Time32SecondArray::from(vec![Some(3_600); n]));
        let inner = [
            Arc::new(Field::new("day", DataType::Date64, true)),
            Arc::new(Field::new("n", DataType::Int64, true)),
        ];
        let n: ArrayRef = Arc::new(Int64Array::from(vec![1; n]));
        let nested: ArrayRef = Arc::new(StructArray::new(
            inner.to_vec().into(),
            vec![Arc::clone(&days), n],
            None,
        ));
        RecordBatch::try_from_iter([("day", days), ("at", at), ("time", time), ("in", nested)])
            .unwrap()
    }

    /// Each batch numbers its own texts with keys of a byte; together they are too many for that.
    #[test]
    fn dictionaries_of_all_batches_have_room_in_one() {
        let batch = |from: i32| {
            let texts: Vec<String> = (from..from + 100).map(|n| format!("text {n}")).collect();
            let column: DictionaryArray<Int8Type> =
                texts.iter().map(|t| Some(t.as_str())).collect();
            let column: ArrayRef = Arc::new(column);
            RecordBatch::try_from_iter([("kind", column)]).unwrap()
        };
        let batches = [batch(0), batch(100), batch(200)];
        let encoder = Encoder::new(batches[0].schema(), EncodeOptions::default()).unwrap();
        let mut file = encoder.file_writer(Vec::new(), Vec::new()).unwrap();
        encoder.encode(&batches).unwrap().append(&mut file).unwrap();
        let file = bytes::Bytes::from(file.into_inner().unwrap());
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let rows: Vec<RecordBatch> = reader
            .build()
            .unwrap()
            .map(std::result::Result::unwrap)
            .collect();
        let texts: Vec<String> = rows
            .iter()
            .flat_map(|rows| {
                let texts = arrow_cast::cast(rows.column(0), &DataType::Utf8).unwrap();
                let texts: Vec<String> = texts
                    .as_string::<i32>()
                    .iter()
                    .flatten()
                    .map(str::to_owned)
                    .collect();
                texts
            })
            .collect();
        assert_eq!(
            texts,
            (0..300).map(|n| format!("text {n}")).collect::<Vec<_>>()
        );
    }

    const DAY: i64 = 86_400_000;

    #[test]
    fn days_times_and_moments_are_that_to_every_reader() {
        let rows = batch(&[0, 15_706 * DAY, -DAY]);
        let file = bytes::Bytes::from(written(&rows).unwrap());
        let reader = ParquetRecordBatchReaderBuilder::try_new(file.clone()).unwrap();
        let kinds: Vec<String> = reader
            .parquet_schema()
            .columns()
            .iter()
            .take(4)
            .map(|column| format!("{:?}", column.logical_type_ref().unwrap()))
            .collect();
        assert_eq!(kinds[0], "Date");
        assert!(kinds[1].starts_with("Timestamp"), "{kinds:?}");
        assert!(kinds[1].contains("MILLIS"), "{kinds:?}");
        assert!(
            kinds[2].starts_with("Time") && kinds[2].contains("MILLIS"),
            "{kinds:?}"
        );
        assert_eq!(kinds[3], "Date");
        assert_eq!(reader.schema().fields(), declared(&rows.schema()).fields());
        let read = reader.build().unwrap().next().unwrap().unwrap();
        assert_eq!(
            read.column(0).as_primitive::<Date64Type>(),
            rows.column(0).as_primitive::<Date64Type>()
        );
        let at = read.column(1).as_primitive::<TimestampMillisecondType>();
        assert_eq!(at.value(0), 1_356_998_400_000);
        assert_eq!(read.column(3), rows.column(3));
        assert_eq!(read.column(2).len(), 3);
    }

    #[test]
    fn a_time_of_day_is_not_lost() {
        let refused = written(&batch(&[DAY + 1])).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "Parquet error: column \"day\": a date64 is a day, and one of the values has a time of \
             day"
        );
    }

    #[test]
    fn moments_that_can_not_be_counted_in_milliseconds_are_refused() {
        let far: ArrayRef = Arc::new(TimestampSecondArray::from(vec![i64::MAX]));
        let rows = RecordBatch::try_from_iter([("at", far)]).unwrap();
        assert!(written(&rows).unwrap_err().to_string().contains("\"at\""));
    }
}
