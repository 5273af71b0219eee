//! Stages one attempt at one split: rows to part files, parts closed when they are large enough.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::Poll;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use hygge_core::failpoint::hit;
use hygge_core::{
    Batch, Context, Fault, Level, Receipt, Result, RunId, SplitId, Writer, async_trait, code,
};
use parquet::basic::Compression;

use super::origin::{self, Origin};
use super::parquet::ParquetPart;
use super::partition::Partitioner;
use super::record::{Staged, StagedFile};
use super::rows::GroupRows;
use super::settings::{self, Layout};
use super::simple::SimplePart;
use super::track::Tracked;
use super::{destination, name, record, seal, sync};
use crate::config::Format;
use crate::home::Fit;
use crate::parquet::{self as stored, EncodeOptions, Encoder, PARQUET, RowGroup};

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
    /// The columns of the files.
    pub(crate) schema: SchemaRef,
    /// Brings rows to these, when they come otherwise.
    pub(crate) fit: Option<Arc<Fit>>,
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

/// The file that stored row groups come from, and what is known of them.
struct Known {
    origin: Origin,
    /// Why its row groups can't be copied: alone, and beside others.
    refused: [Option<Option<String>>; 2],
    told: bool,
}

/// What a new part will hold first.
enum First<'a> {
    Rows,
    /// Row groups of that file, as they are.
    Copied(&'a Origin),
    /// Row groups of that file, encoded anew.
    Recoded(&'a Origin),
}

/// The writer.
pub(crate) struct FileWriter {
    desk: Desk,
    partitioner: Option<Partitioner>,
    /// Open parts by partition folder; without partitions, by nothing.
    open: BTreeMap<String, Open>,
    known: Option<Known>,
    clock: u64,
    next: u32,
    done: Vec<StagedFile>,
    syncing: FuturesUnordered<BoxFuture<'static, Result<StagedFile>>>,
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
                    let doing = "can't empty";
                    return Err(Fault::io(code::DESTINATION_IO, doing, &folder, &error));
                }
                destination::create(&folder)
            })
            .await?;
        let partitioner = if desk.layout.partition_by.is_empty() {
            None
        } else {
            Some(Partitioner::new(&desk.schema, &desk.layout.partition_by)?)
        };
        Ok(Self {
            desk,
            partitioner,
            open: BTreeMap::new(),
            known: None,
            clock: 0,
            next: 0,
            done: Vec::new(),
            syncing: FuturesUnordered::new(),
            rows: 0,
        })
    }

    /// Finishes with one file that holds the schema and no rows.
    pub(crate) async fn finish_empty(mut self) -> Result<Receipt> {
        let part = self.start("", First::Rows).await?;
        self.close(part).await?;
        Box::new(self).finish().await
    }

    /// Writes rows of one partition.
    pub(crate) async fn rows_to(&mut self, partition: String, batch: RecordBatch) -> Result<()> {
        let rows = batch.num_rows() as u64;
        let mut open = self.part(&partition, Part::encodes, First::Rows).await?;
        open.part = open.part.write(batch, &self.desk.cx).await?;
        self.put_back(partition, open, rows).await
    }

    /// Writes a row group in its stored form, as it is where that can be.
    pub(crate) async fn stored(&mut self, partition: &str, group: &RowGroup) -> Result<()> {
        let known = match self.known.take() {
            Some(known) if known.origin.is(&group.source) => known,
            other => {
                if let Some(known) = other {
                    known.origin.unchanged()?;
                }
                let source = Arc::clone(&group.source);
                Known {
                    origin: self.desk.cx.io(move || Origin::new(&source)).await?,
                    refused: [None, None],
                    told: false,
                }
            }
        };
        if let Some(fit) = self.desk.fit.clone() {
            return self.fitted(partition, known, group.index, &fit).await;
        }
        let copies = self.known.insert(known).copies(&self.desk, {
            let open = self.open.get(partition);
            open.is_some_and(|open| !open.part.is_empty())
        });
        let Some(origin) = self.known.as_ref().map(|known| known.origin.clone()) else {
            return Err(Fault::internal("a source is missing"));
        };
        let mut open = if copies {
            let fits = |part: &Part| part.takes(&origin);
            self.part(partition, fits, First::Copied(&origin)).await?
        } else {
            let fits = Part::encodes;
            self.part(partition, fits, First::Recoded(&origin)).await?
        };
        let cx = &self.desk.cx;
        match &mut open.part {
            Part::Parquet(part) if copies => part.copy(&origin, group.index, cx).await?,
            Part::Parquet(part) => part.recode(&origin, group.index, cx).await?,
            Part::Simple(_) => return Err(Fault::internal("row groups for another format")),
        }
        let rows = u64::try_from(group.metadata().num_rows()).unwrap_or(0);
        self.put_back(partition.to_owned(), open, rows).await
    }

    /// Decodes a row group whose columns aren't those of the files that stand.
    async fn fitted(
        &mut self,
        partition: &str,
        mut known: Known,
        group: usize,
        fit: &Arc<Fit>,
    ) -> Result<()> {
        if !std::mem::replace(&mut known.told, true) {
            let name = known.origin.file.name();
            let text = format!("{name} is decoded, not copied: the destination has other columns");
            self.desk.cx.notes.note(Level::Info, &text);
        }
        let origin = known.origin.clone();
        self.known = Some(known);
        let name = origin.file.name().to_owned();
        let cx = self.desk.cx.clone();
        let mut rows = GroupRows::new(&origin, group, &self.desk.staging, &cx)?;
        while let Some(batch) = rows.next().await? {
            let (fit, name) = (Arc::clone(fit), name.clone());
            let batch = cx.cpu(move || fit.apply(&batch, &name)).await?;
            self.rows_to(partition.to_owned(), batch).await?;
        }
        Ok(())
    }

    /// Takes out the open part of a partition; another one when there is none or it can't hold
    /// what comes.
    async fn part(
        &mut self,
        partition: &str,
        fits: impl Fn(&Part) -> bool,
        first: First<'_>,
    ) -> Result<Open> {
        self.clock += 1;
        match self.open.remove(partition) {
            Some(open) if fits(&open.part) => return Ok(open),
            Some(open) => self.close(open).await?,
            None => self.make_room().await?,
        }
        self.start(partition, first).await
    }

    async fn put_back(&mut self, partition: String, mut open: Open, rows: u64) -> Result<()> {
        open.used = self.clock;
        open.rows += rows;
        self.rows += rows;
        if open.part.bytes() >= self.desk.layout.file_size {
            self.close(open).await?;
        } else {
            self.open.insert(partition, open);
        }
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
    async fn start(&mut self, partition: &str, first: First<'_>) -> Result<Open> {
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
        let destined = super::within(&desk.destination, name.as_ref());
        let make = desk.clone();
        let part = if desk.layout.format == Format::Parquet {
            let encoder = desk.encoder(&first)?;
            let layout = match &first {
                First::Copied(origin) => Ok(stored::Layout::of_source(&origin.file)),
                First::Rows | First::Recoded(_) => stored::Layout::of_encoder(&encoder),
            };
            let layout = layout.map_err(|error| origin::fault(error, &destined))?;
            let make = move || {
                let file = File::create_new(&path);
                let file = file.map_err(|error| {
                    Fault::io(code::DESTINATION_IO, "can't create", &path, &error)
                })?;
                let verify = make.layout.verify;
                let part = ParquetPart::new(file, destined, layout, encoder, verify, &make.mark)?;
                Ok(Part::Parquet(Box::new(part)))
            };
            desk.cx.io(make).await?
        } else {
            let make = move || {
                let file = Tracked::create(path, destined)?;
                let part = SimplePart::new(file, &make.schema, &make.layout, &make.mark)?;
                Ok(Part::Simple(Box::new(part)))
            };
            desk.cx.io(make).await?
        };
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
        let cx = self.desk.cx.clone();
        let staged = StagedFile {
            staged: open.staged,
            name: open.name,
            size: 0,
            rows: open.rows,
            modified: None,
            hash: None,
        };
        let path = self.desk.staging.join(&staged.staged);
        let syncing: BoxFuture<'static, Result<StagedFile>> = match open.part {
            Part::Simple(part) => {
                let file = part.close(&cx).await?;
                let sync = move || {
                    sync::file(file.file(), file.track().path())?;
                    staged.finished(&path, file.track().bytes(), file.hash())
                };
                Box::pin(async move { cx.io(sync).await })
            }
            Part::Parquet(part) => {
                let finish = part.close(&cx).await?;
                let sync = move || {
                    let size = finish()?;
                    staged.finished(&path, size, seal::hash(&path, Format::Parquet)?)
                };
                Box::pin(async move { cx.io(sync).await })
            }
        };
        while self.syncing.len() >= SYNCING {
            self.synced().await?;
        }
        self.syncing.push(syncing);
        // A job starts when it is first looked at.
        if let Poll::Ready(Some(synced)) = futures::poll!(self.syncing.next()) {
            self.done.push(synced?);
        }
        Ok(())
    }

    async fn synced(&mut self) -> Result<()> {
        if let Some(synced) = self.syncing.next().await {
            self.done.push(synced?);
        }
        Ok(())
    }

    async fn close_all(&mut self) -> Result<()> {
        while let Some((_, open)) = self.open.pop_first() {
            self.close(open).await?;
        }
        while !self.syncing.is_empty() {
            self.synced().await?;
        }
        self.done.sort_by(|a, b| a.staged.cmp(&b.staged));
        Ok(())
    }

    /// A single file can't be two: where row groups were copied that can't stand in one file,
    /// all are decoded into one.
    async fn join(&mut self) -> Result<()> {
        self.desk.cx.notes.note(
            Level::Info,
            "decoded, not copied: the source's files are stored in different ways, and the \
             destination is one file",
        );
        for file in std::mem::take(&mut self.done) {
            let path = self.desk.staging.join(&file.staged);
            let opened = {
                let path = path.clone();
                self.desk.cx.io(move || Origin::open(&path)).await?
            };
            for group in 0..opened.groups() {
                let (folder, cx) = (&self.desk.staging, &self.desk.cx);
                let mut rows = GroupRows::new(&opened, group, folder, cx)?;
                while let Some(batch) = rows.next().await? {
                    self.rows_to(String::new(), batch).await?;
                }
            }
            self.rows -= file.rows;
            let remove = move || {
                std::fs::remove_file(&path)
                    .map_err(|error| Fault::io(code::DESTINATION_IO, "can't remove", &path, &error))
            };
            self.desk.cx.io(remove).await?;
        }
        self.close_all().await
    }
}

impl Known {
    /// Whether row groups can be copied, `joined` with others or not. Says once why not.
    fn copies(&mut self, desk: &Desk, joined: bool) -> bool {
        let layout = &desk.layout;
        let refused = self.refused[usize::from(joined)].get_or_insert_with(|| {
            self.origin
                .refuses(layout.rewrite, layout.parquet_codec(), joined)
        });
        if let Some(why) = refused
            && !self.told
            && !layout.rewrite
        {
            self.told = true;
            let name = self.origin.file.name();
            let text = format!("{name} is decoded, not copied: {why}");
            desk.cx.notes.note(Level::Info, &text);
        }
        refused.is_none()
    }
}

impl Desk {
    /// The encoder for a part that begins so.
    fn encoder(&self, first: &First<'_>) -> Result<Arc<Encoder>> {
        let (First::Copied(origin) | First::Recoded(origin)) = first else {
            let options = self.options(None);
            let made = Encoder::new(Arc::clone(&self.schema), options);
            return made.map(Arc::new).map_err(|error| self.unencodable(&error));
        };
        let options = self.options(origin.codec());
        let like = origin.file.schema();
        let made = Encoder::like(Arc::clone(&self.schema), &like, options);
        made.map(Arc::new).map_err(|error| self.unencodable(&error))
    }

    fn unencodable(&self, error: &parquet::errors::ParquetError) -> Fault {
        origin::unencodable_schema(&self.schema, error)
    }

    fn options(&self, codec: Option<Compression>) -> EncodeOptions {
        let asked = self.layout.parquet_codec();
        EncodeOptions {
            compression: asked.or(codec).unwrap_or_else(settings::zstd_3),
            row_group_rows: self.layout.row_group_rows,
            row_group_bytes: self.layout.row_group_bytes,
        }
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

    fn encodes(&self) -> bool {
        match self {
            Self::Simple(_) => true,
            Self::Parquet(part) => part.encodes(),
        }
    }

    fn takes(&self, origin: &Origin) -> bool {
        match self {
            Self::Simple(_) => false,
            Self::Parquet(part) => part.takes(origin),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Simple(_) => false,
            Self::Parquet(part) => part.is_empty(),
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
                return match RowGroup::of(encoded.as_ref()) {
                    Some(group) if self.partitioner.is_none() => self.stored("", group).await,
                    _ => Err(Fault::internal(format!(
                        "{} data for a store that takes {PARQUET} or rows",
                        encoded.format()
                    ))),
                };
            }
        };
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let batch = match self.desk.fit.clone() {
            None => batch,
            Some(fit) => {
                let cx = &self.desk.cx;
                cx.cpu(move || fit.apply(&batch, "a new row")).await?
            }
        };
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
        self.close_all().await?;
        if let Some(known) = self.known.take() {
            known.origin.unchanged()?;
        }
        if self.done.len() > 1 && self.desk.layout.shape == destination::Shape::File {
            self.join().await?;
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
