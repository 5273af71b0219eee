//! The five real tables, moved in every format and back.

use std::path::PathBuf;

use crate::harness::{Project, compare, other_reader};

const TABLES: [(&str, u64); 5] = [
    ("airlines", 16),
    ("airports", 1_458),
    ("flights", 336_776),
    ("planes", 3_322),
    ("weather", 26_115),
];

fn project(store: &str) -> Project {
    let project = Project::new();
    for (table, _) in TABLES {
        project.fixture(
            &format!("nycflights13/{table}.parquet"),
            &format!("data/{table}.parquet"),
        );
    }
    project.flow(
        "nyc",
        &format!(
            "entities: [airlines, airports, flights, planes, weather]\n\
             home: {{type: parquet, path: \"data/{{entity}}.parquet\"}}\n\
             store: {{path: \"lake/{{entity}}\", {store}}}\n"
        ),
    );
    project
}

fn equal(project: &Project, folder: &str) {
    let Some(python) = other_reader() else { return };
    let pairs: Vec<(PathBuf, PathBuf)> = TABLES
        .iter()
        .map(|(table, _)| {
            (
                project.path(format!("data/{table}.parquet")),
                project.path(format!("{folder}/{table}")),
            )
        })
        .collect();
    assert_eq!(compare(&python, &pairs), [""; 5]);
}

#[test]
fn parquet_as_it_is() {
    let project = project("type: parquet");
    project.hygge("start").succeed();
    for (table, rows) in TABLES {
        let lake = project.content(&format!("lake/{table}"));
        assert_eq!(lake.rows, rows);
        assert_eq!(lake, project.content(&format!("data/{table}.parquet")));
    }
    equal(&project, "lake");
}

#[test]
fn parquet_decoded_and_encoded() {
    let project = project("type: parquet, rewrite: true, compression: {codec: zstd, level: 1}");
    project.hygge("start").succeed();
    equal(&project, "lake");
}

/// Out to Arrow IPC and back: no type is lost.
#[test]
fn there_and_back() {
    let project = project("type: arrow, compression: lz4");
    project.flow(
        "zback",
        "after: [nyc]\nentities: [airlines, airports, flights, planes, weather]\n\
         home: {type: arrow, path: \"lake/{entity}\"}\n\
         store: {type: parquet, path: \"back/{entity}\"}\n",
    );
    project.hygge("start").succeed();
    equal(&project, "back");
}

/// Out to text and back: rows and columns stay; types are what the text shows.
#[test]
fn text_and_back() {
    for (kind, compression) in [("csv", "none"), ("csv", "gzip"), ("ndjson", "zstd")] {
        let project = project(&format!("type: {kind}, compression: {compression}"));
        project.flow(
            "zback",
            &format!(
                "after: [nyc]\nentities: [airlines, airports, planes]\n\
                 home: {{type: {kind}, path: \"lake/{{entity}}\"}}\n\
                 store: {{type: parquet, path: \"back/{{entity}}\"}}\n"
            ),
        );
        project.hygge("start").succeed();
        for (table, rows) in TABLES {
            if !["flights", "weather"].contains(&table) {
                assert_eq!(
                    project.content(&format!("back/{table}")).rows,
                    rows,
                    "{kind}"
                );
            }
        }
    }
}
