//! `unique`: no two rows have the same key.
//!
//! Of every key a hash of 128 bits is kept, not the key: that two different ones among a thousand
//! million rows have the same is as likely as one in 10^21. Hashes beyond a few MiB go, sorted, to a
//! nameless file in the project's folder, and are merged when all rows were seen.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_row::{RowConverter, SortField};
use arrow_schema::{ArrowError, DataType, SchemaRef};
use hygge_core::{
    About, BoundCheck, BuildContext, Context, Fault, Looking, OneOrMany, Problem, Result, Verdict,
    code, count_rows,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_128;

use crate::kind::{Spec, find, problem};
use crate::value::{plain, unpacked};

/// Hashes of one split in memory, at most: 2 MiB.
const HELD: usize = (2 << 20) / 16;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unique {
    /// The column, or the columns that are unique together. Rows in which one of them is NULL
    /// don't count.
    #[serde(deserialize_with = "OneOrMany::read")]
    #[schemars(with = "OneOrMany")]
    key: Vec<String>,
}

impl Spec for Unique {
    const NAME: &'static str = "unique";
    const SUMMARY: &'static str = "no two rows have the same key";
    const OF_ROWS: bool = false;
    /// The hashes are this process's.
    const STORABLE: bool = false;

    fn problems(&self) -> Vec<Problem> {
        match self.key.is_empty() {
            true => vec![problem("key", "it names no column")],
            false => Vec::new(),
        }
    }

    fn describe(&self) -> String {
        format!("unique {}", self.key.join(", "))
    }

    fn bind(&self, schema: &SchemaRef, cx: &BuildContext) -> Result<Arc<dyn BoundCheck>> {
        let columns = self.key.iter();
        let columns: Vec<usize> = columns
            .map(|name| find(Self::NAME, name, schema))
            .collect::<Result<_>>()?;
        let fields = columns.iter();
        let types: Vec<DataType> = fields
            .map(|column| plain(schema.field(*column).data_type()))
            .collect();
        // Whether there are rows to be made of these types is found out now.
        converter(&types).map_err(|error| {
            let message = format!("the unique check can't compare its key: {error}");
            Fault::new(code::SCHEMA, message)
        })?;
        let names = self.key.iter().map(|name| format!("{name:?}"));
        Ok(Arc::new(Keys {
            said: names.collect::<Vec<_>>().join(", "),
            columns: columns.into(),
            types: types.into(),
            work: cx.work.clone(),
            staged: Arc::default(),
        }))
    }
}

/// Hashes of all splits that are staged, in memory: 8 MiB.
const HELD_BY_ALL: usize = 4 * HELD;

/// Memory to read files with, whatever their number: 32 MiB.
const READ: usize = 32 << 20;

/// The keys of all splits that are staged.
struct Keys {
    said: String,
    columns: Arc<[usize]>,
    types: Arc<[DataType]>,
    work: PathBuf,
    staged: Arc<Mutex<Staged>>,
}

/// What is kept of splits that are staged, and the one file that all write to.
#[derive(Default)]
struct Staged {
    held: Vec<u128>,
    segments: Vec<Segment>,
    file: Option<File>,
    end: u64,
}

/// Hashes in order, somewhere in the file.
#[derive(Clone, Copy)]
struct Segment {
    at: u64,
    bytes: u64,
}

impl Staged {
    /// Writes hashes, in order, to a file that goes with the process.
    fn file(&mut self, work: &Path, hashes: &mut Vec<u128>) -> Result<Segment> {
        hashes.sort_unstable();
        let written = self.write(work, hashes).map_err(|error| {
            let message = format!(
                "the unique check can't keep what it saw in {}: {error}",
                work.display()
            );
            let advice = "see that there is room, and that it can be written";
            Fault::new(code::STATE, message).advise(advice)
        });
        hashes.clear();
        written
    }

    fn write(&mut self, work: &Path, hashes: &[u128]) -> std::io::Result<Segment> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                std::fs::create_dir_all(work)?;
                none.insert(tempfile::tempfile_in(work)?)
            }
        };
        let mut out = BufWriter::with_capacity(64 << 10, file);
        for hash in hashes {
            out.write_all(&hash.to_le_bytes())?;
        }
        out.flush()?;
        let segment = Segment {
            at: self.end,
            bytes: 16 * hashes.len() as u64,
        };
        self.end += segment.bytes;
        Ok(segment)
    }

    /// How many hashes there are beside the first of their kind.
    fn repeated(self) -> std::io::Result<u64> {
        let mut held = self.held;
        held.sort_unstable();
        let mut sources = vec![Source::Held(held.into_iter())];
        let file = self.file.map(Arc::new);
        let buffer = (READ / (self.segments.len() + 1)).clamp(4 << 10, 256 << 10);
        for segment in self.segments {
            if let Some(file) = &file {
                let part = Part {
                    file: Arc::clone(file),
                    at: segment.at,
                    end: segment.at + segment.bytes,
                };
                sources.push(Source::Filed(BufReader::with_capacity(buffer, part)));
            }
        }
        let mut heap = BinaryHeap::with_capacity(sources.len());
        for (at, source) in sources.iter_mut().enumerate() {
            if let Some(hash) = source.next()? {
                heap.push(Reverse((hash, at)));
            }
        }
        let (mut before, mut again) = (None, 0);
        while let Some(Reverse((hash, at))) = heap.pop() {
            if before == Some(hash) {
                again += 1;
            }
            before = Some(hash);
            if let Some(next) = sources[at].next()? {
                heap.push(Reverse((next, at)));
            }
        }
        Ok(again)
    }
}

/// A part of a file that others read as well.
struct Part {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for Part {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let most = left.min(into.len());
        let read = self.file.read_at(&mut into[..most], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

enum Source {
    Held(std::vec::IntoIter<u128>),
    Filed(BufReader<Part>),
}

impl Source {
    fn next(&mut self) -> std::io::Result<Option<u128>> {
        match self {
            Self::Held(held) => Ok(held.next()),
            Self::Filed(part) => {
                if part.buffer().is_empty() && part.get_ref().at == part.get_ref().end {
                    return Ok(None);
                }
                let mut bytes = [0; 16];
                part.read_exact(&mut bytes)?;
                Ok(Some(u128::from_le_bytes(bytes)))
            }
        }
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "unique {}", self.said)
    }
}

impl BoundCheck for Keys {
    fn look(&self, _: &Context) -> Box<dyn Looking> {
        Box::new(Hashing {
            columns: Arc::clone(&self.columns),
            types: Arc::clone(&self.types),
            converter: None,
            held: Vec::new(),
            segments: Vec::new(),
            staged: Arc::clone(&self.staged),
            work: self.work.clone(),
        })
    }

    fn judge(&self, _: &[Value], _: &About) -> Result<Verdict> {
        let mut staged = self.staged.lock().unwrap_or_else(PoisonError::into_inner);
        let again = std::mem::take(&mut *staged).repeated().map_err(|error| {
            let message = format!("the unique check can't read what it kept: {error}");
            Fault::new(code::STATE, message)
        })?;
        Ok(match again {
            0 => Verdict::Passed,
            rows => Verdict::Failed {
                why: format!(
                    "{} {} the {} of another",
                    count_rows(rows),
                    if rows == 1 { "has" } else { "have" },
                    self.said
                ),
                rows: Some(rows),
            },
        })
    }
}

fn converter(types: &[DataType]) -> Result<RowConverter, ArrowError> {
    RowConverter::new(types.iter().cloned().map(SortField::new).collect())
}

/// The keys of one attempt at a split.
struct Hashing {
    columns: Arc<[usize]>,
    types: Arc<[DataType]>,
    converter: Option<RowConverter>,
    held: Vec<u128>,
    segments: Vec<Segment>,
    staged: Arc<Mutex<Staged>>,
    work: PathBuf,
}

impl Hashing {
    fn file(&mut self) -> Result<()> {
        let mut staged = self.staged.lock().unwrap_or_else(PoisonError::into_inner);
        let segment = staged.file(&self.work, &mut self.held)?;
        self.segments.push(segment);
        Ok(())
    }
}

impl Looking for Hashing {
    fn take(&mut self, batch: &RecordBatch) -> Result<Option<BooleanArray>> {
        let uncompared = |error| Fault::internal(format!("keys can't be compared: {error}"));
        let columns = self.columns.iter();
        let columns = columns.zip(self.types.iter());
        let columns: Vec<_> = columns
            .map(|(at, to)| unpacked(batch.column(*at), to))
            .collect::<Result<_>>()?;
        let nulls: Vec<_> = columns.iter().filter_map(Array::logical_nulls).collect();
        let converter = match &mut self.converter {
            Some(converter) => converter,
            none => none.insert(converter(&self.types).map_err(uncompared)?),
        };
        let rows = converter.convert_columns(&columns).map_err(uncompared)?;
        for (at, row) in rows.iter().enumerate() {
            if nulls.iter().any(|nulls| nulls.is_null(at)) {
                continue;
            }
            self.held.push(xxh3_128(row.data()));
            if self.held.len() == HELD {
                self.file()?;
            }
        }
        Ok(None)
    }

    fn finish(mut self: Box<Self>) -> Result<Value> {
        let mut staged = self.staged.lock().unwrap_or_else(PoisonError::into_inner);
        staged.segments.append(&mut self.segments);
        staged.held.append(&mut self.held);
        if staged.held.len() > HELD_BY_ALL {
            let mut held = std::mem::take(&mut staged.held);
            let segment = staged.file(&self.work, &mut held)?;
            staged.segments.push(segment);
        }
        Ok(Value::Null)
    }
}
