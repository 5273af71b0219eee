//! The application lock of a run: as long as it is held, what the run staged is somebody's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use hygge_core::{Fault, Result, RunId, code};

use crate::connection::{Connection, StatementSession};
use crate::describe::whole;
use crate::fault::Doing;

/// The locks that this process holds on one connection, by run.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    held: Mutex<HashMap<RunId, Weak<RunLock>>>,
    /// One entity takes the lock of a run that they share: the others would wait for it, each with a
    /// session in its hands.
    taking: tokio::sync::Mutex<()>,
}

impl Runs {
    fn held(&self) -> MutexGuard<'_, HashMap<RunId, Weak<RunLock>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, run: &RunId) -> Option<Arc<RunLock>> {
        self.held().get(run).and_then(Weak::upgrade)
    }
}

/// A run's lock. It dies with its session, which dies with the process.
pub(crate) struct RunLock {
    _session: Mutex<StatementSession>,
}

impl std::fmt::Debug for RunLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RunLock")
    }
}

/// Takes the lock, if it comes free soon: a session that has just died may still be held to be
/// alive. 0 and 1 are success, anything below isn't.
const TAKE: &str = "\
DECLARE @taken int; \
EXEC @taken = sp_getapplock @Resource = @P1, @LockMode = 'Exclusive', @LockOwner = 'Session', \
@LockTimeout = 2000; \
SELECT @taken";

async fn take(session: &mut StatementSession, run: &RunId) -> Result<bool> {
    session.keep_to_oneself();
    let what = format!("can't lock run {run}");
    let resource = format!("hygge:{run}");
    let found = session
        .query(&what, Doing::Writing, TAKE, &[&resource])
        .await?;
    let row = found.first().and_then(|rows| rows.first());
    Ok(row
        .and_then(|row| whole(row, 0))
        .is_some_and(|taken| taken >= 0))
}

impl Connection {
    /// The lock of a run, shared by all of its entities on this connection.
    pub(super) async fn lock_run(self: &Arc<Self>, run: &RunId) -> Result<Arc<RunLock>> {
        if let Some(lock) = self.runs.get(run) {
            return Ok(lock);
        }
        let _taking = self.runs.taking.lock().await;
        if let Some(lock) = self.runs.get(run) {
            return Ok(lock);
        }
        let mut session = self.statements(&format!("the lock of run {run}")).await?;
        if take(&mut session, run).await? {
            let lock = Arc::new(RunLock {
                _session: Mutex::new(session),
            });
            let mut held = self.runs.held();
            held.retain(|_, lock| lock.strong_count() > 0);
            held.insert(run.clone(), Arc::downgrade(&lock));
            return Ok(lock);
        }
        Err(Fault::new(
            code::LOCKED,
            format!("another process is working on run {run}"),
        )
        .retryable())
    }

    /// Whether what a run staged is nobody's any more: its lock is this process's own, or can be
    /// taken. The session that took it keeps it until it is dropped.
    pub(super) async fn is_abandoned(
        self: &Arc<Self>,
        run: &RunId,
        session: &mut StatementSession,
    ) -> Result<bool> {
        match self.runs.get(run) {
            Some(_) => Ok(true),
            None => take(session, run).await,
        }
    }
}
