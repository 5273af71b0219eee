//! A commit that fails or is killed at a named point is finished by the next one.
//!
//! The points are armed by the environment of the process, so every case runs this test binary
//! once more.

use std::path::Path;
use std::process::Command;

use hygge_core::{Action, CommitRecord, Context, Store as _};
use serde_json::json;

use super::FileStoreKind;
use super::tests::{Project, ids};

const POINTS: [&str; 7] = [
    "commit.started",
    "commit.linked",
    "commit.synced",
    "commit.swapped",
    "commit.renamed",
    "commit.renamed@2",
    "commit.cleaned",
];

fn commit(root: &Path) -> hygge_core::Result<hygge_core::Settled> {
    let text = std::fs::read_to_string(root.join("record.json")).unwrap();
    let record: CommitRecord = serde_json::from_str(&text).unwrap();
    let place = hygge_core::BuildContext {
        root: root.to_owned(),
        work: root.join(".hygge"),
        entity: None,
        run: None,
    };
    let settings = json!({"path": "out", "format": "parquet"});
    let settings = hygge_core::Settings::new(settings, []);
    let store = FileStoreKind::new(None).make(&settings, &place).unwrap();
    futures::executor::block_on(store.commit(&record, &Context::inline()))
}

/// Run by the other test in a process of its own.
#[test]
fn commits_where_it_is_told() {
    let Some(root) = std::env::var_os("HYGGE_TEST_COMMIT") else {
        return;
    };
    commit(Path::new(&root)).unwrap();
}

#[test]
fn a_commit_that_died_anywhere_is_finished_by_the_next() {
    for action in [Action::Replace, Action::Append] {
        for point in POINTS {
            for how in ["error", "kill"] {
                let (name, nth) = point.split_once('@').unwrap_or((point, "1"));
                let mut project = Project::new(json!({"path": "out", "format": "parquet"}));
                project.run(Action::Replace, &[&[1], &[2]]).unwrap();
                let record = project.stage(action, &[&[3], &[4]]).unwrap();
                let text = serde_json::to_string(&record).unwrap();
                std::fs::write(project.root().join("record.json"), text).unwrap();
                let died = Command::new(std::env::current_exe().unwrap())
                    .args([
                        "--exact",
                        "store::failpoint_tests::commits_where_it_is_told",
                    ])
                    .env("HYGGE_TEST_COMMIT", project.root())
                    .env("HYGGE_FAILPOINTS", format!("{name}={how}@{nth}"))
                    .output()
                    .unwrap();
                let passed = match action {
                    Action::Append => ["commit.linked", "commit.swapped"].contains(&name),
                    _ => name == "commit.renamed",
                };
                assert_eq!(
                    died.status.success(),
                    passed,
                    "{action} {point} {how}: {died:?}"
                );
                let out = project.root().join("out");
                let seen = ids(&out);
                let whole: &[&[i64]] = match action {
                    Action::Append => &[&[1, 2], &[1, 2, 3], &[1, 2, 3, 4]],
                    _ => &[&[1, 2], &[3, 4]],
                };
                assert!(
                    whole.contains(&&seen[..]),
                    "{action} {point} {how}: {seen:?}"
                );
                let settled = project.commit(&record).unwrap();
                assert_eq!(settled.parts, 2);
                assert_eq!(
                    &ids(&out)[..],
                    whole[whole.len() - 1],
                    "{action} {point} {how}"
                );
                project.clean();
                assert_eq!(project.standing(), hygge_core::Standing::Ours);
            }
        }
    }
}
