//! From "all is staged" to "it is committed and remembered".

use std::sync::Arc;

use arrow_schema::Schema;
use hygge_core::failpoint::hit;
use hygge_core::{
    Action, CommitRecord, Context, EntityId, Fault, Level, OPERATION_COLUMN, Position, Receipt,
    Result, Settled, SplitPlan, Standing, Store, Target, Watermark, code, quoted, type_name,
};
use hygge_state::{EntityState, Intent, Memories, SplitDone, StateStore};

use crate::checks::Checks;
use crate::entity::{Early, Moved, Mover};
use crate::retry::Retries;
use crate::start::{self, Start};
use crate::window::{Follow, Seen, Taken};
use crate::{Event, drift, history, increment, making, recover};

/// What is known when every split is staged.
pub(crate) struct Ended {
    pub(crate) done: Vec<SplitDone>,
    pub(crate) seen: Seen,
    pub(crate) before: Vec<Taken>,
    pub(crate) follow: Option<Arc<Follow>>,
    pub(crate) target: Target,
    pub(crate) checks: Arc<Checks>,
    pub(crate) making: Option<Vec<u8>>,
}

impl Mover {
    /// Makes the intent durable, commits, remembers.
    pub(crate) async fn commit(
        &self,
        store: &dyn Store,
        start: &Start,
        plan: SplitPlan,
        ended: Ended,
        cx: &Context,
    ) -> Result<(Moved, Option<Position>), Early> {
        // From here a stop waits: the commit is short, and half of it helps nobody.
        self.shared.signal.stop().check()?;
        let Ended {
            done,
            seen,
            before,
            follow,
            target,
            checks,
            making,
        } = ended;
        let rows_read = done.iter().map(|d| d.rows_read).sum();
        let staged = done.iter().map(|d| d.receipt.rows).sum();
        let checked = done.iter().map(|d| d.checked.clone()).collect();
        let (state, id) = (self.shared.state.as_ref(), &self.planned.id);
        let counts = match checks.is_empty() && state.memory(id, history::MEMORY).await?.is_none() {
            true => None,
            // Also while there is nothing to check, so that they are those of the last runs.
            false => {
                let counts = self.shared.history.counts(state, id).await?;
                Some(counts.with(target.action, staged)?)
            }
        };
        self.judge(&checks, checked, staged, target.action, cx)
            .await?;
        hit("entity.checked")?;
        let receipts: Vec<Receipt> = done.into_iter().map(|d| d.receipt).collect();
        // A merge rewrites files that were there before; what was moved is what was staged.
        let bytes = receipts.iter().map(|r| r.bytes).sum();
        let memories = |window| -> Memories {
            let mut memories = vec![("window", window)];
            // Also when there is none: what an earlier run under `strategy: files` left isn't true
            // any more once a watermark is followed.
            memories.push(("home", plan.memory.clone()));
            memories.push((making::MEMORY, making));
            memories.extend(counts.map(|counts| (history::MEMORY, Some(counts))));
            memories
        };
        let old = start.low.as_ref().map(|low| low.watermark.clone());
        let mut watermark = None;
        let mut window = (None, None);
        if let Some(follow) = &follow {
            // A full run begins anew, also when its newest row is older than the last one's.
            let old = match (&old, target.action) {
                (Some(old), Action::Append | Action::Upsert) => {
                    old.kind.convert(old.ordinal()?, follow.kind)
                }
                _ => None,
            };
            let high = seen.high(old);
            watermark = watermark_of(&follow.column, follow.kind, high);
            if !follow.columns.is_empty() {
                let low = start
                    .bounds
                    .as_ref()
                    .and_then(|bounds| bounds.kind.convert(bounds.low, follow.kind));
                let (state, bytes) = seen.window(before, high, low, follow)?;
                let state =
                    serde_json::to_value(state).map_err(|e| Fault::internal(e.to_string()))?;
                window = (Some(state), Some(bytes));
            }
        }
        let left_out = self.progress.without_watermark();
        if let (Some(follow), 1..) = (&follow, left_out) {
            self.note(
                true,
                format!(
                    "{left_out} {} no value in {:?}, so nothing says whether they are new: left out; \
                     a run with --full takes them",
                    if left_out == 1 { "row has" } else { "rows have" },
                    follow.column,
                ),
            );
        }
        if let Some(warning) = watermark
            .as_ref()
            .and_then(|w| increment::in_the_future(w, jiff::Timestamp::now()))
        {
            self.note(true, warning);
        }
        let kept = start
            .state
            .as_ref()
            .and_then(|state| state.ends.as_ref())
            .is_some_and(|ends| ends.filled && target.action != Action::Replace);
        // For a merge this is most of the work.
        self.shared.events.event(&Event::Committing {
            id: self.planned.id.clone(),
        });
        let receipts = store.prepare(&target, receipts, cx).await?;
        // Of several with one key, a merge keeps one.
        let rows = receipts.iter().map(|r| r.rows).sum();
        let filled = rows > 0 || kept;
        if target.action == Action::Replace && rows == 0 && rows_read > 0 {
            self.note(
                true,
                format!(
                    "none of the {rows_read} rows that were read passed the transforms, so no row \
                     stands at the destination now; the check `row_count` with `min: 1` stops such \
                     a run"
                ),
            );
        }
        let filled_before = start.state.as_ref().and_then(|state| state.ends.as_ref());
        if target.action == Action::Replace
            && rows_read == 0
            && filled_before.is_some_and(|ends| ends.filled)
        {
            let message = "the source had no rows, so none stand at the destination now; the check \
                           `row_count` with `min: 1` stops such a run";
            self.note(true, message.to_owned());
        }
        hit("store.prepared")?;
        let record = CommitRecord {
            version: CommitRecord::VERSION,
            hygge: env!("CARGO_PKG_VERSION").to_owned(),
            run: target.run.clone(),
            entity: self.planned.id.clone(),
            action: target.action,
            key: target.key.clone(),
            store_type: self.planned.store.kind.clone(),
            store: self.planned.store.settings.redacted(),
            begun: target.begun.clone(),
            receipts,
            rows,
            bytes,
            watermark: watermark.clone(),
            position: plan.position.clone(),
            schema: columns(&target.schema),
            began: self.shared.began,
        };
        let known = drift::before(&self.planned, &self.shared.place, start.state.as_ref());
        let stays =
            target.action != Action::Replace || drift::table(&self.planned, &self.shared.registry);
        let (columns, columns_before) = drift::remembered(
            &target.schema,
            start.state.as_ref(),
            known.filter(|_| stays),
        );
        let intent = Intent {
            record,
            config: recover::config(&self.planned),
            ends: Some(start::ends(&self.planned, &self.shared.place, filled)),
            window: window.0.clone(),
            columns,
            columns_before,
            warned: self.warned(),
        };
        self.shared
            .state
            .put_intent(&intent, &memories(window.1))
            .await?;
        let carried = carry_out(
            self.shared.state.as_ref(),
            store,
            &intent,
            "committed",
            self.shared.options.retries,
            cx,
        );
        let (state, _) = carried.await.map_err(|fault| match store.undone(&fault) {
            // Once more would end the same.
            true if fault.code == code::COMMIT_REFUSED => Early::Failed(refused(fault)),
            true => Early::Undone(fault),
            false => Early::Failed(decided(fault, store.stages(), &self.planned.id)),
        })?;
        let moved = Moved {
            action: target.action,
            rows,
            rows_staged: staged,
            rows_read,
            bytes,
            location: state.location,
            watermark: state.watermark,
        };
        Ok((moved, intent.record.position))
    }
}

fn refused(fault: Fault) -> Fault {
    let nothing = "nothing of this run was written, and the next one moves its rows again";
    let advice = match &fault.advice {
        Some(advice) => format!("{advice}; {nothing}"),
        None => nothing.to_owned(),
    };
    fault.advise(advice)
}

/// What went wrong after the commit was decided on doesn't undo it.
pub(crate) fn decided(fault: Fault, staged: bool, id: &EntityId) -> Fault {
    // These say so themselves, and what else to do.
    if matches!(&*fault.code, code::COMMIT_LOST | code::DESTINATION_FOREIGN) {
        return fault;
    }
    let next = match staged {
        true => {
            "its rows are staged and its commit is decided: the next `hygge start` finishes it \
             before anything else"
        }
        false => {
            "whether its commit came about isn't known: the next `hygge start` asks before anything \
             else, and moves the rows again if it didn't"
        }
    };
    let mut advice = match &fault.advice {
        Some(advice) => format!("{advice}; {next}"),
        None => next.to_owned(),
    };
    if staged && !fault.retryable && fault.code != code::STATE {
        advice += &format!("; {}", give_up(id));
    }
    fault.advise(advice)
}

/// What there is to do about a commit that can't be finished, or shan't be.
pub(crate) fn give_up(id: &EntityId) -> String {
    format!(
        "`hygge state reset {} --yes` gives it up instead, and forgets how far the entity came",
        quoted(&id.to_string())
    )
}

/// Carries out a stored intent: the Store commits, then the state takes the intent's place.
/// Safe to call again after it died anywhere. An intent that the Store says can't come about any
/// more, as nothing is left of it, is dropped.
pub(crate) async fn carry_out(
    state: &dyn StateStore,
    store: &dyn Store,
    intent: &Intent,
    status: &str,
    retries: u32,
    cx: &Context,
) -> Result<(EntityState, Settled)> {
    let record = &intent.record;
    let retries = Retries::new(retries, |_, _, _| {});
    let commit = async |tries| {
        // One that has begun isn't given up, but nobody who asked to stop waits for another.
        if tries > 1 {
            cx.stop.check()?;
        }
        let settled = store.commit(record, cx).await?;
        Ok((emptied(store, record, &settled, cx).await?, settled))
    };
    let (emptied, settled) = match retries.run(commit).await {
        Err(fault) if store.undone(&fault) => {
            state.drop_intent(&record.entity).await?;
            return Err(fault);
        }
        settled => settled?,
    };
    hit("store.committed")?;
    let mut after = state_after(intent, &settled, status);
    if let (true, Some(ends)) = (emptied, &mut after.ends) {
        ends.filled = false;
    }
    let memories: Memories = vec![("store", settled.memory.clone())];
    state.close(&after, &memories).await?;
    Ok((after, settled))
}

/// Whether a change stream deleted all that stood at the destination: then nobody else did.
async fn emptied(
    store: &dyn Store,
    record: &CommitRecord,
    settled: &Settled,
    cx: &Context,
) -> Result<bool> {
    let operations = format!("{OPERATION_COLUMN}: ");
    let mut columns = record.schema.iter();
    if !columns.any(|column| column.starts_with(&operations)) {
        return Ok(false);
    }
    let standing = store.inspect(&record.entity, settled.memory.as_deref(), cx);
    Ok(standing.await? == Standing::Vacant)
}

/// Throws away what is staged of a commit that stands. When that can't be done, the commit is no
/// worse for it: it is told, and tried again by the next run.
pub(crate) async fn tidy(store: &dyn Store, id: &EntityId, cx: &Context) {
    if let Err(fault) = store.cleanup(id, None, cx).await {
        let left = format!("the rows are committed, but what was staged is still there: {fault}");
        cx.notes.note(Level::Warning, &left);
    }
}

/// The state an intent leads to.
pub(crate) fn state_after(intent: &Intent, settled: &Settled, status: &str) -> EntityState {
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
        ends: intent.ends.clone(),
        action: *action,
        window: intent.window.clone(),
        columns: intent.columns.clone(),
        columns_before: intent.columns_before.clone(),
    }
}

/// Columns and their types, for people.
pub(crate) fn columns(schema: &Schema) -> Vec<String> {
    let fields = schema.fields().iter();
    fields
        .map(|field| format!("{}: {}", field.name(), type_name(field.data_type())))
        .collect()
}

/// The greater of two watermarks of one column.
pub(crate) fn watermark_of(
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
