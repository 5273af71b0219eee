//! What is remembered of a destination, and what an append may add to it.

use std::fs;
use std::sync::{Arc, Mutex};

use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use futures::executor::block_on;
use hygge_core::{
    Action, Batch, Context, EntityId, Fault, Level, Notes, Settled, SplitId, Standing, code,
};
use serde_json::json;

use super::memory::Memory;
use super::tests::{LAKE, Project, lake};

#[derive(Debug, Default)]
struct Said(Mutex<Vec<String>>);

impl Notes for Said {
    fn note(&self, _: Level, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

/// Runs with one batch of those columns; what was said comes along.
fn run(
    project: &mut Project,
    action: Action,
    columns: Vec<(&str, ArrayRef)>,
) -> Result<(Settled, Vec<String>), Fault> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let said = Arc::new(Said::default());
    let cx = Context {
        notes: said.clone(),
        ..Context::inline()
    };
    let mut target = project.target(action);
    target.schema = batch.schema();
    let store = project.store();
    let record = block_on(async {
        target.begun = store.begin(&target, &cx).await?;
        let mut writer = store.open_writer(&target, &SplitId::nth(0), 1, &cx).await?;
        writer.write(Batch::Rows(batch)).await?;
        let receipts = vec![writer.finish().await?];
        let receipts = store.prepare(&target, receipts, &cx).await?;
        Ok(Project::record(target, receipts))
    })?;
    drop(store);
    let settled = project.commit(&record)?;
    project.clean();
    let said = said.0.lock().unwrap().clone();
    Ok((settled, said))
}

fn ints(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn shorts(values: &[i32]) -> ArrayRef {
    Arc::new(Int32Array::from(values.to_vec()))
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

#[test]
fn an_append_of_other_types_is_refused() {
    for format in ["parquet", "arrow", "ndjson"] {
        let mut project = Project::new(json!({"path": "out/", "format": format}));
        let both = vec![("id", ints(&[1])), ("a", ints(&[1]))];
        run(&mut project, Action::Replace, both).unwrap();
        // The newest file doesn't hold the column that clashes.
        run(&mut project, Action::Append, vec![("id", ints(&[2]))]).unwrap();
        let clash = vec![("id", ints(&[3])), ("a", texts(&["x"]))];
        let refused = run(&mut project, Action::Append, clash).unwrap_err();
        assert_eq!(refused.code, code::SCHEMA);
        assert_eq!(
            refused.message,
            "column \"a\" is int64 in out/, but string in the source"
        );
        assert!(refused.advice.unwrap().contains("--full"));
        assert_eq!(project.files("out").len(), 2, "nothing was written");
        // What widens and what is new joins.
        let more = vec![("id", shorts(&[3])), ("b", texts(&["x"]))];
        run(&mut project, Action::Append, more).unwrap();
        // A full run begins anew.
        let anew = vec![("a", texts(&["x"]))];
        run(&mut project, Action::Replace, anew.clone()).unwrap();
        run(&mut project, Action::Append, anew).unwrap();
    }
}

#[test]
fn types_that_are_not_remembered_are_asked_of_the_files() {
    let mut project = lake();
    run(&mut project, Action::Replace, vec![("id", ints(&[1]))]).unwrap();
    project.edit(|memory| memory.columns = None);
    let clash = vec![("id", texts(&["x"]))];
    let refused = run(&mut project, Action::Append, clash.clone()).unwrap_err();
    assert_eq!(
        refused.message,
        "column \"id\" is int64 in data/my läke/, but string in the source"
    );
    // Lost altogether, the files are taken back by their mark, and asked as well.
    project.forget();
    assert!(run(&mut project, Action::Append, clash).is_err());
    run(&mut project, Action::Append, vec![("id", ints(&[2]))]).unwrap();
    assert_eq!(project.standing(), Standing::Ours);
}

#[test]
fn text_takes_other_types_and_says_so() {
    let mut project = Project::new(json!({"path": "out/", "format": "csv"}));
    run(&mut project, Action::Replace, vec![("id", ints(&[1]))]).unwrap();
    let (_, said) = run(&mut project, Action::Append, vec![("id", texts(&["x"]))]).unwrap();
    assert_eq!(
        said,
        ["column \"id\" is int64 in out/, but string in the source, and is text to readers"]
    );
}

#[test]
fn columns_are_known_as_long_as_anything_stands() {
    let columns = |project: &Project, entity: &EntityId| {
        let cx = Context::inline();
        let store = project.store();
        let memory = project.memory();
        let found = block_on(store.columns(entity, memory.as_deref(), &cx)).unwrap();
        found.map(|schema| schema.fields().len())
    };
    let entity = EntityId::new("flow", "entity");
    for (path, format) in [("out/", "parquet"), ("x.arrow", "arrow"), ("x.csv", "csv")] {
        let mut project = Project::new(json!({"path": path, "format": format}));
        assert_eq!(columns(&project, &entity), None);
        let two = vec![("id", ints(&[1])), ("a", ints(&[1]))];
        run(&mut project, Action::Replace, two).unwrap();
        assert_eq!(columns(&project, &entity), Some(2));
        project.forget();
        let marked = (format != "csv").then_some(2);
        assert_eq!(columns(&project, &entity), marked);
        let other = EntityId::new("flow", "other");
        assert_eq!(columns(&project, &other), None);
    }
}

#[test]
fn a_single_file_carries_the_mark_too() {
    for path in ["x.parquet", "x.arrow"] {
        let mut project = Project::new(json!({"path": path}));
        run(&mut project, Action::Replace, vec![("id", ints(&[1]))]).unwrap();
        project.forget();
        assert!(matches!(project.standing(), Standing::Marked { .. }));
        run(&mut project, Action::Replace, vec![("id", ints(&[2]))]).unwrap();
    }
}

#[test]
fn text_may_be_the_entitys_own_when_nothing_is_remembered() {
    for format in ["csv", "ndjson"] {
        let mut project = Project::new(json!({"path": "out/", "format": format}));
        run(&mut project, Action::Replace, vec![("id", ints(&[1]))]).unwrap();
        project.forget();
        let refused = run(&mut project, Action::Replace, vec![("id", ints(&[2]))]).unwrap_err();
        assert_eq!(refused.code, code::DESTINATION_FOREIGN);
        let message = &refused.message;
        assert!(
            message.ends_with(
                " was not written by hygge for flow.entity, or the state of flow.entity was lost"
            ),
            "{message}"
        );
        assert!(refused.advice.unwrap().contains("`hygge state set`"));
        project.settings["adopt"] = json!(true);
        run(&mut project, Action::Append, vec![("id", ints(&[2]))]).unwrap();
        assert_eq!(project.files("out").len(), 2);
    }
}

#[test]
fn files_that_are_gone_and_files_that_are_elsewhere_are_told_apart() {
    let mut project = lake();
    project
        .run(Action::Replace, &[&[1], &[2], &[3], &[4]])
        .unwrap();
    let lake = project.root().join(LAKE);
    let (said, mut left) = (
        |project: &mut Project| {
            let row = project.row();
            run(project, Action::Append, row).unwrap().1
        },
        project.files(LAKE),
    );
    let mut remove = |count: usize| {
        for file in left.drain(..count) {
            fs::remove_file(lake.join(file)).unwrap();
        }
    };
    remove(1);
    let [one] = said(&mut project).try_into().unwrap();
    assert!(
        one.ends_with(".parquet, written by an earlier run, is gone"),
        "{one}"
    );
    remove(3);
    let [three] = said(&mut project).try_into().unwrap();
    assert!(
        three.ends_with(".parquet and 2 other files, written by earlier runs, are gone"),
        "{three}"
    );
    assert!(said(&mut project).is_empty(), "once");

    project.settings["path"] = json!("elsewhere/");
    let row = project.row();
    assert_eq!(
        said(&mut project),
        ["rows of earlier runs stay in data/my läke/; only new ones come here"]
    );
    project.settings["path"] = json!("third/");
    assert!(
        run(&mut project, Action::Replace, row)
            .unwrap()
            .1
            .is_empty()
    );
    // Another way to write the same place is no move.
    project.settings["path"] = json!("./third");
    assert!(said(&mut project).is_empty());
}

impl Project {
    fn row(&self) -> Vec<(&'static str, ArrayRef)> {
        vec![("id", ints(&[9])), ("name", texts(&["x"]))]
    }

    fn edit(&mut self, edit: impl FnOnce(&mut Memory)) {
        let mut memory = Memory::decode(&self.memory().unwrap()).unwrap();
        edit(&mut memory);
        self.remember(Some(memory.encode().unwrap()));
    }

    fn forget(&mut self) {
        self.remember(None);
    }
}
