//! What a folder and a file hold after runs, and a project to try it with.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use futures::executor::block_on;
use hygge_core::{
    Action, Batch, BuildContext, CommitRecord, Context, EntityId, Fault, RunId, Settings, Settled,
    SplitId, Standing, Store, StoreKind, Target, code,
};
use serde_json::{Value, json};

use super::*;

/// A project in a temporary folder.
pub(super) struct Project {
    folder: tempfile::TempDir,
    pub(super) settings: Value,
    pub(super) memory: Option<Vec<u8>>,
    runs: u64,
}

impl Project {
    pub(super) fn new(settings: Value) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            settings,
            memory: None,
            runs: 0,
        }
    }

    pub(super) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn place(&self) -> BuildContext {
        BuildContext {
            root: self.root().to_owned(),
            work: self.root().join(".hygge"),
            entity: None,
            run: None,
        }
    }

    pub(super) fn store(&self) -> Arc<dyn Store> {
        let kind = FileStoreKind::new(None);
        let settings = Settings::new(self.settings.clone(), []);
        kind.build(&settings, &self.place()).unwrap()
    }

    pub(super) fn target(&mut self, action: Action) -> Target {
        self.runs += 1;
        Target {
            run: RunId::parse(&format!("20260101t00000{}z-aaaaaa", self.runs)).unwrap(),
            entity: entity(),
            schema: schema(),
            action,
            key: Vec::new(),
            latest_by: None,
            on_schema_change: hygge_core::OnSchemaChange::default(),
            memory: self.memory.clone(),
            begun: Value::Null,
        }
    }

    /// Stages splits of ids and gives what the engine would store.
    pub(super) fn stage(
        &mut self,
        action: Action,
        splits: &[&[i64]],
    ) -> Result<CommitRecord, Fault> {
        let store = self.store();
        let mut target = self.target(action);
        let cx = Context::inline();
        block_on(async {
            target.begun = store.begin(&target, &cx).await?;
            let mut receipts = Vec::new();
            for (at, ids) in splits.iter().enumerate() {
                let split = SplitId::nth(at);
                let mut writer = store.open_writer(&target, &split, 1, &cx).await?;
                for ids in ids.chunks(3) {
                    writer.write(Batch::Rows(batch(ids))).await?;
                }
                receipts.push(writer.finish().await?);
            }
            let receipts = store.prepare(&target, receipts, &cx).await?;
            Ok(Self::record(target, receipts))
        })
    }

    /// What the engine would store.
    pub(super) fn record(target: Target, receipts: Vec<Receipt>) -> CommitRecord {
        CommitRecord {
            version: CommitRecord::VERSION,
            hygge: "0".into(),
            run: target.run,
            entity: target.entity,
            action: target.action,
            key: Vec::new(),
            store_type: "files".into(),
            store: Value::Null,
            begun: target.begun,
            rows: receipts.iter().map(|receipt| receipt.rows).sum(),
            bytes: receipts.iter().map(|receipt| receipt.bytes).sum(),
            receipts,
            watermark: None,
            position: None,
            schema: Vec::new(),
            began: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    /// Commits as another process would, given nothing but the record's text.
    pub(super) fn commit(&mut self, record: &CommitRecord) -> Result<Settled, Fault> {
        let text = serde_json::to_string(record).unwrap();
        let record: CommitRecord = serde_json::from_str(&text).unwrap();
        let settled = block_on(self.store().commit(&record, &Context::inline()))?;
        self.memory.clone_from(&settled.memory);
        Ok(settled)
    }

    pub(super) fn clean(&self) {
        block_on(self.store().cleanup(&entity(), None, &Context::inline())).unwrap();
    }

    pub(super) fn run(&mut self, action: Action, splits: &[&[i64]]) -> Result<Settled, Fault> {
        let record = self.stage(action, splits)?;
        let settled = self.commit(&record)?;
        self.clean();
        Ok(settled)
    }

    pub(super) fn standing(&self) -> Standing {
        let store = self.store();
        let cx = Context::inline();
        block_on(store.inspect(&entity(), self.memory.as_deref(), &cx)).unwrap()
    }

    pub(super) fn memory(&self) -> Option<Vec<u8>> {
        self.memory.clone()
    }

    pub(super) fn remember(&mut self, memory: Option<Vec<u8>>) {
        self.memory = memory;
    }

    /// What is staged, but for what runs replaced.
    pub(super) fn staged(&self) -> Vec<PathBuf> {
        let staging = own::list(&self.root().join(".hygge/staging")).unwrap();
        let paths = staging.into_iter().map(|file| file.path);
        let replaced = |path: &Path| path.starts_with("replaced");
        paths.filter(|path| !replaced(path)).collect()
    }

    pub(super) fn files(&self, folder: &str) -> Vec<PathBuf> {
        let found = own::list(&self.root().join(folder)).unwrap();
        found.into_iter().map(|file| file.path).collect()
    }
}

fn entity() -> EntityId {
    EntityId::new("flow", "entity")
}

pub(super) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("name", DataType::Utf8, true),
    ]))
}

pub(super) fn batch(ids: &[i64]) -> RecordBatch {
    let names = ids
        .iter()
        .map(|id| (id % 7 != 0).then(|| format!("n {id}")));
    let columns: [ArrayRef; 2] = [
        Arc::new(Int64Array::from(ids.to_vec())),
        Arc::new(names.collect::<StringArray>()),
    ];
    RecordBatch::try_new(schema(), columns.into()).unwrap()
}

pub(super) fn parquet_ids(file: &Path) -> Vec<i64> {
    let opened = fs::File::open(file).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(opened).unwrap();
    assert_eq!(reader.schema().fields(), schema().fields());
    reader
        .build()
        .unwrap()
        .flat_map(|batch| {
            let batch = batch.unwrap();
            batch
                .column(0)
                .as_primitive::<Int64Type>()
                .values()
                .to_vec()
        })
        .collect()
}

/// The ids of every file of a folder, in name order.
pub(super) fn ids(folder: &Path) -> Vec<i64> {
    let found = own::list(folder).unwrap();
    found
        .iter()
        .flat_map(|file| parquet_ids(&folder.join(&file.path)))
        .collect()
}

pub(super) fn lake() -> Project {
    Project::new(json!({"path": "data/my läke/", "format": "parquet"}))
}

pub(super) const LAKE: &str = "data/my läke";

#[test]
fn full_then_append_then_full() {
    let mut project = lake();
    assert_eq!(project.standing(), Standing::Vacant);
    let settled = project
        .run(Action::Replace, &[&[1, 2, 3, 4], &[5]])
        .unwrap();
    assert_eq!(
        (settled.parts, settled.location.as_str()),
        (2, "data/my läke/")
    );
    assert_eq!(ids(&project.root().join(LAKE)), [1, 2, 3, 4, 5]);
    assert_eq!(project.standing(), Standing::Ours);
    project.run(Action::Append, &[&[6], &[]]).unwrap();
    assert_eq!(ids(&project.root().join(LAKE)), [1, 2, 3, 4, 5, 6]);
    assert_eq!(project.standing(), Standing::Ours);
    project.run(Action::Append, &[]).unwrap();
    assert_eq!(project.files(LAKE).len(), 3);
    project.run(Action::Replace, &[&[9]]).unwrap();
    assert_eq!(ids(&project.root().join(LAKE)), [9]);
    // Nothing but data is left anywhere, and what was replaced last.
    assert!(project.staged().is_empty());
    assert_eq!(
        fs::read_dir(project.root().join("data")).unwrap().count(),
        1
    );
}

#[test]
fn nothing_is_visible_before_the_commit_and_dead_runs_are_removed() {
    let mut project = lake();
    project.run(Action::Replace, &[&[1]]).unwrap();
    let record = project.stage(Action::Replace, &[&[2]]).unwrap();
    assert_eq!(ids(&project.root().join(LAKE)), [1]);
    let cx = Context::inline();
    block_on(project.store().cleanup(&entity(), Some(&record.run), &cx)).unwrap();
    project.commit(&record).unwrap();
    assert_eq!(ids(&project.root().join(LAKE)), [2]);
    let dead = project.stage(Action::Append, &[&[3]]).unwrap();
    assert!(!project.staged().is_empty());
    project.clean();
    assert!(project.staged().is_empty());
    let lost = project.commit(&dead).unwrap_err();
    assert!(lost.message.contains("is gone"), "{lost:?}");
    assert_eq!(ids(&project.root().join(LAKE)), [2]);
}

#[test]
fn commits_can_be_done_again() {
    for action in [Action::Replace, Action::Append] {
        let mut project = lake();
        project.run(Action::Replace, &[&[1], &[2]]).unwrap();
        let record = project.stage(action, &[&[3], &[4]]).unwrap();
        let first = project.commit(&record).unwrap();
        let standing = ids(&project.root().join(LAKE));
        assert_eq!(project.commit(&record).unwrap(), first);
        project.clean();
        assert_eq!(project.commit(&record).unwrap(), first);
        assert_eq!(ids(&project.root().join(LAKE)), standing);
        assert_eq!(project.standing(), Standing::Ours);
    }
}

#[test]
fn an_empty_source_leaves_one_readable_file() {
    for (format, length) in [
        ("parquet", None),
        ("arrow", None),
        ("csv", Some(8)),
        ("ndjson", Some(0)),
    ] {
        let mut project = Project::new(json!({"path": "out", "format": format}));
        project.run(Action::Replace, &[]).unwrap();
        let files = project.files("out");
        assert_eq!(files.len(), 1, "{format}");
        let file = project.root().join("out").join(&files[0]);
        match (format, length) {
            ("parquet", _) => assert!(parquet_ids(&file).is_empty()),
            ("arrow", _) => {
                let reader =
                    arrow_ipc::reader::FileReader::try_new(fs::File::open(file).unwrap(), None)
                        .unwrap();
                assert_eq!(reader.schema().fields(), schema().fields());
                assert_eq!(reader.num_batches(), 0);
            }
            (_, length) => assert_eq!(Some(fs::read(file).unwrap().len()), length, "{format}"),
        }
        project.run(Action::Append, &[&[1]]).unwrap();
        assert_eq!(project.files("out").len(), 2);
    }
}

#[test]
fn text_formats_and_their_compression() {
    use std::io::Read as _;
    let expected = [
        ("csv", "id,name\n1,n 1\n7,\n"),
        (
            "ndjson",
            "{\"id\":1,\"name\":\"n 1\"}\n{\"id\":7,\"name\":null}\n",
        ),
    ];
    for (format, expected) in expected {
        for (name, ending) in [("", ""), (".gz", "gzip"), (".zst", "zstd")] {
            let mut single = Project::new(json!({"path": format!("out/x.{format}{name}")}));
            single.run(Action::Replace, &[&[1, 7]]).unwrap();
            let bytes = fs::read(single.root().join(format!("out/x.{format}{name}"))).unwrap();
            let mut text = String::new();
            match ending {
                "gzip" => {
                    flate2::read::GzDecoder::new(&bytes[..])
                        .read_to_string(&mut text)
                        .unwrap();
                }
                "zstd" => text = String::from_utf8(zstd::decode_all(&bytes[..]).unwrap()).unwrap(),
                _ => text = String::from_utf8(bytes).unwrap(),
            }
            assert_eq!(text, expected);
            let setting = if ending.is_empty() { "none" } else { ending };
            let mut folder =
                Project::new(json!({"path": "out", "format": format, "compression": setting}));
            folder.run(Action::Replace, &[&[1, 7]]).unwrap();
            let file = folder.files("out")[0].display().to_string();
            assert!(file.ends_with(&format!(".{format}{name}")), "{file}");
        }
    }
}

#[test]
fn a_single_file_is_replaced_whole() {
    let mut project = Project::new(json!({"path": "out/x.parquet"}));
    assert_eq!(project.standing(), Standing::Vacant);
    project.run(Action::Replace, &[&[1, 2]]).unwrap();
    let record = project.stage(Action::Replace, &[&[3]]).unwrap();
    let file = project.root().join("out/x.parquet");
    assert_eq!(parquet_ids(&file), [1, 2]);
    let first = project.commit(&record).unwrap();
    assert_eq!(parquet_ids(&file), [3]);
    assert_eq!(project.commit(&record).unwrap(), first);
    project.clean();
    assert_eq!(project.commit(&record).unwrap(), first);
    assert_eq!(project.standing(), Standing::Ours);
    fs::write(&file, "mine").unwrap();
    assert!(matches!(project.standing(), Standing::Foreign { .. }));
    let refused = project.stage(Action::Replace, &[&[4]]).unwrap_err();
    assert_eq!(refused.code, code::DESTINATION_FOREIGN);
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    project.settings["adopt"] = json!(true);
    project.run(Action::Replace, &[&[4]]).unwrap();
    assert_eq!(parquet_ids(&file), [4]);
}

#[test]
fn files_and_row_groups_close_at_their_size() {
    let mut project = Project::new(json!({
        "path": "out", "format": "parquet", "row_group_rows": 4, "file_size": 1200
    }));
    let all: Vec<i64> = (0..40).collect();
    let settled = project.run(Action::Replace, &[&all]).unwrap();
    assert!(settled.parts > 1, "{settled:?}");
    assert_eq!(ids(&project.root().join("out")), all);
    let first = project.root().join("out").join(&project.files("out")[0]);
    let reader = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(first).unwrap()).unwrap();
    assert!(reader.metadata().num_row_groups() > 1);
    assert!(
        reader
            .metadata()
            .row_groups()
            .iter()
            .all(|group| group.num_rows() <= 4)
    );
}

#[test]
fn partitions_become_folders_and_few_are_open() {
    // One column is written as one; a list of them does as well.
    let mut project = Project::new(json!({
        "path": "out", "format": "parquet", "partition_by": "name", "max_open_partitions": 2
    }));
    let all: Vec<i64> = (0..12).collect();
    project.run(Action::Replace, &[&all]).unwrap();
    let files = project.files("out");
    let names: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
    assert!(
        names[0].starts_with("name=__HIVE_DEFAULT_PARTITION__/part-"),
        "{names:?}"
    );
    assert!(names[2].starts_with("name=n 1/part-"), "{names:?}");
    let mut found = ids(&project.root().join("out"));
    found.sort_unstable();
    assert_eq!(found, all);
    project.run(Action::Append, &[&[100]]).unwrap();
    assert_eq!(project.files("out").len(), files.len() + 1);
    project.run(Action::Replace, &[&[5]]).unwrap();
    assert_eq!(project.files("out").len(), 1);
    assert_eq!(project.standing(), Standing::Ours);
}

#[test]
fn a_destination_that_cannot_be_written_is_said_before_rows_move() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut project = lake();
    let data = project.root().join("data");
    fs::create_dir_all(&data).unwrap();
    let allow = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    allow(project.root(), 0o755);
    allow(&data, 0o555);
    // Permissions don't bind root; on Linux a thread can be somebody else, for the rest of its
    // life.
    let refused = std::thread::scope(|scope| {
        let tried = scope.spawn(|| {
            if rustix::process::geteuid().is_root() {
                let nobody = rustix::process::Uid::from_raw(65_534);
                rustix::thread::set_thread_uid(nobody).unwrap();
            }
            project.stage(Action::Replace, &[&[1]]).unwrap_err()
        });
        tried.join().unwrap()
    });
    assert_eq!(refused.code, code::DESTINATION_IO);
    assert!(refused.message.contains("can't write into"), "{refused:?}");
    assert!(refused.advice.unwrap().contains("namei -l"));
    assert!(!project.root().join(".hygge").exists());
}

#[test]
fn checking_leaves_nothing_behind() {
    let project = lake();
    let found = block_on(project.store().check(&Context::inline())).unwrap();
    assert!(found[0].ok, "{found:?}");
    assert_eq!(
        fs::read_dir(project.root()).unwrap().count(),
        0,
        "not even .hygge"
    );
    let bad = Project::new(json!({"path": "/proc/x/y", "format": "csv"}));
    let found = block_on(bad.store().check(&Context::inline())).unwrap();
    assert!(!found[0].ok);
}
