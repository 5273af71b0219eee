//! A sample of a column, written in each of the ways that could pay.
//!
//! What a codec makes of an encoding can't be told from counting: repeats, common bytes and
//! neighbours all matter to it. So the sample goes through the very writers that the column will.

use arrow_array::{Array, ArrayRef};
use arrow_schema::Field;
use parquet::arrow::arrow_writer::ArrowColumnWriter;
use parquet::basic::{Compression, Encoding, Type};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::Result;
use parquet::file::page_index::offset_index::OffsetIndexMetaData;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescPtr;

use super::choose::{LeafHint, path};
use super::encode::{Root, write_column};

/// A sample has at most this many rows, in [`RUNS`] runs of neighbours; of a short column, one row
/// in [`SAMPLE_SHARE`].
const SAMPLE_ROWS: usize = 2048;
const SAMPLE_SHARE: usize = 16;
const RUNS: usize = 4;
/// A run ends early once a leaf has this many bytes of it, looked at every [`STEP`] rows.
const RUN_BYTES: usize = 16 << 10;
const STEP: usize = 64;
/// Above this share of distinct values in the sample, how many there are in all is a guess.
const MOSTLY_DISTINCT: f64 = 0.95;

/// Strings that compress better than this repeat so much that the window may matter.
const POOR_RATIO: f64 = 5.0;
/// What writing the sample showed of one leaf.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidates {
    /// Rows in the sample.
    pub(super) rows: f64,
    pub(super) plain: Measured,
    pub(super) packed: Option<(Encoding, Measured)>,
    pub(super) dictionary: Option<Measured>,
    /// Plain again, with a page for each run: what a smaller window costs.
    pub(super) cut: Option<Measured>,
}

impl Candidates {
    /// The sample in one of the encodings without a dictionary.
    pub(super) fn chosen(&self, encoding: Encoding) -> &Measured {
        match &self.packed {
            Some((packed, measured)) if *packed == encoding => measured,
            _ => &self.plain,
        }
    }

    /// Whether smaller pages may be worth it.
    fn may_cut(&self, leaf: &ColumnDescPtr) -> bool {
        leaf.physical_type() == Type::BYTE_ARRAY
            && self.plain.mostly_distinct()
            && self.plain.encoded < POOR_RATIO * self.plain.compressed
    }
}

/// One leaf of the sample, written one way. Sizes are bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Measured {
    /// Values that aren't null.
    pub(super) values: f64,
    /// How many different ones, where they were counted.
    pub(super) distinct: f64,
    pub(super) encoded: f64,
    pub(super) compressed: f64,
    /// Of the compressed bytes, those that aren't the dictionary.
    pub(super) data_pages: f64,
}

impl Measured {
    fn of(closed: &ColumnCloseResult) -> Self {
        let metadata = &closed.metadata;
        let statistics = metadata.statistics();
        let nulls = statistics.and_then(Statistics::null_count_opt).unwrap_or(0);
        let pages = closed
            .offset_index
            .iter()
            .flat_map(OffsetIndexMetaData::page_locations);
        Self {
            values: metadata.num_values() as f64 - nulls as f64,
            distinct: statistics
                .and_then(Statistics::distinct_count_opt)
                .unwrap_or(0) as f64,
            encoded: metadata.uncompressed_size() as f64,
            compressed: metadata.compressed_size() as f64,
            data_pages: pages.map(|page| f64::from(page.compressed_page_size)).sum(),
        }
    }

    pub(super) fn mostly_distinct(&self) -> bool {
        self.distinct >= MOSTLY_DISTINCT * self.values
    }
}

/// Some rows of a column, to be written in several ways.
pub(super) struct Sample<'a> {
    root: &'a Root,
    field: &'a Field,
    runs: Vec<ArrayRef>,
}

impl<'a> Sample<'a> {
    /// Takes a sample and writes it in every way that could pay; tells for each leaf what it took.
    pub(super) fn try_out(
        root: &'a Root,
        field: &'a Field,
        ahead: &[ArrayRef],
        hints: &[LeafHint],
        compression: Compression,
    ) -> Result<(Self, Vec<Candidates>)> {
        let leaves = root.leaves();
        let plain = || {
            WriterProperties::builder()
                .set_compression(compression)
                .set_dictionary_enabled(false)
                .set_encoding(Encoding::PLAIN)
        };

        let counted = plain().set_write_row_group_number_distinct_values(true);
        let (runs, measured) = write_runs(root.writers(counted.build())?, field, ahead)?;
        let sample = Self { root, field, runs };
        let rows = sample.runs.iter().map(Array::len).sum::<usize>() as f64;
        let mut candidates: Vec<_> = measured
            .into_iter()
            .map(|plain| Candidates {
                rows,
                plain,
                packed: None,
                dictionary: None,
                cut: None,
            })
            .collect();

        let encodings: Vec<_> = leaves
            .iter()
            .zip(hints)
            .map(|(leaf, hint)| packed_encoding(leaf, *hint))
            .collect();
        if encodings.iter().any(Option::is_some) {
            let mut builder = plain();
            for (leaf, encoding) in leaves.iter().zip(&encodings) {
                if let Some(encoding) = encoding {
                    builder = builder.set_column_encoding(path(leaf), *encoding);
                }
            }
            let packed = sample.write(builder)?;
            for ((seen, encoding), packed) in candidates.iter_mut().zip(encodings).zip(packed) {
                seen.packed = encoding.map(|encoding| (encoding, packed));
            }
        }

        let tries: Vec<_> = leaves
            .iter()
            .zip(hints)
            .zip(&candidates)
            .map(|((leaf, hint), seen)| {
                leaf.physical_type() != Type::BOOLEAN
                    && !hint.dictionary_overflowed
                    && !seen.plain.mostly_distinct()
            })
            .collect();
        if tries.contains(&true) {
            let builder = plain().set_dictionary_enabled(true);
            let dictionary = sample.write(builder)?;
            for ((seen, tried), dictionary) in candidates.iter_mut().zip(tries).zip(dictionary) {
                seen.dictionary = tried.then_some(dictionary);
            }
        }

        let cuts: Vec<_> = leaves
            .iter()
            .zip(&candidates)
            .map(|(leaf, seen)| seen.may_cut(leaf))
            .collect();
        if compression != Compression::UNCOMPRESSED && cuts.contains(&true) {
            let builder = plain().set_data_page_size_limit(RUN_BYTES);
            let cut = sample.write(builder)?;
            for ((seen, tried), cut) in candidates.iter_mut().zip(cuts).zip(cut) {
                seen.cut = tried.then_some(cut);
            }
        }
        Ok((sample, candidates))
    }

    /// Writes the sample once more.
    pub(super) fn write(&self, properties: WriterPropertiesBuilder) -> Result<Vec<Measured>> {
        let mut writers = self.root.writers(properties.build())?;
        self.runs
            .iter()
            .try_for_each(|rows| write_column(&mut writers, self.field, rows))?;
        close(writers)
    }
}

/// The one encoding besides plain and dictionary that may pay for a leaf.
fn packed_encoding(leaf: &ColumnDescPtr, hint: LeafHint) -> Option<Encoding> {
    match leaf.physical_type() {
        _ if hint.byte_stream_split => Some(Encoding::BYTE_STREAM_SPLIT),
        Type::INT32 | Type::INT64 => Some(Encoding::DELTA_BINARY_PACKED),
        Type::BYTE_ARRAY => Some(Encoding::DELTA_BYTE_ARRAY),
        _ => None,
    }
}

/// Cuts runs of neighbours from all over the rows and writes them, as far as [`RUN_BYTES`] allow.
/// Returns the rows that were written, too.
fn write_runs(
    mut writers: Vec<ArrowColumnWriter>,
    field: &Field,
    ahead: &[ArrayRef],
) -> Result<(Vec<ArrayRef>, Vec<Measured>)> {
    let rows: usize = ahead.iter().map(Array::len).sum();
    let run_rows = (rows / SAMPLE_SHARE).min(SAMPLE_ROWS).div_ceil(RUNS);
    let mut sample = Vec::new();
    for run in 0..RUNS {
        let mut at = rows * run / RUNS;
        let end = (at + run_rows).min(rows * (run + 1) / RUNS);
        let full = |writer: &ArrowColumnWriter| {
            writer.get_estimated_total_bytes() >= RUN_BYTES * (run + 1)
        };
        while at < end && !writers.iter().any(full) {
            let Some(rows) = rows_at(ahead, at, STEP.min(end - at)) else {
                break;
            };
            write_column(&mut writers, field, &rows)?;
            at += rows.len();
            sample.push(rows);
        }
    }
    Ok((sample, close(writers)?))
}

/// At most `count` rows from the `at`th on, as they lie together.
fn rows_at(arrays: &[ArrayRef], mut at: usize, count: usize) -> Option<ArrayRef> {
    for array in arrays {
        if at < array.len() {
            return Some(array.slice(at, count.min(array.len() - at)));
        }
        at -= array.len();
    }
    None
}

fn close(writers: Vec<ArrowColumnWriter>) -> Result<Vec<Measured>> {
    writers
        .into_iter()
        .map(|writer| Ok(Measured::of(writer.close()?.close())))
        .collect()
}
