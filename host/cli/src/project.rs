use std::path::{Path, PathBuf};
use std::sync::Arc;

use hygge_core::{BuildContext, InlineWorkers, Mode, Registry};
use hygge_plugins::Quarantined;
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
    seen: Seen,
}

/// What was looked at beside the configuration.
#[derive(Debug)]
struct Seen {
    root: PathBuf,
    /// What is worth saying: plugins that aren't used, grants for none, wildcards that nobody could
    /// look up.
    told: Vec<String>,
    wild: Wild,
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
    /// The same project with other changes. Plugins and wildcards aren't looked at again: that
    /// reads all of each file, and asks servers.
    pub(crate) fn again(
        self,
        changes: &Changes,
        console: &Arc<Console>,
    ) -> Result<Self, Complaint> {
        load_with(self.seen, self.registry, changes, console)
    }

    /// Whether it was looked up what wildcards name.
    pub(crate) fn asked(&self) -> bool {
        !self.seen.wild.is_empty()
    }

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

/// Where a project stands, for who doesn't load it.
pub(crate) fn place(root: &Path) -> BuildContext {
    BuildContext {
        root: root.to_owned(),
        work: work_of(root),
        entity: None,
        run: None,
    }
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
    let (seen, registry) = look(global)?;
    load_with(seen, registry, changes, console)
}

/// As [`load`], with the entities that wildcards name now.
pub(crate) fn load_found(
    global: &Global,
    changes: &Changes,
    console: &Arc<Console>,
) -> Result<Project, Complaint> {
    let (mut seen, registry) = look(global)?;
    let looked = wildcard::look(&seen.root, &registry, changes, console)?;
    if let Some(failed) = looked.failed.into_iter().next() {
        return Err(failed);
    }
    seen.wild = looked.wild;
    load_with(seen, registry, changes, console)
}

/// As [`load_found`]; where it can't be looked up what a wildcard names, it stays as it is written,
/// with a warning that says why.
pub(crate) fn load_as_far(
    global: &Global,
    changes: &Changes,
    console: &Arc<Console>,
) -> Result<Project, Complaint> {
    let (mut seen, registry) = look(global)?;
    let looked = wildcard::look(&seen.root, &registry, changes, console)?;
    seen.wild = looked.wild;
    let mut failed = looked.failed.into_iter();
    let Some(first) = failed.next() else {
        return load_with(seen, registry, changes, console);
    };
    // Names of tables that nobody could look up aren't known, which is no fault of theirs.
    let all = Changes {
        vars: changes.vars.clone(),
        mode: changes.mode,
        ..Changes::default()
    };
    let selected = hygge_project::load(&request(&seen, changes), &registry);
    if selected.is_err() && hygge_project::load(&request(&seen, &all), &registry).is_ok() {
        return Err(first);
    }
    let failed = std::iter::once(first).chain(failed);
    let said = failed.map(|each| format!("{}; its pattern is shown instead", each.line_of_text()));
    seen.told.extend(said);
    load_with(seen, registry, changes, console)
}

/// Finds the project and its plugins, once: a look at these reads and hashes all of each.
fn look(global: &Global) -> Result<(Seen, Registry), Complaint> {
    let root = root(global)?;
    let (registry, shelf) = with_plugins(&root);
    let mut told: Vec<String> = shelf.quarantined.iter().map(said).collect();
    told.extend(ghosts(&root));
    let wild = Wild::new();
    Ok((Seen { root, told, wild }, registry))
}

/// The plan of a project that is in order, for who has no words to say of one that isn't.
pub(crate) fn known(global: &Global) -> Option<Plan> {
    let (seen, registry) = look(global).ok()?;
    hygge_project::load(&request(&seen, &Changes::default()), &registry).ok()
}

fn request<'a>(seen: &'a Seen, changes: &'a Changes) -> Load<'a> {
    Load {
        root: &seen.root,
        env: &|name| std::env::var(name).ok(),
        vars: &changes.vars,
        selection: changes.selection.clone(),
        wild: &seen.wild,
        mode: changes.mode,
        today: jiff::Timestamp::now().to_zoned(TimeZone::UTC).date(),
    }
}

fn load_with(
    seen: Seen,
    registry: Registry,
    changes: &Changes,
    console: &Arc<Console>,
) -> Result<Project, Complaint> {
    let plan = hygge_project::load(&request(&seen, changes), &registry);
    let mut plan = plan.inspect_err(|_| {
        // A type that isn't known may be one that such a file would have brought.
        for line in &seen.told {
            let word = console.paint_err().warn("warning:");
            console.err(&format!("{word} {line}\n"));
        }
    })?;
    plan.warnings.extend(seen.told.iter().cloned());
    if let Some(concurrency) = changes.concurrency {
        plan.options.concurrency = concurrency;
    }
    console.veil(plan.veil.clone());
    Ok(Project {
        plan,
        registry,
        seen,
    })
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
    load_one_with(global, name, &[], console)
}

/// The same, with values that the command line sets.
pub(crate) fn load_one_with(
    global: &Global,
    name: &str,
    vars: &[String],
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
        vars: vars.to_vec(),
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
