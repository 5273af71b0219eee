//! What the Store writes into records for itself. Stored data: a field may be added, none may
//! change its meaning.

use std::path::PathBuf;

use hygge_core::{Fault, Receipt, Result, code};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::destination::Shape;
use super::own::Own;

/// What `begin` says: [`Target::begun`](hygge_core::Target).
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
}

impl Begun {
    /// Reads it from where the engine kept it.
    pub(crate) fn read(value: &serde_json::Value) -> Result<Self> {
        read(value, "beginning")
    }
}

impl Staged {
    /// Reads it from a receipt.
    pub(crate) fn read(receipt: &Receipt) -> Result<Self> {
        read(&receipt.data, "receipt")
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
