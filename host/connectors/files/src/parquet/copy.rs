//! Takes row groups as they are: checks one against its footer, and holds what a writer needs to
//! append it.
//!
//! Checking and appending are apart so that nothing half-checked is ever written: if a row group
//! fails its check, the output is untouched and the row group can be decoded instead. Checks of
//! several row groups may also run side by side, with their appends in order.

use std::borrow::Cow;

use parquet::schema::types::ColumnDescriptor;

use super::error::{Error, Result, Trouble};
use super::index::{self, OffsetIndex};
use super::pages::{Chunk, Walked, Walker};
use super::source::{Order, SourceFile};
use super::statistics::{self, Writer};
use super::thrift::{Kind, Struct};

/// How much is proven of a row group before it is copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Verify {
    /// Page headers, lengths, value counts, and checksums where the writer made them.
    #[default]
    Pages,
    /// All of that, and every page is decoded.
    Decode,
}

/// What could not be carried over and was left out; readers do without, only slower.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Dotted path of the column.
    pub column: String,
    /// What, and why.
    pub what: &'static str,
}

/// `ColumnChunk` fields.
mod entry {
    pub(super) const FILE_PATH: i16 = 1;
    pub(super) const FILE_OFFSET: i16 = 2;
    pub(super) const META_DATA: i16 = 3;
    pub(super) const OFFSET_INDEX: (i16, i16) = (4, 5);
    pub(super) const COLUMN_INDEX: (i16, i16) = (6, 7);
    pub(super) const CRYPTO: [i16; 2] = [8, 9];
}

/// `ColumnMetaData` fields.
mod meta {
    pub(super) const NUM_VALUES: i16 = 5;
    pub(super) const UNCOMPRESSED_SIZE: i16 = 6;
    pub(super) const COMPRESSED_SIZE: i16 = 7;
    pub(super) const DATA_PAGE: i16 = 9;
    pub(super) const INDEX_PAGE: i16 = 10;
    pub(super) const DICTIONARY_PAGE: i16 = 11;
    pub(super) const STATISTICS: i16 = 12;
    pub(super) const BLOOM_OFFSET: i16 = 14;
    pub(super) const BLOOM_LENGTH: i16 = 15;
}

/// A column chunk's footer entry and indexes, on their way to another file.
#[derive(Debug, Clone)]
pub(crate) struct MovingChunk {
    entry: Struct<'static>,
    meta: Struct<'static>,
    pub(crate) start: u64,
    pub(crate) length: u64,
    walked: Walked,
    /// Where the bloom filter is, and its length.
    pub(crate) bloom: Option<(u64, u64)>,
    column_index: Option<Vec<u8>>,
    offset_index: Option<OffsetIndex>,
}

/// A column chunk's footer entry and indexes in their new place.
#[derive(Debug, Clone)]
pub(crate) struct PlacedChunk {
    /// `ColumnChunk` without the places of its indexes.
    entry: Struct<'static>,
    pub(crate) column_index: Option<Vec<u8>>,
    pub(crate) offset_index: Option<Vec<u8>>,
}

impl PlacedChunk {
    /// The entry, with the places (offset, length) that its indexes got.
    pub(crate) fn write(
        &self,
        column_index: Option<(u64, usize)>,
        offset_index: Option<(u64, usize)>,
        out: &mut Vec<u8>,
    ) {
        let mut entry = self.entry.clone();
        for ((at, length), place) in [
            (entry::OFFSET_INDEX, offset_index),
            (entry::COLUMN_INDEX, column_index),
        ] {
            if let Some((offset, bytes)) = place {
                entry.set_int(at, Kind::I64, offset.cast_signed());
                entry.set_int(length, Kind::I32, i64::try_from(bytes).unwrap_or(i64::MAX));
            }
        }
        entry.write(out);
    }
}

impl MovingChunk {
    /// Takes the entry of a chunk whose pages were written by the parquet crate just now, and
    /// the indexes that stand in `indexes` at the places the entry names.
    pub(crate) fn written(entry: &[u8], indexes: &[u8]) -> Result<Self, Trouble> {
        let entry = Struct::from_bytes(entry)?;
        let meta = Struct::from_bytes(
            entry
                .original(entry::META_DATA, Kind::Struct)
                .ok_or("no metadata")?,
        )?;
        let range = |(offset, length)| {
            let from = usize::try_from(entry.int(offset)?).ok()?;
            let to = from.checked_add(usize::try_from(entry.int(length)?).ok()?)?;
            indexes.get(from..to)
        };
        let column_index = range(entry::COLUMN_INDEX).map(<[u8]>::to_vec);
        let offset_index = range(entry::OFFSET_INDEX)
            .map(OffsetIndex::parse)
            .transpose()?;
        let place = |id| meta.int(id).and_then(|at| u64::try_from(at).ok());
        let length = place(meta::COMPRESSED_SIZE).ok_or("no length")?;
        let walked = Walked {
            dictionary: place(meta::DICTIONARY_PAGE),
            data: place(meta::DATA_PAGE),
            ..Walked::default()
        };
        // Here 0 is a place like any other.
        let start = walked.dictionary.or(walked.data).ok_or("no pages")?;
        let (entry, meta) = (entry.into_owned(), meta.into_owned());
        Ok(Self {
            entry,
            meta,
            start,
            length,
            walked,
            bloom: None,
            column_index,
            offset_index,
        })
    }

    /// Reads and checks one chunk of a source.
    fn check(
        walker: &mut Walker,
        source: &SourceFile,
        entry: Struct<'_>,
        column: &ColumnDescriptor,
        (rows, order): (u64, Order),
        left_out: &mut Vec<LeftOut>,
    ) -> Result<Self, Trouble> {
        let input = source.input();
        if entry::CRYPTO.iter().any(|id| entry.has(*id)) {
            return Err("it is encrypted".into());
        }
        if entry
            .binary(entry::FILE_PATH)
            .is_some_and(|path| !path.is_empty())
        {
            return Err("it stands in another file".into());
        }
        let raw = entry
            .original(entry::META_DATA, Kind::Struct)
            .ok_or("the footer has no metadata for it")?;
        let meta = Struct::from_bytes(raw)?;
        let mut meta = meta;
        let (start, mut length) = extent(&meta)?;
        let values = meta
            .int(meta::NUM_VALUES)
            .and_then(|values| u64::try_from(values).ok());
        let values = values.ok_or("the footer has no valid value count for it")?;
        let flat = column.max_rep_level() == 0;

        let chunk = |length| Chunk {
            start,
            length,
            values,
            rows,
            flat,
        };
        if Writer::may_miss_dictionary_header(source.created_by())
            && walker.walk(input, chunk(length), |_, _| Ok(())).is_err()
        {
            let missed = walker.dictionary_header(input, start)?;
            length = length.saturating_add(missed);
            for id in [meta::COMPRESSED_SIZE, meta::UNCOMPRESSED_SIZE] {
                let said = meta.int(id).unwrap_or(0);
                meta.set_int(id, Kind::I64, said.saturating_add_unsigned(missed));
            }
        }

        let mut leave_out = |what| {
            left_out.push(LeftOut {
                column: column.path().string(),
                what,
            });
        };
        let range =
            |(offset, length)| index::read_range(input, entry.int(offset), entry.int(length));
        let offset_index =
            range(entry::OFFSET_INDEX).and_then(|bytes| OffsetIndex::parse(&bytes).ok());
        let (mut pages, mut seen, mut agrees) = (0usize, 0u64, true);
        let distrusted = statistics::old_are_wrong(column, source.created_by());
        let walked = walker.walk(input, chunk(length), |at, header| {
            if distrusted && header.old_bounds {
                // A footer's bounds are left out; those in a page can't be without moving it.
                return Err(
                    "its page headers hold bounds that its writer is known to get wrong \
                            (PARQUET-251)"
                        .into(),
                );
            }
            if let Some(index) = &offset_index {
                agrees &= index.agrees(pages, at, header, flat.then_some(seen));
            }
            pages += 1;
            seen += header.values;
            Ok(())
        })?;
        let offset_index = offset_index.filter(|index| agrees && index.pages() == pages);
        if offset_index.is_none() && entry.has(entry::OFFSET_INDEX.0) {
            leave_out("its offset index, which disagrees with its pages");
        }
        // A column index is read through the offset index.
        let column_index = range(entry::COLUMN_INDEX).filter(|bytes| {
            offset_index.is_some()
                && index::column_index_fits(bytes, pages, column, order == Order::Total)
        });
        if column_index.is_none() && entry.has(entry::COLUMN_INDEX.0) {
            leave_out("its column index, which is broken, bounds by NaN, or has no offset index");
        }
        let bloom = index::bloom_filter(
            input,
            meta.int(meta::BLOOM_OFFSET),
            meta.int(meta::BLOOM_LENGTH),
        );
        if bloom.is_none()
            && meta
                .int(meta::BLOOM_OFFSET)
                .is_some_and(|offset| offset != 0)
        {
            leave_out("its bloom filter, which is broken");
        }
        let (entry, meta) = (entry.into_owned(), meta.into_owned());
        Ok(Self {
            entry,
            meta,
            start,
            length,
            walked,
            bloom,
            column_index,
            offset_index,
        })
    }

    /// Puts the chunk where its pages went, `at`, and its bloom filter.
    pub(crate) fn place(
        mut self,
        column: &ColumnDescriptor,
        at: u64,
        bloom: Option<(u64, u64)>,
        (from, to): (Order, Order),
        created_by: Option<&str>,
        left_out: &mut Vec<LeftOut>,
    ) -> PlacedChunk {
        let shift = at.cast_signed().wrapping_sub(self.start.cast_signed());
        let moved = |place: u64| place.cast_signed().wrapping_add(shift);
        // Places that the walk found, not those of the footer: old writers say 0 for a
        // dictionary, or call the dictionary page the first data page. A chunk without data pages
        // gets the place where they would be.
        let data = self.walked.data.unwrap_or(self.start + self.length);
        self.meta.set_int(meta::DATA_PAGE, Kind::I64, moved(data));
        self.meta.remove(meta::INDEX_PAGE);
        match self.walked.dictionary {
            Some(place) => self
                .meta
                .set_int(meta::DICTIONARY_PAGE, Kind::I64, moved(place)),
            None => drop(self.meta.remove(meta::DICTIONARY_PAGE)),
        }
        self.meta.remove(meta::BLOOM_OFFSET);
        self.meta.remove(meta::BLOOM_LENGTH);
        if let Some((offset, length)) = bloom {
            self.meta
                .set_int(meta::BLOOM_OFFSET, Kind::I64, offset.cast_signed());
            self.meta
                .set_int(meta::BLOOM_LENGTH, Kind::I32, length.cast_signed());
        }
        let statistics = self
            .meta
            .get(meta::STATISTICS, Kind::Struct)
            .map(<[u8]>::to_vec);
        if let Some(Ok(mut found)) = statistics.as_deref().map(Struct::from_bytes)
            && statistics::clean(&mut found, column, (from, to), created_by)
        {
            let column = column.path().string();
            left_out.push(LeftOut {
                column,
                what: "its bounds, which readers can't rely on",
            });
            let bytes = found.to_bytes();
            self.meta
                .set(meta::STATISTICS, Kind::Struct, Cow::Owned(bytes));
        }
        // Bounds of pages may be NaN under total order only.
        let pages = self.offset_index.as_ref().map_or(0, OffsetIndex::pages);
        let fits = |bytes: &Vec<u8>| {
            statistics::carries_over(from, to)
                && (from == to
                    || index::column_index_fits(bytes, pages, column, to == Order::Total))
        };
        let column_index = self.column_index.take().filter(fits);
        let offset_index = self.offset_index.take().map(|index| index.moved(shift));

        // Deprecated and 0 by the format's advice; a copy made before that advice points nowhere.
        self.entry.set_int(entry::FILE_OFFSET, Kind::I64, 0);
        self.entry.set(
            entry::META_DATA,
            Kind::Struct,
            Cow::Owned(self.meta.to_bytes()),
        );
        for (offset, length) in [entry::OFFSET_INDEX, entry::COLUMN_INDEX] {
            self.entry.remove(offset);
            self.entry.remove(length);
        }
        self.entry.remove(entry::FILE_PATH);
        PlacedChunk {
            entry: self.entry,
            column_index,
            offset_index,
        }
    }
}

/// First byte and length of a chunk, by `ColumnMetaData`: its first page is the dictionary or a
/// data page. An offset of 0 is none: writers say so of a dictionary that isn't there (parquet-mr)
/// or of data in a chunk without values (Arrow C++), since magic bytes stand at 0.
fn extent(meta: &Struct<'_>) -> Result<(u64, u64), Trouble> {
    let number = |id| meta.int(id).map_or(Ok(0), u64::try_from);
    let (Ok(length), Ok(data), Ok(dictionary)) = (
        number(meta::COMPRESSED_SIZE),
        number(meta::DATA_PAGE),
        number(meta::DICTIONARY_PAGE),
    ) else {
        return Err("the footer has a negative length or offset for it".into());
    };
    let start = [dictionary, data]
        .into_iter()
        .filter(|offset| *offset > 0)
        .min();
    match start {
        Some(start) => Ok((start, length)),
        None if length == 0 => Ok((0, 0)),
        None => Err("the footer doesn't say where its pages are".into()),
    }
}

/// A row group that was checked and can be appended to an output as it is.
#[derive(Debug, Clone)]
pub struct CheckedRowGroup {
    pub(crate) source: SourceFile,
    pub(crate) rows: i64,
    pub(crate) chunks: Vec<MovingChunk>,
    /// `RowGroup` without its columns, its place and its number.
    pub(crate) rest: Struct<'static>,
    pub(crate) left_out: Vec<LeftOut>,
}

impl CheckedRowGroup {
    /// Rows it holds.
    pub fn rows(&self) -> u64 {
        self.rows.cast_unsigned()
    }

    /// Bytes its column chunks take, without indexes and filters.
    pub fn bytes(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.length).sum()
    }

    /// Whether pages have checksums, and all were right.
    pub fn has_checksums(&self) -> bool {
        self.chunks
            .iter()
            .all(|chunk| chunk.walked.checksums == chunk.walked.pages)
    }
}

/// Checks row group number `row_group` of `source`. Reads page headers, and whole pages where
/// they have checksums; [`Verify::Decode`] also decodes them. Memory stays under a megabyte,
/// except for page indexes and for the page being decoded.
///
/// # Errors
/// [`Error::Column`] and [`Error::RowGroup`] where footer and pages disagree: the row group may
/// still be readable by decoding, which then says so itself.
pub fn check_row_group(
    source: &SourceFile,
    row_group: usize,
    verify: Verify,
) -> Result<CheckedRowGroup> {
    let broken = |what: String| Error::RowGroup {
        file: source.name().to_owned(),
        row_group,
        what,
    };
    let raw = source
        .raw()
        .row_groups
        .get(row_group)
        .ok_or_else(|| broken("the file has no such row group".to_owned()))?;
    let raw = Struct::from_bytes(raw).map_err(|error| broken(error.to_string()))?;
    let rows = raw.int(3).filter(|rows| *rows >= 0);
    let rows = rows.ok_or_else(|| broken("the footer has no valid row count for it".to_owned()))?;
    let entries = raw
        .original(1, Kind::List)
        .ok_or_else(|| broken("it has no columns".to_owned()))?;
    let entries = super::thrift::elements(entries).map_err(|error| broken(error.to_string()))?;
    let schema = source.schema();
    if entries.len() != schema.num_columns() {
        return Err(broken(format!(
            "it has {} of {} columns",
            entries.len(),
            schema.num_columns()
        )));
    }
    let (mut walker, mut left_out) = (Walker::default(), Vec::new());
    let mut chunks = Vec::with_capacity(entries.len());
    for (at, (entry, column)) in entries.iter().zip(schema.columns()).enumerate() {
        let order = (rows.cast_unsigned(), source.order(at));
        let chunk = Struct::from_bytes(entry)
            .map_err(Trouble::from)
            .and_then(|entry| {
                MovingChunk::check(&mut walker, source, entry, column, order, &mut left_out)
            })
            .map_err(|trouble| {
                trouble.in_column(source.name(), row_group, &column.path().string())
            })?;
        chunks.push(chunk);
    }
    if verify == Verify::Decode {
        super::verify::decode(source, row_group)?;
    }
    let mut rest = raw.into_owned();
    for id in [1, 5, 6, 7] {
        rest.remove(id);
    }
    Ok(CheckedRowGroup {
        source: source.clone(),
        rows,
        chunks,
        rest,
        left_out,
    })
}

#[cfg(test)]
#[path = "copy_tests.rs"]
mod tests;
