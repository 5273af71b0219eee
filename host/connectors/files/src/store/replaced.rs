//! What a commit swapped out, kept for readers that were listing it.
//!
//! Its files are no longer at the destination, but a listing that began before the swap goes on
//! in the old folder. So that folder stays whole for a while, among what is staged, and a
//! cleanup after that removes it. The price is the disk it takes until then.

use std::ffi::OsStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hygge_core::RunId;

/// How long it stays at least: a listing takes milliseconds, one over a slow network seconds.
pub(crate) const GRACE: Duration = Duration::from_secs(60);

const PREFIX: &str = "replaced-";

/// The folder's name: when it was swapped out, in seconds since 1970, and by which run.
pub(crate) fn name(now: SystemTime, run: &RunId) -> String {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{PREFIX}{}.{run}", since.as_secs())
}

/// Whether a folder of that name must stay for now. A time in the future, by a clock that was
/// set back, is no reason.
pub(crate) fn stays(name: &OsStr, now: SystemTime) -> bool {
    let at = name.to_str().and_then(|name| {
        let (seconds, _) = name.strip_prefix(PREFIX)?.split_once('.')?;
        Some(UNIX_EPOCH + Duration::from_secs(seconds.parse::<u32>().ok()?.into()))
    });
    at.is_some_and(|at| {
        // The name is cut to whole seconds.
        let away = now
            .duration_since(at)
            .unwrap_or_else(|future| future.duration());
        away <= GRACE
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_set_stays_a_minute() {
        let run = RunId::parse("20261122t170809z-4f2k9a").unwrap();
        let then = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let name = name(then, &run);
        assert_eq!(name, "replaced-1800000000.20261122t170809z-4f2k9a");
        let name = OsStr::new(&name);
        assert!(stays(name, then) && stays(name, then + GRACE));
        assert!(!stays(name, then + GRACE + Duration::from_secs(1)));
        assert!(!stays(name, then - 2 * GRACE));
        assert!(!stays(OsStr::new(run.as_str()), then));
    }
}
