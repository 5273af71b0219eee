//! Values that stand in settings.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

/// A text, a number, `true` or `false`.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Scalar {
    Bool(bool),
    Whole(i64),
    Float(f64),
    Text(String),
}

impl Scalar {
    /// As it would be written.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Whole(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
            Self::Text(value) => value.clone(),
        }
    }
}

/// A value may come from a secret: it is never shown.
impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}
