//! A guest that is all three at once, written on the bare bindings: what stands between it and
//! the contract is nothing.

mod rows;

use std::cell::RefCell;
use std::fs;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use serde_json::Value;

wit_bindgen::generate!({
    path: "../../../wit/0.1.0",
    inline: "
        package hygge:sample;

        world every {
            include hygge:plugin/home-plugin@0.1.0;
            include hygge:plugin/store-plugin@0.1.0;
            include hygge:plugin/transform-plugin@0.1.0;
        }
    ",
    world: "hygge:sample/every",
    generate_all,
});

use exports::hygge::plugin::{describe, home, store, transform};
use hygge::plugin::types::{Entity, Fault, Finding};
use hygge::plugin::{control, log, state};

const DESCRIPTION: &str = include_str!("describe.json");

/// What can be read without running anything.
#[used]
#[unsafe(link_section = "hygge:describe")]
static SEAL: [u8; DESCRIPTION.len()] = {
    let mut bytes = [0; DESCRIPTION.len()];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = DESCRIPTION.as_bytes()[at];
        at += 1;
    }
    bytes
};

struct Sample;

export!(Sample);

fn fault(code: &str, message: impl ToString) -> Fault {
    Fault {
        code: code.to_owned(),
        message: message.to_string(),
        retryable: false,
        after_ms: None,
        attributes: Vec::new(),
    }
}

fn number(config: &str, key: &str, default: u64) -> u64 {
    let config: Value = serde_json::from_str(config).unwrap_or_default();
    config[key].as_u64().unwrap_or(default)
}

impl describe::Guest for Sample {
    fn describe() -> String {
        DESCRIPTION.to_owned()
    }
}

impl home::Guest for Sample {
    type Reader = Reader;

    fn check(config: String) -> Result<Vec<Finding>, Fault> {
        Ok(vec![Finding {
            ok: true,
            message: format!("{} numbers can be counted", number(&config, "rows", 10)),
            advice: None,
        }])
    }

    fn discover(_: String) -> Result<String, Fault> {
        Ok(r#"{"entities": [{"name": "numbers", "rows": 10}]}"#.to_owned())
    }

    fn splits(
        config: String,
        _: Entity,
        request: home::SplitRequest,
    ) -> Result<home::SplitPlan, Fault> {
        let runs = state::get("runs")?.map_or(0, |bytes| bytes[0]);
        state::set("runs", Some(&[runs + 1]))?;
        let rows = number(&config, "rows", 10);
        let from = request
            .bounds
            .and_then(|bounds| bounds.low.parse().ok())
            .unwrap_or(0_u64);
        let count =
            u64::from(request.max_splits.unwrap_or(u32::MAX)).min(number(&config, "splits", 1));
        let size = (rows - from.min(rows)).div_ceil(count).max(1);
        let splits = (0..count)
            .map(|n| (from + n * size, (from + (n + 1) * size).min(rows)))
            .filter(|(low, high)| low < high)
            .map(|(low, high)| home::Split {
                id: format!("{low:012}"),
                spec: format!("{low} {high}"),
                rows: Some(high - low),
                bytes: Some((high - low) * 8),
            })
            .collect();
        Ok(home::SplitPlan {
            schema: rows::schema(&numbers(&[])),
            splits,
            fingerprint: format!("{rows}"),
            high: None,
            position: Some(format!("{rows} rows, run {}", runs + 1)),
            warnings: Vec::new(),
            attributes: Vec::new(),
        })
    }

    fn open(
        config: String,
        _: Entity,
        split: home::Split,
        resume: Option<String>,
    ) -> Result<home::Reader, Fault> {
        let bad = || fault("source.invalid", format!("no split: {}", split.spec));
        let (low, high) = split.spec.split_once(' ').ok_or_else(bad)?;
        let resumed = resume.is_some();
        let low: i64 = resume
            .as_deref()
            .unwrap_or(low)
            .parse()
            .map_err(|_| bad())?;
        let high: i64 = high.parse().map_err(|_| bad())?;
        log::write("info", &format!("counts from {low} to {high}"), &[]);
        Ok(home::Reader::new(Reader {
            at: RefCell::new(low),
            end: high,
            most: number(&config, "batch", 4_096),
            fail: number(&config, "panic_at", u64::MAX),
            spin: number(&config, "spin_at", u64::MAX),
            flaky: match resumed {
                true => u64::MAX,
                false => number(&config, "flaky_at", u64::MAX),
            },
            leak: number(&config, "leak", 0),
        }))
    }

    fn acknowledge(_: String, _: Entity, position: String) -> Result<(), Fault> {
        log::write("info", &format!("is done with {position}"), &[]);
        Ok(())
    }
}

fn numbers(values: &[i64]) -> RecordBatch {
    let column: ArrayRef = std::sync::Arc::new(Int64Array::from(values.to_vec()));
    RecordBatch::try_from_iter_with_nullable([("n", column, false)])
        .expect("one column fits itself")
}

/// Memory that nobody has any more, and that was written to.
fn leak(bytes: u64) {
    let bytes = usize::try_from(bytes).unwrap_or(0);
    std::mem::forget(std::hint::black_box(vec![1_u8; bytes]));
}

struct Reader {
    at: RefCell<i64>,
    end: i64,
    most: u64,
    fail: u64,
    spin: u64,
    flaky: u64,
    leak: u64,
}

impl home::GuestReader for Reader {
    fn schema(&self) -> Result<Vec<u8>, Fault> {
        Ok(rows::schema(&numbers(&[])))
    }

    fn next(&self, max_rows: u32, max_bytes: u64, _: u32) -> Result<Option<home::Step>, Fault> {
        if control::should_stop() {
            return Err(fault("stopped", "asked to stop"));
        }
        let mut at = self.at.borrow_mut();
        let most = self.most.min(u64::from(max_rows)).min(max_bytes / 8).max(1);
        let end = at.saturating_add_unsigned(most).min(self.end);
        if *at >= self.end {
            return Ok(None);
        }
        assert!(
            (end.unsigned_abs()) < self.fail,
            "told to fail at {}",
            self.fail
        );
        if end.unsigned_abs() >= self.flaky {
            return Err(Fault {
                retryable: true,
                ..fault("source.io", format!("lost the thread at {}", self.flaky))
            });
        }
        leak(self.leak);
        while end.unsigned_abs() >= self.spin {
            std::hint::spin_loop();
        }
        let values: Vec<i64> = (*at..end).collect();
        *at = end;
        Ok(Some(home::Step {
            batch: Some(rows::encode(&numbers(&values))),
            position: Some(end.to_string()),
        }))
    }
}

/// Files in the folder that was granted: staged under a name that begins with a dot.
impl store::Guest for Sample {
    type Writer = Writer;

    fn check(config: String) -> Result<Vec<Finding>, Fault> {
        let folder = folder(&config);
        let there = fs::read_dir(&folder).is_ok();
        Ok(vec![Finding {
            ok: there,
            message: format!(
                "{folder} {}",
                if there { "is there" } else { "isn't there" }
            ),
            advice: None,
        }])
    }

    fn inspect(_: String, _: Entity, memory: Option<Vec<u8>>) -> Result<store::Standing, Fault> {
        Ok(store::Standing {
            what: if memory.is_some() { "ours" } else { "vacant" }.to_owned(),
            run: None,
            example: None,
        })
    }

    fn begin(config: String, target: store::Target) -> Result<String, Fault> {
        fs::create_dir_all(folder(&config)).map_err(|e| fault("destination.io", e))?;
        Ok(target.action)
    }

    fn open_writer(
        config: String,
        target: store::Target,
        _: String,
        split: String,
        attempt: u32,
    ) -> Result<store::Writer, Fault> {
        Ok(store::Writer::new(Writer {
            path: format!("{}/.{}-{split}-{attempt}", folder(&config), target.run),
            split,
            attempt,
            lines: RefCell::default(),
        }))
    }

    fn commit(
        config: String,
        known: store::CommitRecord,
        receipts: Vec<store::Receipt>,
    ) -> Result<store::Settled, Fault> {
        let folder = folder(&config);
        let io = |e| fault("destination.io", e);
        for receipt in &receipts {
            let to = format!("{folder}/{}-{}.txt", known.run, receipt.split);
            match fs::rename(&receipt.data, &to) {
                Err(_) if fs::exists(&to).map_err(io)? => {}
                done => done.map_err(io)?,
            }
        }
        if known.action == "replace" {
            for entry in fs::read_dir(&folder).map_err(io)? {
                let name = entry
                    .map_err(io)?
                    .file_name()
                    .into_string()
                    .unwrap_or_default();
                if name.ends_with(".txt") && !name.starts_with(&known.run) {
                    fs::remove_file(format!("{folder}/{name}")).map_err(io)?;
                }
            }
        }
        Ok(store::Settled {
            location: folder,
            parts: receipts.len() as u64,
            memory: Some(known.run.into_bytes()),
        })
    }

    fn abort(
        _: String,
        _: store::CommitRecord,
        receipts: Vec<store::Receipt>,
    ) -> Result<(), Fault> {
        for receipt in receipts {
            drop(fs::remove_file(receipt.data));
        }
        Ok(())
    }

    fn cleanup(config: String, _: Entity, runs: Vec<String>) -> Result<(), Fault> {
        let folder = folder(&config);
        let Ok(entries) = fs::read_dir(&folder) else {
            return Ok(());
        };
        for entry in entries.flatten() {
            let name = entry.file_name().into_string().unwrap_or_default();
            if runs.iter().any(|run| name.starts_with(&format!(".{run}-"))) {
                fs::remove_file(format!("{folder}/{name}"))
                    .map_err(|e| fault("destination.io", e))?;
            }
        }
        Ok(())
    }
}

fn folder(config: &str) -> String {
    let config: Value = serde_json::from_str(config).unwrap_or_default();
    config["folder"].as_str().unwrap_or("out").to_owned()
}

struct Writer {
    path: String,
    split: String,
    attempt: u32,
    lines: RefCell<Vec<String>>,
}

impl store::GuestWriter for Writer {
    fn write(&self, _: u64, batch: Vec<u8>) -> Result<(), Fault> {
        let batch = rows::decode(&batch).map_err(|why| fault("schema", why))?;
        let column = batch.column(0).as_primitive_opt::<Int64Type>();
        let column = column.ok_or_else(|| fault("schema", "the first column must be int64"))?;
        let mut lines = self.lines.borrow_mut();
        lines.extend(
            column
                .iter()
                .map(|n| n.map_or_else(String::new, |n| n.to_string())),
        );
        Ok(())
    }

    fn finish(&self) -> Result<store::Receipt, Fault> {
        let lines = self.lines.borrow();
        let text = lines.join("\n");
        fs::write(&self.path, &text).map_err(|e| fault("destination.io", e))?;
        Ok(store::Receipt {
            split: self.split.clone(),
            attempt: self.attempt,
            rows: lines.len() as u64,
            bytes: text.len() as u64,
            data: self.path.clone(),
            attributes: Vec::new(),
        })
    }
}

impl transform::Guest for Sample {
    type Bound = Bound;

    fn bind(config: String, input: Vec<u8>) -> Result<transform::Bound, Fault> {
        let schema = rows::schema_of(&input).map_err(|why| fault("schema", why))?;
        if schema.fields().len() != 1
            || schema.field(0).data_type() != numbers(&[]).column(0).data_type()
        {
            return Err(fault("schema", "only one column of int64 can be added to"));
        }
        let name = schema.field(0).name().clone();
        let add = i64::try_from(number(&config, "add", 1)).unwrap_or(0);
        let leak = number(&config, "leak", 0);
        Ok(transform::Bound::new(Bound { add, name, leak }))
    }
}

struct Bound {
    add: i64,
    name: String,
    leak: u64,
}

impl Bound {
    fn out(&self, values: Vec<i64>) -> RecordBatch {
        let column: ArrayRef = std::sync::Arc::new(Int64Array::from(values));
        RecordBatch::try_from_iter_with_nullable([(self.name.as_str(), column, false)])
            .expect("one column fits itself")
    }
}

impl transform::GuestBound for Bound {
    fn schema(&self) -> Result<Vec<u8>, Fault> {
        Ok(rows::schema(&self.out(Vec::new())))
    }

    fn apply(&self, batch: Vec<u8>) -> Result<Vec<Vec<u8>>, Fault> {
        leak(self.leak);
        let batch = rows::decode(&batch).map_err(|why| fault("schema", why))?;
        let column = batch.column(0).as_primitive::<Int64Type>();
        let values = column
            .iter()
            .flatten()
            .map(|n| n.wrapping_add(self.add))
            .collect();
        Ok(vec![rows::encode(&self.out(values))])
    }

    fn finish(&self) -> Result<Vec<Vec<u8>>, Fault> {
        Ok(Vec::new())
    }
}
