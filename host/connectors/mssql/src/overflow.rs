use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What becomes of a value that its column can't hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnOverflow {
    /// The entity fails, and the error names column, row and value.
    #[default]
    Error,
    /// It becomes NULL.
    SetNull,
    /// What is too large or too small becomes the last value there is, what is too long or too
    /// fine is cut.
    Clip,
}

impl OnOverflow {
    /// What is told of a column of which values didn't fit; `why` is what they didn't fit.
    pub(crate) fn told(self, column: &str, values: u64, why: &str) -> String {
        let (count, are) = match values {
            1 => ("value", "is"),
            _ => ("values", "are"),
        };
        let became = match self {
            Self::SetNull => "NULL",
            _ => "clipped",
        };
        format!("column {column:?}: {values} {count} {why}, and {are} {became} by `on_overflow`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_how_many_values_were_changed() {
        assert_eq!(
            OnOverflow::Clip.told("n", 1, "didn't fit tinyint"),
            "column \"n\": 1 value didn't fit tinyint, and is clipped by `on_overflow`"
        );
        assert_eq!(
            OnOverflow::SetNull.told("n", 2, "didn't fit tinyint"),
            "column \"n\": 2 values didn't fit tinyint, and are NULL by `on_overflow`"
        );
    }
}
