use serde_json::{Value as Json, json};

use super::kinds;
use crate::{FileKind, schema};

const KINDS: [FileKind; 3] = [FileKind::Project, FileKind::Flow, FileKind::Entity];

fn each(value: &Json, visit: &mut dyn FnMut(&Json)) {
    visit(value);
    match value {
        Json::Object(map) => map.values().for_each(|value| each(value, visit)),
        Json::Array(items) => items.iter().for_each(|value| each(value, visit)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    for kind in KINDS {
        let whole = schema(kind, &kinds::registry());
        let mut found = 0;
        each(&whole, &mut |part| {
            if let Some(target) = part["$ref"].as_str() {
                let pointer = target.strip_prefix('#').unwrap();
                assert!(whole.pointer(pointer).is_some(), "{kind:?} {target}");
                found += 1;
            }
        });
        assert!(found > 5, "{kind:?}");
    }
}

#[test]
fn a_home_knows_the_settings_of_each_type() {
    let flow = schema(FileKind::Flow, &kinds::registry());
    let choices = flow.pointer("/$defs/Home/anyOf/2/allOf").unwrap();
    let of = |name: &str| {
        let mut all = choices.as_array().unwrap().iter();
        let found = all.find(|choice| choice["if"]["properties"]["type"]["const"] == name);
        found.unwrap()["then"].clone()
    };
    assert!(of("csv")["properties"]["delimiter"].is_object());
    assert!(of("sql")["properties"]["delimiter"].is_null());
    assert_eq!(of("sql")["additionalProperties"], false);
    assert!(of("sql")["required"].is_null(), "a layer may be incomplete");
    assert!(flow.pointer("/$defs/Store-parquet-Codec").is_some());
}

#[test]
fn a_variable_may_stand_for_anything() {
    let project = schema(FileKind::Project, &kinds::registry());
    let options = project.pointer("/$defs/OptionsConfig/properties").unwrap();
    let admitted = |key: &str| options[key]["anyOf"][1]["$ref"] == "#/$defs/Variable";
    assert!(admitted("concurrency") && admitted("retries") && admitted("on_error"));
    // A text already admits it.
    assert!(!admitted("memory"));
}

#[test]
fn everything_is_described() {
    for kind in KINDS {
        let whole = schema(kind, &kinds::registry());
        for (name, property) in whole["properties"].as_object().unwrap() {
            assert!(property["description"].is_string(), "{kind:?} {name}");
        }
    }
}

/// What an editor says of a flow.yml.
#[test]
fn an_editor_and_a_run_agree() {
    let schema = schema(FileKind::Flow, &kinds::registry());
    let editor = jsonschema::validator_for(&schema).unwrap();
    for right in [
        json!({"home": "in", "store": "out"}),
        json!({"home": {"path": "x.csv", "delimiter": ";"}}),
        json!({"home": {"type": "csv", "path": "x", "delimiter": "${D}"}}),
        json!({"home": {"path": "x", "delimiter": "${D}", "header": "${H}"}}),
        json!({"home": {"connection": "c", "table": "t", "port": "${PORT}"}}),
        json!({"store": {"path": "out", "compression": "${C}", "row_group_rows": "${N}"}}),
        json!({"store": {"type": "parquet", "path": "o", "compression": "${C}"}}),
        json!({"store": {"path": "out", "compression": {"codec": "${C}", "level": "${L}"}}}),
        json!({"home": {"path": "x", "incremental": {"column": "a", "strategy": "${S}"}}}),
        json!({"mode": "${M}", "after": "${A}", "entities": ["a", {"name": "b"}]}),
        json!({"transforms": [{"type": "mask", "columns": ["${C}"]}]}),
    ] {
        let wrong: Vec<String> = editor.iter_errors(&right).map(|e| e.to_string()).collect();
        assert!(wrong.is_empty(), "{right}: {wrong:#?}");
    }
    for wrong in [
        json!({"home": {"path": "x.csv", "tpye": "csv"}}),
        json!({"home": {"path": "x", "delimitr": ";"}}),
        json!({"home": {"path": "x", "delimiter": "ab"}}),
        json!({"store": {"path": "o", "row_group_rows": -5}}),
        json!({"store": {"path": "o", "compression": "zst"}}),
        json!({"store": {"type": "parquet", "path": "o", "compression": "zst"}}),
        json!({"home": {"type": "csv", "path": "x", "tabel": "t"}}),
        json!({"home": {"path": "x", "incremental": {"column": "a", "strategy": "apend"}}}),
    ] {
        assert!(!editor.is_valid(&wrong), "{wrong}");
    }
}
