//! Arrow IPC, the file and the stream form.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use hygge_core::{Fault, Result, code};

use super::dictionary::nulls_by_key;
use super::ipc_claims::Claims;
use super::plain::plain_field;
use super::{Chunk, Rows, Source, io_fault};
use crate::home::reconcile::{Fit, said};
use crate::home::spec::Part;

struct Batches {
    reader: Reader,
    claims: Claims,
}

enum Reader {
    File(FileReader<BufReader<File>>),
    Stream(StreamReader<BufReader<File>>),
}

fn damaged(name: &str, error: &ArrowError) -> Fault {
    Fault::new(
        code::SOURCE_INVALID,
        format!("{name} can't be decoded: {}", said(error)),
    )
    .with("file", name)
    .advise("the file is damaged; write or fetch it again")
}

impl Batches {
    fn open(mut file: File, name: &str) -> Result<Self> {
        let mut start = Vec::new();
        (&mut file)
            .take(6)
            .read_to_end(&mut start)
            .and_then(|_| file.rewind())
            .map_err(|e| io_fault(name, &e))?;
        let invalid = |what: &str| {
            Fault::new(code::SOURCE_INVALID, format!("{name} is {what}")).with("file", name)
        };
        if start.starts_with(b"FEA1") {
            return Err(invalid("Feather version 1").advise("write it again as Arrow IPC"));
        }
        if start.len() < 4 {
            return Err(invalid("not an Arrow IPC file")
                .advise("check `path`, and the `type` or `format` that says what it holds"));
        }
        let buffered = |file| BufReader::with_capacity(256 << 10, file);
        if start == b"ARROW1" {
            let opened = Claims::of_file(&file)
                .and_then(|claims| Ok((claims, FileReader::try_new(buffered(file), None)?)));
            let (claims, reader) = opened.map_err(|e| damaged(name, &e))?;
            let reader = Reader::File(reader);
            return Ok(Self { reader, claims });
        }
        // A stream begins with a continuation mark; before Arrow 0.15 with a length.
        let plausible = start.starts_with(&[0xff; 4]) || start[3] == 0;
        if !plausible {
            return Err(invalid("not an Arrow IPC file")
                .advise("check `path`, and the `type` or `format` that says what it holds"));
        }
        let opened = Claims::of_stream(&file)
            .and_then(|claims| Ok((claims, StreamReader::try_new(buffered(file), None)?)));
        let (claims, reader) = opened.map_err(|e| damaged(name, &e))?;
        let reader = Reader::Stream(reader);
        Ok(Self { reader, claims })
    }

    fn schema(&self) -> SchemaRef {
        match &self.reader {
            Reader::File(reader) => reader.schema(),
            Reader::Stream(reader) => reader.schema(),
        }
    }

    fn next(&mut self) -> Option<Result<RecordBatch, ArrowError>> {
        if let Err(error) = self.claims.step() {
            return Some(Err(error));
        }
        match &mut self.reader {
            Reader::File(reader) => reader.next(),
            Reader::Stream(reader) => reader.next(),
        }
    }
}

/// The schema without view types.
fn plain(schema: &Schema) -> SchemaRef {
    let fields: Vec<_> = schema.fields().iter().map(plain_field).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// A file's schema.
pub(crate) fn read_schema(file: File, name: &str) -> Result<SchemaRef> {
    Ok(plain(&Batches::open(file, name)?.schema()))
}

/// Reads one Arrow IPC file.
pub(crate) struct IpcSource {
    name: String,
    batches: Batches,
    schema: SchemaRef,
    fit: Fit,
    /// Pieces of a batch that was larger than wanted.
    pieces: VecDeque<RecordBatch>,
    skip: u64,
    done: u64,
}

impl IpcSource {
    pub(crate) fn open(file: File, part: &Part, skip: u64) -> Result<Self> {
        let batches = Batches::open(file, &part.path)?;
        let schema = plain(&batches.schema());
        Ok(Self {
            name: part.path.clone(),
            fit: Fit::new(&batches.schema(), &schema),
            batches,
            schema,
            pieces: VecDeque::new(),
            skip,
            done: 0,
        })
    }

    fn cut(&mut self, mut batch: RecordBatch, batch_bytes: usize) {
        let rows = batch.num_rows() as u64;
        if self.skip > 0 {
            let skipped = self.skip.min(rows);
            self.skip -= skipped;
            self.done += skipped;
            let from = usize::try_from(skipped).unwrap_or(usize::MAX);
            batch = batch.slice(from, batch.num_rows() - from);
        }
        let bytes = batch.get_array_memory_size().max(1);
        let pieces = bytes.div_ceil(batch_bytes.max(1)).max(1);
        let step = batch.num_rows().div_ceil(pieces).max(1);
        let mut at = 0;
        while at < batch.num_rows() {
            let length = step.min(batch.num_rows() - at);
            self.pieces.push_back(batch.slice(at, length));
            at += length;
        }
    }
}

impl Source for IpcSource {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn next(&mut self, batch_bytes: usize) -> Result<Option<Chunk>> {
        loop {
            if let Some(batch) = self.pieces.pop_front() {
                self.done += batch.num_rows() as u64;
                return Ok(Some(Chunk {
                    rows: Rows::Decoded(batch),
                    group: 0,
                    done: self.done,
                }));
            }
            let Some(batch) = self.batches.next() else {
                return Ok(None);
            };
            let batch = batch
                .and_then(nulls_by_key)
                .map_err(|e| damaged(&self.name, &e))?;
            let batch = if self.fit.is_same() {
                batch
            } else {
                self.fit.apply(&batch, &self.name)?
            };
            self.cut(batch, batch_bytes);
        }
    }
}
