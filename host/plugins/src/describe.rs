//! What a plugin says of itself: read from its sealed section, believed in nothing that matters.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fault::clean;
use crate::limits::DESCRIPTION;

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
        }
        Ok(read)
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
            "[]",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
