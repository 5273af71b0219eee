//! How rows are loaded, and what settings make of the statement that writes to the table.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};
use hygge_core::{Action, BuildContext};
use serde_json::{Value, json};

use crate::scene::*;

fn logged(scene: &Scene, text: &str) -> Option<Vec<String>> {
    let log = scene.server.as_ref()?.log();
    let found = log.iter().filter(|logged| logged.text.contains(text));
    Some(found.map(|logged| logged.text.clone()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_loaded_in_batches_of_the_size_that_was_asked_for() {
    for (rows, loads) in [(9, 1), (10, 1), (11, 2), (20, 2), (25, 3)] {
        let scene = Scene::new();
        let table = "dbo.hygge_test_batch";
        execute(&scene, &format!("DROP TABLE IF EXISTS {table}")).await;
        let store = scene.store(&json!({"table": table, "create": "if_missing", "batch_size": 10}));
        let written = versions((0..rows).map(|n| (n, 1)));
        write(store.as_ref(), &[written], Action::Replace)
            .await
            .unwrap();
        let expected: Vec<_> = (0..rows).map(|n| (n, 1)).collect();
        assert_eq!(found(&scene, table).await, expected);
        if let Some(logged) = logged(&scene, "INSERT BULK") {
            assert_eq!(logged.len(), loads, "{rows} rows: {logged:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_default_takes_the_place_of_no_value_where_that_is_asked_for() {
    let scene = Scene::new();
    let table = "dbo.hygge_test_default";
    let rows = || {
        batch(&[
            (
                "n",
                "bigint",
                Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef,
            ),
            (
                "version",
                "bigint",
                Arc::new(Int64Array::from(vec![None, Some(5)])),
            ),
        ])
    };
    for (settings, expected) in [
        (json!({}), None),
        (json!({"keep_nulls": false}), Some(vec![(1, 7), (2, 5)])),
        (
            json!({"keep_nulls": false, "write_strategy": "truncate_insert"}),
            Some(vec![(1, 7), (2, 5)]),
        ),
    ] {
        execute(
            &scene,
            &format!(
                "DROP TABLE IF EXISTS {table}; CREATE TABLE {table} \
                 (n bigint NOT NULL, version bigint NOT NULL DEFAULT 7)"
            ),
        )
        .await;
        let mut settings: Value = settings;
        settings["table"] = table.into();
        let store = scene.store(&settings);
        let written = write(store.as_ref(), &[rows()], Action::Replace).await;
        match expected {
            Some(expected) => {
                written.unwrap();
                assert_eq!(found(&scene, table).await, expected, "{settings}");
            }
            None => assert_eq!(
                written.unwrap_err().message,
                "column \"version\", row 1 of its split: no value, and the destination's column \
                 is NOT NULL"
            ),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hints_and_order_go_to_the_statement_that_writes_to_the_table() {
    let scene = Scene::new();
    let table = "dbo.hygge_test_hints";
    execute(
        &scene,
        &format!("DROP TABLE IF EXISTS {table}; CREATE TABLE {table} (n bigint NOT NULL, version bigint NULL)"),
    )
    .await;
    let settings =
        json!({"table": table, "table_hints": "tablock", "order": ["version desc", "n"]});
    let store = scene.store(&settings);
    let rows = versions((0..10).map(|n| (n, n % 2)));
    write(store.as_ref(), &[rows], Action::Append)
        .await
        .unwrap();
    assert_eq!(found(&scene, table).await.len(), 10);
    if let Some(logged) = logged(&scene, "INSERT INTO [dbo].[hygge_test_hints]") {
        let [insert] = logged.as_slice() else {
            panic!("{logged:?}")
        };
        assert!(
            insert.contains("[hygge_test_hints] WITH (TABLOCK) ("),
            "{insert}"
        );
        assert!(
            insert.ends_with("ORDER BY s.[version] DESC, s.[n]"),
            "{insert}"
        );
    }
    let store = scene.store(&json!({"table": table, "order": "when"}));
    let fault = write(store.as_ref(), &[versions([(1, 1)])], Action::Append)
        .await
        .unwrap_err();
    assert_eq!(
        fault.message,
        "column \"when\", which the store or the key names, isn't written to the table"
    );
}

#[test]
fn what_says_nothing_without_another_setting_is_refused() {
    let mut registry = hygge_core::Registry::default();
    hygge_mssql::register(&mut registry);
    let kind = registry.store("mssql").unwrap();
    let place = BuildContext {
        root: "/p".into(),
        work: "/p/.hygge".into(),
        entity: None,
        run: None,
    };
    let plan = |more: Value, pool_size: usize| {
        let mut settings = json!({
            "server": "db", "user": "ann", "password": "x", "table": "dbo.t", "pool_size": pool_size,
        });
        let object = settings.as_object_mut().unwrap();
        object.extend(more.as_object().unwrap().clone());
        kind.plan(&hygge_core::Settings::new(settings, []), &place)
    };
    for (settings, expected) in [
        (json!({"batch_size": 0}), "`batch_size` must be at least 1"),
        (json!({"workers": 0}), "`workers` must be at least 1"),
        (
            json!({"lock_timeout": "1s", "write_strategy": "merge"}),
            "`lock_timeout` belongs to a swap: nothing else of a publish times out",
        ),
        (
            json!({"delete_missing": true}),
            "`delete_missing` belongs to `write_strategy: merge`",
        ),
        (
            json!({"merge_statement": true, "write_strategy": "delete_insert"}),
            "`merge_statement` belongs to `write_strategy: merge`",
        ),
        (
            json!({"key": "id", "write_strategy": "merge"}),
            "`key` belongs to `delete_missing: true`",
        ),
        (
            json!({"partition_by": ["day"]}),
            "`partition_by` belongs to `write_strategy: delete_insert`",
        ),
        (
            json!({"order": "n", "merge_statement": true, "write_strategy": "merge"}),
            "a MERGE has no order",
        ),
        (
            json!({"table_hints": ["NOLOCK"]}),
            "\"NOLOCK\" can't hint at how a table is written",
        ),
        (
            json!({"table_hints": "TABLOCK", "write_strategy": "temp_swap"}),
            "a swap takes no table hints: it locks the whole table, for a moment",
        ),
        (
            json!({"direct": true, "workers": 2}),
            "`direct` has one worker: one session holds the transaction that all rows are loaded in",
        ),
        (
            json!({"direct": true, "write_strategy": "merge"}),
            "`merge` compares staged rows with those of the table, and `direct` stages none",
        ),
        (
            json!({"direct": true, "write_strategy": "delete_insert"}),
            "`delete_insert` compares staged rows with those of the table, and `direct` stages none",
        ),
        (
            json!({"direct": true, "write_strategy": "temp_swap"}),
            "`temp_swap` fills a twin of the table, and `direct` the table itself",
        ),
        (
            json!({"direct": true, "create": "if_missing"}),
            "`create: if_missing` follows the rows that were staged, and `direct` stages none: the \
             lengths of new columns aren't known before",
        ),
        (
            json!({"direct": true, "order": "n"}),
            "rows are loaded in the order they come in: the driver can't give INSERT BULK an order",
        ),
        (
            json!({"direct": true, "table_hints": ["TABLOCK", "HOLDLOCK"]}),
            "INSERT BULK takes the hint TABLOCK, and not HOLDLOCK",
        ),
        (
            json!({"check_constraints": false}),
            "`check_constraints: false` needs `direct: true`: staged rows reach the table by INSERT \
             … SELECT, where constraints are always checked",
        ),
        (
            json!({"fire_triggers": false}),
            "`fire_triggers: false` needs `direct: true`: staged rows reach the table by INSERT … \
             SELECT, where triggers always fire",
        ),
    ] {
        let problems = plan(settings.clone(), 8).unwrap_err();
        let said: Vec<_> = problems.iter().map(|p| p.message.as_str()).collect();
        assert_eq!(said, [expected], "{settings}");
    }
    // One entity's writers are told apart from what the pool, of which one session holds the run's
    // lock, has for all.
    let plan = |settings| plan(settings, 5).unwrap();
    let direct = plan(json!({"direct": true, "check_constraints": false, "workers": 1}));
    assert_eq!(direct.writers, Some(1));
    assert!(direct.capabilities.single && !direct.capabilities.upsert);
    plan(json!({"check_constraints": true, "fire_triggers": true}));
    let (by_default, few) = (plan(json!({})), plan(json!({"workers": 1})));
    assert_eq!(
        (by_default.writers, by_default.max_open),
        (Some(8), Some(4))
    );
    assert_eq!((few.writers, few.max_open), (Some(1), Some(4)));
}
