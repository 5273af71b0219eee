use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use hygge_core::{EntityId, Level, Notes};

use crate::{Event, Events};

/// Least milliseconds between two progress events of one entity.
const EVERY_MS: u64 = 100;

/// Counts what an entity has moved, and tells of it now and then.
pub(crate) struct Progress {
    id: EntityId,
    events: Arc<dyn Events>,
    began: Instant,
    rows: AtomicU64,
    bytes: AtomicU64,
    read: AtomicU64,
    splits: AtomicU64,
    told_ms: AtomicU64,
    without_watermark: AtomicU64,
}

impl Progress {
    pub(crate) fn new(id: EntityId, events: Arc<dyn Events>) -> Self {
        Self {
            id,
            events,
            began: Instant::now(),
            rows: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            read: AtomicU64::new(0),
            splits: AtomicU64::new(0),
            told_ms: AtomicU64::new(0),
            without_watermark: AtomicU64::new(0),
        }
    }

    pub(crate) fn moved(&self, rows: u64, bytes: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let told = self.told_ms.load(Ordering::Relaxed);
        let due = now >= told.saturating_add(EVERY_MS);
        let mine = due
            && self
                .told_ms
                .compare_exchange(told, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if mine {
            self.tell();
        }
    }

    /// An attempt failed: what it had moved doesn't count.
    pub(crate) fn take_back(&self, rows: u64, bytes: u64) {
        self.rows.fetch_sub(rows, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// A split came from one number of its source's bytes to another, which is less when it
    /// begins again.
    pub(crate) fn read(&self, from: u64, to: u64) {
        self.read
            .fetch_add(to.wrapping_sub(from), Ordering::Relaxed);
    }

    /// All of it is moved once more: what was moved doesn't count.
    pub(crate) fn begin_anew(&self) {
        for count in [
            &self.rows,
            &self.bytes,
            &self.read,
            &self.splits,
            &self.without_watermark,
        ] {
            count.store(0, Ordering::Relaxed);
        }
    }

    /// A split left rows out as they have no value in the watermark column.
    pub(crate) fn left_out(&self, rows: u64) {
        self.without_watermark.fetch_add(rows, Ordering::Relaxed);
    }

    /// Rows that were left out so far.
    pub(crate) fn without_watermark(&self) -> u64 {
        self.without_watermark.load(Ordering::Relaxed)
    }

    pub(crate) fn split_done(&self) {
        self.splits.fetch_add(1, Ordering::Relaxed);
        self.tell();
    }

    fn tell(&self) {
        let read = self.read.load(Ordering::Relaxed);
        self.events.event(&Event::Progress {
            id: self.id.clone(),
            rows: self.rows.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            read: (read > 0).then_some(read),
            splits_done: self.splits.load(Ordering::Relaxed),
        });
    }
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Progress({})", self.id)
    }
}

/// Notes become events.
impl Notes for Progress {
    fn note(&self, level: Level, text: &str) {
        let (id, message) = (self.id.clone(), text.to_owned());
        self.events.event(&match level {
            Level::Waiting => Event::Waiting { id, message },
            Level::Info | Level::Warning => Event::Note {
                id,
                warning: level == Level::Warning,
                message,
            },
        });
    }
}
