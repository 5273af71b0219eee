use std::time::Duration;

use hygge_engine::Event;
use hygge_state::Outcome;

use super::Renderer;
use crate::run_log::event_line;

/// One event a line; docs/events.md is the schema.
#[derive(Debug)]
pub(crate) struct Json {
    /// Only what failed, and the end.
    quiet: bool,
    now: fn() -> jiff::Timestamp,
}

impl Json {
    pub(crate) fn new(quiet: bool) -> Self {
        Self {
            quiet,
            now: jiff::Timestamp::now,
        }
    }
}

impl Renderer for Json {
    fn event(&mut self, event: &Event, _at: Duration) -> String {
        let shown = match event {
            Event::EntityFinished { outcome, .. } => !self.quiet || *outcome != Outcome::Pass,
            Event::RunFinished { .. } => true,
            _ => !self.quiet,
        };
        if shown {
            event_line(event, (self.now)())
        } else {
            String::new()
        }
    }
}
