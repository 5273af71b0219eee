use std::sync::Arc;

use arrow_array::builder::{Int64Builder, ListBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int8Array, Int64Array, LargeStringArray, StringArray, StructArray, TimestampMillisecondArray,
    TimestampNanosecondArray,
};
use arrow_buffer::NullBuffer;
use serde_json::json;

use super::*;

fn hashes(columns: Vec<(&str, ArrayRef)>, algorithm: &str) -> Vec<String> {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let settings = json!({"columns": names, "into": "h", "algorithm": algorithm});
    let out = run("hash", settings, &batch(columns)).unwrap();
    let column = out.column_by_name("h").unwrap();
    column
        .as_string::<i32>()
        .iter()
        .flatten()
        .map(str::to_owned)
        .collect()
}

fn one_of_each() -> Vec<(&'static str, ArrayRef)> {
    let decimal = Decimal128Array::from(vec![Some(1250), None]);
    vec![
        ("i", Arc::new(Int64Array::from(vec![Some(7), None]))),
        ("t", Arc::new(StringArray::from(vec![Some("Ada"), None]))),
        ("f", Arc::new(Float64Array::from(vec![Some(12.5), None]))),
        ("b", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        (
            "n",
            Arc::new(decimal.with_precision_and_scale(9, 2).unwrap()),
        ),
        ("d", Arc::new(Date32Array::from(vec![Some(19782), None]))),
        (
            "m",
            Arc::new(TimestampMillisecondArray::from(vec![
                Some(1_709_200_800_123),
                None,
            ])),
        ),
        (
            "y",
            Arc::new(BinaryArray::from(vec![Some(&[0_u8, 255][..]), None])),
        ),
    ]
}

/// Made by another program from the description in `bytes.rs`: what is stored somewhere must be
/// found again by every later version.
#[test]
fn hashes_stay_what_they_are() {
    assert_eq!(
        hashes(one_of_each(), "sha256"),
        [
            "906fb5a5a9c33866fe594474c9a63fba63754290efe7add784a992213dee22b8",
            "af5570f5a1810b7af78caf4bc70a660f0df51e42baf91d4de5b2328de0e83dfc"
        ]
    );
    assert_eq!(
        hashes(one_of_each(), "xxh3"),
        ["8f74a16ca719b29d", "c77b3abb6f87acd9"]
    );
}

#[test]
fn a_value_hashes_alike_in_every_width_of_its_type() {
    let decimal = Decimal128Array::from(vec![Some(125), None]);
    let wide = vec![
        (
            "i",
            Arc::new(Int8Array::from(vec![Some(7), None])) as ArrayRef,
        ),
        (
            "t",
            Arc::new(LargeStringArray::from(vec![Some("Ada"), None])),
        ),
        ("f", Arc::new(Float32Array::from(vec![Some(12.5), None]))),
        ("b", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        (
            "n",
            Arc::new(decimal.with_precision_and_scale(20, 1).unwrap()),
        ),
        ("d", Arc::new(Date32Array::from(vec![Some(19782), None]))),
        (
            "m",
            Arc::new(TimestampNanosecondArray::from(vec![
                Some(1_709_200_800_123_000_000),
                None,
            ])),
        ),
        (
            "y",
            Arc::new(BinaryArray::from(vec![Some(&[0_u8, 255][..]), None])),
        ),
    ];
    assert_eq!(hashes(wide, "xxh3"), hashes(one_of_each(), "xxh3"));
}

#[test]
fn rows_that_differ_hash_differently() {
    let a: ArrayRef = Arc::new(StringArray::from(vec![
        Some("ab"),
        Some("a"),
        None,
        Some(""),
        Some(""),
    ]));
    let b: ArrayRef = Arc::new(StringArray::from(vec![
        Some("c"),
        Some("bc"),
        Some(""),
        None,
        Some(""),
    ]));
    let mut all = hashes(vec![("a", a), ("b", b)], "xxh3");
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 5);
}

#[test]
fn what_can_t_be_hashed_is_told_before_rows_move() {
    let given = batch(nested());
    for (settings, expected) in [
        (
            json!({"columns": ["address"], "into": "h"}),
            "hash can't take struct<city: string, geo: struct<x: int64>> of column address",
        ),
        (
            json!({"columns": ["id"], "into": "id"}),
            "hash adds a column that is there already: id",
        ),
        (
            json!({"columns": ["ib"], "into": "h"}),
            "hash names a column that isn't there: ib",
        ),
    ] {
        let fault = run("hash", settings, &given).unwrap_err();
        assert_eq!(fault.message, expected);
    }
}

/// Three rows: the second has no address, the third one without `geo`.
fn nested() -> Vec<(&'static str, ArrayRef)> {
    let x: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let fields = vec![Field::new("x", DataType::Int64, false)];
    let geo = StructArray::new(
        fields.into(),
        vec![x],
        Some(NullBuffer::from(vec![true, true, false])),
    );
    let city: ArrayRef = Arc::new(StringArray::from(vec![Some("Bonn"), Some("hidden"), None]));
    let fields = vec![
        Field::new("city", DataType::Utf8, true),
        Field::new("geo", geo.data_type().clone(), true),
    ];
    let address = StructArray::new(
        fields.into(),
        vec![city, Arc::new(geo)],
        Some(NullBuffer::from(vec![true, false, true])),
    );
    let mut items = ListBuilder::new(Int64Builder::new());
    items.append_value([Some(10), None]);
    items.append_null();
    items.append_value([]);
    vec![
        ("id", Arc::new(Int64Array::from(vec![1, 2, 3]))),
        ("address", Arc::new(address)),
        ("items", Arc::new(items.finish())),
    ]
}

#[test]
fn structs_become_columns_that_are_null_where_a_struct_is() {
    let given = batch(nested());
    let out = run("flatten", json!({}), &given).unwrap();
    assert_eq!(
        names(&out),
        ["id", "address_city", "address_geo_x", "items"]
    );
    let city: ArrayRef = Arc::new(StringArray::from(vec![Some("Bonn"), None, None]));
    let x: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, None]));
    assert_eq!(out.columns()[1..3], [city, x]);
    assert_eq!(out.schema().field(3).metadata()["origin"], "items");
    let dotted = json!({"columns": ["address"], "separator": "."});
    assert_eq!(
        names(&run("flatten", dotted, &given).unwrap())[1],
        "address.city"
    );
    let fault = run("flatten", json!({"columns": ["id"]}), &given).unwrap_err();
    assert_eq!(fault.message, "flatten needs a struct, and id is int64");
    let mut twice = nested();
    twice.push(("address_city", Arc::new(Int64Array::from(vec![1, 2, 3]))));
    let fault = run("flatten", json!({}), &batch(twice)).unwrap_err();
    assert_eq!(
        fault.message,
        "flatten makes two columns of one name: address_city"
    );
}

#[test]
fn lists_of_one_length_are_lists() {
    let items = Arc::new(Int64Array::from(vec![Some(1), Some(2), None, Some(4)]));
    let field = Arc::new(Field::new_list_field(DataType::Int64, true));
    let pairs = arrow_array::FixedSizeListArray::new(field, 2, items, None);
    let given = batch(vec![("pairs", Arc::new(pairs) as ArrayRef)]);
    let out = run("unnest", json!({"column": "pairs"}), &given).unwrap();
    let items = out.column(0).as_primitive::<Int64Type>();
    assert_eq!(
        items,
        &Int64Array::from(vec![Some(1), Some(2), None, Some(4)])
    );
}

#[test]
fn items_become_rows_and_no_row_is_lost() {
    let given = batch(nested());
    for size in [1, 2, usize::MAX] {
        let out = sized("unnest", json!({"column": "items"}), &given, size).unwrap();
        let column = |name| {
            out.column_by_name(name)
                .unwrap()
                .as_primitive::<Int64Type>()
                .clone()
        };
        assert_eq!(column("id"), Int64Array::from(vec![1, 1, 2, 3]));
        assert_eq!(
            column("items"),
            Int64Array::from(vec![Some(10), None, None, None])
        );
    }
    let fault = run("unnest", json!({"column": "address"}), &given).unwrap_err();
    assert!(
        fault
            .message
            .starts_with("unnest needs a list, and address is struct<")
    );
}

#[test]
fn rows_are_told_their_run() {
    let began: jiff::Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    let id = hygge_core::RunId::new(began, 7);
    let mut registry = Registry::default();
    crate::register(&mut registry);
    let settings = json!({"run_id": "run", "loaded_at": "at", "source": "of"});
    let place = BuildContext {
        entity: Some(hygge_core::EntityId::new("sales", "orders")),
        run: Some(hygge_core::Running {
            id: id.clone(),
            began,
        }),
        ..place()
    };
    let kind = registry.transform("run_columns").unwrap();
    let transform = kind.build(&Settings::new(settings, []), &place).unwrap();
    let given = batch(nested());
    let out = block_on(async {
        let mut bound = transform
            .bind(&given.schema(), &Context::inline())
            .await
            .unwrap();
        bound.apply(given.clone()).await.unwrap().remove(0)
    });
    assert_eq!(names(&out)[3..], ["run", "at", "of"]);
    let text = |column: usize| out.column(column).as_string::<i32>().value(2).to_owned();
    assert_eq!([text(3), text(5)], [id.as_str(), "sales.orders"]);
    let at = out.column(4).as_primitive::<TimestampMicrosecondType>();
    assert_eq!(at.value(2), began.as_microsecond());
    assert_eq!(at.timezone(), Some("UTC"));
    let fault = run("run_columns", json!({"source": "id"}), &given).unwrap_err();
    assert_eq!(
        fault.message,
        "run_columns adds a column that is there already: id"
    );
    assert_eq!(
        problems("run_columns", json!({})),
        [": run_columns needs `run_id`, `loaded_at` or `source`"]
    );
}
