use std::sync::Arc;

use hygge_core::failpoint::hit;
use hygge_core::{
    Batch, Bound as _, Context, Fault, Home, Receipt, Result, Split, Store, Target, Want,
};
use hygge_state::SplitDone;

use crate::StopSignal;
use crate::chain::Chain;
use crate::checks::{Checks, SplitChecks};
use crate::progress::Progress;
use crate::queue::Queue;
use crate::retry::Retries;
use crate::steps::Steps;
use crate::window::{Follow, Observer};

/// What every split of an entity is moved with.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) home: Arc<dyn Home>,
    pub(crate) chain: Chain,
    pub(crate) checks: Arc<Checks>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) target: Target,
    pub(crate) want: Want,
    pub(crate) queue_bytes: usize,
    pub(crate) follow: Option<Arc<Follow>>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) signal: StopSignal,
}

impl Pipeline {
    /// Moves one split, from its start to its receipt. Reading and writing go on at the same
    /// time; the first failure of either ends both, also while the queue is full.
    pub(crate) async fn move_split(
        &self,
        split: &Split,
        attempt: u32,
        retries: &Retries<'_>,
        cx: &Context,
    ) -> Result<SplitDone> {
        let queue = Queue::default();
        let mut moved = Moved {
            progress: &self.progress,
            rows: 0,
            bytes: 0,
            done: false,
        };
        let mut read = Read {
            progress: &self.progress,
            bytes: 0,
            done: false,
        };
        let reading = self.read(split, retries, &queue, &mut read, cx);
        let writing = self.write(split, attempt, &queue, &mut moved, cx);
        let both = async { futures::try_join!(reading, writing) };
        let ((rows_read, left_out, observer, checks), receipt) = self
            .signal
            .or_stopped(both)
            .await
            .map_err(|fault| fault.with("split", &split.id))?;
        (moved.done, read.done) = (true, true);
        self.progress.left_out(left_out);
        // Not before the writer has ended well: the next attempt meets the same rows again.
        let observed = match observer {
            Some(observer) => cx.cpu(move || observer.finish()).await?,
            None => serde_json::Value::Null,
        };
        let checked = match checks {
            Some(checks) => cx.cpu(move || checks.finish()).await?,
            None => serde_json::Value::Null,
        };
        Ok(SplitDone {
            receipt,
            rows_read,
            observed,
            checked,
        })
    }

    async fn read(
        &self,
        split: &Split,
        retries: &Retries<'_>,
        queue: &Queue,
        read: &mut Read<'_>,
        cx: &Context,
    ) -> Result<(u64, u64, Option<Observer>, Option<SplitChecks>)> {
        let want = Want {
            batch_bytes: self
                .want
                .batch_bytes
                .min(cx.share.bytes() / 16)
                .max(64 << 10),
            ..self.want.clone()
        };
        let mut steps = Steps::open(&self.home, split, &want, retries, cx).await?;
        hit("split.opened")?;
        let mut observer = self.follow.as_ref().map(|f| Observer::new(Arc::clone(f)));
        let mut chain = match self.chain.is_empty() {
            true => None,
            false => Some(self.chain.bind(&steps.schema(), cx).await?),
        };
        let mut checks = match self.checks.is_empty() {
            true => None,
            false => Some(self.checks.look(cx)),
        };
        let mut rows_read = 0;
        while let Some(step) = steps.next().await? {
            hit("split.batch")?;
            cx.stop.check()?;
            rows_read += step.batch.rows();
            read.to(steps.bytes_read());
            let batch = match (step.batch, observer.take()) {
                (Batch::Rows(rows), Some(mut follows)) => {
                    let (kept, follows) = cx
                        .cpu(move || {
                            let kept = follows.take(rows)?;
                            Ok((kept, follows))
                        })
                        .await?;
                    observer = Some(follows);
                    Batch::Rows(kept)
                }
                (Batch::Encoded(_), Some(_)) => {
                    return Err(Fault::internal(
                        "a reader sent encoded rows that must be looked at",
                    ));
                }
                (batch, None) => batch,
            };
            match (batch, chain.as_mut()) {
                (Batch::Rows(rows), Some(_)) if rows.num_rows() == 0 => {}
                (Batch::Rows(rows), Some(chain)) => {
                    let mut made = Some(chain.apply(rows).await?);
                    while let Some(batches) = made {
                        for rows in batches {
                            self.push(Batch::Rows(rows), &mut checks, queue, cx).await?;
                        }
                        cx.stop.check()?;
                        made = chain.more().await?;
                    }
                }
                (Batch::Encoded(_), Some(_)) => {
                    return Err(Fault::internal(
                        "a reader sent encoded rows that must be transformed",
                    ));
                }
                (batch, None) => self.push(batch, &mut checks, queue, cx).await?,
            }
        }
        if let Some(chain) = &mut chain {
            let mut held = Some(chain.finish().await?);
            while let Some(batches) = held {
                for rows in batches {
                    self.push(Batch::Rows(rows), &mut checks, queue, cx).await?;
                }
                cx.stop.check()?;
                held = chain.rest().await?;
            }
        }
        read.to(steps.bytes_read().and(split.bytes));
        queue.close();
        Ok((rows_read, steps.without_watermark(), observer, checks))
    }

    async fn push(
        &self,
        batch: Batch,
        checks: &mut Option<SplitChecks>,
        queue: &Queue,
        cx: &Context,
    ) -> Result<()> {
        self.same_schema(&batch)?;
        if batch.rows() > 0 {
            if self.checks.looks() {
                self.look(&batch, checks, cx).await?;
            }
            let limit = || self.queue_bytes.min(cx.share.bytes() / 4);
            queue.push(batch, limit).await;
        }
        Ok(())
    }

    /// Lets the checks look at rows on their way to the writer.
    async fn look(
        &self,
        batch: &Batch,
        checks: &mut Option<SplitChecks>,
        cx: &Context,
    ) -> Result<()> {
        let Batch::Rows(rows) = batch else {
            return Err(Fault::internal(
                "a reader sent encoded rows that must be checked",
            ));
        };
        if let Some(mut looking) = checks.take() {
            let rows = rows.clone();
            let looked = cx.cpu(move || looking.take(&rows).map(|()| looking));
            *checks = Some(looked.await?);
        }
        Ok(())
    }

    async fn write(
        &self,
        split: &Split,
        attempt: u32,
        queue: &Queue,
        moved: &mut Moved<'_>,
        cx: &Context,
    ) -> Result<Receipt> {
        let mut writer = self
            .store
            .open_writer(&self.target, &split.id, attempt, cx)
            .await?;
        while let Some(batch) = queue.pop().await {
            let (rows, bytes) = (batch.rows(), size(&batch));
            writer.write(batch).await?;
            moved.add(rows, bytes);
        }
        hit("writer.finishing")?;
        let receipt = writer.finish().await?;
        hit("writer.finished")?;
        Ok(receipt)
    }

    /// A reader that changes its mind about the schema would corrupt what the writer stages.
    fn same_schema(&self, batch: &Batch) -> Result<()> {
        let schema = match batch {
            Batch::Rows(rows) => rows.schema(),
            Batch::Encoded(encoded) => encoded.schema(),
        };
        if Arc::ptr_eq(&schema, &self.target.schema)
            || schema.fields() == self.target.schema.fields()
        {
            return Ok(());
        }
        Err(Fault::internal(
            "a reader sent rows of another schema than it had announced",
        ))
    }
}

fn size(batch: &Batch) -> u64 {
    match batch {
        Batch::Rows(rows) => rows.get_array_memory_size() as u64,
        Batch::Encoded(encoded) => encoded.bytes(),
    }
}

/// Bytes of its split an attempt has read; they are taken back from the progress when it fails.
struct Read<'a> {
    progress: &'a Progress,
    bytes: u64,
    done: bool,
}

impl Read<'_> {
    fn to(&mut self, bytes: Option<u64>) {
        if let Some(bytes) = bytes {
            self.progress.read(self.bytes, bytes);
            self.bytes = bytes;
        }
    }
}

impl Drop for Read<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.progress.read(self.bytes, 0);
        }
    }
}

/// Rows an attempt has moved; they are taken back from the progress when it fails.
struct Moved<'a> {
    progress: &'a Progress,
    rows: u64,
    bytes: u64,
    done: bool,
}

impl Moved<'_> {
    fn add(&mut self, rows: u64, bytes: u64) {
        self.rows += rows;
        self.bytes += bytes;
        self.progress.moved(rows, bytes);
    }
}

impl Drop for Moved<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.progress.take_back(self.rows, self.bytes);
        }
    }
}
