//! Row groups that the parquet crate encoded here, on their way into a file beside copied ones.
//!
//! The crate writes pages and makes the footer entry as if the row group began the file; the
//! entry is then moved like one that was copied. So there is one way into the footer.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::arrow_writer::ArrowColumnChunk;
use parquet::file::metadata::page_index::{PageIndex, PageIndexBuilder};
use parquet::file::metadata::{
    FileMetaData, ParquetMetaDataBuilder, ParquetMetaDataWriter, RowGroupMetaData,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedRowGroupWriter, TrackedWrite};
use parquet::schema::types::SchemaDescPtr;

use super::copy::MovingChunk;
use super::error::{Error, Result};
use super::sink::Sink;
use super::source::{Order, RawFooter};
use super::thrift::{self, Kind, Malformed, Struct};

/// A footer as the parquet crate writes it.
pub(crate) struct CrateFooter {
    pub(crate) raw: RawFooter,
    /// The bytes that the places in the footer count in: page indexes, then the footer.
    bytes: Bytes,
}

impl CrateFooter {
    /// The footer of a file with this schema and at most one row group.
    pub(crate) fn write(
        schema: &SchemaDescPtr,
        group: Option<(RowGroupMetaData, PageIndex)>,
    ) -> Result<Self> {
        let rows = group.as_ref().map_or(0, |(group, _)| group.num_rows());
        // 1 is the version that the format asks all writers to say.
        let file = FileMetaData::new(1, rows, None, None, Arc::clone(schema), None);
        let mut metadata = ParquetMetaDataBuilder::new(file);
        if let Some((group, index)) = group {
            metadata = metadata
                .add_row_group(group)
                .set_page_index(Some(Arc::new(index)));
        }
        let mut bytes = Vec::new();
        ParquetMetaDataWriter::new(&mut bytes, &metadata.build()).finish()?;
        let bytes = Bytes::from(bytes);
        let footer = bytes.last_chunk().and_then(|tail: &[u8; 8]| {
            let length = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]);
            let end = bytes.len() - tail.len();
            Some(bytes.slice(end.checked_sub(usize::try_from(length).ok()?)?..end))
        });
        let raw = RawFooter::parse(&footer.unwrap_or_default()).map_err(unreadable)?;
        Ok(Self { raw, bytes })
    }
}

fn unreadable(error: Malformed) -> Error {
    Error::Refused(format!("the footer just encoded can't be read: {error}"))
}

/// A row group that was encoded here and stands in the output; places count from its first byte.
pub(crate) struct AppendedRowGroup {
    pub(crate) chunks: Vec<MovingChunk>,
    pub(crate) orders: Vec<Order>,
    /// `RowGroup` without its columns, its place and its number.
    pub(crate) rest: Struct<'static>,
    pub(crate) rows: i64,
    /// Bytes written, bloom filters among them.
    pub(crate) bytes: u64,
}

impl AppendedRowGroup {
    /// Appends `chunks`, one a column, and their bloom filters.
    pub(crate) fn append(
        sink: &mut impl Sink,
        schema: &SchemaDescPtr,
        chunks: Vec<ArrowColumnChunk>,
    ) -> Result<Self> {
        let mut closed = None;
        let mut out = TrackedWrite::new(sink);
        let mut writer = SerializedRowGroupWriter::new(
            Arc::clone(schema),
            Arc::new(WriterProperties::default()),
            &mut out,
            0,
            Some(Box::new(
                |_, group, blooms, column_indexes, offset_indexes| {
                    closed = Some((group, blooms, column_indexes, offset_indexes));
                    Ok(())
                },
            )),
        );
        for chunk in chunks {
            chunk.append_to_row_group(&mut writer)?;
        }
        writer.close()?;
        let Some((group, blooms, column_indexes, offset_indexes)) = closed else {
            return Err(Error::Refused("the row group was not closed".to_owned()));
        };
        let mut bloom_places = Vec::with_capacity(blooms.len());
        for bloom in &blooms {
            let start = out.bytes_written();
            if let Some(bloom) = bloom {
                bloom.write(&mut out)?;
            }
            let length = out.bytes_written() - start;
            bloom_places.push((length > 0).then_some((start as u64, length as u64)));
        }
        out.flush().map_err(Error::Write)?;
        let bytes = out.bytes_written() as u64;

        let mut index = PageIndexBuilder::new(1, schema.num_columns());
        for (at, (bounds, places)) in column_indexes.into_iter().zip(offset_indexes).enumerate() {
            if let Some(bounds) = bounds {
                index.put_column_index(bounds, 0, at);
            }
            if let Some(places) = places {
                index.put_offset_index(places, 0, at);
            }
        }
        let rows = group.num_rows();
        let footer = CrateFooter::write(schema, Some((group, index.build())))?;
        let missing =
            || Error::Refused("the row group just encoded has no footer entry".to_owned());
        let raw = footer.raw.row_groups.first().ok_or_else(missing)?;
        let entry = Struct::from_bytes(raw).map_err(unreadable)?;
        let entries = entry.original(1, Kind::List).ok_or_else(missing)?;
        let mut chunks = Vec::with_capacity(bloom_places.len());
        for (entry, bloom) in thrift::elements(entries)
            .map_err(unreadable)?
            .into_iter()
            .zip(bloom_places)
        {
            let mut chunk = MovingChunk::written(entry, &footer.bytes)
                .map_err(|trouble| trouble.in_column("the output", 0, "just encoded"))?;
            chunk.bloom = bloom;
            chunks.push(chunk);
        }
        let mut rest = entry.into_owned();
        for id in [1, 5, 6, 7] {
            rest.remove(id);
        }
        let orders = footer.raw.column_orders(schema.num_columns());
        Ok(Self {
            chunks,
            orders,
            rest,
            rows,
            bytes,
        })
    }
}
