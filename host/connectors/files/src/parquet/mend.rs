//! Mends footers that the parquet crate stumbles over though other readers don't.
//!
//! Dremio's parquet-mr put a list where `bloom_filter_length` came to stand: readers go by the
//! kind of a field and pass over it, but the crate doesn't look and loses its place. Old writers
//! say that there is no dictionary by giving it offset 0, where the crate then looks for it. An
//! early parquet-rs said that every file has 0 rows, which the crate would believe. And early
//! parquet-mr left the header of the dictionary out of a chunk's length, so that its last page
//! looks cut off (PARQUET-816).

use std::borrow::Cow;

use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};

use super::input::Input;
use super::pages::{Chunk, Walker};
use super::statistics::Writer;
use super::thrift::{self, Kind, Read, Reader, Struct};

/// Fields of `ColumnMetaData` that came after format 2.4, and what kind they are: bloom filter
/// offset and length, size statistics, geospatial statistics.
const LATER: [(i16, Kind); 4] = [
    (14, Kind::I64),
    (15, Kind::I32),
    (16, Kind::Struct),
    (17, Kind::Struct),
];

/// Whether a footer that could be decoded needs mending.
pub(crate) fn is_needed(metadata: &ParquetMetaData) -> bool {
    let mut columns = metadata
        .row_groups()
        .iter()
        .flat_map(RowGroupMetaData::columns);
    columns.any(|column| column.dictionary_page_offset() == Some(0))
        || metadata.file_metadata().num_rows() == 0
            && metadata
                .row_groups()
                .iter()
                .any(|group| group.num_rows() > 0)
}

/// Whether chunks may be longer than the footer says.
pub(crate) fn may_be_too_short(metadata: &ParquetMetaData) -> bool {
    Writer::may_miss_dictionary_header(metadata.file_metadata().created_by())
}

/// The footer with the lengths that chunks have by their pages.
pub(crate) fn lengthen(
    metadata: ParquetMetaData,
    input: &Input,
) -> Result<ParquetMetaData, ParquetError> {
    if !may_be_too_short(&metadata) {
        return Ok(metadata);
    }
    let mut walker = Walker::default();
    let mut builder = metadata.into_builder();
    for group in builder.take_row_groups() {
        let rows = u64::try_from(group.num_rows()).unwrap_or(0);
        let mut group = group.into_builder();
        for column in group.take_columns() {
            let (missed, length) = missed(&mut walker, input, &column, rows);
            group = group.add_column_metadata(if missed == 0 {
                column
            } else {
                column
                    .into_builder()
                    .set_total_compressed_size(length.saturating_add_unsigned(missed))
                    .build()?
            });
        }
        builder = builder.add_row_group(group.build()?);
    }
    Ok(builder.build())
}

/// Bytes that the length of a chunk lacks, and that length.
fn missed(
    walker: &mut Walker,
    input: &Input,
    column: &ColumnChunkMetaData,
    rows: u64,
) -> (u64, i64) {
    let said = column.compressed_size();
    let number = |value: i64| u64::try_from(value).unwrap_or(0);
    let start = match column.dictionary_page_offset() {
        Some(dictionary) if dictionary > 0 => dictionary.min(column.data_page_offset()),
        _ => column.data_page_offset(),
    };
    let chunk = |length| Chunk {
        start: number(start),
        length,
        values: number(column.num_values()),
        rows,
        flat: column.column_descr().max_rep_level() == 0,
    };
    let mut fits = |length| walker.walk(input, chunk(length), |_, _| Ok(())).is_ok();
    if fits(number(said)) {
        return (0, said);
    }
    let header = Walker::default()
        .dictionary_header(input, number(start))
        .unwrap_or(0);
    // A chunk that doesn't fit either way is left as it is, for the decoder to refuse.
    let missed = if fits(number(said).saturating_add(header)) {
        header
    } else {
        0
    };
    (missed, said)
}

/// The footer without fields of the wrong kind and offsets of no dictionary, and with the rows
/// that its row groups have; nothing if it was so.
pub(crate) fn mend(footer: &[u8]) -> Read<Option<Vec<u8>>> {
    let mut mended = false;
    let mut file = Struct::from_bytes(footer)?;
    let mut rows = 0i64;
    let groups = each(&file, 4, |group| {
        rows = rows.saturating_add(group.int(3).unwrap_or(0));
        let chunks = each(group, 1, |chunk| {
            let Some(meta) = chunk.original(3, Kind::Struct) else {
                return Ok(());
            };
            let mut meta = Struct::from_bytes(meta)?;
            for (id, kind) in LATER {
                let wrong = meta.has(id)
                    && meta
                        .get(id, kind)
                        .is_none_or(|_| id == 16 && !sizes_are_sound(&meta));
                mended |= wrong && meta.remove(id);
            }
            if meta.int(11) == Some(0) {
                mended |= meta.remove(11);
            }
            chunk.set(3, Kind::Struct, Cow::Owned(meta.to_bytes()));
            Ok(())
        })?;
        group.set(1, Kind::List, Cow::Owned(chunks));
        Ok(())
    })?;
    file.set(4, Kind::List, Cow::Owned(groups));
    if file.int(3) == Some(0) && rows > 0 {
        file.set_int(3, Kind::I64, rows);
        mended = true;
    }
    Ok(mended.then(|| file.to_bytes()))
}

/// Writes a list of structs anew, each after a change.
fn each<'a>(
    of: &Struct<'a>,
    id: i16,
    mut change: impl FnMut(&mut Struct<'a>) -> Read<()>,
) -> Read<Vec<u8>> {
    let entries = of
        .original(id, Kind::List)
        .map_or(Ok(Vec::new()), thrift::elements)?;
    let mut out = Vec::new();
    thrift::write_list(&mut out, entries.len(), Kind::Struct);
    for entry in entries {
        let mut entry = Struct::from_bytes(entry)?;
        change(&mut entry)?;
        entry.write(&mut out);
    }
    Ok(out)
}

/// `SizeStatistics`: a number and two lists of numbers, each optional.
fn sizes_are_sound(meta: &Struct<'_>) -> bool {
    let Some(Ok(sizes)) = meta.structure(16) else {
        return false;
    };
    let numbers = |list: &[u8]| matches!(Reader::new(list).list(), Ok((_, Kind::I64)));
    let lists = [2, 3]
        .into_iter()
        .all(|id| !sizes.has(id) || sizes.get(id, Kind::List).is_some_and(numbers));
    lists && (!sizes.has(1) || sizes.get(1, Kind::I64).is_some())
}
