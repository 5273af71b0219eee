//! Folders that were granted. A relative one is opened from the project's root without following
//! links: a plugin that may write in one grant can't plant a link that leads another one out of
//! the project.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags};

/// What says what plugins may do, or is run with what they may do; below a project's root.
const GOVERNING: [&str; 5] = ["hygge.yml", "hygge.lock", "plugins", "flows", ".hygge"];

/// The folder in the project; outside of it only when it is written absolute.
pub(crate) fn inside(root: &Path, folder: &str) -> Result<PathBuf, String> {
    let path = Path::new(folder);
    if folder.is_empty() {
        return Err("a folder is missing".to_owned());
    }
    if path.components().any(|c| matches!(c, Component::ParentDir)) {
        return Err(format!(
            "{folder:?} leaves the project; write the whole path if that is meant"
        ));
    }
    Ok(root.join(path))
}

/// Why nothing may be written there: it would let the plugin change what it, or others, may do.
pub(crate) fn governs(root: &Path, path: &Path) -> Option<String> {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let (root, path) = (real(root), real(path));
    if root.starts_with(&path) {
        return Some("it holds hygge.yml, which says what plugins may do".to_owned());
    }
    let within = GOVERNING
        .iter()
        .find(|each| path.starts_with(root.join(each)))?;
    Some(format!("{within} says what runs here and what it may do"))
}

/// Opens the folder itself, so that it stays the one that was looked at.
pub(crate) fn open(root: &Path, path: &Path) -> Result<OwnedFd, String> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
    let told = |at: &Path| {
        let at = at.to_owned();
        move |error: rustix::io::Errno| {
            let link = std::fs::symlink_metadata(&at).is_ok_and(|meta| meta.is_symlink());
            match link {
                true => format!(
                    "{} is a link; grant where it leads as a whole path",
                    at.display()
                ),
                false => format!(
                    "{} can't be opened: {}",
                    at.display(),
                    io::Error::from(error)
                ),
            }
        }
    };
    let Ok(rest) = path.strip_prefix(root) else {
        return rustix::fs::open(path, flags, Mode::empty()).map_err(told(path));
    };
    let mut at = root.to_owned();
    let mut folder = rustix::fs::open(root, flags, Mode::empty()).map_err(told(root))?;
    for part in rest.components() {
        let Component::Normal(name) = part else {
            continue;
        };
        at.push(name);
        folder = rustix::fs::openat(&folder, name, flags | OFlags::NOFOLLOW, Mode::empty())
            .map_err(told(&at))?;
    }
    Ok(folder)
}

/// A path that leads to an open folder, whatever its name leads to by now.
pub(crate) fn path_of(folder: &OwnedFd, path: &Path) -> PathBuf {
    match cfg!(target_os = "linux") {
        true => PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())),
        false => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_not_followed_out_of_the_project() {
        let project = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let root = project.path();
        std::fs::create_dir_all(root.join("data/in")).unwrap();
        symlink(elsewhere.path(), root.join("data/out")).unwrap();
        symlink("../../..", root.join("data/up")).unwrap();
        assert!(open(root, &inside(root, "data/in").unwrap()).is_ok());
        for link in ["data/out", "data/up"] {
            let why = open(root, &inside(root, link).unwrap()).unwrap_err();
            assert!(why.contains("is a link"), "{why}");
        }
        let gone = open(root, &root.join("data/gone")).unwrap_err();
        assert!(gone.contains("can't be opened"), "{gone}");
        // What was written whole is meant.
        assert!(open(root, elsewhere.path()).is_ok());
    }

    #[test]
    fn what_says_what_plugins_may_do_is_not_written_by_them() {
        let project = tempfile::tempdir().unwrap();
        let root = project.path();
        for folder in ["plugins", "flows/sub", ".hygge", "out"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        symlink(root.join("plugins"), root.join("link")).unwrap();
        for bad in [".", "plugins", "flows", "flows/sub", ".hygge", "/", "link"] {
            let path = inside(root, bad).unwrap();
            assert!(governs(root, &path).is_some(), "{bad}");
        }
        assert!(governs(root, root.parent().unwrap()).is_some());
        for fine in ["out", "later", "plugins2"] {
            assert!(
                governs(root, &inside(root, fine).unwrap()).is_none(),
                "{fine}"
            );
        }
    }
}
