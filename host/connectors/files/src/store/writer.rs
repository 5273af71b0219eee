//! Stages one attempt at one split: rows to part files, parts closed when they are large enough.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use hygge_core::failpoint::hit;
use hygge_core::{Batch, Context, Fault, Receipt, Result, RunId, SplitId, Writer, async_trait};

use super::parquet::ParquetPart;
use super::partition::Partitioner;
use super::record::{Staged, StagedFile};
use super::settings::Layout;
use super::simple::SimplePart;
use super::track::Tracked;
use super::{destination, name, record, sync};
use crate::config::Format;
use crate::parquet::{EncodeOptions, Encoder};

/// Files that are made durable at once.
const SYNCING: usize = 8;

/// Where a writer puts its files, and what it calls them.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    pub(crate) layout: Arc<Layout>,
    pub(crate) run: RunId,
    pub(crate) split: SplitId,
    pub(crate) attempt: u32,
    /// The run's staging folder.
    pub(crate) staging: PathBuf,
    /// The destination, for messages.
    pub(crate) destination: PathBuf,
    pub(crate) schema: SchemaRef,
    /// Key-value metadata that says whose files these are.
    pub(crate) mark: Vec<(String, String)>,
    pub(crate) cx: Context,
}

/// An open file of any format.
enum Part {
    Simple(Box<SimplePart>),
    Parquet(Box<ParquetPart>),
}

struct Open {
    part: Part,
    /// Relative to the staging folder.
    staged: String,
    /// Relative to the destination.
    name: String,
    rows: u64,
    /// When it last got rows.
    used: u64,
}

/// The writer.
pub(crate) struct FileWriter {
    desk: Desk,
    partitioner: Option<Partitioner>,
    encoder: Option<Arc<Encoder>>,
    /// Open parts by partition folder; without partitions, by nothing.
    open: BTreeMap<String, Open>,
    clock: u64,
    next: u32,
    done: Vec<StagedFile>,
    syncing: FuturesUnordered<BoxFuture<'static, Result<()>>>,
    rows: u64,
}

impl FileWriter {
    /// Makes the folder to stage in. What an earlier process left there is removed: the same
    /// attempt is never made twice.
    pub(crate) async fn open(desk: Desk) -> Result<Self> {
        let folder = desk.staging.join(name::attempt(&desk.split, desk.attempt));
        desk.cx
            .io(move || {
                if let Err(error) = std::fs::remove_dir_all(&folder)
                    && !destination::absent(&error)
                {
                    return Err(Fault::io(
                        hygge_core::code::DESTINATION_IO,
                        "can't empty",
                        &folder,
                        &error,
                    ));
                }
                destination::create(&folder)
            })
            .await?;
        let layout = &desk.layout;
        let partitioner = if layout.partition_by.is_empty() {
            None
        } else {
            Some(Partitioner::new(&desk.schema, &layout.partition_by)?)
        };
        let encoder = if layout.format == Format::Parquet {
            let encoder = Encoder::new(Arc::clone(&desk.schema), options(layout));
            Some(Arc::new(encoder.map_err(|error| {
                Fault::new(
                    hygge_core::code::SCHEMA,
                    format!("the schema can't be written as Parquet: {error}"),
                )
            })?))
        } else {
            None
        };
        Ok(Self {
            desk,
            partitioner,
            encoder,
            open: BTreeMap::new(),
            clock: 0,
            next: 0,
            done: Vec::new(),
            syncing: FuturesUnordered::new(),
            rows: 0,
        })
    }

    /// Finishes with one file that holds the schema and no rows.
    pub(crate) async fn finish_empty(mut self) -> Result<Receipt> {
        let part = self.start("").await?;
        self.close(part).await?;
        Box::new(self).finish().await
    }

    async fn rows_to(&mut self, partition: String, batch: RecordBatch) -> Result<()> {
        let rows = batch.num_rows() as u64;
        self.clock += 1;
        if !self.open.contains_key(&partition) {
            self.make_room().await?;
            let part = self.start(&partition).await?;
            self.open.insert(partition.clone(), part);
        }
        let Some(mut open) = self.open.remove(&partition) else {
            return Err(Fault::internal("an open part is missing"));
        };
        open.used = self.clock;
        open.rows += rows;
        open.part = open.part.write(batch, &self.desk.cx).await?;
        if open.part.bytes() >= self.desk.layout.file_size {
            self.close(open).await?;
        } else {
            self.open.insert(partition, open);
        }
        self.rows += rows;
        self.shrink().await
    }

    /// Closes a part when there are as many as may be open.
    async fn make_room(&mut self) -> Result<()> {
        while self.open.len() >= self.desk.layout.max_open_partitions {
            let idle = self.open.iter().min_by_key(|(_, open)| open.used);
            let Some(key) = idle.map(|(key, _)| key.clone()) else {
                break;
            };
            self.close_partition(&key).await?;
        }
        Ok(())
    }

    /// Closes the parts that hold most, until all together hold no more than they may.
    async fn shrink(&mut self) -> Result<()> {
        if self.open.len() < 2 {
            return Ok(());
        }
        loop {
            let held: usize = self.open.values().map(|open| open.part.held()).sum();
            if held <= self.desk.cx.share.bytes() / 2 {
                return Ok(());
            }
            let fullest = self.open.iter().max_by_key(|(_, open)| open.part.held());
            let Some(key) = fullest.map(|(key, _)| key.clone()) else {
                return Ok(());
            };
            self.close_partition(&key).await?;
        }
    }

    async fn close_partition(&mut self, key: &str) -> Result<()> {
        match self.open.remove(key) {
            Some(open) => self.close(open).await,
            None => Ok(()),
        }
    }

    /// Starts the next file of a partition.
    async fn start(&mut self, partition: &str) -> Result<Open> {
        let desk = &self.desk;
        let file = name::part(&desk.run, &desk.split, self.next, &desk.layout.extension());
        self.next += 1;
        let attempt = name::attempt(&desk.split, desk.attempt);
        let staged = format!("{attempt}/{file}");
        let name = match partition {
            "" if desk.layout.shape == destination::Shape::File => String::new(),
            "" => file,
            folder => format!("{folder}/{file}"),
        };
        let path = desk.staging.join(&staged);
        let destined = match name.as_str() {
            "" => desk.destination.clone(),
            name => desk.destination.join(name),
        };
        let part = desk
            .cx
            .io({
                let desk = desk.clone();
                let encoder = self.encoder.clone();
                move || {
                    let file = Tracked::create(path, destined)?;
                    Ok(match encoder {
                        Some(encoder) => {
                            Part::Parquet(Box::new(ParquetPart::new(file, encoder, &desk.mark)?))
                        }
                        None => Part::Simple(Box::new(SimplePart::new(
                            file,
                            &desk.schema,
                            &desk.layout,
                            &desk.mark,
                        )?)),
                    })
                }
            })
            .await?;
        Ok(Open {
            part,
            staged,
            name,
            rows: 0,
            used: self.clock,
        })
    }

    /// Finishes a file and starts to make it durable.
    async fn close(&mut self, open: Open) -> Result<()> {
        let file = open.part.close(&self.desk.cx).await?;
        self.done.push(StagedFile {
            staged: open.staged,
            name: open.name,
            size: file.track().bytes(),
            rows: open.rows,
        });
        while self.syncing.len() >= SYNCING {
            self.synced().await?;
        }
        let lent = self.desk.cx.clone();
        self.syncing.push(Box::pin(async move {
            lent.io(move || sync::file(file.file(), file.track().path()))
                .await
        }));
        // A job starts when it is first looked at.
        match futures::poll!(self.syncing.next()) {
            std::task::Poll::Ready(Some(synced)) => synced,
            _ => Ok(()),
        }
    }

    async fn synced(&mut self) -> Result<()> {
        self.syncing.next().await.unwrap_or(Ok(()))
    }
}

fn options(layout: &Layout) -> EncodeOptions {
    EncodeOptions {
        compression: layout.parquet_codec(),
        row_group_rows: layout.row_group_rows,
        row_group_bytes: layout.row_group_bytes,
    }
}

impl Part {
    async fn write(self, batch: RecordBatch, cx: &Context) -> Result<Self> {
        Ok(match self {
            Self::Simple(part) => Self::Simple(Box::new(part.write(batch, cx).await?)),
            Self::Parquet(mut part) => {
                part.write(batch, cx).await?;
                Self::Parquet(part)
            }
        })
    }

    async fn close(self, cx: &Context) -> Result<Tracked> {
        match self {
            Self::Simple(part) => part.close(cx).await,
            Self::Parquet(part) => part.close(cx).await,
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Simple(part) => part.bytes(),
            Self::Parquet(part) => part.bytes(),
        }
    }

    fn held(&self) -> usize {
        match self {
            Self::Simple(_) => 0,
            Self::Parquet(part) => part.held(),
        }
    }
}

#[async_trait]
impl Writer for FileWriter {
    async fn write(&mut self, batch: Batch) -> Result<()> {
        let batch = match batch {
            Batch::Rows(batch) => batch,
            Batch::Encoded(encoded) => {
                return Err(Fault::internal(format!(
                    "{} data for a store that takes rows",
                    encoded.format()
                )));
            }
        };
        if batch.num_rows() == 0 {
            return Ok(());
        }
        match &self.partitioner {
            None => self.rows_to(String::new(), batch).await,
            Some(partitioner) => {
                let partitioner = partitioner.clone();
                let parts = self.desk.cx.cpu(move || partitioner.split(&batch)).await?;
                for (folder, rows) in parts {
                    self.rows_to(folder, rows).await?;
                }
                Ok(())
            }
        }
    }

    async fn finish(mut self: Box<Self>) -> Result<Receipt> {
        hit("writer.finishing")?;
        while let Some((_, open)) = self.open.pop_first() {
            self.close(open).await?;
        }
        while !self.syncing.is_empty() {
            self.synced().await?;
        }
        let receipt = Receipt {
            split: self.desk.split.clone(),
            attempt: self.desk.attempt,
            rows: self.rows,
            bytes: self.done.iter().map(|file| file.size).sum(),
            data: record::write(&Staged {
                files: std::mem::take(&mut self.done),
                keep: None,
            })?,
        };
        hit("writer.finished")?;
        Ok(receipt)
    }
}
