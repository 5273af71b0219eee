//! A Home and a Store that live in memory and do as a test says.

mod add_one;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use hygge_core::{
    Action, Batch, BuildContext, Capabilities, CommitRecord, Context, Discovered, EntityId, Fault,
    Finding, Home, HomeKind, HomePlan, Mode, Place, Position, Problem, Reader, Receipt, Registry,
    Result, RunId, Settings, Settled, Split, SplitId, SplitPlan, SplitRequest, Standing, Step,
    Store, StoreKind, StorePlan, Strategy, Target, Want, Writer, async_trait, code,
};
use hygge_engine::{Event, Events, RunRequest, RunSummary, StopSignal, Threads, Tuning, run};
use hygge_project::{
    Endpoint, Incremental, OnError, Options, Origin, Plan, PlannedEntity, PlannedFlow, PlannedItem,
};
use hygge_state::{MemoryState, StateStore};

use self::add_one::AddOne;

/// Called by the reader before each batch, on a CPU thread: (split, batch).
type Hook = dyn Fn(usize, usize) -> Result<()> + Send + Sync;

/// A source of numbers: one list a split, in batches of `size`.
pub(crate) struct Source {
    pub(crate) splits: Mutex<Vec<Vec<i64>>>,
    pub(crate) size: usize,
    pub(crate) before_batch: Box<Hook>,
    pub(crate) opened: AtomicU32,
    pub(crate) acknowledged: AtomicU32,
    /// What each reader says it left out.
    pub(crate) without_watermark: u64,
    /// Every how many batches a reader says where it is; 0: never.
    pub(crate) positions: usize,
    /// Called when a split is opened at a position: (split, batch).
    pub(crate) before_resume: Box<Hook>,
}

impl Source {
    pub(crate) fn of(splits: Vec<Vec<i64>>) -> Self {
        Self {
            splits: Mutex::new(splits),
            size: 10,
            before_batch: Box::new(|_, _| Ok(())),
            opened: AtomicU32::new(0),
            acknowledged: AtomicU32::new(0),
            without_watermark: 0,
            positions: 0,
            before_resume: Box::new(|_, _| Ok(())),
        }
    }
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]))
}

#[derive(Clone)]
pub(crate) struct FakeHome(pub(crate) Arc<Source>);

impl std::fmt::Debug for FakeHome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeHome")
    }
}

#[async_trait]
impl Home for FakeHome {
    async fn check(&self, _: &Context) -> Result<Vec<Finding>> {
        Ok(vec![Finding::good("fine")])
    }

    async fn discover(&self, _: &Context) -> Result<Vec<Discovered>> {
        Ok(Vec::new())
    }

    async fn splits(&self, request: &SplitRequest, _: &Context) -> Result<SplitPlan> {
        let lists = self.0.splits.lock().unwrap().clone();
        let low = request.bounds.as_ref().map(|b| b.low);
        let splits = lists.iter().enumerate().map(|(n, list)| {
            let wanted: Vec<i64> = list
                .iter()
                .copied()
                .filter(|v| low.is_none_or(|low| i128::from(*v) >= low))
                .collect();
            Split {
                id: SplitId::nth(n),
                spec: serde_json::json!({ "n": n, "rows": wanted }),
                rows: Some(list.len() as u64),
                bytes: None,
            }
        });
        Ok(SplitPlan {
            schema: schema(),
            splits: splits.collect(),
            fingerprint: format!("{lists:?}"),
            high: None,
            position: Some(Position(serde_json::json!("end"))),
            key: Vec::new(),
            memory: None,
            warnings: Vec::new(),
            without_watermark: 0,
        })
    }

    async fn open(
        &self,
        split: &Split,
        resume: &Position,
        _: &Want,
        cx: &Context,
    ) -> Result<Box<dyn Reader>> {
        self.0.opened.fetch_add(1, Ordering::SeqCst);
        let rows: Vec<i64> = serde_json::from_value(split.spec["rows"].clone()).unwrap();
        let split = split.spec["n"].as_u64().unwrap() as usize;
        let at = resume.0.as_u64().map_or(0, |at| at as usize);
        if !resume.is_start() {
            (self.0.before_resume)(split, at)?;
        }
        let source = Arc::clone(&self.0);
        Ok(Box::new(FakeReader {
            source,
            split,
            rows,
            at,
            cx: cx.clone(),
        }))
    }

    async fn acknowledge(&self, _: &Position, _: &Context) -> Result<()> {
        self.0.acknowledged.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

struct FakeReader {
    source: Arc<Source>,
    split: usize,
    rows: Vec<i64>,
    at: usize,
    cx: Context,
}

#[async_trait]
impl Reader for FakeReader {
    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn without_watermark(&self) -> u64 {
        self.source.without_watermark
    }

    async fn next(&mut self) -> Result<Option<Step>> {
        let (source, split, nth) = (Arc::clone(&self.source), self.split, self.at);
        self.cx
            .cpu(move || (source.before_batch)(split, nth))
            .await?;
        let Some(rows) = self.rows.chunks(self.source.size).nth(self.at) else {
            return Ok(None);
        };
        self.at += 1;
        let column: ArrayRef = Arc::new(Int64Array::from(rows.to_vec()));
        let batch = RecordBatch::try_new(schema(), vec![column]).unwrap();
        Ok(Some(Step {
            batch: Batch::Rows(batch),
            position: match self.source.positions {
                every @ 1.. if self.at.is_multiple_of(every) => Position(self.at.into()),
                _ => Position::start(),
            },
        }))
    }
}

/// What the Store holds: staged by (run, split, attempt), and committed.
#[derive(Default)]
pub(crate) struct Shelf {
    pub(crate) staged: BTreeMap<(String, String, u32), Vec<i64>>,
    pub(crate) settled: Vec<i64>,
    pub(crate) runs: BTreeSet<String>,
    pub(crate) commits: u32,
    /// Receipts of runs that were given up.
    pub(crate) aborted: Vec<Receipt>,
    pub(crate) standing: Option<Standing>,
}

/// Called by the writer before each batch.
type WriteHook = dyn Fn(&Batch) -> Result<()> + Send + Sync;
/// Called in `commit`, before and after it took effect.
type CommitHook = dyn Fn(bool) -> Result<()> + Send + Sync;

pub(crate) struct Destination {
    pub(crate) shelf: Mutex<Shelf>,
    pub(crate) before_write: Box<WriteHook>,
    pub(crate) in_commit: Box<CommitHook>,
    /// Whether its `commit.undone` means what it says; a plugin's doesn't.
    pub(crate) undoes: bool,
}

impl Destination {
    pub(crate) fn new() -> Self {
        Self {
            shelf: Mutex::default(),
            before_write: Box::new(|_| Ok(())),
            in_commit: Box::new(|_| Ok(())),
            undoes: false,
        }
    }

    pub(crate) fn settled(&self) -> Vec<i64> {
        let mut rows = self.shelf.lock().unwrap().settled.clone();
        rows.sort_unstable();
        rows
    }
}

#[derive(Clone)]
pub(crate) struct FakeStore(pub(crate) Arc<Destination>);

impl std::fmt::Debug for FakeStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeStore")
    }
}

#[async_trait]
impl Store for FakeStore {
    async fn check(&self, _: &Context) -> Result<Vec<Finding>> {
        Ok(vec![Finding::good("fine")])
    }

    async fn inspect(&self, _: &EntityId, _: Option<&[u8]>, _: &Context) -> Result<Standing> {
        let shelf = self.0.shelf.lock().unwrap();
        let empty = shelf.settled.is_empty();
        Ok(match &shelf.standing {
            Some(standing) => standing.clone(),
            None if empty => Standing::Vacant,
            None => Standing::Ours,
        })
    }

    async fn begin(&self, _: &Target, _: &Context) -> Result<serde_json::Value> {
        Ok(serde_json::json!({ "shelf": 1 }))
    }

    async fn open_writer(
        &self,
        target: &Target,
        split: &SplitId,
        attempt: u32,
        _: &Context,
    ) -> Result<Box<dyn Writer>> {
        Ok(Box::new(FakeWriter {
            to: Arc::clone(&self.0),
            run: target.run.to_string(),
            split: split.clone(),
            attempt,
            rows: Vec::new(),
        }))
    }

    async fn commit(&self, record: &CommitRecord, _: &Context) -> Result<Settled> {
        (self.0.in_commit)(false)?;
        {
            let mut shelf = self.0.shelf.lock().unwrap();
            shelf.commits += 1;
            if shelf.runs.insert(record.run.to_string()) {
                let mut rows = Vec::new();
                for receipt in &record.receipts {
                    let key = (
                        record.run.to_string(),
                        receipt.split.to_string(),
                        receipt.attempt,
                    );
                    rows.extend(
                        shelf
                            .staged
                            .remove(&key)
                            .expect("what a receipt names is staged"),
                    );
                }
                if record.action == Action::Replace {
                    shelf.settled.clear();
                }
                shelf.settled.extend(rows);
            }
        }
        (self.0.in_commit)(true)?;
        Ok(Settled {
            location: "the shelf".into(),
            parts: 1,
            memory: None,
        })
    }

    fn undone(&self, fault: &Fault) -> bool {
        self.0.undoes && matches!(&*fault.code, code::COMMIT_UNDONE | code::COMMIT_REFUSED)
    }

    fn stages(&self) -> bool {
        !self.0.undoes
    }

    async fn abort(&self, target: &Target, receipts: Vec<Receipt>, _: &Context) -> Result<()> {
        let mut shelf = self.0.shelf.lock().unwrap();
        for receipt in receipts {
            let run = target.run.to_string();
            let key = (run, receipt.split.to_string(), receipt.attempt);
            shelf
                .staged
                .remove(&key)
                .expect("what a receipt names is staged");
            shelf.aborted.push(receipt);
        }
        Ok(())
    }

    async fn cleanup(&self, _: &EntityId, live: Option<&RunId>, _: &Context) -> Result<()> {
        let live = live.map(ToString::to_string);
        self.0
            .shelf
            .lock()
            .unwrap()
            .staged
            .retain(|key, _| Some(&key.0) == live.as_ref());
        Ok(())
    }
}

struct FakeWriter {
    to: Arc<Destination>,
    run: String,
    split: SplitId,
    attempt: u32,
    rows: Vec<i64>,
}

#[async_trait]
impl Writer for FakeWriter {
    async fn write(&mut self, batch: Batch) -> Result<()> {
        (self.to.before_write)(&batch)?;
        let Batch::Rows(batch) = batch else {
            return Err(Fault::internal("encoded"));
        };
        self.rows
            .extend(batch.column(0).as_primitive::<Int64Type>().values());
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<Receipt> {
        let rows = self.rows.len() as u64;
        let key = (self.run, self.split.to_string(), self.attempt);
        self.to.shelf.lock().unwrap().staged.insert(key, self.rows);
        Ok(Receipt {
            split: self.split,
            attempt: self.attempt,
            rows,
            bytes: rows * 8,
            data: serde_json::Value::Null,
        })
    }
}

struct HomeNamed(String, Arc<Source>);

impl HomeKind for HomeNamed {
    fn name(&self) -> &str {
        &self.0
    }
    fn summary(&self) -> &str {
        "numbers"
    }
    fn schema(&self) -> serde_json::Value {
        serde_json::json!({ "type": "object" })
    }
    fn location(&self) -> Option<&str> {
        None
    }
    fn plan(&self, _: &Settings, _: &BuildContext) -> Result<HomePlan, Vec<Problem>> {
        Ok(home_plan())
    }
    fn build(&self, _: &Settings, _: &BuildContext) -> Result<Arc<dyn Home>> {
        Ok(Arc::new(FakeHome(Arc::clone(&self.1))))
    }
}

struct StoreNamed(String, Arc<Destination>);

impl StoreKind for StoreNamed {
    fn name(&self) -> &str {
        &self.0
    }
    fn summary(&self) -> &str {
        "a shelf"
    }
    fn schema(&self) -> serde_json::Value {
        serde_json::json!({ "type": "object" })
    }
    fn location(&self) -> Option<&str> {
        None
    }
    fn plan(&self, _: &Settings, _: &BuildContext) -> Result<StorePlan, Vec<Problem>> {
        Ok(store_plan())
    }
    fn build(&self, _: &Settings, _: &BuildContext) -> Result<Arc<dyn Store>> {
        Ok(Arc::new(FakeStore(Arc::clone(&self.1))))
    }
}

fn home_plan() -> HomePlan {
    HomePlan {
        place: None,
        describe: "numbers".into(),
        operations: false,
        watermarks: true,
        files: false,
        changes: false,
        max_open: None,
        splits: None,
        many: false,
    }
}

fn store_plan() -> StorePlan {
    StorePlan {
        place: Some(Place::files("/shelf".as_ref())),
        describe: "the shelf".into(),
        capabilities: Capabilities {
            append: true,
            replace: true,
            upsert: false,
            operations: false,
            single: false,
            encoded: None,
        },
        max_open: None,
        writers: None,
    }
}

/// Keeps every event.
#[derive(Default)]
pub(crate) struct Told(pub Mutex<Vec<Event>>);

impl Events for Told {
    fn event(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

/// A project of flows with one entity each; run it as often as wanted.
pub(crate) struct Project {
    registry: Registry,
    pub(crate) plan: Plan,
    pub(crate) state: Arc<dyn StateStore>,
    pub(crate) told: Arc<Told>,
    pub(crate) signal: StopSignal,
    runs: u64,
}

impl Project {
    pub(crate) fn new() -> Self {
        Self {
            registry: Registry::default(),
            plan: Plan {
                veil: hygge_core::Veil::default(),
                name: "test".into(),
                place: BuildContext {
                    root: PathBuf::from("/"),
                    work: PathBuf::from("/.hygge"),
                    entity: None,
                    run: None,
                },
                options: Options {
                    concurrency: 4,
                    memory: 64 << 20,
                    retries: 3,
                    on_error: OnError::Continue,
                },
                flows: Vec::new(),
                warnings: Vec::new(),
                known: hygge_project::Known::default(),
            },
            state: Arc::new(MemoryState::default()),
            told: Arc::default(),
            signal: StopSignal::default(),
            runs: 0,
        }
    }

    pub(crate) fn flow(mut self, name: &str, source: &Arc<Source>, to: &Arc<Destination>) -> Self {
        self.registry
            .add_home(Arc::new(HomeNamed(name.into(), Arc::clone(source))));
        self.registry
            .add_store(Arc::new(StoreNamed(name.into(), Arc::clone(to))));
        let endpoint = || Endpoint {
            kind: name.into(),
            settings: Settings::new(serde_json::json!({}), []),
            connection: None,
            dated: None,
        };
        self.plan.flows.push(PlannedFlow {
            name: name.into(),
            after: Vec::new(),
            entities: vec![PlannedEntity {
                id: EntityId::new(name, "e"),
                home: endpoint(),
                home_plan: home_plan(),
                transforms: Vec::new(),
                checks: Vec::new(),
                store: endpoint(),
                store_plan: store_plan(),
                mode: Mode::Full,
                incremental: None,
                allow_empty: false,
                on_schema_change: hygge_core::OnSchemaChange::default(),
                filled_by: None,
                emptied_by_others: false,
                origin: Origin {
                    file: "hygge.yml".into(),
                    line: 1,
                },
            }],
        });
        self
    }

    pub(crate) fn after(mut self, other: &str) -> Self {
        self.plan.flows.last_mut().unwrap().after.push(other.into());
        self
    }

    /// Adds one to every number of a column of that name; afterwards it is called `m`.
    pub(crate) fn add_one(mut self, expects: &str) -> Self {
        self.registry.add_transform(Arc::new(AddOne {
            expects: expects.into(),
        }));
        let entity = &mut self.plan.flows.last_mut().unwrap().entities[0];
        entity.transforms.push(PlannedItem {
            kind: expects.into(),
            settings: Settings::new(serde_json::json!({}), []),
            describe: "add one".into(),
        });
        self
    }

    pub(crate) fn incremental(mut self) -> Self {
        let entity = &mut self.plan.flows.last_mut().unwrap().entities[0];
        entity.mode = Mode::Incremental;
        entity.incremental = Some(Incremental {
            strategy: Strategy::Append,
            column: Some("n".into()),
            key: Vec::new(),
            lookback: None,
        });
        self
    }

    pub(crate) async fn run(&mut self) -> RunSummary {
        self.runs += 1;
        let began = jiff::Timestamp::from_second(1_700_000_000).unwrap();
        let request = RunRequest {
            run: RunId::new(began, self.runs),
            command: "test".into(),
            registry: self.registry.clone(),
            state: Arc::clone(&self.state),
            events: Arc::clone(&self.told) as _,
            signal: self.signal.clone(),
            tuning: Tuning::default(),
            threads: Threads::start(2, tokio::runtime::Handle::current()).unwrap(),
        };
        run(&self.plan, request).await.unwrap()
    }
}
