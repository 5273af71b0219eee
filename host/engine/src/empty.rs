//! A full run of a source that is gone, where that is allowed. Full means replace: what stands
//! gives way to a data set without rows, and with the columns it had.

use arrow_schema::Schema;
use hygge_core::{Action, CommitRecord, Context, Fault, Result, Standing, Store, Target, code};
use hygge_project::PlannedEntity;
use hygge_state::{Columns, EntityState, Intent, Memories};

use crate::shared::Shared;
use crate::{Event, commit, drift, recover, start};

/// Refuses a source without columns, when it would take the place of what stands.
pub(crate) fn columns(planned: &PlannedEntity, action: Action, schema: &Schema) -> Result<()> {
    if !schema.fields().is_empty() || action != Action::Replace {
        return Ok(());
    }
    Err(Fault::new(
        code::SOURCE_INVALID,
        format!("{} has no columns", planned.home_plan.describe),
    )
    .advise(
        "nothing takes the place of what stands at the destination; `allow_empty: true` in the home \
         lets an empty source pass",
    ))
}

/// Replaces what stands, or says that nothing does. The caller holds the entity's lock.
pub(crate) async fn replace(
    shared: &Shared,
    planned: &PlannedEntity,
    store: &dyn Store,
    cx: &Context,
) -> Result<Option<EntityState>> {
    let id = &planned.id;
    if !store.replaces_all() {
        return Ok(None);
    }
    let memory = shared.state.memory(id, "store").await?;
    let state = shared.state.load(id).await?;
    let before = drift::before(planned, &shared.place, state.as_ref());
    // A Store that doesn't know them has them by the last run, as a table does.
    let schema = match store.columns(id, memory.as_deref(), cx).await? {
        Some(schema) => Some(schema),
        None => before.and_then(drift::left),
    };
    let Some(schema) = schema else {
        return match store.inspect(id, memory.as_deref(), cx).await? {
            Standing::Vacant => Ok(None),
            Standing::Ours | Standing::Marked { .. } | Standing::Foreign { .. } => Err(Fault::new(
                code::SOURCE_MISSING,
                format!(
                    "{} is empty, and with nothing remembered of the columns of {}, that \
                         can't be replaced by an empty data set",
                    planned.home_plan.describe, planned.store_plan.describe
                ),
            )
            .advise("what stands there was kept; move it away if it shall go")),
        };
    };
    // Before what an attempt staged is removed: a receipt must not outlive its data.
    shared.state.drop_attempt(id).await?;
    store.cleanup(id, None, cx).await?;
    let mut target = Target {
        run: shared.run.clone(),
        entity: id.clone(),
        schema,
        action: Action::Replace,
        key: Vec::new(),
        latest_by: None,
        on_schema_change: planned.on_schema_change,
        memory,
        begun: serde_json::Value::Null,
    };
    target.begun = store.begin(&target, cx).await?;
    let receipts = store.prepare(&target, Vec::new(), cx).await?;
    shared.events.event(&Event::Committing { id: id.clone() });
    let record = CommitRecord {
        version: CommitRecord::VERSION,
        hygge: env!("CARGO_PKG_VERSION").to_owned(),
        run: target.run.clone(),
        entity: id.clone(),
        action: target.action,
        key: target.key.clone(),
        store_type: planned.store.kind.clone(),
        store: planned.store.settings.redacted(),
        begun: target.begun.clone(),
        bytes: receipts.iter().map(|receipt| receipt.bytes).sum(),
        receipts,
        rows: 0,
        watermark: None,
        position: None,
        schema: commit::columns(&target.schema),
        began: shared.began,
    };
    let intent = Intent {
        record,
        config: recover::config(planned),
        ends: Some(start::ends(planned, &shared.place, false)),
        window: None,
        columns: drift::columns(&target.schema),
        columns_before: Columns::default(),
        warned: Vec::new(),
    };
    // Nothing was taken yet, as far as the next incremental run goes.
    let nothing: Memories = vec![("window", None), ("home", None)];
    shared.state.put_intent(&intent, &nothing).await?;
    let retries = shared.options.retries;
    let state = shared.state.as_ref();
    let (after, _) = commit::carry_out(state, store, &intent, "committed", retries, cx).await?;
    commit::tidy(store, id, cx).await;
    Ok(Some(after))
}
