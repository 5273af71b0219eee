//! The rows of a stored row group, a batch at a time, in memory that grows neither with their
//! number nor with their columns: wide ones pass through a spare file, as a Home reads them.

use std::path::Path;

use arrow_array::RecordBatch;
use hygge_core::{Context, Fault, Result};

use super::origin::Origin;
use crate::home::{ParquetSource, Rows, Source as _};

/// Reads one row group.
pub(crate) struct GroupRows {
    /// Gone after a failure.
    source: Option<ParquetSource>,
    cx: Context,
}

impl GroupRows {
    /// Spare files are made in `folder`.
    pub(crate) fn new(origin: &Origin, group: usize, folder: &Path, cx: &Context) -> Result<Self> {
        let source = ParquetSource::of_group(
            origin.file.name(),
            origin.source(),
            origin.file.input(),
            origin.footer()?,
            group,
            folder.to_owned(),
            cx,
        )?;
        Ok(Self {
            source: Some(source),
            cx: cx.clone(),
        })
    }

    /// The next rows; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let Some(mut source) = self.source.take() else {
            return Err(Fault::internal("rows were read on after they had failed"));
        };
        let batch_bytes = (self.cx.share.bytes() / 16).clamp(64 << 10, 2 << 20);
        let (source, chunk) = self
            .cx
            .cpu(move || {
                let chunk = source.next(batch_bytes)?;
                Ok((source, chunk))
            })
            .await?;
        self.source = Some(source);
        match chunk.map(|chunk| chunk.rows) {
            None => Ok(None),
            Some(Rows::Decoded(batch)) => Ok(Some(batch)),
            Some(Rows::Encoded(_)) => Err(Fault::internal("rows that are still encoded")),
        }
    }
}
