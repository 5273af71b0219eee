//! Where a Store writes during its exam, as far as it can be seen.

use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};

use crate::conformance::tree::Tree;
use crate::conformance::{Why, wrong};

/// The folders that were granted for the exam, all of them below one of its own.
pub(super) struct Destination {
    scratch: PathBuf,
    folders: Vec<PathBuf>,
    runs: Cell<u32>,
    stamp: u128,
}

impl Destination {
    pub(super) fn new(granted: &[(String, PathBuf)], scratch: &Path) -> Self {
        let own = granted.iter().map(|(_, path)| path);
        let folders = own.filter(|path| path.starts_with(scratch));
        let folders = folders.cloned().collect();
        let stamp = std::time::UNIX_EPOCH
            .elapsed()
            .map_or(0, |since| since.as_millis());
        Self {
            scratch: scratch.to_owned(),
            folders,
            runs: Cell::new(0),
            stamp,
        }
    }

    /// Whether what is written can be seen.
    pub(super) fn seen(&self) -> bool {
        !self.folders.is_empty()
    }

    /// The id of a run that never was.
    pub(super) fn run(&self) -> String {
        let n = self.runs.get();
        self.runs.set(n + 1);
        format!("conformance-{}-{n:04}", self.stamp)
    }

    /// What stands there.
    pub(super) fn tree(&self) -> Result<Tree, Why> {
        match self.seen() {
            true => Tree::of(&self.scratch).or_else(|error| lost(&error)),
            false => Ok(Tree::default()),
        }
    }

    /// Removes everything. Only what is below the exam's own folder is ever touched.
    pub(super) fn empty(&self) -> Result<(), Why> {
        let clear = |folder: &PathBuf| {
            std::fs::remove_dir_all(folder)?;
            std::fs::create_dir_all(folder)
        };
        self.folders
            .iter()
            .try_for_each(clear)
            .or_else(|error| lost(&error))
    }
}

fn lost<T>(error: &io::Error) -> Result<T, Why> {
    wrong(format!(
        "the folder of the exam can't be looked at: {error}"
    ))
}
