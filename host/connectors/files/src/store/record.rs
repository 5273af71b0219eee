//! What the Store writes into records for itself. Stored data: a field may be added, none may
//! change its meaning.

use std::path::{Component, Path, PathBuf};

use hygge_core::{Fault, Receipt, Result, code};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::destination::{Shape, look};
use super::own::Own;
use super::seal::{Seal, Written};
use crate::home::modified;

/// What `begin` says: [`Target::begun`](hygge_core::Target). Paths below the project's root are
/// stored from there, so that a project that was moved or copied finishes in its own place, and
/// never in that of the original.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Begun {
    /// The destination, with a symbolic link at its end followed.
    pub(crate) destination: PathBuf,
    /// What it is.
    pub(crate) shape: Shape,
    /// Where the run stages.
    pub(crate) staging: PathBuf,
    /// What stood there and was hygge's own, or was adopted.
    pub(crate) own: Own,
    /// The destination as the project names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<String>,
    /// The columns that the destination has once the run is committed, as
    /// [`memory::encode`](super::memory::encode) wrote them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) columns: Option<String>,
}

/// What a writer, or a merge, says: [`Receipt::data`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Staged {
    /// Files to move into the destination.
    pub(crate) files: Vec<StagedFile>,
    /// After a merge, files that stay as they are; only the first receipt has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) keep: Option<Own>,
}

/// A finished file in staging.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StagedFile {
    /// Its path relative to the run's staging folder.
    pub(crate) staged: String,
    /// Its path relative to the destination; empty when the destination is one file.
    pub(crate) name: String,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// Its rows.
    pub(crate) rows: u64,
    /// Where the destination is one file: when it was last written, in nanoseconds since 1970,
    /// which tells it from another of its size. Elsewhere no other has its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) modified: Option<i64>,
    /// What tells it from an edited file of its size: see [`Seal`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hash: Option<u64>,
}

impl Begun {
    /// Reads it from where the engine kept it.
    pub(crate) fn read(value: &serde_json::Value, root: &Path) -> Result<Self> {
        let mut begun: Self = read(value, "beginning")?;
        begun.destination = root.join(&begun.destination);
        begun.staging = root.join(&begun.staging);
        Ok(begun)
    }

    /// The form the engine keeps.
    pub(crate) fn write(mut self, root: &Path) -> Result<serde_json::Value> {
        self.destination = from_root(&self.destination, root);
        self.staging = from_root(&self.staging, root);
        write(&self)
    }
}

fn from_root(path: &Path, root: &Path) -> PathBuf {
    let stays_below = |rest: &Path| !rest.components().any(|part| part == Component::ParentDir);
    let below = |root: &Path| {
        let rest = path.strip_prefix(root).ok()?;
        stays_below(rest).then(|| rest.to_owned())
    };
    // A link at the path's end was followed, and that may have led through the root's own links.
    let real = || std::fs::canonicalize(root).ok();
    below(root)
        .or_else(|| below(&real()?))
        .unwrap_or_else(|| path.to_owned())
}

impl Staged {
    /// Reads it from a receipt.
    pub(crate) fn read(receipt: &Receipt) -> Result<Self> {
        read(&receipt.data, "receipt")
    }
}

impl StagedFile {
    /// Of a file that was written to its end.
    pub(crate) fn finished(mut self, path: &Path, size: u64, hash: u64) -> Result<Self> {
        self.size = size;
        self.hash = Some(hash);
        if self.name.is_empty() {
            let found = std::fs::metadata(path).map_err(|error| look(path, &error))?;
            self.modified = Some(modified(&found));
        }
        Ok(self)
    }

    /// What is remembered of it, once it is known when it was written. That isn't in receipts of
    /// files that a merge may write once more.
    pub(crate) fn written(&self, modified: Option<i64>) -> Written {
        let seal = modified.zip(self.hash);
        Written {
            size: self.size,
            seal: seal.map(|(modified, hash)| Seal { modified, hash }),
        }
    }
}

fn read<T: DeserializeOwned>(value: &serde_json::Value, what: &str) -> Result<T> {
    T::deserialize(value).map_err(|error| {
        Fault::new(
            code::STATE,
            format!("the stored {what} can't be read: {error}"),
        )
        .advise("it may be of a newer hygge; finish the run with that one")
    })
}

/// The form the engine keeps.
pub(crate) fn write(value: &impl Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(value).map_err(|error| {
        Fault::new(
            code::CONFIG,
            format!("a path of this project can't be stored: {error}"),
        )
        .advise("use paths that are valid UTF-8")
    })
}
