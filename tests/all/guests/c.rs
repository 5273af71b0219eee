//! The guest in C, `tests/guests/c`: a Home and a transform, without WASI.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, TimeUnit};

use super::{content, hygge, said};
use crate::harness::{Content, Project, built};

/// The component. None, loudly, when it couldn't be built.
pub(super) fn component() -> Option<Vec<u8>> {
    Some(std::fs::read(built("c-guest.wasm")?).unwrap())
}

/// A project with a C guest and one flow.
pub(super) fn project(guest: &[u8], flow: &str) -> Project {
    let project = Project::new();
    project.write("plugins/c-guest.wasm", guest);
    project.flow("temperatures", flow);
    project
}

/// What the Home invents.
pub(super) fn rows(rows: Range<i64>) -> Content {
    let stations = rows.clone().map(station);
    table(&rows.clone().collect::<Vec<_>>(), stations, true)
}

/// What is left of it by the transform.
pub(super) fn capitals(rows: Range<i64>) -> Content {
    let kept: Vec<i64> = rows.filter(|row| station(*row).is_some()).collect();
    let stations = kept
        .iter()
        .map(|row| station(*row).map(str::to_ascii_uppercase));
    table(&kept, stations, false)
}

fn station(row: i64) -> Option<&'static str> {
    match (row % 7, row % 3) {
        (3, _) => None,
        (_, 0) => Some("Oslo"),
        (_, 1) => Some("Köln"),
        _ => Some("Graz"),
    }
}

fn table<S: AsRef<str>>(
    rows: &[i64],
    stations: impl Iterator<Item = Option<S>>,
    nullable: bool,
) -> Content {
    let celsius = rows.iter().map(|row| {
        let value = (row % 160) as f64 * 0.25 - 10.0;
        (row % 11 != 5).then_some(value)
    });
    let at = rows
        .iter()
        .map(|row| 1_356_998_400_000_000 + row * 60_000_000);
    let at = TimestampMicrosecondArray::from_iter_values(at).with_timezone("UTC");
    let moment = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let columns: [(_, _, _, ArrayRef); 4] = [
        (
            "id",
            DataType::Int64,
            false,
            Arc::new(Int64Array::from(rows.to_vec())),
        ),
        (
            "station",
            DataType::Utf8,
            nullable,
            Arc::new(stations.collect::<StringArray>()),
        ),
        (
            "celsius",
            DataType::Float64,
            true,
            Arc::new(celsius.collect::<Float64Array>()),
        ),
        ("at", moment, false, Arc::new(at)),
    ];
    content(columns)
}

#[test]
fn it_is_sealed_by_its_compiler_and_imports_nothing_but_the_contract() {
    let Some(guest) = component() else { return };
    let found = hygge_plugins::inspect(&guest).unwrap();
    assert!(found.home && found.transform && !found.store);
    assert_eq!(found.description.unwrap().name, "c-guest");
    for import in found.imports {
        assert!(import.starts_with("hygge:plugin/"), "{import}");
    }
}

#[test]
fn every_type_of_its_home_arrives_from_both_splits() {
    let Some(guest) = component() else { return };
    for count in [0, 1, 1000, 20_000] {
        let flow = format!(
            "home: {{type: c-guest, rows: {count}}}\nstore: {{type: parquet, path: lake}}\n"
        );
        let project = project(&guest, &flow);
        hygge(&project, "start").succeed();
        assert_eq!(project.content("lake"), rows(0..count), "{count} rows");
    }
}

#[test]
fn its_home_is_read_by_a_watermark_that_the_host_cuts_at() {
    let Some(guest) = component() else { return };
    let flow = |rows: i64| {
        format!(
            "home: {{type: c-guest, rows: {rows}, incremental: {{column: at}}}}\n\
             store: {{type: parquet, path: lake}}\n"
        )
    };
    let project = project(&guest, &flow(300));
    hygge(&project, "start").succeed();
    project.flow("temperatures", &flow(500));
    hygge(&project, "start").succeed();
    assert_eq!(project.content("lake"), rows(0..500));
}

#[test]
fn its_transform_changes_and_leaves_out_rows() {
    let Some(guest) = component() else { return };
    let project = project(
        &guest,
        "home: {type: c-guest, rows: 5000}\n\
         transforms: [{type: c-guest, column: station}]\n\
         store: {type: parquet, path: lake}\n",
    );
    hygge(&project, "start").succeed();
    assert_eq!(project.content("lake"), capitals(0..5000));
}

#[test]
fn its_faults_reach_the_person_with_their_advice() {
    let Some(guest) = component() else { return };
    let cases = [
        (
            "home: {type: c-guest, rows: 1000, fail_at: 700}\n",
            ["c-guest: the thermometer is broken", "buy another one"],
        ),
        (
            "home: {type: c-guest, rows: 10}\ntransforms: [{type: c-guest, column: city}]\n",
            ["there is no column city", "temperatures"],
        ),
        (
            "home: {type: c-guest, rows: 10}\ntransforms: [{type: c-guest, column: \"i\\u0064\"}]\n",
            ["column id has no texts", "temperatures"],
        ),
    ];
    for (flow, expected) in cases {
        let flow = format!("{flow}store: {{type: parquet, path: lake}}\n");
        let project = project(&guest, &flow);
        let outcome = hygge(&project, "start").run();
        assert_eq!(outcome.code, Some(1), "{outcome}");
        for text in expected {
            assert!(said(&outcome).contains(text), "{text}: {outcome}");
        }
        assert!(!project.path("lake").exists());
    }
}
