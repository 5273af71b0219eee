//! Each renderer is fed the same run and its whole output is a snapshot.

use std::time::Duration;

use hygge_core::{Action, EntityId, Fault, RunId, Watermark, WatermarkType, code};
use hygge_engine::Event;
use hygge_state::Outcome;

use super::{Json, Plain, Quiet, Renderer, Scene};
use crate::console::Paint;

fn id(entity: &str) -> EntityId {
    EntityId::new("nycflights", entity)
}

fn run() -> RunId {
    RunId::parse("20130101t000000z-000000").unwrap()
}

fn started(entity: &str, action: Action, rows: Option<u64>) -> Event {
    Event::EntityStarted {
        id: id(entity),
        action,
        from: format!("parquet files data/landing/{entity}"),
        to: format!("parquet files data/lake/{entity}"),
        splits: 2,
        resumed: 0,
        rows,
        bytes: None,
        watermark: None,
    }
}

fn finished(entity: &str, outcome: Outcome) -> Event {
    Event::EntityFinished {
        id: id(entity),
        outcome,
        action: Some(Action::Replace),
        rows: 0,
        rows_read: 0,
        bytes: 0,
        seconds: 0.0,
        location: None,
        watermark: None,
        fault: None,
        reason: None,
    }
}

fn scene(verbose: bool) -> Scene {
    let entities = ["airlines", "airports", "flights", "planes", "weather"];
    Scene {
        project: "my-project".into(),
        origins: entities
            .iter()
            .map(|entity| {
                let file = format!("flows/nycflights/entities/{entity}.yml:1");
                (id(entity), file)
            })
            .collect(),
        log: format!(".hygge/runs/{}/log.jsonl", run()),
        paint: Paint::plain(),
        width: None,
        verbose,
    }
}

/// A run in which everything happens that can happen, and when.
fn story() -> Vec<(u64, Event)> {
    let mark = Watermark {
        column: "time_hour".into(),
        value: "2013-01-15T23:00:00.000000".into(),
        kind: WatermarkType::Timestamp {
            per_second: 1_000_000,
            utc: false,
        },
    };
    let lost = Fault::new(code::SOURCE_MISSING, "data/landing/planes matches no file")
        .advise("see that the files are there, or say `allow_empty: true`");
    let busy = Fault::new(
        code::SOURCE_IO,
        "can't read data/landing/flights: timed out",
    )
    .retryable();
    let mut flights = started("flights", Action::Append, Some(1_000_000));
    if let Event::EntityStarted {
        watermark, resumed, ..
    } = &mut flights
    {
        *watermark = Some(mark.clone());
        *resumed = 1;
    }
    let progress = |rows| Event::Progress {
        id: id("flights"),
        rows,
        bytes: rows * 80,
        read: None,
        splits_done: 0,
    };
    let mut airlines_done = finished("airlines", Outcome::Pass);
    if let Event::EntityFinished {
        rows,
        rows_read,
        bytes,
        seconds,
        location,
        ..
    } = &mut airlines_done
    {
        (*rows, *rows_read, *bytes, *seconds) = (16, 16, 1_259, 0.012);
        *location = Some("data/lake/airlines".into());
    }
    let mut flights_done = finished("flights", Outcome::Pass);
    if let Event::EntityFinished {
        rows,
        rows_read,
        bytes,
        seconds,
        location,
        watermark,
        ..
    } = &mut flights_done
    {
        (*rows, *rows_read, *bytes, *seconds) = (999_990, 1_000_000, 30_408_704, 31.5);
        *location = Some("data/lake/flights".into());
        *watermark = Some(mark);
    }
    let mut planes_done = finished("planes", Outcome::Fail);
    if let Event::EntityFinished { fault, seconds, .. } = &mut planes_done {
        *fault = Some(lost);
        *seconds = 0.003;
    }
    let mut weather_done = finished("weather", Outcome::Skip);
    if let Event::EntityFinished { reason, .. } = &mut weather_done {
        *reason = Some("another entity failed and `on_error` is `stop`".into());
    }
    vec![
        (
            0,
            Event::RunStarted {
                run: run(),
                entities: 5,
            },
        ),
        (1, started("airlines", Action::Replace, Some(16))),
        (
            1,
            Event::Recovered {
                id: id("flights"),
                run: RunId::parse("20121231t000000z-000000").unwrap(),
                message: "finished its commit of 12 rows".into(),
            },
        ),
        (2, flights),
        (3, Event::Committing { id: id("airlines") }),
        (4, airlines_done),
        (5, planes_done),
        (
            6,
            Event::Note {
                id: id("flights"),
                warning: false,
                message: "decoding 2013-01.parquet: its codec is gzip, the store's zstd".into(),
            },
        ),
        (
            7,
            Event::Note {
                id: id("flights"),
                warning: true,
                message: "the watermark lies in the future: 2033-01-01".into(),
            },
        ),
        (1_002, progress(50_000)),
        (
            5_000,
            Event::Retrying {
                id: id("flights"),
                split: "000001".into(),
                attempt: 1,
                fault: busy,
                wait_ms: 1_250,
            },
        ),
        (10_002, progress(500_000)),
        (10_102, progress(510_000)),
        (20_002, progress(750_000)),
        (31_502, flights_done),
        (31_503, weather_done),
        (31_504, finished("airports", Outcome::Stopped)),
        (
            31_505,
            Event::RunFinished {
                run: run(),
                passed: 2,
                failed: 1,
                skipped: 1,
                stopped: 1,
                rows: 1_000_006,
                bytes: 30_409_963,
                seconds: 31.505,
            },
        ),
    ]
}

fn shown(renderer: &mut dyn Renderer) -> String {
    story()
        .iter()
        .map(|(ms, event)| renderer.event(event, Duration::from_millis(*ms)))
        .collect()
}

#[test]
fn plain() {
    insta::assert_snapshot!(shown(&mut Plain::new(scene(false))));
}

#[test]
fn verbose_says_more() {
    let brief = shown(&mut Plain::new(scene(false)));
    let verbose = shown(&mut Plain::new(scene(true)));
    let more: Vec<&str> = verbose
        .lines()
        .filter(|line| !brief.contains(line))
        .collect();
    insta::assert_snapshot!(more.join("\n"));
}

#[test]
fn quiet() {
    insta::assert_snapshot!(shown(&mut Quiet::new(scene(false))));
}

#[test]
fn quiet_says_nothing_when_all_is_well() {
    let mut quiet = Quiet::new(scene(false));
    let at = Duration::ZERO;
    assert_eq!(quiet.event(&finished("flights", Outcome::Pass), at), "");
    let end = Event::RunFinished {
        run: run(),
        passed: 1,
        failed: 0,
        skipped: 0,
        stopped: 0,
        rows: 1,
        bytes: 1,
        seconds: 1.0,
    };
    assert_eq!(quiet.event(&end, at), "");
}

#[test]
fn every_line_of_json_is_an_event() {
    let mut json = Json::new(false);
    for (_, event) in story() {
        let line = json.event(&event, Duration::ZERO);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(value["event"].is_string(), "{line}");
        assert!(
            line.starts_with("{\"time\":\"") && line.ends_with("}\n"),
            "{line}"
        );
        assert_eq!(line.matches('\n').count(), 1, "{line}");
    }
}

#[test]
fn quiet_json_keeps_what_failed_and_the_end() {
    let lines = shown(&mut Json::new(true));
    let kinds: Vec<String> = lines
        .lines()
        .map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            format!("{} {}", value["event"], value["outcome"])
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "\"entity_finished\" \"fail\"",
            "\"entity_finished\" \"skip\"",
            "\"entity_finished\" \"stopped\"",
            "\"run_finished\" null",
        ]
    );
}
