//! Types widen only where every value stays what it was.

use arrow_array::{
    Array, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Decimal256Array,
    DictionaryArray, FixedSizeBinaryArray, Float32Array, Float64Array, Int8Array, Int16Array,
    LargeStringArray, ListArray, NullArray, StructArray, TimestampSecondArray, UInt8Array,
    UInt16Array, UInt32Array, UInt64Array, make_array,
};
use arrow_buffer::i256;
use arrow_schema::{DataType, Field, TimeUnit};

use super::*;
use crate::home::reconcile::{Fit, Merged};
use hygge_core::widen;

/// Arrays of many types, each with the values that are hardest to keep.
fn arrays() -> Vec<ArrayRef> {
    let seconds = TimestampSecondArray::from(vec![Some(-1), None, Some(4_000_000_000)]);
    let cast = |array: &dyn Array, to: DataType| arrow_cast::cast(array, &to).unwrap();
    let stamp = |unit, zone: Option<&str>| {
        let ticks = cast(&seconds, DataType::Timestamp(unit, None)).to_data();
        let zoned = DataType::Timestamp(unit, zone.map(Into::into));
        make_array(ticks.into_builder().data_type(zoned).build().unwrap())
    };
    vec![
        Arc::new(NullArray::new(3)),
        Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
        Arc::new(Int8Array::from(vec![Some(i8::MIN), None, Some(i8::MAX)])),
        Arc::new(Int16Array::from(vec![Some(i16::MIN), None, Some(i16::MAX)])),
        Arc::new(Int32Array::from(vec![Some(i32::MIN), None, Some(i32::MAX)])),
        Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(i64::MAX)])),
        Arc::new(UInt8Array::from(vec![Some(0), None, Some(u8::MAX)])),
        Arc::new(UInt16Array::from(vec![Some(0), None, Some(u16::MAX)])),
        Arc::new(UInt32Array::from(vec![Some(0), None, Some(u32::MAX)])),
        Arc::new(UInt64Array::from(vec![Some(0), None, Some(u64::MAX)])),
        Arc::new(Float32Array::from(vec![Some(0.1), None, Some(f32::MAX)])),
        Arc::new(Float64Array::from(vec![Some(0.1), None, Some(f64::MIN)])),
        cast(
            &Float32Array::from(vec![Some(0.5), None]),
            DataType::Float16,
        ),
        Arc::new(
            Decimal128Array::from(vec![Some(99_999), None])
                .with_precision_and_scale(5, 2)
                .unwrap(),
        ),
        Arc::new(
            Decimal128Array::from(vec![Some(-999), None])
                .with_precision_and_scale(38, 0)
                .unwrap(),
        ),
        Arc::new(
            Decimal256Array::from(vec![Some(i256::from(-7)), None])
                .with_precision_and_scale(60, 20)
                .unwrap(),
        ),
        cast(
            &Decimal128Array::from(vec![Some(12)])
                .with_precision_and_scale(4, 1)
                .unwrap(),
            DataType::Decimal32(4, 1),
        ),
        cast(
            &Decimal128Array::from(vec![Some(12)])
                .with_precision_and_scale(15, 3)
                .unwrap(),
            DataType::Decimal64(15, 3),
        ),
        Arc::new(Date32Array::from(vec![Some(-1), None, Some(2_932_896)])),
        cast(&Date32Array::from(vec![Some(-1), None]), DataType::Date64),
        stamp(TimeUnit::Second, None),
        stamp(TimeUnit::Millisecond, None),
        stamp(TimeUnit::Nanosecond, None),
        stamp(TimeUnit::Microsecond, Some("UTC")),
        stamp(TimeUnit::Millisecond, Some("+02:00")),
        Arc::new(StringArray::from(vec![Some(""), None, Some("ü")])),
        Arc::new(LargeStringArray::from(vec![Some("x"), None])),
        Arc::new(
            vec![Some("a"), None, Some("b")]
                .into_iter()
                .collect::<DictionaryArray<Int32Type>>(),
        ),
        Arc::new(BinaryArray::from(vec![Some(&b"\xff"[..]), None])),
        Arc::new(FixedSizeBinaryArray::try_from_iter([[1_u8, 2]].iter()).unwrap()),
        Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([
            Some(vec![Some(1), None]),
            None,
            Some(vec![]),
        ])),
        Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([
            Some(vec![Some(1 << 40)]),
            None,
        ])),
        structs(&[("a", Arc::new(Int32Array::from(vec![1])))]),
        structs(&[
            ("b", Arc::new(StringArray::from(vec!["x"]))),
            ("a", Arc::new(Int64Array::from(vec![1 << 40]))),
        ]),
    ]
}

fn structs(columns: &[(&str, ArrayRef)]) -> ArrayRef {
    let pairs: Vec<(Arc<Field>, ArrayRef)> = columns
        .iter()
        .map(|(name, array)| {
            (
                Arc::new(Field::new(*name, array.data_type().clone(), true)),
                Arc::clone(array),
            )
        })
        .collect();
    Arc::new(StructArray::from(pairs))
}

fn batch(array: &ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([("c", Arc::clone(array), true)]).unwrap()
}

#[test]
fn what_widens_comes_back() {
    let mut widened = 0;
    for one in &arrays() {
        for other in &arrays() {
            let (a, b) = (one.data_type(), other.data_type());
            let Some(wide) = widen(a, b) else {
                assert_eq!(widen(b, a), None, "{a} {b}");
                continue;
            };
            let mut merged = Merged::default();
            merged.add("a", &batch(one).schema()).unwrap();
            merged.add("b", &batch(other).schema()).unwrap();
            let schema = merged.finish();
            assert_eq!(schema.field(0).data_type(), &wide);
            let there = Fit::new(&batch(one).schema(), &schema)
                .apply(&batch(one), "a")
                .unwrap();
            let back = Fit::new(&schema, &batch(one).schema()).apply(&there, "a");
            if a == &DataType::Null {
                assert_eq!(there.column(0).logical_null_count(), one.len());
            } else {
                assert_eq!(back.unwrap().column(0), one, "{a} -> {wide}");
            }
            if a != b {
                widened += 1;
            }
        }
    }
    assert!(widened > 150, "{widened}");
}

#[test]
fn what_would_lose_something_does_not_widen() {
    use DataType as T;
    let stamp = |zone: Option<&str>| T::Timestamp(TimeUnit::Microsecond, zone.map(Into::into));
    for (a, b) in [
        (T::Int64, T::Float64),
        (T::UInt64, T::Int64),
        (T::UInt64, T::Float32),
        (T::Utf8, T::Int32),
        (T::Utf8, T::Binary),
        (T::Boolean, T::Int8),
        (T::Date32, stamp(None)),
        (stamp(None), stamp(Some("UTC"))),
        (T::Decimal256(76, 0), T::Decimal128(38, 10)),
        (T::Float64, T::Decimal128(10, 2)),
    ] {
        assert_eq!(widen(&a, &b), None, "{a} {b}");
        assert_eq!(widen(&b, &a), None, "{b} {a}");
    }
}

#[test]
fn a_value_that_does_not_fit_the_finer_unit_is_an_error() {
    let far: ArrayRef = Arc::new(TimestampSecondArray::from(vec![i64::MAX / 1_000]));
    let target = batch(
        &arrow_cast::cast(
            &TimestampSecondArray::from(vec![0]),
            &DataType::Timestamp(TimeUnit::Nanosecond, None),
        )
        .unwrap(),
    )
    .schema();
    let fault = Fit::new(&batch(&far).schema(), &target)
        .apply(&batch(&far), "a.parquet")
        .unwrap_err();
    assert_eq!(fault.code, code::SCHEMA);
    assert!(
        fault
            .message
            .starts_with("a.parquet: column \"c\" can't become timestamp[ns]: "),
        "{fault}"
    );
}

#[test]
fn two_columns_of_one_name_are_refused() {
    let column = |name: &str| Field::new(name, DataType::Int64, true);
    let schema: SchemaRef = Arc::new(arrow_schema::Schema::new(vec![
        column("a"),
        column("b"),
        column("a"),
    ]));
    let mut merged = Merged::default();
    let refused = merged.add("x.parquet", &schema).unwrap_err();
    assert_eq!(
        (refused.code.as_ref(), refused.message.as_str()),
        (
            code::SOURCE_INVALID,
            "x.parquet has two columns \"a\", the 1st and the 3rd"
        )
    );
    // Alike in every file, nested ones may stay; brought to another form, one would be lost.
    let nested = |names: [&str; 2]| {
        let fields = names.map(column).to_vec();
        Field::new("s", DataType::Struct(fields.into()), true)
    };
    let schemas = [["x", "x"], ["x", "x"], ["x", "y"]]
        .map(|names| Arc::new(arrow_schema::Schema::new(vec![nested(names)])));
    let mut merged = Merged::default();
    merged.add("a", &schemas[0]).unwrap();
    merged.add("b", &schemas[1]).unwrap();
    merged.add("c", &schemas[2]).unwrap_err();
}

#[test]
fn a_file_with_two_columns_of_one_name_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let rows = numbers("a", (0..3).map(Some));
    let field = rows.schema().field(0).clone();
    let schema: SchemaRef = Arc::new(arrow_schema::Schema::new(vec![field.clone(), field]));
    let both = vec![Arc::clone(rows.column(0)), Arc::clone(rows.column(0))];
    let both = RecordBatch::try_new(Arc::clone(&schema), both).unwrap();
    parquet(&folder.path().join("a.parquet"), &both, 10);
    let file = fs::File::create(folder.path().join("a.arrow")).unwrap();
    let mut writer = arrow_ipc::writer::FileWriter::try_new(file, &schema).unwrap();
    writer.write(&both).unwrap();
    writer.finish().unwrap();
    for path in ["a.parquet", "a.arrow"] {
        let refused = read_all(&home(folder.path(), json!({"path": path}))).unwrap_err();
        assert_eq!(
            refused.message,
            format!("{path} has two columns \"a\", the 1st and the 2nd")
        );
    }
}
