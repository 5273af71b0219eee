//! The engine against a Home and a Store that do as told.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that can't go on should say where"
)]

mod fake;
mod resume;
mod undone;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use fake::{Destination, FakeHome, FakeStore, Project, Source};
use hygge_core::{Action, Context, EntityId, Fault, RunId, Standing, code};
use hygge_engine::{Event, Pour, pour};
use hygge_project::OnError;
use hygge_state::Outcome;

fn numbers(splits: usize, each: i64) -> Vec<Vec<i64>> {
    (0..splits as i64)
        .map(|s| (s * each..(s + 1) * each).collect())
        .collect()
}

fn all(lists: &[Vec<i64>]) -> Vec<i64> {
    lists.concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_arrives_once() {
    let source = Arc::new(Source::of(numbers(7, 95)));
    let to = Arc::new(Destination::new());
    let mut project = Project::new().flow("a", &source, &to);
    for _ in 0..2 {
        let summary = project.run().await;
        assert_eq!(summary.count(Outcome::Pass), 1, "{summary:?}");
        assert_eq!(to.settled(), all(&numbers(7, 95)));
    }
    assert!(to.shelf.lock().unwrap().staged.is_empty());
    assert_eq!(source.acknowledged.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_pass_every_transform_once_also_when_a_split_is_tried_again() {
    let failures = AtomicU32::new(0);
    let mut source = Source::of(numbers(3, 35));
    source.before_batch = Box::new(move |split, batch| {
        if split == 1 && batch == 2 && failures.fetch_add(1, Ordering::SeqCst) == 0 {
            return Err(Fault::new(code::SOURCE_IO, "the line dropped").retryable());
        }
        Ok(())
    });
    let to = Arc::new(Destination::new());
    let mut project = Project::new()
        .flow("a", &Arc::new(source), &to)
        .add_one("n")
        .add_one("m");
    let summary = project.run().await;
    assert_eq!(summary.count(Outcome::Pass), 1, "{summary:?}");
    assert_eq!(to.settled(), (2..107).collect::<Vec<_>>());
}

/// The watermark is the source's: what a transform makes of the column changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watermarks_are_read_before_the_first_transform() {
    let source = Arc::new(Source::of(numbers(1, 10)));
    let to = Arc::new(Destination::new());
    let mut project = Project::new()
        .flow("a", &source, &to)
        .incremental()
        .add_one("n");
    project.run().await;
    to.shelf.lock().unwrap().standing = Some(Standing::Ours);
    source.splits.lock().unwrap()[0].extend([9, 10, 11]);
    let summary = project.run().await;
    assert_eq!(summary.count(Outcome::Pass), 1, "{summary:?}");
    let mut wanted: Vec<i64> = (1..11).collect();
    wanted.extend([10, 11, 12]);
    wanted.sort_unstable();
    assert_eq!(to.settled(), wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_without_a_watermark_are_said_to_be_left_out() {
    let mut source = Source::of(numbers(2, 10));
    source.without_watermark = 3;
    let to = Arc::new(Destination::new());
    let mut project = Project::new()
        .flow("a", &Arc::new(source), &to)
        .incremental();
    project.run().await;
    let told = project.told.0.lock().unwrap();
    let said = told.iter().find_map(|event| match event {
        Event::Note {
            warning: true,
            message,
            ..
        } => Some(message.as_str()),
        _ => None,
    });
    assert_eq!(
        said,
        Some(
            "6 rows have no value in \"n\", so nothing says whether they are new: left out; \
             a run with --full takes them"
        )
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transform_that_does_not_fit_fails_before_anything_is_read() {
    let source = Arc::new(Source::of(numbers(3, 35)));
    let to = Arc::new(Destination::new());
    let mut project = Project::new().flow("a", &source, &to).add_one("x");
    let summary = project.run().await;
    let fault = summary.entities[0].fault.as_ref().unwrap();
    assert_eq!(fault.message, "there is no column x");
    assert!(format!("{fault:?}").contains("1 (x)"), "{fault:?}");
    assert_eq!(source.opened.load(Ordering::SeqCst), 0);
    assert!(to.settled().is_empty());
}

/// Two splits meet inside their decoding: only possible when both run at the same time, on
/// threads of their own.
#[tokio::test(flavor = "current_thread")]
async fn two_splits_decode_at_the_same_time() {
    let inside = Arc::new((Mutex::new(BTreeSet::new()), Condvar::new()));
    let threads = Arc::new(Mutex::new(BTreeSet::new()));
    let mut source = Source::of(numbers(2, 10));
    source.before_batch = {
        let (inside, threads) = (Arc::clone(&inside), Arc::clone(&threads));
        Box::new(move |split, batch| {
            if batch == 0 {
                threads
                    .lock()
                    .unwrap()
                    .insert(format!("{:?}", std::thread::current().id()));
                let (lock, changed) = &*inside;
                let mut met = lock.lock().unwrap();
                met.insert(split);
                changed.notify_all();
                let (met, _) = changed
                    .wait_timeout_while(met, Duration::from_secs(20), |met| met.len() < 2)
                    .unwrap();
                assert_eq!(met.len(), 2, "the other split was not being decoded");
            }
            Ok(())
        })
    };
    let to = Arc::new(Destination::new());
    let summary = Project::new().flow("a", &Arc::new(source), &to).run().await;
    assert_eq!(summary.count(Outcome::Pass), 1, "{summary:?}");
    assert_eq!(threads.lock().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_while_its_queue_is_full_ends_the_run() {
    let source = Arc::new(Source::of(numbers(2, 100_000)));
    let mut to = Destination::new();
    to.before_write = Box::new(|_| Err(Fault::new(code::DESTINATION_IO, "the shelf broke")));
    let to = Arc::new(to);
    let mut project = Project::new().flow("a", &source, &to);
    project.plan.options.memory = 1 << 10;
    let ended = tokio::time::timeout(Duration::from_secs(60), project.run()).await;
    let summary = ended.expect("the run hangs");
    assert_eq!(
        summary.entities[0].fault.as_ref().unwrap().message,
        "the shelf broke"
    );
    assert!(to.settled().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_split_that_failed_is_read_again() {
    let failures = AtomicU32::new(0);
    let mut source = Source::of(numbers(3, 30));
    source.before_batch = Box::new(move |split, batch| {
        if split == 1 && batch == 2 && failures.fetch_add(1, Ordering::SeqCst) == 0 {
            return Err(Fault::new(code::SOURCE_IO, "the line dropped").retryable());
        }
        Ok(())
    });
    let source = Arc::new(source);
    let to = Arc::new(Destination::new());
    let mut project = Project::new().flow("a", &source, &to);
    let summary = project.run().await;
    assert_eq!(summary.count(Outcome::Pass), 1, "{summary:?}");
    assert_eq!(to.settled(), all(&numbers(3, 30)));
    assert_eq!(source.opened.load(Ordering::SeqCst), 4);
    let told = project.told.0.lock().unwrap();
    let retried = told
        .iter()
        .filter(|e| matches!(e, Event::Retrying { attempt: 1, .. }))
        .count();
    assert_eq!(retried, 1);
    let rows = told.iter().rev().find_map(|e| match e {
        Event::Progress { rows, .. } => Some(*rows),
        _ => None,
    });
    assert_eq!(rows, Some(90), "what a failed attempt moved must not count");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_run_resumes_what_a_passing_fault_left() {
    let broken = Arc::new(AtomicBool::new(true));
    let mut source = Source::of(numbers(4, 30));
    source.before_batch = {
        let broken = Arc::clone(&broken);
        Box::new(move |split, batch| {
            if split == 3 && batch == 1 && broken.load(Ordering::SeqCst) {
                return Err(Fault::new(code::SOURCE_IO, "the line dropped").retryable());
            }
            Ok(())
        })
    };
    let source = Arc::new(source);
    let to = Arc::new(Destination::new());
    let mut project = Project::new().flow("a", &source, &to).incremental();
    project.plan.options.retries = 0;
    project.plan.options.concurrency = 1;
    assert_eq!(project.run().await.count(Outcome::Fail), 1);
    assert!(to.settled().is_empty());
    assert_eq!(source.opened.load(Ordering::SeqCst), 4);

    broken.store(false, Ordering::SeqCst);
    let summary = project.run().await;
    assert_eq!(summary.count(Outcome::Pass), 1, "{summary:?}");
    assert_eq!(
        source.opened.load(Ordering::SeqCst),
        5,
        "three splits were staged already"
    );
    assert_eq!(to.settled(), all(&numbers(4, 30)));
    assert_eq!(summary.entities[0].watermark.as_ref().unwrap().value, "119");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_source_is_read_from_the_start() {
    let broken = Arc::new(AtomicBool::new(true));
    let mut source = Source::of(numbers(2, 10));
    source.before_batch = {
        let broken = Arc::clone(&broken);
        Box::new(move |split, _| {
            if split == 1 && broken.load(Ordering::SeqCst) {
                return Err(Fault::new(code::SOURCE_IO, "the line dropped").retryable());
            }
            Ok(())
        })
    };
    let source = Arc::new(source);
    let to = Arc::new(Destination::new());
    let mut project = Project::new().flow("a", &source, &to);
    project.plan.options.retries = 0;
    assert_eq!(project.run().await.count(Outcome::Fail), 1);
    broken.store(false, Ordering::SeqCst);
    *source.splits.lock().unwrap() = vec![vec![5], vec![6]];
    assert_eq!(project.run().await.count(Outcome::Pass), 1);
    assert_eq!(to.settled(), [5, 6]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_was_cut_off_is_finished_by_the_next_run() {
    for after_effect in [false, true] {
        let broken = Arc::new(AtomicBool::new(true));
        let source = Arc::new(Source::of(numbers(2, 10)));
        let mut to = Destination::new();
        to.in_commit = {
            let broken = Arc::clone(&broken);
            Box::new(move |after| {
                if after == after_effect && broken.load(Ordering::SeqCst) {
                    return Err(Fault::new(code::DESTINATION_IO, "cut off"));
                }
                Ok(())
            })
        };
        let to = Arc::new(to);
        let mut project = Project::new().flow("a", &source, &to).incremental();
        assert_eq!(project.run().await.count(Outcome::Fail), 1);
        broken.store(false, Ordering::SeqCst);
        source.splits.lock().unwrap().push(vec![100]);
        let summary = project.run().await;
        assert_eq!(summary.count(Outcome::Pass), 1, "{summary:?}");
        // The first run's rows by its own intent, then only the new one.
        let mut expected = all(&numbers(2, 10));
        expected.push(100);
        assert_eq!(
            to.settled(),
            expected,
            "cut off after it took effect: {after_effect}"
        );
        assert_eq!(summary.entities[0].rows, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ties_and_growth_are_taken_once() {
    let source = Arc::new(Source::of(vec![vec![1, 2, 3, 3]]));
    let to = Arc::new(Destination::new());
    let mut project = Project::new().flow("a", &source, &to).incremental();
    project.run().await;
    *source.splits.lock().unwrap() = vec![vec![1, 2, 3, 3, 3], vec![4]];
    let summary = project.run().await;
    assert_eq!(to.settled(), [1, 2, 3, 3, 3, 4]);
    assert_eq!(
        (summary.entities[0].rows, summary.entities[0].rows_read),
        (2, 4)
    );
    project.run().await;
    assert_eq!(to.settled(), [1, 2, 3, 3, 3, 4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_state_stops_an_incremental_run() {
    let source = Arc::new(Source::of(vec![vec![1]]));
    let to = Arc::new(Destination::new());
    to.shelf.lock().unwrap().standing = Some(Standing::Marked { run: None });
    let summary = Project::new()
        .flow("a", &source, &to)
        .incremental()
        .run()
        .await;
    let fault = summary.entities[0].fault.clone().unwrap();
    assert_eq!(fault.code, code::STATE_LOST);
    let advice = fault.advice.unwrap();
    for way_out in ["state recover a.e", "--full", "state set a.e"] {
        assert!(advice.contains(way_out), "{advice}");
    }
    assert!(to.settled().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flows_wait_for_those_they_come_after() {
    let done = Arc::new(AtomicBool::new(false));
    let first = Arc::new(Source::of(numbers(1, 10)));
    let mut to = Destination::new();
    to.in_commit = {
        let done = Arc::clone(&done);
        Box::new(move |after| {
            done.store(after, Ordering::SeqCst);
            Ok(())
        })
    };
    let to = Arc::new(to);
    let mut second = Source::of(numbers(1, 10));
    second.before_batch = {
        let done = Arc::clone(&done);
        Box::new(move |_, _| {
            assert!(done.load(Ordering::SeqCst), "began too early");
            Ok(())
        })
    };
    let other = Arc::new(Destination::new());
    // By name the second comes first.
    let mut project = Project::new()
        .flow("a", &Arc::new(second), &other)
        .after("z")
        .flow("z", &first, &to);
    let summary = project.run().await;
    assert_eq!(summary.count(Outcome::Pass), 2, "{summary:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flows_after_a_failed_one_are_skipped() {
    let mut broken = Source::of(numbers(1, 10));
    broken.before_batch = Box::new(|_, _| Err(Fault::new(code::SOURCE_INVALID, "torn")));
    let whole = Arc::new(Source::of(numbers(1, 10)));
    let to = Arc::new(Destination::new());
    let mut project = Project::new()
        .flow("a", &Arc::new(broken), &to)
        .flow("b", &whole, &Arc::new(Destination::new()))
        .after("a")
        .flow("c", &whole, &Arc::new(Destination::new()));
    let summary = project.run().await;
    let outcomes: Vec<Outcome> = summary.entities.iter().map(|e| e.outcome).collect();
    assert_eq!(outcomes, [Outcome::Fail, Outcome::Skip, Outcome::Pass]);
    assert_eq!(
        summary.entities[1].reason.as_deref(),
        Some("flow a did not succeed")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_error_stop_begins_nothing_new() {
    let mut broken = Source::of(numbers(1, 10));
    broken.before_batch = Box::new(|_, _| Err(Fault::new(code::SOURCE_INVALID, "torn")));
    let whole = Arc::new(Source::of(numbers(1, 10)));
    let to = Arc::new(Destination::new());
    let mut project = Project::new()
        .flow("a", &Arc::new(broken), &Arc::new(Destination::new()))
        .flow("b", &whole, &to);
    project.plan.options.concurrency = 1;
    project.plan.options.on_error = OnError::Stop;
    let summary = project.run().await;
    assert_eq!(summary.entities[1].outcome, Outcome::Skip);
    assert!(to.settled().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_throws_away_what_is_staged() {
    let mut source = Source::of(numbers(4, 1_000));
    let reached = Arc::new(AtomicUsize::new(0));
    let signal = hygge_engine::StopSignal::default();
    source.before_batch = {
        let (reached, signal) = (Arc::clone(&reached), signal.clone());
        Box::new(move |_, _| {
            if reached.fetch_add(1, Ordering::SeqCst) == 150 {
                signal.set();
            }
            Ok(())
        })
    };
    let to = Arc::new(Destination::new());
    let mut project = Project::new().flow("a", &Arc::new(source), &to);
    project.signal = signal;
    let summary = project.run().await;
    assert_eq!(summary.count(Outcome::Stopped), 1, "{summary:?}");
    assert!(to.settled().is_empty());
    assert!(to.shelf.lock().unwrap().staged.is_empty());
    let id = project.plan.flows[0].entities[0].id.clone();
    assert!(project.state.attempt(&id).await.unwrap().is_none());
}

/// The Store is told what it staged for a run that is given up, but nothing of one that the next
/// run goes on with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_given_up_is_aborted_by_its_receipts() {
    for passing in [true, false] {
        let mut source = Source::of(numbers(3, 30));
        source.before_batch = Box::new(move |split, batch| match (split, batch) {
            (2, 1) if passing => Err(Fault::new(code::SOURCE_IO, "gone").retryable()),
            (2, 1) => Err(Fault::new(code::SOURCE_INVALID, "broken")),
            _ => Ok(()),
        });
        let to = Arc::new(Destination::new());
        let mut project = Project::new().flow("a", &Arc::new(source), &to);
        project.plan.options.retries = 0;
        project.plan.options.concurrency = 1;
        assert_eq!(project.run().await.count(Outcome::Fail), 1);
        let shelf = to.shelf.lock().unwrap();
        let aborted: Vec<_> = shelf.aborted.iter().map(|r| r.rows).collect();
        match passing {
            true => assert_eq!((aborted, shelf.staged.len()), (vec![], 2)),
            false => assert_eq!((aborted, shelf.staged.len()), (vec![30, 30], 0)),
        }
    }
}

/// As `hygge plugin run` has it: asked to stop between the last writer's end and the commit.
#[tokio::test]
async fn what_was_staged_alone_is_aborted_by_its_receipt_when_it_is_stopped() {
    let signal = hygge_engine::StopSignal::default();
    let mut to = Destination::new();
    to.before_write = {
        let signal = signal.clone();
        Box::new(move |_| {
            signal.set();
            Ok(())
        })
    };
    let to = Arc::new(to);
    let (home, store) = (
        FakeHome(Arc::new(Source::of(numbers(1, 10)))),
        FakeStore(Arc::clone(&to)),
    );
    let into = Pour {
        store: &store,
        kind: "shelf",
        action: Action::Replace,
        entity: EntityId::new("run", "it"),
        run: RunId::parse("one").unwrap(),
    };
    // Nobody who reads or writes hears of the signal: all of it is staged.
    let cx = Context::inline();
    let poured = pour(&home, None, &into, &signal, &cx).await;
    assert_eq!(poured.unwrap_err().code, code::STOPPED);
    let shelf = to.shelf.lock().unwrap();
    let aborted: Vec<_> = shelf.aborted.iter().map(|r| r.rows).collect();
    assert_eq!(aborted, [10]);
    assert!(shelf.settled.is_empty() && shelf.staged.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_fails_its_entity_alone() {
    let mut source = Source::of(numbers(1, 10));
    source.before_batch = Box::new(|_, _| panic!("a decoder gave up"));
    let whole = Arc::new(Source::of(numbers(1, 10)));
    let to = Arc::new(Destination::new());
    let mut project = Project::new()
        .flow("a", &Arc::new(source), &Arc::new(Destination::new()))
        .flow("b", &whole, &to);
    let summary = project.run().await;
    let fault = summary.entities[0].fault.as_ref().unwrap();
    assert_eq!(fault.message, "a worker panicked: a decoder gave up");
    assert_eq!(to.settled(), all(&numbers(1, 10)));
}
