//! Rows as lines of JSON, for people and programs that look at single ones.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, PrimitiveArray, RecordBatch};
use arrow_json::writer::{LineDelimited, NullableEncoder};
use arrow_json::{Encoder, EncoderFactory, EncoderOptions, WriterBuilder};
use arrow_schema::{ArrowError, DataType, FieldRef};
use hygge_core::Texts;

/// One object a line, nulls included. JSON has no number for infinity and for what is none: they are
/// the texts `Infinity`, `-Infinity` and `NaN`, where Arrow writes null. Days and times that have no text
/// are their numbers.
pub fn json_lines(batch: &RecordBatch) -> Result<String, ArrowError> {
    let mut bytes = Vec::new();
    let builder = WriterBuilder::new()
        .with_explicit_nulls(true)
        .with_encoder_factory(Arc::new(Leaves));
    let mut writer = builder.build::<_, LineDelimited>(&mut bytes);
    writer.write(batch)?;
    writer.finish()?;
    drop(writer);
    String::from_utf8(bytes).map_err(|error| ArrowError::JsonError(error.to_string()))
}

#[derive(Debug)]
struct Leaves;

impl EncoderFactory for Leaves {
    fn make_default_encoder<'a>(
        &self,
        _: &'a FieldRef,
        array: &'a dyn Array,
        _: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let encoder: Box<dyn Encoder + 'a> = match array.data_type() {
            DataType::Float32 => {
                let values: &PrimitiveArray<Float32Type> = array.as_primitive();
                if values.values().iter().all(|value| value.is_finite()) {
                    return Ok(None);
                }
                Box::new(Each(|row| {
                    let value = values.value(row);
                    (f64::from(value), value.to_string())
                }))
            }
            DataType::Float64 => {
                let values: &PrimitiveArray<Float64Type> = array.as_primitive();
                if values.values().iter().all(|value| value.is_finite()) {
                    return Ok(None);
                }
                Box::new(Each(|row| {
                    let value = values.value(row);
                    (value, format!("{value:?}"))
                }))
            }
            kind if kind.is_temporal() => Box::new(Times(Texts::of(array)?)),
            _ => return Ok(None),
        };
        Ok(Some(NullableEncoder::new(encoder, array.nulls().cloned())))
    }
}

/// A number, and how it is written when it is one.
struct Each<F>(F);

impl<F: Fn(usize) -> (f64, String)> Encoder for Each<F> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let (value, written) = (self.0)(row);
        out.extend_from_slice(match value {
            f64::INFINITY => b"\"Infinity\"",
            f64::NEG_INFINITY => b"\"-Infinity\"",
            value if value.is_nan() => b"\"NaN\"",
            _ => written.as_bytes(),
        });
    }
}

/// Days and times.
struct Times<'a>(Texts<'a>);

impl Encoder for Times<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        out.extend(match (self.0.text(row), self.0.number(row)) {
            (None, Some(number)) => number.to_string().into_bytes(),
            (text, _) => format!("\"{}\"", text.unwrap_or_default()).into_bytes(),
        });
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{ArrayRef, Date32Array, Float32Array, Float64Array, StructArray};

    use arrow_schema::Field;

    use super::*;

    #[test]
    fn what_is_no_number_in_json_is_told_from_null() {
        let odd = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        let wide = odd.into_iter().chain([1e300, 7.0]).map(Some).chain([None]);
        let wide: ArrayRef = Arc::new(Float64Array::from_iter(wide));
        let narrow = [f32::NAN, 1.5, -0.0, 0.1, 1e20, 3.0];
        let narrow: ArrayRef = Arc::new(Float32Array::from(narrow.to_vec()));
        let rows =
            RecordBatch::try_from_iter_with_nullable([("w", wide, true), ("n", narrow, true)]);
        assert_eq!(
            json_lines(&rows.unwrap()).unwrap(),
            "{\"w\":\"Infinity\",\"n\":\"NaN\"}\n\
             {\"w\":\"-Infinity\",\"n\":1.5}\n\
             {\"w\":\"NaN\",\"n\":-0}\n\
             {\"w\":1e300,\"n\":0.1}\n\
             {\"w\":7.0,\"n\":100000000000000000000}\n\
             {\"w\":null,\"n\":3}\n"
        );
    }

    #[test]
    fn days_without_a_text_are_their_numbers() {
        let days: ArrayRef = Arc::new(Date32Array::from(vec![Some(1), Some(i32::MAX), None]));
        let field = Arc::new(Field::new("day", DataType::Date32, true));
        let within = StructArray::from(vec![(field, Arc::clone(&days))]);
        let columns = [("day", days), ("in", Arc::new(within) as ArrayRef)];
        let rows = RecordBatch::try_from_iter(columns).unwrap();
        assert_eq!(
            json_lines(&rows).unwrap(),
            "{\"day\":\"1970-01-02\",\"in\":{\"day\":\"1970-01-02\"}}\n\
             {\"day\":2147483647,\"in\":{\"day\":2147483647}}\n\
             {\"day\":null,\"in\":{\"day\":null}}\n"
        );
    }
}
