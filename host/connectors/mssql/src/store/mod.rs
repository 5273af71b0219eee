//! A table of SQL Server as a Store.

/// Which runs of this process hold their application lock.
#[derive(Debug, Default)]
pub(crate) struct Runs;
