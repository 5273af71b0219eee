use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::content::list;
use super::{Content, pause};

/// Lists a folder in a loop and reads it whenever it lists otherwise, as somebody else's query would,
/// and insists on what it sees: one of the contents that are allowed, never a mix.
pub(crate) struct Watcher {
    allowed: Arc<Mutex<Vec<Content>>>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Watcher {
    /// Begins to watch. A folder that isn't there, and a file that went away between listing
    /// and reading, are allowed: that is what the docs promise.
    pub(crate) fn new(folder: &Path, allowed: Vec<Content>) -> Self {
        let allowed = Arc::new(Mutex::new(allowed));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = {
            let (folder, allowed, stop) = (folder.to_owned(), allowed.clone(), stop.clone());
            std::thread::spawn(move || {
                let mut read = None;
                while !stop.load(Ordering::Relaxed) {
                    // Taken before the look, so that what changes during it is looked at again.
                    let there = gone(stamps(&folder));
                    if there == read {
                        // What is watched needs the processor, too.
                        pause(Duration::from_micros(100));
                        continue;
                    }
                    // What is allowed is fixed before the look: a test allows the new content
                    // before it starts the run that makes it.
                    read = match gone(Content::of(&folder)) {
                        Some(content) => {
                            let allowed = allowed.lock().unwrap();
                            assert!(
                                allowed.contains(&content),
                                "a reader saw {content:?}, which is none of {allowed:?}"
                            );
                            there
                        }
                        None => None,
                    };
                }
            })
        };
        Self {
            allowed,
            stop,
            thread,
        }
    }

    /// From now on this content is allowed as well.
    pub(crate) fn allow(&self, content: Content) {
        self.allowed.lock().unwrap().push(content);
    }

    /// Ends, and passes on what went wrong.
    pub(crate) fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Err(panic) = self.thread.join() {
            std::panic::resume_unwind(panic);
        }
    }
}

/// None of what isn't there, or isn't there any more.
fn gone<T>(looked: io::Result<T>) -> Option<T> {
    match looked {
        Ok(seen) => Some(seen),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => panic!("{error}"),
    }
}

/// A file, its number, its size, and when it was written: what holds something else has another.
type Stamp = (PathBuf, u64, u64, i64, i64);

fn stamps(folder: &Path) -> io::Result<Vec<Stamp>> {
    let mut files = Vec::new();
    list(folder, &mut files)?;
    files.sort();
    let stamps = files.into_iter().map(|file| {
        let of = fs::metadata(&file)?;
        Ok((file, of.ino(), of.size(), of.mtime(), of.mtime_nsec()))
    });
    stamps.collect()
}
