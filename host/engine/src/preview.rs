use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures::{StreamExt, stream};
use hygge_core::{
    Action, BuildContext, Context, EntityId, Fault, Mode, Registry, Result, Settled, Strategy,
    Watermark, code, quoted,
};
use hygge_project::{Plan, PlannedEntity};
use hygge_state::{Columns, Intent, StateStore};
use serde::Serialize;

use crate::check::{Rehearsal, Stop, goes_first};
use crate::start::{self, Remembered, Start};
use crate::{attempt, commit, drift, increment, recover};

/// What a run would do with one entity. Where transforms change its columns, its source is asked
/// for these; nothing else is connected to, and nothing is created.
#[derive(Debug, Clone, Serialize)]
pub struct Preview {
    /// The entity.
    pub id: EntityId,
    /// Where it would be read.
    pub from: String,
    /// What would happen to the rows on their way, in order.
    pub transforms: Vec<String>,
    /// The columns that would reach the Store, each with its type; empty when none is known.
    pub columns: Columns,
    /// What they are known from.
    pub columns_from: Option<KnownFrom>,
    /// Why the source didn't tell them, though it was to.
    pub columns_unknown: Option<String>,
    /// What would be asked of them before they are committed.
    pub checks: Vec<String>,
    /// Where it would be written.
    pub to: String,
    /// How much of it.
    pub mode: Mode,
    /// What an incremental run follows.
    #[serde(skip)]
    pub strategy: Option<Strategy>,
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

/// What columns are known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownFrom {
    /// What the source has now, through the transforms.
    Source,
    /// What the last run committed.
    LastRun,
}

/// What a run of the plan would do, entity by entity.
pub async fn preview(
    plan: &Plan,
    registry: &Registry,
    state: &dyn StateStore,
    cx: &Context,
) -> Vec<Preview> {
    let away = &Away::default();
    let all = plan.flows.iter().flat_map(move |flow| {
        let each = flow.entities.iter();
        each.map(move |planned| {
            let rehearsal = Rehearsal {
                plan,
                planned,
                registry,
                state,
                cx,
            };
            one(rehearsal, &flow.after, away)
        })
    });
    let most = plan.options.concurrency.max(1);
    stream::iter(all).buffered(most).collect().await
}

/// Why connections couldn't be made, by their names: each is tried once.
type Away = Mutex<BTreeMap<String, String>>;

async fn one(rehearsal: Rehearsal<'_>, after: &[String], away: &Away) -> Preview {
    let planned = rehearsal.planned;
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
        columns_from: None,
        columns_unknown: None,
        checks: planned
            .checks
            .iter()
            .map(|each| each.describe.clone())
            .collect(),
        to: planned.store_plan.describe.clone(),
        mode: planned.mode,
        strategy: planned.incremental.as_ref().map(|each| each.strategy),
        action: None,
        watermark: None,
        recovers: false,
        staged: 0,
        after: after.to_vec(),
        fault: None,
        warnings: Vec::new(),
    };
    if let Err(fault) = look(&rehearsal, &mut preview, away).await {
        preview.action = None;
        preview.fault = Some(fault);
    }
    preview
}

async fn look(rehearsal: &Rehearsal<'_>, preview: &mut Preview, away: &Away) -> Result<()> {
    let (planned, state) = (rehearsal.planned, rehearsal.state);
    let id = &planned.id;
    let intent = state.intent(id).await?;
    preview.recovers = intent.is_some();
    let start = begins(planned, &rehearsal.plan.place, state, intent.as_ref()).await?;
    preview.action = Some(start.action);
    preview.warnings.clone_from(&start.warnings);
    preview.watermark = start.low.as_ref().map(|low| low.watermark.clone());
    if let Some(watermark) = &preview.watermark {
        let now = jiff::Timestamp::now();
        let future = increment::in_the_future(watermark, now);
        preview.warnings.extend(future);
    }
    // What is staged beside an intent is that commit's.
    if intent.is_none()
        && attempt::anew(planned, rehearsal.registry).is_none()
        && let Some((_, splits)) = state.attempt(id).await?
    {
        preview.staged = splits.len() as u64;
    }
    columns(rehearsal, &start, preview, away).await
}

/// The columns that would reach the Store. Only what changes them is a reason to open the source.
async fn columns(
    rehearsal: &Rehearsal<'_>,
    start: &Start,
    preview: &mut Preview,
    away: &Away,
) -> Result<()> {
    let known = match rehearsal.planned.transforms.is_empty() {
        true => None,
        false => match asked(rehearsal, start, preview.recovers, away).await? {
            Ok(columns) => Some((columns, KnownFrom::Source)),
            Err(why) => {
                preview.columns_unknown = Some(why);
                None
            }
        },
    };
    let last = || {
        let columns = start.state.as_ref()?.columns.clone();
        (!columns.0.is_empty()).then_some((columns, KnownFrom::LastRun))
    };
    if let Some((columns, from)) = known.or_else(last) {
        preview.columns = columns;
        preview.columns_from = Some(from);
    }
    Ok(())
}

/// What comes of the columns that the source has now; or why that isn't known. An error is what a
/// run would end with, for what the project says. A source that can't be asked from here may well
/// be one that a run can read.
async fn asked(
    rehearsal: &Rehearsal<'_>,
    start: &Start,
    recovers: bool,
    away: &Away,
) -> Result<Result<Columns, String>> {
    let planned = rehearsal.planned;
    if planned.home_plan.many {
        let one = quoted(&format!("{}.TABLE", planned.id.flow));
        return Ok(Err(format!(
            "each table has its own, which `hygge schema {one}` shows"
        )));
    }
    if recovers {
        return Ok(Err(
            "the earlier run's commit is finished first, and leaves what to go on from".to_owned(),
        ));
    }
    let filler = planned.filled_by.as_ref();
    if let Some(filler) = filler.filter(|filler| filler.planned) {
        // What stands there now isn't what a run reads.
        let flow = &filler.flow;
        return Ok(Err(format!("flow {flow} goes first and writes the source")));
    }
    let connection = planned.home.connection.as_ref();
    let tried = || away.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(why) = connection.and_then(|name| tried().get(name).cloned()) {
        return Ok(Err(why));
    }
    let (home, store) = recover::build(rehearsal.registry, planned, &rehearsal.plan.place)?;
    let next = match rehearsal.next(home.as_ref(), start).await {
        Ok(Some(next)) => next,
        Ok(None) => return Ok(Err(format!("{} is empty", planned.home_plan.describe))),
        Err(Stop::Between(fault)) => return Err(fault),
        Err(Stop::Home(fault)) => {
            if let Some(name) = connection.filter(|_| fault.retryable) {
                tried().insert(name.clone(), fault.to_string());
            }
            let filler = filler.filter(|_| fault.code == code::SOURCE_MISSING);
            return Ok(Err(match filler {
                Some(filler) => goes_first(filler),
                None => fault.to_string(),
            }));
        }
    };
    let schema = rehearsal.reaches(next, start).map_err(Stop::fault)?.schema;
    store.fits(&schema)?;
    Ok(Ok(drift::columns(&schema)))
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
