//! Runs a [`Plan`](hygge_project::Plan): entities side by side, each taken apart into splits
//! that are read and written in parallel, staged, and committed in one step.
//!
//! The trade-off: the engine knows no connector and no front end. It speaks to Homes and Stores
//! through their traits, remembers through a [`StateStore`](hygge_state::StateStore), and tells
//! what happens as [`Event`]s; so the order of what is made durable, the one thing that decides
//! whether rows are lost or doubled, can be read in one file (`entity.rs`).

mod alone;
mod attempt;
mod brought;
mod chain;
mod check;
mod checks;
mod commit;
mod drift;
mod empty;
mod entity;
mod event;
mod history;
mod increment;
mod json;
mod look_through;
mod making;
mod met;
mod newest;
mod orphan;
mod peek;
mod pipeline;
mod preview;
mod progress;
mod queue;
mod recover;
mod rejects;
mod retry;
mod rowhash;
mod run;
mod set;
mod shared;
mod signal;
mod start;
mod steps;
mod traced;
mod veiled;
mod widened;
mod window;
mod workers;

pub use alone::{FirstRows, Pour, first_rows, pour};
pub use check::{Checked, Found, check, discover};
pub use drift::{Change, Drift, drift};
pub use event::{Event, Events};
pub use increment::in_the_future;
pub use json::json_lines;
pub use look_through::{Looker, look_through, look_through_entity};
pub use orphan::{discard, forget};
pub use peek::{After, Passed, passed, peek};
pub use preview::{KnownFrom, Preview, preview};
pub use recover::{finish_intent, recover_state};
pub use run::{EntityResult, RunRequest, RunSummary, run};
pub use set::set_state;
pub use shared::Tuning;
pub use signal::StopSignal;
pub use workers::Threads;
