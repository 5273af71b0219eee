//! Rows that somebody only looks at: read and changed as in a run, and written nowhere.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use hygge_core::{
    Batch, Bound as _, BuildContext, Context, Fault, Home, Position, Registry, Result, RunId,
    Running, SplitRequest, Want,
};
use hygge_project::PlannedEntity;

use crate::chain::Chain;

/// What looks at rows, batch by batch.
#[derive(Debug)]
pub struct Looker<T> {
    /// What it saw so far.
    pub seen: T,
    /// Takes in a batch; without it the schema alone is of interest.
    pub take: Option<fn(&mut T, &RecordBatch)>,
}

/// Looks at what an entity's Store would be given: its schema, and all its rows if they are asked
/// for.
pub async fn look_through_entity<T: Send + 'static>(
    registry: &Registry,
    planned: &PlannedEntity,
    place: &BuildContext,
    looker: Looker<T>,
    cx: &Context,
) -> Result<(SchemaRef, T)> {
    let kind = registry
        .home(&planned.home.kind)
        .ok_or_else(|| Fault::internal(format!("no home of type {:?}", planned.home.kind)))?;
    let home = kind.build(&planned.home.settings, &place.of(&planned.id))?;
    let chain = Chain::build(registry, planned, &as_a_run(place))?;
    through(home.as_ref(), &chain, looker, cx).await
}

/// Looks at what a Home gives.
pub async fn look_through<T: Send + 'static>(
    home: &dyn Home,
    looker: Looker<T>,
    cx: &Context,
) -> Result<(SchemaRef, T)> {
    through(home, &Chain::default(), looker, cx).await
}

async fn through<T: Send + 'static>(
    home: &dyn Home,
    chain: &Chain,
    looker: Looker<T>,
    cx: &Context,
) -> Result<(SchemaRef, T)> {
    const BATCH: usize = 2 << 20;
    let Looker { mut seen, take } = looker;
    let plan = home.splits(&request(chain.whole()), cx).await?;
    let schema = match chain.is_empty() {
        true => Arc::clone(&plan.schema),
        false => chain.bind(&plan.schema, cx).await?.schema(),
    };
    let Some(take) = take else {
        return Ok((schema, seen));
    };
    let want = Want {
        batch_bytes: BATCH,
        encoded: None,
        bounds: None,
    };
    for split in &plan.splits {
        let mut reader = home.open(split, &Position::start(), &want, cx).await?;
        let mut bound = chain.bind(&plan.schema, cx).await?;
        loop {
            cx.stop.check()?;
            let step = reader.next().await?;
            let ended = step.is_none();
            let given = match step.map(|step| step.batch) {
                None => bound.finish().await?,
                Some(Batch::Rows(rows)) => bound.apply(rows).await?,
                Some(Batch::Encoded(_)) => {
                    return Err(Fault::internal("rows came encoded that nobody asked for"));
                }
            };
            let mut given = Some(given);
            while let Some(batches) = given {
                cx.stop.check()?;
                seen = cx
                    .cpu(move || {
                        batches.iter().for_each(|batch| take(&mut seen, batch));
                        Ok(seen)
                    })
                    .await?;
                given = match ended {
                    true => bound.rest().await?,
                    false => bound.more().await?,
                };
            }
            if ended {
                break;
            }
        }
    }
    Ok((schema, seen))
}

/// The place of a run that begins now: some transforms write which run moves a row, and when it began.
pub(crate) fn as_a_run(place: &BuildContext) -> BuildContext {
    let began = jiff::Timestamp::now();
    BuildContext {
        run: Some(Running {
            id: RunId::new(began, 0),
            began,
        }),
        ..place.clone()
    }
}

/// What is asked of a Home whose rows must meet in one transform, or need not.
pub(crate) fn request(whole: bool) -> SplitRequest {
    SplitRequest {
        max_splits: whole.then_some(1),
        ..SplitRequest::default()
    }
}
