use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hygge_core::{BuildContext, Context, Memory, Registry, Result, RunId, Veil, Workers};
use hygge_project::{Options, PlannedEntity};
use hygge_state::StateStore;
use tokio::sync::{Notify, Semaphore};

use crate::history::History;
use crate::progress::Progress;
use crate::workers::Threads;
use crate::{Events, StopSignal};

/// Sizes that a benchmark may vary.
#[derive(Debug, Clone, Copy)]
pub struct Tuning {
    /// Most bytes of Arrow in a batch; a split with a small share of the memory gets less.
    pub batch_bytes: usize,
    /// Most bytes waiting between one reader and its writer; likewise.
    pub queue_bytes: usize,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            batch_bytes: 2 << 20,
            queue_bytes: 8 << 20,
        }
    }
}

/// What all entities of a run have in common.
pub(crate) struct Shared {
    pub(crate) run: RunId,
    pub(crate) began: jiff::Timestamp,
    pub(crate) place: BuildContext,
    pub(crate) options: Options,
    pub(crate) tuning: Tuning,
    pub(crate) registry: Registry,
    pub(crate) state: Arc<dyn StateStore>,
    pub(crate) history: History,
    pub(crate) events: Arc<dyn Events>,
    pub(crate) veil: Veil,
    pub(crate) signal: StopSignal,
    pub(crate) threads: Arc<Threads>,
    pub(crate) memory: Memory,
    /// Splits open at once over the whole run.
    pub(crate) splits: Arc<Semaphore>,
    /// Splits open at once on each named connection.
    pub(crate) connections: HashMap<String, Arc<Semaphore>>,
}

impl Shared {
    /// Splits of one entity that may be open at once.
    pub(crate) fn most_open(&self, planned: &PlannedEntity) -> usize {
        let (home, store) = (&planned.home_plan, &planned.store_plan);
        [home.max_open, store.max_open, store.writers]
            .into_iter()
            .flatten()
            .fold(self.options.concurrency, usize::min)
            .max(1)
    }

    /// The connections a split of this entity needs, and how many sessions of each, in an order
    /// that is the same for all, so that two splits never wait for each other.
    pub(crate) fn connections_of(&self, planned: &PlannedEntity) -> Vec<(Arc<Semaphore>, u32)> {
        let mut names: BTreeMap<&String, u32> = BTreeMap::new();
        let both = [&planned.home.connection, &planned.store.connection];
        for name in both.into_iter().flatten() {
            *names.entry(name).or_default() += 1;
        }
        names
            .into_iter()
            .filter_map(|(name, sessions)| Some((self.connections.get(name)?.clone(), sessions)))
            .collect()
    }
}

/// What one entity lends its Home and Store.
#[derive(Clone)]
pub(crate) struct Lent {
    busy: Arc<Busy>,
    progress: Arc<Progress>,
    signal: StopSignal,
}

impl Lent {
    pub(crate) fn new(shared: &Shared, progress: &Arc<Progress>) -> Self {
        let busy = Arc::new(Busy {
            threads: Arc::clone(&shared.threads),
            jobs: AtomicUsize::new(0),
            idle: Notify::new(),
        });
        Self {
            busy,
            progress: Arc::clone(progress),
            signal: shared.signal.clone(),
        }
    }

    /// A context with a share of the memory of its own.
    pub(crate) fn context(&self, memory: &Memory) -> Context {
        Context {
            workers: Arc::new(Counted(Arc::clone(&self.busy))),
            share: Arc::new(memory.join()),
            stop: self.signal.stop(),
            notes: Arc::clone(&self.progress) as _,
        }
    }

    /// Waits until no job of this entity runs any more, also those whose caller went away:
    /// only then may what they staged be removed, or the entity be given free.
    pub(crate) async fn quiet(&self) -> Result<()> {
        loop {
            let idle = self.busy.idle.notified();
            if self.busy.jobs.load(Ordering::Acquire) == 0 {
                return Ok(());
            }
            idle.await;
        }
    }
}

/// Counts the jobs of one entity that are waiting or running.
struct Busy {
    threads: Arc<Threads>,
    jobs: AtomicUsize,
    idle: Notify,
}

/// The workers an entity sees: the run's threads, with its own jobs counted.
struct Counted(Arc<Busy>);

impl Counted {
    fn count(&self, job: Box<dyn FnOnce() + Send>) -> Box<dyn FnOnce() + Send> {
        self.0.jobs.fetch_add(1, Ordering::AcqRel);
        let busy = Leaving(Arc::clone(&self.0));
        Box::new(move || {
            job();
            drop(busy);
        })
    }
}

/// Counts down also when a job is dropped without having run.
struct Leaving(Arc<Busy>);

impl Drop for Leaving {
    fn drop(&mut self) {
        if self.0.jobs.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
            self.0.idle.notify_one();
        }
    }
}

impl Workers for Counted {
    fn cpu(&self, job: Box<dyn FnOnce() + Send>) {
        self.0.threads.cpu(self.count(job));
    }

    fn io(&self, job: Box<dyn FnOnce() + Send>) {
        self.0.threads.io(self.count(job));
    }

    fn cores(&self) -> usize {
        self.0.threads.cores()
    }
}

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.threads)
    }
}
