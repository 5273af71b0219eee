use std::path::PathBuf;

/// Something that `.ci/guests` built; without it the test is skipped, in CI it fails.
pub(crate) fn built(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("HYGGE_TEST_GUESTS").map(PathBuf::from);
    if folder.is_none() {
        super::skip("HYGGE_TEST_GUESTS names no folder of guests; run .ci/test");
    }
    folder.map(|folder| folder.join(name))
}
