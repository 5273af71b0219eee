//! Components as they were built against earlier versions of the contract: `tests/guests/golden`.
//! Whatever the host becomes, they run.

use std::fs::File;
use std::io::Seek;
use std::path::{Path, PathBuf};

use arrow_ipc::reader::StreamReader;
use hygge_plugins::{Digest, inspect};

use super::c::{capitals, project, rows};
use super::hygge;
use crate::harness::{Content, Project, walk};

/// The golden guests of that name, one for each version that was released.
fn golden(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/golden");
    let mut guests = Vec::new();
    walk(&folder, &mut |path, is_folder| {
        if !is_folder && path.file_name().is_some_and(|each| each == name) {
            guests.push(path.to_owned());
        }
    });
    assert!(!guests.is_empty(), "there are golden guests {name}");
    guests
}

/// The C guest of its time: a Home and a transform without WASI.
#[test]
fn every_home_and_transform_ever_released_runs() {
    for guest in golden("c-guest.wasm") {
        let project = project(
            &std::fs::read(&guest).unwrap(),
            "entities:\n\
             - {name: plain}\n\
             - {name: capitals, transforms: [{type: c-guest, column: station}]}\n\
             home: {type: c-guest, rows: 2000}\n\
             store: {type: parquet, path: \"lake/{entity}\"}\n",
        );
        hygge(&project, "start").succeed();
        let shown = guest.display();
        assert_eq!(project.content("lake/plain"), rows(0..2000), "{shown}");
        assert_eq!(
            project.content("lake/capitals"),
            capitals(0..2000),
            "{shown}"
        );
    }
}

/// `tests/guests/keep` of its time: a Store on the stock target of WASI. What it is given comes from
/// a Home of that time too.
#[test]
fn every_store_ever_released_is_given_rows_and_commits_them() {
    for (store, home) in golden("keep.wasm").iter().zip(golden("c-guest.wasm")) {
        let bytes = std::fs::read(store).unwrap();
        let imports = inspect(&bytes).unwrap().imports;
        assert!(
            imports
                .iter()
                .any(|name| name.starts_with("wasi:filesystem/")),
            "{imports:?}"
        );
        let project = Project::new();
        project.write("plugins/keep.wasm", &bytes);
        project.write("plugins/c-guest.wasm", std::fs::read(home).unwrap());
        project.write("hygge.yml", "name: test\nplugins: {keep: {write: [out]}}\n");
        let digest = Digest::of(&bytes);
        project.write(
            "hygge.lock",
            format!(
                r#"{{"version": 1, "plugins": {{"keep":
                    {{"digest": "{digest}", "type": "keep", "version": "0.1.0"}}}}}}"#
            ),
        );
        std::fs::create_dir(project.path("out")).unwrap();
        let flow = |rows: u32, more: &str| {
            let home = format!("home: {{type: c-guest, rows: {rows}{more}}}\n");
            let flow = format!("{home}store: {{type: keep, path: out/days}}\n");
            project.flow("days", &flow);
            hygge(&project, "start").succeed();
            kept(&project.path("out/days"))
        };
        // Every run takes the place of the one before; no rows at all do too.
        for count in [0, 2000, 5000, 0] {
            let (content, _) = flow(count, "");
            let expected = (count > 0).then(|| rows(0..count.into()));
            assert_eq!(content, expected, "{count} rows");
        }
        std::fs::remove_dir_all(project.path("out/days")).unwrap();
        std::fs::remove_dir_all(project.path(".hygge")).unwrap();
        // And a run by a watermark adds to it.
        let (content, files) = flow(300, ", incremental: {column: at}");
        assert_eq!(content, Some(rows(0..300)));
        let (content, more) = flow(500, ", incremental: {column: at}");
        assert_eq!(content, Some(rows(0..500)));
        assert!(more > files, "{more} files after {files}");
    }
}

/// What its author was told then still holds.
#[test]
fn every_component_ever_released_keeps_the_contract() {
    let keep = "--config path=out/t --grant-write out";
    let all = [
        ("c-guest.wasm", "--config rows=100 --as home"),
        ("keep.wasm", keep),
    ];
    for (name, arguments) in all {
        for guest in golden(name) {
            let folder = Project::bare();
            folder.write("plugin.wasm", std::fs::read(guest).unwrap());
            hygge(&folder, &format!("plugin test plugin.wasm {arguments}")).succeed();
        }
    }
}

/// What a folder of `keep` holds, and in how many files. Nothing that was staged is left.
fn kept(folder: &Path) -> (Option<Content>, usize) {
    let (mut batches, mut files) = (Vec::new(), 0);
    let mut schema = None;
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        assert!(
            path.extension().is_some_and(|end| end == "arrows"),
            "{path:?}"
        );
        files += 1;
        let mut file = File::open(&path).unwrap();
        let end = file.metadata().unwrap().len();
        // A stream a batch, one after the other.
        while file.stream_position().unwrap() < end {
            let stream = StreamReader::try_new(&mut file, None).unwrap();
            schema = Some(stream.schema());
            batches.extend(stream.map(Result::unwrap));
        }
    }
    let content = schema.map(|schema| Content::of_batches(&schema, &batches));
    (content, files)
}
