use hygge_core::{
    BuildContext, EntityId, HomePlan, Mode, OnSchemaChange, Registry, StorePlan, Strategy, action,
};
use serde_json::json;

use crate::check::Check;
use crate::endpoint::{
    Connections, EndpointPlan, Layer, Merged, Role, Schemas, Settled, merge_layers,
};
use crate::flow::{WrittenEntity, WrittenFlow};
use crate::incremental::{self, Placed};
use crate::listed::{self, Listed};
use crate::node::{Entry, Map, Node, Value};
use crate::placeholder::{self, Placeholders};
use crate::secrecy::Secrets;
use crate::source::At;
use crate::{Endpoint, Origin, PlannedEntity, PlannedItem, Problem, location, polish};

/// What entities are made from, besides their flow.
pub(crate) struct Surroundings<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) schemas: &'a Schemas,
    pub(crate) cx: &'a BuildContext,
    pub(crate) connections: &'a Connections,
    /// hygge.yml.
    pub(crate) project: &'a Node,
    pub(crate) today: jiff::civil::Date,
}

/// An entity and the places that later checks point at.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) planned: PlannedEntity,
    pub(crate) home_at: At,
    pub(crate) store_at: At,
    /// Of each check where it says what becomes of rows that fail.
    pub(crate) rejects_at: Vec<Option<At>>,
    pub(crate) incremental: Option<Placed>,
    pub(crate) mode_at: Option<At>,
    /// Something worth saying that stops nothing.
    pub(crate) note: Option<String>,
}

/// The layers of one entity, the least specific first, with whether each is its own.
struct Layers<'a>(Vec<(&'a Node, bool)>);

impl<'a> Layers<'a> {
    fn of(
        project: &'a Node,
        flow: &'a Node,
        entity: &'a WrittenEntity,
        vars: Option<&'a Node>,
    ) -> Self {
        let own_vars = vars.and_then(|vars| vars.get("entities")?.get(&entity.name));
        let layers = [
            (project.get("defaults"), false),
            (flow.get("defaults"), false),
            (Some(flow), false),
            (entity.node.as_ref(), true),
            (vars, false),
            (own_vars, true),
        ];
        Self(
            layers
                .into_iter()
                .filter_map(|(node, own)| Some((node?, own)))
                .collect(),
        )
    }

    fn role(&self, role: Role) -> Vec<Layer<'a>> {
        self.0
            .iter()
            .filter_map(|(node, own)| {
                let entry = node.as_map()?.entry(role.key())?;
                Some(Layer { entry, own: *own })
            })
            .collect()
    }

    /// A list is no place to merge: the most specific one is taken whole.
    fn list(&self, listed: Listed) -> Option<&'a Entry> {
        let lists = self.0.iter().rev();
        lists
            .filter_map(|(node, _)| node.as_map())
            .find_map(|map| map.entry(listed.key()))
    }

    fn mode(&self) -> Option<&'a Node> {
        let maps = self.0.iter().rev().filter_map(|(node, _)| node.as_map());
        let mut modes = maps.filter_map(|map| map.get("mode"));
        modes.next().filter(|node| !node.is_null())
    }
}

/// Merges an entity's layers, fills them in and checks them; what is wrong goes to `problems`,
/// and where secrets stand to `secrets`.
pub(crate) fn resolve(
    flow: &WrittenFlow,
    entity: &WrittenEntity,
    vars: Option<&Node>,
    around: &Surroundings<'_>,
    problems: &mut Vec<Problem>,
    secrets: &mut Secrets,
) -> Option<Resolved> {
    let (Some(flow_node), Some(_)) = (&flow.node, &entity.node) else {
        return None;
    };
    let id = EntityId::new(&flow.name, &entity.name);
    let layers = Layers::of(around.project, flow_node, entity, vars);
    let several = flow.wild || flow.entities.len() > 1;

    let mode = mode(&layers, problems);
    let mut home = endpoint(Role::Home, &layers, flow, &id, several, around, problems);
    let mut store = endpoint(Role::Store, &layers, flow, &id, several, around, problems);

    let mut placed = None;
    let mut allow_empty = false;
    let before = problems.len();
    if let Some(home) = &mut home {
        if let Some(entry) = home.map.take("incremental") {
            placed = incremental::read(entry, &around.schemas.incremental, problems);
        }
        allow_empty = switch(&mut home.map, "allow_empty", problems);
    }
    let emptied_by_others = store
        .as_mut()
        .is_some_and(|store| switch(&mut store.map, "emptied_by_others", problems));
    let on_schema_change = store
        .as_mut()
        .map(|store| on_schema_change(&mut store.map, problems))
        .unwrap_or_default();
    let mut list = |listed| match layers.list(listed) {
        Some(written) => listed::read(listed, written, &id, around, problems, secrets),
        None => Some(Vec::new()),
    };
    let mut transforms = list(Listed::Transforms);
    let checks = list(Listed::Checks);
    let mut note = None;
    let polish = store.as_mut().and_then(|store| store.map.take("polish"));
    if let Some((items, said)) =
        polish.and_then(|entry| polish::read(entry, &around.schemas.polish, problems))
    {
        // It was the last thing that happened to rows.
        let last = listed::all(Listed::Transforms, &items, &id, around, problems, secrets);
        transforms = transforms
            .zip(last)
            .map(|(first, last)| [first, last].concat());
        note = Some(format!("{id}: {said}"));
    }
    let sound = problems.len() == before;
    let shown = format!("`{id}`");
    let mut settle = |merged: Option<Merged>| {
        merged.and_then(|merged| {
            merged.settle(
                &id,
                around.cx,
                around.registry,
                around.schemas,
                problems,
                secrets,
            )
        })
    };
    let home = settle(home);
    let store = settle(store);
    let (mode, home, store) = (mode?, home?, store?);
    let (transforms, checks) = (transforms?, checks?);
    let (home_at, store_at) = (home.place().clone(), store.place().clone());
    let (
        Settled {
            endpoint: home,
            plan: EndpointPlan::Home(home_plan),
            ..
        },
        Settled {
            endpoint: store,
            plan: EndpointPlan::Store(store_plan),
            ..
        },
    ) = (home, store)
    else {
        return None;
    };
    if !sound {
        return None;
    }
    if let Some(placed) = &placed {
        problems.extend(placed.suits(&home.kind, &home_plan));
    }
    let (mode, mode_at) = match mode {
        Some((mode, at)) => (mode, Some(at)),
        None if placed.is_some() => (Mode::Incremental, None),
        None => (Mode::Full, None),
    };
    let tracked = placed
        .as_ref()
        .filter(|placed| placed.value.strategy == Strategy::ChangeTracking);
    // What a plugin leaves out is found when it does.
    let chooses =
        |item: &&PlannedItem| matches!(&*item.kind, "filter" | "sql" | "dedupe" | "unnest");
    if let Some(placed) = tracked
        && let Some(chooser) = transforms.iter().find(chooses)
    {
        problems.push(
            Problem::at(
                &placed.strategy,
                format!(
                    "{shown} follows changes, and its `{}` would lose those of deleted rows",
                    chooser.kind
                ),
            )
            .advise("of them only the key is known: use `where` in the home instead")
            .about(&id),
        );
    }
    if home_plan.operations && !store_plan.capabilities.operations {
        problems.push(
            Problem::at(
                &store_at,
                format!(
                    "{shown} reads a change stream, and the {} store can't take one",
                    store.kind
                ),
            )
            .relate("read here", &home_at)
            .advise("write it to a store that applies inserts, updates and deletes")
            .about(&id),
        );
    }
    if let (true, Some(splits @ 2..)) = (store_plan.capabilities.single, home_plan.splits) {
        let message = format!(
            "{shown} is read in {splits} splits, and the store takes all rows through one writer"
        );
        problems.push(
            Problem::at(&store_at, message)
                .relate("split here", &home_at)
                .advise(
                    "leave `splits` out of the home, or let the store take many writers (a folder \
                     of files, a table without `direct`)",
                )
                .about(&id),
        );
    }
    if let Some(problem) = one_session(&id, &home, &home_plan, &store, &store_plan, &store_at) {
        problems.push(problem.relate("read here", &home_at));
    }
    let resolved = Resolved {
        planned: PlannedEntity {
            id,
            home,
            home_plan,
            transforms,
            checks,
            store,
            store_plan,
            mode,
            incremental: placed.as_ref().map(|placed| placed.value.clone()),
            allow_empty,
            filled_by: None,
            emptied_by_others,
            on_schema_change,
            origin: Origin {
                file: entity.at.source.file.clone(),
                line: entity.at.line,
            },
        },
        home_at,
        store_at,
        rejects_at: layers
            .list(Listed::Checks)
            .map(rejects_at)
            .unwrap_or_default(),
        incremental: placed,
        mode_at,
        note,
    };
    problems.extend(resolved.contradiction(mode));
    Some(resolved)
}

/// A split of an entity whose two ends share a connection needs a session for either.
fn one_session(
    id: &EntityId,
    home: &Endpoint,
    home_plan: &HomePlan,
    store: &Endpoint,
    store_plan: &StorePlan,
    at: &At,
) -> Option<Problem> {
    let name = home.connection.as_ref()?;
    let most = [home_plan.max_open, store_plan.max_open]
        .into_iter()
        .flatten();
    if store.connection.as_ref() != Some(name) || most.min()? >= 2 {
        return None;
    }
    let message = format!(
        "`{id}` reads and writes over connection `{name}`, whose pool is too small to do both at \
         once"
    );
    Some(
        Problem::at(at, message)
            .advise(format!("give `{name}` a `pool_size` of at least 3"))
            .about(id),
    )
}

impl Resolved {
    /// Why a run in that mode can't be: now, or after the first time.
    pub(crate) fn contradiction(&self, mode: Mode) -> Option<Problem> {
        let strategy = self.planned.incremental.as_ref().map(|i| i.strategy);
        let store = &self.planned.store_plan.capabilities;
        let wrong = [true, false]
            .into_iter()
            .find_map(|first| action(mode, strategy, first, store).err())?;
        let id = &self.planned.id;
        let message = format!("`{id}`: {}", wrong.message);
        let problem = if mode == Mode::Incremental && strategy.is_none() {
            Problem::at(self.mode_at.as_ref().unwrap_or(&self.home_at), message)
        } else {
            let problem = Problem::at(&self.store_at, message);
            match &self.incremental {
                Some(placed) => problem.relate("asked for here", &placed.strategy),
                None => problem,
            }
        };
        Some(problem.advise(wrong.advice).about(id))
    }
}

/// The places of `rejects` in a list of checks.
fn rejects_at(checks: &Entry) -> Vec<Option<At>> {
    let Value::List(items) = &checks.value.value else {
        return Vec::new();
    };
    let items = items.iter().map(|item| {
        let entry = item.as_map()?.entry("rejects")?;
        Some(entry.value.place(&entry.at).clone())
    });
    items.collect()
}

/// Takes a key out that is true or false, and false without it.
fn switch(map: &mut Map, key: &str, problems: &mut Vec<Problem>) -> bool {
    let Some(mut entry) = map.take(key) else {
        return false;
    };
    let what = format!("`{key}`");
    let schema = json!({"type": "boolean"});
    problems.extend(Check::run(&what, &schema, &mut entry.value, &entry.at));
    matches!(entry.value.value, Value::Bool(true, _))
}

fn on_schema_change(map: &mut Map, problems: &mut Vec<Problem>) -> OnSchemaChange {
    let Some(mut entry) = map.take("on_schema_change") else {
        return OnSchemaChange::default();
    };
    let schema = crate::schema::of::<OnSchemaChange>();
    let found = Check::run("`on_schema_change`", &schema, &mut entry.value, &entry.at);
    problems.extend(found);
    // Anything else was just said.
    serde_json::from_value(entry.value.json().0).unwrap_or_default()
}

/// The mode that is written, with its place; the outer none when it can't be told.
#[expect(clippy::option_option, reason = "wrong and not given are two things")]
fn mode(layers: &Layers<'_>, problems: &mut Vec<Problem>) -> Option<Option<(Mode, At)>> {
    let Some(node) = layers.mode() else {
        return Some(None);
    };
    if let Value::Unset(unset) = &node.value {
        problems.extend(unset.iter().cloned());
        return None;
    }
    // Anything else was said when its file was checked.
    let mode = serde_json::from_value(node.json().0).ok()?;
    Some(Some((mode, node.at.clone())))
}

fn endpoint(
    role: Role,
    layers: &Layers<'_>,
    flow: &WrittenFlow,
    id: &EntityId,
    several: bool,
    around: &Surroundings<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Merged> {
    let merged = merge_layers(
        role,
        &layers.role(role),
        around.connections,
        around.registry,
    );
    let mut merged = match merged {
        Ok(Some(merged)) => merged,
        Ok(None) => {
            let (key, name) = (role.key(), &flow.name);
            let example = match role {
                Role::Home => "home: data/in.csv",
                Role::Store => "store: data/out",
            };
            problems.push(
                Problem::at(&flow.at, format!("flow `{name}` has no {key}"))
                    .advise(format!("say where, such as `{example}`"))
                    .missing(),
            );
            return None;
        }
        Err(wrong) => {
            problems.extend(wrong);
            return None;
        }
    };
    let before = problems.len();
    if let Some(key) = merged.location.clone()
        && let Some(node) = merged.map.get_mut(&key)
    {
        problems.extend(placeholder::unknown(node));
        if matches!(role, Role::Store) {
            problems.extend(placeholder::unclosed(node));
        }
        add_entity(&key, node, several && !merged.own_location, &id.entity);
        let undated = Placeholders { id, today: None };
        merged.dated = node
            .as_text()
            .filter(|text| placeholder::names_date(text))
            .map(|text| undated.text(text));
    }
    let placeholders = Placeholders {
        id,
        today: Some(around.today),
    };
    for Entry { value, .. } in &mut merged.map.entries {
        placeholders.fill(value);
    }
    (problems.len() == before).then_some(merged)
}

/// The entity's name is added to a folder that many share; a table has no such room.
fn add_entity(key: &str, node: &mut Node, shared: bool, entity: &str) {
    if let Value::Text { text, .. } = &mut node.value
        && shared
        && key != "table"
        && !placeholder::names_entity(text)
        && location::is_folder(&placeholder::filled(text))
    {
        *text = location::append(text, entity);
    }
}
