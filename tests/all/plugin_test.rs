//! `hygge plugin test`: what keeps the contract passes it, in whatever language it is written.

use serde_json::{Value, json};

use crate::harness::{Answer, Orders, Outcome, Project, Server, fixture};
use crate::{guests, plugins, shipped};

/// Tests a component in a folder of its own.
fn test(component: &[u8], arguments: &str) -> Outcome {
    let folder = Project::bare();
    folder.write("plugin.wasm", component);
    folder.orders("orders.parquet", &Orders::new(1..501));
    shipped::hygge(&folder, &format!("plugin test plugin.wasm {arguments}")).run()
}

/// As JSON; none of the laws is broken, and these, and only these, weren't looked at.
fn keeps(component: &[u8], arguments: &str, skipped: &[&str]) {
    let outcome = test(component, &format!("{arguments} --output json"));
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let of = |outcome: &str| -> Vec<&Value> {
        checks.iter().filter(|c| c["outcome"] == outcome).collect()
    };
    assert_eq!(of("failed"), Vec::<&Value>::new(), "{outcome}");
    let laws: Vec<&str> = of("skipped")
        .iter()
        .map(|c| c["law"].as_str().unwrap())
        .collect();
    assert_eq!(laws, skipped);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert!(report["passed"].as_u64() > Some(8), "{report}");
}

const POSITION: &str = "a position can be acknowledged twice";
const UPSERT: &str = "`upsert` by a key leaves each row once";

fn built(name: &str) -> Vec<u8> {
    std::fs::read(shipped::file(name)).unwrap()
}

#[test]
fn mask_does() {
    let mask = built("mask");
    keeps(&mask, "--config columns.text.how=hash --config key=k", &[]);
    keeps(
        &mask,
        "--config columns.customer.how=tokenise --config key=k --input orders.parquet",
        &[],
    );
    let shown = test(&mask, "--config columns.text.how=redact").shown();
    insta::assert_snapshot!("mask", shown);
    let wrong = test(&mask, "--config columns.text.how=shred");
    assert_eq!(wrong.code, Some(1), "{wrong}");
    insta::assert_snapshot!("wrong_settings", wrong.shown());
}

#[test]
fn ndjson_does() {
    let ndjson = built("ndjson");
    keeps(&ndjson, "--config path=out/a --grant-write out", &[UPSERT]);
    let absolute = test(&ndjson, "--config path=/tmp/a --grant-write /tmp");
    assert_eq!(absolute.code, Some(2), "{absolute}");
    insta::assert_snapshot!("whole_path", absolute.shown());
    // Without the grant there is a fault, and no pass.
    let denied = test(&ndjson, "--config path=out/a");
    assert_eq!(denied.code, Some(1), "{denied}");
}

#[test]
fn http_json_does() {
    let server = Server::start(|asked| {
        let page = asked.parameter("page").unwrap().parse::<usize>().unwrap();
        let records = (page * 10..45)
            .take(10)
            .map(|n| json!({"id": n, "text": "x"}));
        Answer::ok(Value::from_iter(records).to_string())
    });
    let origin = server.origin();
    let arguments = format!(
        "--config url={origin}/list --config pages.by=number --config pages.parameter=page \
         --config pages.first=0 --grant-http {origin}"
    );
    keeps(&built("http-json"), &arguments, &[POSITION]);
}

#[test]
fn guests_in_c_and_rust_do() {
    let c = std::fs::read(fixture("../guests/golden/0.1.0/c-guest.wasm")).unwrap();
    keeps(&c, "--as home --config rows=1000", &[POSITION]);
    keeps(&c, "--as transform --config column=text", &[]);
    let sample = std::fs::read(plugins::build("sample", "wasm32-wasip2")).unwrap();
    keeps(
        &sample,
        "--as home --config rows=1000 --config splits=3",
        &[],
    );
    keeps(
        &sample,
        "--as store --config folder=out --grant-write out",
        &[UPSERT],
    );
}

#[test]
fn the_guest_in_python_does() {
    let Some(python) = guests::python::component() else {
        return;
    };
    keeps(python, "--as home --config days=50", &[]);
    keeps(
        python,
        "--as store --config folder=out/a --grant-write out",
        &[UPSERT],
    );
}
