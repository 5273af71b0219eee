//! A crash at any step of any sequence of calls: what is found afterwards is the old or the new
//! state, whole, and a commit that was promised is never forgotten.
//!
//! Each step on disk is taped while a model (the state in memory) is told the same. Then the
//! tape is cut after each step, by a kill or by a power cut, and what is left is opened.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use futures::executor::block_on;
use hygge_core::{EntityId, InlineWorkers};
use proptest::prelude::*;

use crate::conformance::{attempt, intent, memories, split, state};
use crate::tape::{Crash, Step, leave};
use crate::{
    Attempt, EntityState, Intent, LocalState, Memories, MemoryState, SplitDone, StateStore,
};

const NAMES: [&str; 3] = ["store", "home", "window"];
/// Few, so that a memory often has a content that it had before.
const CONTENTS: [&str; 4] = ["", "a", "bb", "a longer one"];

#[derive(Debug, Clone)]
enum Call {
    Begin,
    Split(usize),
    Resume,
    Drop,
    Intent([Option<usize>; 3]),
    /// What waits can't come about any more.
    Undo,
    Close([Option<usize>; 3]),
    Put([Option<usize>; 3]),
    Reset,
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    // A content's number; one past the last for "gone", none for "not named".
    let some = || proptest::option::of(0..=CONTENTS.len());
    let named = move || [some(), some(), some()];
    let call = prop_oneof![
        3 => Just(Call::Begin),
        3 => (0_usize..3).prop_map(Call::Split),
        1 => Just(Call::Resume),
        1 => Just(Call::Drop),
        4 => named().prop_map(Call::Intent),
        1 => Just(Call::Undo),
        5 => named().prop_map(Call::Close),
        1 => named().prop_map(Call::Put),
        1 => Just(Call::Reset),
    ];
    proptest::collection::vec(call, 1..14)
}

fn chosen(named: &[Option<usize>; 3]) -> Memories {
    let list: Vec<_> = NAMES
        .into_iter()
        .zip(named)
        .filter_map(|(name, choice)| Some((name, CONTENTS.get((*choice)?).copied())))
        .collect();
    memories(&list)
}

/// Everything that can be seen of the entity.
#[derive(Debug, Clone, PartialEq, Default)]
struct View {
    state: Option<EntityState>,
    memories: Vec<Option<Vec<u8>>>,
    intent: Option<Intent>,
    attempt: Option<(Attempt, Vec<SplitDone>)>,
}

impl View {
    fn run(&self) -> Option<&hygge_core::RunId> {
        self.attempt.as_ref().map(|(a, _)| &a.run)
    }

    fn settled(&self) -> (&Option<EntityState>, &Vec<Option<Vec<u8>>>) {
        (&self.state, &self.memories)
    }
}

fn entity() -> EntityId {
    EntityId::new("sales", "orders")
}

async fn view(store: &dyn StateStore) -> View {
    let mut memories = Vec::new();
    for name in NAMES {
        memories.push(store.memory(&entity(), name).await.unwrap());
    }
    View {
        state: store.load(&entity()).await.unwrap(),
        memories,
        intent: store.intent(&entity()).await.unwrap(),
        attempt: store.attempt(&entity()).await.unwrap(),
    }
}

/// Makes the call if the protocol has it here; says whether.
async fn make(store: &dyn StateStore, call: &Call, n: u64, now: &View) -> bool {
    let waits = now.intent.is_some();
    let begun = now.attempt.as_ref().map(|(a, _)| a.clone());
    let entity = entity();
    let done = match (call, begun) {
        (Call::Begin, _) if !waits => store.begin_attempt(&entity, &attempt(n)).await,
        (Call::Split(nth), Some(_)) if !waits => {
            let again = u32::try_from(n).unwrap();
            store.split_done(&entity, &split(*nth, again)).await
        }
        (Call::Resume, Some(begun)) if !waits => {
            let resumed = begun.resumed + 1;
            store
                .resume_attempt(&entity, &Attempt { resumed, ..begun })
                .await
        }
        (Call::Drop, _) if !waits => store.drop_attempt(&entity).await,
        (Call::Intent(named), Some(begun)) if !waits => {
            let mut intent = intent(&entity, n);
            intent.record.run = begun.run;
            store.put_intent(&intent, &chosen(named)).await
        }
        (Call::Undo, _) if waits => store.drop_intent(&entity).await,
        (Call::Close(named), _) => store.close(&state(&entity, n), &chosen(named)).await,
        (Call::Put(named), _) if !waits => store.put(&state(&entity, n), &chosen(named)).await,
        (Call::Reset, _) => store.reset(&entity).await.map(|_| ()),
        _ => return false,
    };
    done.unwrap();
    true
}

fn open(work: &Path) -> LocalState {
    let store = LocalState::open(work, Arc::new(InlineWorkers));
    store.tape().pretend();
    store
}

struct Told {
    call: Call,
    before: View,
    after: View,
    /// The steps on the tape once the call had returned.
    steps: usize,
}

fn check(found: &View, told: &Told, whole: bool, crash: Crash) {
    let Told {
        call,
        before,
        after,
        ..
    } = told;
    let context =
        format!("{call:?}, {crash:?}, whole: {whole}\nbefore {before:#?}\nafter {after:#?}");
    let new = found.settled() == after.settled();
    assert!(
        new || !whole,
        "a finished call is undone: {found:#?}\n{context}"
    );
    assert!(
        new || found.settled() == before.settled(),
        "mixed: {found:#?}\n{context}"
    );
    let intent_new = found.intent == after.intent;
    assert!(
        intent_new || (!whole && found.intent == before.intent),
        "intent: {found:#?}\n{context}"
    );
    if !new && before.intent.is_some() {
        assert_eq!(
            found.intent, before.intent,
            "a commit is forgotten\n{context}"
        );
    }
    let known = match found.run() {
        None => matches!(crash, Crash::Power(_)) || after.attempt.is_none() || !whole,
        run => run == after.run() || (!whole && run == before.run()),
    };
    assert!(known, "attempt: {found:#?}\n{context}");
    if let (Some((_, splits)), true) = (&found.attempt, found.run() == after.run()) {
        let (_, all) = after.attempt.as_ref().unwrap();
        let ids: Vec<_> = all.iter().map(|s| &s.receipt.split).collect();
        assert!(
            splits.iter().all(|s| ids.contains(&&s.receipt.split)),
            "{context}"
        );
        if whole && matches!(crash, Crash::Killed) {
            assert_eq!(found.attempt, after.attempt, "{context}");
        }
    }
}

/// The next run does its work on what is left, and leaves nothing of the crash.
async fn go_on(work: &Path, found: &View, tidy: bool) {
    let store = open(work);
    if found.intent.is_some() {
        store
            .close(&state(&entity(), 900), &Vec::new())
            .await
            .unwrap();
    }
    store.begin_attempt(&entity(), &attempt(901)).await.unwrap();
    store.split_done(&entity(), &split(0, 1)).await.unwrap();
    let named = chosen(&[Some(1), Some(4), Some(2)]);
    store
        .put_intent(&intent(&entity(), 901), &named)
        .await
        .unwrap();
    store
        .close(&state(&entity(), 901), &Vec::new())
        .await
        .unwrap();
    let end = view(&store).await;
    assert_eq!(end.state, Some(state(&entity(), 901)));
    assert_eq!(
        end.memories,
        [Some(b"a".to_vec()), None, Some(b"bb".to_vec())]
    );
    assert_eq!((end.intent, end.attempt), (None, None));
    if tidy {
        let files = fs::read_dir(work.join("state/sales")).unwrap();
        let names: Vec<_> = files.map(|f| f.unwrap().file_name()).collect();
        assert_eq!(names.len(), 3, "a state and two memories: {names:?}");
    }
}

/// A folder in memory where there is one: thousands of small files are written.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    tempfile::tempdir_in(memory)
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

fn play(calls: &[Call], seed: u64) {
    let folder = scratch();
    let work = folder.path().join("work");
    let store = open(&work);
    let model = MemoryState::new();
    let mut all: Vec<Told> = Vec::new();
    block_on(async {
        for (n, call) in (1..).zip(calls) {
            let before = view(&model).await;
            if !make(&model, call, n, &before).await {
                continue;
            }
            assert!(make(&store, call, n, &before).await);
            let after = view(&model).await;
            assert_eq!(view(&store).await, after, "after {call:?}");
            all.push(Told {
                call: call.clone(),
                before,
                after,
                steps: store.tape().steps().len(),
            });
        }
    });
    let steps: Vec<Step> = store.tape().steps();
    let nothing = Told {
        call: Call::Reset,
        before: View::default(),
        after: block_on(view(&MemoryState::new())),
        steps: 0,
    };
    for cut in 0..=steps.len() {
        // The call that was under way, or the last one that had returned.
        let told = all.iter().find(|t| cut <= t.steps).unwrap_or(&nothing);
        // Several calls may have ended here, those after the first without a step.
        let last = all.iter().rev().find(|t| t.steps == cut);
        let (told, whole) = match last {
            Some(last) => (last, true),
            None => (told, false),
        };
        if all.is_empty() {
            continue;
        }
        let synced = matches!(
            steps[..cut].last(),
            Some(Step::Sync(_) | Step::SyncFolder(_))
        );
        // A sync changes nothing for those who survive.
        let killed = (!synced).then_some(Crash::Killed);
        for crash in killed.into_iter().chain([Crash::Power(seed ^ cut as u64)]) {
            let left = folder.path().join("left");
            fs::create_dir(&left).unwrap();
            leave(&steps[..cut], crash, &work, &left);
            block_on(async {
                let found = view(&open(&left)).await;
                check(&found, told, whole, crash);
                // What was cut off outside an attempt is left for a later reset.
                let started = all.iter().take_while(|t| t.steps <= cut).count();
                let clean = all[..all.len().min(started + 1)].iter().all(|t| {
                    !matches!(
                        t.call,
                        Call::Undo | Call::Close(_) | Call::Put(_) | Call::Reset
                    ) || (matches!(t.call, Call::Close(_)) && t.before.attempt.is_some())
                });
                go_on(&left, &found, clean && matches!(crash, Crash::Killed)).await;
            });
            fs::remove_dir_all(&left).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_crash_leaves_the_old_or_the_new(calls in calls(), seed in any::<u64>()) {
        play(&calls, seed);
    }
}

#[test]
fn a_crash_in_a_usual_life() {
    let none = [None, None, None];
    let life = [
        Call::Begin,
        Call::Split(0),
        Call::Split(1),
        Call::Intent([None, Some(1), Some(3)]),
        Call::Close([Some(2), None, None]),
        Call::Begin,
        Call::Split(0),
        Call::Intent([Some(0), Some(4), Some(2)]),
        Call::Close([Some(2), None, Some(3)]),
        Call::Begin,
        Call::Intent([Some(1), None, Some(2)]),
        Call::Undo,
        Call::Begin,
        Call::Split(0),
        Call::Intent(none),
        Call::Reset,
        Call::Begin,
        Call::Close(none),
    ];
    play(&life, 7_919);
}
