//! Filling a disk through a folder that was granted.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::{Value, json};

use super::{Part, Scene, Seen, home, hygge, store};
use crate::harness::{Events, walk};

/// What may be written in a run.
const QUOTA: u64 = 1 << 20;

/// A guest that may write into `out`, and not much.
fn scene() -> Scene {
    let scene = Scene::limited("write: 1 MiB", "write: [out]");
    std::fs::create_dir(scene.project.path("out")).unwrap();
    scene
}

/// Bytes on disk below a folder, and how many names.
fn taken(folder: &Path) -> (u64, u64) {
    let (mut bytes, mut names) = (0, 0);
    walk(folder, &mut |path, _| {
        bytes += std::fs::symlink_metadata(path).unwrap().blocks() * 512;
        names += 1;
    });
    (bytes, names)
}

fn fill(how: &str) -> Value {
    home(json!({"at": "open", "deed": "reach", "tries": [format!("fill {how} out")]}))
}

fn refused(seen: &Seen) {
    let fault = seen.fault.as_ref().unwrap();
    let advice = fault["advice"].as_str().unwrap();
    assert!(
        advice.contains("`plugins: {evil: {limits: {write: …}}}`"),
        "{fault}"
    );
}

#[test]
fn no_way_of_writing_goes_beyond_the_quota() {
    let scene = scene();
    for how in [
        "written",
        "appended",
        "removed",
        "lengthened",
        "holes",
        "files",
        "folders",
        "names",
    ] {
        let seen = scene.run(Part::Home, &fill(how));
        assert_eq!(
            seen.told(),
            "plugin.quota: evil wanted to write more than its 1 MiB of this run in `home.open`",
            "{how}: {}",
            seen.outcome
        );
        refused(&seen);
        let out = scene.project.path("out");
        let (bytes, names) = taken(&out);
        // A file system may take blocks for a file beyond its end.
        assert!(bytes <= 2 * QUOTA, "{how} took {bytes} bytes");
        assert!(names <= QUOTA / 4_096, "{how} made {names} names");
        std::fs::remove_dir_all(&out).unwrap();
        std::fs::create_dir(&out).unwrap();
    }
}

/// Every entity has instances of its own, and all of them have one quota.
#[test]
fn instances_share_the_quota() {
    let scene = scene();
    let tries = [format!("spend {} out", QUOTA / 2 + 1)];
    scene.flow(
        Part::Home,
        &home(json!({"at": "open", "deed": "reach", "tries": tries})),
    );
    let mut flow = std::fs::read_to_string(scene.project.path("flows/bad/flow.yml")).unwrap();
    flow.insert_str(1, r#""entities": [{"name": "one"}, {"name": "two"}],"#);
    let flow = flow.replace("lake/bad", "lake/bad-{entity}");
    scene.project.flow("bad", &flow);
    scene.forget();
    let outcome = hygge(&scene.project, "start --output json").run();
    let events = Events::of(&outcome);
    let mut told = ["bad.one", "bad.two"].map(|id| events.fault(id).to_owned());
    told.sort();
    assert!(
        told[0].contains("more than its 1 MiB of this run"),
        "{told:?}"
    );
    assert!(told[1].ends_with("got it all"), "{told:?}");
}

#[test]
fn a_store_that_stages_too_much_leaves_nothing() {
    let scene = scene();
    let settings = store(json!({
        "folder": "out", "at": "write", "deed": "reach", "tries": ["fill written out"],
    }));
    let seen = scene.run(Part::Store, &settings);
    assert_eq!(
        seen.told(),
        "plugin.quota: evil wanted to write more than its 1 MiB of this run in `writer.write`"
    );
    refused(&seen);
}
