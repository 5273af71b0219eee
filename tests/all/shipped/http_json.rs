use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use serde_json::{Value, json};

use super::{hygge, project};
use crate::harness::{Answer, Project, Server};

const TOKEN: &str = "s3cret-token";

/// A list of deals in pages of ten, each with who asked for it since when. Whoever comes without
/// the token is sent away; the third page asks for patience once.
struct Crm {
    server: Server,
    /// How many deals there are.
    deals: Arc<AtomicI64>,
}

impl Crm {
    fn start(deals: i64) -> Self {
        let deals = Arc::new(AtomicI64::new(deals));
        let all = Arc::clone(&deals);
        let busy = AtomicBool::new(true);
        let server = Server::start(move |asked| {
            if asked.header("authorization") != Some("Bearer s3cret-token") {
                return Answer::of("401 Unauthorized", "{\"error\": \"no token\"}");
            }
            let number = |name: &str| asked.parameter(name).and_then(|n| n.parse::<usize>().ok());
            let since = asked.parameter("since").unwrap_or_default();
            let after = number("after").unwrap_or(0);
            if after == 20 && busy.swap(false, Ordering::Relaxed) {
                return Answer::of("429 Too Many Requests", "").with("retry-after", "0");
            }
            let newer = |deal: &Value| deal["at"].as_str() >= Some(&since.replace("%3A", ":"));
            let wanted: Vec<Value> = (0..all.load(Ordering::Relaxed))
                .map(deal)
                .filter(newer)
                .collect();
            let page: Vec<&Value> = wanted.iter().skip(after).take(10).collect();
            let next = (after + 10 < wanted.len()).then_some(after + 10);
            Answer::ok(json!({"data": {"deals": page}, "next": next}).to_string())
        });
        Self { server, deals }
    }

    /// Grants the plugin what it needs here, and trusts it.
    fn grant(&self, project: &Project) {
        let origin = self.server.origin();
        project.write(
            "hygge.yml",
            format!(
                "name: test\nplugins:\n  http-json:\n    http: [\"{origin}\"]\n    \
                 secrets: {{CRM_TOKEN: 127.0.0.1}}\n"
            ),
        );
        let trust = hygge(project, "plugin trust http-json");
        trust.env("CRM_TOKEN", TOKEN).succeed();
    }

    fn flow(&self, project: &Project) {
        let origin = self.server.origin();
        project.flow(
            "deals",
            &format!(
                "home:\n\
                 \x20 type: http-json\n\
                 \x20 url: {origin}/deals\n\
                 \x20 records: /data/deals\n\
                 \x20 pages: {{by: cursor, pointer: /next, parameter: after}}\n\
                 \x20 bearer: CRM_TOKEN\n\
                 \x20 since: since\n\
                 \x20 columns:\n\
                 \x20 - {{name: id, type: integer}}\n\
                 \x20 - {{name: city, type: text, pointer: /address/city}}\n\
                 \x20 - {{name: at, type: timestamp}}\n\
                 \x20 incremental: {{column: at, strategy: append}}\n\
                 store: {{type: csv, path: lake}}\n"
            ),
        );
    }
}

fn deal(n: i64) -> Value {
    let at = format!("2024-01-01T{:02}:{:02}:00Z", n / 60, n % 60);
    let city = if n % 2 == 0 { "Oslo" } else { "Köln" };
    json!({"id": n, "address": {"city": city}, "at": at, "more": [1]})
}

/// The lines of all files at the destination but their headings, sorted by id.
fn lines(project: &Project) -> Vec<String> {
    let mut all = Vec::new();
    for entry in project.path("lake").read_dir().unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        all.extend(text.lines().skip(1).map(str::to_owned));
    }
    all.sort_by_key(|line| line.split(',').next().unwrap().parse::<i64>().unwrap());
    all
}

#[test]
fn pages_are_read_with_a_secret_and_patience_and_only_new_ones_again() {
    let project = project("http-json");
    let crm = Crm::start(45);
    crm.grant(&project);
    crm.flow(&project);
    let first = hygge(&project, "start").env("CRM_TOKEN", TOKEN).succeed();
    let settled = lines(&project);
    assert_eq!(settled.len(), 45, "{first}");
    assert_eq!(settled[1], "1,Köln,2024-01-01T00:01:00Z");
    let asked = crm.server.asked();
    // Five pages, one of them twice.
    assert!(asked.len() >= 6, "{asked:?}");
    assert!(asked.iter().all(|each| each.method == "GET"));

    crm.deals.store(52, Ordering::Relaxed);
    let second = hygge(&project, "start").env("CRM_TOKEN", TOKEN).succeed();
    let ids: Vec<i64> = lines(&project)
        .iter()
        .map(|line| line.split(',').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(ids, (0..52).collect::<Vec<_>>(), "{second}");
    let asked = crm.server.asked();
    let since = asked[0].parameter("since").unwrap().replace("%3A", ":");
    // A little before the last one, for what came late.
    let near = ("2024-01-01T00:30" < since.as_str()) && (since.as_str() < "2024-01-01T00:45");
    assert!(near, "{since}");

    for said in [&first, &second] {
        assert!(!format!("{said}").contains(TOKEN), "{said}");
    }
    let shown = hygge(&project, "runs show --output json").env("CRM_TOKEN", TOKEN);
    let run: Value = serde_json::from_str(&shown.succeed().stdout).unwrap();
    let egress = &run["plugins"][0]["egress"][0];
    assert_eq!(egress["requests"], asked.len(), "{run}");
}

#[test]
fn nothing_is_asked_for_that_was_not_granted() {
    let project = project("http-json");
    let crm = Crm::start(5);
    crm.flow(&project);
    let denied = hygge(&project, "start").env("CRM_TOKEN", TOKEN).run();
    assert_eq!(denied.code, Some(1), "{denied}");
    let shown = denied.shown().replace(&crm.server.origin(), "[SERVER]");
    insta::assert_snapshot!(shown);
    assert!(crm.server.asked().is_empty());
    assert!(!project.path("lake").exists());
}

#[test]
fn an_answer_that_is_none_fails_with_its_status() {
    let project = project("http-json");
    let crm = Crm::start(5);
    crm.grant(&project);
    crm.flow(&project);
    let wrong = hygge(&project, "start")
        .env("CRM_TOKEN", "wr0ng-token")
        .run();
    assert_eq!(wrong.code, Some(1), "{wrong}");
    assert!(!format!("{wrong}").contains("wr0ng-token"), "{wrong}");
    let shown = wrong.shown().replace(&crm.server.origin(), "[SERVER]");
    insta::assert_snapshot!(shown);
}
