//! Wide row groups, put by for a while in pages that can be read side by side.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;

use hygge_core::{Context, Fault, Share, code};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};

use super::row_size::Guess;
use crate::parquet::{Input, Repaged, Sizes, Unturned, repage};

/// Rows of a row group in a spare file, which is gone when this is dropped or the process dies.
pub(super) struct Spool {
    /// Which rows.
    pub rows: Range<u64>,
    pub input: Input,
    /// Of a file whose only row group they are.
    pub footer: ArrowReaderMetadata,
}

/// Bytes of a spool on the disk, in run memories, when the pages of all columns are not larger.
const MEMORIES: u64 = 4;

/// Bytes that the pages and dictionaries of all columns may take at once.
fn allowed(share: &Share) -> usize {
    // Ordinary files are read as they are stored, also when many splits are open.
    (share.bytes() / 4).max(share.whole() / 8)
}

/// How many rows are spooled at once; none when a page of each column fits the memory.
pub(super) fn portion(seen: &[Sizes], row: Guess, share: &Share) -> Option<u64> {
    let held = seen.iter().map(Sizes::held).fold(0, u64::saturating_add);
    if held <= allowed(share) as u64 {
        return None;
    }
    // The page in which a spool ends is decompressed again for the next one, so it holds several.
    let memories = (share.whole() as u64).saturating_mul(MEMORIES);
    let bytes = held.saturating_mul(2).max(memories);
    let (Guess::Row(row) | Guess::AtLeast(row)) = row;
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate"
    )]
    let rows = (bytes as f64 / row.max(1.0)) as u64;
    Some(rows.max(1))
}

impl Spool {
    /// Spools some rows of a row group.
    pub(super) fn new(
        input: &Input,
        footer: &ArrowReaderMetadata,
        row_group: usize,
        rows: Range<u64>,
        work: &Path,
        cx: &Context,
    ) -> Result<Self, Unturned> {
        fs::create_dir_all(work).map_err(Unturned::Spare)?;
        let spare = tempfile::tempfile_in(work).map_err(Unturned::Spare)?;
        let columns = footer.parquet_schema().num_columns();
        // What is made of a page takes as much again, and columns that differ much even out.
        let page = (allowed(&cx.share) / 4 / columns.max(1)).clamp(512, 64 << 10);
        let Repaged { input, metadata } = repage(
            input,
            footer.metadata(),
            row_group,
            rows.clone(),
            page,
            spare,
            || cx.stop.is_set(),
        )?;
        let options = ArrowReaderOptions::new().with_schema(footer.schema().clone());
        let footer = ArrowReaderMetadata::try_new(metadata, options).map_err(Unturned::Source)?;
        Ok(Self {
            rows,
            input,
            footer,
        })
    }
}

/// The fault for a spare file that can't be used.
pub(super) fn fault(doing: &str, work: &Path, error: &io::Error) -> Fault {
    let doing = format!("can't {doing} rows for a while in");
    Fault::io(code::SOURCE_IO, &doing, work, error)
}
