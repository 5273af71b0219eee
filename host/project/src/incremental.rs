use hygge_core::{HomePlan, OneOrMany, Strategy};
use serde_json::Value as Json;

use crate::check::Check;
use crate::config::IncrementalConfig;
use crate::node::Entry;
use crate::source::At;
use crate::{Incremental, Problem};

/// `home.incremental`, with where its strategy is written.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) value: Incremental,
    /// Of the strategy, or of `incremental` when the strategy is left out.
    pub(crate) strategy: At,
}

/// Reads `home.incremental` and refuses what can't go together.
pub(crate) fn read(entry: Entry, schema: &Json, problems: &mut Vec<Problem>) -> Option<Placed> {
    let Entry {
        at,
        value: mut node,
        ..
    } = entry;
    let before = problems.len();
    problems.extend(Check::run("`incremental`", schema, &mut node, &at));
    if problems.len() > before {
        return None;
    }
    let config: IncrementalConfig = match serde_json::from_value(node.json().0) {
        Ok(config) => config,
        Err(error) => {
            // Only `lookback` has a form that the schema can't tell.
            let place = node.find("/lookback").clone();
            problems.push(Problem::at(&place, format!("`lookback` {error}")));
            return None;
        }
    };
    for secret in node.secrets() {
        problems.push(
            Problem::at(&secret.at, "`incremental` holds a secret").advise(
                "names of columns are shown and remembered in clear; use a variable whose name \
                 doesn't look secret",
            ),
        );
    }
    let place = |key: &str| node.find(&format!("/{key}")).clone();
    let key_at = |key: &str| match node.as_map().and_then(|map| map.entry(key)) {
        Some(entry) => entry.at.clone(),
        None => at.clone(),
    };
    let key = config.key.map(OneOrMany::into_vec).unwrap_or_default();
    if config.strategy.is_none() && !key.is_empty() {
        problems.push(
            Problem::at(&key_at("key"), "a key without a strategy can mean two things")
                .advise("say `strategy: merge` to replace rows with the same key, or `strategy: append` to add every change"),
        );
        return None;
    }
    let strategy = config.strategy.unwrap_or(Strategy::Append);
    match strategy {
        Strategy::Files | Strategy::ChangeTracking => {
            let (name, unused): (_, &[&str]) = match strategy {
                Strategy::Files => ("files", &["column", "key", "lookback"]),
                // Its key is the table's own, unless a transform renames it.
                _ => ("change_tracking", &["column", "lookback"]),
            };
            for unused in unused.iter().copied() {
                if node.get(unused).is_some() {
                    problems.push(
                        Problem::at(
                            &key_at(unused),
                            format!("`strategy: {name}` has no use for `{unused}`"),
                        )
                        .advise(format!(
                            "leave `{unused}` out, or use `strategy: append` or `merge`"
                        )),
                    );
                }
            }
        }
        Strategy::Append | Strategy::Merge => {
            if config.column.is_none() {
                problems.push(Problem::at(&at, "`incremental` needs a `column`").advise(
                    "name the column that grows, such as an id or the time of the last change",
                ));
            }
            if strategy == Strategy::Merge && key.is_empty() {
                problems.push(
                    Problem::at(&place("strategy"), "`strategy: merge` needs a `key`")
                        .advise("name the column or columns that tell rows apart: `key: id`"),
                );
            }
        }
    }
    let mut seen = Vec::new();
    for column in &key {
        if column.is_empty() || seen.contains(&column) {
            let wrong = if column.is_empty() {
                "`key` names an empty column".to_owned()
            } else {
                format!("`key` names `{column}` twice")
            };
            problems.push(Problem::at(&place("key"), wrong));
        }
        seen.push(column);
    }
    (problems.len() == before).then(|| Placed {
        strategy: place("strategy"),
        value: Incremental {
            strategy,
            column: config.column,
            key,
            lookback: config.lookback.map(|amount| amount.0),
        },
    })
}

impl Placed {
    /// Refuses what the Home can't do.
    pub(crate) fn suits(&self, kind: &str, home: &HomePlan) -> Option<Problem> {
        let able = match self.value.strategy {
            Strategy::Files => home.files,
            Strategy::ChangeTracking => home.changes,
            Strategy::Append | Strategy::Merge => home.watermarks,
        };
        (!able).then(|| match self.value.strategy {
            Strategy::Files => Problem::at(
                &self.strategy,
                format!("the {kind} home can't tell new files from old ones"),
            )
            .advise("use `strategy: append` or `merge` with a `column`"),
            Strategy::ChangeTracking => Problem::at(
                &self.strategy,
                format!("the {kind} home can't tell what changed since the last run"),
            )
            .advise(
                "tables of SQL Server can, by their name (`table` or `tables`); else use \
                 `strategy: merge` with a `column`",
            ),
            _ => Problem::at(
                &self.strategy,
                format!("the {kind} home can't be read by a watermark column"),
            )
            .advise("use `mode: full`, or `strategy: files` where there are files"),
        })
    }
}
