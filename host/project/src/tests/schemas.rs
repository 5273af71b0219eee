use serde_json::Value as Json;

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
