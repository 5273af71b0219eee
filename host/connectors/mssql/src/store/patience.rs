//! Statements that wait for somebody else.

use std::pin::pin;
use std::time::Duration;

use hygge_core::{Context, Level};

use crate::name::TableName;

/// How long nothing is said.
const PATIENCE: Duration = Duration::from_secs(3);

/// Does what looks at a table, and says so when that takes long: nothing bounds how long a
/// transaction of somebody else may stay open.
pub(super) async fn told<T>(
    table: &TableName,
    cx: &Context,
    work: impl Future<Output = T> + Send,
) -> T {
    let mut work = pin!(work);
    if let Ok(done) = tokio::time::timeout(PATIENCE, &mut work).await {
        return done;
    }
    let waits = format!("waiting to look at {table}: somebody may hold it in an open transaction");
    cx.notes.note(Level::Waiting, &waits);
    work.await
}
