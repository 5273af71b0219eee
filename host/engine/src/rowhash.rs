use arrow_array::{ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_row::{RowConverter, SortField};
use arrow_schema::DataType;
use hygge_core::{Fault, Result, code};
use xxhash_rust::xxh3::xxh3_128;

/// Hashes the named columns of every row in `keep` (row numbers) to 128 bits.
///
/// Equal values hash alike whatever width their column has: integers are widened to 64 bits,
/// floats to 64, strings and binaries to the plain form, moments are in UTC. So a source whose
/// `int` became `bigint` still recognises its rows.
pub(crate) fn hash_rows(
    batch: &RecordBatch,
    columns: &[String],
    keep: &[usize],
) -> Result<Vec<u128>> {
    let mut wide: Vec<ArrayRef> = Vec::with_capacity(columns.len());
    let indices = arrow_array::UInt64Array::from_iter_values(keep.iter().map(|&n| n as u64));
    for name in columns {
        let column = batch.column_by_name(name).ok_or_else(|| {
            Fault::new(code::SCHEMA, format!("the source has no column {name:?}"))
                .with("column", name)
        })?;
        let taken = arrow_select::take::take(column, &indices, None).map_err(unhashable(name))?;
        wide.push(match canonical(taken.data_type()) {
            Some(to) => cast(&taken, &to).map_err(unhashable(name))?,
            None => taken,
        });
    }
    let fields = wide
        .iter()
        .map(|c| SortField::new(c.data_type().clone()))
        .collect();
    let converter = RowConverter::new(fields).map_err(unhashable("*"))?;
    let rows = converter.convert_columns(&wide).map_err(unhashable("*"))?;
    Ok(rows.iter().map(|row| xxh3_128(row.as_ref())).collect())
}

/// The type a column is hashed as: with another, the same value hashes differently.
pub(crate) fn hashed_as(data_type: &DataType) -> DataType {
    canonical(data_type).unwrap_or_else(|| data_type.clone())
}

fn unhashable(column: &str) -> impl Fn(arrow_schema::ArrowError) -> Fault {
    move |error| {
        Fault::new(
            code::SCHEMA,
            format!("column {column:?} can't be compared: {error}"),
        )
        .with("column", column)
    }
}

/// The type that all widths of a value share, if this isn't it.
fn canonical(data_type: &DataType) -> Option<DataType> {
    use DataType as D;
    match data_type {
        D::Int8 | D::Int16 | D::Int32 | D::UInt8 | D::UInt16 | D::UInt32 => Some(D::Int64),
        D::Float16 | D::Float32 => Some(D::Float64),
        D::LargeUtf8 | D::Utf8View => Some(D::Utf8),
        // A moment is the same in every zone.
        D::Timestamp(unit, Some(zone)) if zone.as_ref() != "UTC" => {
            Some(D::Timestamp(*unit, Some("UTC".into())))
        }
        D::LargeBinary | D::BinaryView | D::FixedSizeBinary(_) => Some(D::Binary),
        D::Dictionary(_, values) => {
            Some(canonical(values).unwrap_or_else(|| values.as_ref().clone()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int32Array, Int64Array, LargeStringArray, StringArray};

    use super::*;

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn widening_a_column_keeps_the_hash() {
        let narrow = batch(vec![
            (
                "n",
                Arc::new(Int32Array::from(vec![Some(1), None, Some(3)])),
            ),
            ("s", Arc::new(StringArray::from(vec!["a", "b", "c"]))),
        ]);
        let wide = batch(vec![
            (
                "n",
                Arc::new(Int64Array::from(vec![Some(1), None, Some(3)])),
            ),
            ("s", Arc::new(LargeStringArray::from(vec!["a", "b", "c"]))),
        ]);
        let columns = ["n".to_owned(), "s".to_owned()];
        let keep = [0, 1, 2];
        let hashes = hash_rows(&narrow, &columns, &keep).unwrap();
        assert_eq!(hashes, hash_rows(&wide, &columns, &keep).unwrap());
        assert_eq!(
            hashes
                .iter()
                .collect::<std::collections::BTreeSet<_>>()
                .len(),
            3
        );
    }

    #[test]
    fn a_moment_is_the_same_in_every_zone() {
        use arrow_array::TimestampMicrosecondArray;
        let at = |zone: &str| {
            let moments = TimestampMicrosecondArray::from(vec![1, 2]).with_timezone(zone);
            batch(vec![("at", Arc::new(moments))])
        };
        let hash = |zone: &str| hash_rows(&at(zone), &["at".to_owned()], &[0, 1]).unwrap();
        assert_eq!(hash("UTC"), hash("+02:00"));
        assert_eq!(hash("UTC"), hash("Europe/Berlin"));
    }

    #[test]
    fn only_the_rows_asked_for() {
        let rows = batch(vec![("n", Arc::new(Int64Array::from(vec![1, 2, 3])))]);
        let columns = ["n".to_owned()];
        let all = hash_rows(&rows, &columns, &[0, 1, 2]).unwrap();
        assert_eq!(hash_rows(&rows, &columns, &[2]).unwrap(), [all[2]]);
    }
}
