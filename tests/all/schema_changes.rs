//! A source whose columns change, under each way to meet it.

use std::path::PathBuf;

use crate::harness::{Events, Outcome, Project};

const BEFORE: &str = "id,amount,fax\n1,10,a\n2,20,b\n";

/// A column more, one less, and one wider.
const AFTER: &str = "id,amount,channel\n3,1.5,web\n4,2.5,web\n";

/// A project that took `BEFORE`.
fn project(settings: &str) -> Project {
    let project = Project::new();
    project.flow(
        "f",
        &format!("home: data/in.csv\nstore: {{type: csv, path: out/all.csv{settings}}}\n"),
    );
    project.write("data/in.csv", BEFORE);
    project.hygge("start --quiet").succeed();
    project
}

fn run(project: &Project) -> Outcome {
    project.hygge("start --output json").run()
}

fn settled(project: &Project) -> String {
    std::fs::read_to_string(project.path("out/all.csv")).unwrap()
}

fn told(outcome: &Outcome) -> Vec<String> {
    let events = Events::of(outcome);
    let told = events.all("schema_changed");
    told.map(|event| event["message"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn by_default_it_is_told() {
    let project = project("");
    project.write("data/in.csv", AFTER);
    let outcome = project.hygge("start").succeed();
    assert!(
        outcome.stdout.contains(
            "since the last run \"amount\" was int64 and is float64, \"channel\" (string) is new, \
             \"fax\" (string) is gone"
        ),
        "{outcome}"
    );
    assert_eq!(settled(&project), AFTER);
    // Once.
    assert_eq!(told(&run(&project)), Vec::<String>::new());
}

#[test]
fn failing_leaves_what_stands() {
    for (policy, stops) in [
        ("fail", AFTER),
        ("additive", AFTER),
        ("evolve", "id,amount,fax\n1,x,y\n"),
    ] {
        let project = project(&format!(", on_schema_change: {policy}"));
        project.write("data/in.csv", stops);
        let before = project.tree();
        let diff = project.hygge("schema diff f.f").run();
        assert_eq!(diff.code, Some(1), "{diff}");
        assert_eq!(project.tree(), before, "nothing is written to find out");
        let outcome = project.hygge("start").run();
        assert_eq!(outcome.code, Some(1), "{outcome}");
        insta::assert_snapshot!(format!("{policy}_stops"), diff.shown());
        assert_eq!(settled(&project), BEFORE);
        // It isn't forgotten for having been told.
        assert_eq!(project.hygge("start").run().code, Some(1));
    }
}

#[test]
fn what_is_new_is_left_out() {
    let project = project(", on_schema_change: ignore_extra");
    project.write("data/in.csv", AFTER);
    let outcome = run(&project);
    let told = told(&outcome);
    assert!(told[0].ends_with("what is new is left out"), "{told:?}");
    assert_eq!(settled(&project), "id,amount\n3,1.5\n4,2.5\n");
    // It is new until it is let in.
    let again = self::told(&run(&project));
    assert_eq!(
        again,
        ["since the last run \"channel\" (string) is new; what is new is left out"]
    );
}

/// A project that takes file after file, under a policy.
fn growing(policy: &str) -> Project {
    let project = Project::new();
    project.flow(
        "f",
        &format!(
            "home: {{type: ndjson, path: data, incremental: {{strategy: files}}}}\n\
             store: {{type: ndjson, path: out, on_schema_change: {policy}}}\n"
        ),
    );
    project
}

/// All lines of all files at the destination, in order.
fn lines(project: &Project) -> Vec<String> {
    let files = project.path("out").read_dir().unwrap();
    let texts = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    let mut lines: Vec<String> = texts
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_column_that_was_missing_once_is_none_that_is_new() {
    let project = growing("ignore_extra");
    project.write("data/1.ndjson", "{\"id\":1,\"fax\":1}\n");
    project.hygge("start --quiet").succeed();
    project.write("data/2.ndjson", "{\"id\":2}\n");
    project.hygge("start --quiet").succeed();
    let state = project.hygge("state show f.f").succeed().stdout;
    assert!(state.contains("columns_before:\n  fax: int64\n"), "{state}");
    // What was told once isn't told again, and it is remembered for longer than one run.
    project.write("data/3.ndjson", "{\"id\":3}\n");
    assert_eq!(told(&run(&project)), Vec::<String>::new());
    project.write("data/4.ndjson", "{\"id\":4,\"fax\":4,\"new\":5}\n");
    let diff = project.hygge("schema diff f.f").succeed();
    assert!(diff.stdout.contains("back    fax"), "{diff}");
    assert_eq!(
        told(&run(&project)),
        [
            "since the last run \"fax\" (int64) is back, \"new\" (int64) is new; what is new is left \
             out"
        ]
    );
    assert_eq!(
        lines(&project),
        [
            "{\"id\":1,\"fax\":1}",
            "{\"id\":2,\"fax\":null}",
            "{\"id\":3,\"fax\":null}",
            "{\"id\":4,\"fax\":4}"
        ]
    );
}

/// Of `strategy: files` the next run reads only what is new, and so does the comparison.
#[test]
fn only_new_files_are_compared() {
    let stops = growing("fail");
    stops.write("data/1.ndjson", "{\"id\":1,\"b\":1.5}\n");
    stops.hygge("start --quiet").succeed();
    stops.hygge("schema diff f.f").succeed();
    // Both together are what it was.
    stops.write("data/2.ndjson", "{\"id\":2,\"b\":3}\n");
    let diff = stops.hygge("schema diff f.f").run();
    assert_eq!(diff.code, Some(1), "{diff}");
    assert!(diff.stdout.contains("float64"), "{diff}");
    assert_eq!(stops.hygge("start --quiet").run().code, Some(1));
    let goes_on = "--var flow.f.store.on_schema_change=warn";
    let diff = format!("schema diff f.f {goes_on}");
    stops.hygge(&diff).succeed();
    stops.hygge(&format!("start --quiet {goes_on}")).succeed();

    // Both together are nothing that can be read.
    let told = growing("warn");
    told.write("data/1.ndjson", "{\"id\":1,\"b\":1}\n");
    told.hygge("start --quiet").succeed();
    told.write("data/2.ndjson", "{\"id\":2,\"b\":[2]}\n");
    for verb in ["schema diff f.f", "start"] {
        let refused = told.hygge(verb).run();
        assert_eq!(refused.code, Some(1), "{refused}");
        let why = "is int64 in out, but list<int64> in the source";
        assert!(refused.shown().contains(why), "{refused}");
    }
}

/// An append without a key knows rows again by all of their columns.
#[test]
fn a_column_that_rows_are_known_by_stops_an_append() {
    let project = Project::new();
    project.flow(
        "f",
        "home: {type: csv, path: data, incremental: {column: w}}\n\
         store: {type: csv, path: out}\n",
    );
    project.write("data/a.csv", "w,a,g\n1,x,5\n2,y,6\n");
    project.hygge("start --quiet").succeed();
    std::fs::remove_file(project.path("data/a.csv")).unwrap();
    project.write("data/b.csv", "w,a\n3,x\n");
    let why = "column \"g\" is gone, so rows taken earlier can't be recognised";
    let diff = project.hygge("schema diff f.f").run();
    assert_eq!(diff.code, Some(1), "{diff}");
    assert!(diff.stdout.contains(why), "{diff}");
    let debugged = project.hygge("debug").run();
    assert_eq!(debugged.code, Some(1), "{debugged}");
    let refused = project.hygge("start").run();
    assert!(refused.shown().contains(why), "{refused}");
}

#[test]
fn a_column_that_comes_back_has_the_type_it_had() {
    for policy in ["additive", "evolve"] {
        let project = growing(policy);
        project.write("data/1.ndjson", "{\"id\":1,\"fax\":\"a\"}\n");
        project.hygge("start --quiet").succeed();
        project.write("data/2.ndjson", "{\"id\":2}\n");
        project.hygge("start --quiet").succeed();
        project.write("data/3.ndjson", "{\"id\":3,\"fax\":3}\n");
        let refused = project.hygge("start").run();
        assert_eq!(refused.code, Some(1), "{policy}: {refused}");
        assert!(
            refused.shown().contains("\"fax\" was string and is int64"),
            "{policy}: {refused}"
        );
    }
}

/// A full run forgets what its data set doesn't have any more.
#[test]
fn what_a_whole_new_data_set_lacks_is_forgotten() {
    let project = project(", on_schema_change: ignore_extra");
    for rows in ["id,amount\n1,10\n", BEFORE] {
        project.write("data/in.csv", rows);
        project.hygge("start --quiet").succeed();
    }
    assert_eq!(settled(&project), "id,amount\n1,10\n2,20\n");
}

#[test]
fn a_struct_with_fewer_fields_keeps_those_it_had() {
    let project = growing("evolve");
    for (file, row) in [
        ("1", "{\"id\":1,\"st\":{\"a\":1}}"),
        ("2", "{\"id\":2,\"st\":{\"a\":1,\"b\":2}}"),
        ("3", "{\"id\":3,\"st\":{\"b\":2}}"),
        ("4", "{\"id\":4,\"st\":{\"a\":1}}"),
    ] {
        project.write(&format!("data/{file}.ndjson"), row);
        project.hygge("start --quiet").succeed();
    }
    assert_eq!(
        lines(&project)[2..],
        [
            "{\"id\":3,\"st\":{\"a\":null,\"b\":2}}",
            "{\"id\":4,\"st\":{\"a\":1,\"b\":null}}"
        ]
    );
    let state = project.hygge("state show f.f").succeed().stdout;
    assert!(
        state.contains("  st: \"struct<a: int64, b: int64>\"\n"),
        "{state}"
    );
}

#[test]
fn types_become_wider_and_stay_so() {
    let project = Project::new();
    let read_as = |amount: &str| {
        project.flow(
            "f",
            &format!(
                "home: {{type: csv, path: data/in.csv, schema: {{amount: \"{amount}\"}}}}\n\
                 store: {{type: csv, path: out/all.csv, on_schema_change: evolve}}\n"
            ),
        );
    };
    read_as("decimal(5, 1)");
    project.write("data/in.csv", "id,amount\n1,10.5\n");
    project.hygge("start --quiet").succeed();
    read_as("decimal(7, 3)");
    project.write("data/in.csv", "id,amount\n2,1000.125\n");
    let diff = project.hygge("schema diff f.f").succeed();
    assert!(diff.stdout.contains("The next run widens types"), "{diff}");
    assert_eq!(
        told(&run(&project)),
        ["since the last run \"amount\" was decimal(5, 1) and is decimal(7, 3)"]
    );
    assert_eq!(settled(&project), "id,amount\n2,1000.125\n");
    read_as("int32");
    project.write("data/in.csv", "id,amount\n3,7\n");
    assert_eq!(
        told(&run(&project)),
        ["since the last run \"amount\" was decimal(7, 3) and is int32"]
    );
    assert_eq!(settled(&project), "id,amount\n3,7.000\n");
    let state = project.hygge("state show f.f").succeed().stdout;
    assert!(
        state.contains("columns:\n  id: int64\n  amount: decimal(13, 3)\n"),
        "{state}"
    );
    let diff = project.hygge("schema diff f.f").succeed();
    let next =
        "The next run writes what came narrower as wide as it was (on_schema_change: evolve).";
    assert!(diff.stdout.contains(next), "{diff}");
}

/// The columns are those of the commit, whoever finishes it.
#[test]
fn a_run_that_died_leaves_the_columns_of_what_it_committed() {
    for point in ["receipt.stored", "intent.stored", "store.committed"] {
        let project = project("");
        project.write("data/in.csv", AFTER);
        let killed = project
            .hygge("start")
            .failpoints(&format!("{point}=kill"))
            .run();
        assert!(killed.was_killed(), "{point}: {killed}");
        let outcome = run(&project);
        assert_eq!(outcome.code, Some(0), "{point}: {outcome}");
        assert_eq!(settled(&project), AFTER, "{point}");
        let state = project.hygge("state show f.f").succeed().stdout;
        assert!(state.contains("  channel: string\n"), "{point}: {state}");
    }
}

#[test]
fn nothing_new_is_no_change() {
    let project = Project::new();
    project.flow(
        "f",
        "home: {type: csv, path: data, incremental: {strategy: files}}\n\
         store: {type: parquet, path: out, on_schema_change: fail}\n",
    );
    project.write("data/a.csv", BEFORE);
    project.hygge("start --quiet").succeed();
    project.hygge("start --quiet").succeed();
    project.write("data/b.csv", AFTER);
    let refused = project.hygge("start").run();
    assert_eq!(refused.code, Some(1), "{refused}");
    let files = |folder: PathBuf| folder.read_dir().unwrap().count();
    assert_eq!(files(project.path("out")), 1);
}

/// A file without rows, or in another form, leaves what stands.
#[test]
fn leaving_out_all_there_is_stops() {
    // What a transform adds isn't of the source.
    const ADDS: &str = "transforms: [{type: derive, columns: {from: \"'crm'\"}}]\n";
    let plain = "without what is new no column is left";
    let added = "and no column of the source is left";
    for (kind, home, transforms, told) in [
        ("parquet", "", "", plain),
        ("parquet", "", ADDS, added),
        ("csv", "", "", plain),
        ("parquet", ", incremental: {strategy: files}", "", plain),
        ("ndjson", ", incremental: {strategy: files}", ADDS, added),
    ] {
        let project = Project::new();
        project.flow(
            "f",
            &format!(
                "home: {{type: csv, path: data{home}}}\n{transforms}\
                 store: {{type: {kind}, path: out, on_schema_change: ignore_extra}}\n"
            ),
        );
        project.write("data/a.csv", "id,v\n1,5\n");
        project.hygge("start --quiet").succeed();
        let out = || {
            let files = project.tree().into_iter();
            let files = files.filter(|path| path.starts_with("out/"));
            files.collect::<Vec<_>>()
        };
        let before = out();
        project.write("data/a.csv", "id;v\n1;5\n");
        for verb in ["schema diff f.f", "debug", "start"] {
            let refused = project.hygge(verb).run();
            assert_eq!(refused.code, Some(1), "{verb}: {refused}");
            assert!(refused.shown().contains(told), "{verb}: {refused}");
        }
        assert_eq!(out(), before);
        project.write("data/a.csv", "id,v\n1,6\n");
        project.hygge("start --quiet").succeed();
    }
}

#[test]
fn what_is_empty_has_no_columns_to_compare() {
    let project = Project::new();
    project.flow(
        "f",
        "home: {type: csv, path: data, allow_empty: true}\nstore: {type: parquet, path: out}\n",
    );
    project.write("data/a.csv", BEFORE);
    project.hygge("start --quiet").succeed();
    std::fs::remove_file(project.path("data/a.csv")).unwrap();
    let diff = project.hygge("schema diff f.f").succeed();
    assert!(
        diff.stdout
            .starts_with("There are no columns of f.f to compare"),
        "{diff}"
    );
}

/// What the files' own settings name is looked for as well.
#[test]
fn a_column_to_partition_by_that_is_gone_stops_the_diff_as_well() {
    let project = Project::new();
    project.flow(
        "f",
        "home: data/in.csv\nstore: {type: parquet, path: out, partition_by: v}\n",
    );
    project.write("data/in.csv", "id,v\n1,a\n");
    project.hygge("start --quiet").succeed();
    project.write("data/in.csv", "id\n1\n");
    for verb in ["schema diff f.f", "debug", "start"] {
        let refused = project.hygge(verb).run();
        assert_eq!(refused.code, Some(1), "{verb}: {refused}");
        let told = "partition_by names \"v\"";
        assert!(refused.shown().contains(told), "{verb}: {refused}");
    }
}
