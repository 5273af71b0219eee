//! T-SQL: read into statements, and turned into what `SQLite` runs.

pub(crate) mod ast;
mod change;
mod control;
mod definition;
pub(crate) mod dialect;
pub(crate) mod expr;
mod functions;
pub(crate) mod infer;
pub(crate) mod names;
pub(crate) mod parse;
pub(crate) mod query;
pub(crate) mod select_list;
pub(crate) mod tables;
