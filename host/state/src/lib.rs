//! What hygge remembers between runs, and between the steps of one.
//!
//! The trade-off: the engine wants to know that a record is durable before it goes on, and
//! nothing else about where it is kept. So the trait speaks of entities, attempts, intents and
//! runs, never of files; the local backend is one implementation, a database can be another.
//!
//! The life of one entity in one run, as records:
//! `begin_attempt`, `split_done` for each split, `put_intent` (from here on the commit will
//! happen, whoever does it), `close` (it happened; the new state stands, the intent is gone).

mod columns;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod damage_tests;
mod durable;
mod entity;
mod history;
mod journal;
mod layout;
mod local;
mod lock;
mod memory;
mod name;
mod record;
mod seal;
mod sheet;
mod store;
#[cfg(test)]
mod tape;
#[cfg(test)]
mod tests;
mod waiting;

pub use columns::Columns;
pub use local::LocalState;
pub use memory::MemoryState;

pub use record::{
    Attempt, Checked, Ends, EntityState, Holder, Intent, Outcome, RunEntity, RunRecord, SplitDone,
    Staged, Unfinished, Waiting,
};
pub use store::{EntityLock, Memories, StateStore};
