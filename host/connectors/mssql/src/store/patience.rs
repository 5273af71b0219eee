//! Statements that wait for somebody else: nothing bounds how long a transaction may stay open.

use std::pin::pin;
use std::time::Duration;

use hygge_core::{Context, Level, Result};
use tokio::time::timeout;

use crate::name::TableName;

/// How long nothing is said.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often is asked whether to stop.
const ASKED: Duration = Duration::from_millis(200);

/// Does what looks at a table, and says so when that takes long.
pub(super) async fn told<T>(
    table: &TableName,
    cx: &Context,
    work: impl Future<Output = T> + Send,
) -> T {
    let mut work = pin!(work);
    if let Ok(done) = timeout(PATIENCE, &mut work).await {
        return done;
    }
    let waits = format!("waiting to look at {table}: somebody may hold it in an open transaction");
    cx.notes.note(Level::Waiting, &waits);
    work.await
}

/// Does what changes a table, and says so when that takes long. From then on who asks to stop isn't
/// kept waiting: `work` is given up, and with its session all that it had begun.
pub(super) async fn told_until_stopped<T>(
    table: &TableName,
    cx: &Context,
    work: impl Future<Output = Result<T>> + Send,
) -> Result<T> {
    let mut work = pin!(work);
    if let Ok(done) = timeout(PATIENCE, &mut work).await {
        return done;
    }
    let waits = format!(
        "{table} is being written, or waited for: somebody may hold it in an open transaction"
    );
    cx.notes.note(Level::Waiting, &waits);
    loop {
        if let Ok(done) = timeout(ASKED, &mut work).await {
            return done;
        }
        cx.stop.check()?;
    }
}
