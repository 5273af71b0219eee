//! Which files earlier runs took, for `strategy: files`.

use std::collections::{BTreeMap, BTreeSet};

use hygge_core::{Fault, Position, Result, code};

use super::list::Listed;

/// Files by name, with size and time of change when they were read.
#[derive(Debug, Default)]
pub(crate) struct Known {
    files: BTreeMap<String, (u64, i64)>,
}

/// What a file is to earlier runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    New,
    Changed,
    Old,
}

impl Known {
    /// Reads what [`Known::memory`] wrote.
    pub(crate) fn read(memory: &[u8]) -> Result<Self> {
        let list: Vec<(String, u64, i64)> = serde_json::from_slice(memory).map_err(|e| {
            Fault::new(
                code::STATE,
                format!("the list of files that were read is damaged: {e}"),
            )
            .advise("run once with --full")
        })?;
        let files = list
            .into_iter()
            .map(|(name, size, modified)| (name, (size, modified)))
            .collect();
        Ok(Self { files })
    }

    /// The files as the state keeps them.
    pub(crate) fn memory(&self) -> Result<Vec<u8>> {
        let list: Vec<(&str, u64, i64)> = self
            .files
            .iter()
            .map(|(name, (size, modified))| (name.as_str(), *size, *modified))
            .collect();
        serde_json::to_vec(&list)
            .map_err(|e| Fault::internal(format!("a list of files can't be written down: {e}")))
    }

    pub(crate) fn news(&self, file: &Listed) -> News {
        match self.files.get(&file.name) {
            None => News::New,
            Some(was) if *was == (file.size, file.modified) => News::Old,
            Some(_) => News::Changed,
        }
    }

    /// The files that aren't there any more, by size and time of change.
    pub(crate) fn gone(&self, there: &[Listed]) -> BTreeMap<(u64, i64), String> {
        let there: BTreeSet<&str> = there.iter().map(|file| file.name.as_str()).collect();
        self.files
            .iter()
            .filter(|(name, _)| !there.contains(name.as_str()))
            .map(|(name, stamp)| (*stamp, name.clone()))
            .collect()
    }

    pub(crate) fn add(&mut self, file: &Listed) {
        self.files
            .insert(file.name.clone(), (file.size, file.modified));
    }

    /// A summary for people.
    pub(crate) fn position(&self) -> Position {
        let newest = self.files.iter().max_by_key(|(_, (_, modified))| *modified);
        Position(serde_json::json!({
            "files": self.files.len(),
            "newest": newest.map(|(name, _)| name),
        }))
    }
}
