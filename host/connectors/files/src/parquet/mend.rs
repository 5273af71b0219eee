//! Mends footers that the parquet crate stumbles over though other readers don't.
//!
//! Dremio's parquet-mr put a list where `bloom_filter_length` came to stand: readers go by the
//! kind of a field and pass over it, but the crate doesn't look and loses its place. Old writers
//! say that there is no dictionary by giving it offset 0, where the crate then looks for it. An
//! early parquet-rs said that every file has 0 rows, which the crate would believe.

use std::borrow::Cow;

use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

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
