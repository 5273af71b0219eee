//! Keeps one row of each key within a limit of memory.
//!
//! What is held is the best row of each key so far. When that is too much, it goes into a scratch
//! file, in parts by hash, and holding begins anew; in the end each part goes through the same by
//! itself, with the next bits of the hash. A key with many rows never takes more than one, and
//! rows come out in the order of hashes, whether or not they went through a file.

use std::path::PathBuf;

use hygge_core::{Fault, Result, Stop};

use super::best::{Best, Row, Sorted, Stays};
use super::scratch::{LEVELS, PARTS, Scratch};

pub(super) struct Keep {
    stays: Stays,
    work: PathBuf,
    stop: Stop,
    best: Best,
    /// What was spilled while rows came.
    scratch: Option<Scratch>,
}

impl Keep {
    pub(super) fn new(stays: Stays, work: PathBuf, stop: Stop) -> Self {
        Self {
            stays,
            work,
            stop,
            best: Best::new(stays),
            scratch: None,
        }
    }

    pub(super) fn offer(&mut self, row: Row<'_>) {
        self.best.offer(row);
    }

    /// Whether it holds more than it should; a single row is held however large it is.
    pub(super) fn is_full(&self, limit: usize) -> bool {
        self.best.len() > 1 && self.best.size() > limit
    }

    /// Puts by what is held.
    pub(super) fn spill(&mut self) -> Result<()> {
        self.spill_at(0)
    }

    fn spill_at(&mut self, level: u32) -> Result<()> {
        let rows = std::mem::replace(&mut self.best, Best::new(self.stays)).sorted();
        let scratch = match &mut self.scratch {
            Some(scratch) => scratch,
            none => none.insert(Scratch::new(&self.work, level)?),
        };
        scratch.write(&rows, &self.stop)
    }

    /// No more rows come.
    pub(super) fn resolve(mut self) -> Result<Kept> {
        let mut kept = Kept {
            stays: self.stays,
            work: self.work.clone(),
            stop: self.stop.clone(),
            levels: Vec::new(),
        };
        if self.scratch.is_none() {
            kept.levels.push(Level::Rows(self.best.sorted(), 0));
            return Ok(kept);
        }
        self.spill_at(0)?;
        kept.levels
            .extend(self.scratch.map(|scratch| Level::Parts(scratch, 0)));
        Ok(kept)
    }
}

/// What was kept, on its way out.
pub(super) struct Kept {
    stays: Stays,
    work: PathBuf,
    stop: Stop,
    /// Parts of parts.
    levels: Vec<Level>,
}

enum Level {
    /// Rows in order, and how many are out.
    Rows(Sorted, usize),
    /// Parts of a file, and how many are resolved.
    Parts(Scratch, usize),
}

impl Kept {
    /// More rows, of about so many bytes; none at the end.
    pub(super) fn next<T>(
        &mut self,
        limit: usize,
        bytes: usize,
        make: impl Fn(&mut dyn Iterator<Item = &[u8]>) -> Result<T>,
    ) -> Result<Option<T>> {
        loop {
            match self.levels.last_mut() {
                None => return Ok(None),
                Some(Level::Rows(rows, out)) if *out < rows.len() => {
                    let (from, mut held) = (*out, 0);
                    while *out < rows.len() && (*out == from || held < bytes) {
                        held += rows.row(*out).row.len();
                        *out += 1;
                    }
                    let mut each = (from..*out).map(|index| rows.row(index).row);
                    return make(&mut each).map(Some);
                }
                Some(Level::Parts(scratch, done)) if *done < PARTS => {
                    let part = *done;
                    *done += 1;
                    let level = scratch.level() + 1;
                    let mut keep = Keep::new(self.stays, self.work.clone(), self.stop.clone());
                    scratch.read(part, &self.stop, |row| {
                        keep.offer(row);
                        match keep.is_full(limit) {
                            false => Ok(()),
                            true if level < LEVELS => keep.spill_at(level),
                            true => Err(Fault::internal("too many keys have one hash")),
                        }
                    })?;
                    let next = match keep.scratch.is_some() {
                        false => Level::Rows(keep.best.sorted(), 0),
                        true => {
                            keep.spill_at(level)?;
                            let Some(scratch) = keep.scratch else {
                                continue;
                            };
                            Level::Parts(scratch, 0)
                        }
                    };
                    self.levels.push(next);
                }
                Some(_) => drop(self.levels.pop()),
            }
        }
    }
}
