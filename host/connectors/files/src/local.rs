//! What a store's path was meant as.

use std::path::Path;

/// Endings of files in forms that hygge doesn't write, or in none that a name could tell.
const OTHERS: [&str; 18] = [
    "avro", "bz2", "dat", "db", "gz", "lz4", "orc", "psv", "sqlite", "tab", "tbl", "txt", "xls",
    "xlsx", "xml", "xz", "zip", "zst",
];

/// Whether whoever wrote a path meant a file, though not one of a format that is known.
pub(crate) fn other_file(path: &str) -> bool {
    let ending = Path::new(path)
        .extension()
        .and_then(|ending| ending.to_str());
    !path.ends_with('/')
        && ending.is_some_and(|ending| OTHERS.contains(&ending.to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_from_a_folder_with_a_dot() {
        for file in ["out/x.XLSX", "x.parquet.gz", "x.csv.bz2"] {
            assert!(other_file(file), "{file}");
        }
        for folder in ["out/v1.2", "out/x.txt/", "out/.txt", "out"] {
            assert!(!other_file(folder), "{folder}");
        }
    }
}
