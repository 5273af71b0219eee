use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::{Attributes, Config, Entity, Finding, Result};

/// Where data settles, in two phases: writers stage where nobody looks, and one `commit` makes
/// all of it visible. The type is its settings, read from them anew for every call.
pub trait Store: Config {
    /// Stages one attempt at one split.
    type Writer: Writer;

    /// The setting that names a path or table, to which the host adds the entity's name when a
    /// flow lists several.
    const LOCATION: Option<&'static str> = None;
    /// Of `append`, `replace`, `upsert`, `operations` and `single`.
    const ABILITIES: &'static [&'static str];

    /// Looks whether the destination can be written. Leaves nothing behind.
    fn check(&self) -> Result<Vec<Finding>> {
        Ok(Vec::new())
    }

    /// What stands at the destination; `memory` is what the last commit left.
    fn inspect(&self, _entity: &Entity, memory: Option<&[u8]>) -> Result<Standing> {
        Ok(if memory.is_some() {
            Standing::Ours
        } else {
            Standing::Vacant
        })
    }

    /// Makes ready: refuses what can't be done, creates where to stage. Called again when the run
    /// is resumed: then what it staged must stay. Gives a text that the other calls are given.
    fn begin(&self, target: &Target) -> Result<String>;

    /// Opens a writer for an attempt at a split. Attempts may overlap.
    fn open_writer(
        &self,
        target: &Target,
        begun: &str,
        split: &str,
        attempt: u32,
    ) -> Result<Self::Writer>;

    /// Makes all rows that the receipts name visible. **Idempotent**, wherever it was killed.
    fn commit(&self, record: &CommitRecord, receipts: &[Receipt]) -> Result<Settled>;

    /// The run is given up: throws away what the receipts name. The host also calls `cleanup`.
    fn abort(&self, _record: &CommitRecord, _receipts: &[Receipt]) -> Result<()> {
        Ok(())
    }

    /// These runs are over, committed or dead: throws away what they still have staged, and
    /// nothing of any other. Idempotent.
    fn cleanup(&self, entity: &Entity, runs: &[String]) -> Result<()>;
}

/// Stages rows.
pub trait Writer: 'static {
    /// Takes rows; the batch may be empty.
    fn write(&mut self, batch: RecordBatch) -> Result<()>;

    /// Makes everything written durable and says where it is.
    fn finish(self) -> Result<Staged>;
}

/// What stands at a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Vacant,
    /// What runs of this entity committed.
    Ours,
    /// It carries the mark of this entity, but the memory doesn't know of it.
    Marked {
        /// The run that wrote last, when the mark says so.
        run: Option<String>,
    },
    /// Something that no run of this entity wrote.
    Foreign {
        /// What was found.
        example: String,
    },
}

/// What a run will write, of one entity.
#[derive(Debug, Clone)]
pub struct Target {
    /// The run: lower-case letters, digits and `-`.
    pub run: String,
    /// The entity.
    pub entity: Entity,
    /// The schema of every batch.
    pub schema: SchemaRef,
    /// `replace`, `append` or `upsert`.
    pub action: String,
    /// Rows that agree in these columns are one.
    pub key: Vec<String>,
    /// Of those, the one with the greatest value here is kept; without it the last.
    pub latest_by: Option<String>,
    /// What the last commit left.
    pub memory: Option<Vec<u8>>,
    /// What later versions of the contract add.
    pub attributes: Attributes,
}

/// What a writer staged, in its own words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Staged {
    /// Bytes staged, for showing.
    pub bytes: u64,
    /// What it takes to find the rows again.
    pub data: String,
}

/// What is staged, as plain data: whoever has it can commit it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The split.
    pub split: String,
    /// The attempt at it.
    pub attempt: u32,
    /// Rows that were written.
    pub rows: u64,
    /// Bytes staged.
    pub bytes: u64,
    /// [`Staged::data`].
    pub data: String,
    /// What later versions of the contract add.
    pub attributes: Attributes,
}

/// All that is known of a run when it is committed or given up.
#[derive(Debug, Clone)]
pub struct CommitRecord {
    /// The run.
    pub run: String,
    /// The entity.
    pub entity: Entity,
    /// `replace`, `append` or `upsert`.
    pub action: String,
    /// The columns of the key.
    pub key: Vec<String>,
    /// What [`Store::begin`] gave.
    pub begun: String,
    /// What later versions of the contract add.
    pub attributes: Attributes,
}

/// What a commit left behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// Where the rows are now, as a person would name it.
    pub location: String,
    /// Files or tables written.
    pub parts: u64,
    /// What the store wants to be given in the next run.
    pub memory: Option<Vec<u8>>,
}
