use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;

use super::{hygge, project};
use crate::harness::{Content, Events, Project};

/// Some people, again and again.
fn people(rows: i64) -> RecordBatch {
    let mail = |n: i64| (n % 7 != 0).then(|| format!("p{}@example.com", n % 100));
    let id: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
    let email: ArrayRef = Arc::new((0..rows).map(mail).collect::<StringArray>());
    let postcode = (0..rows).map(|n| Some(format!("1{:04}", n % 10_000)));
    let postcode: ArrayRef = Arc::new(postcode.collect::<StringArray>());
    let note: ArrayRef = Arc::new(StringArray::from_iter_values((0..rows).map(|_| "secret")));
    let columns = [
        ("id", id, true),
        ("email", email, true),
        ("postcode", postcode, true),
        ("note", note, true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

/// What the plugin's README says a hash is, computed without the plugin.
fn hashed(email: &str, key: &str) -> String {
    let key = blake3::derive_key("hygge mask 2026-11-22 hash", key.as_bytes());
    let hash = blake3::keyed_hash(&key, email.as_bytes()).to_hex();
    hash[..32].to_owned()
}

fn masked(rows: i64, key: &str) -> Content {
    let batch = people(rows);
    let column = |n: usize| -> &StringArray { batch.column(n).as_any().downcast_ref().unwrap() };
    let email: StringArray = column(1).iter().map(|e| Some(hashed(e?, key))).collect();
    let postcode: StringArray = column(2).iter().map(|p| Some(&p?[..2])).collect();
    let note: StringArray = (0..rows).map(|_| None::<&str>).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::clone(batch.column(0)),
        Arc::new(email),
        Arc::new(postcode),
        Arc::new(note),
    ];
    let masked = RecordBatch::try_new(batch.schema(), columns).unwrap();
    Content::of_batches(&batch.schema(), &[masked])
}

fn flow(project: &Project, kind: &str, key: &str) {
    project.flow(
        "people",
        &format!(
            "home: {{type: parquet, path: data/people.parquet}}\n\
             transforms:\n\
             - type: {kind}\n\
             \x20 {key}\n\
             \x20 columns:\n\
             \x20   email: {{how: hash}}\n\
             \x20   postcode: {{how: truncate, keep: 2}}\n\
             \x20   note: {{how: redact}}\n\
             store: {{type: parquet, path: lake}}\n"
        ),
    );
}

#[test]
fn hides_columns_between_parquet_and_parquet() {
    let project = project("mask");
    project.write("data/people.parquet", parquet(&people(50_000)));
    flow(&project, "sandboxed-mask", "key: ${MASK_KEY}");
    let started = hygge(&project, "start")
        .env("MASK_KEY", "a long secret")
        .succeed();
    assert_eq!(project.content("lake"), masked(50_000, "a long secret"));
    // Another key, other hashes.
    hygge(&project, "start").env("MASK_KEY", "other").succeed();
    assert_eq!(project.content("lake"), masked(50_000, "other"));
    // The built-in one gives the same.
    flow(&project, "mask", "key: ${MASK_KEY}");
    let built_in = hygge(&project, "start").env("MASK_KEY", "a long secret");
    built_in.succeed();
    assert_eq!(project.content("lake"), masked(50_000, "a long secret"));

    // The key is nowhere but in the environment.
    assert!(!started.stdout.contains("a long secret") && !started.stderr.contains("a long secret"));
    for path in project.tree() {
        if path.starts_with(".hygge/") && !path.ends_with('/') {
            let bytes = std::fs::read(project.path(&path)).unwrap();
            let found = bytes.windows(13).any(|each| each == b"a long secret");
            assert!(!found, "{path} holds the key");
        }
    }
}

#[test]
fn what_cannot_be_masked_is_refused_and_leaves_what_stood_there() {
    let project = project("mask");
    project.write("data/people.parquet", parquet(&people(100)));
    flow(&project, "sandboxed-mask", "key: ${MASK_KEY}");
    hygge(&project, "start").env("MASK_KEY", "k").succeed();
    let before = project.content("lake");

    flow(&project, "sandboxed-mask", "");
    let no_key = hygge(&project, "start").run();
    assert_eq!(no_key.code, Some(1), "{no_key}");
    insta::assert_snapshot!("no_key", no_key.shown());

    flow(&project, "sandboxed-mask", "key: ${MASK_KEY}");
    let unset = hygge(&project, "start").run();
    assert_eq!(unset.code, Some(2), "{unset}");

    project.flow(
        "people",
        "home: {type: parquet, path: data/people.parquet}\n\
         transforms: [{type: sandboxed-mask, columns: {Email: {how: redact}}}]\n\
         store: {type: parquet, path: lake}\n",
    );
    insta::assert_snapshot!("no_column", hygge(&project, "start").run().shown());
    project.flow(
        "people",
        "home: {type: parquet, path: data/people.parquet}\n\
         transforms: [{type: sandboxed-mask, columns: {email: {how: shred}}}]\n\
         store: {type: parquet, path: lake}\n",
    );
    insta::assert_snapshot!("no_such_way", hygge(&project, "start").run().shown());
    assert_eq!(project.content("lake"), before);
}

/// The line that `hygge init` writes, with its `#` taken off.
#[test]
fn the_first_project_shows_a_line_that_works() {
    let folder = Project::bare();
    hygge(&folder, "init demo").succeed();
    let project = |arguments: &str| hygge(&folder, &format!("--project demo {arguments}"));
    let planes = "demo/flows/nycflights/entities/planes.yml";
    let text = std::fs::read_to_string(folder.path(planes)).unwrap();
    let shown = text.replace("\n# transforms:", "\ntransforms:");
    assert_ne!(text, shown);
    folder.write(planes, shown);
    let plain = folder.content("demo/data/landing/planes.parquet");
    let start = project("start --entity nycflights.planes").env("MASK_KEY", "k");
    start.succeed();
    let masked = folder.content("demo/data/lake/planes");
    assert_eq!(masked.rows, plain.rows);
    assert_ne!(masked, plain);
}

/// Four files of people, masked one after the other by a run that is killed when two are staged.
fn died_half_way(project: &Project, settings: &str) {
    for n in 0..4 {
        project.write(&format!("data/people/{n}.parquet"), parquet(&people(1_000)));
    }
    project.flow(
        "people",
        &format!(
            "home: {{type: parquet, path: data/people, split_size: 1}}\n\
             transforms: [{{type: sandboxed-mask, {settings}}}]\n\
             store: {{type: parquet, path: lake}}\n"
        ),
    );
    let killed = hygge(project, "start --concurrency 1")
        .env("MASK_KEY", "one")
        .failpoints("receipt.stored=kill@2")
        .run();
    assert!(killed.was_killed(), "{killed}");
}

/// How many splits the next run keeps, and what it notes.
fn goes_on(project: &Project, key: &str) -> (u64, String) {
    let run = hygge(project, "start --output json").env("MASK_KEY", key);
    let events = Events::of(&run.succeed());
    let started = events.all("entity_started").next().unwrap();
    let notes = events.all("note").map(|note| note["message"].to_string());
    (
        started["resumed"].as_u64().unwrap(),
        notes.collect::<Vec<_>>().join("\n"),
    )
}

#[test]
fn what_was_masked_with_one_key_is_not_settled_beside_another() {
    let project = project("mask");
    let settings = "key: \"${MASK_KEY}\", columns: {email: {how: hash}}";
    died_half_way(&project, settings);
    let (kept, notes) = goes_on(&project, "two");
    assert_eq!(kept, 0, "{notes}");
    assert!(notes.contains("a secret is among its settings"), "{notes}");
    let with_one_key = project.content("lake");
    hygge(&project, "start").env("MASK_KEY", "two").succeed();
    assert_eq!(with_one_key, project.content("lake"));
}

#[test]
fn what_one_plugin_masked_is_not_settled_beside_what_another_did() {
    let project = project("mask");
    let settings = "columns: {note: {how: redact}}";
    died_half_way(&project, settings);
    let (kept, notes) = goes_on(&project, "none");
    assert_eq!(kept, 2, "{notes}");

    died_half_way(&project, settings);
    // The same code, and one section more that nobody reads.
    let mut other = std::fs::read(project.path("plugins/mask.wasm")).unwrap();
    other.extend_from_slice(&[0, 2, 1, b'x']);
    project.write("plugins/mask.wasm", other);
    hygge(&project, "plugin trust mask").succeed();
    let (kept, notes) = goes_on(&project, "none");
    assert_eq!(kept, 0, "{notes}");
    assert!(notes.contains("the configuration changed"), "{notes}");
}
