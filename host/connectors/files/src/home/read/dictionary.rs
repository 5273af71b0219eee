//! Dictionaries among whose values is NULL.
//!
//! Arrow lets a NULL be said in two ways: by the key, or by the value that the key leads to. Most code,
//! Arrow's own writers among it, looks at the keys only and takes the other kind for an empty text. So
//! it is said by the key from here on.

use arrow_array::{ArrayRef, RecordBatch, make_array};
use arrow_data::ArrayData;
use arrow_schema::{ArrowError, DataType};

/// The rows with no NULL among the values of a dictionary, also within nested columns.
pub(crate) fn nulls_by_key(batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
    let mut changed = false;
    let mut columns = Vec::with_capacity(batch.num_columns());
    for column in batch.columns() {
        let data = by_key(&column.to_data())?;
        changed |= data.is_some();
        columns.push(data.map_or_else(|| ArrayRef::clone(column), make_array));
    }
    match changed {
        true => RecordBatch::try_new(batch.schema(), columns),
        false => Ok(batch),
    }
}

/// None where nothing changes.
fn by_key(data: &ArrayData) -> Result<Option<ArrayData>, ArrowError> {
    if let DataType::Dictionary(..) = data.data_type() {
        let values = data.child_data().first();
        if values.is_none_or(|values| values.null_count() == 0) {
            return Ok(None);
        }
        let nulls = make_array(data.clone()).logical_nulls();
        return data.clone().into_builder().nulls(nulls).build().map(Some);
    }
    let children = data.child_data().iter();
    let made: Vec<_> = children.map(by_key).collect::<Result<_, _>>()?;
    if made.iter().all(Option::is_none) {
        return Ok(None);
    }
    let children = made.into_iter().zip(data.child_data());
    let children = children.map(|(made, child)| made.unwrap_or_else(|| child.clone()));
    let builder = data.clone().into_builder();
    builder.child_data(children.collect()).build().map(Some)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::Int8Type;
    use arrow_array::{Array as _, DictionaryArray, Int8Array, StringArray, StructArray};
    use arrow_schema::Field;

    use super::*;

    #[test]
    fn a_null_among_the_values_is_one_by_its_key() {
        let words = Arc::new(StringArray::from(vec![Some("a"), None]));
        let keys = Int8Array::from(vec![Some(1), Some(0), Some(1), None]);
        let column = DictionaryArray::<Int8Type>::try_new(keys, words).unwrap();
        let column: ArrayRef = Arc::new(column);
        let field = Arc::new(Field::new("d", column.data_type().clone(), true));
        let nested: ArrayRef = Arc::new(StructArray::from(vec![(field, Arc::clone(&column))]));
        let rows = RecordBatch::try_from_iter([("d", column), ("s", nested)]).unwrap();
        // Also of a part that begins elsewhere.
        let rows = nulls_by_key(rows.slice(1, 3)).unwrap();
        let nulls = |column: &ArrayRef| {
            let nulls = column.nulls().unwrap();
            (0..3).map(|at| nulls.is_null(at)).collect::<Vec<_>>()
        };
        assert_eq!(nulls(rows.column(0)), [false, true, true]);
        let nested = rows.column(1).as_any().downcast_ref::<StructArray>();
        assert_eq!(nulls(nested.unwrap().column(0)), [false, true, true]);
    }
}
