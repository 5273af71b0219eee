//! Whole-program tests: they run the binary on real files and look at what it prints, how it
//! exits and what stands at the destination, never inside.
//!
//! One file a feature, one target so that everything is linked once. The trade-off: a test here
//! costs a process, so a law that a unit test can check is checked there.

#![expect(
    clippy::unwrap_used,
    reason = "in a test a panic is the report, also outside of #[test] functions"
)]

mod apply;
mod apply_transactions;
mod changes;
mod checks;
mod crash;
mod damage;
mod deduping;
mod dictionaries;
mod elsewhere;
mod evil;
mod flights;
mod guests;
mod guides;
mod harness;
mod interrupt;
mod json;
mod known_failures;
mod login;
mod lost;
mod merged_tables;
mod merging;
mod mssql;
mod mutation;
mod orphans;
mod parquet_testing;
mod plugin_add;
mod plugin_new;
mod plugin_run;
mod plugin_test;
mod plugin_verbs;
mod plugins;
mod projects;
mod recovery;
mod references;
mod refused;
mod schema_changes;
mod seeds;
mod sessions;
mod shipped;
mod sqlite;
mod strategies;
mod table_columns;
mod tables;
mod transform_errors;
mod transforms;
mod verbs;
mod wrong;
