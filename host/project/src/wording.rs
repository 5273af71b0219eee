//! How a check speaks: to someone who never heard of JSON Schema, and never of a secret.

use serde_json::Value as Json;

use crate::check::is;
use crate::node::{Node, Value};
use crate::source::At;
use crate::{Problem, yaml};

/// A problem with a value, which isn't shown when it is secret.
pub(crate) fn about(node: &Node, key: &At, message: String) -> Problem {
    let mut problem = Problem::at(node.place(key), message);
    if node.secret {
        problem.mask(&node.at);
    }
    problem
}

/// `, not "three"`; nothing for a value that is secret.
pub(crate) fn not(node: &Node) -> String {
    let shown = match &node.value {
        Value::Null => "empty".to_owned(),
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) => "a map".to_owned(),
        _ if node.secret => return String::new(),
        Value::Unset(_) => return String::new(),
        Value::Bool(_, text) | Value::Number(_, text) => text.clone(),
        Value::Text { text, .. } if text.chars().count() > 40 => "this text".to_owned(),
        Value::Text { text, .. } => format!("{text:?}"),
    };
    format!(", not {shown}")
}

/// What YAML makes of what was probably meant; `of_texts` when a list would be one of texts.
pub(crate) fn slip(node: &Node, types: &[&str], of_texts: bool) -> Option<String> {
    match &node.value {
        Value::Map(map) if types.contains(&"string") => match map.entries.as_slice() {
            [only] if only.value.is_null() => {
                Some(format!("put quotes around it: \"{{{}}}\"", only.key))
            }
            _ => None,
        },
        Value::Text { text, .. } if !node.secret => {
            let typed = Node::new(yaml::plain(text), node.at.clone());
            let word = text.to_ascii_lowercase();
            if types.contains(&"array") && of_texts && !text.is_empty() {
                Some(format!("write `[{text}]`"))
            } else if types.iter().any(|t| is(&typed, t)) {
                Some("take the quotes away".to_owned())
            } else if !types.contains(&"boolean") {
                None
            } else if ["yes", "on", "y", "t"].contains(&word.as_str()) {
                Some("write `true`".to_owned())
            } else {
                ["no", "off", "n", "f"]
                    .contains(&word.as_str())
                    .then(|| "write `false`".to_owned())
            }
        }
        _ => None,
    }
}

pub(crate) fn in_words(kind: &str) -> Option<&'static str> {
    match kind {
        "string" => Some("a text"),
        "integer" => Some("a whole number"),
        "number" => Some("a number"),
        "boolean" => Some("true or false"),
        "array" => Some("a list"),
        "object" => Some("a map"),
        _ => None,
    }
}

pub(crate) fn whole(number: &Json) -> String {
    match number.as_f64() {
        Some(value) if value.fract() == 0.0 => format!("{value:.0}"),
        _ => number.to_string(),
    }
}

pub(crate) fn or(words: &[&str]) -> String {
    match words {
        [] => "something else".to_owned(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}
