//! What tests are written with: a project in a temporary folder, the program run on it, and the
//! content of what it wrote.

mod authority;
mod command;
mod content;
mod database;
mod events;
mod follow;
mod guests;
mod orders;
mod other_reader;
mod project;
mod server;
mod tmpfs;
mod watcher;

pub(crate) use authority::Authority;
pub(crate) use command::{Command, Outcome};
pub(crate) use content::Content;
pub(crate) use database::Database;
pub(crate) use events::Events;
pub(crate) use follow::{Follower, free_port, page};
pub(crate) use guests::built;
pub(crate) use orders::{Order, Orders};
pub(crate) use other_reader::{compare, other_reader};
pub(crate) use project::{Project, fixture, walk};
pub(crate) use server::{Answer, Asked, Server};
pub(crate) use tmpfs::Tmpfs;
pub(crate) use watcher::Watcher;

use std::time::{Duration, Instant};

/// Waits, because a test is about time passing.
pub(crate) fn pause(time: Duration) {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test that waits holds up nobody else"
    )]
    std::thread::sleep(time);
}

/// Waits until `there` gives something; panics, naming `what`, when it doesn't come.
pub(crate) fn eventually<T>(what: &str, mut there: impl FnMut() -> Option<T>) -> T {
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = there() {
            return found;
        }
        assert!(Instant::now() < patience, "waited in vain for {what}");
        pause(Duration::from_millis(5));
    }
}

/// A seeded sequence of numbers (SplitMix64): a failing test prints its seed and can be replayed.
pub(crate) struct Chance(u64);

impl Chance {
    /// The seed in `HYGGE_TEST_SEED` when that is set, else one of this moment; said, so that a
    /// failure can be replayed.
    pub(crate) fn seed(test: &str) -> u64 {
        let seed = match std::env::var("HYGGE_TEST_SEED") {
            Ok(text) => text.parse().unwrap(),
            Err(_) => u64::from(std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos()),
        };
        say(&format!("{test}: HYGGE_TEST_SEED={seed}"));
        seed
    }

    /// The sequence of a seed and a name.
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        Self(seed ^ xxhash_rust::xxh3::xxh3_64(name.as_bytes()))
    }

    /// The next number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// Says something that shows when the test fails, or with `--nocapture`.
pub(crate) fn say(text: &str) {
    #[expect(
        clippy::print_stderr,
        reason = "the test runner shows it when it matters"
    )]
    {
        eprintln!("{text}");
    }
}

/// What this machine can't do is skipped, loudly, at home; in CI it is a failure.
pub(crate) fn skip(why: &str) {
    assert!(
        std::env::var_os("CI").is_none(),
        "can't be skipped in CI: {why}"
    );
    say(&format!("SKIPPED: {why}"));
}
