//! A file being written that counts its bytes and keeps the disk's own words.
//!
//! Encoders turn an I/O error into one of theirs, and "no space left" becomes a text among
//! others. So the file remembers what the system said, and whoever sees an encoder fail asks.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use hygge_core::{Fault, code};
use xxhash_rust::xxh3::Xxh3;

/// What is known of a file while an encoder holds it.
#[derive(Debug)]
pub(crate) struct Track {
    path: PathBuf,
    /// The file as it will be named, for messages.
    destined: PathBuf,
    bytes: AtomicU64,
    error: AtomicI32,
}

impl Track {
    /// Bytes written so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The fault for an encoder's failure: the disk's, if there was one.
    pub(crate) fn fault(&self, error: impl std::fmt::Display) -> Fault {
        let fault = match self.error.load(Ordering::Relaxed) {
            0 => Fault::new(
                code::DESTINATION_IO,
                format!("can't write {}: {error}", self.destined.display()),
            ),
            number => Fault::io(
                code::DESTINATION_IO,
                "can't write",
                &self.destined,
                &io::Error::from_raw_os_error(number),
            ),
        };
        fault.with("file", self.destined.display())
    }
}

/// The file.
pub(crate) struct Tracked {
    file: File,
    hash: Xxh3,
    track: Arc<Track>,
}

impl Tracked {
    /// Creates the file, which must not be there.
    pub(crate) fn create(path: PathBuf, destined: PathBuf) -> Result<Self, Fault> {
        let file = File::create_new(&path)
            .map_err(|error| Fault::io(code::DESTINATION_IO, "can't create", &path, &error))?;
        Ok(Self {
            file,
            hash: Xxh3::new(),
            track: Arc::new(Track {
                path,
                destined,
                bytes: AtomicU64::new(0),
                error: AtomicI32::new(0),
            }),
        })
    }

    /// What is known of it, also while an encoder holds it.
    pub(crate) fn track(&self) -> Arc<Track> {
        Arc::clone(&self.track)
    }

    /// The hash of what was written, as [`seal::hash`](super::seal::hash) reads it.
    pub(crate) fn hash(&self) -> u64 {
        self.hash.digest()
    }

    /// The file itself.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

impl Write for Tracked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.file.write(bytes) {
            Ok(written) => {
                self.hash.update(&bytes[..written]);
                self.track
                    .bytes
                    .fetch_add(written as u64, Ordering::Relaxed);
                Ok(written)
            }
            Err(error) => {
                if error.kind() != io::ErrorKind::Interrupted {
                    self.track
                        .error
                        .store(error.raw_os_error().unwrap_or(0), Ordering::Relaxed);
                }
                Err(error)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_said_as_such() {
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let mut tracked = Tracked {
            file: full,
            hash: Xxh3::new(),
            track: Arc::new(Track {
                path: "/staging/x".into(),
                destined: "/data/x".into(),
                bytes: AtomicU64::new(0),
                error: AtomicI32::new(0),
            }),
        };
        let error = tracked.write_all(b"x").unwrap_err();
        let fault = tracked.track().fault(format!("encoder: {error}"));
        assert_eq!(
            fault.message,
            "can't write /data/x: No space left on device"
        );
        assert!(fault.advice.is_some());
    }
}
