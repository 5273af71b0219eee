//! What SET changes in a session.

use std::time::Duration;

use super::Engine;
use crate::fault::SqlError;
use crate::reply::Outcome;
use crate::sql::names;
use crate::store::Name;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    ReadUncommitted,
    ReadCommitted,
    RepeatableRead,
    Serializable,
    Snapshot,
}

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) isolation: Isolation,
    /// How long a lock is waited for; `None` for ever.
    pub(crate) lock_timeout: Option<Duration>,
    pub(crate) no_count: bool,
    pub(crate) xact_abort: bool,
    pub(crate) implicit_transactions: bool,
    pub(crate) identity_insert: Option<Name>,
    pub(crate) format_only: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            isolation: Isolation::ReadCommitted,
            lock_timeout: None,
            no_count: false,
            xact_abort: false,
            implicit_transactions: false,
            identity_insert: None,
            format_only: false,
        }
    }
}

/// Options that clients send when they log in and that say how this server is anyway.
const ALWAYS_ON: [&str; 8] = [
    "ansi_nulls",
    "ansi_padding",
    "ansi_warnings",
    "arithabort",
    "concat_null_yields_null",
    "quoted_identifier",
    "ansi_null_dflt_on",
    "ansi_defaults",
];
/// Options that change nothing that this server has.
const WITHOUT_EFFECT: [&str; 14] = [
    "textsize",
    "language",
    "dateformat",
    "datefirst",
    "cursor_close_on_commit",
    "rowcount",
    "deadlock_priority",
    "context_info",
    "statistics",
    "showplan",
    "numeric_roundabort",
    "nocount_",
    "ansi_null_dflt_off",
    "query_governor_cost_limit",
];

impl Engine {
    pub(super) fn set_option(&mut self, words: &[String]) -> Outcome {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let unknown = || SqlError::unknown(format!("SET {}", words.join(" ")));
        let on = |value: &str| match value {
            "on" => Ok(true),
            "off" => Ok(false),
            _ => Err(unknown()),
        };
        match words.as_slice() {
            ["transaction", "isolation", "level", rest @ ..] => {
                self.settings.isolation = match rest {
                    ["read", "uncommitted"] => Isolation::ReadUncommitted,
                    ["read", "committed"] => Isolation::ReadCommitted,
                    ["repeatable", "read"] => Isolation::RepeatableRead,
                    ["serializable"] => Isolation::Serializable,
                    ["snapshot"] => Isolation::Snapshot,
                    _ => return Err(unknown().into()),
                };
            }
            ["lock_timeout", "-", _] => self.settings.lock_timeout = None,
            ["lock_timeout", time] => {
                self.settings.lock_timeout =
                    Some(Duration::from_millis(time.parse().map_err(|_| unknown())?));
            }
            ["nocount", value] => self.settings.no_count = on(value)?,
            ["xact_abort", value] => self.settings.xact_abort = on(value)?,
            ["implicit_transactions", value] => self.settings.implicit_transactions = on(value)?,
            ["fmtonly", value] => self.settings.format_only = on(value)?,
            ["identity_insert", table, value] => {
                let parts = names::parse(table).ok_or_else(unknown)?;
                let name = self.own_name(&parts)?;
                if on(value)? {
                    if self
                        .lookup(&name)
                        .is_none_or(|table| table.identity_column().is_none())
                    {
                        return Err(SqlError::new(8106, format!("Table '{table}' does not have the identity property. Cannot perform SET operation.")).into());
                    }
                    if let Some(other) = self
                        .settings
                        .identity_insert
                        .as_ref()
                        .filter(|other| **other != name)
                    {
                        return Err(SqlError::new(8107, format!("IDENTITY_INSERT is already ON for table '{}.{}'. Cannot perform SET operation for table '{table}'.", other.schema, other.table)).into());
                    }
                    self.settings.identity_insert = Some(name);
                } else if self.settings.identity_insert.as_ref() == Some(&name) {
                    self.settings.identity_insert = None;
                }
            }
            // SET ANSI_NULLS, QUOTED_IDENTIFIER ON: several at once.
            [names @ .., value]
                if names
                    .iter()
                    .all(|name| *name == "," || ALWAYS_ON.contains(name))
                    && !names.is_empty() =>
            {
                if !on(value)? {
                    return Err(SqlError::unknown(format!(
                        "SET {}: the test server has it on always",
                        words.join(" ")
                    ))
                    .into());
                }
            }
            [name, ..] if WITHOUT_EFFECT.contains(name) => {}
            _ => return Err(unknown().into()),
        }
        Ok(())
    }
}
