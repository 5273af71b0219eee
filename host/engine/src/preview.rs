use hygge_core::{Action, BuildContext, EntityId, Fault, Mode, Result, Settled, Watermark};
use hygge_project::{Plan, PlannedEntity};
use hygge_state::{Columns, Intent, StateStore};
use serde::Serialize;

use crate::start::{self, Remembered, Start};
use crate::{attempt, commit, increment};

/// What a run would do with one entity. Nothing is connected to or created to find out.
#[derive(Debug, Clone, Serialize)]
pub struct Preview {
    /// The entity.
    pub id: EntityId,
    /// Where it would be read.
    pub from: String,
    /// What would happen to the rows on their way, in order.
    pub transforms: Vec<String>,
    /// The columns that came of it in the last run, each with its type; empty when none is known.
    pub columns: Columns,
    /// What would be asked of them before they are committed.
    pub checks: Vec<String>,
    /// Where it would be written.
    pub to: String,
    /// How much of it.
    pub mode: Mode,
    /// What would become of rows that are there; none when it would be refused.
    pub action: Option<Action>,
    /// From which watermark.
    pub watermark: Option<Watermark>,
    /// Whether an earlier run's commit would be finished first.
    pub recovers: bool,
    /// Splits that an interrupted run staged; they are not read again when source and
    /// configuration are what they were then.
    pub staged: u64,
    /// Flows that must succeed first.
    pub after: Vec<String>,
    /// Why it would be refused.
    pub fault: Option<Fault>,
    /// Things worth knowing.
    pub warnings: Vec<String>,
}

/// What a run of the plan would do, entity by entity.
pub async fn preview(plan: &Plan, state: &dyn StateStore) -> Vec<Preview> {
    let mut previews = Vec::new();
    for flow in &plan.flows {
        for planned in &flow.entities {
            previews.push(one(planned, &flow.after, &plan.place, state).await);
        }
    }
    previews
}

async fn one(
    planned: &PlannedEntity,
    after: &[String],
    place: &BuildContext,
    state: &dyn StateStore,
) -> Preview {
    let id = &planned.id;
    let mut preview = Preview {
        id: id.clone(),
        from: planned.home_plan.describe.clone(),
        transforms: planned
            .transforms
            .iter()
            .map(|each| each.describe.clone())
            .collect(),
        columns: Columns::default(),
        checks: planned
            .checks
            .iter()
            .map(|each| each.describe.clone())
            .collect(),
        to: planned.store_plan.describe.clone(),
        mode: planned.mode,
        action: None,
        watermark: None,
        recovers: false,
        staged: 0,
        after: after.to_vec(),
        fault: None,
        warnings: Vec::new(),
    };
    preview.fault = look(planned, place, state, &mut preview).await.err();
    preview
}

async fn look(
    planned: &PlannedEntity,
    place: &BuildContext,
    state: &dyn StateStore,
    preview: &mut Preview,
) -> Result<()> {
    let id = &planned.id;
    let intent = state.intent(id).await?;
    preview.recovers = intent.is_some();
    let start = begins(planned, place, state, intent.as_ref()).await?;
    preview.action = Some(start.action);
    preview.columns = start.state.map(|state| state.columns).unwrap_or_default();
    preview.warnings = start.warnings;
    preview.watermark = start.low.map(|low| low.watermark);
    if let Some(watermark) = &preview.watermark {
        let now = jiff::Timestamp::now();
        let future = increment::in_the_future(watermark, now);
        preview.warnings.extend(future);
    }
    // What is staged beside an intent is that commit's, and what may depend on a secret is read again.
    if intent.is_none()
        && !attempt::secret(planned)
        && let Some((_, splits)) = state.attempt(id).await?
    {
        preview.staged = splits.len() as u64;
    }
    Ok(())
}

/// Where a run would begin, after the commit that it would finish before.
pub(crate) async fn begins(
    planned: &PlannedEntity,
    place: &BuildContext,
    state: &dyn StateStore,
    intent: Option<&Intent>,
) -> Result<Start> {
    let id = &planned.id;
    match intent {
        // The run comes after that commit, and goes by what it leaves.
        Some(intent) => {
            // It settles where it was decided on, and where the run before it did, as a rule.
            let before = state.load(id).await?.filter(|before| {
                let ends = before.ends.as_ref().zip(intent.ends.as_ref());
                ends.is_some_and(|(before, now)| before.store == now.store)
            });
            let settled = Settled {
                location: before.map_or_else(|| intent.to(), |before| before.location),
                parts: 0,
                memory: state.memory(id, "store").await?,
            };
            let known = Remembered {
                state: Some(commit::state_after(intent, &settled, "committed")),
                files: true,
                memory: settled.memory,
            };
            start::decide_by(planned, place, known)
        }
        None => start::decide(planned, place, state).await,
    }
}
