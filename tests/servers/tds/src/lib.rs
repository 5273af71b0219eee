//! A SQL Server for tests.

mod control;
mod engine;
mod fault;
mod faults;
mod reply;
mod session;
mod sql;
mod store;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trial;
mod types;
mod wire;

pub use control::{Encryption, Logged, Open, Options, PASSWORD, Server, USER};
pub use fault::SqlError;
pub use faults::{Effect, Fault};
pub use store::Backup;

/// What the server calls itself in messages.
pub(crate) const SERVER_NAME: &str = "HYGGE-TEST";
