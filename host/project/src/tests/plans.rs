use hygge_core::{Mode, Strategy};
use serde_json::json;

use super::Project;
use crate::{Lookback, OnError, Plan};

/// `flow.entity: home settings -> store settings`, one a line.
fn shown(plan: &Plan) -> String {
    plan.entities()
        .map(|e| {
            format!(
                "{}: {} {} -> {} {}\n",
                e.id,
                e.home.kind,
                e.home.settings.redacted(),
                e.store.kind,
                e.store.settings.redacted()
            )
        })
        .collect()
}

#[test]
fn a_folder_with_flows_and_entities_becomes_a_plan() {
    let plan = Project::of("name: nyc\n")
        .file("flows/b/flow.yml", "home: in/b.csv\nstore: out/b\n")
        .file(
            "flows/a/flow.yml",
            "home: {type: parquet, path: in}\nstore: {type: csv, path: out/a}\nentities: [z, {name: y, home: in/special.parquet}]\n",
        )
        .file("flows/a/entities/x.yml", "store: {path: elsewhere}\n")
        .file("flows/a/entities/w.yaml", "name: v\n")
        .plan();
    assert_eq!(plan.name, "nyc");
    insta::assert_snapshot!(shown(&plan), @r#"
    a.v: parquet {"path":"in/v"} -> csv {"path":"out/a/v"}
    a.x: parquet {"path":"in/x"} -> csv {"path":"elsewhere"}
    a.y: parquet {"path":"in/special.parquet"} -> csv {"path":"out/a/y"}
    a.z: parquet {"path":"in/z"} -> csv {"path":"out/a/z"}
    b.b: csv {"path":"in/b.csv"} -> parquet {"path":"out/b"}
    "#);
    let places: Vec<String> = plan.entities().map(|e| e.origin.to_string()).collect();
    assert_eq!(
        places,
        [
            "flows/a/entities/w.yaml:1",
            "flows/a/entities/x.yml:1",
            "flows/a/flow.yml:3",
            "flows/a/flow.yml:3",
            "flows/b/flow.yml:1"
        ]
    );
}

#[test]
fn one_file_is_enough() {
    let plan = Project::of(
        "flows:\n  nyc:\n    home: in\n    store: out\n    entities: {b: , a: {home: {header: true}}}\n  solo:\n    home: data/landing/accounts\n    store: lake/accounts\n",
    )
    .plan();
    insta::assert_snapshot!(shown(&plan), @r#"
    nyc.a: files {"header":true,"path":"in/a"} -> parquet {"path":"out/a"}
    nyc.b: files {"path":"in/b"} -> parquet {"path":"out/b"}
    solo.solo: files {"path":"data/landing/accounts"} -> parquet {"path":"lake/accounts"}
    "#);
}

#[test]
fn every_option_reaches_the_plan() {
    let flows = "flows: {a: {home: in, store: out}}\n";
    let default = Project::of(flows).plan().options;
    assert_eq!(
        (default.concurrency, default.memory, default.retries),
        (8, 256 << 20, 3)
    );
    assert_eq!(default.on_error, OnError::Continue);
    let options = Project::of(&format!(
        "options: {{concurrency: 5, memory: 64 MiB, retries: 0, on_error: stop}}\n{flows}"
    ))
    .plan()
    .options;
    assert_eq!(
        (options.concurrency, options.memory, options.retries),
        (5, 64 << 20, 0)
    );
    assert_eq!(options.on_error, OnError::Stop);
    let from_env = Project::of(&format!(
        "options: {{concurrency: \"${{N}}\", retries: \"${{R:-9}}\"}}\n{flows}"
    ))
    .env("N", "2")
    .plan()
    .options;
    assert_eq!((from_env.concurrency, from_env.retries), (2, 9));
}

#[test]
fn the_more_specific_layer_wins() {
    let layers = |project: &str, defaults: &str, flow: &str, entity: &str, vars: &[&str]| {
        let mut project = Project::of(&format!(
            "defaults: {{home: {{path: in, {project}}}, store: out}}\n"
        ))
        .file(
            "flows/f/flow.yml",
            &format!("defaults: {{home: {{{defaults}}}}}\nhome: {{type: csv, {flow}}}\n"),
        )
        .file("flows/f/entities/e.yml", &format!("home: {{{entity}}}\n"));
        for var in vars {
            project = project.var(var);
        }
        let plan = project.plan();
        let entity = plan.entities().next().unwrap();
        entity.home.settings.expose()["delimiter"].clone()
    };
    let all = |n: usize| {
        let at = |i: usize| {
            if i < n {
                format!("delimiter: '{i}'")
            } else {
                String::new()
            }
        };
        layers(&at(0), &at(1), &at(2), &at(3), &[])
    };
    // `1` and `2` below are what `defaults` and `home` of the flow say.
    assert_eq!(all(1), json!("0"));
    assert_eq!(all(2), json!("1"));
    assert_eq!(all(3), json!("2"));
    assert_eq!(all(4), json!("3"));
    let var = ["flow.f.home.delimiter=4"];
    assert_eq!(layers("", "", "", "delimiter: '3'", &var), json!("4"));
    let own = [
        "flow.f.entities.e.home.delimiter=5",
        "flow.f.home.delimiter=4",
    ];
    assert_eq!(layers("", "", "", "", &own), json!("5"));
}

#[test]
fn entity_names_are_added_to_shared_folders_only() {
    let place = |home: &str, several: bool| {
        let entities = if several { "[a, b]" } else { "[a]" };
        let plan = Project::of(&format!(
            "flows: {{f: {{home: '{home}', store: 'out/{{entity}}', entities: {entities}}}}}\n"
        ))
        .plan();
        let entity = plan.entities().next().unwrap();
        entity.home.settings.expose()["path"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(place("data/landing", true), "data/landing/a");
    assert_eq!(place("data/landing/", true), "data/landing/a");
    assert_eq!(place("data/{flow}/{run_date}", true), "data/f/2026-11-22/a");
    assert_eq!(place("data/{entity}/x", true), "data/a/x");
    assert_eq!(place("data/x.csv", true), "data/x.csv");
    assert_eq!(place("data/*.csv", true), "data/*.csv");
    assert_eq!(place("data/2026-*", true), "data/2026-*");
    assert_eq!(
        place("data/landing/accounts", false),
        "data/landing/accounts"
    );
}

#[test]
fn another_type_starts_over() {
    let plan = Project::of(
        "defaults: {store: {type: csv, path: out, delimiter: ;}}\nflows:\n  f:\n    home: in\n    entities: [a, {name: b, store: {type: parquet}}, {name: c, store: other/c.parquet}]\n",
    )
    .plan();
    insta::assert_snapshot!(shown(&plan), @r#"
    f.a: files {"path":"in/a"} -> csv {"delimiter":";","path":"out/a"}
    f.b: files {"path":"in/b"} -> parquet {"path":"out/b"}
    f.c: files {"path":"in/c"} -> parquet {"path":"other/c.parquet"}
    "#);
}

#[test]
fn connections_lie_under_the_homes_that_name_them() {
    let plan = Project::of(
        "connections:\n  crm: {type: sql, host: db, port: 5, password: '${CRM_PASSWORD}'}\nflows:\n  f:\n    home: {connection: crm, port: 7, table: 'dbo.{entity}'}\n    store: out\n    entities: [a, b]\n",
    )
    .env("CRM_PASSWORD", "hunter2")
    .plan();
    insta::assert_snapshot!(shown(&plan), @r#"
    f.a: sql {"host":"db","password":"***","port":7,"table":"dbo.a"} -> parquet {"path":"out/a"}
    f.b: sql {"host":"db","password":"***","port":7,"table":"dbo.b"} -> parquet {"path":"out/b"}
    "#);
    let entity = plan.entities().next().unwrap();
    assert_eq!(entity.home.connection.as_deref(), Some("crm"));
    assert_eq!(entity.home.settings.expose()["password"], "hunter2");
    assert!(!format!("{plan:?}").contains("hunter2"));
}

#[test]
fn secrets_are_known_by_variable_by_field_and_by_key() {
    let plan = Project::of(
        "flows:\n  f:\n    home: {type: sql, host: 'x${API_TOKEN}y', dsn: plain, table: '${TABLE}'}\n    store: out\n",
    )
    .env("API_TOKEN", "hunter2")
    .env("TABLE", "t")
    .plan();
    let home = &plan.entities().next().unwrap().home.settings;
    assert_eq!(
        home.redacted(),
        json!({"host": "***", "dsn": "***", "table": "t"})
    );
    assert_eq!(home.expose()["host"], "xhunter2y");
}

#[test]
fn a_path_with_the_date_is_known_without_it() {
    let plan =
        Project::of("flows: {f: {home: in, store: 'out/{run_date}/{flow}', entities: [a, b]}}\n")
            .plan();
    let entity = plan.entities().next().unwrap();
    assert_eq!(entity.store.dated.as_deref(), Some("out/{run_date}/f/a"));
    assert_eq!(entity.home.dated, None);
}

#[test]
fn variables_fill_values_and_find_their_type() {
    let plan = Project::of(
        "flows:\n  f:\n    home: {type: csv, path: '${DIR}/${SUB:-x}$${Y}', header: '${H}', null_values: ['${N:-}']}\n    store: {type: parquet, path: '${OUT:-${DIR}/out}', row_group_rows: '${ROWS}'}\n",
    )
    .env("DIR", "d")
    .env("H", "false")
    .env("ROWS", "100")
    .env("SUB", "")
    .plan();
    insta::assert_snapshot!(shown(&plan), @r#"f.f: csv {"header":false,"null_values":[""],"path":"d/x${Y}"} -> parquet {"path":"d/out","row_group_rows":100}"#);
}

#[test]
fn incremental_is_read_and_sets_the_mode() {
    let of = |incremental: &str| {
        let plan = Project::of(&format!(
            "flows: {{f: {{home: {{path: in, incremental: {incremental}}}, store: out}}}}\n"
        ))
        .plan();
        plan.entities().next().unwrap().clone()
    };
    let append = of("{column: id}");
    assert_eq!(append.mode, Mode::Incremental);
    let incremental = append.incremental.unwrap();
    assert_eq!(incremental.strategy, Strategy::Append);
    assert_eq!(incremental.lookback, None);
    let merge = of("{column: at, strategy: merge, key: [a, b], lookback: 1h30m}");
    let incremental = merge.incremental.unwrap();
    assert_eq!(incremental.key, ["a", "b"]);
    assert_eq!(incremental.lookback, Some(Lookback::Seconds(5_400)));
    let units = of("{column: id, strategy: append, key: id, lookback: 100}");
    assert_eq!(
        units.incremental.unwrap().lookback,
        Some(Lookback::Units(100))
    );
    assert_eq!(of("{strategy: files}").incremental.unwrap().column, None);
    assert!(append.home.settings.expose().get("incremental").is_none());
}

#[test]
fn mode_can_be_written_and_overridden() {
    let project = || {
        Project::of(
            "flows: {f: {mode: full, home: {path: in, incremental: {column: id}}, store: out}}\n",
        )
    };
    let mode = |project: Project| project.plan().entities().next().unwrap().mode;
    assert_eq!(mode(project()), Mode::Full);
    assert_eq!(mode(project().mode(Mode::Incremental)), Mode::Incremental);
    assert_eq!(
        mode(project().var("flow.f.mode=incremental")),
        Mode::Incremental
    );
}

#[test]
fn selection_takes_patterns() {
    let project = || {
        Project::of(
            "flows:\n  a: {home: in, store: out/a, entities: [x, y]}\n  b: {home: in, store: out/b, after: a, entities: [x, z]}\n",
        )
    };
    let ids = |project: Project| {
        let plan = project.plan();
        let ids: Vec<String> = plan.entities().map(|e| e.id.to_string()).collect();
        ids.join(" ")
    };
    assert_eq!(ids(project()), "a.x a.y b.x b.z");
    assert_eq!(ids(project().flow("b")), "b.x b.z");
    assert_eq!(
        ids(project().flow("b").entity("a.y, *.?,*.x")),
        "a.x a.y b.x b.z"
    );
    assert_eq!(ids(project().entity("*.x")), "a.x b.x");
    assert_eq!(project().plan().flows[1].after, ["a"]);
    assert!(project().flow("b").plan().flows[0].after.is_empty());
}

#[test]
fn a_variable_matters_only_to_flows_that_run() {
    let project = || {
        Project::of(
            "flows:\n  a: {home: in, store: out/a}\n  b: {home: '${MISSING}', store: out/b}\n",
        )
    };
    assert!(project().load().is_err());
    assert_eq!(project().flow("a").plan().flows.len(), 1);
}

#[test]
fn allow_empty_and_anchors_and_nulls() {
    let plan = Project::of(
        "defaults:\n  home: &base {type: csv, allow_empty: true, header: true}\nflows:\n  f:\n    home: {<<: *base, path: in, header: ~}\n    store: out\n",
    )
    .plan();
    let entity = plan.entities().next().unwrap();
    assert!(entity.allow_empty);
    assert_eq!(entity.home.settings.redacted(), json!({"path": "in"}));
}

#[test]
fn null_unsets_what_the_layers_below_say() {
    let plan = Project::of("defaults: {mode: incremental, transforms: [{type: mask, columns: [a]}]}\nconnections: {c: {type: csv, header: true, delimiter: ';'}}\n")
        .file(
            "flows/f/flow.yml",
            "home: {connection: c, path: in, delimiter: ~, incremental: {strategy: files}}\nstore: {path: out, row_group_rows: 5}\nentities:\n  - a\n  - {name: z, transforms: }\n  - {name: m, mode: ~, home: {incremental: ~}, store: {row_group_rows: ~}}\n",
        )
        .file("flows/f/entities/t.yml", "transforms: ~\n")
        .plan();
    let said: String = plan
        .entities()
        .map(|e| {
            let each = e.transforms.iter().map(|t| t.describe.as_str());
            let transforms: Vec<_> = each.collect();
            format!(
                "{} {:?} {:?}, {}\n",
                e.id,
                e.mode,
                transforms,
                e.incremental.is_some()
            )
        })
        .collect();
    insta::assert_snapshot!(said, @r#"
f.a Incremental ["mask a"], true
f.m Full ["mask a"], false
f.t Incremental [], true
f.z Incremental [], true
"#);
    insta::assert_snapshot!(shown(&plan), @r#"
f.a: csv {"header":true,"path":"in/a"} -> parquet {"path":"out/a","row_group_rows":5}
f.m: csv {"header":true,"path":"in/m"} -> parquet {"path":"out/m"}
f.t: csv {"header":true,"path":"in/t"} -> parquet {"path":"out/t","row_group_rows":5}
f.z: csv {"header":true,"path":"in/z"} -> parquet {"path":"out/z","row_group_rows":5}
"#);
}

#[test]
fn an_entity_drops_the_home_of_its_flow_and_gives_its_own() {
    let plan = Project::of("defaults: {home: {type: csv, path: in, header: true}, store: out}\n")
        .file(
            "flows/f/flow.yml",
            "home: ~\nentities: [{name: a, home: x.parquet}]\n",
        )
        .plan();
    insta::assert_snapshot!(shown(&plan), @r#"f.a: parquet {"path":"x.parquet"} -> parquet {"path":"out"}"#);
}

#[test]
fn the_most_specific_list_of_transforms_is_taken_whole() {
    let plan = Project::of("defaults: {transforms: [{type: mask, columns: [a]}]}\n")
        .file(
            "flows/f/flow.yml",
            "home: in\nstore: out\nentities:\n  - w\n  - {name: x, transforms: [{type: mask, columns: [b]}, {type: mask, columns: ['{entity}'], key: hunter2}]}\n  - {name: y, transforms: []}\n",
        )
        .plan();
    let shown: Vec<String> = plan
        .entities()
        .map(|e| {
            let each = e.transforms.iter();
            let texts: Vec<_> = each
                .map(|t| format!("{} {}", t.describe, t.settings.redacted()))
                .collect();
            format!("{}: {}", e.id, texts.join(", then "))
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
f.w: mask a {"columns":["a"]}
f.x: mask b {"columns":["b"]}, then mask x {"columns":["x"],"key":"***"}
f.y: 
"#);
}

#[test]
fn a_name_with_a_dot_is_quoted_in_a_var() {
    let mut project = Project::of("flows: {f: {home: in, store: out, entities: [a.b, c]}}\n");
    project.vars = vec!["flow.f.entities.\"a.b\".store.path=there".to_owned()];
    let plan = project.plan();
    let entity = plan.entities().next().unwrap();
    assert_eq!(entity.store.settings.expose()["path"], "there");
}

#[test]
fn a_format_beside_a_path_is_a_setting_of_files() {
    let plan =
        Project::of("flows: {a: {home: {path: x.csv, format: csv}, store: out, entities: [e]}}\n")
            .plan();
    insta::assert_snapshot!(shown(&plan), @r#"a.e: files {"format":"csv","path":"x.csv"} -> parquet {"path":"out"}"#);
}

#[test]
fn a_var_may_be_a_list_or_a_map() {
    let plan = Project::of("flows: {f: {home: in, store: out}}\n")
        .var("flow.f.home.null_values=[\"-\", \"a, b\"]")
        .var("flow.f.store.compression={codec: zstd, level: 3}")
        .var("flow.f.store.path={flow}")
        .plan();
    insta::assert_snapshot!(shown(&plan), @r#"
f.f: files {"null_values":["-","a, b"],"path":"in"} -> parquet {"compression":{"codec":"zstd","level":3},"path":"f"}
"#);
}
