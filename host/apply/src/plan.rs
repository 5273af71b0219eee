//! What is to be done with each script.

use std::collections::HashSet;
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

/// Compares scripts with what was applied. An edited one is an error, and so is a new one under the name
/// of another, unless those are allowed.
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
    let mut taken: HashSet<usize> = whose.iter().flatten().copied().collect();
    for (at, script) in scripts.iter().enumerate() {
        if whose[at].is_none() {
            whose[at] = known.moved(script, &taken, scripts, root);
            taken.extend(whose[at]);
        }
    }
    let mut edited = Vec::new();
    let mut replaces = None;
    let mut steps = Vec::new();
    for (at, script) in scripts.iter().enumerate() {
        let own = whose[at].and_then(|run| known.get(run)).cloned();
        let last = known.last(script);
        // Its name may be that of another file, which has another name now.
        let other = last.and_then(|last| whose.iter().position(|run| *run == Some(last)));
        let what = match (own, other, last.and_then(|last| known.get(last))) {
            (Some(own), ..) if unchanged[at].is_some() => What::Unchanged(own),
            (Some(own), ..) => What::Renamed(own),
            (None, Some(other), _) => {
                replaces = replaces.or(Some((script, &scripts[other])));
                What::Apply
            }
            (None, None, Some(last)) => {
                edited.push((script, last));
                What::Again(last.clone())
            }
            (None, None, None) => What::Apply,
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
    // It may be new, or that file edited, and what it was kept beside it.
    if let (Some((script, other)), false) = (replaces, allow_edited) {
        return Err(Fault::new(
            code::CONFIG,
            format!(
                "{} has another text than what was applied under that name, which is {} now",
                script.shown, other.shown
            ),
        )
        .with("file", &script.name)
        .advise(
            "give it a name that no file had; or run it as a new file, all of it, with --allow-edited",
        ));
    }
    Ok(steps)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
