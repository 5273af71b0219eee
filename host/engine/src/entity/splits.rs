//! The splits of an entity, several at once, each in a task of its own.

use std::sync::Arc;

use hygge_core::{Bounds, Fault, Home, Result, Split, SplitPlan, Store, Target, Want};
use hygge_state::SplitDone;
use tokio::task::JoinSet;

use super::Mover;
use crate::attempt::Begun;
use crate::chain::Chain;
use crate::checks::Checks;
use crate::pipeline::Pipeline;
use crate::window::{Follow, Seen};

impl Mover {
    pub(super) fn pipeline(
        &self,
        home: Arc<dyn Home>,
        (chain, checks): (Chain, Arc<Checks>),
        store: Arc<dyn Store>,
        target: &Target,
        bounds: Option<Bounds>,
        follow: Option<Arc<Follow>>,
    ) -> Pipeline {
        let looks = [
            (follow.is_some(), "a watermark is followed"),
            (!chain.is_empty(), "transforms change them"),
            (checks.looks(), "checks look at them"),
        ];
        let mut encoded = self.planned.store_plan.capabilities.encoded;
        if let Some((_, why)) = looks.iter().find(|(looks, _)| *looks)
            && encoded.take().is_some()
        {
            self.note(false, format!("rows are decoded, not copied: {why}"));
        }
        Pipeline {
            home,
            chain,
            checks,
            store,
            target: target.clone(),
            want: Want {
                batch_bytes: self.shared.tuning.batch_bytes,
                encoded,
                bounds,
            },
            queue_bytes: self.shared.tuning.queue_bytes,
            follow,
            progress: Arc::clone(&self.progress),
            signal: self.shared.signal.clone(),
        }
    }

    /// Moves the splits that are not staged yet, several at once, each with its own retries.
    pub(super) async fn move_splits(
        &self,
        pipeline: Pipeline,
        plan: &SplitPlan,
        begun: Begun,
        follow: Option<&Follow>,
    ) -> Result<(Vec<SplitDone>, Seen)> {
        let mut seen = Seen::default();
        let mut done = begun.done;
        if let Some(follow) = follow {
            for split in done.values() {
                seen.add(&split.observed, follow, true)?;
            }
        }
        let pipeline = Arc::new(pipeline);
        let first_attempt = begun.attempt.resumed * (self.shared.options.retries + 1);
        let mut waiting = plan
            .splits
            .iter()
            .filter(|split| !done.contains_key(&split.id))
            .cloned()
            .collect::<Vec<_>>()
            .into_iter();
        let mut open = JoinSet::new();
        let most = self.shared.most_open(&self.planned);
        let moving = async {
            loop {
                while open.len() < most {
                    let Some(split) = waiting.next() else { break };
                    open.spawn(self.one_split(Arc::clone(&pipeline), split, first_attempt));
                }
                let Some(joined) = open.join_next().await else {
                    return Ok(());
                };
                let split = joined
                    .map_err(|e| Fault::internal(format!("the task of a split died: {e}")))??;
                if let Some(follow) = follow {
                    seen.add(&split.observed, follow, false)?;
                }
                self.shared
                    .state
                    .split_done(&self.planned.id, &split)
                    .await?;
                self.progress.split_done();
                done.insert(split.receipt.split.clone(), split);
            }
        };
        let moved = moving.await;
        // After a failure the others must have ended before what they staged is thrown away.
        open.shutdown().await;
        moved.map(|()| (done.into_values().collect(), seen))
    }

    /// One split, as a task of its own: waits for its turn, then tries until it is staged.
    fn one_split(
        &self,
        pipeline: Arc<Pipeline>,
        split: Split,
        first_attempt: u32,
    ) -> impl Future<Output = Result<SplitDone>> + Send + use<> {
        let shared = Arc::clone(&self.shared);
        let connections = shared.connections_of(&self.planned);
        let lent = self.lent.clone();
        let retries = self.retries(split.id.to_string());
        async move {
            let closed = |_| Fault::internal("a semaphore was closed");
            let _turn = shared
                .splits
                .clone()
                .acquire_owned()
                .await
                .map_err(closed)?;
            let mut _held = Vec::new();
            for (connection, sessions) in connections {
                // All at once: half of what is needed would only keep others waiting.
                let permits = connection.acquire_many_owned(sessions);
                _held.push(permits.await.map_err(closed)?);
            }
            let moving = retries.run(async |tries| {
                shared.signal.stop().check()?;
                let cx = lent.context(&shared.memory);
                pipeline
                    .move_split(&split, first_attempt + tries, &retries, &cx)
                    .await
            });
            moving.await
        }
    }
}
