use std::fmt;
use std::sync::Arc;

use arrow_schema::SchemaRef;

use crate::{
    Action, Batch, CommitRecord, Context, EntityId, Fault, Finding, Home, OnSchemaChange, Receipt,
    Result, RunId, Settled, SplitId, async_trait,
};

/// Rows that may come to a Store.
#[derive(Debug, Clone, Copy)]
pub struct Coming<'a> {
    /// Whose.
    pub entity: &'a EntityId,
    /// Their columns.
    pub schema: &'a SchemaRef,
    /// What is done with what was there before.
    pub action: Action,
    /// The columns by which they are merged; none where they aren't.
    pub key: &'a [String],
    /// What is done with columns that the destination lacks.
    pub policy: OnSchemaChange,
    /// What the Store remembers of the entity.
    pub memory: Option<&'a [u8]>,
}

/// Where data settles: the destination of one entity, as configured.
///
/// The order of a run: `inspect`, `begin`, any number of `open_writer`, `prepare`, `commit`,
/// `cleanup`; of one that is given up `abort` and `cleanup`. Nothing is visible before `commit`, and `commit` may run in another process that
/// was given nothing but the [`CommitRecord`].
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug {
    /// Looks whether the destination can be written; for `hygge debug`. Leaves nothing behind.
    async fn check(&self, cx: &Context) -> Result<Vec<Finding>>;

    /// What stands at the destination now. `memory` is what the last commit left in
    /// [`Settled::memory`].
    async fn inspect(
        &self,
        entity: &EntityId,
        memory: Option<&[u8]>,
        cx: &Context,
    ) -> Result<Standing>;

    /// Makes ready for the entity: refuses what can't be done, creates where to stage. The
    /// value is stored and handed to everything that follows, in [`Target::begun`] and
    /// [`CommitRecord::begun`]. May be called again for the same run after a restart.
    async fn begin(&self, target: &Target, cx: &Context) -> Result<serde_json::Value>;

    /// Opens a writer that stages one attempt at a split.
    async fn open_writer(
        &self,
        target: &Target,
        split: &SplitId,
        attempt: u32,
        cx: &Context,
    ) -> Result<Box<dyn Writer>>;

    /// Of receipts that an earlier process stored for this run, those whose staged data is still
    /// there; the splits of the others are done again. Called after `begin`, when a run goes on
    /// with an attempt that died; the default trusts that nothing went away.
    async fn still_staged(
        &self,
        _target: &Target,
        receipts: Vec<Receipt>,
        _cx: &Context,
    ) -> Result<Vec<Receipt>> {
        Ok(receipts)
    }

    /// Heavy work on what is staged (a merge), before the intent is stored, so that a commit
    /// is short and can't fail for lack of space. Gets all receipts of the run, in split order
    /// (none when the source has no rows), and gives those to commit; the default gives them
    /// back.
    async fn prepare(
        &self,
        _target: &Target,
        receipts: Vec<Receipt>,
        _cx: &Context,
    ) -> Result<Vec<Receipt>> {
        Ok(receipts)
    }

    /// Makes everything in the record visible at once. Idempotent: after it succeeded, or died
    /// anywhere within, the same call gives the same result.
    async fn commit(&self, record: &CommitRecord, cx: &Context) -> Result<Settled>;

    /// Whether a fault of `commit` says that the commit didn't come about, never will, and that
    /// nothing of it is left: where rows wait in an open transaction instead of being staged. Then
    /// the intent is dropped, and the rows are moved again. Only asked of faults of this Store, and
    /// never true of a plugin's, whose codes steer nothing.
    fn undone(&self, _fault: &Fault) -> bool {
        false
    }

    /// Whether rows are staged, so that a commit that was decided on will come about. Not where
    /// they wait in an open transaction, which is lost with its session.
    fn stages(&self) -> bool {
        true
    }

    /// The run is given up before its commit, and these are the receipts that are known: throws
    /// away what they name. [`cleanup`](Self::cleanup) follows and finds it too; this is for
    /// Stores that would have to search for it. Idempotent.
    async fn abort(&self, _target: &Target, _receipts: Vec<Receipt>, _cx: &Context) -> Result<()> {
        Ok(())
    }

    /// Throws away what a run staged and didn't commit. `live` is a run whose staged data must
    /// stay; everything else staged for the entity is of dead runs.
    async fn cleanup(&self, entity: &EntityId, live: Option<&RunId>, cx: &Context) -> Result<()>;

    /// The columns of what earlier runs committed, when they are known; for replacing it by
    /// nothing when the source has none left to say.
    async fn columns(
        &self,
        _entity: &EntityId,
        _memory: Option<&[u8]>,
        _cx: &Context,
    ) -> Result<Option<SchemaRef>> {
        Ok(None)
    }

    /// Whether a full run takes away all that stands, and not only what its own rows take the place of.
    fn replaces_all(&self) -> bool {
        true
    }

    /// Whether rows of that schema can be written here, as far as that can be told without
    /// opening anything; `begin` refuses what this refuses.
    fn fits(&self, _schema: &SchemaRef) -> Result<()> {
        Ok(())
    }

    /// What becomes of the columns of such rows: refuses what `begin` would refuse of them, and names
    /// those that would be left out where the destination has columns of its own (a table); none
    /// where it takes the columns that come. Leaves nothing behind.
    async fn suits(&self, _coming: &Coming<'_>, _cx: &Context) -> Result<Option<Vec<String>>> {
        Ok(None)
    }

    /// A Home that reads what this Store wrote, if it can; for recovering lost state.
    fn read_back(&self) -> Option<Arc<dyn Home>> {
        None
    }
}

/// What a Store is told about one entity of one run.
#[derive(Debug, Clone)]
pub struct Target {
    /// The run.
    pub run: RunId,
    /// The entity.
    pub entity: EntityId,
    /// The schema of everything that will be written.
    pub schema: SchemaRef,
    /// What becomes of rows that were there before.
    pub action: Action,
    /// With an upsert, and with a replace of an entity that is usually upserted: rows that
    /// agree in these columns are one, the last one wins.
    pub key: Vec<String>,
    /// Which of several rows with one key is last; without it the one read last.
    pub latest_by: Option<String>,
    /// What becomes of columns that the destination lacks, or has as another type.
    pub on_schema_change: OnSchemaChange,
    /// What the last commit left in [`Settled::memory`].
    pub memory: Option<Vec<u8>>,
    /// What `begin` gave; null before.
    pub begun: serde_json::Value,
}

/// Stages one attempt at one split.
#[async_trait]
pub trait Writer: Send {
    /// Takes a batch. After an error the writer is dropped.
    async fn write(&mut self, batch: Batch) -> Result<()>;

    /// Makes all that was written durable, and says where it is. A writer that is dropped
    /// instead leaves at most what `cleanup` removes.
    async fn finish(self: Box<Self>) -> Result<Receipt>;
}

/// What stands at a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing, or an empty folder or table.
    Vacant,
    /// What earlier runs of this entity committed, as remembered.
    Ours,
    /// It carries hygge's mark of this very entity, but nothing is remembered of it.
    Marked {
        /// The run that wrote last, when the mark says so.
        run: Option<RunId>,
    },
    /// Something that no run of this entity wrote.
    Foreign {
        /// What was found, for the message.
        example: String,
        /// Whether the settings say to take it over; otherwise `begin` refuses it.
        adopted: bool,
    },
}
