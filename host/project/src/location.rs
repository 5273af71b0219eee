//! What a path's text says before anything is looked at: a file, a folder or a glob.

/// Endings of files by type, without the dot.
const ENDINGS: [(&str, &[&str]); 4] = [
    ("parquet", &["parquet", "parq", "pq"]),
    ("csv", &["csv", "tsv"]),
    ("ndjson", &["ndjson", "jsonl", "json"]),
    ("arrow", &["arrow", "arrows", "ipc", "feather"]),
];

/// More endings of files, which say nothing about the type.
const OTHERS: [&str; 5] = ["txt", "dat", "tab", "psv", "tbl"];

/// The type that a file's ending stands for, also in a glob.
pub(crate) fn type_of(path: &str) -> Option<&'static str> {
    let ending = ending(path)?;
    ENDINGS
        .iter()
        .find(|(_, endings)| endings.contains(&ending.as_str()))
        .map(|(kind, _)| *kind)
}

/// Whether a path means a folder, to which an entity's name can be added: a folder may have a dot
/// in its name, so only endings that are known make a file. Taking a file for a folder is noticed
/// at once, since nothing is there; entities that all read one folder would not be.
pub(crate) fn is_folder(path: &str) -> bool {
    let file = || {
        let ending = ending(path);
        type_of(path).is_some() || ending.is_some_and(|e| OTHERS.contains(&e.as_str()))
    };
    !path.contains(['*', '?', '[', '{']) && (path.ends_with('/') || !file())
}

/// Adds an entity's name to a folder.
pub(crate) fn append(path: &str, entity: &str) -> String {
    let path = path.trim_end_matches('/');
    format!("{path}/{entity}")
}

/// The ending of the last part in lower case; `.gz` and `.zst` are looked through.
fn ending(path: &str) -> Option<String> {
    let name = path.rsplit('/').next()?.to_ascii_lowercase();
    let plain = [".gz", ".zst"]
        .iter()
        .find_map(|compressed| name.strip_suffix(compressed))
        .unwrap_or(&name);
    let (stem, ending) = plain.rsplit_once('.')?;
    (!stem.is_empty()).then(|| ending.to_owned())
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
            "data/landing.d",
            ".csv",
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
