//! Values that are written in settings, as one of a column's type.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float16Type, Float32Type, Float64Type};
use arrow_array::{
    Array as _, ArrayRef, ArrowNativeTypeOp, ArrowPrimitiveType, Scalar, StringArray, make_array,
};
use arrow_buffer::BooleanBuffer;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, Field, TimeUnit};
use hygge_core::{Fault, Result, code, type_name};
use schemars::JsonSchema;
use serde::Deserialize;

/// A number, a text, or true or false.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Written {
    /// True or false.
    Truth(bool),
    /// A number.
    Number(serde_json::Number),
    /// A text, also for dates, times and exact decimals.
    Text(String),
}

impl Written {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Truth(truth) => truth.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }

    /// A bound of whole numbers, which may be written with places.
    pub(crate) fn whole(&self, within: fn(f64) -> f64) -> Self {
        match self {
            Self::Number(number) if number.is_f64() => {
                // Without the sign of -0.
                let bound = number.as_f64().map(|float| within(float) + 0.0);
                bound.map_or_else(|| self.clone(), |bound| Self::Text(format!("{bound:.0}")))
            }
            other => other.clone(),
        }
    }
}

/// The column's type, without what says only how its values are encoded or shown.
pub(crate) fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, value) => plain(value),
        DataType::RunEndEncoded(_, value) => plain(value.data_type()),
        // The moments are the same, and what is written without a zone is UTC, whatever the column's.
        DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, Some("+00:00".into())),
        other => other.clone(),
    }
}

/// The plain type of a column whose values are compared with written ones. None for one of type null,
/// as a source has it that found no value: NULL is compared with nothing.
pub(crate) fn compared(check: &str, field: &Field) -> Result<Option<DataType>> {
    let to = plain(field.data_type());
    if to.is_nested() {
        let message = format!(
            "the {check} check can't compare {:?}: it is {}",
            field.name(),
            type_name(&to)
        );
        return Err(Fault::new(code::SCHEMA, message)
            .with("column", field.name())
            .advise(
                "`flatten` makes columns of a struct's fields, `unnest` rows of a list's items",
            ));
    }
    Ok((to != DataType::Null).then_some(to))
}

/// The values of a column as those of its plain type, and of each number one form only: -0.0 is 0.0,
/// and one NaN is as good as another.
pub(crate) fn unpacked(column: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let column = match column.data_type() == to {
        true => Arc::clone(column),
        false => arrow_cast::cast(column, to)
            .map_err(|error| Fault::internal(format!("a column can't be looked at: {error}")))?,
    };
    one_form(&column)
        .map_err(|error| Fault::internal(format!("a column can't be looked at: {error}")))
}

/// Also of numbers within structs and lists.
fn one_form(column: &ArrayRef) -> std::result::Result<ArrayRef, ArrowError> {
    fn of<T>(column: &ArrayRef, nan: T::Native) -> ArrayRef
    where
        T: ArrowPrimitiveType<Native: ArrowNativeTypeOp>,
    {
        let one = |value: T::Native| match is_nan(value) {
            true => nan,
            // Of -0.0 that makes 0.0.
            false => value.add_wrapping(T::Native::ZERO),
        };
        Arc::new(column.as_primitive::<T>().unary::<_, T>(one))
    }
    Ok(match column.data_type() {
        DataType::Float16 => of::<Float16Type>(column, Half::NAN),
        DataType::Float32 => of::<Float32Type>(column, f32::NAN),
        DataType::Float64 => of::<Float64Type>(column, f64::NAN),
        nested if nested.is_nested() => {
            let data = column.to_data();
            let within = data.child_data().iter();
            let within = within.map(|data| Ok(one_form(&make_array(data.clone()))?.to_data()));
            let within = within.collect::<std::result::Result<_, ArrowError>>()?;
            make_array(data.into_builder().child_data(within).build()?)
        }
        _ => Arc::clone(column),
    })
}

type Half = <Float16Type as ArrowPrimitiveType>::Native;

/// Of all values only what is no number can't be compared with itself.
fn is_nan<T: PartialOrd + Copy>(value: T) -> bool {
    value.partial_cmp(&value).is_none()
}

/// Which values are no numbers; none where there are no such types.
pub(crate) fn nan(column: &ArrayRef) -> Option<BooleanBuffer> {
    fn of<T: ArrowPrimitiveType>(column: &ArrayRef) -> BooleanBuffer {
        let values = column.as_primitive::<T>().values().iter();
        values.map(|value| is_nan(*value)).collect()
    }
    match column.data_type() {
        DataType::Float16 => Some(of::<Float16Type>(column)),
        DataType::Float32 => Some(of::<Float32Type>(column)),
        DataType::Float64 => Some(of::<Float64Type>(column)),
        _ => None,
    }
}

/// A written value as one of that type.
pub(crate) fn scalar(check: &str, written: &Written, field: &Field) -> Result<Scalar<ArrayRef>> {
    const STRICT: CastOptions<'_> = CastOptions {
        safe: false,
        format_options: arrow_cast::display::FormatOptions::new(),
    };
    let to = plain(field.data_type());
    let text = written.text();
    let of_texts = matches!(
        to,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    );
    if of_texts && matches!(written, Written::Number(_)) {
        // 1.10 was read as 1.1, and 007 as 7.
        let message = format!(
            "the {check} check of {:?} has the number {text}, and the column is {}",
            field.name(),
            type_name(&to)
        );
        return Err(Fault::new(code::SCHEMA, message)
            .with("column", field.name())
            .advise("write it in quotes, as the text it is: `\"007\"`"));
    }
    // Of a column whose values happen to be whole the type may be, too.
    let text = match text.split_once('.') {
        Some((whole, zeros)) if to.is_integer() && zeros.bytes().all(|byte| byte == b'0') => {
            whole.to_owned()
        }
        _ => text,
    };
    let one: ArrayRef = Arc::new(StringArray::from(vec![text.as_str()]));
    let refused = || {
        let message = format!(
            "the {check} check of {:?} can't take {text:?}: the column is {}",
            field.name(),
            type_name(field.data_type())
        );
        Fault::new(code::SCHEMA, message)
            .with("column", field.name())
            .advise("write it as a value of that type, or `cast` the column in a transform")
    };
    let cast = |given: &ArrayRef, to: &DataType| {
        cast_with_options(given, to, &STRICT).map_err(|_| refused())
    };
    let made = cast(&one, &to)?;
    // What a type doesn't hold Arrow cuts off or rounds without a word, of which a finer one tells.
    let told = finer(&to).into_iter().find_map(|finer| {
        let exact = cast_with_options(&one, &finer, &STRICT).ok()?;
        Some((exact, cast_with_options(&made, &finer, &STRICT).ok()?))
    });
    if told.is_some_and(|(exact, made)| exact.as_ref() != made.as_ref()) || rounded(&text, &made) {
        return Err(refused());
    }
    let made = one_form(&made).map_err(|_| refused())?;
    Ok(Scalar::new(made))
}

/// Types that hold what one of these may have lost, the finest first: it doesn't reach as far.
fn finer(to: &DataType) -> Vec<DataType> {
    let moment = |zone: &Option<Arc<str>>| {
        let units = [TimeUnit::Nanosecond, TimeUnit::Microsecond];
        units
            .map(|unit| DataType::Timestamp(unit, zone.clone()))
            .to_vec()
    };
    match to {
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => vec![DataType::Decimal256(76, 38)],
        DataType::Date32 | DataType::Date64 => moment(&None),
        DataType::Timestamp(_, zone) => moment(zone),
        DataType::Time32(_) | DataType::Time64(_) => vec![DataType::Time64(TimeUnit::Nanosecond)],
        _ => Vec::new(),
    }
}

/// Whether a float stands for another whole number than the one that was written.
fn rounded(text: &str, made: &ArrayRef) -> bool {
    let Ok(whole) = text.parse::<i128>() else {
        return false;
    };
    let exact = |made: f64| {
        let made = format!("{made:.0}");
        made.parse::<i128>().is_ok_and(|made| made == whole)
    };
    match made.data_type() {
        DataType::Float16 => !exact(made.as_primitive::<Float16Type>().value(0).into()),
        DataType::Float32 => !exact(made.as_primitive::<Float32Type>().value(0).into()),
        DataType::Float64 => !exact(made.as_primitive::<Float64Type>().value(0)),
        _ => false,
    }
}
