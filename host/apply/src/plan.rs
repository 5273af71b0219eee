//! What is to be done with each script.

use std::path::Path;

use hygge_core::{Applied, Fault, Result, code};

use crate::file::Script;

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
    /// It was applied before as it is.
    Unchanged(Applied),
    /// It was applied before under another name, which isn't there any more: that is noted.
    Renamed(Applied),
}

/// Compares scripts with what was applied. An edited one is an error, unless those are allowed.
pub fn plan<'a>(
    scripts: &'a [Script],
    applied: &[Applied],
    root: &Path,
    allow_edited: bool,
) -> Result<Vec<Step<'a>>> {
    let mut edited = Vec::new();
    let mut steps = Vec::new();
    for script in scripts {
        let last = applied.iter().rev().find(|each| each.file == script.name);
        let what = match last {
            Some(last) if last.checksum == script.checksum => What::Unchanged(last.clone()),
            Some(last) => {
                edited.push((script, last));
                What::Again(last.clone())
            }
            None => {
                let same = |each: &&Applied| {
                    each.checksum == script.checksum && !root.join(&each.file).exists()
                };
                match applied.iter().rev().find(same) {
                    Some(same) => What::Renamed(same.clone()),
                    None => What::Apply,
                }
            }
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
    use super::*;

    fn script(name: &str, checksum: &str) -> Script {
        Script {
            name: name.into(),
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
        let there = Path::new(env!("CARGO_MANIFEST_DIR"));
        let before = [
            applied("a.sql", "1"),
            applied("b.sql", "0"),
            applied("b.sql", "2"),
            applied("gone.sql", "3"),
            applied("Cargo.toml", "4"),
        ];
        let scripts = [
            script("a.sql", "1"),
            script("b.sql", "0"),
            script("moved.sql", "3"),
            // Somebody's own copy of a file that is still there.
            script("copy.sql", "4"),
        ];
        let steps = plan(&scripts, &before, there, true).unwrap();
        let what: Vec<_> = steps.into_iter().map(|step| step.what).collect();
        assert_eq!(
            what,
            [
                What::Unchanged(before[0].clone()),
                // As it was before the last time: what is there is what came after.
                What::Again(before[2].clone()),
                What::Renamed(before[3].clone()),
                What::Apply,
            ]
        );
        let refused = plan(&scripts, &before, there, false).unwrap_err();
        insta::assert_snapshot!(refused.message, @"b.sql was edited after it was applied (2026-01-02 03:04:05 UTC)");
    }
}
