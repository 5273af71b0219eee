//! From "all is staged" to "it is committed and remembered".

use hygge_core::failpoint::hit;
use hygge_core::{CommitRecord, Context, Result, Settled, Store, Watermark};
use hygge_state::{EntityState, Intent, Memories, StateStore};

use crate::retry::retrying;

/// Carries out a stored intent: the Store commits, then the state takes the intent's place.
/// Safe to call again after it died anywhere.
pub(crate) async fn carry_out(
    state: &dyn StateStore,
    store: &dyn Store,
    intent: &Intent,
    status: &str,
    retries: u32,
    cx: &Context,
) -> Result<(EntityState, Settled)> {
    let record = &intent.record;
    let settled = retrying(retries, |_, _, _| {}, |_| store.commit(record, cx)).await?;
    hit("store.committed")?;
    let after = state_after(intent, &settled, status);
    let memories: Memories = vec![("store", settled.memory.clone())];
    state.close(&after, &memories).await?;
    Ok((after, settled))
}

/// The state an intent leads to.
fn state_after(intent: &Intent, settled: &Settled, status: &str) -> EntityState {
    let CommitRecord {
        entity,
        run,
        watermark,
        position,
        action,
        ..
    } = &intent.record;
    EntityState {
        flow: entity.flow.clone(),
        entity: entity.entity.clone(),
        last_run: jiff::Timestamp::now(),
        run_id: run.clone(),
        status: status.to_owned(),
        watermark: watermark.clone(),
        rows_processed: intent.record.rows,
        position: position.clone(),
        location: settled.location.clone(),
        action: *action,
        window: intent.window.clone(),
    }
}

/// The greater of two watermarks of one column.
pub(crate) fn watermark(
    column: &str,
    kind: hygge_core::WatermarkType,
    ordinal: Option<i128>,
) -> Option<Watermark> {
    ordinal.map(|ordinal| Watermark {
        column: column.to_owned(),
        value: kind.show(ordinal),
        kind,
    })
}
