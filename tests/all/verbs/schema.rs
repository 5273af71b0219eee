use super::orders;

#[test]
fn prints_each_kind() {
    let project = orders("");
    for kind in ["project", "flow", "entity"] {
        let printed = project.hygge(&format!("schema {kind}")).succeed().stdout;
        let schema: serde_json::Value = serde_json::from_str(&printed).unwrap();
        assert!(schema["properties"].is_object(), "{kind}");
    }
    let unknown = project.hygge("schema flows").run();
    insta::assert_snapshot!(unknown.shown());
}

#[test]
fn comes_back_after_a_clone() {
    let project = orders("");
    let written = project.hygge("schema --write").succeed();
    insta::assert_snapshot!(written.shown());
    let file = project.path(".hygge/schema/flow.json");
    std::fs::remove_dir_all(project.path(".hygge")).unwrap();
    project.hygge("start").succeed();
    assert!(file.exists(), "a run brings them back too");
}
