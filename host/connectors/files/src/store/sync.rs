//! Every fsync goes through here, so that they can be counted.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use hygge_core::{Context, Fault, Result, code};

static COUNT: AtomicU64 = AtomicU64::new(0);

/// How many times this process has asked the disk to make a file or folder durable.
pub fn fsyncs() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

/// Counts one that is done elsewhere.
pub(crate) fn count() {
    COUNT.fetch_add(1, Ordering::Relaxed);
}

/// Makes a file's bytes durable.
pub(crate) fn file(file: &File, path: &Path) -> Result<()> {
    count();
    file.sync_all()
        .map_err(|error| Fault::io(code::DESTINATION_IO, "can't flush", path, &error))
}

/// Makes what a folder lists durable.
pub(crate) fn folder(path: &Path) -> Result<()> {
    let opened = File::open(path)
        .map_err(|error| Fault::io(code::DESTINATION_IO, "can't open", path, &error))?;
    file(&opened, path)
}

/// Makes those folders durable side by side, then the one they are in. Those above were made
/// with it: the file systems that can swap folders keep them with what is below them, and one
/// that didn't would lose the staged files, which a commit says.
pub(crate) async fn folders(folders: Vec<PathBuf>, above: PathBuf, cx: &Context) -> Result<()> {
    let each = folders.into_iter().map(|path| cx.io(move || folder(&path)));
    futures::future::try_join_all(each).await?;
    cx.io(move || folder(&above)).await
}
