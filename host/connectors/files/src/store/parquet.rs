//! Parquet files: rows are gathered to row groups, groups are encoded side by side and written
//! in order.

use std::sync::Arc;
use std::task::Poll;

use arrow_array::RecordBatch;
use futures::future::BoxFuture;
use futures::stream::{FuturesOrdered, StreamExt as _};
use hygge_core::{Context, Fault, Result, code};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::writer::SerializedFileWriter;

use super::track::{Track, Tracked};
use crate::parquet::{EncodedRowGroup, Encoder};

/// Rows on their way into row groups.
#[derive(Debug, Default)]
struct Gathered {
    batches: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

type Encoded = Result<(EncodedRowGroup, usize)>;

/// An open Parquet file.
pub(crate) struct ParquetPart {
    encoder: Arc<Encoder>,
    /// Gone while a job holds it, and after a failure.
    file: Option<SerializedFileWriter<Tracked>>,
    track: Arc<Track>,
    gathered: Gathered,
    encoding: FuturesOrdered<BoxFuture<'static, Encoded>>,
    /// Bytes of Arrow in `encoding`.
    held: usize,
}

impl ParquetPart {
    /// Starts a file. `mark` goes into its key-value metadata.
    pub(crate) fn new(
        file: Tracked,
        encoder: Arc<Encoder>,
        mark: &[(String, String)],
    ) -> Result<Self> {
        let track = file.track();
        let metadata = mark
            .iter()
            .map(|(key, value)| KeyValue::new(key.clone(), value.clone()))
            .collect();
        let file = encoder
            .file_writer(file, metadata)
            .map_err(|error| track.fault(error))?;
        Ok(Self {
            encoder,
            file: Some(file),
            track,
            gathered: Gathered::default(),
            encoding: FuturesOrdered::new(),
            held: 0,
        })
    }

    /// Takes rows. Holds at most half of the split's share of memory.
    pub(crate) async fn write(&mut self, batch: RecordBatch, cx: &Context) -> Result<()> {
        let rows = batch.num_rows();
        let bytes = batch.get_array_memory_size();
        let mut from = 0;
        while from < rows {
            let taken =
                (rows - from).min(self.encoder.options().row_group_rows - self.gathered.rows);
            self.gathered.batches.push(batch.slice(from, taken));
            self.gathered.rows += taken;
            // A slice holds on to the whole batch, but the next one holds on to the same.
            self.gathered.bytes += bytes / rows * taken;
            from += taken;
            let most = cx.share.bytes() / 2;
            while self.held > 0 && self.held + self.gathered.bytes > most {
                self.append_next(cx).await?;
            }
            if self.gathered.rows >= self.encoder.options().row_group_rows
                || self.gathered.bytes >= self.encoder.options().row_group_bytes.min(most)
            {
                self.encode(cx).await?;
            }
        }
        Ok(())
    }

    /// Bytes in the file so far.
    pub(crate) fn bytes(&self) -> u64 {
        let file = self.file.as_ref();
        file.map_or(0, |file| file.bytes_written() as u64)
    }

    /// Bytes of Arrow held.
    pub(crate) fn held(&self) -> usize {
        self.held + self.gathered.bytes
    }

    /// Writes what is left, and the footer.
    pub(crate) async fn close(mut self, cx: &Context) -> Result<Tracked> {
        self.encode(cx).await?;
        while !self.encoding.is_empty() {
            self.append_next(cx).await?;
        }
        let file = self.file.take().ok_or_else(broken)?;
        let track = Arc::clone(&self.track);
        cx.cpu(move || file.into_inner().map_err(|error| track.fault(error)))
            .await
    }

    /// Starts to encode what is gathered.
    async fn encode(&mut self, cx: &Context) -> Result<()> {
        if self.gathered.rows == 0 {
            return Ok(());
        }
        while self.encoding.len() >= cx.workers.cores().max(1) {
            self.append_next(cx).await?;
        }
        let Gathered { batches, bytes, .. } = std::mem::take(&mut self.gathered);
        self.held += bytes;
        let encoder = Arc::clone(&self.encoder);
        let track = Arc::clone(&self.track);
        let lent = cx.clone();
        self.encoding.push_back(Box::pin(async move {
            lent.cpu(move || {
                let group = encoder.encode(&batches);
                Ok((group.map_err(|error| unencodable(&track, &error))?, bytes))
            })
            .await
        }));
        // A job starts when it is first looked at.
        match futures::poll!(self.encoding.next()) {
            Poll::Ready(Some(encoded)) => self.append(encoded?, cx).await,
            Poll::Ready(None) | Poll::Pending => Ok(()),
        }
    }

    /// Waits for the next group in order and writes it.
    async fn append_next(&mut self, cx: &Context) -> Result<()> {
        match self.encoding.next().await {
            Some(encoded) => self.append(encoded?, cx).await,
            None => Ok(()),
        }
    }

    async fn append(&mut self, encoded: (EncodedRowGroup, usize), cx: &Context) -> Result<()> {
        let (group, bytes) = encoded;
        let mut file = self.file.take().ok_or_else(broken)?;
        let track = Arc::clone(&self.track);
        self.file = Some(
            cx.io(move || {
                group
                    .append(&mut file)
                    .map_err(|error| track.fault(error))?;
                Ok(file)
            })
            .await?,
        );
        self.held = self.held.saturating_sub(bytes);
        Ok(())
    }
}

fn broken() -> Fault {
    Fault::internal("a file was written to after it failed")
}

fn unencodable(track: &Track, error: &ParquetError) -> Fault {
    let why = match error {
        ParquetError::General(why) | ParquetError::NYI(why) => why.clone(),
        other => other.to_string(),
    };
    Fault::new(
        code::SCHEMA,
        format!("rows can't be written as Parquet: {why}"),
    )
    .with("file", track.path().display())
}
