//! Parquet to Parquet through Arrow, one column of a row group at a time.
//!
//! A column is decoded in small batches straight into its encoder, so a row group takes the
//! memory of one column in progress and of the compressed result, however wide it is. Row groups
//! of the source that are larger than asked for are split evenly, small ones are merged.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, FieldRef, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::{Encoding, PageType};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::reader::ChunkReader;

use super::choose::{BLOOM_BITS, LeafHint};
use super::encode::{EncodedRowGroup, Encoder};
use super::error::words;
use super::int96::{Int96, mapped};

/// A decoded batch has at most this many rows, and about this many bytes.
const BATCH_ROWS: usize = 8192;
const BATCH_BYTES: usize = 1 << 20;

/// The rows of one row group to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The row groups of the source they are in.
    pub row_groups: Range<usize>,
    /// Which rows, counted from the start of the first of these groups.
    pub rows: Range<usize>,
}

/// One Parquet file on its way through an [`Encoder`]. Parts are independent: any thread can
/// encode any of them.
#[derive(Debug, Clone)]
pub struct Recoder<R> {
    encoder: Arc<Encoder>,
    input: R,
    /// Decodes strings as views: these refer to pages and dictionaries instead of copying them,
    /// so that a batch of a million times the same long string takes no room.
    metadata: ArrowReaderMetadata,
    int96: Int96,
}

impl<R: ChunkReader + Clone + 'static> Recoder<R> {
    /// A recoder for an opened file, whose Arrow schema must be the encoder's. `input` is cloned
    /// for every column and must read by position: clones of a `File` share their place.
    pub fn new(encoder: Arc<Encoder>, input: R, metadata: &Arc<ParquetMetaData>) -> Result<Self> {
        let stored = ArrowReaderMetadata::try_new(Arc::clone(metadata), ArrowReaderOptions::new())?;
        // Texts are decoded as views whatever the file calls them.
        let views = |schema: &Schema| -> Vec<FieldRef> {
            let fields = schema.fields().iter();
            fields.map(|field| mapped(field, &as_view)).collect()
        };
        if views(stored.schema()) != views(encoder.schema()) {
            return Err(ParquetError::General(
                "the file's columns are not those of its copy".into(),
            ));
        }
        let read_as = |fields: Vec<FieldRef>| {
            let schema = Schema::new_with_metadata(fields, stored.schema().metadata().clone());
            let options = ArrowReaderOptions::new().with_schema(Arc::new(schema));
            ArrowReaderMetadata::try_new(Arc::clone(metadata), options)
        };
        Ok(Self {
            int96: Int96::of(&stored)?,
            metadata: read_as(views(stored.schema()))?,
            encoder,
            input,
        })
    }

    /// Cuts consecutive row groups into parts of the size the options ask for, in order.
    pub fn parts(&self, row_groups: Range<usize>) -> Vec<Part> {
        let options = self.encoder.options();
        let sizes = row_groups.clone().map(|index| {
            let group = self.metadata.metadata().row_group(index);
            (count(group.num_rows()), count(group.total_byte_size()))
        });
        cut(
            row_groups.start,
            sizes,
            options.row_group_rows,
            options.row_group_bytes,
        )
    }

    /// Decodes a part and encodes it as one row group.
    pub fn encode(&self, part: &Part) -> Result<EncodedRowGroup> {
        let mut group = EncodedRowGroup::new(part.rows.len());
        let mut leaf = 0;
        for (index, root) in self.encoder.roots().iter().enumerate() {
            let leaves = leaf..leaf + root.leaves().len();
            leaf = leaves.end;
            let hints: Vec<_> = leaves.clone().map(|leaf| self.hint(part, leaf)).collect();
            let field = self.metadata.schema().field(index);
            let batch_rows = self.batch_rows(part, leaves);
            if self.int96.has(index) {
                let (groups, rows) = (part.row_groups.clone(), part.rows.clone());
                self.int96.check(self.input.clone(), index, groups, rows)?;
            }
            let mut arrays = self.decode(part, index, batch_rows)?;
            let rows = part.rows.len();
            group.push(
                self.encoder
                    .encode_column(root, field, &mut arrays, rows, &hints)?,
            );
        }
        Ok(group)
    }

    fn decode(
        &self,
        part: &Part,
        root: usize,
        batch_rows: usize,
    ) -> Result<impl Iterator<Item = Result<ArrayRef>> + use<R>> {
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(
            self.input.clone(),
            self.metadata.clone(),
        );
        let mask = ProjectionMask::roots(builder.parquet_schema(), [root]);
        let mut builder = builder
            .with_row_groups(part.row_groups.clone().collect())
            .with_projection(mask)
            .with_batch_size(batch_rows);
        if part.rows != (0..self.rows(part)) {
            builder = builder
                .with_offset(part.rows.start)
                .with_limit(part.rows.len());
        }
        let column = |batch: RecordBatch| match batch.columns() {
            [column] => Ok(Arc::clone(column)),
            columns => Err(ParquetError::General(format!(
                "{} columns for one",
                columns.len()
            ))),
        };
        let name = self.encoder.schema().field(root).name().clone();
        let named = move |error: String| {
            ParquetError::General(format!("column {name:?}: {}", words(&error)))
        };
        let reader = builder.build().map_err(|error| named(error.to_string()))?;
        Ok(reader.map(move |batch| column(batch.map_err(|error| named(error.to_string()))?)))
    }

    /// Rows in the row groups of a part.
    fn rows(&self, part: &Part) -> usize {
        let groups = part.row_groups.clone();
        groups
            .map(|group| count(self.metadata.metadata().row_group(group).num_rows()))
            .sum()
    }

    fn chunks(&self, part: &Part, leaf: usize) -> impl Iterator<Item = &ColumnChunkMetaData> {
        let groups = part.row_groups.clone();
        groups.map(move |group| self.metadata.metadata().row_group(group).column(leaf))
    }

    fn batch_rows(&self, part: &Part, leaves: Range<usize>) -> usize {
        let chunks = leaves.flat_map(|leaf| self.chunks(part, leaf));
        let bytes: usize = chunks.map(|chunk| count(chunk.uncompressed_size())).sum();
        let row = bytes / self.rows(part).max(1);
        (BATCH_BYTES / row.max(1)).clamp(1, BATCH_ROWS)
    }

    fn hint(&self, part: &Part, leaf: usize) -> LeafHint {
        LeafHint {
            dictionary_overflowed: self.chunks(part, leaf).any(dictionary_overflowed),
            byte_stream_split: self
                .chunks(part, leaf)
                .any(|chunk| chunk.encodings_mask().is_set(Encoding::BYTE_STREAM_SPLIT)),
            bloom: self.bloom_values(part, leaf),
        }
    }

    /// How many values the bloom filters of a column were made for, by their size.
    fn bloom_values(&self, part: &Part, leaf: usize) -> Option<u64> {
        let mut values: Option<u64> = None;
        for chunk in self.chunks(part, leaf) {
            if chunk.bloom_filter_offset().is_some() {
                let said = chunk
                    .bloom_filter_length()
                    .and_then(|n| u64::try_from(n).ok());
                // Old writers don't say how long it is.
                let here = said.map_or(1 << 20, |bytes| bytes.saturating_mul(8) / BLOOM_BITS);
                values = Some(values.unwrap_or(0).saturating_add(here.min(1 << 20)));
            }
        }
        values
    }
}

/// Whether a writer began with a dictionary and went on without.
fn dictionary_overflowed(chunk: &ColumnChunkMetaData) -> bool {
    let beside = |encoding| {
        !matches!(
            encoding,
            Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY | Encoding::RLE
        )
    };
    // The chunk's own list of encodings can't tell: PLAIN is in it for the dictionary page.
    let data_pages_differ = match (
        chunk.page_encoding_stats_mask(),
        chunk.page_encoding_stats(),
    ) {
        (Some(mask), _) => mask.encodings().any(beside),
        (None, Some(pages)) => pages.iter().any(|page| {
            !matches!(page.page_type, PageType::DICTIONARY_PAGE) && beside(page.encoding)
        }),
        (None, None) => false,
    };
    chunk.dictionary_page_offset().is_some() && data_pages_differ
}

/// Cuts row groups of (rows, bytes), the first of which is number `first`.
fn cut(
    first: usize,
    sizes: impl Iterator<Item = (usize, usize)>,
    max_rows: usize,
    max_bytes: usize,
) -> Vec<Part> {
    let (max_rows, max_bytes) = (max_rows.max(1), max_bytes.max(1));
    let mut parts: Vec<Part> = Vec::new();
    // What the last part holds, while others may still join it.
    let mut open: Option<(usize, usize)> = None;
    for (index, (rows, bytes)) in (first..).zip(sizes) {
        if rows == 0 {
            // Nothing to take over; whatever is open would no longer be consecutive.
            open = None;
            continue;
        }
        let joined = open.map(|(before, so_far)| (before + rows, so_far.saturating_add(bytes)));
        if let (Some(last), Some((all, size))) = (parts.last_mut(), joined)
            && all <= max_rows
            && size <= max_bytes
        {
            last.row_groups.end = index + 1;
            last.rows.end = all;
            open = joined;
            continue;
        }
        let pieces = rows
            .div_ceil(max_rows)
            .max(bytes.div_ceil(max_bytes))
            .min(rows);
        let row_groups = index..index + 1;
        // Rows piece * rows / pieces, without the overflow that the product could have.
        let (whole, rest) = (rows / pieces, rows % pieces);
        let start = |piece: usize| piece * whole + piece.min(rest);
        parts.extend((0..pieces).map(|piece| Part {
            row_groups: row_groups.clone(),
            rows: start(piece)..start(piece + 1),
        }));
        open = (pieces == 1).then_some((rows, bytes));
    }
    parts
}

/// A size from a footer, which a broken file may give as negative.
fn count(stored: i64) -> usize {
    usize::try_from(stored).unwrap_or(0)
}

fn as_view(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(row_groups: Range<usize>, rows: Range<usize>) -> Part {
        Part { row_groups, rows }
    }

    #[test]
    fn small_groups_are_merged_and_large_ones_split_evenly() {
        let sizes = [(40, 400), (60, 600), (10, 100), (250, 2500), (5, 50)];
        assert_eq!(
            cut(3, sizes.into_iter(), 100, 10_000),
            [
                part(3..5, 0..100),
                part(5..6, 0..10),
                part(6..7, 0..84),
                part(6..7, 84..167),
                part(6..7, 167..250),
                part(7..8, 0..5),
            ]
        );
    }

    #[test]
    fn wide_rows_make_short_groups() {
        let parts = cut(
            0,
            [(122_880, 2_000_000_000)].into_iter(),
            122_880,
            128 << 20,
        );
        assert_eq!(parts.len(), 15);
        assert!(parts.iter().all(|part| part.rows.len() == 8192));
    }

    proptest! {
        #[test]
        fn every_row_is_in_one_part_and_in_order(
            sizes in prop::collection::vec((0_usize..500, 0_usize..5000), 0..30),
            max_rows in 1_usize..300,
            max_bytes in 1_usize..3000,
        ) {
            let parts = cut(0, sizes.iter().copied(), max_rows, max_bytes);
            let start = |group: usize| sizes[..group].iter().map(|(rows, _)| rows).sum::<usize>();
            let mut next = 0;
            for part in &parts {
                let before = start(part.row_groups.start);
                prop_assert_eq!(before + part.rows.start, next);
                prop_assert!(part.rows.end <= start(part.row_groups.end) - before);
                prop_assert!((1..=max_rows).contains(&part.rows.len()));
                next = before + part.rows.end;
            }
            prop_assert_eq!(next, start(sizes.len()));
        }
    }
}
