//! The connector against a server: what is written is read again, whatever its type.
//!
//! Runs on the server made for tests, or on the one that `HYGGE_TEST_MSSQL` holds a connection
//! string of. The whole program is tested in tests/all/mssql.rs.

#![expect(
    clippy::unwrap_used,
    reason = "in a test a panic is the report, also outside of #[test] functions"
)]

mod debug;
mod direct;
mod fit;
mod loading;
mod login;
mod merge;
mod pool;
mod publish;
mod random;
mod read;
mod scene;
mod schema_change;
mod swap;
mod types;
