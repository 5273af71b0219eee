use std::fs;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_row::{RowConverter, SortField};
use arrow_schema::Schema;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use xxhash_rust::xxh3::xxh3_128;

/// What a table holds, whatever the order of its rows and however they are cut into files: a
/// row count and the sum of the rows' 128-bit hashes, with names and types of the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Content {
    /// How many rows.
    pub(crate) rows: u64,
    hash: u128,
}

impl Content {
    /// Of rows in memory.
    pub(crate) fn of_batches(schema: &Schema, batches: &[RecordBatch]) -> Self {
        let named: String = schema
            .fields()
            .iter()
            .map(|field| format!("{}:{};", field.name(), field.data_type()))
            .collect();
        let fields = schema
            .fields()
            .iter()
            .map(|field| SortField::new(field.data_type().clone()))
            .collect();
        let converter = RowConverter::new(fields).unwrap();
        let mut content = Self {
            rows: 0,
            hash: xxh3_128(named.as_bytes()),
        };
        for batch in batches {
            let rows = converter.convert_columns(batch.columns()).unwrap();
            for row in &rows {
                content.hash = content.hash.wrapping_add(xxh3_128(row.as_ref()));
                content.rows += 1;
            }
        }
        content
    }

    /// Of a Parquet file, or of all Parquet files below a folder. The error is an I/O error when
    /// a file went away between listing and reading; anything else that is wrong panics.
    pub(crate) fn of(path: &Path) -> std::io::Result<Self> {
        let mut files = Vec::new();
        list(path, &mut files)?;
        assert!(!files.is_empty(), "no files in {}", path.display());
        let mut schema = None;
        let mut batches = Vec::new();
        for file in files {
            let shown = file.display().to_string();
            let opened = fs::File::open(&file)?;
            let reader = ParquetRecordBatchReaderBuilder::try_new(opened)
                .unwrap_or_else(|e| panic!("{shown}: {e}"));
            // Key-value metadata names the run, which is not content.
            let found = Schema::new(reader.schema().fields().clone());
            let expected = schema.get_or_insert_with(|| found.clone());
            assert_eq!(*expected, found, "{shown} has another schema");
            for batch in reader.build().unwrap() {
                batches.push(batch.unwrap_or_else(|e| panic!("{shown}: {e}")));
            }
        }
        Ok(Self::of_batches(&schema.unwrap(), &batches))
    }
}

/// Every file, hidden ones too: nothing but data may stand at a destination.
pub(super) fn list(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !fs::metadata(path)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        list(&entry?.path(), files)?;
    }
    Ok(())
}

#[test]
fn order_does_not_matter_and_everything_else_does() {
    use super::Orders;
    let orders = Orders::new(0..50);
    let mut turned = orders.clone();
    turned.0.reverse();
    assert_eq!(orders.content(), turned.content());
    let mut changed = orders.clone();
    changed.0[7].version = 2;
    assert_ne!(orders.content(), changed.content());
    let doubled = orders.clone().and(&Orders(orders.0[..1].to_vec()));
    assert_ne!(orders.content(), doubled.content());
}
