//! Plugins that aren't written in Rust, in real flows: they keep the contract honest.

mod c;
mod codecs;
mod golden;
pub(crate) mod python;

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};

use crate::harness::{Command, Content, Outcome, Project};

/// What a destination holds when it holds exactly these columns: name, type, nullable, values.
fn content(columns: impl IntoIterator<Item = (&'static str, DataType, bool, ArrayRef)>) -> Content {
    let (fields, columns): (Vec<_>, Vec<_>) = columns
        .into_iter()
        .map(|(name, kind, nullable, values)| (Field::new(name, kind, nullable), values))
        .unzip();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
    Content::of_batches(&schema, &[batch])
}

/// Everything that the program said.
fn said(outcome: &Outcome) -> String {
    format!("{}{}", outcome.stdout, outcome.stderr)
}

/// The program on a project, with what it compiles kept for the other tests: the guest in Python
/// takes many seconds.
fn hygge(project: &Project, arguments: &str) -> Command {
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/cache");
    project.hygge(arguments).env("XDG_CACHE_HOME", cache)
}
