use hygge_core::{Fault, Result, Stop};
use tokio::sync::watch;

/// Asks a run to stop: nothing new is begun, what is staged is thrown away, commits that have
/// begun are finished.
#[derive(Debug, Clone)]
pub struct StopSignal {
    stop: Stop,
    changed: watch::Sender<bool>,
}

impl Default for StopSignal {
    fn default() -> Self {
        Self {
            stop: Stop::default(),
            changed: watch::Sender::new(false),
        }
    }
}

impl StopSignal {
    /// Asks everyone to stop.
    pub fn set(&self) {
        self.stop.set();
        self.changed.send_replace(true);
    }

    /// Whether someone asked.
    pub fn is_set(&self) -> bool {
        self.stop.is_set()
    }

    /// What is handed to those who do the work.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Waits for `work`, or fails as soon as someone asks to stop.
    pub async fn or_stopped<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut changed = self.changed.subscribe();
        tokio::select! {
            biased;
            // The sender is `self`, so waiting ends only with the value.
            _ = changed.wait_for(|set| *set) => Err(Fault::stopped()),
            result = work => result,
        }
    }
}
