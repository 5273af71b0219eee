//! What is stored between the steps of a run: plain data, from which any process goes on.

use hygge_core::{CommitRecord, EntityId, Fault, Receipt, Result, RunId, code};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

use super::columns::same;
use super::direct::waits_in;
use super::settings::{Ordered, WriteStrategy};
use crate::describe::Written;
use crate::name::TableName;
use crate::overflow::OnOverflow;

/// What `begin` found and decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Begun {
    pub(super) schema: String,
    pub(super) table: String,
    pub(super) strategy: WriteStrategy,
    pub(super) columns: Vec<BegunColumn>,
    pub(super) key: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) latest_by: Option<String>,
    /// The table is made before it is published.
    #[serde(default)]
    pub(super) create: bool,
    /// An identity column takes the source's values.
    #[serde(default)]
    pub(super) identity: bool,
    /// Whether a server that won't swap may be given the next best way.
    #[serde(default)]
    pub(super) or_else: bool,
    /// Hints for the statement that writes to the table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) hints: Vec<String>,
    /// The order rows are inserted in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) order: Vec<Ordered>,
    /// Merges by one statement.
    #[serde(default)]
    pub(super) merge_statement: bool,
    /// Rows whose key wasn't staged are deleted: this run took all there is.
    #[serde(default)]
    pub(super) delete_missing: bool,
    /// A row that stands and is later by `latest_by` than the one that comes with its key stays.
    #[serde(default)]
    pub(super) newer_stay: bool,
    /// Rows of the table that share these columns' values with a staged row are deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) partition: Vec<String>,
    /// Milliseconds to wait for those who read a table that is swapped.
    #[serde(default)]
    pub(super) lock_timeout: u64,
    /// The rows say whether they were inserted, updated or deleted.
    #[serde(default)]
    pub(super) operations: bool,
    /// What becomes of values that don't fit.
    #[serde(default)]
    pub(super) on_overflow: OnOverflow,
}

/// A column that is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct BegunColumn {
    /// Its name in the rows that come.
    pub(super) from: String,
    /// Its name in the table.
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) sql_type: Written,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) collation: Option<String>,
    pub(super) nullable: bool,
    /// What an inserted row without a value gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) default: Option<String>,
    /// The table doesn't have it yet.
    #[serde(default)]
    pub(super) add: bool,
    /// The table has it as a narrower type, which becomes this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) widen: Option<Widen>,
    /// Its length is that of the longest value, once that is known.
    #[serde(default)]
    pub(super) measured: bool,
}

/// What stays of a column whose type becomes wider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Widen {
    /// Whether it takes NULL.
    pub(super) nullable: bool,
    /// Its length, where only the values tell whether it is too short: those that fit change nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) length: Option<u16>,
}

impl Begun {
    pub(super) fn read(value: &Value) -> Result<Self> {
        read(value, "the store's record of how it began")
    }

    pub(super) fn table(&self) -> TableName {
        TableName {
            schema: self.schema.clone(),
            table: self.table.clone(),
        }
    }

    /// The column that says where in its split a staged row stood.
    pub(super) fn row(&self) -> String {
        self.own("hygge_row")
    }

    /// What a column of hygge's own is called beside those of the rows, which may have any name.
    pub(super) fn own(&self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        while self.columns.iter().any(|column| same(&column.name, &name)) {
            name.push('_');
        }
        name
    }

    /// Whether rows that agree in the key are one.
    pub(super) fn merges(&self) -> bool {
        !self.key.is_empty()
    }
}

/// What a writer staged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct StagedRows {
    /// The staging table; none when there were no rows, or they weren't staged.
    pub(super) table: Option<String>,
    /// The open transaction that the rows wait in, straight in the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) open: Option<String>,
    /// The longest value of each column that is measured, in column order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) longest: Vec<u64>,
}

impl StagedRows {
    pub(super) fn read(receipt: &Receipt) -> Result<Self> {
        read(&receipt.data, "a receipt")
    }
}

fn read<T: DeserializeOwned>(value: &Value, what: &str) -> Result<T> {
    serde_json::from_value(value.clone())
        .map_err(|error| Fault::new(code::STATE, format!("{what} can't be read back: {error}")))
}

pub(super) fn written(value: &impl Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| Fault::internal(error.to_string()))
}

/// What begins the name of every table that hygge stages in.
pub(super) const STAGING: &str = "hygge_stage_";

fn tag(words: &[&str]) -> String {
    let digest = xxh3_64(words.join("\0").as_bytes());
    format!("{digest:016x}")
}

/// Whose staging tables are, as it stands in their names: an entity's of a project.
pub(super) fn whose(entity: &EntityId, owner: &str) -> String {
    tag(&[&entity.flow, &entity.entity, owner])
}

/// The table that one attempt at a split is staged in.
pub(super) fn staging(whose: &str, run: &RunId, split: &str, attempt: u32) -> String {
    format!("{STAGING}{whose}_{run}_{split}_{attempt}")
}

/// The run that a staging table is of, if it is theirs.
pub(super) fn run_of(table: &str, whose: &str) -> Option<RunId> {
    let rest = table.strip_prefix(STAGING)?.strip_prefix(whose)?;
    let (run, _) = rest.strip_prefix('_')?.split_once('_')?;
    RunId::parse(run)
}

/// What identifies the commit of one entity of one run, in `hygge_commits`; where its rows wait in
/// a transaction, of that transaction.
pub(super) fn commit_id(record: &CommitRecord) -> Result<String> {
    let EntityId { flow, entity } = &record.entity;
    let id = format!("{}_{}", record.run, tag(&[flow, entity]));
    Ok(match waits_in(&record.receipts)? {
        Some(open) => format!("{id}_{open}"),
        None => id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_staging_tables_name_says_whose_it_is() {
        let entity = EntityId::new("sales", "orders");
        let run = RunId::parse("20261122t170908123z-4f2k9a").unwrap();
        let own = whose(&entity, "this project");
        let name = staging(&own, &run, "000003", 2);
        assert!(name.encode_utf16().count() <= 116, "{name}");
        assert_eq!(run_of(&name, &own), Some(run));
        let order = EntityId::new("sales", "order");
        assert_eq!(run_of(&name, &whose(&order, "this project")), None);
        assert_eq!(run_of(&name, &whose(&entity, "another one")), None);
        assert_eq!(run_of("hygge_commits", &own), None);
    }
}
