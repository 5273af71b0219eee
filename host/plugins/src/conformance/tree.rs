//! What stands in a folder: how a Store is seen from outside.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::plugin::Digest;

/// Files by their path, with size and digest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tree(BTreeMap<String, (u64, String)>);

impl Tree {
    /// Everything below a folder. Folders without files don't count.
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        tree.add(folder, folder)?;
        Ok(tree)
    }

    fn add(&mut self, root: &Path, folder: &Path) -> io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                self.add(root, &path)?;
                continue;
            }
            let bytes = std::fs::read(&path)?;
            let name = path.strip_prefix(root).unwrap_or(&path);
            let digest = Digest::of(&bytes).to_string();
            self.0
                .insert(name.display().to_string(), (bytes.len() as u64, digest));
        }
        Ok(())
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.0.values().map(|(bytes, _)| bytes).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How another differs from it, by the first file that does.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        let name = |name: &String| crate::fault::clean(name, 200);
        let gone = self.0.keys().find(|each| !other.0.contains_key(*each));
        let new = other.0.keys().find(|each| !self.0.contains_key(*each));
        let changed = self
            .0
            .iter()
            .find(|(each, what)| other.0.get(*each).is_some_and(|now| now != *what));
        match (gone, new, changed) {
            (Some(gone), ..) => Some(format!("{} is gone", name(gone))),
            (_, Some(new), _) => Some(format!("{} is there", name(new))),
            (_, _, Some((changed, _))) => Some(format!("{} is another", name(changed))),
            _ => None,
        }
    }
}
