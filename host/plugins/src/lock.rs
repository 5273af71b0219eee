//! `hygge.lock`: the files that were trusted, by digest. Grants are given to what stands here,
//! never to the name that a plugin gives itself.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::describe::Wanted;

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

    /// The file's text.
    pub fn text(&self) -> String {
        let lock = Self {
            version: 1,
            ..self.clone()
        };
        serde_json::to_string_pretty(&lock).unwrap_or_default() + "\n"
    }
}
