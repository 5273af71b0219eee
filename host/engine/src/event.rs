use hygge_core::{Action, EntityId, Fault, PoolUsage, RunId, Usage, Watermark};
use hygge_state::Outcome;
use serde::Serialize;

use crate::Change;

/// What happens in a run, in the order it happens. `--output json` prints one a line, the run's
/// log keeps all of them.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The run began.
    RunStarted {
        /// The run.
        run: RunId,
        /// Entities that will be moved.
        entities: u64,
    },
    /// An entity began to move.
    EntityStarted {
        /// The entity.
        id: EntityId,
        /// What will be done.
        action: Action,
        /// Where it is read, for people.
        from: String,
        /// Where it is written, for people.
        to: String,
        /// How many splits; those already staged by an earlier run are not counted.
        splits: u64,
        /// Splits taken over from a run that died.
        resumed: u64,
        /// Rows to read, when known beforehand.
        rows: Option<u64>,
        /// Bytes to read, when known beforehand.
        bytes: Option<u64>,
        /// The watermark it starts from.
        watermark: Option<Watermark>,
    },
    /// Rows moved; comes often.
    Progress {
        /// The entity.
        id: EntityId,
        /// Rows written so far.
        rows: u64,
        /// Bytes of Arrow, or of the stored form, written so far.
        bytes: u64,
        /// Bytes of the source read so far, of those that [`Event::EntityStarted`] says, where the
        /// source counts them.
        read: Option<u64>,
        /// Splits staged so far.
        splits_done: u64,
    },
    /// A fault that may pass; the split will be tried again.
    Retrying {
        /// The entity.
        id: EntityId,
        /// The split.
        split: String,
        /// The attempt that failed, counted from 1.
        attempt: u32,
        /// What failed.
        fault: Fault,
        /// Milliseconds until the next try.
        wait_ms: u64,
    },
    /// An earlier run's commit was finished, or what it left was cleaned.
    Recovered {
        /// The entity.
        id: EntityId,
        /// The earlier run.
        run: RunId,
        /// What was done about it.
        message: String,
    },
    /// Something to know.
    Note {
        /// The entity.
        id: EntityId,
        /// Whether the person should see it without `--verbose`.
        warning: bool,
        /// What.
        message: String,
    },
    /// Other columns come than in the last run.
    SchemaChanged {
        /// The entity.
        id: EntityId,
        /// Whether the person should see it without `--verbose`.
        warning: bool,
        /// What changed and what becomes of it, for people.
        message: String,
        /// What changed, column by column.
        changes: Vec<Change>,
    },
    /// All of an entity was looked at by its checks.
    Checked {
        /// The entity.
        id: EntityId,
        /// What each came to, in the order they are written in.
        checks: Vec<hygge_state::Checked>,
    },
    /// Something takes its time before rows move, and says why.
    Waiting {
        /// The entity.
        id: EntityId,
        /// For what.
        message: String,
    },
    /// All of an entity is staged; its commit begins.
    Committing {
        /// The entity.
        id: EntityId,
    },
    /// An entity ended.
    EntityFinished {
        /// The entity.
        id: EntityId,
        /// How.
        outcome: Outcome,
        /// What was done, when it came that far.
        action: Option<Action>,
        /// Rows committed.
        rows: u64,
        /// Rows read; more than `rows` when some had been taken by an earlier run, or were left out.
        rows_read: u64,
        /// Bytes committed, as stored.
        bytes: u64,
        /// Seconds it took.
        seconds: f64,
        /// Where the data settled.
        location: Option<String>,
        /// The watermark after the run.
        watermark: Option<Watermark>,
        /// What went wrong.
        fault: Option<Fault>,
        /// Why it was skipped.
        reason: Option<String>,
    },
    /// What a plugin took in this run; before the run's end, one for each that was used.
    PluginUsed {
        /// The counters, as fields of the event.
        #[serde(flatten)]
        usage: Usage,
    },
    /// What the sessions of a connection came to in this run; before the run's end, one for each.
    PoolUsed {
        /// The figures, as fields of the event.
        #[serde(flatten)]
        usage: PoolUsage,
    },
    /// The run ended.
    RunFinished {
        /// The run.
        run: RunId,
        /// Entities committed.
        passed: u64,
        /// Entities that failed.
        failed: u64,
        /// Entities that were not tried.
        skipped: u64,
        /// Entities that a person stopped.
        stopped: u64,
        /// Rows committed.
        rows: u64,
        /// Bytes committed.
        bytes: u64,
        /// Seconds it took.
        seconds: f64,
    },
}

/// Takes events; called from many tasks, so it must not block.
pub trait Events: Send + Sync {
    /// Takes one.
    fn event(&self, event: &Event);
}
