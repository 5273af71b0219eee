//! Keeps two runs from writing one destination, also when they are of two projects.
//!
//! An entity's own lock is a file in its project, where another project never looks. What both
//! meet at is the destination itself, so that is what is locked: the folder, or the file, as it
//! stands (`flock`, which needs no file beside it and dies with its holder). A commit puts
//! something else in its place, so it locks that as well, before it becomes visible.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use hygge_core::{Fault, Result, code};

use super::destination::{absent, look};

/// What a store holds, for as long as it lives.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lock(Arc<Mutex<Option<File>>>);

impl Lock {
    /// Locks what stands at the path, or says that another run writes there. Where nothing
    /// stands there is nothing to lock: whoever comes second finds out at its commit.
    pub(crate) fn hold(&self, path: &Path) -> Result<()> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &*held
            && leads_to(path, file)
        {
            return Ok(());
        }
        *held = None;
        *held = lock(path)?;
        Ok(())
    }

    /// Locks what is about to take the place of what is held; [`Lock::pass`] it on afterwards.
    pub(crate) fn next(path: &Path) -> Result<Option<File>> {
        lock(path)
    }

    /// From now on this is what is held.
    pub(crate) fn pass(&self, next: Option<File>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = next;
    }
}

fn lock(path: &Path) -> Result<Option<File>> {
    // Each turn means that another run put something else in its place.
    for _ in 0..16 {
        let file = match File::open(path) {
            Ok(file) => file,
            // What may be replaced needn't be readable.
            Err(error) if absent(&error) || error.kind() == io::ErrorKind::PermissionDenied => {
                return Ok(None);
            }
            Err(error) => return Err(look(path, &error)),
        };
        match file.try_lock() {
            Ok(()) if leads_to(path, &file) => return Ok(Some(file)),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(taken(path, &file)),
            // A file system without locks; none of those that can swap folders.
            Err(TryLockError::Error(_)) => return Ok(None),
        }
    }
    Err(taken_by(path, None))
}

fn leads_to(path: &Path, file: &File) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(held), Ok(there)) => (held.dev(), held.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

fn taken(path: &Path, file: &File) -> Fault {
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    let holder = file.metadata().ok().and_then(|found| {
        let (dev, ino) = (found.dev(), found.ino());
        let (major, minor) = (rustix::fs::major(dev), rustix::fs::minor(dev));
        holder(&locks, &format!("{major:02x}:{minor:02x}:{ino}"))
    });
    taken_by(path, holder)
}

/// The process that holds a file, by the lines of `/proc/locks`:
/// `1: FLOCK  ADVISORY  WRITE 4711 08:02:1311 0 EOF`.
fn holder(locks: &str, inode: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [_, "FLOCK", _, _, process, of, ..] if *of == inode => process.parse().ok(),
            _ => None,
        }
    })
}

fn taken_by(path: &Path, holder: Option<u32>) -> Fault {
    let by = holder.map_or_else(String::new, |process| format!(" (process {process})"));
    Fault::new(
        code::LOCKED,
        format!("another run is writing to {}{by}", path.display()),
    )
    .with("file", path.display())
    .advise(
        "wait until it has ended; two entities, also of two projects, each need a `path` of \
         their own",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_and_the_other_is_told_who() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lake");
        let (one, other) = (Lock::default(), Lock::default());
        one.hold(&path).unwrap();
        other.hold(&path).unwrap();
        fs::create_dir(&path).unwrap();
        one.hold(&path).unwrap();
        one.hold(&path).unwrap();
        let refused = other.hold(&path).unwrap_err();
        assert_eq!(refused.code, code::LOCKED);
        assert!(refused.message.starts_with("another run is writing to "));
        drop(one);
        other.hold(&path).unwrap();
    }

    #[test]
    fn what_takes_the_place_is_held_as_well() {
        let folder = tempfile::tempdir().unwrap();
        let (path, next) = (folder.path().join("lake"), folder.path().join("next"));
        fs::create_dir(&path).unwrap();
        fs::create_dir(&next).unwrap();
        let (one, other) = (Lock::default(), Lock::default());
        one.hold(&path).unwrap();
        let new = Lock::next(&next).unwrap();
        fs::rename(&path, folder.path().join("old")).unwrap();
        fs::rename(&next, &path).unwrap();
        assert_eq!(other.hold(&path).unwrap_err().code, code::LOCKED);
        one.pass(new);
        assert_eq!(other.hold(&path).unwrap_err().code, code::LOCKED);
    }

    #[test]
    fn the_holder_is_found_among_the_locks() {
        let locks = "1: POSIX  ADVISORY  WRITE 1 08:02:1311 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 4711 08:02:1311 0 EOF\n";
        assert_eq!(holder(locks, "08:02:1311"), Some(4711));
        assert_eq!(holder(locks, "08:02:131"), None);
    }
}
