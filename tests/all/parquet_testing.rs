//! Every file of the parquet-testing set: the good ones move, copied and rewritten, and another
//! reader finds the same in them; the bad ones fail, and leave nothing behind.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::{Events, Project, compare, fixture, other_reader, walk};

/// Files of `data/` that are bad despite their folder, and why.
const BAD: &[(&str, &str)] = &[
    (
        "datapage_v1-corrupt-checksum",
        "made with wrong page checksums",
    ),
    (
        "rle-dict-uncompressed-corrupt-checksum",
        "made with wrong page checksums",
    ),
    (".encrypted", "encrypted, and hygge has no keys"),
];

/// Files that can be copied, but not decoded, and why.
const BAD_WHEN_DECODED: &[(&str, &str)] = &[
    (
        "large_string_map.brotli",
        "has pages of a gigabyte, where options.memory allows 256 MiB",
    ),
    (
        "int96_from_spark",
        "has times in the year 9999, which don't fit into the nanoseconds of INT96 in Arrow",
    ),
];

/// Files that pyarrow can't read, and why; that they move has to do.
const UNREAD: &[(&str, &str)] = &[
    (
        "incorrect_map_schema",
        "pyarrow insists that map keys are marked as required",
    ),
    (
        "large_string_map.brotli",
        "pyarrow doesn't read nested text of more than 2 GiB",
    ),
];

/// Files of `bad_data/` that are read all the same, and why that is right.
const READ_ALL_THE_SAME: &[(&str, &str)] = &[(
    "ARROW-GH-43605",
    "its dictionary has one entry and indices of no bits, which is odd but clear; pyarrow reads it",
)];

fn files(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    walk(
        &fixture(&format!("parquet-testing/{folder}")),
        &mut |path, is_folder| {
            let name = path.to_str().unwrap();
            if !is_folder && (name.ends_with(".parquet") || name.ends_with(".encrypted")) {
                files.push(path.to_owned());
            }
        },
    );
    files.sort();
    files
}

fn listed(path: &Path, list: &[(&str, &str)]) -> bool {
    list.iter()
        .any(|(name, _)| path.to_str().unwrap().contains(name))
}

/// One entity a file, all in one run.
fn project(files: &[PathBuf], store: &str) -> Project {
    let project = Project::new();
    let entities: String = files
        .iter()
        .enumerate()
        .map(|(n, path)| {
            format!(
                "  - {{name: f{n:03}, home: {{path: \"{}\"}}, store: {{path: lake/f{n:03}/}}}}\n",
                path.display()
            )
        })
        .collect();
    project.flow(
        "set",
        &format!(
            "home: {{type: parquet}}\nstore: {{type: parquet, {store}}}\nentities:\n{entities}"
        ),
    );
    project
}

fn all_move(decoded: bool) {
    let Some(python) = other_reader() else { return };
    let files = files("data");
    assert!(files.len() > 70, "the set is not complete");
    let project = project(&files, if decoded { "rewrite: true" } else { "" });
    let run = project.hygge("start --output json").run();
    let events = Events::of(&run);
    let mut wrong = Vec::new();
    let mut pairs = Vec::new();
    for (n, file) in files.iter().enumerate() {
        let finished = events.finished(&format!("set.f{n:03}"));
        let lake = project.path(format!("lake/f{n:03}"));
        let bad = listed(file, BAD) || decoded && listed(file, BAD_WHEN_DECODED);
        match finished["outcome"].as_str().unwrap() {
            "pass" if !bad => {
                if !listed(file, UNREAD) {
                    pairs.push((file.clone(), lake));
                }
            }
            "fail" if bad => {
                if lake.exists() {
                    wrong.push(format!("{}: failed, but left something", file.display()));
                }
            }
            _ => wrong.push(format!("{}: {finished}", file.display())),
        }
    }
    for ((file, _), difference) in pairs.iter().zip(compare(&python, &pairs)) {
        if !difference.is_empty() {
            wrong.push(format!("{}: {difference}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn good_files_move_as_they_are() {
    all_move(false);
}

#[test]
fn good_files_move_decoded_and_encoded() {
    all_move(true);
}

#[test]
fn bad_files_fail_and_leave_nothing() {
    let files = files("bad_data");
    assert_eq!(files.len(), 4);
    let project = project(&files, "verify: true");
    let run = project.hygge("start --output json").run();
    assert_eq!(run.code, Some(1), "{run}");
    assert!(!run.stderr.contains("panicked"), "{run}");
    let events = Events::of(&run);
    for (n, file) in files.iter().enumerate() {
        let finished = events.finished(&format!("set.f{n:03}"));
        let expected = if listed(file, READ_ALL_THE_SAME) {
            "pass"
        } else {
            "fail"
        };
        assert_eq!(
            finished["outcome"],
            expected,
            "{}: {finished}",
            file.display()
        );
        let lake = project.path(format!("lake/f{n:03}"));
        assert_eq!(lake.exists(), expected == "pass", "{}", file.display());
        if lake.exists() {
            assert!(fs::read_dir(lake).unwrap().count() > 0);
        }
    }
}
