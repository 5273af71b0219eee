//! Folders that were granted. A relative one is opened from the project's root without following
//! links: a plugin that may write in one grant can't plant a link that leads another one out of
//! the project.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags};

/// What says what plugins may do, or is run with what they may do; below a project's root.
const GOVERNING: [&str; 6] = [
    "hygge.yml",
    "hygge.lock",
    "plugins",
    "flows",
    ".hygge",
    ".git",
];

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
pub(crate) fn governs(root: &Path, flows: &str, path: &Path) -> Option<String> {
    let (real_root, path) = (real(root), real(path));
    if real_root.starts_with(&path) {
        return Some("it holds hygge.yml, which says what plugins may do".to_owned());
    }
    // `flows_dir: .` leaves everything else in the project free.
    let flows = Some(flows).filter(|flows| real(&root.join(flows)) != real_root);
    let within = GOVERNING
        .into_iter()
        .chain(flows)
        .find(|each| path.starts_with(real(&root.join(each))))?;
    Some(format!("{within} says what runs here and what it may do"))
}

/// Where a path leads, as far as it is there: what comes after isn't yet.
fn real(path: &Path) -> PathBuf {
    let mut missing = Vec::new();
    for above in path.ancestors() {
        if let Ok(real) = std::fs::canonicalize(above) {
            return missing
                .iter()
                .rev()
                .fold(real, |path, name| path.join(name));
        }
        missing.extend(above.file_name());
    }
    path.to_owned()
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
            assert!(governs(root, "flows", &path).is_some(), "{bad}");
        }
        assert!(governs(root, "flows", root.parent().unwrap()).is_some());
        // What isn't there yet, and what is reached by a link, is where it will be.
        symlink(root, root.join("again")).unwrap();
        for bad in ["again/.hygge", "again/.hygge/new/sub", "again/plugins"] {
            assert!(governs(root, "flows", &root.join(bad)).is_some(), "{bad}");
        }
        let named = |folder: &str| governs(root, "jobs", &inside(root, folder).unwrap());
        assert!(named("jobs").is_some() && named("jobs/f").is_some());
        assert!(governs(root, ".", &inside(root, "out").unwrap()).is_none());
        for fine in ["out", "later", "plugins2"] {
            assert!(
                governs(root, "flows", &inside(root, fine).unwrap()).is_none(),
                "{fine}"
            );
        }
    }
}
