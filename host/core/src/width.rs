//! How wide rows are. Arrow counts what a column's buffers hold, which a part of a column shares with all of
//! it.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::ByteViewType;
use arrow_array::{Array, ArrayRef, GenericByteViewArray, OffsetSizeTrait, RecordBatch};
use arrow_schema::DataType;

/// Bytes of columns that another batch doesn't have.
pub fn made_bytes(batch: &RecordBatch, of: &RecordBatch) -> usize {
    let place = |column: &ArrayRef| Arc::as_ptr(column).cast::<()>();
    let own: HashSet<*const ()> = of.columns().iter().map(place).collect();
    let columns = batch.columns().iter();
    columns
        .filter(|column| !own.contains(&place(column)))
        .map(column_bytes)
        .sum()
}

/// Bytes of the values of a column, which may be a part of a longer one; of a dictionary all words, too.
pub fn column_bytes(column: &ArrayRef) -> usize {
    let rows = column.len();
    match column.data_type() {
        DataType::Utf8 => offsets(column.as_string::<i32>().value_offsets()),
        DataType::LargeUtf8 => offsets(column.as_string::<i64>().value_offsets()),
        DataType::Binary => offsets(column.as_binary::<i32>().value_offsets()),
        DataType::LargeBinary => offsets(column.as_binary::<i64>().value_offsets()),
        DataType::Utf8View => views(column.as_string_view()),
        DataType::BinaryView => views(column.as_binary_view()),
        DataType::List(_) => {
            let lists = column.as_list::<i32>();
            items(lists.values(), lists.value_offsets())
        }
        DataType::LargeList(_) => {
            let lists = column.as_list::<i64>();
            items(lists.values(), lists.value_offsets())
        }
        DataType::Map(..) => {
            let map = column.as_map();
            let entries = map.entries().columns();
            entries
                .iter()
                .map(|part| items(part, map.value_offsets()))
                .sum()
        }
        DataType::FixedSizeList(..) => column_bytes(column.as_fixed_size_list().values()),
        DataType::Struct(_) => column.as_struct().columns().iter().map(column_bytes).sum(),
        DataType::FixedSizeBinary(size) => rows * usize::try_from(*size).unwrap_or_default(),
        DataType::Dictionary(number, _) => {
            let words = column_bytes(column.as_any_dictionary().values());
            rows * number.primitive_width().unwrap_or(8) + words
        }
        DataType::Boolean => rows.div_ceil(8),
        DataType::Null => 0,
        other => rows * other.primitive_width().unwrap_or(16),
    }
}

fn offsets<O: OffsetSizeTrait>(offsets: &[O]) -> usize {
    let ends = offsets.first().zip(offsets.last());
    let own = ends.map_or(0, |(first, last)| last.as_usize() - first.as_usize());
    own + size_of_val(offsets)
}

fn views<T: ByteViewType + ?Sized>(texts: &GenericByteViewArray<T>) -> usize {
    let lengths = texts.lengths().map(|length| length as usize);
    lengths.map(|length| 16 + length).sum()
}

fn items<O: OffsetSizeTrait>(values: &ArrayRef, ends: &[O]) -> usize {
    let (Some(first), Some(last)) = (ends.first(), ends.last()) else {
        return 0;
    };
    let own = values.slice(first.as_usize(), last.as_usize() - first.as_usize());
    column_bytes(&own) + size_of_val(ends)
}

#[cfg(test)]
mod tests {
    use arrow_array::builder::{Int64Builder, ListBuilder};
    use arrow_array::{Int64Array, StringArray, StringViewArray};

    use super::*;

    #[test]
    fn a_part_has_its_own_bytes() {
        let texts = vec!["x".repeat(100); 50];
        let mut lists = ListBuilder::new(Int64Builder::new());
        for _ in 0..50 {
            lists.values().append_slice(&[1; 20]);
            lists.append(true);
        }
        let columns: [(ArrayRef, usize); 4] = [
            (Arc::new(StringArray::from(texts.clone())), 104),
            (Arc::new(StringViewArray::from_iter_values(&texts)), 116),
            (Arc::new(lists.finish()), 164),
            (Arc::new(Int64Array::from(vec![1; 50])), 8),
        ];
        for (column, each) in columns {
            // An offset more than there are rows.
            let about = |rows: usize| rows * each..=rows * each + 4;
            assert!(
                about(50).contains(&column_bytes(&column)),
                "{}",
                column_bytes(&column)
            );
            let part = column.slice(7, 10);
            assert!(
                about(10).contains(&column_bytes(&part)),
                "{}",
                column_bytes(&part)
            );
        }
    }

    #[test]
    fn what_passes_is_not_made() {
        let one: ArrayRef = Arc::new(Int64Array::from(vec![1; 10]));
        let two: ArrayRef = Arc::new(Int64Array::from(vec![2; 10]));
        let given = RecordBatch::try_from_iter([("a", Arc::clone(&one))]).unwrap();
        let batch = RecordBatch::try_from_iter([("b", two), ("a", one)]).unwrap();
        assert_eq!(made_bytes(&batch, &given), 80);
    }
}
