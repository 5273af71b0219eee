//! Destinations that hold what no run wrote, or are what no run can write to.

use std::fs;
use std::path::Path;

use futures::executor::block_on;
use hygge_core::{Action, Context, Standing, code};
use serde_json::json;

use super::tests::{LAKE, Project, ids, lake};
use super::*;

#[test]
fn foreign_files_are_refused_and_adopted() {
    let mut project = lake();
    project.run(Action::Replace, &[&[1]]).unwrap();
    let lake = project.root().join(LAKE);
    fs::write(lake.join("notes.txt"), "hi").unwrap();
    let Standing::Foreign { example, .. } = project.standing() else {
        panic!("{:?}", project.standing());
    };
    assert!(example.ends_with("data/my läke/notes.txt"), "{example}");
    for action in [Action::Replace, Action::Append] {
        let refused = project.stage(action, &[&[2]]).unwrap_err();
        assert_eq!(refused.code, code::DESTINATION_FOREIGN);
        assert!(refused.advice.unwrap().contains("adopt: true"));
    }
    project.settings["adopt"] = json!(true);
    project.run(Action::Append, &[&[2]]).unwrap();
    assert_eq!(project.files(LAKE).len(), 3);
    project.settings["adopt"] = json!(false);
    assert_eq!(project.standing(), Standing::Ours);
    project.run(Action::Replace, &[&[3]]).unwrap();
    assert_eq!(project.files(LAKE).len(), 1);
}

#[test]
fn a_foreign_file_that_comes_while_rows_move_stops_the_commit() {
    for action in [Action::Replace, Action::Append] {
        let mut project = lake();
        project.run(Action::Replace, &[&[1]]).unwrap();
        let record = project.stage(action, &[&[2]]).unwrap();
        let late = project.root().join(LAKE).join("late.txt");
        fs::write(&late, "hi").unwrap();
        let refused = project.commit(&record).unwrap_err();
        assert_eq!(refused.code, code::DESTINATION_FOREIGN);
        assert_eq!(project.files(LAKE).len(), 2);
        fs::remove_file(&late).unwrap();
        project.commit(&record).unwrap();
        assert!(ids(&project.root().join(LAKE)).contains(&2));
    }
}

#[test]
fn names_that_are_not_text_are_reported() {
    use std::os::unix::ffi::OsStrExt as _;
    let mut project = lake();
    let lake = project.root().join(LAKE);
    fs::create_dir_all(&lake).unwrap();
    fs::write(lake.join(std::ffi::OsStr::from_bytes(b"\xff")), "").unwrap();
    assert!(matches!(project.standing(), Standing::Foreign { .. }));
    assert!(project.stage(Action::Replace, &[&[1]]).is_err());
    project.settings["adopt"] = json!(true);
    let refused = project.stage(Action::Append, &[&[1]]).unwrap_err();
    assert!(refused.message.contains("can't be adopted"), "{refused:?}");
    project.run(Action::Replace, &[&[1]]).unwrap();
    assert_eq!(project.files(LAKE).len(), 1);
}

#[test]
fn lost_state_is_noticed_by_the_mark() {
    for format in ["parquet", "arrow"] {
        let mut project = Project::new(json!({"path": "out", "format": format}));
        project.run(Action::Replace, &[&[1]]).unwrap();
        let old = project.memory.clone();
        project.run(Action::Append, &[&[2]]).unwrap();
        project.memory = old;
        let refused = project.stage(Action::Append, &[&[3]]).unwrap_err();
        assert_eq!(refused.code, code::STATE_LOST);
        project.memory = None;
        assert_eq!(
            project.standing(),
            Standing::Marked {
                run: RunId::parse("20260101t000002z-aaaaaa")
            }
        );
        // What was recovered goes on.
        project.run(Action::Append, &[&[3]]).unwrap();
        assert_eq!(
            (project.standing(), project.files("out").len()),
            (Standing::Ours, 3)
        );
        project.memory = None;
        let (other, cx) = (EntityId::new("flow", "other"), Context::inline());
        let standing = block_on(project.store().inspect(&other, None, &cx)).unwrap();
        assert!(matches!(standing, Standing::Foreign { .. }));
        project.run(Action::Replace, &[&[4]]).unwrap();
        assert_eq!(project.files("out").len(), 1);
    }
}

/// Text by all of it, Parquet by its footer.
#[test]
fn an_edited_file_of_the_same_size_is_noticed() {
    for format in ["csv", "ndjson", "arrow", "parquet"] {
        let mut project = Project::new(json!({"path": "out", "format": format}));
        project.run(Action::Replace, &[&[1], &[2]]).unwrap();
        let file = project
            .root()
            .join("out")
            .join(project.files("out").remove(0));
        let written = fs::read(&file).unwrap();
        let mut edited = written.clone();
        let at = edited.len() - 12;
        edited[at] ^= 1;
        write_at(&file, &edited, 1);
        assert!(matches!(project.standing(), Standing::Foreign { .. }));
        for action in [Action::Replace, Action::Append] {
            let refused = project.stage(action, &[&[3]]).unwrap_err();
            assert_eq!(refused.code, code::DESTINATION_FOREIGN, "{format}");
            let said = format!(
                "{} was changed since an earlier run wrote it",
                file.display()
            );
            assert_eq!(refused.message, said);
        }
        // As it was, at another time.
        write_at(&file, &written, 2);
        assert_eq!(project.standing(), Standing::Ours);
        project.run(Action::Append, &[&[3]]).unwrap();
        // That time is remembered now: nothing else tells these bytes from those.
        write_at(&file, &edited, 2);
        assert_eq!(project.standing(), Standing::Ours);
        write_at(&file, &edited, 3);
        assert!(matches!(project.standing(), Standing::Foreign { .. }));
        project.settings["adopt"] = json!(true);
        project.run(Action::Append, &[&[4]]).unwrap();
        assert_eq!(project.standing(), Standing::Ours);
        write_at(&file, &written, 4);
        assert!(matches!(project.standing(), Standing::Foreign { .. }));
    }
}

#[test]
fn a_single_file_that_was_edited_is_noticed() {
    let mut project = Project::new(json!({"path": "out.csv"}));
    project.run(Action::Replace, &[&[1]]).unwrap();
    let file = project.root().join("out.csv");
    let text = fs::read_to_string(&file).unwrap();
    write_at(&file, text.replace("n 1", "n 9").as_bytes(), 1);
    let refused = project.stage(Action::Replace, &[&[2]]).unwrap_err();
    assert!(refused.message.contains("was changed since"), "{refused:?}");
    write_at(&file, text.as_bytes(), 2);
    project.run(Action::Replace, &[&[2]]).unwrap();
    assert_eq!(project.standing(), Standing::Ours);
}

#[test]
fn an_edit_while_rows_move_stops_the_commit() {
    let mut project = Project::new(json!({"path": "out", "format": "csv"}));
    project.run(Action::Replace, &[&[1]]).unwrap();
    let file = project
        .root()
        .join("out")
        .join(project.files("out").remove(0));
    let text = fs::read_to_string(&file).unwrap();
    for action in [Action::Replace, Action::Append] {
        let record = project.stage(action, &[&[2]]).unwrap();
        write_at(&file, text.replace("n 1", "n 9").as_bytes(), 1);
        let refused = project.commit(&record).unwrap_err();
        assert!(
            refused.message.contains("came or changed while"),
            "{refused:?}"
        );
        write_at(&file, text.as_bytes(), 2);
    }
}

/// What versions before remembered: paths and sizes.
#[test]
fn a_memory_without_seals_goes_by_size() {
    let mut project = Project::new(json!({"path": "out", "format": "csv"}));
    project.run(Action::Replace, &[&[1]]).unwrap();
    let name = project.files("out").remove(0);
    let file = project.root().join("out").join(&name);
    let text = fs::read_to_string(&file).unwrap();
    let old = format!(
        "{{\"hygge_files\":1}}\n[{:?},{}]",
        name.display().to_string(),
        text.len()
    );
    project.memory = Some(old.into_bytes());
    write_at(&file, text.replace("n 1", "n 9").as_bytes(), 1);
    assert_eq!(project.standing(), Standing::Ours);
    project.run(Action::Append, &[&[2]]).unwrap();
    assert_eq!(
        (project.standing(), project.files("out").len()),
        (Standing::Ours, 2)
    );
    write_at(&file, text.as_bytes(), 2);
    assert_eq!(project.standing(), Standing::Ours);
}

/// Writes a file anew, as of some seconds after 1970.
fn write_at(file: &Path, bytes: &[u8], seconds: u64) {
    fs::write(file, bytes).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    fs::File::options()
        .write(true)
        .open(file)
        .unwrap()
        .set_modified(time)
        .unwrap();
}

#[test]
fn a_file_removed_by_hand_is_said_and_passed_over() {
    let mut project = lake();
    project.run(Action::Replace, &[&[1], &[2]]).unwrap();
    let lake = project.root().join(LAKE);
    let first = project.files(LAKE).remove(0);
    fs::remove_file(lake.join(first)).unwrap();
    assert_eq!(project.standing(), Standing::Ours);
    project.run(Action::Append, &[&[3]]).unwrap();
    assert_eq!(ids(&lake), [2, 3]);
    assert_eq!(project.standing(), Standing::Ours);
}

#[test]
fn destinations_of_another_kind_are_refused() {
    let mut project = lake();
    fs::create_dir_all(project.root().join("data")).unwrap();
    fs::write(project.root().join(LAKE), "").unwrap();
    let refused = project.stage(Action::Replace, &[&[1]]).unwrap_err();
    assert!(refused.message.ends_with("is a file, not a folder"));
    project.settings = json!({"path": format!("{LAKE}/below"), "format": "csv"});
    let refused = project.stage(Action::Replace, &[&[1]]).unwrap_err();
    assert!(refused.message.contains("is a file"), "{refused:?}");
    project.settings = json!({"path": "/proc", "format": "csv"});
    let refused = project.stage(Action::Replace, &[&[1]]).unwrap_err();
    assert!(refused.message.contains("mount point"), "{refused:?}");
    project.settings = json!({"path": "data.csv"});
    fs::create_dir_all(project.root().join("data.csv")).unwrap();
    let refused = project.stage(Action::Replace, &[&[1]]).unwrap_err();
    assert!(refused.message.ends_with("is a folder, not a file"));
    assert!(!project.root().join(".hygge/staging").exists());
}

#[test]
fn a_file_system_that_cannot_swap_is_refused() {
    let mut project = Project::new(json!({"path": "/proc/self/net/x", "format": "csv"}));
    let refused = project.stage(Action::Replace, &[&[1]]).unwrap_err();
    assert_eq!(refused.code, code::DESTINATION_IO, "{refused:?}");
}

#[test]
fn staging_stands_beside_a_destination_on_another_file_system() {
    let Ok(shm) = tempfile::tempdir_in("/dev/shm") else {
        return;
    };
    let mut project = lake();
    let device = |path: &Path| rustix::fs::stat(path).unwrap().st_dev;
    if device(shm.path()) == device(project.root()) {
        return;
    }
    let lake = shm.path().join("lake");
    project.settings = json!({"path": lake, "format": "parquet", "keep_replaced": false});
    let record = project.stage(Action::Replace, &[&[1]]).unwrap();
    assert!(shm.path().join(".lake.hygge").exists());
    project.commit(&record).unwrap();
    project.clean();
    project.run(Action::Replace, &[&[2]]).unwrap();
    assert_eq!(ids(&lake), [2]);
    assert_eq!(fs::read_dir(shm.path()).unwrap().count(), 1);
    assert!(!project.root().join(".hygge/staging").exists());
}

#[test]
fn a_link_at_the_destination_stays_and_links_inside_are_foreign() {
    let mut project = lake();
    let real = project.root().join("real");
    fs::create_dir_all(&real).unwrap();
    fs::create_dir_all(project.root().join("data")).unwrap();
    std::os::unix::fs::symlink(&real, project.root().join(LAKE)).unwrap();
    project.run(Action::Replace, &[&[1]]).unwrap();
    project.run(Action::Replace, &[&[2]]).unwrap();
    assert!(
        fs::symlink_metadata(project.root().join(LAKE))
            .unwrap()
            .is_symlink()
    );
    assert_eq!(ids(&real), [2]);
    std::os::unix::fs::symlink("/etc", real.join("link")).unwrap();
    assert!(matches!(project.standing(), Standing::Foreign { .. }));
    fs::remove_file(real.join("link")).unwrap();
    fs::remove_dir_all(&real).unwrap();
    let refused = project.stage(Action::Replace, &[&[3]]).unwrap_err();
    assert!(refused.message.contains("can't follow"), "{refused:?}");
}
