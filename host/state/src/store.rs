use std::any::Any;
use std::fmt;

use hygge_core::{EntityId, Result, RunId, async_trait};

use crate::{Attempt, EntityState, Holder, Intent, RunRecord, SplitDone, Waiting};

/// Named bytes that belong to a state and are too large to show: the files a Store owns
/// (`store`), the files a Home has read (`home`), the hashes of the watermark window
/// (`window`), how the key of a merge is made (`key`). `None` means there are none any more.
pub type Memories = Vec<(&'static str, Option<Vec<u8>>)>;

/// Holds an entity until it is dropped, or the process dies.
pub struct EntityLock(#[expect(dead_code, reason = "held for its Drop")] Box<dyn Any + Send>);

impl EntityLock {
    /// Wraps whatever releases the lock when dropped.
    pub fn new(guard: impl Any + Send) -> Self {
        Self(Box::new(guard))
    }
}

impl fmt::Debug for EntityLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EntityLock")
    }
}

/// Keeps what must be remembered. When a call that writes returns, the record survives a crash
/// of the machine, except for those that say that they survive the process only: what they lose
/// is done or told again.
///
/// Everything about one entity but `load`, `memory`, `list`, `waiting` and the runs is called by whoever
/// holds its [`lock`](StateStore::lock).
#[async_trait]
pub trait StateStore: Send + Sync + fmt::Debug {
    /// Takes the entity for this process, or says who holds it (code `locked`).
    async fn lock(&self, entity: &EntityId, holder: &Holder) -> Result<EntityLock>;

    /// What is remembered of an entity.
    async fn load(&self, entity: &EntityId) -> Result<Option<EntityState>>;

    /// One of the entity's memories, as of its state.
    async fn memory(&self, entity: &EntityId, name: &str) -> Result<Option<Vec<u8>>>;

    /// Every entity that has a state, by flow, then entity; then why others can't be read.
    async fn list(&self) -> Result<Vec<Result<EntityState>>>;

    /// Every entity that has an intent, or else an attempt, by flow, then entity: left by a run
    /// that died, or of one that is at work now, which its lock tells. Then why others can't be
    /// read.
    async fn waiting(&self) -> Result<Vec<Result<Waiting>>>;

    /// Begins to remember an attempt; an earlier one of this entity is forgotten, for good.
    /// The new one survives the process only: without it, what it staged is of a dead run.
    async fn begin_attempt(&self, entity: &EntityId, attempt: &Attempt) -> Result<()>;

    /// A run took the attempt up again: `attempt`, with the count it carries, takes the place
    /// of what was remembered; the finished splits stay. Survives the process only.
    async fn resume_attempt(&self, entity: &EntityId, attempt: &Attempt) -> Result<()>;

    /// The attempt that was begun and not closed, with its finished splits in the order they
    /// finished; one a split, the last.
    async fn attempt(&self, entity: &EntityId) -> Result<Option<(Attempt, Vec<SplitDone>)>>;

    /// A split is staged. Survives the process only.
    async fn split_done(&self, entity: &EntityId, done: &SplitDone) -> Result<()>;

    /// Forgets the attempt, for good. Called before what it staged is removed: a receipt that
    /// outlives its data would be committed with nothing behind it.
    async fn drop_attempt(&self, entity: &EntityId) -> Result<()>;

    /// From now on the commit will happen. `memories` replace those of the state when it is
    /// closed; those not named stay.
    async fn put_intent(&self, intent: &Intent, memories: &Memories) -> Result<()>;

    /// The intent that waits to be finished.
    async fn intent(&self, entity: &EntityId) -> Result<Option<Intent>>;

    /// The intent that waits won't be finished, since nothing is left of what it would commit:
    /// forgets it and its attempt, for good. The state stays as it is.
    async fn drop_intent(&self, entity: &EntityId) -> Result<()>;

    /// The commit happened: `state` stands, with the intent's memories and `memories` besides;
    /// intent and attempt are gone. Idempotent.
    async fn close(&self, state: &EntityState, memories: &Memories) -> Result<()>;

    /// Writes a state that no run made (`hygge state set` and `recover`), with `memories`;
    /// those not named stay. Forgets the attempt, which began from another state. Refused while
    /// an intent waits: its commit would put its own state in the place of this one.
    async fn put(&self, state: &EntityState, memories: &Memories) -> Result<()>;

    /// Forgets everything about an entity, also an intent that waits; says whether there was
    /// anything.
    async fn reset(&self, entity: &EntityId) -> Result<bool>;

    /// Keeps or updates a run in the history. Survives the process only.
    async fn put_run(&self, run: &RunRecord) -> Result<()>;

    /// The last `most` runs, the newest first.
    async fn runs(&self, most: usize) -> Result<Vec<RunRecord>>;

    /// One run.
    async fn run(&self, run: &RunId) -> Result<Option<RunRecord>>;
}
