use hygge_core::{EntityId, Registry, Settings};
use serde_json::{Value as Json, json};

use crate::check::Check;
use crate::entity::Surroundings;
use crate::node::{Entry, Map, Node, Value};
use crate::placeholder::Placeholders;
use crate::secrecy::Secrets;
use crate::source::At;
use crate::{PlannedTransform, Problem, nearest};

/// Checks a list of transforms, as the most specific layer gives it; what is wrong goes to
/// `problems`, and where secrets stand to `secrets`.
pub(crate) fn read(
    written: &Entry,
    id: &EntityId,
    around: &Surroundings<'_>,
    problems: &mut Vec<Problem>,
    secrets: &mut Secrets,
) -> Option<Vec<PlannedTransform>> {
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
    let before = problems.len();
    let mut planned = Vec::new();
    for item in items {
        planned.extend(one(item, id, around, problems, secrets));
    }
    (problems.len() == before).then_some(planned)
}

fn one(
    item: &Node,
    id: &EntityId,
    around: &Surroundings<'_>,
    problems: &mut Vec<Problem>,
    secrets: &mut Secrets,
) -> Option<PlannedTransform> {
    let mut node = item.clone();
    let Value::Map(map) = &mut node.value else {
        return None;
    };
    let kind = match kind(map, &item.at, around.registry) {
        Ok(kind) => kind,
        Err(mut wrong) => {
            problems.append(&mut wrong);
            return None;
        }
    };
    let transform = around.registry.transform(&kind)?;
    let placeholders = Placeholders {
        id,
        today: Some(around.today),
    };
    placeholders.fill(&mut node);
    let mut schema = transform.schema();
    // Taken out by now, but still a key that may have been meant.
    if let Some(known) = schema.get_mut("properties").and_then(Json::as_object_mut) {
        known.entry("type").or_insert(json!(true));
    }
    let before = problems.len();
    let what = format!("the {kind} transform");
    problems.extend(Check::run(&what, &schema, &mut node, &item.at));
    secrets.note(&node);
    if problems.len() > before {
        return None;
    }
    let (json, pointers) = node.json();
    let settings = Settings::new(json, pointers);
    match transform.plan(&settings, around.cx) {
        Ok(describe) => Some(PlannedTransform {
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

/// Takes the type out of an item.
fn kind(map: &mut Map, at: &At, registry: &Registry) -> Result<String, Vec<Problem>> {
    let known: Vec<&str> = registry.transforms().map(|kind| kind.name()).collect();
    let listed = || format!("there are: {}", known.join(", "));
    let Some(entry) = map.take("type") else {
        return Err(vec![
            Problem::at(at, "the transform needs a `type`").advise(listed()),
        ]);
    };
    if let Value::Unset(problems) = &entry.value.value {
        return Err(problems.clone());
    }
    let name = entry.value.as_text().unwrap_or_default();
    if known.contains(&name) {
        return Ok(name.to_owned());
    }
    let message = format!("there is no transform of type `{name}`");
    let problem = Problem::at(entry.value.place(&entry.at), message);
    Err(vec![match nearest(name, known.iter().copied()) {
        Some(near) => problem.advise(format!("did you mean `{near}`?")),
        None => problem.advise(listed()),
    }])
}
