//! The engine and the threads that guests run on: one of each a process, made when the first
//! plugin is used.

use std::sync::OnceLock;

use hygge_core::{Fault, Result};
use tokio::runtime::Runtime;
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Config, Engine};

use crate::contract;
use crate::guest::Guest;
use crate::ticker::Ticker;
use crate::writes::{self, Files};

/// What all plugins of a process share.
pub(crate) struct Machine {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<Guest>,
    pub(crate) ticker: Ticker,
    /// Guests, and the host functions they call, run here and never on the reactor of the run.
    pub(crate) runtime: Runtime,
}

static MACHINE: OnceLock<Result<Machine>> = OnceLock::new();

impl Machine {
    /// The machine of this process.
    pub(crate) fn get() -> Result<&'static Self> {
        MACHINE
            .get_or_init(Self::new)
            .as_ref()
            .map_err(Clone::clone)
    }

    fn new() -> Result<Self> {
        let broken = |error: wasmtime::Error| {
            Fault::internal(format!("WebAssembly can't be set up: {error:#}"))
        };
        let engine = Engine::new(&config()).map_err(broken)?;
        let ticker = Ticker::start(engine.weak())?;
        let linker = linker(&engine).map_err(broken)?;
        // One more than cores, so that a spinning guest doesn't hold up the only one.
        let threads = std::thread::available_parallelism().map_or(2, usize::from) + 1;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("hygge-guest")
            .enable_all()
            .build()
            .map_err(|error| Fault::internal(format!("no threads for plugins: {error}")))?;
        Ok(Self {
            engine,
            linker,
            ticker,
            runtime,
        })
    }
}

/// How guests are compiled and run.
pub(crate) fn config() -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    // Both are made for guests that recurse without end: the fault comes before the host's own
    // stack ends.
    config.max_wasm_stack(1 << 20);
    config.async_stack_size(2 << 20);
    config
}

fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    // Writing is counted, so the interface that can write is one of our own.
    linker.allow_shadowing(true);
    wasmtime_wasi::p2::bindings::filesystem::types::add_to_linker::<_, Files<'static>>(
        &mut linker,
        writes::files,
    )?;
    linker.allow_shadowing(false);
    contract::log::add_to_linker::<_, HasSelf<_>>(&mut linker, |guest: &mut Guest| guest)?;
    contract::control::add_to_linker::<_, HasSelf<_>>(&mut linker, |guest: &mut Guest| guest)?;
    contract::secrets::add_to_linker::<_, HasSelf<_>>(&mut linker, |guest: &mut Guest| guest)?;
    contract::state::add_to_linker::<_, HasSelf<_>>(&mut linker, |guest: &mut Guest| guest)?;
    contract::types::add_to_linker::<_, HasSelf<_>>(&mut linker, |guest: &mut Guest| guest)?;
    Ok(linker)
}
