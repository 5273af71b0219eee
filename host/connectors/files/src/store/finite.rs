//! Numbers that JSON has no form for.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, OffsetSizeTrait, RecordBatch};
use arrow_schema::DataType;
use hygge_core::{Fault, Result, code};

/// Refuses a batch with a number that isn't finite. Written as null, as JSON writers do, it
/// would be gone.
pub(super) fn check(batch: &RecordBatch) -> Result<()> {
    let schema = batch.schema_ref();
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        if let Some(number) = infinite(column, 0..column.len()) {
            let name = field.name();
            return Err(Fault::new(
                code::DESTINATION_UNSUPPORTED,
                format!("column {name:?} holds {number}, which JSON has no form for"),
            )
            .with("column", name)
            .advise("use parquet, csv or arrow, or make it NULL at the source"));
        }
    }
    Ok(())
}

/// A number among some values that isn't finite. What lies below a NULL isn't a value.
fn infinite(array: &ArrayRef, range: Range<usize>) -> Option<f64> {
    let valid = |at: &usize| array.is_valid(*at);
    match array.data_type() {
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>().values();
            let bad = range
                .clone()
                .find(|at| !values[*at].is_finite() && valid(at));
            bad.map(|at| values[at])
        }
        DataType::Float32 => {
            let values = array.as_primitive::<Float32Type>().values();
            let bad = range
                .clone()
                .find(|at| !values[*at].is_finite() && valid(at));
            bad.map(|at| values[at].into())
        }
        DataType::Float16 => {
            let values = array.as_primitive::<Float16Type>().values();
            let bad = range
                .clone()
                .find(|at| !values[*at].is_finite() && valid(at));
            bad.map(|at| values[at].into())
        }
        nested @ DataType::Struct(_) if holds_floats(nested) => {
            let columns = array.as_struct().columns();
            let mut rows = range.filter(valid);
            rows.find_map(|at| columns.iter().find_map(|c| infinite(c, at..at + 1)))
        }
        DataType::List(item) if holds_floats(item.data_type()) => {
            in_list(array.as_list::<i32>(), range)
        }
        DataType::LargeList(item) if holds_floats(item.data_type()) => {
            in_list(array.as_list::<i64>(), range)
        }
        DataType::FixedSizeList(item, _) if holds_floats(item.data_type()) => {
            let list = array.as_fixed_size_list();
            let mut rows = range.filter(valid);
            rows.find_map(|at| {
                let item = list.value(at);
                infinite(&item, 0..item.len())
            })
        }
        DataType::Map(entries, _) if holds_floats(entries.data_type()) => {
            let map = array.as_map();
            let mut rows = range.filter(valid);
            rows.find_map(|at| {
                let entries: ArrayRef = std::sync::Arc::new(map.value(at));
                infinite(&entries, 0..entries.len())
            })
        }
        _ => None,
    }
}

fn in_list<O: OffsetSizeTrait>(
    list: &arrow_array::GenericListArray<O>,
    range: Range<usize>,
) -> Option<f64> {
    let offsets = list.offsets();
    range.filter(|at| list.is_valid(*at)).find_map(|at| {
        let items = offsets[at].as_usize()..offsets[at + 1].as_usize();
        infinite(list.values(), items)
    })
}

fn holds_floats(data_type: &DataType) -> bool {
    match data_type {
        DataType::Float16 | DataType::Float32 | DataType::Float64 => true,
        DataType::Struct(fields) => fields.iter().any(|field| holds_floats(field.data_type())),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => holds_floats(item.data_type()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Float64Array, ListArray, StructArray};
    use arrow_buffer::{NullBuffer, OffsetBuffer};
    use arrow_schema::Field;

    use super::*;

    fn refused(column: ArrayRef) -> Option<String> {
        let batch = RecordBatch::try_from_iter([("x", column)]).unwrap();
        check(&batch).err().map(|fault| fault.message)
    }

    fn floats(values: &[f64], valid: &[bool]) -> ArrayRef {
        let nulls = NullBuffer::from(valid.to_vec());
        Arc::new(Float64Array::new(values.to_vec().into(), Some(nulls)))
    }

    #[test]
    fn what_is_not_finite_is_refused_and_what_is_below_a_null_is_not_there() {
        let nan = f64::NAN;
        assert_eq!(refused(floats(&[1.0, nan], &[true, false])), None);
        assert_eq!(
            refused(floats(&[1.0, f64::NEG_INFINITY], &[true, true])).as_deref(),
            Some("column \"x\" holds -inf, which JSON has no form for")
        );
        let list = |values: ArrayRef, valid: Vec<bool>| -> ArrayRef {
            let item = Arc::new(Field::new("item", values.data_type().clone(), true));
            let offsets = OffsetBuffer::from_lengths([1, 1]);
            Arc::new(ListArray::new(
                item,
                offsets,
                values,
                Some(NullBuffer::from(valid)),
            ))
        };
        let inner = || floats(&[nan, 2.0], &[true, true]);
        assert!(
            refused(list(inner(), vec![true, true]))
                .unwrap()
                .contains("NaN")
        );
        assert_eq!(refused(list(inner(), vec![false, true])), None);
        // A slice sees nothing of what is before it.
        assert_eq!(refused(list(inner(), vec![true, true]).slice(1, 1)), None);
        let of = |valid: Vec<bool>| -> ArrayRef {
            let field = Arc::new(Field::new("f", DataType::Float64, true));
            let nulls = NullBuffer::from(valid);
            Arc::new(StructArray::new(
                vec![field].into(),
                vec![inner()],
                Some(nulls),
            ))
        };
        assert!(refused(of(vec![true, true])).is_some());
        assert_eq!(refused(of(vec![false, true])), None);
    }
}
