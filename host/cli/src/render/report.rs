use hygge_core::{EntityId, Fault, Severity};
use hygge_engine::Event;
use hygge_state::Outcome;

use super::{Scene, words};
use crate::table::{Cell, Table};
use crate::units;

/// What came of a run, gathered from its events.
#[derive(Debug, Default)]
pub(super) struct Tally {
    entities: Vec<Done>,
    warnings: Vec<(EntityId, String)>,
    checks: Checks,
    total: Option<Total>,
}

/// What checks came to, over all entities.
#[derive(Debug, Default)]
struct Checks {
    passed: u64,
    failed: u64,
    warned: u64,
}

impl Checks {
    fn show(&self) -> String {
        let parts = [
            (self.passed, "passed"),
            (self.failed, "failed"),
            (self.warned, "warned"),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, word)| format!("{} {word}", units::count(n)))
            .collect();
        match parts.is_empty() {
            true => String::new(),
            false => format!("Checks: {}.\n", parts.join(", ")),
        }
    }
}

#[derive(Debug)]
struct Done {
    id: EntityId,
    outcome: Outcome,
    rows: u64,
    seconds: f64,
    location: Option<String>,
    fault: Option<Fault>,
    reason: Option<String>,
}

#[derive(Debug, Clone, Copy)]
struct Total {
    passed: u64,
    failed: u64,
    skipped: u64,
    stopped: u64,
    rows: u64,
    bytes: u64,
    seconds: f64,
}

impl Tally {
    /// Takes note of an event.
    pub(super) fn event(&mut self, event: &Event) {
        match event {
            Event::EntityFinished {
                id,
                outcome,
                rows,
                seconds,
                location,
                fault,
                reason,
                ..
            } => self.entities.push(Done {
                id: id.clone(),
                outcome: *outcome,
                rows: *rows,
                seconds: *seconds,
                location: location.clone(),
                fault: fault.clone(),
                reason: reason.clone(),
            }),
            Event::Note {
                id,
                warning: true,
                message,
            }
            | Event::SchemaChanged {
                id,
                warning: true,
                message,
                ..
            } => {
                self.warnings.push((id.clone(), message.clone()));
            }
            Event::Checked { id, checks } => {
                for each in checks {
                    match (each.passed, each.severity) {
                        (true, _) => self.checks.passed += 1,
                        (false, Severity::Fail) => self.checks.failed += 1,
                        (false, Severity::Warn) => self.checks.warned += 1,
                    }
                    let warning = words::warning(each);
                    self.warnings.extend(warning.map(|text| (id.clone(), text)));
                }
            }
            Event::RunFinished {
                passed,
                failed,
                skipped,
                stopped,
                rows,
                bytes,
                seconds,
                ..
            } => {
                self.total = Some(Total {
                    passed: *passed,
                    failed: *failed,
                    skipped: *skipped,
                    stopped: *stopped,
                    rows: *rows,
                    bytes: *bytes,
                    seconds: *seconds,
                });
            }
            _ => {}
        }
    }

    /// Everything at the end: the table, what failed and why, and the sum.
    pub(super) fn show(&self, scene: &Scene) -> String {
        let mut text = String::from("\n");
        text.push_str(&self.table(scene));
        text.push_str(&self.warnings(scene));
        text.push_str(&self.failures(scene));
        text.push('\n');
        text.push_str(&self.checks.show());
        text.push_str(&self.sum(scene));
        text
    }

    fn table(&self, scene: &Scene) -> String {
        let mut done: Vec<&Done> = self.entities.iter().collect();
        done.sort_by(|a, b| a.id.cmp(&b.id));
        let mut table = Table::new(&[
            "RESULT",
            "ENTITY",
            ">ROWS",
            ">TIME",
            ">ROWS/S",
            "SETTLED IN",
        ]);
        for each in done {
            let (rows, time, rate) = match each.outcome {
                Outcome::Pass => (
                    units::count(each.rows),
                    units::seconds(each.seconds),
                    units::rate(each.rows, each.seconds).map_or("-".to_owned(), units::count),
                ),
                Outcome::Fail | Outcome::Stopped => {
                    ("-".to_owned(), units::seconds(each.seconds), "-".to_owned())
                }
                Outcome::Skip => ("-".to_owned(), "-".to_owned(), "-".to_owned()),
            };
            let settled = match each.outcome {
                Outcome::Pass => each.location.clone().unwrap_or_default(),
                Outcome::Fail | Outcome::Stopped => "not settled".to_owned(),
                Outcome::Skip => each
                    .reason
                    .clone()
                    .unwrap_or_else(|| "not tried".to_owned()),
            };
            table.row(vec![
                verdict(each.outcome, scene),
                each.id.to_string().into(),
                rows.into(),
                time.into(),
                rate.into(),
                settled.into(),
            ]);
        }
        table.within(scene.width)
    }

    fn warnings(&self, scene: &Scene) -> String {
        let mut text = String::new();
        for (id, message) in &self.warnings {
            let word = scene.paint.warn("WARN");
            text.push_str(&format!("\n{word}  {id}: {message}"));
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text
    }

    /// Each failure: what, where it is written down, why, and the next step.
    pub(super) fn failures(&self, scene: &Scene) -> String {
        let mut text = String::new();
        let mut ended: Vec<&Done> = self.entities.iter().collect();
        ended.sort_by(|a, b| a.id.cmp(&b.id));
        for each in ended {
            let Some(fault) = each
                .fault
                .as_ref()
                .filter(|_| each.outcome == Outcome::Fail)
            else {
                continue;
            };
            let word = scene.paint.bad("FAIL");
            let place = match scene.origins.get(&each.id) {
                Some(origin) => scene.paint.faint(&format!(" ({origin})")),
                None => String::new(),
            };
            let next = scene.paint.strong("next:");
            text.push_str(&format!(
                "\n{word}  {}{place}\n      {}\n      {next} {}\n",
                each.id,
                words::first_line(fault),
                words::next_step(fault, &scene.log),
            ));
        }
        text
    }

    fn sum(&self, scene: &Scene) -> String {
        let Some(total) = self.total else {
            return String::new();
        };
        let mut parts = vec![format!("{} passed", units::count(total.passed))];
        for (n, word) in [
            (total.failed, "failed"),
            (total.skipped, "skipped"),
            (total.stopped, "stopped"),
        ] {
            if n > 0 {
                parts.push(format!("{} {word}", units::count(n)));
            }
        }
        let counts = parts.join(", ");
        let counts = if total.failed + total.stopped > 0 {
            scene.paint.bad(&counts)
        } else {
            scene.paint.good(&counts)
        };
        let mut text = format!(
            "{counts}: {} and {} settled in {}.",
            units::rows(total.rows),
            units::bytes(total.bytes),
            units::seconds(total.seconds)
        );
        if total.stopped > 0 {
            text.push_str(" `hygge start` goes on from here.");
        } else if total.failed > 0 {
            text.push_str(&format!(" The whole story: {}", scene.log));
        }
        text.push('\n');
        text
    }
}

fn verdict(outcome: Outcome, scene: &Scene) -> Cell {
    let word = word(outcome);
    let painted = match outcome {
        Outcome::Pass => scene.paint.good(word),
        Outcome::Fail => scene.paint.bad(word),
        Outcome::Skip | Outcome::Stopped => scene.paint.warn(word),
    };
    Cell::painted(word, painted)
}

/// An outcome in one word.
pub(crate) fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "PASS",
        Outcome::Fail => "FAIL",
        Outcome::Skip => "SKIP",
        Outcome::Stopped => "STOP",
    }
}
