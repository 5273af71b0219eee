//! Locks: whole tables, names of tables, and applications' own. A request that can't be met waits,
//! is told when it waited too long (1222), or when it waits for a session that waits for it (1205).

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::control::locked;
use crate::fault::SqlError;
use crate::reply::{Outcome, Signals};

/// What is locked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Resource {
    Table(super::Name),
    /// An application's name for something of its own (`sp_getapplock`).
    Application(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The table stays there and as it is declared: what even a dirty reader holds.
    Stable,
    Shared,
    /// To be written later.
    Update,
    IntentShared,
    /// Rows are put behind the others.
    Append,
    IntentExclusive,
    Exclusive,
    /// The declaration changes.
    Schema,
}

impl Mode {
    fn admits(self, other: Self) -> bool {
        use Mode::{
            Append, Exclusive, IntentExclusive, IntentShared, Schema, Shared, Stable, Update,
        };
        match (self, other) {
            (Schema, _) | (_, Schema) => false,
            (Stable, _) | (_, Stable) => true,
            (Exclusive, _) | (_, Exclusive) => false,
            (IntentShared, _) | (_, IntentShared) => true,
            (Shared, Shared | Update) | (Update, Shared) => true,
            (Append, Append) | (IntentExclusive, IntentExclusive) => true,
            _ => false,
        }
    }
}

/// Who a lock belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Statement,
    Transaction,
    Session,
}

#[derive(Debug)]
struct Held {
    spid: u16,
    mode: Mode,
    owner: Owner,
    /// Applications' locks are counted.
    times: usize,
}

#[derive(Default)]
struct State {
    held: HashMap<Resource, Vec<Held>>,
    /// Who waits for what.
    waiting: HashMap<u16, (Resource, Mode)>,
}

impl State {
    fn blockers(&self, spid: u16, resource: &Resource, mode: Mode) -> Vec<u16> {
        let held = self
            .held
            .get(resource)
            .map(Vec::as_slice)
            .unwrap_or_default();
        held.iter()
            .filter(|held| held.spid != spid && !held.mode.admits(mode))
            .map(|held| held.spid)
            .collect()
    }

    /// Whether a session that this one would wait for waits for this one.
    fn is_circle(&self, spid: u16, resource: &Resource, mode: Mode) -> bool {
        let mut open = self.blockers(spid, resource, mode);
        let mut seen = Vec::new();
        while let Some(next) = open.pop() {
            if next == spid {
                return true;
            }
            if !seen.contains(&next) {
                seen.push(next);
                if let Some((resource, mode)) = self.waiting.get(&next) {
                    open.extend(self.blockers(next, resource, *mode));
                }
            }
        }
        false
    }

    fn grant(&mut self, spid: u16, resource: &Resource, mode: Mode, owner: Owner) {
        let held = self.held.entry(resource.clone()).or_default();
        match held
            .iter_mut()
            .find(|held| held.spid == spid && held.mode == mode && held.owner == owner)
        {
            Some(held) => held.times += 1,
            None => held.push(Held {
                spid,
                mode,
                owner,
                times: 1,
            }),
        }
    }
}

#[derive(Default)]
pub(crate) struct Locks {
    state: Mutex<State>,
    released: Condvar,
}

/// Whether a wait had to be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Granted {
    AtOnce,
    AfterWaiting,
}

/// How often a wait looks whether it is still wanted.
const GLANCE: Duration = Duration::from_millis(20);

impl Locks {
    /// Waits for a lock: for ever without a limit, not at all for a limit of nothing.
    pub(crate) fn acquire(
        &self,
        spid: u16,
        resource: &Resource,
        mode: Mode,
        owner: Owner,
        limit: Option<Duration>,
        signals: &Signals,
    ) -> Outcome<Granted> {
        let began = Instant::now();
        let mut state = locked(&self.state);
        let mut waited = false;
        loop {
            if state.blockers(spid, resource, mode).is_empty() {
                state.waiting.remove(&spid);
                state.grant(spid, resource, mode, owner);
                return Ok(if waited {
                    Granted::AfterWaiting
                } else {
                    Granted::AtOnce
                });
            }
            let verdict = if state.is_circle(spid, resource, mode) {
                Err(SqlError::new(
                    1205,
                    format!("Transaction (Process ID {spid}) was deadlocked on lock resources with another process and has been chosen as the deadlock victim. Rerun the transaction."),
                )
                .class(13)
                .state(51)
                .into())
            } else if limit.is_some_and(|limit| began.elapsed() >= limit) {
                Err(
                    SqlError::new(1222, "Lock request time out period exceeded.")
                        .state(51)
                        .into(),
                )
            } else {
                signals.check()
            };
            if let Err(halt) = verdict {
                state.waiting.remove(&spid);
                return Err(halt);
            }
            state.waiting.insert(spid, (resource.clone(), mode));
            waited = true;
            let left = limit.map_or(GLANCE, |limit| {
                limit.saturating_sub(began.elapsed()).min(GLANCE)
            });
            state = self
                .released
                .wait_timeout(state, left.max(Duration::from_millis(1)))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Whether the lock would be granted now.
    pub(crate) fn is_free(&self, spid: u16, resource: &Resource, mode: Mode) -> bool {
        locked(&self.state)
            .blockers(spid, resource, mode)
            .is_empty()
    }

    /// What the session holds of a resource.
    pub(crate) fn held(&self, spid: u16, resource: &Resource, owner: Owner) -> Option<Mode> {
        let state = locked(&self.state);
        state
            .held
            .get(resource)?
            .iter()
            .find(|held| held.spid == spid && held.owner == owner)
            .map(|held| held.mode)
    }

    /// Gives one lock back, once; whether there was one.
    pub(crate) fn release_one(&self, spid: u16, resource: &Resource, owner: Owner) -> bool {
        let mut state = locked(&self.state);
        let Some(held) = state.held.get_mut(resource) else {
            return false;
        };
        let Some(at) = held
            .iter()
            .position(|held| held.spid == spid && held.owner == owner)
        else {
            return false;
        };
        held[at].times -= 1;
        if held[at].times == 0 {
            held.remove(at);
        }
        self.released.notify_all();
        true
    }

    /// Gives back everything that belongs to the statement, the transaction or the session.
    pub(crate) fn release(&self, spid: u16, owners: &[Owner]) {
        let mut state = locked(&self.state);
        state.held.retain(|_, held| {
            held.retain(|held| held.spid != spid || !owners.contains(&held.owner));
            !held.is_empty()
        });
        self.released.notify_all();
    }
}
