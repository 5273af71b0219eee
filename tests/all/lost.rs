//! What was staged goes away between two runs, or the project goes elsewhere: the next run loses
//! no row and doubles none.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::{Command, Content, Events, Orders, Project, walk};

/// A project that settled the orders of one file, and has two more now.
fn grown(mode: &str, path: &str) -> Project {
    let project = Project::new();
    let strategy = match mode {
        "full" => "",
        _ => "  incremental: {column: updated_at, strategy: append}\n",
    };
    project.flow(
        "sales",
        &format!(
            "mode: {mode}\nhome:\n  type: parquet\n  path: data/orders\n  split_size: 1\n{strategy}\
             store: {{type: parquet, path: {path}}}\n"
        ),
    );
    project.orders("data/orders/0.parquet", &Orders::new(0..1_000));
    project.hygge("start").succeed();
    project.orders("data/orders/1.parquet", &Orders::new(1_000..2_000));
    project.orders("data/orders/2.parquet", &Orders::new(2_000..3_000));
    project
}

fn killed(project: &Project, point: &str) {
    let killed = project
        .hygge("start --concurrency 1")
        .failpoints(point)
        .run();
    assert!(killed.was_killed(), "{killed}");
}

/// The data files among what is staged, but for what was replaced.
fn staged(project: &Project) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(&project.path(".hygge/staging"), &mut |path, is_folder| {
        if !is_folder && !path.to_string_lossy().contains("/replaced/") {
            found.push(path.to_owned());
        }
    });
    found.sort();
    found
}

#[test]
fn a_split_whose_staged_file_is_gone_is_read_again() {
    for point in ["store.prepared=kill", "receipt.stored=kill@2"] {
        let project = grown("incremental", "lake/orders");
        killed(&project, point);
        fs::remove_file(&staged(&project)[0]).unwrap();
        let run = project.hygge("start --output json").succeed();
        assert!(run.stdout.contains("read again"), "{run}");
        assert_eq!(
            project.content("lake/orders"),
            Orders::new(0..3_000).content()
        );
    }
}

#[test]
fn a_staging_folder_that_is_gone_costs_nothing_but_time() {
    let project = grown("full", "lake/orders");
    killed(&project, "store.prepared=kill");
    fs::remove_dir_all(project.path(".hygge/staging")).unwrap();
    project.hygge("start").succeed();
    assert_eq!(
        project.content("lake/orders"),
        Orders::new(0..3_000).content()
    );
}

#[test]
fn a_commit_that_lost_a_file_gives_way_to_a_full_run_and_to_nothing_else() {
    let project = grown("incremental", "lake/orders");
    killed(&project, "intent.stored=kill");
    let lost = staged(&project).pop().unwrap();
    fs::remove_file(lost).unwrap();
    for _ in 0..2 {
        let refused = project.hygge("start").run();
        assert_eq!(refused.code, Some(1), "{refused}");
        assert!(
            refused.stdout.contains("start --full --entity sales.sales"),
            "{refused}"
        );
        assert_eq!(
            project.content("lake/orders"),
            Orders::new(0..1_000).content()
        );
    }
    let full = project.hygge("start --full").succeed();
    assert!(full.stdout.contains("this run takes its place"), "{full}");
    assert_eq!(
        project.content("lake/orders"),
        Orders::new(0..3_000).content()
    );
    project.orders("data/orders/3.parquet", &Orders::new(3_000..3_100));
    project.hygge("start").succeed();
    assert_eq!(
        project.content("lake/orders"),
        Orders::new(0..3_100).content()
    );
}

#[test]
fn a_full_entity_needs_no_word_to_replace_what_its_lost_commit_would_have() {
    let project = grown("full", "lake/orders");
    killed(&project, "intent.stored=kill");
    fs::remove_dir_all(project.path(".hygge/staging")).unwrap();
    project.hygge("start").succeed();
    assert_eq!(
        project.content("lake/orders"),
        Orders::new(0..3_000).content()
    );
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn start_in(root: &Path) -> Command {
    Command::new(root, ["start", "--output", "json"])
}

#[test]
fn a_copy_of_a_project_finishes_its_own_commit_and_leaves_the_original_alone() {
    let project = grown("incremental", "lake/orders");
    killed(&project, "intent.stored=kill");
    let other = Project::bare();
    let root = other.path("copy");
    copy(project.root(), &root);
    let run = start_in(&root).succeed();
    assert_eq!(Events::of(&run).all("recovered").count(), 1, "{run}");
    let all = Orders::new(0..3_000).content();
    assert_eq!(Content::of(&root.join("lake/orders")).unwrap(), all);
    assert_eq!(
        project.content("lake/orders"),
        Orders::new(0..1_000).content()
    );
    project.hygge("start").succeed();
    assert_eq!(project.content("lake/orders"), all);
}

#[test]
fn a_project_that_was_moved_finishes_where_it_is_now() {
    let project = grown("incremental", "lake/orders");
    killed(&project, "intent.stored=kill");
    let other = Project::bare();
    let root = other.path("moved");
    copy(project.root(), &root);
    drop(project);
    let run = start_in(&root).succeed();
    assert_eq!(Events::of(&run).all("recovered").count(), 1, "{run}");
    let all = Orders::new(0..3_000).content();
    assert_eq!(Content::of(&root.join("lake/orders")).unwrap(), all);
}
