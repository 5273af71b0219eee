use std::sync::Arc;

use hygge_core::{Context, Level, Memory, Notes, Stop};
use hygge_engine::Threads;
use rustix::process::{Resource, getrlimit};
use tokio::runtime::{Builder, Runtime};

use crate::complaint::Complaint;
use crate::console::Console;

/// The runtime of a verb that asks the state a thing or two.
pub(crate) fn small() -> Result<Runtime, Complaint> {
    enough_files()?;
    begun(Builder::new_current_thread().enable_all().build())
}

/// The runtime of a verb that opens Homes and Stores, and its threads.
pub(crate) fn whole() -> Result<(Runtime, Arc<Threads>), Complaint> {
    enough_files()?;
    let runtime = begun(
        Builder::new_multi_thread()
            .enable_all()
            .thread_name("hygge")
            .build(),
    )?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = Threads::start(cores, runtime.handle().clone())?;
    Ok((runtime, threads))
}

/// The files that a runtime and what it listens to have open, and a few. With fewer it ends the
/// program instead of telling.
const LEAST_FILES: u64 = 16;

fn enough_files() -> Result<(), Complaint> {
    match getrlimit(Resource::Nofile).current {
        Some(most) if most < LEAST_FILES => Err(Complaint::failed(format!(
            "can't begin to work: this shell lets a program open {most} files at a time"
        ))
        .advise("raise that limit: `ulimit -n 1024`")),
        _ => Ok(()),
    }
}

fn begun(runtime: std::io::Result<Runtime>) -> Result<Runtime, Complaint> {
    runtime.map_err(|error| {
        Complaint::failed(format!("can't begin to work: {error}")).advise(
            "raise the limits of this shell: `ulimit -n` of open files, `ulimit -u` of threads",
        )
    })
}

/// What Homes and Stores are lent outside of a run.
pub(crate) fn context(threads: &Arc<Threads>, console: &Arc<Console>) -> Context {
    const BYTES: usize = 256 << 20;
    Context {
        workers: Arc::clone(threads) as _,
        share: Arc::new(Memory::new(BYTES).join()),
        stop: Stop::default(),
        notes: Arc::new(Traced(Arc::clone(console))),
    }
}

/// What connectors note outside of a run is a diagnostic, and what is waited for is told.
struct Traced(Arc<Console>);

impl std::fmt::Debug for Traced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Traced")
    }
}

impl Notes for Traced {
    fn note(&self, level: Level, text: &str) {
        match level {
            Level::Info => tracing::info!("{text}"),
            Level::Warning => tracing::warn!("{text}"),
            Level::Waiting => self.0.err(&format!("{text}\n")),
        }
    }
}
