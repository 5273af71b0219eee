//! Whatever type a column has, a transform takes it or says before rows move that it can't: it never
//! breaks in the middle, never changes the columns it announced, and never minds how rows are cut.

use std::sync::Arc;

use arrow_array::builder::{
    FixedSizeListBuilder, Int64Builder, ListBuilder, MapBuilder, StringBuilder,
};
use arrow_array::{Array, Int64Array, StringArray, StructArray, new_null_array};
use arrow_schema::{IntervalUnit, TimeUnit};
use arrow_select::concat::concat;
use hygge_core::{code, type_name};
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// The plain types there are.
fn plain() -> Vec<DataType> {
    use DataType as T;
    let mut types = vec![
        T::Null,
        T::Boolean,
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
        T::Utf8,
        T::LargeUtf8,
        T::Utf8View,
        T::Binary,
        T::LargeBinary,
        T::BinaryView,
        T::FixedSizeBinary(2),
        T::Date32,
        T::Date64,
        T::Decimal32(9, 2),
        T::Decimal64(18, 0),
        T::Decimal128(38, 2),
        T::Decimal256(50, 2),
        T::Time32(TimeUnit::Second),
        T::Time32(TimeUnit::Millisecond),
        T::Time64(TimeUnit::Microsecond),
        T::Time64(TimeUnit::Nanosecond),
        T::Interval(IntervalUnit::YearMonth),
        T::Interval(IntervalUnit::DayTime),
        T::Interval(IntervalUnit::MonthDayNano),
        T::Dictionary(Box::new(T::Int32), Box::new(T::Utf8)),
        T::Dictionary(Box::new(T::UInt8), Box::new(T::Int64)),
    ];
    for unit in [
        TimeUnit::Second,
        TimeUnit::Millisecond,
        TimeUnit::Microsecond,
        TimeUnit::Nanosecond,
    ] {
        types.push(T::Duration(unit));
        for zone in [None, Some("UTC"), Some("+02:00"), Some("Europe/Berlin")] {
            types.push(T::Timestamp(unit, zone.map(Into::into)));
        }
    }
    types
}

/// A value, NULL, and the value again; only NULLs of types that no text is one of.
fn column(data_type: &DataType) -> ArrayRef {
    let texts = [
        "12",
        "2024-02-29T10:11:12Z",
        "2024-02-29",
        "10:11:12",
        "true",
    ];
    let made = texts.iter().find_map(|text| {
        let text: ArrayRef = Arc::new(StringArray::from(vec![*text]));
        let small = arrow_cast::cast(&text, &DataType::Int64).ok()?;
        let made = [text, small].into_iter().find_map(|value| {
            let made = arrow_cast::cast(&value, data_type).ok()?;
            (made.null_count() == 0 && made.data_type() != &DataType::Null).then_some(made)
        })?;
        concat(&[&made, &new_null_array(data_type, 1), &made]).ok()
    });
    made.unwrap_or_else(|| new_null_array(data_type, 3))
}

fn nested() -> Vec<ArrayRef> {
    let mut lists = ListBuilder::new(Int64Builder::new());
    lists.append_value([Some(1), None, Some(3)]);
    lists.append_null();
    lists.append_value([]);
    let lists: ArrayRef = Arc::new(lists.finish());
    let mut pairs = FixedSizeListBuilder::new(Int64Builder::new(), 2);
    for there in [true, false, true] {
        pairs.values().append_slice(&[1, 2]);
        pairs.append(there);
    }
    let mut maps = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    for (key, there) in [("a", true), ("b", false), ("c", true)] {
        maps.keys().append_value(key);
        maps.values().append_value(1);
        maps.append(there).unwrap();
    }
    let fields = vec![
        Field::new("x", DataType::Int64, true),
        Field::new("l", lists.data_type().clone(), true),
    ];
    let x: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(2), None]));
    let nulls = Some(vec![true, false, true].into());
    let large = DataType::LargeList(Arc::new(Field::new("item", DataType::Int64, true)));
    vec![
        arrow_cast::cast(&lists, &large).unwrap(),
        Arc::new(StructArray::new(
            fields.into(),
            vec![x, Arc::clone(&lists)],
            nulls,
        )),
        lists,
        Arc::new(pairs.finish()),
        Arc::new(maps.finish()),
    ]
}

fn each_transform() -> Vec<(&'static str, Value)> {
    let mut all = vec![
        ("select", json!({"columns": ["c", "id"]})),
        ("exclude", json!({"columns": ["id"]})),
        ("rename", json!({"columns": {"c": "d"}})),
        ("rename", json!({"case": "pascal"})),
        ("rename", json!({"remove_special": true})),
        ("constant", json!({"columns": {"x": 1, "y": "a"}})),
        ("hash", json!({"columns": ["id", "c"], "into": "h"})),
        (
            "hash",
            json!({"columns": ["c"], "into": "h", "algorithm": "xxh3"}),
        ),
        ("flatten", json!({})),
        ("flatten", json!({"columns": ["c"]})),
        ("unnest", json!({"column": "c"})),
        ("dedupe", json!({"key": "c", "order_by": "id"})),
        ("dedupe", json!({"key": "id", "order_by": {"c": "desc"}})),
    ];
    for value in [
        json!(7),
        json!(1.5),
        json!(true),
        json!("x"),
        json!("2024-02-29"),
        json!("10:11:12"),
        json!("2024-02-29T10:11:12Z"),
    ] {
        all.push(("fill_null", json!({"columns": {"c": value}})));
    }
    for to in [
        "bool",
        "int32",
        "int64",
        "uint8",
        "float32",
        "float64",
        "decimal(9, 2)",
        "string",
        "binary",
        "date",
        "time",
        "timestamp",
        "timestamp[s, UTC]",
    ] {
        for on_failure in ["fail", "set_null"] {
            all.push((
                "cast",
                json!({"columns": {"c": to}, "on_failure": on_failure}),
            ));
        }
    }
    for how in [
        json!({"how": "hash"}),
        json!({"how": "tokenise"}),
        json!({"how": "truncate", "keep": 1}),
        json!({"how": "redact", "with": "***"}),
        json!({"how": "redact"}),
    ] {
        all.push(("mask", json!({"key": "k", "columns": {"c": how}})));
    }
    all
}

/// What comes of a transform, with `dedupe`'s rows that come after the last.
fn whole(
    kind: &str,
    settings: &Value,
    batch: &RecordBatch,
    size: usize,
) -> Result<RecordBatch, Fault> {
    let mut registry = Registry::default();
    crate::register(&mut registry);
    let folder = std::env::temp_dir();
    let place = BuildContext {
        work: folder,
        ..place()
    };
    let kind = registry.transform(kind).unwrap();
    let transform = kind.build(&Settings::new(settings.clone(), []), &place)?;
    block_on(async {
        let mut bound = transform.bind(&batch.schema(), &Context::inline()).await?;
        let mut out = vec![RecordBatch::new_empty(bound.schema())];
        let mut from = 0;
        while from < batch.num_rows() {
            let rows = size.min(batch.num_rows() - from);
            out.extend(bound.apply(batch.slice(from, rows)).await?);
            while let Some(more) = bound.more().await? {
                out.extend(more);
            }
            from += rows;
        }
        out.extend(bound.apply(batch.slice(0, 0)).await?);
        let mut more = Some(bound.finish().await?);
        while let Some(batches) = more {
            out.extend(batches);
            more = bound.rest().await?;
        }
        for each in &out {
            assert_eq!(each.schema(), bound.schema(), "{}", kind.name());
        }
        Ok(arrow_select::concat::concat_batches(&bound.schema(), &out).unwrap())
    })
}

/// Its rows in the order of their ids.
fn by_id(batch: &RecordBatch) -> RecordBatch {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    let ids = batch.column(0).as_primitive::<Int64Type>().values();
    let mut order: Vec<u64> = (0..ids.len() as u64).collect();
    order.sort_by_key(|row| ids[usize::try_from(*row).unwrap()]);
    let order = arrow_array::UInt64Array::from(order);
    arrow_select::take::take_record_batch(batch, &order).unwrap()
}

#[test]
fn every_type_is_taken_or_refused_before_rows_move() {
    let columns: Vec<ArrayRef> = plain().iter().map(column).chain(nested()).collect();
    let (mut taken, mut refused, mut with_values) = (0, 0, 0);
    for values in columns {
        let data_type = values.data_type().clone();
        with_values += usize::from(values.logical_null_count() < 3);
        let given = batch(vec![
            ("id", Arc::new(Int64Array::from(vec![1, 2, 3]))),
            ("c", values),
        ]);
        for (kind, settings) in each_transform() {
            let what = format!("{kind} {settings} of {data_type}");
            let none = whole(kind, &settings, &given.slice(0, 0), 1);
            let all = whole(kind, &settings, &given, usize::MAX);
            match (none, all) {
                (Err(fault), _) => {
                    assert_eq!(fault.code, code::SCHEMA, "{what}: {fault:?}");
                    assert_eq!(fault.attribute("column"), Some("c"), "{what}: {fault:?}");
                    assert!(fault.message.starts_with(kind), "{what}: {fault:?}");
                    refused += 1;
                }
                // A value that doesn't fit.
                (Ok(_), Err(fault)) => {
                    let strict = kind == "cast" && settings["on_failure"] == "fail";
                    assert!(strict, "{what}: {fault:?}");
                    assert_eq!(fault.code, code::SOURCE_INVALID, "{what}: {fault:?}");
                    assert_eq!(fault.attribute("column"), Some("c"), "{what}: {fault:?}");
                }
                (Ok(none), Ok(all)) => {
                    taken += 1;
                    assert_eq!(none.schema(), all.schema(), "{what}");
                    for size in [1, 2] {
                        let parts = whole(kind, &settings, &given, size).unwrap();
                        assert_eq!(parts, all, "{what} by {size}");
                    }
                    if kind == "dedupe" && settings["key"] == "id" {
                        let field = all.schema_ref().field(1);
                        let same = type_name(field.data_type()) == type_name(&data_type);
                        assert!(same, "{what}: {field:?}");
                        // A dictionary with room for more words.
                        let c = arrow_cast::cast(given.column(1), field.data_type()).unwrap();
                        let columns = vec![Arc::clone(given.column(0)), c];
                        let given = RecordBatch::try_new(all.schema(), columns).unwrap();
                        assert_eq!(by_id(&all), given, "{what}");
                    }
                    for (field, column) in all.schema().fields().iter().zip(all.columns()) {
                        let null = column.logical_null_count() > 0;
                        assert!(field.is_nullable() || !null, "{what}: {field:?}");
                    }
                }
            }
        }
    }
    assert!(with_values > 45, "{with_values} types have values");
    assert!(taken > 1500 && refused > 400, "{taken} {refused}");
}

fn text(s: &[Option<String>]) -> ArrayRef {
    Arc::new(StringArray::from_iter(s.iter().map(Option::as_deref)))
}

/// Lists and structs of whatever is in them.
fn nested_rows() -> impl Strategy<Value = RecordBatch> {
    let row = (
        prop::option::of(prop::collection::vec(any::<Option<i64>>(), 0..4)),
        prop::option::of((any::<Option<i64>>(), prop::option::of("[a-c]{0,3}"))),
        prop::option::of("[a-z@€ 0-9]{0,12}"),
    );
    prop::collection::vec(row, 0..30).prop_map(|rows| {
        let mut lists = ListBuilder::new(Int64Builder::new());
        for (list, ..) in &rows {
            lists.append_option(list.clone());
        }
        let x: Int64Array = rows.iter().map(|row| row.1.as_ref()?.0).collect();
        let y: StringArray = rows
            .iter()
            .map(|row| row.1.as_ref()?.1.as_deref())
            .collect();
        let fields = vec![
            Field::new("x", DataType::Int64, true),
            Field::new("y", DataType::Utf8, true),
        ];
        let there: Vec<bool> = rows.iter().map(|row| row.1.is_some()).collect();
        let structs = match rows.is_empty() {
            true => StructArray::new_null(fields.into(), 0),
            false => StructArray::new(
                fields.into(),
                vec![Arc::new(x), Arc::new(y)],
                Some(there.into()),
            ),
        };
        let texts: Vec<Option<String>> = rows.into_iter().map(|row| row.2).collect();
        batch(vec![
            ("l", Arc::new(lists.finish())),
            ("s", Arc::new(structs)),
            ("t", text(&texts)),
        ])
    })
}

proptest! {
    #[test]
    fn the_size_of_batches_changes_nothing_of_what_is_nested(given in nested_rows(), size in 1_usize..9) {
        for (kind, settings) in [
            ("flatten", json!({})),
            ("unnest", json!({"column": "l"})),
            ("hash", json!({"columns": ["t"], "into": "h"})),
            ("mask", json!({"key": "k", "columns": {"t": {"how": "tokenise"}, "l": {"how": "redact"}}})),
            ("mask", json!({"key": "k", "columns": {"t": {"how": "hash"}}})),
            ("dedupe", json!({"key": "t", "order_by": ["s", {"l": "desc"}]})),
            ("dedupe", json!({"key": "t", "order_by": {"l": "desc"}, "keep": "first"})),
        ] {
            let all = whole(kind, &settings, &given, usize::MAX).unwrap();
            let parts = whole(kind, &settings, &given, size).unwrap();
            prop_assert_eq!(all, parts);
        }
    }

    /// A row of each item, and one of each list that has none.
    #[test]
    fn unnest_loses_no_item(given in nested_rows()) {
        use arrow_array::cast::AsArray;
        let lists = given.column(0).as_list::<i32>();
        let expected: usize = (0..lists.len())
            .map(|row| if lists.is_null(row) { 1 } else { lists.value(row).len().max(1) })
            .sum();
        let out = whole("unnest", &json!({"column": "l"}), &given, 3).unwrap();
        prop_assert_eq!(out.num_rows(), expected);
    }
}
