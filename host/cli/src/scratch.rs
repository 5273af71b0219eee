//! Folders for as long as something needs them. They go away with whoever has them, and also when
//! the program is told to end at once and nobody has the time to.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;

use crate::complaint::Complaint;

static THERE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn there() -> MutexGuard<'static, Vec<PathBuf>> {
    THERE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A folder that goes away with this.
#[derive(Debug)]
pub(crate) struct Scratch(TempDir);

impl Scratch {
    pub(crate) fn new(prefix: &str) -> Result<Self, Complaint> {
        let folder = TempDir::with_prefix(prefix)
            .map_err(|error| Complaint::failed(format!("no folder to work in: {error}")))?;
        there().push(folder.path().to_owned());
        Ok(Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        there().retain(|each| each != self.0.path());
    }
}

/// Removes those that are there, because the program ends here and now.
pub(crate) fn clear() {
    for folder in there().drain(..) {
        // Somebody may be writing in it meanwhile; and there is nobody left to tell.
        for _ in 0..3 {
            if std::fs::remove_dir_all(&folder).is_ok() {
                break;
            }
        }
    }
}
