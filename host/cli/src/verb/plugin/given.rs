//! What a plugin wants, what it is given, and the lines for a person to put the two together.

use std::path::Path;

use hygge_plugins::{Description, Grants, Wanted};
use serde_json::Value;

/// How what a plugin wants compares with what hygge.yml grants.
pub(super) enum Compared {
    /// It has all that it wants.
    Enough,
    /// These lines are to be added.
    Missing(String),
    /// What is written can't be read.
    Wrong(String),
}

pub(super) fn compare(
    description: &Description,
    key: &str,
    granted: &Value,
    root: &Path,
) -> Compared {
    let env = |name: &str| std::env::var(name).ok();
    match Grants::read(granted, root, &crate::registry::flows(root), &env) {
        Ok(grants) => match grants.missing(&description.grants, key) {
            Some(lines) => Compared::Missing(lines),
            None => Compared::Enough,
        },
        Err(problems) => Compared::Wrong(problems.first().map_or_else(String::new, |problem| {
            let place = problem.pointer.replace('/', ".");
            format!("plugins.{key}{place}: {}", problem.message)
        })),
    }
}

/// What is granted, without limits; null when that is nothing.
pub(super) fn beyond_limits(granted: Option<&Value>) -> Value {
    let mut given = granted.cloned().unwrap_or(Value::Null);
    if let Some(map) = given.as_object_mut() {
        map.remove("limits");
        map.retain(|_, value| !value.is_null());
        if map.is_empty() {
            return Value::Null;
        }
    }
    given
}

/// `http, secrets`.
pub(super) fn kinds(given: &Value) -> String {
    let keys = given.as_object().into_iter().flat_map(|map| map.keys());
    dash(keys.cloned().collect::<Vec<_>>().join(", "))
}

/// As [`kinds`], of what is wanted.
pub(super) fn wanted_kinds(wanted: &Wanted) -> String {
    let kinds = [
        ("http", !wanted.http.is_empty()),
        ("secrets", !wanted.secrets.is_empty()),
        ("read", !wanted.read.is_empty()),
        ("write", !wanted.write.is_empty()),
        ("env", !wanted.env.is_empty()),
    ];
    let kinds = kinds.iter().filter(|(_, is)| *is).map(|(kind, _)| *kind);
    dash(kinds.collect::<Vec<_>>().join(", "))
}

fn dash(text: String) -> String {
    match text.is_empty() {
        true => "-".to_owned(),
        false => text,
    }
}
