use std::borrow::Cow;
use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use hygge_core::Veil;
use indicatif::{MultiProgress, ProgressDrawTarget};
use rustix::termios::{LocalModes, OptionalActions, Termios};

/// The one place that prints.
///
/// A reader that goes away (`hygge list | head`) is not an error: what is left is not printed,
/// and a run goes on, since its data matters more than its words.
#[derive(Debug)]
pub(crate) struct Console {
    out_terminal: bool,
    /// It can move its cursor, too.
    draws: bool,
    out_colour: bool,
    err_colour: bool,
    lost: AtomicBool,
    veil: OnceLock<Veil>,
    live: Mutex<Option<MultiProgress>>,
    echo: Mutex<Option<Echo>>,
}

impl Console {
    pub(crate) fn of_this_process() -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|v| v == "dumb");
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) && !dumb;
        let out_terminal = std::io::stdout().is_terminal();
        Self {
            out_terminal,
            draws: out_terminal && !dumb,
            out_colour: wanted && out_terminal,
            err_colour: wanted && std::io::stderr().is_terminal(),
            lost: AtomicBool::new(false),
            veil: OnceLock::new(),
            live: Mutex::default(),
            echo: Mutex::default(),
        }
    }

    /// Whether a person looks at stdout as it is written, at a terminal that lines can be drawn
    /// on again and again.
    pub(crate) fn draws(&self) -> bool {
        self.draws
    }

    /// How many characters a line has, where there is an end to it.
    pub(crate) fn width(&self) -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok();
        let columns = size.map(|size| usize::from(size.ws_col));
        // A terminal that doesn't know says 0.
        columns.filter(|columns| self.out_terminal && *columns > 0)
    }

    /// From now on no secret of the plan is printed.
    pub(crate) fn veil(&self, veil: Veil) {
        // A process loads one project; a second time (`--verify`) it has the same secrets.
        drop(self.veil.set(veil));
    }

    /// What may be printed of a text.
    fn fit<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let text = match self.veil.get() {
            Some(veil) => veil.hide(text),
            None => Cow::Borrowed(text),
        };
        match tame(&text) {
            Some(tamed) => Cow::Owned(tamed),
            None => text,
        }
    }

    /// Prints the answer.
    pub(crate) fn out(&self, text: &str) {
        let text = self.fit(text);
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
        let text = self.fit(text);
        // Nobody is left to tell when stderr is gone as well.
        drop(std::io::stderr().lock().write_all(text.as_bytes()));
    }

    /// From now on lines are drawn below what is printed.
    pub(crate) fn draw_below(&self, lines: &MultiProgress) {
        *self.live.lock().unwrap_or_else(PoisonError::into_inner) = Some(lines.clone());
        *self.echo.lock().unwrap_or_else(PoisonError::into_inner) = Echo::without_control();
    }

    /// What is drawn has ended.
    pub(crate) fn drew(&self) {
        drop(
            self.echo
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
    }

    /// Wipes the lines that are drawn, for good: the program is about to end.
    pub(crate) fn wipe(&self) {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(live) = live.as_ref() {
            drop(live.clear());
            live.set_draw_target(ProgressDrawTarget::hidden());
        }
        self.drew();
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

/// What moves a terminal's cursor, or shows words in an order that they don't have.
pub(crate) fn odd(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text with blanks in their place.
pub(crate) fn on_one_line(text: &str) -> String {
    text.replace(odd, " ")
}

/// A text with its control characters spelt out, if it has any: a name in a configuration must not
/// move the cursor. Line ends, tabs and our own colours stay. Spelt as JSON does it: what is
/// printed may be that, and mean the same afterwards.
fn tame(text: &str) -> Option<String> {
    let odd = |c: char| odd(c) && c != '\n' && c != '\t';
    if !text.contains(odd) {
        return None;
    }
    let mut tamed = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(at) = rest.find(odd) {
        tamed.push_str(&rest[..at]);
        rest = &rest[at..];
        let colour = rest.strip_prefix("\u{1b}[").and_then(|codes| {
            let (code, _) = codes.split_once('m')?;
            COLOURS.contains(&code).then_some(code.len() + 3)
        });
        let first = rest.chars().next().unwrap_or_default();
        let length = colour.unwrap_or_else(|| first.len_utf8());
        match (colour, first) {
            (Some(_), _) => tamed.push_str(&rest[..length]),
            (None, '\r') => tamed.push_str("\\r"),
            (None, odd) => tamed.push_str(&format!("\\u{:04x}", u32::from(odd))),
        }
        rest = &rest[length..];
    }
    tamed.push_str(rest);
    Some(tamed)
}

/// The codes of [`Paint`], and the one that ends them: of others, which hide text or blink, none is
/// ours.
const COLOURS: [&str; 6] = ["0", "1", "2", "31;1", "32", "33"];

/// Keeps the terminal from showing `^C` while lines are drawn: it would stand at the end of the
/// last, and push it out of reach. Dropped, it is as it was.
#[derive(Debug)]
struct Echo(Termios);

impl Echo {
    fn without_control() -> Option<Self> {
        let terminal = std::io::stdout();
        // A job in the background that touches the terminal is stopped.
        let ours = rustix::termios::tcgetpgrp(&terminal).ok()? == rustix::process::getpgrp();
        let was = rustix::termios::tcgetattr(&terminal)
            .ok()
            .filter(|_| ours)?;
        let mut now = was.clone();
        now.local_modes.remove(LocalModes::ECHOCTL);
        rustix::termios::tcsetattr(&terminal, OptionalActions::Now, &now).ok()?;
        Some(Self(was))
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // Gone with the terminal, there is nothing to put back.
        let _ = rustix::termios::tcsetattr(std::io::stdout(), OptionalActions::Now, &self.0);
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

    fn with(self, code: &'static str, text: &str) -> String {
        if self.0 {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_moves_no_cursor() {
        assert_eq!(tame("plain\n\ttext"), None);
        let paint = Paint(true);
        let painted = format!("{} x\u{1b}[2Jy\u{1b}]0;z\u{7}\r", paint.bad("BAD"));
        assert_eq!(
            tame(&painted).as_deref(),
            Some("\u{1b}[31;1mBAD\u{1b}[0m x\\u001b[2Jy\\u001b]0;z\\u0007\\r")
        );
        assert_eq!(tame("\u{1b}[8mhidden").as_deref(), Some("\\u001b[8mhidden"));
        assert_eq!(tame("\u{9b}1m").as_deref(), Some("\\u009b1m"));
        assert_eq!(tame("\u{1b}").as_deref(), Some("\\u001b"));
        assert_eq!(tame("a\u{202e}b").as_deref(), Some("a\\u202eb"));
    }
}
