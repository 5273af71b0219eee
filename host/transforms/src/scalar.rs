//! Values that stand in settings.

use std::fmt;

use arrow_schema::DataType;
use schemars::JsonSchema;
use serde::Deserialize;

/// A text, a number, `true` or `false`.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Scalar {
    Bool(bool),
    Whole(i64),
    /// Larger than those.
    Large(u64),
    Float(f64),
    Text(String),
}

impl Scalar {
    /// Whether it may have been written otherwise than it was read: 1.10 is 1.1, 007 is 7, and a float
    /// has 15 digits.
    pub(crate) fn is_rounded_for(&self, column: &DataType) -> bool {
        match (self, column) {
            (
                Self::Whole(_) | Self::Large(_) | Self::Float(_),
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View,
            ) => true,
            (Self::Float(value), other) if !other.is_floating() => {
                let digits = value.to_string().replace(['-', '.'], "");
                digits.trim_matches('0').len() > 15
            }
            _ => false,
        }
    }

    /// As it would be written.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Whole(value) => value.to_string(),
            Self::Large(value) => value.to_string(),
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
