//! How large the pages of a row group become, before anything is decompressed.
//!
//! A page is decompressed as a whole, and one of a few kilobytes may become gigabytes: the only
//! bound that holds for every file is to look at what each page says of itself. That costs a read
//! of its header, microseconds against the millisecond that decoding it takes.

use std::ops::Range;

use parquet::file::metadata::ParquetMetaData;

use super::error::{Error, Result};
use super::input::Input;
use super::pages::{PageKind, Walker};
use super::source::SourceFile;

/// What to do about [`Error::TooLarge`].
pub const MORE_MEMORY: &str = "raise `options.memory`; a page and what is made of it take about \
     twice its size. A Parquet Store without `rewrite` and `verify` copies it as it is";

/// What the pages of a column chunk say of their sizes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Decompressed bytes of the largest page.
    pub(crate) largest: u64,
    /// The same without the dictionary.
    pub(crate) data: u64,
    /// Decompressed bytes and values of the dictionary.
    pub(crate) dictionary: Option<(u64, u64)>,
}

impl Sizes {
    /// Bytes that are held while the column is decoded.
    pub(crate) fn held(&self) -> u64 {
        let dictionary = self.dictionary.map_or(0, |(bytes, _)| bytes);
        self.data.saturating_add(dictionary)
    }
}

/// Refuses row groups with a page of more than `most` bytes.
///
/// # Errors
/// [`Error::TooLarge`].
pub fn pages_fit(source: &SourceFile, row_groups: Range<usize>, most: u64) -> Result<()> {
    let (input, metadata) = (source.input(), source.metadata());
    sizes(source.name(), input, metadata, row_groups, most).map(drop)
}

/// The same, and what was seen of each column over all the row groups. A chunk whose headers
/// can't be read is the decoder's to refuse.
pub(crate) fn sizes(
    name: &str,
    input: &Input,
    metadata: &ParquetMetaData,
    row_groups: Range<usize>,
    most: u64,
) -> Result<Vec<Sizes>> {
    let columns = metadata.file_metadata().schema_descr().num_columns();
    let mut all = vec![Sizes::default(); columns];
    let mut walker = Walker::default();
    for row_group in row_groups.filter(|at| *at < metadata.num_row_groups()) {
        let group = metadata.row_group(row_group);
        for (column, seen) in group.columns().iter().zip(&mut all) {
            let number = |value: i64| u64::try_from(value).unwrap_or(0);
            let data = column.data_page_offset();
            let start = match column.dictionary_page_offset() {
                Some(dictionary) if dictionary > 0 => dictionary.min(data),
                _ => data,
            };
            let length = number(column.compressed_size());
            walker.headers(input, number(start), length, |header| {
                seen.largest = seen.largest.max(header.uncompressed);
                if header.kind == PageKind::Dictionary {
                    seen.dictionary = Some((header.uncompressed, header.entries));
                } else {
                    seen.data = seen.data.max(header.uncompressed);
                }
            });
            if seen.largest > most {
                return Err(Error::TooLarge {
                    file: name.to_owned(),
                    row_group,
                    column: column.column_path().string(),
                    bytes: seen.largest,
                    most,
                });
            }
        }
    }
    Ok(all)
}
