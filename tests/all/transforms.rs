//! The names that transforms had in the Python original.

use crate::harness::Project;

fn shop() -> Project {
    let project = Project::new();
    project.write(
        "data/orders.csv",
        "Order ID,customerName,price\n1,Ada,12.5\n2,,7\n3,Grace,n/a\n",
    );
    project
}

#[test]
fn polish_is_read_as_transforms_with_a_note() {
    let project = shop();
    let text = "home: data/orders.csv\n\
                store:\n  type: csv\n  path: out/orders.csv\n  polish:\n\
                \x20   hash_ids: [{name: orderKey, from_columns: [Order ID], algo: sha256}]\n\
                \x20   columns: {remove_special: true, case: pascal}\n\
                \x20   constants: [{name: source, value: erp}]\n\
                \x20   add_row_marker: {enabled: true}\n\
                \x20   timestamps: [{name: loaded, source: now_utc}]\n";
    project.flow("f", text);
    let outcome = project.hygge("start --dry-run").succeed();
    let started = project.hygge("start --quiet").succeed();
    let settled = std::fs::read_to_string(project.path("out/orders.csv")).unwrap();
    let first = settled.lines().next().unwrap();
    insta::assert_snapshot!(format!("{}\n{}\n{first}", outcome.shown(), started.shown()));
    assert_eq!(settled.lines().count(), 4);
    let again = project.hygge("start --dry-run").succeed().shown();
    assert!(
        again.contains("its rows would have OrderId int64, "),
        "{again}"
    );
    assert!(
        settled.lines().skip(1).all(|line| line.contains(",erp,4,")),
        "{settled}"
    );
}

#[test]
fn what_polish_can_t_do_any_more_is_refused() {
    let mut shown = String::new();
    for polish in [
        "{hash_id: []}",
        "{hash_ids: [{name: k, from_columns: [price], algo: md5}]}",
        "{hash_ids: [{name: k, from_columns: [price], hex: false}]}",
        "{columns: {remove_spaces: true}}",
        "{timestamps: [{name: at, source: now_local}]}",
        "{timestamps: [{name: at, type: string, format: '%Y'}]}",
        "{add_row_marker: true}",
    ] {
        let project = shop();
        let store = format!("{{type: csv, path: out/orders.csv, polish: {polish}}}");
        project.flow("f", &format!("home: data/orders.csv\nstore: {store}\n"));
        let outcome = project.hygge("start --quiet").run();
        assert_ne!(outcome.code, Some(0), "{polish}: {outcome}");
        shown.push_str(&format!("- {polish}\n{}\n", outcome.shown()));
    }
    insta::assert_snapshot!(shown);
}
