use super::orders;
use crate::harness::Project;

/// A file that the tests of other verbs write.
fn written() -> Project {
    let project = orders("");
    project.hygge("start --quiet").succeed();
    project
}

#[test]
fn of_what_flows_give() {
    let project = written();
    let made = "generate ddl --flow sales --profile --output schema";
    insta::assert_snapshot!(project.hygge(made).succeed().shown());
    let text = std::fs::read_to_string(project.path("schema/dbo.orders.sql")).unwrap();
    insta::assert_snapshot!("the_statement", text);
    // The same again, and nothing of anybody's is written over.
    insta::assert_snapshot!("again", project.hygge(made).succeed().shown());
    project.write("schema/dbo.orders.sql", format!("{text}-- mine\n"));
    insta::assert_snapshot!("edited", project.hygge(made).run().shown());
    let kept = std::fs::read_to_string(project.path("schema/dbo.orders.sql")).unwrap();
    assert!(kept.ends_with("-- mine\n"));
    project.hygge(&format!("{made} --force")).succeed();
    let kept = std::fs::read_to_string(project.path("schema/dbo.orders.sql")).unwrap();
    assert_eq!(kept, text);
}

#[test]
fn wrongly() {
    let project = written();
    for (name, arguments) in [
        ("no_file", "generate ddl --input nothing.parquet"),
        ("no_name", "generate ddl --flow sales --table a.b.c"),
        ("no_key", "generate ddl --flow sales --key nope"),
        (
            "no_form",
            "generate ddl --flow sales --dialect sqlite --form heap",
        ),
        ("no_flow", "generate ddl --flow sails"),
        ("nothing", "generate ddl"),
    ] {
        insta::assert_snapshot!(name, project.hygge(arguments).run().shown());
    }
}
