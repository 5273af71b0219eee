//! A running guest, called one call at a time and within its limits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use hygge_core::{Context, Fault, Result};
use tokio::task::JoinHandle;
use wasmtime::component::Instance as Linked;
use wasmtime::{Store, UpdateDeadline};

use crate::ask;
use crate::fault;
use crate::guest::Guest;
use crate::log::GuestLog;
use crate::machine::Machine;
use crate::plugin::{Plugin, Ready};

/// One instance of a plugin. After a trap or a time-out it can't be called any more.
pub(crate) struct Instance {
    plugin: Arc<Plugin>,
    machine: &'static Machine,
    live: Option<Live>,
}

/// The guest itself, for the length of a call.
pub(crate) struct Live {
    pub(crate) store: Store<Guest>,
    pub(crate) linked: Linked,
    pub(crate) ready: Arc<Ready>,
}

impl Instance {
    /// A fresh instance of a plugin, which is compiled and looked at if it wasn't yet.
    pub(crate) async fn fresh(plugin: &Arc<Plugin>, cx: &Context) -> Result<Self> {
        ask::agrees(plugin, cx).await?;
        Self::start(plugin, cx).await
    }

    /// As [`fresh`](Self::fresh), whatever it says of itself.
    pub(crate) async fn start(plugin: &Arc<Plugin>, cx: &Context) -> Result<Self> {
        let (compiling, lent) = (Arc::clone(plugin), cx.clone());
        let ready = cx.io(move || compiling.ready(&lent)).await?;
        let machine = Machine::get()?;
        let quota = Arc::clone(&plugin.quota);
        let veil = Arc::clone(&plugin.veil);
        let notes = Arc::clone(&cx.notes);
        let log = Arc::new(GuestLog::new(&plugin.name, quota, veil, notes));
        let guest = Guest::new(Arc::clone(plugin), log, cx.stop.clone())?;
        let mut store = Store::new(&machine.engine, guest);
        store.limiter(|guest| &mut guest.meter);
        store.set_hostcall_fuel(plugin.grants.limits.batch.saturating_mul(5));
        store.epoch_deadline_callback(|cx| {
            Ok(match cx.data().remaining().is_zero() {
                true => UpdateDeadline::Interrupt,
                false => UpdateDeadline::Yield(1),
            })
        });
        let time = plugin.grants.limits.call_timeout;
        let (store, linked) = run(machine, store, "start", time, {
            let ready = Arc::clone(&ready);
            move |store| Box::pin(async move { ready.pre.instantiate_async(store).await })
        })
        .await?;
        Ok(Self {
            plugin: Arc::clone(plugin),
            machine,
            live: Some(Live {
                store,
                linked,
                ready,
            }),
        })
    }

    pub(crate) fn plugin(&self) -> &Arc<Plugin> {
        &self.plugin
    }

    /// As [`call`](Self::call), with the time that most calls may take.
    pub(crate) async fn quick<R: Send + 'static>(
        &mut self,
        what: &'static str,
        call: impl for<'a> FnOnce(&'a mut Live) -> BoxFuture<'a, wasmtime::Result<R>> + Send + 'static,
    ) -> Result<R> {
        let time = self.plugin.grants.limits.call_timeout;
        self.call(what, time, call).await
    }

    /// Calls the guest. A failure here (a trap, a time-out) ends the instance.
    pub(crate) async fn call<R: Send + 'static>(
        &mut self,
        what: &'static str,
        time: Duration,
        call: impl for<'a> FnOnce(&'a mut Live) -> BoxFuture<'a, wasmtime::Result<R>> + Send + 'static,
    ) -> Result<R> {
        let Some(live) = self.live.take() else {
            return Err(Fault::internal(format!(
                "{} was called after it had crashed",
                self.plugin.name
            )));
        };
        let (live, result) = run(self.machine, live, what, time, call).await?;
        self.live = Some(live);
        Ok(result)
    }

    /// It is ready to work: from here its memory grows because of that.
    pub(crate) fn settled(&mut self) {
        if let Some(guest) = self.guest() {
            guest.meter.settled();
        }
    }

    /// Whether its memory is past the mark at which one that can be replaced is.
    pub(crate) fn grown(&mut self) -> bool {
        self.guest().is_some_and(|guest| guest.meter.grown())
    }

    /// The host's side, between calls; none after a crash.
    pub(crate) fn guest(&mut self) -> Option<&mut Guest> {
        self.live.as_mut().map(|live| live.store.data_mut())
    }
}

/// Something with a store in it, given away for the length of a call.
trait Holds: Send + 'static {
    fn store(&mut self) -> &mut Store<Guest>;
}

impl Holds for Store<Guest> {
    fn store(&mut self) -> &mut Self {
        self
    }
}

impl Holds for Live {
    fn store(&mut self) -> &mut Store<Guest> {
        &mut self.store
    }
}

/// Runs a call on the guests' threads. Whatever isn't given back in time is thrown away there.
async fn run<H: Holds, R: Send + 'static>(
    machine: &'static Machine,
    mut held: H,
    what: &'static str,
    time: Duration,
    call: impl for<'a> FnOnce(&'a mut H) -> BoxFuture<'a, wasmtime::Result<R>> + Send + 'static,
) -> Result<(H, R)> {
    let task = machine.runtime.spawn(async move {
        let _running = machine.ticker.running();
        let store = held.store();
        store.set_epoch_deadline(1);
        store.data_mut().deadline = Instant::now() + time;
        let (begun, mut wasm) = (Instant::now(), Duration::ZERO);
        let called = {
            let mut calling = call(&mut held);
            let timed = std::future::poll_fn(|cx| {
                let on = Instant::now();
                let polled = calling.as_mut().poll(cx);
                wasm += on.elapsed();
                polled
            });
            // The guest is interrupted by its epoch; this is for the host's own waiting.
            tokio::time::timeout(time + crate::ticker::BEAT, timed).await
        };
        let guest = held.store().data();
        let host = begun.elapsed().saturating_sub(wasm);
        guest.plugin.tally.call(wasm, host, guest.meter.peak);
        match called {
            Ok(Ok(result)) => Ok((held, result)),
            Ok(Err(error)) => Err(fault::trapped(held.store().data(), what, time, &error)),
            Err(_) => Err(fault::timeout(&held.store().data().plugin, what, time)),
        }
    });
    // Whoever waits may go away; then the guest is ended where it stands.
    let mut task = Ended(task);
    match (&mut task.0).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => Err(Fault::internal(format!(
            "the host of plugins panicked in `{what}`"
        ))),
        Err(_) => Err(Fault::stopped()),
    }
}

/// Ends a task when dropped.
struct Ended<T>(JoinHandle<T>);

impl<T> Drop for Ended<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
