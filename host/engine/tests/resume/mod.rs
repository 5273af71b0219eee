//! Readers that fail and go on where they were: nothing is lost, nothing is there twice.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use hygge_core::{Fault, code};
use hygge_engine::Event;
use hygge_state::Outcome;

use super::fake::{Destination, Project, Source};
use super::numbers;

fn dropped() -> Fault {
    Fault::new(code::SOURCE_IO, "the line dropped").retryable()
}

/// A source of one split of 95 numbers in batches of ten, which fails before each of these
/// batches, once for each time that it is in the list.
fn failing(at: &[usize], positions: usize) -> Source {
    let mut source = Source::of(numbers(1, 95));
    source.positions = positions;
    let left = Mutex::new(at.to_vec());
    source.before_batch = Box::new(move |_, batch| {
        let mut left = left.lock().unwrap();
        match left.iter().position(|each| *each == batch) {
            Some(found) => {
                left.remove(found);
                Err(dropped())
            }
            None => Ok(()),
        }
    });
    source
}

/// Wherever readers fail, however often, and whichever of their steps say where they are.
#[tokio::test(start_paused = true)]
async fn every_row_arrives_once() {
    for positions in 0..4 {
        for first in 0..11 {
            for second in first..11 {
                let at = [first, second];
                let source = Arc::new(failing(&at, positions));
                let to = Arc::new(Destination::new());
                let mut project = Project::new().flow("a", &source, &to).add_one("n");
                let summary = project.run().await;
                let case = format!("{at:?}, a position every {positions}: {summary:?}");
                assert_eq!(summary.count(Outcome::Pass), 1, "{case}");
                assert_eq!(to.settled(), (1..96).collect::<Vec<_>>(), "{case}");
                assert_eq!(summary.entities[0].rows_read, 95, "{case}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_staged_is_not_read_again() {
    let source = failing(&[4, 7, 7], 1);
    let (source, written) = (Arc::new(source), Arc::new(AtomicU32::new(0)));
    let mut to = Destination::new();
    let counted = Arc::clone(&written);
    to.before_write = Box::new(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(())
    });
    let to = Arc::new(to);
    let mut project = Project::new().flow("a", &source, &to);
    assert_eq!(project.run().await.count(Outcome::Pass), 1);
    assert_eq!(to.settled(), (0..95).collect::<Vec<_>>());
    assert_eq!(written.load(Ordering::SeqCst), 10, "each batch once");
    assert_eq!(source.opened.load(Ordering::SeqCst), 4);
    let told = project.told.0.lock().unwrap();
    let tries: Vec<u32> = told
        .iter()
        .filter_map(|event| match event {
            Event::Retrying { attempt, .. } => Some(*attempt),
            _ => None,
        })
        .collect();
    assert_eq!(tries, [1, 2, 3], "all count together");
}

#[tokio::test(start_paused = true)]
async fn there_is_an_end_to_going_on() {
    let source = Arc::new(failing(&[1, 2, 3, 4, 5], 1));
    let to = Arc::new(Destination::new());
    let mut project = Project::new().flow("a", &source, &to);
    let summary = project.run().await;
    assert_eq!(summary.count(Outcome::Fail), 1, "{summary:?}");
    let fault = summary.entities[0].fault.as_ref().unwrap();
    assert_eq!(fault.attribute("tries"), Some("4"));
    assert_eq!(source.opened.load(Ordering::SeqCst), 4);
    assert!(to.settled().is_empty());
}

/// It is tried from its start then, as what it gave before can't be told from what comes.
#[tokio::test(start_paused = true)]
async fn a_position_that_is_of_no_use_any_more_is_left() {
    let mut source = failing(&[5], 1);
    source.before_resume = Box::new(|_, _| Err(Fault::new(code::SOURCE_INVALID, "expired")));
    let source = Arc::new(source);
    let to = Arc::new(Destination::new());
    let mut project = Project::new().flow("a", &source, &to);
    let summary = project.run().await;
    assert_eq!(summary.count(Outcome::Pass), 1, "{summary:?}");
    assert_eq!(to.settled(), (0..95).collect::<Vec<_>>());
    assert_eq!(source.opened.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn opening_may_fail_for_a_while_as_well() {
    let left = AtomicU32::new(2);
    let mut source = failing(&[5], 1);
    source.before_resume = Box::new(move |_, batch| {
        assert_eq!(batch, 5);
        match left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            left.checked_sub(1)
        }) {
            Ok(_) => Err(dropped()),
            Err(_) => Ok(()),
        }
    });
    let source = Arc::new(source);
    let to = Arc::new(Destination::new());
    let mut project = Project::new().flow("a", &source, &to).incremental();
    let summary = project.run().await;
    assert_eq!(summary.count(Outcome::Pass), 1, "{summary:?}");
    assert_eq!(to.settled(), (0..95).collect::<Vec<_>>());
    assert_eq!(source.opened.load(Ordering::SeqCst), 4);
    assert_eq!(summary.entities[0].watermark.as_ref().unwrap().value, "94");
}
