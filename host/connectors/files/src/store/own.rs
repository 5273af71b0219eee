//! Which files of a destination are hygge's own.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use hygge_core::{Fault, Result, code};
use serde::{Deserialize, Serialize};

use super::destination::absent;
use super::seal::{self, Seal, Written};
use crate::config::Format;
use crate::home::modified;

/// Files by path relative to the destination, with `/`, as they were written. A single-file
/// destination has one, with an empty path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Own(pub(crate) BTreeMap<String, Written>);

/// A thing in a folder that isn't a folder itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its path relative to the folder.
    pub(crate) path: PathBuf,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// Nanoseconds from 1970 to its last change.
    pub(crate) modified: i64,
    /// Whether it is a plain file, and not a symbolic link, a socket or the like.
    pub(crate) plain: bool,
}

impl Found {
    /// The path as [`Own`] has it; `None` when it isn't UTF-8, so none of ours.
    pub(crate) fn key(&self) -> Option<&str> {
        self.path.to_str()
    }
}

/// Everything in a folder and below, by path, without following links. A folder that isn't
/// there is empty.
pub(crate) fn list(folder: &Path) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(relative) = waiting.pop() {
        let path = folder.join(&relative);
        let failed =
            |error: &io::Error| Fault::io(code::DESTINATION_IO, "can't list", &path, error);
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if absent(&error) && relative.as_os_str().is_empty() => {
                return Ok(found);
            }
            Err(error) => return Err(failed(&error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| failed(&error))?;
            let kind = entry.file_type().map_err(|error| failed(&error))?;
            let name = relative.join(entry.file_name());
            if kind.is_dir() {
                waiting.push(name);
                continue;
            }
            let known = entry.metadata().map_err(|error| failed(&error))?;
            found.push(Found {
                path: name,
                size: known.len(),
                modified: modified(&known),
                plain: kind.is_file(),
            });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// The same for a destination that is one file: it has an empty path.
pub(crate) fn single(file: &Path) -> Result<Vec<Found>> {
    match std::fs::symlink_metadata(file) {
        Ok(found) => Ok(vec![Found {
            path: PathBuf::new(),
            size: found.len(),
            modified: modified(&found),
            plain: found.is_file(),
        }]),
        Err(error) if absent(&error) => Ok(Vec::new()),
        Err(error) => Err(Fault::io(
            code::DESTINATION_IO,
            "can't look at",
            file,
            &error,
        )),
    }
}

/// What a destination holds, told apart.
#[derive(Debug, Default)]
pub(crate) struct Sorted {
    /// Remembered, there, and as remembered.
    pub(crate) ours: Own,
    /// There, but not as remembered.
    pub(crate) foreign: Vec<Found>,
    /// Remembered, but not there.
    pub(crate) gone: Vec<String>,
}

/// Tells hygge's own files of a destination from others.
pub(crate) fn sort(at: &Path, format: Format, found: Vec<Found>, own: &Own) -> Result<Sorted> {
    let mut sorted = Sorted::default();
    for file in found {
        let known = file.key().and_then(|key| own.0.get_key_value(key));
        let same = match known {
            Some((key, written)) => same(at, format, &file, *written)?.map(|same| (key, same)),
            None => None,
        };
        match same {
            Some((key, written)) => {
                sorted.ours.0.insert(key.clone(), written);
            }
            None => sorted.foreign.push(file),
        }
    }
    let foreign: BTreeSet<&str> = sorted.foreign.iter().filter_map(Found::key).collect();
    let there = |path: &str| sorted.ours.0.contains_key(path) || foreign.contains(path);
    sorted.gone = own.0.keys().filter(|path| !there(path)).cloned().collect();
    Ok(sorted)
}

/// What is to be remembered of a file that is as it was written; none of another.
fn same(at: &Path, format: Format, file: &Found, written: Written) -> Result<Option<Written>> {
    if !file.plain || file.size != written.size {
        return Ok(None);
    }
    let (size, modified) = (file.size, file.modified);
    match written.seal {
        None => Ok(Some(written)),
        Some(seal) if seal.modified == modified => Ok(Some(written)),
        Some(Seal { hash, .. }) => {
            let same = seal::hash(&super::within(at, &file.path), format)? == hash;
            let seal = Some(Seal { modified, hash });
            Ok(same.then_some(Written { size, seal }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir(root.join("a=1")).unwrap();
        std::fs::write(root.join("a=1/ours"), "12").unwrap();
        std::fs::write(root.join("edited"), "123").unwrap();
        std::fs::write(root.join("theirs"), "").unwrap();
        std::os::unix::fs::symlink("theirs", root.join("link")).unwrap();
        let own = Own([("a=1/ours", 2), ("edited", 2), ("lost", 1), ("link", 6)]
            .map(|(path, size)| (path.to_owned(), Written::sized(size)))
            .into());
        let sorted = sort(root, Format::Csv, list(root).unwrap(), &own).unwrap();
        assert_eq!(sorted.ours.0.len(), 1);
        let foreign: Vec<_> = sorted.foreign.iter().map(|f| f.key().unwrap()).collect();
        assert_eq!(foreign, ["edited", "link", "theirs"]);
        assert_eq!(sorted.gone, ["lost"]);
    }

    #[test]
    fn names_that_are_not_text_are_foreign() {
        use std::os::unix::ffi::OsStrExt as _;
        let folder = tempfile::tempdir().unwrap();
        let name = std::ffi::OsStr::from_bytes(b"\xff.parquet");
        std::fs::write(folder.path().join(name), "").unwrap();
        let found = list(folder.path()).unwrap();
        let sorted = sort(folder.path(), Format::Csv, found, &Own::default()).unwrap();
        assert_eq!(sorted.foreign.len(), 1);
        assert_eq!(sorted.foreign[0].key(), None);
    }
}
