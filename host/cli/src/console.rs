use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

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
        }
    }

    /// Whether a person looks at stdout as it is written.
    pub(crate) fn is_terminal(&self) -> bool {
        self.out_terminal
    }

    /// Prints the answer.
    pub(crate) fn out(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            self.note(&error);
        }
    }

    /// Prints what is not the answer: complaints and diagnostics.
    pub(crate) fn err(&self, text: &str) {
        // Nobody is left to tell when stderr is gone as well.
        drop(std::io::stderr().lock().write_all(text.as_bytes()));
    }

    fn note(&self, error: &std::io::Error) {
        let first =
            error.kind() != ErrorKind::BrokenPipe && !self.lost.swap(true, Ordering::Relaxed);
        if first {
            self.err(&format!("error: can't write to stdout: {error}\n"));
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
