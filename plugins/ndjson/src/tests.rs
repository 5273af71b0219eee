use std::fs;
use std::path::Path;
use std::sync::Arc;

use hygge_sdk::arrow_array::{ArrayRef, Int64Array};
use hygge_sdk::{RecordBatch, Writer};
use serde_json::json;

use super::*;

fn store(root: &Path) -> Ndjson {
    serde_json::from_value(json!({"path": root.join("out").to_str().unwrap()})).unwrap()
}

fn batch(numbers: &[Option<i64>]) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from(numbers.to_vec()));
    RecordBatch::try_from_iter_with_nullable([("n", column, true)]).unwrap()
}

fn target(run: &str, action: &str, memory: Option<Vec<u8>>) -> Target {
    Target {
        run: run.to_owned(),
        entity: Entity {
            flow: "flow".to_owned(),
            name: "a/b".to_owned(),
        },
        schema: batch(&[]).schema(),
        action: action.to_owned(),
        key: Vec::new(),
        latest_by: None,
        memory,
        attributes: Vec::new(),
    }
}

fn stage(
    store: &Ndjson,
    target: &Target,
    splits: &[&[Option<i64>]],
) -> (CommitRecord, Vec<Receipt>) {
    let begun = store.begin(target).unwrap();
    let mut receipts = Vec::new();
    for (at, rows) in splits.iter().enumerate() {
        let split = format!("s{at}");
        // An attempt that dies leaves half a file, which nobody may ever see.
        let mut dead = store.open_writer(target, &begun, &split, 1).unwrap();
        dead.write(batch(&[Some(-1)])).unwrap();
        drop(dead);
        let mut writer = store.open_writer(target, &begun, &split, 2).unwrap();
        writer.write(batch(rows)).unwrap();
        let staged = writer.finish().unwrap();
        receipts.push(Receipt {
            split,
            attempt: 2,
            rows: rows.len() as u64,
            bytes: staged.bytes,
            data: staged.data,
            attributes: Vec::new(),
        });
    }
    let record = CommitRecord {
        run: target.run.clone(),
        entity: target.entity.clone(),
        action: target.action.clone(),
        key: Vec::new(),
        begun,
        attributes: Vec::new(),
    };
    (record, receipts)
}

/// All lines of the destination, by file name, and that there is nothing else.
fn lines(root: &Path) -> Vec<String> {
    let mut files: Vec<_> = fs::read_dir(root.join("out"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.sort();
    files
        .iter()
        .filter(|path| path.is_file())
        .flat_map(|path| {
            fs::read_to_string(path)
                .unwrap()
                .lines()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn nothing_is_seen_before_the_commit_and_all_of_it_after() {
    let root = tempfile::tempdir().unwrap();
    let store = store(root.path());
    let first = target("r1", "replace", None);
    let (record, receipts) = stage(&store, &first, &[&[Some(1), None], &[], &[Some(3)]]);
    assert_eq!(lines(root.path()), Vec::<String>::new());
    let settled = store.commit(&record, &receipts).unwrap();
    assert_eq!(lines(root.path()), ["{\"n\":1}", "{}", "{\"n\":3}"]);
    assert_eq!(settled.parts, 2);
    store.cleanup(&first.entity, &["r1".to_owned()]).unwrap();
    assert_eq!(lines(root.path()).len(), 3);
    assert!(!root.path().join("out/.hygge-staging").exists());
}

#[test]
fn a_commit_that_was_killed_anywhere_ends_the_same() {
    for killed_after in 0..4 {
        let root = tempfile::tempdir().unwrap();
        let store = store(root.path());
        let (record, receipts) = stage(&store, &target("r1", "replace", None), &[&[Some(1)]]);
        let memory = store.commit(&record, &receipts).unwrap().memory;
        let (record, receipts) = stage(
            &store,
            &target("r2", "replace", memory.clone()),
            &[&[Some(2)], &[Some(3)]],
        );
        // What a killed commit had done by then: some renames, then some removals.
        let folder = store.folder().unwrap();
        let staged = staging(&record.entity, "r2");
        if killed_after > 0 {
            folder.publish(&staged, "r2-s0-2.ndjson").unwrap();
        }
        if killed_after > 1 {
            folder.publish(&staged, "r2-s1-2.ndjson").unwrap();
        }
        if killed_after > 2 {
            folder.remove("r1-s0-2.ndjson").unwrap();
        }
        let settled = store.commit(&record, &receipts).unwrap();
        store.cleanup(&record.entity, &["r2".to_owned()]).unwrap();
        assert_eq!(store.commit(&record, &receipts).unwrap(), settled);
        assert_eq!(
            lines(root.path()),
            ["{\"n\":2}", "{\"n\":3}"],
            "killed after {killed_after}"
        );
    }
}

#[test]
fn an_append_keeps_what_is_there() {
    let root = tempfile::tempdir().unwrap();
    let store = store(root.path());
    let (record, receipts) = stage(&store, &target("r1", "replace", None), &[&[Some(1)]]);
    let memory = store.commit(&record, &receipts).unwrap().memory;
    let (record, receipts) = stage(&store, &target("r2", "append", memory), &[&[Some(2)]]);
    let settled = store.commit(&record, &receipts).unwrap();
    assert_eq!(lines(root.path()), ["{\"n\":1}", "{\"n\":2}"]);
    assert_eq!(
        store
            .inspect(&record.entity, settled.memory.as_deref())
            .unwrap(),
        Standing::Ours
    );
}

#[test]
fn cleaning_up_touches_no_other_run_and_nothing_committed() {
    let root = tempfile::tempdir().unwrap();
    let store = store(root.path());
    stage(&store, &target("dead", "replace", None), &[&[Some(9)]]);
    let (record, receipts) = stage(&store, &target("live", "replace", None), &[&[Some(1)]]);
    let dead = ["dead".to_owned(), "never-was".to_owned()];
    store.cleanup(&record.entity, &dead).unwrap();
    store.cleanup(&record.entity, &dead).unwrap();
    store.commit(&record, &receipts).unwrap();
    assert_eq!(lines(root.path()), ["{\"n\":1}"]);
}

#[test]
fn what_others_wrote_is_refused() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("out")).unwrap();
    fs::write(root.path().join("out/theirs.txt"), "x").unwrap();
    let store = store(root.path());
    let fault = store.begin(&target("r1", "replace", None)).unwrap_err();
    assert_eq!(fault.code, code::DESTINATION_FOREIGN);
    let entity = target("r1", "replace", None).entity;
    let foreign = Standing::Foreign {
        example: "theirs.txt".to_owned(),
    };
    assert_eq!(store.inspect(&entity, None).unwrap(), foreign);
}

#[test]
fn nulls_can_be_written() {
    let root = tempfile::tempdir().unwrap();
    let store: Ndjson =
        serde_json::from_value(json!({"path": root.path().join("out"), "nulls": true})).unwrap();
    let (record, receipts) = stage(&store, &target("r1", "replace", None), &[&[None]]);
    store.commit(&record, &receipts).unwrap();
    assert_eq!(lines(root.path()), ["{\"n\":null}"]);
}
