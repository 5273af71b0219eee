use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch, StringArray};
use arrow_schema::SchemaRef;

use crate::Position;

/// Rows on their way, in one of two forms.
#[derive(Debug, Clone)]
pub enum Batch {
    /// Rows as Arrow, sized by bytes.
    Rows(RecordBatch),
    /// Rows still in the form they are stored in (a Parquet row group). Only sent to a writer
    /// that asked for that form, and only when nothing in between looks inside.
    Encoded(Arc<dyn Encoded>),
}

impl Batch {
    /// How many rows.
    pub fn rows(&self) -> u64 {
        match self {
            Self::Rows(batch) => batch.num_rows() as u64,
            Self::Encoded(encoded) => encoded.rows(),
        }
    }

    /// Bytes this batch holds in memory, for bounding queues.
    pub fn memory(&self) -> usize {
        match self {
            Self::Rows(batch) => batch.get_array_memory_size(),
            Self::Encoded(encoded) => encoded.memory(),
        }
    }
}

/// A reference to rows in their stored form; Home and Store of the same format know how to
/// take it apart (by downcasting), nobody else looks inside.
pub trait Encoded: Any + Send + Sync + fmt::Debug {
    /// The format's name, as in [`Want::encoded`](crate::Want): `parquet`.
    fn format(&self) -> &'static str;
    /// How many rows it stands for.
    fn rows(&self) -> u64;
    /// Bytes of the stored form.
    fn bytes(&self) -> u64;
    /// Bytes held in memory by the reference itself.
    fn memory(&self) -> usize;
    /// The rows' schema.
    fn schema(&self) -> SchemaRef;
    /// For downcasting.
    fn as_any(&self) -> &dyn Any;
}

/// What a reader yields: rows, and how far it is after them.
#[derive(Debug, Clone)]
pub struct Step {
    /// The rows.
    pub batch: Batch,
    /// Where reading would go on after these rows.
    pub position: Position,
}

/// The column that says what happened to each row of a change stream. Utf8; the values are
/// those of [`Operation::as_str`].
pub const OPERATION_COLUMN: &str = "__hygge_operation";

/// What happened to a row of a change stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// The row is new.
    Insert,
    /// The row replaces an earlier one with its key.
    Update,
    /// The row with this key is gone.
    Delete,
}

impl Operation {
    /// The text that stands in the operation column.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// Reads the text; `None` when it is none of the three.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Insert, Self::Update, Self::Delete]
            .into_iter()
            .find(|op| op.as_str() == text)
    }

    /// The operation column of a batch, when it has one.
    pub fn column(batch: &RecordBatch) -> Option<&StringArray> {
        let column = batch.column_by_name(OPERATION_COLUMN)?;
        column
            .as_any()
            .is::<StringArray>()
            .then(|| column.as_string())
    }
}
