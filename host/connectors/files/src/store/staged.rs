//! Whether what was staged is still there.

use std::path::{Path, PathBuf};

use hygge_core::{Fault, Receipt, Result, code};

use super::commit::is_file;
use super::record::{Staged, StagedFile};

/// The receipts whose files are all there.
pub(super) fn there(staging: &Path, receipts: Vec<Receipt>) -> Result<Vec<Receipt>> {
    let mut there = Vec::with_capacity(receipts.len());
    for receipt in receipts {
        if missing(staging, &Staged::read(&receipt)?.files)?.is_none() {
            there.push(receipt);
        }
    }
    Ok(there)
}

/// Refuses receipts without their files: nothing is decided on that can't be carried out.
pub(super) fn all(staging: &Path, receipts: &[Receipt]) -> Result<()> {
    for receipt in receipts {
        if let Some(path) = missing(staging, &Staged::read(receipt)?.files)? {
            let what = format!("{} is gone from where it was staged", path.display());
            return Err(Fault::new(code::DESTINATION_IO, what)
                .with("file", path.display())
                .advise(
                    "nothing was changed; run `hygge start` again, and keep others out of `.hygge`",
                ));
        }
    }
    Ok(())
}

/// The first of some staged files that isn't there any more.
fn missing(staging: &Path, files: &[StagedFile]) -> Result<Option<PathBuf>> {
    for file in files {
        let path = staging.join(&file.staged);
        if !is_file(&path, file.size)? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
