//! What a plugin says of itself: read from its sealed section, believed in nothing that matters.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::DESCRIPTION;
use crate::line::clean;
use crate::settings;

/// The description of a plugin; docs in `wit/0.1.0/describe.wit`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// The form of the description; 1.
    pub describe: u32,
    /// What stands in `type:`.
    pub name: String,
    /// The plugin's own version.
    pub version: String,
    /// One line for lists.
    #[serde(default)]
    pub summary: String,
    /// What it is as a Home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<Part>,
    /// What it is as a Store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<Part>,
    /// What it is as a transform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform: Option<Part>,
    /// What it wants to be granted.
    #[serde(default)]
    pub grants: Wanted,
    /// `exactly-once` or `at-least-once`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<String>,
}

/// One of the things a plugin can be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The JSON Schema of its settings.
    #[serde(default)]
    pub config: Value,
    /// The setting that names a path or table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// What it is able to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub abilities: Vec<String>,
}

impl Part {
    /// Whether it says that it is able to.
    pub fn able(&self, ability: &str) -> bool {
        self.abilities.iter().any(|each| each == ability)
    }
}

/// What a plugin wants to be granted, in the words of hygge.yml.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wanted {
    /// Origins it sends requests to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<String>,
    /// Secrets, and the host each is for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
    /// Folders it reads.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub read: Vec<String>,
    /// Folders it writes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub write: Vec<String>,
    /// Environment variables it reads.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
}

impl Description {
    /// Reads the text of a section or of `describe`, or says what is wrong with it.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        if text.len() > DESCRIPTION {
            return Err("its description is larger than 1 MiB".to_owned());
        }
        let mut read: Self = serde_json::from_slice(text).map_err(|error| {
            format!(
                "its description can't be read: {}",
                clean(&error.to_string(), 300)
            )
        })?;
        if read.describe != 1 {
            return Err(format!(
                "its description has the form {}, this hygge reads form 1",
                read.describe
            ));
        }
        if !is_name(&read.name) {
            return Err(format!(
                "{:?} can't be the name of a type",
                clean(&read.name, 64)
            ));
        }
        read.grants.check()?;
        read.version = clean(&read.version, 64);
        read.summary = clean(&read.summary, 200);
        if read.version.is_empty() {
            return Err("its description has no version".to_owned());
        }
        for part in [&mut read.home, &mut read.store, &mut read.transform]
            .into_iter()
            .flatten()
        {
            if part.config.is_null() {
                part.config = serde_json::json!({ "type": "object" });
            }
            if !part.config.is_object() {
                return Err("the schema of its settings is not an object".to_owned());
            }
            settings::bounded(&part.config)
                .map_err(|why| format!("the schema of its settings can't be used: {why}"))?;
        }
        Ok(read)
    }
}

/// One of the settings of a plugin, for lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its key.
    pub name: String,
    /// What it takes, in the words of JSON Schema: `string`.
    pub takes: String,
    /// Whether it must be there.
    pub needed: bool,
    /// What it means.
    pub meaning: String,
}

impl Part {
    /// The settings at the top level of the schema, in lines that are safe to show.
    pub fn settings(&self) -> Vec<Setting> {
        const SHOWN: usize = 200;
        let needed = self.config["required"].as_array();
        let properties = self.config["properties"].as_object();
        let shown = properties.into_iter().flatten().take(SHOWN);
        shown
            .map(|(name, schema)| Setting {
                name: clean(name, 64),
                takes: takes(schema),
                needed: needed.is_some_and(|all| all.iter().any(|each| each == name)),
                meaning: clean(schema["description"].as_str().unwrap_or_default(), 300),
            })
            .collect()
    }
}

fn takes(schema: &Value) -> String {
    let words = match &schema["type"] {
        Value::String(word) => word.clone(),
        Value::Array(words) => {
            let words = words.iter().filter_map(Value::as_str);
            words
                .filter(|w| *w != "null")
                .collect::<Vec<_>>()
                .join(" or ")
        }
        _ => String::new(),
    };
    clean(&words, 64)
}

impl Wanted {
    /// Whether it wants nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What of this wasn't wanted before.
    #[must_use]
    pub fn beyond(&self, before: &Self) -> Self {
        let new = |now: &[String], before: &[String]| -> Vec<String> {
            let now = now.iter().filter(|each| !before.contains(each));
            now.cloned().collect()
        };
        let secrets = self.secrets.iter();
        Self {
            http: new(&self.http, &before.http),
            secrets: secrets
                .filter(|(name, host)| before.secrets.get(*name) != Some(*host))
                .map(|(name, host)| (name.clone(), host.clone()))
                .collect(),
            read: new(&self.read, &before.read),
            write: new(&self.write, &before.write),
            env: new(&self.env, &before.env),
        }
    }

    /// What is wanted, one thing a line.
    pub fn lines(&self) -> Vec<String> {
        let each = |what: &'static str, names: &[String]| -> Vec<String> {
            names.iter().map(|name| format!("{what} {name}")).collect()
        };
        let secrets = self.secrets.iter();
        let secrets = secrets.map(|(name, host)| format!("secret {name} for {host}"));
        let mut lines = each("http", &self.http);
        lines.extend(secrets);
        lines.extend(each("read", &self.read));
        lines.extend(each("write", &self.write));
        lines.extend(each("env", &self.env));
        lines
    }

    /// What is wanted is shown as lines to put into hygge.yml, so it must not be able to say
    /// anything there but itself.
    fn check(&self) -> Result<(), String> {
        let plain = |text: &str, more: &str| {
            !text.is_empty()
                && text.len() <= 1_024
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || more.as_bytes().contains(&b))
        };
        let shown = |text: &str| !text.is_empty() && clean(text, 1_024) == text;
        let fine = self.http.iter().all(|url| shown(url))
            && self
                .read
                .iter()
                .chain(&self.write)
                .all(|folder| shown(folder))
            && self.env.iter().all(|name| plain(name, "_"))
            && self
                .secrets
                .iter()
                .all(|(name, host)| plain(name, "_") && plain(host, ".-:[]"));
        match fine {
            true => Ok(()),
            false => Err("what it wants to be granted can't be read".to_owned()),
        }
    }
}

/// Lower-case letters, digits, `-` and `_`, beginning with a letter, up to 64.
fn is_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Description, String> {
        Description::read(text.as_bytes())
    }

    #[test]
    fn what_is_unknown_is_left_alone() {
        let read = read(
            r#"{"describe": 1, "name": "crm", "version": "1.0.0", "tomorrow": {},
                "home": {"abilities": ["watermarks", "flying"]}}"#,
        )
        .unwrap();
        let home = read.home.unwrap();
        assert!(home.able("watermarks") && !home.able("operations"));
        assert_eq!(home.config, serde_json::json!({ "type": "object" }));
        assert_eq!(read.grants, Wanted::default());
    }

    #[test]
    fn names_and_versions_are_looked_at() {
        for wrong in [
            r#"{"describe": 2, "name": "crm", "version": "1"}"#,
            r#"{"describe": 1, "name": "../crm", "version": "1"}"#,
            r#"{"describe": 1, "name": "Crm", "version": "1"}"#,
            r#"{"describe": 1, "name": "", "version": "1"}"#,
            r#"{"describe": 1, "name": "crm", "version": "\u001b"}"#,
            r#"{"describe": 1, "name": "crm", "version": "1", "home": {"config": 3}}"#,
            r#"{"describe": 1, "name": "crm", "version": "1", "grants": {"read": ["a\nb"]}}"#,
            r#"{"describe": 1, "name": "crm", "version": "1", "grants": {"secrets": {"A}": "b"}}}"#,
            "[]",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_new_is_told_apart() {
        let wants = |text: &str| serde_json::from_str::<Wanted>(text).unwrap();
        let before = wants(r#"{"http": ["https://a"], "secrets": {"T": "a"}, "read": ["in"]}"#);
        let after = wants(
            r#"{"http": ["https://a", "https://b"], "secrets": {"T": "b"}, "env": ["LANG"]}"#,
        );
        assert!(before.beyond(&before).is_empty());
        assert_eq!(
            after.beyond(&before).lines(),
            ["http https://b", "secret T for b", "env LANG"]
        );
    }

    #[test]
    fn settings_are_told_in_safe_lines() {
        let part = Part {
            config: serde_json::json!({
                "required": ["url"],
                "properties": {
                    "url": {"type": "string", "description": "Where\u{1b}[31m\nit is"},
                    "rows": {"type": ["integer", "null"]},
                },
            }),
            ..Part::default()
        };
        let settings = part.settings();
        let shown = |n: usize| {
            let each = &settings[n];
            (each.name.as_str(), each.takes.as_str(), each.needed)
        };
        assert_eq!(shown(0), ("rows", "integer", false));
        assert_eq!(shown(1), ("url", "string", true));
        assert_eq!(settings[1].meaning, "Where[31m it is");
    }
}
