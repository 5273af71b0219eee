//! JSON, one object a line.

mod exact;
mod infer;
mod twice;

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_json::ReaderBuilder;
use arrow_schema::{FieldRef, Schema, SchemaRef};
use hygge_core::{Fault, Result, code};
use memchr::{memchr, memrchr};
use serde_json::error::Category;

pub(crate) use self::infer::{Keys, Mixed, Shape};
use super::input::Text;
use super::{Chunk, Rows, Source, Task, at_line, io_fault, over_memory, too_long};
use crate::home::reconcile::said;
use crate::home::spec::Part;

/// Bytes read at a time.
const CHUNK: usize = 128 << 10;

/// The lines of a file, or those that begin in a range of its bytes, in blocks of whole lines.
struct Lines {
    name: String,
    text: Text,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were handed out.
    used: usize,
    /// Where the buffer begins in the text.
    at: u64,
    /// Lines that begin here or later are another's.
    to: u64,
    /// The line the next block begins with, counted from 1 at the first of the range.
    line: u64,
    ended: bool,
    /// The same file, and where in it the first line of the range begins.
    file: File,
    first: u64,
    /// What a line may take to be decoded.
    memory: usize,
}

impl Lines {
    /// The lines that begin in `range`, which must be a range of a file that isn't compressed;
    /// without it, all lines. Each must be decoded in `memory`.
    fn new(file: File, name: &str, range: Option<[u64; 2]>, memory: usize) -> Result<Self> {
        let again = file.try_clone().map_err(|e| io_fault(name, &e))?;
        let (text, at) = match range {
            // The byte before tells whether a line begins right here.
            Some([from, _]) if from > 0 => (Text::from(file, name, from - 1)?, from - 1),
            _ => {
                let text = Text::new(file, name)?;
                let at = text.skipped();
                (text, at)
            }
        };
        let mut lines = Self {
            name: name.to_owned(),
            text,
            buffer: Vec::new(),
            used: 0,
            at,
            to: range.map_or(u64::MAX, |[_, to]| to),
            line: 1,
            ended: false,
            file: again,
            first: at,
            memory,
        };
        if range.is_some_and(|[from, _]| from > 0) {
            lines.skip_line()?;
            lines.first = lines.at;
        }
        Ok(lines)
    }

    fn is_plain(&self) -> bool {
        self.text.is_plain()
    }

    /// Skips what is left of a line that began before the range.
    fn skip_line(&mut self) -> Result<()> {
        while !self.ended {
            self.read(CHUNK)?;
            let end = memchr(b'\n', &self.buffer).map(|at| at + 1);
            let skipped = end.unwrap_or(self.buffer.len());
            self.buffer.drain(..skipped);
            self.at += skipped as u64;
            if end.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Reads some more into the buffer.
    fn read(&mut self, bytes: usize) -> Result<()> {
        let have = self.buffer.len();
        self.buffer.resize(have + bytes, 0);
        let count = self.text.read(&mut self.buffer[have..])?;
        self.buffer.truncate(have + count);
        self.ended = count == 0;
        Ok(())
    }

    /// A block of about that many bytes, beginning with `line`; empty at the end.
    fn block(&mut self, bytes: usize) -> Result<&[u8]> {
        self.buffer.drain(..self.used);
        self.at += self.used as u64;
        self.used = 0;
        if self.at >= self.to {
            return Ok(&[]);
        }
        // The line with the last byte of the range is the last one.
        let last = usize::try_from(self.to - self.at - 1).unwrap_or(usize::MAX);
        let mut looked = 0;
        let mut end = None;
        loop {
            let from = looked.max(last.min(self.buffer.len()));
            if let Some(at) = memchr(b'\n', &self.buffer[from..]) {
                end = Some(from + at + 1);
                break;
            }
            if let Some(at) = memrchr(b'\n', &self.buffer[looked..]) {
                end = Some(looked + at + 1);
            }
            looked = self.buffer.len();
            if self.ended {
                // A last line may lack its end.
                end = Some(looked);
                break;
            }
            if end.is_some() && looked >= bytes {
                break;
            }
            if end.is_none() && too_long(looked, 0, self.memory) {
                return Err(self.over_memory()?);
            }
            self.read(bytes.clamp(512, CHUNK))?;
        }
        self.used = end.unwrap_or(0);
        // Only of long lines: others are no more than was asked for.
        if self.used > bytes.saturating_mul(2).max(CHUNK) {
            let block = &self.buffer[..self.used];
            let values = memchr::memchr3_iter(b',', b':', b'{', block).count();
            if too_long(block.len(), values, self.memory) {
                return Err(self.over_memory()?);
            }
        }
        let block = &self.buffer[..self.used];
        self.line += memchr::memchr_iter(b'\n', block).count() as u64;
        Ok(block)
    }

    /// The fault for the line that is next.
    fn over_memory(&self) -> Result<Fault> {
        let line = self.lines_before()? + self.line;
        let fault = over_memory(&self.name, line, "line", self.memory);
        Ok(fault
            .advise("is this a file with one JSON object a line? If it is, raise `options.memory`"))
    }

    /// Lines in front of the range; read only to say where something is wrong.
    fn lines_before(&self) -> Result<u64> {
        if !self.is_plain() {
            return Ok(0);
        }
        let mut buffer = vec![0; CHUNK];
        let (mut at, mut lines) = (0, 0);
        while at < self.first {
            let most = usize::try_from(self.first - at).map_or(CHUNK, |most| most.min(CHUNK));
            match self.file.read_at(&mut buffer[..most], at) {
                Ok(0) => break,
                Ok(count) => {
                    lines += memchr::memchr_iter(b'\n', &buffer[..count]).count() as u64;
                    at += count as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(io_fault(&self.name, &error)),
            }
        }
        Ok(lines)
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
            let line = trimmed(line);
            if !line.is_empty() {
                return Some((number - 1, line));
            }
        }
    })
}

/// The line without what is blank to JSON, which a form feed isn't.
fn trimmed(line: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let from = line.iter().position(|byte| !blank(byte));
    let to = line.iter().rposition(|byte| !blank(byte));
    match (from, to) {
        (Some(from), Some(to)) => &line[from..=to],
        _ => &[],
    }
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
            let near = near.chars().take(NEAR);
            let near: String = near.map(shown).collect();
            if near.is_empty() {
                format!("not valid JSON: {what}")
            } else {
                format!("not valid JSON near `{near}`: {what}")
            }
        }
        Category::Data | Category::Io => what.to_owned(),
    };
    at_line(name, number, &why).advise("each line must be one whole JSON object")
}

/// A character as a terminal can show it; quotes as they are, since JSON is full of them.
fn shown(c: char) -> String {
    match c {
        '"' | '\'' => c.to_string(),
        _ => c.escape_debug().to_string(),
    }
}

/// Characters of a line that are shown where it goes wrong.
const NEAR: usize = 24;

/// What the first rows of a file show.
pub(crate) struct Sample {
    pub keys: Keys,
    /// Whether it isn't compressed, so that it can be read from any line on.
    pub plain: bool,
}

/// Looks at the first rows of a file.
pub(crate) fn sample(file: File, name: &str, rows: usize, memory: usize) -> Result<Sample> {
    let mut reader = Lines::new(file, name, None, memory)?;
    let plain = reader.is_plain();
    let mut keys = Keys::default();
    let mut seen = 0;
    loop {
        let first = reader.line;
        let block = reader.block(CHUNK)?;
        if block.is_empty() {
            return Ok(Sample { keys, plain });
        }
        for (number, line) in lines(block, first) {
            if seen == rows {
                return Ok(Sample { keys, plain });
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
    pub(crate) fn open(
        file: File,
        part: &Part,
        task: &Task,
        skip: u64,
        memory: usize,
    ) -> Result<Self> {
        // What stands in the path isn't looked for in the lines.
        let fields: Vec<FieldRef> = task
            .schema
            .fields()
            .iter()
            .filter(|field| !task.partitions.contains(field.name()))
            .cloned()
            .collect();
        Ok(Self {
            reader: Lines::new(file, &part.path, part.range, memory)?,
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

    fn bytes_read(&self) -> Option<u64> {
        Some(self.reader.text.taken())
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
                    let first = self.reader.lines_before()? + first;
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
                "declare the column in `schema:` (with another type, if it is), or raise \
                 `infer_rows` so that more rows are looked at",
            );
        }
        Fault::new(
            code::SOURCE_INVALID,
            format!("{name} can't be decoded: {why}"),
        )
        .with("file", name)
    }
}
