//! Where stored row groups come from, and whether they can be copied as they are.

use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Schema, SchemaRef};
use hygge_core::{Fault, Result, code, holds};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::{BrotliLevel, Compression, GzipLevel, Type};
use parquet::errors::ParquetError;

use crate::parquet::{
    DAMAGED, Error, MORE_MEMORY, Source, SourceFile, Want, can_copy, decode, roomy,
};

/// A Parquet file that row groups are taken from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    source: Arc<Source>,
    /// The same, with its footer as it is stored.
    pub(crate) file: SourceFile,
    /// How it was when it was first seen.
    stamp: (u64, Option<SystemTime>),
}

impl Origin {
    pub(crate) fn new(source: &Arc<Source>) -> Result<Self> {
        let file = SourceFile::of(source).map_err(|error| fault(error, &source.path))?;
        Ok(Self {
            stamp: stamp(source)?,
            source: Arc::clone(source),
            file,
        })
    }

    /// Opens a file of hygge's own.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path)
            .map_err(|error| Fault::io(code::DESTINATION_IO, "can't open", path, &error))?;
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new());
        let metadata = metadata.map_err(|error| {
            Fault::new(
                code::DESTINATION_IO,
                format!("{} can't be read: {error}", path.display()),
            )
            .with("file", path.display())
        })?;
        Self::new(&Arc::new(Source {
            path: path.to_owned(),
            file,
            metadata: Arc::clone(metadata.metadata()),
            schema: roomy(metadata.schema()),
        }))
    }

    /// The open file.
    pub(crate) fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Its Arrow schema.
    pub(crate) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.source.schema)
    }

    /// Its footer, for decoding to the types it is handed on with: plain texts where the file
    /// says views.
    pub(crate) fn footer(&self) -> Result<ArrowReaderMetadata> {
        let read = |options: ArrowReaderOptions| {
            let footer = ArrowReaderMetadata::try_new(Arc::clone(&self.source.metadata), options);
            footer.map_err(|error| {
                let name = self.file.name();
                Fault::new(code::SOURCE_INVALID, format!("{name}: {error}")).with("file", name)
            })
        };
        let footer = read(ArrowReaderOptions::new())?;
        let wanted = self.source.schema.fields();
        if footer.schema().fields() == wanted {
            return Ok(footer);
        }
        let wanted = Arc::new(Schema::new(wanted.clone()));
        read(ArrowReaderOptions::new().with_schema(wanted))
    }

    /// The number of each row group's first row, and of the one behind the last.
    pub(crate) fn starts(&self) -> Vec<u64> {
        let mut starts = vec![0];
        let mut rows = 0;
        for group in self.source.metadata.row_groups() {
            rows += u64::try_from(group.num_rows()).unwrap_or(0);
            starts.push(rows);
        }
        starts
    }

    /// How many rows it has.
    pub(crate) fn rows(&self) -> u64 {
        self.starts().last().copied().unwrap_or(0)
    }

    /// How many row groups it has.
    pub(crate) fn groups(&self) -> usize {
        self.source.metadata.num_row_groups()
    }

    /// Whether it is that file.
    pub(crate) fn is(&self, source: &Arc<Source>) -> bool {
        Arc::ptr_eq(&self.source, source)
    }

    /// Whether both are the same open file.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.is(&other.source)
    }

    /// The codec its row groups have, at its usual level.
    pub(crate) fn codec(&self) -> Option<Compression> {
        let group = self.source.metadata.row_groups().first()?;
        Some(match group.columns().first()?.compression() {
            Compression::ZSTD(_) => super::settings::zstd_3(),
            Compression::GZIP(_) => Compression::GZIP(GzipLevel::default()),
            Compression::BROTLI(_) => Compression::BROTLI(BrotliLevel::default()),
            Compression::SNAPPY => Compression::SNAPPY,
            Compression::UNCOMPRESSED => Compression::UNCOMPRESSED,
            // The framed form is deprecated, and LZO has no encoder.
            Compression::LZ4 | Compression::LZ4_RAW => Compression::LZ4_RAW,
            Compression::LZO => super::settings::zstd_3(),
        })
    }

    /// Why its row groups can't be copied, if so. `joined` says that they would stand beside
    /// others, so that tiny ones had better be made into larger ones.
    pub(crate) fn refuses(
        &self,
        rewrite: bool,
        codec: Option<Compression>,
        joined: bool,
    ) -> Option<String> {
        if rewrite {
            return Some("rewrite is set".into());
        }
        let want = Want {
            codec,
            merges: joined,
            ..Want::default()
        };
        let all = 0..self.source.metadata.num_row_groups();
        can_copy(&self.file, all, &want)
            .err()
            .map(|why| why.to_string())
    }

    /// Fails when the file changed since it was first seen: what was copied may be half of each.
    pub(crate) fn unchanged(&self) -> Result<()> {
        if stamp(&self.source)? == self.stamp {
            return Ok(());
        }
        Err(Fault::new(
            code::SOURCE_CHANGED,
            format!("{} changed while it was copied", self.file.name()),
        )
        .with("file", self.file.name())
        .advise("run again when nobody writes to it"))
    }

    /// Rows in some row groups, and the bytes they take decoded but packed.
    pub(crate) fn size(&self, groups: Range<usize>) -> (usize, usize) {
        let groups = self.source.metadata.row_groups().get(groups);
        let groups = groups.unwrap_or_default().iter();
        groups.fold((0, 0), |(rows, bytes), group| {
            (
                rows + usize::try_from(group.num_rows()).unwrap_or(0),
                bytes + usize::try_from(group.total_byte_size()).unwrap_or(0),
            )
        })
    }

    /// Whether a column holds 96-bit timestamps, whose range decoding doesn't check.
    pub(crate) fn has_int96(&self) -> bool {
        let columns = self.file.schema();
        let mut columns = columns.columns().iter();
        columns.any(|column| column.physical_type() == Type::INT96)
    }

    /// Decodes some row groups.
    pub(crate) fn decode(&self, groups: Range<usize>) -> Result<Vec<RecordBatch>> {
        let name = self.file.name();
        let broken = |error: &dyn std::fmt::Display| {
            fault(damage(&self.file, groups.clone(), error), &self.source.path).with("file", name)
        };
        let metadata = self.footer()?;
        let input = self.file.input().clone();
        ParquetRecordBatchReaderBuilder::new_with_metadata(input, metadata)
            .with_row_groups(groups.clone().collect())
            .build()
            .map_err(|error| broken(&error))?
            .map(|batch| batch.map_err(|error| broken(&error)))
            .collect()
    }
}

fn stamp(source: &Source) -> Result<(u64, Option<SystemTime>)> {
    let of = |found: Metadata| (found.len(), found.modified().ok());
    source
        .file
        .metadata()
        .map(of)
        .map_err(|error| Fault::io(code::SOURCE_IO, "can't look at", &source.path, &error))
}

/// What is wrong with row groups that can't be decoded: the column, where one is to blame.
pub(crate) fn damage(
    file: &SourceFile,
    groups: Range<usize>,
    error: &dyn std::fmt::Display,
) -> Error {
    let found = groups.clone().find_map(|group| {
        let tried = decode(file, group).err();
        tried.filter(|found| matches!(found, Error::Column { .. } | Error::Read { .. }))
    });
    found.unwrap_or_else(|| file.undecodable(groups, error))
}

/// The fault for a failure below the level of rows. `written` is the file being written.
pub(crate) fn fault(error: Error, written: &Path) -> Fault {
    let write = |error: &io::Error| Fault::io(code::DESTINATION_IO, "can't write", written, error);
    match error {
        Error::Write(error) => write(&error),
        Error::Read { file, source } => {
            Fault::io(code::SOURCE_IO, "can't read", file.as_ref(), &source)
        }
        Error::Footer { .. }
        | Error::Encrypted { .. }
        | Error::RowGroup { .. }
        | Error::RowGroups { .. }
        | Error::Column { .. } => {
            let fault = Fault::new(code::SOURCE_INVALID, error.to_string());
            match error {
                Error::Encrypted { .. } => fault,
                _ => fault.advise(DAMAGED),
            }
        }
        Error::TooLarge { .. } => Fault::new(code::MEMORY, error.to_string()).advise(MORE_MEMORY),
        Error::Parquet(ParquetError::External(inner)) => match inner.downcast_ref::<io::Error>() {
            Some(error) => write(error),
            None => unencodable(&inner).with("file", written.display()),
        },
        Error::Parquet(error) => unencodable(&error).with("file", written.display()),
        other => Fault::internal(other.to_string()).with("file", written.display()),
    }
}

/// The fault for columns that have no Parquet form.
pub(crate) fn unencodable_schema(schema: &Schema, error: &dyn std::fmt::Display) -> Fault {
    let fieldless = |data_type: &DataType| match data_type {
        DataType::Struct(fields) => fields.is_empty(),
        _ => false,
    };
    let mut fields = schema.fields().iter();
    let Some(field) = fields.find(|field| holds(field.data_type(), fieldless)) else {
        let message = format!("the schema can't be written as Parquet: {error}");
        return Fault::new(code::SCHEMA, message);
    };
    let name = field.name();
    let message = format!("column {name:?} has a struct without fields, which Parquet can't hold");
    Fault::new(code::SCHEMA, message)
        .with("column", name)
        .advise(
            "leave the column out with an `exclude` transform, or declare its fields in `schema`",
        )
}

/// The fault for rows that have none.
pub(crate) fn unencodable(error: &dyn std::fmt::Display) -> Fault {
    let text = error.to_string();
    let why = text.split_once(": ").map_or(text.as_str(), |(_, why)| why);
    Fault::new(
        code::SCHEMA,
        format!("rows can't be written as Parquet: {why}"),
    )
}
