//! What is to be done with each script.

use std::path::Path;

use hygge_core::{Applied, Fault, Result, code};

use crate::file::Script;
use crate::known::Known;

/// A script, and what becomes of it.
#[derive(Debug)]
pub struct Step<'a> {
    /// The script.
    pub script: &'a Script,
    /// What becomes of it.
    pub what: What,
}

/// What becomes of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It is run.
    Apply,
    /// It was applied before, was edited since, and is run again.
    Again(Applied),
    /// It was applied before as it is; maybe by another way to the same file.
    Unchanged(Applied),
    /// It was applied before under another name, where it isn't any more: that is noted.
    Renamed(Applied),
}

/// Compares scripts with what was applied. An edited one is an error, unless those are allowed.
pub fn plan<'a>(
    scripts: &'a [Script],
    applied: &[Applied],
    root: &Path,
    allow_edited: bool,
) -> Result<Vec<Step<'a>>> {
    let known = Known::of(applied, root);
    // What was run once is one script's.
    let mut whose: Vec<Option<usize>> = scripts
        .iter()
        .map(|script| {
            let last = known.last(script)?;
            let unchanged = known.get(last)?.checksum == script.checksum;
            unchanged.then_some(last)
        })
        .collect();
    let unchanged = whose.clone();
    for (at, script) in scripts.iter().enumerate() {
        if whose[at].is_none() {
            let mut moved = known.moved(script, scripts, root);
            whose[at] = moved.find(|run| !whose.contains(&Some(*run)));
        }
    }
    let mut edited = Vec::new();
    let mut steps = Vec::new();
    for (at, script) in scripts.iter().enumerate() {
        let own = whose[at].and_then(|run| known.get(run)).cloned();
        // Its name may be that of another file, which has another name now.
        let last = known
            .last(script)
            .filter(|last| !whose.contains(&Some(*last)));
        let what = match (own, last.and_then(|last| known.get(last))) {
            (Some(own), _) if unchanged[at].is_some() => What::Unchanged(own),
            (Some(own), _) => What::Renamed(own),
            (None, Some(last)) => {
                edited.push((script, last));
                What::Again(last.clone())
            }
            (None, None) => What::Apply,
        };
        steps.push(Step { script, what });
    }
    if let (Some((script, last)), false) = (edited.first(), allow_edited) {
        let others = match edited.len() - 1 {
            0 => String::new(),
            1 => ", and so was another".to_owned(),
            more => format!(", and so were {more} others"),
        };
        return Err(Fault::new(
            code::CONFIG,
            format!(
                "{} was edited after it was applied ({} UTC){others}",
                script.shown, last.at
            ),
        )
        .with("file", &script.name)
        .advise(
            "put the change into a new file, as in ALTER TABLE; or run the edited file once more, all \
             of it, with --allow-edited",
        ));
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
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
        let scripts: Vec<Script> = given
            .iter()
            .map(|(name, checksum)| script(root, name, checksum))
            .collect();
        let steps = plan(&scripts, before, root.path(), false)?;
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
        let renamed = |at: usize| What::Renamed(before[at].clone());
        let unchanged = What::Unchanged(before[0].clone());
        let planned = |given: &[(&str, &str)]| planned(&root, given, &before);
        for (given, what) in [
            (
                [("1.sql", "a"), ("2.sql", "new"), ("3.sql", "b")],
                [unchanged, What::Apply, renamed(1)],
            ),
            (
                [("1.sql", "new"), ("2.sql", "a"), ("3.sql", "b")],
                [What::Apply, renamed(0), renamed(1)],
            ),
        ] {
            assert_eq!(planned(&given).unwrap(), what);
        }
        // A copy of what is there as well is no new name for it.
        for given in [
            [("1.sql", "b"), ("2.sql", "b")],
            [("1.sql", "a"), ("2.sql", "a")],
            [("1.sql", "a"), ("2.sql", "new")],
        ] {
            assert!(planned(&given).is_err(), "{given:?}");
        }
    }

    fn renamed(file: &str, checksum: &str) -> Applied {
        Applied {
            batches: 0,
            ..applied(file, checksum)
        }
    }

    #[test]
    fn what_was_run_once_is_one_file() {
        let root = TempDir::new().unwrap();
        let before = [applied("a.sql", "1"), renamed("b.sql", "1")];
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
        let noted = [before[0].clone(), before[1].clone(), renamed("1.sql", "b")];
        let given = [("2.sql", "a")];
        assert_eq!(planned(&root, &given, &noted).unwrap(), [moved(0)]);
        // What is new was run before the renaming was recorded.
        let noted = [
            before[0].clone(),
            applied("1.sql", "new"),
            renamed("2.sql", "a"),
        ];
        let given = [("1.sql", "new"), ("2.sql", "a")];
        let what = [&noted[1], &noted[2]].map(|each| What::Unchanged(each.clone()));
        assert_eq!(planned(&root, &given, &noted).unwrap(), what);
    }

    #[test]
    fn files_that_hold_nothing_are_themselves() {
        let root = TempDir::new().unwrap();
        let before = [renamed("a.sql", "0"), renamed("b.sql", "0")];
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
}
