use arrow_schema::SchemaRef;
use serde::{Deserialize, Serialize};

use crate::{Position, SplitId, WatermarkType};

/// What the engine asks of a Home about one entity.
#[derive(Debug, Clone, Default)]
pub struct SplitRequest {
    /// Read only rows whose column lies in these bounds; NULLs are left out.
    pub bounds: Option<Bounds>,
    /// The column whose greatest value becomes the next watermark, when there is one. A Home
    /// that reads a living source fixes [`SplitPlan::high`] before it looks at rows.
    pub watermark: Option<String>,
    /// What the Home said in [`SplitPlan::position`] when the last commit was made.
    pub position: Option<Position>,
    /// What the Home said in [`SplitPlan::memory`] when the last commit was made.
    pub memory: Option<Vec<u8>>,
    /// Whether only what is new since `memory` is wanted (`strategy: files`).
    pub only_new: bool,
    /// What becomes of changes since `position` (`strategy: change_tracking`).
    pub changes: Changes,
    /// At most that many splits; 1 when the Store writes a single file.
    pub max_splits: Option<usize>,
}

/// What a run wants of a Home that knows its changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Changes {
    /// Nothing: rows are read as ever.
    #[default]
    Ignored,
    /// All rows, and in [`SplitPlan::position`] the version from which a later run goes on.
    Begin,
    /// What changed since the position, with an operation column. A position that the source
    /// can't go on from is `position.lost`.
    Since,
}

/// An inclusive range of watermark values; see [`WatermarkType::ordinal`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// The column.
    pub column: String,
    /// The type the ordinals are in.
    pub kind: WatermarkType,
    /// The least value wanted.
    pub low: i128,
}

/// A part of an entity that can be read on its own, by anyone who has nothing but this.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// Unique within the entity; sorting by id gives the source's order.
    pub id: SplitId,
    /// What to read; only the Home that made it looks inside.
    pub spec: serde_json::Value,
    /// Rows, when known beforehand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Bytes in the source, when known beforehand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// An entity, taken apart.
#[derive(Debug, Clone)]
pub struct SplitPlan {
    /// The schema every split's batches have.
    pub schema: SchemaRef,
    /// The splits, in order; may be empty.
    pub splits: Vec<Split>,
    /// Changes whenever the same splits could give other rows. Finished splits of a run that
    /// died are kept only while it stays the same.
    pub fingerprint: String,
    /// The greatest watermark this run may take, when the Home fixed one. Without it the
    /// greatest value read counts.
    pub high: Option<i128>,
    /// Where the source stands when all splits are done; committed with them.
    pub position: Option<Position>,
    /// The columns that tell rows of a change stream apart.
    pub key: Vec<String>,
    /// More of the same that is too large to show (a list of files); committed with them.
    pub memory: Option<Vec<u8>>,
    /// Things worth telling the person before rows move.
    pub warnings: Vec<String>,
    /// Rows that are in no split as they have no value in the watermark column: nothing says
    /// whether an earlier run took them. Those that are read, readers count.
    pub without_watermark: u64,
}
