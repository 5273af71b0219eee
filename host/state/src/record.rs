use hygge_core::{
    Action, CommitRecord, EntityId, PoolUsage, Position, Receipt, RunId, Severity, Usage, Watermark,
};
use serde::{Deserialize, Serialize};

use crate::Columns;

/// What is remembered of an entity between runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntityState {
    /// The flow.
    pub flow: String,
    /// The entity.
    pub entity: String,
    /// When the last run that committed ended.
    pub last_run: jiff::Timestamp,
    /// That run.
    pub run_id: RunId,
    /// How it ended: always `committed` for a run, `set` after `hygge state set`, `recovered`
    /// after `hygge state recover`.
    pub status: String,
    /// How far the entity came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark: Option<Watermark>,
    /// Rows that the last run committed.
    pub rows_processed: u64,
    /// Where the source stood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// Where the data settled.
    pub location: String,
    /// Which source and destination all this is true of; none in a state of an older hygge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Ends>,
    /// What the last run did.
    pub action: Action,
    /// What the engine keeps about the watermark window: its low edge as an ordinal's text,
    /// and the columns its hashes are over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<serde_json::Value>,
    /// The columns that the last run committed; none when they aren't known.
    #[serde(default, skip_serializing_if = "Columns::is_empty")]
    pub columns: Columns,
    /// Columns that earlier runs left at the destination and the last one didn't bring.
    #[serde(default, skip_serializing_if = "Columns::is_empty")]
    pub columns_before: Columns,
}

/// The two ends a state is true of, as the engine tells them apart: with another destination,
/// a watermark says nothing about what stands there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ends {
    /// Where it was read.
    pub home: String,
    /// Where it settled.
    pub store: String,
    /// Whether runs put rows there, so that it can't be empty by itself.
    pub filled: bool,
}

/// What is remembered while an entity is being moved, so that a run that dies can be resumed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The run that began it; staged data carries this id even when a later run goes on.
    pub run: RunId,
    /// When that run began.
    pub began: jiff::Timestamp,
    /// How many runs took it up again.
    pub resumed: u32,
    /// What the run does.
    pub action: Action,
    /// The source's fingerprint when it was split.
    pub fingerprint: String,
    /// A digest of everything in the configuration that shapes the result.
    pub digest: String,
    /// What the Store said when the entity began.
    pub begun: serde_json::Value,
    /// Where it is staged; none in an attempt of an older hygge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staged: Option<Staged>,
}

/// Where an attempt is staged: enough to throw that away when its entity is in no project any
/// more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Staged {
    /// The entity.
    pub entity: EntityId,
    /// The Store's type.
    pub store_type: String,
    /// The Store's resolved settings, `***` for secrets.
    pub store: serde_json::Value,
    /// Where it would have settled, for people.
    pub location: String,
}

/// An entity that a run left in the middle of its work, or is working on.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    /// The entity.
    pub entity: EntityId,
    /// How far it came.
    pub work: Unfinished,
}

/// How far work came that isn't finished.
#[derive(Debug, Clone, PartialEq)]
pub enum Unfinished {
    /// Its commit is decided on.
    Commit(Box<Intent>),
    /// It is staged, in part or whole, and nothing is decided on.
    Attempt(Box<Attempt>),
}

/// A split that is staged, and what was seen while it was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SplitDone {
    /// The Store's receipt.
    pub receipt: Receipt,
    /// Rows read, before any were dropped.
    pub rows_read: u64,
    /// What the engine noted about watermarks.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub observed: serde_json::Value,
    /// What its checks saw.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub checked: serde_json::Value,
}

/// A commit that will happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// Everything the Store needs.
    pub record: CommitRecord,
    /// The entity's resolved configuration, `***` for secrets.
    pub config: serde_json::Value,
    /// The state's `ends` once this is committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Ends>,
    /// The state's `window` once this is committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<serde_json::Value>,
    /// The state's `columns` once this is committed.
    #[serde(default, skip_serializing_if = "Columns::is_empty")]
    pub columns: Columns,
    /// The state's `columns_before`.
    #[serde(default, skip_serializing_if = "Columns::is_empty")]
    pub columns_before: Columns,
    /// What checks found that only warn, for whoever finishes it in its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warned: Vec<String>,
}

impl Intent {
    /// Where it will settle, for people.
    pub fn to(&self) -> String {
        match &self.ends {
            Some(ends) => ends.store.clone(),
            None => format!("{} store", self.record.store_type),
        }
    }
}

/// Who holds an entity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Holder {
    /// The run.
    pub run: RunId,
    /// Its process.
    pub pid: u32,
    /// The machine's name.
    pub host: String,
    /// Since when.
    pub since: jiff::Timestamp,
}

/// One run, for the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The run.
    pub run: RunId,
    /// When it began.
    pub began: jiff::Timestamp,
    /// When it ended; none while it runs, or when it died.
    pub ended: Option<jiff::Timestamp>,
    /// The command line, without values of `--var`.
    pub command: String,
    /// The hygge that ran.
    pub hygge: String,
    /// Its entities, in plan order.
    pub entities: Vec<RunEntity>,
    /// What its plugins took, and what they sent where.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plugins: Vec<Usage>,
    /// What the sessions of its connections came to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<PoolUsage>,
}

/// One entity of one run, for the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunEntity {
    /// The entity.
    pub id: EntityId,
    /// How it ended.
    pub outcome: Outcome,
    /// What was done, when it came that far.
    pub action: Option<Action>,
    /// Rows committed.
    pub rows: u64,
    /// Rows that reached the Store, of which a merge may have kept fewer; none when that wasn't kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_staged: Option<u64>,
    /// Bytes committed, as stored.
    pub bytes: u64,
    /// Seconds from its start to its end.
    pub seconds: f64,
    /// Where the data settled.
    pub location: Option<String>,
    /// The first line of what went wrong, or why it was not tried.
    pub error: Option<String>,
    /// What its checks came to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Checked>,
}

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    /// What it looked for: `not_null id`.
    pub check: String,
    /// What its failing means.
    pub severity: Severity,
    /// Whether all was well.
    pub passed: bool,
    /// Rows that failed it, where that can be said.
    pub rows: Option<u64>,
    /// What it found, for people.
    pub why: Option<String>,
    /// Where rows stand that failed it, when they were asked for.
    pub rejects: Option<String>,
}

/// How an entity ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Committed.
    Pass,
    /// Not committed.
    Fail,
    /// Not tried.
    Skip,
    /// Stopped by a person.
    Stopped,
}
