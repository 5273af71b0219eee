//! JSON, one object a line.

mod exact;
mod infer;
mod twice;

use std::fs::File;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_json::ReaderBuilder;
use arrow_schema::{FieldRef, Schema, SchemaRef};
use hygge_core::{Fault, Result, code};
use memchr::{memchr, memrchr};
use serde_json::error::Category;

pub(crate) use self::infer::{Keys, Mixed};
use super::input::Text;
use super::{Chunk, Rows, Source, Task, at_line};
use crate::home::reconcile::said;
use crate::home::spec::Part;

/// Bytes read at a time.
const CHUNK: usize = 128 << 10;

/// A line longer than this is no NDJSON.
const LONGEST_LINE: usize = 256 << 20;

/// The lines of a file, in blocks of whole lines.
struct Lines {
    name: String,
    text: Text,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were handed out.
    used: usize,
    /// The line the next block begins with, counted from 1.
    line: u64,
    ended: bool,
}

impl Lines {
    fn new(file: File, name: &str) -> Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            text: Text::new(file, name)?,
            buffer: Vec::new(),
            used: 0,
            line: 1,
            ended: false,
        })
    }

    /// A block of about that many bytes, beginning with `line`; empty at the end.
    fn block(&mut self, bytes: usize) -> Result<&[u8]> {
        self.buffer.drain(..self.used);
        self.used = 0;
        let mut looked = 0;
        let mut end = None;
        loop {
            if let Some(at) = memrchr(b'\n', &self.buffer[looked..]) {
                end = Some(looked + at + 1);
            }
            looked = self.buffer.len();
            if self.ended || (end.is_some() && self.buffer.len() >= bytes) {
                break;
            }
            if end.is_none() && looked > LONGEST_LINE.max(bytes.saturating_mul(2)) {
                return Err(
                    at_line(&self.name, self.line, "the line is over 256 MiB long")
                        .advise("is this a file with one JSON object a line?"),
                );
            }
            self.buffer.resize(looked + bytes.clamp(512, CHUNK), 0);
            let count = self.text.read(&mut self.buffer[looked..])?;
            self.buffer.truncate(looked + count);
            self.ended = count == 0;
        }
        // A last line may lack its end.
        self.used = if self.ended {
            self.buffer.len()
        } else {
            end.unwrap_or(0)
        };
        let block = &self.buffer[..self.used];
        self.line += memchr::memchr_iter(b'\n', block).count() as u64;
        Ok(block)
    }
}

/// The lines of a block that aren't blank, each with its number.
fn lines(block: &[u8], first: u64) -> impl Iterator<Item = (u64, &[u8])> {
    let mut rest = block;
    let mut number = first;
    std::iter::from_fn(move || {
        loop {
            if rest.is_empty() {
                return None;
            }
            let end = memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            let (line, after) = rest.split_at(end);
            rest = after;
            number += 1;
            let line = line.trim_ascii();
            if !line.is_empty() {
                return Some((number - 1, line));
            }
        }
    })
}

/// What to do about a key that stands twice.
const ONE_VALUE: &str =
    "give each key of an object one value; which of two is meant can't be known";

/// A line that isn't one JSON object with each key once.
fn not_an_object(name: &str, number: u64, line: &[u8], error: &serde_json::Error) -> Fault {
    let text = error.to_string();
    let what = text
        .rsplit_once(" at line ")
        .map_or(&*text, |(what, _)| what);
    if what.contains(twice::TWICE) {
        return at_line(name, number, what).advise(ONE_VALUE);
    }
    if line.first() == Some(&b'[') {
        return at_line(name, number, "a JSON array, not one JSON object a line")
            .advise("turn it into lines, for example with `jq -c '.[]'`");
    }
    let why = match error.classify() {
        Category::Eof => "the line ends before its JSON does".to_owned(),
        Category::Syntax => {
            let from = error.column().saturating_sub(1).min(line.len());
            let near = String::from_utf8_lossy(&line[from..]);
            let near: String = near.chars().take(NEAR).collect();
            if near.is_empty() {
                format!("not valid JSON: {what}")
            } else {
                format!("not valid JSON near {near:?}: {what}")
            }
        }
        Category::Data | Category::Io => what.to_owned(),
    };
    at_line(name, number, &why).advise("each line must be one whole JSON object")
}

/// Characters of a line that are shown where it goes wrong.
const NEAR: usize = 24;

/// Looks at the first rows of a file.
pub(crate) fn sample(file: File, name: &str, rows: usize) -> Result<Keys> {
    let mut reader = Lines::new(file, name)?;
    let mut keys = Keys::default();
    let mut seen = 0;
    loop {
        let first = reader.line;
        let block = reader.block(CHUNK)?;
        if block.is_empty() {
            return Ok(keys);
        }
        for (number, line) in lines(block, first) {
            if seen == rows {
                return Ok(keys);
            }
            keys.see(line)
                .map_err(|error| not_an_object(name, number, line, &error))?;
            seen += 1;
        }
    }
}

/// Reads one NDJSON file.
pub(crate) struct NdjsonSource {
    reader: Lines,
    schema: SchemaRef,
    coerce: bool,
    skip: u64,
    done: u64,
}

impl NdjsonSource {
    pub(crate) fn open(file: File, part: &Part, task: &Task, skip: u64) -> Result<Self> {
        // What stands in the path isn't looked for in the lines.
        let fields: Vec<FieldRef> = task
            .schema
            .fields()
            .iter()
            .filter(|field| !task.partitions.contains(field.name()))
            .cloned()
            .collect();
        Ok(Self {
            reader: Lines::new(file, &part.path)?,
            schema: Arc::new(Schema::new(fields)),
            coerce: task.home.coerce(),
            skip,
            done: 0,
        })
    }
}

/// Decodes whole lines; the number of rows must be the number of lines.
fn decode(
    schema: &SchemaRef,
    coerce: bool,
    text: &[u8],
    rows: usize,
) -> Result<RecordBatch, String> {
    let mut decoder = ReaderBuilder::new(Arc::clone(schema))
        .with_batch_size(rows + 1)
        .with_strict_mode(true)
        .with_coerce_primitive(coerce)
        .with_decoder_factory(Arc::new(exact::Exact))
        .build_decoder()
        .map_err(|e| said(&e))?;
    let used = decoder.decode(text).map_err(|e| said(&e))?;
    if decoder.has_partial_record() {
        return Err("the object isn't closed".into());
    }
    let batch = decoder.flush().map_err(|e| said(&e))?;
    match batch {
        Some(batch) if batch.num_rows() == rows && used == text.len() => Ok(batch),
        None if rows == 0 => Ok(RecordBatch::new_empty(Arc::clone(schema))),
        _ => Err("not exactly one JSON object".into()),
    }
}

impl Source for NdjsonSource {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn next(&mut self, batch_bytes: usize) -> Result<Option<Chunk>> {
        loop {
            let first = self.reader.line;
            let block = self.reader.block(batch_bytes)?;
            if block.is_empty() {
                return Ok(None);
            }
            let rows = lines(block, first).count();
            if self.skip >= rows as u64 {
                self.skip -= rows as u64;
                self.done += rows as u64;
                continue;
            }
            let decoded = decode(&self.schema, self.coerce, block, rows);
            let batch = match decoded {
                Ok(batch) => batch,
                Err(why) => {
                    let block = &self.reader.buffer[..self.reader.used];
                    return Err(self.explain(block, first, &why));
                }
            };
            let skipped = std::mem::take(&mut self.skip);
            self.done += rows as u64;
            let from = usize::try_from(skipped).unwrap_or(rows);
            return Ok(Some(Chunk {
                rows: Rows::Decoded(batch.slice(from, rows - from)),
                group: 0,
                done: self.done,
            }));
        }
    }
}

impl NdjsonSource {
    /// Finds the line that can't be decoded, by decoding one after the other.
    fn explain(&self, block: &[u8], first: u64, why: &str) -> Fault {
        let name = &self.reader.name;
        for (number, line) in lines(block, first) {
            let Err(why) = decode(&self.schema, self.coerce, line, 1) else {
                continue;
            };
            if let Err(error) = Keys::default().see(line) {
                return not_an_object(name, number, line, &error);
            }
            return at_line(name, number, &why).advise(
                "declare the column in `schema:`, or raise `infer_rows` so that more rows are \
                 looked at",
            );
        }
        Fault::new(
            code::SOURCE_INVALID,
            format!("{name} can't be decoded: {why}"),
        )
        .with("file", name)
    }
}
