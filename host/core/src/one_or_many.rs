use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

/// One text, or a list of them: what is most often one is written as one.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// As many as there are.
    Many(Vec<String>),
}

impl OneOrMany {
    /// All of them.
    pub fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }

    /// Reads a field that is a list within the program.
    pub fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
        Self::deserialize(from).map(Self::into_vec)
    }
}
