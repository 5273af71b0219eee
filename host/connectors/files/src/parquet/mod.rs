//! Parquet below the level of rows.

mod encoded;

pub use encoded::{PARQUET, RowGroup, Source};
