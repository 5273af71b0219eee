//! The project's own folders, which every entity needs: looked at once, for all of them.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use hygge_core::{BuildContext, Fault, code};
use rustix::fs::Access;

use crate::complaint::Complaint;

/// Whether a run could remember and stage in them; or what is in its way, and how to mend it.
pub(crate) fn look(place: &BuildContext) -> Result<(), Complaint> {
    let work = &place.work;
    if work.symlink_metadata().is_err() {
        // Made by the first run.
        return usable(&place.root).and_then(|()| has_room(&place.root));
    }
    usable(work)?;
    for folder in ["state", "locks", "runs", "staging"] {
        let folder = work.join(folder);
        if folder.symlink_metadata().is_ok() {
            usable(&folder)?;
        }
    }
    // Of each flow.
    for folder in entries(&work.join("state")) {
        usable(&folder)?;
    }
    // What root locked once, others can't open.
    for lock in entries(&work.join("locks")) {
        access(&lock, Access::READ_OK | Access::WRITE_OK, "can't lock")?;
    }
    has_room(work)
}

fn usable(folder: &Path) -> Result<(), Complaint> {
    if !folder.is_dir() {
        let message = format!(
            "{} is no folder, and hygge remembers and stages there",
            folder.display()
        );
        return Err(Complaint::failed(message).advise("move it away"));
    }
    let doing = "can't remember or stage anything in";
    access(folder, Access::WRITE_OK | Access::EXEC_OK, doing)
}

fn access(path: &Path, how: Access, doing: &str) -> Result<(), Complaint> {
    rustix::fs::access(path, how).map_err(|error| failed(doing, path, &error.into()))
}

/// Whether something can be written there; nobody sees it.
fn has_room(folder: &Path) -> Result<(), Complaint> {
    let tried = || {
        let mut spare = tempfile::tempfile_in(folder)?;
        spare.write_all(&[0; 64 << 10])
    };
    tried().map_err(|error| failed("can't write anything into", folder, &error))
}

fn failed(doing: &str, path: &Path, error: &io::Error) -> Complaint {
    Complaint::from(Fault::io(code::STATE, doing, path, error))
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
