//! The sentences that renderers share.

use hygge_core::{Action, Fault, Severity};
use hygge_engine::Event;
use hygge_state::Checked;

use crate::units;

/// What happens to an entity, as one line without its name; none for what isn't worth a line.
pub(super) fn line(event: &Event, verbose: bool) -> Option<String> {
    Some(match event {
        Event::EntityStarted {
            action,
            from,
            to,
            resumed,
            watermark,
            ..
        } => {
            let mut text = format!("{action}, {from} -> {to}");
            if let Some(mark) = watermark {
                text.push_str(&format!(", from {} {}", mark.column, mark.value));
            }
            if *resumed > 0 {
                let splits = units::many(*resumed, "split", "splits");
                text.push_str(&format!(", {splits} already staged by an earlier run"));
            }
            text
        }
        Event::Retrying {
            split,
            attempt,
            fault,
            wait_ms,
            ..
        } => format!(
            "{fault}; trying split {split} again in {:.1} s (attempt {attempt} failed)",
            (*wait_ms as f64) / 1000.0
        ),
        Event::Recovered { message, .. } | Event::Waiting { message, .. } => message.clone(),
        Event::Note {
            warning, message, ..
        } if *warning || verbose => message.clone(),
        // Also where the destination follows: it isn't what it was.
        Event::SchemaChanged { message, .. } => message.clone(),
        Event::Checked { checks, .. } => return checked(checks, verbose),
        Event::Committing { .. } if verbose => "everything is staged; committing".to_owned(),
        _ => return None,
    })
}

/// What checks that only warn found; with `verbose`, also that others passed.
fn checked(checks: &[Checked], verbose: bool) -> Option<String> {
    let warned: Vec<String> = checks.iter().filter_map(warning).collect();
    if !warned.is_empty() {
        return Some(warned.join("; "));
    }
    let passed = checks.iter().filter(|each| each.passed).count();
    verbose.then(|| format!("{} passed", units::many(passed as u64, "check", "checks")))
}

/// What a check found that only warns.
pub(super) fn warning(checked: &Checked) -> Option<String> {
    let why = checked.why.as_ref()?;
    if checked.severity != Severity::Warn {
        return None;
    }
    let rows = match &checked.rejects {
        Some(file) => format!(" (see {file})"),
        None => String::new(),
    };
    Some(format!("a check warns: {why}{rows}"))
}

/// What is said of an entity that a person stopped.
pub(super) const STOPPED: &str = "stopped; nothing was committed";

/// The first line of a fault.
pub(super) fn first_line(fault: &Fault) -> &str {
    fault.message.lines().next().unwrap_or_default()
}

/// What a person can do about a fault: its own advice, or where to look.
pub(super) fn next_step(fault: &Fault, log: &str) -> String {
    match &fault.advice {
        Some(advice) => advice.clone(),
        None if fault.retryable => "this may pass; run `hygge start` again".to_owned(),
        None => format!("`hygge debug` looks closer; the whole story is in {log}"),
    }
}

/// How rows were moved: `27,004 rows in 0.21 s`, and what was left out: by an append rows that
/// were taken before, otherwise by a transform, or all but the latest of several with one key.
pub(super) fn moved(action: Option<Action>, rows: u64, rows_read: u64, seconds: f64) -> String {
    let mut text = format!("{} in {}", units::rows(rows), units::seconds(seconds));
    if rows_read > rows {
        text.push_str(&match action {
            Some(Action::Append) => {
                format!(" ({} were already there)", units::count(rows_read - rows))
            }
            _ => format!(" (of {} read)", units::count(rows_read)),
        });
    }
    text
}
