//! What encoding and decoding a row group hold doesn't grow with its columns: counted by the
//! allocator, since resident memory depends on what else goes on.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs::{self, File};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use futures::executor::block_on;
use hygge_core::{
    Action, Batch, BuildContext, CommitRecord, Context, EntityId, Home as _, Memory, Position,
    Registry, RunId, Settings, SplitId, SplitRequest, Target, Want,
};
use hygge_files::home::FilesHome;
use hygge_files::parquet::{EncodeOptions, Encoder, Input, Recoder};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use serde_json::json;

/// The system's allocator, which counts what is held.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

/// One test at a time is counted.
static ALONE: Mutex<()> = Mutex::new(());

// SAFETY: every call is handed on as it came; `realloc` and the zeroing one come through these.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// What a piece of work gives, and how many bytes more than before were held at once.
fn most<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let done = work();
    (done, MOST.load(Ordering::Relaxed).saturating_sub(before))
}

/// Values that no encoding makes smaller, 32 MiB of them.
fn rows(columns: usize) -> Vec<RecordBatch> {
    const VALUES: usize = 4 << 20;
    const BATCHES: usize = 4;
    let field = |column| Field::new(format!("c{column}"), DataType::Int64, false);
    let schema = Arc::new(Schema::new((0..columns).map(field).collect::<Vec<_>>()));
    let rows = VALUES / columns / BATCHES;
    let mut last = 1_u64;
    let mut value = || {
        // xorshift
        last ^= last << 13;
        last ^= last >> 7;
        last ^= last << 17;
        last.cast_signed()
    };
    let mut column = || -> ArrayRef {
        let values = (0..rows).map(|_| value());
        Arc::new(Int64Array::from_iter_values(values))
    };
    let mut batch = || (0..columns).map(|_| column()).collect();
    (0..BATCHES)
        .map(|_| RecordBatch::try_new(Arc::clone(&schema), batch()).unwrap())
        .collect()
}

/// Rows are let go as they become pages, and a stored row group passes column by column: beside the
/// pages that wait for the file there is one column on its way, however many there are.
#[test]
fn what_encoding_holds_does_not_grow_with_columns() {
    const LIMIT: usize = 12 << 20;
    let _alone = ALONE.lock().unwrap();
    for columns in [100, 2_000] {
        let options = EncodeOptions {
            compression: Compression::UNCOMPRESSED,
            ..EncodeOptions::default()
        };
        let rows = rows(columns);
        let encoder = Arc::new(Encoder::new(rows[0].schema(), options).unwrap());
        let (group, more) = most(|| encoder.encode_all(rows).unwrap());
        assert!(group.bytes() > 30 << 20, "{} bytes", group.bytes());
        assert!(more < LIMIT, "{columns} columns of rows: {more} bytes more");

        let mut file = encoder.file_writer(Vec::new(), Vec::new()).unwrap();
        group.append(&mut file).unwrap();
        let file = Bytes::from(file.into_inner().unwrap());
        let footer = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).unwrap();
        let input = Input::from_bytes(file);
        let recoder = Recoder::new(Arc::clone(&encoder), input, footer.metadata()).unwrap();
        let parts = recoder.parts(0..1);
        assert_eq!(parts.len(), 1);
        let (group, more) = most(|| recoder.encode(&parts[0]).unwrap());
        let beside = more.saturating_sub(usize::try_from(group.bytes()).unwrap());
        assert!(
            beside < LIMIT,
            "{columns} stored columns: {beside} bytes beside"
        );
    }
}

/// One row group, in pages of 7,000 rows where a column has that many.
fn stored(path: &Path, columns: usize, dictionaries: bool) {
    let properties = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_dictionary_enabled(dictionaries)
        .set_data_page_row_count_limit(7_000)
        .set_write_batch_size(1_000)
        .build();
    let rows = rows(columns);
    let file = File::create(path).unwrap();
    let mut file = ArrowWriter::try_new(file, rows[0].schema(), Some(properties)).unwrap();
    for rows in rows {
        file.write(&rows).unwrap();
    }
    file.close().unwrap();
}

/// Rows of a file, and the bytes that were held at once while they were read and let go.
fn read(folder: &Path, name: &str) -> (u64, usize) {
    let place = BuildContext {
        root: folder.to_owned(),
        work: folder.join(".hygge"),
        entity: None,
        run: None,
    };
    let settings = serde_json::from_value(json!({"path": name})).unwrap();
    let home = FilesHome::new(settings, &place).unwrap();
    let cx = Context {
        share: Arc::new(Memory::new(32 << 20).join()),
        ..Context::inline()
    };
    let want = Want {
        batch_bytes: 256 << 10,
        encoded: None,
        bounds: None,
    };
    let plan = block_on(home.splits(&SplitRequest::default(), &cx)).unwrap();
    assert_eq!(plan.splits.len(), 1);
    most(|| {
        block_on(async {
            let split = &plan.splits[0];
            let start = Position::start();
            let mut reader = home.open(split, &start, &want, &cx).await.unwrap();
            let mut rows = 0;
            while let Some(step) = reader.next().await.unwrap() {
                assert!(matches!(step.batch, Batch::Rows(_)));
                rows += step.batch.rows();
            }
            rows
        })
    })
}

/// Rows come from all columns at once, and yet pages of all columns are not held at once when
/// these are many.
#[test]
fn what_decoding_holds_does_not_grow_with_columns() {
    let _alone = ALONE.lock().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let [narrow, wide, words] = [(100, false), (2_000, false), (2_000, true)].map(|form| {
        let (columns, dictionaries) = form;
        let name = format!("{columns}-{dictionaries}.parquet");
        stored(&folder.path().join(&name), columns, dictionaries);
        let (rows, held) = read(folder.path(), &name);
        assert_eq!(rows, (4 << 20) / columns as u64 / 4 * 4);
        held
    });
    // A page of each column is 5.6 MB in the first file, 33 MB in the others; with dictionaries
    // they are 70 MB.
    assert!(narrow > 5_600_000, "{narrow} bytes");
    assert!(wide < 2 * narrow, "{wide} bytes, {narrow} of 100 columns");
    assert!(words < 2 * narrow, "{words} bytes, {narrow} of 100 columns");
}

/// Writes rows to `lake`, and gives what preparing the commit held.
fn settle(folder: &Path, number: u64, action: Action, rows: Vec<RecordBatch>) -> usize {
    let place = BuildContext {
        root: folder.to_owned(),
        work: folder.join(".hygge"),
        entity: None,
        run: None,
    };
    let mut registry = Registry::default();
    hygge_files::register(&mut registry);
    let settings = Settings::new(json!({"path": "lake", "compression": "none"}), []);
    let kind = registry.store("parquet").unwrap();
    let store = kind.build(&settings, &place).unwrap();
    let cx = Context {
        share: Arc::new(Memory::new(32 << 20).join()),
        ..Context::inline()
    };
    let began = jiff::Timestamp::UNIX_EPOCH;
    let entity = EntityId::new("flow", "entity");
    let kept = folder.join("memory");
    let mut target = Target {
        run: RunId::new(began, number),
        entity: entity.clone(),
        schema: rows[0].schema(),
        action,
        key: vec!["c0".to_owned()],
        latest_by: None,
        on_schema_change: hygge_core::OnSchemaChange::default(),
        memory: fs::read(&kept).ok(),
        begun: serde_json::Value::Null,
    };
    block_on(async {
        target.begun = store.begin(&target, &cx).await.unwrap();
        let split = SplitId::nth(0);
        let mut writer = store.open_writer(&target, &split, 1, &cx).await.unwrap();
        for rows in rows {
            writer.write(Batch::Rows(rows)).await.unwrap();
        }
        let receipt = writer.finish().await.unwrap();
        let before = HELD.load(Ordering::Relaxed);
        MOST.store(before, Ordering::Relaxed);
        let receipts = store.prepare(&target, vec![receipt], &cx).await.unwrap();
        let held = MOST.load(Ordering::Relaxed).saturating_sub(before);
        let record = CommitRecord {
            version: CommitRecord::VERSION,
            hygge: "test".to_owned(),
            run: target.run.clone(),
            entity,
            action,
            key: target.key.clone(),
            store_type: "parquet".to_owned(),
            store: settings.redacted(),
            begun: target.begun.clone(),
            rows: receipts.iter().map(|receipt| receipt.rows).sum(),
            bytes: 0,
            receipts,
            watermark: None,
            position: None,
            schema: Vec::new(),
            began,
        };
        let settled = store.commit(&record, &cx).await.unwrap();
        fs::write(kept, settled.memory.unwrap()).unwrap();
        held
    })
}

/// A file that loses a row is written anew, and its row group isn't held for it.
#[test]
fn what_merging_holds_does_not_grow_with_columns() {
    let _alone = ALONE.lock().unwrap();
    let [narrow, wide] = [100, 2_000].map(|columns| {
        let folder = tempfile::tempdir().unwrap();
        let first = rows(columns);
        let one = vec![first[1].slice(7, 1)];
        settle(folder.path(), 1, Action::Replace, first);
        settle(folder.path(), 2, Action::Upsert, one)
    });
    // A row group is 33 MB; what decoders and footers take for each column is a few KB.
    assert!(narrow < 26_000_000, "{narrow} bytes");
    assert!(wide < 2 * narrow, "{wide} bytes, {narrow} of 100 columns");
}
