use hygge_core::{Action, EntityId, Fault, Mode, Result, Strategy, Watermark, action, code};
use hygge_project::{Plan, PlannedEntity};
use hygge_state::StateStore;
use serde::Serialize;

use crate::increment::{self, Low};

/// What a run would do with one entity. Nothing is connected to or created to find out.
#[derive(Debug, Clone, Serialize)]
pub struct Preview {
    /// The entity.
    pub id: EntityId,
    /// Where it would be read.
    pub from: String,
    /// What would happen to the rows on their way, in order.
    pub transforms: Vec<String>,
    /// Where it would be written.
    pub to: String,
    /// How much of it.
    pub mode: Mode,
    /// What would become of rows that are there.
    pub action: Action,
    /// From which watermark.
    pub watermark: Option<Watermark>,
    /// Whether an earlier run's commit would be finished first.
    pub recovers: bool,
    /// Flows that must succeed first.
    pub after: Vec<String>,
    /// Things worth knowing.
    pub warnings: Vec<String>,
}

/// What a run of the plan would do, entity by entity.
pub async fn preview(plan: &Plan, state: &dyn StateStore) -> Result<Vec<Preview>> {
    let mut previews = Vec::new();
    for flow in &plan.flows {
        for planned in &flow.entities {
            previews.push(one(planned, &flow.after, state).await?);
        }
    }
    Ok(previews)
}

async fn one(planned: &PlannedEntity, after: &[String], state: &dyn StateStore) -> Result<Preview> {
    let known = state.load(&planned.id).await?;
    let incremental = planned.incremental.as_ref();
    let followed = incremental.filter(|_| planned.mode == Mode::Incremental);
    let mut warnings = Vec::new();
    let low = match followed {
        Some(incremental) => Low::of(incremental, known.as_ref())?,
        None => None,
    };
    if let (Some(incremental), Some(low)) = (followed, &low) {
        warnings.extend(low.warning(incremental)?);
        warnings.extend(increment::in_the_future(
            &low.watermark,
            jiff::Timestamp::now(),
        ));
    }
    let first = match followed.map(|i| i.strategy) {
        Some(Strategy::Files) => state.memory(&planned.id, "home").await?.is_none(),
        _ => low.is_none(),
    };
    let action = action(
        planned.mode,
        incremental.map(|i| i.strategy),
        first,
        &planned.store_plan.capabilities,
    )
    .map_err(|c| Fault::new(code::CONFIG, c.message).advise(c.advice))?;
    Ok(Preview {
        id: planned.id.clone(),
        from: planned.home_plan.describe.clone(),
        transforms: planned
            .transforms
            .iter()
            .map(|each| each.describe.clone())
            .collect(),
        to: planned.store_plan.describe.clone(),
        mode: planned.mode,
        action,
        watermark: low.map(|low| low.watermark),
        recovers: state.intent(&planned.id).await?.is_some(),
        after: after.to_vec(),
        warnings,
    })
}
