//! Sessions.

use hygge_core::Result;
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
