//! The one place that writes files so that they outlive a crash of the machine.
//!
//! A file is written beside its place, synced, renamed, and then its folder is synced; until
//! that last call returns, nobody may rely on it. Syncing a folder costs as much for one
//! rename as for a hundred, so callers that wait for the same folder share one call: whoever
//! comes while a sync is under way waits for the next, which serves all who came by then.
//! That is what keeps 200 small entities quick.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use hygge_core::{Fault, Result, code};

/// Ends the name of a file that isn't finished yet.
pub(crate) const UNFINISHED: &str = ".tmp";

/// Writes below one folder.
#[derive(Debug)]
pub(crate) struct Durable {
    /// The top folder; its own entry in its parent is made durable as well.
    top: PathBuf,
    folders: Mutex<HashMap<PathBuf, Arc<Folder>>>,
    /// Folders whose entry in their parent this process has seen to.
    ensured: Mutex<HashSet<PathBuf>>,
    syncs: AtomicU64,
    unfinished: AtomicU64,
    #[cfg(test)]
    pub(crate) tape: crate::tape::Tape,
}

/// Who waits for a folder's sync, as ticket numbers.
#[derive(Debug, Default)]
struct Folder {
    queue: Mutex<Queue>,
    served: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    /// Tickets given out.
    given: u64,
    /// Tickets below or at this one are served.
    served: u64,
    syncing: bool,
    /// Ranges of tickets whose sync failed, and how. A later sync that succeeds says nothing
    /// about what an earlier one lost, so these are kept.
    failed: Vec<(u64, u64, Option<i32>)>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn fault(doing: &str, path: &Path, error: &io::Error) -> Fault {
    Fault::io(code::STATE, doing, path, error)
}

impl Durable {
    pub(crate) fn new(top: &Path) -> Self {
        Self {
            top: top.to_owned(),
            folders: Mutex::default(),
            ensured: Mutex::default(),
            syncs: AtomicU64::new(0),
            unfinished: AtomicU64::new(0),
            #[cfg(test)]
            tape: crate::tape::Tape::default(),
        }
    }

    /// How many fsyncs were made so far.
    pub(crate) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    /// Creates a folder at or below the top, without seeing to it that it lasts.
    pub(crate) fn create_folder(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).map_err(|e| fault("can't create", folder, &e))?;
        #[cfg(test)]
        self.tape.folder(folder);
        Ok(())
    }

    /// Creates a folder at or below the top and makes it last. Another process may have
    /// created it and died before its entry was synced, so the first use by this process
    /// always syncs the parents.
    pub(crate) fn ensure_folder(&self, folder: &Path) -> Result<()> {
        if locked(&self.ensured).contains(folder) {
            return Ok(());
        }
        self.create_folder(folder)?;
        if let Some(parent) = folder.parent() {
            if folder != self.top {
                self.ensure_folder(parent)?;
            }
            self.sync_folder(parent)?;
        }
        locked(&self.ensured).insert(folder.to_owned());
        Ok(())
    }

    /// Writes a whole file. When it returns, the file has the new content even after a crash
    /// of the machine; when it doesn't, it has the old or the new one.
    pub(crate) fn write(&self, path: &Path, content: &[u8]) -> Result<()> {
        let folder = folder_of(path)?;
        self.ensure_folder(folder)?;
        self.place(path, content, true)?;
        self.sync_folder(folder)
    }

    /// As [`write`](Self::write), up to the folder's sync, so that several files can share it.
    pub(crate) fn write_unsynced(&self, path: &Path, content: &[u8]) -> Result<()> {
        self.ensure_folder(folder_of(path)?)?;
        self.place(path, content, true)
    }

    /// Writes a whole file that only has to outlive this process: old or new, never half.
    pub(crate) fn write_volatile(&self, path: &Path, content: &[u8]) -> Result<()> {
        self.create_folder(folder_of(path)?)?;
        self.place(path, content, false)
    }

    fn place(&self, path: &Path, content: &[u8], sync: bool) -> Result<()> {
        let unfinished = self.unfinished_name(path);
        let placed = self.fill(&unfinished, content, sync).and_then(|()| {
            fs::rename(&unfinished, path).map_err(|e| fault("can't write", path, &e))
        });
        if placed.is_err() {
            // The first error is the one to tell; what is left is swept with the next run.
            let _ = fs::remove_file(&unfinished);
            return placed;
        }
        #[cfg(test)]
        self.tape.rename(&unfinished, path);
        Ok(())
    }

    fn fill(&self, path: &Path, content: &[u8], sync: bool) -> Result<()> {
        let mut file = File::create(path).map_err(|e| fault("can't write", path, &e))?;
        file.write_all(content)
            .map_err(|e| fault("can't write", path, &e))?;
        #[cfg(test)]
        self.tape.write(path, content);
        if sync {
            self.sync_handle(&file)
                .map_err(|e| fault("can't sync", path, &e))?;
            #[cfg(test)]
            self.tape.sync(path);
        }
        Ok(())
    }

    fn unfinished_name(&self, path: &Path) -> PathBuf {
        let n = self.unfinished.fetch_add(1, Ordering::Relaxed);
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}-{n}{UNFINISHED}", std::process::id()));
        path.with_file_name(name)
    }

    /// Appends to a file in one call, without a sync.
    pub(crate) fn append(&self, path: &Path, file: &mut File, content: &[u8]) -> Result<()> {
        file.write_all(content)
            .map_err(|e| fault("can't write", path, &e))?;
        #[cfg(test)]
        self.tape.append(path, content);
        Ok(())
    }

    /// Cuts a file's end off, without a sync.
    pub(crate) fn cut(&self, path: &Path, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)?;
        #[cfg(test)]
        self.tape.cut(path, length);
        #[cfg(not(test))]
        let _ = path;
        Ok(())
    }

    /// Removes a file if it is there, without a sync; says whether it was.
    pub(crate) fn remove(&self, path: &Path) -> Result<bool> {
        match fs::remove_file(path) {
            Ok(()) => {
                #[cfg(test)]
                self.tape.remove(path);
                Ok(true)
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(fault("can't remove", path, &e)),
        }
    }

    /// Makes every rename and removal in the folder last that was done before this call.
    pub(crate) fn sync_folder(&self, path: &Path) -> Result<()> {
        let folder = Arc::clone(locked(&self.folders).entry(path.to_owned()).or_default());
        let mut queue = locked(&folder.queue);
        queue.given += 1;
        let ticket = queue.given;
        while queue.served < ticket {
            if queue.syncing {
                queue = folder
                    .served
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            queue.syncing = true;
            let (from, to) = (queue.served, queue.given);
            drop(queue);
            let synced = self.sync_now(path);
            queue = locked(&folder.queue);
            queue.syncing = false;
            queue.served = to;
            if let Err(error) = &synced {
                queue.failed.push((from, to, error.raw_os_error()));
            }
            folder.served.notify_all();
        }
        let failed = queue
            .failed
            .iter()
            .find(|(from, to, _)| *from < ticket && ticket <= *to)
            .map(|(_, _, raw)| *raw);
        match failed {
            None => Ok(()),
            Some(raw) => {
                let error = raw.map_or_else(
                    || io::Error::other("the sync failed"),
                    io::Error::from_raw_os_error,
                );
                Err(fault("can't sync", path, &error))
            }
        }
    }

    fn sync_handle(&self, file: &File) -> io::Result<()> {
        // Crash tests play thousands of lives; what a crash leaves is read off the tape.
        #[cfg(test)]
        if self.tape.pretends() {
            return Ok(());
        }
        self.syncs.fetch_add(1, Ordering::Relaxed);
        file.sync_all()
    }

    fn sync_now(&self, path: &Path) -> io::Result<()> {
        // `parent()` of a relative one-part path is empty, and means here.
        let here = Path::new(".");
        let open = if path.as_os_str().is_empty() {
            here
        } else {
            path
        };
        match self.sync_handle(&File::open(open)?) {
            // Some network and user-space file systems have no such call for folders; then
            // their renames are as lasting as they get.
            Err(e) if e.kind() == io::ErrorKind::InvalidInput => Ok(()),
            Err(e) if e.kind() == io::ErrorKind::Unsupported => Ok(()),
            Err(e) => Err(e),
            Ok(()) => {
                #[cfg(test)]
                self.tape.sync_folder(path);
                Ok(())
            }
        }
    }
}

fn folder_of(path: &Path) -> Result<&Path> {
    path.parent()
        .ok_or_else(|| Fault::internal(format!("{} has no folder", path.display())))
}

/// Reads a whole file; none when it isn't there.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(e) => Err(fault("can't read", path, &e)),
    }
}

/// What is in a folder; nothing when there is no such folder.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e: &io::Error| fault("can't list", folder, e);
    let reading = match fs::read_dir(folder) {
        Ok(reading) => reading,
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(e) => return Err(failed(&e)),
    };
    reading
        .map(|entry| entry.map(|e| e.path()).map_err(|e| failed(&e)))
        .collect()
}
