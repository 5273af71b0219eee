//! Parquet, a row group at a time.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::cast::AsArray;
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use hygge_core::{Context, Fault, Result, WatermarkType, code};
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Type as Physical;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, RowGroupMetaData};

use super::bounds::Low;
use super::{Chunk, Rows, Source, Task, guarded, io_fault, note};
use crate::home::reconcile::said;
use crate::home::spec::{Part, Place};
use crate::parquet::{RowGroup, Source as Opened};

/// Footers that were read to take an entity apart, kept until its splits are opened. Bounded:
/// what doesn't fit is read again.
#[derive(Debug, Default)]
pub(crate) struct Footers {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    footers: HashMap<String, (usize, usize, ArrowReaderMetadata)>,
    bytes: usize,
}

/// Bytes of footers that one Home keeps between planning and reading.
const FOOTER_BYTES: usize = 16 << 20;

impl Footers {
    /// Forgets everything; for a new plan.
    pub(crate) fn clear(&self) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Held::default();
    }

    /// Keeps a footer for that many parts.
    pub(crate) fn keep(&self, name: &str, uses: usize, footer: ArrowReaderMetadata) {
        let bytes = footer.metadata().memory_size();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if uses > 0 && held.bytes + bytes <= FOOTER_BYTES {
            let old = held.footers.insert(name.to_owned(), (uses, bytes, footer));
            held.bytes += bytes;
            held.bytes -= old.map_or(0, |(_, bytes, _)| bytes);
        }
    }

    fn take(&self, name: &str) -> Option<ArrowReaderMetadata> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let (uses, bytes, footer) = held.footers.get_mut(name)?;
        if *uses > 1 {
            *uses -= 1;
            return Some(footer.clone());
        }
        held.bytes -= *bytes;
        held.footers.remove(name).map(|(_, _, footer)| footer)
    }
}

fn invalid(name: &str, what: impl std::fmt::Display) -> Fault {
    Fault::new(code::SOURCE_INVALID, format!("{name}: {what}")).with("file", name)
}

/// The words of an error without the name of its kind in front.
fn words(error: &ParquetError) -> String {
    match error {
        ParquetError::General(text)
        | ParquetError::NYI(text)
        | ParquetError::EOF(text)
        | ParquetError::ArrowError(text) => text.clone(),
        ParquetError::External(inner) => inner.to_string(),
        other => other.to_string(),
    }
}

/// Reads a file's footer, and looks whether what it says can be.
pub(crate) fn read_footer(file: &File, name: &str) -> Result<ArrowReaderMetadata> {
    let length = file.metadata().map_err(|e| io_fault(name, &e))?.len();
    if length < 12 {
        return Err(invalid(
            name,
            format!("not a Parquet file, with only {length} bytes"),
        ));
    }
    let mut magic = [0; 4];
    file.read_exact_at(&mut magic, length - 4)
        .map_err(|e| io_fault(name, &e))?;
    match &magic {
        b"PAR1" => {}
        b"PARE" => return Err(encrypted(name, "its footer is encrypted")),
        _ => {
            let mut start = [0; 4];
            file.read_exact_at(&mut start, 0)
                .map_err(|e| io_fault(name, &e))?;
            return Err(if &start == b"PAR1" {
                invalid(name, "the file is cut off: it ends without a footer")
                    .advise("write or fetch the file again; if it is still being written, wait")
            } else {
                invalid(name, "not a Parquet file").advise("check `format` and `path`")
            });
        }
    }
    let footer = guarded(name, || {
        let options = || ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Skip);
        let load = ArrowReaderMetadata::load(file, options());
        let footer = load.or_else(|error| {
            // The Arrow schema is a hint; a file whose hint is broken is still Parquet.
            ArrowReaderMetadata::load(file, options().with_skip_arrow_metadata(true))
                .map_err(|_| invalid(name, format!("its footer is damaged: {}", words(&error))))
        })?;
        let plain = without_views(footer.schema());
        match plain {
            None => Ok(footer),
            Some(schema) => {
                let metadata = Arc::clone(footer.metadata());
                ArrowReaderMetadata::try_new(metadata, options().with_schema(schema))
                    .map_err(|e| invalid(name, format!("its schema can't be read: {}", words(&e))))
            }
        }
    })?;
    plausible(&footer, length, name)?;
    Ok(footer)
}

fn encrypted(name: &str, how: &str) -> Fault {
    invalid(name, format!("{how}; hygge can't read encrypted Parquet"))
        .advise("write the file again without encryption")
}

/// What the footer says about places and sizes is inside the file.
fn plausible(footer: &ArrowReaderMetadata, length: u64, name: &str) -> Result<()> {
    let metadata = footer.metadata();
    let mut rows: i64 = 0;
    for (index, group) in metadata.row_groups().iter().enumerate() {
        let bad = |what: String| Err(invalid(name, format!("row group {index}: {what}")));
        let count = group.num_rows();
        if count < 0 {
            return bad(format!("its footer says it has {count} rows"));
        }
        rows = rows.saturating_add(count);
        for column in group.columns() {
            let start = column
                .dictionary_page_offset()
                .filter(|at| *at > 0)
                .map_or(column.data_page_offset(), |at| {
                    at.min(column.data_page_offset())
                });
            let end = start.checked_add(column.compressed_size());
            let inside = start >= 0
                && column.compressed_size() >= 0
                && column.uncompressed_size() >= 0
                && end
                    .and_then(|end| u64::try_from(end).ok())
                    .is_some_and(|end| end <= length);
            if !inside {
                let path = column.column_path();
                return bad(format!("column {path} lies outside the file"));
            }
        }
    }
    let said = metadata.file_metadata().num_rows();
    if said != rows {
        return Err(invalid(
            name,
            format!("its footer says {said} rows, its row groups {rows}"),
        ));
    }
    Ok(())
}

/// The schema with plain strings and binaries in the place of views; `None` when it has none.
fn without_views(schema: &Schema) -> Option<SchemaRef> {
    let fields: Vec<FieldRef> = schema.fields().iter().map(plain_field).collect();
    let same = fields
        .iter()
        .zip(schema.fields())
        .all(|(a, b)| Arc::ptr_eq(a, b));
    (!same).then(|| Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone())))
}

/// A field without view types anywhere; the very same one when there were none.
pub(crate) fn plain_field(field: &FieldRef) -> FieldRef {
    match plain_type(field.data_type()) {
        Some(data_type) => Arc::new(field.as_ref().clone().with_data_type(data_type)),
        None => Arc::clone(field),
    }
}

fn plain_type(data_type: &DataType) -> Option<DataType> {
    let inner = |field: &FieldRef| {
        let plain = plain_field(field);
        (!Arc::ptr_eq(&plain, field)).then_some(plain)
    };
    Some(match data_type {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::List(item) => DataType::List(inner(item)?),
        DataType::LargeList(item) => DataType::LargeList(inner(item)?),
        DataType::ListView(item) => DataType::List(plain_field(item)),
        DataType::LargeListView(item) => DataType::LargeList(plain_field(item)),
        DataType::FixedSizeList(item, n) => DataType::FixedSizeList(inner(item)?, *n),
        DataType::Map(entries, sorted) => DataType::Map(inner(entries)?, *sorted),
        DataType::Struct(fields) => {
            let plain: Vec<FieldRef> = fields.iter().map(plain_field).collect();
            if plain.iter().zip(fields).all(|(a, b)| Arc::ptr_eq(a, b)) {
                return None;
            }
            DataType::Struct(plain.into())
        }
        DataType::Dictionary(key, value) => {
            DataType::Dictionary(key.clone(), Box::new(plain_type(value)?))
        }
        _ => return None,
    })
}

/// The row groups of a file that may hold rows at or above the bound: all that its statistics
/// don't rule out.
pub(crate) fn candidates(footer: &ArrowReaderMetadata, low: Option<&Low>) -> Vec<usize> {
    let all = 0..footer.metadata().num_row_groups();
    let Some(low) = low else {
        return all.collect();
    };
    let Some(greatest) = greatest_values(footer, low.column()) else {
        return all.collect();
    };
    let (kind, greatest) = greatest;
    all.filter(|&group| match greatest.get(group) {
        Some(Greatest::Value(value)) => low.excludes(kind, *value) != Some(true),
        Some(Greatest::OnlyNulls) => false,
        Some(Greatest::Unknown) | None => true,
    })
    .collect()
}

enum Greatest {
    Value(i128),
    OnlyNulls,
    Unknown,
}

fn greatest_values(
    footer: &ArrowReaderMetadata,
    column: &str,
) -> Option<(WatermarkType, Vec<Greatest>)> {
    let field: &Field = footer.schema().field_with_name(column).ok()?;
    let kind = WatermarkType::of(column, field.data_type()).ok()?;
    let converter =
        StatisticsConverter::try_new(column, footer.schema(), footer.parquet_schema()).ok()?;
    let leaf = converter.parquet_column_index()?;
    let groups = footer.metadata().row_groups();
    let maxes = converter.row_group_maxes(groups).ok()?;
    let mins = converter.row_group_mins(groups).ok()?;
    let exact: BooleanArray = converter.row_group_is_max_value_exact(groups).ok()?;
    let maxes = WatermarkType::ordinals(&maxes).ok()?;
    let mins = WatermarkType::ordinals(&mins).ok()?;
    if maxes.len() != groups.len() || mins.len() != groups.len() {
        return None;
    }
    let greatest = groups
        .iter()
        .enumerate()
        .map(|(n, group)| {
            let Some(statistics) = group.column(leaf).statistics() else {
                return Greatest::Unknown;
            };
            if statistics.null_count_opt().map(i64::try_from) == Some(Ok(group.num_rows()))
                && group.num_rows() > 0
            {
                return Greatest::OnlyNulls;
            }
            // Writers of the deprecated fields compared everything but plain signed integers
            // wrongly, and no one said by which order.
            let physical = statistics.physical_type();
            let signed = matches!(physical, Physical::INT32 | Physical::INT64)
                && !field.data_type().is_unsigned_integer();
            let truncated = exact.is_valid(n) && !exact.value(n);
            if physical == Physical::INT96
                || truncated
                || (statistics.is_min_max_deprecated() && !signed)
            {
                return Greatest::Unknown;
            }
            match (mins[n], maxes[n]) {
                (Some(min), Some(max)) if min <= max => Greatest::Value(max),
                _ => Greatest::Unknown,
            }
        })
        .collect();
    Some((kind, greatest))
}

/// Reads the row groups of one part.
pub(crate) struct ParquetSource {
    name: String,
    opened: Arc<Opened>,
    footer: ArrowReaderMetadata,
    /// Row groups still to read, last first.
    groups: Vec<usize>,
    /// Rows to skip in the first of them.
    skip: u64,
    current: Option<Group>,
    encoded: bool,
    /// Bytes of Arrow a row was seen to take.
    row_bytes: Option<f64>,
}

struct Group {
    index: usize,
    rows: u64,
    done: u64,
    batch_rows: usize,
    reader: ParquetRecordBatchReader,
}

impl ParquetSource {
    pub(crate) fn open(
        file: File,
        path: PathBuf,
        part: &Part,
        task: &Task,
        at: &Place,
        low: Option<&Low>,
        cx: &Context,
    ) -> Result<Self> {
        let name = part.path.clone();
        let footer = match task.home.footers.take(&name) {
            Some(footer) => footer,
            None => read_footer(&file, &name)?,
        };
        let [from, to] = part
            .groups
            .unwrap_or([0, footer.metadata().num_row_groups()]);
        let mut groups = candidates(&footer, low);
        groups.retain(|group| (from..to).contains(group) && *group >= at.group);
        groups.reverse();
        let skip = if groups.last() == Some(&at.group) {
            at.rows
        } else {
            0
        };
        let same = footer.schema().fields() == task.schema.fields();
        if task.encoded && !same {
            note(
                cx,
                &format!(
                    "{name} is decoded, not copied: its schema isn't the one all files are \
                     brought to"
                ),
            );
        }
        let opened = Opened {
            path,
            file,
            metadata: Arc::clone(footer.metadata()),
            schema: Arc::clone(footer.schema()),
        };
        Ok(Self {
            name,
            opened: Arc::new(opened),
            footer,
            groups,
            encoded: task.encoded && same && low.is_none(),
            skip,
            current: None,
            row_bytes: None,
        })
    }

    fn damaged(&self, group: usize, why: &str) -> Fault {
        invalid(
            &self.name,
            format!("row group {group} can't be decoded: {why}"),
        )
        .with("row_group", group)
        .advise("the file is damaged; write or fetch it again")
    }

    fn start(&self, index: usize, done: u64, batch_bytes: usize) -> Result<Group> {
        let metadata = self.footer.metadata().row_group(index);
        let rows = u64::try_from(metadata.num_rows()).unwrap_or(0);
        let batch_rows = match (self.row_bytes, guess(metadata, self.footer.schema())) {
            (Some(row_bytes), _) | (None, Some(row_bytes)) => rows_for(batch_bytes, row_bytes),
            // A dictionary can make any width look small, so see a few rows first.
            (None, None) => PROBE_ROWS,
        };
        let batch_rows = batch_rows.min(usize::try_from(rows).unwrap_or(1));
        let file = self
            .opened
            .file
            .try_clone()
            .map_err(|e| io_fault(&self.name, &e))?;
        let offset = usize::try_from(done).map_err(|_| self.damaged(index, "it is too long"))?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.footer.clone())
            .with_row_groups(vec![index])
            .with_batch_size(batch_rows.max(1));
        let builder = if offset > 0 {
            builder.with_offset(offset)
        } else {
            builder
        };
        let reader = builder
            .build()
            .map_err(|e| self.damaged(index, &words(&e)))?;
        Ok(Group {
            index,
            rows,
            done,
            batch_rows,
            reader,
        })
    }
}

impl Source for ParquetSource {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.footer.schema())
    }

    fn next(&mut self, batch_bytes: usize) -> Result<Option<Chunk>> {
        loop {
            let Some(mut group) = self.current.take() else {
                let Some(index) = self.groups.pop() else {
                    return Ok(None);
                };
                let skip = std::mem::take(&mut self.skip);
                if self.encoded && skip == 0 {
                    let encoded = RowGroup {
                        source: Arc::clone(&self.opened),
                        index,
                    };
                    return Ok(Some(Chunk {
                        rows: Rows::Encoded(Arc::new(encoded)),
                        group: index + 1,
                        done: 0,
                    }));
                }
                let started = guarded(&self.name, || self.start(index, skip, batch_bytes))
                    .map_err(|f| self.in_group(index, f))?;
                self.current = Some(started);
                continue;
            };
            let index = group.index;
            if group.done >= group.rows {
                // Ask once more: what comes behind the promised rows is damage.
                let after = guarded(&self.name, || {
                    group
                        .reader
                        .next()
                        .transpose()
                        .map_err(|e| self.damaged(index, &said(&e)))
                });
                match after.map_err(|f| self.in_group(index, f))? {
                    Some(more) if more.num_rows() > 0 => {
                        return Err(self.damaged(index, "it has more rows than the footer says"));
                    }
                    _ => continue,
                }
            }
            let next = guarded(&self.name, || {
                group
                    .reader
                    .next()
                    .transpose()
                    .map_err(|e| self.damaged(index, &said(&e)))
            })
            .map_err(|f| self.in_group(index, f))?;
            let Some(batch) = next else {
                let (rows, done) = (group.rows, group.done);
                return Err(self.damaged(index, &format!("it ends after {done} of {rows} rows")));
            };
            group.done += batch.num_rows() as u64;
            let (at, done) = if group.done >= group.rows {
                (index + 1, 0)
            } else {
                (index, group.done)
            };
            self.measure(&batch);
            let fitting = self
                .row_bytes
                .map_or(group.batch_rows, |row| rows_for(batch_bytes, row));
            let unfit = fitting < group.batch_rows / 2 || fitting / 4 > group.batch_rows;
            if unfit && group.done < group.rows {
                // Rows are wider or narrower than they seemed: go on in batches that fit.
                let done = group.done;
                drop(group);
                let restarted = guarded(&self.name, || self.start(index, done, batch_bytes))
                    .map_err(|f| self.in_group(index, f))?;
                self.current = Some(restarted);
            } else {
                self.current = Some(group);
            }
            return Ok(Some(Chunk {
                rows: Rows::Decoded(batch),
                group: at,
                done,
            }));
        }
    }
}

impl ParquetSource {
    /// A decoder that panicked only knew the file.
    fn in_group(&self, group: usize, fault: Fault) -> Fault {
        if fault.attribute("row_group").is_some() || fault.code != code::SOURCE_INVALID {
            fault
        } else {
            self.damaged(group, "its pages contradict each other")
        }
    }

    fn measure(&mut self, batch: &RecordBatch) {
        if batch.num_rows() == 0 {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let seen = batch
            .columns()
            .iter()
            .map(|c| held_bytes(c.as_ref()))
            .sum::<usize>() as f64
            / batch.num_rows() as f64;
        self.row_bytes = Some(match self.row_bytes {
            Some(before) => before.mul_add(0.5, seen * 0.5),
            None => seen,
        });
    }
}

/// Bytes of a column without its dictionary, which many batches share.
fn held_bytes(column: &dyn Array) -> usize {
    match column.as_any_dictionary_opt() {
        Some(dictionary) => dictionary.keys().get_array_memory_size(),
        None => column.get_array_memory_size(),
    }
}

/// How many rows make a batch of that many bytes.
fn rows_for(batch_bytes: usize, row_bytes: f64) -> usize {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate, clamped"
    )]
    let rows = (batch_bytes as f64 / row_bytes.max(1.0)) as usize;
    rows.clamp(1, 1 << 20)
}

/// Rows of the first batch when nothing says how wide they are.
const PROBE_ROWS: usize = 1024;

/// Bytes of Arrow a row takes, before one was seen; `None` when the footer doesn't say.
fn guess(group: &RowGroupMetaData, schema: &Schema) -> Option<f64> {
    let rows = group.num_rows().max(1);
    let mut bytes: i64 = 0;
    for column in group.columns() {
        bytes = bytes.saturating_add(match column.column_type() {
            Physical::BYTE_ARRAY => match column.unencoded_byte_array_data_bytes() {
                Some(bytes) => bytes.max(0).saturating_add(rows.saturating_mul(4)),
                None if column.dictionary_page_offset().is_some() => return None,
                None => column.uncompressed_size(),
            },
            _ => column.uncompressed_size(),
        });
    }
    let widths: usize = schema
        .fields()
        .iter()
        .map(|f| f.data_type().primitive_width().unwrap_or(4))
        .sum();
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let guess = (bytes.max(0) as f64 / rows as f64).max(widths as f64);
    Some(guess.max(1.0))
}
