//! The state in memory, for tests of whatever uses a state.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hygge_core::{EntityId, Fault, Result, RunId, async_trait};

use crate::entity::waits;
use crate::lock::taken;
use crate::{
    Attempt, EntityLock, EntityState, Holder, Intent, Memories, RunRecord, SplitDone, StateStore,
    Unfinished, Waiting,
};

/// Keeps the state as long as it lives; clones share it. It keeps the promises of
/// [`StateStore`] towards everyone but a crash of the process.
#[derive(Debug, Clone, Default)]
pub struct MemoryState(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    entities: HashMap<EntityId, Entity>,
    runs: BTreeMap<RunId, RunRecord>,
    held: HashMap<EntityId, Holder>,
}

#[derive(Debug, Default)]
struct Entity {
    state: Option<EntityState>,
    memories: HashMap<String, Vec<u8>>,
    attempt: Option<(Attempt, Vec<SplitDone>)>,
    intent: Option<(Intent, Memories)>,
}

impl Entity {
    fn remember(&mut self, memories: &Memories) {
        for (name, content) in memories {
            match content {
                Some(content) => self.memories.insert((*name).to_owned(), content.clone()),
                None => self.memories.remove(*name),
            };
        }
    }
}

/// Lets go of an entity.
struct Held(Arc<Mutex<Inner>>, EntityId);

impl Drop for Held {
    fn drop(&mut self) {
        locked(&self.0).held.remove(&self.1);
    }
}

fn locked(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryState {
    /// An empty state.
    pub fn new() -> Self {
        Self::default()
    }

    fn on<T>(&self, entity: &EntityId, job: impl FnOnce(&mut Entity) -> T) -> T {
        let mut inner = locked(&self.0);
        job(inner.entities.entry(entity.clone()).or_default())
    }
}

#[async_trait]
impl StateStore for MemoryState {
    async fn lock(&self, entity: &EntityId, holder: &Holder) -> Result<EntityLock> {
        let mut inner = locked(&self.0);
        if let Some(by) = inner.held.get(entity) {
            return Err(taken(entity, Some(by.clone())));
        }
        inner.held.insert(entity.clone(), holder.clone());
        Ok(EntityLock::new(Held(Arc::clone(&self.0), entity.clone())))
    }

    async fn load(&self, entity: &EntityId) -> Result<Option<EntityState>> {
        Ok(self.on(entity, |e| e.state.clone()))
    }

    async fn memory(&self, entity: &EntityId, name: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.on(entity, |e| e.memories.get(name).cloned()))
    }

    async fn list(&self) -> Result<Vec<Result<EntityState>>> {
        let inner = locked(&self.0);
        let states = inner.entities.values().filter_map(|e| e.state.clone());
        let mut states: Vec<_> = states.collect();
        states.sort_by(|a, b| (&a.flow, &a.entity).cmp(&(&b.flow, &b.entity)));
        Ok(states.into_iter().map(Ok).collect())
    }

    async fn waiting(&self) -> Result<Vec<Result<Waiting>>> {
        let inner = locked(&self.0);
        let left = inner.entities.iter().filter_map(|(entity, e)| {
            let work = match (&e.intent, &e.attempt) {
                (Some((intent, _)), _) => Unfinished::Commit(Box::new(intent.clone())),
                (None, Some((attempt, _))) => Unfinished::Attempt(Box::new(attempt.clone())),
                (None, None) => return None,
            };
            let entity = entity.clone();
            Some(Waiting { entity, work })
        });
        let mut waiting: Vec<_> = left.collect();
        waiting.sort_by(|a, b| a.entity.cmp(&b.entity));
        Ok(waiting.into_iter().map(Ok).collect())
    }

    async fn begin_attempt(&self, entity: &EntityId, attempt: &Attempt) -> Result<()> {
        self.on(entity, |e| e.attempt = Some((attempt.clone(), Vec::new())));
        Ok(())
    }

    async fn resume_attempt(&self, entity: &EntityId, attempt: &Attempt) -> Result<()> {
        self.on(entity, |e| match &mut e.attempt {
            Some((current, _)) => {
                *current = attempt.clone();
                Ok(())
            }
            None => Err(none_begun(entity)),
        })
    }

    async fn attempt(&self, entity: &EntityId) -> Result<Option<(Attempt, Vec<SplitDone>)>> {
        Ok(self.on(entity, |e| e.attempt.clone()))
    }

    async fn split_done(&self, entity: &EntityId, done: &SplitDone) -> Result<()> {
        self.on(entity, |e| match &mut e.attempt {
            Some((_, splits)) => {
                let same = |s: &&mut SplitDone| s.receipt.split == done.receipt.split;
                match splits.iter_mut().find(same) {
                    Some(earlier) => *earlier = done.clone(),
                    None => splits.push(done.clone()),
                }
                Ok(())
            }
            None => Err(none_begun(entity)),
        })
    }

    async fn drop_attempt(&self, entity: &EntityId) -> Result<()> {
        self.on(entity, |e| e.attempt = None);
        Ok(())
    }

    async fn put_intent(&self, intent: &Intent, memories: &Memories) -> Result<()> {
        self.on(&intent.record.entity, |e| {
            e.intent = Some((intent.clone(), memories.clone()));
        });
        Ok(())
    }

    async fn intent(&self, entity: &EntityId) -> Result<Option<Intent>> {
        Ok(self.on(entity, |e| e.intent.as_ref().map(|(i, _)| i.clone())))
    }

    async fn drop_intent(&self, entity: &EntityId) -> Result<()> {
        self.on(entity, |e| {
            e.attempt = None;
            e.intent = None;
        });
        Ok(())
    }

    async fn close(&self, state: &EntityState, memories: &Memories) -> Result<()> {
        self.on(&EntityId::new(&*state.flow, &*state.entity), |e| {
            if let Some((_, of_intent)) = e.intent.take() {
                e.remember(&of_intent);
            }
            e.remember(memories);
            e.attempt = None;
            e.state = Some(state.clone());
        });
        Ok(())
    }

    async fn put(&self, state: &EntityState, memories: &Memories) -> Result<()> {
        let entity = EntityId::new(&*state.flow, &*state.entity);
        self.on(&entity, |e| {
            if let Some((intent, _)) = &e.intent {
                return Err(waits(&entity, &intent.record.run));
            }
            e.remember(memories);
            e.attempt = None;
            e.state = Some(state.clone());
            Ok(())
        })
    }

    async fn reset(&self, entity: &EntityId) -> Result<bool> {
        let gone = locked(&self.0).entities.remove(entity);
        Ok(gone.is_some_and(|e| e.state.is_some() || e.attempt.is_some() || e.intent.is_some()))
    }

    async fn put_run(&self, run: &RunRecord) -> Result<()> {
        locked(&self.0).runs.insert(run.run.clone(), run.clone());
        Ok(())
    }

    async fn runs(&self, most: usize) -> Result<Vec<RunRecord>> {
        let inner = locked(&self.0);
        Ok(inner.runs.values().rev().take(most).cloned().collect())
    }

    async fn run(&self, run: &RunId) -> Result<Option<RunRecord>> {
        Ok(locked(&self.0).runs.get(run).cloned())
    }
}

fn none_begun(entity: &EntityId) -> Fault {
    Fault::internal(format!("no attempt of {entity} was begun"))
}
