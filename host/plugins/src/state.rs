//! The small key-value state of a plugin for one entity. It travels as the memory of the
//! entity's split plan, so it is committed with the position, or not at all.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use hygge_core::{Fault, Result, code};
use serde::{Deserialize, Serialize};

const KEY: usize = 200;
const QUOTA: usize = 256 << 10;

/// What `splits` sees and changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Scratch(BTreeMap<String, Vec<u8>>);

/// State as it is kept: with the plugin that it belongs to, by the name of its file.
#[derive(Serialize, Deserialize)]
struct Kept {
    plugin: String,
    values: BTreeMap<String, String>,
}

impl Scratch {
    /// Reads what the last commit left. What another plugin, or a connector of hygge's own,
    /// remembered for the same entity is none of this one's business.
    pub(crate) fn read(memory: Option<&[u8]>, plugin: &str) -> Result<Self> {
        let kept = memory.and_then(|memory| serde_json::from_slice::<Kept>(memory).ok());
        let Some(kept) = kept.filter(|kept| kept.plugin == plugin) else {
            return Ok(Self::default());
        };
        let lost = || Fault::new(code::STATE, "what a plugin had remembered can't be read");
        let mut map = BTreeMap::new();
        for (key, value) in kept.values {
            map.insert(key, BASE64.decode(value).map_err(|_| lost())?);
        }
        Ok(Self(map))
    }

    /// What is to be committed; none when there is nothing.
    pub(crate) fn write(&self, plugin: &str) -> Option<Vec<u8>> {
        if self.0.is_empty() {
            return None;
        }
        let values = self
            .0
            .iter()
            .map(|(key, value)| (key.clone(), BASE64.encode(value)))
            .collect();
        serde_json::to_vec(&Kept {
            plugin: plugin.to_owned(),
            values,
        })
        .ok()
    }

    pub(crate) fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.0.get(key).cloned()
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// Sets or removes a key; refuses what breaks the quota, changing nothing.
    pub(crate) fn set(&mut self, key: String, value: Option<Vec<u8>>) -> Result<(), String> {
        let Some(value) = value else {
            self.0.remove(&key);
            return Ok(());
        };
        if key.is_empty() || key.len() > KEY {
            return Err(format!("a key of state has 1 to {KEY} bytes"));
        }
        let others: usize = self
            .0
            .iter()
            .filter(|(k, _)| **k != key)
            .map(|(k, v)| k.len() + v.len())
            .sum();
        if others + key.len() + value.len() > QUOTA {
            return Err(format!("state has room for {} KiB", QUOTA >> 10));
        }
        self.0.insert(key, value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_read_again() {
        let mut scratch = Scratch::default();
        assert_eq!(scratch.write("crm"), None);
        scratch.set("cursor".into(), Some(vec![0, 255])).unwrap();
        let kept = scratch.write("crm");
        let again = Scratch::read(kept.as_deref(), "crm").unwrap();
        let other = Scratch::read(kept.as_deref(), "other").unwrap();
        assert!(other.keys().is_empty());
        assert_eq!(again.get("cursor"), Some(vec![0, 255]));
        assert_eq!(again, scratch);
        assert_eq!(
            Scratch::read(Some(b"else's"), "crm").unwrap(),
            Scratch::default()
        );
    }

    #[test]
    fn the_quota_holds_and_nothing_is_set_beyond_it() {
        let mut scratch = Scratch::default();
        scratch.set("a".into(), Some(vec![0; QUOTA - 1])).unwrap();
        assert!(scratch.set("b".into(), Some(vec![0])).is_err());
        assert_eq!(scratch.keys(), ["a"]);
        scratch.set("a".into(), Some(vec![0; 10])).unwrap();
        scratch.set("b".into(), Some(vec![0])).unwrap();
        scratch.set("a".into(), None).unwrap();
        assert_eq!(scratch.keys(), ["b"]);
        assert!(scratch.set("k".repeat(201), Some(vec![])).is_err());
    }
}
