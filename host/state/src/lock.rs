//! The lock on an entity: an operating-system file lock, which dies with whoever holds it.
//!
//! What stands in the file only tells a person who holds it; whether it is held is for the
//! system to say. The file stays when the lock goes: removing it could take it from under
//! someone who just opened it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use hygge_core::{EntityId, Fault, Result, code};

use crate::Holder;

/// A lock file that is locked; dropping it lets go.
#[derive(Debug)]
pub(crate) struct Held(File);

impl Drop for Held {
    fn drop(&mut self) {
        // So that nobody is told of a holder that has gone. If this fails, the next one to
        // hold the lock writes its own name over it.
        let _ = self.0.set_len(0);
    }
}

/// Locks the file, or says who holds it. The folder must exist.
pub(crate) fn hold(path: &Path, entity: &EntityId, holder: &Holder) -> Result<Held> {
    let fault =
        |doing: &str, e: &io::Error| Fault::io(code::STATE, doing, path, e).with("entity", entity);
    // Each turn means that someone removed the file between opening and locking it.
    for _ in 0..16 {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|e| fault("can't open", &e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(taken(entity, told(&mut file))),
            Err(TryLockError::Error(e)) => {
                return Err(fault("can't lock", &e).advise(
                    "this file system has no file locks; keep the project's .hygge folder on \
                     one that has (a local disk)",
                ));
            }
        }
        if !still_there(&file, path) {
            continue;
        }
        let held = Held(file);
        tell(&held.0, holder).map_err(|e| fault("can't write", &e))?;
        return Ok(held);
    }
    Err(Fault::new(
        code::STATE,
        format!("{} is removed each time it is locked", path.display()),
    )
    .advise("find what cleans that folder, and keep it from doing so"))
}

/// Whether the path still leads to the open file. Without this, two could hold "the" lock
/// after someone removed the file: one the old, one the new.
#[cfg(unix)]
fn still_there(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// Elsewhere an open file can't be removed.
#[cfg(not(unix))]
fn still_there(_: &File, path: &Path) -> bool {
    fs::metadata(path).is_ok()
}

fn tell(mut file: &File, holder: &Holder) -> io::Result<()> {
    let mut line = serde_json::to_vec(holder)?;
    line.push(b'\n');
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&line)
}

/// Who holds the lock, if they have written it down by now.
fn told(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// The refusal, the same for every backend.
pub(crate) fn taken(entity: &EntityId, by: Option<Holder>) -> Fault {
    let fault = match by {
        Some(Holder {
            run,
            pid,
            host,
            since,
        }) => Fault::new(
            code::LOCKED,
            format!(
                "{entity} is being moved by run {run} (process {pid} on {host}) since {}",
                since.strftime("%Y-%m-%d %H:%M:%S UTC")
            ),
        )
        .advise("wait until that run has ended, or stop it; the lock goes when its process does"),
        None => Fault::new(
            code::LOCKED,
            format!("{entity} is being moved by another run"),
        )
        .advise("wait until that run has ended"),
    };
    fault.with("entity", entity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hygge_core::RunId;

    fn holder() -> Holder {
        Holder {
            run: RunId::parse("20261122t170809z-4f2k9a").unwrap(),
            pid: 123,
            host: "mill".into(),
            since: "2026-11-22T17:08:09Z".parse().unwrap(),
        }
    }

    #[test]
    fn a_second_one_is_told_who_holds_it_and_the_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let entity = EntityId::new("sales", "orders");
        // What a killed process left doesn't matter.
        fs::write(&path, "{\"run\": \"dead").unwrap();
        let held = hold(&path, &entity, &holder()).unwrap();
        let refused = hold(&path, &entity, &holder()).unwrap_err();
        assert_eq!(refused.code, code::LOCKED);
        assert_eq!(
            refused.message,
            "sales.orders is being moved by run 20261122t170809z-4f2k9a (process 123 on mill) \
             since 2026-11-22 17:08:09 UTC"
        );
        assert!(refused.advice.is_some());
        drop(held);
        assert_eq!(fs::read(&path).unwrap(), b"");
        hold(&path, &entity, &holder()).unwrap();
    }

    #[test]
    fn a_removed_file_is_not_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let file = File::create(&path).unwrap();
        assert!(still_there(&file, &path));
        fs::remove_file(&path).unwrap();
        assert!(!still_there(&file, &path));
        File::create(&path).unwrap();
        assert!(!still_there(&file, &path));
    }
}
