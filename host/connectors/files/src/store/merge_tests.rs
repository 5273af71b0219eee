use std::collections::BTreeMap;
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use futures::executor::block_on;
use hygge_core::{Action, Batch, Context, Fault, SplitId, Standing, Target};
use proptest::prelude::*;
use serde_json::json;

use super::tests::Project;
use super::{FileStore, FileStoreKind, own};

/// Key in two columns, a value, and how late it is.
type Row = ((Option<i64>, i64), i64, Option<i64>);

fn schema() -> SchemaRef {
    let field = |name: &str| Field::new(name, DataType::Int64, true);
    Arc::new(Schema::new(["a", "b", "value", "late"].map(field).to_vec()))
}

fn batch(rows: &[Row]) -> RecordBatch {
    let column = |get: fn(&Row) -> Option<i64>| {
        Arc::new(rows.iter().map(get).collect::<Int64Array>()) as ArrayRef
    };
    let columns = vec![
        column(|row| row.0.0),
        column(|row| Some(row.0.1)),
        column(|row| Some(row.1)),
        column(|row| row.2),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

fn target(project: &mut Project, action: Action) -> Target {
    let mut target = project.target(action);
    target.schema = schema();
    target.key = vec!["a".into(), "b".into()];
    target.latest_by = Some("late".into());
    target
}

fn store(project: &Project) -> FileStore {
    let settings = hygge_core::Settings::new(project.settings.clone(), []);
    FileStoreKind::new(None)
        .make(&settings, &project.place())
        .unwrap()
}

fn run(
    project: &mut Project,
    action: Action,
    splits: &[Vec<Row>],
    passes: u64,
) -> Result<(), Fault> {
    let store = store(project);
    let mut target = target(project, action);
    let cx = Context::inline();
    let receipts = block_on(async {
        use hygge_core::Store as _;
        target.begun = store.begin(&target, &cx).await?;
        let mut receipts = Vec::new();
        for (at, rows) in splits.iter().enumerate() {
            let split = SplitId::nth(at);
            let mut writer = store.open_writer(&target, &split, 1, &cx).await?;
            for rows in rows.chunks(5) {
                writer.write(Batch::Rows(batch(rows))).await?;
            }
            receipts.push(writer.finish().await?);
        }
        let again = store
            .merge(&target, receipts.clone(), Some(passes), &cx)
            .await?;
        let merged = store.merge(&target, receipts, Some(passes), &cx).await?;
        assert_eq!(again, merged, "preparing again gives the same");
        Ok::<_, Fault>(merged)
    })?;
    let record = Project::record(target, receipts);
    // It holds the destination.
    drop(store);
    project.commit(&record)?;
    let before = found(project);
    project.commit(&record)?;
    assert_eq!(found(project), before);
    project.clean();
    assert!(matches!(project.standing(), Standing::Ours));
    Ok(())
}

/// All rows by key; no key may be there twice.
fn found(project: &Project) -> BTreeMap<(i64, i64), i64> {
    let folder = project.root().join("out");
    let mut all = BTreeMap::new();
    for file in own::list(&folder).unwrap() {
        let file = std::fs::File::open(folder.join(file.path)).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        for batch in reader.build().unwrap() {
            let batch = batch.unwrap();
            let column = |at: usize| batch.column(at).as_primitive::<Int64Type>().clone();
            let (a, b, value) = (column(0), column(1), column(2));
            for row in 0..batch.num_rows() {
                let twice = all.insert((a.value(row), b.value(row)), value.value(row));
                assert_eq!(twice, None, "twice: {} {}", a.value(row), b.value(row));
            }
        }
    }
    all
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (
        (0..6_i64, 0..3_i64),
        any::<i64>(),
        prop_oneof![Just(None), (0..4_i64).prop_map(Some)],
    );
    let row = row.prop_map(|((a, b), value, late)| ((Some(a), b), value, late));
    proptest::collection::vec(row, 0..25)
}

fn runs() -> impl Strategy<Value = Vec<Vec<Vec<Row>>>> {
    proptest::collection::vec(proptest::collection::vec(rows(), 0..3), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn merging_equals_a_map(
        runs in runs(),
        passes in 1..4_u64,
        partitioned in any::<bool>(),
        row_group_rows in 1..8_usize,
    ) {
        let mut project = Project::new(json!({
            "path": "out", "format": "parquet", "row_group_rows": row_group_rows,
            "partition_by": if partitioned { vec!["late"] } else { vec![] },
        }));
        let mut expected: BTreeMap<(i64, i64), (Option<i64>, i64)> = BTreeMap::new();
        // The first run replaces, and makes rows of one key one.
        let first: Vec<Row> = vec![((Some(0), 0), 0, None)];
        for (at, splits) in std::iter::once(&vec![first]).chain(&runs).enumerate() {
            let action = if at == 0 { Action::Replace } else { Action::Upsert };
            let mut staged: BTreeMap<(i64, i64), (Option<i64>, i64)> = BTreeMap::new();
            for ((a, b), value, late) in splits.iter().flatten() {
                let key = (a.unwrap(), *b);
                if staged.get(&key).is_none_or(|(best, _)| best <= late) {
                    staged.insert(key, (*late, *value));
                }
            }
            for (key, row) in staged {
                if action == Action::Replace || expected.get(&key).is_none_or(|(late, _)| *late <= row.0) {
                    expected.insert(key, row);
                }
            }
            // Of two rows that are equally late, one file of a partition is as good as another.
            run(&mut project, action, splits, passes).unwrap();
            let values = expected.iter().map(|(key, (_, value))| (*key, *value));
            prop_assert_eq!(found(&project), values.collect::<BTreeMap<_, _>>());
        }
    }
}

#[test]
fn only_files_that_lose_rows_are_written_anew() {
    let mut project = Project::new(json!({"path": "out", "format": "parquet"}));
    let rows = |range: std::ops::Range<i64>, value: i64| -> Vec<Row> {
        range.map(|at| ((Some(at), 0), value, None)).collect()
    };
    run(
        &mut project,
        Action::Replace,
        &[rows(0..10, 1), rows(10..20, 1)],
        1,
    )
    .unwrap();
    let before = project.files("out");
    run(&mut project, Action::Upsert, &[rows(15..25, 2)], 1).unwrap();
    let after = project.files("out");
    assert!(after.contains(&before[0]) && !after.contains(&before[1]));
    assert_eq!(after.len(), 3);
    let found = found(&project);
    assert_eq!(found.len(), 25);
    assert!(
        found
            .iter()
            .all(|((a, _), value)| (*value == 2) == (*a >= 15))
    );
    // Nothing new changes nothing, and is remembered.
    run(&mut project, Action::Upsert, &[], 1).unwrap();
    assert_eq!(project.files("out"), after);
}

#[test]
fn a_key_that_is_null_is_refused() {
    let mut project = Project::new(json!({"path": "out", "format": "parquet"}));
    run(
        &mut project,
        Action::Replace,
        &[vec![((Some(1), 0), 1, None)]],
        1,
    )
    .unwrap();
    let rows = vec![
        ((None, 0), 1, None),
        ((Some(1), 0), 1, None),
        ((None, 1), 1, None),
    ];
    let refused = run(&mut project, Action::Upsert, &[rows], 2).unwrap_err();
    assert_eq!(
        refused.message,
        "2 rows have NULL in the key (a, b), so they can't be merged"
    );
    assert_eq!(found(&project).len(), 1);
}

#[test]
fn a_late_older_version_does_not_undo_a_newer_one() {
    let mut project = Project::new(json!({"path": "out", "format": "parquet"}));
    let row = |key, value, late| ((Some(key), 0), value, late);
    let first = vec![row(1, 10, Some(5)), row(2, 20, Some(5)), row(3, 30, None)];
    run(&mut project, Action::Replace, &[first], 1).unwrap();
    let before = project.files("out");
    run(
        &mut project,
        Action::Upsert,
        &[vec![row(1, 11, Some(3))]],
        1,
    )
    .unwrap();
    assert_eq!(project.files("out"), before, "nothing changed");
    let late = vec![
        row(1, 12, None),
        row(2, 21, Some(5)),
        row(3, 31, Some(1)),
        row(4, 40, None),
    ];
    run(&mut project, Action::Upsert, &[late], 1).unwrap();
    let expected = [((1, 0), 10), ((2, 0), 21), ((3, 0), 31), ((4, 0), 40)];
    assert_eq!(found(&project), BTreeMap::from(expected));
}

/// Merges a batch of any columns, as one split.
fn merge(project: &mut Project, action: Action, rows: &RecordBatch) -> Result<(), Fault> {
    merge_all(project, action, std::slice::from_ref(rows))
}

fn merge_all(project: &mut Project, action: Action, rows: &[RecordBatch]) -> Result<(), Fault> {
    use hygge_core::Store as _;
    let store = store(project);
    let mut target = project.target(action);
    target.schema = rows[0].schema();
    target.key = vec!["k".into()];
    target.latest_by = Some("v".into());
    let cx = Context::inline();
    let receipts = block_on(async {
        target.begun = store.begin(&target, &cx).await?;
        let mut writer = store.open_writer(&target, &SplitId::nth(0), 1, &cx).await?;
        for rows in rows {
            writer.write(Batch::Rows(rows.clone())).await?;
        }
        let receipt = writer.finish().await?;
        store.prepare(&target, vec![receipt], &cx).await
    })?;
    let record = Project::record(target, receipts);
    drop(store);
    project.commit(&record)?;
    project.clean();
    Ok(())
}

/// Keys `k`, how late they are in `v`, and a number in `n`; the last as it stands, in order.
fn numbered(k: ArrayRef, v: ArrayRef, n: &[i64]) -> RecordBatch {
    let n: ArrayRef = Arc::new(Int64Array::from(n.to_vec()));
    RecordBatch::try_from_iter_with_nullable([("k", k, true), ("v", v, true), ("n", n, true)])
        .unwrap()
}

fn numbers(project: &Project) -> Vec<i64> {
    let folder = project.root().join("out");
    let mut all = Vec::new();
    for file in own::list(&folder).unwrap() {
        let file = std::fs::File::open(folder.join(file.path)).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        for batch in reader.build().unwrap() {
            let batch = batch.unwrap();
            let numbers = batch.column_by_name("n").unwrap();
            all.extend(numbers.as_primitive::<Int64Type>().values());
        }
    }
    all.sort_unstable();
    all
}

fn as_type(values: &[i64], raw: &DataType, to: &DataType) -> ArrayRef {
    let values: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
    let data = arrow_cast::cast(&values, raw).unwrap();
    arrow_cast::cast(&data, to).unwrap()
}

fn decimals(unscaled: &[i128], precision: u8, scale: i8) -> ArrayRef {
    let values = arrow_array::Decimal128Array::from(unscaled.to_vec());
    Arc::new(values.with_precision_and_scale(precision, scale).unwrap())
}

#[test]
fn a_key_of_a_coarser_type_is_not_one_that_rounds_to_it() {
    let stamp = |unit| DataType::Timestamp(unit, None);
    let micros = stamp(TimeUnit::Microsecond);
    let doubles: ArrayRef = Arc::new(arrow_array::Float64Array::from(vec![1.0, 1.5, 2.0]));
    let cases: Vec<(ArrayRef, ArrayRef)> = vec![
        (
            as_type(&[0, 500, 1_000], &DataType::Int64, &micros),
            as_type(&[0], &DataType::Int64, &stamp(TimeUnit::Millisecond)),
        ),
        (
            decimals(&[12_300, 12_345, 1], 10, 4),
            decimals(&[123], 10, 2),
        ),
        (doubles, as_type(&[1], &DataType::Int64, &DataType::Int32)),
        (
            decimals(&[100, 140, 1], 10, 2),
            as_type(&[1], &DataType::Int64, &DataType::Int32),
        ),
    ];
    for (standing, coming) in cases {
        let mut project = Project::new(json!({"path": "out", "format": "parquet"}));
        let late = |rows| -> ArrayRef { Arc::new(Int64Array::from(vec![1; rows])) };
        let first = numbered(standing, late(3), &[10, 20, 30]);
        merge(&mut project, Action::Replace, &first).unwrap();
        let kind = coming.data_type().clone();
        merge(
            &mut project,
            Action::Upsert,
            &numbered(coming, late(1), &[11]),
        )
        .unwrap();
        assert_eq!(numbers(&project), [11, 20, 30], "{kind}");
    }
}

#[test]
fn an_older_version_of_a_coarser_type_does_not_undo_a_newer_one() {
    let stamp = |unit| DataType::Timestamp(unit, None);
    let at = |ticks: i64, unit| as_type(&[ticks], &DataType::Int64, &stamp(unit));
    let key = || as_type(&[1], &DataType::Int64, &DataType::Int64);
    let cases = [
        (
            at(900, TimeUnit::Microsecond),
            at(0, TimeUnit::Millisecond),
            10,
        ),
        (
            at(900, TimeUnit::Microsecond),
            at(1, TimeUnit::Millisecond),
            11,
        ),
        (
            at(1, TimeUnit::Millisecond),
            at(900, TimeUnit::Microsecond),
            10,
        ),
        (decimals(&[19], 10, 1), decimals(&[1], 10, 0), 10),
        (
            decimals(&[19], 10, 1),
            as_type(&[2], &DataType::Int64, &DataType::Int32),
            11,
        ),
    ];
    for (standing, coming, left) in cases {
        let mut project = Project::new(json!({"path": "out", "format": "parquet"}));
        let said = format!("{standing:?} {coming:?}");
        merge(
            &mut project,
            Action::Replace,
            &numbered(key(), standing, &[10]),
        )
        .unwrap();
        merge(
            &mut project,
            Action::Upsert,
            &numbered(key(), coming, &[11]),
        )
        .unwrap();
        assert_eq!(numbers(&project), [left], "{said}");
    }
}

#[test]
fn keys_may_come_as_dictionaries_however_small() {
    let small = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    let keys =
        |range: std::ops::Range<i64>| as_type(&range.collect::<Vec<_>>(), &DataType::Utf8, &small);
    let late = |rows| -> ArrayRef { Arc::new(Int64Array::from(vec![1; rows])) };
    let mut project = Project::new(json!({"path": "out", "format": "parquet"}));
    let all: Vec<i64> = (0..300).collect();
    let first = numbered(
        as_type(&all, &DataType::Utf8, &DataType::Utf8),
        late(300),
        &all,
    );
    merge(&mut project, Action::Replace, &first).unwrap();
    // Each batch has a dictionary of its own, so a file may hold more than one can.
    for _ in 0..2 {
        let new: Vec<i64> = (1_000..1_100).collect();
        let rows = |begin| numbered(keys(begin..begin + 100), late(100), &new);
        merge_all(&mut project, Action::Upsert, &[rows(0), rows(100)]).unwrap();
    }
    let found = numbers(&project);
    assert_eq!(found.len(), 300);
    assert_eq!(found.iter().filter(|n| **n >= 1_000).count(), 200);
}

/// Readers take a folder's columns and types from any of its files.
#[test]
fn a_merge_writes_the_columns_and_types_that_stand() {
    let narrow = DataType::Int32;
    let wide = DataType::Int64;
    let mut project = Project::new(json!({"path": "out", "format": "parquet"}));
    let whole = |values: &[i64], to: &DataType| as_type(values, to, to);
    let first = RecordBatch::try_from_iter_with_nullable([
        ("k", whole(&[1, 2], &wide), true),
        ("v", whole(&[1, 1], &wide), true),
        ("n", whole(&[10, 5_000_000_000], &wide), true),
        ("gone", whole(&[7, 8], &wide), true),
    ]);
    merge(&mut project, Action::Replace, &first.unwrap()).unwrap();
    let second = RecordBatch::try_from_iter_with_nullable([
        ("k", whole(&[1, 3], &narrow), true),
        ("v", whole(&[2, 2], &narrow), true),
        ("n", whole(&[11, 30], &narrow), true),
    ]);
    merge(&mut project, Action::Upsert, &second.unwrap()).unwrap();
    assert_eq!(numbers(&project), [11, 30, 5_000_000_000]);
    let folder = project.root().join("out");
    for file in own::list(&folder).unwrap() {
        let file = std::fs::File::open(folder.join(file.path)).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let columns = reader.schema().fields().iter();
        let columns = columns.map(|field| (field.name().clone(), field.data_type().clone()));
        let expected = ["k", "v", "n", "gone"].map(|name| (name.to_owned(), wide.clone()));
        assert_eq!(columns.collect::<Vec<_>>(), expected);
    }
}
