//! SQL Server and Azure SQL as Home and Store.
//!
//! The trade-off settled here: no driver does everything well, so there are two. tiberius runs
//! statements, on sessions that bb8 pools; mssql-tds moves rows, both ways, straight between the
//! wire and Arrow, which costs a quarter of the CPU time. The price is that two of them count
//! against one budget of sessions, and that an option which either can't honour is refused.

// The drivers' futures are nested deeper than the compiler looks by default.
#![recursion_limit = "256"]

mod apply;
mod bound;
mod catalogue;
mod check;
mod connection;
mod database;
mod describe;
mod fault;
pub mod home;
mod name;
mod overflow;
#[cfg(test)]
mod reference;
pub mod store;
mod types;

use std::sync::Arc;

use hygge_core::Registry;

pub use self::connection::{ConnectionSettings, Encrypt, Intent, Seconds};
pub use self::name::parts as name_parts;
pub use self::overflow::OnOverflow;
pub use self::store::declared;
pub use self::types::TYPE_KEY;

/// Adds the types of this crate. Home and Store share their connections.
pub fn register(registry: &mut Registry) {
    let connections = Arc::new(connection::Connections::default());
    registry.add_home(Arc::new(home::MssqlHomeKind::new(Arc::clone(&connections))));
    registry.add_store(Arc::new(store::MssqlStoreKind::new(Arc::clone(
        &connections,
    ))));
    registry.add_database(Arc::new(database::MssqlDatabaseKind::new(Arc::clone(
        &connections,
    ))));
    registry.add_pooled(connections);
}
