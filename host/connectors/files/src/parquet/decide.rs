//! Whether row groups can be copied as they are, and if not, why.

use std::fmt;
use std::ops::Range;

use parquet::basic::{Compression, Encoding, Type};

use super::source::SourceFile;
use super::statistics::Writer;
use super::thrift::Struct;

/// What the output must be; each limit unset means that anything goes.
#[derive(Debug, Clone)]
pub struct Want {
    /// Codec of every column chunk. The level is not compared: a file doesn't say it.
    pub codec: Option<Compression>,
    /// Row groups with fewer rows than this on average are tiny, if they are also small in bytes.
    pub tiny_rows: u64,
    /// Row groups with fewer stored bytes than this on average are tiny, if also short of rows.
    pub tiny_bytes: u64,
    /// More row groups go into the same output, so that a tiny one could be merged with them.
    pub merges: bool,
}

impl Default for Want {
    /// Any codec; a row group is tiny below 8,192 rows and 256 KiB: there the per-chunk costs of
    /// a reader (footer entry, seek, dictionary) pass those of the data.
    fn default() -> Self {
        Self {
            codec: None,
            tiny_rows: 8192,
            tiny_bytes: 256 << 10,
            merges: false,
        }
    }
}

/// Why row groups must be decoded and encoded; displays as a phrase for the run log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// A column chunk has another codec than the output.
    Codec {
        /// Dotted path of the first such column.
        column: String,
        /// Its codec.
        has: String,
        /// The output's codec.
        wants: String,
    },
    /// Row groups are so small that merging them pays.
    TinyRowGroups {
        /// How many.
        row_groups: usize,
        /// Rows on average.
        rows: u64,
        /// Stored bytes on average.
        bytes: u64,
    },
    /// A column chunk is encrypted.
    Encrypted {
        /// Dotted path of the first such column.
        column: String,
    },
    /// A column chunk stands in another file.
    Elsewhere {
        /// Dotted path of the first such column.
        column: String,
    },
    /// Schema or Arrow schema differs from the output's.
    SchemaDiffers {
        /// The first difference.
        what: String,
    },
    /// The application that wrote it made mistakes that readers know by its name.
    Writer {
        /// Its name for itself.
        created_by: String,
        /// The mistake.
        mistake: &'static str,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Codec { column, has, wants } => {
                write!(f, "codec differs ({column} is {has}, wanted {wants})")
            }
            Self::TinyRowGroups {
                row_groups,
                rows,
                bytes,
            } => {
                write!(
                    f,
                    "row groups are tiny ({row_groups} with {rows} rows, {bytes} bytes on average)"
                )
            }
            Self::Encrypted { column } => write!(f, "encrypted (column {column:?})"),
            Self::Elsewhere { column } => write!(f, "column {column:?} stands in another file"),
            Self::SchemaDiffers { what } => write!(f, "schema differs ({what})"),
            Self::Writer {
                created_by,
                mistake,
            } => write!(f, "written by {created_by}, which {mistake}"),
        }
    }
}

/// Whether `row_groups` of `source` can be copied into one output as they are. Row groups that
/// the file doesn't have are passed over. The output's schema is [`super::write::ParquetWriter::takes`]'s to judge.
pub fn can_copy(source: &SourceFile, row_groups: Range<usize>, want: &Want) -> Result<(), Why> {
    let groups = source.metadata().row_groups();
    let chosen = groups
        .iter()
        .enumerate()
        .filter(|(at, _)| row_groups.contains(at));
    let (mut count, mut rows, mut bytes) = (0usize, 0u64, 0u64);
    for (at, group) in chosen {
        foreign(source, at)?;
        for column in group.columns() {
            let path = || column.column_path().string();
            let has = column.compression();
            if let Some(wants) = want.codec.filter(|wants| codec(*wants) != codec(has)) {
                return Err(Why::Codec {
                    column: path(),
                    has: codec(has).to_owned(),
                    wants: codec(wants).to_owned(),
                });
            }
            let deltas = column
                .encodings()
                .any(|encoding| encoding == Encoding::DELTA_BYTE_ARRAY);
            let binary = matches!(
                column.column_type(),
                Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY
            );
            mistakes(source.created_by(), deltas && binary)?;
            bytes = bytes.saturating_add(u64::try_from(column.compressed_size()).unwrap_or(0));
        }
        rows = rows.saturating_add(u64::try_from(group.num_rows()).unwrap_or(0));
        count += 1;
    }
    let average = |sum: u64| sum / u64::try_from(count).unwrap_or(1).max(1);
    let (rows, bytes) = (average(rows), average(bytes));
    if (count > 1 || want.merges && count == 1) && rows < want.tiny_rows && bytes < want.tiny_bytes
    {
        return Err(Why::TinyRowGroups {
            row_groups: count,
            rows,
            bytes,
        });
    }
    Ok(())
}

/// Codec without level, as people write it.
fn codec(codec: Compression) -> &'static str {
    match codec {
        Compression::UNCOMPRESSED => "none",
        Compression::SNAPPY => "snappy",
        Compression::GZIP(_) => "gzip",
        Compression::LZO => "lzo",
        Compression::BROTLI(_) => "brotli",
        Compression::LZ4 => "lz4 (hadoop)",
        Compression::ZSTD(_) => "zstd",
        Compression::LZ4_RAW => "lz4",
    }
}

/// Columns whose bytes can't be taken from here: `file_path`, `crypto_metadata` and
/// `encrypted_column_metadata` of `ColumnChunk`.
fn foreign(source: &SourceFile, row_group: usize) -> Result<(), Why> {
    let columns = source.schema();
    let raw = source
        .raw()
        .row_groups
        .get(row_group)
        .map(|raw| Struct::from_bytes(raw));
    let Some(Ok(raw)) = raw else { return Ok(()) };
    let Some(Ok(chunks)) = raw.list(1) else {
        return Ok(());
    };
    for (chunk, column) in chunks.into_iter().zip(columns.columns()) {
        let Ok(chunk) = Struct::from_bytes(chunk) else {
            continue;
        };
        let column = || column.path().string();
        if chunk.has(8) || chunk.has(9) {
            return Err(Why::Encrypted { column: column() });
        }
        if chunk.binary(1).is_some_and(|path| !path.is_empty()) {
            return Err(Why::Elsewhere { column: column() });
        }
    }
    Ok(())
}

/// Mistakes in pages that readers correct when they see the writer's name, which a copy loses.
fn mistakes(created_by: Option<&str>, delta_binary: bool) -> Result<(), Why> {
    let Some(created_by) =
        created_by.filter(|name| Writer::parse(name).application == "parquet-mr")
    else {
        return Ok(());
    };
    let mistake = if delta_binary && Writer::parquet_mr_before(Some(created_by), [1, 8, 0]) {
        "continues delta byte arrays over page ends (PARQUET-246)"
    } else {
        return Ok(());
    };
    Err(Why::Writer {
        created_by: created_by.to_owned(),
        mistake,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_writers_with_mistakes_in_pages_are_decoded() {
        let by = |name, delta| mistakes(Some(name), delta).is_err();
        assert!(!by("parquet-mr version 1.2.8", false));
        assert!(by("parquet-mr version 1.7.0", true));
        assert!(!by("parquet-mr version 1.7.0", false));
        assert!(!by("parquet-mr version 1.8.1", true));
        assert!(!by("parquet-mr", false));
        assert!(!by("parquet-cpp version 1.0.0", true));
        assert!(mistakes(None, true).is_ok());
    }

    #[test]
    fn reasons_read_as_phrases() {
        let why = Why::TinyRowGroups {
            row_groups: 9,
            rows: 812,
            bytes: 4000,
        };
        assert_eq!(
            why.to_string(),
            "row groups are tiny (9 with 812 rows, 4000 bytes on average)"
        );
    }
}
