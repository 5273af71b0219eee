//! Merges behind transforms: the key and the watermark are followed to the destination, and what
//! could make one row of several that the source tells apart is refused before rows move.

use crate::harness::{Outcome, Project};

const ROWS: &str = "{\"Order Id\":1,\"ver\":1,\"s\":\"a\",\"l\":[1,2]}\n\
                    {\"Order Id\":2,\"ver\":1,\"s\":\"ab\",\"l\":[]}\n";

/// A project that merges what is in `data/in.ndjson`.
fn project(key: &str, transforms: &str) -> Project {
    let project = Project::new();
    project.flow(
        "f",
        &format!(
            "home:\n  path: data/in.ndjson\n\
             \x20 incremental: {{column: ver, strategy: merge, key: {key}}}\n\
             store: {{type: parquet, path: lake}}\n\
             transforms: {transforms}\n"
        ),
    );
    project.flow(
        "look",
        "home: {type: parquet, path: lake}\nstore: {type: ndjson, path: out/look.ndjson}\nafter: f\n",
    );
    project.write("data/in.ndjson", ROWS);
    project
}

/// The rows at the destination, in order.
fn settled(project: &Project) -> Vec<String> {
    project.hygge("start --flow look --quiet").succeed();
    let text = std::fs::read_to_string(project.path("out/look.ndjson")).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

fn run(project: &Project) -> Outcome {
    project.hygge("start --flow f --quiet").run()
}

#[test]
fn a_key_with_another_name_is_followed() {
    let rename = "[{type: rename, case: pascal}, {type: select, columns: [Ver, OrderId]}]";
    let sql =
        "[{type: sql, query: 'SELECT ver AS \"Ver\", \"Order Id\" AS \"OrderId\" FROM self'}]";
    for (key, transforms) in [
        ("Order Id", rename),
        ("OrderId", rename),
        ("Order Id", sql),
        ("OrderId", sql),
    ] {
        let project = project(key, transforms);
        project.hygge("debug --flow f").succeed();
        project.hygge("start --flow f --quiet").succeed();
        project.write(
            "data/in.ndjson",
            "{\"Order Id\":2,\"ver\":3}\n{\"Order Id\":3,\"ver\":2}\n{\"Order Id\":2,\"ver\":2}\n",
        );
        project.hygge("start --flow f --quiet").succeed();
        assert_eq!(
            settled(&project),
            [
                "{\"Ver\":1,\"OrderId\":1}",
                "{\"Ver\":2,\"OrderId\":3}",
                "{\"Ver\":3,\"OrderId\":2}"
            ],
            "{key} {transforms}"
        );
    }
}

/// A hash tells apart what it was made of; and a key may be one that a transform makes.
#[test]
fn a_key_may_be_hashed_or_made() {
    let hashed = "[{type: select, columns: [Order Id, ver]}, \
                  {type: mask, key: k, columns: {Order Id: {how: hash}}}]";
    let made = "[{type: hash, columns: [Order Id, s], into: row}, {type: exclude, columns: [l]}]";
    let items = "[{type: unnest, column: l}, {type: exclude, columns: [s]}]";
    for (key, transforms, rows) in [
        ("Order Id", hashed, 2),
        ("row", made, 2),
        ("[Order Id, l]", items, 2),
    ] {
        let project = project(key, transforms);
        if transforms == items {
            project.write("data/in.ndjson", ROWS.lines().next().unwrap());
        }
        for _ in 0..2 {
            project.hygge("start --flow f --quiet").succeed();
            assert_eq!(settled(&project).len(), rows, "{key} {transforms}");
        }
    }
}

#[test]
fn what_would_lose_rows_is_refused_before_any_moves() {
    let mut said = String::new();
    for (what, key, transforms) in [
        ("rows of one", "Order Id", "[{type: unnest, column: l}]"),
        (
            "a key cut short",
            "s",
            "[{type: mask, columns: {s: {how: truncate, keep: 1}}}]",
        ),
        (
            "a key computed anew",
            "s",
            "[{type: derive, columns: {s: UPPER(s)}}]",
        ),
        (
            "a key that goes",
            "Order Id",
            "[{type: exclude, columns: [Order Id]}]",
        ),
        ("no such key", "OrderId", "[]"),
        (
            "another watermark",
            "Order Id",
            "[{type: derive, columns: {ver: -ver}}]",
        ),
        (
            "no watermark",
            "Order Id",
            "[{type: exclude, columns: [ver]}]",
        ),
    ] {
        let project = project(key, transforms);
        let refused = run(&project);
        assert_eq!(refused.code, Some(1), "{what}: {refused}");
        assert!(!project.path("lake").exists(), "{what}");
        said.push_str(&format!("# {what}\n{}\n", refused.shown()));
        let debugged = project.hygge("debug --flow f").run();
        assert_eq!(debugged.code, Some(1), "{what}: {debugged}");
        let told = refused.shown();
        let told = told
            .lines()
            .find(|line| line.starts_with("      "))
            .unwrap();
        assert!(debugged.shown().contains(told.trim()), "{what}: {debugged}");
    }
    insta::assert_snapshot!(said);
}

/// A whole run that leaves nothing of what it read says so.
#[test]
fn a_run_whose_rows_all_go_is_told() {
    let project = Project::new();
    project.flow(
        "f",
        "home: data/in.csv\nstore: {type: csv, path: out/all.csv}\n",
    );
    project.write("data/in.csv", "id,state\n1,paid\n2,open\n");
    project.hygge("start --quiet").succeed();
    project.flow(
        "f",
        "home: data/in.csv\nstore: {type: csv, path: out/all.csv}\n\
         transforms: [{type: filter, where: state = 'payed'}]\n",
    );
    let outcome = project.hygge("start").succeed();
    assert!(
        outcome
            .shown()
            .contains("none of the 2 rows that were read passed the transforms"),
        "{outcome}"
    );
}

/// The rows that are there have keys of another making, so the same rows would stand beside them.
#[test]
fn a_key_that_is_made_otherwise_stops_the_merge() {
    let mask = "{type: mask, key: k, columns: {id: {how: hash}, s: {how: truncate, keep: 1}}}";
    let project = project("id", "[]");
    let with = |transforms: &str| {
        project.flow(
            "f",
            &format!(
                "home:\n  path: data/in.ndjson\n\
                 \x20 incremental: {{column: ver, strategy: merge, key: id}}\n\
                 store: {{type: parquet, path: lake}}\n\
                 transforms: [{transforms}]\n"
            ),
        );
    };
    let come = |ver: u8| {
        let row = format!("{{\"id\":\"a\",\"ver\":{ver},\"s\":\"x\"}}\n");
        project.write("data/in.ndjson", &row);
    };
    come(1);
    assert_eq!(run(&project).code, Some(0));
    with(mask);
    come(2);
    let refused = run(&project);
    assert_eq!(refused.code, Some(1), "{refused}");
    insta::assert_snapshot!("a_key_made_otherwise", refused.shown());
    let diff = project.hygge("schema diff f.f").run();
    assert_eq!(diff.code, Some(1), "{diff}");
    let why = "The next run stops before it moves rows.\n  the key column \"id\" is made otherwise";
    assert!(diff.stdout.contains(why), "{diff}");
    assert_eq!(project.hygge("debug --flow f").run().code, Some(1));
    project.hygge("start --flow f --full --quiet").succeed();
    // What is set of other columns is nothing to it.
    with("{type: mask, key: k, columns: {id: {how: hash}}}, {type: constant, columns: {c: 1}}");
    come(3);
    assert_eq!(run(&project).code, Some(0));
    assert_eq!(settled(&project).len(), 1);
    with("");
    come(4);
    assert_eq!(run(&project).code, Some(1));
}

/// What lies between the source and the key counts, whatever else is done with it.
#[test]
fn a_key_of_other_columns_or_of_another_cast_stops_the_merge() {
    let project = project("id", "[]");
    let with = |strategy: &str, transforms: &str| {
        project.flow(
            "f",
            &format!(
                "home:\n  path: data/in.ndjson\n\
                 \x20 incremental: {{column: ver, strategy: {strategy}}}\n\
                 store: {{type: parquet, path: lake}}\n\
                 transforms: [{transforms}]\n"
            ),
        );
    };
    let mut ver = 0;
    let mut come = |names: [&str; 2]| {
        ver += 1;
        let [id, other] = names;
        let row = format!("{{\"{id}\":\"01\",\"{other}\":\"b\",\"ver\":{ver}}}\n");
        project.write("data/in.ndjson", &row);
    };
    let merge = "merge, key: k";
    let refused = || {
        let outcome = project.hygge("start").run();
        assert_eq!(outcome.code, Some(1), "{outcome}");
        assert!(outcome.shown().contains("is made otherwise"), "{outcome}");
    };
    let derived =
        "{type: derive, columns: {k: \"CONCAT('x', id)\"}}, {type: exclude, columns: [id]}";

    // An append has no key, and may bring that of the merges that follow.
    with("append", derived);
    come(["id", "s"]);
    project.hygge("start --flow f --full").succeed();
    with(merge, derived);
    come(["id", "s"]);
    project.hygge("start").succeed();
    assert_eq!(settled(&project).len(), 1);

    // It may as well bring another, or several.
    let hashed =
        "{type: rename, columns: {id: k}}, {type: mask, key: k, columns: {k: {how: hash}}}";
    with("append", "{type: rename, columns: {id: k}}");
    come(["id", "s"]);
    project.hygge("start --flow f --full").succeed();
    with(merge, hashed);
    come(["id", "s"]);
    refused();
    with("append", hashed);
    project.hygge("start").succeed();
    with(merge, hashed);
    come(["id", "s"]);
    refused();
    with(merge, derived);
    project.hygge("start --flow f --full").succeed();

    // A cast below, gone where it was made.
    with(
        merge,
        &format!("{{type: cast, columns: {{id: int64}}}}, {derived}"),
    );
    come(["id", "s"]);
    refused();
    // Also when the watermark was set by hand.
    project.hygge("state set f.f --watermark 0").succeed();
    refused();

    // Another column under the same name.
    with(merge, "{type: rename, columns: {id: k}}");
    project.hygge("start --flow f --full").succeed();
    come(["id", "s"]);
    project.hygge("start").succeed();
    with(merge, "{type: rename, columns: {s: k}}");
    come(["id", "s"]);
    refused();
    // The same one, which has another name in the source now.
    with(merge, "{type: rename, columns: {ident: k}}");
    come(["ident", "s"]);
    project.hygge("start").succeed();
    assert_eq!(settled(&project).len(), 1);
}

/// What a merge would put beside the rows that are there, one change after the other.
#[test]
fn a_key_of_the_same_columns_made_otherwise_stops_the_merge() {
    let project = project("id", "[]");
    let with = |schema: &str, key: &str, transforms: &str| {
        project.flow(
            "f",
            &format!(
                "home:\n  path: data/in.ndjson\n  schema: {{{schema}}}\n\
                 \x20 incremental: {{column: ver, strategy: merge, key: {key}}}\n\
                 store: {{type: parquet, path: lake}}\n\
                 transforms: [{transforms}]\n"
            ),
        );
    };
    let mut ver = 0;
    let mut come = || {
        ver += 1;
        let row = format!("{{\"id\":\"01\",\"s\":\"2\",\"ver\":{ver}}}\n");
        project.write("data/in.ndjson", &row);
    };
    let (text, number) = ("id: string, s: string", "id: int64, s: string");
    let joined = "{type: derive, columns: {k: \"CONCAT(x, '-', y)\"}}";
    let (one, other) = ("{id: x, s: y}", "{id: y, s: x}");
    let named = |names: &str| format!("{{type: rename, columns: {names}}}, {joined}");
    let cast = "{type: cast, columns: {id: string}}";
    let through = "{type: cast, columns: {id: int64}}, {type: cast, columns: {id: string}}";
    for ((schema, key, transforms), (then, its, others)) in [
        // Columns that change places.
        ((text, "k", named(one)), (text, "k", named(other))),
        // Another type on the way.
        (
            (text, "id", String::new()),
            (text, "id", through.to_owned()),
        ),
        (
            (text, "id", cast.to_owned()),
            (number, "id", cast.to_owned()),
        ),
        // More columns, and others.
        (
            (text, "id", String::new()),
            (text, "[id, s]", String::new()),
        ),
        ((text, "[id, s]", String::new()), (text, "s", String::new())),
    ] {
        with(schema, key, &transforms);
        come();
        project.hygge("start --flow f --full").succeed();
        come();
        project.hygge("start").succeed();
        assert_eq!(settled(&project).len(), 1, "{transforms}");
        with(then, its, &others);
        come();
        let outcome = project.hygge("start").run();
        assert_eq!(outcome.code, Some(1), "{others}: {outcome}");
        let told = outcome.shown();
        let why = match key == its {
            true => format!("the key column \"{key}\" is made otherwise"),
            false => "the key is (".to_owned(),
        };
        assert!(told.contains(&why), "{others}: {told}");
    }
}

/// What changes nothing of a key is nothing to it.
#[test]
fn a_key_that_only_looks_otherwise_is_merged() {
    let project = Project::new();
    let with = |home: &str, transforms: &str| {
        project.flow(
            "f",
            &format!(
                "home:\n  path: {home}\n  incremental: {{column: ver, strategy: merge, key: k}}\n\
                 store: {{type: parquet, path: lake}}\ntransforms: [{transforms}]\n"
            ),
        );
    };
    // A column that is taken for numbers one day and for texts the other.
    let cast = "{type: rename, columns: {id: k}}, {type: cast, columns: {k: string}}";
    with("data/*.csv", cast);
    for (ver, id) in [(1, "7"), (2, "A10"), (3, "7")] {
        project.write("data/a.csv", format!("id,ver\n{id},{ver}\n"));
        project.hygge("start").succeed();
    }
    assert_eq!(project.content("lake").rows, 2);

    // One of two inputs that has another name in the source, behind the other's.
    let joined = "{type: derive, columns: {k: \"CONCAT(a, '-', b)\"}}";
    with("in/*.csv", joined);
    project.write("in/a.csv", "a,b,ver\nx,y,1\n");
    project.hygge("start --full").succeed();
    project.write("in/a.csv", "z,b,ver\nx,y,2\n");
    with(
        "in/*.csv",
        &format!("{{type: rename, columns: {{z: a}}}}, {joined}"),
    );
    project.hygge("start").succeed();
    assert_eq!(project.content("lake").rows, 1);
}
