//! Parquet footers: read, looked through, and kept for as long as they are needed.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_schema::{FieldRef, Schema, SchemaRef};
use hygge_core::{Fault, Result, code};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader, RowGroupMetaData};

use super::plain::plain_field;
use super::{guarded, io_fault};
use crate::parquet::{Error, Input, SourceFile, may_be_too_short, well_formed};

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

    /// Keeps a footer for one part; see [`Footers::expect`].
    pub(crate) fn keep(&self, name: &str, footer: ArrowReaderMetadata) {
        let bytes = footer.metadata().memory_size();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.bytes + bytes <= FOOTER_BYTES {
            let old = held.footers.insert(name.to_owned(), (1, bytes, footer));
            held.bytes += bytes;
            held.bytes -= old.map_or(0, |(_, bytes, _)| bytes);
        }
    }

    /// Says how many parts of each file will be read; footers of other files are let go.
    pub(crate) fn expect(&self, parts: &HashMap<&str, usize>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Held { footers, bytes } = &mut *held;
        footers.retain(|name, (uses, size, _)| {
            *uses = parts.get(name.as_str()).copied().unwrap_or(0);
            if *uses == 0 {
                *bytes -= *size;
            }
            *uses > 0
        });
    }

    /// The footer of a file, if it is kept; let go with the last part.
    pub(super) fn take(&self, name: &str) -> Option<ArrowReaderMetadata> {
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

pub(super) fn invalid(name: &str, what: impl std::fmt::Display) -> Fault {
    Fault::new(code::SOURCE_INVALID, format!("{name}: {what}")).with("file", name)
}

/// The words of an error without the names of the kinds of error it went through.
pub(super) fn words(error: &ParquetError) -> String {
    crate::parquet::words(&error.to_string()).to_owned()
}

/// Reads a file's footer, and looks whether what it says can be.
pub(crate) fn read_footer(file: &File, name: &str) -> Result<ArrowReaderMetadata> {
    let length = file.metadata().map_err(|e| io_fault(name, &e))?.len();
    if length == 0 {
        return Err(invalid(name, "the file is empty")
            .advise("write or fetch the file again; if it is still being written, wait"));
    }
    if length < 12 {
        let bytes = if length == 1 { "byte" } else { "bytes" };
        return Err(invalid(
            name,
            format!("not a Parquet file: it has only {length} {bytes}"),
        )
        .advise("check `path`, and the `type` or `format` that says what it holds"));
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
                invalid(name, "not a Parquet file")
                    .advise("check `path`, and the `type` or `format` that says what it holds")
            });
        }
    }
    guarded(name, || {
        let footer = match as_it_is(file, name) {
            Some(footer) if !odd(&footer) => footer,
            Some(_) | None => mended(file, name)?,
        };
        let footer = match without_views(footer.schema()) {
            None => footer,
            Some(schema) => {
                let metadata = Arc::clone(footer.metadata());
                ArrowReaderMetadata::try_new(metadata, options().with_schema(schema)).map_err(
                    |e| invalid(name, format!("its schema can't be read: {}", words(&e))),
                )?
            }
        };
        plausible(&footer, length, name)?;
        Ok(footer)
    })
}

/// The footer as it is written, if that can be read.
fn as_it_is(file: &File, name: &str) -> Option<ArrowReaderMetadata> {
    let input = Input::from_file(file.try_clone().ok()?).ok()?;
    let footer = crate::parquet::read_footer(name, &input).ok()?;
    well_formed(&footer).ok()?;
    let metadata = ParquetMetaDataReader::decode_metadata(&footer).ok()?;
    ArrowReaderMetadata::try_new(Arc::new(metadata), options()).ok()
}

fn options() -> ArrowReaderOptions {
    ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Skip)
}

/// Whether a footer says what some writers are known to say wrongly.
fn odd(footer: &ArrowReaderMetadata) -> bool {
    let metadata = footer.metadata();
    let groups = metadata.row_groups();
    let columns = groups.iter().flat_map(RowGroupMetaData::columns);
    columns
        .into_iter()
        .any(|column| column.dictionary_page_offset() == Some(0))
        || (metadata.file_metadata().num_rows() == 0 && groups.iter().any(|g| g.num_rows() > 0))
        || may_be_too_short(metadata)
}

/// A footer with the known mistakes of writers put right.
fn mended(file: &File, name: &str) -> Result<ArrowReaderMetadata> {
    let input = file
        .try_clone()
        .and_then(Input::from_file)
        .map_err(|e| io_fault(name, &e))?;
    let source = SourceFile::new(name, input).map_err(|error| match error {
        Error::Encrypted { .. } => encrypted(name, "its footer is encrypted"),
        Error::Footer { what, .. } => invalid(name, format!("its footer is damaged: {what}"))
            .advise("the file is damaged; write or fetch it again"),
        Error::Read { source, .. } => io_fault(name, &source),
        other => invalid(name, other),
    })?;
    let metadata = || Arc::clone(source.metadata());
    ArrowReaderMetadata::try_new(metadata(), options()).or_else(|error| {
        // The Arrow schema is a hint; a file whose hint is broken is still Parquet.
        ArrowReaderMetadata::try_new(metadata(), options().with_skip_arrow_metadata(true))
            .map_err(|_| invalid(name, format!("its footer is damaged: {}", words(&error))))
    })
}

pub(super) fn encrypted(name: &str, how: &str) -> Fault {
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
                return bad(format!("column {:?} lies outside the file", path.string()));
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
