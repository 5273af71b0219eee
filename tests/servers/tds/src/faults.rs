//! Faults on demand: what goes wrong, where, and how often.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::control::locked;
use crate::fault::SqlError;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The connection is cut before the statement runs.
    DropBefore,
    /// The connection is cut once the statement ran, before the client is told.
    DropAfter,
    /// The connection is cut once so many more bytes of packets were sent.
    DropAfterBytes(u64),
    /// The statement waits first.
    Delay(Duration),
    /// The statement doesn't run and answers with an error; 1205 also rolls back, and a class of
    /// 20 or more ends the session.
    Error(SqlError),
}

/// Something that is to go wrong. A statement is one of T-SQL, `INSERT BULK ...` for the statement
/// that announces a load and `BULK LOAD table` for the moment its rows begin to arrive,
/// `BEGIN TRANSACTION`, `COMMIT TRANSACTION`, `ROLLBACK TRANSACTION` for the requests that mean it,
/// or `LOGIN user` for a login.
#[derive(Clone, Debug)]
pub struct Fault {
    text: String,
    nth: usize,
    always: bool,
    effect: Effect,
}

impl Fault {
    /// At the next statement that holds this text, whatever its case; empty for any statement.
    pub fn at(text: impl Into<String>, effect: Effect) -> Self {
        Self {
            text: text.into().to_lowercase(),
            nth: 1,
            always: false,
            effect,
        }
    }

    /// At the k-th such statement, counted from 1.
    #[must_use]
    pub fn nth(mut self, nth: usize) -> Self {
        self.nth = nth.max(1);
        self
    }

    /// At every such statement from there on, not once.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.always = true;
        self
    }
}

#[derive(Default)]
pub(crate) struct Faults {
    waiting: Mutex<Vec<Fault>>,
    struck: AtomicUsize,
}

impl Faults {
    pub(crate) fn add(&self, fault: Fault) {
        locked(&self.waiting).push(fault);
    }

    pub(crate) fn clear(&self) {
        locked(&self.waiting).clear();
    }

    pub(crate) fn struck(&self) -> usize {
        self.struck.load(Ordering::SeqCst)
    }

    /// What goes wrong at this statement; every fault that the text fits counts it.
    pub(crate) fn strike(&self, statement: &str) -> Vec<Effect> {
        let mut waiting = locked(&self.waiting);
        if waiting.is_empty() {
            return Vec::new();
        }
        let statement = statement.to_lowercase();
        let mut effects = Vec::new();
        waiting.retain_mut(|fault| {
            if !statement.contains(&fault.text) {
                return true;
            }
            if fault.nth > 1 {
                fault.nth -= 1;
                return true;
            }
            effects.push(fault.effect.clone());
            fault.always
        });
        self.struck.fetch_add(effects.len(), Ordering::SeqCst);
        effects
    }
}
