//! Runs SQL scripts in a database, each once.
//!
//! The trade-off: what was applied could be remembered in the project's own folder, which needs no
//! table in anybody's database. But whoever dies between the two would leave scripts that ran and
//! that nobody knows of, and a second machine would run them again. So the record is a table of the
//! database itself, written in the transaction that the scripts run in: either both are there, or
//! neither is, for everybody. The price is that a statement which no transaction takes can't be
//! applied, and is refused by the database.

mod batch;
mod file;
mod known;
mod name;
mod plan;
mod run;

pub use batch::{Batch, Unparted, batches};
pub use file::{Script, read};
pub use plan::{Step, What, plan};
pub use run::run;
