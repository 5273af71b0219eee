//! The run.

use std::time::Duration;

use crate::{Fault, Result, imports};

/// Whether the run was asked to stop. A plugin that works for long asks every now and then.
#[must_use]
pub fn should_stop() -> bool {
    imports::should_stop()
}

/// A fault of code `stopped` when the run was asked to stop, for a `?` in a long loop.
pub fn go_on() -> Result<()> {
    if should_stop() {
        Err(Fault::stopped())
    } else {
        Ok(())
    }
}

/// What is left of the time that the present call may take.
#[must_use]
pub fn remaining() -> Duration {
    Duration::from_millis(imports::remaining_ms())
}
