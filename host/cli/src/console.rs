use std::borrow::Cow;
use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use hygge_core::Veil;
use indicatif::{MultiProgress, ProgressDrawTarget};

/// The one place that prints.
///
/// A reader that goes away (`hygge list | head`) is not an error: what is left is not printed,
/// and a run goes on, since its data matters more than its words.
#[derive(Debug)]
pub(crate) struct Console {
    out_terminal: bool,
    out_colour: bool,
    err_colour: bool,
    lost: AtomicBool,
    veil: OnceLock<Veil>,
    live: Mutex<Option<MultiProgress>>,
}

impl Console {
    pub(crate) fn of_this_process() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            && std::env::var_os("TERM").is_none_or(|v| v != "dumb");
        let out_terminal = std::io::stdout().is_terminal();
        Self {
            out_terminal,
            out_colour: wanted && out_terminal,
            err_colour: wanted && std::io::stderr().is_terminal(),
            lost: AtomicBool::new(false),
            veil: OnceLock::new(),
            live: Mutex::default(),
        }
    }

    /// Whether a person looks at stdout as it is written.
    pub(crate) fn is_terminal(&self) -> bool {
        self.out_terminal
    }

    /// From now on no secret of the plan is printed.
    pub(crate) fn veil(&self, veil: Veil) {
        // A process loads one project; a second time (`--verify`) it has the same secrets.
        drop(self.veil.set(veil));
    }

    fn veiled<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.veil.get() {
            Some(veil) => veil.hide(text),
            None => Cow::Borrowed(text),
        }
    }

    /// Prints the answer.
    pub(crate) fn out(&self, text: &str) {
        let text = self.veiled(text);
        let mut out = std::io::stdout().lock();
        if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            self.note(&error);
        }
    }

    /// Prints what is not the answer: complaints and diagnostics.
    pub(crate) fn err(&self, text: &str) {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        match live.as_ref() {
            // Printed over the lines that are drawn, it would be drawn over, and they would stay.
            Some(live) => live.suspend(|| self.complain(text.trim_start_matches('\n'))),
            None => self.complain(text),
        }
    }

    fn complain(&self, text: &str) {
        let text = self.veiled(text);
        // Nobody is left to tell when stderr is gone as well.
        drop(std::io::stderr().lock().write_all(text.as_bytes()));
    }

    /// From now on lines are drawn below what is printed.
    pub(crate) fn draw_below(&self, lines: &MultiProgress) {
        *self.live.lock().unwrap_or_else(PoisonError::into_inner) = Some(lines.clone());
    }

    /// Wipes the lines that are drawn, for good: the program is about to end.
    pub(crate) fn wipe(&self) {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(live) = live.as_ref() {
            drop(live.clear());
            live.set_draw_target(ProgressDrawTarget::hidden());
        }
    }

    fn note(&self, error: &std::io::Error) {
        let first =
            error.kind() != ErrorKind::BrokenPipe && !self.lost.swap(true, Ordering::Relaxed);
        if first {
            self.complain(&format!("error: can't write to stdout: {error}\n"));
        }
    }

    /// Whether something that should have been on stdout isn't.
    pub(crate) fn lost_output(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Colours for stdout.
    pub(crate) fn paint(&self) -> Paint {
        Paint(self.out_colour)
    }

    /// Colours for stderr.
    pub(crate) fn paint_err(&self) -> Paint {
        Paint(self.err_colour)
    }
}

/// Colours, or none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint(bool);

impl Paint {
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self(false)
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.with("31;1", text)
    }

    pub(crate) fn warn(self, text: &str) -> String {
        self.with("33", text)
    }

    pub(crate) fn strong(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(crate) fn faint(self, text: &str) -> String {
        self.with("2", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}
