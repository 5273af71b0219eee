//! What is kept and what is thrown away after an entity failed.

use hygge_core::{Fault, Receipt, Result};

use super::Mover;

impl Mover {
    /// What a failed entity leaves: splits staged before a fault that may pass are kept for
    /// the next run, everything else is thrown away. An intent is never touched here.
    pub(super) async fn after_failure(&self, fault: &Fault) -> Result<()> {
        let id = &self.planned.id;
        if fault.retryable || self.shared.state.intent(id).await?.is_some() {
            return Ok(());
        }
        let ((_, store), cx) = (self.build()?, self.context());
        let receipts = self.receipts().await?;
        // In this order, so that a kill in between leaves no receipt without its data.
        self.shared.state.drop_attempt(id).await?;
        if let (Some(target), false) = (self.target.get(), receipts.is_empty()) {
            let aborted = store.abort(target, receipts, &cx).await;
            if let Err(fault) = aborted {
                // Not the end: cleaning up finds the same, and what went wrong before is the news.
                self.note(
                    true,
                    format!("what was staged isn't thrown away yet: {fault}"),
                );
            }
        }
        store.cleanup(id, None, &cx).await
    }

    /// The receipts of what this run staged, or went on with.
    async fn receipts(&self) -> Result<Vec<Receipt>> {
        let staged = self.shared.state.attempt(&self.planned.id).await?;
        // What another run staged may have been for another Store.
        let own = staged.filter(|(staged, _)| {
            let target = self.target.get();
            target.is_some_and(|target| target.run == staged.run)
        });
        let done = own.map(|(_, done)| done).unwrap_or_default();
        Ok(done.into_iter().map(|split| split.receipt).collect())
    }
}
