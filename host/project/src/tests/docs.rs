//! docs/configuration.md says what the code does.

use hygge_core::{Action, Capabilities, Mode, Strategy, action};
use serde_json::Value as Json;

use crate::config::{EntityFile, FlowFile, IncrementalConfig, OptionsConfig, ProjectFile};
use crate::schema::of;

const DOCS: &str = include_str!("../../../../docs/configuration.md");

fn word<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(Json::String(text.into())).ok()
}

#[test]
fn the_table_of_actions_is_what_core_decides() {
    let rows: Vec<Vec<&str>> = DOCS
        .lines()
        .filter(|line| line.starts_with("| full |") || line.starts_with("| incremental |"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), 2 * 5, "every mode with every strategy");
    for row in rows {
        let [mode, strategy, first, later, abilities] = row[..] else {
            panic!("{row:?}");
        };
        let mode: Mode = word(mode).unwrap();
        let strategy: Option<Strategy> = word(strategy);
        let abilities: Vec<Action> = abilities.split(", ").filter_map(word).collect();
        for bits in 0..8_u8 {
            let has = |action: Action| match action {
                Action::Replace => bits & 1 > 0,
                Action::Append => bits & 2 > 0,
                Action::Upsert => bits & 4 > 0,
            };
            let store = Capabilities {
                replace: has(Action::Replace),
                append: has(Action::Append),
                upsert: has(Action::Upsert),
                // Which stores follow deletes is no question of the table.
                operations: true,
                single: false,
                encoded: None,
            };
            let decided = [true, false].map(|first| action(mode, strategy, first, &store).ok());
            let expected = if abilities.iter().all(|ability| has(*ability)) {
                [word(first), word(later)]
            } else {
                // Planning asks for both.
                assert!(decided.contains(&None), "{row:?} with {bits:03b}");
                continue;
            };
            assert_eq!(decided, expected, "{row:?} with {bits:03b}");
        }
    }
}

#[test]
fn every_key_is_in_the_docs() {
    let keys = |schema: Json| -> Vec<String> {
        schema["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    };
    let mut all = Vec::new();
    all.extend(
        keys(of::<ProjectFile>())
            .into_iter()
            .filter(|key| key != "options"),
    );
    all.extend(
        keys(of::<OptionsConfig>())
            .into_iter()
            .map(|key| format!("options.{key}")),
    );
    all.extend(keys(of::<FlowFile>()));
    all.extend(keys(of::<IncrementalConfig>()));
    all.extend(crate::config::HOME_KEYS.map(str::to_owned));
    for key in all {
        assert!(DOCS.contains(&format!("\n| `{key}` |")), "{key} has no row");
    }
    for key in keys(of::<EntityFile>()) {
        assert!(DOCS.contains(&format!("`{key}`")), "{key}");
    }
}

#[test]
fn what_the_docs_call_default_is_the_default() {
    let options = crate::Options::default();
    assert!(DOCS.contains(&format!("to 1024. Default: {}.", options.concurrency)));
    assert!(DOCS.contains(&format!("Default: {} MiB.", options.memory >> 20)));
    assert!(DOCS.contains(&format!("may pass. Default: {}.", options.retries)));
}

#[test]
fn the_projects_in_the_docs_are_right() {
    let blocks: Vec<&str> = DOCS.split("```yaml\n").skip(1).collect();
    let block = |index: usize| blocks[index].split("```").next().unwrap();
    let smallest = super::Project::of(block(0)).plan();
    let paths: Vec<String> = smallest
        .entities()
        .map(|e| e.store_plan.describe.clone())
        .collect();
    assert_eq!(
        paths,
        ["parquet data/lake/airlines", "parquet data/lake/flights"]
    );
    let (short, long) = block(1).split_once("\n\n").unwrap();
    let short = super::Project::of("")
        .file("flows/f/flow.yml", short)
        .plan();
    assert_eq!(short.entities().next().unwrap().home.kind, "csv");
    let with_store = |home: &str| {
        let text = format!("{home}\nstore: out\n");
        super::Project::of("")
            .file("flows/f/flow.yml", &text)
            .plan()
    };
    with_store(long);
    // The one before has a real transform; `tests/all/guides.rs` runs it.
    with_store(block(3));
}
