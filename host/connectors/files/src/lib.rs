//! Parquet, CSV, NDJSON and Arrow IPC files as Home and Store.

pub mod parquet;
