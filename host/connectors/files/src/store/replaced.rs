//! What a commit swapped out, kept for readers that were listing it.
//!
//! Its files are no longer at the destination, but a listing that began before the swap goes on
//! in the old folder. So that folder stays whole for a while, among what is staged, and a
//! cleanup after that removes it. The price is the disk it takes until then. All of a project
//! stand in one folder: whichever entity runs next cleans up, also after one that is no more.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hygge_core::RunId;
use xxhash_rust::xxh3::xxh3_64;

use super::destination::{absent, create, remove_empty};

/// How long it stays at least: a listing takes milliseconds, one over a slow network seconds.
pub(crate) const GRACE: Duration = Duration::from_secs(60);

/// The folder of all. No entity's has its name: those have a dot.
const FOLDER: &str = "replaced";

/// Moves what a run swapped out of a destination to where it stays, given the entity's folder
/// for staging.
pub(crate) fn put_away(old: &Path, entity: &Path, run: &RunId) -> io::Result<()> {
    let Some(aside) = place(entity, SystemTime::now(), run) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    if let Some(folder) = aside.parent() {
        // Of the two things that may be wrong, the move will say the same.
        let _ = create(folder);
    }
    fs::rename(old, aside)
}

/// When it was swapped out, in seconds since 1970, by which run and of which entity.
fn place(entity: &Path, now: SystemTime, run: &RunId) -> Option<PathBuf> {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let whose = xxh3_64(entity.file_name()?.as_encoded_bytes());
    let folder = entity.parent()?.join(FOLDER);
    Some(folder.join(format!("{since}.{run}.{whose:016x}")))
}

/// Removes what has stayed long enough, given a folder in which entities are staged. What can't
/// be removed now may be later, and is nobody's failure: the first of it is given back.
pub(crate) fn sweep(staging: &Path) -> Option<(PathBuf, io::Error)> {
    let folder = staging.join(FOLDER);
    let now = SystemTime::now();
    let expired = || -> io::Result<Vec<PathBuf>> {
        let mut expired = Vec::new();
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if !stays(&entry.file_name(), now) {
                expired.push(entry.path());
            }
        }
        Ok(expired)
    };
    let expired = match expired() {
        Ok(expired) => expired,
        Err(error) if absent(&error) => return None,
        Err(error) => return Some((folder, error)),
    };
    let mut first = None;
    for old in expired {
        // Another run may be at it too.
        match fs::remove_dir_all(&old) {
            Err(error) if !absent(&error) && error.kind() != io::ErrorKind::DirectoryNotEmpty => {
                first.get_or_insert((old, error));
            }
            _ => {}
        }
    }
    remove_empty(&folder, 2);
    first
}

/// What to say of one that couldn't be removed. Once is enough: every entity of a run sweeps.
pub(crate) fn complaint(old: &Path, error: &io::Error) -> Option<String> {
    static SAID: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    said.insert(old.to_owned()).then(|| {
        format!(
            "files that were replaced can't be removed, and take disk until they are: {}: {}",
            old.display(),
            error.kind()
        )
    })
}

/// Whether a folder of that name must stay for now. A time in the future, by a clock that was
/// set back, is no reason.
fn stays(name: &OsStr, now: SystemTime) -> bool {
    let at = name.to_str().and_then(|name| {
        let (seconds, _) = name.split_once('.')?;
        Some(UNIX_EPOCH + Duration::from_secs(seconds.parse::<u32>().ok()?.into()))
    });
    at.is_some_and(|at| {
        // The name is cut to whole seconds.
        let away = now
            .duration_since(at)
            .unwrap_or_else(|future| future.duration());
        away <= GRACE
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_set_stays_a_minute() {
        let run = RunId::parse("20261122t170809z-4f2k9a").unwrap();
        let then = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let place = place(Path::new("/staging/flow.entity"), then, &run).unwrap();
        assert_eq!(place.parent(), Some(Path::new("/staging/replaced")));
        let name = place.file_name().unwrap();
        let shown = name.to_str().unwrap();
        assert!(shown.starts_with("1800000000.20261122t170809z-4f2k9a."));
        assert!(stays(name, then) && stays(name, then + GRACE));
        assert!(!stays(name, then + GRACE + Duration::from_secs(1)));
        assert!(!stays(name, then - 2 * GRACE));
        assert!(!stays(OsStr::new("notes"), then));
    }

    #[test]
    fn whoever_comes_next_cleans_up() {
        let folder = tempfile::tempdir().unwrap();
        let staging = folder.path().join("staging");
        let entity = staging.join("flow.gone");
        let run = RunId::parse("20261122t170809z-4f2k9a").unwrap();
        let old = |name: &str| {
            let old = folder.path().join(name);
            fs::create_dir(&old).unwrap();
            fs::write(old.join("part"), "rows").unwrap();
            old
        };
        put_away(&old("new"), &entity, &run).unwrap();
        let then = SystemTime::now() - GRACE - Duration::from_secs(2);
        fs::rename(old("expired"), place(&entity, then, &run).unwrap()).unwrap();
        assert!(sweep(&staging).is_none());
        assert_eq!(fs::read_dir(staging.join(FOLDER)).unwrap().count(), 1);
    }
}
