//! Commits that didn't come about and left nothing: their rows are moved again, exactly once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use hygge_core::{EntityId, Fault, code};
use hygge_engine::{Event, StopSignal};
use hygge_state::Outcome;

use super::fake::{Destination, Project, Source};
use super::{all, numbers};

fn undone() -> Fault {
    Fault::new(code::COMMIT_UNDONE, "the transaction was rolled back")
}

/// A destination whose first commits fail, with these faults, before they take effect.
fn failing(faults: Vec<Fault>, undoes: bool) -> Destination {
    let mut to = Destination::new();
    let next = AtomicU32::new(0);
    to.undoes = undoes;
    to.in_commit = Box::new(move |after| {
        if after {
            return Ok(());
        }
        let nth = next.fetch_add(1, Ordering::SeqCst) as usize;
        faults.get(nth).map_or(Ok(()), |fault| Err(fault.clone()))
    });
    to
}

fn notes(project: &Project) -> Vec<String> {
    let told = project.told.0.lock().unwrap();
    let notes = told.iter().filter_map(|event| match event {
        Event::Note { message, .. } => Some(message.clone()),
        _ => None,
    });
    notes.collect()
}

async fn waits(project: &Project) -> bool {
    let intent = project.state.intent(&EntityId::new("a", "e")).await;
    intent.unwrap().is_some()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_rows_are_moved_again_by_the_same_run() {
    let source = Arc::new(Source::of(numbers(2, 10)));
    let to = Arc::new(failing(vec![undone()], true));
    let mut project = Project::new().flow("a", &source, &to).incremental();
    let summary = project.run().await;
    assert_eq!(summary.count(Outcome::Pass), 1, "{summary:?}");
    assert_eq!(to.settled(), all(&numbers(2, 10)));
    assert_eq!(summary.entities[0].rows, 20);
    assert_eq!(source.opened.load(Ordering::SeqCst), 4, "every split twice");
    assert_eq!(source.acknowledged.load(Ordering::SeqCst), 1);
    assert_eq!(
        notes(&project),
        ["the transaction was rolled back; its rows are moved again"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_rows_are_moved_again_by_another_run() {
    let source = Arc::new(Source::of(numbers(2, 10)));
    let cut = Fault::new(code::DESTINATION_IO, "cut off");
    let to = Arc::new(failing(vec![cut, undone()], true));
    let mut project = Project::new().flow("a", &source, &to).incremental();
    let failed = project.run().await;
    let fault = failed.entities[0].fault.as_ref().unwrap();
    assert_eq!(
        fault.advice.as_deref(),
        Some(
            "whether its commit came about isn't known: the next `hygge start` asks before \
             anything else, and moves the rows again if it didn't"
        )
    );
    assert!(waits(&project).await);
    source.splits.lock().unwrap().push(vec![100]);
    let summary = project.run().await;
    assert_eq!(summary.count(Outcome::Pass), 1, "{summary:?}");
    let mut expected = all(&numbers(2, 10));
    expected.push(100);
    assert_eq!(to.settled(), expected);
    assert!(!waits(&project).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twice_in_a_row_is_a_failure_that_leaves_nothing() {
    let source = Arc::new(Source::of(numbers(2, 10)));
    let to = Arc::new(failing(vec![undone(), undone()], true));
    let mut project = Project::new().flow("a", &source, &to).incremental();
    let summary = project.run().await;
    assert_eq!(summary.count(Outcome::Fail), 1, "{summary:?}");
    assert!(!waits(&project).await);
    assert!(to.settled().is_empty());
    assert!(to.shelf.lock().unwrap().staged.is_empty());
    assert_eq!(project.run().await.count(Outcome::Pass), 1);
    assert_eq!(to.settled(), all(&numbers(2, 10)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_refused_is_moved_again_by_another_run_alone() {
    let source = Arc::new(Source::of(numbers(2, 10)));
    let refused = Fault::new(code::COMMIT_REFUSED, "a constraint");
    let to = Arc::new(failing(vec![refused], true));
    let mut project = Project::new().flow("a", &source, &to).incremental();
    let summary = project.run().await;
    let fault = summary.entities[0].fault.as_ref().unwrap();
    assert_eq!(
        fault.advice.as_deref(),
        Some("nothing of this run was written, and the next one moves its rows again")
    );
    assert!(!waits(&project).await);
    assert!(to.shelf.lock().unwrap().staged.is_empty());
    assert_eq!(source.opened.load(Ordering::SeqCst), 2, "each split once");
    assert_eq!(project.run().await.count(Outcome::Pass), 1);
    assert_eq!(to.settled(), all(&numbers(2, 10)));
}

/// Of a Store that doesn't say so itself the code is a word like any other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_code_alone_undoes_nothing() {
    let source = Arc::new(Source::of(numbers(2, 10)));
    let to = Arc::new(failing(vec![undone(), undone()], false));
    let mut project = Project::new().flow("a", &source, &to).incremental();
    for _ in 0..2 {
        assert_eq!(project.run().await.count(Outcome::Fail), 1);
        assert!(waits(&project).await);
    }
    assert_eq!(source.opened.load(Ordering::SeqCst), 2, "each split once");
    // The run after that finishes what the first one staged, and finds nothing new but the last
    // number, which it knows.
    assert_eq!(project.run().await.count(Outcome::Pass), 1);
    assert_eq!(to.settled(), all(&numbers(2, 10)));
}

/// What is decided stays so; only nobody has to wait for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_to_stop_waits_for_no_other_try() {
    let source = Arc::new(Source::of(numbers(2, 10)));
    let (tries, signal) = (Arc::new(AtomicU32::new(0)), StopSignal::default());
    let mut to = Destination::new();
    let (tried, stop) = (Arc::clone(&tries), signal.clone());
    to.in_commit = Box::new(move |_| {
        if tried.fetch_add(1, Ordering::SeqCst) > 0 {
            return Ok(());
        }
        stop.set();
        Err(Fault::new(code::DESTINATION_IO, "somebody reads it").retryable())
    });
    let to = Arc::new(to);
    let mut project = Project::new().flow("a", &source, &to);
    project.signal = signal;
    let summary = project.run().await;
    assert_eq!(summary.count(Outcome::Stopped), 1, "{summary:?}");
    assert_eq!(tries.load(Ordering::SeqCst), 1);
    assert!(waits(&project).await);
    project.signal = StopSignal::default();
    project.run().await;
    assert_eq!(to.settled(), all(&numbers(2, 10)));
}
