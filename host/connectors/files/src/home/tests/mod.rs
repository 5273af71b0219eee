//! The Home as the engine uses it: settings in, rows out.

mod damage;
mod incremental;
mod text;
mod wide;
mod widen;

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use futures::executor::block_on;
use hygge_core::{
    Batch, Bounds, BuildContext, Context, Fault, Home as _, Level, Notes, Position, Result,
    SplitPlan, SplitRequest, Want, WatermarkType, code,
};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use serde_json::json;

use super::{FilesHome, HomeSettings};
use crate::parquet::RowGroup;

pub(super) fn home(root: &Path, settings: serde_json::Value) -> FilesHome {
    let settings: HomeSettings = serde_json::from_value(settings).unwrap();
    let cx = BuildContext {
        root: root.to_path_buf(),
        work: root.join(".hygge"),
        entity: None,
        run: None,
    };
    FilesHome::new(settings, &cx).unwrap()
}

pub(super) fn want(batch_bytes: usize) -> Want {
    Want {
        batch_bytes,
        encoded: None,
        bounds: None,
    }
}

pub(super) fn plan(home: &FilesHome) -> Result<SplitPlan> {
    block_on(home.splits(&SplitRequest::default(), &Context::inline()))
}

/// Every batch of every split with the position after it.
pub(super) fn steps(
    home: &FilesHome,
    plan: &SplitPlan,
    want: &Want,
    cx: &Context,
) -> Result<Vec<(usize, Batch, Position)>> {
    let mut all = Vec::new();
    for (n, split) in plan.splits.iter().enumerate() {
        all.extend(
            from(home, plan, n, &Position::start(), want, cx)?
                .into_iter()
                .map(|(batch, position)| (n, batch, position)),
        );
        assert!(split.bytes.is_some());
    }
    Ok(all)
}

fn from(
    home: &FilesHome,
    plan: &SplitPlan,
    split: usize,
    resume: &Position,
    want: &Want,
    cx: &Context,
) -> Result<Vec<(Batch, Position)>> {
    block_on(async {
        let mut reader = home.open(&plan.splits[split], resume, want, cx).await?;
        assert_eq!(reader.schema(), plan.schema);
        let mut all = Vec::new();
        while let Some(step) = reader.next().await? {
            all.push((step.batch, step.position));
        }
        Ok(all)
    })
}

pub(super) fn rows_of(batch: Batch) -> RecordBatch {
    match batch {
        Batch::Rows(rows) => rows,
        Batch::Encoded(_) => panic!("encoded rows weren't asked for"),
    }
}

pub(super) fn together(schema: &SchemaRef, batches: &[RecordBatch]) -> RecordBatch {
    for batch in batches {
        assert_eq!(batch.schema_ref(), schema);
    }
    concat_batches(schema, batches).unwrap()
}

pub(super) fn read_all(home: &FilesHome) -> Result<RecordBatch> {
    let plan = plan(home)?;
    let steps = steps(home, &plan, &want(1 << 20), &Context::inline())?;
    let batches: Vec<RecordBatch> = steps.into_iter().map(|(_, b, _)| rows_of(b)).collect();
    Ok(together(&plan.schema, &batches))
}

pub(super) fn parquet(path: &Path, batch: &RecordBatch, group_rows: usize) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group_rows))
        .build();
    let file = fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

pub(super) fn numbers(name: &str, values: impl IntoIterator<Item = Option<i64>>) -> RecordBatch {
    let column: ArrayRef = Arc::new(values.into_iter().collect::<Int64Array>());
    RecordBatch::try_from_iter_with_nullable([(name, column, true)]).unwrap()
}

fn values(batch: &RecordBatch, column: &str) -> Vec<Option<i64>> {
    let column = batch.column_by_name(column).unwrap();
    column.as_primitive::<Int64Type>().iter().collect()
}

fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures/nycflights13")
}

#[test]
fn real_files_are_read_whole() {
    for (name, rows, columns) in [
        ("airlines", 16, 2),
        ("airports", 1_458, 8),
        ("planes", 3_322, 9),
        ("weather", 26_115, 15),
        ("flights", 336_776, 19),
    ] {
        let home = home(&fixtures(), json!({"path": format!("{name}.parquet")}));
        let batch = read_all(&home).unwrap();
        assert_eq!(
            (batch.num_rows(), batch.num_columns()),
            (rows, columns),
            "{name}"
        );
    }
}

#[test]
fn a_position_gives_exactly_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let all: Vec<Option<i64>> = (0..1_000).map(Some).collect();
    parquet(
        &folder.path().join("in/a.parquet"),
        &numbers("n", all[..700].to_vec()),
        150,
    );
    parquet(
        &folder.path().join("in/b.parquet"),
        &numbers("n", all[700..].to_vec()),
        150,
    );
    let text: String = (0..500).map(|n| format!("{n},\"x\n{n}\"\n")).collect();
    fs::write(folder.path().join("a.csv"), format!("n,s\n{text}")).unwrap();
    let lines: String = (0..500).map(|n| format!("{{\"n\": {n}}}\n\n")).collect();
    fs::write(folder.path().join("a.ndjson"), lines).unwrap();
    for path in ["in", "a.csv", "a.ndjson"] {
        let home = home(folder.path(), json!({"path": path}));
        let plan = plan(&home).unwrap();
        assert_eq!(plan.splits.len(), 1, "{path}");
        let want = want(1_000);
        let cx = Context::inline();
        let steps = steps(&home, &plan, &want, &cx).unwrap();
        assert!(steps.len() > 2, "{path}: {}", steps.len());
        let whole: Vec<Option<i64>> = steps
            .iter()
            .flat_map(|(_, b, _)| values(&rows_of(b.clone()), "n"))
            .collect();
        let mut before = 0;
        for (split, batch, position) in steps {
            before += usize::try_from(batch.rows()).unwrap();
            let rest: Vec<Option<i64>> = from(&home, &plan, split, &position, &want, &cx)
                .unwrap()
                .into_iter()
                .flat_map(|(b, _)| values(&rows_of(b), "n"))
                .collect();
            assert_eq!(rest, whole[before..], "{path} after {before}");
        }
    }
}

#[test]
fn batches_have_the_size_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    // One value in a dictionary makes each row look like a byte.
    let wide = "x".repeat(10_000);
    let column: ArrayRef = Arc::new(StringArray::from(vec![wide.as_str(); 20_000]));
    let batch = RecordBatch::try_from_iter([("s", column)]).unwrap();
    parquet(&folder.path().join("a.parquet"), &batch, 20_000);
    let home = home(folder.path(), json!({"path": "a.parquet"}));
    let plan = plan(&home).unwrap();
    let steps = steps(&home, &plan, &want(4 << 20), &Context::inline()).unwrap();
    let rows: u64 = steps.iter().map(|(_, b, _)| b.rows()).sum();
    assert_eq!(rows, 20_000);
    for (_, batch, _) in &steps {
        assert!(batch.memory() < 16 << 20, "{}", batch.memory());
    }
    assert!(steps.len() < 120, "{}", steps.len());
}

#[test]
fn small_files_share_a_split_and_large_ones_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..50_i64 {
        parquet(
            &folder.path().join(format!("in/{n:02}.parquet")),
            &numbers("n", [Some(n)]),
            10,
        );
    }
    let small = home(folder.path(), json!({"path": "in"}));
    let planned = plan(&small).unwrap();
    assert_eq!(planned.splits.len(), 1);
    assert_eq!(planned.splits[0].rows, Some(50));
    assert_eq!(
        values(&read_all(&small).unwrap(), "n"),
        (0..50).map(Some).collect::<Vec<_>>()
    );

    let all = numbers("n", (0..10_000).map(Some));
    parquet(&folder.path().join("large.parquet"), &all, 1_000);
    let large = home(
        folder.path(),
        json!({"path": "large.parquet", "split_size": "16 KiB"}),
    );
    let planned = plan(&large).unwrap();
    assert!(planned.splits.len() > 2, "{}", planned.splits.len());
    assert_eq!(read_all(&large).unwrap(), all);
    let one = SplitRequest {
        max_splits: Some(1),
        ..SplitRequest::default()
    };
    let planned = block_on(large.splits(&one, &Context::inline())).unwrap();
    assert_eq!(planned.splits.len(), 1);
    assert_eq!(planned.splits[0].rows, Some(10_000));
}

#[test]
fn another_process_reads_a_split_from_its_data_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.csv"), "a,b\n1,x\n").unwrap();
    fs::write(folder.path().join("b.csv"), "a,c\n2.5,y\n").unwrap();
    let settings = json!({"path": "*.csv"});
    let text = serde_json::to_string(&plan(&home(folder.path(), settings.clone())).unwrap().splits)
        .unwrap();
    let other = home(folder.path(), settings);
    let splits: Vec<hygge_core::Split> = serde_json::from_str(&text).unwrap();
    let mut rows = 0;
    block_on(async {
        for split in &splits {
            let cx = Context::inline();
            let mut reader = other
                .open(split, &Position::start(), &want(100), &cx)
                .await
                .unwrap();
            while let Some(step) = reader.next().await.unwrap() {
                assert_eq!(step.batch.rows(), 1);
                rows += 1;
            }
        }
    });
    assert_eq!(rows, 2);
}

#[test]
fn files_are_found_where_a_person_expects() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for name in [
        "in/b/x.csv",
        "in/a.csv",
        "in/_SUCCESS",
        "in/.a.csv.tmp",
        "in/_old/y.csv",
        "in/readme.md",
    ] {
        fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
        fs::write(root.join(name), "n\n1\n").unwrap();
    }
    let names = |settings| -> Result<Vec<String>> {
        let found = block_on(home(root, settings).discover(&Context::inline()))?;
        Ok(found.into_iter().map(|f| f.name).collect())
    };
    assert_eq!(
        names(json!({"path": "in"})).unwrap(),
        ["in/a.csv", "in/b/x.csv"]
    );
    assert_eq!(names(json!({"path": "in/*.csv"})).unwrap(), ["in/a.csv"]);
    assert_eq!(
        names(json!({"path": "in/**/*.csv"})).unwrap(),
        ["in/a.csv", "in/b/x.csv"]
    );
    assert_eq!(
        names(json!({"path": "in/{a,c}.csv"})).unwrap(),
        ["in/a.csv"]
    );
    assert_eq!(
        names(json!({"path": "in/*.md", "format": "csv"})).unwrap(),
        ["in/readme.md"]
    );

    let fault = |settings| names(settings).unwrap_err();
    let missing = fault(json!({"path": "out/x.csv"}));
    assert_eq!(
        (missing.code.as_ref(), missing.message.as_str()),
        (code::SOURCE_MISSING, "out/x.csv doesn't exist")
    );
    let none = fault(json!({"path": "in/*.parquet"}));
    assert_eq!(
        (none.code.as_ref(), none.message.as_str()),
        (code::SOURCE_MISSING, "no files match in/*.parquet")
    );
    let other = fault(json!({"path": "in", "format": "parquet"}));
    assert_eq!(other.message, "no parquet files in in");
    assert!(other.advice.unwrap().contains("in/a.csv"));
    fs::write(root.join("in/c.ndjson"), "").unwrap();
    let mixed = fault(json!({"path": "in"}));
    assert!(mixed.message.contains("several formats: "), "{mixed}");
}

#[test]
fn a_file_that_changes_ends_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    let text: String = (0..1_000).map(|n| format!("{n}\n")).collect();
    fs::write(&path, format!("n\n{text}")).unwrap();
    let home = home(folder.path(), json!({"path": "a.csv"}));
    let planned = plan(&home).unwrap();
    let cx = Context::inline();
    block_on(async {
        let (want, start) = (want(100), Position::start());
        let open = || home.open(&planned.splits[0], &start, &want, &cx);
        let mut reader = open().await.unwrap();
        reader.next().await.unwrap();
        fs::write(&path, "n\n1\n").unwrap();
        let fault = loop {
            match reader.next().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the change wasn't noticed"),
                Err(fault) => break fault,
            }
        };
        assert_eq!(fault.code, code::SOURCE_CHANGED);
        assert_eq!(fault.message, "a.csv changed while it was being read");
        let fault = open().await.unwrap().next().await.unwrap_err();
        assert_eq!(fault.code, code::SOURCE_CHANGED);
        fs::remove_file(&path).unwrap();
        let fault = open().await.unwrap().next().await.unwrap_err();
        assert_eq!(fault.code, code::SOURCE_MISSING);
    });
    let again = plan(&home).unwrap_err();
    assert_eq!(again.code, code::SOURCE_MISSING);
}

#[derive(Debug, Default)]
pub(super) struct Heard(pub Mutex<Vec<String>>);

impl Notes for Heard {
    fn note(&self, _: Level, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

#[test]
fn row_groups_are_handed_on_as_they_are_stored() {
    let folder = tempfile::tempdir().unwrap();
    parquet(
        &folder.path().join("in/a.parquet"),
        &numbers("n", (0..100).map(Some)),
        40,
    );
    let small: ArrayRef = Arc::new(Int32Array::from(vec![7]));
    let other = RecordBatch::try_from_iter_with_nullable([("n", small, true)]).unwrap();
    let heard = Arc::new(Heard::default());
    let cx = Context {
        notes: Arc::clone(&heard) as Arc<dyn Notes>,
        ..Context::inline()
    };
    let want = Want {
        encoded: Some("parquet"),
        ..want(1 << 20)
    };
    let home = home(folder.path(), json!({"path": "in"}));
    let planned = plan(&home).unwrap();
    let groups: Vec<usize> = steps(&home, &planned, &want, &cx)
        .unwrap()
        .into_iter()
        .map(|(_, batch, _)| match batch {
            Batch::Encoded(encoded) => RowGroup::of(encoded.as_ref()).unwrap().index,
            Batch::Rows(_) => panic!("decoded"),
        })
        .collect();
    assert_eq!(groups, [0, 1, 2]);

    // A file whose type is narrower is decoded; the others aren't.
    parquet(&folder.path().join("in/b.parquet"), &other, 40);
    let planned = plan(&home).unwrap();
    let batches = steps(&home, &planned, &want, &cx).unwrap();
    assert_eq!(batches.len(), 4);
    assert!(matches!(&batches[3].1, Batch::Rows(rows) if values(rows, "n") == [Some(7)]));
    assert!(
        heard
            .0
            .lock()
            .unwrap()
            .iter()
            .any(|n| n.starts_with("in/b.parquet is decoded"))
    );
}

#[test]
fn schemas_widen_and_columns_may_miss() {
    let folder = tempfile::tempdir().unwrap();
    let one = RecordBatch::try_from_iter([
        ("id", Arc::new(Int32Array::from(vec![1, 2])) as ArrayRef),
        ("a", Arc::new(StringArray::from(vec!["x", "y"])) as ArrayRef),
    ])
    .unwrap();
    let two = RecordBatch::try_from_iter([
        ("b", Arc::new(Int32Array::from(vec![5])) as ArrayRef),
        ("id", Arc::new(Int64Array::from(vec![1 << 40])) as ArrayRef),
    ])
    .unwrap();
    parquet(&folder.path().join("in/1.parquet"), &one, 10);
    parquet(&folder.path().join("in/2.parquet"), &two, 10);
    let batch = read_all(&home(folder.path(), json!({"path": "in"}))).unwrap();
    assert_eq!(values(&batch, "id"), [Some(1), Some(2), Some(1 << 40)]);
    let b = batch
        .column_by_name("b")
        .unwrap()
        .as_primitive::<Int32Type>();
    assert_eq!(b.iter().collect::<Vec<_>>(), [None, None, Some(5)]);
    let schema = batch.schema();
    let nullable: Vec<(&str, bool)> = schema
        .fields()
        .iter()
        .map(|f| (f.name().as_str(), f.is_nullable()))
        .collect();
    assert_eq!(nullable, [("id", false), ("a", true), ("b", true)]);

    let three =
        RecordBatch::try_from_iter([("id", Arc::new(StringArray::from(vec!["z"])) as ArrayRef)])
            .unwrap();
    parquet(&folder.path().join("in/3.parquet"), &three, 10);
    let fault: Fault = plan(&home(folder.path(), json!({"path": "in"}))).unwrap_err();
    assert_eq!(fault.code, code::SCHEMA);
    assert_eq!(
        fault.message,
        "column \"id\" is int64 in in/2.parquet, but string in in/3.parquet"
    );
}

#[test]
fn many_small_files_make_few_batches() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("in")).unwrap();
    for n in 0..1_000 {
        fs::write(
            folder.path().join(format!("in/{n:04}.csv")),
            format!("n\n{n}\n"),
        )
        .unwrap();
    }
    let home = home(folder.path(), json!({"path": "in"}));
    let planned = plan(&home).unwrap();
    let steps = steps(&home, &planned, &want(1 << 20), &Context::inline()).unwrap();
    assert!(steps.len() < 10, "{}", steps.len());
    let read: Vec<Option<i64>> = steps
        .into_iter()
        .flat_map(|(_, b, _)| values(&rows_of(b), "n"))
        .collect();
    assert_eq!(read, (0..1_000).map(Some).collect::<Vec<_>>());
}

#[test]
fn folder_names_become_columns_that_files_lack() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for (name, text) in [
        ("in/y=2013/who=a%2Fb/1.csv", "n\n1\n2\n"),
        ("in/y=2014/who=__HIVE_DEFAULT_PARTITION__/1.csv", "n\n3\n"),
    ] {
        fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
        fs::write(root.join(name), text).unwrap();
    }
    let batch = read_all(&home(root, json!({"path": "in"}))).unwrap();
    assert_eq!(values(&batch, "y"), [Some(2013), Some(2013), Some(2014)]);
    let who: Vec<Option<&str>> = batch.column(2).as_string::<i32>().iter().collect();
    assert_eq!(who, [Some("a/b"), Some("a/b"), None]);

    // Only what lies below the path that was asked for counts.
    let batch = read_all(&home(root, json!({"path": "in/y=2013/*/1.csv"}))).unwrap();
    let names: Vec<String> = batch
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .collect();
    assert_eq!(names, ["n", "who"]);
    let declared = json!({"path": "in/y=*/**/*.csv", "schema": {"y": "string"}});
    let batch = read_all(&home(root, declared)).unwrap();
    assert_eq!(batch.column(1).as_string::<i32>().value(2), "2014");

    fs::create_dir_all(root.join("lines/y=2013")).unwrap();
    fs::write(root.join("lines/y=2013/1.ndjson"), "{\"n\": 1}\n").unwrap();
    let batch = read_all(&home(root, json!({"path": "lines"}))).unwrap();
    assert_eq!(values(&batch, "y"), [Some(2013)]);

    // A column that the file holds is the file's.
    let all = numbers("y", [Some(7)]);
    parquet(&root.join("lake/y=2013/1.parquet"), &all, 10);
    assert_eq!(read_all(&home(root, json!({"path": "lake"}))).unwrap(), all);
}
