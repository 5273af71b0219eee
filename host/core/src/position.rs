use serde::{Deserialize, Serialize};

/// How far a reader came. Opaque to everyone but the Home that made it, and plain data, so
/// that it can be stored and read by another process.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub serde_json::Value);

impl Position {
    /// Before the first row.
    pub fn start() -> Self {
        Self(serde_json::Value::Null)
    }

    /// Whether this is before the first row.
    pub fn is_start(&self) -> bool {
        self.0.is_null()
    }
}
