//! Ways of showing a run. A renderer gets every event and gives back text, so that a test can
//! feed it and read the answer; only the live one draws by itself.

mod json;
mod live;
mod plain;
mod quiet;
mod report;
mod words;

use std::collections::BTreeMap;
use std::time::Duration;

use hygge_core::EntityId;
use hygge_engine::Event;

use crate::console::{Console, Paint};
use crate::units;

pub(crate) use json::Json;
pub(crate) use live::Live;
pub(crate) use plain::Plain;
pub(crate) use quiet::Quiet;
use report::Tally;
pub(crate) use report::word;

/// What a renderer knows besides the events.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    /// The project's name.
    pub(crate) project: String,
    /// Where each entity is written down.
    pub(crate) origins: BTreeMap<EntityId, String>,
    /// The run's log, as a person would type it.
    pub(crate) log: String,
    /// Colours of stdout.
    pub(crate) paint: Paint,
    /// How many characters a line has, where there is an end to it.
    pub(crate) width: Option<usize>,
    /// Whether everything is shown.
    pub(crate) verbose: bool,
}

impl Scene {
    /// The width of the longest entity name, within reason.
    fn widest(&self) -> usize {
        let longest = self
            .origins
            .keys()
            .map(|id| units::width(&id.to_string()))
            .max();
        longest.unwrap_or(0).min(48)
    }
}

/// Shows a run while it happens.
pub(crate) trait Renderer: Send {
    /// Something happened, so long after the run began. What is to be printed for it.
    fn event(&mut self, event: &Event, at: Duration) -> String;

    /// Some time went by.
    fn tick(&mut self, _at: Duration) -> String {
        String::new()
    }

    /// Prints what `event` and `tick` gave, and what else must be said meanwhile.
    fn print(&self, text: &str, console: &Console) {
        if !text.is_empty() {
            console.out(text);
        }
    }
}

#[cfg(test)]
mod tests;
