use serde::{Deserialize, Serialize};

use crate::{Action, EntityId, Position, RunId, SplitId, Watermark};

/// What a writer hands back when a split is staged. Plain data: whoever has it can commit,
/// in this process or another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// The split that was written.
    pub split: SplitId,
    /// Which attempt at it, counted from 1.
    pub attempt: u32,
    /// Rows staged; once prepared, those that stay, without any that stood there before.
    pub rows: u64,
    /// Bytes staged.
    pub bytes: u64,
    /// What the Store needs to find the staged data again; only the Store looks inside.
    pub data: serde_json::Value,
}

/// All that is needed to finish a commit, and to know what was committed. Stored before the
/// commit begins and closed after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommitRecord {
    /// The record's format.
    pub version: u32,
    /// The hygge that wrote it.
    pub hygge: String,
    /// The run that staged the data.
    pub run: RunId,
    /// The entity.
    pub entity: EntityId,
    /// What becomes of rows that were there before.
    pub action: Action,
    /// The key rows are merged by; empty without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<String>,
    /// The Store's type.
    pub store_type: String,
    /// The Store's resolved settings, `***` for secrets.
    pub store: serde_json::Value,
    /// What the Store said when the entity began; see [`Store::begin`](crate::Store::begin).
    pub begun: serde_json::Value,
    /// One receipt a split, in split order.
    pub receipts: Vec<Receipt>,
    /// Rows of the run that stand once this is committed.
    pub rows: u64,
    /// Bytes that the run staged.
    pub bytes: u64,
    /// The watermark once this is committed.
    pub watermark: Option<Watermark>,
    /// The Home's position once this is committed.
    pub position: Option<Position>,
    /// The schema that was written, as text, for people.
    pub schema: Vec<String>,
    /// When the run began.
    pub began: jiff::Timestamp,
}

impl CommitRecord {
    /// The format written by this version.
    pub const VERSION: u32 = 1;
}

/// What a commit left behind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Settled {
    /// Where the data settled, as a person would name it.
    pub location: String,
    /// Files or tables written.
    pub parts: u64,
    /// What the Store wants to be given at its next run (the files that are its own).
    #[serde(skip)]
    pub memory: Option<Vec<u8>>,
}
