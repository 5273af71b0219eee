//! A connection on its own: the database that it leads to, which no flow has to use.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use hygge_core::{BuildContext, Database, Registry, Settings, Veil};

use crate::check::Check;
use crate::discover::{self, PROJECT_FILE};
use crate::load::{connections, watched};
use crate::node::{Node, Value};
use crate::secrecy::Secrets;
use crate::variable::{Lookup, substitute};
use crate::{Problem, Problems, nearest};

/// A database, and what must not be shown of its connection.
pub struct Connected {
    /// The connection's type.
    pub kind: String,
    /// The database. Nothing was connected to.
    pub database: Arc<dyn Database>,
    /// Hides the secrets.
    pub veil: Veil,
}

/// Finds the database of a connection in hygge.yml. What else is wrong with the project is no
/// matter here.
pub fn database(
    place: &BuildContext,
    name: &str,
    env: Lookup<'_>,
    registry: &Registry,
) -> Result<Connected, Problems> {
    let (seen, mut secrets) = (RefCell::default(), Secrets::default());
    let found = connected(
        &place.root,
        name,
        &watched(env, &seen),
        registry,
        &mut secrets,
    );
    let found = found.and_then(|(kind, settings, node)| {
        let database = registry
            .database(&kind)
            .map(|kind| kind.build(&settings, place));
        match database {
            Some(Ok(database)) => Ok((kind, database)),
            Some(Err(wrong)) => Err(wrong
                .into_iter()
                .map(|each| {
                    let mut problem = Problem::at(node.find(&each.pointer), each.message);
                    problem.advice = each.advice;
                    problem
                })
                .collect()),
            None => Err(Vec::new()),
        }
    });
    let veil = secrets.veil(seen.take());
    match found {
        Ok((kind, database)) => Ok(Connected {
            kind,
            database,
            veil,
        }),
        Err(mut problems) => {
            for problem in &mut problems {
                problem.cover(&veil);
                secrets.places().for_each(|secret| problem.mask(secret));
            }
            Err(Problems(problems).sorted())
        }
    }
}

/// The type and settings of a connection.
fn connected(
    root: &Path,
    name: &str,
    env: Lookup<'_>,
    registry: &Registry,
    secrets: &mut Secrets,
) -> Result<(String, Settings, Node), Vec<Problem>> {
    let mut problems = Vec::new();
    let file = discover::read(root, Path::new(PROJECT_FILE), &mut problems);
    let Some(project) = file.node.filter(|_| problems.is_empty()) else {
        return Err(problems);
    };
    let all = connections(&project);
    let Some(entry) = all.get(name) else {
        let problem = Problem::new(format!("there is no connection `{name}`"));
        return Err(vec![match nearest(name, all.keys().map(String::as_str)) {
            Some(near) => problem.advise(format!("did you mean `{near}`?")),
            None => problem.advise("describe it under `connections:` in hygge.yml"),
        }]);
    };
    let mut node = entry.value.clone();
    substitute(&mut node, env, &mut problems);
    let Value::Map(map) = &mut node.value else {
        let message = format!("connection `{name}` must be a map");
        return Err(vec![Problem::at(&entry.at, message)]);
    };
    let names: Vec<&str> = registry.databases().map(|kind| kind.name()).collect();
    let kind = map.take("type");
    let known = kind.as_ref().and_then(|kind| kind.value.as_text());
    let Some(database) = known.and_then(|kind| registry.database(kind)) else {
        let (at, message) = match (&kind, known) {
            (Some(entry), Some(kind)) => (
                entry.value.place(&entry.at),
                format!(
                    "connection `{name}` is of type `{kind}`, which is no database that hygge knows"
                ),
            ),
            _ => (&entry.at, format!("connection `{name}` needs a `type`")),
        };
        let problem = Problem::at(at, message);
        return Err(vec![
            match known.and_then(|kind| nearest(kind, names.iter().copied())) {
                Some(near) => problem.advise(format!("did you mean `{near}`?")),
                None => problem.advise(format!("there are: {}", names.join(", "))),
            },
        ]);
    };
    let what = format!("connection `{name}`");
    problems.extend(Check::run(&what, &database.schema(), &mut node, &entry.at));
    secrets.note(&node);
    if !problems.is_empty() {
        return Err(problems);
    }
    let settings = node.settings().of_connection(Some(name.to_owned()));
    Ok((database.name().to_owned(), settings, node))
}
