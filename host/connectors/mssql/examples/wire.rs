//! What the wire costs: `wire ROWS [SPLITS] [PACKET] [WAY]`.
//!
//! A million rows of 10 columns go from the test server into Arrow, on to Parquet, and from Parquet
//! into INSERT BULK. The server is another process, so the CPU seconds are the client's alone: user
//! and system time of all its threads. `wire serve` is that server. `WAY` is `arrow`, `parquet`, `bulk`
//! or `all`; `hold` only fills the table, tells where it is, and waits: for `tests/bench/wire.py`.
#![expect(clippy::unwrap_used, reason = "a measuring tool: stops where it fails")]
#![expect(clippy::print_stdout, reason = "what was measured is printed")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array,
    RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{Field, Schema};
use hygge_core::{
    Action, Batch, BuildContext, CommitRecord, Context, EntityId, Home, Memory, OnSchemaChange,
    Position, Reader, Receipt, Registry, RunId, Settings, Share, Silent, Split, SplitRequest, Stop,
    Store, Target, Want, Workers, Writer,
};
use hygge_tds_server::{Options, PASSWORD, Server, USER};
use serde_json::{Value, json};

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

fn context() -> Context {
    let share: Share = Memory::new(256 << 20).join();
    Context {
        workers: Arc::new(Threads(tokio::runtime::Handle::current())),
        share: Arc::new(share),
        stop: Stop::default(),
        notes: Arc::new(Silent),
    }
}

/// User and system time of this process, in seconds.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after = stat.rsplit(')').next().unwrap();
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    // USER_HZ is 100 on every Linux.
    f64::from(u32::try_from(ticks).unwrap()) / 100.0
}

/// The rows of tests/bench/gen.py, made here: what they hold matters little, their shape does.
fn rows(first: i64, count: i64) -> RecordBatch {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64 ^ first.unsigned_abs();
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut draw = |most: u64| i64::try_from(next() % most).unwrap();
    let ids = first..first + count;
    let drawn: Vec<[i64; 8]> = ids
        .clone()
        .map(|_| std::array::from_fn(|_| draw(1 << 40)))
        .collect();
    let some = |row: &[i64; 8], nth: usize| row[7] >> (nth * 8) & 0xFF >= 13;
    let text = |make: &dyn Fn(&[i64; 8]) -> Option<String>| -> ArrayRef {
        Arc::new(StringArray::from_iter(drawn.iter().map(make)))
    };
    let columns: Vec<(&str, &str, ArrayRef)> = vec![
        ("id", "bigint", Arc::new(Int64Array::from_iter_values(ids))),
        (
            "uid",
            "nvarchar(36)",
            text(&|row| {
                let (a, b) = (row[0] & 0xFFFF_FFFF, row[1]);
                let (c, d) = (row[2] & 0xFFFF, row[3] & 0xFFFF);
                Some(format!(
                    "{a:08x}-{c:04x}-{d:04x}-{:04x}-{b:012x}",
                    row[4] & 0xFFFF
                ))
            }),
        ),
        (
            "name",
            "nvarchar(40)",
            text(&|row| {
                Some(format!(
                    "First{} Last{}",
                    row[0] % 5_000,
                    row[1] % 2_000_000
                ))
            }),
        ),
        (
            "email",
            "nvarchar(60)",
            text(&|row| {
                let (user, at) = (row[1] % 2_000_000, row[0] % 97);
                some(row, 0).then(|| format!("user{user}@example{at}.com"))
            }),
        ),
        (
            "amount",
            "float",
            Arc::new(Float64Array::from_iter(drawn.iter().map(|row| {
                let cents = i32::try_from(row[2] % 200_000).unwrap();
                some(row, 1).then(|| f64::from(cents) / 100.0)
            }))),
        ),
        (
            "qty",
            "int",
            Arc::new(Int32Array::from_iter(drawn.iter().map(|row| {
                some(row, 2).then(|| i32::try_from(row[3] % 1_000).unwrap())
            }))),
        ),
        (
            "price",
            "decimal(18,4)",
            Arc::new(
                Decimal128Array::from_iter_values(
                    drawn.iter().map(|row| i128::from(row[4] % 10_000_000_000)),
                )
                .with_precision_and_scale(18, 4)
                .unwrap(),
            ),
        ),
        (
            "ts",
            "datetime2(6)",
            Arc::new(TimestampMicrosecondArray::from_iter(drawn.iter().map(
                |row| some(row, 3).then(|| 1_577_836_800_000_000 + row[5] * 150),
            ))),
        ),
        (
            "d",
            "date",
            Arc::new(Date32Array::from_iter_values(
                drawn
                    .iter()
                    .map(|row| 10_957 + i32::try_from(row[6] % 9_497).unwrap()),
            )),
        ),
        (
            "flag",
            "bit",
            Arc::new(BooleanArray::from_iter(
                drawn.iter().map(|row| Some(row[0] & 1 == 1)),
            )),
        ),
    ];
    let fields = columns.iter().map(|(name, sql_type, array)| {
        let remembered = (hygge_mssql::TYPE_KEY.to_owned(), (*sql_type).to_owned());
        Field::new(*name, array.data_type().clone(), true)
            .with_metadata(HashMap::from([remembered]))
    });
    let schema = Schema::new(fields.collect::<Vec<_>>());
    let arrays = columns.iter().map(|(_, _, array)| Arc::clone(array));
    RecordBatch::try_new(Arc::new(schema), arrays.collect()).unwrap()
}

/// The server, in a process of its own.
struct Other {
    child: Child,
    port: String,
    connection: String,
}

impl Other {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let port = line.trim().to_owned();
        let connection = format!(
            "Server=127.0.0.1,{port};Database=test;User ID={USER};Password={PASSWORD};Encrypt=true;\
             TrustServerCertificate=true"
        );
        Self {
            child,
            port,
            connection,
        }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn serve() {
    let options = Options {
        largest_packet: 32_767,
        ..Options::default()
    };
    let server = Server::start(options).unwrap();
    server.keep_log(false);
    println!("{}", server.address().port());
    // Until whoever started it is gone.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

struct Bench {
    registry: Registry,
    place: BuildContext,
    connection: String,
    packet: u16,
    splits: usize,
}

impl Bench {
    fn settings(&self, more: &Value) -> Settings {
        let mut settings = json!({
            "connection_string": self.connection, "packet_size": self.packet,
            "pool_size": self.splits + 2,
        });
        let object = settings.as_object_mut().unwrap();
        object.extend(more.as_object().unwrap().clone());
        Settings::new(settings, ["/connection_string".to_owned()])
    }

    fn table(&self) -> (Arc<dyn Home>, Arc<dyn Store>) {
        let kind = self.registry.home("mssql").unwrap();
        let settings = json!({"table": "dbo.wire", "split_by": "id", "splits": self.splits});
        let home = kind.build(&self.settings(&settings), &self.place).unwrap();
        let kind = self.registry.store("mssql").unwrap();
        let settings = json!({"table": "dbo.wire", "create": "if_missing", "adopt": true});
        let store = kind.build(&self.settings(&settings), &self.place).unwrap();
        (home, store)
    }

    fn files(&self) -> (Arc<dyn Home>, Arc<dyn Store>) {
        let settings = Settings::new(json!({"path": "out/wire"}), []);
        let home = self.registry.home("parquet").unwrap();
        let store = self.registry.store("parquet").unwrap();
        let home = home.build(&settings, &self.place).unwrap();
        (home, store.build(&settings, &self.place).unwrap())
    }
}

async fn begun(store: &dyn Store, schema: arrow_schema::SchemaRef) -> Target {
    let entity = EntityId::new("wire", "wire");
    let mut target = Target {
        run: RunId::new(jiff::Timestamp::now(), u64::from(std::process::id())),
        entity: entity.clone(),
        schema,
        action: Action::Replace,
        key: Vec::new(),
        latest_by: None,
        on_schema_change: OnSchemaChange::default(),
        memory: None,
        begun: Value::Null,
    };
    let cx = context();
    store.cleanup(&entity, None, &cx).await.unwrap();
    target.begun = store.begin(&target, &cx).await.unwrap();
    target
}

async fn committed(store: &dyn Store, target: Target, receipts: Vec<Receipt>) {
    let cx = context();
    let receipts = store.prepare(&target, receipts, &cx).await.unwrap();
    let record = CommitRecord {
        version: CommitRecord::VERSION,
        hygge: "wire".into(),
        run: target.run.clone(),
        entity: target.entity.clone(),
        action: target.action,
        key: Vec::new(),
        store_type: String::new(),
        store: Value::Null,
        begun: target.begun.clone(),
        rows: receipts.iter().map(|receipt| receipt.rows).sum(),
        bytes: 0,
        receipts,
        watermark: None,
        position: None,
        schema: Vec::new(),
        began: jiff::Timestamp::now(),
    };
    store.commit(&record, &cx).await.unwrap();
    store.cleanup(&record.entity, None, &cx).await.unwrap();
}

async fn drained(mut reader: Box<dyn Reader>, mut to: Option<&mut Box<dyn Writer>>) -> u64 {
    let mut rows = 0;
    while let Some(step) = reader.next().await.unwrap() {
        rows += step.batch.rows();
        match &mut to {
            Some(writer) => writer.write(step.batch).await.unwrap(),
            None => drop(step),
        }
    }
    rows
}

/// Moves all splits side by side; without a Store the rows are dropped.
async fn moved(
    home: Arc<dyn Home>,
    store: Option<(Arc<dyn Store>, Target)>,
) -> (u64, Vec<Receipt>) {
    let plan = home
        .splits(&SplitRequest::default(), &context())
        .await
        .unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for split in plan.splits {
        tasks.spawn(one(Arc::clone(&home), split, store.clone()));
    }
    let (mut rows, mut receipts) = (0, Vec::new());
    while let Some(done) = tasks.join_next().await {
        let (count, receipt) = done.unwrap();
        rows += count;
        receipts.extend(receipt);
    }
    receipts.sort_by(|a, b| a.split.cmp(&b.split));
    (rows, receipts)
}

async fn one(
    home: Arc<dyn Home>,
    split: Split,
    store: Option<(Arc<dyn Store>, Target)>,
) -> (u64, Option<Receipt>) {
    let want = Want {
        batch_bytes: 2 << 20,
        encoded: None,
        bounds: None,
    };
    let cx = context();
    let reader = home
        .open(&split, &Position::start(), &want, &cx)
        .await
        .unwrap();
    let Some((store, target)) = store else {
        return (drained(reader, None).await, None);
    };
    let mut writer = store.open_writer(&target, &split.id, 1, &cx).await.unwrap();
    let rows = drained(reader, Some(&mut writer)).await;
    (rows, Some(writer.finish().await.unwrap()))
}

struct Clock(f64, Instant);

impl Clock {
    fn start() -> Self {
        Self(cpu(), Instant::now())
    }

    fn tell(&self, what: &str, rows: u64) {
        let million = f64::from(u32::try_from(rows).unwrap()) / 1e6;
        let (spent, passed) = (cpu() - self.0, self.1.elapsed().as_secs_f64());
        println!(
            "{what:<22} {rows:>9} rows  {:>6.2} CPU s a million  {passed:>6.2} wall s",
            spent / million
        );
    }
}

async fn measure(count: i64, splits: usize, packet: u16, way: &str) {
    let other = Other::start();
    let folder = std::env::temp_dir().join(format!("hygge-wire-{}", std::process::id()));
    drop(std::fs::remove_dir_all(&folder));
    let bench = Bench {
        registry: {
            let mut registry = Registry::default();
            hygge_mssql::register(&mut registry);
            hygge_files::register(&mut registry);
            registry
        },
        place: place(&folder),
        connection: other.connection.clone(),
        packet,
        splits,
    };
    let (table, into_table) = bench.table();
    let (files, into_files) = bench.files();
    // The table, in as many splits as are read later.
    let target = begun(into_table.as_ref(), rows(0, 1).schema()).await;
    let mut receipts = Vec::new();
    let part = count / i64::try_from(splits).unwrap();
    for nth in 0..splits {
        let id = hygge_core::SplitId::nth(nth);
        let mut writer = into_table
            .open_writer(&target, &id, 1, &context())
            .await
            .unwrap();
        let first = i64::try_from(nth).unwrap() * part;
        for at in (first..first + part).step_by(10_000) {
            let some = 10_000.min(first + part - at);
            writer.write(Batch::Rows(rows(at, some))).await.unwrap();
        }
        receipts.push(writer.finish().await.unwrap());
    }
    committed(into_table.as_ref(), target, receipts).await;

    if way == "hold" {
        println!("{} {USER} {PASSWORD}", other.port);
        // Until whoever wanted it is gone.
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        return;
    }
    println!("{splits} at once, packets of {packet} bytes");
    let wanted = |name: &str| way == "all" || way == name;
    if wanted("arrow") {
        let clock = Clock::start();
        let (moved, _) = moved(Arc::clone(&table), None).await;
        clock.tell("into Arrow", moved);
    }
    if wanted("parquet") || wanted("bulk") {
        let schema = table
            .splits(&SplitRequest::default(), &context())
            .await
            .unwrap()
            .schema;
        let target = begun(into_files.as_ref(), schema).await;
        let clock = Clock::start();
        let to = (Arc::clone(&into_files), target.clone());
        let (moved, receipts) = moved(Arc::clone(&table), Some(to)).await;
        if wanted("parquet") {
            clock.tell("on to Parquet", moved);
        }
        committed(into_files.as_ref(), target, receipts).await;
    }
    if wanted("bulk") {
        let schema = files
            .splits(&SplitRequest::default(), &context())
            .await
            .unwrap()
            .schema;
        let target = begun(into_table.as_ref(), schema).await;
        let clock = Clock::start();
        let to = (Arc::clone(&into_table), target.clone());
        let (moved, _) = moved(Arc::clone(&files), Some(to)).await;
        clock.tell("Parquet to INSERT BULK", moved);
    }
    drop(std::fs::remove_dir_all(&folder));
}

fn place(folder: &Path) -> BuildContext {
    BuildContext {
        root: folder.to_owned(),
        work: folder.join(".hygge"),
        entity: Some(EntityId::new("wire", "wire")),
        run: None,
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "serve") {
        return serve();
    }
    let number = |nth: usize, otherwise: u32| {
        arguments
            .get(nth)
            .map_or(otherwise, |text| text.parse().unwrap())
    };
    let (count, splits, packet) = (number(0, 1_000_000), number(1, 1), number(2, 8_000));
    let way = arguments.get(3).map_or("all", String::as_str);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(measure(
        i64::from(count),
        usize::try_from(splits).unwrap(),
        u16::try_from(packet).unwrap(),
        way,
    ));
}
