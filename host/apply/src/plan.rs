//! What is to be done with each script.

use std::path::{Path, PathBuf};

use hygge_core::{Applied, Fault, Result, code};

use crate::file::{Script, checksum};
use crate::name::real;

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
    let records = Records::of(applied, root);
    let mut edited = Vec::new();
    let mut steps = Vec::new();
    for script in scripts {
        let last = records.last(script);
        // Its name was that of another file, which has another name now.
        let given_away = |last: &Applied| {
            scripts.iter().any(|other| {
                let own = records.last(other).map(|own| &own.checksum);
                other.checksum == last.checksum && own != Some(&other.checksum)
            })
        };
        let what = match last {
            Some(last) if last.checksum == script.checksum => What::Unchanged(last.clone()),
            Some(last) if !given_away(last) => {
                edited.push((script, last));
                What::Again(last.clone())
            }
            _ => match records.moved(script, root) {
                Some(same) => What::Renamed(same.clone()),
                None => What::Apply,
            },
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

/// What was applied, in order, and where it is.
struct Records<'a>(Vec<(&'a Applied, PathBuf)>);

impl<'a> Records<'a> {
    fn of(applied: &'a [Applied], root: &Path) -> Self {
        let placed = |each: &'a Applied| (each, real(&root.join(&each.file)));
        Self(applied.iter().map(placed).collect())
    }

    /// The last of a script itself.
    fn last(&self, script: &Script) -> Option<&'a Applied> {
        let itself = |(each, place): &&(&Applied, PathBuf)| {
            each.file == script.name || *place == script.place
        };
        self.0.iter().rev().find(itself).map(|(each, _)| *each)
    }

    /// That of a file which had a script's text and has it no more. One that is still there is somebody's
    /// own, and the script a copy of it; and what was run after it, under its name, took its place.
    fn moved(&self, script: &Script, root: &Path) -> Option<&'a Applied> {
        let mut seen = Vec::new();
        for (each, place) in self.0.iter().rev() {
            if seen.contains(&place) {
                continue;
            }
            seen.push(place);
            let now = || checksum(&root.join(&each.file));
            if each.checksum == script.checksum && now().as_ref() != Some(&each.checksum) {
                return Some(*each);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

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
