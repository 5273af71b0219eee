//! A server, the connector set up for it, and what tests say to both.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{Field, Schema};
use hygge_core::{
    Action, Batch, BuildContext, CommitRecord, Context, EntityId, Home, Memory, OnSchemaChange,
    Position, Registry, Result, RunId, Settings, Share, Silent, SplitId, SplitRequest, Stop, Store,
    Target, Want, Workers,
};
use hygge_tds_server::{Options, PASSWORD, Server, USER};
use serde_json::{Value, json};

/// Threads as a run has them.
#[derive(Debug)]
struct Threads(tokio::runtime::Handle);

impl Workers for Threads {
    fn cpu(&self, job: Box<dyn FnOnce() + Send>) {
        drop(self.0.spawn_blocking(job));
    }

    fn io(&self, job: Box<dyn FnOnce() + Send>) {
        drop(self.0.spawn_blocking(job));
    }

    fn cores(&self) -> usize {
        2
    }
}

pub(crate) fn context() -> Context {
    let share: Share = Memory::new(256 << 20).join();
    Context {
        workers: Arc::new(Threads(tokio::runtime::Handle::current())),
        share: Arc::new(share),
        stop: Stop::default(),
        notes: Arc::new(Silent),
    }
}

/// A server, and the connector that is set up for it.
pub(crate) struct Scene {
    pub(crate) server: Option<Server>,
    pub(crate) registry: Registry,
    pub(crate) string: String,
    place: BuildContext,
    _work: tempfile::TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::default();
        hygge_mssql::register(&mut registry);
        let real = std::env::var("HYGGE_TEST_MSSQL").ok();
        let server = match real {
            Some(_) => None,
            None => Some(Server::start(Options::default()).unwrap()),
        };
        let made = |server: &Server| {
            format!(
                "Server=127.0.0.1,{};Database=test;User ID={USER};Password={PASSWORD};Encrypt=true;\
                 TrustServerCertificate=true",
                server.address().port()
            )
        };
        let work = tempfile::tempdir().unwrap();
        Self {
            string: real.unwrap_or_else(|| made(server.as_ref().unwrap())),
            server,
            registry,
            place: BuildContext {
                root: "/p".into(),
                work: work.path().join(".hygge"),
                entity: Some(EntityId::new("f", "e")),
                run: None,
            },
            _work: work,
        }
    }

    /// The same server, to another process.
    pub(crate) fn forget(&mut self) {
        self.registry = Registry::default();
        hygge_mssql::register(&mut self.registry);
    }

    pub(crate) fn settings(&self, more: &Value) -> Settings {
        let mut settings = json!({ "connection_string": self.string });
        let object = settings.as_object_mut().unwrap();
        object.extend(more.as_object().unwrap().clone());
        Settings::new(settings, ["/connection_string".to_owned()])
    }

    pub(crate) fn home(&self, more: &Value) -> Arc<dyn Home> {
        let kind = self.registry.home("mssql").unwrap();
        let settings = self.settings(more);
        kind.plan(&settings, &self.place).unwrap();
        kind.build(&settings, &self.place).unwrap()
    }

    pub(crate) fn store(&self, more: &Value) -> Arc<dyn Store> {
        let kind = self.registry.store("mssql").unwrap();
        let settings = self.settings(more);
        kind.plan(&settings, &self.place).unwrap();
        kind.build(&settings, &self.place).unwrap()
    }
}

pub(crate) fn run() -> RunId {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    RunId::new(jiff::Timestamp::now(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Writes batches as one split each, and commits them.
pub(crate) async fn write(
    store: &dyn Store,
    batches: &[RecordBatch],
    action: Action,
) -> Result<()> {
    let record = stage(store, batches, action, &[]).await?;
    let cx = context();
    store.commit(&record, &cx).await?;
    // The same again changes nothing.
    store.commit(&record, &cx).await?;
    store.cleanup(&record.entity, None, &cx).await
}

/// Stages batches as one split each, up to the intent.
pub(crate) async fn stage(
    store: &dyn Store,
    batches: &[RecordBatch],
    action: Action,
    key: &[&str],
) -> Result<CommitRecord> {
    stage_by(store, batches, action, key, None).await
}

/// The same, where of several rows with one key the one with the greatest value there is last.
pub(crate) async fn stage_by(
    store: &dyn Store,
    batches: &[RecordBatch],
    action: Action,
    key: &[&str],
    latest_by: Option<&str>,
) -> Result<CommitRecord> {
    let policy = OnSchemaChange::default();
    stage_under(policy, store, batches, action, key, latest_by).await
}

/// The same, with other columns met in a way.
pub(crate) async fn stage_under(
    on_schema_change: OnSchemaChange,
    store: &dyn Store,
    batches: &[RecordBatch],
    action: Action,
    key: &[&str],
    latest_by: Option<&str>,
) -> Result<CommitRecord> {
    let cx = context();
    let entity = EntityId::new("f", "e");
    let mut target = Target {
        run: run(),
        entity: entity.clone(),
        schema: batches[0].schema(),
        action,
        key: key.iter().map(|name| (*name).to_owned()).collect(),
        latest_by: latest_by.map(str::to_owned),
        on_schema_change,
        memory: None,
        begun: Value::Null,
    };
    store.cleanup(&entity, None, &cx).await?;
    target.begun = store.begin(&target, &cx).await?;
    let mut receipts = Vec::new();
    for (n, batch) in batches.iter().enumerate() {
        let mut writer = store.open_writer(&target, &SplitId::nth(n), 1, &cx).await?;
        writer.write(Batch::Rows(batch.clone())).await?;
        receipts.push(writer.finish().await?);
    }
    let receipts = store.prepare(&target, receipts, &cx).await?;
    Ok(CommitRecord {
        version: CommitRecord::VERSION,
        hygge: "test".into(),
        run: target.run.clone(),
        entity: entity.clone(),
        action,
        key: Vec::new(),
        store_type: "mssql".into(),
        store: Value::Null,
        begun: target.begun.clone(),
        rows: receipts.iter().map(|receipt| receipt.rows).sum(),
        bytes: 0,
        receipts,
        watermark: None,
        position: None,
        schema: Vec::new(),
        began: jiff::Timestamp::now(),
    })
}

pub(crate) async fn read(home: &dyn Home) -> Result<Vec<RecordBatch>> {
    read_by(home, &SplitRequest::default()).await
}

pub(crate) async fn read_by(home: &dyn Home, request: &SplitRequest) -> Result<Vec<RecordBatch>> {
    let cx = context();
    let plan = home.splits(request, &cx).await?;
    let want = Want {
        batch_bytes: 1 << 20,
        encoded: None,
        bounds: None,
    };
    let mut batches = Vec::new();
    for split in &plan.splits {
        let mut reader = home.open(split, &Position::start(), &want, &cx).await?;
        while let Some(step) = reader.next().await? {
            let Batch::Rows(rows) = step.batch else {
                panic!("encoded rows")
            };
            if rows.num_rows() > 0 {
                batches.push(rows);
            }
        }
    }
    Ok(batches)
}

/// The whole numbers of the first column, sorted.
pub(crate) fn numbers(batches: &[RecordBatch]) -> Vec<i64> {
    let mut numbers: Vec<i64> = batches
        .iter()
        .flat_map(|batch| {
            let column = batch.column(0).as_any().downcast_ref::<Int64Array>();
            column
                .unwrap()
                .iter()
                .map(|n| n.unwrap_or(-1))
                .collect::<Vec<_>>()
        })
        .collect();
    numbers.sort_unstable();
    numbers
}

/// A table of 1,000 rows: a number, a moment a second later each, and a text.
pub(crate) async fn thousand(scene: &Scene, table: &str) {
    let moments = (0..1_000).map(|n| (n % 10 != 9).then_some(n * 1_000_000 + 123));
    let columns: Vec<(&str, &str, ArrayRef)> = vec![
        (
            "n",
            "bigint",
            Arc::new(Int64Array::from_iter_values(0..1_000)),
        ),
        (
            "at",
            "datetime2(6)",
            Arc::new(TimestampMicrosecondArray::from_iter(moments)),
        ),
        (
            "text",
            "nvarchar(20)",
            Arc::new(StringArray::from_iter_values(
                (0..1_000).map(|n| format!("row {n}")),
            )),
        ),
    ];
    let store = scene.store(&json!({"table": table, "create": "if_missing", "adopt": true}));
    write(store.as_ref(), &[batch(&columns)], Action::Replace)
        .await
        .unwrap();
}

pub(crate) fn batch(columns: &[(&'static str, &'static str, ArrayRef)]) -> RecordBatch {
    let fields = columns.iter().map(|(name, sql_type, array)| {
        let remembered = (hygge_mssql::TYPE_KEY.to_owned(), (*sql_type).to_owned());
        Field::new(*name, array.data_type().clone(), true)
            .with_metadata(HashMap::from([remembered]))
    });
    let schema = Schema::new(fields.collect::<Vec<_>>());
    let arrays = columns.iter().map(|(_, _, array)| Arc::clone(array));
    RecordBatch::try_new(Arc::new(schema), arrays.collect()).unwrap()
}

/// Rows of a number and a version each.
pub(crate) fn versions(rows: impl IntoIterator<Item = (i64, i64)>) -> RecordBatch {
    let (numbers, versions): (Vec<i64>, Vec<i64>) = rows.into_iter().unzip();
    batch(&[
        ("n", "bigint", Arc::new(Int64Array::from(numbers))),
        ("version", "bigint", Arc::new(Int64Array::from(versions))),
    ])
}

pub(crate) async fn found(scene: &Scene, table: &str) -> Vec<(i64, i64)> {
    let batches = read(scene.home(&json!({"table": table})).as_ref())
        .await
        .unwrap();
    let column = |batch: &RecordBatch, n: usize| {
        let column = batch.column(n).as_any().downcast_ref::<Int64Array>();
        column.unwrap().values().to_vec()
    };
    let mut rows: Vec<(i64, i64)> = batches
        .iter()
        .flat_map(|batch| column(batch, 0).into_iter().zip(column(batch, 1)))
        .collect();
    rows.sort_unstable();
    rows
}

/// Runs statements on the server, over a session of their own.
pub(crate) async fn execute(scene: &Scene, sql: &str) -> Vec<String> {
    use tokio_util::compat::TokioAsyncWriteCompatExt;
    let config = tiberius::Config::from_ado_string(&scene.string).unwrap();
    let stream = tokio::net::TcpStream::connect(config.get_addr())
        .await
        .unwrap();
    let mut client = tiberius::Client::connect(config, stream.compat_write())
        .await
        .unwrap();
    let found = client.simple_query(sql).await.unwrap();
    let found = found.into_results().await.unwrap();
    let rows = found.iter().flatten();
    rows.map(|row| row.get::<&str, _>(0).unwrap_or("NULL").to_owned())
        .collect()
}
