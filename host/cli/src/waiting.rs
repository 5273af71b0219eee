use std::sync::Arc;

use hygge_core::{EntityId, Fault, RunId, code, quoted};
use hygge_project::Plan;
use hygge_state::{StateStore, Unfinished, Waiting};
use serde_json::{Value, json};

use crate::args::Global;
use crate::complaint::Complaint;
use crate::console::Console;
use crate::project::{self, Changes, Project};
use crate::{new_run, runtime, units};

/// A commit that was decided on and waits to be finished.
#[derive(Debug)]
pub(crate) struct Commit {
    pub(crate) id: EntityId,
    run: RunId,
    rows: u64,
    to: String,
    /// Whether the project still has the entity; none when that can't be told.
    pub(crate) known: Option<bool>,
}

impl Commit {
    fn of(waiting: &Waiting, known: Option<bool>) -> Option<Self> {
        let Unfinished::Commit(intent) = &waiting.work else {
            return None;
        };
        let record = &intent.record;
        Some(Self {
            id: waiting.entity.clone(),
            run: record.run.clone(),
            rows: record.rows,
            to: intent.to(),
            known,
        })
    }

    /// What waits, in a line.
    pub(crate) fn message(&self) -> String {
        let Self { id, run, rows, .. } = self;
        let gone = match self.known {
            Some(false) => ", and isn't in the project any more",
            _ => "",
        };
        let rows = units::rows(*rows);
        format!(
            "{id} has a commit of run {run} to finish, of {rows} into {}{gone}",
            self.to
        )
    }

    /// What to do about it, in a line.
    pub(crate) fn advice(&self) -> String {
        let named = quoted(&self.id.to_string());
        match self.known {
            Some(true) => {
                format!("`hygge start --entity {named}` finishes it before anything else")
            }
            Some(false) | None => format!(
                "`hygge state recover {named}` finishes it as it was decided on, `hygge state reset \
                 {named} --yes` gives it up"
            ),
        }
    }

    pub(crate) fn json(&self) -> Value {
        let Self {
            id,
            run,
            rows,
            to,
            known,
        } = self;
        json!({
            "flow": id.flow, "entity": id.entity,
            "waits": { "run": run, "rows": rows, "to": to, "in_project": known },
        })
    }
}

/// The commit of one entity, if one waits.
pub(crate) async fn commit(
    state: &dyn StateStore,
    id: &EntityId,
    global: &Global,
    console: &Arc<Console>,
) -> Result<Option<Commit>, Complaint> {
    let (commits, _) = commits(state, global, console).await?;
    Ok(commits.into_iter().find(|commit| commit.id == *id))
}

/// Every commit that waits, and why others can't be read. The project is read only when there is
/// one.
pub(crate) async fn commits(
    state: &dyn StateStore,
    global: &Global,
    console: &Arc<Console>,
) -> Result<(Vec<Commit>, Vec<Fault>), Complaint> {
    let (waiting, unread) = all(state).await?;
    let decided = |w: &Waiting| matches!(w.work, Unfinished::Commit(_));
    if !waiting.iter().any(decided) {
        return Ok((Vec::new(), unread));
    }
    // What is wrong with the project is for other verbs to say.
    let project = project::load(global, &Changes::default(), console).ok();
    let known = |id: &EntityId| project.as_ref().map(|project| project.plan.has(id));
    let commits = waiting
        .iter()
        .filter_map(|w| Commit::of(w, known(&w.entity)));
    Ok((commits.collect(), unread))
}

/// What runs left of entities that the project doesn't have any more.
#[derive(Debug, Default)]
pub(crate) struct Orphans {
    pub(crate) commits: Vec<Commit>,
    /// Staged, and decided on by nobody: by which run, and of what.
    staged: Vec<(EntityId, RunId)>,
    /// Records that can't be read.
    unread: Vec<Fault>,
}

impl Orphans {
    /// Looks for them. What a run is at work on now, by a configuration that has it, is none.
    pub(crate) async fn of(plan: &Plan, state: &dyn StateStore) -> Result<Self, Complaint> {
        let mut orphans = Self::default();
        let (waiting, unread) = all(state).await?;
        let holder = new_run::holder(&new_run::id(jiff::Timestamp::now()));
        for waiting in waiting.iter().filter(|w| !plan.has(&w.entity)) {
            let id = &waiting.entity;
            if state
                .lock(id, &holder)
                .await
                .is_err_and(|fault| locked(&fault))
            {
                continue;
            }
            match &waiting.work {
                Unfinished::Commit(_) => orphans.commits.extend(Commit::of(waiting, Some(false))),
                Unfinished::Attempt(attempt) => {
                    orphans.staged.push((id.clone(), attempt.run.clone()));
                }
            }
        }
        // Those of the project's own entities are told when these run.
        let own = |fault: &Fault| {
            let named = fault.attributes.iter().find(|(name, _)| name == "entity");
            let id = named.and_then(|(_, id)| id.split_once('.'));
            id.is_some_and(|(flow, entity)| plan.has(&EntityId::new(flow, entity)))
        };
        orphans.unread = unread.into_iter().filter(|fault| !own(fault)).collect();
        Ok(orphans)
    }

    /// What is worth saying of them, each with what to do about it.
    pub(crate) fn complaints(&self) -> impl Iterator<Item = Complaint> {
        let commits = self.commits.iter();
        commits
            .map(|commit| Complaint::failed(commit.message()).advise(commit.advice()))
            .chain(self.unread.iter().cloned().map(Complaint::from))
    }

    /// Throws away what nobody decided on, and says so; what can't be is named.
    pub(crate) fn discard(
        &self,
        project: &Project,
        state: &dyn StateStore,
        console: &Arc<Console>,
    ) -> Result<Vec<String>, Complaint> {
        if self.staged.is_empty() {
            return Ok(Vec::new());
        }
        let (runtime, threads) = runtime::whole()?;
        let cx = runtime::context(&threads, console);
        let (registry, place) = (&project.registry, &project.plan.place);
        let holder = new_run::holder(&new_run::id(jiff::Timestamp::now()));
        let mut said = Vec::new();
        for (id, run) in &self.staged {
            let gone = runtime.block_on(async {
                let _lock = state.lock(id, &holder).await?;
                hygge_engine::discard(state, registry, place, id, &cx).await
            });
            let what =
                format!("what run {run} staged for {id}, which isn't in the project any more");
            match gone {
                Ok(true) => said.push(format!("threw away {what}")),
                Ok(false) => {}
                // Somebody else sees to it.
                Err(fault) if locked(&fault) => {}
                Err(fault) => {
                    let why = Complaint::from(fault).line_of_text();
                    said.push(format!("can't throw away {what}: {why}"));
                }
            }
        }
        Ok(said)
    }
}

fn locked(fault: &Fault) -> bool {
    fault.code == code::LOCKED
}

async fn all(state: &dyn StateStore) -> Result<(Vec<Waiting>, Vec<Fault>), Complaint> {
    let (mut waiting, mut unread) = (Vec::new(), Vec::new());
    for each in state.waiting().await? {
        match each {
            Ok(each) => waiting.push(each),
            Err(fault) => unread.push(fault),
        }
    }
    Ok((waiting, unread))
}
