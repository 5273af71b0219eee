//! The small key-value state of a plugin for one entity. It travels as the memory of the
//! entity's split plan, so it is committed with the position, or not at all.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use hygge_core::{Fault, Result, code};

const KEY: usize = 200;
const QUOTA: usize = 256 << 10;

/// What `splits` sees and changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Scratch(BTreeMap<String, Vec<u8>>);

impl Scratch {
    /// Reads what the last commit left.
    pub(crate) fn read(memory: Option<&[u8]>) -> Result<Self> {
        let Some(memory) = memory else {
            return Ok(Self::default());
        };
        let lost = || Fault::new(code::STATE, "what a plugin had remembered can't be read");
        let text: BTreeMap<String, String> = serde_json::from_slice(memory).map_err(|_| lost())?;
        let mut map = BTreeMap::new();
        for (key, value) in text {
            map.insert(key, BASE64.decode(value).map_err(|_| lost())?);
        }
        Ok(Self(map))
    }

    /// What is to be committed; none when there is nothing.
    pub(crate) fn write(&self) -> Option<Vec<u8>> {
        if self.0.is_empty() {
            return None;
        }
        let text: BTreeMap<&str, String> = self
            .0
            .iter()
            .map(|(key, value)| (key.as_str(), BASE64.encode(value)))
            .collect();
        serde_json::to_vec(&text).ok()
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
        assert_eq!(scratch.write(), None);
        scratch.set("cursor".into(), Some(vec![0, 255])).unwrap();
        let again = Scratch::read(scratch.write().as_deref()).unwrap();
        assert_eq!(again.get("cursor"), Some(vec![0, 255]));
        assert_eq!(again, scratch);
        assert!(Scratch::read(Some(b"garbage")).is_err());
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
