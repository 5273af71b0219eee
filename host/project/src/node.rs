use std::collections::{BTreeMap, BTreeSet};

use hygge_core::Settings;
use serde_json::Number;

use crate::Problem;
use crate::source::At;

/// A value, and where it was written.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) at: At,
    /// Never to be shown.
    pub(crate) secret: bool,
    /// A secret by what it is for, whoever it comes from.
    pub(crate) credential: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// Also what a more specific layer writes to unset a value.
    Null,
    /// With the text as it was written, for where a text is wanted (`table: 2013`).
    Bool(bool, String),
    Number(Number, String),
    /// `loose` when it came whole from a variable, which has no types: it becomes a number where
    /// one is wanted.
    Text {
        text: String,
        loose: bool,
    },
    List(Vec<Node>),
    Map(Map),
    /// A variable in it isn't set; only a problem where the value is used.
    Unset(Vec<Problem>),
}

/// Keys in the order they were written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Map {
    pub(crate) entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: At,
    pub(crate) value: Node,
}

impl Map {
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.entries
            .iter_mut()
            .find(|entry| entry.key == key)
            .map(|entry| &mut entry.value)
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some_and(|node| !node.is_null())
    }

    /// Takes a key out; a null counts as nothing.
    pub(crate) fn take(&mut self, key: &str) -> Option<Entry> {
        let index = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(index)).filter(|entry| !entry.value.is_null())
    }

    pub(crate) fn set(&mut self, key: &str, at: At, value: Node) {
        match self.entries.iter_mut().find(|entry| entry.key == key) {
            Some(entry) => {
                entry.at = at;
                entry.value = value;
            }
            None => self.entries.push(Entry {
                key: key.to_owned(),
                at,
                value,
            }),
        }
    }
}

impl Node {
    pub(crate) fn new(value: Value, at: At) -> Self {
        Self {
            value,
            at,
            secret: false,
            credential: false,
        }
    }

    pub(crate) fn text(text: impl Into<String>, at: At) -> Self {
        let text = text.into();
        Self::new(Value::Text { text, loose: false }, at)
    }

    /// JSON as if it had been written at that place.
    pub(crate) fn of_json(json: &serde_json::Value, at: &At) -> Self {
        use serde_json::Value as Json;
        let value = match json {
            Json::Null => Value::Null,
            Json::Bool(truth) => Value::Bool(*truth, truth.to_string()),
            Json::Number(number) => Value::Number(number.clone(), number.to_string()),
            Json::String(text) => return Self::text(text, at.clone()),
            Json::Array(items) => {
                Value::List(items.iter().map(|item| Self::of_json(item, at)).collect())
            }
            Json::Object(map) => {
                let entry = |(key, value): (&String, &Json)| Entry {
                    key: key.clone(),
                    at: at.clone(),
                    value: Self::of_json(value, at),
                };
                Value::Map(Map {
                    entries: map.iter().map(entry).collect(),
                })
            }
        };
        Self::new(value, at.clone())
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    pub(crate) fn as_map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The text of a scalar, also when YAML takes it for a number.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text { text, .. } | Value::Number(_, text) | Value::Bool(_, text) => Some(text),
            _ => None,
        }
    }

    /// Looks a key up, through nothing but maps.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.get(key).filter(|node| !node.is_null())
    }

    /// As JSON, without what is null, and the pointers to what is secret.
    pub(crate) fn json(&self) -> (serde_json::Value, BTreeSet<String>) {
        let mut secrets = BTreeMap::new();
        let value = self.json_at(&mut String::new(), &mut secrets);
        (value, secrets.into_keys().collect())
    }

    /// As the settings of whatever is made from them.
    pub(crate) fn settings(&self) -> Settings {
        let mut secrets = BTreeMap::new();
        let value = self.json_at(&mut String::new(), &mut secrets);
        let credentials = secrets.iter().filter(|(_, credential)| **credential);
        let credentials: Vec<String> = credentials.map(|(at, _)| at.clone()).collect();
        Settings::new(value, secrets.into_keys()).with_credentials(credentials)
    }

    /// `secrets` says of each whether it is a credential.
    fn json_at(
        &self,
        pointer: &mut String,
        secrets: &mut BTreeMap<String, bool>,
    ) -> serde_json::Value {
        if self.secret {
            secrets.insert(pointer.clone(), self.credential);
        }
        let depth = pointer.len();
        match &self.value {
            Value::Null | Value::Unset(_) => serde_json::Value::Null,
            Value::Bool(value, _) => (*value).into(),
            Value::Number(number, _) => number.clone().into(),
            Value::Text { text, .. } => text.clone().into(),
            Value::List(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| {
                    pointer.push_str(&format!("/{index}"));
                    let value = item.json_at(pointer, secrets);
                    pointer.truncate(depth);
                    value
                })
                .collect(),
            Value::Map(map) => map
                .entries
                .iter()
                .filter(|entry| !entry.value.is_null())
                .map(|entry| {
                    pointer.push('/');
                    pointer.push_str(&escape(&entry.key));
                    let value = entry.value.json_at(pointer, secrets);
                    pointer.truncate(depth);
                    (entry.key.clone(), value)
                })
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }

    /// The scalars that are never to be shown.
    pub(crate) fn secrets(&self) -> Vec<&Self> {
        match &self.value {
            Value::Map(map) => map.entries.iter().flat_map(|e| e.value.secrets()).collect(),
            Value::List(items) => items.iter().flat_map(Self::secrets).collect(),
            _ if self.secret => vec![self],
            _ => Vec::new(),
        }
    }

    /// The place of what a JSON pointer means, or of the nearest thing that holds it. For a key
    /// of a map that is the value when it stands on its own, so that the caret is under it.
    pub(crate) fn find(&self, pointer: &str) -> &At {
        let mut node = self;
        let mut at = &self.at;
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            match &node.value {
                Value::Map(map) => match map.entry(&part) {
                    Some(entry) => {
                        node = &entry.value;
                        at = node.place(&entry.at);
                    }
                    None => break,
                },
                Value::List(items) => match part.parse().ok().and_then(|n: usize| items.get(n)) {
                    Some(item) => {
                        node = item;
                        at = &item.at;
                    }
                    None => break,
                },
                _ => break,
            }
        }
        at
    }

    /// Where to point at: a scalar itself, but the key of a map or list.
    pub(crate) fn place<'a>(&'a self, key: &'a At) -> &'a At {
        match &self.value {
            Value::Map(_) | Value::List(_) | Value::Null => key,
            _ => &self.at,
        }
    }
}

/// RFC 6901.
pub(crate) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
