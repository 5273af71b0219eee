//! Text values as Arrow columns. A value either is exactly what its column's type holds, or an
//! error: nothing is cut or turned into NULL, and nothing rounded but fractions to the nearest
//! float where floats were declared.

use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, PrimitiveBuilder, StringBuilder};
use arrow_array::timezone::Tz;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Decimal256Type, DecimalType, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Time64MicrosecondType,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{ArrayRef, new_null_array};
use arrow_cast::parse::{Parser, parse_decimal, string_to_datetime};
use arrow_schema::{DataType, TimeUnit};
use hygge_core::zone_offset;

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
            T::Date32 => self.primitive::<Date32Type>(data_type, date),
            T::Time64(TimeUnit::Microsecond) => {
                self.primitive::<Time64MicrosecondType>(data_type, Time64MicrosecondType::parse)
            }
            T::Decimal128(p, s) => self
                .primitive::<Decimal128Type>(data_type, |t| decimal::<Decimal128Type>(t, *p, *s)),
            T::Decimal256(p, s) => self
                .primitive::<Decimal256Type>(data_type, |t| decimal::<Decimal256Type>(t, *p, *s)),
            T::Timestamp(unit, zone) => {
                let zone = zone.as_deref();
                let parse = |text: &str| moment(text, *unit, zone);
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

/// Days from 1970 of `2013-01-31`.
pub(crate) fn date(text: &str) -> Option<i32> {
    // Arrow's parser also takes a time behind it, and drops it.
    if text.bytes().any(|b| matches!(b, b'T' | b't' | b' ' | b':')) {
        return None;
    }
    Date32Type::parse(text)
}

/// Whether a timestamp's text says its zone.
pub(crate) fn zoned(text: &str) -> bool {
    let time = text.get(10..).unwrap_or_default();
    time.contains(['+', '-', 'Z', 'z']) && parsed(utc(), text).is_some()
}

fn utc() -> Tz {
    zone_offset("UTC").unwrap_or_else(|| unreachable!("UTC is a fixed offset"))
}

/// Seconds from 1970 and nanoseconds. A leap second has none: no type here tells it from the
/// second that follows.
fn parsed(zone: Tz, text: &str) -> Option<(i64, i64)> {
    let at = string_to_datetime(&zone, text).ok()?;
    let nanos = i64::from(at.timestamp_subsec_nanos());
    (nanos < 1_000_000_000).then(|| (at.timestamp(), nanos))
}

/// Ticks from 1970 of `2013-01-31T10:00:00.5`. A column without a zone takes no values with
/// one: it couldn't say which moment they mean.
pub(crate) fn moment(text: &str, unit: TimeUnit, zone: Option<&str>) -> Option<i64> {
    let says_zone = zoned(text);
    let of = match zone {
        None if says_zone => return None,
        Some(zone) if !says_zone => zone_offset(zone)?,
        _ => utc(),
    };
    if text
        .rsplit_once('.')
        .is_some_and(|(_, f)| f.bytes().take_while(u8::is_ascii_digit).count() > 9)
    {
        return None;
    }
    let (seconds, nanos) = parsed(of, text)?;
    let per_second: i64 = match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    };
    let tick = 1_000_000_000 / per_second;
    if nanos % tick != 0 {
        return None;
    }
    seconds.checked_mul(per_second)?.checked_add(nanos / tick)
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
    fn moments_are_exact_or_refused() {
        let us = TimeUnit::Microsecond;
        assert_eq!(moment("1970-01-01 00:00:01", us, None), Some(1_000_000));
        assert_eq!(moment("1970-01-01T00:00:00.000001", us, None), Some(1));
        assert_eq!(moment("1970-01-01T00:00:00.0000001", us, None), None);
        assert_eq!(moment("1970-01-01T00:00:00Z", us, None), None);
        assert_eq!(moment("2016-12-31 23:59:60", us, None), None);
        assert_eq!(moment("2016-12-31 23:59:60Z", us, Some("UTC")), None);
        assert_eq!(
            moment("1970-01-01T01:00:00+01:00", us, Some("UTC")),
            Some(0)
        );
        assert_eq!(moment("1970-01-01T01:00:00", us, Some("+01:00")), Some(0));
        assert_eq!(
            moment("1970-01-01T01:00:00", us, Some("Europe/Berlin")),
            None
        );
        assert_eq!(
            moment("1970-01-01T01:00:00Z", us, Some("Europe/Berlin")),
            Some(3_600_000_000)
        );
        assert_eq!(
            moment("9999-12-31T00:00:00", TimeUnit::Nanosecond, None),
            None
        );
    }

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

    #[test]
    fn dates_are_days() {
        assert_eq!(date("1970-01-02"), Some(1));
        assert_eq!(date("1970-01-02 10:00"), None);
        assert_eq!(date("1970-02-30"), None);
    }
}
