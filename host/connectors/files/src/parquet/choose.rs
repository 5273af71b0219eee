//! Which encoding a column gets, decided from a sample of its values.
//!
//! Writers that always start with a dictionary pay for hashing every value of a unique column and
//! then store it plain. Writers that never do miss that repeated strings shrink tenfold. Looking
//! costs a few percent: up to 2,048 rows, in runs from all over the column, are written
//! in each of the ways that could pay, and the smallest wins by its compressed size.
//!
//! Only what readers have understood for years is chosen, since a data set outlives the program
//! that wrote it: plain, dictionary, `DELTA_BINARY_PACKED` for integers and `DELTA_BYTE_ARRAY` for
//! strings that share long prefixes, all in version 1 data pages. Spark reads these from 3.3 on.
//! It knows `DELTA_LENGTH_BYTE_ARRAY` on its own only since 3.4, and its vectorised reader came to
//! `BYTE_STREAM_SPLIT` later still: the first is not used, the second only where the source
//! already used it, so that whoever reads these files has shown to know it.

use arrow_array::{Array, ArrayRef};
use arrow_schema::Field;
use parquet::arrow::arrow_writer::ArrowColumnWriter;
use parquet::basic::{Compression, Encoding, Type};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::Result;
use parquet::file::page_index::offset_index::OffsetIndexMetaData;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::file::statistics::Statistics;
use parquet::schema::types::{ColumnDescPtr, ColumnPath};

use super::encode::{Root, write_column};

/// A sample has at most this many rows, in [`RUNS`] runs of neighbours; of a short column, one row
/// in [`SAMPLE_SHARE`].
const SAMPLE_ROWS: usize = 2048;
const SAMPLE_SHARE: usize = 16;
const RUNS: usize = 4;
/// A run ends early once a leaf has this many bytes of it, looked at every [`STEP`] rows.
const RUN_BYTES: usize = 16 << 10;
const STEP: usize = 64;
/// With fewer rows than this, looking costs more than any choice can save.
const WORTH_A_LOOK: usize = 1024;

/// A dictionary that grows past this is given up by the writer.
const DICTIONARY_BYTES: f64 = 1_048_576.0;
/// Above this share of distinct values in the sample, how many there are in all is a guess.
const MOSTLY_DISTINCT: f64 = 0.95;

/// What a packed encoding must come down to against plain. Integers unpack quickly; prefixes of
/// strings make readers copy every value, which must buy something.
const PACKED_INTEGERS: f64 = 0.97;
const PACKED_STRINGS: f64 = 0.88;

/// Pages of strings in which compression finds little to repeat: with a smaller window they take
/// no more room, and the search for matches that aren't there gets up to twice as fast (measured
/// with zstd 3 on UUIDs).
const SMALL_PAGE: usize = 64 << 10;
const POOR_RATIO: f64 = 2.5;

/// What a source's footer tells about one leaf of a column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LeafHint {
    /// Its writer tried a dictionary and gave it up.
    pub(super) dictionary_overflowed: bool,
    /// It is stored as `BYTE_STREAM_SPLIT`.
    pub(super) byte_stream_split: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Choice {
    /// Try a dictionary first.
    dictionary: bool,
    /// The encoding; with a dictionary, what follows if that grows too large.
    encoding: Encoding,
    small_pages: bool,
}

/// Chooses for every leaf of a column of `rows` rows, of which `ahead` are the first.
pub(super) fn choose(
    root: &Root,
    field: &Field,
    ahead: &[ArrayRef],
    rows: usize,
    hints: &[LeafHint],
    compression: Compression,
) -> Result<WriterProperties> {
    let leaves = root.leaves();
    let default = Choice {
        dictionary: true,
        encoding: Encoding::PLAIN,
        small_pages: false,
    };
    let mut choices = vec![default; leaves.len()];
    let all_boolean = leaves
        .iter()
        .all(|leaf| leaf.physical_type() == Type::BOOLEAN);
    if rows >= WORTH_A_LOOK && !all_boolean {
        let candidates = try_out(root, field, ahead, hints, compression)?;
        let compressed = compression != Compression::UNCOMPRESSED;
        for ((choice, leaf), seen) in choices.iter_mut().zip(leaves).zip(&candidates) {
            *choice = decide(leaf.physical_type(), seen, rows as f64, compressed);
        }
    }
    let mut properties = WriterProperties::builder().set_compression(compression);
    for (leaf, choice) in leaves.iter().zip(&choices) {
        properties = properties
            .set_column_dictionary_enabled(path(leaf), choice.dictionary)
            .set_column_encoding(path(leaf), choice.encoding);
        if choice.small_pages {
            properties = properties.set_column_data_page_size_limit(path(leaf), SMALL_PAGE);
        }
    }
    Ok(properties.build())
}

/// What writing the sample showed of one leaf.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Candidates {
    /// Rows in the sample.
    rows: f64,
    plain: Measured,
    packed: Option<(Encoding, Measured)>,
    dictionary: Option<Measured>,
}

/// One leaf of the sample, written one way. Sizes are bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Measured {
    /// Values that aren't null.
    values: f64,
    /// How many different ones, where they were counted.
    distinct: f64,
    encoded: f64,
    compressed: f64,
    /// Of the compressed bytes, those that aren't the dictionary.
    data_pages: f64,
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

    fn mostly_distinct(&self) -> bool {
        self.distinct >= MOSTLY_DISTINCT * self.values
    }
}

/// Writes a sample in every way that could pay.
fn try_out(
    root: &Root,
    field: &Field,
    ahead: &[ArrayRef],
    hints: &[LeafHint],
    compression: Compression,
) -> Result<Vec<Candidates>> {
    let leaves = root.leaves();
    let plain = || {
        WriterProperties::builder()
            .set_compression(compression)
            .set_dictionary_enabled(false)
            .set_encoding(Encoding::PLAIN)
    };

    let counted = plain().set_write_row_group_number_distinct_values(true);
    let (sample, measured) = write_runs(root.writers(counted.build())?, field, ahead)?;
    let rows = sample.iter().map(Array::len).sum::<usize>() as f64;
    let mut candidates: Vec<_> = measured
        .into_iter()
        .map(|plain| Candidates {
            rows,
            plain,
            packed: None,
            dictionary: None,
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
        let packed = write_sample(root, builder, field, &sample)?;
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
        let dictionary = write_sample(root, builder, field, &sample)?;
        for ((seen, tried), dictionary) in candidates.iter_mut().zip(tries).zip(dictionary) {
            seen.dictionary = tried.then_some(dictionary);
        }
    }
    Ok(candidates)
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

fn write_sample(
    root: &Root,
    properties: WriterPropertiesBuilder,
    field: &Field,
    sample: &[ArrayRef],
) -> Result<Vec<Measured>> {
    let mut writers = root.writers(properties.build())?;
    sample
        .iter()
        .try_for_each(|rows| write_column(&mut writers, field, rows))?;
    close(writers)
}

fn close(writers: Vec<ArrowColumnWriter>) -> Result<Vec<Measured>> {
    writers
        .into_iter()
        .map(|writer| Ok(Measured::of(writer.close()?.close())))
        .collect()
}

fn path(leaf: &ColumnDescPtr) -> ColumnPath {
    leaf.path().clone()
}

/// The smallest wins, with a handicap for what costs readers more.
fn decide(kind: Type, seen: &Candidates, rows: f64, compressed: bool) -> Choice {
    let plain = seen.plain;
    let strings = kind == Type::BYTE_ARRAY;
    let mut best = Choice {
        dictionary: false,
        encoding: Encoding::PLAIN,
        small_pages: false,
    };
    let mut size = plain.compressed;
    if let Some((encoding, packed)) = seen.packed {
        let handicap = if strings {
            PACKED_STRINGS
        } else {
            PACKED_INTEGERS
        };
        if packed.compressed < handicap * plain.compressed {
            best.encoding = encoding;
            size = packed.compressed;
        }
    }
    let scale = rows / seen.rows.max(1.0);
    if let Some(dictionary) = dictionary_size(seen, scale) {
        // Readers take whole dictionaries of strings as they are, and writers compress far less:
        // it may cost a little room, and where values repeat a lot the sample needn't prove it.
        let repeated = strings && plain.distinct * 4.0 <= plain.values;
        let handicap = if strings { 1.25 } else { 1.0 };
        best.dictionary = repeated || dictionary < handicap * size * scale;
    }
    best.small_pages = strings
        && compressed
        && !best.dictionary
        && plain.mostly_distinct()
        && plain.encoded < POOR_RATIO * plain.compressed;
    best
}

/// Estimates what the whole column takes with a dictionary; nothing if that would be given up.
fn dictionary_size(seen: &Candidates, scale: f64) -> Option<f64> {
    let (plain, dictionary) = (seen.plain, seen.dictionary?);
    if plain.values == 0.0 || plain.distinct == 0.0 {
        return Some(0.0);
    }
    let distinct = distinct_in_all(plain.distinct, plain.values).min(plain.values * scale);
    if distinct * plain.encoded / plain.values > DICTIONARY_BYTES {
        return None;
    }
    let bits = |distinct: f64| distinct.log2().ceil().max(1.0);
    let indices = dictionary.data_pages * scale * bits(distinct) / bits(plain.distinct);
    let page = (dictionary.compressed - dictionary.data_pages) / plain.distinct * distinct;
    Some(indices + page)
}

/// How many different values there are, if `values` drawn at random showed `distinct` of them:
/// the d for which distinct = d (1 - exp(-values / d)).
fn distinct_in_all(distinct: f64, values: f64) -> f64 {
    let shown = |d: f64| d * (1.0 - (-values / d).exp());
    let (mut low, mut high) = (distinct, distinct * 2.0);
    // Ends: the share of distinct values is at most MOSTLY_DISTINCT, which is reached at 10 x.
    while shown(high) < distinct && high < distinct * 1e6 {
        high *= 2.0;
    }
    for _ in 0..30 {
        let middle = f64::midpoint(low, high);
        if shown(middle) < distinct {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int64Array, StringArray};
    use arrow_schema::Schema;

    use super::super::encode::{EncodeOptions, Encoder};
    use super::*;

    const ROWS: usize = 50_000;

    /// A well mixed number for each row, the same in every run.
    fn random(row: usize) -> u64 {
        let mut x = (row as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn chosen_with(values: ArrayRef, hint: LeafHint) -> Choice {
        let field = Field::new("v", values.data_type().clone(), true);
        let options = EncodeOptions::default();
        let schema = Arc::new(Schema::new(vec![field.clone()]));
        let encoder = Encoder::new(schema, options.clone()).unwrap();
        let properties = choose(
            &encoder.roots()[0],
            &field,
            &[values],
            ROWS,
            &[hint],
            options.compression,
        )
        .unwrap();
        let path = ColumnPath::from("v");
        Choice {
            dictionary: properties.dictionary_enabled(&path),
            encoding: properties.encoding(&path).unwrap(),
            small_pages: properties.column_data_page_size_limit(&path) == SMALL_PAGE,
        }
    }

    fn chosen(values: ArrayRef) -> Choice {
        chosen_with(values, LeafHint::default())
    }

    fn integers(value: impl Fn(usize) -> u64) -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(
            (0..ROWS).map(|row| value(row).cast_signed()),
        ))
    }

    fn strings(value: impl Fn(usize) -> String) -> ArrayRef {
        Arc::new(StringArray::from_iter_values((0..ROWS).map(value)))
    }

    #[test]
    fn counters_and_timestamps_are_packed() {
        for values in [
            integers(|row| row as u64),
            integers(|row| 1_700_000_000_000_000 + row as u64 * 1000 + random(row) % 5000),
            integers(|row| 1_577_836_800_000_000 + random(row) % 189_388_800_000_000),
        ] {
            let choice = chosen(values);
            assert_eq!(choice.encoding, Encoding::DELTA_BINARY_PACKED);
            assert!(!choice.dictionary);
        }
    }

    #[test]
    fn few_values_get_a_dictionary() {
        for values in [
            integers(|row| 1_000_003 * (random(row) % 1000)),
            strings(|row| format!("{} and some more text", random(row) % 100)),
            strings(|row| format!("sorted {}", row / 2000)),
            strings(|row| format!("{:x}", random((random(row) % 3000) as usize))),
        ] {
            assert!(chosen(values).dictionary);
        }
    }

    #[test]
    fn a_dictionary_that_the_source_gave_up_is_not_tried_again() {
        let values = strings(|row| format!("value {}", random(row) % 1000));
        let hint = LeafHint {
            dictionary_overflowed: true,
            ..LeafHint::default()
        };
        assert!(!chosen_with(values, hint).dictionary);
    }

    #[test]
    fn random_strings_stay_plain_in_small_pages() {
        let values = strings(|row| format!("{:016x}{:016x}", random(2 * row), random(2 * row + 1)));
        let expected = Choice {
            dictionary: false,
            encoding: Encoding::PLAIN,
            small_pages: true,
        };
        assert_eq!(chosen(values), expected);
    }

    #[test]
    fn sorted_paths_share_their_prefixes() {
        let values = strings(|row| format!("/data/lake/landing/2024/part-{row:09}.parquet"));
        let choice = chosen(values);
        assert_eq!(choice.encoding, Encoding::DELTA_BYTE_ARRAY);
        assert!(!choice.dictionary && !choice.small_pages);
    }

    #[test]
    fn split_streams_are_used_only_where_the_source_did() {
        let values = || -> ArrayRef {
            let noisy = |row| 20.0 + (random(row) % 1_000_003) as f64 / 1_000_003.0;
            Arc::new(arrow_array::Float64Array::from_iter_values(
                (0..ROWS).map(noisy),
            ))
        };
        assert_eq!(chosen(values()).encoding, Encoding::PLAIN);
        let hint = LeafHint {
            byte_stream_split: true,
            ..LeafHint::default()
        };
        assert_eq!(
            chosen_with(values(), hint).encoding,
            Encoding::BYTE_STREAM_SPLIT
        );
    }

    #[test]
    fn nulls_only_and_hardly_any_rows_are_no_trouble() {
        let nulls: ArrayRef = Arc::new(Int64Array::new_null(ROWS));
        chosen(nulls);
        let none: ArrayRef = Arc::new(Int64Array::new_null(0));
        chosen(none);
    }

    #[test]
    fn distinct_values_are_extrapolated() {
        for (all, values) in [(10.0, 2000.0), (1000.0, 2000.0), (9500.0, 2000.0)] {
            let distinct: f64 = all * (1.0 - f64::exp(-values / all));
            let estimate = distinct_in_all(distinct, values);
            assert!((estimate / all - 1.0).abs() < 0.01, "{all}: {estimate}");
        }
    }
}
