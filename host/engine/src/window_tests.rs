use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array};
use proptest::prelude::*;

use super::*;

/// Rows of (key, watermark).
fn batch(rows: &[(i64, Option<i64>)]) -> RecordBatch {
    let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.0)));
    let marks: ArrayRef = Arc::new(rows.iter().map(|r| r.1).collect::<Int64Array>());
    RecordBatch::try_from_iter_with_nullable([("k", keys, false), ("w", marks, true)]).unwrap()
}

fn keys(batch: &RecordBatch) -> Vec<i64> {
    batch
        .column(0)
        .as_primitive::<Int64Type>()
        .values()
        .to_vec()
}

fn follow(lookback: i128, before: Option<Before>) -> Arc<Follow> {
    Arc::new(Follow {
        column: "w".into(),
        kind: WatermarkType::Integer,
        lookback,
        columns: vec!["k".into(), "w".into()],
        types: Vec::new(),
        before: before.map(Arc::new),
        highest: Highest::default(),
        most: 100,
    })
}

/// One run over `source` the way the engine does it, in splits of `size` rows; returns the keys
/// taken, and what is remembered.
fn run(
    source: &[(i64, Option<i64>)],
    lookback: i128,
    size: usize,
    state: Option<(i128, Vec<Taken>)>,
) -> (Vec<i64>, Option<(i128, Vec<Taken>)>) {
    let low = state.as_ref().map(|(high, _)| high - lookback);
    let before = state
        .as_ref()
        .map(|(high, rows)| Before::new(vec!["k".into(), "w".into()], *high, rows));
    let follow = follow(lookback, before);
    let read: Vec<_> = source
        .iter()
        .copied()
        .filter(|row| low.is_none_or(|low| row.1.is_some_and(|w| i128::from(w) >= low)))
        .collect();
    let mut taken = Vec::new();
    let mut seen = Seen::default();
    for part in read.chunks(size.max(1)) {
        // A first attempt that fails half-way must change nothing.
        let mut failing = Observer::new(Arc::clone(&follow));
        failing.take(batch(&part[..part.len() / 2])).unwrap();
        drop(failing);
        let mut observer = Observer::new(Arc::clone(&follow));
        taken.extend(keys(&observer.take(batch(part)).unwrap()));
        let observed = observer.finish().unwrap();
        seen.add(&observed, &follow, false).unwrap();
    }
    let high = seen.high(state.as_ref().map(|s| s.0));
    let old = state.map(|s| s.1).unwrap_or_default();
    let (_, packed) = seen.window(old, high, None, &follow).unwrap();
    (taken, high.map(|high| (high, unpack(&packed).unwrap())))
}

proptest! {
    /// A source that only grows (ties, late rows within the lookback, equal rows) is moved
    /// exactly once, however often runs happen in between and however rows are split.
    #[test]
    fn a_growing_source_is_taken_exactly_once(
        steps in prop::collection::vec(
            prop::collection::vec((0_i64..4, 0_i64..6), 0..12), 1..5),
        lookback in 0_i128..6,
        size in 1_usize..7,
    ) {
        let mut source: Vec<(i64, Option<i64>)> = Vec::new();
        let mut state = None;
        let mut got = Vec::new();
        let mut high: Option<i64> = None;
        for step in steps {
            for (key, ahead) in step {
                // Never later than the lookback allows.
                let least = high.map_or(0, |h| h - i64::try_from(lookback).unwrap());
                source.push((key, Some(least + ahead)));
            }
            let (taken, next) = run(&source, lookback, size, state);
            got.extend(taken);
            high = next.as_ref().map(|(h, _)| i64::try_from(*h).unwrap());
            state = next;
        }
        let mut all: Vec<i64> = source.iter().map(|r| r.0).collect();
        all.sort_unstable();
        got.sort_unstable();
        prop_assert_eq!(got, all);
    }

    #[test]
    fn packed_rows_read_back(rows in prop::collection::vec((any::<i128>(), any::<u128>()), 0..9)) {
        let rows: Vec<Taken> =
            rows.into_iter().map(|(ordinal, hash)| Taken { ordinal, hash }).collect();
        prop_assert_eq!(unpack(&pack(&rows)).unwrap(), rows);
    }
}

#[test]
fn the_first_run_takes_nulls_and_later_ones_leave_them() {
    let source = [(1, None), (2, Some(5))];
    let (taken, state) = run(&source, 0, 10, None);
    assert_eq!(taken, [1, 2]);
    assert_eq!(run(&source, 0, 10, state).0, Vec::<i64>::new());
}

#[test]
fn a_window_covers_no_more_than_was_read() {
    let seen = Seen {
        high: Some(20),
        taken: Newest {
            rows: vec![Taken {
                ordinal: 18,
                hash: 1,
            }],
            ..Newest::default()
        },
    };
    let (window, _) = seen
        .window(Vec::new(), Some(20), Some(15), &follow(10, None))
        .unwrap();
    assert_eq!((window.from.as_str(), window.rows), ("15", 1));
}

#[test]
fn an_updated_row_is_a_new_row() {
    let (_, state) = run(&[(1, Some(5))], 0, 10, None);
    assert_eq!(run(&[(1, Some(6))], 0, 10, state).0, [1]);
}

/// What the window would be after rows that come in batches.
fn window(batches: &[Vec<(i64, Option<i64>)>], lookback: i128) -> Result<WindowState> {
    let follow = follow(lookback, None);
    let mut observer = Observer::new(Arc::clone(&follow));
    for rows in batches {
        observer.take(batch(rows))?;
    }
    let mut seen = Seen::default();
    seen.add(&observer.finish()?, &follow, false)?;
    let high = seen.high(None);
    Ok(seen.window(Vec::new(), high, None, &follow)?.0)
}

#[test]
fn a_window_that_is_too_large_proposes_merge() {
    let rows = |at: i64, n: i64| (0..n).map(|k| (k, Some(at))).collect::<Vec<_>>();
    assert_eq!(window(&[rows(1, 100)], 0).unwrap().rows, 100);
    for batches in [vec![rows(1, 101)], vec![rows(1, 200), rows(1, 200)]] {
        let fault = window(&batches, 0).unwrap_err();
        assert_eq!(fault.code, code::MEMORY);
        assert!(fault.advice.unwrap().contains("merge"));
    }
}

#[test]
fn many_old_rows_of_one_moment_are_no_window() {
    let old = (0..1_000).map(|k| (k, Some(1))).collect();
    let new = vec![(1_000, Some(50)), (1_001, Some(51))];
    assert_eq!(window(&[old, new], 10).unwrap().rows, 2);
}

#[test]
fn rows_that_another_split_had_passed_are_missed_when_its_rows_go_away() {
    let follow = follow(10, None);
    let mut dies = Observer::new(Arc::clone(&follow));
    dies.take(batch(&[(1, Some(100))])).unwrap();
    drop(dies);
    let mut observer = Observer::new(Arc::clone(&follow));
    observer.take(batch(&[(2, Some(50))])).unwrap();
    let mut seen = Seen::default();
    seen.add(&observer.finish().unwrap(), &follow, false)
        .unwrap();
    let fault = seen
        .window(Vec::new(), Some(50), None, &follow)
        .unwrap_err();
    assert_eq!(fault.code, code::SOURCE_CHANGED);
}

#[test]
fn a_cut_window_is_an_error() {
    assert_eq!(unpack(&[0; 33]).unwrap_err().code, code::STATE);
}

/// The source gains a column: rows of the window are still known, in this run and the next.
#[test]
fn a_new_column_doubles_nothing() {
    let wide = |rows: &[(i64, Option<i64>)]| {
        let narrow = batch(rows);
        let extra: ArrayRef = Arc::new(Int64Array::from(vec![7; rows.len()]));
        RecordBatch::try_from_iter_with_nullable([
            ("k", Arc::clone(narrow.column(0)), false),
            ("w", Arc::clone(narrow.column(1)), true),
            ("x", extra, true),
        ])
        .unwrap()
    };
    let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    let (_, state) = run(&[(1, Some(5)), (2, Some(5))], 0, 10, None);
    let mut rows = state.unwrap().1;
    let mut hashed = names(&["k", "w"]);
    for new in [[3], [4]] {
        let follow = Arc::new(Follow {
            column: "w".into(),
            kind: WatermarkType::Integer,
            lookback: 0,
            columns: names(&["k", "w", "x"]),
            types: Vec::new(),
            before: Some(Arc::new(Before::new(hashed.clone(), 5, &rows))),
            highest: Highest::default(),
            most: 100,
        });
        let mut source: Vec<(i64, Option<i64>)> = (1..new[0]).map(|k| (k, Some(5))).collect();
        source.extend(new.map(|k| (k, Some(5))));
        let mut observer = Observer::new(Arc::clone(&follow));
        assert_eq!(keys(&observer.take(wide(&source)).unwrap()), new);
        let mut seen = Seen::default();
        let observed = observer.finish().unwrap();
        seen.add(&observed, &follow, false).unwrap();
        let carried = if hashed == follow.columns {
            rows
        } else {
            Vec::new()
        };
        rows = unpack(&seen.window(carried, Some(5), None, &follow).unwrap().1).unwrap();
        hashed.clone_from(&follow.columns);
    }
}

/// A column becomes wider: rows of the window are known in that run, and by their new hash in the
/// next.
#[test]
fn a_wider_column_doubles_nothing() {
    use arrow_array::{Date32Array, Date64Array};
    use arrow_schema::DataType;

    let days = [19_000, 19_001, 19_002];
    let source = |wide: bool, rows: usize| {
        let marks: ArrayRef = Arc::new(Int64Array::from(vec![5; rows]));
        let days = days.iter().take(rows);
        let at: ArrayRef = if wide {
            let millis = days.map(|day| i64::from(*day) * 86_400_000);
            Arc::new(Date64Array::from_iter_values(millis))
        } else {
            Arc::new(Date32Array::from_iter_values(days.copied()))
        };
        RecordBatch::try_from_iter([("w", marks), ("at", at)]).unwrap()
    };
    let columns = vec!["w".to_owned(), "at".to_owned()];
    let mut rows: Vec<Taken> = Vec::new();
    for (wide, there, new) in [(false, 1, 1), (true, 2, 1), (true, 3, 1), (true, 3, 0)] {
        let mut widened = Widened::default();
        if wide && there == 2 {
            widened.add("at", DataType::Date32);
        }
        let carried = if widened.is_empty() {
            rows.clone()
        } else {
            Vec::new()
        };
        let before = Before::new(columns.clone(), 5, &rows).widened(widened);
        let follow = Arc::new(Follow {
            column: "w".into(),
            kind: WatermarkType::Integer,
            lookback: 0,
            columns: columns.clone(),
            types: Vec::new(),
            before: Some(Arc::new(before)),
            highest: Highest::default(),
            most: 100,
        });
        let mut observer = Observer::new(Arc::clone(&follow));
        let taken = observer.take(source(wide, there)).unwrap();
        assert_eq!(taken.num_rows(), new, "wide: {wide}, rows: {there}");
        let mut seen = Seen::default();
        let observed = observer.finish().unwrap();
        seen.add(&observed, &follow, false).unwrap();
        rows = unpack(&seen.window(carried, Some(5), None, &follow).unwrap().1).unwrap();
    }
}
