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
//! Its vectorised reader had trouble with `DELTA_LENGTH_BYTE_ARRAY` on its own for years more, and
//! came to `BYTE_STREAM_SPLIT` only lately: the first is not used, the second only where the source
//! already used it, so that whoever reads these files has shown to know it.

use arrow_array::ArrayRef;
use arrow_schema::Field;
use parquet::basic::{Compression, Encoding, Type, ZstdLevel};
use parquet::errors::Result;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::{ColumnDescPtr, ColumnPath};

use super::encode::Root;
use super::sample::{Candidates, Sample};

/// With fewer rows than this, looking costs more than any choice can save.
const WORTH_A_LOOK: usize = 1024;

/// A dictionary that grows past this is given up by the writer.
const DICTIONARY_BYTES: f64 = 1_048_576.0;
/// What a packed encoding must come down to against plain. Integers unpack quickly; prefixes of
/// strings make readers copy every value, which must buy something.
const PACKED_INTEGERS: f64 = 0.97;
const PACKED_STRINGS: f64 = 0.88;

/// How often a bloom filter says that a value may be there when it isn't.
const BLOOM_MISSES: f64 = 0.01;
/// Bits that a bloom filter takes for a value at that rate.
pub(super) const BLOOM_BITS: u64 = 10;

/// Pages of strings that have nothing to gain from a large window: the search for matches that
/// aren't there gets up to twice as fast (measured with zstd 3 on UUIDs).
const SMALL_PAGE: usize = 64 << 10;
/// Cutting the sample into its runs costs this much where a larger window gains nothing: a page
/// header and the tables of the compressor for each.
const CUT_COSTS: f64 = 1.05;

/// What a source's footer tells about one leaf of a column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LeafHint {
    /// Its writer tried a dictionary and gave it up.
    pub(super) dictionary_overflowed: bool,
    /// It is stored as `BYTE_STREAM_SPLIT`.
    pub(super) byte_stream_split: bool,
    /// How many values its bloom filter was made for, if it has one.
    pub(super) bloom: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Choice {
    /// Try a dictionary first.
    dictionary: bool,
    /// The encoding; with a dictionary, what follows if that grows too large.
    encoding: Encoding,
    small_pages: bool,
    compression: Compression,
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
        compression,
    };
    let all_boolean = leaves
        .iter()
        .all(|leaf| leaf.physical_type() == Type::BOOLEAN);
    if rows < WORTH_A_LOOK || all_boolean {
        let choices = vec![default; leaves.len()];
        return Ok(with_blooms(properties(leaves, &choices), leaves, hints, rows).build());
    }
    let (sample, candidates) = Sample::try_out(root, field, ahead, hints, compression)?;
    let mut choices: Vec<_> = leaves
        .iter()
        .zip(&candidates)
        .map(|(leaf, seen)| decide(default, leaf.physical_type(), seen, rows as f64))
        .collect();
    spare_effort(&sample, leaves, &candidates, &mut choices)?;
    Ok(with_blooms(properties(leaves, &choices), leaves, hints, rows).build())
}

/// Makes bloom filters where the source had some, for no more values than there are.
fn with_blooms(
    mut properties: WriterPropertiesBuilder,
    leaves: &[ColumnDescPtr],
    hints: &[LeafHint],
    rows: usize,
) -> WriterPropertiesBuilder {
    for (leaf, hint) in leaves.iter().zip(hints) {
        if let Some(values) = hint.bloom {
            // A list has more values than rows; its source knew how many.
            let most = match leaf.max_rep_level() {
                0 => rows as u64,
                _ => u64::MAX,
            };
            properties = properties
                .set_column_bloom_filter_fpp(path(leaf), BLOOM_MISSES)
                .set_column_bloom_filter_max_ndv(path(leaf), values.clamp(1, most.max(1)));
        }
    }
    properties
}

/// Lowers the level of zstd where that takes no more room. In values that hardly repeat, as
/// random identifiers and measurements, a higher level finds more accidental matches, and spends
/// more on writing these down than they save: level 3 is up to 4% larger than level 1, and takes
/// twice as long. So the level asked for is what may be spent, not what must be.
fn spare_effort(
    sample: &Sample<'_>,
    leaves: &[ColumnDescPtr],
    candidates: &[Candidates],
    choices: &mut [Choice],
) -> Result<()> {
    let fast = Compression::ZSTD(ZstdLevel::try_new(1)?);
    let mut fastest = choices.to_vec();
    for ((choice, leaf), seen) in fastest.iter_mut().zip(leaves).zip(candidates) {
        // What repeats farther away than the sample reaches is out of the question.
        let near = choice.small_pages || leaf.physical_type() != Type::BYTE_ARRAY;
        let level = match choice.compression {
            Compression::ZSTD(level) => level.compression_level(),
            _ => 0,
        };
        if level > 1 && near && !choice.dictionary && seen.plain.mostly_distinct() {
            choice.compression = fast;
        }
    }
    if fastest == *choices {
        return Ok(());
    }
    let tried = sample.write(properties(leaves, &fastest))?;
    for (((choice, fastest), seen), tried) in
        choices.iter_mut().zip(fastest).zip(candidates).zip(tried)
    {
        if tried.compressed <= seen.chosen(choice.encoding).compressed {
            *choice = fastest;
        }
    }
    Ok(())
}

/// What makes the writer follow the choices.
fn properties(leaves: &[ColumnDescPtr], choices: &[Choice]) -> WriterPropertiesBuilder {
    let mut properties = WriterProperties::builder();
    for (leaf, choice) in leaves.iter().zip(choices) {
        properties = properties
            .set_column_compression(path(leaf), choice.compression)
            .set_column_dictionary_enabled(path(leaf), choice.dictionary)
            .set_column_encoding(path(leaf), choice.encoding);
        if choice.small_pages {
            properties = properties.set_column_data_page_size_limit(path(leaf), SMALL_PAGE);
        }
    }
    properties
}

pub(super) fn path(leaf: &ColumnDescPtr) -> ColumnPath {
    leaf.path().clone()
}

/// The smallest wins, with a handicap for what costs readers more.
fn decide(default: Choice, kind: Type, seen: &Candidates, rows: f64) -> Choice {
    let plain = seen.plain;
    let strings = kind == Type::BYTE_ARRAY;
    let mut best = Choice {
        dictionary: false,
        ..default
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
        if best.dictionary && strings {
            // Spark before 4 may fail on a chunk that goes on in DELTA_BYTE_ARRAY.
            best.encoding = Encoding::PLAIN;
        }
    }
    best.small_pages = !best.dictionary
        && seen
            .cut
            .is_some_and(|cut| cut.compressed < CUT_COSTS * plain.compressed);
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
            compression: properties.compression(&path),
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
    fn random_strings_stay_plain_in_small_pages_at_little_effort() {
        let hex = |row| format!("{:016x}{:016x}", random(2 * row), random(2 * row + 1));
        let choice = chosen(strings(hex));
        assert!(!choice.dictionary && choice.small_pages);
        assert_eq!(choice.encoding, Encoding::PLAIN);
        assert_eq!(
            choice.compression,
            Compression::ZSTD(ZstdLevel::try_new(1).unwrap())
        );
    }

    #[test]
    fn text_keeps_the_large_window_it_profits_from() {
        let words: Vec<String> = (0..3000)
            .map(|n| format!("{:x}", random(n) >> 40))
            .collect();
        let word = |n: usize| words[(random(n) % 3000) as usize].as_str();
        let values = strings(|row| {
            (0..12)
                .map(|n| word(12 * row + n))
                .collect::<Vec<_>>()
                .join(" ")
        });
        let choice = chosen(values);
        assert!(!choice.small_pages);
        assert_eq!(choice.compression, EncodeOptions::default().compression);
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
