//! Where each record lies below `.hygge`.

use std::path::{Path, PathBuf};

use hygge_core::{EntityId, RunId};

use crate::durable::UNFINISHED;
use crate::name::{LONG, file_name, file_name_without_dots};

pub(crate) const STATE: &str = ".state.yml";
const ATTEMPT: &str = ".attempt.jsonl";
const INTENT: &str = ".intent.json";
const MEMORY: &str = ".bin";

/// The files of one entity.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    pub(crate) folder: PathBuf,
    pub(crate) state: PathBuf,
    pub(crate) attempt: PathBuf,
    pub(crate) intent: PathBuf,
    stem: String,
}

impl Files {
    pub(crate) fn of(work: &Path, entity: &EntityId) -> Self {
        let folder = states(work).join(file_name(&entity.flow, LONG));
        let stem = file_name(&entity.entity, LONG);
        let path = |kind: &str| folder.join(format!("{stem}{kind}"));
        Self {
            state: path(STATE),
            attempt: path(ATTEMPT),
            intent: path(INTENT),
            folder,
            stem,
        }
    }

    /// The name of the file for a memory of that content. Named after what is in it: a memory
    /// that didn't change needn't be written again, and one that did never takes the place of
    /// the one that the current state points to.
    pub(crate) fn memory(&self, name: &str, xxh3: &str) -> String {
        let name = file_name_without_dots(name, 24);
        format!("{}.{name}.{xxh3}{MEMORY}", self.stem)
    }

    /// Whether these are the files of that stem.
    pub(crate) fn has_stem(&self, stem: &str) -> bool {
        self.stem == stem
    }

    /// Whether a file in the folder is a memory of this entity, or an unfinished file of it.
    pub(crate) fn owns(&self, file: &str) -> bool {
        if let Some(rest) = file.strip_suffix(UNFINISHED) {
            let Some((whole, _)) = rest.rsplit_once('.') else {
                return false;
            };
            let stem = [STATE, ATTEMPT, INTENT]
                .iter()
                .find_map(|kind| whole.strip_suffix(kind));
            return stem.or_else(|| memory_of(whole)) == Some(&self.stem);
        }
        memory_of(file) == Some(&self.stem)
    }
}

/// The stem of a file that is there while a run is in the middle of its work.
pub(crate) fn stem_of_unfinished(file: &str) -> Option<&str> {
    [INTENT, ATTEMPT]
        .iter()
        .find_map(|kind| file.strip_suffix(kind))
}

/// The intent's and the attempt's file of a stem.
pub(crate) fn unfinished(folder: &Path, stem: &str) -> (PathBuf, PathBuf) {
    let path = |kind: &str| folder.join(format!("{stem}{kind}"));
    (path(INTENT), path(ATTEMPT))
}

/// The stem of a memory's file name; entities' names may hold dots, the rest doesn't.
fn memory_of(file: &str) -> Option<&str> {
    let rest = file.strip_suffix(MEMORY)?;
    let (rest, _xxh3) = rest.rsplit_once('.')?;
    let (stem, _name) = rest.rsplit_once('.')?;
    Some(stem)
}

pub(crate) fn states(work: &Path) -> PathBuf {
    work.join("state")
}

pub(crate) fn locks(work: &Path) -> PathBuf {
    work.join("locks")
}

pub(crate) fn lock(work: &Path, entity: &EntityId) -> PathBuf {
    // The flow without dots: `a.b` + `c` is not `a` + `b.c`.
    let flow = file_name_without_dots(&entity.flow, 110);
    let name = file_name(&entity.entity, 110);
    locks(work).join(format!("{flow}.{name}.lock"))
}

pub(crate) fn runs(work: &Path) -> PathBuf {
    work.join("runs")
}

pub(crate) fn run(work: &Path, run: &RunId) -> PathBuf {
    runs(work)
        .join(file_name(run.as_str(), LONG))
        .join("run.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart_by_entity() {
        let work = Path::new("w");
        let a = Files::of(work, &EntityId::new("f", "a"));
        let b = Files::of(work, &EntityId::new("f", "a.window"));
        assert_eq!(a.state, Path::new("w/state/f/a.state.yml"));
        let of_a = a.memory("window", "00");
        let of_b = b.memory("window", "00");
        assert!(a.owns(&of_a) && !b.owns(&of_a));
        assert!(b.owns(&of_b) && !a.owns(&of_b));
        assert!(a.owns("a.state.yml.1-0.tmp") && !b.owns("a.state.yml.1-0.tmp"));
        assert!(a.owns("a.window.00.bin.1-0.tmp"));
        assert!(!a.owns("a.state.yml") && !a.owns("a.attempt.jsonl") && !a.owns("x.bin"));
    }

    #[test]
    fn locks_of_different_entities_differ() {
        let work = Path::new("w");
        let one = lock(work, &EntityId::new("a.b", "c"));
        let two = lock(work, &EntityId::new("a", "b.c"));
        assert_ne!(one, two);
        assert_eq!(
            lock(work, &EntityId::new("sales", "orders")),
            Path::new("w/locks/sales.orders.lock")
        );
        let long = EntityId::new("x".repeat(300), "y".repeat(300));
        let name = lock(work, &long);
        assert!(name.file_name().unwrap().len() < 255);
        let longest = Files::of(work, &long).memory(&"n".repeat(99), &"0".repeat(32));
        assert!(longest.len() + ".4294967295-99999999999.tmp".len() < 256);
    }
}
