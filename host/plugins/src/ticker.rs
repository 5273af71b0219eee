//! The clock that takes the processor away from guests.
//!
//! It is a thread of the operating system, because a guest that spins holds up every timer of
//! the reactor it runs on. It beats only while a guest runs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::Duration;

use hygge_core::{Fault, Result};
use wasmtime::EngineWeak;

/// How often a running guest gives way to others, and how exactly its time is kept.
pub(crate) const BEAT: Duration = Duration::from_millis(10);

#[derive(Debug, Default)]
struct Pulse {
    running: AtomicUsize,
    thread: OnceLock<Thread>,
}

/// The ticker of an engine.
#[derive(Debug, Clone)]
pub(crate) struct Ticker(Arc<Pulse>);

impl Ticker {
    /// Starts the thread; it ends when the engine is gone.
    pub(crate) fn start(engine: EngineWeak) -> Result<Self> {
        let pulse = Arc::new(Pulse::default());
        let beating = Arc::clone(&pulse);
        let thread = std::thread::Builder::new()
            .name("hygge-epoch".to_owned())
            .spawn(move || {
                loop {
                    if beating.running.load(Ordering::Acquire) == 0 {
                        std::thread::park();
                    } else {
                        std::thread::park_timeout(BEAT);
                    }
                    let Some(engine) = engine.upgrade() else {
                        return;
                    };
                    engine.increment_epoch();
                }
            })
            .map_err(|error| Fault::internal(format!("no thread for the ticker: {error}")))?;
        // Set once, just here.
        drop(pulse.thread.set(thread.thread().clone()));
        Ok(Self(pulse))
    }

    /// Keeps the clock going until what is returned is dropped.
    pub(crate) fn running(&self) -> Running {
        if self.0.running.fetch_add(1, Ordering::AcqRel) == 0
            && let Some(thread) = self.0.thread.get()
        {
            thread.unpark();
        }
        Running(Arc::clone(&self.0))
    }
}

/// A guest is running.
#[derive(Debug)]
pub(crate) struct Running(Arc<Pulse>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}
