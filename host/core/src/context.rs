use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::channel::oneshot;

use crate::{Fault, Result};

/// What whoever runs a Home or Store lends it.
#[derive(Debug, Clone)]
pub struct Context {
    /// Threads for work that must not block the reactor.
    pub workers: Arc<dyn Workers>,
    /// The share of the run's memory that this split may use.
    pub share: Arc<Share>,
    /// Whether to stop.
    pub stop: Stop,
    /// Where to say things that belong in the run's log.
    pub notes: Arc<dyn Notes>,
}

impl Context {
    /// A context that works inline, never stops and keeps quiet; for tests and small tools.
    pub fn inline() -> Self {
        Self {
            workers: Arc::new(InlineWorkers),
            share: Arc::new(Memory::new(256 << 20).join()),
            stop: Stop::default(),
            notes: Arc::new(Silent),
        }
    }

    /// Runs decoding, encoding, compressing and the like on a CPU thread. There are as many as
    /// cores, so what waits for a disk or a network for long belongs into [`Context::io`].
    pub async fn cpu<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.workers.run_cpu(job).await
    }

    /// Runs blocking calls (fsync, listing folders) on a thread that may wait.
    pub async fn io<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.workers.run_io(job).await
    }
}

type Done<T> = oneshot::Receiver<Result<T>>;

/// Packs a job so that its result, also a panic, comes back through a channel.
fn wrap<T: Send + 'static>(
    job: impl FnOnce() -> Result<T> + Send + 'static,
) -> (Done<T>, Box<dyn FnOnce() + Send>) {
    let (send, done) = oneshot::channel();
    let job = Box::new(move || {
        let result = std::panic::catch_unwind(AssertUnwindSafe(job)).unwrap_or_else(|panic| {
            let text = panic
                .downcast_ref::<&str>()
                .map(|s| (*s).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            Err(Fault::internal(format!("a worker panicked: {text}")))
        });
        // Whoever asked may have gone away (a stop, another split's failure); that is fine.
        drop(send.send(result));
    });
    (done, job)
}

async fn finished<T>(done: Done<T>) -> Result<T> {
    done.await.unwrap_or_else(|_| Err(Fault::stopped()))
}

/// Threads that belong to the run.
pub trait Workers: Send + Sync + fmt::Debug {
    /// Runs a job on one of the CPU threads, in the order jobs came.
    fn cpu(&self, job: Box<dyn FnOnce() + Send>);
    /// Runs a job that may block.
    fn io(&self, job: Box<dyn FnOnce() + Send>);
    /// How many CPU threads there are: how many jobs of one split make sense at once.
    fn cores(&self) -> usize;
}

impl dyn Workers {
    /// [`Context::cpu`], for those who hold threads but no context.
    pub async fn run_cpu<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (done, job) = wrap(job);
        self.cpu(job);
        finished(done).await
    }

    /// [`Context::io`], for those who hold threads but no context.
    pub async fn run_io<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (done, job) = wrap(job);
        self.io(job);
        finished(done).await
    }
}

/// Runs every job at once on the calling thread.
#[derive(Debug)]
pub struct InlineWorkers;

impl Workers for InlineWorkers {
    fn cpu(&self, job: Box<dyn FnOnce() + Send>) {
        job();
    }

    fn io(&self, job: Box<dyn FnOnce() + Send>) {
        job();
    }

    fn cores(&self) -> usize {
        1
    }
}

/// The run's memory for data on its way, in bytes, shared fairly by the splits that are open.
#[derive(Debug)]
pub struct Memory {
    limit: usize,
    open: Arc<AtomicUsize>,
}

impl Memory {
    /// That many bytes for the whole run.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            open: Arc::default(),
        }
    }

    /// Takes part; the share of everyone shrinks until the [`Share`] is dropped.
    pub fn join(&self) -> Share {
        self.open.fetch_add(1, Ordering::Relaxed);
        Share {
            limit: self.limit,
            open: Arc::clone(&self.open),
        }
    }
}

/// One split's part of the run's memory.
#[derive(Debug)]
pub struct Share {
    limit: usize,
    open: Arc<AtomicUsize>,
}

impl Share {
    /// Bytes this split may hold now: in its queue, and in what its reader and writer gather.
    /// Shrinks while more splits are open, so ask again before growing.
    pub fn bytes(&self) -> usize {
        self.limit / self.open.load(Ordering::Relaxed).max(1)
    }

    /// Bytes of the whole run: what no single value may pass. Doesn't change with what else is
    /// open, so what is refused by it is refused every time.
    pub fn whole(&self) -> usize {
        self.limit
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Tells long work that it should end. Once set, it stays.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks everyone to stop.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether someone asked.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// An error when someone asked, for use with `?` between two pieces of work.
    pub fn check(&self) -> Result<()> {
        if self.is_set() {
            Err(Fault::stopped())
        } else {
            Ok(())
        }
    }
}

/// How much a note matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For the log.
    Info,
    /// For the person as well.
    Warning,
    /// For the person who waits: why nothing moves yet.
    Waiting,
}

/// Takes what connectors have to say about their work (why a copy fell back to decoding).
pub trait Notes: Send + Sync + fmt::Debug {
    /// Takes a line.
    fn note(&self, level: Level, text: &str);
}

/// Takes no notes.
#[derive(Debug)]
pub struct Silent;

impl Notes for Silent {
    fn note(&self, _: Level, _: &str) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_shrink_and_grow() {
        let memory = Memory::new(100);
        let one = memory.join();
        assert_eq!(one.bytes(), 100);
        let two = memory.join();
        assert_eq!((one.bytes(), two.bytes()), (50, 50));
        assert_eq!(two.whole(), 100);
        drop(one);
        assert_eq!(two.bytes(), 100);
    }

    #[test]
    fn a_panic_in_a_job_is_a_fault() {
        let cx = Context::inline();
        let fault = futures::executor::block_on(cx.cpu(|| -> Result<()> { panic!("oh") }));
        assert_eq!(fault.unwrap_err().message, "a worker panicked: oh");
    }
}
