//! What a plugin says: with its name, cleaned, and only so much of it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use hygge_core::{Level, Notes};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

use crate::fault::clean;
use crate::limits::MESSAGE;
use crate::veil::Veil;

/// Bytes of log lines that a plugin may write in a run.
const QUOTA: usize = 1 << 20;
/// What a line counts for besides its text: what goes around it in the log, and on the screen.
const LINE: usize = 200;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    /// For the person as well.
    Warning,
    /// For the log.
    Info,
    /// For whoever looks closely.
    Debug,
}

impl Severity {
    pub(crate) fn of(level: &str) -> Self {
        match level {
            "error" | "warn" => Self::Warning,
            "debug" | "trace" => Self::Debug,
            _ => Self::Info,
        }
    }
}

/// Lines that a plugin may write at once.
const BURST: f64 = 1_000.0;
/// Lines a second that it may write after that.
const PACE: f64 = 100.0;

/// What one plugin has said in this run, all its instances together.
#[derive(Debug, Default)]
pub(crate) struct Quota(Mutex<Spent>);

#[derive(Debug, Default)]
struct Spent {
    bytes: usize,
    /// Lines of the burst that are used up, and when that was so.
    lines: f64,
    at: Option<Instant>,
    /// Instances that can say something.
    open: usize,
    dropped: u64,
    told: bool,
    hurried: bool,
}

/// Why a line isn't written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Excess {
    Bytes,
    Pace,
}

impl Spent {
    /// Counts a line that comes now; or says what it is too much for, and whether that is news.
    fn take(&mut self, bytes: usize, now: Instant) -> Result<(), (Excess, bool)> {
        let waited = self.at.map_or(0.0, |at| (now - at).as_secs_f64());
        self.at = Some(now);
        self.lines = (self.lines - waited * PACE).max(0.0);
        let fits = self.bytes.saturating_add(bytes) <= QUOTA;
        if fits && self.lines + 1.0 <= BURST {
            self.bytes += bytes;
            self.lines += 1.0;
            return Ok(());
        }
        self.dropped += 1;
        if fits {
            return Err((Excess::Pace, !std::mem::replace(&mut self.hurried, true)));
        }
        // Later lines don't fit either, however short.
        self.bytes = QUOTA;
        Err((Excess::Bytes, !std::mem::replace(&mut self.told, true)))
    }
}

impl Quota {
    fn spent(&self) -> MutexGuard<'_, Spent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where one instance's lines go.
#[derive(Debug)]
pub(crate) struct GuestLog {
    name: String,
    quota: Arc<Quota>,
    veil: Arc<Veil>,
    notes: Arc<dyn Notes>,
    /// The last lines of stdout and stderr, where a panic says why.
    tail: Mutex<Vec<String>>,
}

impl GuestLog {
    pub(crate) fn new(
        name: &str,
        quota: Arc<Quota>,
        veil: Arc<Veil>,
        notes: Arc<dyn Notes>,
    ) -> Self {
        quota.spent().open += 1;
        Self {
            name: name.to_owned(),
            quota,
            veil,
            notes,
            tail: Mutex::default(),
        }
    }

    pub(crate) fn line(&self, severity: Severity, text: &str) {
        let text = self.veil.line(text, MESSAGE);
        if text.is_empty() {
            return;
        }
        let taken = (self.quota.spent()).take(text.len() + LINE, Instant::now());
        if let Err((excess, news)) = taken {
            let why = match excess {
                Excess::Bytes => "said more than 1 MiB; the rest is dropped",
                Excess::Pace => "says more than 100 lines a second; what is beyond is dropped",
            };
            if news {
                let line = format!("{}: {why}", self.name);
                self.notes.note(Level::Warning, &line);
            }
            return;
        }
        let line = format!("{}: {text}", self.name);
        match severity {
            Severity::Warning => self.notes.note(Level::Warning, &line),
            Severity::Info => self.notes.note(Level::Info, &line),
            Severity::Debug => tracing::debug!("{line}"),
        }
    }

    /// A line of stdout or stderr.
    fn printed(&self, text: &str) {
        let text = self.veil.line(text, MESSAGE);
        if text.is_empty() {
            return;
        }
        {
            let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
            if tail.len() == 4 {
                tail.remove(0);
            }
            tail.push(text.clone());
        }
        self.line(Severity::Info, &text);
    }

    /// What it printed last, when that is a panic: its text.
    pub(crate) fn panic(&self) -> Option<String> {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let at = tail.iter().rposition(|line| line.contains("panicked at"))?;
        let after: Vec<&str> = tail[at + 1..]
            .iter()
            .map(String::as_str)
            .filter(|line| !line.starts_with("note: "))
            .collect();
        let text = match after.is_empty() {
            true => tail[at].clone(),
            false => after.join(" "),
        };
        Some(clean(&text, 1_000))
    }
}

impl Drop for GuestLog {
    fn drop(&mut self) {
        let dropped = {
            let mut spent = self.quota.spent();
            spent.open -= 1;
            // The last one that is open says it for all.
            match spent.open {
                0 => std::mem::take(&mut spent.dropped),
                _ => 0,
            }
        };
        if dropped > 0 {
            let line = format!("{}: {dropped} more lines were dropped", self.name);
            self.notes.note(Level::Info, &line);
        }
    }
}

/// stdout and stderr of a guest: lines for the log.
#[derive(Debug, Clone)]
pub(crate) struct Stdio {
    log: Arc<GuestLog>,
    begun: Arc<Mutex<Vec<u8>>>,
}

impl Stdio {
    pub(crate) fn new(log: Arc<GuestLog>) -> Self {
        Self {
            log,
            begun: Arc::default(),
        }
    }

    fn take(&self, bytes: &[u8]) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        for part in bytes.split_inclusive(|b| *b == b'\n') {
            let room = MESSAGE.saturating_sub(begun.len());
            begun.extend_from_slice(&part[..part.len().min(room)]);
            if part.ends_with(b"\n") {
                self.log.printed(&String::from_utf8_lossy(&begun));
                begun.clear();
            }
        }
    }
}

impl IsTerminal for Stdio {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stdio {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Stdio {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Notes for Heard {
        fn note(&self, _: Level, text: &str) {
            self.0.lock().unwrap().push(text.to_owned());
        }
    }

    fn log() -> (Arc<Heard>, Arc<GuestLog>) {
        let heard = Arc::new(Heard::default());
        let log = {
            let veil = Veil::default();
            veil.hide("s3cret");
            GuestLog::new("crm", Arc::default(), veil.into(), Arc::clone(&heard) as _)
        };
        (heard, Arc::new(log))
    }

    #[test]
    fn a_flood_is_cut_and_told_once() {
        let (heard, log) = log();
        for _ in 0..2_000 {
            log.line(Severity::Info, &"x".repeat(1_000));
        }
        drop(log);
        let heard = heard.0.lock().unwrap();
        assert!(heard.len() < 1_100);
        let dropped = heard.iter().filter(|l| l.contains("dropped"));
        let dropped: Vec<&String> = dropped.collect();
        assert_eq!(dropped.len(), 2, "{dropped:?}");
        assert!(
            dropped[1].ends_with(" more lines were dropped"),
            "{dropped:?}"
        );
    }

    #[test]
    fn short_lines_count_for_more_than_their_text() {
        let (heard, log) = log();
        for _ in 0..100_000 {
            log.line(Severity::Warning, "x");
        }
        drop(log);
        let heard = heard.0.lock().unwrap();
        assert!(heard.len() < 5_300, "{}", heard.len());
        let last = heard.last().unwrap();
        let kept = heard.iter().filter(|line| *line == "crm: x").count();
        assert_eq!(
            *last,
            format!("crm: {} more lines were dropped", 100_000 - kept)
        );
    }

    #[test]
    fn after_a_burst_lines_come_at_a_steady_pace() {
        let (mut spent, begun) = (Spent::default(), Instant::now());
        let mut said = |tenths: u32, lines: u32| {
            let now = begun + std::time::Duration::from_millis(100) * tenths;
            let taken = (0..lines).map(|_| spent.take(1, now)).collect::<Vec<_>>();
            taken.iter().filter(|taken| taken.is_ok()).count()
        };
        assert_eq!(said(0, 1_500), 1_000);
        assert_eq!(said(1, 100), 10);
        assert_eq!(said(21, 1_000), 200);
        // Silence is saved up, but for no more than the burst.
        assert_eq!(said(100_000, 5_000), 1_000);
        assert_eq!(spent.dropped, 500 + 90 + 800 + 4_000);
        assert!(spent.hurried && !spent.told);
    }

    #[test]
    fn the_last_instance_says_what_was_dropped_by_all() {
        let (heard, log) = log();
        let other = GuestLog::new(
            "crm",
            Arc::clone(&log.quota),
            Arc::default(),
            Arc::clone(&heard) as _,
        );
        for _ in 0..10_000 {
            other.line(Severity::Info, "x");
        }
        drop(other);
        let told = |text: &str| {
            let heard = heard.0.lock().unwrap();
            heard.iter().filter(|line| line.contains(text)).count()
        };
        assert_eq!(told("100 lines a second"), 1);
        assert_eq!(told("more lines were dropped"), 0);
        drop(log);
        assert_eq!(told("more lines were dropped"), 1);
    }

    #[test]
    fn terminal_sequences_do_not_reach_the_terminal() {
        let (heard, log) = log();
        log.line(Severity::Info, "a\u{1b}[31mred\u{7}\nnext\u{202e}");
        assert_eq!(*heard.0.lock().unwrap(), ["crm: a[31mred next"]);
    }

    #[test]
    fn secrets_do_not_reach_the_log() {
        let (heard, log) = log();
        log.line(Severity::Info, "it is s3cret");
        Stdio::new(Arc::clone(&log)).take(b"panicked at s3cret\n");
        assert_eq!(
            *heard.0.lock().unwrap(),
            ["crm: it is ***", "crm: panicked at ***"]
        );
        assert_eq!(log.panic().as_deref(), Some("panicked at ***"));
    }

    #[test]
    fn a_panic_is_found_in_what_was_printed() {
        let (_, log) = log();
        let stdio = Stdio::new(Arc::clone(&log));
        stdio.take(b"thread '<unnamed>' panicked at src/lib.rs:1:2:\nno luck");
        stdio.take(b" today\nnote: run with `RUST_BACKTRACE=1`\n");
        assert_eq!(log.panic().as_deref(), Some("no luck today"));
    }
}
