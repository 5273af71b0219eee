//! Lists of typed items: `transforms:` and `checks:`.

use hygge_core::{BuildContext, EntityId, Registry, Settings};
use serde_json::{Value as Json, json};

use crate::check::Check;
use crate::entity::Surroundings;
use crate::node::{Entry, Map, Node, Value};
use crate::placeholder::Placeholders;
use crate::secrecy::Secrets;
use crate::source::At;
use crate::{PlannedItem, Problem, nearest};

/// Whose items a list has.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Listed {
    Transforms,
    Checks,
}

impl Listed {
    /// The list's own key.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Transforms => "transforms",
            Self::Checks => "checks",
        }
    }

    /// One of its items.
    fn word(self) -> &'static str {
        match self {
            Self::Transforms => "transform",
            Self::Checks => "check",
        }
    }

    fn names(self, registry: &Registry) -> Vec<&str> {
        match self {
            Self::Transforms => registry.transforms().map(|kind| kind.name()).collect(),
            Self::Checks => registry.checks().map(|kind| kind.name()).collect(),
        }
    }

    /// Each type there is, with what it does and its settings.
    pub(crate) fn kinds(self, registry: &Registry) -> Vec<(String, String, Json)> {
        let told =
            |name: &str, summary: &str, schema| (name.to_owned(), summary.to_owned(), schema);
        match self {
            Self::Transforms => registry
                .transforms()
                .map(|kind| told(kind.name(), kind.summary(), kind.schema()))
                .collect(),
            Self::Checks => registry
                .checks()
                .map(|kind| told(kind.name(), kind.summary(), kind.schema()))
                .collect(),
        }
    }

    fn schema(self, registry: &Registry, kind: &str) -> Option<Json> {
        match self {
            Self::Transforms => registry.transform(kind).map(|kind| kind.schema()),
            Self::Checks => registry.check(kind).map(|kind| kind.schema()),
        }
    }

    fn plan(
        self,
        registry: &Registry,
        kind: &str,
        settings: &Settings,
        cx: &BuildContext,
    ) -> Option<Result<String, Vec<hygge_core::Problem>>> {
        match self {
            Self::Transforms => Some(registry.transform(kind)?.plan(settings, cx)),
            Self::Checks => Some(registry.check(kind)?.plan(settings, cx)),
        }
    }
}

/// Checks a list of items, as the most specific layer gives it; what is wrong goes to
/// `problems`, and where secrets stand to `secrets`.
pub(crate) fn read(
    listed: Listed,
    written: &Entry,
    id: &EntityId,
    around: &Surroundings<'_>,
    problems: &mut Vec<Problem>,
    secrets: &mut Secrets,
) -> Option<Vec<PlannedItem>> {
    let items = match &written.value.value {
        Value::List(items) => items,
        Value::Null => return Some(Vec::new()),
        Value::Unset(unset) => {
            problems.extend(unset.iter().cloned());
            return None;
        }
        // Said when its file was checked.
        _ => return None,
    };
    all(listed, items, id, around, problems, secrets)
}

/// Checks items one after the other.
pub(crate) fn all(
    listed: Listed,
    items: &[Node],
    id: &EntityId,
    around: &Surroundings<'_>,
    problems: &mut Vec<Problem>,
    secrets: &mut Secrets,
) -> Option<Vec<PlannedItem>> {
    let before = problems.len();
    let mut planned = Vec::new();
    for item in items {
        planned.extend(one(listed, item, id, around, problems, secrets));
    }
    (problems.len() == before).then_some(planned)
}

fn one(
    listed: Listed,
    item: &Node,
    id: &EntityId,
    around: &Surroundings<'_>,
    problems: &mut Vec<Problem>,
    secrets: &mut Secrets,
) -> Option<PlannedItem> {
    let mut node = item.clone();
    let Value::Map(map) = &mut node.value else {
        return None;
    };
    let kind = match kind(listed, map, &item.at, around.registry) {
        Ok(kind) => kind,
        Err(mut wrong) => {
            problems.append(&mut wrong);
            return None;
        }
    };
    let placeholders = Placeholders {
        id,
        today: Some(around.today),
    };
    placeholders.fill(&mut node);
    let mut schema = listed.schema(around.registry, &kind)?;
    // Taken out by now, but still a key that may have been meant.
    if let Some(known) = schema.get_mut("properties").and_then(Json::as_object_mut) {
        known.entry("type").or_insert(json!(true));
    }
    let before = problems.len();
    let what = format!("the {kind} {}", listed.word());
    problems.extend(Check::run(&what, &schema, &mut node, &item.at));
    secrets.note(&node);
    if problems.len() > before {
        return None;
    }
    if let Listed::Checks = listed
        && let Some(problem) = secret_folder(&node, &kind)
    {
        problems.push(problem);
        return None;
    }
    let settings = node.settings();
    match listed.plan(around.registry, &kind, &settings, around.cx)? {
        Ok(describe) => Some(PlannedItem {
            describe,
            kind,
            settings,
        }),
        Err(wrong) => {
            for each in wrong {
                let mut problem = Problem::at(node.find(&each.pointer), each.message);
                problem.advice = each.advice;
                problems.push(problem);
            }
            None
        }
    }
}

/// The history remembers where rows that failed went, for whoever looks and to take them away again.
fn secret_folder(check: &Node, kind: &str) -> Option<Problem> {
    let entry = check.as_map()?.entry("rejects")?;
    let problem = || {
        let message = format!("`rejects` of the {kind} check holds a secret");
        Problem::at(entry.value.place(&entry.at), message).advise(
            "where rows go that fail is shown and remembered in clear; use a variable whose name \
             doesn't look secret",
        )
    };
    (!entry.value.secrets().is_empty()).then(problem)
}

/// Takes the type out of an item.
fn kind(
    listed: Listed,
    map: &mut Map,
    at: &At,
    registry: &Registry,
) -> Result<String, Vec<Problem>> {
    let known = listed.names(registry);
    let word = listed.word();
    let listed = || format!("there are: {}", known.join(", "));
    let Some(entry) = map.take("type") else {
        let problem = Problem::at(at, format!("the {word} needs a `type`"));
        let mut keys = map.entries.iter().map(|entry| entry.key.as_str());
        return Err(vec![match keys.find(|key| known.contains(key)) {
            Some(key) => {
                problem.advise(format!("write `type: {key}`, with its settings beside it"))
            }
            None => problem.advise(listed()),
        }]);
    };
    if let Value::Unset(problems) = &entry.value.value {
        return Err(problems.clone());
    }
    let name = entry.value.as_text().unwrap_or_default();
    if known.contains(&name) {
        return Ok(name.to_owned());
    }
    let message = format!("there is no {word} of type `{name}`");
    let problem = Problem::at(entry.value.place(&entry.at), message);
    Err(vec![match nearest(name, known.iter().copied()) {
        Some(near) => problem.advise(format!("did you mean `{near}`?")),
        None => problem.advise(listed()),
    }])
}
