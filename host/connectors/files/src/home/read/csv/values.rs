//! Text values as Arrow columns. A value either is exactly what its column's type holds, or an
//! error: nothing is cut or turned into NULL, and nothing rounded but fractions to the nearest
//! float where floats were declared.

use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, PrimitiveBuilder, StringBuilder};
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Decimal256Type, DecimalType, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Time64MicrosecondType,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{ArrayRef, new_null_array};
use arrow_cast::parse::{Parser, parse_decimal};
use arrow_schema::{DataType, TimeUnit};
use hygge_core::written;

use super::infer::{is_float, is_int};
use super::tokens::Tokens;
use crate::home::read::exact_floats::{float32_holds, float64_holds};

/// One column of cut rows.
pub(crate) struct Column<'a> {
    pub tokens: &'a Tokens,
    /// The tokens' text, known to be UTF-8.
    pub text: &'a str,
    /// Which value of each row.
    pub index: usize,
    /// Values a row.
    pub width: usize,
    /// Unquoted values that are NULL.
    pub nulls: &'a [String],
    /// Whether the type was inferred: then every value is one that inferring would have taken.
    pub inferred: bool,
}

/// A value that doesn't fit, by its row within the tokens.
pub(crate) struct Misfit {
    pub row: usize,
    pub value: String,
}

impl<'a> Column<'a> {
    /// The value of a row; `None` for NULL. Text that is cut within a character can't come
    /// from valid UTF-8 files, so it is shown as it is.
    fn value(&self, row: usize) -> Result<Option<&'a str>, Misfit> {
        let at = row * self.width + self.index;
        let text = self.text.get(self.tokens.range(at)).ok_or_else(|| Misfit {
            row,
            value: String::from_utf8_lossy(&self.tokens.data[self.tokens.range(at)]).into_owned(),
        })?;
        let null = !self.tokens.quoted[at] && self.nulls.iter().any(|n| n == text);
        Ok((!null).then_some(text))
    }

    fn each(&self, mut take: impl FnMut(Option<&str>) -> Option<()>) -> Result<(), Misfit> {
        for row in 0..self.tokens.rows() {
            let value = self.value(row)?;
            take(value).ok_or_else(|| Misfit {
                row,
                value: value.unwrap_or_default().to_owned(),
            })?;
        }
        Ok(())
    }

    fn primitive<T: ArrowPrimitiveType>(
        &self,
        data_type: &DataType,
        parse: impl Fn(&str) -> Option<T::Native>,
    ) -> Result<ArrayRef, Misfit> {
        let mut builder = PrimitiveBuilder::<T>::with_capacity(self.tokens.rows())
            .with_data_type(data_type.clone());
        self.each(|value| {
            match value {
                Some(text) => builder.append_value(parse(text.trim_ascii())?),
                None => builder.append_null(),
            }
            Some(())
        })?;
        Ok(Arc::new(builder.finish()))
    }

    /// The column as an array; see [`supports`] for the types.
    pub(crate) fn array(&self, data_type: &DataType) -> Result<ArrayRef, Misfit> {
        use DataType as T;
        macro_rules! number {
            ($kind:ty) => {
                self.primitive::<$kind>(data_type, <$kind as Parser>::parse)
            };
        }
        match data_type {
            T::Utf8 => {
                let mut builder =
                    StringBuilder::with_capacity(self.tokens.rows(), self.tokens.rows() * 8);
                self.each(|value| {
                    builder.append_option(value);
                    Some(())
                })?;
                Ok(Arc::new(builder.finish()))
            }
            T::Boolean => {
                let mut builder = BooleanBuilder::with_capacity(self.tokens.rows());
                self.each(|value| {
                    match value {
                        Some(text) => builder.append_value(truth(text.trim_ascii())?),
                        None => builder.append_null(),
                    }
                    Some(())
                })?;
                Ok(Arc::new(builder.finish()))
            }
            T::Int8 => number!(Int8Type),
            T::Int16 => number!(Int16Type),
            T::Int32 => number!(Int32Type),
            T::Int64 if self.inferred => self.primitive::<Int64Type>(data_type, |text| {
                is_int(text).then(|| Int64Type::parse(text)).flatten()
            }),
            T::Int64 => number!(Int64Type),
            T::UInt8 => number!(UInt8Type),
            T::UInt16 => number!(UInt16Type),
            T::UInt32 => number!(UInt32Type),
            T::UInt64 => number!(UInt64Type),
            T::Float32 => self.primitive::<Float32Type>(data_type, |text| {
                float32_holds(text)
                    .then(|| Float32Type::parse(text))
                    .flatten()
            }),
            T::Float64 => {
                let takes = if self.inferred {
                    is_float
                } else {
                    float64_holds
                };
                self.primitive::<Float64Type>(data_type, |text| {
                    takes(text).then(|| Float64Type::parse(text)).flatten()
                })
            }
            T::Date32 => self.primitive::<Date32Type>(data_type, written::date),
            T::Time64(TimeUnit::Microsecond) => self
                .primitive::<Time64MicrosecondType>(data_type, |text| {
                    written::time(text, TimeUnit::Microsecond)
                }),
            T::Decimal128(p, s) => self
                .primitive::<Decimal128Type>(data_type, |t| decimal::<Decimal128Type>(t, *p, *s)),
            T::Decimal256(p, s) => self
                .primitive::<Decimal256Type>(data_type, |t| decimal::<Decimal256Type>(t, *p, *s)),
            T::Timestamp(unit, zone) => {
                let zone = zone.as_deref();
                let parse = |text: &str| written::moment(text, *unit, zone);
                match unit {
                    TimeUnit::Second => self.primitive::<TimestampSecondType>(data_type, parse),
                    TimeUnit::Millisecond => {
                        self.primitive::<TimestampMillisecondType>(data_type, parse)
                    }
                    TimeUnit::Microsecond => {
                        self.primitive::<TimestampMicrosecondType>(data_type, parse)
                    }
                    TimeUnit::Nanosecond => {
                        self.primitive::<TimestampNanosecondType>(data_type, parse)
                    }
                }
            }
            // Planning refuses other types; a column of them could only hold NULLs.
            other => {
                self.each(|value| value.is_none().then_some(()))?;
                Ok(new_null_array(other, self.tokens.rows()))
            }
        }
    }
}

/// Whether CSV values can have that type.
pub(crate) fn supports(data_type: &DataType) -> bool {
    use DataType as T;
    matches!(
        data_type,
        T::Utf8
            | T::Boolean
            | T::Date32
            | T::Time64(TimeUnit::Microsecond)
            | T::Timestamp(..)
            | T::Decimal128(..)
            | T::Decimal256(..)
            | T::Float32
            | T::Float64
    ) || data_type.is_integer()
}

fn truth(text: &str) -> Option<bool> {
    let is = |words: [&str; 5]| words.iter().any(|w| text.eq_ignore_ascii_case(w));
    if is(["true", "t", "yes", "y", "1"]) {
        Some(true)
    } else if is(["false", "f", "no", "n", "0"]) {
        Some(false)
    } else {
        None
    }
}

/// A decimal that has no more digits behind the point than its type.
fn decimal<T: DecimalType>(text: &str, precision: u8, scale: i8) -> Option<T::Native> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let fits = fraction.trim_end_matches('0').len() <= usize::from(scale.unsigned_abs())
        && all_digits(whole)
        && all_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty());
    fits.then(|| parse_decimal::<T>(text, precision, scale).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_never_rounded() {
        let read = |text| decimal::<Decimal128Type>(text, 5, 2);
        assert_eq!(read("1.5"), Some(150));
        assert_eq!(read("-1.500"), Some(-150));
        assert_eq!(read("1.555"), None);
        assert_eq!(read("1e2"), None);
        assert_eq!(read("1000"), None);
        assert_eq!(read(""), None);
        assert_eq!(read("."), None);
    }
}
