use super::orders;

#[test]
fn all_well() {
    let project = orders("");
    let before = project.tree();
    insta::assert_snapshot!(project.hygge("debug").succeed().shown());
    assert_eq!(project.tree(), before, "something was written");
}

#[test]
fn what_is_wrong_and_how_to_mend_it() {
    let project = orders("");
    std::fs::remove_dir_all(project.path("data")).unwrap();
    project.write("lake", "a file where a folder should be\n");
    let wrong = project.hygge("debug").run();
    assert_eq!(wrong.code, Some(1), "{wrong}");
    insta::assert_snapshot!(wrong.shown());
    let json = project.hygge("debug --output json").run();
    assert_eq!(json.code, Some(1), "{json}");
    for line in json.stdout.lines() {
        let finding: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(finding["ok"], false, "{json}");
    }
}

/// What would stop a run before rows move is found without one.
#[test]
fn what_a_run_would_refuse() {
    let parquet = "store: {type: parquet, path: lake/orders";
    for (name, home, store) in [
        (
            "partition",
            "",
            format!("{parquet}, partition_by: [country]}}"),
        ),
        (
            "watermark",
            "  incremental: {column: changed_at}\n",
            format!("{parquet}}}"),
        ),
        (
            "key",
            "  incremental: {column: updated_at, strategy: merge, key: order}\n",
            format!("{parquet}}}"),
        ),
    ] {
        let project = orders("");
        project.flow(
            "sales",
            &format!("home:\n  type: parquet\n  path: data/orders\n{home}{store}\n"),
        );
        let before = project.tree();
        let wrong = project.hygge("debug").run();
        assert_eq!(wrong.code, Some(1), "{wrong}");
        insta::assert_snapshot!(format!("refuse_{name}"), wrong.shown());
        assert_eq!(project.tree(), before, "something was written");
    }
}

#[test]
fn a_state_that_was_lost() {
    let project = orders("");
    project.hygge("start").succeed();
    project.hygge("debug").succeed();
    std::fs::remove_dir_all(project.path(".hygge/state")).unwrap();
    let wrong = project.hygge("debug").run();
    assert_eq!(wrong.code, Some(1), "{wrong}");
    insta::assert_snapshot!(wrong.shown());
}
