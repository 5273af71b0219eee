//! How many bytes of Arrow a row of a Parquet file takes.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_schema::Schema;
use parquet::basic::Type as Physical;
use parquet::file::metadata::RowGroupMetaData;

use crate::parquet::Sizes;

/// Bytes of a column without its dictionary, which many batches share.
pub(super) fn held_bytes(column: &dyn Array) -> usize {
    match column.as_any_dictionary_opt() {
        Some(dictionary) => dictionary.keys().get_array_memory_size(),
        None => column.get_array_memory_size(),
    }
}

/// How many rows make a batch of that many bytes.
pub(super) fn rows_for(batch_bytes: usize, row_bytes: f64) -> usize {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate, clamped"
    )]
    let rows = (batch_bytes as f64 / row_bytes.max(1.0)) as usize;
    rows.clamp(1, 1 << 20)
}

/// Rows of the first batch when nothing says how wide they are.
pub(super) const PROBE_ROWS: usize = 1024;

/// Bytes of Arrow a row takes, before one was seen.
#[derive(Debug, Clone, Copy)]
pub(super) enum Guess {
    /// About that many.
    Row(f64),
    /// That many or more: how often the values of a dictionary stand there isn't known.
    AtLeast(f64),
}

pub(super) fn guess(group: &RowGroupMetaData, schema: &Schema, seen: &[Sizes]) -> Guess {
    let rows = group.num_rows().max(1);
    let mut bytes: i64 = 0;
    let mut repeated = 0.0;
    let mut sure = true;
    for (column, seen) in group.columns().iter().zip(seen) {
        bytes = bytes.saturating_add(match column.column_type() {
            Physical::BYTE_ARRAY => match column.unencoded_byte_array_data_bytes() {
                Some(bytes) => bytes.max(0).saturating_add(rows.saturating_mul(4)),
                None => {
                    if let Some((bytes, values)) = seen.dictionary {
                        sure = false;
                        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
                        let width = bytes as f64 / values.max(1) as f64;
                        repeated += width;
                    }
                    column.uncompressed_size()
                }
            },
            _ => column.uncompressed_size(),
        });
    }
    let widths: usize = schema
        .fields()
        .iter()
        .map(|f| f.data_type().primitive_width().unwrap_or(4))
        .sum();
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let row = (bytes.max(0) as f64 / rows as f64)
        .max(widths as f64)
        .max(1.0);
    if sure {
        Guess::Row(row)
    } else {
        Guess::AtLeast(row.max(repeated))
    }
}
