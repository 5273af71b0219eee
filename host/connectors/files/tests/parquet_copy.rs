//! What a copy keeps, whatever the file: rows and their order, over many sources and outputs, and
//! beside row groups that were encoded here. And what it never does: panic, whatever is flipped.

#![expect(clippy::unwrap_used, reason = "the helpers of tests too")]
#![expect(
    clippy::cast_possible_truncation,
    reason = "the numbers are below a hundred"
)]

use std::fs::File;
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array,
    RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field};
use arrow_select::concat::concat_batches;
use bytes::Bytes;
use hygge_files::parquet::{
    EncodeOptions, Encoder, FileSink, Input, Layout, ParquetWriter, SourceFile, Verify, Want, Why,
    can_copy, check_row_group,
};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
    RowSelector,
};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::{KeyValue, PageIndexPolicy};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use proptest::prelude::*;

/// How a source is written.
#[derive(Debug, Clone)]
struct Shape {
    columns: Vec<u8>,
    rows: usize,
    seed: u64,
    group: usize,
    page: usize,
    v2: bool,
    dictionary: bool,
    bloom: bool,
    statistics: u8,
    codec: u8,
}

fn shape() -> impl Strategy<Value = Shape> {
    let first = (
        proptest::collection::vec(0u8..9, 1..5),
        0usize..400,
        any::<u64>(),
        1usize..150,
        1usize..120,
    );
    let second = (any::<bool>(), any::<bool>(), any::<bool>(), 0u8..3, 0u8..6);
    (first, second).prop_map(
        |((columns, rows, seed, group, page), (v2, dictionary, bloom, statistics, codec))| Shape {
            columns,
            rows,
            seed,
            group,
            page,
            v2,
            dictionary,
            bloom,
            statistics,
            codec,
        },
    )
}

/// Small numbers that follow from a seed and repeat often; one in six is missing.
fn numbers(seed: u64, rows: usize) -> impl Iterator<Item = Option<i64>> {
    let mut state = seed | 1;
    (0..rows).map(move |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let number = i64::try_from(state >> 40).unwrap() % 97;
        (number % 6 != 0).then_some(number)
    })
}

fn column(kind: u8, seed: u64, rows: usize) -> ArrayRef {
    let some = || numbers(seed, rows);
    let full = || some().map(|number| number.unwrap_or(-1));
    match kind {
        0 => Arc::new(some().collect::<Int64Array>()),
        1 => Arc::new(full().collect::<Int64Array>()),
        2 => Arc::new(
            some()
                .map(|n| n.map(|n| format!("text {n}")))
                .collect::<StringArray>(),
        ),
        3 => {
            let value = |n: i64| if n == 13 { f64::NAN } else { n as f64 / 7.0 };
            Arc::new(some().map(|n| n.map(value)).collect::<Float64Array>())
        }
        4 => Arc::new(
            some()
                .map(|n| n.map(|n| n % 2 == 0))
                .collect::<BooleanArray>(),
        ),
        5 => {
            let values = some()
                .map(|n| n.map(i128::from))
                .collect::<Decimal128Array>();
            Arc::new(values.with_precision_and_scale(30, 4).unwrap())
        }
        6 => Arc::new(
            some()
                .collect::<TimestampMicrosecondArray>()
                .with_timezone("UTC"),
        ),
        7 => {
            let mut lists = ListBuilder::new(StringBuilder::new());
            for number in some() {
                for at in 0..number.unwrap_or(0) % 4 {
                    lists
                        .values()
                        .append_option((at != 1).then(|| format!("item {at}")));
                }
                lists.append(number.is_some());
            }
            Arc::new(lists.finish())
        }
        _ => {
            let day =
                Arc::new(some().map(|n| n.map(|n| n as i32)).collect::<Date32Array>()) as ArrayRef;
            let count = Arc::new(full().map(|n| n as i32).collect::<Int32Array>()) as ArrayRef;
            Arc::new(StructArray::from(vec![
                (Arc::new(Field::new("day", DataType::Date32, true)), day),
                (Arc::new(Field::new("count", DataType::Int32, false)), count),
            ]))
        }
    }
}

fn table(shape: &Shape) -> RecordBatch {
    let columns = shape.columns.iter().enumerate().map(|(at, kind)| {
        let seed = shape.seed.wrapping_add(at as u64 * 7919);
        (
            format!("c{at}"),
            column(*kind, seed, shape.rows),
            *kind != 1,
        )
    });
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn write(batch: &RecordBatch, shape: &Shape) -> Bytes {
    let codec = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(Default::default()),
        Compression::LZ4_RAW,
        Compression::ZSTD(ZstdLevel::default()),
        Compression::BROTLI(Default::default()),
    ];
    let statistics = [
        EnabledStatistics::None,
        EnabledStatistics::Chunk,
        EnabledStatistics::Page,
    ];
    let properties = WriterProperties::builder()
        .set_compression(codec[usize::from(shape.codec)])
        .set_max_row_group_row_count(Some(shape.group))
        .set_data_page_row_count_limit(shape.page)
        .set_write_batch_size(16)
        .set_writer_version(if shape.v2 {
            WriterVersion::PARQUET_2_0
        } else {
            WriterVersion::PARQUET_1_0
        })
        .set_dictionary_enabled(shape.dictionary)
        .set_bloom_filter_enabled(shape.bloom)
        .set_statistics_enabled(statistics[usize::from(shape.statistics)])
        .set_key_value_metadata(Some(vec![KeyValue::new(
            "origin".to_owned(),
            "a test".to_owned(),
        )]))
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes.into()
}

fn source(bytes: &Bytes) -> SourceFile {
    SourceFile::new("source", Input::from_bytes(bytes.clone())).unwrap()
}

fn copy(sources: &[SourceFile], verify: Verify) -> Bytes {
    let layout = Layout::of_source(&sources[0]);
    let mut writer = ParquetWriter::create(Vec::new(), layout, Vec::new()).unwrap();
    for source in sources {
        for group in 0..source.metadata().num_row_groups() {
            let left_out = writer
                .append_checked(check_row_group(source, group, verify).unwrap())
                .unwrap();
            assert_eq!(left_out, []);
        }
    }
    writer.finish().unwrap().0.into()
}

fn builder(bytes: &Bytes) -> ParquetRecordBatchReaderBuilder<Bytes> {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
    let metadata = ArrowReaderMetadata::load(bytes, options).unwrap();
    ParquetRecordBatchReaderBuilder::new_with_metadata(bytes.clone(), metadata)
        .with_batch_size(1 << 16)
}

/// All rows of a file, as one batch.
fn read(bytes: &Bytes) -> RecordBatch {
    let builder = builder(bytes);
    let schema = builder.schema().clone();
    let batches: Vec<_> = builder.build().unwrap().collect::<Result<_, _>>().unwrap();
    concat_batches(&schema, &batches).unwrap()
}

/// Every third row or so: what only a right offset index finds.
fn read_some(bytes: &Bytes, rows: usize) -> Vec<RecordBatch> {
    let selectors: Vec<_> = (0..rows)
        .step_by(33)
        .flat_map(|at| {
            let left = rows - at;
            [
                RowSelector::skip(left.min(22)),
                RowSelector::select(left.min(33) - left.min(22)),
            ]
        })
        .collect();
    builder(bytes)
        .with_row_selection(RowSelection::from(selectors))
        .build()
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

/// As text: NaN doesn't equal itself.
fn text(batch: &RecordBatch) -> String {
    format!("{:?}", batch.columns())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_are_the_same_after_a_copy(shape in shape()) {
        let batch = table(&shape);
        let before = write(&batch, &shape);
        let after = copy(&[source(&before)], Verify::Decode);
        prop_assert_eq!(text(&read(&after)), text(&batch));
        let (some, same) = (read_some(&before, shape.rows), read_some(&after, shape.rows));
        prop_assert_eq!(format!("{some:?}"), format!("{same:?}"));
        let (before, after) = (builder(&before), builder(&after));
        let (old, new) = (before.metadata(), after.metadata());
        for (old, new) in old.row_groups().iter().zip(new.row_groups()) {
            for (old, new) in old.columns().iter().zip(new.columns()) {
                prop_assert_eq!(format!("{:?}", old.statistics()), format!("{:?}", new.statistics()));
                prop_assert_eq!(old.page_encoding_stats(), new.page_encoding_stats());
                prop_assert_eq!(old.bloom_filter_offset().is_some(), new.bloom_filter_offset().is_some());
                prop_assert_eq!(old.column_index_length(), new.column_index_length());
            }
        }
    }

    #[test]
    fn sources_follow_each_other(shape in shape(), seeds in proptest::collection::vec(any::<u64>(), 1..4)) {
        let tables: Vec<_> = seeds.iter().map(|seed| table(&Shape { seed: *seed, ..shape.clone() })).collect();
        let sources: Vec<_> = tables.iter().map(|batch| source(&write(batch, &shape))).collect();
        let all = concat_batches(&tables[0].schema(), &tables).unwrap();
        prop_assert_eq!(text(&read(&copy(&sources, Verify::Pages))), text(&all));
    }

    #[test]
    fn one_source_is_split_over_outputs(shape in shape(), at in 0usize..6) {
        let batch = table(&shape);
        let source = source(&write(&batch, &shape));
        let groups = source.metadata().num_row_groups();
        let mut parts = Vec::new();
        for range in [0..at.min(groups), at.min(groups)..groups] {
            let layout = Layout::of_source(&source);
            let mut writer = ParquetWriter::create(Vec::new(), layout, Vec::new()).unwrap();
            for group in range {
                writer.append_checked(check_row_group(&source, group, Verify::Pages).unwrap()).unwrap();
            }
            parts.push(read(&writer.finish().unwrap().0.into()));
        }
        prop_assert_eq!(text(&concat_batches(&batch.schema(), &parts).unwrap()), text(&batch));
    }

    #[test]
    fn copied_and_encoded_row_groups_share_a_file(shape in shape(), start_encoded in any::<bool>()) {
        let batch = table(&shape);
        let source = source(&write(&batch, &shape));
        let options = EncodeOptions::default();
        let encoder = Encoder::like(batch.schema(), &source.schema(), options).unwrap();
        let layout = if start_encoded { Layout::of_encoder(&encoder) } else { Ok(Layout::of_source(&source)) };
        let mut writer = ParquetWriter::create(Vec::new(), layout.unwrap(), Vec::new()).unwrap();
        prop_assert_eq!(writer.takes(&source), Ok(()));
        prop_assert_eq!(writer.layout().takes_encoder(&encoder), Ok(()));
        let mut from = 0;
        for (at, group) in source.metadata().row_groups().iter().enumerate() {
            let rows = usize::try_from(group.num_rows()).unwrap();
            if at % 2 == 0 {
                writer.append_checked(check_row_group(&source, at, Verify::Pages).unwrap()).unwrap();
            } else {
                let encoded = encoder.encode(&[batch.slice(from, rows)]).unwrap();
                writer.append_encoded(encoded).unwrap();
            }
            from += rows;
        }
        let (bytes, finished) = writer.finish().unwrap();
        prop_assert_eq!(finished.rows, shape.rows as u64);
        prop_assert_eq!(finished.bytes, bytes.len() as u64);
        let bytes = Bytes::from(bytes);
        prop_assert_eq!(text(&read(&bytes)), text(&batch));
        // What was encoded here passes the same checks as what was copied.
        prop_assert_eq!(text(&read(&copy(&[self::source(&bytes)], Verify::Decode))), text(&batch));
        let selected = read_some(&bytes, shape.rows);
        prop_assert_eq!(format!("{selected:?}"), format!("{:?}", read_some(&copy(&[self::source(&bytes)], Verify::Pages), shape.rows)));
    }

    #[test]
    fn flips_give_an_error_or_a_file(shape in shape(), flips in proptest::collection::vec((any::<usize>(), 0u8..8), 1..4), tail in any::<bool>()) {
        let mut bytes = write(&table(&shape), &shape).to_vec();
        let length = bytes.len();
        for (at, bit) in flips {
            // Half of the cases aim at the footer, where there is most to get wrong.
            let at = if tail { length - 1 - at % length.min(600) } else { at % length };
            bytes[at] ^= 1 << bit;
        }
        let Ok(source) = SourceFile::new("flipped", Input::from_bytes(bytes.into())) else { return Ok(()) };
        let _ = can_copy(&source, 0..usize::MAX, &Want::default());
        let mut writer = ParquetWriter::create(Vec::new(), Layout::of_source(&source), Vec::new()).unwrap();
        for group in 0..source.metadata().num_row_groups() {
            let _ = check_row_group(&source, group, Verify::Decode);
            if let Ok(checked) = check_row_group(&source, group, Verify::Pages) {
                writer.append_checked(checked).unwrap();
            }
        }
        writer.finish().unwrap();
    }
}

fn plain() -> Shape {
    Shape {
        columns: vec![0, 2, 3],
        rows: 300,
        seed: 5,
        group: 100,
        page: 50,
        v2: false,
        dictionary: true,
        bloom: true,
        statistics: 2,
        codec: 4,
    }
}

#[test]
fn files_are_copied_by_the_kernel_or_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let batch = table(&plain());
    let bytes = write(&batch, &plain());
    let path = folder.path().join("source.parquet");
    std::fs::write(&path, &bytes).unwrap();
    for input in [
        Input::open(&path).unwrap(),
        Input::from_bytes(bytes.clone()),
    ] {
        let source = SourceFile::new("source", input).unwrap();
        let to = folder.path().join("copy.parquet");
        let sink = FileSink::new(File::create(&to).unwrap());
        let mut writer =
            ParquetWriter::create(sink, Layout::of_source(&source), Vec::new()).unwrap();
        for group in 0..3 {
            writer
                .append_checked(check_row_group(&source, group, Verify::Pages).unwrap())
                .unwrap();
        }
        let (_, finished) = writer.finish().unwrap();
        let copied = Bytes::from(std::fs::read(&to).unwrap());
        assert_eq!(finished.bytes, copied.len() as u64);
        assert_eq!(copied, copy(&[source], Verify::Pages));
        assert_eq!(text(&read(&copied)), text(&batch));
    }
}

#[test]
fn key_values_of_the_caller_stand_before_those_carried() {
    let source = source(&write(&table(&plain()), &plain()));
    let given = vec![
        KeyValue::new("origin".to_owned(), "the caller".to_owned()),
        KeyValue::new("hygge.run".to_owned(), "r1".to_owned()),
    ];
    let mut writer = ParquetWriter::create(Vec::new(), Layout::of_source(&source), given).unwrap();
    writer
        .append_checked(check_row_group(&source, 0, Verify::Pages).unwrap())
        .unwrap();
    let after = self::source(&writer.finish().unwrap().0.into());
    assert_eq!(after.key_value("origin"), Some("the caller"));
    assert_eq!(after.key_value("hygge.run"), Some("r1"));
    assert!(after.key_value("ARROW:schema").is_some());
    assert!(
        after
            .key_value("original.created.by")
            .unwrap()
            .starts_with("parquet-rs version")
    );
    assert!(after.created_by().unwrap().starts_with("hygge version"));
    assert_eq!(after.key_values().len(), 4);
}

#[test]
fn what_cannot_be_copied_says_why() {
    let source_of = |shape: &Shape| source(&write(&table(shape), shape));
    let source = source_of(&plain());
    let want = |codec| Want {
        codec,
        ..Want::default()
    };
    let why = can_copy(&source, 0..1, &want(Some(Compression::SNAPPY))).unwrap_err();
    assert_eq!(why.to_string(), "codec differs (c0 is zstd, wanted snappy)");
    assert_eq!(
        can_copy(
            &source,
            0..1,
            &want(Some(Compression::ZSTD(ZstdLevel::try_new(9).unwrap())))
        ),
        Ok(())
    );

    // Alone, a small row group is as good as it gets; with others it can be merged.
    assert_eq!(can_copy(&source, 0..1, &Want::default()), Ok(()));
    let why = can_copy(&source, 0..3, &Want::default()).unwrap_err();
    assert!(
        why.to_string()
            .starts_with("row groups are tiny (3 with 100 rows, "),
        "{why}"
    );
    assert!(
        can_copy(
            &source,
            0..1,
            &Want {
                merges: true,
                ..Want::default()
            }
        )
        .is_err()
    );

    let layout = Layout::of_source(&source);
    let other = source_of(&Shape {
        columns: vec![0, 2, 4],
        ..plain()
    });
    assert!(
        matches!(layout.takes(&other), Err(Why::SchemaDiffers { what }) if what == "column \"c2\"")
    );
    let group = check_row_group(&other, 0, Verify::Pages).unwrap();
    let mut writer = ParquetWriter::create(Vec::new(), layout, Vec::new()).unwrap();
    assert!(
        writer
            .append_checked(group)
            .unwrap_err()
            .to_string()
            .contains("schema differs (column \"c2\")")
    );
    // Refused before anything was written: the file can go on.
    writer
        .append_checked(check_row_group(&source, 1, Verify::Pages).unwrap())
        .unwrap();
    assert_eq!(writer.finish().unwrap().1.rows, 100);
}

#[test]
fn a_file_without_row_groups_has_its_schema() {
    let source = source(&write(&table(&plain()), &plain()));
    let writer = ParquetWriter::create(Vec::new(), Layout::of_source(&source), Vec::new()).unwrap();
    let empty = read(&writer.finish().unwrap().0.into());
    assert_eq!(empty.num_rows(), 0);
    assert_eq!(empty.schema().fields(), table(&plain()).schema().fields());
}
