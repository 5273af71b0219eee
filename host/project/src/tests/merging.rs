use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::node::{Map, Node, Value};
use crate::source::Source;
use crate::{merge, variable, yaml};

fn parse(json: &Json) -> Map {
    let source = Source::new("test.yml", json.to_string());
    match yaml::parse(&source).unwrap().value {
        Value::Map(map) => map,
        other => panic!("{other:?}"),
    }
}

fn json_of(map: Map) -> Json {
    let source = Source::new("test.yml", "");
    let at = crate::source::At::start(&source);
    Node::new(Value::Map(map), at).json().0
}

fn laid(under: &Json, over: &Json) -> Json {
    let mut map = parse(under);
    merge::over(&mut map, parse(over));
    json_of(map)
}

/// Maps whose keys always have the same shape: `m…` a map, other keys a scalar.
fn maps() -> impl Strategy<Value = Json> {
    let scalars = prop::collection::btree_map("[a-c]", 0_u8..9, 0..3);
    let inner = prop::collection::btree_map("m[a-b]", scalars.clone(), 0..3);
    (scalars, inner).prop_map(|(flat, inner)| {
        let mut map = serde_json::Map::new();
        map.extend(flat.into_iter().map(|(k, v)| (k, json!(v))));
        map.extend(inner.into_iter().map(|(k, v)| (k, json!(v))));
        map.into()
    })
}

/// Every path to a scalar with its value.
fn leaves(value: &Json, path: &str, out: &mut Vec<(String, Json)>) {
    match value {
        Json::Object(map) => {
            for (key, value) in map {
                leaves(value, &format!("{path}/{key}"), out);
            }
        }
        value => out.push((path.to_owned(), value.clone())),
    }
}

proptest! {
    #[test]
    fn specific_wins_and_nothing_else_is_lost(under in maps(), over in maps()) {
        let both = laid(&under, &over);
        let (mut below, mut above, mut all) = (Vec::new(), Vec::new(), Vec::new());
        leaves(&under, "", &mut below);
        leaves(&over, "", &mut above);
        leaves(&both, "", &mut all);
        for (path, value) in &above {
            prop_assert_eq!(both.pointer(path), Some(value));
        }
        for (path, value) in &below {
            if over.pointer(path).is_none() {
                prop_assert_eq!(both.pointer(path), Some(value));
            }
        }
        for (path, _) in &all {
            prop_assert!(under.pointer(path).is_some() || over.pointer(path).is_some());
        }
    }

    #[test]
    fn layers_may_be_merged_in_any_grouping(a in maps(), b in maps(), c in maps()) {
        prop_assert_eq!(laid(&laid(&a, &b), &c), laid(&a, &laid(&b, &c)));
    }

    #[test]
    fn merging_with_nothing_or_itself_changes_nothing(a in maps()) {
        prop_assert_eq!(&laid(&a, &json!({})), &a);
        prop_assert_eq!(&laid(&json!({}), &a), &a);
        prop_assert_eq!(&laid(&a, &a), &a);
    }

    #[test]
    fn a_variable_stands_for_its_value_wherever_it_is(
        before in "[a-z/ .-]{0,8}", value in "[ -~]{1,12}", after in "[a-z/ .-]{0,8}",
    ) {
        let text = format!("{before}${{V}}{after}");
        let expected = format!("{before}{value}{after}");
        prop_assert_eq!(substituted(&text, &value), Ok(expected));
        let escaped = format!("{before}$${{V}}{after}");
        prop_assert_eq!(substituted(&escaped, &value), Ok(format!("{before}${{V}}{after}")));
        let default = format!("{before}${{NONE:-{after}}}");
        prop_assert_eq!(substituted(&default, &value), Ok(format!("{before}{after}")));
    }

    #[test]
    fn any_text_is_either_read_or_refused(text in "\\PC{0,40}") {
        let _ = yaml::parse(&Source::new("test.yml", text.clone()));
        let _ = substituted(&text, "v");
        let _ = crate::secrecy::hide(&text);
    }
}

/// A project that is right, with a secret in every way that one can be written.
const RIGHT: [(&str, &str); 3] = [
    (
        "hygge.yml",
        "name: x\noptions: {retries: 3, memory: 64 MiB}\nconnections:\n  crm:\n    host: h\n    password: ${DB_PASSWORD}\n    dsn: \"a;${DB_PASSWORD};b\"\n",
    ),
    (
        "flows/f/flow.yml",
        "home: {type: sql, connection: crm, table: \"dbo.{entity}\", incremental: {column: id, lookback: 5m}}\nstore:\n  path: out\n  compression: {codec: zstd, level: 3}\nentities:\n  - a\n  - name: b\n    mode: full\n",
    ),
    ("flows/f/entities/c.yml", "store: {row_group_rows: 5}\n"),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// A slip of the keyboard anywhere is read or refused, and shows no secret either way.
    #[test]
    fn a_slip_is_read_or_refused_and_shows_no_secret(
        file in 0_usize..3, at in 0.0..1.0_f64, cut in 0_usize..3, typed in "[a-z{}\\[\\]:,#&*!|>'\"% \n\t$~-]{0,2}",
    ) {
        let mut project = super::Project::default().env("DB_PASSWORD", "hunter2");
        for (index, (name, text)) in RIGHT.iter().enumerate() {
            let mut chars: Vec<char> = text.chars().collect();
            if index == file {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in a short text")]
                let start = (at * chars.len() as f64) as usize;
                let end = (start + cut).min(chars.len());
                chars.splice(start..end, typed.chars());
            }
            project = project.file(name, &chars.into_iter().collect::<String>());
        }
        let said = match project.load() {
            Ok(plan) => plan
                .entities()
                .map(|e| {
                    let (home, store) = (&e.home_plan.describe, &e.store_plan.describe);
                    format!("{home} {store} {:?} {:?}\n", e.home, e.store)
                })
                .collect(),
            Err(problems) => {
                prop_assert!(!problems.0.is_empty());
                problems.to_string()
            }
        };
        prop_assert!(!said.contains("hunter2"), "{}", said);
    }
}

fn substituted(text: &str, value: &str) -> Result<String, String> {
    let source = Source::new("test.yml", text);
    let mut node = Node::text(text, crate::source::At::start(&source));
    let mut problems = Vec::new();
    let lookup = |name: &str| (name == "V").then(|| value.to_owned());
    variable::substitute(&mut node, &lookup, &mut problems);
    match (node.as_text(), problems.pop()) {
        (Some(text), None) => Ok(text.to_owned()),
        (_, problem) => Err(format!("{problem:?}")),
    }
}
