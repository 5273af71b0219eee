use hygge_core::{Action, BuildContext, Context, Registry, Result, RunId, Standing, Watermark};
use hygge_project::PlannedEntity;
use hygge_state::{EntityState, Memories, StateStore};

use crate::recover::{build, location};
use crate::start;

/// Sets how far an entity came by hand: from now on that is true of the configured destination,
/// whatever stands there. The caller holds the lock.
pub async fn set_state(
    state: &dyn StateStore,
    registry: &Registry,
    place: &BuildContext,
    planned: &PlannedEntity,
    watermark: Watermark,
    run: RunId,
    cx: &Context,
) -> Result<EntityState> {
    let id = &planned.id;
    let before = state.load(id).await?;
    let mut ends = start::ends(planned, place, false);
    // Hashes of rows taken before say nothing about another window.
    let mut memories: Memories = vec![("window", None)];
    let moved = before
        .as_ref()
        .is_none_or(|b| b.ends.as_ref().is_some_and(|e| e.store != ends.store));
    let columns = before
        .as_ref()
        .map(|state| (state.columns.clone(), state.columns_before.clone()));
    let (_, store) = build(registry, planned, place)?;
    let memory = state.memory(id, "store").await?;
    let standing = store.inspect(id, memory.as_deref(), cx).await?;
    ends.filled = standing != Standing::Vacant;
    let forgets = match standing {
        Standing::Ours => false,
        // More stands there than is remembered: the Store goes by its mark.
        Standing::Marked { .. } => true,
        // The list of own files is true of the new place only when they were moved along.
        Standing::Vacant | Standing::Foreign { .. } => moved,
    };
    if forgets {
        memories.push(("store", None));
    }
    let done = before.as_ref().filter(|_| !moved).map(|state| state.action);
    let (columns, columns_before) = columns.filter(|_| !moved).unwrap_or_default();
    let after = EntityState {
        flow: id.flow.clone(),
        entity: id.entity.clone(),
        last_run: jiff::Timestamp::now(),
        run_id: before.as_ref().map_or(run, |state| state.run_id.clone()),
        status: "set".to_owned(),
        watermark: Some(watermark),
        rows_processed: before.as_ref().map_or(0, |state| state.rows_processed),
        position: before.and_then(|state| state.position),
        location: location(registry, planned),
        ends: Some(ends),
        action: done.unwrap_or(Action::Append),
        window: None,
        columns,
        columns_before,
    };
    state.put(&after, &memories).await?;
    Ok(after)
}
