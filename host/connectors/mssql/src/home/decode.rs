//! Rows, as mssql-tds decodes them, straight into Arrow columns.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder, Float64Builder, Int16Builder,
    Int32Builder, Int64Builder, UInt8Builder, UInt64Builder,
};
use arrow_array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, SchemaRef, TimeUnit};
use hygge_core::{Fault, Result, WatermarkType, code};
use mssql_tds::datatypes::column_values::{
    SqlDate, SqlDateTime, SqlDateTime2, SqlDateTimeOffset, SqlMoney, SqlSmallDateTime,
    SqlSmallMoney, SqlTime, SqlXml,
};
use mssql_tds::datatypes::decoder::DecimalParts;
use mssql_tds::datatypes::row_writer::RowWriter;
use mssql_tds::datatypes::sql_json::SqlJson;
use mssql_tds::datatypes::sql_string::EncodingType;
use mssql_tds::datatypes::sql_vector::SqlVector;

use super::utf16;
use crate::types::SqlType;

/// Days from 0001-01-01 to 1970-01-01, and from 1900-01-01.
const FROM_YEAR_1: i64 = 719_162;
const FROM_1900: i64 = 25_567;

/// Ticks of 100 ns in a day.
const DAY: i64 = 864_000_000_000;

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
}

enum Values {
    Bool(BooleanBuilder),
    U8(UInt8Builder),
    I16(Int16Builder),
    I32(Int32Builder),
    I64(Int64Builder),
    U64(UInt64Builder),
    F32(Float32Builder),
    F64(Float64Builder),
    Decimal {
        builder: Decimal128Builder,
        scale: u8,
    },
    Date(Date32Builder),
    /// Times of day and moments, in ticks of the data type's unit.
    Ticks {
        data_type: DataType,
        values: Vec<i64>,
        nulls: Nulls,
    },
    Text {
        bytes: Spans,
        variant: bool,
    },
    Bytes(Spans),
}

/// Values of any length, one behind the other.
#[derive(Default)]
struct Spans {
    values: Vec<u8>,
    ends: Vec<i32>,
    nulls: Nulls,
}

/// Which values there are; nothing is kept until the first NULL.
#[derive(Default)]
struct Nulls {
    len: usize,
    bits: Option<BooleanBufferBuilder>,
}

impl Nulls {
    fn push(&mut self, valid: bool) {
        match &mut self.bits {
            Some(bits) => bits.append(valid),
            None if valid => {}
            None => {
                let mut bits = BooleanBufferBuilder::new(self.len + 1);
                bits.append_n(self.len, true);
                bits.append(false);
                self.bits = Some(bits);
            }
        }
        self.len += 1;
    }

    fn finish(&mut self) -> Option<NullBuffer> {
        self.len = 0;
        self.bits
            .take()
            .map(|mut bits| NullBuffer::new(bits.finish()))
    }
}

impl Spans {
    /// Ends the value whose bytes were appended; false when offsets can't say where.
    fn end(&mut self, valid: bool) -> bool {
        self.nulls.push(valid);
        match i32::try_from(self.values.len()) {
            Ok(end) => {
                self.ends.push(end);
                true
            }
            Err(_) => false,
        }
    }

    fn finish(&mut self) -> (OffsetBuffer<i32>, Buffer, Option<NullBuffer>) {
        let mut offsets = Vec::with_capacity(self.ends.len() + 1);
        offsets.push(0);
        offsets.append(&mut self.ends);
        let values = std::mem::take(&mut self.values);
        (
            OffsetBuffer::new(ScalarBuffer::from(offsets)),
            Buffer::from_vec(values),
            self.nulls.finish(),
        )
    }
}

impl Rows {
    pub(crate) fn new(schema: SchemaRef) -> Result<Self> {
        let columns = schema.fields().iter().map(|field| {
            let variant = SqlType::remembered(field) == Some(SqlType::SqlVariant);
            let values = match field.data_type() {
                DataType::Boolean => Values::Bool(BooleanBuilder::new()),
                DataType::UInt8 => Values::U8(UInt8Builder::new()),
                DataType::Int16 => Values::I16(Int16Builder::new()),
                DataType::Int32 => Values::I32(Int32Builder::new()),
                DataType::Int64 => Values::I64(Int64Builder::new()),
                DataType::UInt64 => Values::U64(UInt64Builder::new()),
                DataType::Float32 => Values::F32(Float32Builder::new()),
                DataType::Float64 => Values::F64(Float64Builder::new()),
                DataType::Decimal128(precision, scale) => Values::Decimal {
                    builder: Decimal128Builder::new()
                        .with_precision_and_scale(*precision, *scale)
                        .map_err(|error| Fault::internal(error.to_string()))?,
                    scale: u8::try_from(*scale).unwrap_or_default(),
                },
                DataType::Date32 => Values::Date(Date32Builder::new()),
                data_type @ (DataType::Time64(_) | DataType::Timestamp(..)) => Values::Ticks {
                    data_type: data_type.clone(),
                    values: Vec::new(),
                    nulls: Nulls::default(),
                },
                DataType::Utf8 => Values::Text {
                    bytes: Spans::default(),
                    variant,
                },
                DataType::Binary => Values::Bytes(Spans::default()),
                other => {
                    return Err(Fault::internal(format!("no column is read as {other}")));
                }
            };
            Ok(Column {
                name: field.name().clone(),
                values,
                shortened: 0,
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

    /// A time of day or moment, in ticks of 100 ns.
    fn moment(&mut self, col: usize, ticks: i64, utc: Option<bool>) {
        self.bytes += 8;
        let Some(column) = self.columns.get_mut(col) else {
            return;
        };
        match &mut column.values {
            Values::Ticks {
                data_type: DataType::Time64(unit) | DataType::Timestamp(unit, _),
                values,
                nulls,
            } => {
                let value = match unit {
                    TimeUnit::Nanosecond => ticks.checked_mul(100),
                    _ => {
                        column.shortened += u64::from(ticks % 10 != 0);
                        Some(ticks.div_euclid(10))
                    }
                };
                match value {
                    Some(value) => {
                        values.push(value);
                        nulls.push(true);
                    }
                    None => self.wrong(
                        col,
                        "a moment outside the years 1678 to 2261, which nanoseconds can't count",
                    ),
                }
            }
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
            }
            _ => self.wrong(col, "a moment where none was announced"),
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

impl Values {
    fn null(&mut self) {
        match self {
            Self::Bool(builder) => builder.append_null(),
            Self::U8(builder) => builder.append_null(),
            Self::I16(builder) => builder.append_null(),
            Self::I32(builder) => builder.append_null(),
            Self::I64(builder) => builder.append_null(),
            Self::U64(builder) => builder.append_null(),
            Self::F32(builder) => builder.append_null(),
            Self::F64(builder) => builder.append_null(),
            Self::Decimal { builder, .. } => builder.append_null(),
            Self::Date(builder) => builder.append_null(),
            Self::Ticks { values, nulls, .. } => {
                values.push(0);
                nulls.push(false);
            }
            Self::Text { bytes, .. } | Self::Bytes(bytes) => {
                bytes.end(false);
            }
        }
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let unfit = |error: arrow_schema::ArrowError| Fault::internal(error.to_string());
        Ok(match self {
            Self::Bool(builder) => Arc::new(builder.finish()),
            Self::U8(builder) => Arc::new(builder.finish()),
            Self::I16(builder) => Arc::new(builder.finish()),
            Self::I32(builder) => Arc::new(builder.finish()),
            Self::I64(builder) => Arc::new(builder.finish()),
            Self::U64(builder) => Arc::new(builder.finish()),
            Self::F32(builder) => Arc::new(builder.finish()),
            Self::F64(builder) => Arc::new(builder.finish()),
            Self::Decimal { builder, .. } => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
            Self::Ticks {
                data_type,
                values,
                nulls,
            } => {
                let values = ScalarBuffer::from(std::mem::take(values));
                let ticks = Int64Array::new(values, nulls.finish());
                let data = arrow_array::Array::to_data(&ticks)
                    .into_builder()
                    .data_type(data_type.clone());
                arrow_array::make_array(data.build().map_err(unfit)?)
            }
            Self::Text { bytes, .. } => {
                let (offsets, values, nulls) = bytes.finish();
                Arc::new(StringArray::try_new(offsets, values, nulls).map_err(unfit)?)
            }
            Self::Bytes(bytes) => {
                let (offsets, values, nulls) = bytes.finish();
                Arc::new(BinaryArray::try_new(offsets, values, nulls).map_err(unfit)?)
            }
        })
    }
}

/// A plain value that goes into one kind of column.
macro_rules! plain {
    ($rows:ident, $col:ident, $variant:ident, $value:expr, $width:expr) => {{
        $rows.bytes += $width;
        match $rows.columns.get_mut($col).map(|column| &mut column.values) {
            Some(Values::$variant(builder)) => builder.append_value($value),
            Some(Values::Text { variant: true, .. }) => $rows.text($col, &$value.to_string()),
            _ => $rows.wrong($col, "a value of another type than was announced"),
        }
    }};
}

impl RowWriter for Rows {
    fn write_null(&mut self, col: usize) {
        self.bytes += 1;
        if let Some(column) = self.columns.get_mut(col) {
            column.values.null();
        }
    }

    fn write_bool(&mut self, col: usize, value: bool) {
        plain!(self, col, Bool, value, 1);
    }

    fn write_u8(&mut self, col: usize, value: u8) {
        self.whole(col, value.into(), 1);
    }

    fn write_i16(&mut self, col: usize, value: i16) {
        self.whole(col, value.into(), 2);
    }

    fn write_i32(&mut self, col: usize, value: i32) {
        self.whole(col, value.into(), 4);
    }

    fn write_i64(&mut self, col: usize, value: i64) {
        self.whole(col, value, 8);
    }

    fn write_f32(&mut self, col: usize, value: f32) {
        plain!(self, col, F32, value, 4);
    }

    fn write_f64(&mut self, col: usize, value: f64) {
        plain!(self, col, F64, value, 8);
    }

    fn write_string(&mut self, col: usize, bytes: Cow<'_, [u8]>, encoding: EncodingType) {
        self.spans(col, |into| match encoding {
            EncodingType::Utf16 => match utf16::append(&bytes, into) {
                true => Ok(()),
                false => Err("text that isn't valid UTF-16 (half of a surrogate pair)"),
            },
            EncodingType::Utf8 => match std::str::from_utf8(&bytes) {
                Ok(text) => {
                    into.extend_from_slice(text.as_bytes());
                    Ok(())
                }
                Err(_) => Err("text that isn't valid UTF-8"),
            },
            EncodingType::LcidBased(_) if bytes.is_ascii() => {
                into.extend_from_slice(&bytes);
                Ok(())
            }
            _ => {
                let Some(encoding) = encoding.resolved_encoding() else {
                    return Err("text whose collation has no known code page");
                };
                let (text, malformed) = encoding.decode_without_bom_handling(&bytes);
                into.extend_from_slice(text.as_bytes());
                match malformed {
                    true => Err("text that isn't valid in its collation's code page"),
                    false => Ok(()),
                }
            }
        });
    }

    fn write_bytes(&mut self, col: usize, bytes: Cow<'_, [u8]>) {
        self.bytes += 8;
        match self.columns.get_mut(col).map(|column| &mut column.values) {
            Some(Values::U64(builder)) => match <[u8; 8]>::try_from(bytes.as_ref()) {
                Ok(version) => builder.append_value(u64::from_be_bytes(version)),
                Err(_) => self.wrong(col, "a rowversion that isn't 8 bytes"),
            },
            Some(Values::Text { variant: true, .. }) => {
                let mut text = String::from("0x");
                for byte in bytes.iter() {
                    text.push_str(&format!("{byte:02X}"));
                }
                self.text(col, &text);
            }
            Some(Values::Text { .. }) => self.wrong(col, "bytes where text was announced"),
            _ => self.spans(col, |into| {
                into.extend_from_slice(&bytes);
                Ok(())
            }),
        }
    }

    fn write_decimal(&mut self, col: usize, value: DecimalParts) {
        match i128::try_from(value.magnitude()) {
            Ok(magnitude) => {
                let signed = if value.is_positive {
                    magnitude
                } else {
                    -magnitude
                };
                self.unscaled(col, signed, value.scale);
            }
            Err(_) => self.wrong(col, "a decimal of more than 38 digits"),
        }
    }

    fn write_numeric(&mut self, col: usize, value: DecimalParts) {
        self.write_decimal(col, value);
    }

    fn write_date(&mut self, col: usize, value: SqlDate) {
        self.bytes += 4;
        let days = i64::from(value.get_days()) - FROM_YEAR_1;
        match self.columns.get_mut(col).map(|column| &mut column.values) {
            Some(Values::Date(builder)) => {
                builder.append_value(i32::try_from(days).unwrap_or_default());
            }
            Some(Values::Text { variant: true, .. }) => {
                let text = WatermarkType::Date.show(days.into());
                self.text(col, &text);
            }
            _ => self.wrong(col, "a date where none was announced"),
        }
    }

    fn write_time(&mut self, col: usize, value: SqlTime) {
        self.moment(col, time(&value), None);
    }

    fn write_datetime(&mut self, col: usize, value: SqlDateTime) {
        // A tick is 1/300 s, which SQL Server shows, and compares, as whole milliseconds.
        let millis = (i64::from(value.time) * 10 + 1) / 3;
        let day = i64::from(value.days) - FROM_1900;
        self.moment(col, day * DAY + millis * 10_000, Some(false));
    }

    fn write_smalldatetime(&mut self, col: usize, value: SqlSmallDateTime) {
        let day = i64::from(value.days) - FROM_1900;
        self.moment(
            col,
            day * DAY + i64::from(value.time) * 600_000_000,
            Some(false),
        );
    }

    fn write_datetime2(&mut self, col: usize, value: SqlDateTime2) {
        self.moment(col, datetime2(&value), Some(false));
    }

    fn write_datetimeoffset(&mut self, col: usize, value: SqlDateTimeOffset) {
        // The wire carries the moment in UTC; the offset only says how to show it.
        self.moment(col, datetime2(&value.datetime2), Some(true));
    }

    fn write_money(&mut self, col: usize, value: SqlMoney) {
        let low = u32::from_ne_bytes(value.lsb_part.to_ne_bytes());
        let whole = (i64::from(value.msb_part) << 32) | i64::from(low);
        self.unscaled(col, whole.into(), 4);
    }

    fn write_smallmoney(&mut self, col: usize, value: SqlSmallMoney) {
        self.unscaled(col, value.int_val.into(), 4);
    }

    fn write_uuid(&mut self, col: usize, value: tiberius::Uuid) {
        let mut text = [0; 36];
        let text = value.hyphenated().encode_lower(&mut text);
        self.text(col, text);
    }

    fn write_xml(&mut self, col: usize, value: SqlXml) {
        let bytes = value
            .bytes
            .strip_prefix(&[0xFF, 0xFE])
            .unwrap_or(&value.bytes);
        self.write_string(col, Cow::Borrowed(bytes), EncodingType::Utf16);
    }

    fn write_json(&mut self, col: usize, value: SqlJson) {
        self.write_string(col, Cow::Owned(value.bytes), EncodingType::Utf8);
    }

    fn write_vector(&mut self, col: usize, _: SqlVector) {
        self.wrong(col, "a vector, which hygge can't read yet");
    }

    fn end_row(&mut self) {
        self.rows += 1;
    }
}

/// A time of day in ticks of 100 ns, whatever the driver calls the field.
fn time(value: &SqlTime) -> i64 {
    i64::try_from(value.time_nanoseconds).unwrap_or_default()
}

fn datetime2(value: &SqlDateTime2) -> i64 {
    (i64::from(value.days) - FROM_YEAR_1) * DAY + time(&value.time)
}
