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
    project.write("schema/dbo.orders.sql", text.replace('\n', "\r\n"));
    let unchanged = project.hygge(made).succeed();
    assert!(unchanged.stdout.starts_with("Unchanged"), "{unchanged}");
    project.write("schema/dbo.orders.sql", format!("{text}-- mine\n"));
    insta::assert_snapshot!("edited", project.hygge(made).run().shown());
    let kept = std::fs::read_to_string(project.path("schema/dbo.orders.sql")).unwrap();
    assert!(kept.ends_with("-- mine\n"));
    project.hygge(&format!("{made} --force")).succeed();
    let kept = std::fs::read_to_string(project.path("schema/dbo.orders.sql")).unwrap();
    assert_eq!(kept, text);
}

#[test]
fn rows_are_looked_at_as_in_a_run() {
    let project = written();
    project.flow(
        "told",
        "home: data/orders/*.parquet\nstore: lake/told\nentities: [o]\n\
         transforms: [{type: run_columns, run_id: run, loaded_at: at, source: from}]\n",
    );
    let made = "generate ddl --flow told --profile";
    insta::assert_snapshot!("run_columns", project.hygge(made).succeed().shown());
}

#[test]
fn a_file_of_another_encoding_is_somebodys_own() {
    let project = written();
    let wide: Vec<u8> = "\u{feff}-- mine"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    project.write("schema/dbo.orders.sql", &wide);
    let made = "generate ddl --flow sales --output schema";
    insta::assert_snapshot!("utf16", project.hygge(made).run().shown());
    let kept = std::fs::read(project.path("schema/dbo.orders.sql")).unwrap();
    assert_eq!(kept, wide);
    project.hygge(&format!("{made} --force")).succeed();
    std::fs::read_to_string(project.path("schema/dbo.orders.sql")).unwrap();
}

#[test]
fn a_file_is_named_from_where_one_stands() {
    let project = written();
    let file = "data/orders/a.parquet";
    let relative = project.hygge(&format!("generate ddl --input {file}"));
    let whole = project.path(file);
    let whole = project.hygge(&format!("generate ddl --input {}", whole.display()));
    assert_eq!(relative.succeed().stdout, whole.succeed().stdout);
}

#[test]
fn two_tables_are_not_one_file() {
    let project = written();
    project.flow(
        "two",
        "entities:\n  - {name: a, store: {type: mssql, table: '[n].[x/y]'}}\n  - {name: b, store: {type: mssql, table: '[n].[x:y]'}}\n\
         home: data/orders/*.parquet\n\
         store: {connection: db}\n",
    );
    project.write("hygge.yml", "name: test\nconnections:\n  db: {type: mssql, server: s, database: d, user: u, password: p}\n");
    let made = "generate ddl --flow two --output schema2";
    insta::assert_snapshot!("one_file", project.hygge(made).run().shown());
    assert!(!project.path("schema2").exists());
    project.hygge("generate ddl --flow two").succeed();
}

#[test]
fn two_tables_are_what_the_database_tells_apart() {
    let project = written();
    let letters = |upper: &str, lower: &str| {
        let flow = format!(
            "entities: [{upper}, {lower}]\nhome: data/orders/*.parquet\nstore: lake/{{entity}}\n"
        );
        project.flow("two", &flow);
        ["mssql", "postgres", "duckdb", "sqlite"].map(|dialect| {
            let command = format!("generate ddl --flow two --dialect {dialect}");
            project.hygge(&command).run().code == Some(0)
        })
    };
    assert_eq!(letters("É", "é"), [false, true, true, true]);
    assert_eq!(letters("E", "e"), [false, true, false, false]);
}

#[test]
fn wrongly() {
    let project = written();
    let long = format!(
        "generate ddl --flow sales --dialect sqlite --table {} --output x",
        "t".repeat(252)
    );
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
        ("long_name", long.as_str()),
    ] {
        insta::assert_snapshot!(name, project.hygge(arguments).run().shown());
    }
}
