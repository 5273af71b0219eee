//! What a run says goes through the veil before anybody hears it, so that events, the history and
//! every log say the same.

use std::sync::Arc;

use hygge_core::Veil;

use crate::{Event, Events};

/// Hides the secrets of the configuration in events.
pub(crate) struct Veiled {
    pub(crate) veil: Veil,
    pub(crate) heard: Arc<dyn Events>,
}

impl Events for Veiled {
    fn event(&self, event: &Event) {
        // The most frequent one, and nothing but numbers.
        if let Event::Progress { .. } = event {
            return self.heard.event(event);
        }
        let mut event = event.clone();
        cover(&mut event, &self.veil);
        self.heard.event(&event);
    }
}

fn cover(event: &mut Event, veil: &Veil) {
    match event {
        Event::EntityStarted { from, to, .. } => {
            veil.cover(from);
            veil.cover(to);
        }
        Event::Retrying { split, fault, .. } => {
            veil.cover(split);
            veil.cover_fault(fault);
        }
        Event::Recovered { message, .. }
        | Event::Note { message, .. }
        | Event::SchemaChanged { message, .. }
        | Event::Waiting { message, .. } => veil.cover(message),
        Event::EntityFinished {
            location,
            fault,
            reason,
            ..
        } => {
            for text in location.iter_mut().chain(reason) {
                veil.cover(text);
            }
            if let Some(fault) = fault {
                veil.cover_fault(fault);
            }
        }
        Event::PoolUsed { usage } => veil.cover(&mut usage.connection),
        // Covered where it is made: the history has it as well.
        Event::Checked { .. }
        | Event::RunStarted { .. }
        | Event::Progress { .. }
        | Event::Committing { .. }
        | Event::PluginUsed { .. }
        | Event::RunFinished { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use hygge_core::{EntityId, Fault, code};
    use hygge_state::Outcome;

    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<String>);

    impl Events for Heard {
        fn event(&self, event: &Event) {
            let line = serde_json::to_string(event).unwrap();
            self.0.lock().unwrap().push_str(&line);
        }
    }

    #[test]
    fn no_event_holds_a_secret() {
        let heard = Arc::new(Heard::default());
        let veiled = Veiled {
            veil: Veil::over(["hunter2".to_owned()]),
            heard: Arc::clone(&heard) as _,
        };
        let id = EntityId::new("f", "e");
        let said = || "no column hunter2".to_owned();
        let fault = || {
            Fault::new(code::CONFIG, said())
                .advise(said())
                .with("column", said())
        };
        veiled.event(&Event::Retrying {
            id: id.clone(),
            split: said(),
            attempt: 1,
            fault: fault(),
            wait_ms: 1,
        });
        veiled.event(&Event::Note {
            id: id.clone(),
            warning: true,
            message: said(),
        });
        veiled.event(&Event::EntityFinished {
            id,
            outcome: Outcome::Fail,
            action: None,
            rows: 0,
            rows_read: 0,
            bytes: 0,
            seconds: 0.0,
            location: Some(said()),
            watermark: None,
            fault: Some(fault()),
            reason: Some(said()),
        });
        let text = heard.0.lock().unwrap().clone();
        assert_eq!(text.matches("no column ***").count(), 10, "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
