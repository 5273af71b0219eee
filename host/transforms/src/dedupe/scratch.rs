//! Rows put by in a file, in parts by the bits of their keys' hashes.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use hygge_core::{Fault, Result, Stop, code};

use super::best::{Row, Sorted};

/// Bits of a hash that tell one level's parts apart.
const BITS: u32 = 6;
/// Parts of a level.
pub(super) const PARTS: usize = 1 << BITS;
/// Levels until a hash has no more bits.
pub(super) const LEVELS: u32 = 128 / BITS;

const BUFFER: usize = 128 << 10;

/// A file without a name, which is gone when this is dropped or the process dies.
pub(super) struct Scratch {
    file: File,
    work: PathBuf,
    level: u32,
    end: u64,
    /// Where the rows of each part stand.
    parts: Vec<Vec<Range<u64>>>,
}

impl Scratch {
    pub(super) fn new(work: &Path, level: u32) -> Result<Self> {
        let made = fs::create_dir_all(work).and_then(|()| tempfile::tempfile_in(work));
        let file = made.map_err(|error| fault("write", work, &error))?;
        Ok(Self {
            file,
            work: work.to_owned(),
            level,
            end: 0,
            parts: vec![Vec::new(); PARTS],
        })
    }

    /// Puts rows by. Being sorted by their hashes, those of one part stand together.
    pub(super) fn write(&mut self, rows: &Sorted, stop: &Stop) -> Result<()> {
        let failed = |error: io::Error| fault("write", &self.work, &error);
        (&self.file)
            .seek(SeekFrom::Start(self.end))
            .map_err(failed)?;
        let mut out = BufWriter::with_capacity(BUFFER, &self.file);
        for index in 0..rows.len() {
            if index % 4096 == 0 {
                stop.check()?;
            }
            let row = rows.row(index);
            let sizes = [row.key.len() as u64, row.row.len() as u64];
            let from = self.end;
            let written = out
                .write_all(&row.hash.to_le_bytes())
                .and_then(|()| out.write_all(&sizes[0].to_le_bytes()))
                .and_then(|()| out.write_all(&sizes[1].to_le_bytes()))
                .and_then(|()| out.write_all(row.key))
                .and_then(|()| out.write_all(row.row));
            written.map_err(failed)?;
            self.end += 32 + sizes[0] + sizes[1];
            let part = &mut self.parts[part(row.hash, self.level)];
            match part.last_mut() {
                Some(last) if last.end == from => last.end = self.end,
                _ => part.push(from..self.end),
            }
        }
        out.flush().map_err(failed)
    }

    /// Takes the rows of a part out, one after the other.
    pub(super) fn read(
        &mut self,
        part: usize,
        stop: &Stop,
        mut take: impl FnMut(Row<'_>) -> Result<()>,
    ) -> Result<()> {
        let failed = |error: io::Error| fault("read", &self.work, &error);
        let (mut key, mut row) = (Vec::new(), Vec::new());
        for range in std::mem::take(&mut self.parts[part]) {
            stop.check()?;
            (&self.file)
                .seek(SeekFrom::Start(range.start))
                .map_err(failed)?;
            let mut from = BufReader::with_capacity(BUFFER, &self.file);
            let mut at = range.start;
            while at < range.end {
                let (mut hash, mut size) = ([0; 16], [0; 8]);
                from.read_exact(&mut hash).map_err(failed)?;
                from.read_exact(&mut size).map_err(failed)?;
                let keys = u64::from_le_bytes(size);
                from.read_exact(&mut size).map_err(failed)?;
                let rows = u64::from_le_bytes(size);
                for (bytes, size) in [(&mut key, keys), (&mut row, rows)] {
                    let size = usize::try_from(size)
                        .map_err(|_| Fault::internal("a row put by is larger than memory"))?;
                    bytes.resize(size, 0);
                    from.read_exact(bytes).map_err(failed)?;
                }
                at += 32 + keys + rows;
                take(Row {
                    hash: u128::from_le_bytes(hash),
                    key: &key,
                    row: &row,
                })?;
            }
        }
        Ok(())
    }

    pub(super) fn level(&self) -> u32 {
        self.level
    }
}

/// The part of a level that a key belongs to: of the first bits at the first level, the next ones
/// at the next, so that parts one after the other are in the order of hashes.
fn part(hash: u128, level: u32) -> usize {
    let bits = hash >> (128 - BITS * (level + 1));
    usize::try_from(bits & (PARTS as u128 - 1)).unwrap_or_default()
}

fn fault(doing: &str, work: &Path, error: &io::Error) -> Fault {
    let doing = format!("dedupe can't {doing} rows for a while in");
    Fault::io(code::SOURCE_IO, &doing, work, error)
}
