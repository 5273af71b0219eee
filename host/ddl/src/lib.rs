//! CREATE TABLE statements from a schema, and entity files from a catalogue, for people to look over
//! and edit.
//!
//! The trade-off: a statement that nobody has to edit would have to guess lengths, keys and what
//! may be missing. So only what the schema says is declared, what rows showed stands in comments to
//! accept, and the same schema and rows always give the same text.

mod dialect;
mod entities;
mod limit;
mod mssql;
mod portable;
mod profile;
mod table;

pub use dialect::Dialect;
pub use entities::entity;
pub use profile::{Profile, Seen};
pub use table::{Form, Wanted, write};
