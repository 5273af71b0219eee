//! Numbers and times that JSON has no form for.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, RecordBatch};
use arrow_schema::DataType;
use hygge_core::{Fault, Result, code, find_leaf, textless};

/// Refuses a batch with a value that JSON has no form for. Its writers would put null, or the words
/// of an error, in the place of one.
pub(super) fn check(batch: &RecordBatch) -> Result<()> {
    let schema = batch.schema_ref();
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let rows = 0..column.len();
        let name = field.name();
        let (what, advice) = if let Some(number) = infinite(column, rows.clone()) {
            let advice = "use parquet, csv or arrow, or make it NULL at the source";
            (number.to_string(), advice)
        } else if textless(column, rows) {
            let what = match field.data_type() {
                DataType::Time32(_) | DataType::Time64(_) => "a time that is in no day",
                _ => "a time in a year beyond 262142, or far before our era",
            };
            let advice = "look whether it is in another unit than its type says; parquet and \
                          arrow take it as it is";
            (what.to_owned(), advice)
        } else {
            continue;
        };
        return Err(Fault::new(
            code::DESTINATION_UNSUPPORTED,
            format!("column {name:?} holds {what}, which JSON has no form for"),
        )
        .with("column", name)
        .advise(advice));
    }
    Ok(())
}

/// A number among some values, or within them, that isn't finite.
fn infinite(array: &ArrayRef, range: Range<usize>) -> Option<f64> {
    fn first<T: ArrowPrimitiveType>(array: &ArrayRef, mut range: Range<usize>) -> Option<f64>
    where
        T::Native: Into<f64>,
    {
        let values = array.as_primitive::<T>().values();
        range.find_map(|at| {
            let value = values[at].into();
            (!value.is_finite() && array.is_valid(at)).then_some(value)
        })
    }
    find_leaf(
        array,
        range,
        DataType::is_floating,
        &|array, range| match array.data_type() {
            DataType::Float64 => first::<Float64Type>(array, range),
            DataType::Float32 => first::<Float32Type>(array, range),
            _ => first::<Float16Type>(array, range),
        },
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        Date32Array, Float64Array, ListArray, StructArray, Time64MicrosecondArray,
        TimestampSecondArray,
    };
    use arrow_buffer::{NullBuffer, OffsetBuffer};
    use arrow_cast::display::{ArrayFormatter, FormatOptions};
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

    #[test]
    fn times_that_have_no_text_are_refused() {
        let said = |column: ArrayRef| refused(column).unwrap_or_default();
        let dates = |days: i32| -> ArrayRef { Arc::new(Date32Array::from(vec![0, days])) };
        assert_eq!(refused(dates(95_026_236)), None);
        assert!(said(dates(1_711_852_200)).contains("in a year beyond"));
        let times =
            |ticks: i64| -> ArrayRef { Arc::new(Time64MicrosecondArray::from(vec![ticks])) };
        assert_eq!(refused(times(86_399_999_999)), None);
        assert!(said(times(86_400_000_000)).contains("in no day"));
        assert!(said(times(-1)).contains("in no day"));
        // What arrow's formatter can and can't show.
        let options = FormatOptions::new().with_display_error(false);
        for seconds in [
            i64::MIN,
            -8_334_601_228_801,
            -8_334_601_228_800,
            0,
            8_210_266_876_799,
            8_210_266_876_800,
        ] {
            let column: ArrayRef = Arc::new(TimestampSecondArray::from(vec![seconds]));
            let formatter = ArrayFormatter::try_new(&column, &options).unwrap();
            let shown = formatter.value(0).try_to_string().is_ok();
            assert_eq!(refused(column.clone()).is_none(), shown, "{seconds}");
        }
    }
}
