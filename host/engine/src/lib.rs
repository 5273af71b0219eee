//! Runs a [`Plan`](hygge_project::Plan).

mod event;

pub use event::{Event, Events};
