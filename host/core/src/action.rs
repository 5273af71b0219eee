use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Capabilities;

/// How much of the source a run takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Everything; what was there before is replaced.
    Full,
    /// What is new since the last run.
    Incremental,
}

/// What an incremental run does with the rows it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// Adds rows whose watermark is new.
    Append,
    /// Replaces rows with the same key, adds the others.
    Merge,
    /// Adds the rows of files that are new.
    Files,
    /// Applies the inserts, updates and deletes that the source itself keeps account of.
    #[serde(rename = "change_tracking")]
    ChangeTracking,
}

/// What a Store does with what was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The new rows take the place of all earlier ones.
    Replace,
    /// The new rows join the earlier ones.
    Append,
    /// The new rows take the place of earlier ones with the same key and join the others.
    Upsert,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Replace => "replace",
            Self::Append => "append",
            Self::Upsert => "upsert",
        })
    }
}

/// Why mode, strategy and Store don't go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// What contradicts what.
    pub message: String,
    /// The way out.
    pub advice: String,
}

/// The one place that says what a run does; docs/configuration.md shows it as a table.
///
/// `strategy` is that of `home.incremental`, `first` whether no earlier run left a watermark:
/// the first incremental run takes everything, so it replaces.
pub fn action(
    mode: Mode,
    strategy: Option<Strategy>,
    first: bool,
    store: &Capabilities,
) -> Result<Action, Contradiction> {
    let wanted = match (mode, strategy) {
        (Mode::Incremental, None) => {
            return Err(Contradiction {
                message: "an incremental run needs `home.incremental`".into(),
                advice: "say `incremental: {column: …}` in the home, or use `mode: full`".into(),
            });
        }
        (Mode::Full, _) => Action::Replace,
        (Mode::Incremental, Some(_)) if first => Action::Replace,
        (Mode::Incremental, Some(Strategy::Append | Strategy::Files)) => Action::Append,
        (Mode::Incremental, Some(Strategy::Merge | Strategy::ChangeTracking)) => Action::Upsert,
    };
    // A Store must be able to do what later runs need before the first one writes.
    let needed = match (mode, strategy) {
        (Mode::Incremental, Some(Strategy::Append | Strategy::Files)) => Action::Append,
        (_, Some(Strategy::Merge | Strategy::ChangeTracking)) => Action::Upsert,
        _ => Action::Replace,
    };
    if strategy == Some(Strategy::ChangeTracking) && !store.operations {
        return Err(Contradiction {
            message: "this store can't take a change stream".into(),
            advice: "write it to a store that applies inserts, updates and deletes, or use \
                     `strategy: merge`"
                .into(),
        });
    }
    for each in [needed, wanted] {
        let able = match each {
            Action::Replace => store.replace,
            Action::Append => store.append,
            Action::Upsert => store.upsert,
        };
        if !able {
            return Err(cannot(each));
        }
    }
    Ok(wanted)
}

fn cannot(action: Action) -> Contradiction {
    let (message, advice) = match action {
        Action::Replace => (
            "this store can't replace what it holds",
            "use `mode: incremental` with `strategy: append`",
        ),
        Action::Append => (
            "this store can't append to what it holds",
            "give the store a folder instead of a single file, or use `mode: full`",
        ),
        Action::Upsert => (
            "this store can't merge by key",
            "use a store that merges (parquet, or mssql without `direct`), or `strategy: append`",
        ),
    };
    Contradiction {
        message: message.into(),
        advice: advice.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Capabilities = Capabilities {
        append: true,
        replace: true,
        upsert: true,
        operations: true,
        single: false,
        encoded: None,
    };

    #[test]
    fn the_table() {
        use Action::{Append as A, Replace as R, Upsert as U};
        use Mode::{Full, Incremental};
        use Strategy::{Append, ChangeTracking, Files, Merge};
        let rows = [
            (Full, None, true, R),
            (Full, None, false, R),
            (Full, Some(Append), false, R),
            (Full, Some(Merge), false, R),
            (Incremental, Some(Append), true, R),
            (Incremental, Some(Append), false, A),
            (Incremental, Some(Files), true, R),
            (Incremental, Some(Files), false, A),
            (Incremental, Some(Merge), true, R),
            (Incremental, Some(Merge), false, U),
            (Full, Some(ChangeTracking), false, R),
            (Incremental, Some(ChangeTracking), true, R),
            (Incremental, Some(ChangeTracking), false, U),
        ];
        for (mode, strategy, first, expected) in rows {
            assert_eq!(
                action(mode, strategy, first, &ALL),
                Ok(expected),
                "{mode:?} {strategy:?}"
            );
        }
        assert!(action(Incremental, None, false, &ALL).is_err());
    }

    #[test]
    fn a_store_that_cannot_is_refused_before_the_first_run() {
        let csv = Capabilities {
            upsert: false,
            ..ALL
        };
        let refused = action(Mode::Incremental, Some(Strategy::Merge), true, &csv).unwrap_err();
        assert_eq!(refused.message, "this store can't merge by key");
        let plain = Capabilities {
            operations: false,
            ..ALL
        };
        let tracking = Some(Strategy::ChangeTracking);
        let refused = action(Mode::Incremental, tracking, true, &plain).unwrap_err();
        assert_eq!(refused.message, "this store can't take a change stream");
        let file = Capabilities {
            append: false,
            ..ALL
        };
        assert!(action(Mode::Incremental, Some(Strategy::Append), true, &file).is_err());
        assert_eq!(
            action(Mode::Full, Some(Strategy::Append), true, &file),
            Ok(Action::Replace)
        );
    }
}
