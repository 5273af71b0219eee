//! docs/events.md says what is in an event, and nothing that isn't.

#![expect(
    clippy::unwrap_used,
    reason = "in a test a panic is the report, also outside of #[test] functions"
)]

use std::collections::{BTreeMap, BTreeSet};

use hygge_core::{Action, EntityId, Fault, RunId, Severity, Watermark, WatermarkType, code};
use hygge_engine::{Change, Event};
use hygge_state::{Checked, Outcome};
use serde::Serialize;
use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/events.md");

/// The fields that each section of the page lists.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let mut sections: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut section = String::new();
    for line in PAGE.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading.to_owned();
        }
        let field = line
            .strip_prefix("| `")
            .and_then(|rest| rest.split_once('`'));
        if let Some((field, _)) = field {
            let fields = sections.entry(section.clone()).or_default();
            fields.insert(field.to_owned());
        }
    }
    sections
}

fn keys(value: &impl Serialize) -> (Option<String>, BTreeSet<String>) {
    let Value::Object(mut fields) = serde_json::to_value(value).unwrap() else {
        panic!("an event is an object");
    };
    let event = fields
        .remove("event")
        .map(|name| name.as_str().unwrap().to_owned());
    (event, fields.into_iter().map(|(key, _)| key).collect())
}

fn mark() -> Watermark {
    Watermark {
        column: "id".into(),
        value: "1".into(),
        kind: WatermarkType::Integer,
    }
}

fn fault() -> Fault {
    let mut fault = Fault::new(code::SCHEMA, "x").with("flow", "a").advise("y");
    fault.retry_after = Some(std::time::Duration::from_secs(1));
    fault
}

/// One of each.
fn all() -> Vec<Event> {
    let id = || EntityId::new("nyc", "flights");
    let run = || RunId::parse("r").unwrap();
    vec![
        Event::RunStarted {
            run: run(),
            entities: 1,
        },
        Event::EntityStarted {
            id: id(),
            action: Action::Append,
            from: String::new(),
            to: String::new(),
            splits: 1,
            resumed: 0,
            rows: None,
            bytes: None,
            watermark: Some(mark()),
        },
        Event::Progress {
            id: id(),
            rows: 1,
            bytes: 1,
            read: Some(1),
            splits_done: 0,
        },
        Event::Retrying {
            id: id(),
            split: String::new(),
            attempt: 1,
            fault: fault(),
            wait_ms: 1,
        },
        Event::Recovered {
            id: id(),
            run: run(),
            message: String::new(),
        },
        Event::Note {
            id: id(),
            warning: true,
            message: String::new(),
        },
        Event::SchemaChanged {
            id: id(),
            warning: true,
            message: String::new(),
            changes: vec![Change::Added {
                column: String::new(),
                kind: String::new(),
            }],
        },
        Event::Checked {
            id: id(),
            checks: vec![Checked {
                check: String::new(),
                severity: Severity::Warn,
                passed: true,
                rows: None,
                why: None,
                rejects: None,
            }],
        },
        Event::Waiting {
            id: id(),
            message: String::new(),
        },
        Event::Committing { id: id() },
        Event::EntityFinished {
            id: id(),
            outcome: Outcome::Pass,
            action: None,
            rows: 1,
            rows_read: 1,
            bytes: 1,
            seconds: 1.0,
            location: None,
            watermark: None,
            fault: None,
            reason: None,
        },
        Event::PluginUsed {
            usage: hygge_core::Usage::default(),
        },
        Event::PoolUsed {
            usage: hygge_core::PoolUsage::default(),
        },
        Event::RunFinished {
            run: run(),
            passed: 1,
            failed: 0,
            skipped: 0,
            stopped: 0,
            rows: 1,
            bytes: 1,
            seconds: 1.0,
        },
    ]
}

#[test]
fn every_event_is_documented_field_by_field() {
    let mut documented = documented();
    for event in all() {
        let (name, fields) = keys(&event);
        let name = name.unwrap();
        assert_eq!(documented.remove(&name), Some(fields), "{name}");
    }
    for (name, value) in [
        ("entity", keys(&EntityId::new("a", "b")).1),
        ("watermark", keys(&mark()).1),
        ("fault", keys(&fault()).1),
    ] {
        assert_eq!(documented.remove(name), Some(value), "{name}");
    }
    // Not of a run: tests/all/verbs/start.rs holds it against the program.
    let error = ["exit", "problems"].map(str::to_owned).into();
    assert_eq!(documented.remove("error"), Some(error));
    assert_eq!(documented, BTreeMap::new(), "no event is called so");
}

/// `Event` can grow, and `all` has to be told: its source lists what there is.
#[test]
fn no_event_is_forgotten() {
    let source = include_str!("../../engine/src/event.rs");
    let variants = source.lines().filter(|line| {
        line.strip_prefix("    ")
            .and_then(|rest| rest.strip_suffix(" {"))
            .is_some_and(|name| name.chars().all(char::is_alphanumeric))
    });
    assert_eq!(variants.count(), all().len());
}
