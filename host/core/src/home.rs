use std::fmt;

use arrow_schema::SchemaRef;

use crate::{Context, Position, Result, Split, SplitPlan, SplitRequest, Step, async_trait};

/// Where data lives: one entity of it, as configured.
#[async_trait]
pub trait Home: Send + Sync + fmt::Debug {
    /// Looks whether the entity can be read; for `hygge debug`. Changes nothing.
    async fn check(&self, cx: &Context) -> Result<Vec<Finding>>;

    /// What this Home could read, for `hygge list --discover`.
    async fn discover(&self, cx: &Context) -> Result<Vec<Discovered>>;

    /// Takes the entity apart. Called once a run, before any split is opened.
    async fn splits(&self, request: &SplitRequest, cx: &Context) -> Result<SplitPlan>;

    /// Opens a split, from its start or from a position one of its readers gave. May be called
    /// again for the same split after a failure.
    async fn open(
        &self,
        split: &Split,
        resume: &Position,
        want: &Want,
        cx: &Context,
    ) -> Result<Box<dyn Reader>>;

    /// Everything up to `position` is committed. Called after the commit, perhaps by another
    /// process, perhaps more than once.
    async fn acknowledge(&self, _position: &Position, _cx: &Context) -> Result<()> {
        Ok(())
    }
}

/// How the engine wants batches.
#[derive(Debug, Clone)]
pub struct Want {
    /// About how many bytes of Arrow a batch should have.
    pub batch_bytes: usize,
    /// The stored form the writer takes as it is, if nothing needs the rows.
    pub encoded: Option<&'static str>,
    /// The bounds of the [`SplitRequest`], to be applied to every row.
    pub bounds: Option<crate::Bounds>,
}

/// Reads one split.
#[async_trait]
pub trait Reader: Send {
    /// The schema of every batch; the plan's.
    fn schema(&self) -> SchemaRef;

    /// The next rows, or `None` at the end. A batch may be empty. After an error the reader is
    /// dropped.
    async fn next(&mut self) -> Result<Option<Step>>;

    /// Bytes of the split read so far, of those in [`Split::bytes`], where that tells better than
    /// rows how far it is; none where it doesn't, or nobody counts.
    fn bytes_read(&self) -> Option<u64> {
        None
    }

    /// Rows met so far that bounds leave out because they have no value in the watermark column:
    /// nothing says whether an earlier run took them.
    fn without_watermark(&self) -> u64 {
        0
    }
}

/// One thing that `check` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was looked at, and what was found.
    pub message: String,
    /// How to mend it.
    pub advice: Option<String>,
}

impl Finding {
    /// All well.
    pub fn good(message: impl Into<String>) -> Self {
        Self {
            ok: true,
            message: message.into(),
            advice: None,
        }
    }

    /// Not well, and how to mend it.
    pub fn bad(message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            ok: false,
            message: message.into(),
            advice: Some(advice.into()),
        }
    }
}

/// Something a Home could read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    /// Its name: a file, a table.
    pub name: String,
    /// Rows, exact or estimated.
    pub rows: Option<u64>,
    /// Bytes.
    pub bytes: Option<u64>,
    /// Where the Home names many things at once: the entity that this one is, and the settings of
    /// its own Home.
    pub entity: Option<(String, serde_json::Value)>,
}
