//! The state in files below a project's `.hygge`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hygge_core::{EntityId, Result, RunId, Workers, async_trait};

use crate::durable::Durable;
use crate::{
    Attempt, EntityLock, EntityState, Holder, Intent, Memories, RunRecord, SplitDone, StateStore,
    Waiting,
};

/// Keeps the state in files below one folder, readable by people; docs/state.md shows where.
///
/// The state file points to everything that belongs to it, so that putting a new one in its
/// place is the one step at which an entity goes from its old state to its new one.
#[derive(Debug, Clone)]
pub struct LocalState {
    files: Arc<Local>,
    workers: Arc<dyn Workers>,
}

impl LocalState {
    /// The state below `work`, which is the project's `.hygge`. Creates nothing until
    /// something is written. File calls run on `workers`.
    pub fn open(work: &Path, workers: Arc<dyn Workers>) -> Self {
        Self {
            files: Arc::new(Local {
                work: work.to_owned(),
                disk: Durable::new(work),
                appending: Mutex::default(),
            }),
            workers,
        }
    }

    /// How many fsyncs it made so far, of files and folders.
    pub fn fsyncs(&self) -> u64 {
        self.files.disk.syncs()
    }

    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Local) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let files = Arc::clone(&self.files);
        self.workers.run_io(move || job(&files)).await
    }

    #[cfg(test)]
    pub(crate) fn tape(&self) -> &crate::tape::Tape {
        &self.files.disk.tape
    }
}

#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) work: PathBuf,
    pub(crate) disk: Durable,
    /// Held while a line is added to an attempt: splits finish at the same time.
    pub(crate) appending: Mutex<()>,
}

#[async_trait]
impl StateStore for LocalState {
    async fn lock(&self, entity: &EntityId, holder: &Holder) -> Result<EntityLock> {
        let (entity, holder) = (entity.clone(), holder.clone());
        self.run(move |f| f.lock(&entity, &holder)).await
    }

    async fn load(&self, entity: &EntityId) -> Result<Option<EntityState>> {
        let entity = entity.clone();
        self.run(move |f| Ok(f.sheet(&entity)?.map(|s| s.state)))
            .await
    }

    async fn memory(&self, entity: &EntityId, name: &str) -> Result<Option<Vec<u8>>> {
        let (entity, name) = (entity.clone(), name.to_owned());
        self.run(move |f| f.memory(&entity, &name)).await
    }

    async fn list(&self) -> Result<Vec<Result<EntityState>>> {
        self.run(Local::list).await
    }

    async fn waiting(&self) -> Result<Vec<Result<Waiting>>> {
        self.run(Local::waiting_anywhere).await
    }

    async fn begin_attempt(&self, entity: &EntityId, attempt: &Attempt) -> Result<()> {
        let (entity, attempt) = (entity.clone(), attempt.clone());
        self.run(move |f| f.begin_attempt(&entity, &attempt)).await
    }

    async fn resume_attempt(&self, entity: &EntityId, attempt: &Attempt) -> Result<()> {
        let (entity, attempt) = (entity.clone(), attempt.clone());
        self.run(move |f| f.resume_attempt(&entity, &attempt)).await
    }

    async fn attempt(&self, entity: &EntityId) -> Result<Option<(Attempt, Vec<SplitDone>)>> {
        let entity = entity.clone();
        self.run(move |f| f.attempt(&entity)).await
    }

    async fn split_done(&self, entity: &EntityId, done: &SplitDone) -> Result<()> {
        let (entity, done) = (entity.clone(), done.clone());
        self.run(move |f| f.split_done(&entity, &done)).await
    }

    async fn drop_attempt(&self, entity: &EntityId) -> Result<()> {
        let entity = entity.clone();
        self.run(move |f| f.drop_attempt(&entity)).await
    }

    async fn put_intent(&self, intent: &Intent, memories: &Memories) -> Result<()> {
        let (intent, memories) = (intent.clone(), memories.clone());
        self.run(move |f| f.put_intent(&intent, &memories)).await
    }

    async fn intent(&self, entity: &EntityId) -> Result<Option<Intent>> {
        let entity = entity.clone();
        self.run(move |f| f.intent(&entity)).await
    }

    async fn drop_intent(&self, entity: &EntityId) -> Result<()> {
        let entity = entity.clone();
        self.run(move |f| f.drop_intent(&entity)).await
    }

    async fn close(&self, state: &EntityState, memories: &Memories) -> Result<()> {
        let (state, memories) = (state.clone(), memories.clone());
        self.run(move |f| f.close(&state, &memories)).await
    }

    async fn put(&self, state: &EntityState, memories: &Memories) -> Result<()> {
        let (state, memories) = (state.clone(), memories.clone());
        self.run(move |f| f.put(&state, &memories)).await
    }

    async fn reset(&self, entity: &EntityId) -> Result<bool> {
        let entity = entity.clone();
        self.run(move |f| f.reset(&entity)).await
    }

    async fn put_run(&self, run: &RunRecord) -> Result<()> {
        let run = run.clone();
        self.run(move |f| f.put_run(&run)).await
    }

    async fn runs(&self, most: usize) -> Result<Vec<RunRecord>> {
        self.run(move |f| f.runs(most)).await
    }

    async fn run(&self, run: &RunId) -> Result<Option<RunRecord>> {
        let run = run.clone();
        self.run(move |f| f.run(&run)).await
    }
}
