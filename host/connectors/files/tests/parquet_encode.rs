//! Rows that go through the Parquet encoder, from memory or from another file, come back the same.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "any bits will do"
)]

use std::sync::Arc;

use arrow_array::builder::{
    Int32Builder, ListBuilder, MapBuilder, StringBuilder, StringDictionaryBuilder,
};
use arrow_array::types::{Float16Type, Int32Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Date64Array, Decimal128Array,
    Decimal256Array, FixedSizeBinaryArray, Float32Array, Float64Array, Int8Array, Int16Array,
    Int32Array, Int64Array, IntervalDayTimeArray, LargeStringArray, NullArray, PrimitiveArray,
    RecordBatch, StringArray, StringViewArray, StructArray, Time32MillisecondArray,
    Time64NanosecondArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, TimestampSecondArray, UInt8Array, UInt32Array, UInt64Array,
};
use arrow_buffer::{IntervalDayTime, i256};
use arrow_schema::{DataType, Field, Schema};
use arrow_select::concat::concat_batches;
use bytes::Bytes;
use hygge_files::parquet::{EncodeOptions, Encoder, Recoder, declared};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::arrow::{ArrowWriter, PARQUET_FIELD_ID_META_KEY};
use parquet::basic::{BrotliLevel, Compression, Encoding, GzipLevel};
use parquet::data_type::{ByteArrayType, Int96, Int96Type};
use parquet::file::metadata::{ColumnChunkMetaData, KeyValue, RowGroupMetaData};
use parquet::file::properties::{ReaderProperties, WriterProperties};
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::{ReadOptionsBuilder, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

const ROWS: usize = 5000;

/// About every seventh value is null.
fn some<T>(value: impl Fn(usize) -> T) -> impl Iterator<Item = Option<T>> {
    (0..ROWS).map(move |row| (row % 7 != 3).then(|| value(row)))
}

fn i(row: usize) -> i64 {
    (row as u64)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .cast_signed()
        >> 20
}

fn decimal128(precision: u8, scale: i8) -> ArrayRef {
    let limit = 10_i128.pow(u32::from(precision));
    let values = Decimal128Array::from_iter(some(|row| i128::from(i(row)).pow(2) % limit));
    Arc::new(values.with_precision_and_scale(precision, scale).unwrap())
}

fn every_type() -> RecordBatch {
    let strings = StringArray::from_iter(some(|row| format!("text {}", i(row))));
    let mut lists = ListBuilder::new(Int32Builder::new());
    let mut maps = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    let mut dictionary = StringDictionaryBuilder::<Int32Type>::new();
    for row in 0..ROWS {
        lists.append_option((row % 5 != 0).then(|| (0..row % 4).map(|item| Some(item as i32))));
        for key in 0..row % 3 {
            maps.keys().append_value(format!("key {key}"));
            maps.values()
                .append_option((key != 1).then_some(row as i32));
        }
        maps.append(row % 11 != 0).unwrap();
        dictionary.append_option((row % 13 != 0).then(|| format!("kind {}", row % 17)));
    }
    let lists = lists.finish();
    let nested = StructArray::from(vec![
        (
            Arc::new(Field::new("list", lists.data_type().clone(), true)),
            Arc::new(lists.clone()) as ArrayRef,
        ),
        (
            Arc::new(Field::new("text", DataType::Utf8, true)),
            Arc::new(strings.clone()) as ArrayRef,
        ),
    ]);
    let fixed = some(|row| (row as u64).to_be_bytes());
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "bool",
            Arc::new(some(|row| row % 3 == 0).collect::<BooleanArray>()),
        ),
        (
            "i8",
            Arc::new(Int8Array::from_iter(some(|row| i(row) as i8))),
        ),
        (
            "i16",
            Arc::new(Int16Array::from_iter(some(|row| i(row) as i16))),
        ),
        (
            "i32",
            Arc::new(Int32Array::from_iter(some(|row| i(row) as i32))),
        ),
        ("i64", Arc::new(Int64Array::from_iter(some(i)))),
        ("extremes", {
            let ends = [i64::MIN, i64::MAX, 0, -1];
            Arc::new(Int64Array::from_iter(some(|row| ends[row % 4])))
        }),
        (
            "u8",
            Arc::new(UInt8Array::from_iter(some(|row| i(row) as u8))),
        ),
        (
            "u32",
            Arc::new(UInt32Array::from_iter(some(|row| i(row) as u32))),
        ),
        (
            "u64",
            Arc::new(UInt64Array::from_iter(some(|row| u64::MAX - row as u64))),
        ),
        ("f16", {
            let halves = Float32Array::from_iter(some(|row| row as f32));
            let to = DataType::Float16;
            let halves = arrow_cast::cast(&halves, &to).unwrap();
            assert!(halves.as_any().is::<PrimitiveArray<Float16Type>>());
            halves
        }),
        (
            "f32",
            Arc::new(Float32Array::from_iter(some(|row| i(row) as f32))),
        ),
        ("f64", {
            let odd = [f64::NEG_INFINITY, -0.0, 0.0, f64::MIN_POSITIVE, 1e300];
            Arc::new(Float64Array::from_iter(some(|row| {
                odd[row % 5] + row as f64
            })))
        }),
        ("decimal_5", decimal128(5, 2)),
        ("decimal_18", decimal128(18, 4)),
        ("decimal_38", decimal128(38, 10)),
        ("decimal_76", {
            let values = some(|row| i256::from_i128(i128::from(i(row)).pow(2)));
            let values = Decimal256Array::from_iter(values);
            Arc::new(values.with_precision_and_scale(76, 20).unwrap())
        }),
        (
            "date32",
            Arc::new(Date32Array::from_iter(some(|row| row as i32))),
        ),
        (
            "date64",
            Arc::new(Date64Array::from_iter(some(|row| row as i64 * 86_400_000))),
        ),
        (
            "time32",
            Arc::new(Time32MillisecondArray::from_iter(some(|row| row as i32))),
        ),
        (
            "time64",
            Arc::new(Time64NanosecondArray::from_iter(some(|row| row as i64))),
        ),
        ("ts_s", Arc::new(TimestampSecondArray::from_iter(some(i)))),
        (
            "ts_ms",
            Arc::new(TimestampMillisecondArray::from_iter(some(i))),
        ),
        (
            "ts_us",
            Arc::new(TimestampMicrosecondArray::from_iter(some(i))),
        ),
        ("ts_ns", {
            Arc::new(TimestampNanosecondArray::from_iter(some(i)).with_timezone("Europe/Lisbon"))
        }),
        ("interval", {
            let value = |row| IntervalDayTime::new(row as i32, 5);
            Arc::new(IntervalDayTimeArray::from_iter(some(value)))
        }),
        ("utf8", Arc::new(strings.clone())),
        (
            "large_utf8",
            Arc::new(LargeStringArray::from_iter(strings.iter())),
        ),
        (
            "utf8_view",
            Arc::new(StringViewArray::from_iter(strings.iter())),
        ),
        (
            "binary",
            Arc::new(BinaryArray::from_iter(some(usize::to_le_bytes))),
        ),
        ("fixed", {
            Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(fixed, 8).unwrap())
        }),
        ("null", Arc::new(NullArray::new(ROWS))),
        ("dictionary", Arc::new(dictionary.finish())),
        ("list", Arc::new(lists)),
        ("map", Arc::new(maps.finish())),
        ("struct", Arc::new(nested)),
    ];
    let fields: Vec<_> = columns
        .iter()
        .enumerate()
        .map(|(id, (name, column))| {
            Field::new(*name, column.data_type().clone(), true)
                .with_metadata([(PARQUET_FIELD_ID_META_KEY.to_owned(), (100 + id).to_string())])
        })
        .collect();
    let schema = Schema::new_with_metadata(fields, [("owner".to_owned(), "me".to_owned())]);
    RecordBatch::try_new(
        Arc::new(schema),
        columns.into_iter().map(|(_, array)| array).collect(),
    )
    .unwrap()
}

fn plain_writer(batch: &RecordBatch, properties: WriterProperties) -> Bytes {
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap().into()
}

fn opened(file: &Bytes) -> ArrowReaderMetadata {
    ArrowReaderMetadata::load(file, ArrowReaderOptions::new()).unwrap()
}

fn recoded(file: &Bytes, options: EncodeOptions) -> parquet::errors::Result<Bytes> {
    let source = opened(file);
    let schema = Arc::clone(source.schema());
    let encoder = Arc::new(Encoder::like(schema, source.parquet_schema(), options)?);
    let recoder = Recoder::new(Arc::clone(&encoder), file.clone(), source.metadata())?;
    let mark = KeyValue::new("flow".to_owned(), "test".to_owned());
    let mut writer = encoder.file_writer(Vec::new(), vec![mark])?;
    for part in recoder.parts(0..source.metadata().num_row_groups()) {
        let group = recoder.encode(&part)?;
        assert_eq!(group.rows(), part.rows.len());
        group.append(&mut writer)?;
    }
    Ok(writer.into_inner()?.into())
}

fn rows(file: &Bytes) -> RecordBatch {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file.clone()).unwrap();
    let schema = Arc::clone(builder.schema());
    let batches: Vec<_> = builder.build().unwrap().map(Result::unwrap).collect();
    concat_batches(&schema, &batches).unwrap()
}

/// The rows as Parquet can hold them: it knows no seconds.
fn held(batch: &RecordBatch) -> RecordBatch {
    let schema = declared(&batch.schema());
    let columns = batch.columns().iter().zip(schema.fields());
    let columns =
        columns.map(|(column, field)| arrow_cast::cast(column, field.data_type()).unwrap());
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
}

/// Equality that names the column, instead of printing all of them.
fn assert_same(back: &RecordBatch, batch: &RecordBatch) {
    let batch = &held(batch);
    assert_eq!(back.schema().fields(), batch.schema().fields());
    assert_eq!(back.num_rows(), batch.num_rows());
    for (index, field) in batch.schema().fields().iter().enumerate() {
        assert!(
            back.column(index) == batch.column(index),
            "column {} differs",
            field.name()
        );
    }
}

fn group_rows(file: &Bytes) -> Vec<i64> {
    opened(file)
        .metadata()
        .row_groups()
        .iter()
        .map(RowGroupMetaData::num_rows)
        .collect()
}

fn options(row_group_rows: usize) -> EncodeOptions {
    EncodeOptions {
        row_group_rows,
        ..EncodeOptions::default()
    }
}

#[test]
fn every_type_comes_back_as_it_was() {
    let batch = every_type();
    let encoder = Encoder::new(batch.schema(), EncodeOptions::default()).unwrap();
    let mut writer = encoder.file_writer(Vec::new(), Vec::new()).unwrap();
    let halves = [batch.slice(0, 1234), batch.slice(1234, ROWS - 1234)];
    encoder
        .encode(&halves)
        .unwrap()
        .append(&mut writer)
        .unwrap();
    let file = Bytes::from(writer.into_inner().unwrap());
    assert_same(&rows(&file), &batch);

    let again = recoded(&file, options(2000)).unwrap();
    assert_eq!(group_rows(&again), [1667, 1667, 1666]);
    assert_same(&rows(&again), &batch);
    let metadata = opened(&again);
    assert_eq!(
        metadata
            .schema()
            .metadata()
            .get("owner")
            .map(String::as_str),
        Some("me")
    );
    let marks = metadata
        .metadata()
        .file_metadata()
        .key_value_metadata()
        .unwrap();
    assert!(marks.iter().any(|mark| mark.key == "flow"));
    let first = &metadata.parquet_schema().root_schema().get_fields()[0];
    assert_eq!(first.get_basic_info().id(), 100);
}

#[test]
fn any_layout_of_the_source_gives_the_same_rows() {
    let batch = every_type();
    for (group, page, version) in [
        (
            700,
            64,
            parquet::file::properties::WriterVersion::PARQUET_1_0,
        ),
        (
            ROWS,
            200,
            parquet::file::properties::WriterVersion::PARQUET_2_0,
        ),
    ] {
        let source = WriterProperties::builder()
            .set_max_row_group_row_count(Some(group))
            .set_data_page_row_count_limit(page)
            .set_write_batch_size(page)
            .set_writer_version(version)
            .set_dictionary_page_size_limit(500)
            .set_compression(Compression::SNAPPY);
        let file = plain_writer(&batch, source.build());
        for (rows_asked, groups) in [
            (1500, 4),
            (100_000, 1),
            (999, if group == 700 { 7 } else { 6 }),
        ] {
            let copy = recoded(&file, options(rows_asked)).unwrap();
            assert_eq!(
                group_rows(&copy).len(),
                groups,
                "{group} rows a group, at most {rows_asked}"
            );
            assert_same(&rows(&copy), &batch);
        }
    }
}

#[test]
fn every_codec_can_be_written() {
    let batch = every_type();
    let file = plain_writer(&batch, WriterProperties::default());
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::LZ4_RAW,
        Compression::GZIP(GzipLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
    ] {
        let copy = recoded(
            &file,
            EncodeOptions {
                compression,
                ..EncodeOptions::default()
            },
        )
        .unwrap();
        let metadata = opened(&copy);
        let codecs = metadata
            .metadata()
            .row_group(0)
            .columns()
            .iter()
            .map(ColumnChunkMetaData::compression);
        assert!(codecs.into_iter().all(|codec| codec == compression));
        assert_same(&rows(&copy), &batch);
    }
}

#[test]
fn nothing_in_nothing_out() {
    let batch = every_type().slice(0, 0);
    let copy = recoded(
        &plain_writer(&batch, WriterProperties::default()),
        options(10),
    )
    .unwrap();
    assert_eq!(
        opened(&copy).schema().fields(),
        declared(&batch.schema()).fields()
    );
    assert_eq!(group_rows(&copy), [0_i64; 0]);
}

#[test]
fn many_columns_and_many_splits() {
    let column = |index: usize| -> ArrayRef {
        Arc::new(Int32Array::from_iter_values(
            (0..3000).map(|row| row * index as i32),
        ))
    };
    let batch = RecordBatch::try_from_iter((0..300).map(|n| (format!("c{n}"), column(n)))).unwrap();
    let file = plain_writer(&batch, WriterProperties::default());
    let bytes = EncodeOptions {
        row_group_bytes: 1 << 20,
        ..EncodeOptions::default()
    };
    let copy = recoded(&file, bytes).unwrap();
    assert!(group_rows(&copy).len() > 1);
    assert_same(&rows(&copy), &batch);
}

#[test]
fn annotations_that_arrow_does_not_know_are_kept() {
    let schema = "message m {
        required fixed_len_byte_array(16) u (UUID);
        optional binary j (JSON);
        optional binary e (ENUM);
        required fixed_len_byte_array(9) d (DECIMAL(18, 4));
    }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
    let file = Bytes::from(writer.into_inner().unwrap());
    let copy = opened(&recoded(&file, options(10)).unwrap());
    let kept = |name: usize| {
        copy.parquet_schema()
            .column(name)
            .logical_type_ref()
            .cloned()
    };
    for (index, name) in ["Uuid", "Json", "Enum", "Decimal"].into_iter().enumerate() {
        assert!(
            format!("{:?}", kept(index)).contains(name),
            "{:?}",
            kept(index)
        );
    }
    // Stored another way, as a number: same Arrow type.
    assert_eq!(
        copy.parquet_schema().column(3).physical_type(),
        parquet::basic::Type::INT64
    );
    assert_eq!(copy.schema().fields(), opened(&file).schema().fields());
}

fn int96(days: u32) -> Bytes {
    let schema = Arc::new(parse_message_type("message m { required int96 t; }").unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let mut value = Int96::new();
    value.set_data(5, 0, 2_440_588 + days);
    column
        .typed::<Int96Type>()
        .write_batch(&[value], None, None)
        .unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.into_inner().unwrap().into()
}

#[test]
fn old_timestamps_become_nanoseconds_but_never_wrap_around() {
    let copy = rows(&recoded(&int96(1), options(10)).unwrap());
    let expected: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![86_400_000_000_005]));
    assert_eq!(copy.column(0), &expected);
    let error = recoded(&int96(2_932_896), options(10))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("column \"t\": an INT96 timestamp is out of the range"),
        "{error}"
    );
}

#[test]
fn broken_files_are_errors() {
    let batch = every_type();
    let file = plain_writer(&batch, WriterProperties::default());
    let source = opened(&file);
    let schema = Arc::clone(source.schema());
    let encoder = Arc::new(Encoder::new(schema, EncodeOptions::default()).unwrap());
    let cut = file.slice(0..file.len() / 3);
    let recoder = Recoder::new(Arc::clone(&encoder), cut, source.metadata()).unwrap();
    assert!(recoder.encode(&recoder.parts(0..1)[0]).is_err());

    let schema = Arc::new(parse_message_type("message m { required binary s (UTF8); }").unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let bad = [b"\xff\xfe".to_vec().into()];
    column
        .typed::<ByteArrayType>()
        .write_batch(&bad, None, None)
        .unwrap();
    column.close().unwrap();
    group.close().unwrap();
    let error = recoded(&writer.into_inner().unwrap().into(), options(10)).unwrap_err();
    assert!(error.to_string().to_lowercase().contains("utf"), "{error}");
}

#[test]
fn rows_of_another_schema_are_refused() {
    let numbers =
        RecordBatch::try_from_iter([("a", Arc::new(Int32Array::from(vec![1])) as ArrayRef)])
            .unwrap();
    let text =
        RecordBatch::try_from_iter([("a", Arc::new(StringArray::from(vec!["1"])) as ArrayRef)])
            .unwrap();
    let encoder = Arc::new(Encoder::new(numbers.schema(), EncodeOptions::default()).unwrap());
    assert!(encoder.encode(std::slice::from_ref(&text)).is_err());
    let file = plain_writer(&text, WriterProperties::default());
    assert!(Recoder::new(encoder, file.clone(), opened(&file).metadata()).is_err());
}

#[test]
fn encodings_follow_the_data_of_each_leaf() {
    let mut lists = ListBuilder::new(Int32Builder::new());
    for row in 0..20_000 {
        lists.append_value([Some(row), Some(row + 1)]);
    }
    let code = StringArray::from_iter_values((0..20_000).map(|row| format!("code {}", row % 9)));
    let batch = RecordBatch::try_from_iter([
        ("list", Arc::new(lists.finish()) as ArrayRef),
        ("code", Arc::new(code) as ArrayRef),
    ])
    .unwrap();
    let copy = recoded(
        &plain_writer(&batch, WriterProperties::default()),
        options(100_000),
    )
    .unwrap();
    let metadata = opened(&copy);
    let used = |leaf: usize, encoding| {
        metadata
            .metadata()
            .row_group(0)
            .column(leaf)
            .encodings_mask()
            .is_set(encoding)
    };
    assert!(used(0, Encoding::DELTA_BINARY_PACKED));
    assert!(used(1, Encoding::RLE_DICTIONARY));
    assert_same(&rows(&copy), &batch);
}

#[test]
fn columns_with_a_bloom_filter_get_a_new_one() {
    for rows in [300, 5_000] {
        let some: ArrayRef = Arc::new(StringArray::from_iter_values(
            (0..rows).map(|n| format!("value {n}")),
        ));
        let other: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
        let batch = RecordBatch::try_from_iter([("some", some), ("other", other)]).unwrap();
        let properties = WriterProperties::builder()
            .set_column_bloom_filter_enabled("some".into(), true)
            .set_max_row_group_row_count(Some(2_000))
            .build();
        let back = recoded(&plain_writer(&batch, properties), EncodeOptions::default()).unwrap();
        let reader = SerializedFileReader::new_with_options(
            back,
            ReadOptionsBuilder::new()
                .with_reader_properties(
                    ReaderProperties::builder()
                        .set_read_bloom_filter(true)
                        .build(),
                )
                .build(),
        )
        .unwrap();
        assert_eq!(reader.metadata().num_row_groups(), 1);
        let group = reader.get_row_group(0).unwrap();
        let bloom = group.get_column_bloom_filter(0).unwrap();
        assert!((0..rows).all(|n| bloom.check(&format!("value {n}").as_str())));
        let missed = (0..1_000).filter(|n| bloom.check(&format!("none {n}").as_str()));
        assert!(missed.count() < 100);
        assert!(group.get_column_bloom_filter(1).is_none());
        let bytes = reader
            .metadata()
            .row_group(0)
            .column(0)
            .bloom_filter_length();
        assert!(bytes.unwrap() <= 16 << 10, "{bytes:?}");
    }
}
