//! What checks ask of earlier runs. Row counts are kept with an entity's state, so that what others do
//! doesn't push them out; the history of all runs is read where that isn't enough, and once a run.

use std::collections::HashMap;

use hygge_core::{Action, EntityId, Fault, Result, code, quoted};
use hygge_state::{Outcome, RunRecord, StateStore};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

/// What an entity's memory of its counts is called.
pub(crate) const MEMORY: &str = "counts";

/// As many as a `volume` check can ask for.
const MOST: usize = 1_000;

/// Runs of the history that are looked through.
const LOOKED_AT: usize = 1_000;

/// How many rows reached the Store in each run, the newest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Counts {
    replace: Vec<u64>,
    append: Vec<u64>,
    upsert: Vec<u64>,
}

impl Counts {
    /// Of runs that did the same.
    pub(crate) fn of(&self, action: Action) -> &[u64] {
        match action {
            Action::Replace => &self.replace,
            Action::Append => &self.append,
            Action::Upsert => &self.upsert,
        }
    }

    /// With those of one more run, to be remembered.
    pub(crate) fn with(mut self, action: Action, rows: u64) -> Result<Vec<u8>> {
        // Quiet runs are compared with by nobody, and would push out those that are.
        if rows > 0 {
            let counts = self.of_mut(action);
            counts.insert(0, rows);
            counts.truncate(MOST);
        }
        serde_json::to_vec(&self).map_err(|error| Fault::internal(error.to_string()))
    }

    fn of_mut(&mut self, action: Action) -> &mut Vec<u64> {
        match action {
            Action::Replace => &mut self.replace,
            Action::Append => &mut self.append,
            Action::Upsert => &mut self.upsert,
        }
    }
}

/// The history as far as it is asked for.
#[derive(Debug, Default)]
pub(crate) struct History(OnceCell<HashMap<EntityId, Entity>>);

#[derive(Debug, Default)]
struct Entity {
    counts: Counts,
    /// Files of rows that failed in the last run that judged any; none when there was no such run.
    rejects: Option<Vec<String>>,
}

impl History {
    /// How many rows earlier runs of an entity brought.
    pub(crate) async fn counts(&self, state: &dyn StateStore, id: &EntityId) -> Result<Counts> {
        if let Some(remembered) = state.memory(id, MEMORY).await? {
            return serde_json::from_slice(&remembered).map_err(|error| {
                let message = format!("what is remembered of earlier runs can't be read: {error}");
                Fault::new(code::STATE, message).advise(format!(
                    "`hygge state reset {}` forgets all of it; the next run then begins anew",
                    quoted(&id.to_string())
                ))
            });
        }
        let entity = self.read(state).await?.get(id);
        Ok(entity
            .map(|entity| entity.counts.clone())
            .unwrap_or_default())
    }

    /// Where the last run that judged the entity kept rows that failed, as far as runs are looked
    /// through.
    pub(crate) async fn rejects(
        &self,
        state: &dyn StateStore,
        id: &EntityId,
    ) -> Result<Vec<String>> {
        // By its name it is one of those files, whatever the record says.
        let own = format!("{}.{}.", id.flow, id.entity).replace('/', "_");
        let own = |path: &&String| {
            let name = path.rsplit('/').next().unwrap_or_default();
            name.starts_with(&own) && name.ends_with(".ndjson")
        };
        let entity = self.read(state).await?.get(id);
        let rejects = entity.and_then(|entity| entity.rejects.as_ref());
        Ok(rejects.into_iter().flatten().filter(own).cloned().collect())
    }

    async fn read(&self, state: &dyn StateStore) -> Result<&HashMap<EntityId, Entity>> {
        let read = async || Ok(gathered(state.runs(LOOKED_AT).await?));
        self.0.get_or_try_init(read).await
    }
}

fn gathered(runs: Vec<RunRecord>) -> HashMap<EntityId, Entity> {
    let mut all: HashMap<EntityId, Entity> = HashMap::new();
    for run in runs.into_iter().flat_map(|run| run.entities) {
        let entity = all.entry(run.id).or_default();
        if let (Outcome::Pass, Some(action)) = (run.outcome, run.action) {
            let rows = run.rows_staged.unwrap_or(run.rows);
            entity.counts.of_mut(action).push(rows);
        }
        if entity.rejects.is_none() && !run.checks.is_empty() {
            let rejects = run.checks.into_iter();
            entity.rejects = Some(rejects.filter_map(|check| check.rejects).collect());
        }
    }
    all
}
