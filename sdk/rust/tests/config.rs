//! What the schema of settings says is what serde does.

#![expect(clippy::unwrap_used, reason = "all of it is tests")]

use std::collections::BTreeMap;

use hygge_sdk::{
    Batches, Config, Entity, Grants, Home, Result, Secret, Split, SplitPlan, SplitRequest,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Settings with
/// "everything" in them.
///
/// A second paragraph.
#[derive(Debug, Deserialize, Config)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "only read from JSON")]
struct Everything {
    /// A text.
    plain_text: String,
    #[serde(rename = "renamed!")]
    other: Option<i16>,
    #[serde(default)]
    numbers: Vec<u8>,
    #[serde(default = "seven")]
    float: f64,
    map: BTreeMap<String, Option<bool>>,
    word: Option<Word>,
    one: Vec<One>,
    secret: Option<Secret>,
    any: Value,
    #[serde(skip)]
    skipped: u64,
}

fn seven() -> f64 {
    7.0
}

#[derive(Debug, Deserialize, Config)]
#[serde(rename_all = "snake_case")]
enum Word {
    /// The first.
    FirstOne,
    Second,
    #[serde(rename = "3rd")]
    Third,
}

#[derive(Debug, Deserialize, Config)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
#[expect(dead_code, reason = "only read from JSON")]
enum One {
    Empty {},
    Sized { size: u64, open: Option<Open> },
}

#[derive(Debug, Default, Deserialize, Config)]
#[serde(default)]
struct Open {
    a: i64,
    b: u32,
}

impl Home for Everything {
    type Reader = Batches;
    fn splits(&self, _: &Entity, _: &SplitRequest) -> Result<SplitPlan> {
        unreachable!("only described")
    }
    fn open(&self, _: &Entity, _: &Split, _: Option<&str>) -> Result<Batches> {
        unreachable!("only described")
    }
}

hygge_sdk::export! {
    name: "everything",
    summary: "Quotes \" and \\ and\nlines\u{1} and ü",
    grants: Grants {
        http: &["https://a.example", "https://b.example"],
        secrets: &[("TOKEN", "a.example")],
        env: &["LANG"],
        ..Grants::NONE
    },
    delivery: "at-least-once",
    home: Everything,
}

fn description() -> Value {
    serde_json::from_str(HYGGE_DESCRIPTION).unwrap()
}

/// Whether a value is as a schema says: the part of JSON Schema that the SDK writes.
fn valid(schema: &Value, value: &Value) -> bool {
    let kinds = match &schema["type"] {
        Value::Null => Vec::new(),
        Value::String(one) => vec![one.as_str()],
        many => many
            .as_array()
            .unwrap()
            .iter()
            .map(|kind| kind.as_str().unwrap())
            .collect(),
    };
    let is = |kind: &&str| match *kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type"),
    };
    if !kinds.is_empty() && !kinds.iter().any(is) {
        return false;
    }
    if let Some(word) = schema.get("const") {
        return word == value;
    }
    if let Some(all) = schema["oneOf"].as_array() {
        return all.iter().filter(|each| valid(each, value)).count() == 1;
    }
    if let (Some(number), Some(least)) = (value.as_f64(), schema["minimum"].as_f64())
        && (number < least || number > schema["maximum"].as_f64().unwrap())
    {
        return false;
    }
    if let (Some(items), Some(schema)) = (value.as_array(), schema.get("items")) {
        return items.iter().all(|item| valid(schema, item));
    }
    let Some(object) = value.as_object() else {
        return true;
    };
    let none = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
    required
        .iter()
        .all(|name| object.contains_key(name.as_str().unwrap()))
        && object.iter().all(|(name, value)| {
            match (properties.get(name), &schema["additionalProperties"]) {
                (Some(schema), _) => valid(schema, value),
                (None, Value::Null) => true,
                (None, Value::Bool(open)) => *open,
                (None, schema) => valid(schema, value),
            }
        })
}

/// Values that are often right and often just beside it.
fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop::sample::select(vec![0_i64, 7, -1, 255, 256, 40_000, i64::MAX]).prop_map(Value::from),
        Just(json!(u64::MAX)),
        Just(json!(1.5)),
        prop::sample::select(vec![
            "first_one",
            "second",
            "3rd",
            "third",
            "empty",
            "sized",
            "x"
        ])
        .prop_map(Value::from),
    ]
}

fn one() -> impl Strategy<Value = Value> {
    let keys = prop::sample::select(vec!["kind", "size", "open", "other"]).prop_map(str::to_owned);
    let open = btree_map(
        prop::sample::select(vec!["a".to_owned(), "b".into(), "c".into()]),
        leaf(),
        0..3,
    );
    let kinds = prop::sample::select(vec![
        json!({"kind": "empty"}),
        json!({"kind": "sized", "size": 1}),
        json!({}),
    ]);
    (
        kinds,
        btree_map(
            keys,
            prop_oneof![leaf(), open.prop_map(|all| json!(all))],
            0..2,
        ),
    )
        .prop_map(|(mut one, more)| {
            one.as_object_mut().unwrap().extend(more);
            one
        })
}

fn settings() -> impl Strategy<Value = Value> {
    let names = [
        "plain-text",
        "renamed!",
        "numbers",
        "float",
        "map",
        "word",
        "one",
        "secret",
        "any",
        "skipped",
        "other",
    ];
    let right = json!({"plain-text": "x", "map": {}, "one": [], "any": 1});
    let value = prop_oneof![
        4 => leaf(),
        1 => vec(leaf(), 0..3).prop_map(Value::from),
        1 => vec(one(), 0..3).prop_map(Value::from),
        1 => btree_map("[a-b]", leaf(), 0..3).prop_map(|all| json!(all)),
    ];
    let changes = vec(
        (
            prop::sample::select(names.to_vec()),
            prop::option::weighted(0.9, value),
        ),
        0..4,
    );
    changes.prop_map(move |changes| {
        let mut settings = right.clone();
        for (name, value) in changes {
            let all = settings.as_object_mut().unwrap();
            match value {
                Some(value) => all.insert(name.to_owned(), value),
                None => all.remove(name),
            };
        }
        settings
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn the_schema_takes_what_serde_takes(settings in settings()) {
        let description = description();
        let by_schema = valid(&description["home"]["config"], &settings);
        let by_serde = serde_json::from_value::<Everything>(settings.clone());
        prop_assert_eq!(by_schema, by_serde.is_ok(), "{}: {:?}", settings, by_serde);
    }
}

#[test]
fn the_description_is_json_with_all_that_was_said() {
    let description = description();
    assert_eq!(description["describe"], 1);
    assert_eq!(description["name"], "everything");
    assert_eq!(description["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        description["summary"],
        "Quotes \" and \\ and\nlines\u{1} and ü"
    );
    assert_eq!(description["delivery"], "at-least-once");
    assert_eq!(
        description["grants"],
        json!({
            "http": ["https://a.example", "https://b.example"],
            "secrets": {"TOKEN": "a.example"},
            "env": ["LANG"],
        })
    );
    let properties = &description["home"]["config"]["properties"];
    assert_eq!(properties["plain-text"]["description"], "A text.");
    assert_eq!(
        properties["secret"],
        json!({"type": ["string", "null"], "format": "password"})
    );
    assert_eq!(
        properties["word"]["oneOf"][0],
        json!({"const": "first_one", "description": "The first."})
    );
    assert_eq!(properties.get("skipped"), None);
}
