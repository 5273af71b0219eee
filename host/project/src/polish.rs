//! `store.polish`: what the Python original called the last changes to rows, read as the transforms
//! that do the same.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::Problem;
use crate::check::Check;
use crate::node::{Entry, Node};

/// `polish:`, by the names it had.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PolishConfig {
    /// Columns with the hash of others: `type: hash`.
    hash_ids: Vec<HashId>,
    /// How columns are named: `type: rename`.
    columns: Option<ColumnRules>,
    /// Columns with one value: `type: constant`.
    constants: Vec<Constant>,
    /// Columns with the moment of the run: `type: run_columns`.
    timestamps: Vec<Timestamp>,
    /// A column `__rowMarker__`: `type: constant`.
    add_row_marker: Option<RowMarker>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HashId {
    /// The name of the new column.
    name: String,
    /// The columns whose values are hashed.
    #[schemars(length(min = 1))]
    from_columns: Vec<String>,
    /// How.
    #[serde(rename = "algo")]
    _algo: Option<Algorithm>,
    /// Whether it is written as hexadecimal digits; there is no other way.
    hex: Option<bool>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Algorithm {
    Sha256,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ColumnRules {
    /// How every name is written.
    case: Option<Case>,
    /// Whether other characters than letters, digits and `_` go, spaces too; `case` does that anyway.
    remove_special: bool,
    /// Whether spaces go; `case` and `remove_special` do that anyway.
    remove_spaces: bool,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Case {
    Pascal,
    Camel,
    Snake,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Constant {
    /// The name of the new column.
    name: String,
    /// Its value.
    value: Scalar,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Scalar {
    Bool(bool),
    Whole(i64),
    /// Larger than those.
    Large(u64),
    Float(f64),
    Text(String),
}

impl Scalar {
    fn json(&self) -> Json {
        match self {
            Self::Bool(value) => json!(value),
            Self::Whole(value) => json!(value),
            Self::Large(value) => json!(value),
            Self::Float(value) => json!(value),
            Self::Text(value) => json!(value),
        }
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Timestamp {
    /// The name of the new column.
    name: String,
    /// Whose time; there is no other.
    #[serde(rename = "source")]
    _source: Option<Source>,
    /// The type; there is no other.
    #[serde(rename = "type")]
    _type: Option<Type>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Source {
    NowUtc,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Type {
    Datetime,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RowMarker {
    /// Whether there is one. Default: false.
    #[serde(default)]
    enabled: bool,
    /// Its value. Default: 4.
    value: Option<i64>,
}

/// The name of the column that `add_row_marker` adds.
const ROW_MARKER: &str = "__rowMarker__";

/// The transforms that `polish` stands for, each as if it had been written at its place, and what
/// there is to say of it.
pub(crate) fn read(
    entry: Entry,
    schema: &Json,
    problems: &mut Vec<Problem>,
) -> Option<(Vec<Node>, String)> {
    let Entry {
        at,
        value: mut node,
        ..
    } = entry;
    let before = problems.len();
    problems.extend(Check::run("`polish`", schema, &mut node, &at));
    for secret in node.secrets() {
        problems.push(
            Problem::at(&secret.at, "`polish` holds a secret")
                .advise("write it as `type: constant` in `transforms`"),
        );
    }
    if problems.len() > before {
        return None;
    }
    let config: PolishConfig = match serde_json::from_value(node.json().0) {
        Ok(config) => config,
        Err(error) => {
            problems.push(Problem::at(&at, format!("`polish` {error}")));
            return None;
        }
    };
    for (pointer, message, advice) in config.without_equal() {
        problems.push(Problem::at(node.find(&pointer), message).advise(advice));
    }
    if problems.len() > before {
        return None;
    }
    let equal = config.equivalent();
    let listed = serde_json::to_string(&equal).unwrap_or_default();
    let mut note = format!("`polish` is read as `transforms: {listed}`; write that instead");
    if !config.hash_ids.is_empty() {
        note.push_str(". Hashes differ from those of the Python original");
    }
    if config.columns.is_some() {
        note.push_str(". Two columns that get one name are an error now");
    }
    let nodes = equal.iter().map(|each| Node::of_json(each, &at)).collect();
    Some((nodes, note))
}

impl PolishConfig {
    /// What no transform does.
    fn without_equal(&self) -> Vec<(String, &'static str, &'static str)> {
        let mut told = Vec::new();
        for (index, hash) in self.hash_ids.iter().enumerate() {
            if hash.hex == Some(false) {
                let at = format!("/hash_ids/{index}/hex");
                told.push((
                    at,
                    "a hash is written as hexadecimal digits",
                    "leave `hex` out",
                ));
            }
        }
        if let Some(columns) = &self.columns
            && columns.case.is_none()
            && columns.remove_spaces
            && !columns.remove_special
        {
            told.push((
                "/columns/remove_spaces".to_owned(),
                "spaces alone aren't taken out of names",
                "say `remove_special: true`, which takes spaces too, or use `type: rename` in \
                 `transforms`",
            ));
        }
        told
    }

    /// In the order in which the original did it.
    fn equivalent(&self) -> Vec<Json> {
        let mut list = Vec::new();
        for hash in &self.hash_ids {
            list.push(json!({
                "type": "hash", "columns": hash.from_columns, "into": hash.name,
            }));
        }
        let case = self.columns.as_ref().and_then(|columns| columns.case);
        if let Some(case) = case {
            let case = match case {
                Case::Pascal => "pascal",
                Case::Camel => "camel",
                Case::Snake => "snake",
            };
            list.push(json!({"type": "rename", "case": case}));
        } else if self
            .columns
            .as_ref()
            .is_some_and(|columns| columns.remove_special)
        {
            list.push(json!({"type": "rename", "remove_special": true}));
        }
        let mut constant = |name: &str, value: Json| {
            list.push(json!({"type": "constant", "columns": {name: value}}));
        };
        for each in &self.constants {
            constant(&each.name, each.value.json());
        }
        if let Some(RowMarker {
            enabled: true,
            value,
        }) = &self.add_row_marker
            && !self.constants.iter().any(|each| each.name == ROW_MARKER)
        {
            constant(ROW_MARKER, json!(value.unwrap_or(4)));
        }
        for each in &self.timestamps {
            list.push(json!({"type": "run_columns", "loaded_at": each.name}));
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_becomes_its_transform_in_the_order_it_had() {
        let config: PolishConfig = serde_json::from_value(json!({
            "timestamps": [{"name": "__LastLoadedAt__", "source": "now_utc", "type": "datetime"}],
            "constants": [{"name": "source", "value": "erp"}, {"name": "a", "value": 1.5}],
            "add_row_marker": {"enabled": true},
            "columns": {"remove_special": true, "case": "pascal"},
            "hash_ids": [{"name": "key", "from_columns": ["Order ID", "Line"], "algo": "sha256"}],
        }))
        .unwrap();
        assert!(config.without_equal().is_empty());
        assert_eq!(
            Json::from(config.equivalent()),
            json!([
                {"type": "hash", "columns": ["Order ID", "Line"], "into": "key"},
                {"type": "rename", "case": "pascal"},
                {"type": "constant", "columns": {"source": "erp"}},
                {"type": "constant", "columns": {"a": 1.5}},
                {"type": "constant", "columns": {"__rowMarker__": 4}},
                {"type": "run_columns", "loaded_at": "__LastLoadedAt__"},
            ])
        );
    }

    #[test]
    fn special_characters_go_without_a_case() {
        let of = |columns: Json| -> PolishConfig {
            serde_json::from_value(json!({"columns": columns})).unwrap()
        };
        let both = of(json!({"remove_special": true, "remove_spaces": true}));
        assert!(both.without_equal().is_empty());
        assert_eq!(
            Json::from(both.equivalent()),
            json!([{"type": "rename", "remove_special": true}])
        );
        let spaces = of(json!({"remove_spaces": true}));
        assert_eq!(spaces.without_equal().len(), 1);
    }

    #[test]
    fn a_row_marker_that_is_a_constant_already_stands_once() {
        let config: PolishConfig = serde_json::from_value(json!({
            "constants": [{"name": "__rowMarker__", "value": 0}],
            "add_row_marker": {"enabled": true, "value": 1},
        }))
        .unwrap();
        let once = json!([{"type": "constant", "columns": {"__rowMarker__": 0}}]);
        assert_eq!(Json::from(config.equivalent()), once);
        let none: PolishConfig =
            serde_json::from_value(json!({"add_row_marker": {"enabled": false}})).unwrap();
        assert!(none.equivalent().is_empty());
    }
}
