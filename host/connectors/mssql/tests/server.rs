//! The connector against a server: what is written is read again, whatever its type.
//!
//! Runs on the server made for tests, or on the one that `HYGGE_TEST_MSSQL` holds a connection
//! string of. The whole program is tested in tests/all/mssql.rs.

#![expect(
    clippy::unwrap_used,
    reason = "in a test a panic is the report, also outside of #[test] functions"
)]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int16Array, Int32Array, Int64Array, RecordBatch, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray, UInt8Array,
};
use arrow_schema::{Field, Schema};
use hygge_core::{
    Action, Batch, BuildContext, CommitRecord, Context, EntityId, Home, Memory, Position, Registry,
    Result, RunId, Settings, Share, Silent, SplitId, SplitRequest, Stop, Store, Target, Want,
    Workers,
};
use hygge_tds_server::{Effect, Fault, Options, PASSWORD, Server, USER};
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

fn context() -> Context {
    let share: Share = Memory::new(256 << 20).join();
    Context {
        workers: Arc::new(Threads(tokio::runtime::Handle::current())),
        share: Arc::new(share),
        stop: Stop::default(),
        notes: Arc::new(Silent),
    }
}

/// A server, and the connector that is set up for it.
struct Scene {
    server: Option<Server>,
    registry: Registry,
    string: String,
    place: BuildContext,
}

impl Scene {
    fn new() -> Self {
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
        Self {
            string: real.unwrap_or_else(|| made(server.as_ref().unwrap())),
            server,
            registry,
            place: BuildContext {
                root: "/p".into(),
                work: "/p/.hygge".into(),
                entity: Some(EntityId::new("f", "e")),
            },
        }
    }

    /// The same server, to another process.
    fn forget(&mut self) {
        self.registry = Registry::default();
        hygge_mssql::register(&mut self.registry);
    }

    fn settings(&self, more: &Value) -> Settings {
        let mut settings = json!({ "connection_string": self.string });
        let object = settings.as_object_mut().unwrap();
        object.extend(more.as_object().unwrap().clone());
        Settings::new(settings, ["/connection_string".to_owned()])
    }

    fn home(&self, more: &Value) -> Arc<dyn Home> {
        let kind = self.registry.home("mssql").unwrap();
        let settings = self.settings(more);
        kind.plan(&settings, &self.place).unwrap();
        kind.build(&settings, &self.place).unwrap()
    }

    fn store(&self, more: &Value) -> Arc<dyn Store> {
        let kind = self.registry.store("mssql").unwrap();
        let settings = self.settings(more);
        kind.plan(&settings, &self.place).unwrap();
        kind.build(&settings, &self.place).unwrap()
    }
}

fn run() -> RunId {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    RunId::new(jiff::Timestamp::now(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Writes batches as one split each, and commits them.
async fn write(store: &dyn Store, batches: &[RecordBatch], action: Action) -> Result<()> {
    let record = stage(store, batches, action, &[]).await?;
    let cx = context();
    store.commit(&record, &cx).await?;
    // The same again changes nothing.
    store.commit(&record, &cx).await?;
    store.cleanup(&record.entity, None, &cx).await
}

/// Stages batches as one split each, up to the intent.
async fn stage(
    store: &dyn Store,
    batches: &[RecordBatch],
    action: Action,
    key: &[&str],
) -> Result<CommitRecord> {
    let cx = context();
    let entity = EntityId::new("f", "e");
    let mut target = Target {
        run: run(),
        entity: entity.clone(),
        schema: batches[0].schema(),
        action,
        key: key.iter().map(|name| (*name).to_owned()).collect(),
        latest_by: None,
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

async fn read(home: &dyn Home) -> Result<Vec<RecordBatch>> {
    read_by(home, &SplitRequest::default()).await
}

async fn read_by(home: &dyn Home, request: &SplitRequest) -> Result<Vec<RecordBatch>> {
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

/// Columns of every type, each with its ends, a NULL, and what else is easily got wrong.
fn every_type() -> Vec<(&'static str, &'static str, ArrayRef)> {
    let long = "x".repeat(9_000);
    let micros = |values: [i64; 3]| {
        TimestampMicrosecondArray::from(vec![
            Some(values[0]),
            None,
            Some(values[1]),
            Some(values[2]),
        ])
    };
    // 0001-01-01, 9999-12-31 and a moment before 1970 with a fraction.
    let (least, most) = (-62_135_596_800_000_000_i64, 253_402_300_799_999_999_i64);
    let texts =
        |a: &str, b: &str, c: &str| StringArray::from(vec![Some(a), None, Some(b), Some(c)]);
    let bytes =
        |a: &[u8], b: &[u8], c: &[u8]| BinaryArray::from(vec![Some(a), None, Some(b), Some(c)]);
    let decimals = |precision, scale, values: [i128; 3]| {
        let values = vec![Some(values[0]), None, Some(values[1]), Some(values[2])];
        let array = Decimal128Array::from(values);
        array.with_precision_and_scale(precision, scale).unwrap()
    };
    let most38 = 10_i128.pow(38) - 1;
    vec![
        (
            "a",
            "tinyint",
            Arc::new(UInt8Array::from(vec![Some(0), None, Some(255), Some(7)])),
        ),
        (
            "b",
            "smallint",
            Arc::new(Int16Array::from(vec![
                Some(i16::MIN),
                None,
                Some(i16::MAX),
                Some(0),
            ])),
        ),
        (
            "c",
            "int",
            Arc::new(Int32Array::from(vec![
                Some(i32::MIN),
                None,
                Some(i32::MAX),
                Some(-1),
            ])),
        ),
        (
            "d",
            "bigint",
            Arc::new(Int64Array::from(vec![
                Some(i64::MIN),
                None,
                Some(i64::MAX),
                Some(1),
            ])),
        ),
        (
            "e",
            "bit",
            Arc::new(BooleanArray::from(vec![
                Some(true),
                None,
                Some(false),
                Some(true),
            ])),
        ),
        (
            "f",
            "decimal(38,38)",
            Arc::new(decimals(38, 38, [most38, -most38, 1])),
        ),
        (
            "g",
            "decimal(9,0)",
            Arc::new(decimals(9, 0, [999_999_999, -999_999_999, 0])),
        ),
        (
            "h",
            "decimal(19,4)",
            Arc::new(decimals(
                19,
                4,
                [10_i128.pow(19) - 1, 1 - 10_i128.pow(19), 5],
            )),
        ),
        (
            "i",
            "money",
            Arc::new(decimals(19, 4, [i64::MAX.into(), i64::MIN.into(), -1])),
        ),
        (
            "j",
            "smallmoney",
            Arc::new(decimals(10, 4, [i32::MAX.into(), i32::MIN.into(), 1])),
        ),
        (
            "k",
            "real",
            Arc::new(Float32Array::from(vec![
                Some(f32::MAX),
                None,
                Some(-1.5e-30),
                Some(0.0),
            ])),
        ),
        (
            "l",
            "float",
            Arc::new(Float64Array::from(vec![
                Some(f64::MAX),
                None,
                Some(-1.5e-300),
                Some(0.1),
            ])),
        ),
        (
            "m",
            "nvarchar(20)",
            Arc::new(texts("", "trailing  ", "grüße 𝄞 中")),
        ),
        ("n", "nvarchar(max)", Arc::new(texts(&long, "", "𝄞"))),
        (
            "o",
            "varchar(20)",
            Arc::new(texts("", "plain  ", "naïve €")),
        ),
        ("p", "varchar(max)", Arc::new(texts(&long, "", "é"))),
        (
            "q",
            "varbinary(20)",
            Arc::new(bytes(b"", &[0, 255, 1], &[0; 20])),
        ),
        (
            "r",
            "varbinary(max)",
            Arc::new(bytes(long.as_bytes(), b"", &[0])),
        ),
        (
            "s",
            "date",
            Arc::new(Date32Array::from(vec![
                Some(-719_162),
                None,
                Some(2_932_896),
                Some(-1),
            ])),
        ),
        (
            "t",
            "time(6)",
            Arc::new(Time64MicrosecondArray::from(vec![
                Some(0),
                None,
                Some(86_399_999_999),
                Some(1),
            ])),
        ),
        ("u", "datetime2(6)", Arc::new(micros([least, most, -1]))),
        (
            "v",
            "datetime2(0)",
            Arc::new(micros([least, most - 999_999, -1_000_000])),
        ),
        (
            "w",
            "datetime2(3)",
            Arc::new(micros([least, most - 999, -1_000])),
        ),
        (
            "x",
            "datetimeoffset(6)",
            Arc::new(micros([least, most, -1]).with_timezone("UTC")),
        ),
        // 1753-01-01, 9999-12-31T23:59:59.997 and a third of a second.
        (
            "y",
            "datetime",
            Arc::new(micros([
                -6_847_804_800_000_000,
                253_402_300_799_997_000,
                333_000,
            ])),
        ),
        (
            "z",
            "smalldatetime",
            Arc::new(micros([
                -2_208_988_800_000_000,
                3_453_321_540_000_000,
                60_000_000,
            ])),
        ),
        (
            "aa",
            "uniqueidentifier",
            Arc::new(texts(
                "00112233-4455-6677-8899-aabbccddeeff",
                "00000000-0000-0000-0000-000000000000",
                "ffffffff-ffff-ffff-ffff-ffffffffffff",
            )),
        ),
        ("ab", "nchar(4)", Arc::new(texts("abcd", "ÄÖÜß", "    "))),
        ("ac", "char(4)", Arc::new(texts("abcd", "wxyz", "    "))),
        (
            "ad",
            "binary(4)",
            Arc::new(bytes(&[1, 2, 3, 4], &[0; 4], &[255; 4])),
        ),
    ]
}

fn batch(columns: &[(&'static str, &'static str, ArrayRef)]) -> RecordBatch {
    let fields = columns.iter().map(|(name, sql_type, array)| {
        let remembered = (hygge_mssql::TYPE_KEY.to_owned(), (*sql_type).to_owned());
        Field::new(*name, array.data_type().clone(), true)
            .with_metadata(HashMap::from([remembered]))
    });
    let schema = Schema::new(fields.collect::<Vec<_>>());
    let arrays = columns.iter().map(|(_, _, array)| Arc::clone(array));
    RecordBatch::try_new(Arc::new(schema), arrays.collect()).unwrap()
}

/// Every type in every column order: each column once at every place, the others behind it.
#[tokio::test(flavor = "multi_thread")]
async fn every_type_in_every_place_comes_back() {
    let scene = Scene::new();
    let mut columns = every_type();
    for turn in 0..columns.len() {
        let table = format!("dbo.hygge_test_types_{turn}");
        let store = scene.store(&json!({"table": table, "create": "if_missing", "adopt": true}));
        let written = batch(&columns);
        write(
            store.as_ref(),
            &[written.clone(), written.clone()],
            Action::Replace,
        )
        .await
        .unwrap_or_else(|fault| panic!("turn {turn}: {fault:?}"));
        let home = scene.home(&json!({"table": table}));
        let found = read(home.as_ref()).await.unwrap();
        let rows: usize = found.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows, 8, "turn {turn}");
        for (n, (name, sql_type, array)) in columns.iter().enumerate() {
            let field = found[0].schema().field(n).clone();
            assert_eq!(field.name(), name);
            assert_eq!(
                field.metadata()[hygge_mssql::TYPE_KEY],
                *sql_type,
                "turn {turn}"
            );
            let mut at = 0;
            for batch in &found {
                for row in 0..batch.num_rows() {
                    let is = batch.column(n).slice(row, 1);
                    let was = array.slice(at % 4, 1);
                    assert_eq!(
                        &is, &was,
                        "turn {turn}, column {name} ({sql_type}), row {at}"
                    );
                    at += 1;
                }
            }
        }
        columns.rotate_left(1);
    }
}

/// A value that doesn't fit is an error that names column, row and value, and nothing arrives.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_named() {
    let scene = Scene::new();
    let table = "dbo.hygge_test_unfit";
    let store = scene.store(&json!({"table": table, "create": "if_missing", "adopt": true}));
    let good: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    write(
        store.as_ref(),
        &[batch(&[("n", "tinyint", good)])],
        Action::Replace,
    )
    .await
    .unwrap();
    let bad: ArrayRef = Arc::new(Int32Array::from(vec![3, 300]));
    let fault = write(
        store.as_ref(),
        &[batch(&[("n", "tinyint", bad)])],
        Action::Append,
    )
    .await
    .unwrap_err();
    assert_eq!(
        fault.message,
        "column \"n\", row 2 of its split: 300 doesn't fit tinyint"
    );
    let found = read(scene.home(&json!({"table": table})).as_ref())
        .await
        .unwrap();
    assert_eq!(found.iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
}

/// The whole numbers of the first column, sorted.
fn numbers(batches: &[RecordBatch]) -> Vec<i64> {
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
async fn thousand(scene: &Scene, table: &str) {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_table_in_pieces_is_the_table() {
    let scene = Scene::new();
    let table = "dbo.hygge_test_pieces";
    thousand(&scene, table).await;
    for (splits, by) in [(1, "n"), (7, "n"), (4, "at"), (5_000, "n")] {
        let home = scene.home(&json!({"table": table, "splits": splits, "split_by": by}));
        let plan = home
            .splits(&SplitRequest::default(), &context())
            .await
            .unwrap();
        assert_eq!(plan.splits.len(), splits.min(1_000), "by {by}");
        if splits > 10 {
            continue;
        }
        let found = read(home.as_ref()).await.unwrap();
        assert_eq!(
            numbers(&found),
            (0..1_000).collect::<Vec<_>>(),
            "{splits} by {by}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_new_begins_at_the_watermark_and_ends_where_it_was_fixed() {
    let scene = Scene::new();
    let table = "dbo.hygge_test_new";
    thousand(&scene, table).await;
    let home = scene.home(&json!({"table": table}));
    let cx = context();
    let kind = hygge_core::WatermarkType::Timestamp {
        per_second: 1_000_000,
        utc: false,
    };
    let request = SplitRequest {
        bounds: Some(hygge_core::Bounds {
            column: "at".into(),
            kind,
            low: 900_000_123,
        }),
        watermark: Some("at".into()),
        ..SplitRequest::default()
    };
    let plan = home.splits(&request, &cx).await.unwrap();
    assert_eq!(plan.high, Some(998_000_123));
    let found = read_by(home.as_ref(), &request).await.unwrap();
    let expected: Vec<i64> = (900..1_000).filter(|n| n % 10 != 9).collect();
    assert_eq!(numbers(&found), expected);
    // Rows that come once it was fixed wait for the next run.
    let late: Vec<(&str, &str, ArrayRef)> = vec![
        ("n", "bigint", Arc::new(Int64Array::from(vec![5_000]))),
        (
            "at",
            "datetime2(6)",
            Arc::new(TimestampMicrosecondArray::from(vec![2_000_000_000])),
        ),
        (
            "text",
            "nvarchar(20)",
            Arc::new(StringArray::from(vec!["late"])),
        ),
    ];
    let store = scene.store(&json!({"table": table}));
    write(store.as_ref(), &[batch(&late)], Action::Append)
        .await
        .unwrap();
    let want = Want {
        batch_bytes: 1 << 20,
        encoded: None,
        bounds: request.bounds.clone(),
    };
    let mut reader = home
        .open(&plan.splits[0], &Position::start(), &want, &cx)
        .await
        .unwrap();
    let mut rows = Vec::new();
    while let Some(step) = reader.next().await.unwrap() {
        if let Batch::Rows(batch) = step.batch {
            rows.push(batch);
        }
    }
    assert_eq!(numbers(&rows), expected);
    assert_eq!(reader.without_watermark(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_read_like_a_table() {
    let scene = Scene::new();
    let table = "dbo.hygge_test_query";
    thousand(&scene, table).await;
    let query = format!("SELECT n, text FROM {table} WHERE n < 10;");
    let home = scene.home(&json!({"query": query, "where": "n > 4 -- not the first"}));
    let found = read(home.as_ref()).await.unwrap();
    assert_eq!(numbers(&found), [5, 6, 7, 8, 9]);
    assert_eq!(found[0].num_columns(), 2);
}

/// Rows of a number and a version each.
fn versions(rows: impl IntoIterator<Item = (i64, i64)>) -> RecordBatch {
    let (numbers, versions): (Vec<i64>, Vec<i64>) = rows.into_iter().unzip();
    batch(&[
        ("n", "bigint", Arc::new(Int64Array::from(numbers))),
        ("version", "bigint", Arc::new(Int64Array::from(versions))),
    ])
}

async fn found(scene: &Scene, table: &str) -> Vec<(i64, i64)> {
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

/// A number and a version each.
type Rows = Vec<(i64, i64)>;

/// What each way of committing makes of ten rows when five known and five new ones come, some of
/// them twice.
fn ways() -> Vec<(Action, Value, Rows)> {
    let old = || (0..10).map(|n| (n, 1));
    let merged: Vec<_> = (0..5)
        .map(|n| (n, 1))
        .chain((5..15).map(|n| (n, 3)))
        .collect();
    let mut appended: Vec<_> = old()
        .chain((5..15).flat_map(|n| [(n, 2), (n, 3)]))
        .collect();
    appended.sort_unstable();
    let replaced: Vec<_> = (5..15).flat_map(|n| [(n, 2), (n, 3)]).collect();
    vec![
        (Action::Replace, json!({"adopt": true}), replaced.clone()),
        (
            Action::Replace,
            json!({"adopt": true, "write_strategy": "truncate_insert"}),
            replaced,
        ),
        (Action::Append, json!({}), appended),
        (Action::Upsert, json!({}), merged.clone()),
        (
            Action::Upsert,
            json!({"write_strategy": "delete_insert"}),
            merged,
        ),
    ]
}

/// Whatever the line is cut at while a commit is under way, the same commit made by another
/// process gives what one commit gives.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_cut_is_finished_by_another_process() {
    let cuts = [
        "SELECT id FROM",
        "BEGIN TRAN",
        "INSERT INTO [dbo].[hygge_commits]",
        "INSERT INTO [dbo].[hygge_test_cut]",
        "COMMIT TRAN",
        "DROP TABLE",
    ];
    for (action, settings, expected) in ways() {
        let swaps = action == Action::Replace && settings["write_strategy"].is_null();
        for cut in cuts {
            let cut = match cut {
                "INSERT INTO [dbo].[hygge_test_cut]" if swaps => "SWITCH TO",
                cut => cut,
            };
            for effect in [Effect::DropBefore, Effect::DropAfter] {
                let mut scene = Scene::new();
                let Some(server) = &scene.server else {
                    return;
                };
                let mut settings = settings.clone();
                settings["table"] = "dbo.hygge_test_cut".into();
                settings["create"] = "if_missing".into();
                let shown = format!("{settings} {action:?} {cut} {effect:?}");
                let store = scene.store(&settings);
                let old = versions((0..10).map(|n| (n, 1)));
                write(store.as_ref(), &[old], Action::Replace)
                    .await
                    .unwrap();
                let key: &[&str] = if action == Action::Upsert {
                    &["n"]
                } else {
                    &[]
                };
                let new = [
                    versions((5..15).map(|n| (n, 2))),
                    versions((5..15).map(|n| (n, 3))),
                ];
                let record = stage(store.as_ref(), &new, action, key).await.unwrap();
                server.fault(Fault::at(cut, effect.clone()));
                let first = store.commit(&record, &context()).await;
                if let Err(fault) = &first {
                    assert!(fault.retryable, "{shown}: {fault:?}");
                }
                assert_eq!(server.faults_struck(), 1, "{shown}: nothing was cut");
                server.clear_faults();
                drop(store);
                scene.forget();
                let store = scene.store(&settings);
                let again = store.commit(&record, &context()).await;
                again.unwrap_or_else(|fault| panic!("{shown}: {fault:?}"));
                store
                    .cleanup(&record.entity, None, &context())
                    .await
                    .unwrap();
                assert_eq!(
                    found(&scene, "dbo.hygge_test_cut").await,
                    expected,
                    "{shown}"
                );
            }
        }
    }
}

/// Runs statements on the server, over a session of their own.
async fn execute(scene: &Scene, sql: &str) -> Vec<String> {
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

/// What a swapped table is made of stays: keys, indexes, constraints, columns that are computed.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_swapped_with_all_it_is_made_of() {
    let scene = Scene::new();
    execute(
        &scene,
        "DROP TABLE IF EXISTS dbo.hygge_test_swap; DROP TABLE IF EXISTS dbo.hygge_test_swap_to; \
         CREATE TABLE dbo.hygge_test_swap_to (id bigint NOT NULL PRIMARY KEY); \
         INSERT INTO dbo.hygge_test_swap_to (id) VALUES (1), (2), (3); \
         CREATE TABLE dbo.hygge_test_swap ( \
           n bigint NOT NULL CONSTRAINT hygge_test_swap_key PRIMARY KEY CLUSTERED, \
           version bigint NOT NULL CHECK (version > 0) REFERENCES dbo.hygge_test_swap_to (id), \
           twice AS (n * 2), \
           state varchar(10) COLLATE Latin1_General_CI_AS NOT NULL DEFAULT 'new'); \
         CREATE UNIQUE INDEX hygge_test_swap_index ON dbo.hygge_test_swap (state, n DESC) INCLUDE (version)",
    )
    .await;
    let made_of = || async {
        execute(
            &scene,
            "SELECT CONCAT(o.type, ' ', o.name) FROM sys.objects AS o \
             WHERE o.parent_object_id = OBJECT_ID('dbo.hygge_test_swap') OR o.name = 'hygge_test_swap' \
             UNION ALL SELECT CONCAT('index ', i.name, ' ', i.is_unique) FROM sys.indexes AS i \
             WHERE i.object_id = OBJECT_ID('dbo.hygge_test_swap') \
             UNION ALL SELECT CONCAT('id ', OBJECT_ID('dbo.hygge_test_swap'))",
        )
        .await
    };
    let before = made_of().await;
    assert!(before.len() >= 7, "{before:?}");
    let settings = json!({"table": "dbo.hygge_test_swap", "write_strategy": "temp_swap"});
    let store = scene.store(&settings);
    for rows in [10, 20] {
        let batches = [
            versions((0..rows).map(|n| (n, 2))),
            versions((rows..rows * 2).map(|n| (n, 3))),
        ];
        write(store.as_ref(), &batches, Action::Replace)
            .await
            .unwrap();
        let count = "SELECT CAST(COUNT(*) AS varchar(9)) FROM dbo.hygge_test_swap \
                     WHERE state = 'new' AND twice = n * 2";
        assert_eq!(execute(&scene, count).await, [(rows * 2).to_string()]);
        assert_eq!(made_of().await, before);
    }
    if let Some(server) = &scene.server {
        assert!(
            server
                .log()
                .iter()
                .any(|logged| logged.text.contains("SWITCH TO"))
        );
    }
    // What breaks a constraint leaves the rows that stand there.
    let wrong = versions([(1, 4)]);
    let fault = write(store.as_ref(), &[wrong], Action::Replace)
        .await
        .unwrap_err();
    assert_eq!(fault.attribute("sql_error"), Some("547"), "{fault:?}");
    let count = "SELECT CAST(COUNT(*) AS varchar(9)) FROM dbo.hygge_test_swap";
    assert_eq!(execute(&scene, count).await, ["40"]);
}

/// A table that can't be swapped says why; without being asked for a swap, it is filled another way.
#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_of_a_swap_is_told() {
    let scene = Scene::new();
    let name = "hygge_test_noswap";
    let columns = "n bigint NOT NULL, version bigint NOT NULL";
    let drop = format!("DROP TABLE IF EXISTS dbo.{name}_from; DROP TABLE IF EXISTS dbo.{name}");
    let settings = json!({"table": format!("dbo.{name}")});
    let mut asked = settings.clone();
    asked["write_strategy"] = "temp_swap".into();
    let rows = || versions([(1, 1), (2, 2)]);
    execute(
        &scene,
        &format!("{drop}; CREATE TABLE dbo.{name} ({columns}, id int NOT NULL IDENTITY)"),
    )
    .await;
    let fault = write(scene.store(&asked).as_ref(), &[rows()], Action::Replace)
        .await
        .unwrap_err();
    assert_eq!(
        fault.message,
        "dbo.hygge_test_noswap can't be swapped: it has an identity column, whose counter would start anew"
    );
    assert_eq!(
        fault.advice.as_deref(),
        Some("`write_strategy: truncate_insert` does it within one transaction")
    );
    write(scene.store(&settings).as_ref(), &[rows()], Action::Replace)
        .await
        .unwrap();
    let count = format!("SELECT CAST(SUM(id) AS varchar(9)) FROM dbo.{name}");
    assert_eq!(execute(&scene, &count).await, ["3"]);
    execute(
        &scene,
        &format!(
            "{drop}; CREATE TABLE dbo.{name} ({columns}, PRIMARY KEY (n)); \
             CREATE TABLE dbo.{name}_from (n bigint NOT NULL REFERENCES dbo.{name} (n))"
        ),
    )
    .await;
    let fault = write(scene.store(&settings).as_ref(), &[rows()], Action::Replace)
        .await
        .unwrap_err();
    assert_eq!(
        fault.message,
        "dbo.hygge_test_noswap can't be replaced as a whole: foreign keys of other tables point to it"
    );
    execute(&scene, &drop).await;
}

/// A server that won't switch is given the next best way, unless somebody insisted.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wont_switch_fills_the_table_instead() {
    let scene = Scene::new();
    let Some(server) = &scene.server else {
        return;
    };
    let table = "dbo.hygge_test_wont";
    execute(
        &scene,
        &format!("CREATE TABLE {table} (n bigint NOT NULL, version bigint NULL)"),
    )
    .await;
    let refusal = hygge_tds_server::SqlError::new(4947, "There is no identical index");
    let fault = || Fault::at("SWITCH TO", Effect::Error(refusal.clone())).always();
    server.fault(fault());
    let store = scene.store(&json!({"table": table}));
    let new = versions((0..10).map(|n| (n, 1)));
    write(store.as_ref(), &[new], Action::Replace)
        .await
        .unwrap();
    assert!(server.faults_struck() > 0);
    assert_eq!(found(&scene, table).await.len(), 10);
    let store = scene.store(&json!({"table": table, "write_strategy": "temp_swap"}));
    let new = versions((0..20).map(|n| (n, 1)));
    let refused = write(store.as_ref(), std::slice::from_ref(&new), Action::Replace)
        .await
        .unwrap_err();
    assert!(!refused.retryable);
    assert_eq!(
        refused.advice.as_deref(),
        Some(
            "`write_strategy: truncate_insert` needs no SWITCH, and does it within one transaction"
        )
    );
    // Who waits too long for readers may try again.
    server.clear_faults();
    let busy = hygge_tds_server::SqlError::new(1222, "Lock request time out period exceeded.");
    server.fault(Fault::at("TRUNCATE", Effect::Error(busy)));
    let fault = write(store.as_ref(), &[new], Action::Replace)
        .await
        .unwrap_err();
    assert!(fault.retryable, "{fault:?}");
    assert_eq!(found(&scene, table).await.len(), 10);
}

/// What a run staged stays as long as it holds its lock, and goes once it doesn't.
#[tokio::test(flavor = "multi_thread")]
async fn staged_rows_of_a_living_run_are_left_alone() {
    let mut scene = Scene::new();
    let settings = json!({"table": "dbo.hygge_test_alive", "create": "if_missing", "adopt": true});
    let store = scene.store(&settings);
    let rows = versions((0..10).map(|n| (n, 1)));
    let record = stage(store.as_ref(), &[rows], Action::Replace, &[])
        .await
        .unwrap();
    let living = std::mem::take(&mut scene.registry);
    scene.forget();
    let other = scene.store(&settings);
    other
        .cleanup(&record.entity, None, &context())
        .await
        .unwrap();
    // It is all there, so it can be committed.
    store.commit(&record, &context()).await.unwrap();
    assert_eq!(found(&scene, "dbo.hygge_test_alive").await.len(), 10);
    let rows = versions((0..20).map(|n| (n, 1)));
    let record = stage(store.as_ref(), &[rows], Action::Replace, &[])
        .await
        .unwrap();
    drop((store, living));
    other
        .cleanup(&record.entity, None, &context())
        .await
        .unwrap();
    let fault = other.commit(&record, &context()).await.unwrap_err();
    assert_eq!(fault.attribute("sql_error"), Some("208"), "{fault:?}");
    // What stood there stands.
    assert_eq!(found(&scene, "dbo.hygge_test_alive").await.len(), 10);
}

/// However many read at once, the server never has more sessions than the pool has places.
#[tokio::test(flavor = "multi_thread")]
async fn a_pool_is_never_larger_than_it_was_asked_to_be() {
    let scene = Scene::new();
    thousand(&scene, "dbo.hygge_test_pool").await;
    let Some(server) = &scene.server else {
        return;
    };
    // Sessions of the setting above may rest; those counted are of a login of their own.
    let resting = server.open_sessions();
    server.reset_counters();
    let mut reads = tokio::task::JoinSet::new();
    for n in 0..20 {
        let settings = json!({
            "table": "dbo.hygge_test_pool", "pool_size": 4, "where": format!("n % 20 = {n}"),
        });
        let home = scene.home(&settings);
        reads.spawn(async move { read(home.as_ref()).await.map(|found| numbers(&found).len()) });
    }
    let counts = reads.join_all().await;
    let counts: Vec<usize> = counts.into_iter().map(Result::unwrap).collect();
    assert_eq!(counts, vec![50; 20]);
    let most = server.most_sessions() - resting;
    assert!(most <= 4, "{most} sessions at once");
    let opened = server.sessions_opened();
    assert!(opened <= 20, "{opened} sessions were opened for 20 tables");
}
