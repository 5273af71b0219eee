//! Rows to Parquet row groups, one column at a time.
//!
//! The columns of a row group lie one after the other in the file, so all but the first wait in
//! memory until the group is complete. Writing batch by batch keeps a whole writer for each of
//! them meanwhile: a dictionary, a compressor, a page in progress, a megabyte or two, times 2,000
//! columns. Here a column is encoded from its first row to its last before the next one starts.
//! What waits is compressed pages, and width costs nothing. It also means that a column's values
//! can be looked at before its encoding is chosen (see [`choose`](super::choose)).
//!
//! Nothing here does I/O but [`EncodedRowGroup::append`], and nothing starts a thread: groups are
//! independent, so the caller encodes several at once and appends them in order.

use std::io::{self, Write};
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{Field, FieldRef, Schema, SchemaRef};
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::arrow::{ArrowSchemaConverter, add_encoded_arrow_schema_to_metadata};
use parquet::basic::{Compression, LogicalType, ZstdLevel};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{BasicTypeInfo, ColumnDescPtr, SchemaDescriptor, Type, TypePtr};

use super::choose::{LeafHint, choose};
use super::form;

/// Bytes of one column that are decoded before its encoding is chosen.
const LOOKAHEAD_BYTES: usize = 8 << 20;

/// What a user may say about the files written.
#[derive(Debug, Clone)]
pub struct EncodeOptions {
    /// Codec and level of every page.
    pub compression: Compression,
    /// Rows after which a row group closes.
    pub row_group_rows: usize,
    /// Bytes, encoded but not compressed, after which a row group closes. Bounds what a row group
    /// takes in memory when rows are wide.
    pub row_group_bytes: usize,
}

impl Default for EncodeOptions {
    fn default() -> Self {
        Self {
            compression: Compression::ZSTD(ZstdLevel::try_new(3).unwrap_or_default()),
            row_group_rows: 122_880,
            row_group_bytes: 128 << 20,
        }
    }
}

/// Encodes row groups of one schema. Shared by all threads that write one data set.
#[derive(Debug)]
pub struct Encoder {
    schema: SchemaRef,
    declared: SchemaRef,
    parquet: TypePtr,
    roots: Vec<Root>,
    options: EncodeOptions,
}

/// A top-level column: what is encoded from start to end before the next one begins. Nested ones
/// have several leaves, which are encoded together.
#[derive(Debug)]
pub(super) struct Root {
    /// The column alone, as the factory of column writers wants it.
    schema: SchemaRef,
    parquet: TypePtr,
    leaves: Vec<ColumnDescPtr>,
    /// The column as it is stored, when that is another type.
    stored: Option<FieldRef>,
}

impl Root {
    fn new(field: &FieldRef, stored: Option<FieldRef>, parquet: TypePtr) -> Result<Self> {
        let field = stored.as_ref().unwrap_or(field);
        let parquet = Type::group_type_builder("schema")
            .with_fields(vec![parquet])
            .build()?;
        let parquet = Arc::new(parquet);
        let leaves = SchemaDescriptor::new(Arc::clone(&parquet))
            .columns()
            .to_vec();
        Ok(Self {
            schema: Arc::new(Schema::new(vec![Arc::clone(field)])),
            parquet,
            leaves,
            stored,
        })
    }

    pub(super) fn leaves(&self) -> &[ColumnDescPtr] {
        &self.leaves
    }

    pub(super) fn writers(&self, properties: WriterProperties) -> Result<Vec<ArrowColumnWriter>> {
        let properties: WriterPropertiesPtr = Arc::new(properties);
        // Column writers come only from a file writer: this one writes nowhere. The chunks fit
        // any file that has the same column descriptors.
        let nowhere = SerializedFileWriter::new(io::sink(), Arc::clone(&self.parquet), properties)?;
        ArrowRowGroupWriterFactory::new(&nowhere, Arc::clone(&self.schema)).create_column_writers(0)
    }
}

/// Writes some rows of a column to its leaves. `field` says the type that `array` has, which may
/// be the view form of the one the file declares.
pub(super) fn write_column(
    writers: &mut [ArrowColumnWriter],
    field: &Field,
    array: &ArrayRef,
) -> Result<()> {
    let leaves = compute_leaves(field, array)?;
    if leaves.len() != writers.len() {
        return Err(ParquetError::General(format!(
            "column {:?}: {} leaves for {} writers",
            field.name(),
            leaves.len(),
            writers.len()
        )));
    }
    writers
        .iter_mut()
        .zip(&leaves)
        .try_for_each(|(writer, leaf)| writer.write(leaf))
}

impl Encoder {
    /// An encoder for rows of `schema`. Decimals of at most 18 digits become integers, whatever
    /// they were before: those pack and compress far better than big-endian bytes.
    pub fn new(schema: SchemaRef, options: EncodeOptions) -> Result<Self> {
        Self::build(schema, None, options)
    }

    /// The same for rows that come from a Parquet file: annotations that Arrow has no type for
    /// (UUID, JSON, ENUM, field ids) are kept for every column that is stored the same way.
    pub fn like(
        schema: SchemaRef,
        source: &SchemaDescriptor,
        options: EncodeOptions,
    ) -> Result<Self> {
        Self::build(schema, Some(source), options)
    }

    fn build(
        schema: SchemaRef,
        source: Option<&SchemaDescriptor>,
        options: EncodeOptions,
    ) -> Result<Self> {
        let stored: Vec<Option<FieldRef>> = schema.fields().iter().map(form::stored).collect();
        let known = schema.fields().iter().zip(&stored);
        let known = known.map(|(field, stored)| Arc::clone(stored.as_ref().unwrap_or(field)));
        let known = Schema::new(known.collect::<Vec<_>>());
        let converted = ArrowSchemaConverter::new().convert(&known)?;
        let mut types = converted.root_schema().get_fields().to_vec();
        if let Some(source) = source {
            let theirs = source.root_schema().get_fields();
            for ((ours, stored), theirs) in types.iter_mut().zip(&stored).zip(theirs) {
                if stored.is_none() && same_shape(ours, theirs) {
                    *ours = Arc::clone(theirs);
                }
            }
        }
        let roots = schema
            .fields()
            .iter()
            .zip(stored)
            .zip(&types)
            .map(|((field, stored), parquet)| Root::new(field, stored, Arc::clone(parquet)))
            .collect::<Result<_>>()?;
        let parquet = Type::group_type_builder("schema")
            .with_fields(types)
            .build()?;
        Ok(Self {
            declared: form::declared(&schema),
            schema,
            parquet: Arc::new(parquet),
            roots,
            options,
        })
    }

    /// The schema of the rows.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The schema that files declare to readers that know Arrow.
    pub(super) fn declared(&self) -> &SchemaRef {
        &self.declared
    }

    /// What was asked for.
    pub fn options(&self) -> &EncodeOptions {
        &self.options
    }

    pub(super) fn roots(&self) -> &[Root] {
        &self.roots
    }

    /// The Parquet schema that row groups are encoded with.
    pub(super) fn parquet(&self) -> &TypePtr {
        &self.parquet
    }

    /// Starts a file of this schema; the Arrow schema is added to `metadata`.
    pub fn file_writer<W: Write + Send>(
        &self,
        sink: W,
        metadata: Vec<KeyValue>,
    ) -> Result<SerializedFileWriter<W>> {
        let mut properties = WriterProperties::builder()
            .set_compression(self.options.compression)
            .set_key_value_metadata(Some(metadata))
            .build();
        add_encoded_arrow_schema_to_metadata(&self.declared, &mut properties);
        SerializedFileWriter::new(sink, Arc::clone(&self.parquet), Arc::new(properties))
    }

    /// Encodes batches as one row group. They must have the encoder's schema, field by field.
    pub fn encode(&self, batches: &[RecordBatch]) -> Result<EncodedRowGroup> {
        self.encode_all(batches.to_vec())
    }

    /// The same for rows that nobody needs any more: each column is let go when it is encoded, so
    /// that a row group isn't held twice, once as rows and once as pages.
    pub fn encode_all(&self, batches: Vec<RecordBatch>) -> Result<EncodedRowGroup> {
        for batch in &batches {
            let fields = batch.schema_ref().fields().iter().zip(self.schema.fields());
            let differs = batch.num_columns() != self.roots.len()
                || fields
                    .clone()
                    .any(|(its, ours)| its.data_type() != ours.data_type());
            if differs {
                return Err(ParquetError::General(
                    "a batch's columns are not those of the file".into(),
                ));
            }
        }
        let rows = batches.iter().map(RecordBatch::num_rows).sum();
        let mut group = EncodedRowGroup::new(rows);
        // Turned on its side, so that a column can be let go as soon as it is encoded.
        let mut batches: Vec<_> = batches
            .into_iter()
            .map(|batch| batch.into_parts().1.into_iter())
            .collect();
        for (root, field) in self.roots.iter().zip(self.schema.fields()) {
            let hints = vec![LeafHint::default(); root.leaves.len()];
            let column: Vec<ArrayRef> = batches.iter_mut().filter_map(Iterator::next).collect();
            let mut arrays = column.into_iter().map(Ok);
            group.push(self.encode_column(root, field, &mut arrays, rows, &hints)?);
        }
        Ok(group)
    }

    /// Encodes one column of a row group of `rows` rows.
    pub(super) fn encode_column(
        &self,
        root: &Root,
        field: &Field,
        arrays: &mut dyn Iterator<Item = Result<ArrayRef>>,
        rows: usize,
        hints: &[LeafHint],
    ) -> Result<Vec<ArrowColumnChunk>> {
        let stored = root.stored.as_deref();
        let field = stored.unwrap_or(field);
        let mut arrays = arrays.map(|array| match stored {
            Some(stored) => form::store(&array?, stored),
            None => array,
        });
        let mut ahead = Vec::new();
        let (mut bytes, mut seen) = (0, 0);
        while bytes < LOOKAHEAD_BYTES {
            let Some(array) = arrays.next().transpose()? else {
                break;
            };
            bytes += array.get_array_memory_size();
            seen += array.len();
            ahead.push(array);
        }
        let properties = choose(root, field, &ahead, rows, hints, self.options.compression)?;
        let mut writers = root.writers(properties)?;
        for array in ahead {
            write_column(&mut writers, field, &array)?;
        }
        for array in arrays {
            let array = array?;
            seen += array.len();
            write_column(&mut writers, field, &array)?;
        }
        if seen != rows {
            return Err(ParquetError::General(format!(
                "column {:?}: {seen} rows where the row group has {rows}",
                field.name()
            )));
        }
        writers.into_iter().map(ArrowColumnWriter::close).collect()
    }
}

/// Whether a source's Parquet type is stored the same way as ours, with the same tree, names and
/// physical types, and can be written.
fn same_shape(a: &Type, source: &Type) -> bool {
    let (a_info, info) = (a.get_basic_info(), source.get_basic_info());
    // Asking for a repetition that a broken file left out would panic.
    let repetition = |info: &BasicTypeInfo| info.has_repetition().then(|| info.repetition());
    let unknown = matches!(info.logical_type_ref(), Some(LogicalType::_Unknown { .. }));
    if a_info.name() != info.name() || repetition(a_info) != repetition(info) || unknown {
        return false;
    }
    let b = source;
    match (a, b) {
        (
            Type::PrimitiveType {
                physical_type: a,
                type_length: a_length,
                ..
            },
            Type::PrimitiveType {
                physical_type: b,
                type_length: b_length,
                ..
            },
        ) => a == b && a_length == b_length,
        (Type::GroupType { fields: a, .. }, Type::GroupType { fields: b, .. }) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_shape(a, b))
        }
        _ => false,
    }
}

/// A row group that is encoded and compressed, and waits for its turn in a file.
#[derive(Debug)]
pub struct EncodedRowGroup {
    rows: usize,
    chunks: Vec<ArrowColumnChunk>,
}

impl EncodedRowGroup {
    pub(super) fn new(rows: usize) -> Self {
        Self {
            rows,
            chunks: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, leaves: Vec<ArrowColumnChunk>) {
        self.chunks.extend(leaves);
    }

    /// Its rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The bytes it takes in the file and, until it is appended, in memory.
    pub fn bytes(&self) -> u64 {
        self.chunks
            .iter()
            .map(|chunk| chunk.close().bytes_written)
            .sum()
    }

    /// Its column chunks, in the order of the schema's columns.
    pub(super) fn into_chunks(self) -> Vec<ArrowColumnChunk> {
        self.chunks
    }

    /// Writes it as the next row group of a file started by
    /// [`Encoder::file_writer`] of the encoder that made it.
    pub fn append<W: Write + Send>(self, file: &mut SerializedFileWriter<W>) -> Result<()> {
        let mut group = file.next_row_group()?;
        for chunk in self.chunks {
            chunk.append_to_row_group(&mut group)?;
        }
        group.close()?;
        Ok(())
    }
}
