//! `hygge.lock`: the files that were trusted, by digest. Grants are given to what stands here,
//! never to the name that a plugin gives itself.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use hygge_component::{Description, Wanted};
use serde::{Deserialize, Serialize};

use hygge_core::{Fault, Result, code};

use crate::plugin::Digest;

/// The file's name, beside hygge.yml.
pub(crate) const LOCK_FILE: &str = "hygge.lock";

/// The content of `hygge.lock`, as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// The form of the file; 1.
    pub version: u32,
    /// Trusted plugins by the name of their file without `.wasm`.
    pub plugins: BTreeMap<String, Locked>,
}

/// A file that was trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locked {
    /// The digest of the file: `blake3:…`.
    pub digest: String,
    /// The type it had, for showing differences.
    #[serde(rename = "type")]
    pub kind: String,
    /// The version it had.
    pub version: String,
    /// What it wanted.
    #[serde(default)]
    pub wants: Wanted,
}

impl Lock {
    /// Reads the lock of a project; an empty one when there is none.
    pub fn read(root: &Path) -> Result<Self, String> {
        let bytes = match std::fs::read(root.join(LOCK_FILE)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(format!("{LOCK_FILE} can't be read: {error}")),
        };
        let lock: Self = serde_json::from_slice(&bytes)
            .map_err(|error| format!("{LOCK_FILE} can't be read: {error}"))?;
        if lock.version > 1 {
            return Err(format!("{LOCK_FILE} was written by a newer hygge"));
        }
        Ok(lock)
    }

    /// Writes the lock of a project, in one step.
    pub fn write(&self, root: &Path) -> Result<()> {
        put(&root.join(LOCK_FILE), self.text().as_bytes())
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let lock = Self {
            version: 1,
            ..self.clone()
        };
        serde_json::to_string_pretty(&lock).unwrap_or_default() + "\n"
    }
}

impl Locked {
    /// What is remembered of a file that is trusted now.
    pub fn of(description: &Description, digest: &Digest) -> Self {
        Self {
            digest: digest.to_string(),
            kind: description.name.clone(),
            version: description.version.clone(),
            wants: description.grants.clone(),
        }
    }

    /// How a file differs from the one that was trusted: `1.0.0 became 1.1.0, and wants more: http
    /// https://api.example.com`. None when it says the same of itself.
    pub fn difference(&self, now: &Description) -> Option<String> {
        let mut parts = Vec::new();
        if self.kind != now.name {
            parts.push(format!("the type {} became {}", self.kind, now.name));
        }
        if self.version != now.version {
            parts.push(format!("{} became {}", self.version, now.version));
        }
        let more = now.grants.beyond(&self.wants);
        if !more.is_empty() {
            parts.push(format!("wants more: {}", more.lines().join(", ")));
        }
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// Writes a file whole or not at all.
pub(crate) fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = path.with_extension(format!("new-{}", std::process::id()));
    let write = || {
        let mut file = std::fs::File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().map_err(|error| {
        // What was begun must not lie about; that it can't be removed is no news.
        drop(std::fs::remove_file(&temporary));
        Fault::io(code::DESTINATION_IO, "can't write", path, &error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_reads_back_and_tells_differences() {
        let folder = tempfile::tempdir().unwrap();
        let describe = |version: &str, more: &str| {
            let text = format!(
                r#"{{"describe": 1, "name": "crm", "version": "{version}",
                    "grants": {{"http": ["https://a"{more}]}}}}"#
            );
            Description::read(text.as_bytes()).unwrap()
        };
        let (old, new) = (describe("1.0.0", ""), describe("1.1.0", r#", "https://b""#));
        let mut lock = Lock::default();
        let locked = Locked::of(&old, &Digest::of(b"x"));
        lock.plugins.insert("crm".to_owned(), locked.clone());
        lock.write(folder.path()).unwrap();
        let read = Lock::read(folder.path()).unwrap();
        assert_eq!(read.plugins, lock.plugins);
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
        assert_eq!(locked.difference(&old), None);
        assert_eq!(
            locked.difference(&new).unwrap(),
            "1.0.0 became 1.1.0, wants more: http https://b"
        );
    }
}
