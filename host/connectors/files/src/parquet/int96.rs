//! The old 96-bit timestamps, which reach far beyond the 584 years that 64 bits of nanoseconds
//! hold. Decoding lets them wrap around, so they are first decoded as microseconds, and looked
//! at: better no rows than ones that are silently wrong.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Field, FieldRef, Schema, TimeUnit};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Type;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::ChunkReader;

/// What is wrong with a value, in words.
pub(crate) const OUT_OF_RANGE: &str =
    "an INT96 timestamp is out of the range of nanoseconds, the years 1677 to 2262";

/// Rows looked at together.
const STEP: usize = 8192;

/// The top-level columns of a file that hold INT96, and how to decode these as microseconds.
#[derive(Debug, Clone)]
pub(crate) struct Int96 {
    roots: HashSet<usize>,
    /// The columns as they are decoded for the rows.
    fields: Vec<FieldRef>,
    in_range: ArrowReaderMetadata,
}

impl Int96 {
    /// What `metadata` has of them.
    pub(crate) fn of(metadata: &ArrowReaderMetadata) -> Result<Self> {
        let schema = metadata.schema();
        let parquet = metadata.parquet_schema();
        let roots: HashSet<usize> = (0..parquet.num_columns())
            .filter(|leaf| parquet.column(*leaf).physical_type() == Type::INT96)
            .map(|leaf| parquet.get_column_root_idx(leaf))
            .collect();
        let fields = schema.fields().to_vec();
        let in_range = if roots.is_empty() {
            metadata.clone()
        } else {
            let fields: Vec<FieldRef> = fields
                .iter()
                .enumerate()
                .map(|(root, field)| match roots.contains(&root) {
                    true => mapped(field, &in_microseconds),
                    false => Arc::clone(field),
                })
                .collect();
            let schema = Schema::new_with_metadata(fields, schema.metadata().clone());
            let options = ArrowReaderOptions::new().with_schema(Arc::new(schema));
            ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options)?
        };
        Ok(Self {
            roots,
            fields,
            in_range,
        })
    }

    /// The columns, counted from 0.
    pub(crate) fn roots(&self) -> impl Iterator<Item = usize> + '_ {
        self.roots.iter().copied()
    }

    pub(crate) fn has(&self, root: usize) -> bool {
        self.roots.contains(&root)
    }

    /// Looks at some rows (counted from the first of the row groups) of one of the columns.
    pub(crate) fn check<R: ChunkReader + 'static>(
        &self,
        input: R,
        root: usize,
        row_groups: Range<usize>,
        rows: Range<usize>,
    ) -> Result<()> {
        let field = &self.fields[root];
        let options = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        let reader =
            ParquetRecordBatchReaderBuilder::new_with_metadata(input, self.in_range.clone());
        let mask = ProjectionMask::roots(reader.parquet_schema(), [root]);
        let reader = reader
            .with_row_groups(row_groups.collect())
            .with_projection(mask)
            .with_batch_size(STEP)
            .with_offset(rows.start)
            .with_limit(rows.len())
            .build()?;
        for batch in reader {
            let batch: RecordBatch = batch?;
            for array in batch.columns() {
                cast_with_options(array, field.data_type(), &options).map_err(|_| {
                    ParquetError::General(format!("column {:?}: {OUT_OF_RANGE}", field.name()))
                })?;
            }
        }
        Ok(())
    }
}

/// The same field, with `leaf` applied to the types that aren't made of others.
pub(super) fn mapped(field: &FieldRef, leaf: &dyn Fn(&DataType) -> DataType) -> FieldRef {
    let inner = |field: &FieldRef| mapped(field, leaf);
    let data_type = match field.data_type() {
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
        DataType::List(item) => DataType::List(inner(item)),
        DataType::LargeList(item) => DataType::LargeList(inner(item)),
        DataType::FixedSizeList(item, length) => DataType::FixedSizeList(inner(item), *length),
        DataType::Map(entries, sorted) => DataType::Map(inner(entries), *sorted),
        other => leaf(other),
    };
    Arc::new(Field::clone(field).with_data_type(data_type))
}

fn in_microseconds(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
            DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
        }
        other => other.clone(),
    }
}
