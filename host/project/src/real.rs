//! Where paths lead to once symbolic links are followed, without creating anything.

use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use hygge_core::Place;

/// As many links as the system follows in one path.
const MOST_LINKS: usize = 40;

/// Looks each folder up once, however many entities are below it.
#[derive(Debug, Default)]
pub(crate) struct Real {
    known: HashMap<PathBuf, PathBuf>,
}

impl Real {
    /// The place with the links in its path followed; what doesn't exist yet stays as written.
    pub(crate) fn place(&mut self, place: &Place) -> Place {
        place.resolved(|path| self.path(path, MOST_LINKS))
    }

    fn path(&mut self, path: &Path, links: usize) -> PathBuf {
        if let Some(real) = self.known.get(path) {
            return real.clone();
        }
        let (Some(above), Some(last)) = (path.parent(), path.components().next_back()) else {
            return path.to_owned();
        };
        let above = self.path(above, links);
        let real = match last {
            Component::ParentDir => above.parent().unwrap_or(&above).to_owned(),
            Component::Normal(name) => self.follow(above.join(name), links),
            _ => above,
        };
        self.known.insert(path.to_owned(), real.clone());
        real
    }

    /// A link, also one that leads nowhere yet, stands for its target.
    fn follow(&mut self, path: PathBuf, links: usize) -> PathBuf {
        match fs::read_link(&path) {
            Ok(target) if links > 0 => {
                let from = path.parent().unwrap_or(&path);
                self.path(&from.join(target), links - 1)
            }
            _ => path,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_and_nothing_is_created() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir_all(root.join("real/deep")).unwrap();
        symlink("real/deep", root.join("link")).unwrap();
        symlink("later", root.join("dangling")).unwrap();
        symlink("round", root.join("round")).unwrap();
        symlink(root.join("link"), root.join("twice")).unwrap();
        let mut real = Real::default();
        let mut at = |path: &str| {
            let found = real.path(&root.join(path), MOST_LINKS);
            found.strip_prefix(&root).unwrap().to_owned()
        };
        for (path, expected) in [
            ("link/new/x", "real/deep/new/x"),
            ("twice/./new", "real/deep/new"),
            ("link/../x", "real/x"),
            ("dangling/x", "later/x"),
            ("none/../x", "x"),
            ("round/x", "round/x"),
        ] {
            assert_eq!(at(path), Path::new(expected), "{path}");
        }
        assert_eq!(fs::read_dir(&root).unwrap().count(), 5);
    }
}
