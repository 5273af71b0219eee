use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use hygge_core::{
    BuildContext, EntityId, HomePlan, Mode, OnSchemaChange, Settings, StorePlan, Strategy, Veil,
};

/// Everything a run needs to know: resolved, validated, in order by name.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The project's name.
    pub name: String,
    /// Where the project stands.
    pub place: BuildContext,
    /// Settings of the run.
    pub options: Options,
    /// Flows, by name.
    pub flows: Vec<PlannedFlow>,
    /// Things worth saying that stop nothing.
    pub warnings: Vec<String>,
    /// Every entity of the project, also those that this run leaves out.
    pub known: Known,
    /// Hides the secrets of the configuration, also of entities that this run leaves out.
    pub veil: Veil,
}

impl Plan {
    /// Every entity of every flow, in plan order.
    pub fn entities(&self) -> impl Iterator<Item = &PlannedEntity> {
        self.flows.iter().flat_map(|flow| &flow.entities)
    }

    /// Whether the project has that entity, in this run or not, as far as that is known without
    /// looking what a wildcard stands for.
    pub fn has(&self, entity: &EntityId) -> bool {
        self.known.names.contains(entity) || self.known.open.contains(&entity.flow)
    }
}

/// The entities that a project has.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Those with a name.
    pub(crate) names: BTreeSet<EntityId>,
    /// Flows that may have more.
    pub(crate) open: BTreeSet<String>,
}

/// Settings of the run (`options:` in hygge.yml).
#[derive(Debug, Clone)]
pub struct Options {
    /// Splits open at once over the whole run.
    pub concurrency: usize,
    /// Bytes for data on its way, over the whole run.
    pub memory: usize,
    /// How often a split is tried again after a fault that may pass.
    pub retries: u32,
    /// What happens to the others when an entity fails.
    pub on_error: OnError,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            concurrency: 8,
            memory: 256 << 20,
            retries: 3,
            on_error: OnError::Continue,
        }
    }
}

/// What happens to the other entities when one fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// They go on.
    Continue,
    /// Those that have not begun are skipped; those that run are let finish.
    Stop,
}

/// A flow.
#[derive(Debug, Clone)]
pub struct PlannedFlow {
    /// Its name.
    pub name: String,
    /// Flows of this run that must have succeeded first.
    pub after: Vec<String>,
    /// Its entities, by name.
    pub entities: Vec<PlannedEntity>,
}

/// An entity, with everything merged, substituted and checked.
#[derive(Debug, Clone)]
pub struct PlannedEntity {
    /// Its name.
    pub id: EntityId,
    /// Where it is read.
    pub home: Endpoint,
    /// What the Home says about itself.
    pub home_plan: HomePlan,
    /// What happens to the rows on their way, in order.
    pub transforms: Vec<PlannedItem>,
    /// What is asked of the rows before they are committed.
    pub checks: Vec<PlannedItem>,
    /// Where it is written.
    pub store: Endpoint,
    /// What the Store says about itself.
    pub store_plan: StorePlan,
    /// How much of it this run takes.
    pub mode: Mode,
    /// `home.incremental`.
    pub incremental: Option<Incremental>,
    /// Whether a source without rows or files is fine.
    pub allow_empty: bool,
    /// The flow that goes first and writes what this one reads.
    pub filled_by: Option<Filler>,
    /// Whether others take away what settled there (`store.emptied_by_others`).
    pub emptied_by_others: bool,
    /// What happens when other columns come than before (`store.on_schema_change`).
    pub on_schema_change: OnSchemaChange,
    /// Where it is written down.
    pub origin: Origin,
}

/// A flow that writes what another reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filler {
    /// Its name.
    pub flow: String,
    /// Whether this plan has it, with what is read.
    pub planned: bool,
}

/// A Home or Store: its type and settings.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The name in `type:`.
    pub kind: String,
    /// The settings without `type` and `incremental`; a named connection's are merged in.
    pub settings: Settings,
    /// The connection's name, when there is one.
    pub connection: Option<String>,
    /// The path or table with `{run_date}` as it is written, when it has one: then each day's
    /// run has a place of its own, and yet it is the same end.
    pub dated: Option<String>,
}

/// One item of `transforms:` or `checks:`.
#[derive(Debug, Clone)]
pub struct PlannedItem {
    /// The name in `type:`.
    pub kind: String,
    /// The settings without `type`.
    pub settings: Settings,
    /// What it does, for people.
    pub describe: String,
}

/// `home.incremental`.
#[derive(Debug, Clone, PartialEq)]
pub struct Incremental {
    /// What a run does with the rows it took.
    pub strategy: Strategy,
    /// The watermark column; none for `strategy: files`.
    pub column: Option<String>,
    /// The key; needed for merge, optional for append.
    pub key: Vec<String>,
    /// How far before the watermark a run reads again; none is the default for the column's
    /// type: 0 for integers, 5 minutes for timestamps.
    pub lookback: Option<Lookback>,
}

/// How far before the watermark a run reads again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookback {
    /// In the column's own unit (`lookback: 100`): whole numbers for integers, days for dates,
    /// seconds for timestamps, whole units for decimals.
    Units(u64),
    /// A duration (`lookback: 10m`), in seconds; for dates and timestamps.
    Seconds(u64),
}

/// A place in a YAML file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file, relative to the project root.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}
