//! The application lock of a run: as long as it is held, what the run staged is somebody's.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use hygge_core::{Fault, Result, RunId, code};

use crate::connection::{Connection, StatementSession};
use crate::describe::whole;
use crate::fault::Doing;

/// The locks that this process holds on one connection, by run.
#[derive(Default)]
pub(crate) struct Runs(tokio::sync::Mutex<HashMap<RunId, Weak<RunLock>>>);

impl std::fmt::Debug for Runs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Runs")
    }
}

/// A run's lock. It dies with its session, which dies with the process.
pub(crate) struct RunLock {
    _session: StatementSession,
}

impl std::fmt::Debug for RunLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RunLock")
    }
}

/// Takes the lock if nobody has it; 0 and 1 are success, anything below isn't.
const TAKE: &str = "\
DECLARE @taken int; \
EXEC @taken = sp_getapplock @Resource = @P1, @LockMode = 'Exclusive', @LockOwner = 'Session', \
@LockTimeout = 0; \
SELECT @taken";

fn resource(run: &RunId) -> String {
    format!("hygge:{run}")
}

async fn take(session: &mut StatementSession, run: &RunId) -> Result<bool> {
    session.keep_to_oneself();
    let what = format!("can't lock run {run}");
    let found = session
        .query(&what, Doing::Writing, TAKE, &[&resource(run)])
        .await?;
    let row = found.first().and_then(|rows| rows.first());
    Ok(row
        .and_then(|row| whole(row, 0))
        .is_some_and(|taken| taken >= 0))
}

impl Connection {
    /// The lock of a run, shared by all of its entities on this connection.
    pub(super) async fn lock_run(self: &Arc<Self>, run: &RunId) -> Result<Arc<RunLock>> {
        let mut held = self.runs.0.lock().await;
        if let Some(lock) = held.get(run).and_then(Weak::upgrade) {
            return Ok(lock);
        }
        let mut session = self.statements(&format!("the lock of run {run}")).await?;
        if !take(&mut session, run).await? {
            return Err(Fault::new(
                code::LOCKED,
                format!("another process is working on run {run}"),
            )
            .retryable());
        }
        let lock = Arc::new(RunLock { _session: session });
        held.retain(|_, lock| lock.strong_count() > 0);
        held.insert(run.clone(), Arc::downgrade(&lock));
        Ok(lock)
    }

    /// Whether what a run staged is nobody's any more: this process works on it no longer, or
    /// its lock can be taken. The session that took it keeps it until it is dropped.
    pub(super) async fn is_abandoned(
        self: &Arc<Self>,
        run: &RunId,
        session: &mut StatementSession,
    ) -> Result<bool> {
        let held = self.runs.0.lock().await;
        if held.get(run).and_then(Weak::upgrade).is_some() {
            return Ok(true);
        }
        take(session, run).await
    }
}
