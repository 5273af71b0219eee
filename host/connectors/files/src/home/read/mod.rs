//! Reading the parts of a split one after the other, whatever their format.

pub(crate) mod bounds;
pub(crate) mod csv;
mod dictionary;
mod exact_floats;
pub(crate) mod footers;
pub(crate) mod input;
pub(crate) mod ipc;
mod ipc_claims;
pub(crate) mod ndjson;
pub(crate) mod parquet;
mod plain;
pub(crate) mod prune;
mod row_size;
mod spool;

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};
use arrow_select::concat::concat_batches;
use hygge_core::{
    Batch, Bounds, Context, Encoded, Fault, Level, Reader, Result, Step, async_trait, caught, code,
};

use self::bounds::Low;
use crate::config::Format;
use crate::home::Inner;
use crate::home::reconcile::Fit;
use crate::home::spec::{Part, Place};
use crate::home::{list, partition};
use crate::size::shown;

/// Rows of one file, and how far it is after them.
pub(crate) struct Chunk {
    pub rows: Rows,
    /// Parquet: the row group reading would go on in.
    pub group: usize,
    /// Rows done, of the part or of that row group.
    pub done: u64,
}

pub(crate) enum Rows {
    Decoded(RecordBatch),
    Encoded(Arc<dyn Encoded>),
}

/// Reads one part. Every call may block and takes a bounded time; it runs on a CPU thread.
pub(crate) trait Source: Send {
    /// The schema of its batches.
    fn schema(&self) -> SchemaRef;
    /// The next rows.
    fn next(&mut self, batch_bytes: usize) -> Result<Option<Chunk>>;
    /// Bytes of the file that were read so far, where nobody knows how many rows there are.
    fn bytes_read(&self) -> Option<u64> {
        None
    }
}

/// What is needed to read a split besides its parts.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub root: PathBuf,
    pub format: Format,
    pub home: Arc<Inner>,
    pub schema: SchemaRef,
    /// Columns of the schema that stand only in the names of folders.
    pub partitions: Vec<String>,
    pub bounds: Option<Bounds>,
    pub batch_bytes: usize,
    /// Whether whole row groups may be handed on as they are stored.
    pub encoded: bool,
}

/// The [`Reader`] of files.
pub(crate) struct FilesReader {
    state: Option<Box<State>>,
    schema: SchemaRef,
    cx: Context,
}

struct State {
    task: Task,
    parts: Vec<Part>,
    at: Place,
    current: Option<Current>,
    low: Option<Low>,
    /// The folder below which partition folders are looked for.
    base: PathBuf,
    /// Whether small batches are put together.
    gather: bool,
    /// Where reading was before the last call of `one`.
    before: Place,
    /// A step that has to wait for rows before it.
    held: Option<Step>,
    /// Bytes decoded in this step, also those of rows that were left out.
    decoded: usize,
    /// Rows left out as they have no value in the watermark column.
    without_watermark: u64,
    /// Bytes of the parts that were read to their ends.
    bytes_read: u64,
    cx: Context,
}

struct Current {
    source: Box<dyn Source>,
    fit: Fit,
}

impl FilesReader {
    pub(crate) fn new(task: Task, parts: Vec<Part>, at: Place, cx: &Context) -> Result<Self> {
        let low = task
            .bounds
            .as_ref()
            .map(|bounds| Low::new(bounds, &task.schema))
            .transpose()?;
        let gather = can_gather(&task.schema);
        let bytes_read = parts.iter().take(at.part).map(Part::bytes).sum();
        let base = partition::base(&task.root, &task.home.settings.path);
        Ok(Self {
            schema: Arc::clone(&task.schema),
            cx: cx.clone(),
            state: Some(Box::new(State {
                task,
                parts,
                at,
                current: None,
                low,
                base,
                gather,
                before: at,
                held: None,
                decoded: 0,
                without_watermark: 0,
                bytes_read,
                cx: cx.clone(),
            })),
        })
    }
}

#[async_trait]
impl Reader for FilesReader {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    async fn next(&mut self) -> Result<Option<Step>> {
        let Some(mut state) = self.state.take() else {
            return Err(Fault::internal("a reader was used after it failed"));
        };
        let (state, step) = self
            .cx
            .cpu(move || {
                let step = state.step()?;
                Ok((state, step))
            })
            .await?;
        self.state = Some(state);
        Ok(step)
    }

    fn bytes_read(&self) -> Option<u64> {
        let state = self.state.as_ref()?;
        if !matches!(state.task.format, Format::Csv | Format::Ndjson) {
            return None;
        }
        let current = state.current.as_ref().zip(state.parts.get(state.at.part));
        // A buffer may reach beyond the part.
        let inside = current
            .and_then(|(current, part)| Some(current.source.bytes_read()?.min(part.bytes())));
        Some(state.bytes_read + inside.unwrap_or(0))
    }

    fn without_watermark(&self) -> u64 {
        self.state
            .as_ref()
            .map_or(0, |state| state.without_watermark)
    }
}

/// Batches that one step may put together: a step must end, also over empty files.
const BATCHES_A_STEP: usize = 256;

impl State {
    /// The next step. Batches that are much smaller than wanted are put together, so that
    /// thousands of small files don't become thousands of small batches.
    fn step(&mut self) -> Result<Option<Step>> {
        if let Some(step) = self.held.take() {
            return Ok(Some(step));
        }
        let mut gathered: Vec<RecordBatch> = Vec::new();
        self.decoded = 0;
        while let Some(step) = self.one()? {
            match step.batch {
                Batch::Rows(batch) if self.gather => {
                    gathered.push(batch);
                    let enough = self.decoded >= self.task.batch_bytes / 2;
                    if enough || gathered.len() == BATCHES_A_STEP {
                        break;
                    }
                }
                _ if gathered.is_empty() => return Ok(Some(step)),
                _ => {
                    self.held = Some(step);
                    return self.put_together(&gathered, self.before);
                }
            }
        }
        self.put_together(&gathered, self.at)
    }

    fn put_together(&self, gathered: &[RecordBatch], at: Place) -> Result<Option<Step>> {
        let batch = match gathered {
            [] => return Ok(None),
            [one] => one.clone(),
            several => concat_batches(&self.task.schema, several)
                .map_err(|e| Fault::internal(format!("batches can't be put together: {e}")))?,
        };
        Ok(Some(Step {
            batch: Batch::Rows(batch),
            position: at.position(),
        }))
    }

    /// The next rows of one file.
    fn one(&mut self) -> Result<Option<Step>> {
        self.before = self.at;
        loop {
            self.cx.stop.check()?;
            let Some(part) = self.parts.get(self.at.part) else {
                return Ok(None);
            };
            let current = match &mut self.current {
                Some(current) => current,
                none => {
                    let source = open(&self.task, part, &self.at, self.low.as_ref(), &self.cx)?;
                    let fit = fit(&self.task, part, &source.schema(), &self.base)?;
                    none.insert(Current { source, fit })
                }
            };
            let name = &part.path;
            let next = guarded(name, || current.source.next(self.task.batch_bytes));
            let chunk = match next {
                Ok(Some(chunk)) => chunk,
                Ok(None) => {
                    unchanged(&self.task.root, part)?;
                    self.current = None;
                    self.bytes_read += part.bytes();
                    self.at = Place {
                        part: self.at.part + 1,
                        ..Place::default()
                    };
                    continue;
                }
                // What looks like damage may be a file that is being written to.
                Err(fault) => return Err(unchanged(&self.task.root, part).err().unwrap_or(fault)),
            };
            self.at.group = chunk.group;
            self.at.rows = chunk.done;
            let batch = match chunk.rows {
                Rows::Encoded(encoded) => Batch::Encoded(encoded),
                Rows::Decoded(batch) => {
                    self.decoded += batch.get_array_memory_size();
                    let batch = if current.fit.is_same() && batch.schema_ref() == &self.task.schema
                    {
                        batch
                    } else {
                        guarded(name, || current.fit.apply(&batch, name))?
                    };
                    Batch::Rows(match &self.low {
                        Some(low) => {
                            let (batch, nulls) = low.filter(&batch)?;
                            self.without_watermark += nulls;
                            batch
                        }
                        None => batch,
                    })
                }
            };
            return Ok(Some(Step {
                batch,
                position: self.at.position(),
            }));
        }
    }
}

fn fit(task: &Task, part: &Part, source: &SchemaRef, base: &Path) -> Result<Fit> {
    let path = task.root.join(&part.path);
    let constants = partition::constants(&path, base, &part.path, source, &task.schema)?;
    Ok(Fit::new(source, &task.schema).with(constants))
}

/// Whether batches of a schema can be put together whatever they hold: two dictionaries may
/// have more values than their keys can count.
fn can_gather(schema: &SchemaRef) -> bool {
    !schema.flattened_fields().iter().any(|field| {
        matches!(
            field.data_type(),
            DataType::Dictionary(..) | DataType::RunEndEncoded(..)
        )
    })
}

/// Runs a decoder; a panic in it is damage in the file.
pub(crate) fn guarded<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    caught(work).unwrap_or_else(|_| {
        Err(Fault::new(
            code::SOURCE_INVALID,
            format!("{name} is damaged: it can't be decoded"),
        )
        .with("file", name))
    })
}

fn open(
    task: &Task,
    part: &Part,
    at: &Place,
    low: Option<&Low>,
    cx: &Context,
) -> Result<Box<dyn Source>> {
    let path = task.root.join(&part.path);
    unchanged(&task.root, part)?;
    let file = open_file(&path, &part.path)?;
    let memory = cx.share.whole();
    Ok(match task.format {
        Format::Parquet => Box::new(parquet::ParquetSource::open(file, part, task, at, low, cx)?),
        Format::Csv => Box::new(csv::CsvSource::open(file, part, task, at.rows, memory)?),
        Format::Ndjson => Box::new(ndjson::NdjsonSource::open(
            file, part, task, at.rows, memory,
        )?),
        Format::Arrow => guarded(&part.path, || {
            Ok(Box::new(ipc::IpcSource::open(file, part, at.rows)?))
        })?,
    })
}

/// Opens a file that was listed before.
pub(crate) fn open_file(path: &Path, name: &str) -> Result<File> {
    File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => missing(name),
        _ => Fault::io(code::SOURCE_IO, "can't open", Path::new(name), &error).with("file", name),
    })
}

fn missing(name: &str) -> Fault {
    Fault::new(
        code::SOURCE_MISSING,
        format!("{name} was removed while it was being read"),
    )
    .with("file", name)
    .advise("run `hygge start` again to read what is there now")
}

/// Whether a file still is what was listed.
fn unchanged(root: &Path, part: &Part) -> Result<()> {
    let name = &part.path;
    let Some(now) = list::stat(&root.join(name), root)? else {
        return Err(missing(name));
    };
    if now.size == part.size && now.modified == part.modified {
        return Ok(());
    }
    Err(Fault::new(
        code::SOURCE_CHANGED,
        format!("{name} changed while it was being read"),
    )
    .with("file", name)
    .advise(
        "wait until nothing writes to it, then run `hygge start` again; writers should build a \
         file elsewhere and rename it into place",
    ))
}

/// A fault about a place in a text file.
pub(crate) fn at_line(name: &str, line: u64, what: &str) -> Fault {
    Fault::new(code::SOURCE_INVALID, format!("{name}, line {line}: {what}"))
        .with("file", name)
        .with("line", line)
}

/// Whether a row of text takes more to be decoded than `memory`. Its bytes are there three times: as
/// they were read, taken apart and as Arrow; of JSON, each value has a place and a length besides.
pub(crate) fn too_long(bytes: usize, values: usize, memory: usize) -> bool {
    let takes = bytes.saturating_mul(3);
    takes.saturating_add(values.saturating_mul(24)) > memory
}

/// The fault for such a row.
pub(crate) fn over_memory(name: &str, line: u64, what: &str, memory: usize) -> Fault {
    let memory = shown(memory as u64);
    let what = format!("a {what} begins here that can't be decoded in the {memory} of memory");
    Fault {
        code: code::MEMORY.into(),
        ..at_line(name, line, &what)
    }
}

/// Reading failed below the format.
pub(crate) fn io_fault(name: &str, error: &std::io::Error) -> Fault {
    Fault::io(code::SOURCE_IO, "can't read", Path::new(name), error).with("file", name)
}

/// Says something for the run's log.
pub(crate) fn note(cx: &Context, text: &str) {
    cx.notes.note(Level::Info, text);
}
