//! Parquet files: rows are gathered to row groups, groups are encoded or checked side by side
//! and written in order.

use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::Poll;

use arrow_array::RecordBatch;
use futures::future::BoxFuture;
use futures::stream::{FuturesOrdered, StreamExt as _};
use hygge_core::{Context, Fault, Level, Result, code, column_bytes};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;

use super::origin::{self, Origin};
use super::sync;
use crate::home::guarded;
use crate::parquet::{
    CheckedRowGroup, EncodedRowGroup, Encoder, Error, FileSink, Input, Layout, ParquetWriter,
    Recoder, Verify, check_row_group, pages_fit,
};

/// What encoding a stored row group anew holds beside its compressed pages: a column's
/// lookahead, a dictionary, pages in progress.
const RECODING: usize = 12 << 20;
/// What checking a row group holds.
const CHECKING: usize = 1 << 20;

/// Rows on their way into row groups.
#[derive(Debug, Default)]
struct Gathered {
    batches: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

/// Row groups of one file that will be encoded anew.
struct Run {
    origin: Origin,
    recoder: Arc<Recoder<Input>>,
    groups: Range<usize>,
}

/// A row group that is ready for its turn.
enum Ready {
    Encoded(EncodedRowGroup),
    Checked(CheckedRowGroup),
    /// The check failed: what it found, and what to decode instead.
    Unfit(String, Origin, usize),
}

type Job = BoxFuture<'static, Result<(Ready, usize)>>;

/// An open Parquet file.
pub(crate) struct ParquetPart {
    encoder: Arc<Encoder>,
    /// Whether encoded row groups can stand in it.
    encodes: bool,
    verify: Verify,
    /// Gone while a job holds it, and after a failure.
    file: Option<ParquetWriter<FileSink>>,
    destined: Arc<PathBuf>,
    gathered: Gathered,
    run: Option<Run>,
    jobs: FuturesOrdered<Job>,
    /// Bytes held by `jobs`.
    held: usize,
}

impl ParquetPart {
    /// Starts a file. `mark` goes into its key-value metadata; `destined` is for messages.
    pub(crate) fn new(
        file: File,
        destined: PathBuf,
        layout: Layout,
        encoder: Arc<Encoder>,
        verify: bool,
        mark: &[(String, String)],
    ) -> Result<Self> {
        let metadata = mark
            .iter()
            .map(|(key, value)| KeyValue::new(key.clone(), value.clone()))
            .collect();
        let encodes = layout.takes_encoder(&encoder).is_ok();
        let file = ParquetWriter::create(FileSink::new(file), layout, metadata)
            .map_err(|error| origin::fault(error, &destined))?;
        Ok(Self {
            encoder,
            encodes,
            verify: if verify {
                Verify::Decode
            } else {
                Verify::Pages
            },
            file: Some(file),
            destined: Arc::new(destined),
            gathered: Gathered::default(),
            run: None,
            jobs: FuturesOrdered::new(),
            held: 0,
        })
    }

    /// Whether rows, and row groups that are encoded anew, can stand in it.
    pub(crate) fn encodes(&self) -> bool {
        self.encodes
    }

    /// Whether row groups of a file can stand in it as they are.
    pub(crate) fn takes(&self, origin: &Origin) -> bool {
        let file = self.file.as_ref();
        file.is_some_and(|file| file.takes(&origin.file).is_ok())
    }

    /// Takes rows. Holds at most half of the split's share of memory.
    pub(crate) async fn write(&mut self, batch: RecordBatch, cx: &Context) -> Result<()> {
        self.flush_run(cx).await?;
        self.gather(batch, cx).await
    }

    /// Takes a row group as it is.
    pub(crate) async fn copy(&mut self, origin: &Origin, index: usize, cx: &Context) -> Result<()> {
        self.flush_run(cx).await?;
        self.encode(cx).await?;
        let (origin, verify) = (origin.clone(), self.verify);
        let destined = Arc::clone(&self.destined);
        let most = cx.share.whole() as u64;
        let check = move || {
            if verify == Verify::Decode {
                pages_fit(&origin.file, index..index + 1, most)
                    .map_err(|error| origin::fault(error, &destined))?;
            }
            match check_row_group(&origin.file, index, verify) {
                Ok(group) => Ok(Ready::Checked(group)),
                Err(error @ (Error::Column { .. } | Error::RowGroup { .. })) => {
                    Ok(Ready::Unfit(error.to_string(), origin, index))
                }
                Err(error) => Err(origin::fault(error, &destined)),
            }
        };
        self.start(CHECKING, check, cx).await
    }

    /// Takes a row group to be decoded and encoded anew. Neighbours are taken together, so that
    /// small ones become large ones.
    pub(crate) async fn recode(
        &mut self,
        origin: &Origin,
        index: usize,
        cx: &Context,
    ) -> Result<()> {
        let follows = self.run.as_ref().is_some_and(|run| {
            let (rows, _) = run.origin.size(run.groups.clone());
            run.origin.same(origin)
                && run.groups.end == index
                && rows < self.encoder.options().row_group_rows
        });
        if follows {
            if let Some(run) = &mut self.run {
                run.groups.end = index + 1;
            }
            return Ok(());
        }
        let recoder = match self.run.take() {
            Some(run) => {
                let same = run.origin.same(origin);
                let recoder = Arc::clone(&run.recoder);
                self.run = Some(run);
                self.flush_run(cx).await?;
                same.then_some(recoder)
            }
            None => None,
        };
        let recoder = match recoder {
            Some(recoder) => recoder,
            None => {
                let recoder = Recoder::new(
                    Arc::clone(&self.encoder),
                    origin.file.input().clone(),
                    origin.file.metadata(),
                );
                Arc::new(recoder.map_err(|error| origin::fault(error.into(), &self.destined))?)
            }
        };
        self.run = Some(Run {
            origin: origin.clone(),
            recoder,
            groups: index..index + 1,
        });
        Ok(())
    }

    /// Bytes in the file so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.file.as_ref().map_or(0, ParquetWriter::bytes)
    }

    /// Whether it holds row groups, or will.
    pub(crate) fn is_empty(&self) -> bool {
        self.gathered.rows == 0
            && self.run.is_none()
            && self.jobs.is_empty()
            && self.file.as_ref().is_none_or(|file| file.row_groups() == 0)
    }

    /// Bytes of memory held.
    pub(crate) fn held(&self) -> usize {
        self.held + self.gathered.bytes
    }

    /// Writes what is left; the job that comes back writes the footer, makes all durable and
    /// says how long the file is.
    pub(crate) async fn close(
        mut self,
        cx: &Context,
    ) -> Result<impl FnOnce() -> Result<u64> + Send + use<>> {
        self.flush_run(cx).await?;
        self.encode(cx).await?;
        while !self.jobs.is_empty() {
            self.append_next(cx).await?;
        }
        let file = self.file.take().ok_or_else(broken)?;
        let destined = Arc::clone(&self.destined);
        Ok(move || {
            sync::count();
            let finished = file.finish();
            let (_, finished) = finished.map_err(|error| origin::fault(error, &destined))?;
            Ok(finished.bytes)
        })
    }

    async fn gather(&mut self, batch: RecordBatch, cx: &Context) -> Result<()> {
        let rows = batch.num_rows();
        let bytes: usize = batch.columns().iter().map(column_bytes).sum();
        let most_rows = self.encoder.options().row_group_rows;
        let mut from = 0;
        while from < rows {
            let taken = (rows - from).min(most_rows - self.gathered.rows);
            self.gathered.batches.push(batch.slice(from, taken));
            self.gathered.rows += taken;
            self.gathered.bytes += (bytes / rows).saturating_mul(taken);
            from += taken;
            let most = cx.share.bytes() / 2;
            while self.held > 0 && self.held + self.gathered.bytes > most {
                self.append_next(cx).await?;
            }
            if self.gathered.rows >= most_rows
                || self.gathered.bytes >= self.encoder.options().row_group_bytes.min(most)
            {
                self.encode(cx).await?;
            }
        }
        Ok(())
    }

    /// Starts to encode what is gathered.
    async fn encode(&mut self, cx: &Context) -> Result<()> {
        if self.gathered.rows == 0 {
            return Ok(());
        }
        let Gathered { batches, bytes, .. } = std::mem::take(&mut self.gathered);
        let encoder = Arc::clone(&self.encoder);
        let destined = Arc::clone(&self.destined);
        let encode = move || {
            let group = encoder.encode_all(batches);
            let group = group.map_err(|error| origin::fault(error.into(), &destined))?;
            Ok(Ready::Encoded(group))
        };
        self.start(bytes, encode, cx).await
    }

    /// Starts to encode the waiting row groups anew.
    async fn flush_run(&mut self, cx: &Context) -> Result<()> {
        let Some(run) = self.run.take() else {
            return Ok(());
        };
        let (rows, bytes) = run.origin.size(run.groups.clone());
        let options = self.encoder.options();
        let small = rows < options.row_group_rows / 4 && bytes < options.row_group_bytes / 4;
        if (small || self.gathered.rows > 0 && rows < options.row_group_rows)
            && !run.origin.has_int96()
        {
            // Small files become row groups of the usual size together.
            let (origin, groups) = (run.origin.clone(), run.groups.clone());
            let destined = Arc::clone(&self.destined);
            let most = cx.share.whole() as u64;
            let decode = move || {
                pages_fit(&origin.file, groups.clone(), most)
                    .map_err(|error| origin::fault(error, &destined))?;
                origin.decode(groups)
            };
            let name = run.origin.file.name().to_owned();
            for batch in cx.cpu(move || guarded(&name, decode)).await? {
                self.gather(batch, cx).await?;
            }
            return Ok(());
        }
        self.encode(cx).await?;
        let most = cx.share.whole() as u64;
        for part in run.recoder.parts(run.groups.clone()) {
            let stored: i64 = part
                .row_groups
                .clone()
                .map(|group| {
                    run.origin
                        .file
                        .metadata()
                        .row_group(group)
                        .compressed_size()
                })
                .sum();
            let stored = usize::try_from(stored).unwrap_or(0) / rows.max(1) * part.rows.len();
            let recoder = Arc::clone(&run.recoder);
            let file = run.origin.file.clone();
            let destined = Arc::clone(&self.destined);
            let recode = move || {
                let groups = part.row_groups.clone();
                let group = guarded(file.name(), || {
                    pages_fit(&file, groups.clone(), most)
                        .and_then(|()| {
                            let encoded = recoder.encode(&part);
                            encoded.map_err(|error| origin::damage(&file, groups, &error))
                        })
                        .map_err(|error| origin::fault(error, &destined).with("file", file.name()))
                })?;
                Ok(Ready::Encoded(group))
            };
            self.start(stored + RECODING, recode, cx).await?;
        }
        Ok(())
    }

    /// Puts a job on a CPU thread, when those before it leave room.
    async fn start(
        &mut self,
        bytes: usize,
        job: impl FnOnce() -> Result<Ready> + Send + 'static,
        cx: &Context,
    ) -> Result<()> {
        while self.jobs.len() >= cx.workers.cores().max(1)
            || self.held > 0 && self.held + bytes > cx.share.bytes() / 2
        {
            self.append_next(cx).await?;
        }
        self.held += bytes;
        let lent = cx.clone();
        self.jobs.push_back(Box::pin(async move {
            lent.cpu(move || Ok((job()?, bytes))).await
        }));
        // A job starts when it is first looked at.
        match futures::poll!(self.jobs.next()) {
            Poll::Ready(Some(ready)) => self.append(ready?, cx).await,
            Poll::Ready(None) | Poll::Pending => Ok(()),
        }
    }

    /// Waits for the next group in order and writes it.
    async fn append_next(&mut self, cx: &Context) -> Result<()> {
        match self.jobs.next().await {
            Some(ready) => self.append(ready?, cx).await,
            None => Ok(()),
        }
    }

    async fn append(&mut self, (ready, bytes): (Ready, usize), cx: &Context) -> Result<()> {
        let ready = match ready {
            Ready::Unfit(why, origin, index) => self.decode_unfit(&why, origin, index, cx).await?,
            ready => vec![ready],
        };
        let mut file = self.file.take().ok_or_else(broken)?;
        let destined = Arc::clone(&self.destined);
        let notes = Arc::clone(&cx.notes);
        self.file = Some(
            cx.io(move || {
                for ready in ready {
                    let appended = match ready {
                        Ready::Encoded(group) => file.append_encoded(group).map(|()| Vec::new()),
                        Ready::Checked(group) => file.append_checked(group),
                        Ready::Unfit(why, ..) => return Err(Fault::internal(why)),
                    };
                    for left_out in appended.map_err(|error| origin::fault(error, &destined))? {
                        notes.note(
                            Level::Info,
                            &format!("column {:?}: left out {}", left_out.column, left_out.what),
                        );
                    }
                }
                Ok(file)
            })
            .await?,
        );
        self.held = self.held.saturating_sub(bytes);
        Ok(())
    }

    /// Decodes a row group whose pages don't agree with its footer; a reader may know better.
    async fn decode_unfit(
        &mut self,
        why: &str,
        origin: Origin,
        index: usize,
        cx: &Context,
    ) -> Result<Vec<Ready>> {
        if !self.encodes {
            return Err(Fault::new(code::SOURCE_INVALID, why)
                .with("file", origin.file.name())
                .advise(
                    "write or fetch the file again, or leave it out of the home's `path`; \
                     `rewrite: true` on the store decodes instead of copying, which helps where \
                     only what a page says of itself is wrong",
                ));
        }
        cx.notes
            .note(Level::Info, &format!("decoded, not copied: {why}"));
        let encoder = Arc::clone(&self.encoder);
        let destined = Arc::clone(&self.destined);
        let most = cx.share.whole() as u64;
        cx.cpu(move || {
            let file = &origin.file;
            let groups = index..index + 1;
            let invalid = |error: Error| origin::fault(error, &destined).with("file", file.name());
            guarded(file.name(), || {
                pages_fit(file, groups.clone(), most).map_err(invalid)?;
                let broken =
                    |error: ParquetError| invalid(origin::damage(file, groups.clone(), &error));
                let recoder = Recoder::new(encoder, file.input().clone(), file.metadata());
                let recoder = recoder.map_err(broken)?;
                recoder
                    .parts(groups.clone())
                    .iter()
                    .map(|part| Ok(Ready::Encoded(recoder.encode(part).map_err(broken)?)))
                    .collect()
            })
        })
        .await
    }
}

fn broken() -> Fault {
    Fault::internal("a file was written to after it failed")
}
