#![doc = include_str!("../README.md")]

mod columns;
mod key;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use hygge_sdk::{
    ArrowSchema, Bound, Config, DataType, Fault, Field, RecordBatch, Result, SchemaRef, Secret,
    Transform,
};
use serde::Deserialize;

pub use key::Key;

/// Hides what stands in columns. Nulls stay null.
#[derive(Debug, Deserialize, Config)]
#[serde(deny_unknown_fields)]
pub struct Mask {
    /// What becomes of which column. Columns that are not named stay as they are.
    columns: BTreeMap<String, How>,
    /// What makes hashes and tokens one's own; any text, kept secret. The same key gives the same
    /// hashes, in every run, flow and version.
    key: Option<Secret>,
}

/// What becomes of a column.
#[derive(Debug, Clone, Deserialize, Config)]
#[serde(tag = "how", rename_all = "lowercase", deny_unknown_fields)]
pub enum How {
    /// A keyed hash of 32 hexadecimal digits; equal values stay equal, so columns can still be
    /// joined. For texts, binary, whole numbers and booleans; it becomes a text. Needs `key`.
    Hash {},
    /// Another letter for each letter and another digit for each digit, so that the value keeps
    /// its shape. For texts. Needs `key`.
    Tokenise {},
    /// The first characters only. For texts.
    Truncate {
        /// How many characters stay.
        keep: u32,
    },
    /// A fixed text, or nothing at all.
    Redact {
        /// What stands in the place of each value. For texts; without it every value becomes
        /// null, in a column of any type that may be null.
        with: Option<String>,
    },
}

/// A mask that knows its columns.
pub struct Bind {
    schema: SchemaRef,
    /// Of each column that changes: where it is, and what becomes of it.
    plan: Vec<(usize, Step)>,
}

/// What becomes of a column whose type is known to fit.
pub(crate) enum Step {
    Hash(Key),
    Tokenise(Key),
    Truncate(usize),
    Replace(String),
    Clear,
}

impl Transform for Mask {
    type Bound = Bind;

    const ABILITIES: &'static [&'static str] = &["stateless"];

    fn bind(&self, input: &SchemaRef) -> Result<Bind> {
        if let Some(key) = &self.key
            && key.expose().is_empty()
        {
            return Err(Fault::config("`key` is empty").advise("set it to a long random text"));
        }
        let mut fields: Vec<Arc<Field>> = input.fields().iter().cloned().collect();
        let mut plan = Vec::new();
        for (name, how) in &self.columns {
            let at = input.index_of(name).map_err(|_| missing(name, input))?;
            let (step, kind) = self.step(how, &fields[at])?;
            // What was said of the old values isn't true of the new ones: half a GUID is none.
            let field = fields[at].as_ref().clone().with_data_type(kind);
            fields[at] = Arc::new(match step {
                Step::Clear => field,
                _ => field.with_metadata(HashMap::new()),
            });
            plan.push((at, step));
        }
        let schema = ArrowSchema::new_with_metadata(fields, input.metadata().clone());
        Ok(Bind {
            schema: Arc::new(schema),
            plan,
        })
    }
}

impl Mask {
    /// What is done to a column, and the type that it then has.
    fn step(&self, how: &How, field: &Field) -> Result<(Step, DataType)> {
        use DataType::{
            Binary, Boolean, FixedSizeBinary, Int8, Int16, Int32, Int64, LargeBinary, LargeUtf8,
            UInt8, UInt16, UInt32, UInt64, Utf8,
        };
        let kind = field.data_type();
        let key = || {
            let missing = || {
                Fault::config("hash and tokenise need a `key`")
                .advise("add `key: ${MASK_KEY}` to the transform, and set that variable to a long random text")
            };
            self.key
                .as_ref()
                .map(|key| Key::new(key.expose()))
                .ok_or_else(missing)
        };
        let text = |what: &str| match kind {
            Utf8 | LargeUtf8 => Ok(kind.clone()),
            other => Err(Fault::column(
                field.name(),
                format!(
                    "{:?} is {other}, and only texts can be {what}",
                    field.name()
                ),
            )),
        };
        Ok(match how {
            How::Hash {} => {
                let hashed = match kind {
                    LargeUtf8 | LargeBinary => LargeUtf8,
                    Utf8 | Binary | FixedSizeBinary(_) | Boolean | Int8 | Int16 | Int32 | Int64
                    | UInt8 | UInt16 | UInt32 | UInt64 => Utf8,
                    other => {
                        let message =
                            format!("{:?} is {other}, which can't be hashed", field.name());
                        return Err(Fault::column(field.name(), message).advise(
                            "its text isn't unique, so equal values might differ; redact it",
                        ));
                    }
                };
                (Step::Hash(key()?), hashed)
            }
            How::Tokenise {} => {
                let kind = text("tokenised")?;
                (Step::Tokenise(key()?), kind)
            }
            How::Truncate { keep } => (Step::Truncate(*keep as usize), text("truncated")?),
            How::Redact { with: Some(with) } => {
                let kind = text("redacted `with` a text")?;
                (Step::Replace(with.clone()), kind)
            }
            How::Redact { with: None } if field.is_nullable() => (Step::Clear, kind.clone()),
            How::Redact { with: None } => {
                let message = format!("{:?} can't become null", field.name());
                return Err(Fault::column(field.name(), message)
                    .advise("say `with: …`, or drop the column"));
            }
        })
    }
}

fn missing(name: &str, input: &SchemaRef) -> Fault {
    let fault = Fault::column(name, format!("there is no column {name:?} to mask"));
    let same = |field: &&Arc<Field>| field.name().eq_ignore_ascii_case(name);
    match input.fields().iter().find(same) {
        Some(field) => fault.advise(format!("did you mean {:?}?", field.name())),
        None => fault,
    }
}

impl Bound for Bind {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn apply(&mut self, batch: RecordBatch) -> Result<Vec<RecordBatch>> {
        let rows = batch.num_rows();
        let mut all = batch.columns().to_vec();
        for (at, step) in &self.plan {
            all[*at] = columns::mask(&all[*at], step)?;
        }
        let options = hygge_sdk::arrow_array::RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(vec![RecordBatch::try_new_with_options(
            self.schema.clone(),
            all,
            &options,
        )?])
    }
}

hygge_sdk::export! {
    name: "sandboxed-mask",
    summary: "Hides what stands in columns: hashed, redacted, truncated or tokenised",
    transform: Mask,
}

#[cfg(test)]
mod tests;
