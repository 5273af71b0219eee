//! An append whose rows have other columns than the files that stand.

use std::fs::{self, File};
use std::sync::{Arc, Mutex};

use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, StringViewArray};
use arrow_schema::SchemaRef;
use futures::executor::block_on;
use hygge_core::{Action, Batch, Context, Level, Notes, SplitId, type_name};
use serde_json::json;

use super::tests::Project;
use crate::parquet::{RowGroup, Source};

#[derive(Debug, Default)]
struct Warnings(Mutex<Vec<String>>);

impl Notes for Warnings {
    fn note(&self, level: Level, text: &str) {
        if level == Level::Warning {
            self.0.lock().unwrap().push(text.to_owned());
        }
    }
}

/// Runs with some batches of the same columns, and gives the warnings.
fn run(
    project: &mut Project,
    action: Action,
    rows: &RecordBatch,
    batches: Vec<Batch>,
) -> Vec<String> {
    let said = Arc::new(Warnings::default());
    let cx = Context {
        notes: said.clone(),
        ..Context::inline()
    };
    let mut target = project.target(action);
    target.schema = rows.schema();
    let store = project.store();
    let record = block_on(async {
        target.begun = store.begin(&target, &cx).await.unwrap();
        let split = SplitId::nth(0);
        let mut writer = store.open_writer(&target, &split, 1, &cx).await.unwrap();
        for batch in batches {
            writer.write(batch).await.unwrap();
        }
        let receipts = vec![writer.finish().await.unwrap()];
        let receipts = store.prepare(&target, receipts, &cx).await.unwrap();
        Project::record(target, receipts)
    });
    drop(store);
    project.commit(&record).unwrap();
    project.clean();
    said.0.lock().unwrap().clone()
}

fn rows(project: &mut Project, action: Action, columns: Vec<(&str, ArrayRef)>) -> Vec<String> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    run(project, action, &batch.clone(), vec![Batch::Rows(batch)])
}

fn long(value: i64) -> ArrayRef {
    Arc::new(Int64Array::from(vec![value]))
}

fn short(value: i32) -> ArrayRef {
    Arc::new(Int32Array::from(vec![value]))
}

fn text(value: &str) -> ArrayRef {
    Arc::new(StringArray::from(vec![value]))
}

/// The files' text, in order.
fn texts(project: &Project) -> Vec<String> {
    let files = project.files("out").into_iter();
    let read = |file| fs::read_to_string(project.root().join("out").join(file)).unwrap();
    files.map(read).collect()
}

/// Each file's columns and types.
fn columns(project: &Project) -> Vec<String> {
    let files = project.files("out").into_iter();
    let look = |file| {
        let file = File::open(project.root().join("out").join(file)).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let fields = reader.schema().fields().iter();
        let shown = fields.map(|f| format!("{} {}", f.name(), type_name(f.data_type())));
        shown.collect::<Vec<_>>().join(", ")
    };
    files.map(look).collect()
}

#[test]
fn csv_keeps_the_order_of_columns_that_stands() {
    for header in [true, false] {
        let settings = json!({"path": "out/", "format": "csv", "header": header});
        let mut project = Project::new(settings);
        let first = vec![("i", long(1)), ("v", long(10)), ("w", text("a"))];
        rows(&mut project, Action::Replace, first);
        let moved = vec![("w", text("b")), ("i", long(2)), ("v", long(20))];
        assert!(rows(&mut project, Action::Append, moved).is_empty());
        let fewer = vec![("i", long(3)), ("w", text("c"))];
        rows(&mut project, Action::Append, fewer);
        // Also where types don't join, and where a column is new.
        let other = vec![("n", long(5)), ("w", text("d")), ("i", text("x"))];
        rows(&mut project, Action::Append, other);
        let head = |names: &str| match header {
            true => format!("{names}\n"),
            false => String::new(),
        };
        assert_eq!(
            texts(&project),
            [
                head("i,v,w") + "1,10,a\n",
                head("i,v,w") + "2,20,b\n",
                head("i,v,w") + "3,,c\n",
                head("i,v,w,n") + "x,,d,5\n",
            ]
        );
    }
}

#[test]
fn new_files_get_the_types_that_stand_where_these_hold_all_values() {
    let mut project = Project::new(json!({"path": "out/", "format": "parquet"}));
    let first = vec![("id", long(1)), ("a", text("x"))];
    rows(&mut project, Action::Replace, first);
    assert!(rows(&mut project, Action::Append, vec![("id", short(2))]).is_empty());
    assert_eq!(columns(&project), ["id int64, a string"; 2]);
    let new = vec![("b", short(1)), ("id", long(3)), ("a", text("y"))];
    let said = rows(&mut project, Action::Append, new.clone());
    assert!(
        said[0].starts_with("column \"b\" is new: earlier files in out/"),
        "{said:?}"
    );
    assert!(rows(&mut project, Action::Append, new).is_empty(), "once");
    let wider = vec![("b", long(1)), ("id", long(3)), ("a", text("y"))];
    let said = rows(&mut project, Action::Append, wider);
    assert!(
        said[0].starts_with("column \"b\" becomes int64, from int32: "),
        "{said:?}"
    );
}

/// A row group as a Home hands it on, with columns of `schema`.
fn stored(project: &Project, batch: &RecordBatch, schema: SchemaRef) -> Batch {
    let path = project.root().join("in.parquet");
    let mut writer =
        ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    let file = File::open(&path).unwrap();
    let footer = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).unwrap();
    let source = Arc::new(Source {
        path,
        file,
        metadata: Arc::clone(footer.metadata()),
        schema,
    });
    Batch::Encoded(Arc::new(RowGroup { source, index: 0 }))
}

#[test]
fn stored_row_groups_of_another_type_are_brought_in_line_too() {
    let mut project = Project::new(json!({"path": "out/", "format": "parquet"}));
    rows(
        &mut project,
        Action::Replace,
        vec![("id", long(1)), ("a", text("x"))],
    );
    let batch = RecordBatch::try_from_iter([("id", short(2))]).unwrap();
    let group = stored(&project, &batch, batch.schema());
    run(&mut project, Action::Append, &batch, vec![group]);
    assert_eq!(columns(&project), ["id int64, a string"; 2]);
}

#[test]
fn a_source_with_views_can_be_encoded_anew() {
    for more in [json!({"rewrite": true}), json!({"compression": "gzip"})] {
        let mut settings = json!({"path": "out/", "format": "parquet"});
        let more = more.as_object().unwrap().clone();
        settings.as_object_mut().unwrap().extend(more);
        let mut project = Project::new(settings);
        let views: ArrayRef = Arc::new(StringViewArray::from(vec!["a text of more than twelve"]));
        let batch = RecordBatch::try_from_iter([("s", views)]).unwrap();
        // The Home says plain strings.
        let plain = RecordBatch::try_from_iter([("s", text(""))]).unwrap();
        let group = stored(&project, &batch, plain.schema());
        run(&mut project, Action::Replace, &plain, vec![group]);
        assert_eq!(columns(&project), ["s string"]);
    }
}
