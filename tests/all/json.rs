//! docs/json.md says what verbs print as JSON, and nothing that they don't.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::harness::{Orders, Project};

const PAGE: &str = include_str!("../../docs/json.md");

/// The fields that each section lists.
fn documented() -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut sections: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut section = "";
    for line in PAGE.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading;
        }
        let field = line
            .strip_prefix("| `")
            .and_then(|rest| rest.split_once('`'));
        if let Some((field, _)) = field {
            let fields = sections.entry(section).or_default();
            fields.insert(field.to_owned());
        }
    }
    sections
}

/// Every field of every line that these commands print.
fn printed(project: &Project, commands: &[&str]) -> BTreeSet<String> {
    let mut fields = BTreeSet::new();
    for command in commands {
        let outcome = project.hygge(&format!("{command} --output json")).run();
        assert!(!outcome.stdout.is_empty(), "{command}: {outcome}");
        for line in outcome.stdout.lines() {
            let Ok(Value::Object(line)) = serde_json::from_str(line) else {
                panic!("{command}: {line}");
            };
            fields.extend(line.keys().cloned());
        }
    }
    fields
}

#[test]
fn as_documented() {
    let project = Project::new();
    project.write(
        "hygge.yml",
        "name: test\nconnections: {db: {type: sqlite, path: seeds.db}}\n",
    );
    project.write("seeds.sql", "CREATE TABLE seeds (id int);\n");
    project.flow(
        "sales",
        "entities: [orders]\n\
         home: {path: data/orders, incremental: {column: updated_at, strategy: append}}\n\
         store: lake/orders\n",
    );
    project.flow(
        "later",
        "home: lake/orders\nstore: lake/later\nafter: sales\n",
    );
    project.flow("none", "home: nowhere\nstore: lake/none\n");
    project.orders("data/orders/a.parquet", &Orders::new(0..20));
    let mut pages = documented();
    let mut holds = |section: &str, commands: &[&str], elsewhere: &[&str]| {
        let mut printed = printed(&project, commands);
        printed.extend(elsewhere.iter().map(|field| (*field).to_owned()));
        assert_eq!(pages.remove(section), Some(printed), "{section}");
    };
    holds("hygge list", &["list"], &[]);
    holds("hygge list --discover", &["list --discover"], &[]);
    let steps = ["schema sales.orders"];
    holds("hygge schema FLOW.ENTITY", &steps, &[]);
    holds("hygge schema diff", &["schema diff sales.orders"], &[]);
    holds("hygge debug", &["debug"], &[]);
    holds("hygge apply", &["apply seeds.sql --connection db"], &[]);
    project.hygge("start").run();
    holds(
        "hygge state",
        &["state list", "state show sales.orders"],
        // Of a commit that waits, which has tests of its own.
        &["waits"],
    );
    // Plugins and connections have tests of their own.
    holds("hygge runs", &["runs", "runs show"], &["plugins", "pools"]);
    assert!(pages.is_empty(), "{pages:?}");
}
