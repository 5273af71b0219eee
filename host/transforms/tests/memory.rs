//! What `dedupe` and `unnest` hold doesn't grow with the rows: counted by the allocator, since resident memory
//! depends on what else goes on.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arrow_array::builder::{Int32Builder, Int64Builder, ListBuilder};
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray, StructArray};
use arrow_schema::Field;
use futures::executor::block_on;
use hygge_core::{BuildContext, Context, Memory, Registry, Settings, Transform};
use serde_json::json;

/// The system's allocator, which counts what is held.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);
/// What is counted is of one test.
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

/// Its share of the run's memory.
const SHARE: usize = 8 << 20;

/// Rows of about 100 bytes, `of` different keys in no order, each key twice.
fn rows(from: i64, to: i64, of: i64) -> RecordBatch {
    let key = |row: i64| (row.wrapping_mul(2_654_435_761) % of).abs();
    let keys: Int64Array = (from..to).map(|row| Some(key(row))).collect();
    let ats: Int64Array = (from..to).map(Some).collect();
    let texts = (from..to).map(|row| Some(format!("{row:064}")));
    let texts: StringArray = texts.collect();
    let columns: [(&str, ArrayRef); 3] = [
        ("key", Arc::new(keys)),
        ("at", Arc::new(ats)),
        ("text", Arc::new(texts)),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn built(kind: &str, settings: serde_json::Value, folder: &std::path::Path) -> Arc<dyn Transform> {
    let mut registry = Registry::default();
    hygge_transforms::register(&mut registry);
    let place = BuildContext {
        root: folder.to_owned(),
        work: folder.join("work"),
        entity: None,
        run: None,
    };
    let kind = registry.transform(kind).unwrap();
    kind.build(&Settings::new(settings, []), &place).unwrap()
}

/// How many rows were kept, and how many bytes were held at once.
fn most(all: i64) -> (usize, usize) {
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({"key": "key", "order_by": {"at": "desc"}});
    let transform = built("dedupe", settings, folder.path());
    let cx = Context {
        share: Arc::new(Memory::new(SHARE).join()),
        ..Context::inline()
    };
    let before = HELD.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let kept = block_on(async {
        let schema = rows(0, 0, 1).schema();
        let mut bound = transform.bind(&schema, &cx).await.unwrap();
        for from in (0..all).step_by(5000) {
            let came = bound.apply(rows(from, from + 5000, all / 2)).await.unwrap();
            assert!(came.is_empty());
        }
        let mut kept = 0;
        let mut more = Some(bound.finish().await.unwrap());
        while let Some(batches) = more {
            kept += batches.iter().map(RecordBatch::num_rows).sum::<usize>();
            drop(batches);
            more = bound.rest().await.unwrap();
        }
        kept
    });
    (kept, MOST.load(Ordering::Relaxed) - before)
}

#[test]
fn a_dedupe_holds_its_share_however_many_rows_come() {
    let _alone = ALONE.lock().unwrap();
    let (kept, few) = most(200_000);
    assert_eq!(kept, 100_000);
    let (kept, many) = most(800_000);
    assert_eq!(kept, 400_000);
    // The rows alone would be 80 MB, and those that stay 40.
    assert!(many < SHARE, "{many} bytes were held");
    assert!(many < few + few / 2, "{few} and {many} bytes were held");
}

/// 300 rows of a long text, each with a list of 3,000: 1.8 GB of rows of one batch of 4 MB.
#[test]
fn an_unnest_makes_piece_after_piece() {
    let _alone = ALONE.lock().unwrap();
    let text = "x".repeat(2_000);
    let texts = StringArray::from(vec![text.as_str(); 300]);
    let list = || Some((0..3_000).map(Some));
    let lists = arrow_array::ListArray::from_iter_primitive::<arrow_array::types::Int32Type, _, _>(
        std::iter::repeat_with(list).take(300),
    );
    let columns: [(&str, ArrayRef); 2] = [("text", Arc::new(texts)), ("l", Arc::new(lists))];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let (rows, most) = unnested(batch);
    assert_eq!(rows, 900_000);
    assert!(most < 32 << 20, "{most} bytes were held");
}

/// One row has all that is heavy, within others, and all the items.
#[test]
fn an_unnest_counts_what_a_row_has_however_deep() {
    let _alone = ALONE.lock().unwrap();
    let mut lists = ListBuilder::new(Int32Builder::new());
    let mut heavy = ListBuilder::new(Int64Builder::new());
    for row in 0..20_000 {
        if row == 0 {
            lists.values().append_slice(&[1; 1_000]);
            heavy.values().append_slice(&[1; 250_000]);
        }
        lists.append(true);
        heavy.append(true);
    }
    let heavy: ArrayRef = Arc::new(heavy.finish());
    let field = Arc::new(Field::new("heavy", heavy.data_type().clone(), true));
    let within = StructArray::from(vec![(field, heavy)]);
    let columns: [(&str, ArrayRef); 2] = [("s", Arc::new(within)), ("l", Arc::new(lists.finish()))];
    let (rows, most) = unnested(RecordBatch::try_from_iter(columns).unwrap());
    assert_eq!(rows, 20_999);
    // Two gigabytes in all.
    assert!(most < 32 << 20, "{most} bytes were held");
}

/// A gigabyte of rows of one batch of numbers.
#[test]
fn rows_that_become_wider_come_in_pieces() {
    let _alone = ALONE.lock().unwrap();
    let numbers = Int64Array::from_iter_values(0..100_000);
    let columns: [(&str, ArrayRef); 1] = [("n", Arc::new(numbers))];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let text = "x".repeat(10_000);
    let (rows, most) = pieces("constant", json!({"columns": {"c": text}}), batch);
    assert_eq!(rows, 100_000);
    assert!(most < 32 << 20, "{most} bytes were held");
}

/// Also where the first are narrow, up to a step.
#[test]
fn rows_that_become_wider_later_come_in_pieces() {
    let _alone = ALONE.lock().unwrap();
    let texts = (0..100_000).map(|row| (row >= 1_000).then_some("x"));
    let texts: StringArray = texts.collect();
    let columns: [(&str, ArrayRef); 1] = [("c", Arc::new(texts))];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let settings = json!({"columns": {"c": {"how": "redact", "with": "y".repeat(10_000)}}});
    let (rows, most) = pieces("mask", settings, batch);
    assert_eq!(rows, 100_000);
    assert!(most < 160 << 20, "{most} bytes were held");
}

/// The rows that come of it, and the bytes that were held at once.
fn unnested(batch: RecordBatch) -> (usize, usize) {
    pieces("unnest", json!({"column": "l"}), batch)
}

fn pieces(kind: &str, settings: serde_json::Value, batch: RecordBatch) -> (usize, usize) {
    let folder = tempfile::tempdir().unwrap();
    let transform = built(kind, settings, folder.path());
    let before = HELD.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let rows = block_on(async {
        let mut bound = transform
            .bind(&batch.schema(), &Context::inline())
            .await
            .unwrap();
        let mut rows = 0;
        let mut made = Some(bound.apply(batch).await.unwrap());
        while let Some(batches) = made {
            rows += batches.iter().map(RecordBatch::num_rows).sum::<usize>();
            drop(batches);
            made = bound.more().await.unwrap();
        }
        rows
    });
    (rows, MOST.load(Ordering::Relaxed) - before)
}
