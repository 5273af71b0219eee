//! Rows, as mssql-tds decodes them, straight into Arrow columns.

mod values;
mod wire;

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef, TimeUnit};
use hygge_core::{Fault, Result, WatermarkType, code};

use self::values::Values;
use crate::overflow::OnOverflow;

/// Columns that rows are written into.
pub(crate) struct Rows {
    schema: SchemaRef,
    columns: Vec<Column>,
    rows: usize,
    /// Rows of all batches so far.
    before: u64,
    bytes: usize,
    fault: Option<Fault>,
}

struct Column {
    name: String,
    values: Values,
    /// Values whose seventh digit was lost.
    shortened: u64,
    on_overflow: OnOverflow,
    /// Values that didn't fit, and were changed.
    unfit: u64,
}

impl Rows {
    pub(crate) fn new(schema: SchemaRef, on_overflow: impl Fn(&str) -> OnOverflow) -> Result<Self> {
        let columns = schema.fields().iter().map(|field| {
            Ok(Column {
                name: field.name().clone(),
                values: Values::of(field)?,
                shortened: 0,
                on_overflow: on_overflow(field.name()),
                unfit: 0,
            })
        });
        Ok(Self {
            columns: columns.collect::<Result<_>>()?,
            schema,
            rows: 0,
            before: 0,
            bytes: 0,
            fault: None,
        })
    }

    /// About how many bytes they take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What was wrong with a value, if any was.
    pub(crate) fn fault(&mut self) -> Option<Fault> {
        self.fault.take()
    }

    /// Columns that lost a seventh digit, and how many of their values.
    pub(crate) fn shortened(&self) -> impl Iterator<Item = (&str, u64)> {
        let columns = self.columns.iter().filter(|column| column.shortened > 0);
        columns.map(|column| (column.name.as_str(), column.shortened))
    }

    /// Columns of which values were changed since they didn't fit, and how many.
    pub(crate) fn unfit(&self) -> impl Iterator<Item = (&str, u64, OnOverflow)> {
        let columns = self.columns.iter().filter(|column| column.unfit > 0);
        columns.map(|column| (column.name.as_str(), column.unfit, column.on_overflow))
    }

    /// The rows so far as a batch.
    pub(crate) fn batch(&mut self) -> Result<RecordBatch> {
        let arrays: Vec<ArrayRef> = self
            .columns
            .iter_mut()
            .map(|column| column.values.finish())
            .collect::<Result<_>>()?;
        self.before += self.rows as u64;
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options).map_err(
            |error| {
                Fault::new(
                    code::SOURCE_INVALID,
                    format!("the rows don't fit their columns: {error}"),
                )
            },
        )
    }

    fn wrong(&mut self, column: usize, what: &str) {
        if self.fault.is_some() {
            return;
        }
        let name = self.columns.get(column).map_or("?", |c| c.name.as_str());
        let row = self.before + self.rows as u64 + 1;
        self.fault = Some(
            Fault::new(
                code::SOURCE_INVALID,
                format!("column {name:?}, row {row} of its split: {what}"),
            )
            .with("column", name),
        );
    }

    /// A whole number, of whichever width the column has.
    fn whole(&mut self, col: usize, value: i64, width: usize) {
        self.bytes += width;
        match self.columns.get_mut(col).map(|column| &mut column.values) {
            Some(Values::I64(builder)) => builder.append_value(value),
            Some(Values::I32(builder)) if i32::try_from(value).is_ok() => {
                builder.append_value(i32::try_from(value).unwrap_or_default());
            }
            Some(Values::I16(builder)) if i16::try_from(value).is_ok() => {
                builder.append_value(i16::try_from(value).unwrap_or_default());
            }
            Some(Values::U8(builder)) if u8::try_from(value).is_ok() => {
                builder.append_value(u8::try_from(value).unwrap_or_default());
            }
            Some(Values::Text { variant: true, .. }) => self.text(col, &value.to_string()),
            _ => self.wrong(col, "a whole number where none was announced"),
        }
    }

    fn unscaled(&mut self, col: usize, value: i128, from: u8) {
        self.bytes += 16;
        match self.columns.get_mut(col).map(|column| &mut column.values) {
            Some(Values::Decimal { builder, scale }) if *scale == from => {
                builder.append_value(value);
            }
            Some(Values::Text { variant: true, .. }) => {
                let text = WatermarkType::Decimal { scale: from }.show(value);
                self.text(col, &text);
            }
            _ => self.wrong(col, "a decimal where none was announced"),
        }
    }

    /// A time of day or moment, in ticks of 100 ns, and the offset of one that has it.
    fn moment(&mut self, col: usize, ticks: i64, utc: Option<bool>, offset: i16) {
        self.bytes += 8;
        let Some(column) = self.columns.get_mut(col) else {
            return;
        };
        let (shortened, unfit) = (&mut column.shortened, &mut column.unfit);
        let mut value = |unit: TimeUnit| match unit {
            TimeUnit::Nanosecond => ticks.checked_mul(100).or_else(|| {
                *unfit += 1;
                // The last tick that nanoseconds can count.
                let last = i64::MAX / 100 * 100;
                let clipped = if ticks < 0 { -last } else { last };
                (column.on_overflow == OnOverflow::Clip).then_some(clipped)
            }),
            _ => {
                *shortened += u64::from(ticks % 10 != 0);
                Some(ticks.div_euclid(10))
            }
        };
        let fits = match &mut column.values {
            Values::Ticks {
                data_type: DataType::Time64(unit) | DataType::Timestamp(unit, _),
                values,
                nulls,
            } => value(*unit).map(|value| {
                values.push(value);
                nulls.push(true);
            }),
            Values::Offsets {
                data_type: DataType::Timestamp(unit, _),
                moments,
                offsets,
                nulls,
            } => value(*unit).map(|value| {
                moments.push(value);
                offsets.push(offset);
                nulls.push(true);
            }),
            Values::Text { variant: true, .. } => {
                let text = match utc {
                    Some(utc) => WatermarkType::Timestamp {
                        per_second: 1_000_000_000,
                        utc,
                    }
                    .show(i128::from(ticks) * 100),
                    None => {
                        let whole = WatermarkType::Timestamp {
                            per_second: 1_000_000_000,
                            utc: false,
                        }
                        .show(i128::from(ticks) * 100);
                        whole
                            .split_once('T')
                            .map_or(whole.clone(), |(_, time)| time.to_owned())
                    }
                };
                self.text(col, &text);
                return;
            }
            _ => return self.wrong(col, "a moment where none was announced"),
        };
        match (fits, column.on_overflow) {
            (Some(()), _) => {}
            (None, OnOverflow::SetNull) => column.values.null(),
            (None, _) => self.wrong(
                col,
                "a moment outside the years 1678 to 2261, which nanoseconds can't count",
            ),
        }
    }

    fn text(&mut self, col: usize, text: &str) {
        self.spans(col, |bytes| {
            bytes.extend_from_slice(text.as_bytes());
            Ok(())
        });
    }

    /// Appends a value of any length.
    fn spans(&mut self, col: usize, append: impl FnOnce(&mut Vec<u8>) -> Result<(), &'static str>) {
        let Some(column) = self.columns.get_mut(col) else {
            return;
        };
        let (Values::Text { bytes, .. } | Values::Bytes(bytes)) = &mut column.values else {
            return self.wrong(col, "text or bytes where none were announced");
        };
        let before = bytes.values.len();
        let appended = append(&mut bytes.values);
        self.bytes += bytes.values.len() - before + 4;
        match appended {
            Ok(()) if bytes.end(true) => {}
            Ok(()) => self.wrong(col, "a value, with those before it, is larger than 2 GB"),
            Err(what) => self.wrong(col, what),
        }
    }
}
