use std::fs;

use tempfile::TempDir;

use super::*;
use crate::file::checksum;
use crate::name::real;

fn script(root: &TempDir, name: &str, checksum: &str) -> Script {
    Script {
        name: name.into(),
        place: real(&root.path().join(name)),
        shown: name.into(),
        checksum: checksum.into(),
        batches: Vec::new(),
    }
}

fn applied(file: &str, checksum: &str) -> Applied {
    Applied {
        file: file.into(),
        checksum: checksum.into(),
        batches: 1,
        renamed_from: None,
        at: "2026-01-02 03:04:05".into(),
    }
}

#[test]
fn each_is_run_once() {
    let root = TempDir::new().unwrap();
    fs::write(root.path().join("there.sql"), "SELECT 1").unwrap();
    fs::write(root.path().join("another.sql"), "SELECT 2").unwrap();
    let there = checksum(&root.path().join("there.sql")).unwrap();
    let before = [
        applied("a.sql", "1"),
        applied("b.sql", "0"),
        applied("b.sql", "2"),
        applied("gone.sql", "3"),
        applied("there.sql", &there),
        applied("another.sql", "5"),
    ];
    let scripts = [
        script(&root, "a.sql", "1"),
        script(&root, "b.sql", "0"),
        script(&root, "moved.sql", "3"),
        // Somebody's own copy of a file that is still there.
        script(&root, "copy.sql", &there),
        // What was there has another name, and another file its own.
        script(&root, "moved_on.sql", "5"),
    ];
    let steps = plan(&scripts, &before, root.path(), true).unwrap();
    let what: Vec<_> = steps.into_iter().map(|step| step.what).collect();
    assert_eq!(
        what,
        [
            What::Unchanged(before[0].clone()),
            // As it was before the last time: what is there is what came after.
            What::Again(before[2].clone()),
            What::Renamed(before[3].clone()),
            What::Apply,
            What::Renamed(before[5].clone()),
        ]
    );
    let refused = plan(&scripts, &before, root.path(), false).unwrap_err();
    insta::assert_snapshot!(refused.message, @"b.sql was edited after it was applied (2026-01-02 03:04:05 UTC)");
}

fn planned(root: &TempDir, given: &[(&str, &str)], before: &[Applied]) -> Result<Vec<What>> {
    allowed(root, given, before, false)
}

fn allowed(
    root: &TempDir,
    given: &[(&str, &str)],
    before: &[Applied],
    allow_edited: bool,
) -> Result<Vec<What>> {
    let scripts: Vec<Script> = given
        .iter()
        .map(|(name, checksum)| script(root, name, checksum))
        .collect();
    let steps = plan(&scripts, before, root.path(), allow_edited)?;
    Ok(steps.into_iter().map(|step| step.what).collect())
}

#[test]
fn what_was_run_after_it_is_not_taken_for_it() {
    let root = TempDir::new().unwrap();
    let before = [applied("a.sql", "1"), applied("a.sql", "2")];
    let given = [("b.sql", "1")];
    assert_eq!(planned(&root, &given, &before).unwrap(), [What::Apply]);
    let given = [("b.sql", "2")];
    let renamed = What::Renamed(before[1].clone());
    assert_eq!(planned(&root, &given, &before).unwrap(), [renamed]);
}

#[test]
fn files_are_renumbered() {
    let root = TempDir::new().unwrap();
    let before = [applied("1.sql", "a"), applied("2.sql", "b")];
    let moved = |at: usize| What::Renamed(before[at].clone());
    let unchanged = What::Unchanged(before[0].clone());
    let of = |given: &[(&str, &str)]| planned(&root, given, &before);
    // What has the name of another may be that file edited, with a copy of what it was beside it.
    for (given, what) in [
        (
            [("1.sql", "a"), ("2.sql", "new"), ("3.sql", "b")],
            [unchanged, What::Apply, moved(1)],
        ),
        (
            [("1.sql", "new"), ("2.sql", "a"), ("3.sql", "b")],
            [What::Apply, moved(0), moved(1)],
        ),
    ] {
        let refused = of(&given).unwrap_err();
        assert!(refused.message.contains("has another text"), "{refused}");
        assert_eq!(allowed(&root, &given, &before, true).unwrap(), what);
    }
    let given = [("1.sql", "new"), ("a.sql", "a")];
    let refused = of(&given).unwrap_err();
    insta::assert_snapshot!(refused.message, @"1.sql has another text than what was applied under that name, which is a.sql now");
    // Once the record says where that is, its name is free.
    let noted = [
        before[0].clone(),
        before[1].clone(),
        renamed("1.sql", "a.sql", "a"),
    ];
    let what = [What::Apply, What::Unchanged(noted[2].clone())];
    assert_eq!(planned(&root, &given, &noted).unwrap(), what);
    let given = [("1.sql", "new")];
    assert_eq!(planned(&root, &given, &noted).unwrap(), what[..1]);
    // A copy of what is there as well is no new name for it.
    for given in [
        [("1.sql", "b"), ("2.sql", "b")],
        [("1.sql", "a"), ("2.sql", "a")],
        [("1.sql", "a"), ("2.sql", "new")],
    ] {
        let refused = of(&given).unwrap_err();
        assert!(refused.message.contains("was edited"), "{refused}");
    }
}

fn renamed(from: &str, file: &str, checksum: &str) -> Applied {
    Applied {
        batches: 0,
        renamed_from: Some(from.into()),
        ..applied(file, checksum)
    }
}

#[test]
fn what_was_run_once_is_one_file() {
    let root = TempDir::new().unwrap();
    let before = [applied("a.sql", "1"), renamed("a.sql", "b.sql", "1")];
    let unchanged = What::Unchanged(before[1].clone());
    // Copies of a file that was renamed are new, and so is all but one of those that were at once.
    let given = [("b.sql", "1"), ("c.sql", "1")];
    let what = [unchanged, What::Apply];
    assert_eq!(planned(&root, &given, &before).unwrap(), what);
    let what = [What::Renamed(before[0].clone()), What::Apply];
    assert_eq!(planned(&root, &given, &before[..1]).unwrap(), what);
    // It may be renamed once more.
    let given = [("c.sql", "1")];
    let what = [What::Renamed(before[1].clone())];
    assert_eq!(planned(&root, &given, &before).unwrap(), what);
}

/// The record says which of them has another name.
#[test]
fn files_of_one_text_are_two() {
    let root = TempDir::new().unwrap();
    let before = [
        applied("a.sql", "1"),
        applied("b.sql", "1"),
        renamed("a.sql", "c.sql", "1"),
    ];
    let given = [("b.sql", "1"), ("c.sql", "1")];
    let what = [&before[1], &before[2]].map(|each| What::Unchanged(each.clone()));
    assert_eq!(planned(&root, &given, &before).unwrap(), what);
    let edited = [("b.sql", "2"), ("c.sql", "1")];
    let refused = planned(&root, &edited, &before).unwrap_err();
    assert!(refused.message.contains("b.sql was edited"), "{refused}");
    // With its text gone, that of the other isn't taken for it.
    fs::write(root.path().join("b.sql"), "SELECT 1").unwrap();
    let there = checksum(&root.path().join("b.sql")).unwrap();
    let before = [
        applied("a.sql", &there),
        applied("b.sql", &there),
        renamed("a.sql", "c.sql", &there),
    ];
    let given = [("c.sql", there.as_str()), ("e.sql", &there)];
    let what = [What::Unchanged(before[2].clone()), What::Apply];
    assert_eq!(planned(&root, &given, &before).unwrap(), what);
}

#[test]
fn names_may_be_those_of_others() {
    let root = TempDir::new().unwrap();
    let before = [applied("1.sql", "a"), applied("2.sql", "b")];
    let moved = |at: usize| What::Renamed(before[at].clone());
    // The second is gone, and the first has its name.
    let given = [("2.sql", "a")];
    assert_eq!(planned(&root, &given, &before).unwrap(), [moved(0)]);
    // Both changed their names; also where one is given after the other.
    let given = [("1.sql", "b"), ("2.sql", "a")];
    assert_eq!(
        planned(&root, &given, &before).unwrap(),
        [moved(1), moved(0)]
    );
    let noted = [
        before[0].clone(),
        before[1].clone(),
        renamed("2.sql", "1.sql", "b"),
    ];
    let given = [("2.sql", "a")];
    assert_eq!(planned(&root, &given, &noted).unwrap(), [moved(0)]);
    // What is new was run before the renaming was recorded.
    let noted = [
        before[0].clone(),
        applied("1.sql", "new"),
        renamed("1.sql", "2.sql", "a"),
    ];
    let given = [("1.sql", "new"), ("2.sql", "a")];
    let what = [&noted[1], &noted[2]].map(|each| What::Unchanged(each.clone()));
    assert_eq!(planned(&root, &given, &noted).unwrap(), what);
}

#[test]
fn files_that_hold_nothing_are_themselves() {
    let root = TempDir::new().unwrap();
    let nothing = |file: &str| Applied {
        batches: 0,
        ..applied(file, "0")
    };
    let before = [nothing("a.sql"), nothing("b.sql")];
    let given = [("a.sql", "0"), ("b.sql", "0"), ("c.sql", "0")];
    let [a, b] = before.clone().map(What::Unchanged);
    assert_eq!(
        planned(&root, &given, &before).unwrap(),
        [a, b, What::Apply]
    );
}

#[cfg(unix)]
#[test]
fn a_file_is_itself_by_every_way_to_it() {
    let root = TempDir::new().unwrap();
    let at = |path: &str| root.path().join(path);
    fs::create_dir(at("real")).unwrap();
    fs::write(at("real/a.sql"), "SELECT 1").unwrap();
    std::os::unix::fs::symlink(at("real"), at("link")).unwrap();
    let before = [applied("real/a.sql", "1")];
    let of = |checksum: &str| {
        let scripts = [script(&root, "link/a.sql", checksum)];
        let steps = plan(&scripts, &before, root.path(), true).unwrap();
        steps.into_iter().map(|step| step.what).next().unwrap()
    };
    assert_eq!(of("1"), What::Unchanged(before[0].clone()));
    assert_eq!(of("2"), What::Again(before[0].clone()));
}

#[cfg(unix)]
#[test]
fn a_link_may_have_led_elsewhere() {
    let root = TempDir::new().unwrap();
    let at = |path: &str| root.path().join(path);
    for version in ["v1", "v2"] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("a.sql"), version).unwrap();
    }
    let one = checksum(&at("v1/a.sql")).unwrap();
    let two = checksum(&at("v2/a.sql")).unwrap();
    std::os::unix::fs::symlink("v2", at("now")).unwrap();
    std::os::unix::fs::symlink("v2/a.sql", at("now.sql")).unwrap();
    for link in ["now/a.sql", "now.sql"] {
        // It led to the first when that was applied.
        let before = [applied(link, &one), applied("v2/a.sql", &two)];
        let [first, second] = before.clone();
        let given = [("v1/a.sql", one.as_str()), ("v2/a.sql", &two)];
        let what = [What::Renamed(first), What::Unchanged(second.clone())];
        assert_eq!(planned(&root, &given, &before).unwrap(), what);
        assert_eq!(planned(&root, &given[..1], &before).unwrap(), what[..1]);
        let given = [(link, two.as_str())];
        let what = [What::Unchanged(second)];
        assert_eq!(planned(&root, &given, &before).unwrap(), what);
        // Whichever was applied first.
        let turned = [before[1].clone(), before[0].clone()];
        assert_eq!(planned(&root, &given, &turned).unwrap(), what);
        let given = [("v1/a.sql", one.as_str()), ("v2/a.sql", &two)];
        let what = [
            What::Renamed(turned[1].clone()),
            What::Unchanged(turned[0].clone()),
        ];
        assert_eq!(planned(&root, &given, &turned).unwrap(), what);
        // What it leads to still may be edited.
        let given = [("v2/a.sql", "edited")];
        assert!(planned(&root, &given, &before[..1]).is_err());
    }
}

/// What was run again through a link was run again.
#[cfg(unix)]
#[test]
fn a_file_is_edited_through_a_link_as_well() {
    let root = TempDir::new().unwrap();
    let at = |path: &str| root.path().join(path);
    fs::write(at("a.sql"), "SELECT 2").unwrap();
    std::os::unix::fs::symlink("a.sql", at("link.sql")).unwrap();
    let two = checksum(&at("a.sql")).unwrap();
    let before = [applied("a.sql", "1"), applied("link.sql", &two)];
    let given = [("a.sql", two.as_str()), ("c.sql", "1")];
    let what = [What::Unchanged(before[1].clone()), What::Apply];
    assert_eq!(planned(&root, &given, &before).unwrap(), what);
}
