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
