//! What others see of a swap: readers that are listing, and runs that write to the same place.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use futures::executor::block_on;
use hygge_core::{Action, Context, code};
use serde_json::json;

use super::replaced;
use super::tests::{LAKE, Project, ids, lake};

/// What was replaced and still stands.
fn kept(project: &Project) -> Vec<PathBuf> {
    let staging = project.root().join(".hygge/staging/replaced");
    let Ok(entries) = fs::read_dir(staging) else {
        return Vec::new();
    };
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn names(folder: fs::ReadDir) -> BTreeSet<PathBuf> {
    let names = folder.map(|entry| PathBuf::from(entry.unwrap().file_name()));
    names.collect()
}

#[test]
fn a_listing_under_way_sees_all_of_the_old_set() {
    let mut project = lake();
    project
        .run(Action::Replace, &[&[1], &[2], &[3], &[4]])
        .unwrap();
    assert!(kept(&project).is_empty(), "nothing was replaced yet");
    let lake = project.root().join(LAKE);
    let before = names(fs::read_dir(&lake).unwrap());
    let record = project.stage(Action::Replace, &[&[5]]).unwrap();
    let listing = fs::read_dir(&lake).unwrap();
    project.commit(&record).unwrap();
    project.clean();
    assert_eq!(names(listing), before);
    // Doing it again changes nothing.
    project.commit(&record).unwrap();
    project.clean();
    let [old] = kept(&project).try_into().unwrap();
    assert_eq!(ids(&old), [1, 2, 3, 4]);
    assert_eq!(ids(&lake), [5]);

    // A cleanup later on, such as that of the next run, removes it.
    let then = SystemTime::now() - replaced::GRACE - Duration::from_secs(2);
    let then = then.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let name = format!("{}.older", then.as_secs());
    fs::rename(&old, old.with_file_name(name)).unwrap();
    project.clean();
    assert!(!project.root().join(".hygge/staging").exists());
    assert_eq!(ids(&lake), [5]);
}

#[test]
fn the_old_set_goes_at_once_where_that_is_asked_for() {
    let mut project = lake();
    project.settings["keep_replaced"] = json!(false);
    project.run(Action::Replace, &[&[1]]).unwrap();
    project.run(Action::Replace, &[&[2]]).unwrap();
    assert!(!project.root().join(".hygge/staging").exists());
}

/// Two projects whose entities have the same name, and which write to one folder.
fn two(path: &Path) -> [Project; 2] {
    let settings = json!({"path": path, "format": "parquet", "adopt": true});
    let [one, mut other] = [(), ()].map(|()| Project::new(settings.clone()));
    // So that their runs have different names.
    other.target(Action::Replace);
    [one, other]
}

#[test]
fn only_one_of_two_projects_writes_to_a_place_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    let [mut one, mut other] = two(&lake);
    one.run(Action::Replace, &[&[1]]).unwrap();
    for action in [Action::Replace, Action::Append] {
        let (store, cx) = (one.store(), Context::inline());
        let mut target = one.target(action);
        target.begun = block_on(store.begin(&target, &cx)).unwrap();
        let refused = other.stage(Action::Replace, &[&[2]]).unwrap_err();
        assert_eq!(refused.code, code::LOCKED);
        let own = format!(
            "another run is writing to {} (process {})",
            lake.display(),
            std::process::id()
        );
        assert!(
            refused.message == own || !Path::new("/proc/locks").exists(),
            "{refused:?}"
        );
        drop(store);
        other.run(Action::Replace, &[&[2]]).unwrap();
        assert_eq!(ids(&lake), [2]);
    }
}

#[test]
fn whoever_commits_keeps_others_out_also_after_the_swap() {
    let folder = tempfile::tempdir().unwrap();
    for path in ["lake", "lake.parquet"] {
        let path = folder.path().join(path);
        let [mut one, mut other] = two(&path);
        let late = other.stage(Action::Replace, &[&[2]]).unwrap();
        let record = one.stage(Action::Replace, &[&[1]]).unwrap();
        let (store, cx) = (one.store(), Context::inline());
        block_on(store.commit(&record, &cx)).unwrap();
        let refused = block_on(other.store().commit(&late, &cx)).unwrap_err();
        assert_eq!(refused.code, code::LOCKED, "{}", path.display());
    }
}

#[test]
fn whoever_began_when_nothing_stood_there_does_not_replace_what_came() {
    let folder = tempfile::tempdir().unwrap();
    for path in ["lake", "lake.parquet"] {
        let path = folder.path().join(path);
        let [mut one, mut other] = two(&path);
        for project in [&mut one, &mut other] {
            project.settings["adopt"] = json!(false);
        }
        let late = other.stage(Action::Replace, &[&[2]]).unwrap();
        one.run(Action::Replace, &[&[1]]).unwrap();
        let refused = other.commit(&late).unwrap_err();
        assert_eq!(refused.code, code::DESTINATION_FOREIGN);
        assert!(refused.message.contains("holds up its commit"));
        // Moved away, the commit is finished.
        fs::rename(&path, folder.path().join("moved")).unwrap();
        other.commit(&late).unwrap();
        fs::remove_dir_all(folder.path().join("moved")).ok();
        fs::remove_file(folder.path().join("moved")).ok();
    }
}
