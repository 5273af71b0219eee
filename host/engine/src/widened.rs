//! Columns whose type became wider since the last run: their rows are hashed as they were then,
//! so that those taken already are recognised.

use arrow_array::{ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_row::{RowConverter, SortField};
use arrow_schema::{DataType, Schema, TimeUnit};
use hygge_core::{Fault, Result, code};

/// Whether every value of one type is one of the other, told apart from all others.
pub(crate) fn lossless(was: &DataType, is: &DataType) -> bool {
    use DataType as D;
    match (was, is) {
        (D::Date32, D::Date64) => true,
        (
            D::Decimal32(precision, scale)
            | D::Decimal64(precision, scale)
            | D::Decimal128(precision, scale)
            | D::Decimal256(precision, scale),
            D::Decimal32(wide, same)
            | D::Decimal64(wide, same)
            | D::Decimal128(wide, same)
            | D::Decimal256(wide, same),
        ) => scale == same && precision <= wide,
        (D::Timestamp(unit, zone), D::Timestamp(fine, same)) => {
            zone.is_some() == same.is_some() && rank(*unit) <= rank(*fine)
        }
        // 19 digits hold every whole number of 64 bits.
        (D::Int64, D::Decimal128(precision, scale) | D::Decimal256(precision, scale)) => {
            u8::try_from(*scale).is_ok_and(|scale| *precision >= 19 + scale)
        }
        _ => false,
    }
}

fn rank(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 1,
        TimeUnit::Microsecond => 2,
        TimeUnit::Nanosecond => 3,
    }
}

/// The columns that became wider, with the types they had.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Widened(Vec<(String, DataType)>);

impl Widened {
    pub(crate) fn add(&mut self, column: &str, was: DataType) {
        self.0.push((column.to_owned(), was));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The batch as it would have been then, and which of the rows have a value in it that
    /// there was no way to write then: those can't have been taken.
    pub(crate) fn narrow(
        &self,
        batch: &RecordBatch,
        rows: Vec<usize>,
    ) -> Result<(RecordBatch, Vec<usize>)> {
        if self.is_empty() {
            return Ok((batch.clone(), rows));
        }
        let mut rows = rows;
        let mut fields = batch.schema().fields().to_vec();
        let mut columns = batch.columns().to_vec();
        for (name, was) in &self.0 {
            let broken = |error| {
                Fault::new(
                    code::SCHEMA,
                    format!("column {name:?} can't be compared with what it was: {error}"),
                )
                .with("column", name)
            };
            let Ok(index) = batch.schema().index_of(name) else {
                continue;
            };
            let now = &columns[index];
            let then = cast(now, was).map_err(broken)?;
            let again = cast(&then, now.data_type()).map_err(broken)?;
            let same = same(now, &again).map_err(broken)?;
            rows.retain(|row| same[*row]);
            let field = fields[index].as_ref().clone().with_data_type(was.clone());
            // A value that doesn't fit is null now.
            fields[index] = field.with_nullable(true).into();
            columns[index] = then;
        }
        let batch = RecordBatch::try_new(Schema::new(fields).into(), columns)
            .map_err(|error| Fault::internal(format!("can't narrow rows: {error}")))?;
        Ok((batch, rows))
    }
}

/// Row by row, whether two columns of one type hold the same; null is null.
fn same(one: &ArrayRef, other: &ArrayRef) -> Result<Vec<bool>, arrow_schema::ArrowError> {
    let converter = RowConverter::new(vec![SortField::new(one.data_type().clone())])?;
    let one = converter.convert_columns(std::slice::from_ref(one))?;
    let other = converter.convert_columns(std::slice::from_ref(other))?;
    Ok(one.iter().zip(other.iter()).map(|(a, b)| a == b).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{TimestampMicrosecondArray, TimestampMillisecondArray};

    use super::*;
    use crate::rowhash::hash_rows;

    #[test]
    fn only_a_type_that_holds_every_value_is_wider() {
        use DataType as D;
        let micros = D::Timestamp(TimeUnit::Microsecond, None);
        let nanos = D::Timestamp(TimeUnit::Nanosecond, None);
        let zoned = D::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
        assert!(lossless(&micros, &nanos));
        assert!(!lossless(&nanos, &micros) && !lossless(&micros, &zoned));
        assert!(lossless(&D::Date32, &D::Date64) && !lossless(&D::Date64, &D::Date32));
        assert!(lossless(&D::Decimal128(10, 2), &D::Decimal256(40, 2)));
        assert!(!lossless(&D::Decimal128(10, 2), &D::Decimal128(12, 3)));
        assert!(!lossless(&D::Decimal128(10, 2), &D::Decimal128(9, 2)));
        assert!(lossless(&D::Int64, &D::Decimal128(21, 2)));
        assert!(!lossless(&D::Int64, &D::Decimal128(20, 2)));
        assert!(!lossless(&D::Int64, &D::Float64) && !lossless(&D::Utf8, &D::Date32));
    }

    #[test]
    fn the_state_names_types_so_that_they_read_back() {
        use DataType as D;
        for kind in [
            D::Date32,
            D::Decimal128(10, 2),
            D::Decimal256(40, -1),
            D::Timestamp(TimeUnit::Second, None),
            D::Timestamp(TimeUnit::Microsecond, None),
            D::Timestamp(TimeUnit::Nanosecond, Some("Europe/Berlin".into())),
        ] {
            assert_eq!(kind.to_string().parse::<D>().unwrap(), kind);
        }
    }

    #[test]
    fn a_row_hashes_as_it_did_and_one_that_could_not_be_is_left_out() {
        let then = TimestampMillisecondArray::from(vec![Some(1), None, Some(3)]);
        let now = TimestampMicrosecondArray::from(vec![Some(1_000), None, Some(3_001)]);
        let then = RecordBatch::try_from_iter([("at", Arc::new(then) as ArrayRef)]).unwrap();
        let now = RecordBatch::try_from_iter([("at", Arc::new(now) as ArrayRef)]).unwrap();
        let columns = ["at".to_owned()];
        let mut widened = Widened::default();
        widened.add("at", DataType::Timestamp(TimeUnit::Millisecond, None));
        let (narrow, rows) = widened.narrow(&now, vec![0, 1, 2]).unwrap();
        assert_eq!(rows, [0, 1]);
        assert_eq!(
            hash_rows(&narrow, &columns, &rows).unwrap(),
            hash_rows(&then, &columns, &rows).unwrap()
        );
    }
}
