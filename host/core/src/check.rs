use std::fmt;
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::SchemaRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{BuildContext, Context, Problem, Result, Settings};

/// What a check that fails means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing of the entity is committed.
    #[default]
    Fail,
    /// It is told.
    Warn,
}

/// A type of check: what `type:` names in an item of `checks:`.
pub trait CheckKind: Send + Sync {
    /// The name in `type:`.
    fn name(&self) -> &str;
    /// One line for lists.
    fn summary(&self) -> &str;
    /// The JSON Schema of the settings, without `type`.
    fn schema(&self) -> Value;
    /// Whether what it saw of a split can be stored and judged by another process; if not, an
    /// attempt that died begins anew.
    fn storable(&self) -> bool {
        true
    }
    /// Checks what the schema can't, and says in a few words what it will look for.
    fn plan(&self, settings: &Settings, cx: &BuildContext) -> Result<String, Vec<Problem>>;
    /// Makes the check.
    fn build(&self, settings: &Settings, cx: &BuildContext) -> Result<BuiltCheck>;
}

/// A check as configured for one entity.
#[derive(Debug, Clone)]
pub struct BuiltCheck {
    /// What it looks for.
    pub check: Arc<dyn Check>,
    /// What it means when it fails.
    pub severity: Severity,
    /// The folder that rows go to which fail it.
    pub rejects: Option<String>,
}

/// Looks at what is about to be committed, as configured for one entity.
pub trait Check: Send + Sync + fmt::Debug {
    /// Binds to the schema of the rows that reach the Store, so that what doesn't fit fails before
    /// rows move.
    fn bind(&self, schema: &SchemaRef, cx: &BuildContext) -> Result<Arc<dyn BoundCheck>>;
}

/// A check bound to a schema, for all splits of one entity in one run.
pub trait BoundCheck: Send + Sync + fmt::Debug {
    /// Looks at the rows of one attempt at a split.
    fn look(&self, cx: &Context) -> Box<dyn Looking>;

    /// Whether it looks at rows at all: rows that nothing looks at may pass as they are stored.
    fn looks(&self) -> bool {
        true
    }

    /// Judges by what was seen of all splits, in any order.
    fn judge(&self, seen: &[Value], about: &About) -> Result<Verdict>;
}

/// Looks at the rows of one attempt at a split, on a CPU thread.
pub trait Looking: Send {
    /// Takes a batch; says which of its rows fail, where that can be told of a row.
    fn take(&mut self, batch: &RecordBatch) -> Result<Option<BooleanArray>>;

    /// What was seen, once the split is staged.
    fn finish(self: Box<Self>) -> Result<Value>;
}

/// What is known of a run besides its rows.
#[derive(Debug, Clone)]
pub struct About {
    /// Rows that reach the Store.
    pub rows: u64,
    /// When it began.
    pub began: jiff::Timestamp,
    /// As many of earlier runs of the same kind, the newest first.
    pub earlier: Vec<u64>,
}

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All well.
    Passed,
    /// It failed.
    Failed {
        /// In words.
        why: String,
        /// How many rows fail it, where that can be said.
        rows: Option<u64>,
    },
}
