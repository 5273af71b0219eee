//! The JSON Schema of a plugin's settings, as it is used. How far it leads was bounded when the
//! description was read.

use hygge_component::Description;
use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

use crate::fault::clean;

/// What settings are looked at with, within what a pattern may take; or why the schema is none.
/// Made once a start for each part of a plugin that is used: it takes a few milliseconds.
pub(crate) fn validator(schema: &Value) -> Result<Validator, String> {
    let patterns = PatternOptions::fancy_regex()
        .size_limit(1 << 20)
        .dfa_size_limit(1 << 20)
        .backtrack_limit(100_000);
    let built = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(patterns)
        .build(schema);
    built.map_err(|error| clean(&error.to_string(), 300))
}

/// Whether the schemas of a description are schemas; else what is wrong.
pub(crate) fn all_valid(description: &Description) -> Result<(), String> {
    let parts = [
        ("home", &description.home),
        ("store", &description.store),
        ("transform", &description.transform),
    ];
    for (what, part) in parts {
        let Some(part) = part else { continue };
        validator(&part.config)
            .map_err(|why| format!("the schema of the settings of its {what} is wrong: {why}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn described(schema: &Value) -> Description {
        let text = json!({
            "describe": 1, "name": "crm", "version": "1.0.0", "home": {"config": schema},
        });
        Description::read(text.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn what_is_no_schema_is_told_to_whoever_adds_it() {
        for wrong in [
            json!({"type": 5}),
            json!({"type": "strin"}),
            json!({"properties": []}),
            json!({"properties": {"a": 5}}),
            json!({"required": "a"}),
            json!({"pattern": 5}),
            json!({"pattern": "("}),
            json!({"minimum": "x"}),
            json!({"minLength": -1}),
            json!({"multipleOf": 0}),
            json!({"enum": 5}),
            json!({"items": 5}),
            json!({"prefixItems": 5}),
            json!({"allOf": 5}),
            json!({"anyOf": []}),
            json!({"$ref": 5}),
            json!({"additionalProperties": 5}),
            json!({"patternProperties": {"(": {}}}),
            json!({"dependentRequired": 5}),
            json!({"if": 5}),
        ] {
            let why = all_valid(&described(&wrong)).unwrap_err();
            assert!(why.contains("of its home is wrong: "), "{why}");
        }
        assert_eq!(all_valid(&described(&json!({"type": "object"}))), Ok(()));
    }
}
