//! The columns that rows are written into, value by value.

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder, Float64Builder, Int16Builder,
    Int32Builder, Int64Builder, UInt8Builder, UInt64Builder,
};
use arrow_array::{Array, ArrayRef, BinaryArray, Int16Array, Int64Array, StringArray, StructArray};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field};
use hygge_core::{Fault, Result};

use crate::types::{SqlType, moment_of, with_offset};

pub(super) enum Values {
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
    /// Moments with their offsets in minutes.
    Offsets {
        data_type: DataType,
        moments: Vec<i64>,
        offsets: Vec<i16>,
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
pub(super) struct Spans {
    pub(super) values: Vec<u8>,
    ends: Vec<i32>,
    nulls: Nulls,
}

/// Which values there are; nothing is kept until the first NULL.
#[derive(Default)]
pub(super) struct Nulls {
    len: usize,
    bits: Option<BooleanBufferBuilder>,
}

impl Nulls {
    pub(super) fn push(&mut self, valid: bool) {
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
    pub(super) fn end(&mut self, valid: bool) -> bool {
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
impl Values {
    /// Room for the values of that field.
    pub(super) fn of(field: &Field) -> Result<Self> {
        let variant = SqlType::remembered(field) == Some(SqlType::SqlVariant);
        Ok(match field.data_type() {
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
            data_type @ (DataType::Time64(_) | DataType::Timestamp(..)) => Values::ticks(data_type),
            data_type @ DataType::Struct(_) if let Some(moment) = moment_of(data_type) => {
                Values::Offsets {
                    data_type: moment.clone(),
                    moments: Vec::new(),
                    offsets: Vec::new(),
                    nulls: Nulls::default(),
                }
            }
            DataType::Utf8 => Values::Text {
                bytes: Spans::default(),
                variant,
            },
            DataType::Binary => Values::Bytes(Spans::default()),
            other => {
                return Err(Fault::internal(format!("no column is read as {other}")));
            }
        })
    }

    fn ticks(data_type: &DataType) -> Self {
        Self::Ticks {
            data_type: data_type.clone(),
            values: Vec::new(),
            nulls: Nulls::default(),
        }
    }

    pub(super) fn null(&mut self) {
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
            Self::Offsets {
                moments,
                offsets,
                nulls,
                ..
            } => {
                // A value that nobody looks at.
                moments.push(0);
                offsets.push(0);
                nulls.push(false);
            }
            Self::Text { bytes, .. } | Self::Bytes(bytes) => {
                bytes.end(false);
            }
        }
    }

    pub(super) fn finish(&mut self) -> Result<ArrayRef> {
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
            } => timed(std::mem::take(values), nulls.finish(), data_type)?,
            Self::Offsets {
                data_type,
                moments,
                offsets,
                nulls,
            } => {
                let moments = timed(std::mem::take(moments), None, data_type)?;
                let fields = with_offset(data_type.clone());
                let offsets = Arc::new(Int16Array::from(std::mem::take(offsets)));
                let columns: Vec<ArrayRef> = vec![moments, offsets];
                Arc::new(StructArray::try_new(fields, columns, nulls.finish()).map_err(unfit)?)
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

/// Ticks as values of their type.
fn timed(values: Vec<i64>, nulls: Option<NullBuffer>, data_type: &DataType) -> Result<ArrayRef> {
    let ticks = Int64Array::new(ScalarBuffer::from(values), nulls);
    let data = ticks.to_data().into_builder().data_type(data_type.clone());
    let data = data.build();
    Ok(arrow_array::make_array(
        data.map_err(|error| Fault::internal(error.to_string()))?,
    ))
}
