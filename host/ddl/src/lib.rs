//! CREATE TABLE statements from a schema, for people to look over, edit and apply.
//!
//! The trade-off: a statement that nobody has to edit would have to guess lengths, keys and what
//! may be missing. So only what the schema says is declared, what rows showed stands in comments to
//! accept, and the same schema and rows always give the same text.

mod dialect;
mod mssql;
mod portable;
mod profile;
mod table;

pub use dialect::Dialect;
pub use profile::{Profile, Seen};
pub use table::{Form, Wanted, write};
