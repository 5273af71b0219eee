use std::sync::Arc;

use hygge_engine::StopSignal;
use tokio::signal::unix::{SignalKind, signal};

use crate::complaint::{Complaint, Exit};
use crate::console::Console;
use crate::scratch;

/// Ctrl-C once, SIGTERM, or a terminal that goes away: the run is asked to finish up. Ctrl-C again:
/// the program ends at once, and says what becomes of its work. Must be called within the runtime.
pub(crate) fn listen(
    stop: StopSignal,
    console: Arc<Console>,
    at_once: &'static str,
) -> Result<(), Complaint> {
    let refused =
        |error: std::io::Error| Complaint::failed(format!("can't listen to signals: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(refused)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(refused)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(refused)?;
    tokio::spawn(async move {
        loop {
            let by_hand = tokio::select! {
                got = interrupt.recv() => got.map(|()| true),
                got = terminate.recv() => got.map(|()| false),
                got = hangup.recv() => got.map(|()| false),
            };
            match by_hand {
                None => return,
                Some(_) if !stop.is_set() => {
                    stop.set();
                    console.err(
                        "\nfinishing up: reading has stopped, staged work is put away \
                         (Ctrl-C again to stop at once)\n",
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
