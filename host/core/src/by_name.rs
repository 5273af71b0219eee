//! Values brought to a wider type.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, GenericListArray, MapArray, OffsetSizeTrait, StructArray,
    new_null_array,
};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, FieldRef};

/// Casts by name where types nest, which Arrow's own cast doesn't: a field that isn't there is
/// NULL. What doesn't fit fails. Leads from any type to what [`widen`](crate::widen) makes of it
/// and another.
pub fn cast_by_name(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    use DataType as T;
    let from = array.data_type();
    if from == to {
        return Ok(Arc::clone(array));
    }
    match (from, to) {
        (T::Struct(own), T::Struct(wanted)) => {
            let array = array.as_struct();
            let columns = wanted
                .iter()
                .map(
                    |field| match own.iter().position(|f| f.name() == field.name()) {
                        Some(index) => cast_by_name(array.column(index), field.data_type()),
                        None => Ok(new_null_array(field.data_type(), array.len())),
                    },
                )
                .collect::<Result<Vec<_>, _>>()?;
            let (nulls, rows) = (array.nulls().cloned(), array.len());
            let made = StructArray::try_new_with_length(wanted.clone(), columns, nulls, rows)?;
            Ok(Arc::new(made))
        }
        (T::List(_), T::List(item)) => list(array.as_list::<i32>(), item),
        (T::LargeList(_), T::LargeList(item)) => list(array.as_list::<i64>(), item),
        (T::FixedSizeList(_, m), T::FixedSizeList(item, n)) if m == n => {
            let array = array.as_fixed_size_list();
            let values = cast_by_name(array.values(), item.data_type())?;
            let (item, nulls) = (Arc::clone(item), array.nulls().cloned());
            let rows = array.len();
            let made = FixedSizeListArray::try_new_with_length(item, *n, values, nulls, rows)?;
            Ok(Arc::new(made))
        }
        (T::List(x) | T::LargeList(x) | T::FixedSizeList(x, _), T::List(y) | T::LargeList(y))
            if x.data_type() != y.data_type() =>
        {
            // First the shape, then what is inside.
            let shaped = match to {
                T::List(_) => T::List(Arc::clone(x)),
                _ => T::LargeList(Arc::clone(x)),
            };
            cast_by_name(&plain(array, &shaped)?, to)
        }
        (T::Map(..), T::Map(entries, sorted)) => {
            let array = array.as_map();
            let own: ArrayRef = Arc::new(array.entries().clone());
            let cast = cast_by_name(&own, entries.data_type())?;
            let made = MapArray::try_new(
                Arc::clone(entries),
                array.offsets().clone(),
                cast.as_struct().clone(),
                array.nulls().cloned(),
                *sorted,
            )?;
            Ok(Arc::new(made))
        }
        (T::Null, to) => Ok(new_null_array(to, array.len())),
        _ => plain(array, to),
    }
}

fn list<O: OffsetSizeTrait>(
    array: &GenericListArray<O>,
    item: &FieldRef,
) -> Result<ArrayRef, ArrowError> {
    let values = cast_by_name(array.values(), item.data_type())?;
    let (offsets, nulls) = (array.offsets().clone(), array.nulls().cloned());
    let made = GenericListArray::<O>::try_new(Arc::clone(item), offsets, values, nulls)?;
    Ok(Arc::new(made))
}

fn plain(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    // Not "safe", which would turn what doesn't fit into NULL.
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(array, to, &options)
}
