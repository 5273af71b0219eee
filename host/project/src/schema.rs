use hygge_core::{OnSchemaChange, Registry};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value as Json, json};

use crate::config::{EntityFile, FlowFile, IncrementalConfig, ProjectFile};
use crate::listed::Listed;
use crate::polish::PolishConfig;

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
    let mut on_schema_change = of::<OnSchemaChange>();
    on_schema_change["description"] = json!(
        "What happens when other columns come than in the last run, or than the destination has. Default: warn."
    );
    if let Some(schema) = on_schema_change.as_object_mut() {
        schema.retain(|key, _| !matches!(key.as_str(), "$schema" | "title"));
    }
    let generic = json!({
        "connection": generic["connection"],
        "emptied_by_others": {"type": "boolean", "description": "Whether somebody takes away what settled, as from a landing folder: incremental runs then go on when the store is empty. Default: false."},
        "on_schema_change": on_schema_change,
        "polish": {"$ref": "#/$defs/Polish"},
    });
    let mut polish = of::<PolishConfig>();
    hoist(&mut polish, "Polish-", &mut defs);
    defs.insert("Polish".into(), polish);
    by_type("Store", stores, &generic, &mut defs);
    items("Transform", Listed::Transforms.kinds(registry), &mut defs);
    items("Check", Listed::Checks.kinds(registry), &mut defs);
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
    let mut untyped = Untyped::default();
    for (name, _, mut settings) in kinds {
        hoist(&mut settings, &format!("{role}-{name}-"), defs);
        if let Some(object) = settings.as_object_mut() {
            // Another layer may give the rest.
            object.remove("required");
            object.remove("title");
            untyped.add(object);
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
    choices.push(json!({
        "if": {"not": {"required": ["type"]}},
        "then": untyped.settings(properties.as_object().into_iter().flat_map(Map::keys)),
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

/// What may stand where no type is given: another layer or the path's ending says it, so a key of
/// any type may be right, and a key of none is a slip.
#[derive(Default)]
struct Untyped {
    keys: Map<String, Json>,
    /// A type takes keys that it doesn't name.
    open: bool,
}

impl Untyped {
    fn add(&mut self, settings: &Map<String, Json>) {
        self.open |= settings.get("additionalProperties") != Some(&Json::Bool(false));
        let properties = settings.get("properties").and_then(Json::as_object);
        for (key, property) in properties.into_iter().flatten() {
            let forms = self.keys.entry(key).or_insert_with(|| json!([]));
            if let Some(forms) = forms.as_array_mut()
                && !forms.contains(property)
            {
                forms.push(property.clone());
            }
        }
    }

    fn settings<'a>(self, generic: impl Iterator<Item = &'a String>) -> Json {
        let mut properties = Map::new();
        for (key, forms) in self.keys {
            let property = match forms.as_array().map(Vec::as_slice) {
                Some([only]) => only.clone(),
                _ => json!({"anyOf": forms}),
            };
            properties.insert(key, property);
        }
        for key in generic {
            properties.insert(key.clone(), Json::Bool(true));
        }
        json!({"properties": properties, "additionalProperties": self.open})
    }
}

/// An item of a list has one type and its settings, whole.
fn items(item: &str, kinds: Vec<(String, String, Json)>, defs: &mut Map<String, Json>) {
    let Some(description) = defs.get(item).map(|open| open["description"].clone()) else {
        return;
    };
    let mut names = Vec::new();
    let mut choices = Vec::new();
    if kinds.is_empty() {
        // JSON Schema takes no empty list of choices.
        defs.insert(
            item.to_owned(),
            json!({"description": description, "not": {}}),
        );
        return;
    }
    for (name, summary, mut settings) in kinds {
        hoist(&mut settings, &format!("{item}-{name}-"), defs);
        if let Some(object) = settings.as_object_mut() {
            object.remove("title");
            object.entry("properties").or_insert_with(|| json!({}))["type"] = Json::Bool(true);
        }
        names.push(json!({"const": name, "description": summary}));
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
    defs.insert(item.to_owned(), filled);
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

/// Lets a variable stand wherever a single value is wanted that isn't just any text.
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
    if single(property, root) && !any_text(property, root) {
        let description = property.get("description").cloned();
        *property = json!({"anyOf": [property.take(), {"$ref": "#/$defs/Variable"}]});
        if let Some(description) = description {
            property["description"] = description;
        }
    }
}

/// The alternatives of a schema, or what it refers to.
fn branches<'a>(schema: &'a Json, root: &'a Json) -> Option<Vec<&'a Json>> {
    if let Some(target) = schema["$ref"].as_str() {
        let found = target.strip_prefix('#').and_then(|p| root.pointer(p))?;
        return Some(vec![found]);
    }
    let all = ["oneOf", "anyOf"]
        .iter()
        .find_map(|key| schema[*key].as_array());
    all.map(|all| all.iter().collect())
}

/// Whether a schema takes single values at all: a variable can't stand for a list or a map.
fn single(schema: &Json, root: &Json) -> bool {
    if let Some(branches) = branches(schema, root) {
        return branches.iter().any(|branch| single(branch, root));
    }
    schema.get("enum").is_some()
        || schema.get("const").is_some_and(|value| !value.is_null())
        || kinds(schema)
            .iter()
            .any(|kind| ["string", "integer", "number", "boolean"].contains(kind))
}

/// Whether a schema takes any text, so also one with a variable in it.
fn any_text(schema: &Json, root: &Json) -> bool {
    if let Some(branches) = branches(schema, root) {
        return branches.iter().any(|branch| any_text(branch, root));
    }
    let narrow = ["enum", "const", "pattern", "minLength", "maxLength"];
    schema == &Json::Bool(true)
        || kinds(schema).contains(&"string") && narrow.iter().all(|key| schema.get(key).is_none())
}

fn kinds(schema: &Json) -> Vec<&str> {
    match &schema["type"] {
        Json::Array(kinds) => kinds.iter().filter_map(Json::as_str).collect(),
        Json::String(kind) => vec![kind.as_str()],
        _ => Vec::new(),
    }
}
