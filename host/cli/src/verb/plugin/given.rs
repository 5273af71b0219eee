//! What a plugin wants, what it is given, and the lines for a person to put the two together.

use std::path::Path;

use hygge_plugins::{Description, Grants, Missing, Wanted};
use serde_json::Value;

use super::Here;
use crate::registry;

/// How what a plugin wants compares with what hygge.yml grants.
pub(super) enum Compared {
    /// It has all that it wants.
    Enough,
    /// It wants more.
    Missing(Missing),
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
    match Grants::read(granted, root, &registry::flows(root), &env) {
        Ok(grants) => match grants.missing(&description.grants, key) {
            Some(missing) => Compared::Missing(missing),
            None => Compared::Enough,
        },
        Err(problems) => Compared::Wrong(problems.first().map_or_else(String::new, |problem| {
            let place = problem.pointer.replace('/', ".");
            format!("plugins.{key}{place}: {}", problem.message)
        })),
    }
}

/// Why a plugin can't have its type, and the way out: hygge or a plugin that is used has it, or
/// `hygge.lock` keeps it for a file that isn't.
pub(super) fn taken(here: &Here, key: &str, description: &Description) -> Option<(String, String)> {
    let name = &description.name;
    let built_in = registry();
    let (_, shelf) = here.shelf();
    let parts = |d: &Description| [d.home.is_some(), d.store.is_some(), d.transform.is_some()];
    let own = [
        built_in.home(name).is_some(),
        built_in.store(name).is_some(),
        built_in.transform(name).is_some(),
    ];
    let others = shelf.plugins.iter().filter(|other| other.key != key);
    let same: Vec<_> = others.filter(|other| other.name == *name).collect();
    let theirs = same.iter().map(|other| {
        let shown = format!("plugins/{}.wasm", other.key);
        (shown, parts(&other.description))
    });
    let wants = parts(description);
    for (by, has) in std::iter::once(("hygge itself".to_owned(), own)).chain(theirs) {
        for (n, what) in ["home", "store", "transform"].into_iter().enumerate() {
            if wants[n] && has[n] {
                return Some((
                    format!("it is a {what} of type `{name}`, and so is {by}"),
                    format!("two can't have the type `{name}`; remove the other first"),
                ));
            }
        }
    }
    let used = |other: &str| same.iter().any(|each| each.key == other);
    let mut locked = here.lock.plugins.iter();
    let (other, _) =
        locked.find(|(other, locked)| *other != key && locked.kind == *name && !used(other))?;
    Some((
        format!("it is of type `{name}`, which hygge.lock keeps for plugins/{other}.wasm"),
        format!("give the type free first: `hygge plugin remove {other}`"),
    ))
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
