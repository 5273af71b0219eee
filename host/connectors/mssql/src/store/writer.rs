use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow_array::RecordBatch;
use futures::future::{Either, select};
use hygge_core::{
    Batch, Context, EntityId, Fault, Level, Receipt, Result, RunId, SplitId, Writer, async_trait,
};
use mssql_tds::connection::bulk_copy::{BulkCopy, BulkLoadRow, ColumnMapping};
use mssql_tds::core::TdsResult;
use mssql_tds::datatypes::bulk_copy_metadata::BulkCopyColumnMetadata;
use mssql_tds::message::bulk_load::StreamingBulkLoadWriter;
use tokio::sync::{Mutex, mpsc, oneshot};

use super::direct::Direct;
use super::encode::{self, Staged, Tally, staged_as};
use super::record::{self, Begun, StagedRows};
use super::{RunLock, ddl, operation};
use crate::connection::{ColumnSession, Connection};
use crate::fault::{self, Doing};
use crate::name::TableName;
use crate::overflow::OnOverflow;
use crate::types::SqlType;

/// What a writer works with.
pub(super) struct Desk {
    pub(super) connection: Arc<Connection>,
    pub(super) begun: Arc<Begun>,
    pub(super) entity: EntityId,
    /// In the names of what is staged; see [`record::whose`].
    pub(super) whose: String,
    pub(super) run: RunId,
    pub(super) split: SplitId,
    pub(super) attempt: u32,
    /// The place of each column in the rows that come.
    pub(super) order: Vec<usize>,
    /// Rows of one INSERT BULK.
    pub(super) batch_size: usize,
    /// Set where rows go straight into the table.
    pub(super) direct: Option<Direct>,
    pub(super) cx: Context,
    /// Held while something is staged.
    pub(super) _lock: Arc<RunLock>,
}

/// Stages one attempt at one split, in a table of its own, or loads it straight into the table.
pub(super) struct TableWriter {
    desk: Desk,
    loading: Option<Loading>,
    rows: u64,
    /// Rows of the INSERT BULK that is under way.
    in_batch: usize,
    bytes: u64,
    /// What there is to tell of each column.
    tally: Vec<Tally>,
}

type Load = Pin<Box<dyn Future<Output = Result<ColumnSession>> + Send>>;

/// An INSERT BULK under way. It moves on whenever the writer is waited for, and is given up,
/// with its session, when the writer is.
struct Loading {
    chunks: mpsc::Sender<Chunk>,
    load: Load,
    columns: Arc<Vec<Staged>>,
    targets: Arc<Vec<SqlType>>,
}

enum Chunk {
    Rows(Vec<u8>),
    /// The next rows are another INSERT BULK's.
    Cut,
    End,
}

impl TableWriter {
    pub(super) fn new(desk: Desk) -> Self {
        Self {
            tally: vec![Tally::default(); desk.order.len()],
            desk,
            loading: None,
            rows: 0,
            in_batch: 0,
            bytes: 0,
        }
    }

    /// Encodes rows and sends them.
    async fn load(&mut self, batch: RecordBatch) -> Result<()> {
        if self.loading.is_none() {
            self.loading = Some(self.desk.begin().await?);
        }
        let Some(loading) = &mut self.loading else {
            return Err(Fault::internal("nothing was begun"));
        };
        let rows = batch.num_rows() as u64;
        if self.desk.begun.operations {
            operation::complete(&batch, &self.desk.begun, self.rows)?;
        }
        let (columns, targets) = (Arc::clone(&loading.columns), Arc::clone(&loading.targets));
        let (numbered, first) = (self.desk.begun.merges(), self.rows);
        let mut tally = std::mem::take(&mut self.tally);
        let encoding = self.desk.cx.cpu(move || {
            let mut bytes = Vec::with_capacity(batch.get_array_memory_size());
            let into = &mut bytes;
            encode::rows(
                &batch, &columns, &targets, numbered, first, into, &mut tally,
            )?;
            Ok((bytes, tally))
        });
        let (bytes, tally) = meanwhile(&mut loading.load, encoding).await??;
        self.tally = tally;
        self.rows += rows;
        self.bytes += bytes.len() as u64;
        self.send(Chunk::Rows(bytes)).await
    }

    async fn send(&mut self, chunk: Chunk) -> Result<()> {
        let Some(loading) = &mut self.loading else {
            return Err(Fault::internal("nothing was begun"));
        };
        let sending = loading.chunks.send(chunk);
        let sent = meanwhile(&mut loading.load, sending).await?;
        sent.map_err(|_| ended_early())
    }
}

impl Desk {
    /// The table that is loaded.
    fn table(&self) -> TableName {
        if self.direct.is_some() {
            return self.begun.table();
        }
        let name = record::staging(&self.whose, &self.run, &self.split.0, self.attempt);
        self.begun.table().beside(name)
    }

    /// Makes the table and begins to load it. Only when there are rows: by then their reader has
    /// its session, so nobody waits for a session that waits for this one.
    async fn begin(&self) -> Result<Loading> {
        let table = self.table();
        let connection = &self.connection;
        let who = format!("loading {} split {}", self.entity, self.split);
        if self.direct.is_none() {
            let mut session = connection.statements(&who).await?;
            let what = format!("can't make {table}");
            session.unhurried(&what, &ddl::drop_table(&table)).await?;
            let sql = ddl::staging(&table, &self.begun);
            session.unhurried(&what, &sql).await?;
        }
        let (chunks, taken) = mpsc::channel(1);
        let (told, hears) = oneshot::channel();
        let begun = Arc::clone(&self.begun);
        let loaded = load(
            Arc::clone(connection),
            who,
            (table, begun, self.direct.clone()),
            told,
            taken,
        );
        let mut load: Load = Box::pin(loaded);
        let found = match select(&mut load, hears).await {
            Either::Left((ended, _)) => return Err(early(ended)),
            Either::Right((found, _)) => found.map_err(|_| ended_early())?,
        };
        let (columns, targets) = self.staged(&found)?;
        Ok(Loading {
            chunks,
            load,
            columns: Arc::new(columns),
            targets: Arc::new(targets),
        })
    }

    /// The columns as the server says they were made.
    fn staged(&self, found: &[BulkCopyColumnMetadata]) -> Result<(Vec<Staged>, Vec<SqlType>)> {
        let begun = &self.begun;
        let numbered = begun.merges() && self.direct.is_none();
        let found = &found[usize::from(numbered).min(found.len())..];
        let names = found.iter().map(|column| column.column_name.as_str());
        let made = begun.columns.iter().map(|column| column.name.as_str());
        if !names.eq(made.chain(begun.operation())) {
            let found = names_of(found).join(", ");
            return Err(Fault::internal(format!(
                "the table to load has other columns than it was given: {found}"
            )));
        }
        let columns = begun.columns.iter().zip(found).map(|(column, found)| {
            let key = begun.key.contains(&column.name);
            // Two that are clipped to one would be one row, or one partition.
            let apart = key || begun.partition.contains(&column.name);
            Staged {
                name: column.from.clone(),
                sql_type: staged_as(column.sql_type.0),
                collation: found.collation,
                // Of a row that was deleted nothing but its key is known.
                nullable: (column.nullable || begun.operations) && !key,
                key: apart,
                measured: column.measured,
                on_overflow: match apart {
                    true => OnOverflow::Error,
                    false => begun.on_overflow,
                },
            }
        });
        let targets = begun.columns.iter().map(|column| column.sql_type.0);
        let operation = found.last().filter(|_| begun.operations);
        let operation = operation.map(|found| operation::staged(found.collation));
        let types = operation
            .iter()
            .map(|staged| staged.sql_type)
            .collect::<Vec<_>>();
        Ok((
            columns.chain(operation).collect(),
            targets.chain(types).collect(),
        ))
    }
}

fn names_of(found: &[BulkCopyColumnMetadata]) -> Vec<&str> {
    found
        .iter()
        .map(|column| column.column_name.as_str())
        .collect()
}

fn early(ended: Result<ColumnSession>) -> Fault {
    match ended {
        Err(fault) => fault,
        Ok(_) => ended_early(),
    }
}

fn ended_early() -> Fault {
    Fault::internal("a load ended before its rows did")
}

/// Waits for something while the load goes on.
async fn meanwhile<T>(load: &mut Load, something: impl Future<Output = T>) -> Result<T> {
    match select(load, std::pin::pin!(something)).await {
        Either::Left((ended, _)) => Err(early(ended)),
        Either::Right((done, _)) => Ok(done),
    }
}

/// All rows of a split, one INSERT BULK after the other. What becomes of the session is left to
/// the caller: straight in the table, the rows wait in its transaction.
async fn load(
    connection: Arc<Connection>,
    who: String,
    (table, begun, direct): (TableName, Arc<Begun>, Option<Direct>),
    told: oneshot::Sender<Vec<BulkCopyColumnMetadata>>,
    chunks: mpsc::Receiver<Chunk>,
) -> Result<ColumnSession> {
    let what = format!("can't load {table}");
    let wrong = |error| fault::rows(&what, Doing::Writing, &error);
    let mut session = connection.loading(&who).await?;
    if let Some(direct) = &direct {
        direct.begin(&mut session, &begun, &what).await?;
    }
    let mut bulk = BulkCopy::new(session.begin(), table.quoted())
        // The driver's own 30 seconds would end a long load.
        .timeout(Duration::ZERO);
    bulk = match &direct {
        None => bulk.table_lock(true).keep_nulls(true),
        Some(direct) => bulk
            .table_lock(direct.table_lock)
            .keep_nulls(direct.keep_nulls)
            .check_constraints(direct.check_constraints)
            .fire_triggers(direct.fire_triggers)
            .keep_identity(begun.identity),
    };
    let mut columns = bulk.retrieve_destination_metadata().await.map_err(wrong)?;
    if direct.is_some() {
        // The table may have more. The driver announces them in the table's order, whatever it is
        // told; that the rows' is the same is looked at before one is sent.
        columns.retain(|found| begun.columns.iter().any(|c| c.name == found.column_name));
        for (nth, column) in columns.iter().enumerate() {
            bulk = bulk.add_column_mapping(ColumnMapping::by_ordinal(nth, &column.column_name));
        }
    }
    let width = columns.len();
    if told.send(columns).is_err() {
        return Err(ended_early());
    }
    let chunks = Arc::new(Mutex::new(chunks));
    let ended = Arc::new(AtomicBool::new(false));
    while !ended.load(Ordering::Relaxed) {
        // None is begun before it has rows.
        let first = match chunks.lock().await.recv().await {
            Some(Chunk::Rows(bytes)) => bytes,
            Some(Chunk::Cut) => continue,
            Some(Chunk::End) => break,
            None => return Err(ended_early()),
        };
        let stream = Stream {
            first,
            chunks: Arc::clone(&chunks),
            ended: Arc::clone(&ended),
            width,
        };
        bulk.write_to_server_zerocopy(std::iter::once(stream))
            .await
            .map_err(wrong)?;
    }
    drop(bulk);
    Ok(session)
}

/// All rows of an INSERT BULK, as the one row that the driver is told of: it puts a ROW token in
/// front, and the rows bring theirs.
struct Stream {
    first: Vec<u8>,
    chunks: Arc<Mutex<mpsc::Receiver<Chunk>>>,
    /// Whether the last row of the split was among them.
    ended: Arc<AtomicBool>,
    width: usize,
}

#[async_trait]
impl BulkLoadRow for Stream {
    async fn write_to_packet(
        &self,
        writer: &mut StreamingBulkLoadWriter<'_>,
        column_index: &mut usize,
    ) -> TdsResult<()> {
        let mut chunks = self.chunks.lock().await;
        writer
            .write_raw_bytes(&self.first[1.min(self.first.len())..])
            .await?;
        loop {
            match chunks.recv().await {
                Some(Chunk::Rows(bytes)) => writer.write_raw_bytes(&bytes).await?,
                Some(Chunk::Cut) => break,
                Some(Chunk::End) => {
                    self.ended.store(true, Ordering::Relaxed);
                    break;
                }
                None => {
                    return Err(mssql_tds::error::Error::OperationCancelledError(
                        "the rows to load ended early".to_owned(),
                    ));
                }
            }
        }
        *column_index = self.width;
        Ok(())
    }
}

#[async_trait]
impl Writer for TableWriter {
    async fn write(&mut self, batch: Batch) -> Result<()> {
        let Batch::Rows(batch) = batch else {
            return Err(Fault::internal("a table can't take encoded rows"));
        };
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let batch = batch
            .project(&self.desk.order)
            .map_err(|error| Fault::internal(error.to_string()))?;
        let mut at = 0;
        while at < batch.num_rows() {
            if self.in_batch == self.desk.batch_size {
                self.send(Chunk::Cut).await?;
                self.in_batch = 0;
            }
            let most = self.desk.batch_size - self.in_batch;
            let part = batch.slice(at, most.min(batch.num_rows() - at));
            at += part.num_rows();
            self.in_batch += part.num_rows();
            self.load(part).await?;
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<Receipt> {
        let (mut table, mut open) = (None, None);
        if self.loading.is_some() {
            self.send(Chunk::End).await?;
        }
        if let Some(loading) = self.loading.take() {
            let mut session = loading.load.await?;
            match &self.desk.direct {
                None => {
                    session.settled();
                    table = Some(self.desk.table().table);
                }
                Some(direct) => open = Some(direct.open.keep(session)),
            }
        }
        let begun = &self.desk.begun;
        for (column, tally) in begun.columns.iter().zip(&self.tally) {
            if tally.unfit > 0 {
                let why = format!("didn't fit {}", column.sql_type.0);
                let told = begun.on_overflow.told(&column.from, tally.unfit, &why);
                self.desk.cx.notes.note(Level::Warning, &told);
            }
        }
        Ok(Receipt {
            split: self.desk.split.clone(),
            attempt: self.desk.attempt,
            rows: self.rows,
            bytes: self.bytes,
            data: record::written(&StagedRows {
                table,
                open,
                longest: self.tally.iter().map(|tally| tally.longest).collect(),
            })?,
        })
    }
}
