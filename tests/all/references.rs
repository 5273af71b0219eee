//! The references in docs/ are made from the program, and can't drift from it: what stands
//! between the markers is what it prints. `HYGGE_WRITE_DOCS=1` writes them anew.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::harness::Project;

const BEGIN: &str = "<!-- made by the program: HYGGE_WRITE_DOCS=1 .ci/test references -->\n";
const END: &str = "<!-- up to here -->\n";

/// Puts `made` between the markers of a document, or insists that it stands there.
fn holds(document: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(document);
    let text = fs::read_to_string(&path).unwrap();
    says(document, &text, &with(&text, BEGIN, made));
}

/// A text with something else after a marker.
fn with(text: &str, begin: &str, made: &str) -> String {
    let (head, rest) = text
        .split_once(begin)
        .unwrap_or_else(|| panic!("no {begin}"));
    let (_, tail) = rest.split_once(END).unwrap();
    format!("{head}{begin}{made}{END}{tail}")
}

/// Writes a document anew, or insists that it is what is wanted.
fn says(document: &str, text: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(document);
    if std::env::var_os("HYGGE_WRITE_DOCS").is_some() {
        fs::write(&path, wanted).unwrap();
    } else {
        assert!(
            text == wanted,
            "docs/{document} is not what the program says; write it anew with \
             HYGGE_WRITE_DOCS=1 .ci/test references"
        );
    }
}

#[test]
fn cli() {
    let project = Project::bare();
    let mut made = String::new();
    for verb in [
        "",
        "init",
        "start",
        "debug",
        "list",
        "peek",
        "schema",
        "generate",
        "generate ddl",
        "generate entities",
        "apply",
        "plugin",
        "plugin list",
        "plugin inspect",
        "plugin add",
        "plugin remove",
        "plugin trust",
        "plugin seal",
        "plugin new",
        "plugin run",
        "plugin test",
        "state",
        "state set",
        "runs",
        "completions",
    ] {
        let help = project.hygge(&format!("{verb} --help")).succeed().stdout;
        let name = format!("hygge {verb}");
        write!(
            made,
            "\n## {}\n\n```text\n{}\n```\n",
            name.trim(),
            help.trim_end()
        )
        .unwrap();
    }
    made.push('\n');
    holds("cli.md", &made);
}

/// Each transform has its keys in its section, and an example.
#[test]
fn transforms() {
    let text = crate::harness::page("docs/transforms.md");
    let mut wanted = text.clone();
    for kind in hygge::registry().transforms() {
        let name = kind.name();
        let begin = format!(
            "<!-- keys of {name}, made by the program: HYGGE_WRITE_DOCS=1 .ci/test references -->\n"
        );
        let made = format!(
            "\n`{name}` {}.\n\n{}\n",
            kind.summary(),
            table(&kind.schema())
        );
        wanted = with(&wanted, &begin, &made);
        let example = format!("- type: {name}\n");
        assert!(text.contains(&example), "no example of {name}");
    }
    says("transforms.md", &text, &wanted);
}

#[test]
fn settings() {
    let registry = hygge::registry();
    let project = Project::bare();
    let mut made = String::new();
    for (file, kind) in [
        ("hygge.yml", "project"),
        ("flows/FLOW/flow.yml", "flow"),
        ("flows/FLOW/entities/ENTITY.yml", "entity"),
    ] {
        let printed = project.hygge(&format!("schema {kind}")).succeed().stdout;
        let schema: Value = serde_json::from_str(&printed).unwrap();
        write!(made, "\n## {file}\n\n{}", table(&schema)).unwrap();
        if kind == "project" {
            let options = resolve(&schema["properties"]["options"], &schema);
            write!(made, "\n### options\n\n{}", fields(options, &schema)).unwrap();
        }
    }
    for kind in registry.homes() {
        let schema = kind.schema();
        write!(
            made,
            "\n## home, type: {}\n\n{}.\n\n{}",
            kind.name(),
            kind.summary().trim_end_matches('.'),
            table(&schema)
        )
        .unwrap();
    }
    for kind in registry.stores() {
        let schema = kind.schema();
        write!(
            made,
            "\n## store, type: {}\n\n{}.\n\n{}",
            kind.name(),
            kind.summary().trim_end_matches('.'),
            table(&schema)
        )
        .unwrap();
    }
    for kind in registry.transforms() {
        let schema = kind.schema();
        write!(
            made,
            "\n## transform, type: {}\n\nIt {}.\n\n{}",
            kind.name(),
            kind.summary(),
            table(&schema)
        )
        .unwrap();
    }
    made.push('\n');
    holds("settings.md", &made);
}

fn table(schema: &Value) -> String {
    fields(schema, schema)
}

/// One line a key: what it takes, and what it means.
fn fields(object: &Value, whole: &Value) -> String {
    let mut text = String::from("| Key | Takes | Meaning |\n|---|---|---|\n");
    for (key, field) in object["properties"].as_object().unwrap() {
        let described = field["description"]
            .as_str()
            .or_else(|| resolve(field, whole)["description"].as_str())
            .unwrap_or_default();
        let needed = object["required"]
            .as_array()
            .is_some_and(|required| required.iter().any(|name| name == key));
        writeln!(
            text,
            "| `{key}`{} | {} | {} |",
            if needed { ", needed" } else { "" },
            takes(field, whole),
            described.replace('\n', " ").replace('|', "\\|")
        )
        .unwrap();
    }
    text
}

fn resolve<'a>(field: &'a Value, whole: &'a Value) -> &'a Value {
    match field["$ref"].as_str() {
        Some(reference) => whole.pointer(reference.trim_start_matches('#')).unwrap(),
        None => field,
    }
}

/// What a field takes, in words.
fn takes(field: &Value, whole: &Value) -> String {
    let field = resolve(field, whole);
    if let Some(constant) = field["const"].as_str() {
        return format!("`{constant}`");
    }
    if let Some(choices) = field["enum"].as_array() {
        let shown: Vec<_> = choices
            .iter()
            .filter_map(Value::as_str)
            .map(|choice| format!("`{choice}`"))
            .collect();
        return shown.join(", ");
    }
    for several in ["anyOf", "oneOf"] {
        if let Some(choices) = field[several].as_array() {
            let mut shown: Vec<_> = choices
                .iter()
                .filter(|choice| choice["type"] != "null")
                .map(|choice| takes(choice, whole))
                .collect();
            shown.dedup();
            return shown.join(", ");
        }
    }
    let types = match &field["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        Value::String(one) => vec![one.as_str()],
        _ => Vec::new(),
    };
    let shown: Vec<String> = types
        .into_iter()
        .filter(|kind| *kind != "null")
        .map(|kind| match kind {
            "string" => "text".to_owned(),
            "integer" => "whole number".to_owned(),
            "boolean" => "`true`, `false`".to_owned(),
            "array" => format!("list of {}", takes(&field["items"], whole)),
            "object" => "map".to_owned(),
            other => other.to_owned(),
        })
        .collect();
    shown.join(" or ")
}
