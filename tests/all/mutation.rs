//! Foreign bytes, mutated: what reads them says no, or reads something, and never panics.
//!
//! This is the fuzzing that runs in CI, on stable and in one process: a seed that is printed,
//! a bound on tries instead of on time. `HYGGE_TEST_TRIES` raises the bound for a longer look.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use futures::executor::block_on;
use hygge_core::{
    Action, BuildContext, Context, EntityId, Fault, Position, Result, RunId, Settings,
    SplitRequest, Target, Want,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Chance, fixture, say};

/// How often each input is mutated.
fn tries() -> u64 {
    std::env::var("HYGGE_TEST_TRIES").map_or(120, |text| text.parse().unwrap())
}

/// Values at which parsers trip.
const EDGES: &[&[u8]] = &[
    &[0x00],
    &[0xff],
    &[0x7f],
    &[0x80],
    &[0xff, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0x7f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    &[0x00, 0x00, 0x00, 0x80],
    b"\"",
    b"\n",
    b"{",
    b"]",
    b"&a",
    b"*a",
    b"<<: ",
    b"${",
    b"\xc3",
    b"1e999",
    b"-9223372036854775809",
];

/// One to four changes: a bit, a byte range replaced, removed, or repeated elsewhere.
fn mutate(bytes: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=chance.below(4) {
        if bytes.is_empty() {
            break;
        }
        let at =
            |chance: &mut Chance, len: usize| usize::try_from(chance.below(len as u64)).unwrap();
        let from = at(chance, bytes.len());
        match chance.below(6) {
            0 | 1 => bytes[from] ^= 1 << chance.below(8),
            2 | 3 => {
                let edge = EDGES[at(chance, EDGES.len())];
                let to = (from + edge.len()).min(bytes.len());
                bytes.splice(from..to, edge.iter().copied());
            }
            4 => {
                let to = (from + 1 + at(chance, 64)).min(bytes.len());
                bytes.drain(from..to);
            }
            _ => {
                let to = (from + 1 + at(chance, 64)).min(bytes.len());
                let piece = bytes[from..to].to_vec();
                let into = at(chance, bytes.len());
                bytes.splice(into..into, piece);
            }
        }
    }
    bytes
}

/// Moves one file as the engine would, in this thread: read, written, finished.
fn moved(root: &Path, home: &Value, store: &Value) -> Result<u64> {
    let registry = hygge::registry();
    let place = BuildContext {
        root: root.to_owned(),
        work: root.join(".hygge"),
        entity: None,
        run: None,
    };
    let kind = |value: &Value| value["kind"].as_str().unwrap().to_owned();
    let settings = |value: &Value| Settings::new(value["settings"].clone(), []);
    let home_kind = registry.home(&kind(home)).unwrap();
    let store_kind = registry.store(&kind(store)).unwrap();
    let problem = |problems: Vec<hygge_core::Problem>| {
        Fault::new(hygge_core::code::CONFIG, problems[0].message.clone())
    };
    home_kind.plan(&settings(home), &place).map_err(problem)?;
    let encoded = store_kind
        .plan(&settings(store), &place)
        .map_err(problem)?
        .capabilities
        .encoded;
    let home = home_kind.build(&settings(home), &place)?;
    let store = store_kind.build(&settings(store), &place)?;
    let cx = Context::inline();
    block_on(async {
        let plan = home.splits(&SplitRequest::default(), &cx).await?;
        let mut target = Target {
            run: RunId::parse("20010909t014640z-zzzzzz").unwrap(),
            entity: EntityId::new("f", "e"),
            schema: Arc::clone(&plan.schema),
            action: Action::Replace,
            key: Vec::new(),
            latest_by: None,
            on_schema_change: hygge_core::OnSchemaChange::default(),
            memory: None,
            begun: Value::Null,
        };
        target.begun = store.begin(&target, &cx).await?;
        let mut rows = 0;
        for split in &plan.splits {
            let want = Want {
                batch_bytes: 1 << 20,
                encoded,
                bounds: None,
            };
            let mut reader = home.open(split, &Position::start(), &want, &cx).await?;
            let mut writer = store.open_writer(&target, &split.id, 1, &cx).await?;
            while let Some(step) = reader.next().await? {
                rows += step.batch.rows();
                writer.write(step.batch).await?;
            }
            writer.finish().await?;
        }
        Ok(rows)
    })
}

/// Mutates a file again and again and moves it; a panic is a failure, also one that was caught
/// and made a fault.
fn never_panics(test: &str, name: &str, bytes: &[u8], home: &Value, stores: &[Value]) {
    let seed = Chance::seed(test);
    let mut chance = Chance::new(seed, name);
    let folder = TempDir::with_prefix("hygge-mutation-").unwrap();
    let (mut read, mut refused) = (0, 0);
    for nth in 0..tries() {
        let mutated = mutate(bytes, &mut chance);
        fs::write(folder.path().join(name), &mutated).unwrap();
        for store in stores {
            match moved(folder.path(), home, store) {
                Ok(_) => read += 1,
                Err(fault) => {
                    refused += 1;
                    assert!(
                        fault.code != hygge_core::code::INTERNAL,
                        "{name}, try {nth} of seed {seed}, store {store}: {fault:?}"
                    );
                }
            }
        }
    }
    say(&format!("{name}: {read} read, {refused} refused"));
    assert!(refused > 0, "no mutation of {name} was ever noticed");
}

fn end(kind: &str, settings: &Value) -> Value {
    json!({"kind": kind, "settings": settings})
}

#[test]
fn parquet() {
    let stores = [
        end("parquet", &json!({"path": "copied/"})),
        end("parquet", &json!({"path": "verified/", "verify": true})),
        end("parquet", &json!({"path": "rewritten/", "rewrite": true})),
    ];
    for name in [
        "alltypes_plain.snappy.parquet",
        "datapage_v1-snappy-compressed-checksum.parquet",
        "datapage_v2.snappy.parquet",
        "data_index_bloom_encoding_stats.parquet",
        "delta_length_byte_array.parquet",
        "nested_maps.snappy.parquet",
        "sort_columns.parquet",
    ] {
        let bytes = fs::read(fixture(&format!("parquet-testing/data/{name}"))).unwrap();
        let home = end("parquet", &json!({"path": name}));
        never_panics("parquet", name, &bytes, &home, &stores);
    }
}

#[test]
fn text() {
    let stores = [end("parquet", &json!({"path": "lake/"}))];
    let csv = "id,name,price,at,ok\n1,\"a, \"\"b\"\"\",1.50,2024-01-01T00:00:00Z,true\n\
               2,,-3e10,2024-02-30,false\n3,\"two\nlines\",NaN,,\n";
    for options in [
        json!({}),
        json!({"header": false}),
        json!({"delimiter": ";", "quote": "'"}),
        json!({"null_values": ["", "NaN"], "escape": "\\"}),
        json!({"schema": {"id": "int64", "price": "decimal(18, 2)", "at": "timestamp"}}),
    ] {
        let mut settings = options;
        settings["path"] = json!("a.csv");
        never_panics(
            "text",
            "a.csv",
            csv.as_bytes(),
            &end("csv", &settings),
            &stores,
        );
    }
    let lines = "{\"id\": 1, \"tags\": [\"a\", null], \"at\": {\"x\": 1.5}}\n{\"id\": null}\n";
    let home = end("ndjson", &json!({"path": "a.ndjson"}));
    never_panics("text", "a.ndjson", lines.as_bytes(), &home, &stores);
}

#[test]
fn arrow() {
    let orders = crate::harness::Orders::new(0..50).batch();
    let mut bytes = Vec::new();
    let mut writer = arrow_ipc::writer::FileWriter::try_new(&mut bytes, &orders.schema()).unwrap();
    writer.write(&orders).unwrap();
    writer.finish().unwrap();
    drop(writer);
    let home = end("arrow", &json!({"path": "a.arrow"}));
    let stores = [end("parquet", &json!({"path": "lake/"}))];
    never_panics("arrow", "a.arrow", &bytes, &home, &stores);
}
