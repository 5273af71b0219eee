//! What a script is called in the record, the same on every machine.

use std::path::{Component, Path, PathBuf};

/// A file's path from the root. From there on it is as it is written: links in a project are what the
/// project says they are. But the project itself may be come by on several ways, and so may be what is
/// outside of it.
/// What isn't UTF-8 has none.
pub(crate) fn name(root: &Path, file: &Path) -> Option<String> {
    let (root, file) = (real(root), plain(file));
    let within = file.ancestors().skip(1).find(|folder| real(folder) == root);
    if let Some(down) = within.and_then(|folder| file.strip_prefix(folder).ok()) {
        return written(down.components());
    }
    let file = match (file.parent(), file.file_name()) {
        (Some(folder), Some(last)) => real(folder).join(last),
        _ => file,
    };
    let (mut root, mut file) = (root.components().peekable(), file.components().peekable());
    while root.peek().is_some() && root.peek() == file.peek() {
        root.next();
        file.next();
    }
    written(root.map(|_| Component::ParentDir).chain(file))
}

/// Where something is, without links; as it is written where there is nothing.
pub(crate) fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| plain(path))
}

fn written<'a>(parts: impl Iterator<Item = Component<'a>>) -> Option<String> {
    let parts = parts.map(|part| part.as_os_str().to_str());
    Some(parts.collect::<Option<Vec<_>>>()?.join("/"))
}

/// A whole path without `.` and `..`. What is above a link is above what it leads to.
pub(crate) fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                if plain.is_symlink() {
                    plain = plain.canonicalize().unwrap_or(plain);
                }
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_on_every_machine() {
        let of = |file: &str| name(Path::new("/a/project"), Path::new(file)).unwrap();
        assert_eq!(of("/a/project/schema/x.sql"), "schema/x.sql");
        assert_eq!(of("/a/project/flows/../schema/./x.sql"), "schema/x.sql");
        assert_eq!(of("/a/schema/x.sql"), "../schema/x.sql");
        assert_eq!(of("/b/x.sql"), "../../b/x.sql");
    }

    #[cfg(unix)]
    #[test]
    fn ways_to_a_project_make_no_difference() {
        use std::fs::{create_dir_all, write};
        use std::os::unix::fs::symlink;
        let place = tempfile::tempdir().unwrap();
        let at = |path: &str| place.path().join(path);
        for folder in ["project/schema", "shared/deep", "b"] {
            create_dir_all(at(folder)).unwrap();
        }
        symlink(at("project"), at("b/link")).unwrap();
        symlink(at("shared"), at("project/shared")).unwrap();
        symlink(at("shared/deep"), at("b/deep")).unwrap();
        symlink(at("project/schema"), at("b/schema")).unwrap();
        for file in ["project/schema/x.sql", "shared/y.sql"] {
            write(at(file), "").unwrap();
        }
        let of = |root: &str, file: &str| name(&at(root), &at(file)).unwrap();
        for (root, file, named) in [
            ("project", "project/schema/x.sql", "schema/x.sql"),
            ("b/link", "b/link/schema/x.sql", "schema/x.sql"),
            ("project", "b/link/schema/x.sql", "schema/x.sql"),
            ("b/link", "project/schema/x.sql", "schema/x.sql"),
            // A link of the project's own.
            ("project", "project/shared/y.sql", "shared/y.sql"),
            ("b/link", "b/link/shared/y.sql", "shared/y.sql"),
            // Outside of it.
            ("project", "shared/y.sql", "../shared/y.sql"),
            ("project", "b/deep/../y.sql", "../shared/y.sql"),
            // In it, by a link from outside.
            ("project", "b/schema/x.sql", "schema/x.sql"),
        ] {
            assert_eq!(of(root, file), named, "{root} {file}");
        }
    }
}
