//! Pages of docs/ and README files that tell a person what to do: done here, word for word.

use crate::harness::{Follower, Project, free_port, page};
use crate::{plugin_new, shipped};

#[test]
fn a_first_connector_is_written() {
    let folder = Project::bare();
    let port = free_port().to_string();
    let mut reader = Follower::new(&folder, plugin_new::built()).reading("8000", &port);
    reader.follow(&page("docs/plugins/first-connector.md"));
}

#[test]
fn the_examples_of_transforms_run() {
    let folder = Project::bare();
    folder.write("hygge.yml", "name: shop\n");
    Follower::new(&folder, plugin_new::built()).follow(&page("docs/transforms.md"));
}

#[test]
fn the_transforms_of_the_configuration_page_run() {
    let page = page("docs/configuration.md");
    let (_, after) = page.split_once("\n## Transforms\n").unwrap();
    let block = after.split("```yaml\n").nth(1).unwrap();
    let transforms = block.split("```").next().unwrap();
    let project = Project::new();
    project.write("people.csv", "id,email\n1,ann@example.com\n");
    project.flow(
        "people",
        &format!("home: people.csv\nstore: {{type: csv, path: out/people}}\n{transforms}"),
    );
    let start = project.hygge("start").env("MASK_KEY", "a long random text");
    start.succeed();
    let peek = project.hygge("peek people.people --format csv");
    let shown = peek.env("MASK_KEY", "a long random text").succeed().stdout;
    assert!(
        shown.starts_with("id,email\n1,") && !shown.contains("ann"),
        "{shown}"
    );
}

#[test]
fn rows_are_checked() {
    let folder = Project::bare();
    folder.write("hygge.yml", "name: shop\n");
    Follower::new(&folder, plugin_new::built()).follow(&page("docs/checks.md"));
}

#[test]
fn a_source_gets_another_column() {
    let folder = Project::bare();
    folder.write("hygge.yml", "name: shop\n");
    Follower::new(&folder, plugin_new::built()).follow(&page("docs/schema-changes.md"));
}

#[test]
fn tables_are_generated() {
    let folder = Project::bare();
    folder.write("hygge.yml", "name: shop\n");
    Follower::new(&folder, plugin_new::built()).follow(&page("docs/ddl.md"));
}

#[test]
fn the_demo_of_the_plugins_runs() {
    let folder = Project::bare();
    // Beside what it is built from, as in the source.
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/demo");
    crate::harness::walk(&source, &mut |path, is_folder| {
        let inner = path.strip_prefix(&source).unwrap().to_str().unwrap();
        if !is_folder {
            let text = std::fs::read_to_string(path).unwrap();
            folder.write(&format!("plugins/demo/{inner}"), text);
        }
    });
    let built = shipped::file("mask");
    let built = built.ancestors().nth(3).unwrap();
    std::os::unix::fs::symlink(built, folder.path("target")).unwrap();
    let port = free_port().to_string();
    for file in ["hygge.yml", "flows/deals/flow.yml"] {
        let path = format!("plugins/demo/{file}");
        let text = std::fs::read_to_string(folder.path(&path)).unwrap();
        folder.write(&path, text.replace("8000", &port));
    }
    let mut reader = Follower::new(&folder, plugin_new::built()).reading("8000", &port);
    reader.follow(&page("plugins/demo/README.md"));
    let settled = folder.path("plugins/demo/out/customers");
    let file = settled.read_dir().unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(file).unwrap();
    assert!(!text.contains("ada@example.com"), "{text}");
    assert_eq!(folder.content("plugins/demo/lake/deals").rows, 4);
}

/// Each message of the page is one that somebody can meet: its parts stand in the source, one
/// after the other.
#[test]
fn troubleshooting_is_about_messages_that_there_are() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut source = String::new();
    for folder in [
        "host/component/src",
        "host/plugins/src",
        "host/cli/src",
        "host/engine/src",
        "sdk/rust/src",
    ] {
        crate::harness::walk(&root.join(folder), &mut |path, _| {
            if path.extension().is_some_and(|ending| ending == "rs") {
                source.push_str(&std::fs::read_to_string(path).unwrap());
            }
        });
    }
    // A text that goes on in the next line, and names that are filled in.
    let joined = regex::Regex::new(r"\\\n\s*")
        .unwrap()
        .replace_all(&source, "");
    let page = page("docs/plugins/troubleshooting.md");
    let mut messages = 0;
    for line in page.lines() {
        let Some(message) = line.strip_prefix("### `").and_then(|m| m.strip_suffix('`')) else {
            continue;
        };
        messages += 1;
        let parts = message
            .split('…')
            .map(|part| part.trim_matches([':', ' ', '`', '"']));
        for part in parts.filter(|part| part.len() > 4) {
            assert!(joined.contains(part), "{message}: nobody says {part:?}");
        }
    }
    assert!(messages > 25, "{messages}");
}
