//! What a path's text says before anything is looked at: a file, a folder or a glob.

/// Endings of files by type, without the dot.
const ENDINGS: [(&str, &[&str]); 4] = [
    ("parquet", &["parquet", "parq", "pq"]),
    ("csv", &["csv", "tsv"]),
    ("ndjson", &["ndjson", "jsonl", "json"]),
    ("arrow", &["arrow", "arrows", "ipc", "feather"]),
];

/// The type that a file's ending stands for, also in a glob.
pub(crate) fn type_of(path: &str) -> Option<&'static str> {
    let ending = ending(path)?;
    ENDINGS
        .iter()
        .find(|(_, endings)| endings.contains(&ending.as_str()))
        .map(|(kind, _)| *kind)
}

/// Whether a path means a folder, to which an entity's name can be added.
pub(crate) fn is_folder(path: &str) -> bool {
    !path.contains(['*', '?', '[', '{']) && (path.ends_with('/') || ending(path).is_none())
}

/// Adds an entity's name to a folder.
pub(crate) fn append(path: &str, entity: &str) -> String {
    let path = path.trim_end_matches('/');
    format!("{path}/{entity}")
}

/// The ending of the last part in lower case: a dot, then letters and digits that begin with a
/// letter, so that a folder `v1.2` has none. `.gz` and `.zst` are looked through.
fn ending(path: &str) -> Option<String> {
    let name = path.rsplit('/').next()?.to_ascii_lowercase();
    let plain = [".gz", ".zst"]
        .iter()
        .find_map(|compressed| name.strip_suffix(compressed))
        .unwrap_or(&name);
    let (stem, ending) = plain.rsplit_once('.')?;
    let fits = !stem.is_empty()
        && ending.len() <= 8
        && ending.starts_with(|c: char| c.is_ascii_alphabetic())
        && ending.chars().all(|c| c.is_ascii_alphanumeric());
    fits.then(|| ending.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_folders_and_globs() {
        for folder in [
            "data",
            "data/landing/",
            "data/v1.2",
            "..",
            ".hidden",
            "a.parquet/",
            "/abs/x",
        ] {
            assert!(is_folder(folder), "{folder}");
        }
        for other in [
            "a.csv",
            "x/a.csv.gz",
            "x/*.csv",
            "x/2026-*",
            "x/{a,b}",
            "a.txt",
        ] {
            assert!(!is_folder(other), "{other}");
        }
        assert_eq!(type_of("x/*.JSONL.zst"), Some("ndjson"));
        assert_eq!(type_of("x/a.txt"), None);
        assert_eq!(append("lake/", "a"), "lake/a");
    }
}
