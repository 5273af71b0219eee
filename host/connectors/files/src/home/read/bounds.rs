use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_schema::SchemaRef;
use arrow_select::filter::filter_record_batch;
use hygge_core::{Bounds, Fault, Result, WatermarkType, code, type_name};

/// The lower bound of a watermark column, in the column's own unit.
#[derive(Debug, Clone)]
pub(crate) struct Low {
    column: String,
    index: usize,
    kind: WatermarkType,
    low: i128,
}

impl Low {
    pub(crate) fn new(bounds: &Bounds, schema: &SchemaRef) -> Result<Self> {
        let column = &bounds.column;
        let (index, field) = schema.column_with_name(column).ok_or_else(|| {
            Fault::new(
                code::SCHEMA,
                format!("there is no column {column:?} to read by"),
            )
            .with("column", column)
            .advise("check `incremental: {column: …}`")
        })?;
        let kind = WatermarkType::of(column, field.data_type())?;
        let low = at_least(bounds, kind).ok_or_else(|| {
            Fault::new(
                code::SCHEMA,
                format!(
                    "the watermark of column {column:?} is {}, but the column is {} now",
                    bounds.kind,
                    type_name(field.data_type())
                ),
            )
            .with("column", column)
            .advise("run once with --full, or set the watermark with `hygge state set`")
        })?;
        Ok(Self {
            column: column.clone(),
            index,
            kind,
            low,
        })
    }

    pub(crate) fn column(&self) -> &str {
        &self.column
    }

    /// Whether values of a file's own type, as ordinals, are below the bound. `None` when the
    /// two types can't be compared.
    pub(crate) fn excludes(&self, kind: WatermarkType, greatest: i128) -> Option<bool> {
        // Brought to the plan's unit a value may only have been rounded down, so a greatest
        // value that is below the bound there is below it.
        let greatest = kind.convert(greatest, self.kind)?;
        Some(match self.low.cmp(&greatest) {
            std::cmp::Ordering::Greater => {
                // Rounding down may have taken it below; then one step up is not.
                kind == self.kind || greatest < self.low - 1
            }
            _ => false,
        })
    }

    /// Whether any of the values is within the bound.
    pub(crate) fn admits(&self, values: &ArrayRef) -> Result<bool> {
        let ordinals = WatermarkType::ordinals(values)?;
        Ok(ordinals.into_iter().flatten().any(|o| o >= self.low))
    }

    /// The rows within the bound, and how many have NULL there: these aren't.
    pub(crate) fn filter(&self, batch: &RecordBatch) -> Result<(RecordBatch, u64)> {
        let column = batch.column(self.index);
        let ordinals = WatermarkType::ordinals(column)?;
        let keep: BooleanArray = ordinals
            .into_iter()
            .map(|o| Some(o.is_some_and(|o| o >= self.low)))
            .collect();
        if keep.true_count() == batch.num_rows() {
            return Ok((batch.clone(), 0));
        }
        let nulls = column.logical_null_count() as u64;
        filter_record_batch(batch, &keep)
            .map(|kept| (kept, nulls))
            .map_err(|e| Fault::internal(format!("rows can't be filtered: {e}")))
    }

    #[cfg(test)]
    pub(crate) fn kind(&self) -> WatermarkType {
        self.kind
    }
}

/// The least value in the column's unit that isn't below the bound.
fn at_least(bounds: &Bounds, kind: WatermarkType) -> Option<i128> {
    let down = bounds.kind.convert(bounds.low, kind)?;
    match kind.convert(down, bounds.kind) {
        Some(back) if back < bounds.low => Some(down + 1),
        _ => Some(down),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_schema::{DataType, Field, Schema, TimeUnit};
    use std::sync::Arc;

    #[test]
    fn a_finer_bound_never_lets_an_earlier_row_in() {
        let schema: SchemaRef = Arc::new(Schema::new(vec![Field::new(
            "at",
            DataType::Timestamp(TimeUnit::Millisecond, None),
            true,
        )]));
        let us = WatermarkType::Timestamp {
            per_second: 1_000_000,
            utc: false,
        };
        let bounds = |low| Bounds {
            column: "at".into(),
            kind: us,
            low,
        };
        let low = Low::new(&bounds(5_001), &schema).unwrap();
        assert_eq!(low.low, 6);
        assert_eq!(Low::new(&bounds(5_000), &schema).unwrap().low, 5);
        // 5.9 ms in the file's microseconds might still round up to 6 ms elsewhere.
        assert_eq!(low.excludes(us, 4_000), Some(true));
        assert_eq!(low.excludes(us, 6_000), Some(false));
        assert_eq!(low.excludes(low.kind(), 5), Some(true));
        assert_eq!(low.excludes(WatermarkType::Date, 0), Some(true));
        assert_eq!(low.excludes(WatermarkType::Integer, 0), None);
    }
}
