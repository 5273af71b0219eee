//! What the sessions of a connection came to.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hygge_core::PoolUsage;

/// Counters of one connection, from its beginning.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// What it is called in hygge.yml.
    names: Mutex<BTreeSet<String>>,
    opened: AtomicU64,
    opening_us: AtomicU64,
    reused: AtomicU64,
    waits: AtomicU64,
    waited_us: AtomicU64,
    broken: AtomicU64,
}

fn add(to: &AtomicU64, n: u64) {
    to.fetch_add(n, Ordering::Relaxed);
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl Figures {
    /// Whoever uses it calls it so.
    pub(super) fn called(&self, name: &str) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.insert(name.to_owned());
    }

    pub(super) fn opened(&self, took: Duration) {
        add(&self.opened, 1);
        add(&self.opening_us, micros(took));
    }

    pub(super) fn reused(&self) {
        add(&self.reused, 1);
    }

    pub(super) fn waited(&self, time: Duration) {
        add(&self.waits, 1);
        add(&self.waited_us, micros(time));
    }

    pub(super) fn broken(&self) {
        add(&self.broken, 1);
    }

    /// The figures as they stand; none when no session was asked for. A connection without a name
    /// is called by where it leads.
    pub(super) fn read(&self, leads: String, size: usize) -> Option<PoolUsage> {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (opened, reused) = (read(&self.opened), read(&self.reused));
        if opened == 0 && read(&self.waits) == 0 {
            return None;
        }
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = match names.is_empty() {
            true => leads,
            false => names.iter().cloned().collect::<Vec<_>>().join(", "),
        };
        let opening = read(&self.opening_us);
        // Each that was open already would have taken as long as one that wasn't.
        let saved = opening.saturating_mul(reused) / opened.max(1);
        Some(PoolUsage {
            connection,
            size: size as u64,
            opened,
            reused,
            waits: read(&self.waits),
            waited_ms: read(&self.waited_us) / 1_000,
            broken: read(&self.broken),
            opening_ms: opening / 1_000,
            saved_ms: saved / 1_000,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_open_already_saves_what_opening_takes_on_the_average() {
        let figures = Figures::default();
        assert_eq!(figures.read("db".to_owned(), 8), None);
        figures.opened(Duration::from_millis(10));
        figures.opened(Duration::from_millis(30));
        for _ in 0..6 {
            figures.reused();
        }
        figures.waited(Duration::from_millis(5));
        figures.broken();
        let read = figures.read("db".to_owned(), 8).unwrap();
        let expected = PoolUsage {
            connection: "db".to_owned(),
            size: 8,
            opened: 2,
            reused: 6,
            waits: 1,
            waited_ms: 5,
            broken: 1,
            opening_ms: 40,
            saved_ms: 120,
        };
        assert_eq!(read, expected);
        for name in ["dw", "copy", "dw"] {
            figures.called(name);
        }
        let named = figures.read("db".to_owned(), 8).unwrap();
        assert_eq!(named.connection, "copy, dw");
    }
}
