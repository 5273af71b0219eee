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
