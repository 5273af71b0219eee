//! How staged rows become visible.

use hygge_core::{Action, code};
use hygge_tds_server::{Effect, Fault, SqlError};
use serde_json::{Value, json};

use crate::scene::*;

/// A number and a version each.
type Rows = Vec<(i64, i64)>;

/// What each way of committing makes of ten rows when five known and five new ones come, some of
/// them twice.
fn ways() -> Vec<(Action, Value, Rows)> {
    let old = || (0..10).map(|n| (n, 1));
    let merged: Vec<_> = (0..5)
        .map(|n| (n, 1))
        .chain((5..15).map(|n| (n, 3)))
        .collect();
    let mut appended: Vec<_> = old()
        .chain((5..15).flat_map(|n| [(n, 2), (n, 3)]))
        .collect();
    appended.sort_unstable();
    let replaced: Vec<_> = (5..15).flat_map(|n| [(n, 2), (n, 3)]).collect();
    vec![
        (Action::Replace, json!({"adopt": true}), replaced.clone()),
        (
            Action::Replace,
            json!({"adopt": true, "write_strategy": "truncate_insert"}),
            replaced,
        ),
        (Action::Append, json!({}), appended),
        (Action::Upsert, json!({}), merged.clone()),
        (
            Action::Upsert,
            json!({"write_strategy": "delete_insert"}),
            merged.clone(),
        ),
        (
            Action::Upsert,
            json!({"write_strategy": "merge", "merge_statement": true}),
            merged,
        ),
        (
            Action::Replace,
            json!({"adopt": true, "write_strategy": "merge", "delete_missing": true, "key": "n"}),
            (5..15).map(|n| (n, 3)).collect(),
        ),
        (
            Action::Replace,
            json!({"adopt": true, "write_strategy": "delete_insert", "partition_by": "n"}),
            old()
                .take(5)
                .chain((5..15).flat_map(|n| [(n, 2), (n, 3)]))
                .collect(),
        ),
    ]
}

/// Whatever the line is cut at while a commit is under way, the same commit made by another
/// process gives what one commit gives.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_cut_is_finished_by_another_process() {
    let cuts = [
        "SELECT id FROM",
        "BEGIN TRAN",
        "INSERT INTO [dbo].[hygge_commits]",
        "INSERT INTO [dbo].[hygge_test_cut]",
        "COMMIT TRAN",
        "DROP TABLE",
    ];
    for (action, settings, expected) in ways() {
        let swaps = action == Action::Replace && settings["write_strategy"].is_null();
        let deletes =
            settings["write_strategy"] == "delete_insert" || settings["delete_missing"] == true;
        let merges = settings["merge_statement"] == true;
        for cut in cuts.into_iter().chain(deletes.then_some("DELETE t")) {
            let cut = match cut {
                "INSERT INTO [dbo].[hygge_test_cut]" if swaps => "SWITCH TO",
                "INSERT INTO [dbo].[hygge_test_cut]" if merges => "MERGE [dbo]",
                cut => cut,
            };
            for effect in [Effect::DropBefore, Effect::DropAfter] {
                let mut scene = Scene::new();
                let Some(server) = &scene.server else {
                    return;
                };
                let mut settings = settings.clone();
                settings["table"] = "dbo.hygge_test_cut".into();
                settings["create"] = "if_missing".into();
                let shown = format!("{settings} {action:?} {cut} {effect:?}");
                let store = scene.store(&settings);
                let old = versions((0..10).map(|n| (n, 1)));
                write(store.as_ref(), &[old], Action::Replace)
                    .await
                    .unwrap();
                let key: &[&str] = if action == Action::Upsert {
                    &["n"]
                } else {
                    &[]
                };
                let new = [
                    versions((5..15).map(|n| (n, 2))),
                    versions((5..15).map(|n| (n, 3))),
                ];
                let record = stage(store.as_ref(), &new, action, key).await.unwrap();
                server.fault(Fault::at(cut, effect.clone()));
                let first = store.commit(&record, &context()).await;
                if let Err(fault) = &first {
                    assert!(fault.retryable, "{shown}: {fault:?}");
                }
                assert_eq!(server.faults_struck(), 1, "{shown}: nothing was cut");
                server.clear_faults();
                drop(store);
                scene.forget();
                let store = scene.store(&settings);
                let again = store.commit(&record, &context()).await;
                again.unwrap_or_else(|fault| panic!("{shown}: {fault:?}"));
                store
                    .cleanup(&record.entity, None, &context())
                    .await
                    .unwrap();
                assert_eq!(
                    found(&scene, "dbo.hygge_test_cut").await,
                    expected,
                    "{shown}"
                );
            }
        }
    }
}

/// Two entities that find no table to remember commits in both make it; one comes second.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_commits_that_others_make_meanwhile_is_used() {
    let scene = Scene::new();
    let Some(server) = &scene.server else {
        return;
    };
    let there = || Effect::Error(SqlError::new(2714, "There is already an object named 'x'."));
    let making = || Fault::at("CREATE TABLE [dbo].[hygge_commits]", there());
    let store = scene.store(&json!({"table": "dbo.hygge_test_second", "create": "if_missing"}));
    let rows = [versions([(1, 1)])];
    // It isn't theirs, whatever it is.
    server.fault(making().always());
    let refused = write(store.as_ref(), &rows, Action::Append).await;
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("can't make dbo.hygge_commits: "),
        "{refused}"
    );
    server.clear_faults();
    server.fault(making());
    let struck = server.faults_struck();
    write(store.as_ref(), &rows, Action::Append).await.unwrap();
    assert_eq!(server.faults_struck() - struck, 1);
    assert_eq!(found(&scene, "dbo.hygge_test_second").await, [(1, 1)]);
}

/// What a run staged stays as long as it holds its lock, and goes once it doesn't.
#[tokio::test(flavor = "multi_thread")]
async fn staged_rows_of_a_living_run_are_left_alone() {
    let mut scene = Scene::new();
    let settings = json!({"table": "dbo.hygge_test_alive", "create": "if_missing", "adopt": true});
    let store = scene.store(&settings);
    let rows = versions((0..10).map(|n| (n, 1)));
    let record = stage(store.as_ref(), &[rows], Action::Replace, &[])
        .await
        .unwrap();
    let living = std::mem::take(&mut scene.registry);
    scene.forget();
    let other = scene.store(&settings);
    other
        .cleanup(&record.entity, None, &context())
        .await
        .unwrap();
    // It is all there, so it can be committed.
    store.commit(&record, &context()).await.unwrap();
    assert_eq!(found(&scene, "dbo.hygge_test_alive").await.len(), 10);
    let rows = versions((0..20).map(|n| (n, 1)));
    let record = stage(store.as_ref(), &[rows], Action::Replace, &[])
        .await
        .unwrap();
    drop((store, living));
    other
        .cleanup(&record.entity, None, &context())
        .await
        .unwrap();
    let fault = other.commit(&record, &context()).await.unwrap_err();
    assert_eq!(fault.code, code::COMMIT_LOST, "{fault:?}");
    // What stood there stands.
    assert_eq!(found(&scene, "dbo.hygge_test_alive").await.len(), 10);
}
