//! From files to tables and back: generated, edited, applied, filled, read, and described again.

use crate::harness::{Content, Database, Events, Orders, Project};

fn seeded() -> Orders {
    Orders::new(0..200)
}

/// What the lake has of the described table, but for what the server fills.
fn again(project: &Project) -> Content {
    project.flow(
        "look",
        "home: lake/again/*.parquet\nstore: lake/look\nafter: [again]\ntransforms: [{type: exclude, columns: [row_version]}]\n",
    );
    project.hygge("start --flow look").succeed();
    project.content("lake/look")
}

/// Writes a flow of orders into the table that `generate ddl` is asked for.
fn orders(project: &Project) {
    project.orders("data/orders.parquet", &seeded());
    project.flow(
        "seed",
        "home: {path: data/orders.parquet, incremental: {column: updated_at, strategy: merge, key: [id]}}\n\
         store: {connection: db, table: dbo.hygge_test_orders}\n",
    );
    project.flow(
        "back",
        "home: {connection: db, table: dbo.hygge_test_orders, exclude: [row_version]}\nstore: lake/orders\n\
         after: [seed]\n",
    );
}

#[test]
fn sql_server_from_a_file_to_a_table_and_back() {
    let database = Database::start();
    database.without(&["dbo.hygge_test_orders", "dbo.hygge_applied"]);
    let project = database.project(5);
    orders(&project);
    let file = "schema/dbo.hygge_test_orders.sql";
    let generate =
        "generate ddl --input data/orders.parquet --table dbo.hygge_test_orders --key id --profile";
    project
        .hygge(&format!("{generate} --output {file}"))
        .succeed();
    // What a flow gives is the same table.
    let of_flow = project
        .hygge("generate ddl --flow seed --profile")
        .succeed()
        .stdout;
    let text = std::fs::read_to_string(project.path(file)).unwrap();
    let statement = |text: &str| text.lines().skip(2).collect::<Vec<_>>().join("\n");
    assert_eq!(statement(&of_flow), statement(&text));
    // Somebody accepts what is asked, and adds a column that the server fills.
    let (head, tail) = text.split_once("    CONSTRAINT").unwrap();
    let edited = format!(
        "{head}    [row_version] rowversion NOT NULL,\n    CONSTRAINT{tail}GO\nCREATE INDEX later ON dbo.hygge_test_orders (updated_at)\n"
    );
    let asked = regex::Regex::new(r" NULL,\s+-- no nulls[^\n]*").unwrap();
    project.write(file, asked.replace_all(&edited, " NOT NULL,").as_bytes());
    project
        .hygge(&format!("apply {file} --connection db"))
        .succeed();
    project.hygge("start --flow seed --flow back").succeed();
    let rows = database.run("SELECT COUNT(*) FROM dbo.hygge_test_orders");
    assert_eq!(rows, ["200"]);
    assert_eq!(project.content("lake/orders"), seeded().content());
    project
        .hygge(&format!("apply {file} --connection db"))
        .succeed();

    // The table is described, and what is written runs.
    project.flow("again", "store: lake/again\nafter: [seed]\n");
    let described =
        "generate entities --connection db --tables dbo.hygge_test_orders* --flow again";
    let said = project.hygge(described).succeed().shown();
    insta::assert_snapshot!("described", said);
    let entity = project.path("flows/again/entities/hygge_test_orders.yml");
    let text = std::fs::read_to_string(&entity).unwrap();
    let server = regex::Regex::new(r"127\.0\.0\.1,\d+").unwrap();
    insta::assert_snapshot!("entity", server.replace_all(&text, "[SERVER]"));
    project.hygge("start --flow again").succeed();
    assert_eq!(again(&project), seeded().content());
    // What changes is read alone, and the row once more that the last run ended with.
    let mut changed = seeded();
    changed.0[..5]
        .iter_mut()
        .for_each(|order| order.version = 2);
    database.run(
        "UPDATE dbo.hygge_test_orders SET version = 2, amount = (id * 31 + 2) / 8.0 WHERE id < 5",
    );
    let outcome = project.hygge("start --flow again --output json").succeed();
    let read = Events::of(&outcome).rows_read("again.hygge_test_orders");
    assert_eq!(read, 6, "{outcome}");
    assert_eq!(again(&project), changed.content());
    // Nothing of anybody's is written over.
    project.hygge(described).succeed();
    project.write("flows/again/entities/hygge_test_orders.yml", "# mine\n");
    let refused = project.hygge(described).run();
    assert_eq!(refused.code, Some(2), "{refused}");
    assert_eq!(std::fs::read_to_string(&entity).unwrap(), "# mine\n");
    project.hygge(&format!("{described} --force")).succeed();
    assert_eq!(std::fs::read_to_string(&entity).unwrap(), text);
}

#[test]
fn tables_of_every_kind_are_described() {
    let database = Database::start();
    database.without(&[
        "dbo.hygge_test_keyed",
        "dbo.[hygge_test odd]",
        "dbo.hygge_test_bare",
    ]);
    database.run(
        "CREATE TABLE dbo.hygge_test_keyed (tenant int NOT NULL, id int NOT NULL, code int NULL UNIQUE, \
         ModifiedDate datetime2(3) NULL, CONSTRAINT hygge_test_u UNIQUE (tenant, id))",
    );
    database.run("CREATE TABLE dbo.[hygge_test odd] ([no] int NOT NULL PRIMARY KEY, [a b] nvarchar(10) NULL)");
    database.run("CREATE TABLE dbo.hygge_test_bare (id int NULL, updated_at datetime NOT NULL)");
    let project = database.project(3);
    let server = regex::Regex::new(r"127\.0\.0\.1,\d+").unwrap();
    let said = project.hygge("generate entities --connection db --tables hygge_test* --views");
    insta::assert_snapshot!(
        "kinds",
        server.replace_all(&said.succeed().shown(), "[SERVER]")
    );
    let one = "generate entities --connection db --tables";
    let said = project
        .hygge(&format!("{one} dbo.hygge_test_no*"))
        .run()
        .shown();
    insta::assert_snapshot!("none", server.replace_all(&said, "[SERVER]"));
    let said = project.hygge(&format!("{one} a.b.c")).run().shown();
    insta::assert_snapshot!("no_table", said);
    // All that was written can be started.
    project.flow("all", "store: lake/all\n");
    let into = "--tables hygge_test* --views --flow all";
    project
        .hygge(&format!("generate entities --connection db {into}"))
        .succeed();
    project.hygge("start --flow all --dry-run").succeed();
    // A table has one name, whatever else is looked at; a flow that isn't there gets no entities.
    for flow in ["al", "nope"] {
        let said = project.hygge(&format!("{one} dbo.hygge_test* --flow {flow}"));
        insta::assert_snapshot!(format!("flow_{flow}"), said.run().shown());
    }
    assert!(!project.path("flows/nope").exists());
    let said = project.hygge(&format!("{one} *.hygge_test_keyed,*.* --flow all"));
    let said = said.succeed();
    assert!(
        said.stdout
            .contains("Unchanged flows/all/entities/hygge_test_keyed.yml"),
        "{said}"
    );
}

#[test]
fn sqlite_from_a_file_to_a_table_and_back() {
    let project = Project::bare();
    project.write(
        "hygge.yml",
        "connections:\n  db: {type: sqlite, path: seeds.db}\n",
    );
    project.orders("data/orders.parquet", &Orders::new(0..20));
    let generate = "generate ddl --input data/orders.parquet --dialect sqlite --key id --output schema/orders.sql";
    project.hygge(generate).succeed();
    let text = std::fs::read_to_string(project.path("schema/orders.sql")).unwrap();
    project.write(
        "schema/orders.sql",
        format!("{text}GO\nCREATE TABLE lines ([order] int NOT NULL, [no] int NOT NULL, ModifiedAt datetime NOT NULL, UNIQUE ([order], [no]));\n\
                 CREATE VIEW recent AS SELECT * FROM lines;\n\
                 CREATE TRIGGER t AFTER INSERT ON lines BEGIN DELETE FROM lines WHERE [no] < 0; SELECT 1; END;\n"),
    );
    project
        .hygge("apply schema/orders.sql --connection db")
        .succeed();
    let database = rusqlite::Connection::open(project.path("seeds.db")).unwrap();
    // Its own tables are no business of anybody's.
    database
        .execute_batch("CREATE VIRTUAL TABLE words USING rtree(id, a, b)")
        .unwrap();
    drop(database);
    let described = "generate entities --connection db --tables";
    insta::assert_snapshot!(
        "sqlite",
        project.hygge(&format!("{described} *")).succeed().shown()
    );
    let views = project
        .hygge(&format!("{described} main.rec* --views"))
        .succeed();
    insta::assert_snapshot!("sqlite_views", views.shown());
    insta::assert_snapshot!(
        "sqlite_schema",
        project.hygge(&format!("{described} dbo.*")).run().shown()
    );
    // What is asked for and isn't there is told beside what is.
    insta::assert_snapshot!(
        "sqlite_missing",
        project
            .hygge(&format!("{described} lines,nope,n?"))
            .succeed()
            .shown()
    );
    // What no file can be called is replaced, and two tables have two files still.
    let database = rusqlite::Connection::open(project.path("seeds.db")).unwrap();
    database
        .execute_batch("CREATE TABLE [in/out] (a INTEGER); CREATE TABLE [in:out] (a INTEGER)")
        .unwrap();
    drop(database);
    insta::assert_snapshot!(
        "sqlite_odd_names",
        project
            .hygge(&format!("{described} in?out"))
            .succeed()
            .shown()
    );
    // A name that would be filled in names another table.
    let database = rusqlite::Connection::open(project.path("seeds.db")).unwrap();
    database
        .execute_batch("CREATE TABLE [in{entity}] (a INTEGER)")
        .unwrap();
    drop(database);
    insta::assert_snapshot!(
        "sqlite_filled_in",
        project
            .hygge(&format!("{described} in{{entity}},lines"))
            .succeed()
            .shown()
    );
    // The same entity somewhere else in the flow.
    let into = format!("{described} lines --flow twice");
    for (name, list, file) in [
        ("sqlite_twice", "", Some("lines.yaml")),
        ("sqlite_named_twice", "", Some("others.yml")),
        (
            "sqlite_listed_twice",
            "entities: [a, {name: lines}]\n",
            None,
        ),
        ("sqlite_mapped", "entities:\n  lines: {}\n", None),
    ] {
        project.flow("twice", &format!("{list}store: lake/twice\n"));
        if let Some(file) = file {
            let named = if file == "others.yml" {
                "name: lines\n"
            } else {
                ""
            };
            let written = format!("{named}home: data/orders.parquet\n");
            project.write(&format!("flows/twice/entities/{file}"), written);
        }
        insta::assert_snapshot!(name, project.hygge(&into).run().shown());
        assert!(!project.path("flows/twice/entities/lines.yml").exists());
        std::fs::remove_dir_all(project.path("flows/twice")).unwrap();
    }
    std::fs::remove_file(project.path("seeds.db")).unwrap();
    insta::assert_snapshot!(
        "sqlite_none",
        project.hygge(&format!("{described} *")).run().shown()
    );
    assert!(!project.path("seeds.db").exists());
    // An entity's name may hold what parts others.
    project.flow(
        "f",
        "entities: [dbo.Users]\nhome: data/orders.parquet\nstore: lake/{entity}\n",
    );
    let quoted = "generate ddl --flow f --dialect postgres --table raw.{entity}";
    let said = project.hygge(quoted).succeed();
    assert!(
        said.stdout.contains("CREATE TABLE \"raw\".\"dbo.Users\" ("),
        "{said}"
    );
    project.write("mk.py", "x");
    let odd = project.hygge("generate ddl --input mk.py --table t").run();
    insta::assert_snapshot!("no_format", odd.shown());
    // A schema is another database's.
    let named = "generate ddl --input data/orders.parquet --dialect sqlite --table dbo.Orders";
    insta::assert_snapshot!("sqlite_named", project.hygge(named).run().shown());
}
