//! Sessions.

use std::sync::{Arc, Mutex};

use hygge_core::{Home, Position, Reader, Result, SplitRequest, Want};
use serde_json::json;

use crate::scene::*;

/// However many read at once, the server never has more sessions than the pool has places.
#[tokio::test(flavor = "multi_thread")]
async fn a_pool_is_never_larger_than_it_was_asked_to_be() {
    let scene = Scene::new();
    thousand(&scene, "dbo.hygge_test_pool").await;
    let Some(server) = &scene.server else {
        return;
    };
    // Sessions of the setting above may rest; those counted are of a login of their own.
    let resting = server.open_sessions();
    server.reset_counters();
    let mut reads = tokio::task::JoinSet::new();
    for n in 0..20 {
        let settings = json!({
            "table": "dbo.hygge_test_pool", "pool_size": 4, "where": format!("n % 20 = {n}"),
        });
        let home = scene.home(&settings);
        reads.spawn(async move { read(home.as_ref()).await.map(|found| numbers(&found).len()) });
    }
    let counts = reads.join_all().await;
    let counts: Vec<usize> = counts.into_iter().map(Result::unwrap).collect();
    assert_eq!(counts, vec![50; 20]);
    let most = server.most_sessions() - resting;
    assert!(most <= 4, "{most} sessions at once");
    let opened = server.sessions_opened();
    assert!(opened <= 20, "{opened} sessions were opened for 20 tables");
}

/// A server that takes lines and says nothing is tried once for all who wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_is_tried_once_for_all() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut scene = Scene::new();
    let port = silent.local_addr().unwrap().port();
    scene.string = format!(
        "Server=127.0.0.1,{port};User ID=x;Password=x;Encrypt=true;TrustServerCertificate=true"
    );
    let mut reads = tokio::task::JoinSet::new();
    for n in 0..6 {
        let table = format!("dbo.hygge_test_{n}");
        let home = scene.home(&json!({"table": table, "connect_timeout": "3s"}));
        reads.spawn(async move { read(home.as_ref()).await });
    }
    let taken = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&taken);
    let taking = tokio::spawn(async move {
        while let Ok((line, _)) = silent.accept().await {
            lines.lock().unwrap().push(line);
        }
    });
    for read in reads.join_all().await {
        let fault = read.unwrap_err();
        assert!(fault.message.contains("no answer within 3s"), "{fault:?}");
    }
    taking.abort();
    assert_eq!(taken.lock().unwrap().len(), 1);
}

/// A home over one session, and what it gives.
fn narrow(scene: &Scene, more: &serde_json::Value) -> Arc<dyn Home> {
    let mut settings = json!({
        "table": "dbo.hygge_test_narrow", "pool_size": 1, "application_name": "narrow",
    });
    let object = settings.as_object_mut().unwrap();
    object.extend(more.as_object().unwrap().clone());
    scene.home(&settings)
}

async fn open(home: &dyn Home) -> Result<Box<dyn Reader>> {
    let cx = context();
    let plan = home.splits(&SplitRequest::default(), &cx).await?;
    let want = Want {
        batch_bytes: 1,
        encoded: None,
        bounds: None,
    };
    home.open(&plan.splits[0], &Position::start(), &want, &cx)
        .await
}

/// Who waits in vain is told who has what they wait for.
#[tokio::test(flavor = "multi_thread")]
async fn waiting_in_vain_says_who_holds_the_sessions() {
    let scene = Scene::new();
    thousand(&scene, "dbo.hygge_test_narrow").await;
    let home = narrow(&scene, &json!({"pool_timeout": "1s"}));
    let holder = open(home.as_ref()).await.unwrap();
    let fault = read(home.as_ref()).await.unwrap_err();
    assert!(
        fault
            .message
            .ends_with("came free within 1s; held by reading f.e split 000000"),
        "{fault:?}"
    );
    assert!(
        fault.message.starts_with("reading f.e: no session of "),
        "{fault:?}"
    );
    assert!(fault.retryable);
    drop(holder);
    let found = read(home.as_ref()).await.unwrap();
    assert_eq!(numbers(&found).len(), 1_000);
}

/// Sessions are opened ahead, within the pool's size, and used by who comes next.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_are_opened_ahead_wait_for_who_comes_next() {
    let mut scene = Scene::new();
    thousand(&scene, "dbo.hygge_test_ahead").await;
    scene.forget();
    let Some(server) = &scene.server else {
        return;
    };
    while server.open_sessions() > 0 {
        tokio::task::yield_now().await;
    }
    server.reset_counters();
    let home = scene.home(&json!({
        "table": "dbo.hygge_test_ahead", "pool_size": 4, "min_idle": 2,
    }));
    // It takes one session, and two more come to rest beside it.
    home.check(&context()).await.unwrap();
    while server.open_sessions() < 3 {
        tokio::task::yield_now().await;
    }
    let opened = server.sessions_opened();
    home.check(&context()).await.unwrap();
    assert_eq!(server.sessions_opened(), opened, "nothing more was needed");
    assert_eq!(numbers(&read(home.as_ref()).await.unwrap()).len(), 1_000);
    let most = server.most_sessions();
    assert!(most <= 4, "{most} sessions at once");
}

/// What the sessions came to is counted, as `hygge runs show` tells it.
#[tokio::test(flavor = "multi_thread")]
async fn what_sessions_came_to_is_counted() {
    let mut scene = Scene::new();
    thousand(&scene, "dbo.hygge_test_narrow").await;
    scene.forget();
    assert!(
        scene.registry.pools().is_empty(),
        "nobody asked for one yet"
    );
    let home = narrow(&scene, &json!({}));
    for _ in 0..3 {
        read(home.as_ref()).await.unwrap();
    }
    let usage = |scene: &Scene| {
        let pools = scene.registry.pools();
        let [only] = pools.as_slice() else {
            panic!("{pools:?}")
        };
        only.clone()
    };
    let before = usage(&scene);
    assert_eq!(
        (before.size, before.broken, before.waits),
        (1, 0, 0),
        "{before:?}"
    );
    assert!(before.opened > 0 && before.reused > 0, "{before:?}");
    assert!(
        before.saved_ms <= before.opening_ms * before.reused,
        "{before:?}"
    );
    if let Some(server) = &scene.server {
        // Those that made the table were another process's, so to say.
        assert!(
            before.opened <= server.sessions_opened() as u64,
            "{before:?}"
        );
    }
    // One that is left in the middle is broken, and somebody waits for it.
    let mut reader = open(home.as_ref()).await.unwrap();
    reader.next().await.unwrap();
    let mut waiting = Box::pin(read(home.as_ref()));
    assert!(futures::poll!(waiting.as_mut()).is_pending());
    drop(reader);
    assert_eq!(numbers(&waiting.await.unwrap()).len(), 1_000);
    let after = usage(&scene);
    assert_eq!((after.broken, after.waits), (1, 1), "{after:?}");
}

/// A session whose request wasn't read to its end is closed, and never lent again: whoever comes
/// next gets their own rows, over another one, and there is never more than the one.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_left_in_the_middle_is_never_used_again() {
    let scene = Scene::new();
    thousand(&scene, "dbo.hygge_test_narrow").await;
    let Some(server) = &scene.server else {
        return;
    };
    let home = narrow(&scene, &json!({}));
    let resting = server.open_sessions();
    server.reset_counters();
    // Read to its end, so its session may be lent again.
    read(home.as_ref()).await.unwrap();
    let opened = server.sessions_opened();
    // Given up after one batch of many.
    let mut reader = open(home.as_ref()).await.unwrap();
    reader.next().await.unwrap();
    drop(reader);
    assert_eq!(numbers(&read(home.as_ref()).await.unwrap()).len(), 1_000);
    assert!(
        server.sessions_opened() > opened,
        "the session was lent again"
    );
    // Cancelled while it was waiting, in a task that is aborted, and by a panic.
    let opened = server.sessions_opened();
    let shared = Arc::clone(&home);
    let cancelled = tokio::spawn(async move {
        let _reader = open(shared.as_ref()).await;
        std::future::pending::<()>().await;
    });
    while server.sessions_opened() == opened {
        tokio::task::yield_now().await;
    }
    cancelled.abort();
    assert!(cancelled.await.unwrap_err().is_cancelled());
    assert_eq!(numbers(&read(home.as_ref()).await.unwrap()).len(), 1_000);
    let shared = Arc::clone(&home);
    let panicked = tokio::spawn(async move {
        let _reader = open(shared.as_ref()).await.unwrap();
        panic!("in the middle of a read");
    });
    assert!(panicked.await.unwrap_err().is_panic());
    assert_eq!(numbers(&read(home.as_ref()).await.unwrap()).len(), 1_000);
    // An error of the server.
    let wrong = narrow(
        &scene,
        &json!({"table": null, "query": "SELECT nope FROM dbo.hygge_test_narrow"}),
    );
    read(wrong.as_ref()).await.unwrap_err();
    assert_eq!(numbers(&read(home.as_ref()).await.unwrap()).len(), 1_000);
    let most = server.most_sessions() - resting;
    assert!(most <= 1, "{most} sessions at once");
}
