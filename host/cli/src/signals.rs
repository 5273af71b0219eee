use std::sync::Arc;

use hygge_engine::StopSignal;
use rustix::process::Signal as Signum;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::complaint::{Complaint, Exit};
use crate::console::Console;
use crate::scratch;

/// Whatever stops the program ends it at once, with a word of what becomes of its work. Must be
/// called within the runtime.
pub(crate) fn end_at_once(console: Arc<Console>, said: &'static str) -> Result<(), Complaint> {
    let mut stopped = Signals::listen()?;
    tokio::spawn(async move {
        if stopped.next().await.is_some() {
            console.wipe();
            console.err(&format!("{said}\n"));
            scratch::clear();
            std::process::exit(i32::from(Exit::Interrupted.number()));
        }
    });
    Ok(())
}

/// Ctrl-C, SIGTERM, and a terminal that goes away.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Complaint> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Complaint::failed(format!("can't listen to signals: {error}")))
        };
        // A file above `ulimit -f` would end the program without a word; once the signal is heard,
        // writing it is an error like others.
        drop(listen(SignalKind::from_raw(Signum::XFSZ.as_raw()))?);
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// Whether the next one was Ctrl-C.
    async fn next(&mut self) -> Option<bool> {
        tokio::select! {
            got = self.interrupt.recv() => got.map(|()| true),
            got = self.terminate.recv() => got.map(|()| false),
            got = self.hangup.recv() => got.map(|()| false),
        }
    }
}

/// Ctrl-C once, SIGTERM, or a terminal that goes away: the run is asked to finish up. Ctrl-C again:
/// the program ends at once, and says what becomes of its work. Must be called within the runtime.
pub(crate) fn listen(
    stop: StopSignal,
    console: Arc<Console>,
    at_once: &'static str,
) -> Result<(), Complaint> {
    let mut signals = Signals::listen()?;
    tokio::spawn(async move {
        loop {
            match signals.next().await {
                None => return,
                Some(_) if !stop.is_set() => {
                    stop.set();
                    console.err(
                        "\nfinishing up: reading has stopped, staged work that no commit \
                         needs is put away (Ctrl-C again to stop at once)\n",
                    );
                }
                Some(true) => {
                    console.wipe();
                    console.err(&format!("stopped at once; {at_once}\n"));
                    scratch::clear();
                    std::process::exit(i32::from(Exit::Interrupted.number()));
                }
                Some(false) => {}
            }
        }
    });
    Ok(())
}
