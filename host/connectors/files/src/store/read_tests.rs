//! What readers see of a destination.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use futures::executor::block_on;
use hygge_core::{Action, Batch, Context, Position, SplitRequest, Want};
use serde_json::json;

use super::tests::{LAKE, Project, lake, schema};

#[test]
fn a_reader_never_sees_a_mix() {
    let mut project = lake();
    project
        .run(Action::Replace, &[&[0; 3], &[0; 3], &[0; 3]])
        .unwrap();
    let lake = project.root().join(LAKE);
    let done = Arc::new(AtomicBool::new(false));
    let reader = std::thread::spawn({
        let done = Arc::clone(&done);
        move || {
            let mut seen = 0;
            while !done.load(Ordering::Relaxed) {
                // Listed at once, as a reader does; what was replaced meanwhile is not found.
                let Ok(entries) = fs::read_dir(&lake) else {
                    panic!("the folder was away");
                };
                let names: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
                assert_eq!(names.len(), 3);
                let runs: BTreeSet<String> = names
                    .iter()
                    .map(|path| path.file_name().unwrap().to_str().unwrap()[..28].to_owned())
                    .collect();
                assert_eq!(runs.len(), 1, "{names:?}");
                let values: Vec<i64> = names
                    .iter()
                    .filter(|path| path.exists())
                    .filter_map(|path| fs::File::open(path).ok())
                    .flat_map(|file| {
                        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
                        let batch = reader.build().unwrap().next().unwrap().unwrap();
                        batch
                            .column(0)
                            .as_primitive::<Int64Type>()
                            .values()
                            .to_vec()
                    })
                    .collect();
                assert!(
                    values.windows(2).all(|pair| pair[0] == pair[1]),
                    "{values:?}"
                );
                seen += 1;
            }
            seen
        }
    });
    for run in 1..8 {
        let ids = [run; 3];
        project.run(Action::Replace, &[&ids, &ids, &ids]).unwrap();
    }
    done.store(true, Ordering::Relaxed);
    assert!(reader.join().unwrap() > 0);
}

#[test]
fn what_was_written_is_read_back() {
    for (format, more) in [
        ("parquet", json!({"partition_by": ["id"]})),
        (
            "csv",
            json!({"delimiter": ";", "quote": "'", "null_value": "-"}),
        ),
        ("ndjson", json!({"compression": "zstd"})),
        ("arrow", json!({})),
    ] {
        let mut project = Project::new(json!({"path": "out [x]/", "format": format}));
        for (key, value) in more.as_object().unwrap() {
            project.settings[key] = value.clone();
        }
        project.run(Action::Replace, &[&[1, 7, 3]]).unwrap();
        let home = project.store().read_back().unwrap();
        let cx = Context::inline();
        let batches = block_on(async {
            let plan = home.splits(&SplitRequest::default(), &cx).await.unwrap();
            assert_eq!(plan.schema.fields(), schema().fields(), "{format}");
            let want = Want {
                batch_bytes: 1 << 20,
                encoded: None,
                bounds: None,
            };
            let mut batches = Vec::new();
            for split in &plan.splits {
                let start = Position::start();
                let mut reader = home.open(split, &start, &want, &cx).await.unwrap();
                while let Some(step) = reader.next().await.unwrap() {
                    if let Batch::Rows(batch) = step.batch {
                        batches.push(batch);
                    }
                }
            }
            batches
        });
        let mut rows: Vec<(i64, Option<String>)> = batches
            .iter()
            .flat_map(|batch| {
                let ids = batch.column(0).as_primitive::<Int64Type>();
                let names = batch.column(1).as_string::<i32>().iter();
                ids.values()
                    .iter()
                    .copied()
                    .zip(names.map(|n| n.map(str::to_owned)))
            })
            .collect();
        rows.sort();
        let name = |id: i64| Some(format!("n {id}"));
        assert_eq!(rows, [(1, name(1)), (3, name(3)), (7, None)], "{format}");
    }
}
