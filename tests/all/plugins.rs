//! Plugins, as whoever drops one into a project meets them: a guest built from source, the real
//! program, real files.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::harness::{Command, Project};
use crate::shipped;

/// The sample guest, built for the stock target of WASI.
static SAMPLE: LazyLock<PathBuf> = LazyLock::new(|| build("sample", "wasm32-wasip2"));

/// Builds a guest below `tests/guests`; cargo knows when there is nothing to do.
pub(crate) fn build(guest: &str, target: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("guests")
        .join(guest);
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    let status = std::process::Command::new(env!("CARGO"))
        .args([
            "build",
            "--release",
            "--locked",
            "--quiet",
            "--target",
            target,
        ])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", &built)
        .env_remove("RUSTFLAGS")
        .status()
        .unwrap();
    assert!(
        status.success(),
        "the guest {guest} can't be built for {target}"
    );
    built
        .join(target)
        .join("release")
        .join(format!("{guest}.wasm"))
}

/// Puts the Store of `plugins/ndjson` into a project, trusted and with these grants.
pub(crate) fn add_ndjson(project: &Project, grants: &str) {
    static NDJSON: LazyLock<Vec<u8>> =
        LazyLock::new(|| std::fs::read(shipped::file("ndjson")).unwrap());
    project.write("plugins/ndjson.wasm", &*NDJSON);
    let granted = format!("name: test\nplugins: {{ndjson: {grants}}}\n");
    project.write("hygge.yml", granted);
    lock(project, "ndjson", "ndjson-wasm", &NDJSON);
}

/// Writes a file down as trusted.
fn lock(project: &Project, key: &str, kind: &str, component: &[u8]) {
    let digest = hygge_plugins::Digest::of(component);
    let lock = format!(
        r#"{{"version": 1, "plugins": {{"{key}":
            {{"digest": "{digest}", "type": "{kind}", "version": "0.1.0"}}}}}}"#
    );
    project.write("hygge.lock", lock);
}

/// The program, with what it compiles kept for the other tests.
pub(crate) fn hygge(project: &Project, arguments: &str) -> Command {
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/cache");
    project.hygge(arguments).env("XDG_CACHE_HOME", cache)
}

fn project(flow: &str) -> Project {
    let project = Project::new();
    project.write("plugins/sample.wasm", std::fs::read(&*SAMPLE).unwrap());
    project.flow("count", flow);
    project
}

#[test]
fn a_home_that_was_dropped_in_is_moved_to_parquet() {
    let project = project(
        "home: {type: sample, rows: 100000, splits: 3, batch: 10000}\n\
         store: {type: parquet, path: lake}\n",
    );
    project.hygge("start").succeed();
    assert_eq!(project.content("lake").rows, 100_000);
    // Compiled once, and kept where nobody else can write.
    let cache = project.path(".cache/hygge/plugins");
    assert_eq!(std::fs::read_dir(&cache).unwrap().count(), 1);
    project.hygge("start").succeed();
    assert_eq!(project.content("lake").rows, 100_000);
}

#[test]
fn the_history_shows_what_a_plugin_took() {
    let project = project(
        "home: {type: sample, rows: 1000, splits: 2}\n\
         store: {type: parquet, path: lake}\n",
    );
    project.hygge("start").succeed();
    let shown = project.hygge("runs show --output json").succeed();
    let run: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    let used = &run["plugins"][0];
    assert_eq!(used["plugin"], "sample", "{run}");
    assert_eq!(used["rows_out"], 1000, "{run}");
    assert!(used["calls"].as_u64() > Some(4), "{run}");
    assert!(used["peak_memory"].as_u64() > Some(0), "{run}");
    let story = project.hygge("runs show").succeed();
    assert!(story.stdout.contains("PLUGIN"), "{story}");
}

/// A file that is dropped beside a trusted one can't take its type, and with it its settings.
#[test]
fn a_trusted_file_keeps_its_type() {
    let project = project(
        "home: {type: sample, rows: 10}\n\
         store: {type: parquet, path: lake}\n",
    );
    let bytes = std::fs::read(&*SAMPLE).unwrap();
    project.write("plugins/a.wasm", &bytes);
    lock(&project, "sample", "sample", &bytes);
    let outcome = project.hygge("start").succeed();
    let said = "plugins/a.wasm isn't used: it is a home of type `sample`, and so is \
                plugins/sample.wasm";
    assert!(outcome.stderr.contains(said), "{outcome}");
}

/// Nor does a file take the type of one that nobody trusted either, by sorting before it.
#[test]
fn two_files_that_nobody_trusted_leave_a_type_to_neither() {
    let project = project(
        "home: {type: sample, rows: 10}\n\
         store: {type: parquet, path: lake}\n",
    );
    project.write("plugins/a.wasm", std::fs::read(&*SAMPLE).unwrap());
    let outcome = project.hygge("start").run();
    assert_eq!(outcome.code, Some(2), "{outcome}");
    for (one, other) in [("a", "sample"), ("sample", "a")] {
        let said = format!(
            "plugins/{one}.wasm isn't used: it is a home of type `sample`, and so is \
             plugins/{other}.wasm"
        );
        assert!(outcome.stderr.contains(&said), "{outcome}");
    }
}

/// Two flows that would each take the other's rows away are refused before anything moves, as
/// they are with hygge's own stores.
#[test]
fn two_flows_can_not_write_to_the_same_place_through_a_plugin() {
    let project = Project::new();
    add_ndjson(&project, "{write: [out]}");
    for flow in ["f", "g"] {
        project.write(&format!("{flow}.csv"), "id\n1\n");
        project.flow(
            flow,
            &format!("home: {flow}.csv\nstore: {{type: ndjson-wasm, path: out/t}}\n"),
        );
    }
    let outcome = hygge(&project, "start").run();
    assert_eq!(outcome.code, Some(2), "{outcome}");
    let said = "`f.f` and `g.g` would write to the same place";
    assert!(outcome.stderr.contains(said), "{outcome}");
}

/// What a run would run into is told before, by whoever asks.
#[test]
fn a_check_notices_a_folder_that_may_not_be_written() {
    let project = Project::new();
    project.write("a.csv", "id\n1\n");
    project.flow(
        "f",
        "home: a.csv\nstore: {type: ndjson-wasm, path: out/t}\n",
    );
    std::fs::create_dir(project.path("out")).unwrap();
    for grants in ["{}", "{read: [out]}"] {
        add_ndjson(&project, grants);
        let outcome = hygge(&project, "debug").run();
        assert_eq!(outcome.code, Some(1), "{outcome}");
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(said.contains("write: [out]"), "{outcome}");
    }
    add_ndjson(&project, "{write: [out]}");
    hygge(&project, "debug").succeed();
    assert!(!project.path("out").read_dir().unwrap().any(|_| true));
}

/// The folder of the flows is no plugin's to write, whatever it is called and however it is
/// reached.
#[test]
fn the_flows_folder_can_not_be_granted() {
    let project = Project::new();
    add_ndjson(&project, "{}");
    project.write(
        "hygge.yml",
        "name: test\nflows_dir: jobs\nplugins: {ndjson: {write: [jobs]}}\n",
    );
    project.write("a.csv", "id\n1\n");
    project.write(
        "jobs/f/flow.yml",
        "home: a.csv\nstore: {type: ndjson-wasm, path: jobs/t}\n",
    );
    let outcome = hygge(&project, "start").run();
    assert_eq!(outcome.code, Some(2), "{outcome}");
    let said = "jobs says what runs here and what it may do";
    assert!(outcome.stderr.contains(said), "{outcome}");
    assert!(!project.path("jobs/t").exists());
}

/// Also once its file is another, or is gone: nobody else gets what was meant for it.
#[test]
fn a_type_is_kept_for_the_file_that_was_trusted() {
    let project = project(
        "home: {type: sample, rows: 10}\n\
         store: {type: parquet, path: lake}\n",
    );
    let bytes = std::fs::read(&*SAMPLE).unwrap();
    lock(&project, "sample", "sample", b"what it was");
    project.write("plugins/a.wasm", &bytes);
    let kept = "plugins/a.wasm isn't used: it is of type `sample`, which hygge.lock keeps for \
                plugins/sample.wasm";
    let changed = project.hygge("start").run();
    assert_eq!(changed.code, Some(2), "{changed}");
    assert!(changed.stderr.contains(kept), "{changed}");
    assert!(
        changed
            .stderr
            .contains("plugins/sample.wasm isn't used: it isn't the file that was trusted"),
        "{changed}"
    );
    std::fs::remove_file(project.path("plugins/sample.wasm")).unwrap();
    let gone = project.hygge("start").run();
    assert_eq!(gone.code, Some(2), "{gone}");
    assert!(gone.stderr.contains(kept), "{gone}");
    // Whoever trusts the other one says that it shall have it.
    lock(&project, "a", "sample", &bytes);
    project.hygge("start").succeed();
    assert_eq!(project.content("lake").rows, 10);
}

/// 100 batches that lose half a MiB each, in 16 MiB.
#[test]
fn a_guest_that_has_grown_gives_way_to_a_fresh_one() {
    let project = project("{}");
    project.write(
        "hygge.yml",
        "name: test\nplugins: {sample: {limits: {memory: 16 MiB}}}\n",
    );
    let leaks = "leak: 524288";
    let flows = [
        format!("home: {{type: sample, rows: 10000, batch: 100, {leaks}}}"),
        format!(
            "home: {{type: sample, rows: 10000, batch: 100}}\n\
             transforms: [{{type: sample, add: 1, {leaks}}}]"
        ),
    ];
    for flow in flows {
        project.flow(
            "count",
            &format!("{flow}\nstore: {{type: csv, path: out.csv}}\n"),
        );
        project.hygge("start").succeed();
        let text = std::fs::read_to_string(project.path("out.csv")).unwrap();
        let rows: std::collections::BTreeSet<&str> = text.lines().skip(1).collect();
        assert_eq!(
            (text.lines().count(), rows.len()),
            (10_001, 10_000),
            "{flow}"
        );
        let shown = project.hygge("runs show --output json").succeed();
        let run: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
        let peak = run["plugins"][0]["peak_memory"].as_u64().unwrap();
        assert!(peak <= 16 << 20, "{run}");
    }
}

/// A reader that fails in a way that may pass goes on where it was, in another instance.
#[test]
fn a_reader_is_resumed_where_it_was() {
    let project = project(
        "home: {type: sample, rows: 1000, batch: 10, flaky_at: 500}\n\
         transforms: [{type: sample, add: 1}]\n\
         store: {type: csv, path: out.csv}\n",
    );
    let outcome = project.hygge("start --verbose").succeed();
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(said.contains("lost the thread at 500"), "{outcome}");
    let text = std::fs::read_to_string(project.path("out.csv")).unwrap();
    let rows: Vec<i64> = text.lines().skip(1).map(|n| n.parse().unwrap()).collect();
    assert_eq!(rows, (1..1_001).collect::<Vec<_>>());
}

#[test]
fn a_home_is_read_by_its_watermark() {
    let flow = |rows: u32| {
        format!(
            "home: {{type: sample, rows: {rows}, incremental: {{column: n}}}}\n\
             store: {{type: parquet, path: lake}}\n"
        )
    };
    let project = project(&flow(100));
    project.hygge("start").succeed();
    assert_eq!(project.content("lake").rows, 100);
    project.flow("count", &flow(150));
    project.hygge("start").succeed();
    assert_eq!(project.content("lake").rows, 150);
}

#[test]
fn a_transform_changes_rows_on_their_way() {
    let project = project(
        "home: {type: sample, rows: 10}\n\
         transforms: [{type: sample, add: 1000}]\n\
         store: {type: csv, path: out.csv}\n",
    );
    project.hygge("start").succeed();
    let text = std::fs::read_to_string(project.path("out.csv")).unwrap();
    assert_eq!(text.lines().nth(1), Some("1000"), "{text}");
    assert_eq!(text.lines().count(), 11, "{text}");
}

/// What is granted goes by `hygge.lock`: nothing is granted to a file that was never trusted.
#[test]
fn a_store_writes_only_where_it_may() {
    let project = project(
        "home: {type: sample, rows: 10, splits: 2}\n\
         store: {type: sample, folder: out}\n",
    );
    std::fs::create_dir(project.path("out")).unwrap();
    let refused = project.hygge("start").run();
    assert_eq!(refused.code, Some(1), "{refused}");
    assert!(!project.path("out").read_dir().unwrap().any(|_| true));

    project.write(
        "hygge.yml",
        "name: test\nplugins: {sample: {write: [out]}}\n",
    );
    let untrusted = project.hygge("start").run();
    assert!(untrusted.stderr.contains("never trusted"), "{untrusted}");

    lock(
        &project,
        "sample",
        "sample",
        &std::fs::read(&*SAMPLE).unwrap(),
    );
    project.hygge("start").succeed();
    assert_eq!(numbers(&project), (0..10).collect::<Vec<_>>());
    project.hygge("start").succeed();
    assert_eq!(numbers(&project), (0..10).collect::<Vec<_>>());

    // Another file under the trusted name.
    let mut changed = std::fs::read(&*SAMPLE).unwrap();
    changed.extend_from_slice(b"\0\x03\x02hi");
    project.write("plugins/sample.wasm", changed);
    let other = project.hygge("start").run();
    assert!(
        other.stderr.contains("isn't the file that was trusted"),
        "{other}"
    );
}

/// What the sample's store holds, sorted.
fn numbers(project: &Project) -> Vec<i64> {
    let mut all = Vec::new();
    for entry in project.path("out").read_dir().unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        assert!(!name.starts_with('.'), "{name} was left");
        let text = std::fs::read_to_string(entry.path()).unwrap();
        all.extend(text.lines().map(|line| line.parse::<i64>().unwrap()));
    }
    all.sort_unstable();
    all
}

#[test]
fn a_guest_that_panics_fails_its_entity_and_no_other() {
    let project = project(
        "entities:\n\
         - {name: bad, home: {panic_at: 50}}\n\
         - {name: good}\n\
         home: {type: sample, rows: 100, batch: 10}\n\
         store: {type: parquet, path: \"lake/{entity}\"}\n",
    );
    let outcome = project.hygge("start").run();
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(
        outcome
            .stderr
            .contains("sample crashed in `reader.next`: told to fail at 50")
            || outcome
                .stdout
                .contains("sample crashed in `reader.next`: told to fail at 50"),
        "{outcome}"
    );
    assert_eq!(project.content("lake/good").rows, 100);
}

#[test]
fn a_guest_that_spins_is_ended_when_its_time_is_up() {
    let project = project(
        "home: {type: sample, rows: 100, batch: 10, spin_at: 50}\n\
         store: {type: parquet, path: lake}\n",
    );
    project.write(
        "hygge.yml",
        "name: test\noptions: {retries: 0}\nplugins: {sample: {limits: {call_timeout: 300ms}}}\n",
    );
    let outcome = project.hygge("start").run();
    assert_eq!(outcome.code, Some(1), "{outcome}");
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(
        said.contains("sample took longer than 300ms in `reader.next`"),
        "{outcome}"
    );
}

#[test]
fn a_file_that_is_no_plugin_stops_nothing_else() {
    let project = project(
        "home: {type: sample, rows: 10}\n\
         store: {type: parquet, path: lake}\n",
    );
    project.write("plugins/broken.wasm", "not wasm at all");
    let outcome = project.hygge("start").succeed();
    assert!(
        outcome
            .stderr
            .contains("plugins/broken.wasm isn't used: it is damaged"),
        "{outcome}"
    );
    assert_eq!(project.content("lake").rows, 10);
}
