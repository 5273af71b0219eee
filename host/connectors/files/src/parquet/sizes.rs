//! How large the pages of a row group become, before anything is decompressed.
//!
//! A page is decompressed as a whole, and one of a few kilobytes may become gigabytes: the only
//! bound that holds for every file is to look at what each page says of itself. That costs a read
//! of its header, microseconds against the millisecond that decoding it takes. What can't be is
//! refused here, since decoders believe it: they make room for as many values as a header claims,
//! and pass over as many elements.

use std::ops::Range;

use parquet::basic::Type as Physical;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

use super::error::{Error, Result, Trouble};
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

/// Refuses row groups with a page of more than `most` bytes, or with pages that can't be.
///
/// # Errors
/// [`Error::TooLarge`], [`Error::Column`], [`Error::Read`].
pub fn pages_fit(source: &SourceFile, row_groups: Range<usize>, most: u64) -> Result<()> {
    let (input, metadata) = (source.input(), source.metadata());
    sizes(source.name(), input, metadata, row_groups, most).map(drop)
}

/// The same, and what was seen of each column over all the row groups.
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
            let path = || column.column_path().string();
            look(&mut walker, input, column, seen)
                .map_err(|trouble| trouble.in_column(name, row_group, &path()))?;
            if seen.largest > most {
                return Err(Error::TooLarge {
                    file: name.to_owned(),
                    row_group,
                    column: path(),
                    bytes: seen.largest,
                    most,
                });
            }
        }
    }
    Ok(all)
}

/// Looks at the pages of one column chunk, where a decoder will look for them.
fn look(
    walker: &mut Walker,
    input: &Input,
    column: &ColumnChunkMetaData,
    seen: &mut Sizes,
) -> Result<(), Trouble> {
    let start = column
        .dictionary_page_offset()
        .unwrap_or(column.data_page_offset());
    let number = |of: i64| u64::try_from(of).map_err(|_| "its place in the file is less than 0");
    let (start, length) = (number(start)?, number(column.compressed_size())?);
    let (mut values, mut dictionary) = (0u64, None);
    walker.headers(input, start, length, |header| {
        seen.largest = seen.largest.max(header.uncompressed);
        if header.kind == PageKind::Dictionary {
            dictionary = Some((header.uncompressed, header.entries));
        } else {
            seen.data = seen.data.max(header.uncompressed);
            values = values.saturating_add(header.values);
        }
    })?;
    if let Some((bytes, entries)) = dictionary {
        seen.dictionary = dictionary;
        if entries.saturating_mul(bits(column)).div_ceil(8) > bytes {
            return Err(format!(
                "its dictionary can't hold {entries} values, as its header says, in {bytes} bytes"
            )
            .into());
        }
    }
    match u64::try_from(column.num_values()) {
        Ok(said) if said == values => Ok(()),
        _ => Err(format!(
            "its pages hold {values} values where the footer says {}",
            column.num_values()
        )
        .into()),
    }
}

/// The fewest bits that a value takes as it stands in a dictionary.
fn bits(column: &ColumnChunkMetaData) -> u64 {
    match column.column_type() {
        Physical::BOOLEAN => 1,
        Physical::INT32 | Physical::FLOAT | Physical::BYTE_ARRAY => 32,
        Physical::INT64 | Physical::DOUBLE => 64,
        Physical::INT96 => 96,
        Physical::FIXED_LEN_BYTE_ARRAY => {
            u64::try_from(column.column_descr().type_length()).map_or(0, |bytes| bytes * 8)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::schema::types::{ColumnDescriptor, ColumnPath, Type};

    use super::*;
    use crate::parquet::thrift::{Kind, Struct};

    /// A page of `bytes` zeroes whose header claims `values`: kind, and the field for that kind.
    fn page((kind, field): (i64, i16), values: i64, bytes: usize) -> Vec<u8> {
        let mut inner = Struct::default();
        for (id, value) in [(1, values), (2, 0), (3, 3), (4, 3)] {
            inner.set_int(id, Kind::I32, value);
        }
        let mut header = Struct::default();
        let length = i64::try_from(bytes).unwrap();
        for (id, value) in [(1, kind), (2, length), (3, length)] {
            header.set_int(id, Kind::I32, value);
        }
        header.set(field, Kind::Struct, inner.to_bytes().into());
        let mut page = header.to_bytes();
        page.resize(page.len() + bytes, 0);
        page
    }

    const DICTIONARY: (i64, i16) = (2, 7);
    const DATA: (i64, i16) = (0, 5);

    /// What is said of a column of i64 with these pages, where the footer says 5 values.
    fn said(pages: &[Vec<u8>]) -> Result<Sizes, String> {
        let bytes = pages.concat();
        let kind = Type::primitive_type_builder("n", Physical::INT64);
        let path = ColumnPath::new(vec!["n".to_owned()]);
        let descriptor = ColumnDescriptor::new(Arc::new(kind.build().unwrap()), 0, 0, path);
        let column = ColumnChunkMetaData::builder(Arc::new(descriptor))
            .set_num_values(5)
            .set_data_page_offset(0)
            .set_total_compressed_size(i64::try_from(bytes.len()).unwrap())
            .build()
            .unwrap();
        let mut seen = Sizes::default();
        let input = Input::from_bytes(bytes.into());
        look(&mut Walker::default(), &input, &column, &mut seen)
            .map(|()| seen)
            .map_err(|trouble| match trouble {
                Trouble::Says(what) => what,
                Trouble::Read(error) => error.to_string(),
            })
    }

    #[test]
    fn pages_that_can_be_are_measured() {
        let pages = [page(DICTIONARY, 4, 32), page(DATA, 2, 9), page(DATA, 3, 7)];
        let seen = Sizes {
            largest: 32,
            data: 9,
            dictionary: Some((32, 4)),
        };
        assert_eq!(said(&pages), Ok(seen));
    }

    #[test]
    fn what_a_header_claims_is_held_against_its_bytes_and_the_footer() {
        for (pages, says) in [
            (
                vec![page(DICTIONARY, 572_803_217, 32), page(DATA, 5, 9)],
                "its dictionary can't hold 572803217 values, as its header says, in 32 bytes",
            ),
            (
                vec![page(DATA, 2, 9), page(DATA, 2_000_000_000, 9)],
                "its pages hold 2000000002 values where the footer says 5",
            ),
            (
                vec![page(DATA, 5, 9), vec![0x1c; 100]],
                "no page header at byte 26: Thrift bytes: nested too deep",
            ),
        ] {
            assert_eq!(said(&pages), Err(says.to_owned()));
        }
    }
}
