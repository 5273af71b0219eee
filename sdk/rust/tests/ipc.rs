//! Every type that may cross, there and back.

#![expect(clippy::unwrap_used, reason = "all of it is tests")]

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, make_array, new_null_array};
use arrow_buffer::{Buffer, MutableBuffer, NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field, Fields, IntervalUnit, Schema, TimeUnit};
use hygge_sdk::arrow_select::concat::concat;
use hygge_sdk::ipc;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRng;

fn units() -> impl Strategy<Value = TimeUnit> {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    prop_oneof![
        Just(Second),
        Just(Millisecond),
        Just(Microsecond),
        Just(Nanosecond)
    ]
}

fn flat() -> impl Strategy<Value = DataType> {
    use DataType as T;
    prop_oneof![
        Just(T::Null),
        Just(T::Boolean),
        prop::sample::select(vec![
            T::Int8,
            T::Int16,
            T::Int32,
            T::Int64,
            T::UInt8,
            T::UInt16,
            T::UInt32,
            T::UInt64,
            T::Float16,
            T::Float32,
            T::Float64,
        ]),
        (1_u8..=9).prop_map(|p| T::Decimal32(p, 2)),
        (1_u8..=18).prop_map(|p| T::Decimal64(p, 3)),
        (1_u8..=38, -5_i8..20).prop_map(|(p, s)| T::Decimal128(p, s.min(p.cast_signed()))),
        (1_u8..=76, -5_i8..20).prop_map(|(p, s)| T::Decimal256(p, s.min(p.cast_signed()))),
        prop::sample::select(vec![T::Utf8, T::LargeUtf8, T::Binary, T::LargeBinary]),
        (0_i32..20).prop_map(T::FixedSizeBinary),
        prop::sample::select(vec![T::Date32, T::Date64]),
        prop::sample::select(vec![
            T::Time32(TimeUnit::Second),
            T::Time32(TimeUnit::Millisecond),
            T::Time64(TimeUnit::Microsecond),
            T::Time64(TimeUnit::Nanosecond),
        ]),
        (
            units(),
            prop::option::of(prop::sample::select(vec!["UTC", "Europe/Berlin", "+02:00"]))
        )
            .prop_map(|(unit, zone)| T::Timestamp(unit, zone.map(Into::into))),
        units().prop_map(T::Duration),
        prop::sample::select(vec![
            T::Interval(IntervalUnit::YearMonth),
            T::Interval(IntervalUnit::DayTime),
            T::Interval(IntervalUnit::MonthDayNano),
        ]),
    ]
}

fn nested() -> impl Strategy<Value = DataType> {
    flat().prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|t| DataType::List(item(t))),
            inner.clone().prop_map(|t| DataType::LargeList(item(t))),
            (inner.clone(), 1_i32..4).prop_map(|(t, n)| DataType::FixedSizeList(item(t), n)),
            vec(inner.clone(), 1..4).prop_map(|all| {
                let each = |(at, t)| Field::new(format!("f{at}"), t, true);
                DataType::Struct(all.into_iter().enumerate().map(each).collect())
            }),
            inner.prop_map(|t| {
                let entry = Fields::from(vec![
                    Field::new("keys", DataType::Utf8, false),
                    Field::new("values", t, true),
                ]);
                DataType::Map(
                    Field::new("entries", DataType::Struct(entry), false).into(),
                    false,
                )
            }),
        ]
    })
}

fn item(of: DataType) -> Arc<Field> {
    Arc::new(Field::new("item", of, true))
}

/// Rows of a type, with nulls where the type may have them.
fn rows(of: &DataType, count: usize, random: &mut TestRng) -> ArrayRef {
    let nulls: Option<NullBuffer> = Some((0..count).map(|_| random.random_ratio(3, 4)).collect());
    let lengths = |random: &mut TestRng| -> Vec<usize> {
        (0..count).map(|_| random.random_range(0..4)).collect()
    };
    let bytes = |count: usize, random: &mut TestRng| -> Buffer {
        let mut bytes = MutableBuffer::from_len_zeroed(count);
        random.fill_bytes(bytes.as_slice_mut());
        bytes.into()
    };
    let parts = |buffers: Vec<Buffer>, children: Vec<ArrayRef>, nulls: Option<NullBuffer>| {
        let data = arrow_data(of, count, buffers, &children, nulls);
        make_array(data)
    };
    match of {
        DataType::Null => new_null_array(of, count),
        DataType::Boolean => parts(vec![bytes(count.div_ceil(8), random)], vec![], nulls),
        DataType::FixedSizeBinary(width) => parts(
            vec![bytes(count * usize::try_from(*width).unwrap(), random)],
            vec![],
            nulls,
        ),
        DataType::Utf8 | DataType::Binary => {
            let offsets = OffsetBuffer::<i32>::from_lengths(lengths(random));
            let text: Vec<u8> = (0..offsets.last().cast_unsigned())
                .map(|_| random.random_range(32..127))
                .collect();
            parts(
                vec![offsets.into_inner().into_inner(), text.into()],
                vec![],
                nulls,
            )
        }
        DataType::LargeUtf8 | DataType::LargeBinary => {
            let offsets = OffsetBuffer::<i64>::from_lengths(lengths(random));
            let text: Vec<u8> = (0..offsets.last().cast_unsigned())
                .map(|_| random.random_range(32..127))
                .collect();
            parts(
                vec![offsets.into_inner().into_inner(), text.into()],
                vec![],
                nulls,
            )
        }
        DataType::List(item) | DataType::Map(item, _) => {
            let offsets = OffsetBuffer::<i32>::from_lengths(lengths(random));
            let children = usize::try_from(offsets.last()).unwrap();
            // Entries of a map are never null, and neither are their keys.
            let child = match of {
                DataType::Map(..) => whole(item.data_type(), children, random),
                _ => rows(item.data_type(), children, random),
            };
            parts(vec![offsets.into_inner().into_inner()], vec![child], nulls)
        }
        DataType::LargeList(item) => {
            let offsets = OffsetBuffer::<i64>::from_lengths(lengths(random));
            let child = rows(
                item.data_type(),
                usize::try_from(offsets.last()).unwrap(),
                random,
            );
            parts(vec![offsets.into_inner().into_inner()], vec![child], nulls)
        }
        DataType::FixedSizeList(item, width) => {
            let child = rows(
                item.data_type(),
                count * usize::try_from(*width).unwrap(),
                random,
            );
            parts(vec![], vec![child], nulls)
        }
        DataType::Struct(fields) => {
            let children = fields
                .iter()
                .map(|field| rows(field.data_type(), count, random))
                .collect();
            parts(vec![], children, nulls)
        }
        plain => {
            let width = plain
                .primitive_width()
                .expect("every other type is one of fixed width");
            parts(vec![bytes(count * width, random)], vec![], nulls)
        }
    }
}

/// The entries of a map.
fn whole(of: &DataType, count: usize, random: &mut TestRng) -> ArrayRef {
    let DataType::Struct(fields) = of else {
        unreachable!("entries are a struct")
    };
    let keys: ArrayRef = Arc::new(arrow_array::StringArray::from_iter_values(
        (0..count).map(|at| format!("k{at}")),
    ));
    let values = rows(fields[1].data_type(), count, random);
    Arc::new(arrow_array::StructArray::new(
        fields.clone(),
        vec![keys, values],
        None,
    ))
}

fn arrow_data(
    of: &DataType,
    count: usize,
    buffers: Vec<Buffer>,
    children: &[ArrayRef],
    nulls: Option<NullBuffer>,
) -> arrow_data::ArrayData {
    arrow_data::ArrayData::builder(of.clone())
        .len(count)
        .buffers(buffers)
        .child_data(children.iter().map(Array::to_data).collect())
        .nulls(nulls)
        .build()
        .unwrap()
}

fn batch(types: &[DataType], count: usize, seed: u64) -> RecordBatch {
    let mut random = TestRng::from_seed(prop::test_runner::RngAlgorithm::ChaCha, &{
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes
    });
    let fields: Vec<Field> = types
        .iter()
        .enumerate()
        .map(|(at, of)| {
            Field::new(format!("c{at}"), of.clone(), true).with_metadata(
                std::collections::HashMap::from([("of".to_owned(), at.to_string())]),
            )
        })
        .collect();
    let columns = types
        .iter()
        .map(|of| rows(of, count, &mut random))
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options).unwrap()
}

proptest! {
    #[test]
    fn a_batch_survives_the_crossing(types in vec(nested(), 0..5), count in 0_usize..20, seed: u64) {
        let before = batch(&types, count, seed);
        let after = ipc::decode(ipc::encode(&before).unwrap()).unwrap();
        // By their text: floats that are not a number differ from themselves.
        prop_assert_eq!(before.schema(), after.schema());
        prop_assert_eq!(before.num_rows(), after.num_rows());
        prop_assert_eq!(format!("{before:?}"), format!("{after:?}"));
    }

    #[test]
    fn a_slice_crosses_alone(types in vec(nested(), 1..4), count in 1_usize..20, from in 0_usize..20, seed: u64) {
        let whole = batch(&types, count, seed);
        let from = from % count;
        let slice = whole.slice(from, (count - from).div_ceil(2));
        let after = ipc::decode(ipc::encode(&slice).unwrap()).unwrap();
        prop_assert_eq!(format!("{:?}", slice.columns()), format!("{:?}", after.columns()));
        for column in after.columns() {
            // What was decoded is sound enough to be worked with.
            concat(&[column, column]).unwrap();
        }
    }

    #[test]
    fn a_schema_survives_the_crossing(types in vec(nested(), 0..6)) {
        let schema = batch(&types, 0, 0).schema();
        prop_assert_eq!(ipc::decode_schema(ipc::encode_schema(&schema).unwrap()).unwrap(), schema);
    }

    #[test]
    fn what_is_cut_off_is_refused(cut in 1_usize..200) {
        let mut bytes = ipc::encode(&batch(&[DataType::Int64, DataType::Utf8], 9, 1)).unwrap();
        bytes.truncate(bytes.len() - cut.max(9).min(bytes.len()));
        prop_assert!(ipc::decode(bytes).is_err());
    }
}

#[test]
fn one_stream_is_one_batch() {
    let one = batch(&[DataType::Int8], 2, 1);
    let schema = ipc::encode_schema(&one.schema()).unwrap();
    assert_eq!(
        ipc::decode(schema.clone()).unwrap_err().message,
        "an Arrow stream without a batch"
    );
    assert_eq!(
        ipc::decode_schema(ipc::encode(&one).unwrap())
            .unwrap_err()
            .message,
        "a schema with rows"
    );
    assert_eq!(
        ipc::decode_schema(Vec::new()).unwrap_err().message,
        "an Arrow stream without a schema"
    );
}
