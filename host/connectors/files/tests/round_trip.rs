//! What the Store writes, the Home reads: every format, through the registry, as a run does.

#![expect(
    clippy::unwrap_used,
    reason = "clippy takes the helpers of a test file for code that isn't a test"
)]

use std::path::Path;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use arrow_select::concat::concat_batches;
use futures::executor::block_on;
use hygge_core::{
    Action, Batch, BuildContext, CommitRecord, Context, EntityId, Position, Registry, RunId,
    Settings, SplitId, SplitRequest, Target, Want,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn registry() -> Registry {
    let mut registry = Registry::default();
    hygge_files::register(&mut registry);
    registry
}

fn write(root: &Path, kind: &str, settings: Value, batches: &[RecordBatch]) {
    let place = BuildContext {
        root: root.to_owned(),
        work: root.join(".hygge"),
        entity: None,
        run: None,
    };
    let settings = Settings::new(settings, []);
    let store = registry()
        .store(kind)
        .unwrap()
        .build(&settings, &place)
        .unwrap();
    let cx = Context::inline();
    let entity = EntityId::new("flow", "entity");
    let run = RunId::parse("20260101t000001z-aaaaaa").unwrap();
    let mut target = Target {
        run: run.clone(),
        entity: entity.clone(),
        schema: batches[0].schema(),
        action: Action::Replace,
        key: Vec::new(),
        latest_by: None,
        on_schema_change: hygge_core::OnSchemaChange::default(),
        memory: None,
        begun: Value::Null,
    };
    block_on(async {
        target.begun = store.begin(&target, &cx).await.unwrap();
        let split = SplitId::nth(0);
        let mut writer = store.open_writer(&target, &split, 1, &cx).await.unwrap();
        for batch in batches {
            writer.write(Batch::Rows(batch.clone())).await.unwrap();
        }
        let receipt = writer.finish().await.unwrap();
        let receipts = store.prepare(&target, vec![receipt], &cx).await.unwrap();
        let rows: u64 = receipts.iter().map(|r| r.rows).sum();
        let record: Value = json!({
            "version": CommitRecord::VERSION, "hygge": "test", "run": run, "entity": entity,
            "action": "replace", "store_type": kind, "store": settings.redacted(),
            "begun": target.begun, "receipts": receipts, "watermark": null, "position": null,
            "schema": [], "rows": rows, "bytes": 0, "began": "2026-01-01T00:00:00Z",
        });
        let record: CommitRecord = serde_json::from_value(record).unwrap();
        store.commit(&record, &cx).await.unwrap();
    });
}

fn read(root: &Path, kind: &str, settings: Value, batch_bytes: usize) -> RecordBatch {
    let place = BuildContext {
        root: root.to_owned(),
        work: root.join(".hygge"),
        entity: None,
        run: None,
    };
    let settings = Settings::new(settings, []);
    let kind = Arc::clone(registry().home(kind).unwrap());
    kind.plan(&settings, &place).unwrap();
    let home = kind.build(&settings, &place).unwrap();
    let cx = Context::inline();
    let want = Want {
        batch_bytes,
        encoded: None,
        bounds: None,
    };
    block_on(async {
        let plan = home.splits(&SplitRequest::default(), &cx).await.unwrap();
        let mut batches = Vec::new();
        for split in &plan.splits {
            let mut reader = home
                .open(split, &Position::start(), &want, &cx)
                .await
                .unwrap();
            while let Some(step) = reader.next().await.unwrap() {
                match step.batch {
                    Batch::Rows(rows) => batches.push(rows),
                    Batch::Encoded(_) => panic!("encoded rows weren't asked for"),
                }
            }
        }
        concat_batches(&plan.schema, &batches).unwrap()
    })
}

type Row = (
    Option<String>,
    Option<i64>,
    Option<f64>,
    Option<bool>,
    Option<i32>,
    Option<i64>,
    Option<i64>,
);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let text = prop::option::of("[a1,;\"'\\\\\n\r\t é{}]{0,6}");
    let row = (
        text,
        any::<Option<i64>>(),
        prop::option::of(-1e300..1e300),
        any::<Option<bool>>(),
        prop::option::of(-100_000..100_000_i32),
        prop::option::of(-4_000_000_000_000_000..4_000_000_000_000_000_i64),
        prop::option::of(-999_999_999..999_999_999_i64),
    );
    prop::collection::vec(row, 1..40)
}

fn batch(rows: &[Row]) -> RecordBatch {
    let decimals: Decimal128Array = rows.iter().map(|r| r.6.map(i128::from)).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "text",
            Arc::new(rows.iter().map(|r| r.0.clone()).collect::<StringArray>()),
        ),
        (
            "whole",
            Arc::new(rows.iter().map(|r| r.1).collect::<Int64Array>()),
        ),
        (
            "real",
            Arc::new(rows.iter().map(|r| r.2).collect::<Float64Array>()),
        ),
        (
            "truth",
            Arc::new(rows.iter().map(|r| r.3).collect::<BooleanArray>()),
        ),
        (
            "day",
            Arc::new(rows.iter().map(|r| r.4).collect::<Date32Array>()),
        ),
        (
            "at",
            Arc::new(
                rows.iter()
                    .map(|r| r.5)
                    .collect::<TimestampMicrosecondArray>(),
            ),
        ),
        (
            "price",
            Arc::new(decimals.with_precision_and_scale(18, 3).unwrap()),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true)))
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn rows_come_back(
        rows in rows(),
        (kind, compression) in prop_oneof![
            Just(("csv", "none")), Just(("csv", "gzip")), Just(("csv", "zstd")),
            Just(("ndjson", "none")), Just(("ndjson", "gzip")),
            Just(("parquet", "zstd")), Just(("parquet", "snappy")),
            Just(("arrow", "none")), Just(("arrow", "lz4")),
        ],
        batch_bytes in 1_usize..2_000,
        chunk in 1_usize..40,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let whole = batch(&rows);
        let parts: Vec<RecordBatch> = (0..rows.len())
            .step_by(chunk)
            .map(|at| whole.slice(at, chunk.min(rows.len() - at)))
            .collect();
        write(folder.path(), kind, json!({"path": "out", "compression": compression}), &parts);
        let mut settings = json!({"path": "out"});
        if ["csv", "ndjson"].contains(&kind) {
            settings["schema"] = json!({
                "text": "string", "whole": "int64", "real": "float64", "truth": "bool",
                "day": "date", "at": "timestamp[us]", "price": "decimal(18, 3)",
            });
        }
        let back = read(folder.path(), kind, settings, batch_bytes);
        for (at, field) in whole.schema().fields().iter().enumerate() {
            let column = back.column_by_name(field.name());
            prop_assert_eq!(column, Some(whole.column(at)), "{} of {}", field.name(), kind);
        }
        prop_assert_eq!(back.num_columns(), whole.num_columns());
    }
}
