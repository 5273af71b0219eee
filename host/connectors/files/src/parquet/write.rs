//! Writes a Parquet file whose row groups are copied from others, encoded here, or both.
//!
//! The parquet crate's own file writer moves copied chunks through an 8 KiB buffer, encodes one
//! set of statistics orders for all, and drops what it has no type for. So only the row groups that
//! are encoded here go through it, into the same output; the footer is put together from the bytes
//! of the sources' footers, with offsets moved.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use parquet::file::metadata::KeyValue;

use super::appended::AppendedRowGroup;
use super::copy::{CheckedRowGroup, LeftOut, PlacedChunk};
use super::decide::Why;
use super::encode::EncodedRowGroup;
use super::error::{Error, Result};
use super::layout::{Layout, ORIGINAL_CREATED_BY};
use super::sink::Sink;
use super::source::{Order, SourceFile};
use super::thrift::{self, Kind, Struct};

const MAGIC: &[u8; 4] = b"PAR1";

/// The name that readers see as the file's writer.
pub(crate) const CREATED_BY: &str = concat!("hygge version ", env!("CARGO_PKG_VERSION"));

/// A row group that stands in the output.
#[derive(Debug)]
struct Written {
    chunks: Vec<PlacedChunk>,
    /// `RowGroup` without columns and ordinal.
    rest: Struct<'static>,
}

/// What a finished file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    /// Rows in it.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
    /// Row groups in it.
    pub row_groups: usize,
}

/// Writes one Parquet file. Row groups stand in it in the order they are appended.
#[derive(Debug)]
pub struct ParquetWriter<S: Sink> {
    sink: S,
    position: u64,
    layout: Layout,
    key_values: Vec<KeyValue>,
    origins: BTreeSet<String>,
    row_groups: Vec<Written>,
    rows: i64,
    /// An append failed half-way: what stands in the output is no Parquet file.
    broken: bool,
}

impl<S: Sink> ParquetWriter<S> {
    /// Starts a file. `key_values` stand in its footer beside those that the sources carry, and
    /// before them where both have a key.
    pub fn create(mut sink: S, layout: Layout, key_values: Vec<KeyValue>) -> Result<Self> {
        sink.write_all(MAGIC).map_err(Error::Write)?;
        Ok(Self {
            sink,
            position: MAGIC.len() as u64,
            layout,
            key_values,
            origins: BTreeSet::new(),
            row_groups: Vec::new(),
            rows: 0,
            broken: false,
        })
    }

    /// Its layout.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Whether row groups of `source` can stand in this file; see [`Layout::takes`].
    pub fn takes(&self, source: &SourceFile) -> Result<(), Why> {
        self.layout.takes(source)
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows.cast_unsigned()
    }

    /// Bytes so far; indexes and footer come to them.
    pub fn bytes(&self) -> u64 {
        self.position
    }

    /// Row groups so far.
    pub fn row_groups(&self) -> usize {
        self.row_groups.len()
    }

    /// Appends a checked row group as it is; says what could not be carried over.
    ///
    /// # Errors
    /// [`Error::Refused`] if its schema is not this file's; then nothing was written. After any
    /// other error the file is lost.
    pub fn append_checked(&mut self, group: CheckedRowGroup) -> Result<Vec<LeftOut>> {
        self.usable()?;
        let source = group.source;
        if let Err(why) = self.takes(&source) {
            return Err(Error::Refused(format!(
                "{} can't be copied into this file: {why}",
                source.name()
            )));
        }
        self.broken = true;
        let start = self.position;
        let mut left_out = group.left_out;
        let mut ranges = Ranges::default();
        let places: Vec<u64> = group
            .chunks
            .iter()
            .map(|chunk| start + ranges.push(chunk.start, chunk.length))
            .collect();
        let blooms: Vec<Option<(u64, u64)>> = (group.chunks.iter())
            .map(|chunk| {
                chunk
                    .bloom
                    .map(|(offset, length)| (start + ranges.push(offset, length), length))
            })
            .collect();
        let compressed: u64 = group.chunks.iter().map(|chunk| chunk.length).sum();
        let columns = source.schema();
        let mut chunks = Vec::with_capacity(group.chunks.len());
        for (at, ((chunk, place), bloom)) in
            group.chunks.into_iter().zip(places).zip(blooms).enumerate()
        {
            let orders = (source.order(at), self.order(at));
            let column = columns.column(at);
            chunks.push(chunk.place(
                &column,
                place,
                bloom,
                orders,
                source.created_by(),
                &mut left_out,
            ));
        }
        for (offset, length) in ranges.merged {
            let appended = self.sink.append_range(source.input(), offset, length);
            appended.map_err(Error::Write)?;
            self.position += length;
        }
        self.carry(&source);
        self.add(chunks, group.rest, group.rows, (start, compressed));
        Ok(left_out)
    }

    /// Appends a row group that was encoded here.
    ///
    /// # Errors
    /// [`Error::Refused`] if its columns are not this file's, which [`Layout::takes_encoder`]
    /// tells before anything is encoded; then nothing was written. After any other error the file
    /// is lost.
    pub fn append_encoded(&mut self, group: EncodedRowGroup) -> Result<()> {
        self.usable()?;
        let chunks = group.into_chunks();
        let columns = chunks
            .iter()
            .map(|chunk| chunk.close().metadata.column_descr());
        if !columns.eq(self.layout.schema().columns().iter().map(Arc::as_ref)) {
            let what = "a row group was encoded with another schema than the file's";
            return Err(Error::Refused(what.to_owned()));
        }
        self.broken = true;
        let start = self.position;
        let schema = Arc::clone(self.layout.schema());
        let group = AppendedRowGroup::append(&mut self.sink, &schema, chunks)?;
        let (mut placed, mut compressed) = (Vec::with_capacity(group.chunks.len()), 0);
        for (at, chunk) in group.chunks.into_iter().enumerate() {
            let orders = (
                group.orders.get(at).copied().unwrap_or(Order::Unsaid),
                self.order(at),
            );
            let bloom = chunk.bloom.map(|(offset, length)| (start + offset, length));
            let place = start + chunk.start;
            compressed += chunk.length;
            placed.push(chunk.place(
                &schema.column(at),
                place,
                bloom,
                orders,
                Some(CREATED_BY),
                &mut Vec::new(),
            ));
        }
        self.position += group.bytes;
        self.add(placed, group.rest, group.rows, (start, compressed));
        Ok(())
    }

    /// Writes indexes and footer, and returns when the output says that all of it is kept.
    pub fn finish(mut self) -> Result<(S, Finished)> {
        self.usable()?;
        let mut places = Vec::new();
        for kind in [Index::Column, Index::Offset] {
            for chunk in self.row_groups.iter().flat_map(|group| &group.chunks) {
                let bytes = match kind {
                    Index::Column => &chunk.column_index,
                    Index::Offset => &chunk.offset_index,
                };
                let Some(bytes) = bytes else {
                    places.push(None);
                    continue;
                };
                self.sink.write_all(bytes).map_err(Error::Write)?;
                places.push(Some((self.position, bytes.len())));
                self.position += bytes.len() as u64;
            }
        }
        let footer = self.footer(&places);
        let length = u32::try_from(footer.len())
            .map_err(|_| Error::Refused("the footer would be longer than 4 GiB".to_owned()))?;
        for bytes in [footer.as_slice(), &length.to_le_bytes(), MAGIC] {
            self.sink.write_all(bytes).map_err(Error::Write)?;
            self.position += bytes.len() as u64;
        }
        self.sink.sync().map_err(Error::Write)?;
        let finished = Finished {
            rows: self.rows(),
            bytes: self.position,
            row_groups: self.row_groups.len(),
        };
        Ok((self.sink, finished))
    }

    /// `FileMetaData`. `places` are those of the column indexes, then those of the offset indexes.
    fn footer(&self, places: &[Option<(u64, usize)>]) -> Vec<u8> {
        let (column_places, offset_places) = places.split_at(places.len() / 2);
        let mut places = column_places.iter().zip(offset_places);
        // Ordinals are 16 bits wide, and readers count for themselves where none stands.
        let ordinals = i16::try_from(self.row_groups.len()).is_ok();
        let mut groups = Vec::new();
        thrift::write_list(&mut groups, self.row_groups.len(), Kind::Struct);
        for (at, group) in self.row_groups.iter().enumerate() {
            let mut columns = Vec::new();
            thrift::write_list(&mut columns, group.chunks.len(), Kind::Struct);
            for (chunk, (column, offset)) in group.chunks.iter().zip(&mut places) {
                chunk.write(*column, *offset, &mut columns);
            }
            let mut entry = group.rest.clone();
            entry.set(1, Kind::List, Cow::Owned(columns));
            if ordinals {
                entry.set_int(7, Kind::I16, i64::try_from(at).unwrap_or_default());
            }
            entry.write(&mut groups);
        }
        let mut footer = Struct::default();
        footer.set_int(1, Kind::I32, self.layout.version);
        footer.set(2, Kind::List, Cow::Borrowed(&self.layout.schema_bytes));
        footer.set_int(3, Kind::I64, self.rows);
        footer.set(4, Kind::List, Cow::Owned(groups));
        let key_values = self.all_key_values();
        if !key_values.is_empty() {
            footer.set(5, Kind::List, Cow::Owned(write_key_values(&key_values)));
        }
        let mut name = Vec::new();
        thrift::write_binary(&mut name, CREATED_BY.as_bytes());
        footer.set(6, Kind::Binary, Cow::Owned(name));
        if let Some(orders) = &self.layout.orders_bytes {
            footer.set(7, Kind::List, Cow::Borrowed(orders));
        }
        footer.to_bytes()
    }

    /// What the sources carried and the caller didn't give, what the caller gave, and who wrote
    /// the copied row groups.
    fn all_key_values(&self) -> Vec<KeyValue> {
        let given = |key: &str| self.key_values.iter().any(|pair| pair.key == key);
        let carried = self.layout.carried.iter().filter(|pair| !given(&pair.key));
        let mut all: Vec<KeyValue> = carried.chain(&self.key_values).cloned().collect();
        if !self.origins.is_empty() {
            let names: Vec<&str> = self.origins.iter().map(String::as_str).collect();
            all.push(KeyValue::new(
                ORIGINAL_CREATED_BY.to_owned(),
                names.join("\n"),
            ));
        }
        all
    }

    /// Takes over a source's key values that nobody gave yet, and the name of its writer.
    fn carry(&mut self, source: &SourceFile) {
        for pair in source
            .key_values()
            .iter()
            .filter(|pair| pair.key != ORIGINAL_CREATED_BY)
        {
            if !self
                .layout
                .carried
                .iter()
                .any(|known| known.key == pair.key)
            {
                self.layout.carried.push(pair.clone());
            }
        }
        let earlier = source
            .key_value(ORIGINAL_CREATED_BY)
            .into_iter()
            .flat_map(str::lines);
        let names = earlier
            .chain(source.created_by())
            .filter(|name| *name != CREATED_BY);
        self.origins.extend(names.map(str::to_owned));
    }

    fn add(
        &mut self,
        chunks: Vec<PlacedChunk>,
        mut rest: Struct<'static>,
        rows: i64,
        (start, compressed): (u64, u64),
    ) {
        rest.set_int(3, Kind::I64, rows);
        rest.set_int(5, Kind::I64, start.cast_signed());
        rest.set_int(6, Kind::I64, compressed.cast_signed());
        self.rows = self.rows.saturating_add(rows);
        self.row_groups.push(Written { chunks, rest });
        self.broken = false;
    }

    fn order(&self, column: usize) -> Order {
        self.layout
            .orders
            .get(column)
            .copied()
            .unwrap_or(Order::Unsaid)
    }

    fn usable(&self) -> Result<()> {
        match self.broken {
            true => Err(Error::Refused(
                "an earlier write to this file failed".to_owned(),
            )),
            false => Ok(()),
        }
    }
}

/// The two kinds of page index, which stand in the file one after the other.
#[derive(Debug, Clone, Copy)]
enum Index {
    Column,
    Offset,
}

/// Ranges to copy, joined where one goes on where the last ended.
#[derive(Debug, Default)]
struct Ranges {
    merged: Vec<(u64, u64)>,
    length: u64,
}

impl Ranges {
    /// Adds a range; its place in the output, counted from the first.
    fn push(&mut self, offset: u64, length: u64) -> u64 {
        let place = self.length;
        self.length += length;
        match self.merged.last_mut() {
            Some((start, before)) if *start + *before == offset => *before += length,
            _ => self.merged.push((offset, length)),
        }
        place
    }
}

/// A list of `KeyValue`.
fn write_key_values(pairs: &[KeyValue]) -> Vec<u8> {
    let mut out = Vec::new();
    thrift::write_list(&mut out, pairs.len(), Kind::Struct);
    for pair in pairs {
        let text = |text: &str| {
            let mut bytes = Vec::new();
            thrift::write_binary(&mut bytes, text.as_bytes());
            Cow::Owned(bytes)
        };
        let mut entry = Struct::default();
        entry.set(1, Kind::Binary, text(&pair.key));
        if let Some(value) = &pair.value {
            entry.set(2, Kind::Binary, text(value));
        }
        entry.write(&mut out);
    }
    out
}
