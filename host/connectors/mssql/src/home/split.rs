//! What a split holds, and the statement that reads it.

use hygge_core::{Fault, Result, WatermarkType, code};
use mssql_tds::message::parameters::rpc_parameters::{RpcParameter, StatusFlags};
use serde::{Deserialize, Serialize};

use super::changes::{self, Since};
use super::quantile::Between;
use super::settings::{Read, Source};
use crate::bound::{self, End};
use crate::describe::Written;
use crate::name::quoted;
use crate::types::SqlType;

/// A part of a table or query, as plain data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Spec {
    /// The columns to read and their types.
    pub(super) columns: Vec<SpecColumn>,
    /// The watermark's range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) watermark: Option<Range>,
    /// The range of the column that the table is split by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) part: Option<Range>,
    /// Or the values between which it is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) between: Option<Between>,
    /// What changed since a version, instead of rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<Since>,
    /// Rows that the watermark's bounds leave out, since they have no value there.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) left_out: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// A column and its type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SpecColumn {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) sql_type: Written,
    pub(super) nullable: bool,
}

/// Values of one column between two ends, both inclusive, as text in full precision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Range {
    pub(super) column: String,
    #[serde(rename = "type")]
    pub(super) sql_type: Written,
    pub(super) kind: WatermarkType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) low: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) high: Option<String>,
    /// Whether rows without a value belong to it.
    pub(super) nulls: bool,
}

/// What of a table a split is.
#[derive(Debug, Clone)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// A range of values that can be counted.
    Range(Range),
    /// What lies between two values.
    Between(Between),
}

/// A statement and its parameters.
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) parameters: Vec<RpcParameter>,
}

/// `FROM …`, with the query in brackets when it is one.
pub(super) fn from(source: &Source) -> String {
    match source {
        Source::Table(table) => table.quoted(),
        Source::Query(query) => format!("({query}\n) AS [hygge]"),
        // Tables of a wildcard are read one by one.
        Source::Tables(_) => String::new(),
    }
}

/// A column as it is read, perhaps of one of two tables.
pub(super) fn selected(column: &SpecColumn, of: &str) -> String {
    let name = quoted(&column.name);
    let dot = if of.is_empty() { "" } else { "." };
    match column.sql_type.0 {
        // Bytes, as the driver knows no types of .NET.
        SqlType::HierarchyId | SqlType::Geometry | SqlType::Geography => {
            format!("CAST({of}{dot}{name} AS varbinary(max)) AS {name}")
        }
        // As text, which is the same whatever the numbers in it are made of.
        SqlType::Vector(_) => format!("CAST({of}{dot}{name} AS nvarchar(max)) AS {name}"),
        _ => format!("{of}{dot}{name}"),
    }
}

impl Spec {
    /// The statement that reads the split.
    pub(super) fn statement(&self, read: &Read) -> Result<Statement> {
        if let (Source::Table(table), Some(since)) = (&read.source, &self.since) {
            let condition = read.where_clause();
            return Ok(changes::statement(table, &self.columns, &condition, since));
        }
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|column| selected(column, ""))
            .collect();
        let mut conditions = Vec::new();
        let mut parameters = Vec::new();
        if let Some(condition) = &read.condition {
            // On lines of its own, so that a comment in it doesn't swallow what follows.
            conditions.push(format!("(\n{condition}\n)"));
        }
        for range in [&self.watermark, &self.part].into_iter().flatten() {
            range.conditions(&mut conditions, &mut parameters)?;
        }
        if let Some(between) = &self.between {
            between.conditions(&mut conditions, &mut parameters);
        }
        let mut sql = format!("SELECT {} FROM {}", columns.join(", "), from(&read.source));
        if !conditions.is_empty() {
            sql.push_str(" WHERE ");
            sql.push_str(&conditions.join(" AND "));
        }
        Ok(Statement { sql, parameters })
    }
}

impl Range {
    fn conditions(
        &self,
        conditions: &mut Vec<String>,
        parameters: &mut Vec<RpcParameter>,
    ) -> Result<()> {
        let column = quoted(&self.column);
        let mut ends = Vec::new();
        for (text, end, sign) in [(&self.low, End::Low, ">="), (&self.high, End::High, "<=")] {
            let Some(text) = text else { continue };
            let ordinal = self.kind.ordinal(text)?;
            let value = bound::parameter(ordinal, self.kind, self.sql_type.0, end)?;
            let name = format!("@P{}", parameters.len() + 1);
            ends.push(format!("{column} {sign} {name}"));
            parameters.push(RpcParameter::new(Some(name), StatusFlags::NONE, value));
        }
        if ends.is_empty() {
            return Ok(());
        }
        let ends = ends.join(" AND ");
        conditions.push(match self.nulls {
            true => format!("({ends} OR {column} IS NULL)"),
            false => ends,
        });
        Ok(())
    }
}

/// Takes the values from `low` to `high` apart into at most `most` ranges that leave nothing out
/// and share nothing: the first is open below, the last above.
pub(super) fn ranges(
    low: i128,
    high: i128,
    most: usize,
    column: &str,
    sql_type: SqlType,
    kind: WatermarkType,
    nullable: bool,
) -> Vec<Range> {
    let width = high.saturating_sub(low).saturating_add(1);
    let parts = i128::try_from(most).unwrap_or(1).clamp(1, width.max(1));
    let edge = |n: i128| low.saturating_add(width / parts * n + width % parts * n / parts);
    (0..parts)
        .map(|n| Range {
            column: column.to_owned(),
            sql_type: Written(sql_type),
            kind,
            low: (n > 0).then(|| kind.show(edge(n))),
            high: (n + 1 < parts).then(|| kind.show(edge(n + 1) - 1)),
            nulls: n == 0 && nullable && parts > 1,
        })
        .collect()
}

/// Reads a split's spec back.
pub(super) fn read(spec: &serde_json::Value) -> Result<Spec> {
    serde_json::from_value(spec.clone())
        .map_err(|error| Fault::new(code::STATE, format!("a split can't be read back: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn holds(range: &Range, value: i128) -> bool {
        let end = |text: &Option<String>| text.as_ref().map(|t| range.kind.ordinal(t).unwrap());
        end(&range.low).is_none_or(|low| low <= value)
            && end(&range.high).is_none_or(|high| value <= high)
    }

    proptest! {
        #[test]
        fn every_value_is_in_exactly_one_range(
            low in -1_000_000_i128..1_000_000,
            width in 0_i128..1_000_000,
            most in 1_usize..20,
            value in -3_000_000_i128..3_000_000,
        ) {
            let kind = WatermarkType::Integer;
            let ranges = ranges(low, low + width, most, "k", SqlType::BigInt, kind, true);
            prop_assert!(ranges.len() <= most);
            let holding = ranges.iter().filter(|range| holds(range, value)).count();
            prop_assert_eq!(holding, 1);
            let nulls = ranges.iter().filter(|range| range.nulls).count();
            prop_assert_eq!(nulls, usize::from(ranges.len() > 1));
        }
    }

    #[test]
    fn the_widest_range_there_is_can_be_taken_apart() {
        let kind = WatermarkType::Integer;
        let (low, high) = (i128::from(i64::MIN), i128::from(i64::MAX));
        let ranges = ranges(low, high, 7, "k", SqlType::BigInt, kind, false);
        assert_eq!(ranges.len(), 7);
        for value in [low, -1, 0, high] {
            assert_eq!(ranges.iter().filter(|range| holds(range, value)).count(), 1);
        }
    }
}
