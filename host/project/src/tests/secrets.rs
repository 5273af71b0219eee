//! A secret is never said, wherever in a project it stands.

use super::Project;

const SECRET: &str = "hunter2";

/// What is said about a project, right or wrong.
fn said(project: &Project) -> String {
    match project.load() {
        Ok(plan) => {
            let ends = plan.entities().map(|entity| {
                let transforms: Vec<_> = entity.transforms.iter().map(|t| &t.describe).collect();
                let (home, store) = (&entity.home_plan.describe, &entity.store_plan.describe);
                format!("{home} {store} {transforms:?}")
            });
            ends.collect()
        }
        Err(problems) => format!("{problems} {problems:?}"),
    }
}

/// Every key that takes a text, one after the other.
#[test]
fn not_in_any_key() {
    let cases = [
        ("hygge.yml", "flows_dir: §\n"),
        ("hygge.yml", "options: {memory: §}\n"),
        ("hygge.yml", "options: {on_error: §}\n"),
        ("hygge.yml", "options: {retries: §}\n"),
        ("hygge.yml", "defaults: {mode: §}\n"),
        ("hygge.yml", "connections: {c: {type: §}}\n"),
        ("hygge.yml", "connections: §\n"),
        ("home", "home: §\n"),
        ("home", "home: in/§/{oops}\n"),
        ("home", "home: {path: §}\n"),
        ("home", "home: {type: §, path: in}\n"),
        ("home", "home: {type: csv, path: in, delimiter: §}\n"),
        ("home", "home: {type: files, path: in, format: §}\n"),
        ("home", "home: {type: csv, path: in, null_values: §}\n"),
        ("home", "home: {type: sql, table: t, host: h, port: §}\n"),
        ("home", "home: {type: sql, connection: §, table: t}\n"),
        ("home", "home: {path: in, allow_empty: §}\n"),
        ("home", "home: {path: in, incremental: §}\n"),
        ("home", "home: {path: in, incremental: {column: §}}\n"),
        (
            "home",
            "home: {path: in, incremental: {column: a, strategy: §}}\n",
        ),
        (
            "home",
            "home: {path: in, incremental: {column: a, strategy: merge, key: [§, §]}}\n",
        ),
        (
            "home",
            "home: {path: in, incremental: {column: a, lookback: §}}\n",
        ),
        ("store", "store: \"o/{§}\"\n"),
        ("store", "store: \"o/{§\"\n"),
        ("store", "store: {path: out, compression: §}\n"),
        ("store", "store: {path: out, compression: {codec: §}}\n"),
        ("store", "store: {path: out, partition_by: §}\n"),
        ("store", "store: {path: out, row_group_rows: §}\n"),
        ("more", "mode: §\n"),
        ("more", "after: §\n"),
        ("more", "after: [§]\n"),
        ("more", "entities: §\n"),
        ("more", "entities: [§]\n"),
        ("more", "entities: [{name: §}]\n"),
        ("more", "entities: {a: {mode: §}}\n"),
        ("more", "transforms: §\n"),
        ("more", "transforms: [{type: §}]\n"),
        ("more", "transforms: [{type: mask, columns: §}]\n"),
        ("more", "transforms: [{type: mask, columns: [§], key: §}]\n"),
    ];
    for (place, text) in cases {
        let written = |key: &str, else_: &str| match place == key {
            true => text.replace('§', "${MY_PASSWORD}"),
            false => else_.to_owned(),
        };
        let flow = [
            written("home", "home: in\n"),
            written("store", "store: out\n"),
            written("more", ""),
        ];
        let project = Project::of(&written("hygge.yml", ""))
            .file("flows/f/flow.yml", &flow.concat())
            .env("MY_PASSWORD", SECRET);
        let said = said(&project);
        assert!(!said.contains(SECRET), "{text}{said}");
    }
}

#[test]
fn not_from_the_command_line() {
    let project = Project::of("")
        .file("flows/f/flow.yml", "home: in\nstore: out\n")
        .env("MY_PASSWORD", SECRET)
        .var("flow.f.home.type=sql")
        .var("flow.f.home.password=hunter2")
        .var("flow.f.home.port=${MY_PASSWORD}");
    let said = said(&project);
    assert!(!said.contains(SECRET), "{said}");
}

/// What is meant is a secret, whatever it says.
#[test]
fn not_under_a_misspelt_name() {
    for key in ["pasword", "passwort", "dns"] {
        let flow = |more: &str| format!("home: {{type: sql, table: t{more}}}\nstore: out\n");
        let beside = flow(&format!(", {key}: hunter2, hst: h"));
        let connection = format!("connections: {{c: {{type: sql, {key}: hunter2}}}}\n");
        let by_connection = flow(", connection: c");
        let by_var = Project::of("").file("flows/f/flow.yml", &flow(", host: h"));
        for project in [
            Project::of("").file("flows/f/flow.yml", &beside),
            Project::of(&connection).file("flows/f/flow.yml", &by_connection),
            by_var.var(&format!("flow.f.home.{key}=hunter2")),
        ] {
            let said = said(&project);
            assert!(said.contains(&format!("has no key `{key}`")), "{said}");
            assert!(!said.contains(SECRET), "{said}");
        }
    }
    let unused = "connections: {c: {type: sql, pasword: hunter2}}\n";
    let unused = Project::of(unused).file("flows/f/flow.yml", "home: in\nstore: out\n");
    let said = said(&unused);
    assert!(said.contains("has no key `pasword`"), "{said}");
    assert!(!said.contains(SECRET), "{said}");
}

#[test]
fn the_plan_knows_them_all() {
    let plan = Project::of("connections: {c: {type: sql, host: h, password: '${PW}'}}\n")
        .file(
            "flows/f/flow.yml",
            "home: {connection: c, table: t}\nstore: {path: out, partition_by: ['x${API_TOKEN}']}\n\
             transforms: [{type: mask, columns: [a], key: s3cr3t}]\n",
        )
        .env("PW", SECRET)
        .env("API_TOKEN", "t0k3n")
        .plan();
    let hidden = plan.veil.hide("hunter2, t0k3n, xt0k3n and s3cr3t");
    assert_eq!(hidden, "***, ***, *** and ***");
}

/// A grant says to which host a secret may go: the host is in every message about it.
#[test]
fn the_host_of_a_granted_secret_is_none() {
    let granted = "plugins:\n  crm:\n    secrets: {CRM_TOKEN: api.example.com}\n";
    let plan = Project::of(granted)
        .file(
            "flows/f/flow.yml",
            "home: {path: in}\nstore: {path: out, partition_by: ['${API_TOKEN}']}\n",
        )
        .env("API_TOKEN", "t0k3n")
        .plan();
    let shown = plan.veil.hide("api.example.com t0k3n");
    assert_eq!(shown, "api.example.com ***");
}
