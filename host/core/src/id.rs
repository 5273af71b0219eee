use std::fmt;

use serde::{Deserialize, Serialize};

/// One entity of one flow; shown and typed as `flow.entity`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EntityId {
    /// The flow's name.
    pub flow: String,
    /// The entity's name, unique within its flow.
    pub entity: String,
}

impl EntityId {
    /// Names the entity of a flow.
    pub fn new(flow: impl Into<String>, entity: impl Into<String>) -> Self {
        Self {
            flow: flow.into(),
            entity: entity.into(),
        }
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.flow, self.entity)
    }
}

/// One run of `hygge start`. Sorts by the time it began: `20261122t170908123z-4f2k9a`.
///
/// Only lower-case letters, digits and `-`, so that it can be part of a file name or an SQL
/// identifier.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(String);

impl RunId {
    /// Builds an id from the moment the run began and a random number that tells apart runs
    /// begun in the same millisecond.
    pub fn new(began: jiff::Timestamp, random: u64) -> Self {
        const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let tail: String = (0..6)
            .map(|k| char::from(DIGITS[((random >> (5 * k)) & 31) as usize]))
            .collect();
        Self(format!("{}-{tail}", began.strftime("%Y%m%dt%H%M%S%3fz")))
    }

    /// Reads an id back; `None` when the text can't be one.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = !text.is_empty()
            && text.len() <= 64
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        fits.then(|| Self(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names a split within its entity; the same source gives the same ids, in an order that sorts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SplitId(pub String);

impl SplitId {
    /// The id of the `n`-th split, counted from 0: `00000n`.
    pub fn nth(n: usize) -> Self {
        Self(format!("{n:06}"))
    }
}

impl fmt::Display for SplitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_sort_by_time_and_read_back() {
        let early = RunId::new(
            jiff::Timestamp::from_millisecond(1_000_000_000_007).unwrap(),
            u64::MAX,
        );
        let late = RunId::new(
            jiff::Timestamp::from_millisecond(1_000_000_000_070).unwrap(),
            0,
        );
        assert!(early < late);
        assert_eq!(RunId::parse(early.as_str()), Some(early.clone()));
        assert_eq!(early.as_str(), "20010909t014640007z-zzzzzz");
        assert_eq!(RunId::parse("../x"), None);
    }
}
