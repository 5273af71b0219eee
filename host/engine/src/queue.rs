use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hygge_core::Batch;
use tokio::sync::Notify;

/// Batches between one reader and one writer, bounded in bytes.
///
/// A batch larger than the bound still passes, alone: otherwise one wide row could stop a run.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    pushed: Notify,
    popped: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    batches: VecDeque<(Batch, usize)>,
    bytes: usize,
    closed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a batch as soon as it fits below `limit` bytes, which is asked for anew each time.
    pub(crate) async fn push(&self, batch: Batch, limit: impl Fn() -> usize) {
        let size = batch.memory();
        loop {
            let popped = self.popped.notified();
            {
                let mut inner = self.lock();
                if inner.batches.is_empty() || inner.bytes + size <= limit() {
                    inner.bytes += size;
                    inner.batches.push_back((batch, size));
                    self.pushed.notify_one();
                    return;
                }
            }
            popped.await;
        }
    }

    /// Says that no batch will come any more.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.pushed.notify_one();
    }

    /// The next batch, or `None` after the last.
    pub(crate) async fn pop(&self) -> Option<Batch> {
        loop {
            let pushed = self.pushed.notified();
            {
                let mut inner = self.lock();
                if let Some((batch, size)) = inner.batches.pop_front() {
                    inner.bytes -= size;
                    self.popped.notify_one();
                    return Some(batch);
                }
                if inner.closed {
                    return None;
                }
            }
            pushed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use arrow_array::{ArrayRef, Int64Array, RecordBatch};

    use super::*;

    fn batch(rows: usize) -> Batch {
        let values: ArrayRef = Arc::new(Int64Array::from(vec![7; rows]));
        Batch::Rows(RecordBatch::try_from_iter([("n", values)]).unwrap())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn holds_no_more_than_its_bytes() {
        let queue = Arc::new(Queue::default());
        let most = Arc::new(AtomicUsize::new(0));
        let one = batch(1_000).memory();
        let pusher = {
            let queue = Arc::clone(&queue);
            tokio::spawn(async move {
                for _ in 0..100 {
                    queue.push(batch(1_000), || 3 * one).await;
                }
                queue.close();
            })
        };
        let mut seen = 0;
        while queue.pop().await.is_some() {
            seen += 1;
            most.fetch_max(queue.lock().bytes, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
        pusher.await.unwrap();
        assert_eq!(seen, 100);
        assert!(most.load(Ordering::Relaxed) <= 3 * one);
    }

    #[tokio::test]
    async fn a_batch_over_the_bound_passes_alone() {
        let queue = Queue::default();
        queue.push(batch(1_000), || 1).await;
        queue.close();
        assert!(queue.pop().await.is_some());
        assert!(queue.pop().await.is_none());
    }
}
