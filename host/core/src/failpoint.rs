//! Named points at which a test build can be made to die or to fail.
//!
//! In a normal build [`hit`] is empty. With the feature `failpoints`, the environment variable
//! `HYGGE_FAILPOINTS` holds a list like `commit.swapped=kill;state.receipt=error@3`: at that
//! point (the third time it is passed, with `@3`) the process kills itself with SIGKILL, or the
//! call fails (`error`, or `retryable`), or (`pause`) it creates a file of the point's name in
//! the folder `HYGGE_FAILPOINT_PAUSES` and waits until somebody removes it. What is passed is
//! written, a name a line, to the file `HYGGE_FAILPOINTS_PASSED`, if there is one.

/// Every point on the way of a run; a crash test goes through all of them.
pub const POINTS: &[&str] = &[
    "entity.locked",
    "store.begun",
    "attempt.recorded",
    "split.opened",
    "split.batch",
    "writer.finishing",
    "writer.finished",
    "receipt.stored",
    "entity.checked",
    "store.prepared",
    "intent.stored",
    "commit.started",
    "commit.linked",
    "commit.synced",
    "commit.swapped",
    "commit.renamed",
    "commit.cleaned",
    "store.committed",
    "state.written",
    "intent.closed",
    "entity.acknowledged",
    "entity.cleaned",
];

/// The points on the way of `hygge apply`.
pub const APPLY_POINTS: &[&str] = &[
    "apply.begun",
    "apply.batch",
    "apply.ran",
    "apply.recorded",
    "apply.committing",
    "apply.committed",
];

/// Passes the point of that name.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn hit(_name: &'static str) -> crate::Result<()> {
    Ok(())
}

/// What a test puts in the place of something that nobody can set: the environment variable
/// `HYGGE_STAND_IN_` and the name.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn stand_in(_name: &str) -> Option<String> {
    None
}

#[cfg(feature = "failpoints")]
pub use armed::{hit, stand_in};

#[cfg(feature = "failpoints")]
mod armed {
    use std::collections::HashMap;
    use std::sync::{Mutex, OnceLock, PoisonError};

    use super::{APPLY_POINTS, POINTS};
    use crate::{Fault, Result};

    struct Armed {
        what: String,
        passes_left: u32,
    }

    static ARMED: OnceLock<Mutex<HashMap<String, Armed>>> = OnceLock::new();

    fn known(name: &str) -> bool {
        POINTS.contains(&name) || APPLY_POINTS.contains(&name)
    }

    fn armed() -> &'static Mutex<HashMap<String, Armed>> {
        ARMED.get_or_init(|| {
            let list = std::env::var("HYGGE_FAILPOINTS").unwrap_or_default();
            let points = list
                .split(';')
                .filter(|s| !s.trim().is_empty())
                .map(|entry| {
                    let (name, what) = entry
                        .trim()
                        .split_once('=')
                        .unwrap_or((entry.trim(), "kill"));
                    let (what, nth) = what.split_once('@').unwrap_or((what, "1"));
                    assert!(known(name), "unknown failpoint {name}");
                    let passes_left = nth.parse().unwrap_or(1);
                    (
                        name.to_owned(),
                        Armed {
                            what: what.to_owned(),
                            passes_left,
                        },
                    )
                });
            Mutex::new(points.collect())
        })
    }

    /// Passes the point of that name.
    pub fn hit(name: &'static str) -> Result<()> {
        assert!(known(name), "{name} is not in the list of failpoints");
        note(name);
        let what = {
            let mut points = armed().lock().unwrap_or_else(PoisonError::into_inner);
            let Some(point) = points.get_mut(name) else {
                return Ok(());
            };
            if point.passes_left == 0 {
                return Ok(());
            }
            point.passes_left -= 1;
            if point.passes_left > 0 {
                return Ok(());
            }
            point.what.clone()
        };
        match what.as_str() {
            "error" => Err(Fault::new("failpoint", format!("failpoint {name}"))),
            "retryable" => Err(Fault::new("failpoint", format!("failpoint {name}")).retryable()),
            "pause" => {
                pause(name);
                Ok(())
            }
            _ => {
                // SIGKILL, so that no destructor and no buffer gets a chance.
                let own = rustix::process::getpid();
                let killed = rustix::process::kill_process(own, rustix::process::Signal::KILL);
                assert!(killed.is_ok(), "can't kill this process");
                loop {
                    std::thread::park();
                }
            }
        }
    }

    /// What a test puts in the place of something that nobody can set.
    pub fn stand_in(name: &str) -> Option<String> {
        std::env::var(format!("HYGGE_STAND_IN_{name}")).ok()
    }

    /// Tells the test that the point was passed.
    fn note(name: &str) {
        use std::io::Write;
        static PASSED: OnceLock<Option<std::fs::File>> = OnceLock::new();
        let passed = PASSED.get_or_init(|| {
            let path = std::env::var_os("HYGGE_FAILPOINTS_PASSED")?;
            let opened = std::fs::File::options().append(true).open(path);
            Some(opened.expect("a file to note in"))
        });
        if let Some(mut file) = passed.as_ref() {
            // At once, as the next line may kill the process.
            file.write_all(format!("{name}\n").as_bytes())
                .expect("room to note in");
        }
    }

    /// Tells the test that the point is reached, and waits for it.
    fn pause(name: &str) {
        let folder = std::env::var_os("HYGGE_FAILPOINT_PAUSES").expect("where to pause");
        let file = std::path::Path::new(&folder).join(name);
        std::fs::write(&file, "").expect("a folder to pause in");
        while file.exists() {
            std::thread::park_timeout(std::time::Duration::from_millis(5));
        }
    }
}
