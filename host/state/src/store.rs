use std::any::Any;
use std::fmt;

use hygge_core::{EntityId, Result, RunId, async_trait};

use crate::{Attempt, EntityState, Holder, Intent, RunRecord, SplitDone};

/// Named bytes that belong to a state and are too large to show: the files a Store owns
/// (`store`), the files a Home has read (`home`), the hashes of the watermark window
/// (`window`). `None` means there are none any more.
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
/// of the machine, except for [`split_done`](StateStore::split_done) and
/// [`put_run`](StateStore::put_run), which survive the process: what they lose is only done or
/// told again.
#[async_trait]
pub trait StateStore: Send + Sync + fmt::Debug {
    /// Takes the entity for this process, or says who holds it (code `locked`).
    async fn lock(&self, entity: &EntityId, holder: &Holder) -> Result<EntityLock>;

    /// What is remembered of an entity.
    async fn load(&self, entity: &EntityId) -> Result<Option<EntityState>>;

    /// One of the entity's memories, as of its state.
    async fn memory(&self, entity: &EntityId, name: &str) -> Result<Option<Vec<u8>>>;

    /// Every entity that has a state, by name.
    async fn list(&self) -> Result<Vec<EntityState>>;

    /// Begins to remember an attempt; an earlier one of this entity is forgotten.
    async fn begin_attempt(&self, entity: &EntityId, attempt: &Attempt) -> Result<()>;

    /// A run took the attempt up again: counts it.
    async fn resume_attempt(&self, entity: &EntityId, attempt: &Attempt) -> Result<()>;

    /// The attempt that was begun and not closed, with its finished splits.
    async fn attempt(&self, entity: &EntityId) -> Result<Option<(Attempt, Vec<SplitDone>)>>;

    /// A split is staged.
    async fn split_done(&self, entity: &EntityId, done: &SplitDone) -> Result<()>;

    /// Forgets the attempt; what it staged must be gone.
    async fn drop_attempt(&self, entity: &EntityId) -> Result<()>;

    /// From now on the commit will happen. `memories` replace those of the state when it is
    /// closed.
    async fn put_intent(&self, intent: &Intent, memories: &Memories) -> Result<()>;

    /// The intent that waits to be finished.
    async fn intent(&self, entity: &EntityId) -> Result<Option<Intent>>;

    /// The commit happened: `state` stands, with the intent's memories and `memories` besides;
    /// intent and attempt are gone. Idempotent.
    async fn close(&self, state: &EntityState, memories: &Memories) -> Result<()>;

    /// Writes a state that no run made (`hygge state set` and `recover`).
    async fn put(&self, state: &EntityState, memories: &Memories) -> Result<()>;

    /// Forgets everything about an entity; says whether there was anything.
    async fn reset(&self, entity: &EntityId) -> Result<bool>;

    /// Keeps or updates a run in the history.
    async fn put_run(&self, run: &RunRecord) -> Result<()>;

    /// The last `most` runs, the newest first.
    async fn runs(&self, most: usize) -> Result<Vec<RunRecord>>;

    /// One run.
    async fn run(&self, run: &RunId) -> Result<Option<RunRecord>>;
}
