use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hygge_core::{BuildContext, EntityId, Place};

use crate::discover::PROJECT_FILE;
use crate::entity::Resolved;
use crate::flow::WrittenFlow;
use crate::index::Index;
use crate::node::{Node, Value};
use crate::real::Real;
use crate::{Filler, Problem, Selection, nearest};

/// The flows that each flow waits for, as written; unknown names are reported.
pub(crate) fn after(
    flows: &[WrittenFlow],
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Vec<String>> {
    let names: BTreeSet<&str> = flows.iter().map(|flow| flow.name.as_str()).collect();
    let mut after = BTreeMap::new();
    for flow in flows {
        let mut waits: Vec<String> = Vec::new();
        for node in written_after(flow) {
            let Some(name) = node.as_text() else {
                continue;
            };
            if name == flow.name {
                problems.push(Problem::at(
                    &node.at,
                    format!("flow `{name}` can't wait for itself"),
                ));
            } else if names.contains(name) {
                waits.push(name.to_owned());
            } else {
                let problem = Problem::at(&node.at, format!("there is no flow `{name}`"));
                let others = || names.iter().copied().filter(|other| *other != flow.name);
                problems.push(match nearest(name, others()) {
                    Some(near) => problem.advise(format!("did you mean `{near}`?")),
                    None if others().next().is_none() => {
                        problem.advise("it is the only flow: take `after` away")
                    }
                    None => problem.advise(format!("there are: {}", join(others()))),
                });
            }
        }
        waits.sort();
        waits.dedup();
        after.insert(flow.name.clone(), waits);
    }
    cycles(flows, &after, problems);
    after
}

fn join<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

fn written_after(flow: &WrittenFlow) -> Vec<&Node> {
    match flow.node.as_ref().and_then(|node| node.get("after")) {
        None => Vec::new(),
        Some(node) => match &node.value {
            Value::List(items) => items.iter().collect(),
            _ => vec![node],
        },
    }
}

/// Everything a flow waits for, through others too.
fn reach(from: &str, after: &BTreeMap<String, Vec<String>>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![from.to_owned()];
    while let Some(name) = open.pop() {
        for next in after.get(&name).into_iter().flatten() {
            if found.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    found
}

/// Each circle is reported once, at its first flow.
fn cycles(
    flows: &[WrittenFlow],
    after: &BTreeMap<String, Vec<String>>,
    problems: &mut Vec<Problem>,
) {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for flow in flows {
        if seen.contains(&flow.name) || !reach(&flow.name, after).contains(&flow.name) {
            continue;
        }
        let way = way_back(&flow.name, after);
        let text: Vec<String> = way.iter().map(|name| format!("`{name}`")).collect();
        let at = written_after(flow)
            .into_iter()
            .find(|node| way.get(1).is_some_and(|next| node.as_text() == Some(next)))
            .map_or(&flow.at, |node| &node.at);
        problems.push(
            Problem::at(
                at,
                format!("flows wait for each other: {}", text.join(" after ")),
            )
            .advise("take one `after` away"),
        );
        seen.extend(way);
    }
}

/// The shortest way from a flow back to itself.
fn way_back(start: &str, after: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut ways = std::collections::VecDeque::from([vec![start.to_owned()]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        for next in way
            .last()
            .and_then(|last| after.get(last))
            .into_iter()
            .flatten()
        {
            let mut longer = way.clone();
            longer.push(next.clone());
            if next == start {
                return longer;
            }
            if seen.insert(next.clone()) {
                ways.push_back(longer);
            }
        }
    }
    vec![start.to_owned()]
}

/// Refuses entities that would write where another writes or reads, unless the flows say who
/// goes first. Gives who reads what whom writes in such an order, by their numbers.
pub(crate) fn places(
    entities: &[Resolved],
    flows: &[WrittenFlow],
    after: &BTreeMap<String, Vec<String>>,
    real: &mut Real,
    problems: &mut Vec<Problem>,
) -> Vec<(usize, usize)> {
    let mut filled = Vec::new();
    // A variable that isn't set may name the flow.
    let unsure = |name: &str| {
        let unset = |node: &&Node| matches!(node.value, Value::Unset(_));
        let mut flows = flows.iter().filter(|flow| flow.name == name);
        flows.any(|flow| written_after(flow).iter().any(unset))
    };
    let mut places = |of: fn(&Resolved) -> Option<&Place>| -> Vec<Option<Place>> {
        let found = entities.iter().map(|entity| of(entity));
        found.map(|place| Some(real.place(place?))).collect()
    };
    let written_at = places(|e| e.planned.store_plan.place.as_ref());
    let read_at = places(|e| e.planned.home_plan.place.as_ref());
    let reached: BTreeMap<&str, BTreeSet<String>> = after
        .keys()
        .map(|name| (name.as_str(), reach(name, after)))
        .collect();
    let mut told: BTreeSet<(&str, &str)> = BTreeSet::new();
    // Hundreds of entities of one flow may share a place by one slip.
    let mut shared: BTreeSet<(String, String)> = BTreeSet::new();
    let stores = Index::of(written_at.iter().map(Option::as_ref));
    let homes = Index::of(read_at.iter().map(Option::as_ref));
    for (number, writer) in entities.iter().enumerate() {
        let Some(written) = &written_at[number] else {
            continue;
        };
        let id = &writer.planned.id;
        let later = stores.near(written).into_iter().filter(|n| *n > number);
        for (other, place) in later.map(|n| (&entities[n], &written_at[n])) {
            let Some(place) = place.as_ref().filter(|place| place.overlaps(written)) else {
                continue;
            };
            if shared.insert((writer.store_at.to_string(), other.store_at.to_string())) {
                problems.push(same_destination(writer, other, place == written));
            }
        }
        let readers = homes.near(written).into_iter();
        for place in readers {
            let (reader, read) = (&entities[place], &read_at[place]);
            if !read.as_ref().is_some_and(|read| read.overlaps(written)) {
                continue;
            }
            let other = &reader.planned.id;
            if other == id {
                problems.push(
                    Problem::at(
                        &writer.store_at,
                        format!("`{id}` would write where it reads"),
                    )
                    .relate("read here", &writer.home_at)
                    .advise("write to another place"),
                );
            } else if other.flow == id.flow {
                problems.push(
                    Problem::at(&reader.home_at, format!("`{other}` reads what `{id}` writes, in the same flow"))
                        .relate("written here", &writer.store_at)
                        .advise("entities of a flow move side by side: put the reader into a flow of its own, with `after`")
                        .about(other),
                );
            } else if reached
                .get(other.flow.as_str())
                .is_some_and(|all| all.contains(&id.flow))
            {
                filled.push((place, number));
            } else if !unsure(&other.flow) && told.insert((&other.flow, &id.flow)) {
                let (flow, first) = (&other.flow, &id.flow);
                problems.push(
                    Problem::at(&reader.home_at, format!("`{other}` reads what `{id}` writes, but flow `{flow}` doesn't wait for flow `{first}`"))
                        .relate("written here", &writer.store_at)
                        .advise(match reached.get(first.as_str()).is_some_and(|all| all.contains(flow)) {
                            false => format!("add `after: [{first}]` to flow `{flow}`"),
                            true => format!(
                                "flow `{first}` waits for `{flow}` now: turn that `after` round, or \
                                 take this entity into a flow of its own"
                            ),
                        }),
                );
            }
        }
    }
    filled
}

/// Writes down for each entity which flow fills its Home, given what [`places`] found.
pub(crate) fn fill(entities: &mut [Resolved], filled: &[(usize, usize)], selection: &Selection) {
    for (reader, writer) in filled {
        let id = entities[*writer].planned.id.clone();
        let planned = selection.takes(&id.flow, &id.entity);
        let filler = &mut entities[*reader].planned.filled_by;
        if filler.is_none() || planned {
            *filler = Some(Filler {
                flow: id.flow,
                planned,
            });
        }
    }
}

/// Refuses stores that would replace what the project itself consists of, and takes their
/// entities out: what else they overlap with is beside the point.
pub(crate) fn own_files(
    entities: &mut Vec<Resolved>,
    cx: &BuildContext,
    flows_dir: &str,
    real: &mut Real,
    problems: &mut Vec<Problem>,
) {
    let mut files = |path: &Path| real.place(&Place::files(path));
    let mut own = vec![
        (files(&cx.root.join(PROJECT_FILE)), PROJECT_FILE),
        (files(&cx.work), ".hygge"),
    ];
    let flows = files(&cx.root.join(flows_dir));
    // `flows_dir: .` leaves everything else in the project free.
    if flows != files(&cx.root) {
        own.push((flows, flows_dir));
    }
    let ends = ends(entities, real);
    entities.retain(|entity| {
        let id = &entity.planned.id;
        if let Some(problem) = rejected_into(entity, (&own, &ends), cx, real) {
            problems.push(problem);
            return false;
        }
        let Some(written) = &entity.planned.store_plan.place else {
            return true;
        };
        let written = &real.place(written);
        let found = own.iter().find(|(place, _)| place.overlaps(written));
        if let Some((_, name)) = found {
            problems.push(
                Problem::at(
                    &entity.store_at,
                    format!("`{id}` would write over the project's own {name}"),
                )
                .advise("write to a folder of its own, such as `data/out`")
                .about(id),
            );
        }
        found.is_none()
    });
}

/// What each entity reads and writes.
struct Ends {
    id: EntityId,
    home: Option<Place>,
    store: Option<Place>,
}

fn ends(entities: &[Resolved], real: &mut Real) -> Vec<Ends> {
    let each = entities.iter().map(|entity| {
        let planned = &entity.planned;
        let mut place = |place: &Option<Place>| place.as_ref().map(|place| real.place(place));
        Ends {
            id: planned.id.clone(),
            home: place(&planned.home_plan.place),
            store: place(&planned.store_plan.place),
        }
    });
    each.collect()
}

/// Rows that fail a check go to a folder of their own: in that of a home they would be read, in
/// that of a store nothing but data may stand, and the project's files are no place for them. Another
/// entity may read that folder, or what is in it: then they are what it is for.
fn rejected_into(
    entity: &Resolved,
    (own, ends): (&[(Place, &str)], &[Ends]),
    cx: &BuildContext,
    real: &mut Real,
) -> Option<Problem> {
    let planned = &entity.planned;
    let checks = planned.checks.iter().zip(&entity.rejects_at);
    let folders = checks.filter_map(|(check, at)| {
        let folder = check.settings.expose().get("rejects")?.as_str()?;
        Some((folder, at.as_ref()?))
    });
    for (folder, at) in folders {
        let rejects = real.place(&Place::files(&cx.root.join(folder)));
        let file = format!("{}.{}.1-check.ndjson", planned.id.flow, planned.id.entity);
        let mut told = None;
        for (place, does, there) in [
            (&planned.home_plan.place, "reads", &entity.home_at),
            (&planned.store_plan.place, "writes", &entity.store_at),
        ] {
            if let Some(place) = place
                && real.place(place).overlaps(&rejects)
            {
                told = told.or(Some((
                    format!("which meets what it {does}"),
                    Some((format!("it {does} here"), there)),
                )));
            }
        }
        for other in ends.iter().filter(|other| other.id != planned.id) {
            let written = other.store.as_ref();
            let written = written.is_some_and(|place| place.overlaps(&rejects));
            let read = other.home.as_ref();
            let read = read.is_some_and(|place| {
                place.overlaps(&rejects) && place.takes(&file) && !rejects.covers(place)
            });
            let does = match (written, read) {
                (true, _) => "writes",
                (false, true) => "reads",
                (false, false) => continue,
            };
            told = told.or(Some((
                format!("which meets what `{}` {does}", other.id),
                None,
            )));
        }
        if let Some((_, name)) = own.iter().find(|(place, _)| place.overlaps(&rejects)) {
            told = told.or(Some((format!("over the project's own {name}"), None)));
        }
        if let Some((why, there)) = told {
            let id = &planned.id;
            let message = format!("`{id}` would write rows that fail a check to {folder:?}, {why}");
            let mut problem = Problem::at(at, message);
            if let Some((does, there)) = there {
                problem = problem.relate(does, there);
            }
            return Some(
                problem
                    .advise("name another folder in `rejects`, such as `rejects`")
                    .about(id),
            );
        }
    }
    None
}

fn same_destination(first: &Resolved, second: &Resolved, same: bool) -> Problem {
    let (a, b) = (&first.planned, &second.planned);
    let alike = a.store_plan.place == b.store_plan.place;
    let message = if same && alike {
        format!("`{}` and `{}` would write to the same place", a.id, b.id)
    } else if same {
        format!(
            "`{}` and `{}` would write to the same place, through a symbolic link",
            a.id, b.id
        )
    } else {
        format!(
            "`{}` and `{}` would write into each other: one place holds the other",
            a.id, b.id
        )
    };
    let one_line = first.store_at.to_string() == second.store_at.to_string();
    let problem = Problem::at(&second.store_at, message);
    let problem = if one_line {
        problem
    } else {
        problem.relate("and here", &first.store_at)
    };
    problem.advise("give each a place of its own, or put {entity} into the path")
}
