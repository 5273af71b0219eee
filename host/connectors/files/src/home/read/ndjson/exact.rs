//! JSON values as Arrow values, without the liberties Arrow's reader takes: it reads `1.9` as
//! the integer 1, cuts fractions of seconds off, rounds decimals and large integers, fills up half
//! a byte, and passes over a key that stands twice.

use arrow_array::{Array, ArrayRef, Int64Array, make_array};
use arrow_json::reader::{ArrayDecoder, DecoderContext, DecoderFactory, Tape, TapeElement};
use arrow_schema::{ArrowError, DataType, FieldRef};
use hygge_core::{type_name, written};

use super::twice::Distinct;
use crate::home::read::exact_floats::{float32_holds, float64_holds};

/// Puts a check in front of the decoders of types that could lose something.
#[derive(Debug)]
pub(crate) struct Exact;

impl DecoderFactory for Exact {
    fn make_default_decoder(
        &self,
        cx: &DecoderContext,
        field: &FieldRef,
        is_nullable: bool,
    ) -> Result<Option<Box<dyn ArrayDecoder>>, ArrowError> {
        let data_type = field.data_type();
        if let DataType::Struct(fields) = data_type {
            let inner = cx.make_builtin_decoder(field, is_nullable)?;
            return Ok(Some(Box::new(Distinct::new(inner, fields))));
        }
        if matches!(data_type, DataType::Timestamp(..) | DataType::Time64(_)) {
            return Ok(Some(Box::new(Ticks(data_type.clone()))));
        }
        let checked = data_type.is_integer()
            || data_type.is_floating()
            || matches!(
                data_type,
                DataType::Date32
                    | DataType::Decimal128(..)
                    | DataType::Decimal256(..)
                    | DataType::Binary
            );
        if !checked {
            return Ok(None);
        }
        Ok(Some(Box::new(Checked {
            inner: cx.make_builtin_decoder(field, is_nullable)?,
            data_type: data_type.clone(),
        })))
    }
}

struct Checked {
    inner: Box<dyn ArrayDecoder>,
    data_type: DataType,
}

impl ArrayDecoder for Checked {
    fn decode(&mut self, tape: &Tape<'_>, pos: &[u32]) -> Result<ArrayRef, ArrowError> {
        for p in pos {
            match tape.get(*p) {
                TapeElement::Number(at) => {
                    let text = tape.get_string(at);
                    if !number_fits(text, &self.data_type) {
                        return Err(misfit(text, &self.data_type));
                    }
                }
                TapeElement::String(at) => {
                    let text = tape.get_string(at);
                    if !string_fits(text, &self.data_type) {
                        return Err(misfit(&format!("\"{text}\""), &self.data_type));
                    }
                }
                _ => {}
            }
        }
        self.inner.decode(tape, pos)
    }
}

fn misfit(shown: &str, data_type: &DataType) -> ArrowError {
    let shown = match shown.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown.to_owned(),
    };
    let kind = type_name(data_type);
    ArrowError::JsonError(format!("{shown} is not of type {kind}"))
}

fn number_fits(text: &str, data_type: &DataType) -> bool {
    match data_type {
        DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => {
            decimal_fits(text, *scale)
        }
        DataType::Date32 => false,
        // What is beyond the type's range goes by way of a float, and may come back within.
        integer if integer.is_integer() => match text.parse::<i128>() {
            Ok(value) if integer.is_signed_integer() => i64::try_from(value).is_ok(),
            Ok(value) => u64::try_from(value).is_ok(),
            Err(_) => {
                let value = text.parse::<f64>();
                is_whole(text) && value.is_ok_and(|v| v.abs() < 9_007_199_254_740_992.0)
            }
        },
        DataType::Float64 => float64_holds(text),
        _ => float32_holds(text),
    }
}

/// Whether a number that is written with a point or an exponent has nothing behind the point.
fn is_whole(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let fraction = mantissa
        .split_once('.')
        .map_or("", |(_, fraction)| fraction);
    let digits = fraction.trim_end_matches('0').len();
    exponent.parse().is_ok_and(|moved: usize| digits <= moved)
}

fn string_fits(text: &str, data_type: &DataType) -> bool {
    match data_type {
        DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => {
            decimal_fits(text, *scale)
        }
        DataType::Date32 => written::date(text).is_some(),
        DataType::Binary => {
            text.len().is_multiple_of(2) && text.bytes().all(|b| b.is_ascii_hexdigit())
        }
        float if float.is_floating() => {
            matches!(text, "NaN" | "Infinity" | "-Infinity" | "inf" | "-inf")
        }
        _ => false,
    }
}

fn decimal_fits(text: &str, scale: i8) -> bool {
    let fraction = text.split_once('.').map_or("", |(_, f)| f);
    !text.contains(['e', 'E'])
        && fraction.trim_end_matches('0').len() <= usize::from(scale.unsigned_abs())
}

/// Timestamps, from text or from whole ticks, and times, from text.
struct Ticks(DataType);

impl Ticks {
    fn written(&self, text: &str) -> Option<i64> {
        match &self.0 {
            DataType::Timestamp(unit, zone) => written::moment(text, *unit, zone.as_deref()),
            DataType::Time64(unit) => written::time(text, *unit),
            _ => None,
        }
    }

    fn expected(&self) -> &'static str {
        match self.0 {
            DataType::Timestamp(..) => "a timestamp",
            _ => "a time",
        }
    }

    fn counted(&self, text: &str) -> Option<i64> {
        let counts = matches!(self.0, DataType::Timestamp(..));
        counts.then(|| text.parse().ok()).flatten()
    }
}

impl ArrayDecoder for Ticks {
    fn decode(&mut self, tape: &Tape<'_>, pos: &[u32]) -> Result<ArrayRef, ArrowError> {
        let ticks: Int64Array = pos
            .iter()
            .map(|p| match tape.get(*p) {
                TapeElement::Null => Ok(None),
                TapeElement::Number(at) => {
                    let text = tape.get_string(at);
                    let ticks = self.counted(text).map(Some);
                    ticks.ok_or_else(|| misfit(text, &self.0))
                }
                TapeElement::String(at) => {
                    let text = tape.get_string(at);
                    let ticks = self.written(text).map(Some);
                    ticks.ok_or_else(|| misfit(&format!("\"{text}\""), &self.0))
                }
                _ => Err(tape.error(*p, self.expected())),
            })
            .collect::<Result<_, ArrowError>>()?;
        let data = ticks
            .to_data()
            .into_builder()
            .data_type(self.0.clone())
            .build()?;
        Ok(make_array(data))
    }
}
