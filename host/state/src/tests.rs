//! Both backends against the same checks, and the local files against what files suffer.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use futures::executor::block_on;
use hygge_core::{EntityId, InlineWorkers, Position, Watermark, WatermarkType, code};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::conformance::{self, attempt, intent, memories, split, state};
use crate::{Columns, EntityState, LocalState, MemoryState, StateStore};

fn open(work: &Path) -> LocalState {
    LocalState::open(work, Arc::new(InlineWorkers))
}

fn orders() -> EntityId {
    EntityId::new("sales", "orders")
}

#[test]
fn memory_conforms() {
    block_on(conformance::check(&MemoryState::new())).unwrap();
}

#[test]
fn local_files_conform() {
    let folder = tempfile::tempdir().unwrap();
    block_on(conformance::check(&open(&folder.path().join(".hygge")))).unwrap();
}

#[test]
fn looking_creates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join(".hygge"));
    block_on(async {
        store.load(&orders()).await.unwrap();
        store.list().await.unwrap();
        store.memory(&orders(), "store").await.unwrap();
        store.intent(&orders()).await.unwrap();
        store.attempt(&orders()).await.unwrap();
        store.drop_attempt(&orders()).await.unwrap();
        store.reset(&orders()).await.unwrap();
        store.runs(1).await.unwrap();
    });
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    assert_eq!(store.fsyncs(), 0);
}

#[test]
fn a_state_file_reads_well() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block_on(store.close(&state(&orders(), 1), &memories(&[("store", Some("x"))]))).unwrap();
    let text = fs::read_to_string(folder.path().join("state/sales/orders.state.yml")).unwrap();
    assert_eq!(
        text,
        "\
# What hygge remembers of this entity; `hygge state` shows and changes it.
version: 1
flow: sales
entity: orders
status: committed
last_run: \"2026-11-18T11:06:41Z\"
run_id: 20261118t110641000z-100000
rows_processed: 1
watermark:
  column: updated_at
  value: \"2026-11-22T17:08:09.123456Z\"
  type: timestamp[us, utc]
location: data/orders
ends:
  home: csv landing/orders
  store: parquet data/orders
  filled: true
action: append
position:
  at: 1
  files:
  - a
  - b
window:
  columns:
  - id
  low: \"5\"
columns:
  id: int64
columns_before:
  fax: string
memories:
  store:
    file: orders.store.5c7401c0ec22eeeeeaf06c6480b2cd11.bin
    bytes: 1
    xxh3: 5c7401c0ec22eeeeeaf06c6480b2cd11
checksum: \"2c36cfd203f3c2bd\"
"
    );
}

#[test]
fn what_people_write_by_hand_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block_on(store.close(&state(&orders(), 1), &Vec::new())).unwrap();
    let path = folder.path().join("state/sales/orders.state.yml");
    let text = fs::read_to_string(&path).unwrap();
    let text = text
        .replace(
            "value: \"2026-11-22T17:08:09.123456Z\"",
            "value: 42 # by hand",
        )
        .replace("timestamp[us, utc]", "integer")
        .replace("version: 1", "version: 1\nof_a_later_version: {x: 1}");
    let (text, _) = text.rsplit_once("checksum: ").unwrap();
    let text = format!("{text}checksum: by hand\n");
    fs::write(&path, text).unwrap();
    let read = block_on(store.load(&orders())).unwrap().unwrap();
    assert_eq!(read.watermark.unwrap().value, "42");
}

#[test]
fn damage_is_said_and_never_taken_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block_on(store.close(&state(&orders(), 1), &memories(&[("store", Some("x"))]))).unwrap();
    let path = folder.path().join("state/sales/orders.state.yml");
    let whole = fs::read_to_string(&path).unwrap();
    let cases = [
        (String::new(), ""),
        (whole[..40].to_owned(), ""),
        (
            whole.replace("rows_processed: 1", "rows_processed: many"),
            ":8 ",
        ),
        (whole.replace("  column: updated_at", "\tcolumn: [x"), ""),
        (
            whole.replace("value: \"2026-11", "value: \"2026-22"),
            ":11 ",
        ),
        (
            whole.replace("entity: orders", "entity: customers"),
            "sales.customers, not of sales.orders",
        ),
        (whole.replace("version: 1", "version: 2"), "format 2"),
    ];
    for (text, expected) in cases {
        fs::write(&path, &text).unwrap();
        let fault = block_on(store.load(&orders())).unwrap_err();
        assert_eq!(fault.code, code::STATE);
        assert!(
            fault.message.contains("orders.state.yml"),
            "{}",
            fault.message
        );
        assert!(
            fault.message.contains(expected),
            "{} in {text}",
            fault.message
        );
        assert!(!fault.message.contains('\n'), "{}", fault.message);
        assert!(fault.advice.is_some());
        let listed = block_on(store.list()).unwrap();
        let [Err(listed)] = listed.as_slice() else {
            panic!("{listed:?}");
        };
        assert_eq!(listed, &fault, "in {text}");
        assert!(block_on(store.close(&state(&orders(), 2), &Vec::new())).is_err());
    }
    fs::write(&path, b"version: 1\nflow: \xff\n").unwrap();
    let fault = block_on(store.load(&orders())).unwrap_err();
    assert!(
        fault
            .message
            .ends_with("orders.state.yml:2 can't be read: not UTF-8")
    );
    // A person may still choose to forget it.
    assert!(block_on(store.reset(&orders())).unwrap());
    assert_eq!(block_on(store.load(&orders())).unwrap(), None);
}

#[test]
fn a_damaged_memory_or_intent_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block_on(store.close(&state(&orders(), 1), &memories(&[("store", Some("x"))]))).unwrap();
    let sales = folder.path().join("state/sales");
    let memory = fs::read_dir(&sales)
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.extension().is_some_and(|e| e == "bin"))
        .unwrap();
    fs::write(&memory, "y").unwrap();
    let fault = block_on(store.memory(&orders(), "store")).unwrap_err();
    assert!(fault.message.contains("its content isn't what was written"));
    fs::remove_file(&memory).unwrap();
    let fault = block_on(store.memory(&orders(), "store")).unwrap_err();
    assert!(fault.message.contains("it isn't there"));

    fs::write(
        sales.join("orders.intent.json"),
        "{\"version\": 1,\n\"intent\": {",
    )
    .unwrap();
    let fault = block_on(store.intent(&orders())).unwrap_err();
    assert!(fault.message.contains("orders.intent.json:2 can't be read"));
    fs::write(sales.join("orders.intent.json"), "{\"version\": 9}").unwrap();
    let fault = block_on(store.intent(&orders())).unwrap_err();
    assert!(fault.message.contains("format 9"));
    assert!(block_on(store.reset(&orders())).unwrap());
    assert_eq!(fs::read_dir(&sales).unwrap().count(), 0);
}

#[test]
fn a_torn_last_line_is_nothing_and_other_damage_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let path = folder.path().join("state/sales/orders.attempt.jsonl");
    block_on(async {
        store.begin_attempt(&orders(), &attempt(1)).await.unwrap();
        store.split_done(&orders(), &split(0, 1)).await.unwrap();
        store.split_done(&orders(), &split(1, 1)).await.unwrap();
    });
    let whole = fs::read(&path).unwrap();
    let ends: Vec<usize> = (0..whole.len()).filter(|n| whole[*n] == b'\n').collect();
    for length in 0..=whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let lines = ends.iter().filter(|end| **end < length).count();
        let read = block_on(store.attempt(&orders())).unwrap();
        let expected = [split(0, 1), split(1, 1)];
        match lines {
            0 => assert_eq!(read, None),
            n => assert_eq!(read, Some((attempt(1), expected[..n - 1].to_vec()))),
        }
        if lines > 0 {
            // Going on after a torn line puts the next one in its place.
            block_on(store.split_done(&orders(), &split(7, 1))).unwrap();
            let (_, splits) = block_on(store.attempt(&orders())).unwrap().unwrap();
            assert_eq!(splits.last(), Some(&split(7, 1)));
            assert_eq!(splits.len(), lines);
        }
    }
    for at in [ends[0] + 3, ends[0]] {
        let mut damaged = whole.clone();
        damaged[at] = b'#';
        fs::write(&path, damaged).unwrap();
        let fault = block_on(store.attempt(&orders())).unwrap_err();
        assert!(fault.message.contains("orders.attempt.jsonl:"), "{fault}");
    }
}

#[test]
fn a_closed_intent_that_comes_back_stays_closed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let sales = folder.path().join("state/sales");
    let kept = ["orders.intent.json", "orders.attempt.jsonl"];
    block_on(async {
        store.begin_attempt(&orders(), &attempt(1)).await.unwrap();
        store.split_done(&orders(), &split(0, 1)).await.unwrap();
        store
            .put_intent(&intent(&orders(), 1), &Vec::new())
            .await
            .unwrap();
        let copies = kept.map(|name| fs::read(sales.join(name)).unwrap());
        let own = EntityState {
            run_id: conformance::run_id(2),
            ..state(&orders(), 1)
        };
        store.close(&own, &Vec::new()).await.unwrap();
        for (name, copy) in kept.iter().zip(copies) {
            fs::write(sales.join(name), copy).unwrap();
        }
        // Also when a later run finished what the first began.
        assert_eq!(store.intent(&orders()).await.unwrap(), None);
        assert_eq!(store.attempt(&orders()).await.unwrap(), None);
        store.close(&own, &Vec::new()).await.unwrap();
    });
    assert!(kept.iter().all(|name| !sales.join(name).exists()));
}

#[test]
fn runs_without_a_whole_record_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block_on(store.put_run(&conformance::run(1))).unwrap();
    let runs = folder.path().join("runs");
    for (run, content) in [
        ("20991231t000000z-aaaaaa", "{\"run\":"),
        ("20991231t000000z-bbbbbb", ""),
    ] {
        fs::create_dir(runs.join(run)).unwrap();
        fs::write(runs.join(run).join("run.json"), content).unwrap();
    }
    fs::create_dir(runs.join("20991231t000000z-cccccc")).unwrap();
    fs::write(runs.join("stray"), "").unwrap();
    assert_eq!(block_on(store.runs(5)).unwrap(), [conformance::run(1)]);
    let torn = hygge_core::RunId::parse("20991231t000000z-aaaaaa").unwrap();
    assert!(block_on(store.run(&torn)).is_err());
}

#[test]
fn many_at_once_share_the_syncs_of_their_folder() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let threads = 16;
    let each = 8;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let store = store.clone();
            scope.spawn(move || {
                for n in 0..each {
                    let entity = EntityId::new("sales", format!("e{thread}.{n}"));
                    block_on(store.put(&state(&entity, n), &Vec::new())).unwrap();
                }
            });
        }
    });
    assert_eq!(block_on(store.list()).unwrap().len(), threads * 8);
    let files = (threads * 8) as u64;
    // One sync a file can't be shared; one a folder can.
    assert!(store.fsyncs() > files);
    assert!(store.fsyncs() < 2 * files, "{} for {files}", store.fsyncs());
}

fn odd_text() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(vec![
            "",
            " ",
            "yes",
            "no",
            "on",
            "y",
            "null",
            "~",
            "true",
            "False",
            "1e3",
            "1_000",
            "0x1F",
            "0o7",
            "012",
            ".inf",
            "-.inf",
            ".nan",
            "nan",
            "2013-01-01",
            "12:30:45",
            "- a",
            "-",
            "?",
            ":",
            "a: b",
            "a #b",
            "#",
            "&a",
            "*a",
            "!!str",
            "|",
            ">",
            "%",
            "@",
            "`",
            "'",
            "\"",
            "\\",
            "{}",
            "[]",
            "{a",
            "\n",
            "a\n",
            "\na",
            "a\n\nb\n\n",
            "  a\n b",
            "a\r\nb",
            "\t",
            "\ta",
            "a\t",
            "\u{85}",
            "\u{2028}",
            "\u{feff}",
            "\u{0}",
            "\u{7f}",
            "---",
            "...",
            "--- a",
            "<<",
            "=",
            "\u{1F600}",
            "\u{1b}[0m",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
        "[ -~\n\t]{0,120}",
    ]
}

fn odd_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON has no such number", |f| f.is_finite())
            .prop_map(Value::from),
        proptest::sample::select(vec![0.0, 1.0, -1.0, 1e300, 1e-300, 5e15, 1e16, 0.1])
            .prop_map(Value::from),
        odd_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((odd_text(), inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn a_state_reads_back_as_it_was_written(
        flow in odd_text(), entity in odd_text(), status in odd_text(), location in odd_text(),
        column in odd_text(), number in any::<i64>(), rows in any::<u64>(),
        position in odd_value(), window in odd_value(),
        columns in proptest::collection::btree_map(odd_text(), odd_text(), 0..4),
    ) {
        let kind = WatermarkType::Integer;
        let written = EntityState {
            flow, entity, status, location,
            watermark: Some(Watermark { column, value: kind.show(number.into()), kind }),
            rows_processed: rows,
            // A null position is the same as none.
            position: (!position.is_null()).then_some(Position(position)),
            window: (!window.is_null()).then_some(window),
            // In an order of their own.
            columns: Columns(columns.into_iter().rev().collect()),
            ..state(&orders(), 1)
        };
        let sheet = crate::sheet::Sheet {
            state: written, closed: Some(conformance::run_id(1)), memories: Default::default(),
        };
        let text = sheet.write().unwrap();
        let read = crate::sheet::Sheet::read("x".as_ref(), &text, None);
        prop_assert_eq!(read, Ok(sheet), "{}", String::from_utf8_lossy(&text));
    }
}

#[test]
fn a_deep_or_long_position_reads_back_or_is_refused_in_time() {
    let nested = |levels| (0..levels).fold(json!(1), |inside, _| json!([inside]));
    let long: Vec<Value> = (0..400_000).map(Value::from).collect();
    for value in [nested(24), json!({"a": nested(23)}), Value::from(long)] {
        let sheet = crate::sheet::Sheet {
            state: EntityState {
                position: Some(Position(value)),
                ..state(&orders(), 1)
            },
            closed: None,
            memories: Default::default(),
        };
        let text = sheet.write().unwrap();
        let read = crate::sheet::Sheet::read("x".as_ref(), &text, None);
        assert!(read.is_ok_and(|r| r == sheet));
    }
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut deep = intent(&orders(), 1);
    deep.record.position = Some(Position(nested(25)));
    assert!(block_on(store.put_intent(&deep, &Vec::new())).is_err());
    assert_eq!(block_on(store.intent(&orders())).unwrap(), None);

    // Not written by hygge, but not a reason to fall over either.
    block_on(store.put(&state(&orders(), 1), &Vec::new())).unwrap();
    let path = folder.path().join("state/sales/orders.state.yml");
    let text = format!("version: 1\nposition: {}", "[".repeat(100_000));
    fs::write(path, text).unwrap();
    assert!(block_on(store.load(&orders())).is_err());
}
