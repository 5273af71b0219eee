use std::collections::BTreeMap;
use std::time::Duration;

use hygge_core::EntityId;
use hygge_engine::Event;
use hygge_state::Outcome;

use super::{Renderer, Scene, Tally, word, words};
use crate::units;

/// A line for each start, milestone and finish; for pipes, logs and CI.
#[derive(Debug)]
pub(crate) struct Plain {
    scene: Scene,
    tally: Tally,
    running: BTreeMap<EntityId, Running>,
}

#[derive(Debug)]
struct Running {
    began: Duration,
    told: Duration,
    rows_known: Option<u64>,
    bytes_known: Option<u64>,
}

/// How often a long-running entity says how far it is.
const MILESTONE: Duration = Duration::from_secs(10);

impl Plain {
    pub(crate) fn new(scene: Scene) -> Self {
        Self {
            scene,
            tally: Tally::default(),
            running: BTreeMap::new(),
        }
    }

    fn say(&self, word: &str, id: &EntityId, text: &str) -> String {
        let width = self.scene.widest();
        let id = units::padded(&id.to_string(), width);
        let padded = format!("{word:<7}");
        let painted = match word {
            "done" => self.scene.paint.good(&padded),
            "FAIL" => self.scene.paint.bad(&padded),
            "WARN" | "SKIP" | "STOP" | "retry" => self.scene.paint.warn(&padded),
            _ => self.scene.paint.faint(&padded),
        };
        format!("{painted} {id}  {text}\n")
    }

    fn milestone(
        &mut self,
        id: &EntityId,
        rows: u64,
        bytes: u64,
        read: Option<u64>,
        at: Duration,
    ) -> String {
        let Some(running) = self.running.get_mut(id) else {
            return String::new();
        };
        if at.saturating_sub(running.told) < MILESTONE {
            return String::new();
        }
        running.told = at;
        let spent = at.saturating_sub(running.began);
        let mut text = format!("{} and {}", units::rows(rows), units::bytes(bytes));
        if let Some(rate) = units::rate(rows, spent.as_secs_f64()) {
            text.push_str(&format!(", {} rows/s", units::count(rate)));
        }
        let far = units::far((rows, running.rows_known), (read, running.bytes_known));
        if let Some((done, whole)) = far {
            text.push_str(&format!(", {} %", units::percent(done, whole)));
            if let Some(left) = units::left(done, whole, spent) {
                text.push_str(&format!(", {} left", units::time(left)));
            }
        }
        self.say("moving", id, &text)
    }
}

impl Renderer for Plain {
    fn event(&mut self, event: &Event, at: Duration) -> String {
        self.tally.event(event);
        let verbose = self.scene.verbose;
        match event {
            Event::RunStarted { run, entities } => format!(
                "hygge {} moves {} of {} (run {run})\n",
                env!("CARGO_PKG_VERSION"),
                units::many(*entities, "entity", "entities"),
                self.scene.project,
            ),
            Event::EntityStarted {
                id, rows, bytes, ..
            } => {
                let running = Running {
                    began: at,
                    told: at,
                    rows_known: *rows,
                    bytes_known: *bytes,
                };
                self.running.insert(id.clone(), running);
                self.say(
                    "start",
                    id,
                    &words::line(event, verbose).unwrap_or_default(),
                )
            }
            Event::Progress {
                id,
                rows,
                bytes,
                read,
                ..
            } => self.milestone(id, *rows, *bytes, *read, at),
            Event::Retrying { id, .. } => self.say(
                "retry",
                id,
                &words::line(event, verbose).unwrap_or_default(),
            ),
            Event::Recovered { id, .. } => {
                self.say("mend", id, &words::line(event, verbose).unwrap_or_default())
            }
            Event::Waiting { id, .. } => {
                self.say("wait", id, &words::line(event, verbose).unwrap_or_default())
            }
            Event::Note { id, warning, .. } | Event::SchemaChanged { id, warning, .. } => {
                match words::line(event, verbose) {
                    Some(text) => self.say(if *warning { "WARN" } else { "note" }, id, &text),
                    None => String::new(),
                }
            }
            Event::Checked { id, checks } => match words::line(event, verbose) {
                Some(text) => {
                    let warns = checks.iter().any(|each| words::warning(each).is_some());
                    self.say(if warns { "WARN" } else { "check" }, id, &text)
                }
                None => String::new(),
            },
            Event::Committing { id } => match words::line(event, verbose) {
                Some(text) => self.say("commit", id, &text),
                None => String::new(),
            },
            Event::EntityFinished {
                id,
                outcome,
                action,
                rows,
                rows_read,
                seconds,
                location,
                fault,
                reason,
                ..
            } => {
                self.running.remove(id);
                let text = match outcome {
                    Outcome::Pass => {
                        let place = location.as_deref().unwrap_or_default();
                        format!(
                            "{}, in {place}",
                            words::moved(*action, *rows, *rows_read, *seconds)
                        )
                    }
                    Outcome::Fail => fault
                        .as_ref()
                        .map(|fault| words::first_line(fault).to_owned())
                        .unwrap_or_default(),
                    Outcome::Skip => reason.clone().unwrap_or_default(),
                    Outcome::Stopped => words::STOPPED.to_owned(),
                };
                let word = match outcome {
                    Outcome::Pass => "done",
                    other => word(*other),
                };
                self.say(word, id, &text)
            }
            Event::RunFinished { .. } => self.tally.show(&self.scene),
            _ => String::new(),
        }
    }
}
