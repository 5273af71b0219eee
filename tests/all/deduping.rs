//! `dedupe` keeps one row of each key of the whole entity, whatever stands in which file, and
//! wherever a run is killed.

use crate::harness::{Command, Orders, Project};

const FILE: i64 = 20_000;

/// A source in several files, in which keys come again later, and more than memory may hold.
fn scene(strategy: &str) -> (Project, Orders) {
    let project = Project::new();
    project.write("hygge.yml", "name: shop\noptions: {memory: 16MiB}\n");
    project.flow(
        "sales",
        &format!(
            "home: {{type: parquet, path: data/orders{strategy}}}\n\
             store: {{type: parquet, path: lake/orders}}\n\
             transforms:\n\
             - {{type: dedupe, key: id, order_by: [version, updated_at]}}\n"
        ),
    );
    let mut all = Orders::default();
    for step in 0..4 {
        all = add(&project, all, step);
    }
    (project, all)
}

/// Half of the keys of a file are those of the one before, in a later version.
fn add(project: &Project, all: Orders, step: i64) -> Orders {
    let mut file = Orders::new(step * FILE / 2..step * FILE / 2 + FILE);
    for order in &mut file.0 {
        order.version = step;
    }
    project.orders(&format!("data/orders/{step:03}.parquet"), &file);
    all.and(&file)
}

fn start(project: &Project) -> Command {
    project.hygge("start")
}

fn check(project: &Project, all: &Orders) {
    assert_eq!(project.content("lake/orders"), all.latest().content());
    let left = project.tree().into_iter();
    let left: Vec<String> = left
        .filter(|path| path.starts_with(".hygge/") && path.contains("tmp"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn one_row_of_each_key_settles_from_many_files() {
    let (project, all) = scene("");
    start(&project).succeed();
    check(&project, &all);
    // What was read before isn't read again, and stands there as it was.
    let all = add(&project, all, 4);
    start(&project).succeed();
    check(&project, &all);
}

#[test]
fn an_incremental_run_dedupes_what_it_reads() {
    let (project, _) = scene(", incremental: {strategy: files}");
    start(&project).succeed();
    let before = project.content("lake/orders");
    let new = add(&project, Orders::default(), 8);
    let again = Orders(new.0.iter().chain(&new.0).cloned().collect());
    project.orders("data/orders/008.parquet", &again);
    start(&project).succeed();
    let after = project.content("lake/orders");
    assert_eq!(after.rows, before.rows + new.content().rows);
}

#[test]
fn killed_on_the_way_it_is_as_if_it_had_begun_later() {
    for point in [
        "split.opened",
        "split.batch",
        "writer.finishing",
        "receipt.stored",
        "intent.stored",
        "commit.swapped",
    ] {
        let (project, all) = scene("");
        let killed = start(&project).failpoints(&format!("{point}=kill@1")).run();
        assert!(
            killed.was_killed() || point == "commit.swapped",
            "{point}: {killed}"
        );
        start(&project).succeed();
        check(&project, &all);
        let all = add(&project, all, 4);
        let killed = start(&project).failpoints(&format!("{point}=kill@1")).run();
        assert!(killed.was_killed(), "{point}: {killed}");
        start(&project).succeed();
        check(&project, &all);
    }
}
