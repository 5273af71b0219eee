//! Disks that are full, destinations that can't be written, sources that change or are broken:
//! a clear failure, the destination as it was, and the next run mends it.

use std::fs;

use crate::harness::{Chance, Events, Orders, Project, Tmpfs, fixture, say};

fn project() -> Project {
    let project = Project::new();
    project.flow(
        "sales",
        "home: {type: parquet, path: data/orders}\n\
         store: {type: parquet, path: lake/orders}\n",
    );
    project
}

#[test]
fn a_disk_that_is_full_while_staging() {
    let project = project();
    let Some(disk) = Tmpfs::mount(project.root(), 16 << 10) else {
        return;
    };
    project.write("hygge.yml", "name: test\noptions: {retries: 0}\n");
    project.flow(
        "sales",
        "home: {type: parquet, path: data/orders}\n\
         store: {type: parquet, path: lake/orders, compression: none, rewrite: true}\n",
    );
    let old = Orders::new(0..1_000);
    project.orders("data/orders/a.parquet", &old);
    project.hygge("start").succeed();

    let new = Orders::new(0..100_000);
    project.orders("data/orders/a.parquet", &new);
    let ballast = disk.fill(600);
    let failed = project.hygge("start --output json").run();
    assert_eq!(failed.code, Some(1), "{failed}");
    let events = Events::of(&failed);
    let fault = events.fault("sales.sales");
    assert!(fault.contains("No space left on device"), "{fault}");
    assert_eq!(project.content("lake/orders"), old.content());

    fs::remove_file(ballast).unwrap();
    project.hygge("start").succeed();
    assert_eq!(project.content("lake/orders"), new.content());
}

#[test]
fn a_disk_that_is_full_while_committing() {
    let project = project();
    let Some(disk) = Tmpfs::mount(project.root(), 16 << 10) else {
        return;
    };
    project.write("hygge.yml", "name: test\n");
    project.flow(
        "sales",
        "home: {type: parquet, path: data/orders}\n\
         store: {type: parquet, path: lake/orders}\n",
    );
    let orders = Orders::new(0..10_000);
    project.orders("data/orders/a.parquet", &orders);
    let killed = project
        .hygge("start")
        .failpoints("intent.stored=kill")
        .run();
    assert!(killed.was_killed(), "{killed}");
    let ballast = disk.fill(0);
    // Whether a commit that only renames gets through is the file system's affair. It must end,
    // and not in a mix.
    let crowded = project.hygge("start").run();
    assert!(matches!(crowded.code, Some(0 | 1)), "{crowded}");
    say(&format!("{crowded}"));
    fs::remove_file(ballast).unwrap();
    project.hygge("start").succeed();
    assert_eq!(project.content("lake/orders"), orders.content());
}

#[test]
fn a_destination_that_is_read_only() {
    let project = project();
    let Some(lake) = Tmpfs::mount(&project.path("lake"), 16 << 10) else {
        return;
    };
    let old = Orders::new(0..1_000);
    project.orders("data/orders/a.parquet", &old);
    project.hygge("start").succeed();
    lake.read_only(true);
    project.orders("data/orders/a.parquet", &Orders::new(0..2_000));
    let refused = project.hygge("start").run();
    insta::assert_snapshot!(refused.shown());
    assert_eq!(project.content("lake/orders"), old.content());
    let debug = project.hygge("debug").run();
    assert_eq!(debug.code, Some(1), "{debug}");
    lake.read_only(false);
    project.hygge("start").succeed();
    assert_eq!(
        project.content("lake/orders"),
        Orders::new(0..2_000).content()
    );
}

/// What an earlier run replaced and nobody can remove is no reason not to move anything.
#[test]
fn a_replaced_set_that_cannot_be_removed() {
    let project = project();
    project.orders("data/orders/a.parquet", &Orders::new(0..100));
    project.hygge("start").succeed();
    // Long ago, by its name. Something is mounted in it.
    let old = project.path(".hygge/staging/replaced/1700000000.r.0/part");
    let Some(_busy) = Tmpfs::mount(&old, 64) else {
        return;
    };
    for _ in 0..2 {
        let run = project.hygge("start --output json").succeed();
        let warned = |event: &&serde_json::Value| event["warning"] == true;
        let warnings: Vec<_> = Events::of(&run)
            .all("note")
            .filter(warned)
            .cloned()
            .collect();
        assert_eq!(warnings.len(), 1, "{run}");
        let said = warnings[0]["message"].as_str().unwrap();
        assert!(said.contains("replaced/1700000000.r.0: "), "{said}");
    }
}

/// A folder of a container's image can't be swapped: that is said before rows move, and the way out
/// that is named is one.
#[test]
fn a_destination_in_a_layer_below() {
    let project = project();
    let orders = Orders::new(0..100);
    project.orders("data/orders/a.parquet", &orders);
    project.hygge("start").succeed();
    let scratch = tempfile::tempdir().unwrap();
    let Some(_overlay) = Tmpfs::overlay(project.root(), scratch.path()) else {
        return;
    };
    let before = project.tree();
    for verb in ["debug", "start"] {
        let refused = project.hygge(verb).run();
        assert_eq!(refused.code, Some(1), "{refused}");
        assert!(refused.stdout.contains("a container's image"), "{refused}");
        assert!(refused.stdout.contains("cp -a"), "{refused}");
    }
    assert_eq!(project.content("lake/orders"), orders.content());
    let moved = |tree: Vec<String>| -> Vec<String> {
        let stays = |path: &String| !path.starts_with(".hygge/runs");
        tree.into_iter().filter(stays).collect()
    };
    assert_eq!(moved(project.tree()), moved(before), "something was left");

    let [lake, copy] = ["lake/orders", "lake/orders.new"].map(|path| project.path(path));
    fs::create_dir(&copy).unwrap();
    for file in fs::read_dir(&lake).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), copy.join(file.file_name())).unwrap();
    }
    fs::remove_dir_all(&lake).unwrap();
    fs::rename(&copy, &lake).unwrap();
    project.hygge("debug").succeed();
    project.hygge("start").succeed();
    assert_eq!(project.content("lake/orders"), orders.content());
}

/// A name that no file system takes is refused before rows move: what is staged under a shorter one
/// could never be committed.
#[test]
fn a_destination_with_a_name_that_is_too_long() {
    for (length, well) in [(248, true), (249, false), (256, false)] {
        let project = Project::new();
        let name = "x".repeat(length);
        project.flow(
            "sales",
            &format!(
                "home: {{type: parquet, path: data}}\nstore: {{type: parquet, path: {name}/}}\n"
            ),
        );
        project.orders("data/a.parquet", &Orders::new(0..100));
        let code = if well { 0 } else { 1 };
        for verb in ["debug", "start", "start"] {
            let run = project.hygge(verb).run();
            assert_eq!(run.code, Some(code), "{run}");
            let said = run.stdout.contains("is too long for a file system");
            assert_eq!(said, !well, "{run}");
        }
        let staged = project
            .tree()
            .into_iter()
            .any(|path| path.contains("intent"));
        assert!(!staged, "a commit waits that can't be finished");
    }
}

/// The store fails while the reader is far ahead of it: the run ends, at once, with the store's
/// own words. (The original waited for ever.)
#[test]
fn a_store_that_fails_while_its_queue_is_full() {
    let project = project();
    let Some(disk) = Tmpfs::mount(&project.path("lake"), 4 << 10) else {
        return;
    };
    project.write(
        "hygge.yml",
        "name: test\noptions: {memory: 8MiB, retries: 0}\n",
    );
    project.flow(
        "sales",
        "home: {type: parquet, path: data/orders}\n\
         store: {type: parquet, path: lake/orders, compression: none, rewrite: true, \
                 row_group_rows: 1000}\n",
    );
    for n in 0..4 {
        project.orders(
            &format!("data/orders/{n}.parquet"),
            &Orders::new(n * 50_000..(n + 1) * 50_000),
        );
    }
    let failed = project.hygge("start --output json").run();
    assert_eq!(failed.code, Some(1), "{failed}");
    let events = Events::of(&failed);
    let fault = events.fault("sales.sales");
    assert!(fault.contains("No space left on device"), "{fault}");
    assert!(!project.path("lake/orders").exists());
    drop(disk);
}

#[test]
fn a_source_that_goes_away_while_it_is_read() {
    let project = project();
    project.write("hygge.yml", "name: test\noptions: {retries: 0}\n");
    let old = Orders::new(0..100);
    project.orders("data/orders/a.parquet", &old);
    project.hygge("start").succeed();
    for n in 0..4 {
        project.orders(
            &format!("data/orders/{n}.parquet"),
            &Orders::new(n * 5_000..(n + 1) * 5_000),
        );
    }
    let paused = project
        .hygge("start --concurrency 1")
        .spawn_to("attempt.recorded");
    fs::remove_file(project.path("data/orders/3.parquet")).unwrap();
    let failed = paused.go_on();
    assert_eq!(failed.code, Some(1), "{failed}");
    insta::assert_snapshot!(failed.shown());
    assert_eq!(project.content("lake/orders"), old.content());
}

#[test]
fn a_source_that_changes_while_it_is_read() {
    let project = project();
    project.write("hygge.yml", "name: test\noptions: {retries: 0}\n");
    let old = Orders::new(0..20_000);
    project.orders("data/orders/a.parquet", &old);
    let paused = project.hygge("start").spawn_to("attempt.recorded");
    let new = Orders::new(7..15_000);
    project.orders("data/orders/a.parquet", &new);
    let ended = paused.go_on();
    assert_eq!(ended.code, Some(1), "{ended}");
    insta::assert_snapshot!(ended.shown());
    assert!(!project.path("lake/orders").exists());
    project.hygge("start").succeed();
    assert_eq!(project.content("lake/orders"), new.content());
}

#[test]
fn truncated_parquet_fails_and_changes_nothing() {
    let project = project();
    let old = Orders::new(0..100);
    project.orders("data/orders/a.parquet", &old);
    project.hygge("start").succeed();
    let whole = Orders::new(0..5_000).parquet();
    for keep in [
        0,
        3,
        4,
        11,
        100,
        whole.len() / 2,
        whole.len() - 9,
        whole.len() - 1,
    ] {
        project.write("data/orders/a.parquet", &whole[..keep]);
        let failed = project.hygge("start").run();
        assert_eq!(failed.code, Some(1), "{keep} bytes: {failed}");
        assert!(
            failed.stderr.contains("a.parquet") || failed.stdout.contains("a.parquet"),
            "{keep} bytes: {failed}"
        );
        assert_eq!(project.content("lake/orders"), old.content());
    }
}

/// However it is read, what is damaged has a place, and the message a way out.
#[test]
fn a_damaged_page_is_told_with_its_column() {
    let name = "parquet-testing/data/datapage_v1-uncompressed-checksum.parquet";
    let mut flipped = fs::read(fixture(name)).unwrap();
    flipped[5_000] ^= 1;
    for (home, store) in [
        ("path: data", "path: lake/"),
        ("path: data", "path: lake/, rewrite: true"),
        ("path: data, incremental: {column: a}", "path: lake/"),
    ] {
        let project = Project::new();
        project.flow(
            "sales",
            &format!("home: {{type: parquet, {home}}}\nstore: {{type: parquet, {store}}}\n"),
        );
        project.write("data/a.parquet", &flipped);
        let failed = project.hygge("start").run();
        assert_eq!(failed.code, Some(1), "{failed}");
        for said in [
            "\n      data/a.parquet",
            "row group 0, column \"a\": ",
            "next: the file is damaged; write or fetch it again",
        ] {
            assert!(failed.stdout.contains(said), "{failed}");
        }
    }
}

/// A flip in pages that carry a checksum is always found; elsewhere it need only never panic,
/// and never break what stood there.
#[test]
fn flipped_bits_never_panic() {
    let seed = Chance::seed("flipped_bits_never_panic");
    let mut chance = Chance::new(seed, "bits");
    for (name, checked) in [
        (
            "parquet-testing/data/datapage_v1-uncompressed-checksum.parquet",
            true,
        ),
        ("parquet-testing/data/alltypes_plain.snappy.parquet", false),
        ("parquet-testing/data/nested_maps.snappy.parquet", false),
        ("nycflights13/airlines.parquet", false),
    ] {
        let whole = fs::read(fixture(name)).unwrap();
        for store in ["", "rewrite: true"] {
            let project = Project::new();
            project.flow(
                "sales",
                &format!(
                    "home: {{type: parquet, path: data}}\n\
                     store: {{type: parquet, path: lake/, {store}}}\n"
                ),
            );
            for _ in 0..15 {
                let mut flipped = whole.clone();
                let bit = chance.below(8 * whole.len() as u64);
                let byte = usize::try_from(bit / 8).unwrap();
                flipped[byte] ^= 1 << (bit % 8);
                project.write("data/a.parquet", &flipped);
                let run = project.hygge("start").run();
                let text = format!("{name} {store}: bit {bit}\n{run}");
                assert!(matches!(run.code, Some(0 | 1)), "{text}");
                // A decoder's panic is caught, and told as damage.
                assert!(!text.contains("panicked at"), "{text}");
                // Page bodies of the checked file: all but magic, headers and footer.
                if checked && (100..10_000).contains(&byte) {
                    assert_eq!(run.code, Some(1), "{text}");
                }
            }
        }
    }
}
