//! Parquet, CSV, NDJSON and Arrow IPC files as Home and Store.
//!
//! The trade-off settled here: a file is read exactly or not at all. Schemas widen only where
//! every value stays what it was, types are guessed only where text and value say the same, and
//! a file that changes while it is read ends the run instead of giving half of each version.

pub mod config;
pub mod home;
mod kinds;
mod local;
pub mod parquet;
mod size;
pub mod store;

pub use kinds::register;
