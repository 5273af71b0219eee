use std::time::Duration;

use hygge_engine::Event;

use super::{Renderer, Scene, Tally};

/// Only what failed, at the end.
#[derive(Debug)]
pub(crate) struct Quiet {
    scene: Scene,
    tally: Tally,
}

impl Quiet {
    pub(crate) fn new(scene: Scene) -> Self {
        Self {
            scene,
            tally: Tally::default(),
        }
    }
}

impl Renderer for Quiet {
    fn event(&mut self, event: &Event, _at: Duration) -> String {
        self.tally.event(event);
        match event {
            Event::RunFinished { .. } => self.tally.failures(&self.scene).trim_start().to_owned(),
            _ => String::new(),
        }
    }
}
