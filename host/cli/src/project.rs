use std::path::{Path, PathBuf};
use std::sync::Arc;

use hygge_core::{InlineWorkers, Mode, Registry};
use hygge_plugins::{Quarantined, Shelf};
use hygge_project::{Load, Plan, PlannedEntity, Selection, Wild};
use hygge_state::{LocalState, StateStore};
use jiff::tz::TimeZone;

use crate::args::Global;
use crate::complaint::Complaint;
use crate::console::Console;
use crate::registry::{ghosts, with_plugins};
use crate::wildcard;

/// A project that was found and is in order.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) plan: Plan,
    pub(crate) registry: Registry,
}

/// What the command line changes in the configuration.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) vars: Vec<String>,
    pub(crate) selection: Selection,
    pub(crate) mode: Option<Mode>,
    pub(crate) concurrency: Option<usize>,
}

impl Project {
    /// Tells what is worth saying but stops nothing.
    pub(crate) fn warn(&self, console: &Console) {
        let word = console.paint_err().warn("warning:");
        for warning in &self.plan.warnings {
            console.err(&format!("{word} {warning}\n"));
        }
    }
}

/// Finds the project's root: of the folder given, or of the current one.
pub(crate) fn root(global: &Global) -> Result<PathBuf, Complaint> {
    let folder = match &global.project {
        Some(folder) => folder.clone(),
        None => std::env::current_dir()
            .map_err(|error| Complaint::usage(format!("the current folder is gone: {error}")))?,
    };
    hygge_project::root(&folder).map_err(|problem| {
        let complaint = Complaint::usage(problem.message);
        match problem.advice {
            Some(advice) => complaint.advise(advice),
            None => complaint,
        }
    })
}

/// What is remembered of the project, for verbs that ask a thing or two.
pub(crate) fn state_of(root: &Path) -> Arc<dyn StateStore> {
    Arc::new(LocalState::open(&work_of(root), Arc::new(InlineWorkers)))
}

/// The project's folder for what isn't data.
pub(crate) fn work_of(root: &Path) -> PathBuf {
    root.join(WORK)
}

/// The folder for what isn't data, in every project.
const WORK: &str = ".hygge";

/// Finds, reads and checks the project. Everything that is wrong with it is told at once. What a
/// wildcard names stays as it is written; nothing is connected to.
pub(crate) fn load(
    global: &Global,
    changes: &Changes,
    console: &Arc<Console>,
) -> Result<Project, Complaint> {
    let root = root(global)?;
    let known = with_plugins(&root);
    load_with(&root, known, changes, &Wild::new(), console)
}

/// As [`load`], with the entities that wildcards name now.
pub(crate) fn load_found(
    global: &Global,
    changes: &Changes,
    console: &Arc<Console>,
) -> Result<Project, Complaint> {
    let root = root(global)?;
    // Once: a look at plugins reads and hashes all of each.
    let known = with_plugins(&root);
    let wild = wildcard::look(&root, &known.0, changes, console)?;
    load_with(&root, known, changes, &wild, console)
}

fn load_with(
    root: &Path,
    (registry, shelf): (Registry, Shelf),
    changes: &Changes,
    wild: &Wild,
    console: &Arc<Console>,
) -> Result<Project, Complaint> {
    let request = Load {
        root,
        env: &|name| std::env::var(name).ok(),
        vars: &changes.vars,
        selection: changes.selection.clone(),
        wild,
        mode: changes.mode,
        today: jiff::Timestamp::now().to_zoned(TimeZone::UTC).date(),
    };
    let mut unused: Vec<String> = shelf.quarantined.iter().map(said).collect();
    unused.extend(ghosts(root));
    let mut plan = hygge_project::load(&request, &registry).inspect_err(|_| {
        // A type that isn't known may be one that such a file would have brought.
        for line in &unused {
            let word = console.paint_err().warn("warning:");
            console.err(&format!("{word} {line}\n"));
        }
    })?;
    plan.warnings.extend(unused);
    if let Some(concurrency) = changes.concurrency {
        plan.options.concurrency = concurrency;
    }
    console.veil(plan.veil.clone());
    Ok(Project { plan, registry })
}

/// A plugin that isn't used, in a line.
fn said(quarantined: &Quarantined) -> String {
    match &quarantined.advice {
        Some(advice) => format!("{}; {advice}", quarantined.message),
        None => quarantined.message.clone(),
    }
}

/// What is said of a name that means none or several.
pub(crate) fn not_one_entity(name: &str) -> Option<Complaint> {
    (!name.contains('.') || name.contains(['*', '?', ','])).then(|| {
        Complaint::usage(format!("`{name}` isn't one entity"))
            .advise("write one FLOW.ENTITY; `hygge list` shows them")
    })
}

/// Loads the one entity of that name.
pub(crate) fn load_one(
    global: &Global,
    name: &str,
    console: &Arc<Console>,
) -> Result<(Project, PlannedEntity), Complaint> {
    if let Some(wrong) = not_one_entity(name) {
        return Err(wrong);
    }
    let changes = Changes {
        selection: Selection {
            flows: Vec::new(),
            entities: vec![name.to_owned()],
        },
        ..Changes::default()
    };
    let project = load_found(global, &changes, console)?;
    let found = project.plan.entities().next().cloned();
    let planned = found.ok_or_else(|| Complaint::usage(format!("there is no entity `{name}`")))?;
    Ok((project, planned))
}

/// A path as a person here would type it.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let short = here
        .as_deref()
        .and_then(|here| path.strip_prefix(here).ok());
    short.unwrap_or(path).display().to_string()
}
