use hygge_core::Registry;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value as Json, json};

use crate::config::{EntityFile, FlowFile, IncrementalConfig, ProjectFile};

/// The kinds of files in a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// hygge.yml
    Project,
    /// flow.yml
    Flow,
    /// entities/<entity>.yml
    Entity,
}

/// The JSON Schema of a kind of file, for completion in editors: made from the same config types
/// and connectors that a run is checked with. It is more lenient in two ways: a file may leave
/// out what another layer gives, and `${VAR}` may stand for any value.
pub fn schema(kind: FileKind, registry: &Registry) -> Json {
    let mut schema = match kind {
        FileKind::Project => of::<ProjectFile>(),
        FileKind::Flow => of::<FlowFile>(),
        FileKind::Entity => of::<EntityFile>(),
    };
    let mut defs = Map::new();
    if let Some(Json::Object(written)) = schema.get_mut("$defs").map(Json::take) {
        defs.extend(written);
    }
    let homes: Vec<_> = registry
        .homes()
        .map(|kind| {
            (
                kind.name().to_owned(),
                kind.summary().to_owned(),
                kind.schema(),
            )
        })
        .collect();
    let stores: Vec<_> = registry
        .stores()
        .map(|kind| {
            (
                kind.name().to_owned(),
                kind.summary().to_owned(),
                kind.schema(),
            )
        })
        .collect();
    let generic = json!({
        "connection": {"type": "string", "description": "A connection of hygge.yml, whose settings lie under these."},
        "incremental": {"$ref": "#/$defs/Incremental"},
        "allow_empty": {"type": "boolean", "description": "Whether a source without files or rows is fine. Default: false."},
    });
    let mut incremental = of::<IncrementalConfig>();
    hoist(&mut incremental, "", &mut defs);
    defs.insert("Incremental".into(), incremental);
    by_type("Home", homes, &generic, &mut defs);
    let generic = json!({
        "connection": generic["connection"],
        "emptied_by_others": {"type": "boolean", "description": "Whether somebody takes away what settled, as from a landing folder: incremental runs then go on when the store is empty. Default: false."},
    });
    by_type("Store", stores, &generic, &mut defs);
    transforms(registry, &mut defs);
    let whole = json!({"$defs": defs.clone()});
    for def in defs.values_mut() {
        admit_variables(def, &whole);
    }
    defs.insert(
        "Variable".into(),
        json!({"type": "string", "pattern": r"\$\{", "description": "An environment variable."}),
    );
    admit_variables(&mut schema, &whole);
    schema["$defs"] = Json::Object(defs);
    schema
}

/// The JSON Schema of a config type, as it is checked.
pub(crate) fn of<T: JsonSchema>() -> Json {
    SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

/// Fills the definition that the config types leave open with the settings of every type.
fn by_type(
    role: &str,
    kinds: Vec<(String, String, Json)>,
    generic: &Json,
    defs: &mut Map<String, Json>,
) {
    let Some(open) = defs.get_mut(role) else {
        return;
    };
    let description = open["description"].take();
    let names: Vec<Json> = kinds
        .iter()
        .map(|(name, summary, _)| json!({"const": name, "description": summary}))
        .collect();
    let mut properties = generic.clone();
    properties["type"] = json!({"oneOf": names, "description": "What it is. Without it, the path's ending says it."});
    let mut choices = Vec::new();
    for (name, _, mut settings) in kinds {
        hoist(&mut settings, &format!("{role}-{name}-"), defs);
        if let Some(object) = settings.as_object_mut() {
            // Another layer may give the rest.
            object.remove("required");
            object.remove("title");
            let known = object.entry("properties").or_insert_with(|| json!({}));
            for key in properties.as_object().into_iter().flat_map(Map::keys) {
                known[key] = Json::Bool(true);
            }
        }
        choices.push(json!({
            "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
            "then": settings,
        }));
    }
    // Without a type there is at least the path to complete.
    choices.push(json!({
        "if": {"not": {"required": ["type"]}},
        "then": {"properties": {"path": {"type": "string", "description": "A file, a folder or a glob; relative to the project."}}},
    }));
    let filled = json!({
        "description": description,
        "anyOf": [
            {"type": "null", "description": "Unsets what a less specific layer says."},
            {"type": "string", "description": "A path; its ending says the type."},
            {"type": "object", "properties": properties, "allOf": choices},
        ],
    });
    defs.insert(role.to_owned(), filled);
}

/// An item of `transforms` has one type and its settings, whole.
fn transforms(registry: &Registry, defs: &mut Map<String, Json>) {
    let Some(description) = defs
        .get("Transform")
        .map(|open| open["description"].clone())
    else {
        return;
    };
    let mut names = Vec::new();
    let mut choices = Vec::new();
    for kind in registry.transforms() {
        let name = kind.name();
        let mut settings = kind.schema();
        hoist(&mut settings, &format!("Transform-{name}-"), defs);
        if let Some(object) = settings.as_object_mut() {
            object.remove("title");
            object.entry("properties").or_insert_with(|| json!({}))["type"] = Json::Bool(true);
        }
        names.push(json!({"const": name, "description": kind.summary()}));
        choices.push(json!({
            "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
            "then": settings,
        }));
    }
    let filled = json!({
        "description": description,
        "type": "object",
        "properties": {"type": {"description": "What it does.", "oneOf": names}},
        "required": ["type"],
        "allOf": choices,
    });
    defs.insert("Transform".to_owned(), filled);
}

/// Moves a schema's own definitions among those of the whole, under names of their own.
fn hoist(schema: &mut Json, prefix: &str, defs: &mut Map<String, Json>) {
    if let Some(object) = schema.as_object_mut() {
        object.remove("$schema");
        let own = object
            .remove("$defs")
            .or_else(|| object.remove("definitions"));
        rename(schema, prefix);
        if let Some(Json::Object(own)) = own {
            for (name, mut def) in own {
                rename(&mut def, prefix);
                defs.insert(format!("{prefix}{name}"), def);
            }
        }
    }
}

fn rename(schema: &mut Json, prefix: &str) {
    match schema {
        Json::Object(object) => {
            for (key, value) in object {
                match value {
                    Json::String(target) if key == "$ref" => {
                        let name = target.rsplit('/').next().unwrap_or_default();
                        *target = format!("#/$defs/{prefix}{name}");
                    }
                    value => rename(value, prefix),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| rename(item, prefix)),
        _ => {}
    }
}

/// Lets a variable stand wherever a number, a yes or no, or one of some words is wanted.
fn admit_variables(schema: &mut Json, root: &Json) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    for (key, value) in object {
        match key.as_str() {
            "properties" => {
                for property in value.as_object_mut().into_iter().flat_map(Map::values_mut) {
                    admit(property, root);
                }
            }
            "items" | "additionalProperties" => admit(value, root),
            "anyOf" | "oneOf" | "allOf" => {
                for each in value.as_array_mut().into_iter().flatten() {
                    admit_variables(each, root);
                }
            }
            "then" => admit_variables(value, root),
            _ => {}
        }
    }
}

fn admit(property: &mut Json, root: &Json) {
    admit_variables(property, root);
    if strict_scalar(property, root) {
        let description = property.get("description").cloned();
        *property = json!({"anyOf": [property.take(), {"$ref": "#/$defs/Variable"}]});
        if let Some(description) = description {
            property["description"] = description;
        }
    }
}

/// Whether a schema takes single values, but not any text.
fn strict_scalar(schema: &Json, root: &Json) -> bool {
    if let Some(target) = schema["$ref"].as_str() {
        let found = target.strip_prefix('#').and_then(|p| root.pointer(p));
        return found.is_some_and(|found| strict_scalar(found, root));
    }
    if schema.get("enum").is_some() || schema.get("const").is_some() {
        return true;
    }
    for alternatives in ["oneOf", "anyOf"] {
        if let Some(branches) = schema[alternatives].as_array() {
            let null = |branch: &Json| branch["type"] == "null";
            return branches
                .iter()
                .filter(|branch| !null(branch))
                .all(|branch| strict_scalar(branch, root));
        }
    }
    let scalar = |kind: &Json| {
        ["integer", "number", "boolean", "null"]
            .iter()
            .any(|s| kind == s)
    };
    match &schema["type"] {
        Json::Array(kinds) => kinds.iter().all(scalar),
        kind => scalar(kind) && kind != "null",
    }
}
