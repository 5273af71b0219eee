use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hygge_core::{BuildContext, EntityId, Mode, REDACTED, Registry, quoted};
use serde::de::DeserializeOwned;

use crate::check::Check;
use crate::config::{OnErrorConfig, OptionsConfig, Overrides, ProjectFile};
use crate::discover::{self, PROJECT_FILE};
use crate::endpoint::{Connections, Schemas, unused};
use crate::entity::{self, Resolved, Surroundings};
use crate::flow::{self, WrittenFlow, misspelt};
use crate::node::{Map, Node, Value};
use crate::quantity::Size;
use crate::real::Real;
use crate::schema::of;
use crate::secrecy::{self, Secrets};
use crate::var::Var;
use crate::variable::{Lookup, substitute};
use crate::{
    Known, OnError, Options, Plan, PlannedFlow, Problem, Problems, Selection, conflict, merge,
    nearest, var,
};

/// What to load, and what it may know of the world.
pub struct Load<'a> {
    /// The project's folder, absolute; see [`root`](crate::root).
    pub root: &'a Path,
    /// Looks an environment variable up.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// The values of `--var`.
    pub vars: &'a [String],
    /// Which entities the plan has.
    pub selection: Selection,
    /// The entities that homes with wildcards were found to have, by flow: their names, and the
    /// settings of their homes. Nothing is looked for here.
    pub wild: &'a Wild,
    /// `--full` or `--incremental`, in the place of what is written.
    pub mode: Option<Mode>,
    /// What `{run_date}` stands for.
    pub today: jiff::civil::Date,
}

/// Entities that wildcards name, by flow: a name, and settings of a home.
pub type Wild = BTreeMap<String, Vec<(String, serde_json::Value)>>;

/// Reads a project and makes the plan of a run; or says everything that is wrong with it.
///
/// Nothing is connected to and nothing is created. Files are read from the project's folder,
/// and data is not looked at.
pub fn load(request: &Load<'_>, registry: &Registry) -> Result<Plan, Problems> {
    let root = request.root.to_owned();
    Loading {
        request,
        registry,
        cx: BuildContext {
            work: root.join(".hygge"),
            entity: None,
            run: None,
            root,
        },
        problems: Vec::new(),
        warnings: Vec::new(),
        seen: RefCell::default(),
    }
    .plan()
}

/// What `plugins:` of hygge.yml grants, by the name of each plugin's file. It is needed before the
/// types of connectors are known, so before [`load`], which says what is wrong with the file.
pub fn granted(
    root: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> BTreeMap<String, serde_json::Value> {
    let mut unheard = Vec::new();
    let Some(mut node) = discover::read(root, Path::new(PROJECT_FILE), &mut unheard).node else {
        return BTreeMap::new();
    };
    // What is granted is shown. A secret has no business in it, and is easily written in the place
    // of the host that may get it.
    let granted = |node: &Node| -> Vec<String> {
        let plugins = node.get("plugins").and_then(Node::as_map);
        let entries = plugins.into_iter().flat_map(|map| &map.entries);
        let secrets = entries.filter_map(|entry| entry.value.get("secrets")?.as_map());
        let names = secrets.flat_map(|map| map.entries.iter().map(|entry| entry.key.clone()));
        names.collect()
    };
    let secrets = granted(&node);
    let veiled = |name: &str| {
        let value = env(name)?;
        let secret = secrecy::variable(name) || secrets.iter().any(|secret| secret == name);
        Some(if secret { REDACTED.to_owned() } else { value })
    };
    substitute(&mut node, &veiled, &mut unheard);
    let plugins = node.get("plugins").and_then(Node::as_map);
    let entries = plugins.into_iter().flat_map(|map| &map.entries);
    entries
        .map(|entry| (entry.key.clone(), entry.value.json().0))
        .collect()
}

/// The folder of the flows, as hygge.yml names it; what it names wrongly, [`load`] says.
pub fn flows_dir(root: &Path, env: &dyn Fn(&str) -> Option<String>) -> String {
    let mut unheard = Vec::new();
    let node = discover::read(root, Path::new(PROJECT_FILE), &mut unheard).node;
    let named = node.and_then(|mut node| {
        substitute(&mut node, env, &mut unheard);
        key(&node, "flows_dir")
    });
    named.unwrap_or_else(|| "flows".to_owned())
}

/// Whether hygge.yml can be read at all, for who asks no more of it than what is granted.
pub fn readable(root: &Path) -> Result<(), Problems> {
    let mut problems = Vec::new();
    discover::read(root, Path::new(PROJECT_FILE), &mut problems);
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Problems(problems).sorted()),
    }
}

struct Loading<'a> {
    request: &'a Load<'a>,
    registry: &'a Registry,
    cx: BuildContext,
    problems: Vec<Problem>,
    warnings: Vec<String>,
    /// What stood in variables whose names look secret.
    seen: RefCell<Vec<String>>,
}

/// One key of hygge.yml; nothing when it isn't there, or is wrong, which has been reported.
fn key<T: DeserializeOwned>(project: &Node, key: &str) -> Option<T> {
    serde_json::from_value(project.get(key)?.json().0).ok()
}

/// Looks a variable up, and keeps what is secret.
pub(crate) fn watched<'a>(
    env: Lookup<'a>,
    seen: &'a RefCell<Vec<String>>,
) -> impl Fn(&str) -> Option<String> + 'a {
    move |name| {
        let value = env(name);
        if secrecy::variable(name) {
            seen.borrow_mut().extend(value.clone());
        }
        value
    }
}

impl Loading<'_> {
    fn plan(mut self) -> Result<Plan, Problems> {
        let (project, sound) = self.project_file();
        let options = options(&key(&project, "options").unwrap_or_default());
        let flows_dir: Option<String> = key(&project, "flows_dir");
        let connections = connections(&project);
        let (flows, complete) = self.flows(&project, flows_dir.as_deref(), sound);
        let vars = self.vars(&flows, complete);
        let after = conflict::after(&flows, &mut self.problems);
        let mut entities = Vec::new();
        let mut secrets = Secrets::default();
        secrets.texts_of_project(&project);
        vars.values().for_each(|node| secrets.texts(node));
        for flow in &flows {
            let nodes = flow.entities.iter().filter_map(|e| e.node.as_ref());
            flow.node
                .iter()
                .chain(nodes)
                .for_each(|node| secrets.texts(node));
        }
        // Without hygge.yml nothing can be said about what is merged over it.
        if let Some(parsed) = sound {
            let around = Surroundings {
                registry: self.registry,
                schemas: &Schemas::of(self.registry),
                cx: &self.cx,
                connections: &connections,
                project: &project,
                today: self.request.today,
            };
            entities = resolve_all(
                &flows,
                &vars,
                &around,
                &self.request.selection,
                !parsed,
                &mut self.problems,
                &mut secrets,
            );
            let named = named_connections(&project, &flows);
            for (name, connection) in &connections {
                if !named.contains(name.as_str()) {
                    let wrong = unused(name, connection, around.schemas, self.registry);
                    self.problems.extend(wrong);
                }
            }
        }
        let flows_dir = flows_dir.as_deref().unwrap_or("flows");
        let (real, problems) = (&mut Real::default(), &mut self.problems);
        conflict::own_files(&mut entities, &self.cx, flows_dir, real, problems);
        let filled = conflict::places(&entities, &flows, &after, real, problems);
        conflict::fill(&mut entities, &filled, &self.request.selection);
        if complete {
            self.request.selection.check(&flows, &mut self.problems);
            if flows.is_empty() && self.problems.is_empty() {
                self.problems
                    .push(Problem::new("this project has no flows").advise(format!(
                        "add {flows_dir}/<flow>/flow.yml, or `flows:` to {PROJECT_FILE}"
                    )));
            }
        }
        let known = known(&flows, &entities);
        entities.retain(|entity| {
            let id = &entity.planned.id;
            self.request.selection.takes(&id.flow, &id.entity)
        });
        for entity in &entities {
            self.warnings.extend(entity.note.clone());
            let planned = &entity.planned;
            if planned.home_plan.many {
                let (id, what) = (&planned.id, &planned.home_plan.describe);
                self.warnings.push(format!(
                    "`{id}` stands for {what}: which these are is looked for when it runs"
                ));
            }
        }
        if let Some(mode) = self.request.mode {
            for entity in &mut entities {
                if entity.planned.mode != mode {
                    self.problems.extend(entity.contradiction(mode));
                    entity.planned.mode = mode;
                }
            }
        }
        let veil = secrets.veil(self.seen.take());
        if !self.problems.is_empty() {
            for problem in &mut self.problems {
                problem.cover(&veil);
                secrets.places().for_each(|secret| problem.mask(secret));
            }
            return Err(Problems(self.problems).sorted());
        }
        // A kind knows the secrets, and may quote one without a thought.
        for Resolved { planned, .. } in &mut entities {
            veil.cover(&mut planned.home_plan.describe);
            veil.cover(&mut planned.store_plan.describe);
            for item in planned.transforms.iter_mut().chain(&mut planned.checks) {
                veil.cover(&mut item.describe);
            }
        }
        let name = key(&project, "name").unwrap_or_else(|| match self.cx.root.file_name() {
            Some(name) => name.to_string_lossy().into_owned(),
            None => "hygge".to_owned(),
        });
        Ok(Plan {
            name,
            place: self.cx,
            options,
            flows: group(entities, &after),
            warnings: self.warnings,
            known,
            veil,
        })
    }

    /// hygge.yml; none when it can't be read at all, else whether nothing is wrong with it.
    fn project_file(&mut self) -> (Node, Option<bool>) {
        let before = self.problems.len();
        let file = discover::read(&self.cx.root, Path::new(PROJECT_FILE), &mut self.problems);
        let Some(mut node) = file.node else {
            return (Node::new(Value::Map(Map::default()), file.at), None);
        };
        let env = watched(self.request.env, &self.seen);
        substitute(&mut node, &env, &mut self.problems);
        let schema = of::<ProjectFile>();
        self.problems
            .extend(Check::run(PROJECT_FILE, &schema, &mut node, &file.at));
        let memory = node
            .get("options")
            .and_then(|options| options.get("memory"));
        // What isn't one of these is told already.
        let size = |memory: &&Node| match &memory.value {
            Value::Number(number, _) => number.is_u64(),
            value => matches!(value, Value::Text { .. }),
        };
        if let Some(memory) = memory.filter(size)
            && let Err(error) = serde_json::from_value::<Size>(memory.json().0)
        {
            self.problems
                .push(Problem::at(&memory.at, format!("`options.memory` {error}")));
        }
        (node, Some(!misspelt(&self.problems[before..])))
    }

    /// Every flow by name, and whether these are all.
    fn flows(
        &mut self,
        project: &Node,
        flows_dir: Option<&str>,
        sound: Option<bool>,
    ) -> (Vec<WrittenFlow>, bool) {
        let mut flows = Vec::new();
        let inline = project.get("flows").and_then(Node::as_map);
        for entry in inline.into_iter().flat_map(|map| &map.entries) {
            flows.push(flow::from_inline(
                entry,
                sound != Some(true),
                &mut self.problems,
            ));
        }
        let before = self.problems.len();
        let asked = project.get("flows_dir").map(|node| &node.at);
        let folders = discover::flows(
            &self.cx.root,
            Path::new(flows_dir.unwrap_or("flows")),
            asked,
            &mut self.problems,
            &mut self.warnings,
        );
        let complete = sound.is_some() && self.problems.len() == before;
        for folder in folders {
            let name = folder.name.clone();
            let mut found = Vec::new();
            let env = watched(self.request.env, &self.seen);
            let flow = flow::from_folder(folder, &env, &mut found);
            let taken =
                |entity: &flow::WrittenEntity| self.request.selection.takes(&name, &entity.name);
            keep(&mut found, flow.entities.iter().any(taken));
            self.problems.append(&mut found);
            flows.push(flow);
        }
        for flow in &mut flows {
            if let Some(found) = self.request.wild.get(&flow.name) {
                flow::add_found(flow, found, &mut self.problems);
            }
        }
        flows.sort_by(|a, b| a.name.cmp(&b.name));
        let mut unique: Vec<WrittenFlow> = Vec::new();
        for flow in flows {
            match unique.last() {
                Some(first) if first.name == flow.name => self.problems.push(
                    Problem::at(&flow.at, format!("flow `{}` is there twice", flow.name))
                        .relate("also here", &first.at)
                        .advise("keep one of the two"),
                ),
                _ => unique.push(flow),
            }
        }
        (unique, complete)
    }

    /// One layer for each flow that `--var` names.
    fn vars(&mut self, flows: &[WrittenFlow], complete: bool) -> BTreeMap<String, Node> {
        let schema = of::<Overrides>();
        let names = || flows.iter().map(|flow| flow.name.as_str());
        let mut layers: BTreeMap<String, Node> = BTreeMap::new();
        for text in self.request.vars {
            let Var { flow, at, mut node } = match var::read(text) {
                Ok(var) => var,
                Err(Problems(mut wrong)) => {
                    self.problems.append(&mut wrong);
                    continue;
                }
            };
            let Some(found) = flows.iter().find(|each| each.name == flow) else {
                if complete {
                    let problem = Problem::at(&at, format!("there is no flow `{flow}`"));
                    self.problems.push(match nearest(&flow, names()) {
                        Some(near) => problem.advise(format!("did you mean `{near}`?")),
                        None => problem.advise("`hygge list` shows all flows"),
                    });
                }
                continue;
            };
            let before = self.problems.len();
            if let Some(problem) = listed_entities(found, &node) {
                self.problems.push(problem);
                continue;
            }
            self.problems
                .extend(Check::run("`--var`", &schema, &mut node, &at));
            self.problems.extend(unknown_entity(found, &node));
            if self.problems.len() > before {
                continue;
            }
            let Value::Map(map) = node.value else {
                continue;
            };
            match layers.get_mut(&flow) {
                Some(Node {
                    value: Value::Map(under),
                    ..
                }) => merge::over(under, map),
                _ => {
                    layers.insert(flow, Node::new(Value::Map(map), at));
                }
            }
        }
        layers
    }
}

fn options(config: &OptionsConfig) -> Options {
    let default = Options::default();
    Options {
        concurrency: config.concurrency.map_or(default.concurrency, usize::from),
        memory: config.memory.map_or(default.memory, |size| size.0),
        retries: config.retries.map_or(default.retries, u32::from),
        on_error: match config.on_error {
            None => default.on_error,
            Some(OnErrorConfig::Continue) => OnError::Continue,
            Some(OnErrorConfig::Stop) => OnError::Stop,
        },
    }
}

/// `entities=[a, b]`, which in a flow says which there are: whoever writes it here may mean that,
/// or which of them to run.
fn listed_entities(flow: &WrittenFlow, node: &Node) -> Option<Problem> {
    let entities = node.get("entities")?;
    let listed: Vec<String> = match &entities.value {
        Value::Map(_) => return None,
        Value::List(items) => items
            .iter()
            .filter_map(Node::as_text)
            .map(str::to_owned)
            .collect(),
        _ => {
            let names = entities
                .as_text()
                .unwrap_or_default()
                .split(',')
                .map(str::trim);
            names.map(str::to_owned).collect()
        }
    };
    let name = &flow.name;
    let known = |entity: &String| flow.entities.iter().any(|each| each.name == *entity);
    let unknown = listed
        .iter()
        .find(|entity| !known(entity) && !entity.is_empty());
    let advice = match unknown {
        None if listed.iter().all(String::is_empty) => {
            format!("to run some of them, write `--entity {name}.<entity>`")
        }
        None => {
            let ids = listed.iter().filter(|entity| !entity.is_empty());
            let ids: Vec<String> = ids.map(|entity| format!("{name}.{entity}")).collect();
            format!(
                "to run only these, write `--entity {}`",
                quoted(&ids.join(","))
            )
        }
        Some(unknown) => format!("write `{unknown}` under `entities` of flow `{name}`"),
    };
    let message = "`--var` can't say which entities a flow has, only what one of them has";
    Some(Problem::at(&entities.at, message).advise(format!(
        "{advice}; to set something for one, `--var flow.{name}.entities.<entity>.<path>=value`"
    )))
}

fn unknown_entity(flow: &WrittenFlow, node: &Node) -> Option<Problem> {
    let map = node.get("entities")?.as_map()?;
    let names = || flow.entities.iter().map(|entity| entity.name.as_str());
    let entry = map
        .entries
        .iter()
        .find(|entry| names().all(|name| name != entry.key))?;
    let message = format!("flow `{}` has no entity `{}`", flow.name, entry.key);
    let problem = Problem::at(&entry.at, message);
    Some(match nearest(&entry.key, names()) {
        Some(near) => problem.advise(format!("did you mean `{near}`?")),
        None => problem.advise("`hygge list` shows all entities"),
    })
}

pub(crate) fn connections(project: &Node) -> Connections {
    let map = project.get("connections").and_then(Node::as_map);
    map.into_iter()
        .flat_map(|map| &map.entries)
        .map(|entry| (entry.key.clone(), entry.clone()))
        .collect()
}

/// Every text that stands under a key `connection`: these are told what is wrong by who uses them.
fn named_connections<'a>(project: &'a Node, flows: &'a [WrittenFlow]) -> BTreeSet<&'a str> {
    fn walk<'a>(node: &'a Node, found: &mut BTreeSet<&'a str>) {
        match &node.value {
            Value::Map(map) => {
                for entry in &map.entries {
                    if entry.key == "connection" {
                        found.extend(entry.value.as_text());
                    }
                    walk(&entry.value, found);
                }
            }
            Value::List(items) => items.iter().for_each(|item| walk(item, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    walk(project, &mut found);
    for flow in flows {
        let entities = flow.entities.iter().filter_map(|e| e.node.as_ref());
        for node in flow.node.iter().chain(entities) {
            walk(node, &mut found);
        }
    }
    found
}

/// A variable that isn't set matters to those that run.
fn keep(problems: &mut Vec<Problem>, runs: bool) {
    problems.retain(|problem| runs || !problem.unset);
}

fn resolve_all(
    flows: &[WrittenFlow],
    vars: &BTreeMap<String, Node>,
    around: &Surroundings<'_>,
    selection: &Selection,
    doubtful: bool,
    problems: &mut Vec<Problem>,
    secrets: &mut Secrets,
) -> Vec<Resolved> {
    let mut entities = Vec::new();
    for flow in flows {
        for entity in &flow.entities {
            let mut found = Vec::new();
            entities.extend(entity::resolve(
                flow,
                entity,
                vars.get(&flow.name),
                around,
                &mut found,
                secrets,
            ));
            keep(&mut found, selection.takes(&flow.name, &entity.name));
            if doubtful || flow.doubtful {
                // What is missing may stand under a misspelt key, which has been reported.
                found.retain(|problem| !problem.missing);
            }
            problems.append(&mut found);
        }
    }
    entities
}

/// A wildcard that wasn't looked at may stand for anything, and so may an entity that couldn't be
/// resolved, where this run doesn't need it.
fn known(flows: &[WrittenFlow], entities: &[Resolved]) -> Known {
    let resolved: BTreeMap<&EntityId, bool> = entities
        .iter()
        .map(|entity| (&entity.planned.id, entity.planned.home_plan.many))
        .collect();
    let mut known = Known::default();
    for flow in flows {
        for entity in &flow.entities {
            let id = EntityId::new(&*flow.name, &*entity.name);
            if resolved.get(&id).is_none_or(|many| *many) {
                known.open.insert(flow.name.clone());
            }
            known.names.insert(id);
        }
    }
    known
}

fn group(entities: Vec<Resolved>, after: &BTreeMap<String, Vec<String>>) -> Vec<PlannedFlow> {
    let mut flows: Vec<PlannedFlow> = Vec::new();
    let names: BTreeSet<String> = entities
        .iter()
        .map(|entity| entity.planned.id.flow.clone())
        .collect();
    for entity in entities {
        let planned = entity.planned;
        match flows.last_mut() {
            Some(flow) if flow.name == planned.id.flow => flow.entities.push(planned),
            _ => flows.push(PlannedFlow {
                // A flow that isn't part of this run can't be waited for.
                after: after
                    .get(&planned.id.flow)
                    .into_iter()
                    .flatten()
                    .filter(|name| names.contains(*name))
                    .cloned()
                    .collect(),
                name: planned.id.flow.clone(),
                entities: vec![planned],
            }),
        }
    }
    flows
}
