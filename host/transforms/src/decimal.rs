//! Decimals of numbers as they are written, and of floats as they are shown: with a point it is the shortest
//! number that is theirs alone, and whole ones are what they are. Arrow computes them in floats, whose digits
//! end at the sixteenth, and rounds what is written.

use std::fmt::{Display, Write};
use std::sync::Arc;

use arrow_array::builder::LargeStringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_cast::cast_with_options;
use arrow_ord::cmp::distinct;
use arrow_schema::{ArrowError, DataType};
use arrow_select::nullif::nullif;

use crate::convert::{SAFE, without};

/// Decimals of texts or floats; NULL for what is none, and what has more digits than the type.
pub(crate) fn read(numbers: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    let scale = match to {
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => i64::from(*scale),
        _ => return Err(ArrowError::CastError(format!("{to} is no decimal"))),
    };
    let written = match numbers.data_type() {
        DataType::Float32 => shown(numbers.as_primitive::<Float32Type>()),
        DataType::Float64 => shown(numbers.as_primitive::<Float64Type>()),
        _ => cast_with_options(numbers, &DataType::LargeUtf8, &SAFE)?,
    };
    let made = cast_with_options(&written, to, &SAFE)?;
    let written = written.as_string::<i64>();
    without(&made, |row| {
        made.is_valid(row) && places(written.value(row)).is_none_or(|places| places > scale)
    })
}

fn shown<T: ArrowPrimitiveType>(floats: &PrimitiveArray<T>) -> ArrayRef
where
    T::Native: Copy + Into<f64> + Display,
{
    let mut made = LargeStringBuilder::with_capacity(floats.len(), 16 * floats.len());
    let mut text = String::new();
    for value in floats {
        let Some(value) = value else {
            made.append_null();
            continue;
        };
        text.clear();
        let wide: f64 = value.into();
        // All digits of a whole number are its own.
        let written = match wide.fract() == 0.0 {
            true => write!(text, "{wide:.0}"),
            false => write!(text, "{value}"),
        };
        match written {
            Ok(()) => made.append_value(&text),
            Err(_) => made.append_null(),
        }
    }
    Arc::new(made.finish())
}

/// Floats of decimals; NULL for a decimal that none of them is shown as.
pub(crate) fn floats(decimals: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    let written = cast_with_options(decimals, &DataType::LargeUtf8, &SAFE)?;
    let made = cast_with_options(&written, to, &SAFE)?;
    let back = read(&made, decimals.data_type())?;
    let differs = distinct(decimals, &back)?;
    match differs.has_true() {
        true => nullif(&made, &differs),
        false => Ok(made),
    }
}

/// How many places after the point a written number has, without zeros at its end; below zero where it
/// ends with zeros before the point.
fn places(written: &str) -> Option<i64> {
    let written = written.trim_ascii();
    let (digits, exponent) = match written.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse().ok()?),
        None => (written, 0_i64),
    };
    let (whole, after) = digits.split_once('.').unwrap_or((digits, ""));
    let zeros = |digits: &str| digits.len() - digits.trim_end_matches('0').len();
    let zeros = match zeros(after) {
        some if some < after.len() => some,
        all => all + zeros(whole),
    };
    // Of zero every place is one.
    if !digits.contains(|digit: char| ('1'..='9').contains(&digit)) {
        return Some(i64::MIN);
    }
    let places = i64::try_from(after.len()).ok()? - i64::try_from(zeros).ok()?;
    places.checked_sub(exponent)
}

#[cfg(test)]
mod tests {
    use super::places;

    #[test]
    fn places_are_those_that_count() {
        for (written, expected) in [
            ("1.25", Some(2)),
            (" -1.250 ", Some(2)),
            ("+100", Some(-2)),
            ("100.00", Some(-2)),
            ("1.25e1", Some(1)),
            ("1.25E-3", Some(5)),
            ("12e+2", Some(-2)),
            ("0.000", Some(i64::MIN)),
            (".5", Some(1)),
            ("5.", Some(0)),
            ("1e99999999999999999999", None),
            ("1e-9223372036854775808", None),
        ] {
            assert_eq!(places(written), expected, "{written}");
        }
    }
}
