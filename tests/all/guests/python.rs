//! The guest in Python, `tests/guests/python`: a Home that uses the state, and a Store in files.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use arrow_array::{ArrayRef, BooleanArray, Date32Array, Float32Array, Int64Array, StringArray};
use arrow_schema::DataType;
use serde_json::{Value, json};

use super::{content, hygge};
use crate::harness::{Content, Project, built};

/// The component, sealed, as its compiler can't do that. None, loudly, when it couldn't be built.
pub(crate) fn component() -> Option<&'static [u8]> {
    static COMPONENT: LazyLock<Option<Vec<u8>>> = LazyLock::new(|| {
        let component = std::fs::read(built("python.wasm")?).unwrap();
        let text = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/python/describe.json");
        let guest = hygge_plugins::seal(&component, &std::fs::read(text).unwrap()).unwrap();
        // Compiled by one test, not by all at once.
        let once = project(
            &guest,
            "home: {type: python-guest, days: 1}\nstore: {type: python-guest, folder: out}\n",
        );
        hygge(&once, "debug").succeed();
        Some(guest)
    });
    COMPONENT.as_deref()
}

/// A project with the guest, trusted to write into `out`, and one flow.
fn project(guest: &[u8], flow: &str) -> Project {
    let project = Project::new();
    project.write(
        "hygge.yml",
        "name: test\nplugins: {python-guest: {write: [out]}}\n",
    );
    let digest = hygge_plugins::Digest::of(guest);
    let locked = json!({"digest": digest.as_str(), "type": "python-guest", "version": "0.1.0"});
    let lock = json!({"version": 1, "plugins": {"python-guest": locked}});
    project.write("hygge.lock", lock.to_string());
    project.write("plugins/python-guest.wasm", guest);
    std::fs::create_dir(project.path("out")).unwrap();
    project.flow("days", flow);
    project
}

/// What the Home invents in a run.
fn days(run: i64, count: i32) -> Content {
    const NOTES: [Option<&str>; 7] = [
        Some("Monday ☕"),
        None,
        Some(""),
        Some("Thursday"),
        None,
        Some("Saturday"),
        Some("Sunday"),
    ];
    let days = 0..count;
    let notes = (0..7).cycle().take(days.len()).map(|day| NOTES[day]);
    let free = days
        .clone()
        .map(|day| (day % 5 != 4).then_some(day % 7 > 4));
    let hours = days
        .clone()
        .map(|day| (day % 11 != 10).then_some((day % 24) as f32 / 2.0));
    let run = Int64Array::from(vec![run; days.len()]);
    let columns: [(_, _, _, ArrayRef); 5] = [
        (
            "day",
            DataType::Date32,
            false,
            Arc::new(Date32Array::from_iter_values(days)),
        ),
        ("run", DataType::Int64, false, Arc::new(run)),
        (
            "note",
            DataType::Utf8,
            true,
            Arc::new(notes.collect::<StringArray>()),
        ),
        (
            "free",
            DataType::Boolean,
            true,
            Arc::new(free.collect::<BooleanArray>()),
        ),
        (
            "hours",
            DataType::Float32,
            true,
            Arc::new(hours.collect::<Float32Array>()),
        ),
    ];
    content(columns)
}

/// What the Store holds: the values of a column, in the files that count. No other may be there.
fn stored(project: &Project, column: &str) -> Vec<i64> {
    let read = |path: &str| std::fs::read_to_string(project.path(path)).unwrap();
    let current: Value = serde_json::from_str(&read("out/current.json")).unwrap();
    let files = current["files"].as_array().unwrap();
    let files: BTreeSet<&str> = files.iter().map(|file| file.as_str().unwrap()).collect();
    let staged = std::fs::read_dir(project.path("out/stage")).unwrap();
    assert_eq!(staged.count(), 0, "something was left");
    let there = std::fs::read_dir(project.path("out/rows")).unwrap();
    assert_eq!(there.count(), files.len(), "files that don't count");
    let mut values: Vec<i64> = files
        .iter()
        .flat_map(|file| {
            let rows = read(&format!("out/rows/{file}"));
            let value = |line| serde_json::from_str::<Value>(line).unwrap()[column].as_i64();
            rows.lines()
                .map(|line| value(line).unwrap())
                .collect::<Vec<_>>()
        })
        .collect();
    values.sort_unstable();
    values
}

#[test]
fn its_home_gives_every_type_and_remembers_in_the_state() {
    let Some(guest) = component() else { return };
    let project = project(
        guest,
        "home: {type: python-guest, days: 2500}\nstore: {type: parquet, path: lake}\n",
    );
    for run in 1..=2 {
        hygge(&project, "start").succeed();
        assert_eq!(project.content("lake"), days(run, 2500));
    }
}

#[test]
fn its_store_replaces_what_stood_there() {
    let Some(guest) = component() else { return };
    let flow = |days: i64| {
        format!(
            "home: {{type: python-guest, days: {days}}}\n\
             store: {{type: python-guest, folder: out}}\n"
        )
    };
    let project = project(guest, &flow(2500));
    for count in [2500, 700, 0] {
        project.flow("days", &flow(count));
        hygge(&project, "start").succeed();
        assert_eq!(stored(&project, "day"), (0..count).collect::<Vec<_>>());
    }
}

#[test]
fn its_store_holds_each_row_once_after_a_kill_at_the_commit() {
    let Some(guest) = component() else { return };
    for point in ["intent.stored", "store.committed"] {
        let project = project(
            guest,
            "home: {type: python-guest, days: 1500}\nstore: {type: python-guest, folder: out}\n",
        );
        let killed = hygge(&project, "start")
            .failpoints(&format!("{point}=kill"))
            .run();
        assert!(killed.was_killed(), "{point}: {killed}");
        hygge(&project, "start").succeed();
        assert_eq!(
            stored(&project, "day"),
            (0..1500).collect::<Vec<_>>(),
            "{point}"
        );
    }
}

#[test]
fn rows_of_the_c_guest_are_appended_to_it_by_their_watermark() {
    let (Some(guest), Some(home)) = (component(), super::c::component()) else {
        return;
    };
    let flow = |rows: i64| {
        format!(
            "home: {{type: c-guest, rows: {rows}, incremental: {{column: id}}}}\n\
             store: {{type: python-guest, folder: out}}\n"
        )
    };
    let project = project(guest, &flow(1000));
    project.write("plugins/c-guest.wasm", home);
    for count in [1000, 1500] {
        project.flow("days", &flow(count));
        hygge(&project, "start").succeed();
        assert_eq!(stored(&project, "id"), (0..count).collect::<Vec<_>>());
    }
}

#[test]
fn people_are_told_what_was_looked_at() {
    let Some(guest) = component() else { return };
    let project = project(
        guest,
        "home: {type: python-guest, days: 7}\nstore: {type: python-guest, folder: out/new}\n",
    );
    let outcome = hygge(&project, "debug").succeed();
    for text in ["7 days can be invented", "out/new can be written"] {
        assert!(outcome.stdout.contains(text), "{text}: {outcome}");
    }
    assert!(project.path("out").read_dir().unwrap().next().is_none());
}
