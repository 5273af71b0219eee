//! What a plugin took and did, counted over all its instances.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hygge_core::{Egress, Usage};

/// Most hosts that are kept apart; a guest can make names up.
const HOSTS: usize = 100;

/// The counters of one plugin.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    calls: AtomicU64,
    wasm_us: AtomicU64,
    host_us: AtomicU64,
    peak_memory: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    rows_in: AtomicU64,
    rows_out: AtomicU64,
    faults: AtomicU64,
    denied: AtomicU64,
    egress: Mutex<BTreeMap<String, Arc<Sent>>>,
    refused: Mutex<Vec<String>>,
}

/// What went to one host and came from there.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) requests: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) received: AtomicU64,
}

fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl Tally {
    /// A call: how long the guest had a thread, and how long it waited for the host.
    pub(crate) fn call(&self, wasm: Duration, host: Duration, peak: usize) {
        add(&self.calls, 1);
        add(&self.wasm_us, micros(wasm));
        add(&self.host_us, micros(host));
        self.peak_memory.fetch_max(peak as u64, Ordering::Relaxed);
    }

    /// Rows that the guest was given.
    pub(crate) fn gave(&self, bytes: usize, rows: usize) {
        add(&self.bytes_in, bytes as u64);
        add(&self.rows_in, rows as u64);
    }

    /// Rows that the guest gave.
    pub(crate) fn took(&self, bytes: usize, rows: usize) {
        add(&self.bytes_out, bytes as u64);
        add(&self.rows_out, rows as u64);
    }

    pub(crate) fn fault(&self) {
        add(&self.faults, 1);
    }

    /// A request that wasn't sent. Gives whether it is the first of its kind, and worth a line.
    pub(crate) fn deny(&self, what: &str) -> bool {
        add(&self.denied, 1);
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let new = refused.len() < HOSTS && !refused.iter().any(|each| each == what);
        if new {
            refused.push(what.to_owned());
        }
        new
    }

    /// The account of a host.
    pub(crate) fn host(&self, host: &str) -> Arc<Sent> {
        let mut egress = self.egress.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(egress.entry(host.to_owned()).or_default())
    }

    /// The counters as they stand; none when the plugin was never called.
    pub(crate) fn usage(&self) -> Option<Usage> {
        let now = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        if now(&self.calls) == 0 {
            return None;
        }
        let egress = self.egress.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Usage {
            calls: now(&self.calls),
            wasm_ms: now(&self.wasm_us) / 1_000,
            host_ms: now(&self.host_us) / 1_000,
            peak_memory: now(&self.peak_memory),
            bytes_in: now(&self.bytes_in),
            bytes_out: now(&self.bytes_out),
            rows_in: now(&self.rows_in),
            rows_out: now(&self.rows_out),
            faults: now(&self.faults),
            denied: now(&self.denied),
            egress: egress
                .iter()
                .map(|(host, sent)| Egress {
                    host: host.clone(),
                    requests: now(&sent.requests),
                    sent: now(&sent.sent),
                    received: now(&sent.received),
                })
                .collect(),
            ..Usage::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_told() {
        let tally = Tally::default();
        assert_eq!(tally.usage(), None);
        let ms = Duration::from_millis;
        tally.call(ms(3), ms(5), 100);
        tally.call(ms(1), ms(0), 50);
        tally.host("a").requests.fetch_add(2, Ordering::Relaxed);
        assert!(tally.deny("GET https://b"));
        assert!(!tally.deny("GET https://b"));
        let usage = tally.usage().unwrap();
        assert_eq!((usage.calls, usage.wasm_ms, usage.host_ms), (2, 4, 5));
        assert_eq!((usage.peak_memory, usage.denied), (100, 2));
        assert_eq!(usage.egress[0].requests, 2);
    }
}
