//! A value as bytes that stay the same, whatever version of hygge or Arrow writes them.
//!
//! NULL is one byte, 0; any other value is a letter for what it is and then its bytes, so that no
//! two rows of values are alike: `t` a text and `y` bytes, with their length (8 bytes, the least
//! first) before; `i` a whole number of any width (16 bytes, the least first); `f` a float of any
//! width, as a double (8 bytes, 0.0 for -0.0 and one NaN for all); `n` a decimal, as text without
//! zeros at its end; `b` true or false (1 byte); `d` days, `m` a moment or time of day and `p` a
//! span, in nanoseconds (16 bytes).

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float64Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, BinaryViewArray, BooleanArray, Decimal128Array, Float64Array, Int64Array,
    StringViewArray,
};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, TimeUnit};
use hygge_core::{Fault, Result};

/// A column in one of the few types that its values are written from.
pub(crate) enum Values {
    Nothing,
    Bool(BooleanArray),
    Whole(Decimal128Array),
    /// Counts of a unit, and how many of what is written that is.
    Counted(Int64Array, u8, i128),
    Float(Float64Array),
    Text(StringViewArray),
    Bytes(BinaryViewArray),
    Decimal(StringViewArray),
}

impl Values {
    /// Whether values of that type have such bytes.
    pub(crate) fn can_be(data_type: &DataType) -> bool {
        match data_type {
            DataType::Dictionary(_, values) => Self::can_be(values),
            DataType::Interval(_) | DataType::RunEndEncoded(..) => false,
            other => !other.is_nested(),
        }
    }

    pub(crate) fn of(column: &ArrayRef) -> Result<Self> {
        let failed = |error: ArrowError| Fault::internal(format!("a value has no bytes: {error}"));
        Self::read(column).map_err(failed)
    }

    fn read(column: &ArrayRef) -> Result<Self, ArrowError> {
        use DataType as T;
        let counted = |tag: u8, each: i128| -> Result<Self, ArrowError> {
            // Some of them are counted in 32 bits, which become 64 only as plain numbers.
            let plain = match column.data_type() {
                T::Date32 | T::Time32(_) => cast(column, &T::Int32)?,
                _ => cast(column, &T::Int64)?,
            };
            let plain = cast(&plain, &T::Int64)?;
            Ok(Self::Counted(
                plain.as_primitive::<Int64Type>().clone(),
                tag,
                each,
            ))
        };
        Ok(match column.data_type() {
            T::Null => Self::Nothing,
            T::Boolean => Self::Bool(column.as_boolean().clone()),
            T::Utf8 | T::LargeUtf8 | T::Utf8View => {
                Self::Text(cast(column, &T::Utf8View)?.as_string_view().clone())
            }
            T::FixedSizeBinary(_) => {
                let plain = cast(column, &T::Binary)?;
                Self::Bytes(cast(&plain, &T::BinaryView)?.as_binary_view().clone())
            }
            T::Binary | T::LargeBinary | T::BinaryView => {
                Self::Bytes(cast(column, &T::BinaryView)?.as_binary_view().clone())
            }
            T::Float16 | T::Float32 | T::Float64 => Self::Float(
                cast(column, &T::Float64)?
                    .as_primitive::<Float64Type>()
                    .clone(),
            ),
            T::Decimal32(..) | T::Decimal64(..) | T::Decimal128(..) | T::Decimal256(..) => {
                let text = cast(column, &T::Utf8)?;
                Self::Decimal(cast(&text, &T::Utf8View)?.as_string_view().clone())
            }
            T::Date32 => counted(b'd', 1)?,
            T::Date64 => counted(b'm', 1_000_000)?,
            T::Time32(unit) | T::Time64(unit) | T::Timestamp(unit, _) => {
                counted(b'm', nanoseconds(*unit))?
            }
            T::Duration(unit) => counted(b'p', nanoseconds(*unit))?,
            T::Dictionary(_, values) => Self::read(&cast(column, values)?)?,
            _ => {
                let whole = cast(column, &T::Decimal128(38, 0))?;
                Self::Whole(whole.as_primitive::<Decimal128Type>().clone())
            }
        })
    }

    /// Adds the bytes of a row's value.
    pub(crate) fn write(&self, row: usize, out: &mut Vec<u8>) {
        if self.is_null(row) {
            return out.push(0);
        }
        let sized = |tag: u8, bytes: &[u8], out: &mut Vec<u8>| {
            out.push(tag);
            out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            out.extend_from_slice(bytes);
        };
        match self {
            Self::Nothing => {}
            Self::Bool(values) => out.extend_from_slice(&[b'b', u8::from(values.value(row))]),
            Self::Whole(values) => {
                out.push(b'i');
                out.extend_from_slice(&values.value(row).to_le_bytes());
            }
            Self::Counted(values, tag, each) => {
                out.push(*tag);
                out.extend_from_slice(&(i128::from(values.value(row)) * each).to_le_bytes());
            }
            Self::Float(values) => {
                let value = match values.value(row) {
                    value if value.is_nan() => f64::NAN,
                    value => value + 0.0,
                };
                out.push(b'f');
                out.extend_from_slice(&value.to_le_bytes());
            }
            Self::Text(values) => sized(b't', values.value(row).as_bytes(), out),
            Self::Bytes(values) => sized(b'y', values.value(row), out),
            Self::Decimal(values) => {
                let text = values.value(row);
                let short = match text.contains('.') {
                    true => text.trim_end_matches('0').trim_end_matches('.'),
                    false => text,
                };
                sized(b'n', short.as_bytes(), out);
            }
        }
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Nothing => true,
            Self::Bool(values) => values.is_null(row),
            Self::Whole(values) => values.is_null(row),
            Self::Counted(values, ..) => values.is_null(row),
            Self::Float(values) => values.is_null(row),
            Self::Text(values) | Self::Decimal(values) => values.is_null(row),
            Self::Bytes(values) => values.is_null(row),
        }
    }
}

fn nanoseconds(unit: TimeUnit) -> i128 {
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1000,
        TimeUnit::Nanosecond => 1,
    }
}
