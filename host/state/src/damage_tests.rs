//! Records with bytes that changed: what is read is what was written, or an error that says which
//! file; never something else, and never nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use futures::executor::block_on;
use hygge_core::{EntityId, Fault, InlineWorkers, code};
use proptest::prelude::*;

use crate::conformance::{attempt, intent, memories, split, state};
use crate::{LocalState, StateStore};

/// What a reader may trip over.
const TEXTS: &[&str] = &["\0", "\n", "~", "[", "{", "\"", ": ", "&a", "9", "\u{fe}"];

/// What may happen to a file.
#[derive(Debug, Clone)]
enum Damage {
    Flip { at: f64, bit: u8 },
    Cut { at: f64 },
    Swap { one: f64, other: f64 },
    Drop { at: f64, lines: usize },
    Twice { at: f64 },
    Write { at: f64, text: &'static str },
}

fn damage() -> impl Strategy<Value = Damage> {
    let place = || 0.0..1.0_f64;
    prop_oneof![
        (place(), 0_u8..8).prop_map(|(at, bit)| Damage::Flip { at, bit }),
        place().prop_map(|at| Damage::Cut { at }),
        (place(), place()).prop_map(|(one, other)| Damage::Swap { one, other }),
        (place(), 1_usize..5).prop_map(|(at, lines)| Damage::Drop { at, lines }),
        place().prop_map(|at| Damage::Twice { at }),
        (place(), prop::sample::select(TEXTS)).prop_map(|(at, text)| Damage::Write { at, text }),
    ]
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a place in a short file"
)]
fn place(at: f64, length: usize) -> usize {
    (at * length as f64) as usize
}

fn done(damage: &Damage, content: &[u8]) -> Vec<u8> {
    let mut bytes = content.to_vec();
    let mut lines: Vec<Vec<u8>> = content
        .split_inclusive(|b| *b == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    match damage {
        Damage::Flip { at, bit } => bytes[place(*at, content.len())] ^= 1 << bit,
        Damage::Cut { at } => bytes.truncate(place(*at, content.len())),
        Damage::Write { at, text } => {
            let at = place(*at, content.len());
            let to = (at + text.len()).min(content.len());
            bytes.splice(at..to, text.bytes());
        }
        Damage::Swap { one, other } => {
            let (one, other) = (place(*one, lines.len()), place(*other, lines.len()));
            lines.swap(one, other);
            bytes = lines.concat();
        }
        Damage::Drop { at, lines: several } => {
            let at = place(*at, lines.len());
            let to = (at + several).min(lines.len());
            lines.drain(at..to);
            bytes = lines.concat();
        }
        Damage::Twice { at } => {
            let line = lines[place(*at, lines.len())].clone();
            lines.push(line);
            bytes = lines.concat();
        }
    }
    bytes
}

fn orders() -> EntityId {
    EntityId::new("sales", "orders")
}

/// An entity with a state, a commit that waits and an attempt.
fn folder() -> (tempfile::TempDir, LocalState, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalState::open(folder.path(), Arc::new(InlineWorkers));
    let (entity, kept) = (orders(), memories(&[("store", Some("x"))]));
    block_on(async {
        store.close(&state(&entity, 1), &kept).await.unwrap();
        store.begin_attempt(&entity, &attempt(2)).await.unwrap();
        store.split_done(&entity, &split(0, 1)).await.unwrap();
        store.split_done(&entity, &split(1, 1)).await.unwrap();
        store.put_intent(&intent(&entity, 2), &kept).await.unwrap();
    });
    let records = folder.path().join("state").join(&entity.flow);
    (folder, store, records)
}

#[track_caller]
fn said(fault: &Fault, path: &Path) {
    assert_eq!(fault.code, code::STATE, "{fault:?}");
    let name = path.file_name().unwrap().to_str().unwrap();
    assert!(fault.message.contains(name), "{fault:?}");
    assert!(!fault.message.contains('\n'), "{fault:?}");
    assert!(fault.advice.is_some(), "{fault:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_damaged_record_is_an_error_or_what_was_written(
        damages in prop::collection::vec(damage(), 1..4),
    ) {
        static FOLDER: LazyLock<(tempfile::TempDir, LocalState, PathBuf)> = LazyLock::new(folder);
        let (_, store, records) = &*FOLDER;
        let entity = orders();
        for kind in ["state.yml", "intent.json", "attempt.jsonl"] {
            let path = records.join(format!("orders.{kind}"));
            let whole = fs::read(&path).unwrap();
            let mut bytes = whole.clone();
            for each in &damages {
                if !bytes.is_empty() {
                    bytes = done(each, &bytes);
                }
            }
            fs::write(&path, &bytes).unwrap();
            match kind {
                "state.yml" => match block_on(store.load(&entity)) {
                    Ok(read) => prop_assert_eq!(read, Some(state(&entity, 1))),
                    Err(fault) => said(&fault, &path),
                },
                "intent.json" => match block_on(store.intent(&entity)) {
                    Ok(read) => prop_assert_eq!(read, Some(intent(&entity, 2))),
                    Err(fault) => said(&fault, &path),
                },
                _ => match block_on(store.attempt(&entity)) {
                    // A line that is gone or has no end is work that is done again.
                    Ok(None) => {}
                    Ok(Some((began, splits))) => {
                        prop_assert_eq!(began, attempt(2));
                        let known = [split(0, 1), split(1, 1)];
                        prop_assert!(splits.iter().all(|each| known.contains(each)));
                    }
                    Err(fault) => said(&fault, &path),
                },
            }
            fs::write(&path, &whole).unwrap();
        }
    }
}

#[test]
fn a_state_without_its_watermark_is_not_a_beginning() {
    let (_folder, store, records) = folder();
    let path = records.join("orders.state.yml");
    let whole = fs::read_to_string(&path).unwrap();
    let lines = whole.lines().filter(|line| {
        !line.starts_with("watermark:")
            && !["  column: ", "  value: ", "  type: "]
                .iter()
                .any(|key| line.starts_with(key))
    });
    let without = lines.fold(String::new(), |text, line| text + line + "\n");
    fs::write(&path, &without).unwrap();
    let fault = block_on(store.load(&orders())).unwrap_err();
    assert!(
        fault
            .message
            .ends_with("the checksum in its last line differs"),
        "{fault:?}"
    );
    let (start, _) = without.rsplit_once("checksum").unwrap();
    fs::write(&path, start).unwrap();
    let fault = block_on(store.load(&orders())).unwrap_err();
    assert!(
        fault.message.ends_with("the last line is no checksum"),
        "{fault:?}"
    );
    // A person who means it says so.
    fs::write(&path, format!("{start}checksum: by hand\n")).unwrap();
    let read = block_on(store.load(&orders())).unwrap();
    assert_eq!(read.and_then(|state| state.watermark), None);
}
