use std::fmt;
use std::path::{Component, Path};

/// Where a Home reads or a Store writes, so that two of them can be compared before anything
/// runs. Paths are absolute and lexically normal; nothing is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file, a folder with everything below it, or a glob over files.
    Files {
        /// The folder or file; for a glob the folder above its first wildcard.
        root: String,
        /// The whole pattern, when it is a glob.
        pattern: Option<String>,
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
        }
    }

    /// A glob: the folder above the first wildcard, and the pattern as a whole.
    pub fn glob(pattern: &Path) -> Self {
        let whole = normal(pattern);
        let fixed = whole.find(['*', '?', '[', '{']).unwrap_or(whole.len());
        let cut = whole[..fixed].rfind('/').unwrap_or(0);
        Self::Files {
            root: whole[..cut].to_owned(),
            pattern: Some(whole),
        }
    }

    /// Whether writing to one may touch what the other reads or writes. Errs on the side of
    /// yes: of two globs the folders above their wildcards are compared, and a part of a glob
    /// with more than `*` and `?` matches everything.
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Files {
                    root,
                    pattern: None,
                },
                Self::Files {
                    pattern: Some(pattern),
                    ..
                },
            )
            | (
                Self::Files {
                    pattern: Some(pattern),
                    ..
                },
                Self::Files {
                    root,
                    pattern: None,
                },
            ) => reaches(pattern, root),
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

fn within(inner: &str, outer: &str) -> bool {
    inner
        .strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || outer.ends_with('/'))
}

/// Whether a glob can match the path, something in it, or something that holds it.
fn reaches(pattern: &str, path: &str) -> bool {
    let parts = |text: &str| -> Vec<String> {
        let parts = text.split('/').filter(|part| !part.is_empty());
        parts.map(str::to_owned).collect()
    };
    for (pattern, name) in parts(pattern).iter().zip(&parts(path)) {
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
            Self::Files { root, pattern } => f.write_str(pattern.as_ref().unwrap_or(root)),
            Self::Named { system, name } => write!(f, "{name} in {system}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_overlap_what_is_below_them() {
        let lake = Place::files("/p/lake".as_ref());
        assert!(lake.overlaps(&Place::files("/p/./x/../lake/a.parquet".as_ref())));
        assert!(lake.overlaps(&Place::glob("/p/lake/2026-*/x.csv".as_ref())));
        assert!(!lake.overlaps(&Place::files("/p/lake2".as_ref())));
        assert!(Place::files("/".as_ref()).overlaps(&lake));
    }

    #[test]
    fn globs_overlap_what_they_can_match() {
        let glob = |pattern: &str| Place::glob(pattern.as_ref());
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
    fn names_compare_without_case() {
        let named = |name: &str| Place::Named {
            system: "crm".into(),
            name: name.into(),
        };
        assert!(named("dbo.Users").overlaps(&named("DBO.users")));
        assert!(!named("dbo.users").overlaps(&Place::files("/dbo.users".as_ref())));
    }
}
