//! Rows to try a plugin with: a plain table, and a column of every type that may cross.

use std::sync::Arc;

use arrow_array::builder::{Int64Builder, ListBuilder, MapBuilder, StringBuilder};
use arrow_array::types::{IntervalDayTimeType, IntervalMonthDayNanoType, IntervalYearMonthType};
use arrow_array::{
    Array, ArrayRef, FixedSizeBinaryArray, FixedSizeListArray, Float64Array, Int32Array,
    Int64Array, NullArray, PrimitiveArray, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray, new_null_array,
};
use arrow_cast::cast;
use arrow_schema::{DataType, Field, IntervalUnit, SchemaRef, TimeUnit};

/// Rows of the plain table.
const ROWS: i64 = 1_000;
/// Rows of a table with one column more.
const FEW: i64 = 20;

/// The table that is used when none is given: `id`, `text`, `number` and `moment`.
pub(super) fn table() -> RecordBatch {
    rows(ROWS)
}

fn rows(many: i64) -> RecordBatch {
    const WORDS: [&str; 4] = [
        "Oslo",
        "Köln",
        "",
        "a text that is longer than twelve bytes",
    ];
    let text = |n: i64| (n % 7 != 3).then(|| WORDS[usize::try_from(n % 4).unwrap_or(0)]);
    let number = |n: i64| (n % 11 != 5).then_some(n as f64 / 8.0 - 20.0);
    // A minute apart, from the start of 2024.
    let moment = |n: i64| (n % 13 != 6).then_some(1_704_067_200_000_000 + n * 60_000_000);
    let id: ArrayRef = Arc::new(Int64Array::from_iter_values(0..many));
    let text: ArrayRef = Arc::new((0..many).map(text).collect::<StringArray>());
    let number: ArrayRef = Arc::new((0..many).map(number).collect::<Float64Array>());
    let moment = (0..many)
        .map(moment)
        .collect::<TimestampMicrosecondArray>()
        .with_timezone("UTC");
    let columns = [
        ("id", id, false),
        ("text", text, true),
        ("number", number, true),
        ("moment", Arc::new(moment), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns)
        .unwrap_or_else(|_| RecordBatch::new_empty(Arc::new(arrow_schema::Schema::empty())))
}

/// The batch again and again, up to about this many bytes.
pub(super) fn huge(batch: &RecordBatch, bytes: usize) -> RecordBatch {
    let one = batch.get_array_memory_size().max(1);
    let times = (bytes / one).clamp(1, 100_000);
    let all: Vec<&RecordBatch> = std::iter::repeat_n(batch, times).collect();
    arrow_select::concat::concat_batches(&batch.schema(), all).unwrap_or_else(|_| batch.clone())
}

/// The batch in pieces of so many rows, with an empty one between.
pub(super) fn pieces(batch: &RecordBatch, rows: usize) -> Vec<RecordBatch> {
    let mut all = Vec::new();
    let mut at = 0;
    while at < batch.num_rows() {
        let many = rows.min(batch.num_rows() - at);
        all.push(batch.slice(at, many));
        if at == 0 {
            all.push(batch.slice(0, 0));
        }
        at += many;
    }
    all
}

/// All rows in one batch.
pub(super) fn joined(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<RecordBatch, String> {
    arrow_select::concat::concat_batches(schema, batches).map_err(|error| error.to_string())
}

/// The first rows of a table with one column more, `every`, of each type that may cross.
pub(super) fn every(batch: &RecordBatch) -> Vec<RecordBatch> {
    let few = usize::try_from(FEW).unwrap_or(0).min(batch.num_rows());
    let base = batch.slice(0, few);
    let with = |column: ArrayRef| {
        let mut fields: Vec<_> = base.schema().fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(
            "every",
            column.data_type().clone(),
            true,
        )));
        let mut columns = base.columns().to_vec();
        columns.push(column.slice(0, few));
        RecordBatch::try_new(Arc::new(arrow_schema::Schema::new(fields)), columns).ok()
    };
    columns().into_iter().filter_map(with).collect()
}

/// A column of each type, with values and nulls.
fn columns() -> Vec<ArrayRef> {
    use DataType::{
        Binary, Boolean, Date32, Date64, Decimal32, Decimal64, Decimal128, Decimal256, Duration,
        Float16, Float32, Float64, Int8, Int16, Int32, Int64, LargeBinary, LargeUtf8, Time32,
        Time64, Timestamp, UInt8, UInt16, UInt32, UInt64, Utf8,
    };
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    let numbers: ArrayRef = Arc::new(
        (0..FEW)
            .map(|n| (n % 5 != 2).then_some(n))
            .collect::<Int64Array>(),
    );
    let mut kinds = vec![
        Boolean, Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64, Float16, Float32,
        Float64, Utf8, LargeUtf8, Date32, Date64,
    ];
    kinds.extend([
        Decimal32(7, 2),
        Decimal64(15, 2),
        Decimal128(30, 4),
        Decimal256(60, 4),
        Time32(Second),
        Time32(Millisecond),
        Time64(Microsecond),
        Time64(Nanosecond),
    ]);
    for unit in [Second, Millisecond, Microsecond, Nanosecond] {
        kinds.push(Timestamp(unit, None));
        kinds.push(Timestamp(unit, Some("UTC".into())));
        kinds.push(Timestamp(unit, Some("Europe/Oslo".into())));
        kinds.push(Duration(unit));
    }
    let mut all: Vec<ArrayRef> = kinds.iter().map(|kind| made(&numbers, kind)).collect();
    let texts = made(&numbers, &Utf8);
    all.extend([Binary, LargeBinary].iter().map(|kind| made(&texts, kind)));
    let rows = numbers.len();
    all.push(Arc::new(NullArray::new(rows)));
    let fixed = (0..FEW).map(|n| (n % 3 != 1).then_some(n.to_le_bytes()));
    if let Ok(fixed) = FixedSizeBinaryArray::try_from_sparse_iter_with_size(fixed, 8) {
        all.push(Arc::new(fixed));
    }
    for unit in [
        IntervalUnit::YearMonth,
        IntervalUnit::DayTime,
        IntervalUnit::MonthDayNano,
    ] {
        all.push(interval(unit, rows));
    }
    all.extend(nested(&numbers, &texts));
    all
}

/// The values in another type; nulls where there is no way to it.
fn made(values: &ArrayRef, kind: &DataType) -> ArrayRef {
    // Dates and times have no cast from 64 bits each; by way of 32 they have.
    let direct = cast(values, kind).ok();
    let short = || cast(&cast(values, &DataType::Int32).ok()?, kind).ok();
    direct
        .or_else(short)
        .unwrap_or_else(|| new_null_array(kind, values.len()))
}

fn interval(unit: IntervalUnit, rows: usize) -> ArrayRef {
    let values = 0..i32::try_from(rows).unwrap_or(0);
    match unit {
        IntervalUnit::YearMonth => Arc::new(
            PrimitiveArray::<IntervalYearMonthType>::from_iter_values(values),
        ),
        IntervalUnit::DayTime => Arc::new(PrimitiveArray::<IntervalDayTimeType>::from_iter_values(
            values.map(|n| IntervalDayTimeType::make_value(n, n * 1_000)),
        )),
        IntervalUnit::MonthDayNano => Arc::new(
            PrimitiveArray::<IntervalMonthDayNanoType>::from_iter_values(
                values.map(|n| IntervalMonthDayNanoType::make_value(n, n, i64::from(n) * 1_000)),
            ),
        ),
    }
}

fn nested(numbers: &ArrayRef, texts: &ArrayRef) -> Vec<ArrayRef> {
    let mut lists = ListBuilder::new(Int64Builder::new());
    let mut maps = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    for n in 0..FEW {
        for value in 0..n % 4 {
            lists.values().append_value(value);
            maps.keys().append_value(format!("k{value}"));
            maps.values().append_option((value != 1).then_some(n));
        }
        lists.append(n % 6 != 4);
        // One more key than values is the only way that this could fail.
        drop(maps.append(n % 6 != 5));
    }
    let lists: ArrayRef = Arc::new(lists.finish());
    let item = Arc::new(Field::new("item", DataType::Int64, true));
    let large = cast(&lists, &DataType::LargeList(Arc::clone(&item)));
    let pairs: ArrayRef = Arc::new(Int64Array::from_iter_values(0..FEW * 2));
    let fixed = FixedSizeListArray::try_new(item, 2, pairs, None);
    let fields = vec![
        Field::new("number", numbers.data_type().clone(), true),
        Field::new("text", texts.data_type().clone(), true),
        Field::new("list", lists.data_type().clone(), true),
    ];
    let parts = vec![Arc::clone(numbers), Arc::clone(texts), Arc::clone(&lists)];
    let structs = StructArray::try_new(fields.into(), parts, None);
    let deep = deep(5);
    let mut all = vec![lists, Arc::new(maps.finish()) as ArrayRef, deep];
    all.extend(large.ok());
    all.extend(fixed.ok().map(|each| Arc::new(each) as ArrayRef));
    all.extend(structs.ok().map(|each| Arc::new(each) as ArrayRef));
    all
}

/// Structs in structs.
fn deep(levels: usize) -> ArrayRef {
    let rows = i32::try_from(FEW).unwrap_or(0);
    let mut column: ArrayRef = Arc::new(Int32Array::from_iter_values(0..rows));
    for _ in 0..levels {
        let field = Field::new("within", column.data_type().clone(), true);
        column = Arc::new(StructArray::from(vec![(Arc::new(field), column)]));
    }
    column
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{columns as types, ipc};

    #[test]
    fn every_type_of_the_contract_is_there_with_values_and_may_cross() {
        let all = every(&table());
        let mut names = std::collections::BTreeSet::new();
        for batch in &all {
            let column = batch.column(batch.num_columns() - 1);
            let kind = column.data_type();
            assert!(names.insert(kind.to_string()), "{kind} is there twice");
            types::check(&batch.schema()).unwrap();
            let bytes = ipc::write_batch(batch).unwrap();
            let read = ipc::read_batch(bytes, &batch.schema(), 1_000, 1 << 20).unwrap();
            assert_eq!(read, *batch, "{kind}");
            let empty = column.null_count() == column.len();
            assert!(!empty || *kind == DataType::Null, "{kind} has no values");
        }
        assert_eq!(names.len(), 53);
    }

    #[test]
    fn pieces_are_the_whole() {
        let table = table();
        for rows in [1, 7, 999, 1_000, 5_000] {
            let pieces = pieces(&table, rows);
            assert_eq!(joined(&table.schema(), &pieces).unwrap(), table);
        }
    }
}
