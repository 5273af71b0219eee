use super::orders;
use crate::harness::{Project, Tmpfs};

#[test]
fn all_well() {
    let project = orders("");
    let before = project.tree();
    insta::assert_snapshot!(project.hygge("debug").succeed().shown());
    assert_eq!(project.tree(), before, "something was written");
}

#[test]
fn what_is_wrong_and_how_to_mend_it() {
    let project = orders("");
    std::fs::remove_dir_all(project.path("data")).unwrap();
    project.write("lake", "a file where a folder should be\n");
    let wrong = project.hygge("debug").run();
    assert_eq!(wrong.code, Some(1), "{wrong}");
    insta::assert_snapshot!(wrong.shown());
    let json = project.hygge("debug --output json").run();
    assert_eq!(json.code, Some(1), "{json}");
    for line in json.stdout.lines() {
        let finding: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(finding["ok"], false, "{json}");
    }
}

/// What would stop a run before rows move is found without one.
#[test]
fn what_a_run_would_refuse() {
    let parquet = "store: {type: parquet, path: lake/orders";
    for (name, home, store) in [
        (
            "partition",
            "",
            format!("{parquet}, partition_by: [country]}}"),
        ),
        (
            "watermark",
            "  incremental: {column: changed_at}\n",
            format!("{parquet}}}"),
        ),
        (
            "key",
            "  incremental: {column: updated_at, strategy: merge, key: order}\n",
            format!("{parquet}}}"),
        ),
    ] {
        let project = orders("");
        project.flow(
            "sales",
            &format!("home:\n  type: parquet\n  path: data/orders\n{home}{store}\n"),
        );
        refuses(&project, name);
    }
    let project = orders("");
    project.write("lake/orders/theirs.csv", "id\n1\n");
    refuses(&project, "foreign");
    let project = orders("");
    let checks =
        "home: data/orders\nstore: lake/orders\nchecks: [{type: not_null, columns: nope}]\n";
    project.flow("sales", checks);
    refuses(&project, "check");
}

/// What files that stand can't take is found before rows move.
#[test]
fn a_type_that_the_files_cannot_take() {
    let project = Project::new();
    project.flow(
        "sales",
        "home:\n  path: data/*.ndjson\n  incremental: {strategy: files}\n\
         store: {type: parquet, path: lake}\n",
    );
    project.write("data/a.ndjson", "{\"v\":1}\n");
    project.hygge("start").succeed();
    project.write("data/b.ndjson", "{\"v\":\"x\"}\n");
    let refused = "is int64 in lake, but string in the source";
    for verb in ["debug", "schema diff sales.sales", "start"] {
        let outcome = project.hygge(verb).run();
        assert_eq!(outcome.code, Some(1), "{outcome}");
        assert!(outcome.shown().contains(refused), "{outcome}");
    }
}

/// What came to be extra is left out, and what a merge goes by can't be.
#[test]
fn a_column_of_a_merge_that_would_be_left_out() {
    let project = orders("");
    let with = |transforms: &str| {
        project.flow(
            "sales",
            &format!(
                "home:\n  path: data/orders\n\
                 \x20 incremental: {{column: updated_at, strategy: merge, key: id}}\n\
                 store: {{type: parquet, path: lake/orders, on_schema_change: ignore_extra}}\n\
                 transforms: [{transforms}]\n"
            ),
        );
    };
    with("");
    project.hygge("start").succeed();
    with("{type: rename, columns: {updated_at: at}}");
    refuses(&project, "left_out");
    let diff = project.hygge("schema diff sales.sales").run();
    assert_eq!(diff.code, Some(1), "{diff}");
    assert!(
        diff.stdout
            .contains("which tells which of two rows is newer, is new"),
        "{diff}"
    );
}

fn refuses(project: &Project, name: &str) {
    let before = project.tree();
    let wrong = project.hygge("debug").run();
    assert_eq!(wrong.code, Some(1), "{wrong}");
    insta::assert_snapshot!(format!("refuse_{name}"), wrong.shown());
    assert_eq!(project.tree(), before, "something was written");
}

#[test]
fn a_state_that_was_lost() {
    let project = orders("");
    project.hygge("start").succeed();
    project.hygge("debug").succeed();
    std::fs::remove_dir_all(project.path(".hygge/state")).unwrap();
    let wrong = project.hygge("debug").run();
    assert_eq!(wrong.code, Some(1), "{wrong}");
    insta::assert_snapshot!(wrong.shown());
}

/// A flow that reads what another writes has nothing to read before the first run.
#[test]
fn a_chain_before_its_first_run() {
    let project = orders("");
    project.flow(
        "later",
        "home: lake/orders\nstore: lake/later\nafter: sales\n",
    );
    insta::assert_snapshot!("chain", project.hygge("debug").succeed().shown());
    let found = project.hygge("list --discover").succeed();
    insta::assert_snapshot!("chain_discovered", found.shown());
    let json = project.hygge("debug --output json").succeed();
    assert!(json.stdout.contains(r#""waits":"sales""#), "{json}");
    // Alone it has nothing to wait for, but it can be said who goes first.
    let alone = project.hygge("debug --flow later").run();
    assert_eq!(alone.code, Some(1), "{alone}");
    insta::assert_snapshot!("chain_alone", alone.shown());
    let started = project.hygge("start --flow later").run();
    assert_eq!(started.code, Some(1), "{started}");
    let first = "flow sales writes it: run `hygge start --flow sales` first";
    assert!(started.stdout.contains(first), "{started}");
    let found = project.hygge("list --discover --flow later").run();
    assert!(found.shown().contains(first), "{found}");
    project.hygge("start").succeed();
    let after = project.hygge("debug").succeed();
    assert!(!after.stdout.contains("wait"), "{after}");
    // What stands there gives way to what flow sales writes.
    project.flow(
        "later",
        "home: lake/orders\nstore: lake/later\nafter: sales\n\
         transforms: [{type: exclude, columns: [new]}]\n",
    );
    // Which are the same columns, as long as nothing changed before it.
    let same = project.hygge("debug").run();
    assert_eq!(same.code, Some(1), "{same}");
    project.flow(
        "sales",
        "entities: [orders]\n\
         home: {type: parquet, path: data/orders, \
         incremental: {column: updated_at, strategy: append, key: id}}\n\
         store: {type: parquet, path: lake/orders}\n\
         transforms: [{type: constant, columns: {new: 1}}]\n",
    );
    insta::assert_snapshot!("chain_changed", project.hygge("debug").succeed().shown());
    let alone = project.hygge("debug --flow later").run();
    assert_eq!(alone.code, Some(1), "{alone}");
}

/// What `start` refuses, `debug` refuses.
#[test]
fn a_source_without_columns() {
    let project = Project::new();
    project.flow("f", "home: data/e.csv\nstore: out\n");
    project.write("data/e.csv", "");
    let debug = project.hygge("debug").run();
    assert_eq!(debug.code, Some(1), "{debug}");
    insta::assert_snapshot!("no_columns", debug.shown());
    let start = project.hygge("start").run();
    assert_eq!(start.code, Some(1), "{start}");
    project.flow(
        "f",
        "home: {path: data/e.csv, allow_empty: true}\nstore: out\n",
    );
    project.hygge("debug").succeed();
    let start = project.hygge("start").succeed();
    assert!(start.stdout.contains(", in out\n"), "{start}");
}

/// The project's own folder is looked at once, not as the store of every entity.
#[test]
fn a_folder_to_remember_in() {
    let project = orders("");
    project.write(".hygge", "a file");
    let wrong = project.hygge("debug").run();
    assert_eq!(wrong.code, Some(1), "{wrong}");
    insta::assert_snapshot!("no_folder", wrong.shown());
}

/// A folder for each entity was meant to be a file for each.
#[test]
fn a_file_that_was_meant() {
    let project = Project::new();
    project.flow(
        "f",
        "home: data\nstore: out\nentities: [airlines, planes]\n",
    );
    project.write("data/airlines.csv", "a\n1\n");
    project.write("data/planes.csv", "a\n1\n");
    let wrong = project.hygge("debug --entity f.planes").run();
    assert_eq!(wrong.code, Some(1), "{wrong}");
    insta::assert_snapshot!("meant", wrong.shown());
}

/// Every folder that a run writes into, and why it can't; each with the way out.
#[test]
fn folders_that_cannot_be_written() {
    let project = orders("");
    project.hygge("start").succeed();
    let wrong = |name: &str| {
        let debug = project.hygge("debug").run();
        assert_eq!(debug.code, Some(1), "{debug}");
        insta::assert_snapshot!(format!("folders_{name}"), debug.shown());
    };
    let aside = project.path("aside");
    for folder in [
        ".hygge",
        ".hygge/state",
        ".hygge/locks",
        ".hygge/state/sales",
    ] {
        std::fs::rename(project.path(folder), &aside).unwrap();
        project.write(folder, "a file in the way\n");
        wrong(&format!("no_folder_{}", folder.replace(['.', '/'], "_")));
        std::fs::remove_file(project.path(folder)).unwrap();
        std::fs::rename(&aside, project.path(folder)).unwrap();
    }
    project.hygge("debug").succeed();

    let Some(lake) = Tmpfs::mount(&project.path("mounted"), 256) else {
        return;
    };
    project.flow(
        "other",
        "home: data/orders\nstore: {type: parquet, path: mounted/lake}\n",
    );
    project.hygge("debug").succeed();
    let ballast = lake.fill(0);
    wrong("full");
    std::fs::remove_file(ballast).unwrap();
    lake.read_only(true);
    wrong("read_only");
    drop(lake);
    std::fs::remove_dir_all(project.path("flows/other")).unwrap();
    std::fs::remove_dir_all(project.path(".hygge")).unwrap();
    let Some(work) = Tmpfs::mount(&project.path(".hygge"), 256) else {
        return;
    };
    let ballast = work.fill(0);
    wrong("work_full");
    std::fs::remove_file(ballast).unwrap();
    work.read_only(true);
    wrong("work_read_only");
}
