//! Parquet below the level of rows.

mod choose;
mod encode;
mod encoded;
mod recode;

pub use encode::{EncodeOptions, EncodedRowGroup, Encoder};
pub use encoded::{PARQUET, RowGroup, Source};
pub use recode::{Part, Recoder};
