//! What every backend of the state must do, as checks that its tests run: a new backend calls
//! [`check`] with an empty store, and is done when that passes. What a crash leaves is for each
//! backend's own tests.

use hygge_core::{
    Action, CommitRecord, EntityId, Position, Receipt, Result, RunId, Severity, SplitId, Watermark,
    WatermarkType, code,
};
use serde_json::json;

use crate::{
    Attempt, Checked, Columns, Ends, EntityState, Holder, Intent, Memories, Outcome, RunEntity,
    RunRecord, SplitDone, Staged, StateStore, Unfinished, Waiting,
};

/// The id of the `n`-th run.
///
/// # Panics
/// Never: any number makes an id.
pub fn run_id(n: u64) -> RunId {
    RunId::new(began(n), n)
}

fn began(n: u64) -> jiff::Timestamp {
    let seconds = i64::try_from(n % 1_000_000).unwrap_or_default();
    jiff::Timestamp::from_second(1_795_000_000 + seconds).unwrap_or_default()
}

/// A state that the `n`-th run could leave.
pub fn state(entity: &EntityId, n: u64) -> EntityState {
    EntityState {
        flow: entity.flow.clone(),
        entity: entity.entity.clone(),
        last_run: began(n),
        run_id: run_id(n),
        status: "committed".into(),
        watermark: Some(Watermark {
            column: "updated_at".into(),
            value: "2026-11-22T17:08:09.123456Z".into(),
            kind: WatermarkType::Timestamp {
                per_second: 1_000_000,
                utc: true,
            },
        }),
        rows_processed: n,
        position: Some(Position(json!({"files": ["a", "b"], "at": n}))),
        location: "data/orders".into(),
        ends: Some(Ends {
            home: "csv landing/orders".into(),
            store: "parquet data/orders".into(),
            filled: true,
        }),
        action: Action::Append,
        window: Some(json!({"low": "5", "columns": ["id"]})),
        columns: Columns(vec![("id".into(), "int64".into())]),
        columns_before: Columns(vec![("fax".into(), "string".into())]),
    }
}

/// An attempt that the `n`-th run could begin.
pub fn attempt(n: u64) -> Attempt {
    Attempt {
        run: run_id(n),
        began: began(n),
        resumed: 0,
        action: Action::Append,
        fingerprint: format!("f{n}"),
        digest: "d".into(),
        begun: json!({"staging": format!("s{n}")}),
        staged: None,
    }
}

/// A finished split.
pub fn split(nth: usize, attempt: u32) -> SplitDone {
    SplitDone {
        receipt: Receipt {
            split: SplitId::nth(nth),
            attempt,
            rows: 10,
            bytes: 100,
            data: json!({"file": format!("{nth}.{attempt}")}),
        },
        rows_read: 12,
        observed: json!({"high": "7"}),
        checked: json!([{"seen": [0, []]}]),
    }
}

/// An intent of the `n`-th run.
pub fn intent(entity: &EntityId, n: u64) -> Intent {
    Intent {
        record: CommitRecord {
            version: CommitRecord::VERSION,
            hygge: "0.1.0".into(),
            run: run_id(n),
            entity: entity.clone(),
            action: Action::Append,
            key: vec!["id".into()],
            store_type: "parquet".into(),
            store: json!({"path": "data/orders"}),
            begun: json!({"staging": format!("s{n}")}),
            receipts: vec![split(0, 1).receipt, split(1, 2).receipt],
            rows: 20,
            bytes: 200,
            watermark: None,
            position: None,
            schema: vec!["id int64".into()],
            began: began(n),
        },
        config: json!({"home": {"type": "parquet"}}),
        ends: None,
        window: None,
        columns: Columns::default(),
        columns_before: Columns::default(),
        warned: vec!["\"id\" has NULL in 1 row".into()],
    }
}

/// A run in the history.
pub fn run(n: u64) -> RunRecord {
    RunRecord {
        run: run_id(n),
        began: began(n),
        ended: Some(began(n + 1)),
        command: "hygge start".into(),
        hygge: "0.1.0".into(),
        entities: vec![RunEntity {
            id: EntityId::new("sales", "orders"),
            outcome: Outcome::Pass,
            action: Some(Action::Replace),
            rows: n,
            rows_staged: Some(n),
            bytes: 10,
            seconds: 0.5,
            location: Some("data/orders".into()),
            error: None,
            checks: vec![Checked {
                check: "not_null id".into(),
                severity: Severity::Warn,
                passed: false,
                rows: Some(1),
                why: Some("\"id\" is NULL in 1 row".into()),
                rejects: None,
            }],
        }],
        plugins: Vec::new(),
        pools: Vec::new(),
    }
}

/// Memories by name.
pub fn memories(list: &[(&'static str, Option<&str>)]) -> Memories {
    list.iter()
        .map(|(name, text)| (*name, text.map(|t| t.as_bytes().to_vec())))
        .collect()
}

/// Runs every check. The store must be empty and is left with what the checks wrote.
///
/// # Panics
/// When the store doesn't do what it must.
pub async fn check(store: &dyn StateStore) -> Result<()> {
    nothing_at_first(store).await?;
    a_life(store).await?;
    attempts(store).await?;
    memories_stay_and_go(store).await?;
    put_and_reset(store).await?;
    waiting(store).await?;
    locks(store).await?;
    names(store).await?;
    history(store).await
}

async fn nothing_at_first(store: &dyn StateStore) -> Result<()> {
    let entity = EntityId::new("nothing", "here");
    assert_eq!(store.load(&entity).await?, None);
    assert_eq!(store.memory(&entity, "store").await?, None);
    assert_eq!(store.attempt(&entity).await?, None);
    assert_eq!(store.intent(&entity).await?, None);
    assert!(store.list().await?.is_empty());
    assert_eq!(store.runs(10).await?, []);
    assert_eq!(store.run(&run_id(1)).await?, None);
    assert!(!store.reset(&entity).await?);
    store.drop_attempt(&entity).await
}

/// What one run does after another.
async fn a_life(store: &dyn StateStore) -> Result<()> {
    let entity = EntityId::new("life", "orders");
    for n in 1..=3 {
        store.begin_attempt(&entity, &attempt(n)).await?;
        store.split_done(&entity, &split(0, 1)).await?;
        store.split_done(&entity, &split(1, 1)).await?;
        let before = store.load(&entity).await?;
        let put = memories(&[("window", Some("w"))]);
        store.put_intent(&intent(&entity, n), &put).await?;
        assert_eq!(store.intent(&entity).await?, Some(intent(&entity, n)));
        assert_eq!(store.load(&entity).await?, before, "not before the commit");
        let closing = memories(&[("store", Some("s"))]);
        // Twice: a crash may follow the first before anyone knows of it.
        for _ in 0..2 {
            store.close(&state(&entity, n), &closing).await?;
            assert_eq!(store.load(&entity).await?, Some(state(&entity, n)));
            assert_eq!(store.intent(&entity).await?, None);
            assert_eq!(store.attempt(&entity).await?, None);
            assert_eq!(store.memory(&entity, "window").await?, Some(b"w".to_vec()));
            assert_eq!(store.memory(&entity, "store").await?, Some(b"s".to_vec()));
        }
    }
    // A run that needed no intent closes as well.
    store.begin_attempt(&entity, &attempt(4)).await?;
    store.close(&state(&entity, 4), &Vec::new()).await?;
    assert_eq!(store.attempt(&entity).await?, None);
    assert_eq!(store.load(&entity).await?, Some(state(&entity, 4)));
    Ok(())
}

async fn attempts(store: &dyn StateStore) -> Result<()> {
    let entity = EntityId::new("attempts", "orders");
    let missing = store.split_done(&entity, &split(0, 1)).await;
    assert!(missing.is_err(), "a split of no attempt");
    let missing = store.resume_attempt(&entity, &attempt(1)).await;
    assert!(missing.is_err(), "no attempt to go on with");

    store.begin_attempt(&entity, &attempt(1)).await?;
    assert_eq!(
        store.attempt(&entity).await?,
        Some((attempt(1), Vec::new()))
    );
    store.split_done(&entity, &split(1, 1)).await?;
    store.split_done(&entity, &split(0, 1)).await?;
    store.split_done(&entity, &split(1, 2)).await?;
    let resumed = Attempt {
        resumed: 1,
        ..attempt(1)
    };
    store.resume_attempt(&entity, &resumed).await?;
    store.split_done(&entity, &split(2, 1)).await?;
    assert_eq!(
        store.attempt(&entity).await?,
        Some((resumed, vec![split(1, 2), split(0, 1), split(2, 1)]))
    );

    store.begin_attempt(&entity, &attempt(2)).await?;
    assert_eq!(
        store.attempt(&entity).await?,
        Some((attempt(2), Vec::new()))
    );
    store.drop_attempt(&entity).await?;
    assert_eq!(store.attempt(&entity).await?, None);
    assert_eq!(store.load(&entity).await?, None);
    Ok(())
}

async fn memories_stay_and_go(store: &dyn StateStore) -> Result<()> {
    let entity = EntityId::new("memories", "orders");
    let first = memories(&[
        ("store", Some("s1")),
        ("home", Some("h1")),
        ("window", Some("")),
    ]);
    store.close(&state(&entity, 1), &first).await?;
    assert_eq!(store.memory(&entity, "window").await?, Some(Vec::new()));

    // Until the close those of the state are told; then each is the latest that was named.
    let of_intent = memories(&[("home", Some("h2")), ("window", None), ("store", Some("x"))]);
    store.put_intent(&intent(&entity, 2), &of_intent).await?;
    assert_eq!(store.memory(&entity, "home").await?, Some(b"h1".to_vec()));
    assert_eq!(store.memory(&entity, "window").await?, Some(Vec::new()));
    let of_close = memories(&[("store", Some("s2"))]);
    store.close(&state(&entity, 2), &of_close).await?;
    assert_eq!(store.memory(&entity, "home").await?, Some(b"h2".to_vec()));
    assert_eq!(store.memory(&entity, "window").await?, None);
    assert_eq!(store.memory(&entity, "store").await?, Some(b"s2".to_vec()));

    // Those not named stay; the same content under two names is two memories.
    let same = memories(&[("window", Some("s2"))]);
    store.close(&state(&entity, 3), &same).await?;
    let gone = memories(&[("store", None)]);
    store.close(&state(&entity, 4), &gone).await?;
    assert_eq!(store.memory(&entity, "store").await?, None);
    assert_eq!(store.memory(&entity, "window").await?, Some(b"s2".to_vec()));
    assert_eq!(store.memory(&entity, "home").await?, Some(b"h2".to_vec()));
    Ok(())
}

async fn put_and_reset(store: &dyn StateStore) -> Result<()> {
    let entity = EntityId::new("put", "orders");
    let first = memories(&[("store", Some("s1")), ("window", Some("w1"))]);
    store.put(&state(&entity, 1), &first).await?;
    store.begin_attempt(&entity, &attempt(2)).await?;
    let set = EntityState {
        status: "set".into(),
        ..state(&entity, 1)
    };
    store.put(&set, &memories(&[("window", None)])).await?;
    assert_eq!(store.load(&entity).await?, Some(set.clone()));
    assert_eq!(
        store.attempt(&entity).await?,
        None,
        "it began from another state"
    );
    assert_eq!(store.memory(&entity, "store").await?, Some(b"s1".to_vec()));
    assert_eq!(store.memory(&entity, "window").await?, None);

    // A commit that waits would overwrite what is put.
    store.begin_attempt(&entity, &attempt(3)).await?;
    store.put_intent(&intent(&entity, 3), &Vec::new()).await?;
    let refused = store.put(&state(&entity, 1), &Vec::new()).await;
    assert_eq!(refused.map_err(|f| f.code), Err(code::STATE.into()));
    assert_eq!(store.load(&entity).await?, Some(set));

    assert!(store.reset(&entity).await?);
    assert_eq!(store.load(&entity).await?, None);
    assert_eq!(store.intent(&entity).await?, None);
    assert_eq!(store.attempt(&entity).await?, None);
    assert_eq!(store.memory(&entity, "store").await?, None);
    assert!(!store.reset(&entity).await?);
    store.close(&state(&entity, 5), &Vec::new()).await?;
    assert_eq!(store.memory(&entity, "store").await?, None, "not come back");

    // An intent that can't come about: state and memories stay as they were.
    store.begin_attempt(&entity, &attempt(6)).await?;
    let named = memories(&[("store", Some("s6"))]);
    store.put_intent(&intent(&entity, 6), &named).await?;
    store.drop_intent(&entity).await?;
    assert_eq!(store.intent(&entity).await?, None);
    assert_eq!(store.attempt(&entity).await?, None);
    assert_eq!(store.load(&entity).await?, Some(state(&entity, 5)));
    assert_eq!(store.memory(&entity, "store").await?, None);
    store.drop_intent(&entity).await?;

    for what in 0..2 {
        let only = EntityId::new("put", format!("only {what}"));
        if what == 0 {
            store.begin_attempt(&only, &attempt(1)).await?;
        } else {
            store.put_intent(&intent(&only, 1), &Vec::new()).await?;
        }
        assert!(store.reset(&only).await?);
        assert_eq!(store.intent(&only).await?, None);
    }
    Ok(())
}

async fn waiting(store: &dyn StateStore) -> Result<()> {
    for Waiting { entity, .. } in all_waiting(store).await? {
        store.reset(&entity).await?;
    }
    let long = "n".repeat(300);
    let names = [
        "attempt",
        "both",
        "closed",
        "new\nline",
        ".intent.json",
        &long,
    ];
    let entity = |name: &str| EntityId::new("waiting", name);
    let staged = |name: &str| Staged {
        entity: entity(name),
        store_type: "parquet".into(),
        store: json!({"path": "data/orders"}),
        location: "data/orders".into(),
    };
    for (n, name) in (0..).zip(names) {
        let attempt = Attempt {
            staged: Some(staged(name)),
            ..attempt(n)
        };
        store.begin_attempt(&entity(name), &attempt).await?;
    }
    for name in ["both", "closed", &long] {
        let intent = intent(&entity(name), 9);
        store.put_intent(&intent, &Vec::new()).await?;
    }
    let closed = entity("closed");
    store.close(&state(&closed, 9), &Vec::new()).await?;

    let found = all_waiting(store).await?;
    let told: Vec<(&str, RunId)> = found
        .iter()
        .map(|waiting| match &waiting.work {
            Unfinished::Commit(intent) => (&*waiting.entity.entity, intent.record.run.clone()),
            Unfinished::Attempt(attempt) => (&*waiting.entity.entity, attempt.run.clone()),
        })
        .collect();
    let expected = [
        (".intent.json", run_id(4)),
        ("attempt", run_id(0)),
        ("both", run_id(9)),
        ("new\nline", run_id(3)),
        (&*long, run_id(9)),
    ];
    assert_eq!(told, expected);
    let commits = |w: &&Waiting| matches!(w.work, Unfinished::Commit(_));
    assert_eq!(found.iter().filter(commits).count(), 2);
    for name in names {
        store.reset(&entity(name)).await?;
    }
    assert_eq!(all_waiting(store).await?, []);
    Ok(())
}

async fn all_waiting(store: &dyn StateStore) -> Result<Vec<Waiting>> {
    store.waiting().await?.into_iter().collect()
}

async fn locks(store: &dyn StateStore) -> Result<()> {
    let entity = EntityId::new("locks", "orders");
    let holder = Holder {
        run: run_id(1),
        pid: 123,
        host: "mill".into(),
        since: began(1),
    };
    let lock = store.lock(&entity, &holder).await?;
    let other = store
        .lock(&EntityId::new("locks", "other"), &holder)
        .await?;
    let Err(refused) = store.lock(&entity, &holder).await else {
        panic!("two hold one entity");
    };
    assert_eq!(refused.code, code::LOCKED);
    for known in [run_id(1).as_str(), "process 123", "mill", "locks.orders"] {
        assert!(refused.message.contains(known), "{}", refused.message);
    }
    drop(lock);
    drop(store.lock(&entity, &holder).await?);
    drop(other);
    Ok(())
}

async fn names(store: &dyn StateStore) -> Result<()> {
    let odd = [
        ("a.b", "c"),
        ("a", "b.c"),
        ("..", "../../x"),
        ("a/b", "\\"),
        (".hidden", "%2E"),
        ("ünï", "数据"),
        ("yes", "null"),
        ("1e3", "~"),
        ("new\nline", " spaced "),
        ("x", "a.window"),
        ("x", "a"),
    ];
    let long = "n".repeat(300);
    let mut all: Vec<EntityId> = odd.iter().map(|(f, e)| EntityId::new(*f, *e)).collect();
    all.push(EntityId::new(&*long, &*long));
    all.push(EntityId::new(&*long, format!("{long}n")));
    for (n, entity) in (0..).zip(&all) {
        let put = Some(format!("m{n}").into_bytes());
        store
            .close(&state(entity, n), &vec![("window", put)])
            .await?;
    }
    for (n, entity) in (0..).zip(&all) {
        assert_eq!(store.load(entity).await?, Some(state(entity, n)));
        let memory = store.memory(entity, "window").await?;
        assert_eq!(memory, Some(format!("m{n}").into_bytes()));
    }
    let listed: Vec<EntityId> = store
        .list()
        .await?
        .into_iter()
        .map(|state| state.map(|s| EntityId::new(s.flow, s.entity)))
        .collect::<Result<_>>()?;
    assert!(listed.is_sorted(), "by flow, then entity");
    assert!(all.iter().all(|e| listed.contains(e)));
    for entity in &all {
        assert!(store.reset(entity).await?);
    }
    Ok(())
}

async fn history(store: &dyn StateStore) -> Result<()> {
    for n in [2, 1, 3] {
        let begun = RunRecord {
            ended: None,
            entities: Vec::new(),
            ..run(n)
        };
        store.put_run(&begun).await?;
        assert_eq!(store.run(&run_id(n)).await?, Some(begun));
        store.put_run(&run(n)).await?;
    }
    assert_eq!(store.runs(10).await?, [run(3), run(2), run(1)]);
    assert_eq!(store.runs(2).await?, [run(3), run(2)]);
    assert_eq!(store.runs(0).await?, []);
    assert_eq!(store.run(&run_id(2)).await?, Some(run(2)));
    Ok(())
}
