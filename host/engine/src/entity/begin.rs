//! What happens before the first row: the Store is told what is coming, and it is written down.

use std::collections::BTreeSet;

use arrow_schema::SchemaRef;
use hygge_core::failpoint::hit;
use hygge_core::{Context, Result, Split, SplitId, SplitPlan, Store, Target};

use super::Mover;
use crate::Event;
use crate::attempt::Begun;
use crate::orphan::discard_with;
use crate::start::Start;
use crate::traced::Merge;

impl Mover {
    /// Tells the Store what is coming, and writes down that it begins.
    pub(super) async fn begin(
        &self,
        store: &dyn Store,
        start: &Start,
        plan: &SplitPlan,
        (schema, merge): (SchemaRef, Option<Merge>),
        mut begun: Begun,
        cx: &Context,
    ) -> Result<(Target, Begun)> {
        let id = &self.planned.id;
        let merge = merge.unwrap_or_default();
        let mut target = Target {
            run: begun.attempt.run.clone(),
            entity: id.clone(),
            schema,
            action: start.action,
            key: merge.key,
            latest_by: merge.latest_by,
            on_schema_change: self.planned.on_schema_change,
            memory: start.memory.clone(),
            begun: serde_json::Value::Null,
        };
        if begun.elsewhere {
            let shared = &self.shared;
            let (state, place) = (shared.state.as_ref(), &shared.place);
            let planned = Some(&self.planned);
            let gone = discard_with(state, &shared.registry, place, id, planned, cx).await;
            if let Err(left) = gone {
                let what = "what an earlier run staged for another destination is still there";
                self.note(true, format!("{what}: {left}"));
            }
        }
        if begun.fresh {
            // Before what it staged is removed: a receipt must not outlive its data.
            self.shared.state.drop_attempt(id).await?;
        }
        let live = (!begun.fresh).then_some(&target.run);
        store.cleanup(id, live, cx).await?;
        let ready = store.begin(&target, cx);
        target.begun = self.shared.signal.or_stopped(ready).await?;
        // Once a run.
        drop(self.target.set(target.clone()));
        hit("store.begun")?;
        begun.attempt.begun = target.begun.clone();
        if begun.fresh {
            self.shared.state.begin_attempt(id, &begun.attempt).await?;
        } else {
            self.drop_lost(store, &target, &mut begun, cx).await?;
            self.shared.state.resume_attempt(id, &begun.attempt).await?;
            self.shared.events.event(&Event::Recovered {
                id: id.clone(),
                run: begun.attempt.run.clone(),
                message: match (begun.done.len(), plan.splits.len()) {
                    (1, 1) => "its only split was already staged".to_owned(),
                    (1, all) => format!("1 of {all} splits was already staged"),
                    (staged, all) => format!("{staged} of {all} splits were already staged"),
                },
            });
        }
        let open = plan
            .splits
            .iter()
            .filter(|s| !begun.done.contains_key(&s.id));
        let sum = |count: fn(&Split) -> Option<u64>| open.clone().map(count).sum();
        self.shared.events.event(&Event::EntityStarted {
            id: id.clone(),
            action: start.action,
            from: self.planned.home_plan.describe.clone(),
            to: self.planned.store_plan.describe.clone(),
            splits: open.clone().count() as u64,
            resumed: begun.done.len() as u64,
            rows: sum(|s| s.rows),
            bytes: sum(|s| s.bytes),
            watermark: start.low.as_ref().map(|low| low.watermark.clone()),
        });
        Ok((target, begun))
    }

    /// A receipt without what was staged is none: its split is done again.
    async fn drop_lost(
        &self,
        store: &dyn Store,
        target: &Target,
        begun: &mut Begun,
        cx: &Context,
    ) -> Result<()> {
        let receipts = begun.done.values().map(|done| done.receipt.clone());
        let there = store.still_staged(target, receipts.collect(), cx).await?;
        let there: BTreeSet<SplitId> = there.into_iter().map(|receipt| receipt.split).collect();
        let before = begun.done.len();
        begun.done.retain(|split, _| there.contains(split));
        let lost = before - begun.done.len();
        if lost > 0 {
            let of = match lost {
                1 => "a split is gone: it is".to_owned(),
                lost => format!("{lost} splits is gone: they are"),
            };
            let run = &begun.attempt.run;
            self.note(true, format!("what run {run} staged of {of} read again"));
        }
        Ok(())
    }
}
