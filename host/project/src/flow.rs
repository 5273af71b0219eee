use hygge_core::EntityId;
use serde_json::Value as Json;

use crate::Problem;
use crate::check::Check;
use crate::config::{EntityFile, FlowFile};
use crate::discover::{File, FlowFolder};
use crate::merge;
use crate::node::{Entry, Map, Node, Value};
use crate::schema::of;
use crate::source::At;
use crate::variable::{Lookup, substitute};

/// A flow as it is written, each file checked on its own.
#[derive(Debug)]
pub(crate) struct WrittenFlow {
    pub(crate) name: String,
    /// Where it begins.
    pub(crate) at: At,
    /// None when its file can't be read.
    pub(crate) node: Option<Node>,
    /// By name.
    pub(crate) entities: Vec<WrittenEntity>,
    /// Something is wrong with a file of it, so what seems to be missing may only be misspelt.
    pub(crate) doubtful: bool,
    /// Its entities are those that a wildcard finds: however many these are, they are several.
    pub(crate) wild: bool,
}

/// An entity as it is written.
#[derive(Debug)]
pub(crate) struct WrittenEntity {
    pub(crate) name: String,
    pub(crate) at: At,
    /// None when its file can't be read; an empty map when there is nothing but its name.
    pub(crate) node: Option<Node>,
}

/// Whether something may be misspelt, so that something else seems to be missing. A variable that
/// isn't set is in its place.
pub(crate) fn misspelt(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| !problem.unset)
}

/// Takes a flow from its folder.
pub(crate) fn from_folder(
    folder: FlowFolder,
    lookup: Lookup<'_>,
    problems: &mut Vec<Problem>,
) -> WrittenFlow {
    let before = problems.len();
    let mut broken = folder.file.node.is_none();
    let node = checked(folder.file, "a flow", &of::<FlowFile>(), lookup, problems);
    let schema = of::<EntityFile>();
    let mut entities = Vec::new();
    for (stem, file) in folder.entities {
        let at = file.at.clone();
        broken |= file.node.is_none();
        let node = checked(file, "an entity", &schema, lookup, problems).1;
        let named = node.as_ref().and_then(|node| node.get("name"));
        problems.extend(named.and_then(secret_name));
        let (name, at) = match named {
            Some(named) => (
                named.as_text().unwrap_or(&stem).to_owned(),
                named.at.clone(),
            ),
            None => (stem, at),
        };
        entities.push(WrittenEntity { name, at, node });
    }
    let doubtful = broken || misspelt(&problems[before..]);
    finish(folder.name, node.0, node.1, entities, doubtful, problems)
}

/// Takes a flow from under `flows:` in hygge.yml, which was checked as a whole.
pub(crate) fn from_inline(
    entry: &Entry,
    doubtful: bool,
    problems: &mut Vec<Problem>,
) -> WrittenFlow {
    let node = match &entry.value.value {
        Value::Map(_) => entry.value.clone(),
        _ => Node::new(Value::Map(Map::default()), entry.at.clone()),
    };
    let at = entry.at.clone();
    finish(
        entry.key.clone(),
        at,
        Some(node),
        Vec::new(),
        doubtful,
        problems,
    )
}

fn checked(
    file: File,
    what: &str,
    schema: &Json,
    lookup: Lookup<'_>,
    problems: &mut Vec<Problem>,
) -> (At, Option<Node>) {
    let at = file.at;
    let node = file.node.map(|mut node| {
        substitute(&mut node, lookup, problems);
        problems.extend(Check::run(what, schema, &mut node, &at));
        node
    });
    (at, node)
}

fn finish(
    name: String,
    at: At,
    node: Option<Node>,
    mut entities: Vec<WrittenEntity>,
    mut doubtful: bool,
    problems: &mut Vec<Problem>,
) -> WrittenFlow {
    let before = problems.len();
    if let Some(wrong) = wrong_name(&name, true) {
        problems.push(Problem::at(&at, format!("flow name {name:?} {wrong}")));
    }
    if let Some(listed) = node
        .as_ref()
        .and_then(|node| node.as_map()?.entry("entities"))
    {
        inline_entities(listed, &mut entities, problems);
    }
    let listed = node.as_ref().and_then(|node| node.get("entities"));
    // Which entities there are isn't known without the variable; what the flow says is.
    let unset = |listed: &Node| matches!(listed.value, Value::Unset(_));
    if entities.is_empty() && listed.is_none_or(unset) {
        entities.push(WrittenEntity {
            name: name.clone(),
            at: at.clone(),
            node: node
                .is_some()
                .then(|| Node::new(Value::Map(Map::default()), at.clone())),
        });
    }
    entities.sort_by(|a, b| a.name.cmp(&b.name));
    let mut unique: Vec<WrittenEntity> = Vec::new();
    for mut entity in entities {
        if let Some(wrong) = wrong_name(&entity.name, false) {
            let message = format!("entity name {:?} {wrong}", entity.name);
            problems.push(Problem::at(&entity.at, message));
            entity.node = None;
        }
        match unique.last() {
            Some(first) if first.name == entity.name => {
                let id = EntityId::new(&name, &entity.name);
                problems.push(
                    Problem::at(&entity.at, format!("entity `{id}` is there twice"))
                        .relate("first here", &first.at)
                        .advise("keep one of the two, or give it another name"),
                );
            }
            _ => unique.push(entity),
        }
    }
    doubtful |= problems.len() > before;
    WrittenFlow {
        name,
        at,
        node,
        entities: unique,
        doubtful,
        wild: false,
    }
}

/// Puts the entities that a wildcard found in the place of the flow that has none of its own, or
/// beside those that are listed, whose settings stay.
pub(crate) fn add_found(
    flow: &mut WrittenFlow,
    found: &[(String, Json)],
    problems: &mut Vec<Problem>,
) {
    let listed = flow
        .node
        .as_ref()
        .is_some_and(|node| node.get("entities").is_some());
    if !listed {
        // What stands for the flow while it has no entities.
        let bare = |node: &Option<Node>| {
            let map = node.as_ref().and_then(Node::as_map);
            map.is_some_and(|map| map.entries.is_empty())
        };
        flow.entities
            .retain(|entity| entity.name != flow.name || !bare(&entity.node));
    }
    flow.wild = true;
    for (name, home) in found {
        let settings = |at: &At| Node::of_json(&serde_json::json!({ "home": home }), at);
        if let Some(wrong) = wrong_name(name, false) {
            problems.push(
                Problem::at(&flow.at, format!("entity name {name:?} {wrong}"))
                    .advise("leave it out with `exclude_tables`, and give it a flow of its own"),
            );
            continue;
        }
        let written = flow.entities.iter_mut().find(|entity| entity.name == *name);
        let Some(written) = written else {
            let node = Some(settings(&flow.at));
            let (name, at) = (name.clone(), flow.at.clone());
            flow.entities.push(WrittenEntity { name, at, node });
            continue;
        };
        if let (
            Some(Node {
                value: Value::Map(own),
                ..
            }),
            Value::Map(mut under),
        ) = (&mut written.node, settings(&written.at).value)
        {
            merge::over(&mut under, std::mem::take(own));
            *own = under;
        }
    }
    flow.entities.sort_by(|a, b| a.name.cmp(&b.name));
}

fn inline_entities(listed: &Entry, entities: &mut Vec<WrittenEntity>, problems: &mut Vec<Problem>) {
    let empty = |at: &At| Some(Node::new(Value::Map(Map::default()), at.clone()));
    match &listed.value.value {
        Value::List(items) => {
            if items.is_empty() {
                problems.push(
                    Problem::at(&listed.at, "`entities` is empty")
                        .advise("leave it out: then the flow is one entity"),
                );
            }
            for item in items {
                problems.extend(secret_name(item.get("name").unwrap_or(item)));
                if item.as_map().is_some() {
                    match item
                        .get("name")
                        .and_then(|name| Some((name, name.as_text()?)))
                    {
                        Some((name, text)) => entities.push(WrittenEntity {
                            name: text.to_owned(),
                            at: name.at.clone(),
                            node: Some(item.clone()),
                        }),
                        None => problems.push(
                            Problem::at(&item.at, "this entity has no `name`")
                                .advise("add `name: …`, or write it as `<name>: {…}` in a map"),
                        ),
                    }
                } else if let Some(name) = item.as_text() {
                    entities.push(WrittenEntity {
                        name: name.to_owned(),
                        at: item.at.clone(),
                        node: empty(&item.at),
                    });
                }
            }
        }
        Value::Map(map) => {
            for entry in &map.entries {
                if let Some(name) = entry.value.get("name")
                    && name.as_text() != Some(&entry.key)
                {
                    problems.push(
                        Problem::at(
                            &name.at,
                            format!("this entity is already named `{}`", entry.key),
                        )
                        .relate("here", &entry.at)
                        .advise("leave `name` out"),
                    );
                }
                entities.push(WrittenEntity {
                    name: entry.key.clone(),
                    at: entry.at.clone(),
                    node: match entry.value.value {
                        Value::Map(_) => Some(entry.value.clone()),
                        _ => empty(&entry.at),
                    },
                });
            }
        }
        _ => {}
    }
}

/// Names are shown, and become names of files.
fn secret_name(name: &Node) -> Option<Problem> {
    let problem = || {
        Problem::at(&name.at, "the name of this entity is a secret").advise(
            "names are shown and remembered in clear; use a variable whose name doesn't look \
             secret",
        )
    };
    name.secret.then(problem)
}

/// Names become parts of paths, and `flow.entity` must be read back.
fn wrong_name(name: &str, flow: bool) -> Option<&'static str> {
    let odd = |c: char| c.is_control() || r#"/\*?[]{}"<>|:,$"#.contains(c);
    if name.is_empty() {
        Some("is empty")
    } else if name.chars().count() > 100 {
        Some("is longer than 100 characters")
    } else if flow && name.contains('.') {
        Some("has a dot, which stands between flow and entity")
    } else if name.contains(odd) {
        Some(r#"has a character that can't be in a name: / \ * ? [ ] { } " < > | : , $"#)
    } else if name.starts_with(['.', ' ', '-']) || name.ends_with([' ', '.']) {
        Some("begins or ends with a dot, a space or a dash")
    } else {
        None
    }
}
