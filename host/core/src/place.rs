use std::fmt;
use std::path::{Component, Path, PathBuf};

/// Where a Home reads or a Store writes, so that two of them can be compared before anything
/// runs. Paths are absolute and lexically normal; nothing is looked up, so two names of one
/// folder (a symbolic link) differ until [`Place::resolved`] was told what they lead to.
#[derive(Debug, Clone)]
pub enum Place {
    /// A file, a folder with everything below it, or a glob over files.
    Files {
        /// The folder or file; for a glob the folder above its first wildcard.
        root: String,
        /// The whole pattern, when it is a glob.
        pattern: Option<String>,
        /// The root as it was given: behind a symbolic link `..` leads elsewhere than its text.
        given: PathBuf,
    },
    /// Something in a named system (a table), compared without regard to case.
    Named {
        /// The system: a connection's name, or its server and database.
        system: String,
        /// The thing within it: `dbo.users`.
        name: String,
    },
}

impl Place {
    /// A file or folder.
    pub fn files(path: &Path) -> Self {
        Self::Files {
            root: normal(path),
            pattern: None,
            given: path.to_owned(),
        }
    }

    /// A glob, relative to `root` or absolute: the folder above its first wildcard, and the pattern
    /// as a whole. What looks like a wildcard in `root` is none.
    pub fn glob(root: &Path, pattern: &str) -> Self {
        let wild = pattern.find(WILD).unwrap_or(pattern.len());
        let mut given = match pattern[..wild].rfind('/') {
            Some(0) => PathBuf::from("/"),
            Some(cut) => root.join(&pattern[..cut]),
            None => root.to_owned(),
        };
        let whole = normal(&root.join(pattern));
        let mut folder = normal(&given);
        // With `..` behind a wildcard the pattern may begin further up.
        while !within(&whole, &folder) {
            folder.truncate(folder.rfind('/').unwrap_or(0));
            given = PathBuf::from(format!("{folder}/"));
        }
        if folder == "/" {
            folder.clear();
        }
        Self::Files {
            root: folder,
            given,
            pattern: Some(whole),
        }
    }

    /// The same place, once `real` has said where the path of its root leads to.
    #[must_use]
    pub fn resolved(&self, real: impl FnOnce(&Path) -> PathBuf) -> Self {
        let Self::Files {
            root,
            pattern,
            given,
        } = self
        else {
            return self.clone();
        };
        let real = real(given);
        let Some(pattern) = pattern else {
            return Self::files(&real);
        };
        // With `..` behind a wildcard, text and file system part ways; the text is kept.
        let rest = pattern.strip_prefix(root.as_str());
        let rest = rest.map_or(pattern.as_str(), |rest| rest.trim_start_matches('/'));
        let folder = normal(&real);
        Self::Files {
            pattern: Some(format!("{}/{rest}", folder.trim_end_matches('/'))),
            root: folder,
            given: real,
        }
    }

    /// Whether all that the other reads or writes lies within this folder.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Files {
                    root: folder,
                    pattern: None,
                    ..
                },
                Self::Files { root, .. },
            ) => within(root, folder),
            _ => false,
        }
    }

    /// Whether a file of that name may be one of these, wherever it stands. Errs on the side of yes.
    pub fn takes(&self, name: &str) -> bool {
        let Self::Files {
            pattern: Some(pattern),
            ..
        } = self
        else {
            return true;
        };
        let last = pattern.rsplit('/').next().unwrap_or_default();
        last.contains("**")
            || last.contains(['[', '{'])
            || part_matches(last.as_bytes(), name.as_bytes())
    }

    /// Whether writing to one may touch what the other reads or writes. Errs on the side of
    /// yes: of two globs the folders above their wildcards are compared, and a part of a glob
    /// with more than `*` and `?` matches everything.
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Files {
                    root: path,
                    pattern: None,
                    ..
                },
                Self::Files {
                    root,
                    pattern: Some(pattern),
                    ..
                },
            )
            | (
                Self::Files {
                    root,
                    pattern: Some(pattern),
                    ..
                },
                Self::Files {
                    root: path,
                    pattern: None,
                    ..
                },
            ) => reaches(root, pattern, path),
            (Self::Files { root: a, .. }, Self::Files { root: b, .. }) => {
                within(a, b) || within(b, a)
            }
            (Self::Named { system: s, name: n }, Self::Named { system: t, name: m }) => {
                s.eq_ignore_ascii_case(t) && n.eq_ignore_ascii_case(m)
            }
            _ => false,
        }
    }
}

/// Two places are one when their texts are; how the text came about doesn't matter.
impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Files { root, pattern, .. },
                Self::Files {
                    root: other,
                    pattern: its,
                    ..
                },
            ) => root == other && pattern == its,
            (
                Self::Named { system, name },
                Self::Named {
                    system: other,
                    name: its,
                },
            ) => system.eq_ignore_ascii_case(other) && name.eq_ignore_ascii_case(its),
            _ => false,
        }
    }
}

impl Eq for Place {}

/// What makes a path a glob.
const WILD: [char; 4] = ['*', '?', '[', '{'];

fn within(inner: &str, outer: &str) -> bool {
    inner
        .strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || outer.ends_with('/'))
}

/// Whether a glob can match the path, something in it, or something that holds it. What of it is
/// in `root` is plain text.
fn reaches(root: &str, pattern: &str, path: &str) -> bool {
    fn parts(text: &str) -> impl Iterator<Item = &str> {
        text.split('/').filter(|part| !part.is_empty())
    }
    let plain = parts(root).count();
    for (nth, (pattern, name)) in parts(pattern).zip(parts(path)).enumerate() {
        if nth < plain {
            if pattern != name {
                return false;
            }
            continue;
        }
        if pattern.contains("**") || pattern.contains(['[', '{']) {
            return true;
        }
        if !part_matches(pattern.as_bytes(), name.as_bytes()) {
            return false;
        }
    }
    true
}

/// `*` is any number of characters, `?` is one, of any length in bytes.
fn part_matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|taken| part_matches(rest, &name[taken..])),
        ([b'?', rest @ ..], [_, ..]) => {
            (1..=name.len().min(4)).any(|taken| part_matches(rest, &name[taken..]))
        }
        ([p, rest @ ..], [n, name @ ..]) => p == n && part_matches(rest, name),
        _ => false,
    }
}

/// Resolves `.` and `..` in the text alone.
fn normal(path: &Path) -> String {
    let mut parts: Vec<String> = Vec::new();
    for component in path.components() {
        match component {
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            Component::ParentDir => {
                parts.pop();
            }
            Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
        }
    }
    format!("/{}", parts.join("/"))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files { root, pattern, .. } => f.write_str(pattern.as_ref().unwrap_or(root)),
            Self::Named { system, name } => write!(f, "{name} in {system}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(pattern: &str) -> Place {
        Place::glob("/".as_ref(), pattern)
    }

    #[test]
    fn what_looks_like_a_wildcard_in_the_projects_path_is_none() {
        let root = Path::new("/p[1]/{a}*");
        let out = Place::files(&root.join("out"));
        for (pattern, reads) in [
            ("in/*.csv", false),
            ("../*/in", false),
            ("*/x.csv", true),
            ("ou?", true),
            ("**/x.csv", true),
            ("/p1/*/out", false),
            ("l*/../out", true),
            ("l*/../../x*", false),
        ] {
            let glob = Place::glob(root, pattern);
            assert_eq!(out.overlaps(&glob), reads, "{pattern}: {glob}");
            assert_eq!(glob.resolved(Path::to_owned), glob, "{pattern}");
        }
        assert_eq!(
            Place::glob(root, "in/*.csv").to_string(),
            "/p[1]/{a}*/in/*.csv"
        );
    }

    #[test]
    fn folders_overlap_what_is_below_them() {
        let lake = Place::files("/p/lake".as_ref());
        assert!(lake.overlaps(&Place::files("/p/./x/../lake/a.parquet".as_ref())));
        assert!(lake.overlaps(&glob("/p/lake/2026-*/x.csv")));
        assert!(!lake.overlaps(&Place::files("/p/lake2".as_ref())));
        assert!(Place::files("/".as_ref()).overlaps(&lake));
    }

    #[test]
    fn globs_overlap_what_they_can_match() {
        let lake = Place::files("/p/lake".as_ref());
        for pattern in [
            "/p/*",
            "/p/l?ke",
            "/*/lake/x.csv",
            "/p/**/x.csv",
            "/p/{a,lake}",
            "/p/lake/*",
        ] {
            assert!(
                glob(pattern).overlaps(&lake) && lake.overlaps(&glob(pattern)),
                "{pattern}"
            );
        }
        for pattern in ["/p/*.csv", "/p/lak?/../x*", "/p/lake?", "/p/2026-*/lake"] {
            assert!(
                !glob(pattern).overlaps(&lake) && !lake.overlaps(&glob(pattern)),
                "{pattern}"
            );
        }
        assert!(glob("/p/*.csv").overlaps(&Place::files("/p".as_ref())));
        assert!(
            glob("/p/*.csv").overlaps(&glob("/p/*.parquet")),
            "not looked at that closely"
        );
    }

    #[test]
    fn what_a_link_leads_to_is_compared() {
        let real = |path: &Path| {
            let path = path.to_string_lossy().replace("/p/link", "/elsewhere/lake");
            PathBuf::from(path)
        };
        let lake = Place::files("/elsewhere/lake".as_ref());
        let link = Place::files("/p/link".as_ref());
        assert!(!link.overlaps(&lake));
        assert_eq!(link.resolved(real), lake);
        let through = glob("/p/link/2026-*/x.csv").resolved(real);
        assert_eq!(through.to_string(), "/elsewhere/lake/2026-*/x.csv");
        assert!(through.overlaps(&lake));
        let up = |path: &Path| path.to_owned();
        assert_eq!(glob("/p/a/../*.csv").resolved(up).to_string(), "/p/*.csv");
        assert_eq!(glob("/*").resolved(up).to_string(), "/*");
    }

    #[test]
    fn names_compare_without_case() {
        let named = |name: &str| Place::Named {
            system: "crm".into(),
            name: name.into(),
        };
        assert!(named("dbo.Users").overlaps(&named("DBO.users")));
        assert!(!named("dbo.users").overlaps(&Place::files("/dbo.users".as_ref())));
    }
}
