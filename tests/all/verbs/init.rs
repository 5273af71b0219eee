use crate::harness::Project;

#[test]
fn writes_a_project_and_says_what_to_do_next() {
    let project = Project::bare();
    let made = project.hygge("init my-project").succeed();
    insta::assert_snapshot!(made.shown());
    insta::assert_snapshot!("its_files", project.tree().join("\n"));
}

#[test]
fn five_real_tables_settle_at_once() {
    let project = Project::bare();
    let made = project.hygge("init my-project --start").succeed();
    assert!(made.stdout.contains("5 passed"), "{made}");
    for (table, rows) in [
        ("airlines", 16),
        ("airports", 1_458),
        ("flights", 27_004),
        ("planes", 3_322),
        ("weather", 2_226),
    ] {
        let lake = project.content(&format!("my-project/data/lake/{table}"));
        assert_eq!(lake.rows, rows, "{table}");
    }
    let again = project.hygge("start --project my-project").succeed();
    assert!(again.stdout.contains("5 passed"), "{again}");
    let lake = project.content("my-project/data/lake/flights");
    assert_eq!(lake.rows, 27_004, "nothing was moved twice");
    let lake = project.content("my-project/data/lake/weather");
    assert_eq!(lake.rows, 2_226, "nothing was moved twice");
}

#[test]
fn never_overwrites_silently() {
    let project = Project::bare();
    project.write("p/README.md", "mine\n");
    project.write("p/notes.txt", "mine too\n");
    let before = project.tree();
    let refused = project.hygge("init p").run();
    insta::assert_snapshot!(refused.shown());
    assert_eq!(project.tree(), before, "something was written");

    project.hygge("init p --force").succeed();
    let read = |path: &str| std::fs::read_to_string(project.path(path)).unwrap();
    assert!(read("p/README.md").starts_with("# p\n"));
    assert_eq!(read("p/notes.txt"), "mine too\n");
}

#[test]
fn editors_find_the_schemas() {
    let project = Project::bare();
    project.hygge("init p").succeed();
    for file in [
        "hygge.yml",
        "flows/nycflights/flow.yml",
        "flows/nycflights/entities/flights.yml",
    ] {
        let path = project.path("p").join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        let line = text.lines().next().unwrap();
        let schema = line
            .strip_prefix("# yaml-language-server: $schema=")
            .unwrap();
        let schema = path.parent().unwrap().join(schema);
        let schema: serde_json::Value =
            serde_json::from_slice(&std::fs::read(schema).unwrap()).unwrap();
        assert!(schema["properties"].is_object(), "{file}");
    }
}

#[test]
fn says_when_the_name_is_another_than_the_folders() {
    let project = Project::bare();
    let made = project.hygge("init").argument("a b:c").succeed();
    assert!(
        made.stdout.contains("The project is called a-b-c"),
        "{made}"
    );
}
