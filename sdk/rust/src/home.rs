use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Attributes, Config, Entity, Fault, Finding, Result, code};

/// Where data lives. The type is its settings; it is read from them anew for every call, so
/// nothing that it keeps in memory in one call is there in the next, except in a reader.
pub trait Home: Config {
    /// Reads one split.
    type Reader: Reader;

    /// The setting that names a path or table, to which the host adds the entity's name when a
    /// flow lists several.
    const LOCATION: Option<&'static str> = None;
    /// `watermarks`: it can be read by a watermark column. `operations`: its rows carry an
    /// operation column.
    const ABILITIES: &'static [&'static str] = &[];

    /// Looks whether the data can be read, and says what was found. Changes nothing.
    fn check(&self) -> Result<Vec<Finding>> {
        Ok(Vec::new())
    }

    /// What could be read with these settings.
    fn discover(&self) -> Result<Vec<Catalog>> {
        Ok(Vec::new())
    }

    /// Takes the entity apart. The only call in which [`state`](crate::state) can be used.
    fn splits(&self, entity: &Entity, request: &SplitRequest) -> Result<SplitPlan>;

    /// Opens a split from its start, or after a position that a reader of it gave.
    fn open(&self, entity: &Entity, split: &Split, resume: Option<&str>) -> Result<Self::Reader>;

    /// Everything up to a position that `splits` gave is committed: the source may forget it.
    fn acknowledge(&self, _entity: &Entity, _position: &str) -> Result<()> {
        Ok(())
    }
}

/// Reads one split from its beginning to its end.
pub trait Reader: 'static {
    /// The schema of its batches: that of the plan.
    fn schema(&self) -> SchemaRef;

    /// The next rows, or none at the end.
    fn next(&mut self, want: Want) -> Result<Option<Step>>;
}

/// How much a reader is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Want {
    /// At most that many rows.
    pub rows: usize,
    /// About that many bytes.
    pub bytes: u64,
    /// Where rows come in over time: wait so long for the first of them.
    pub wait: std::time::Duration,
}

/// Rows, and how far the reader is after them.
#[derive(Debug, Clone)]
pub struct Step {
    /// None: nothing has come in time, ask again.
    pub batch: Option<RecordBatch>,
    /// Where reading would go on after these rows; none when this split can only be read from
    /// its start.
    pub position: Option<String>,
}

impl From<RecordBatch> for Step {
    fn from(batch: RecordBatch) -> Self {
        Self {
            batch: Some(batch),
            position: None,
        }
    }
}

/// An entity that could be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Catalog {
    /// Its name.
    pub name: String,
    /// Rows, when known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Bytes, when known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// What the host asks of a home about one entity.
#[derive(Debug, Clone, Default)]
pub struct SplitRequest {
    /// What is wanted of an incremental entity. Reading more is allowed: the host leaves it out.
    pub bounds: Option<Bounds>,
    /// The column whose greatest value becomes the next run's bound.
    pub watermark: Option<String>,
    /// [`SplitPlan::position`] of the last run that was committed.
    pub position: Option<String>,
    /// At most that many splits.
    pub max_splits: Option<u32>,
    /// What later versions of the contract add.
    pub attributes: Attributes,
}

/// Rows whose column is at least `low`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// The column.
    pub column: String,
    /// The least value, as text in full precision.
    pub low: String,
    /// `integer`, `date`, `timestamp[us]`, `timestamp[us, utc]`, `decimal[2]`, …
    pub kind: String,
}

/// A part of an entity that can be read on its own, by anyone who has the settings and this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Unique within the entity; sorted, the source's order.
    pub id: String,
    /// What to read; only the plugin looks inside.
    pub spec: String,
    /// Rows, when known beforehand.
    pub rows: Option<u64>,
    /// Bytes, when known beforehand.
    pub bytes: Option<u64>,
}

impl Split {
    /// A split that is all that its id says.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            spec: String::new(),
            rows: None,
            bytes: None,
        }
    }

    /// Puts in what to read.
    pub fn with(mut self, spec: &impl Serialize) -> Result<Self> {
        self.spec = serde_json::to_string(spec).map_err(|error| {
            Fault::new(code::PLUGIN, format!("can't write a split down: {error}"))
        })?;
        Ok(self)
    }

    /// Takes out what [`with`](Self::with) put in.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.spec).map_err(|error| {
            Fault::new(
                code::PLUGIN,
                format!("can't read split {}: {error}", self.id),
            )
        })
    }
}

/// An entity, taken apart.
#[derive(Debug, Clone)]
pub struct SplitPlan {
    /// The schema of every batch of every split.
    pub schema: SchemaRef,
    /// The splits, in order; may be empty.
    pub splits: Vec<Split>,
    /// Changes whenever the same splits could give other rows; empty: what a run that died had
    /// finished is never kept.
    pub fingerprint: String,
    /// The greatest watermark that this run may take.
    pub high: Option<String>,
    /// Where the source stands when all splits are read.
    pub position: Option<String>,
    /// Lines worth telling the person before rows move.
    pub warnings: Vec<String>,
    /// What later versions of the contract add.
    pub attributes: Attributes,
}

impl SplitPlan {
    /// These splits, and nothing else to say.
    pub fn new(schema: SchemaRef, splits: Vec<Split>) -> Self {
        Self {
            schema,
            splits,
            fingerprint: String::new(),
            high: None,
            position: None,
            warnings: Vec::new(),
            attributes: Vec::new(),
        }
    }

    /// All of it as one split.
    pub fn single(schema: SchemaRef) -> Self {
        Self::new(schema, vec![Split::new("all")])
    }
}

/// A reader of batches that come one after the other: cut to the size that is asked for, and
/// without positions, so that a retry reads the split from its start.
pub struct Batches {
    schema: SchemaRef,
    all: Box<dyn Iterator<Item = Result<RecordBatch>>>,
    rest: Option<RecordBatch>,
}

impl Batches {
    /// Reads these.
    pub fn new<I>(schema: SchemaRef, all: I) -> Self
    where
        I: IntoIterator<Item = Result<RecordBatch>>,
        I::IntoIter: 'static,
    {
        Self {
            schema,
            all: Box::new(all.into_iter()),
            rest: None,
        }
    }
}

impl Reader for Batches {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn next(&mut self, want: Want) -> Result<Option<Step>> {
        let batch = match self.rest.take() {
            Some(rest) => rest,
            None => match self.all.next() {
                Some(batch) => batch?,
                None => return Ok(None),
            },
        };
        let rows = batch.num_rows();
        let most = want.rows.max(1);
        if rows <= most {
            return Ok(Some(batch.into()));
        }
        self.rest = Some(batch.slice(most, rows - most));
        Ok(Some(batch.slice(0, most).into()))
    }
}
