//! Parquet below the level of rows: row groups copied as they are stored, or encoded anew.

mod appended;
mod choose;
mod copy;
mod decide;
mod encode;
mod encoded;
mod error;
mod index;
mod input;
mod layout;
mod mend;
mod pages;
mod recode;
mod sample;
mod sink;
mod source;
mod statistics;
mod thrift;
mod verify;
mod write;

pub use copy::{CheckedRowGroup, LeftOut, Verify, check_row_group};
pub use decide::{Want, Why, can_copy};
pub use encode::{EncodeOptions, EncodedRowGroup, Encoder};
pub use encoded::{PARQUET, RowGroup, Source};
pub use error::{Error, Result};
pub use input::Input;
pub use layout::Layout;
pub use pages::fuzz_pages;
pub use recode::{Part, Recoder};
pub use sink::{FileSink, Sink};
pub use source::{SourceFile, fuzz_footer};
pub use write::{Finished, ParquetWriter};
