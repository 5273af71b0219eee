//! The attempt's file: one line when it begins, one for each split that is staged, one each
//! time a later run goes on with it.
//!
//! Lines are appended without a sync. What a power cut takes away is only done again, and what
//! a killed process leaves half written is a last line without an end, which doesn't count.
//! Anything else that can't be read is damage, and said.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use hygge_core::{EntityId, Fault, Result, SplitId, code};
use serde::{Deserialize, Serialize};

use crate::durable::{Durable, read};
use crate::sheet::damaged;
use crate::{Attempt, SplitDone, seal};

/// The format written by this version.
const VERSION: u32 = 1;

/// A line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line<A, S> {
    /// The first line.
    Began { version: u32, attempt: A },
    /// A later run goes on; its count takes the place of the first line's.
    Resumed { attempt: A },
    /// A split is staged.
    Done(S),
}

/// Begins the file; there must be none.
pub(crate) fn begin(disk: &Durable, path: &Path, attempt: &Attempt) -> Result<()> {
    let mut file = OpenOptions::new()
        .append(true)
        .create_new(true)
        .open(path)
        .map_err(|e| Fault::io(code::STATE, "can't create", path, &e))?;
    let line: Line<_, &SplitDone> = Line::Began {
        version: VERSION,
        attempt,
    };
    disk.append(path, &mut file, &encode(&line)?)
}

/// Notes that a run goes on with the attempt.
pub(crate) fn resume(disk: &Durable, path: &Path, attempt: &Attempt) -> Result<()> {
    let line: Line<_, &SplitDone> = Line::Resumed { attempt };
    append(disk, path, &encode(&line)?)
}

/// Notes a split.
pub(crate) fn done(disk: &Durable, path: &Path, done: &SplitDone) -> Result<()> {
    let line: Line<&Attempt, _> = Line::Done(done);
    append(disk, path, &encode(&line)?)
}

fn encode<A: Serialize, S: Serialize>(line: &Line<A, S>) -> Result<Vec<u8>> {
    let text = serde_json::to_vec(line)
        .map_err(|e| Fault::internal(format!("can't write down an attempt: {e}")))?;
    let mut text = seal::json(text);
    text.push(b'\n');
    Ok(text)
}

fn append(disk: &Durable, path: &Path, line: &[u8]) -> Result<()> {
    let io = |e: io::Error| Fault::io(code::STATE, "can't write", path, &e);
    let mut file = match OpenOptions::new().read(true).append(true).open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Err(Fault::internal(format!(
                "{} isn't there: no attempt was begun",
                path.display()
            )));
        }
        Err(e) => return Err(io(e)),
    };
    cut_torn_line(disk, path, &mut file).map_err(io)?;
    disk.append(path, &mut file, line)
}

/// A run that was killed while it wrote left a line without an end; the next line must not
/// grow onto it.
fn cut_torn_line(disk: &Durable, path: &Path, file: &mut File) -> io::Result<()> {
    let length = file.metadata()?.len();
    if length == 0 {
        return Ok(());
    }
    file.seek(SeekFrom::Start(length - 1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    if last == *b"\n" {
        return Ok(());
    }
    let mut content = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut content)?;
    let whole = content
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |n| n + 1);
    disk.cut(path, file, whole as u64)
}

/// Reads the attempt; none when there is none, or when it was killed before its first line
/// was whole.
pub(crate) fn attempt(path: &Path, entity: &EntityId) -> Result<Option<(Attempt, Vec<SplitDone>)>> {
    let Some(content) = read(path)? else {
        return Ok(None);
    };
    let whole = content
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |n| n + 1);
    let mut current: Option<Attempt> = None;
    let mut splits: Vec<SplitDone> = Vec::new();
    let mut places: HashMap<SplitId, usize> = HashMap::new();
    for (n, line) in content[..whole]
        .split_inclusive(|b| *b == b'\n')
        .enumerate()
    {
        let bad = |why: &str| damaged(path, Some(n as u64 + 1), why, advice(entity));
        let opened = seal::open_json(line.trim_ascii_end());
        let read: Line<Attempt, SplitDone> =
            serde_json::from_slice(opened.as_deref().unwrap_or(line))
                .map_err(|e| bad(&plain(&e)))?;
        if opened.is_none() {
            return Err(bad(seal::NOT_AS_WRITTEN));
        }
        let line = read;
        match (line, &mut current) {
            (Line::Began { version, .. }, _) if version > VERSION => {
                return Err(bad(&format!(
                    "it is in format {version}, of a newer hygge; this one reads {VERSION}"
                )));
            }
            (Line::Began { attempt, .. }, current @ None) => *current = Some(attempt),
            (Line::Resumed { attempt }, Some(current)) if attempt.run == current.run => {
                *current = attempt;
            }
            (Line::Done(done), Some(_)) => {
                // A split that was staged again: the later receipt is the one that counts.
                match places.get(&done.receipt.split) {
                    Some(place) => splits[*place] = done,
                    None => {
                        places.insert(done.receipt.split.clone(), splits.len());
                        splits.push(done);
                    }
                }
            }
            _ => return Err(bad("this line doesn't belong here")),
        }
    }
    Ok(current.map(|attempt| (attempt, splits)))
}

fn advice(entity: &EntityId) -> String {
    format!(
        "remove the file: what was staged is thrown away, and the next run of {entity} stages \
         it anew"
    )
}

/// The parser's words without its own line number, which is always 1 here.
pub(crate) fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}
