//! A project's YAML files become one validated [`Plan`], or a list of everything that is wrong.
//!
//! The trade-off: serde stops at the first mistake and forgets where a value was written. A
//! person who configures a project wants all mistakes at once, each with its place, even after
//! five layers were merged. So files are read into a tree that keeps places; layers are merged
//! and variables filled in on that tree; it is checked against the JSON Schemas that the config
//! types and the connectors themselves give; and only what passed becomes typed. The same
//! schemas are what `hygge schema` prints, so an editor and a run never disagree.

mod alone;
mod check;
mod config;
mod conflict;
mod database;
mod discover;
mod endpoint;
mod entity;
mod flow;
mod incremental;
mod index;
mod listed;
mod load;
mod location;
mod merge;
mod node;
mod placeholder;
mod plan;
mod polish;
mod problem;
mod quantity;
mod real;
mod schema;
mod secrecy;
mod select;
mod source;
mod var;
mod variable;
mod wording;
mod yaml;

pub use alone::{Filled, fill};
pub use database::{Connected, database};
pub use discover::{PROJECT_FILE, root};
pub use load::{Load, Wild, flows_dir, granted, load, readable};
pub use plan::{
    Endpoint, Filler, Incremental, Known, Lookback, OnError, Options, Origin, Plan, PlannedEntity,
    PlannedFlow, PlannedItem,
};
pub use problem::{Excerpt, Problem, Problems};
pub use schema::{FileKind, schema};
pub use select::Selection;

use hygge_core::nearest;

#[cfg(test)]
mod tests;
