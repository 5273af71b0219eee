use super::orders;
use crate::harness::{Orders, Project};

#[test]
fn list_and_show() {
    let project = orders("");
    insta::assert_snapshot!("before", project.hygge("state list").succeed().shown());
    project.hygge("start").succeed();
    insta::assert_snapshot!(project.hygge("state list").succeed().shown());
    insta::assert_snapshot!(
        "one",
        project.hygge("state show sales.orders").succeed().shown()
    );
    insta::assert_snapshot!(
        "a_slip",
        project.hygge("state show sales.order").run().shown()
    );
    let json = project
        .hygge("state show sales.orders --output json")
        .succeed();
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["rows_processed"], 20);
}

#[test]
fn set_says_where_the_next_run_goes_on() {
    let project = orders("");
    project.hygge("start").succeed();
    let set = project
        .hygge("state set sales.orders --watermark 2030-01-01")
        .succeed();
    insta::assert_snapshot!(set.shown());
    project.orders("data/orders/b.parquet", &Orders::new(20..30));
    project.hygge("start").succeed();
    assert_eq!(project.content("lake/orders").rows, 20, "all were older");
    let wrong = project
        .hygge("state set sales.orders --watermark soon")
        .run();
    insta::assert_snapshot!("no_value", wrong.shown());
    assert_eq!(wrong.code, Some(2), "{wrong}");
}

#[test]
fn set_needs_a_type_when_nothing_is_known() {
    let project = orders("");
    let asked = project
        .hygge("state set sales.orders --watermark 2013-01-01")
        .run();
    assert_eq!(asked.code, Some(2), "{asked}");
    insta::assert_snapshot!(asked.shown());
    let unknown = project
        .hygge("state set sales.orders --watermark 1 --type number")
        .run();
    assert_eq!(unknown.code, Some(2), "{unknown}");
    assert!(!project.path(".hygge/state").exists());
}

#[test]
fn reset_asks_first_and_recover_remembers_again() {
    let project = orders("");
    project.hygge("start").succeed();
    let asked = project.hygge("state reset sales.orders").run();
    assert_eq!(asked.code, Some(2), "{asked}");
    insta::assert_snapshot!(asked.shown());

    let gone = project.hygge("state reset sales.orders --yes").succeed();
    insta::assert_snapshot!("forgotten", gone.shown());
    assert_eq!(project.hygge("start").run().code, Some(1), "it stops");

    let back = project.hygge("state recover sales.orders").succeed();
    insta::assert_snapshot!("recovered", back.shown());
    project.orders("data/orders/b.parquet", &Orders::new(20..30));
    project.hygge("start").succeed();
    assert_eq!(
        project.content("lake/orders"),
        Orders::new(0..30).content(),
        "nothing lost, nothing twice"
    );
}

#[test]
fn nothing_is_changed_while_a_run_holds_the_entity() {
    let project = orders("");
    project.hygge("start").succeed();
    project.orders("data/orders/b.parquet", &Orders::new(20..30));
    let paused = project.hygge("start").spawn_to("split.batch");
    for verb in [
        "reset sales.orders --yes",
        "set sales.orders --watermark 2013-01-01",
        "recover sales.orders",
    ] {
        let refused = project.hygge(&format!("state {verb}")).run();
        assert_eq!(refused.code, Some(1), "{verb}: {refused}");
        assert!(refused.stderr.contains("sales.orders"), "{refused}");
    }
    assert_eq!(paused.go_on().code, Some(0));
}

#[test]
fn list_shows_what_can_be_read_beside_what_is_damaged() {
    let project = orders("");
    project.hygge("start").succeed();
    let torn = "version: 1\nflow: [\n";
    project.write(".hygge/state/sales/lines.state.yml", torn);
    let list = project.hygge("state list").run();
    assert_eq!(list.code, Some(1), "{list}");
    insta::assert_snapshot!("damaged", list.shown());
    let json = project.hygge("state list --output json").run();
    assert_eq!(json.code, Some(1), "{json}");
    assert_eq!(json.stdout.lines().count(), 1, "{json}");
    // A slip elsewhere is still answered.
    let slip = project.hygge("state show sales.order").run();
    assert!(slip.shown().contains("sales.orders"), "{slip}");
}

#[test]
fn set_says_what_is_skipped_and_what_is_taken_again() {
    let project = orders("");
    project.hygge("start").succeed();
    let set = |to: &str| {
        let command = project.hygge("state set sales.orders --watermark");
        command.argument(to).succeed().shown()
    };
    let mut said = set("2025-01-01");
    said.push_str(&set("2024-06-01"));
    said.push_str(&set("2024-06-01T00:00:00"));
    said.push_str(&set("2999-01-01"));
    insta::assert_snapshot!("moved", said);
    let show = project.hygge("state show sales.orders").succeed();
    assert!(show.stdout.contains("location: lake/orders\n"), "{show}");
    assert!(show.stdout.contains("filled: true"), "{show}");
    let offset = project
        .hygge("state set sales.orders --watermark 2025-01-01T00:00:00+05:00")
        .run();
    assert_eq!(offset.code, Some(2), "{offset}");
    insta::assert_snapshot!("offset", offset.shown());
    let digit = project
        .hygge("state set sales.orders --watermark 2025-01-01T00:00:00.1234567")
        .run();
    assert_eq!(digit.code, Some(2), "a digit would be dropped: {digit}");
    let of_type = |kind: &str| {
        let command = project.hygge("state set sales.orders --watermark 2025 --type");
        command.argument(kind).run().shown()
    };
    let other = of_type("integer") + &of_type("timestamp[us, utc]");
    insta::assert_snapshot!("of_another_type", other);
}

/// A run finds out that a type is wrong, and what it says to do is possible.
#[test]
fn a_type_that_was_set_by_hand_is_corrected_by_hand() {
    let project = orders("");
    let set = |value: &str, kind: &str| {
        let command = project.hygge(&format!("state set sales.orders --watermark {value}"));
        let typed = command.argument(&format!("--type={kind}"));
        typed.run()
    };
    let wrong = set("5", "integer");
    assert_eq!(wrong.code, Some(0), "{wrong}");
    let refused = project.hygge("start").run();
    assert_eq!(refused.code, Some(1), "{refused}");
    assert!(refused.shown().contains("`hygge state set"), "{refused}");
    let untyped = project
        .hygge("state set sales.orders --watermark 2024-01-01")
        .run();
    assert_eq!(untyped.code, Some(2), "{untyped}");
    insta::assert_snapshot!("set_by_hand_untyped", untyped.shown());
    let right = set("2024-01-01", "timestamp[us]");
    assert_eq!(right.code, Some(0), "{right}");
    project.hygge("start").succeed();
    // What a run found out holds, also when more is set by hand since.
    for _ in 0..2 {
        let wrong = set("5", "integer");
        assert_eq!(wrong.code, Some(2), "{wrong}");
        assert_eq!(set("2024-01-01", "timestamp[us]").code, Some(0));
    }
}

#[test]
fn set_refuses_a_leap_second_as_files_do() {
    let project = orders("");
    project.hygge("start").succeed();
    let leap = project
        .hygge("state set sales.orders --watermark 2016-12-31T23:59:60")
        .run();
    assert_eq!(leap.code, Some(2), "{leap}");
    insta::assert_snapshot!("leap_second", leap.shown());
}

#[test]
fn set_keeps_what_was_done_at_the_destination() {
    let project = orders("");
    project.flow(
        "sales",
        "entities: [orders]\n\
         home: {type: parquet, path: data/orders, \
         incremental: {column: updated_at, strategy: merge, key: id}}\n\
         store: {type: parquet, path: lake/orders}\n",
    );
    for (done, ids) in [("replace", 20..30), ("upsert", 30..40)] {
        project.hygge("start").succeed();
        let set = "state set sales.orders --watermark 2024-01-01 --output json";
        let set = project.hygge(set).succeed();
        let state: serde_json::Value = serde_json::from_str(&set.stdout).unwrap();
        assert_eq!(state["action"], done, "{set}");
        project.orders(&format!("data/orders/{done}.parquet"), &Orders::new(ids));
    }
}

#[test]
fn an_entity_that_has_not_run_is_no_slip() {
    let project = orders("");
    project.flow(
        "sale",
        "entities: [order]\nhome: data/orders\nstore: lake/other/{entity}\n",
    );
    project.hygge("start --flow sales").succeed();
    let shown = project.hygge("state show sale.order").run();
    assert_eq!(shown.code, Some(2), "{shown}");
    insta::assert_snapshot!("not_yet", shown.shown());
    let all = project.hygge("state reset sales.* --yes").run();
    assert_eq!(all.code, Some(2), "{all}");
    insta::assert_snapshot!("not_one", all.shown());
}

/// What is to be typed next survives a paste, whatever an entity is called.
#[test]
fn advice_survives_a_paste() {
    let project = Project::new();
    project.flow(
        "sales",
        "entities: [\"it's new\"]\n\
         home: {path: data/orders, incremental: {column: updated_at, strategy: append}}\n\
         store: \"lake/{entity}\"\n",
    );
    project.orders("data/orders/a.parquet", &Orders::new(0..20));
    project.hygge("start").succeed();
    let verb = |verb: &str| {
        let command = project.hygge(verb).argument("sales.it's new");
        command.run().shown()
    };
    let verbs = ["state reset", "state reset --yes", "state recover"];
    insta::assert_snapshot!("pasted", verbs.map(verb).join("\n"));
}
