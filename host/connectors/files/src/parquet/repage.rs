//! A row group turned from long pages into short ones, one column after the other.
//!
//! Rows come from all columns at once, and a decoder holds a page and the dictionary of each: of
//! 2,000 columns with pages of a megabyte that is gigabytes, whatever the size of a batch. Reading
//! some columns at a time would decompress every page once a batch. So each column passes once, by
//! itself, into a spare file, as plain values in pages so short that one of every column fits.
//! What the values mean stays out of it: a column goes over as it is stored, by its physical type.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::column::writer::ColumnWriterImpl;
use parquet::data_type::{AsBytes, DataType};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::metadata::page_index::RowGroupPageIndex;
use parquet::file::properties::{EnabledStatistics, ReaderProperties, WriterProperties};
use parquet::file::reader::RowGroupReader;
use parquet::file::serialized_reader::SerializedRowGroupReader;
use parquet::file::writer::{SerializedRowGroupWriter, TrackedWrite};

use super::input::Input;

/// Bytes of values on their way from one page to the others.
const STEP_BYTES: usize = 1 << 20;

/// Rows, and levels of repeated values, on their way.
const STEP: usize = 4096;

/// Rows of a row group as the only row group of a file of its own.
#[derive(Debug, Clone)]
pub(crate) struct Repaged {
    /// Its bytes; gone from the disk with the last clone.
    pub(crate) input: Input,
    /// Its footer.
    pub(crate) metadata: Arc<ParquetMetaData>,
}

/// Why a row group couldn't be turned.
#[derive(Debug)]
pub(crate) enum Unturned {
    /// It can't be decoded.
    Source(ParquetError),
    /// It ends after that many rows, counted from its start.
    Ends(u64),
    /// It goes on after the rows that its footer says it has.
    GoesOn,
    /// The spare file can't be written.
    Spare(io::Error),
    /// Someone asked to stop.
    Stopped,
}

/// Writes some rows of a row group into `spare`, in pages of about `page_bytes`.
///
/// A column at a time is decoded and held, and of that one page and its dictionary. `stop` is
/// asked between two columns.
///
/// # Errors
/// [`Unturned`]; what was written by then is of no use.
pub(crate) fn repage(
    input: &Input,
    metadata: &ParquetMetaData,
    row_group: usize,
    rows: Range<u64>,
    page_bytes: usize,
    spare: File,
    stop: impl Fn() -> bool,
) -> Result<Repaged, Unturned> {
    let group = metadata.row_group(row_group);
    let all = u64::try_from(group.num_rows()).unwrap_or(0);
    let schema = metadata.file_metadata().schema_descr_ptr();
    let reader = SerializedRowGroupReader::new(
        Arc::new(input.clone()),
        group,
        RowGroupPageIndex::new(row_group, None),
        Arc::new(ReaderProperties::builder().build()),
    )
    .map_err(Unturned::Source)?;
    let mut written = TrackedWrite::new(spare.try_clone().map_err(Unturned::Spare)?);
    let mut writer = SerializedRowGroupWriter::new(
        Arc::clone(&schema),
        Arc::new(properties(page_bytes)),
        &mut written,
        0,
        None,
    );
    for at in 0..schema.num_columns() {
        if stop() {
            return Err(Unturned::Stopped);
        }
        let from = reader.get_column_reader(at).map_err(Unturned::Source)?;
        let into = writer.next_column().map_err(unwritten)?;
        let mut into = into.ok_or_else(|| unwritten(ParquetError::EOF("no column".into())))?;
        let width = usize::try_from(schema.column(at).type_length()).unwrap_or(0);
        let turn = Turn {
            rows: rows.clone(),
            to_the_end: rows.end >= all,
        };
        match from {
            ColumnReader::BoolColumnReader(from) => turn.column(from, into.typed(), fixed)?,
            ColumnReader::Int32ColumnReader(from) => turn.column(from, into.typed(), fixed)?,
            ColumnReader::Int64ColumnReader(from) => turn.column(from, into.typed(), fixed)?,
            ColumnReader::Int96ColumnReader(from) => turn.column(from, into.typed(), fixed)?,
            ColumnReader::FloatColumnReader(from) => turn.column(from, into.typed(), fixed)?,
            ColumnReader::DoubleColumnReader(from) => turn.column(from, into.typed(), fixed)?,
            ColumnReader::ByteArrayColumnReader(from) => turn.column(from, into.typed(), each)?,
            ColumnReader::FixedLenByteArrayColumnReader(from) => {
                turn.column(from, into.typed(), |values| values.len() * width)?;
            }
        }
        into.close().map_err(unwritten)?;
    }
    let turned = writer.close().map_err(unwritten)?;
    written.into_inner().map_err(unwritten)?;
    Ok(Repaged {
        input: Input::from_file(spare).map_err(Unturned::Spare)?,
        metadata: Arc::new(ParquetMetaData::new(
            metadata.file_metadata().clone(),
            vec![(*turned).clone()],
        )),
    })
}

/// Nothing but values: this file is read once, from start to end.
fn properties(page_bytes: usize) -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_data_page_size_limit(page_bytes)
        // A page is looked at after that many values.
        .set_write_batch_size((page_bytes / 16).clamp(16, 1024))
        .build()
}

/// Bytes of values that lie in their slice.
fn fixed<T>(values: &[T]) -> usize {
    size_of_val(values)
}

/// Bytes of values that lie elsewhere.
fn each<T: AsBytes>(values: &[T]) -> usize {
    values.iter().map(|value| value.as_bytes().len()).sum()
}

/// Which rows of a column go over.
struct Turn {
    rows: Range<u64>,
    /// Whether no row may be left.
    to_the_end: bool,
}

impl Turn {
    fn column<T: DataType>(
        &self,
        mut from: ColumnReaderImpl<T>,
        into: &mut ColumnWriterImpl<'_, T>,
        bytes_of: impl Fn(&[T::T]) -> usize,
    ) -> Result<(), Unturned> {
        let column = into.get_descriptor();
        let (nullable, repeated) = (column.max_def_level() > 0, column.max_rep_level() > 0);
        let (mut values, mut definitions, mut repetitions) = (Vec::new(), Vec::new(), Vec::new());
        let skip = usize::try_from(self.rows.start).unwrap_or(usize::MAX);
        let skipped = from.skip_records(skip).map_err(Unturned::Source)? as u64;
        if skipped < self.rows.start {
            return Err(Unturned::Ends(skipped));
        }
        let mut done = self.rows.start;
        // Few at first: how large a value or a list is isn't known before one was seen.
        let mut step = 16;
        loop {
            let left = usize::try_from(self.rows.end - done).unwrap_or(usize::MAX);
            let want = match (left, self.to_the_end) {
                (0, false) => return Ok(()),
                (0, true) => 1,
                (left, _) => left.min(step),
            };
            values.clear();
            definitions.clear();
            repetitions.clear();
            let (rows, _, levels) = from
                .read_records(
                    want,
                    Some(&mut definitions),
                    Some(&mut repetitions),
                    &mut values,
                )
                .map_err(Unturned::Source)?;
            match (left, rows) {
                (0, 0) if levels == 0 => return Ok(()),
                (0, _) => return Err(Unturned::GoesOn),
                (_, 0) => return Err(Unturned::Ends(done)),
                _ => {}
            }
            into.write_batch(
                &values,
                nullable.then_some(&definitions),
                repeated.then_some(&repetitions),
            )
            .map_err(unwritten)?;
            done += rows as u64;
            let fit = |most: usize, taken: usize| most.saturating_mul(rows) / taken.max(1);
            step = fit(STEP, levels)
                .min(fit(STEP_BYTES, bytes_of(&values)))
                .clamp(1, step * 4);
        }
    }
}

fn unwritten(error: ParquetError) -> Unturned {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(error) => Unturned::Spare(*error),
            Err(other) => Unturned::Spare(io::Error::other(other)),
        },
        other => Unturned::Spare(io::Error::other(other)),
    }
}
