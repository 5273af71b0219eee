use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A Python with pyarrow, which `.ci/test` sets up; without it the test is skipped, in CI it
/// fails.
pub(crate) fn other_reader() -> Option<PathBuf> {
    let python = std::env::var_os("HYGGE_TEST_PYTHON").map(PathBuf::from);
    if python.is_none() {
        super::skip("HYGGE_TEST_PYTHON names no Python with pyarrow; run .ci/test");
    }
    python
}

/// Compares pairs of Parquet files or folders by another reader than ours, row by row in order.
/// Gives one line a pair: empty when they hold the same, else what differs.
pub(crate) fn compare(python: &Path, pairs: &[(PathBuf, PathBuf)]) -> Vec<String> {
    let mut child = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("compare.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pairs: Vec<_> = pairs.iter().map(|(a, b)| [a, b]).collect();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(&serde_json::to_vec(&pairs).unwrap())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "compare.py failed");
    let results: Vec<String> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(results.len(), pairs.len());
    results
}
