use std::collections::BTreeMap;

use hygge_core::{BuildContext, EntityId, HomePlan, Registry, StorePlan};
use serde_json::Value as Json;

use crate::check::Check;
use crate::config::{HOME_KEYS, IncrementalConfig, STORE_KEYS};
use crate::node::{Entry, Map, Node, Value};
use crate::polish::PolishConfig;
use crate::schema::of;
use crate::secrecy::Secrets;
use crate::source::At;
use crate::{Endpoint, Problem, location, merge, nearest, secrecy};

/// Home or Store: both are a `type` with settings, and layers of them merge alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Home,
    Store,
}

impl Role {
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Store => "store",
        }
    }

    fn names(self, registry: &Registry) -> Vec<String> {
        match self {
            Self::Home => registry.homes().map(|k| k.name().to_owned()).collect(),
            Self::Store => registry.stores().map(|k| k.name().to_owned()).collect(),
        }
    }

    fn has(self, registry: &Registry, kind: &str) -> bool {
        match self {
            Self::Home => registry.home(kind).is_some(),
            Self::Store => registry.store(kind).is_some(),
        }
    }

    fn location(self, registry: &Registry, kind: &str) -> Option<String> {
        match self {
            Self::Home => registry.home(kind)?.location().map(str::to_owned),
            Self::Store => registry.store(kind)?.location().map(str::to_owned),
        }
    }

    fn generic(self) -> &'static [&'static str] {
        match self {
            Self::Home => &HOME_KEYS,
            Self::Store => &STORE_KEYS,
        }
    }
}

/// One layer's `home` or `store`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layer<'a> {
    pub(crate) entry: &'a Entry,
    /// It speaks of one entity only.
    pub(crate) own: bool,
}

/// What all layers say together.
#[derive(Debug)]
pub(crate) struct Merged {
    pub(crate) role: Role,
    /// Where the most specific layer names it.
    pub(crate) at: At,
    pub(crate) kind: String,
    pub(crate) map: Map,
    pub(crate) connection: Option<String>,
    /// The setting that holds the path or table.
    pub(crate) location: Option<String>,
    /// The location with `{run_date}` as it is written, when it has one.
    pub(crate) dated: Option<String>,
    /// The most specific layer speaks of this entity alone.
    pub(crate) own: bool,
    /// The location was given for this entity alone.
    pub(crate) own_location: bool,
}

/// The schemas of every type, made once for all entities.
#[derive(Debug)]
pub(crate) struct Schemas {
    homes: BTreeMap<String, Json>,
    stores: BTreeMap<String, Json>,
    pub(crate) incremental: Json,
    pub(crate) polish: Json,
}

impl Schemas {
    pub(crate) fn of(registry: &Registry) -> Self {
        let told = |name: &str, mut schema: Json, role| {
            tell_generic(&mut schema, role);
            (name.to_owned(), schema)
        };
        let homes = registry.homes();
        let stores = registry.stores();
        Self {
            incremental: of::<IncrementalConfig>(),
            polish: of::<PolishConfig>(),
            homes: homes
                .map(|k| told(k.name(), k.schema(), Role::Home))
                .collect(),
            stores: stores
                .map(|k| told(k.name(), k.schema(), Role::Store))
                .collect(),
        }
    }

    fn get(&self, role: Role, kind: &str) -> Option<&Json> {
        match role {
            Role::Home => self.homes.get(kind),
            Role::Store => self.stores.get(kind),
        }
    }
}

/// Connections by name.
pub(crate) type Connections = BTreeMap<String, Entry>;

/// Merges the layers, the least specific first. A layer that names another `type` starts over:
/// settings of one type say nothing about another. Only where the data is, and what every type
/// has, stays.
pub(crate) fn merge_layers(
    role: Role,
    layers: &[Layer<'_>],
    connections: &Connections,
    registry: &Registry,
) -> Result<Option<Merged>, Vec<Problem>> {
    let mut map = Map::default();
    let mut at = None;
    let mut own = false;
    let mut unset = None;
    let mut given = Vec::new();
    for layer in layers {
        let before = kind_of(&map, connections);
        let above = match &layer.entry.value.value {
            Value::Map(above) => above.clone(),
            Value::Null => {
                map = Map::default();
                if at.take().is_some() {
                    unset = Some(&layer.entry.at);
                }
                given.clear();
                continue;
            }
            Value::Unset(problems) => return Err(problems.clone()),
            _ => short(role, &layer.entry.value, before.as_deref(), registry),
        };
        at = Some(layer.entry.at.clone());
        own = layer.own;
        let after = kind_of(&above, connections);
        if let (Some(before), Some(after)) = (&before, &after)
            && before != after
        {
            let kept = role.location(registry, after);
            map.entries.retain(|entry| {
                kept.as_ref() == Some(&entry.key)
                    || matches!(
                        entry.key.as_str(),
                        "incremental"
                            | "allow_empty"
                            | "emptied_by_others"
                            | "on_schema_change"
                            | "polish"
                    )
                    || entry.key == "connection"
                        && connection_type(&map_text(entry), connections).is_none()
            });
        }
        given.push((above.clone(), layer.own));
        merge::over(&mut map, above);
    }
    let at = match (at, unset) {
        (Some(at), _) => at,
        (None, None) => return Ok(None),
        (None, Some(unset)) => {
            let key = role.key();
            let message = format!("`{key}` is empty here, which unsets that of the layers below");
            let advice = format!("say where, or leave the key out to keep the {key} it had");
            return Err(vec![Problem::at(unset, message).advise(advice).missing()]);
        }
    };
    let connection = connect(role, &mut map, connections)?;
    map.entries.retain(|entry| !entry.value.is_null());
    let kind = decide_type(role, &mut map, &at, registry)?;
    let location = role.location(registry, &kind);
    let own_location = location.as_ref().is_some_and(|location| {
        let last = given.iter().rev().find(|(map, _)| map.has(location));
        last.is_some_and(|(_, own)| *own)
    });
    Ok(Some(Merged {
        role,
        at,
        kind,
        map,
        connection,
        location,
        dated: None,
        own,
        own_location,
    }))
}

fn map_text(entry: &Entry) -> String {
    entry.value.as_text().unwrap_or_default().to_owned()
}

fn connection_type(name: &str, connections: &Connections) -> Option<String> {
    let kind = connections.get(name)?.value.get("type")?;
    kind.as_text().map(str::to_owned)
}

/// The type that a layer names, itself or through its connection.
fn kind_of(map: &Map, connections: &Connections) -> Option<String> {
    let text = |key: &str| map.get(key).and_then(Node::as_text).map(str::to_owned);
    text("type").or_else(|| connection_type(&text("connection")?, connections))
}

/// `home: data/in.csv` in full. The ending says the type, unless a layer below named one that
/// takes any file.
fn short(role: Role, node: &Node, before: Option<&str>, registry: &Registry) -> Map {
    let text = node.as_text().unwrap_or_default();
    let ending = location::type_of(text).filter(|kind| role.has(registry, kind));
    let kind = match (before, ending) {
        (Some("files"), _) | (_, None) => before,
        (_, ending) => ending,
    };
    let key = kind.and_then(|kind| role.location(registry, kind));
    let mut map = Map::default();
    if let (Some(kind), true) = (kind, kind != before) {
        map.set("type", node.at.clone(), Node::text(kind, node.at.clone()));
    }
    map.set(
        key.as_deref().unwrap_or("path"),
        node.at.clone(),
        node.clone(),
    );
    map
}

/// Lays the settings under those of the connection that they name.
fn connect(
    role: Role,
    map: &mut Map,
    connections: &Connections,
) -> Result<Option<String>, Vec<Problem>> {
    let Some(entry) = map.take("connection") else {
        return Ok(None);
    };
    let wrong = |problem: Problem| Err(vec![problem]);
    if let Value::Unset(problems) = &entry.value.value {
        return Err(problems.clone());
    }
    let Some(name) = entry.value.as_text() else {
        return wrong(Problem::at(
            &entry.at,
            format!(
                "`{}.connection` must be the name of a connection",
                role.key()
            ),
        ));
    };
    let Some(connection) = connections.get(name) else {
        let problem = Problem::at(&entry.value.at, format!("there is no connection `{name}`"));
        return wrong(
            match nearest(name, connections.keys().map(String::as_str)) {
                Some(near) => problem.advise(format!("did you mean `{near}`?")),
                None => problem.advise("describe it under `connections:` in hygge.yml"),
            },
        );
    };
    let Value::Map(below) = &connection.value.value else {
        // Said when hygge.yml was checked.
        return wrong(Problem::at(
            &connection.at,
            format!("connection `{name}` must be a map"),
        ));
    };
    let mut whole = below.clone();
    merge::over(&mut whole, std::mem::take(map));
    *map = whole;
    Ok(Some(name.to_owned()))
}

/// What is wrong with a connection that nobody uses: what a used one is told through its entities.
pub(crate) fn unused(
    name: &str,
    connection: &Entry,
    schemas: &Schemas,
    registry: &Registry,
) -> Vec<Problem> {
    let Value::Map(map) = &connection.value.value else {
        let message = format!("connection `{name}` must be a map");
        return vec![Problem::at(&connection.at, message)];
    };
    let Some(kind) = map.entry("type") else {
        return Vec::new();
    };
    let Some(text) = kind.value.as_text() else {
        return Vec::new();
    };
    let database = registry.database(text).map(|kind| kind.schema());
    let known: Vec<&Json> = [Role::Home, Role::Store]
        .into_iter()
        .filter_map(|role| schemas.get(role, text))
        .chain(&database)
        .collect();
    if known.is_empty() {
        let mut names = Role::Home.names(registry);
        names.extend(Role::Store.names(registry));
        names.extend(registry.databases().map(|kind| kind.name().to_owned()));
        let message = format!("there is no home, store or database of type `{text}`");
        let problem = Problem::at(kind.value.place(&kind.at), message);
        return vec![match nearest(text, names.iter().map(String::as_str)) {
            Some(near) => problem.advise(format!("did you mean `{near}`?")),
            None => problem,
        }];
    }
    let keys: Vec<&String> = known
        .iter()
        .filter_map(|schema| schema.get("properties")?.as_object())
        .flat_map(|properties| properties.keys())
        .collect();
    let wrong = map
        .entries
        .iter()
        .filter(|entry| entry.key != "type" && !keys.contains(&&entry.key));
    wrong
        .map(|entry| {
            let message = format!("a {text} connection has no key `{}`", entry.key);
            let mut problem = Problem::at(&entry.at, message);
            let near = nearest(&entry.key, keys.iter().map(|key| key.as_str()));
            if near.is_some_and(secrecy::key) {
                problem.mask(&entry.value.at);
            }
            match near {
                Some(near) => problem.advise(format!("did you mean `{near}`?")),
                None => problem,
            }
        })
        .collect()
}

fn decide_type(
    role: Role,
    map: &mut Map,
    at: &At,
    registry: &Registry,
) -> Result<String, Vec<Problem>> {
    let known = role.names(registry);
    let listed = || format!("there are: {}", known.join(", "));
    let say = || format!("name one of {}, or give a `path`", known.join(", "));
    let Some(entry) = map.take("type") else {
        if let Some(Value::Unset(problems)) = map.get("path").map(|path| &path.value) {
            return Err(problems.clone());
        }
        let path = map.get("path").and_then(Node::as_text);
        // A setting of files of any format, and of nothing else.
        let any = map.has("format").then_some("files");
        let guess = path.map(|path| {
            let by_ending = || location::type_of(path).filter(|kind| role.has(registry, kind));
            any.or_else(by_ending).unwrap_or(match role {
                Role::Home => "files",
                Role::Store => "parquet",
            })
        });
        return match guess.filter(|kind| role.has(registry, kind)) {
            Some(kind) => Ok(kind.to_owned()),
            None => Err(vec![
                Problem::at(at, format!("the {} needs a `type`", role.key()))
                    .advise(say())
                    .missing(),
            ]),
        };
    };
    if let Value::Unset(problems) = &entry.value.value {
        return Err(problems.clone());
    }
    let name = entry.value.as_text().unwrap_or_default();
    if role.has(registry, name) {
        return Ok(name.to_owned());
    }
    if registry.database(name).is_some() {
        let message = format!("a {name} connection is no {}", role.key());
        return Err(vec![
            Problem::at(entry.value.place(&entry.at), message).advise(format!(
                "it is for `hygge apply` and `hygge generate entities`; a {} can be: {}",
                role.key(),
                known.join(", ")
            )),
        ]);
    }
    let message = match entry.value.as_text() {
        Some(name) => format!("there is no {} of type `{name}`", role.key()),
        None => format!("`{}.type` must be a text", role.key()),
    };
    let problem = Problem::at(entry.value.place(&entry.at), message);
    Err(vec![
        match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => problem.advise(format!("did you mean `{near}`?")),
            None => problem.advise(listed()),
        },
    ])
}

impl Merged {
    /// Checks what is left against the kind's schema and lets the kind look at it.
    pub(crate) fn settle(
        mut self,
        id: &EntityId,
        cx: &BuildContext,
        registry: &Registry,
        schemas: &Schemas,
        problems: &mut Vec<Problem>,
        secrets: &mut Secrets,
    ) -> Option<Settled> {
        let role = self.role.key();
        let whose = if self.own {
            format!("`{id}`")
        } else {
            format!("flow `{}`", id.flow)
        };
        let what = format!("the {} {role} of {whose}", self.kind);
        let schema = schemas.get(self.role, &self.kind)?;
        let mut node = Node::new(Value::Map(std::mem::take(&mut self.map)), self.at.clone());
        let before = problems.len();
        let mut found = Check::run(&what, schema, &mut node, &self.at);
        // The same mistake in a layer of many flows is one mistake: a message must not say whose
        // it is when the place says it all.
        for problem in &mut found {
            if problem.message.starts_with(&what) && problem.message.contains(" has no key ") {
                problem.message = problem.message.replace(&format!(" of {whose}"), "");
            }
        }
        problems.append(&mut found);
        secrets.note(&node);
        if problems.len() > before {
            return None;
        }
        if let Some(entry) = self
            .location
            .as_deref()
            .and_then(|key| node.as_map()?.entry(key))
            && !entry.value.secrets().is_empty()
        {
            problems.push(
                Problem::at(
                    entry.value.place(&entry.at),
                    format!("`{}` of {what} holds a secret", entry.key),
                )
                .advise(
                    "where data is read and settles is shown and remembered in clear; use a \
                     variable whose name doesn't look secret, or put the secret elsewhere",
                ),
            );
            return None;
        }
        let settings = node.settings().of_connection(self.connection.clone());
        let cx = &cx.of(id);
        let plan = match self.role {
            Role::Home => registry
                .home(&self.kind)?
                .plan(&settings, cx)
                .map(EndpointPlan::Home),
            Role::Store => registry
                .store(&self.kind)?
                .plan(&settings, cx)
                .map(EndpointPlan::Store),
        };
        let plan = match plan {
            Ok(plan) => plan,
            Err(wrong) => {
                for each in wrong {
                    let at = node.find(&each.pointer);
                    let mut problem = Problem::at(at, each.message);
                    problem.advice = each.advice;
                    problems.push(problem);
                }
                return None;
            }
        };
        Some(Settled {
            endpoint: Endpoint {
                kind: self.kind,
                settings,
                connection: self.connection,
                dated: self.dated,
            },
            plan,
            at: self.at,
            node,
            location: self.location,
        })
    }
}

/// Keys that are taken out before a kind sees its settings still count as known when it comes
/// to what a person may have meant.
fn tell_generic(schema: &mut Json, role: Role) {
    if let Some(properties) = schema.get_mut("properties").and_then(Json::as_object_mut) {
        for key in role.generic() {
            properties.entry(*key).or_insert(Json::Bool(true));
        }
    }
}

/// What a kind says about its settings.
#[derive(Debug)]
pub(crate) enum EndpointPlan {
    Home(HomePlan),
    Store(StorePlan),
}

/// An endpoint that is right, as far as can be known without I/O.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) endpoint: Endpoint,
    pub(crate) plan: EndpointPlan,
    at: At,
    node: Node,
    location: Option<String>,
}

impl Settled {
    /// Where its path or table is written, or itself.
    pub(crate) fn place(&self) -> &At {
        match self
            .location
            .as_deref()
            .and_then(|key| self.node.as_map()?.entry(key))
        {
            Some(entry) => &entry.value.at,
            None => &self.at,
        }
    }
}
