use std::any::Any;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use hygge_core::Encoded;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

/// The format's name in [`Want::encoded`](hygge_core::Want) and
/// [`Capabilities::encoded`](hygge_core::Capabilities).
pub const PARQUET: &str = "parquet";

/// A Parquet file that was opened, and whose footer was read.
#[derive(Debug)]
pub struct Source {
    /// Where it is, as messages say it.
    pub path: PathBuf,
    /// Its bytes. Read by position only: every row group of the file shares the descriptor.
    pub file: File,
    /// Its footer.
    pub metadata: Arc<ParquetMetaData>,
    /// Its Arrow schema: what every row group decodes to.
    pub schema: SchemaRef,
}

/// One row group of a source, still as it is stored.
#[derive(Debug, Clone)]
pub struct RowGroup {
    /// The file it is in.
    pub source: Arc<Source>,
    /// Which one, counted from 0.
    pub index: usize,
}

impl RowGroup {
    /// The reference as a [`Batch::Encoded`](hygge_core::Batch) of this format holds it.
    pub fn of(encoded: &dyn Encoded) -> Option<&Self> {
        encoded.as_any().downcast_ref()
    }

    /// What the footer says about it.
    pub fn metadata(&self) -> &RowGroupMetaData {
        self.source.metadata.row_group(self.index)
    }
}

impl Encoded for RowGroup {
    fn format(&self) -> &'static str {
        PARQUET
    }

    fn rows(&self) -> u64 {
        u64::try_from(self.metadata().num_rows()).unwrap_or(0)
    }

    fn bytes(&self) -> u64 {
        u64::try_from(self.metadata().compressed_size()).unwrap_or(0)
    }

    fn memory(&self) -> usize {
        size_of::<Self>()
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.source.schema)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
