//! One home, transform or store tried by itself: nothing of it is remembered, and nothing is
//! retried. Rows are staged and committed as in a run.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use hygge_core::{
    Action, Batch, Bound, CommitRecord, Context, EntityId, Fault, Home, OnSchemaChange, Position,
    Receipt, Result, RunId, Settled, Split, SplitId, SplitPlan, Standing, Store, Target, Transform,
    Want, Writer, code,
};

use crate::StopSignal;
use crate::look_through::request;

/// The first rows of a Home.
#[derive(Debug)]
pub struct FirstRows {
    /// Their schema.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
    /// Whether there are more.
    pub more: bool,
    /// What the Home had to say.
    pub warnings: Vec<String>,
}

/// Reads the first rows of a Home, through a transform if there is one.
pub async fn first_rows(
    home: &dyn Home,
    transform: Option<&dyn Transform>,
    most: usize,
    cx: &Context,
) -> Result<FirstRows> {
    let plan = home
        .splits(&request(transform.is_some_and(Transform::whole)), cx)
        .await?;
    if plan.schema.fields().is_empty() {
        let message = "the source is empty, and has no columns";
        return Err(Fault::new(code::SOURCE_INVALID, message)
            .advise("ask again when there is something in it"));
    }
    let schema = match transform {
        Some(transform) => transform.bind(&plan.schema, cx).await?.schema(),
        None => Arc::clone(&plan.schema),
    };
    let (mut batches, mut rows, mut more) = (Vec::new(), 0, false);
    'splits: for split in &plan.splits {
        let mut reading = Reading::open(home, transform, &plan, split, cx).await?;
        reading.few = most.max(1);
        loop {
            let given = match reading.next().await {
                Ok(Some(given)) => given,
                Ok(None) => break,
                // What was asked for is there; a later row is wrong.
                Err(_) if rows == most && most > 0 => {
                    more = true;
                    break 'splits;
                }
                Err(fault) => return Err(fault),
            };
            for batch in given {
                let left = most - rows;
                more |= batch.num_rows() > left;
                let taken = batch.slice(0, batch.num_rows().min(left));
                rows += taken.num_rows();
                batches.push(taken);
            }
            if more {
                break 'splits;
            }
        }
    }
    Ok(FirstRows {
        schema,
        batches,
        more,
        warnings: plan.warnings,
    })
}

/// A split on its way through a transform.
struct Reading {
    reader: Box<dyn hygge_core::Reader>,
    bound: Option<Box<dyn Bound>>,
    ended: bool,
    /// Rows that were read and not taken yet.
    waiting: Option<RecordBatch>,
    /// How many are taken at once, more each time: what is wrong with later ones is no matter of
    /// those before.
    few: usize,
}

impl Reading {
    async fn open(
        home: &dyn Home,
        transform: Option<&dyn Transform>,
        plan: &SplitPlan,
        split: &Split,
        cx: &Context,
    ) -> Result<Self> {
        let want = Want {
            batch_bytes: 1 << 20,
            encoded: None,
            bounds: None,
        };
        let reader = home.open(split, &Position::start(), &want, cx).await?;
        let bound = match transform {
            Some(transform) => Some(transform.bind(&plan.schema, cx).await?),
            None => None,
        };
        Ok(Self {
            reader,
            bound,
            ended: false,
            waiting: None,
            few: usize::MAX,
        })
    }

    /// The next batches, of which there may be none; none of all when the split is read.
    async fn next(&mut self) -> Result<Option<Vec<RecordBatch>>> {
        if let Some(bound) = &mut self.bound
            && !self.ended
            && let Some(more) = bound.more().await?
        {
            return Ok(Some(more));
        }
        if self.ended {
            return match &mut self.bound {
                Some(bound) => bound.rest().await,
                None => Ok(None),
            };
        }
        let batch = match self.waiting.take() {
            Some(waiting) => waiting,
            None => {
                let Some(step) = self.reader.next().await? else {
                    self.ended = true;
                    return match &mut self.bound {
                        Some(bound) => bound.finish().await.map(Some),
                        None => Ok(None),
                    };
                };
                let Batch::Rows(batch) = step.batch else {
                    return Err(Fault::internal("rows came encoded that nobody asked for"));
                };
                batch
            }
        };
        let taken = self.few.min(batch.num_rows());
        let left = batch.num_rows() - taken;
        self.waiting = (left > 0).then(|| batch.slice(taken, left));
        self.few = self.few.saturating_mul(2);
        let batch = batch.slice(0, taken);
        match &mut self.bound {
            Some(bound) => bound.apply(batch).await.map(Some),
            None => Ok(Some(vec![batch])),
        }
    }
}

/// Where rows are poured.
#[derive(Debug)]
pub struct Pour<'a> {
    /// The store.
    pub store: &'a dyn Store,
    /// Its type, for the commit's record.
    pub kind: &'a str,
    /// What becomes of rows that are there.
    pub action: Action,
    /// For whom: the store's mark of whose rows these are.
    pub entity: EntityId,
    /// The run.
    pub run: RunId,
}

/// Moves all rows of a Home into a Store, through a transform if there is one, in one split and
/// one commit. Gives the rows that settled, and where. When someone asks to stop, what is staged
/// is thrown away, unless it is being committed.
pub async fn pour(
    home: &dyn Home,
    transform: Option<&dyn Transform>,
    into: &Pour<'_>,
    signal: &StopSignal,
    cx: &Context,
) -> Result<(u64, Settled)> {
    let Pour {
        store,
        action,
        entity,
        run,
        ..
    } = into;
    let ready = async {
        let plan = home
            .splits(&request(transform.is_some_and(Transform::whole)), cx)
            .await?;
        let schema = match transform {
            Some(transform) => transform.bind(&plan.schema, cx).await?.schema(),
            None => Arc::clone(&plan.schema),
        };
        store.fits(&schema)?;
        if let Standing::Foreign { example, .. } = store.inspect(entity, None, cx).await? {
            return Err(Fault::new(
                code::DESTINATION_FOREIGN,
                format!("something is there already: {example}"),
            )
            .advise("name a place with nothing in it"));
        }
        Ok((plan, schema))
    };
    let (plan, schema) = signal.or_stopped(ready).await?;
    let mut target = Target {
        run: run.clone(),
        entity: entity.clone(),
        schema,
        action: *action,
        key: Vec::new(),
        latest_by: None,
        on_schema_change: OnSchemaChange::default(),
        memory: None,
        begun: serde_json::Value::Null,
    };
    let committed = async {
        target.begun = signal.or_stopped(store.begin(&target, cx)).await?;
        let staging = stage(home, transform, &plan, &target, *store, cx);
        let receipts = vec![signal.or_stopped(staging).await?];
        let prepared = store.prepare(&target, receipts.clone(), cx);
        let prepared = match signal.or_stopped(prepared).await {
            Ok(prepared) => prepared,
            Err(fault) => {
                store.abort(&target, receipts, cx).await?;
                return Err(fault);
            }
        };
        commit(prepared, &target, into, cx).await
    }
    .await;
    // Of a run that failed this is what was staged; of one that succeeded, what is left of it.
    let cleaned = store.cleanup(entity, None, cx).await;
    let committed = committed?;
    cleaned?;
    Ok(committed)
}

/// Stages all rows as one split.
async fn stage(
    home: &dyn Home,
    transform: Option<&dyn Transform>,
    plan: &SplitPlan,
    target: &Target,
    store: &dyn Store,
    cx: &Context,
) -> Result<Receipt> {
    let split = SplitId("all".to_owned());
    let mut writer: Box<dyn Writer> = store.open_writer(target, &split, 1, cx).await?;
    for split in &plan.splits {
        let mut reading = Reading::open(home, transform, plan, split, cx).await?;
        while let Some(given) = reading.next().await? {
            for batch in given {
                cx.stop.check()?;
                writer.write(Batch::Rows(batch)).await?;
            }
        }
    }
    writer.finish().await
}

async fn commit(
    receipts: Vec<Receipt>,
    target: &Target,
    into: &Pour<'_>,
    cx: &Context,
) -> Result<(u64, Settled)> {
    let rows = receipts.iter().map(|receipt| receipt.rows).sum();
    let record = CommitRecord {
        version: CommitRecord::VERSION,
        hygge: env!("CARGO_PKG_VERSION").to_owned(),
        run: target.run.clone(),
        entity: target.entity.clone(),
        action: target.action,
        key: Vec::new(),
        store_type: into.kind.to_owned(),
        store: serde_json::Value::Null,
        begun: target.begun.clone(),
        rows,
        bytes: receipts.iter().map(|receipt| receipt.bytes).sum(),
        receipts,
        watermark: None,
        position: None,
        schema: Vec::new(),
        began: jiff::Timestamp::now(),
    };
    let settled = into.store.commit(&record, cx).await?;
    Ok((rows, settled))
}
