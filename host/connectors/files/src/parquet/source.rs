//! A Parquet file opened for copying: its footer as types, and as the bytes it was written in.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parquet::file::metadata::{FooterTail, KeyValue, ParquetMetaData, ParquetMetaDataReader};
use parquet::schema::types::SchemaDescPtr;

use super::encoded::Source;
use super::error::{Error, Result, words};
use super::input::Input;
use super::mend;
use super::thrift::{self, Kind, Malformed, Read, Reader, Struct};

/// How values of a column were compared for its statistics: `ColumnOrder` in the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Not said, as before format 2.4: `min_value` and `max_value` mean nothing.
    Unsaid,
    /// By the column's type.
    ByType,
    /// Floats by IEEE 754 total order.
    Total,
    /// Another member of the union.
    Other(i16),
}

/// A footer (`FileMetaData`) whose row groups are still in their bytes.
#[derive(Debug, Clone)]
pub(crate) struct RawFooter {
    pub(crate) version: i64,
    /// The list of schema elements.
    pub(crate) schema: Bytes,
    pub(crate) row_groups: Vec<Bytes>,
    /// The list of column orders, if the footer has one.
    pub(crate) orders: Option<Bytes>,
    pub(crate) created_by: Option<String>,
}

impl RawFooter {
    pub(crate) fn parse(bytes: &Bytes) -> Read<Self> {
        let footer = Struct::from_bytes(bytes)?;
        let schema = footer
            .get(2, Kind::List)
            .ok_or(Malformed::Because("a footer has no schema"))?;
        let row_groups = footer
            .list(4)
            .ok_or(Malformed::Because("a footer has no row groups"))??;
        Ok(Self {
            version: footer.int(1).unwrap_or(1),
            schema: bytes.slice_ref(schema),
            row_groups: row_groups
                .iter()
                .map(|group| bytes.slice_ref(group))
                .collect(),
            orders: footer
                .get(7, Kind::List)
                .map(|orders| bytes.slice_ref(orders)),
            created_by: footer
                .binary(6)
                .map(|name| String::from_utf8_lossy(name).into_owned()),
        })
    }

    /// Order of each column, `columns` of them.
    pub(crate) fn column_orders(&self, columns: usize) -> Vec<Order> {
        let said = self
            .orders
            .as_deref()
            .and_then(|orders| thrift::elements(orders).ok());
        let said = said.filter(|orders| orders.len() == columns);
        let Some(said) = said else {
            return vec![Order::Unsaid; columns];
        };
        let order = |union: &&[u8]| match Reader::new(union).field(&mut 0) {
            Ok(Some((1, _))) => Order::ByType,
            Ok(Some((2, _))) => Order::Total,
            Ok(Some((id, _))) => Order::Other(id),
            _ => Order::Unsaid,
        };
        said.iter().map(order).collect()
    }
}

/// A Parquet file to copy from. Cheap to clone; safe to share between threads.
#[derive(Debug, Clone)]
pub struct SourceFile {
    name: Arc<str>,
    input: Input,
    metadata: Arc<ParquetMetaData>,
    raw: Arc<RawFooter>,
    orders: Arc<[Order]>,
}

impl SourceFile {
    /// Opens a file and reads its footer. Errors name it by its path.
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        match Input::open(path) {
            Ok(input) => Self::new(name, input),
            Err(source) => Err(Error::Read { file: name, source }),
        }
    }

    /// Reads the footer of `input`; `name` stands in errors.
    pub fn new(name: impl Into<Arc<str>>, input: Input) -> Result<Self> {
        let name = name.into();
        let mut footer = read_footer(&name, &input)?;
        let broken = |what: String| Error::Footer {
            file: name.to_string(),
            what,
        };
        well_formed(&footer).map_err(|error| broken(error.to_string()))?;
        let mut decoded = ParquetMetaDataReader::decode_metadata(&footer);
        if decoded.as_ref().map_or(true, mend::is_needed)
            && let Ok(Some(mended)) = mend::mend(&footer)
        {
            footer = mended.into();
            decoded = ParquetMetaDataReader::decode_metadata(&footer);
        }
        let metadata = decoded.map_err(|error| broken(error.to_string()))?;
        let raw = RawFooter::parse(&footer).map_err(|error| broken(error.to_string()))?;
        if raw.row_groups.len() != metadata.num_row_groups() {
            return Err(broken("its row groups can't be counted".to_owned()));
        }
        let columns = metadata.file_metadata().schema_descr().num_columns();
        if let Some(odd) = metadata
            .row_groups()
            .iter()
            .position(|group| group.num_columns() != columns)
        {
            return Err(broken(format!(
                "row group {odd} doesn't have the schema's {columns} columns"
            )));
        }
        let rows = metadata
            .row_groups()
            .iter()
            .try_fold(0i64, |sum, group| sum.checked_add(group.num_rows()));
        let said = metadata.file_metadata().num_rows();
        if rows != Some(said) {
            return Err(broken(format!(
                "it says {said} rows, but its row groups don't sum up to that"
            )));
        }
        let orders = raw.column_orders(columns).into();
        let metadata =
            mend::lengthen(metadata, &input).map_err(|error| broken(error.to_string()))?;
        Ok(Self {
            name,
            input,
            metadata: Arc::new(metadata),
            raw: Arc::new(raw),
            orders,
        })
    }

    /// The same for a file that a Home opened: shares its descriptor, reads its footer again.
    pub fn of(source: &Source) -> Result<Self> {
        let name = source.path.display().to_string();
        match source.file.try_clone().and_then(Input::from_file) {
            Ok(input) => Self::new(name, input),
            Err(error) => Err(Error::Read {
                file: name,
                source: error,
            }),
        }
    }

    /// The same footer over other bytes.
    #[cfg(test)]
    pub(crate) fn with_input(&self, input: Input) -> Self {
        Self {
            input,
            ..self.clone()
        }
    }

    /// The name it was opened by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its bytes; also a `ChunkReader` for the parquet crate's readers.
    pub fn input(&self) -> &Input {
        &self.input
    }

    /// Its footer, without page indexes.
    pub fn metadata(&self) -> &Arc<ParquetMetaData> {
        &self.metadata
    }

    /// Its schema.
    pub fn schema(&self) -> SchemaDescPtr {
        self.metadata.file_metadata().schema_descr_ptr()
    }

    /// What the application that wrote it calls itself.
    pub fn created_by(&self) -> Option<&str> {
        self.raw.created_by.as_deref()
    }

    /// Key-value metadata of the file.
    pub fn key_values(&self) -> &[KeyValue] {
        self.metadata
            .file_metadata()
            .key_value_metadata()
            .map_or(&[], Vec::as_slice)
    }

    /// The value of a key, if it has one.
    pub fn key_value(&self, key: &str) -> Option<&str> {
        let found = self.key_values().iter().find(|pair| pair.key == key)?;
        found.value.as_deref()
    }

    /// Says where decoding row groups failed, and whether the file or what it lies on is to
    /// blame.
    pub fn undecodable(&self, row_groups: Range<usize>, error: &dyn std::fmt::Display) -> Error {
        let file = self.name.to_string();
        if let Some(source) = self.input.refused() {
            return Error::Read { file, source };
        }
        let text = error.to_string();
        let what = format!("it can't be decoded: {}", words(&text));
        if row_groups.len() > 1 {
            return Error::RowGroups {
                file,
                first: row_groups.start,
                last: row_groups.end - 1,
                what: what.replacen("it ", "they ", 1),
            };
        }
        Error::RowGroup {
            file,
            row_group: row_groups.start,
            what,
        }
    }

    pub(crate) fn raw(&self) -> &RawFooter {
        &self.raw
    }

    pub(crate) fn order(&self, column: usize) -> Order {
        self.orders.get(column).copied().unwrap_or(Order::Unsaid)
    }
}

/// Whether every length in a footer is one of bytes that it has. The crate's decoder passes over
/// as many elements as a list that it doesn't know claims, and that may take hours.
pub(crate) fn well_formed(footer: &[u8]) -> Read<()> {
    Reader::new(footer).raw(Kind::Struct).map(drop)
}

/// Bytes of `FileMetaData`, by the [file layout](https://parquet.apache.org/docs/file-format/):
/// magic, data, footer, its length in four bytes, magic.
pub(crate) fn read_footer(name: &str, input: &Input) -> Result<Bytes> {
    const TAIL: u64 = 8;
    let file = || name.to_owned();
    let broken = |what: String| Error::Footer { file: file(), what };
    let read = |offset, length| {
        input
            .read_vec(offset, length)
            .map_err(|source| Error::Read {
                file: file(),
                source,
            })
    };
    let length = input.length();
    if length < TAIL + 4 {
        return Err(broken(format!("the file has only {length} bytes")));
    }
    let tail = FooterTail::try_from(read(length - TAIL, TAIL)?.as_slice())
        .map_err(|_| broken("it doesn't end in PAR1".to_owned()))?;
    if tail.is_encrypted_footer() {
        return Err(Error::Encrypted { file: file() });
    }
    let footer = tail.metadata_length() as u64;
    let Some(start) = (length - TAIL).checked_sub(footer) else {
        return Err(broken(format!(
            "it says {footer} bytes in a file of {length}"
        )));
    };
    Ok(read(start, footer)?.into())
}

/// Reads arbitrary bytes as a footer: what a fuzzer calls. It must return, whatever they are.
pub fn fuzz_footer(bytes: &[u8]) {
    let _ = mend::mend(bytes);
    if let Ok(footer) = RawFooter::parse(&Bytes::copy_from_slice(bytes)) {
        footer.column_orders(footer.row_groups.len());
    }
}
