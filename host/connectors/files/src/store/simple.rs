//! Files that are written row by row: CSV, NDJSON and Arrow IPC.

use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use arrow_json::LineDelimitedWriter;
use arrow_json::writer::{LineDelimited, WriterBuilder};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Schema, SchemaRef};
use flate2::write::GzEncoder;
use hygge_core::{Context, Fault, Result, zone};

use super::csv::CsvEncoder;
use super::finite;
use super::settings::{Codec, Layout};
use super::track::{Track, Tracked};
use crate::config::Format;

/// Bytes gathered before they are compressed or written.
const BUFFER: usize = 1 << 18;

/// Text on its way into a file, compressed or not.
enum Sink {
    Plain(BufWriter<Tracked>),
    Gzip(BufWriter<GzEncoder<Tracked>>),
    Zstd(BufWriter<zstd::Encoder<'static, Tracked>>),
}

impl Sink {
    fn new(file: Tracked, codec: Option<(Codec, Option<i32>)>) -> io::Result<Self> {
        Ok(match codec {
            Some((Codec::Gzip, level)) => {
                let level = level.and_then(|level| u32::try_from(level).ok());
                let level =
                    level.map_or_else(flate2::Compression::default, flate2::Compression::new);
                Self::Gzip(BufWriter::with_capacity(
                    BUFFER,
                    GzEncoder::new(file, level),
                ))
            }
            Some((Codec::Zstd, level)) => {
                let mut encoder = zstd::Encoder::new(file, level.unwrap_or(3))?;
                encoder.include_checksum(true)?;
                Self::Zstd(BufWriter::with_capacity(BUFFER, encoder))
            }
            _ => Self::Plain(BufWriter::with_capacity(BUFFER, file)),
        })
    }

    fn finish(self) -> io::Result<Tracked> {
        match self {
            Self::Plain(buffer) => Ok(buffer.into_inner()?),
            Self::Gzip(buffer) => buffer.into_inner()?.finish(),
            Self::Zstd(buffer) => buffer.into_inner()?.finish(),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(inner) => inner.write(bytes),
            Self::Gzip(inner) => inner.write(bytes),
            Self::Zstd(inner) => inner.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        // Flushing a compressor ends a block, and encoders flush after every batch.
        Ok(())
    }
}

enum Encoder {
    Csv(CsvEncoder, Box<Sink>, SchemaRef),
    Ndjson(
        Box<arrow_json::writer::Writer<Sink, LineDelimited>>,
        SchemaRef,
    ),
    Arrow(Box<FileWriter<BufWriter<Tracked>>>, SchemaRef),
}

impl Encoder {
    fn new(
        file: Tracked,
        schema: &SchemaRef,
        layout: &Layout,
        mark: &[(String, String)],
    ) -> Result<Self, ArrowError> {
        Ok(match layout.format {
            Format::Csv => {
                let encoder = CsvEncoder::new(layout.csv.clone());
                let mut sink = Sink::new(file, layout.codec)?;
                sink.write_all(&encoder.header(schema)?)?;
                Self::Csv(encoder, Box::new(sink), zone::schema(schema))
            }
            Format::Ndjson => {
                let sink = Sink::new(file, layout.codec)?;
                // Without the NULLs a column that is NULL at first would be missing for readers
                // that look only at the first rows.
                let builder = WriterBuilder::new().with_explicit_nulls(true);
                let writer: LineDelimitedWriter<Sink> = builder.build(sink);
                Self::Ndjson(Box::new(writer), zone::schema(schema))
            }
            Format::Arrow | Format::Parquet => {
                let (codec, level) = layout.codec.unwrap_or((Codec::None, None));
                let codec = match codec {
                    Codec::Lz4 => Some(CompressionType::LZ4_FRAME),
                    Codec::Zstd => Some(CompressionType::ZSTD),
                    _ => None,
                };
                let options = IpcWriteOptions::default()
                    .try_with_compression(codec)?
                    .try_with_compression_level(level)?;
                let schema = without_dictionaries(schema);
                let buffer = BufWriter::with_capacity(BUFFER, file);
                let mut writer = FileWriter::try_new_with_options(buffer, &schema, options)?;
                for (key, value) in mark {
                    writer.write_metadata(key, value);
                }
                Self::Arrow(Box::new(writer), schema)
            }
        })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        match self {
            Self::Csv(encoder, sink, schema) => {
                let batch = zone::batch(batch, schema)?;
                encoder.lines(&batch, |bytes| sink.write_all(bytes))
            }
            Self::Ndjson(writer, schema) => writer.write(&zone::batch(batch, schema)?),
            Self::Arrow(writer, schema) => writer.write(&zone::batch(batch, schema)?),
        }
    }

    fn finish(self) -> Result<Tracked, ArrowError> {
        Ok(match self {
            Self::Csv(_, sink, _) => sink.finish()?,
            Self::Ndjson(mut writer, _) => {
                writer.finish()?;
                writer.into_inner().finish()?
            }
            Self::Arrow(mut writer, _) => {
                writer.finish()?;
                writer
                    .into_inner()?
                    .into_inner()
                    .map_err(io::IntoInnerError::into_error)?
            }
        })
    }
}

/// The schema with plain values for dictionaries. The file form of IPC takes one dictionary a
/// column, and each batch comes with its own.
fn without_dictionaries(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(without_words);
    Arc::new(Schema::new_with_metadata(
        fields.collect::<Vec<_>>(),
        schema.metadata().clone(),
    ))
}

fn without_words(field: &FieldRef) -> FieldRef {
    use DataType as T;
    let plain = match field.data_type() {
        T::Dictionary(_, values) => values.as_ref().clone(),
        T::List(item) => T::List(without_words(item)),
        T::LargeList(item) => T::LargeList(without_words(item)),
        T::FixedSizeList(item, size) => T::FixedSizeList(without_words(item), *size),
        T::Struct(parts) => T::Struct(parts.iter().map(without_words).collect()),
        T::Map(entries, sorted) => T::Map(without_words(entries), *sorted),
        _ => return Arc::clone(field),
    };
    let named = Field::new(field.name(), plain, field.is_nullable());
    Arc::new(named.with_metadata(field.metadata().clone()))
}

/// An open CSV, NDJSON or Arrow file.
pub(crate) struct SimplePart {
    encoder: Encoder,
    track: Arc<Track>,
}

impl SimplePart {
    /// Starts a file.
    pub(crate) fn new(
        file: Tracked,
        schema: &SchemaRef,
        layout: &Layout,
        mark: &[(String, String)],
    ) -> Result<Self> {
        let track = file.track();
        let encoder =
            Encoder::new(file, schema, layout, mark).map_err(|error| track.fault(error))?;
        Ok(Self { encoder, track })
    }

    /// Writes rows, on a CPU thread. Gives the part back unless it failed.
    pub(crate) async fn write(self, batch: RecordBatch, cx: &Context) -> Result<Self> {
        let mut part = self;
        cx.cpu(move || {
            if matches!(part.encoder, Encoder::Ndjson(..)) {
                finite::check(&batch)?;
            }
            part.encoder
                .write(&batch)
                .map_err(|error| part.fault(error))?;
            Ok(part)
        })
        .await
    }

    /// Writes what is left.
    pub(crate) async fn close(self, cx: &Context) -> Result<Tracked> {
        let Self { encoder, track } = self;
        cx.cpu(move || encoder.finish().map_err(|error| track.fault(error)))
            .await
    }

    /// Bytes in the file so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.track.bytes()
    }

    fn fault(&self, error: ArrowError) -> Fault {
        let said = match error {
            ArrowError::CsvError(why) | ArrowError::JsonError(why) => why,
            other => other.to_string(),
        };
        // An encoder's own advice stands on a line of its own.
        match said.split_once('\n') {
            Some((why, advice)) => self.track.fault(why).advise(advice),
            None => self.track.fault(said),
        }
    }
}
