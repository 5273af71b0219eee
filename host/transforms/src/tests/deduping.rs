use std::collections::BTreeMap;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{
    DictionaryArray, Float64Array, Int8Array, Int64Array, StringArray, StructArray, new_null_array,
};
use hygge_core::Memory;
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// What leaves a dedupe of batches that come one after the other.
fn dedupe(
    settings: Value,
    batches: &[RecordBatch],
    memory: usize,
    work: &Path,
) -> Result<RecordBatch, Fault> {
    let mut registry = Registry::default();
    crate::register(&mut registry);
    let place = BuildContext {
        work: work.to_owned(),
        ..place()
    };
    let kind = registry.transform("dedupe").unwrap();
    let transform = kind.build(&Settings::new(settings, []), &place)?;
    assert!(transform.whole());
    let cx = Context {
        share: Arc::new(Memory::new(memory).join()),
        ..Context::inline()
    };
    block_on(async {
        let mut bound = transform.bind(&batches[0].schema(), &cx).await?;
        let mut out = vec![RecordBatch::new_empty(bound.schema())];
        for batch in batches {
            out.extend(bound.apply(batch.clone()).await?);
        }
        let mut held = Some(bound.finish().await?);
        while let Some(batches) = held {
            out.extend(batches);
            held = bound.rest().await?;
        }
        Ok(arrow_select::concat::concat_batches(&bound.schema(), &out).unwrap())
    })
}

type Plain = (Option<i64>, Option<i64>, Option<String>);

fn rows(plain: &[Plain]) -> RecordBatch {
    let key: Int64Array = plain.iter().map(|row| row.0).collect();
    let at: Int64Array = plain.iter().map(|row| row.1).collect();
    let text: StringArray = plain.iter().map(|row| row.2.as_deref()).collect();
    batch(vec![
        ("key", Arc::new(key)),
        ("at", Arc::new(at)),
        ("text", Arc::new(text)),
    ])
}

fn plain(batch: &RecordBatch) -> Vec<Plain> {
    let (key, at) = (batch.column(0), batch.column(1));
    let (key, at) = (
        key.as_primitive::<Int64Type>(),
        at.as_primitive::<Int64Type>(),
    );
    let text = batch.column(2).as_string::<i32>();
    let each = key.iter().zip(at.iter()).zip(text.iter());
    each.map(|((key, at), text)| (key, at, text.map(str::to_owned)))
        .collect()
}

fn settings(keep: &str) -> Value {
    json!({"key": "key", "order_by": ["at"], "keep": keep})
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

const PLENTY: usize = 64 << 20;

#[test]
fn one_row_of_each_key_stays() {
    let folder = tempfile::tempdir().unwrap();
    let given = rows(&[
        (Some(1), Some(5), text("b")),
        (Some(1), Some(9), text("c")),
        (Some(1), None, text("a")),
        (None, Some(1), text("x")),
        (None, Some(1), text("y")),
        (None, Some(1), None),
        (Some(2), None, None),
    ]);
    let of = |keep| {
        let mut kept = plain(
            &dedupe(
                settings(keep),
                std::slice::from_ref(&given),
                PLENTY,
                folder.path(),
            )
            .unwrap(),
        );
        kept.sort();
        kept
    };
    let last = [
        (None, Some(1), text("y")),
        (Some(1), Some(9), text("c")),
        (Some(2), None, None),
    ];
    assert_eq!(of("last"), last);
    let first = [
        (None, Some(1), None),
        (Some(1), None, text("a")),
        (Some(2), None, None),
    ];
    assert_eq!(of("first"), first);
    let empty = dedupe(
        settings("last"),
        &[given.slice(0, 0)],
        PLENTY,
        folder.path(),
    )
    .unwrap();
    assert_eq!((empty.num_rows(), empty.schema()), (0, given.schema()));
}

#[test]
fn each_column_orders_its_own_way() {
    let folder = tempfile::tempdir().unwrap();
    let given = rows(&[
        (Some(1), Some(5), text("a")),
        (Some(1), Some(5), text("b")),
        (Some(1), Some(9), None),
        (Some(1), None, text("z")),
    ]);
    let of = |order: Value, keep: &str| {
        let settings = json!({"key": "key", "order_by": order, "keep": keep});
        let kept = dedupe(
            settings,
            std::slice::from_ref(&given),
            PLENTY,
            folder.path(),
        );
        plain(&kept.unwrap()).remove(0)
    };
    let (a, b) = ((Some(1), Some(5), text("a")), (Some(1), Some(5), text("b")));
    let newest = (Some(1), Some(9), None);
    let oldest = (Some(1), None, text("z"));
    assert_eq!(of(json!({"at": "desc"}), "first"), newest);
    assert_eq!(of(json!([{"at": "desc"}]), "last"), oldest);
    assert_eq!(of(json!({"at": "asc"}), "first"), oldest);
    assert_eq!(of(json!([{"text": "desc"}, "at"]), "first"), oldest);
    assert_eq!(of(json!([{"text": "desc"}, "at"]), "last"), newest);
    assert_eq!(of(json!([{"at": "desc"}, "text"]), "first"), newest);
    let given = rows(&[a.clone(), b.clone()]);
    let of = |order: Value| {
        let settings = json!({"key": "key", "order_by": order, "keep": "first"});
        let given = std::slice::from_ref(&given);
        plain(&dedupe(settings, given, PLENTY, folder.path()).unwrap()).remove(0)
    };
    assert_eq!(of(json!(["at", "text"])), a);
    assert_eq!(of(json!(["at", {"text": "desc"}])), b);
}

#[test]
fn a_key_with_many_rows_takes_the_memory_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path().join("none");
    let many: Vec<Plain> = (0..20_000)
        .map(|at| {
            (
                Some(7),
                Some(at),
                text(&"x".repeat(usize::try_from(at % 90).unwrap())),
            )
        })
        .collect();
    let kept = dedupe(settings("last"), &[rows(&many)], 4096, &work).unwrap();
    assert_eq!(plain(&kept), many[19_999..]);
    assert!(!work.exists(), "nothing was put by");
}

#[test]
fn what_was_put_by_is_gone_after() {
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path().join("work");
    let many: Vec<Plain> = (0..20_000)
        .map(|key| (Some(key / 2), Some(key), None))
        .collect();
    let batches: Vec<RecordBatch> = many.chunks(500).map(rows).collect();
    let kept = dedupe(settings("first"), &batches, 64 << 10, &work).unwrap();
    assert_eq!(kept.num_rows(), 10_000);
    assert!(plain(&kept).iter().all(|row| row.1.unwrap() % 2 == 0));
    assert_eq!(std::fs::read_dir(&work).unwrap().count(), 0);
}

#[test]
fn all_types_come_back_from_the_file() {
    use DataType as T;
    let fields = vec![
        Field::new("a", T::Int8, true),
        Field::new("b", T::new_list(T::Utf8, true), true),
    ];
    let types = [
        T::Boolean,
        T::UInt8,
        T::Float16,
        T::Float32,
        T::Float64,
        T::LargeUtf8,
        T::Utf8View,
        T::Binary,
        T::BinaryView,
        T::FixedSizeBinary(3),
        T::Decimal128(9, 2),
        T::Decimal256(40, 2),
        T::Date32,
        T::Date64,
        T::Time64(arrow_schema::TimeUnit::Nanosecond),
        T::Timestamp(arrow_schema::TimeUnit::Second, Some("+02:00".into())),
        T::Duration(arrow_schema::TimeUnit::Millisecond),
        T::Interval(arrow_schema::IntervalUnit::MonthDayNano),
        T::Dictionary(Box::new(T::Int32), Box::new(T::Utf8)),
        T::new_list(T::Int64, true),
        T::Struct(fields.into()),
        T::Null,
    ];
    let folder = tempfile::tempdir().unwrap();
    let keys: Vec<Plain> = (0..200).map(|key| (Some(key), Some(key), None)).collect();
    let keys = rows(&keys);
    for data_type in types {
        let data = new_null_array(&data_type, 200);
        let mut fields = keys.schema().fields().to_vec();
        fields.push(Arc::new(Field::new("x", data_type, true)));
        let columns = keys.columns().iter().cloned().chain([data]).collect();
        let given = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
        let order = json!({"key": "key", "order_by": "x"});
        let kept = dedupe(order, std::slice::from_ref(&given), 4096, folder.path()).unwrap();
        assert_eq!((kept.num_rows(), kept.schema()), (200, given.schema()));
    }
}

/// Each batch has a hundred words, and all together more than a dictionary of bytes counts.
#[test]
fn dictionaries_have_room_for_the_words_of_all_batches() {
    let batches: Vec<RecordBatch> = (0..5)
        .map(|batch: i64| {
            let words = (0..100).map(|word| Some(format!("{}", batch * 100 + word)));
            let words: StringArray = words.collect();
            let numbers = Int8Array::from_iter_values(0..100);
            let ids = Int64Array::from_iter_values(batch * 100..(batch + 1) * 100);
            let d: ArrayRef = Arc::new(DictionaryArray::new(numbers, Arc::new(words)));
            let within = Field::new("d", d.data_type().clone(), true);
            let within = StructArray::from(vec![(Arc::new(within), Arc::clone(&d))]);
            let columns: [(&str, ArrayRef); 3] =
                [("id", Arc::new(ids)), ("d", d), ("s", Arc::new(within))];
            RecordBatch::try_from_iter(columns).unwrap()
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({"key": "id", "order_by": "id"});
    let kept = dedupe(settings, &batches, 1 << 20, folder.path()).unwrap();
    let words = arrow_cast::cast(kept.column(1), &DataType::Utf8).unwrap();
    let within = kept.column(2).as_struct().column(0);
    let within = arrow_cast::cast(within, &DataType::Utf8).unwrap();
    assert_eq!(&within, &words);
    let ids = kept.column(0).as_primitive::<Int64Type>();
    let words = words.as_string::<i32>();
    assert_eq!(kept.num_rows(), 500);
    assert!((0..500).all(|row| words.value(row) == ids.value(row).to_string()));
}

/// Whatever its sign, and so does no zero come before another.
#[test]
fn a_number_that_is_none_is_the_greatest() {
    let folder = tempfile::tempdir().unwrap();
    for none in [f64::NAN, -f64::NAN] {
        let columns: [(&str, ArrayRef); 3] = [
            ("key", Arc::new(Int64Array::from(vec![1, 1, 2, 2]))),
            (
                "by",
                Arc::new(Float64Array::from(vec![none, 1.0, 0.0, -0.0])),
            ),
            ("v", Arc::new(Int64Array::from(vec![1, 2, 3, 4]))),
        ];
        let given = RecordBatch::try_from_iter(columns).unwrap();
        let settings = json!({"key": "key", "order_by": ["by", {"v": "desc"}]});
        let kept = dedupe(settings, &[given], 4096, folder.path()).unwrap();
        let mut stay = kept.column(2).as_primitive::<Int64Type>().values().to_vec();
        stay.sort_unstable();
        assert_eq!(stay, [1, 3], "{none:?}");
    }
}

#[test]
fn what_can_t_be_is_told() {
    let wrong = |settings: Value| problems("dedupe", settings);
    assert_eq!(
        wrong(json!({"key": ["a", "a"], "order_by": []})),
        [
            "/key/1: dedupe: a is named twice",
            "/order_by: dedupe needs a column in `order_by`"
        ]
    );
    let folder = tempfile::tempdir().unwrap();
    let of = |settings: Value| {
        let given = rows(&[]);
        told(&dedupe(settings, &[given], PLENTY, folder.path()).unwrap_err())
    };
    assert_eq!(
        of(json!({"key": "kee", "order_by": "at"})),
        "dedupe names a column that isn't there: kee\ndid you mean `key`? there are key, at, text"
    );
    assert_eq!(
        of(json!({"key": "key", "order_by": "att"})),
        "dedupe names a column that isn't there: att\ndid you mean `at`? there are key, at, text"
    );
    let list = new_null_array(&DataType::new_list(DataType::Int8, true), 1);
    let given = batch(vec![("l", list)]);
    let fault = dedupe(
        json!({"key": "l", "order_by": "l"}),
        &[given],
        PLENTY,
        folder.path(),
    );
    assert_eq!(
        told(&fault.unwrap_err()),
        "dedupe can't take list<int8> of column l as a key\nflatten, cast or exclude it before"
    );
}

/// No file has them, and no database; a plugin may.
#[test]
fn what_it_can_t_keep_is_told_before_rows_move() {
    let folder = tempfile::tempdir().unwrap();
    let fields = vec![Field::new("a", DataType::Int64, true)];
    let within = DataType::Struct(fields.into());
    let odd = DataType::Dictionary(Box::new(DataType::Int32), Box::new(within));
    for data_type in [odd.clone(), DataType::new_list(odd, true)] {
        let fields = vec![
            Field::new("key", DataType::Int64, true),
            Field::new("u", data_type, true),
        ];
        let given = RecordBatch::new_empty(Arc::new(Schema::new(fields)));
        let settings = json!({"key": "key", "order_by": "key"});
        let fault = dedupe(settings, &[given], PLENTY, folder.path()).unwrap_err();
        let said = told(&fault);
        assert!(said.starts_with("dedupe can't put by "), "{said}");
        assert!(
            said.ends_with(" of column u\nflatten, cast or exclude it before"),
            "{said}"
        );
    }
}

fn some() -> impl Strategy<Value = Vec<Plain>> {
    let row = (
        prop::option::of(-20_i64..20),
        prop::option::of(-3_i64..3),
        prop::option::of("[a-c]{0,3}"),
    );
    prop::collection::vec(row, 1..120)
}

proptest! {
    /// Whatever the batches, their order and the memory: the same rows, in the same order, and
    /// those that a plain map keeps.
    #[test]
    fn the_same_rows_stay(
        (given, other) in some().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
        size in 1_usize..20,
        memory in prop_oneof![Just(1_usize), Just(40 << 10), Just(PLENTY)],
        last in any::<bool>(),
        desc in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let way = if desc { "desc" } else { "asc" };
        let keep = if last { "last" } else { "first" };
        let settings = json!({"key": "key", "order_by": {"at": way}, "keep": keep});
        let whole = dedupe(settings.clone(), &[rows(&given)], PLENTY, folder.path()).unwrap();
        let parts: Vec<RecordBatch> = other.chunks(size).map(rows).collect();
        let parts = dedupe(settings, &parts, memory, folder.path()).unwrap();
        prop_assert_eq!(&whole, &parts);

        let mut naive: BTreeMap<Option<i64>, Plain> = BTreeMap::new();
        for row in given {
            // None is before all, and last of all the other way round.
            let at = |row: &Plain| row.1.map_or(-100, |at| at + 100);
            let rank = |row: &Plain| {
                let at = if desc { -at(row) } else { at(row) };
                (at, row.1, row.2.clone())
            };
            let better = naive.get(&row.0).is_none_or(|there| {
                if last { rank(&row) > rank(there) } else { rank(&row) < rank(there) }
            });
            if better {
                naive.insert(row.0, row);
            }
        }
        let mut kept = plain(&whole);
        kept.sort();
        prop_assert_eq!(kept, naive.into_values().collect::<Vec<_>>());
    }
}
