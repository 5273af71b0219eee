//! Decodes a row group and keeps nothing: proves that what is copied can be read.

use hygge_core::caught;
use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::metadata::page_index::RowGroupPageIndex;
use parquet::file::properties::ReaderProperties;
use parquet::file::reader::RowGroupReader;
use parquet::file::serialized_reader::SerializedRowGroupReader;

use super::error::{Error, Result, words};
use super::source::SourceFile;

/// Rows decoded at a time.
const STEP: usize = 4096;

/// Decodes every page of every column of a row group, and checks that text is UTF-8.
pub(crate) fn decode(source: &SourceFile, row_group: usize) -> Result<()> {
    let metadata = source.metadata().row_group(row_group);
    let input = Arc::new(source.input().clone());
    let properties = Arc::new(ReaderProperties::builder().build());
    let index = RowGroupPageIndex::new(row_group, None);
    let reader = SerializedRowGroupReader::new(input, metadata, index, properties)?;
    for column in 0..metadata.num_columns() {
        // The crate's decoders of delta encodings panic on some broken pages, where this is asked
        // to find what is broken. The reader is dropped after that, half-read as it is.
        let decoded = caught(|| decode_column(&reader, metadata, column));
        let decoded = decoded.unwrap_or_else(|said| Err(format!("the decoder panicked: {said}")));
        if let (Err(_), Some(refused)) = (&decoded, source.input().refused()) {
            return Err(Error::Read {
                file: source.name().to_owned(),
                source: refused,
            });
        }
        decoded.map_err(|what| Error::Column {
            file: source.name().to_owned(),
            row_group,
            column: metadata.column(column).column_path().string(),
            what: format!("it can't be decoded: {}", words(&what)),
        })?;
    }
    Ok(())
}

fn decode_column(
    reader: &dyn RowGroupReader,
    group: &RowGroupMetaData,
    at: usize,
) -> Result<(), String> {
    let text = is_text(group, at);
    let reader = reader
        .get_column_reader(at)
        .map_err(|error| error.to_string())?;
    let (rows, levels) = match reader {
        ColumnReader::BoolColumnReader(reader) => drain(reader, |_| true)?,
        ColumnReader::Int32ColumnReader(reader) => drain(reader, |_| true)?,
        ColumnReader::Int64ColumnReader(reader) => drain(reader, |_| true)?,
        ColumnReader::Int96ColumnReader(reader) => drain(reader, |_| true)?,
        ColumnReader::FloatColumnReader(reader) => drain(reader, |_| true)?,
        ColumnReader::DoubleColumnReader(reader) => drain(reader, |_| true)?,
        ColumnReader::FixedLenByteArrayColumnReader(reader) => drain(reader, |_| true)?,
        ColumnReader::ByteArrayColumnReader(reader) => drain(reader, |value: &ByteArray| {
            !text || std::str::from_utf8(value.data()).is_ok()
        })?,
    };
    let said = (group.num_rows(), group.column(at).num_values());
    if (i64::try_from(rows), i64::try_from(levels)) == (Ok(said.0), Ok(said.1)) {
        return Ok(());
    }
    Err(format!(
        "{rows} rows and {levels} values where the footer says {} and {}",
        said.0, said.1
    ))
}

fn is_text(group: &RowGroupMetaData, at: usize) -> bool {
    let column = group.column(at).column_descr();
    matches!(
        column.logical_type_ref(),
        Some(LogicalType::String | LogicalType::Json | LogicalType::Enum)
    ) || matches!(
        column.converted_type(),
        ConvertedType::UTF8 | ConvertedType::JSON | ConvertedType::ENUM
    )
}

/// Reads a column to its end; rows and values (nulls among them) it had.
fn drain<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    holds: impl Fn(&T::T) -> bool,
) -> Result<(usize, usize), String> {
    let (mut values, mut definitions, mut repetitions) = (Vec::new(), Vec::new(), Vec::new());
    let mut sum = (0usize, 0usize);
    loop {
        values.clear();
        definitions.clear();
        repetitions.clear();
        let (rows, _, levels) = reader
            .read_records(
                STEP,
                Some(&mut definitions),
                Some(&mut repetitions),
                &mut values,
            )
            .map_err(|error| error.to_string())?;
        if !values.iter().all(&holds) {
            return Err("text is not UTF-8".to_owned());
        }
        if rows == 0 && levels == 0 {
            return Ok(sum);
        }
        sum = (sum.0 + rows, sum.1 + levels);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parquet::Input;

    fn bytes() -> Vec<u8> {
        let folder = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../tests/fixtures/nycflights13/"
        );
        std::fs::read(format!("{folder}planes.parquet")).unwrap()
    }

    #[test]
    fn a_failing_disk_is_told_from_a_damaged_file() {
        let whole = SourceFile::new("x", Input::from_bytes(bytes().into())).unwrap();
        decode(&whole, 0).unwrap();
        let mut bytes = bytes();
        let start = usize::try_from(whole.metadata().row_group(0).column(2).byte_range().0);
        let start = start.unwrap();
        let failing = whole.with_input(whole.input().clone().failing_from(start as u64));
        let error = decode(&failing, 0).unwrap_err();
        assert!(matches!(&error, Error::Read { source, .. } if source.raw_os_error() == Some(5)));
        bytes[start..start + 40].fill(0xff);
        let damaged = whole.with_input(Input::from_bytes(bytes.into()));
        let error = decode(&damaged, 0).unwrap_err();
        assert!(matches!(error, Error::Column { .. }), "{error}");
    }
}
