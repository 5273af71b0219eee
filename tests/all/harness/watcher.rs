use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::Content;

/// Lists and reads a folder in a loop, as somebody else's query would, and insists on what it
/// sees: one of the contents that are allowed, never a mix.
pub(crate) struct Watcher {
    allowed: Arc<Mutex<Vec<Content>>>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
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
                let mut seen = 0;
                while !stop.load(Ordering::Relaxed) {
                    // What is allowed is fixed before the look: a test allows the new content
                    // before it starts the run that makes it.
                    match Content::of(&folder) {
                        Ok(content) => {
                            let allowed = allowed.lock().unwrap();
                            assert!(
                                allowed.contains(&content),
                                "a reader saw {content:?}, which is none of {allowed:?}"
                            );
                            seen += 1;
                        }
                        Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
                    }
                }
                seen
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

    /// Ends, passes on what went wrong, and says how often the whole folder was read.
    pub(crate) fn finish(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.join() {
            Ok(seen) => seen,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}
