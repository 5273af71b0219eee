//! What is staged may go away, and projects are moved and copied: no commit does half of what
//! it should, or does it elsewhere.

use std::fs;
use std::path::Path;

use futures::executor::block_on;
use hygge_core::{
    Action, Batch, BuildContext, CommitRecord, Context, Fault, Settings, SplitId, StoreKind as _,
    code,
};
use serde_json::json;

use super::FileStoreKind;
use super::tests::{LAKE, Project, batch, ids, lake};

/// Removes the staged file of a split.
fn lose(project: &Project, split: usize) {
    let split = format!("/{}-1/", SplitId::nth(split).0);
    let staged = project.staged();
    let of_it = |path: &&std::path::PathBuf| path.to_string_lossy().contains(&split);
    let path = staged.iter().find(of_it).unwrap();
    fs::remove_file(project.root().join(".hygge/staging").join(path)).unwrap();
}

#[test]
fn an_append_that_can_not_be_finished_shows_none_of_its_rows() {
    let mut project = lake();
    project.run(Action::Replace, &[&[1]]).unwrap();
    let record = project.stage(Action::Append, &[&[2], &[3], &[4]]).unwrap();
    lose(&project, 1);
    let lost = project.commit(&record).unwrap_err();
    assert_eq!(lost.code, code::COMMIT_LOST);
    assert!(lost.advice.unwrap().contains("--full"));
    assert_eq!(ids(&project.root().join(LAKE)), [1]);
}

#[test]
fn a_merge_whose_kept_file_is_gone_is_lost_too() {
    let mut project = lake();
    project.run(Action::Replace, &[&[1], &[2]]).unwrap();
    let store = project.store();
    let mut target = project.target(Action::Upsert);
    target.key = vec!["id".into()];
    let cx = Context::inline();
    let receipts = block_on(async {
        target.begun = store.begin(&target, &cx).await?;
        let mut writer = store.open_writer(&target, &SplitId::nth(0), 1, &cx).await?;
        writer.write(Batch::Rows(batch(&[2]))).await?;
        let receipt = writer.finish().await?;
        store.prepare(&target, vec![receipt], &cx).await
    });
    let record = Project::record(target, receipts.unwrap());
    drop(store);
    let kept = &project.files(LAKE)[0];
    fs::remove_file(project.root().join(LAKE).join(kept)).unwrap();
    let lost = project.commit(&record).unwrap_err();
    assert_eq!(lost.code, code::COMMIT_LOST);
    assert_eq!(ids(&project.root().join(LAKE)), [2]);
}

#[test]
fn receipts_without_their_data_are_not_kept_and_nothing_is_decided_on_them() {
    let mut project = lake();
    let store = project.store();
    let mut target = project.target(Action::Replace);
    let cx = Context::inline();
    let receipts = block_on(async {
        target.begun = store.begin(&target, &cx).await?;
        let mut receipts = Vec::new();
        for split in 0..3 {
            let split = SplitId::nth(split);
            let mut writer = store.open_writer(&target, &split, 1, &cx).await?;
            writer.write(Batch::Rows(batch(&[1]))).await?;
            receipts.push(writer.finish().await?);
        }
        Ok::<_, Fault>(receipts)
    })
    .unwrap();
    let there = |receipts| block_on(store.still_staged(&target, receipts, &cx)).unwrap();
    assert_eq!(there(receipts.clone()), receipts);
    lose(&project, 1);
    assert_eq!(
        there(receipts.clone()),
        [receipts[0].clone(), receipts[2].clone()]
    );
    let refused = block_on(store.prepare(&target, receipts.clone(), &cx)).unwrap_err();
    assert!(refused.message.contains("is gone from where it was staged"));
    // The whole staging folder.
    fs::remove_dir_all(project.root().join(".hygge/staging")).unwrap();
    assert_eq!(there(receipts), []);
}

#[test]
fn what_a_lost_commit_built_is_not_in_the_run_that_goes_on() {
    let mut project = lake();
    project.run(Action::Replace, &[&[1]]).unwrap();
    let record = project.stage(Action::Replace, &[&[2], &[3]]).unwrap();
    lose(&project, 1);
    project.commit(&record).unwrap_err();
    // The same run once more, with other rows in fewer splits.
    let mut target = project.target(Action::Replace);
    target.run = record.run.clone();
    let store = project.store();
    let cx = Context::inline();
    let receipts = block_on(async {
        target.begun = store.begin(&target, &cx).await?;
        let split = SplitId("other".into());
        let mut writer = store.open_writer(&target, &split, 2, &cx).await?;
        writer.write(Batch::Rows(batch(&[4]))).await?;
        let receipt = writer.finish().await?;
        store.prepare(&target, vec![receipt], &cx).await
    });
    let record = Project::record(target, receipts.unwrap());
    drop(store);
    project.commit(&record).unwrap();
    assert_eq!(ids(&project.root().join(LAKE)), [4]);
}

#[test]
fn a_file_of_the_same_size_is_not_taken_for_the_one_that_is_lost() {
    let mut project = Project::new(json!({"path": "out.csv"}));
    project.run(Action::Replace, &[&[1, 2, 3]]).unwrap();
    let record = project.stage(Action::Replace, &[&[4, 5, 6]]).unwrap();
    fs::remove_dir_all(project.root().join(".hygge/staging")).unwrap();
    let lost = project.commit(&record).unwrap_err();
    assert_eq!(lost.code, code::COMMIT_LOST);
    let text = fs::read_to_string(project.root().join("out.csv")).unwrap();
    assert!(text.contains("n 1") && !text.contains("n 4"), "{text}");
}

/// Commits a record in another folder than that of the project that staged it.
fn commit_in(root: &Path, record: &CommitRecord, settings: serde_json::Value) -> Result<(), Fault> {
    let place = BuildContext {
        root: root.to_owned(),
        work: root.join(".hygge"),
        entity: None,
        run: None,
    };
    let store = FileStoreKind::new(None).build(&Settings::new(settings, []), &place)?;
    block_on(store.commit(record, &Context::inline())).map(drop)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn a_copied_project_finishes_in_its_own_place() {
    for action in [Action::Replace, Action::Append] {
        let mut project = lake();
        project.run(Action::Replace, &[&[1]]).unwrap();
        let record = project.stage(action, &[&[2], &[3]]).unwrap();
        let other = tempfile::tempdir().unwrap();
        let root = other.path().join("copy");
        copy(project.root(), &root);
        commit_in(&root, &record, project.settings.clone()).unwrap();
        let expected: &[i64] = match action {
            Action::Append => &[1, 2, 3],
            _ => &[2, 3],
        };
        assert_eq!(ids(&root.join(LAKE)), expected);
        assert_eq!(ids(&project.root().join(LAKE)), [1]);
        project.commit(&record).unwrap();
        assert_eq!(ids(&project.root().join(LAKE)), expected);
    }
}

#[test]
fn a_commit_goes_nowhere_but_where_the_destination_is_now() {
    let mut project = Project::new(json!({"path": "p/../../lake-of-nobody", "format": "parquet"}));
    let outside = project.root().parent().unwrap().join("lake-of-nobody");
    let record = project.stage(Action::Replace, &[&[1]]).unwrap();
    let other = tempfile::tempdir().unwrap();
    let root = other.path().join("copy");
    copy(project.root(), &root);
    let refused = commit_in(&root, &record, project.settings.clone()).unwrap_err();
    assert_eq!(refused.code, code::COMMIT_LOST);
    assert!(refused.message.contains("the destination is"), "{refused}");
    assert!(!outside.exists() && !other.path().join("lake-of-nobody").exists());
}
