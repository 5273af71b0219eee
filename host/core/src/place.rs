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
    /// yes: a glob overlaps everything below its fixed part and everything that holds it.
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
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
    fn names_compare_without_case() {
        let named = |name: &str| Place::Named {
            system: "crm".into(),
            name: name.into(),
        };
        assert!(named("dbo.Users").overlaps(&named("DBO.users")));
        assert!(!named("dbo.users").overlaps(&Place::files("/dbo.users".as_ref())));
    }
}
