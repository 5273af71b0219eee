use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::Signal;

use super::orders;
use crate::harness::{Events, Orders, Project};

#[test]
fn says_what_settled_where() {
    let project = orders("");
    insta::assert_snapshot!(project.hygge("start").succeed().shown());
    insta::assert_snapshot!("again", project.hygge("go").succeed().shown());
}

#[test]
fn a_failure_says_where_why_and_what_next() {
    let project = orders("");
    std::fs::remove_dir_all(project.path("data")).unwrap();
    std::fs::create_dir(project.path("data")).unwrap();
    let failed = project.hygge("start").run();
    assert_eq!(failed.code, Some(1), "{failed}");
    insta::assert_snapshot!(failed.shown());
    let quiet = project.hygge("start --quiet").run();
    assert_eq!(quiet.code, Some(1), "{quiet}");
    insta::assert_snapshot!("quiet", quiet.shown());
}

#[test]
fn a_shell_that_opens_few_files_is_told_about() {
    let project = orders("");
    let refused = project.hygge("start").open_files_at_most(7).run();
    assert_eq!(refused.code, Some(1), "{refused}");
    insta::assert_snapshot!(refused.shown());
}

#[test]
fn quiet_is_quiet() {
    let project = orders("");
    let quiet = project.hygge("start --quiet").succeed();
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
}

#[test]
fn dry_run_says_what_would_happen() {
    let project = orders("");
    let before = project.tree();
    insta::assert_snapshot!(project.hygge("start --dry-run").succeed().shown());
    assert_eq!(project.tree(), before, "something was written");
    project.hygge("start").succeed();
    insta::assert_snapshot!(
        "after_a_run",
        project.hygge("start --dry-run").succeed().shown()
    );
    let json = project
        .hygge("start --dry-run --full --output json")
        .succeed();
    let line: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(line["event"], "would_run");
    assert_eq!(line["action"], "replace");
    assert_eq!(line["columns"]["id"], "int64");
}

#[test]
fn the_log_has_every_event_of_the_run() {
    let project = orders("");
    let outcome = project.hygge("start --output json").succeed();
    let events = Events::of(&outcome);
    let run = events.all("run_started").next().unwrap()["run"].clone();
    let path = format!(".hygge/runs/{}/log.jsonl", run.as_str().unwrap());
    let log = std::fs::read_to_string(project.path(path)).unwrap();
    for line in outcome.stdout.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        let kind = format!("\"event\":{}", event["event"]);
        assert!(log.contains(&kind), "{kind} is not in {log}");
    }
}

#[test]
fn selects_and_overrides() {
    let project = orders("");
    for arguments in [
        "--flow sales",
        "--flow s*,nothing*",
        "--entity *.orders",
        "--entity orders",
    ] {
        let outcome = project.hygge(&format!("start {arguments}")).run();
        let fits = !arguments.contains("nothing") && arguments != "--entity orders";
        assert_eq!(
            outcome.code,
            Some(if fits { 0 } else { 2 }),
            "{arguments}: {outcome}"
        );
    }
    let both = project.hygge("start --full --incremental").run();
    assert_eq!(both.code, Some(2), "{both}");
    let none = project.hygge("start --concurrency 0").run();
    assert_eq!(none.code, Some(2), "{none}");
    project
        .hygge("start --full --concurrency 1 --verify")
        .succeed();
    assert_eq!(project.content("lake/orders"), Orders::new(0..20).content());
}

#[test]
fn verifies_whatever_the_names() {
    let project = Project::new();
    project.flow(
        "sa=les 1",
        "entities: [a=b, c.d]\nhome: {type: parquet, path: data/a.parquet}\n\
         store: {type: parquet, path: \"lake/{entity}\"}\n",
    );
    project.orders("data/a.parquet", &Orders::new(0..10));
    project.hygge("start --verify").succeed();
    let path = "lake/elsewhere/";
    let var = format!("flow.\"sa=les 1\".entities.\"a=b\".store.path={path}");
    project.hygge("start --var").argument(&var).succeed();
    assert_eq!(project.content(path), Orders::new(0..10).content());
}

#[test]
fn sigterm_is_one_ctrl_c() {
    let project = orders("");
    let mut paused = project.hygge("start").spawn_to("split.batch");
    paused.running.signal(Signal::TERM);
    let stopped = paused.go_on();
    assert_eq!(stopped.code, Some(130), "{stopped}");
    assert!(!project.path("lake").exists(), "{:?}", project.tree());
}

#[test]
fn a_reader_that_goes_away_stops_nothing() {
    let project = orders("");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_hygge-failpoints"))
        .arg("start")
        .current_dir(project.root())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut reader = BufReader::with_capacity(1, child.stdout.take().unwrap());
    reader.read_line(&mut line).unwrap();
    drop(reader);
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.stderr.is_empty(), "{ended:?}");
    assert_eq!(project.content("lake/orders").rows, 20);
}

/// How long they take is measured where nothing else runs; here, that they look at nothing.
#[test]
fn help_and_version_look_at_no_project() {
    let project = Project::bare();
    project.write("hygge.yml", "name: [\n");
    for arguments in ["--version", "--help", "start --help"] {
        let outcome = project.hygge(arguments).succeed();
        assert!(outcome.stdout.contains("hygge"), "{outcome}");
        assert_eq!(outcome.stderr, "");
    }
    assert_eq!(project.hygge("list").run().code, Some(2));
}

/// Whoever reads JSON is told in JSON, too, why nothing was done.
#[test]
fn what_is_wrong_in_json() {
    let project = orders("");
    project.flow("sales", "home: {type: parqet, path: ''}\nstor: out\n");
    for verb in ["start", "debug", "list", "start --dry-run"] {
        let wrong = project.hygge(&format!("{verb} --output json")).run();
        assert_eq!(wrong.code, Some(2), "{wrong}");
        let line: serde_json::Value = serde_json::from_str(&wrong.stdout).unwrap();
        let mut keys: Vec<&str> = line
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        keys.sort_unstable();
        assert_eq!(
            keys,
            ["event", "exit", "problems", "time"],
            "as in docs/events.md"
        );
        assert_eq!(line["event"], "error", "{wrong}");
        assert_eq!(line["exit"], 2, "{wrong}");
        let problems = line["problems"].as_array().unwrap();
        assert_eq!(problems.len(), 2, "{wrong}");
        assert_eq!(problems[0]["file"], "flows/sales/flow.yml", "{wrong}");
        assert_eq!(problems[0]["line"], 1, "{wrong}");
    }
    let nowhere = project.hygge("runs --output json --project nowhere").run();
    assert_eq!(nowhere.code, Some(2), "{nowhere}");
    assert!(
        nowhere.stdout.contains("nowhere doesn't exist"),
        "{nowhere}"
    );
}

#[test]
fn how_far_it_came_is_said_before_the_commit() {
    let project = orders("");
    let outcome = project.hygge("start --output json").succeed();
    let events: Vec<serde_json::Value> = outcome
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let at = |name: &str| events.iter().rposition(|event| event["event"] == name);
    assert!(at("progress") < at("committing"), "{outcome}");
}

#[test]
fn a_log_that_nobody_writes_is_refused() {
    let project = orders("");
    let wrong = project.hygge("start").env("HYGGE_LOG", "garbage").run();
    assert_eq!(wrong.code, Some(2), "{wrong}");
    assert!(wrong.stderr.contains("HYGGE_LOG=garbage"), "{wrong}");
}

#[test]
fn a_folder_of_the_project_will_do() {
    let project = orders("");
    project.hygge("list --project data/orders").succeed();
    let help = project.hygge("help start").succeed();
    assert!(help.stdout.contains("hygge start"), "{help}");
}
