use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens when the columns that come aren't those of the last run, or of the destination.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnSchemaChange {
    /// It is told, and the run goes on if the destination can take the rows as they are.
    #[default]
    Warn,
    /// The entity fails before rows move.
    Fail,
    /// New columns are added to the destination; a column of another type fails the entity.
    Additive,
    /// New columns are added, and types become wider, never narrower.
    Evolve,
    /// New columns are left out.
    IgnoreExtra,
}

impl OnSchemaChange {
    /// Whether a destination gets the columns that it lacks.
    pub fn adds(self) -> bool {
        matches!(self, Self::Additive | Self::Evolve)
    }
}
