//! `mask`: columns that may be seen by more people than what stands in them.

mod key;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, new_null_array};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Field, SchemaRef};
use hygge_core::{Bound, Context, Fault, Problem, Result, code, type_name};
use schemars::JsonSchema;
use serde::Deserialize;

use self::key::Key;
use crate::kind::{Column, Kept, Spec, Values, at, column_wise, find, problem};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mask {
    /// What becomes of which column; columns that are not named stay as they are.
    #[schemars(extend("minProperties" = 1))]
    columns: BTreeMap<String, How>,
    /// What makes hashes and tokens one's own: any long random text, kept secret. The same key gives
    /// the same values in every run, flow and version.
    #[schemars(extend("format" = "password"))]
    key: Option<Text>,
}

/// What becomes of a column.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "how", rename_all = "lowercase", deny_unknown_fields)]
enum How {
    /// A keyed hash of 32 hexadecimal digits; equal values stay equal.
    Hash {},
    /// Another letter for each letter and another digit for each digit.
    Tokenise {},
    /// The first characters only.
    Truncate {
        /// How many characters stay.
        keep: u32,
    },
    /// A fixed text, or NULL.
    Redact {
        /// What stands in the place of each value; without it, NULL does.
        with: Option<String>,
    },
}

/// A text that is never shown.
#[derive(Clone, Deserialize, JsonSchema)]
struct Text(String);

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// What becomes of a value whose type is known to fit.
enum Step {
    Hash(Key),
    Tokenise(Key),
    Truncate(usize),
    Replace(String),
    Clear,
}

impl How {
    fn name(&self) -> &'static str {
        match self {
            Self::Hash {} => "hash",
            Self::Tokenise {} => "tokenise",
            Self::Truncate { .. } => "truncate",
            Self::Redact { .. } => "redact",
        }
    }
}

impl Spec for Mask {
    const NAME: &'static str = "mask";
    const SUMMARY: &'static str = "hides what stands in columns";

    fn problems(&self) -> Vec<Problem> {
        match &self.key {
            Some(Text(key)) if key.is_empty() => vec![problem(
                "key",
                "mask has an empty `key`",
                Some("set it to a long random text".to_owned()),
            )],
            Some(_) => Vec::new(),
            None => {
                let keyed = |how: &How| matches!(how, How::Hash {} | How::Tokenise {});
                let lacking = self.columns.iter().filter(|(_, how)| keyed(how));
                let told = lacking.map(|(column, how)| {
                    let message = format!("mask needs a `key` to {} {column}", how.name());
                    let advice =
                        "add `key: ${MASK_KEY}`, and set that variable to a long random text";
                    problem(&at("columns", column), message, Some(advice.to_owned()))
                });
                told.collect()
            }
        }
    }

    fn describe(&self) -> String {
        let each = self.columns.iter();
        let each = each.map(|(column, how)| format!("{column} ({})", how.name()));
        format!("mask {}", each.collect::<Vec<_>>().join(", "))
    }

    fn bind(&self, input: &SchemaRef, cx: &Context) -> Result<Box<dyn Bound>> {
        let before = 0..input.fields().len();
        let mut columns: Vec<Column> = before.map(|index| Column::same(index, input)).collect();
        for (name, how) in &self.columns {
            let index = find(Self::NAME, name, input)?;
            let field = input.field(index);
            let (step, data_type) = self.step(how, field)?;
            // What was said of the old values isn't true of the new ones: half a GUID is none.
            let masked = match step {
                Step::Clear => Field::clone(field).with_data_type(data_type.clone()),
                _ => Field::new(name, data_type.clone(), field.is_nullable()),
            };
            let kept = match step {
                Step::Hash(_) => Kept::Apart,
                _ => Kept::Nothing,
            };
            columns[index] = Column {
                field: Arc::new(masked),
                from: Values::Made(
                    index,
                    kept,
                    Arc::new(move |column| {
                        let failed = |error| Fault::internal(format!("mask failed: {error}"));
                        mask(column, &step, &data_type).map_err(failed)
                    }),
                ),
            };
        }
        column_wise(Self::NAME, columns, input, cx)
    }
}

impl Mask {
    /// What is done to a column, and the type that it then has.
    fn step(&self, how: &How, field: &Field) -> Result<(Step, DataType)> {
        let refused = |why: &str, advice: &str| {
            let (name, is) = (field.name(), type_name(field.data_type()));
            let message = format!(
                "mask can't {} column {name}, which is {is}: {why}",
                how.name()
            );
            Fault::new(code::SCHEMA, message)
                .with("column", name)
                .advise(advice)
        };
        let key = || match &self.key {
            Some(Text(key)) => Ok(Key::new(key)),
            None => Err(Fault::new(code::CONFIG, "mask needs a `key`")),
        };
        let text = || {
            let plain = text_of(field.data_type());
            plain.ok_or_else(|| refused("that is for text", "use `how: redact`, or cast it before"))
        };
        Ok(match how {
            How::Hash {} if can_be_hashed(field.data_type()) => {
                (Step::Hash(key()?), DataType::Utf8)
            }
            How::Hash {} => {
                let why = "one value of it can be written in several ways";
                return Err(refused(why, "use `how: redact`, or cast it before"));
            }
            How::Tokenise {} => (Step::Tokenise(key()?), text()?),
            How::Truncate { keep } => (
                Step::Truncate(usize::try_from(*keep).unwrap_or(usize::MAX)),
                text()?,
            ),
            How::Redact { with: Some(with) } => (Step::Replace(with.clone()), text()?),
            How::Redact { with: None } if field.is_nullable() => {
                (Step::Clear, field.data_type().clone())
            }
            How::Redact { with: None } => {
                let advice = "say `with: …`, or exclude the column";
                return Err(refused("it can't be NULL", advice));
            }
        })
    }
}

/// The type of the texts that come of a column of texts.
fn text_of(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(data_type.clone()),
        DataType::Dictionary(_, values) => text_of(values).map(|_| DataType::Utf8),
        _ => None,
    }
}

/// Whether each value is written in one way only.
fn can_be_hashed(data_type: &DataType) -> bool {
    use DataType as T;
    match data_type {
        T::Dictionary(_, values) => can_be_hashed(values),
        T::Decimal32(_, scale)
        | T::Decimal64(_, scale)
        | T::Decimal128(_, scale)
        | T::Decimal256(_, scale) => *scale == 0,
        T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) | T::Boolean => true,
        other => other.is_integer() || text_of(other).is_some(),
    }
}

fn mask(column: &ArrayRef, step: &Step, to: &DataType) -> Result<ArrayRef, ArrowError> {
    let masked = match step {
        Step::Clear => return Ok(new_null_array(to, column.len())),
        Step::Hash(key) => hash(column, key)?,
        Step::Tokenise(key) => texts(column, |text, into| key.tokenise(text, into))?,
        Step::Truncate(keep) => texts(column, |text, into| {
            let end = text.char_indices().nth(*keep);
            into.push_str(end.map_or(text, |(end, _)| &text[..end]));
        })?,
        Step::Replace(with) => texts(column, |_, into| into.push_str(with))?,
    };
    match masked.data_type() == to {
        true => Ok(masked),
        false => cast(&masked, to),
    }
}

/// A text for each text.
fn texts(column: &ArrayRef, make: impl Fn(&str, &mut String)) -> Result<ArrayRef, ArrowError> {
    let given = cast(column, &DataType::Utf8View)?;
    let mut made = StringBuilder::with_capacity(column.len(), column.len() * 16);
    let mut text = String::new();
    for each in given.as_string_view() {
        match each {
            None => made.append_null(),
            Some(each) => {
                text.clear();
                make(each, &mut text);
                made.append_value(&text);
            }
        }
    }
    Ok(Arc::new(made.finish()))
}

/// Whole numbers are hashed as the text that they are written as, so that 42 has one hash whatever
/// the width of its column is.
fn hash(column: &ArrayRef, key: &Key) -> Result<ArrayRef, ArrowError> {
    use DataType as T;
    let plain = match column.data_type() {
        T::Dictionary(_, values) => &cast(column, values)?,
        _ => column,
    };
    let bytes = match plain.data_type() {
        T::FixedSizeBinary(_) => cast(plain, &T::Binary)?,
        T::Binary | T::LargeBinary | T::BinaryView => Arc::clone(plain),
        _ => cast(&cast(plain, &T::Utf8)?, &T::Binary)?,
    };
    let bytes = cast(&bytes, &T::BinaryView)?;
    let mut made = StringBuilder::with_capacity(column.len(), column.len() * 32);
    let mut text = String::new();
    for each in bytes.as_binary_view() {
        match each {
            None => made.append_null(),
            Some(each) => {
                text.clear();
                key.hash(each, &mut text);
                made.append_value(&text);
            }
        }
    }
    Ok(Arc::new(made.finish()))
}
