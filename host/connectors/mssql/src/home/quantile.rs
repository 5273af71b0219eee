//! Parts of a table by a column whose values can't be counted, only compared: between values
//! that a sample of it has.
//!
//! The trade-off settled here: a part's upper end is left out of it and belongs to the next, so
//! that the parts are the table whatever the ends are. They may then be rounded, come from an old
//! sample, or be converted to the column's code page: only how even the parts are depends on them.

use hygge_core::Result;
use mssql_tds::datatypes::sql_string::SqlString;
use mssql_tds::datatypes::sqltypes::SqlType as Parameter;
use mssql_tds::message::parameters::rpc_parameters::{RpcParameter, StatusFlags};
use serde::{Deserialize, Serialize};

use crate::connection::Statements;
use crate::describe::{Written, text};
use crate::fault::Doing;
use crate::name::{TableName, quoted};
use crate::types::{Length, SqlType};

/// Values of one column from one to before another, as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Between {
    column: String,
    #[serde(rename = "type")]
    sql_type: Written,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    /// Whether rows without a value belong to it.
    nulls: bool,
}

/// How a value is asked for as text, and how text becomes a value of the column's own type again;
/// none for types that are no keys.
fn forms(sql_type: SqlType) -> Option<(&'static str, String)> {
    Some(match sql_type {
        SqlType::UniqueIdentifier => (
            "CAST({} AS nvarchar(36))",
            "CAST({} AS uniqueidentifier)".to_owned(),
        ),
        SqlType::Char(_)
        | SqlType::NChar(_)
        | SqlType::VarChar(Length::Of(_))
        | SqlType::NVarChar(Length::Of(_)) => (
            "CAST({} AS nvarchar(4000))",
            format!("CAST({{}} AS {sql_type})"),
        ),
        SqlType::Binary(_) | SqlType::VarBinary(Length::Of(_)) => (
            "CAST(CONVERT(varchar(8000), {}, 1) AS nvarchar(4000))",
            format!("CONVERT({sql_type}, {{}}, 1)"),
        ),
        _ => return None,
    })
}

/// Whether a table can be taken apart by a column of that type.
pub(super) fn can_split(sql_type: SqlType) -> bool {
    forms(sql_type).is_some()
}

/// Takes a table apart between values of a sample, into at most `most` parts.
pub(super) async fn parts(
    session: &mut Statements,
    table: &TableName,
    column: (&str, SqlType, bool),
    rows: u64,
    most: usize,
) -> Result<Vec<Between>> {
    let (name, sql_type, nullable) = column;
    let Some((shown, _)) = forms(sql_type) else {
        return Ok(Vec::new());
    };
    let what = format!("can't sample {table}");
    let sql = sample(table, name, shown, rows, most);
    let found = session.query(&what, Doing::Reading, &sql, &[]).await?;
    let found = found.into_iter().next().unwrap_or_default();
    let mut ends: Vec<String> = found.iter().filter_map(|row| text(row, 0)).collect();
    ends.dedup();
    Ok(between(&ends, name, sql_type, nullable))
}

/// Some thousand values, put in order, and of these every so manieth. The server picks whole
/// pages, so this costs little however large the table is.
fn sample(table: &TableName, column: &str, shown: &str, rows: u64, parts: usize) -> String {
    const EACH: u64 = 1_000;
    let column = quoted(column);
    let parts = u64::try_from(parts).unwrap_or(u64::MAX).max(1);
    let wanted = parts.saturating_mul(EACH);
    // In hundredths of a percent.
    let share = (wanted.saturating_mul(10_000) / rows.max(1)).clamp(10, 10_000);
    let share = format!("{}.{:02}", share / 100, share % 100);
    format!(
        "SELECT q.value FROM (SELECT {} AS value, ROW_NUMBER() OVER (ORDER BY s.k) AS n, \
         COUNT(*) OVER () AS c FROM (SELECT {column} AS k FROM {} TABLESAMPLE SYSTEM ({share} \
         PERCENT) WHERE {column} IS NOT NULL) AS s) AS q \
         WHERE q.n % (q.c / {parts} + 1) = 0 ORDER BY q.n",
        shown.replace("{}", "s.k"),
        table.quoted(),
    )
}

fn between(ends: &[String], column: &str, sql_type: SqlType, nullable: bool) -> Vec<Between> {
    if ends.is_empty() {
        return Vec::new();
    }
    (0..=ends.len())
        .map(|n| Between {
            column: column.to_owned(),
            sql_type: Written(sql_type),
            from: n.checked_sub(1).and_then(|n| ends.get(n).cloned()),
            before: ends.get(n).cloned(),
            nulls: n == 0 && nullable,
        })
        .collect()
}

impl Between {
    pub(super) fn conditions(
        &self,
        conditions: &mut Vec<String>,
        parameters: &mut Vec<RpcParameter>,
    ) {
        let Some((_, value)) = forms(self.sql_type.0) else {
            return;
        };
        let column = quoted(&self.column);
        let mut ends = Vec::new();
        for (text, sign) in [(&self.from, ">="), (&self.before, "<")] {
            let Some(text) = text else { continue };
            let name = format!("@P{}", parameters.len() + 1);
            ends.push(format!("{column} {sign} {}", value.replace("{}", &name)));
            let text = SqlString::from_utf8_string(text.clone());
            let text = Parameter::NVarchar(Some(text), 4_000);
            parameters.push(RpcParameter::new(Some(name), StatusFlags::NONE, text));
        }
        let ends = ends.join(" AND ");
        conditions.push(match self.nulls {
            true => format!("({ends} OR {column} IS NULL)"),
            false => ends,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(part: &Between) -> String {
        let (mut conditions, mut parameters) = (Vec::new(), Vec::new());
        part.conditions(&mut conditions, &mut parameters);
        conditions.join(" AND ")
    }

    #[test]
    fn parts_meet_and_share_nothing() {
        let ends = ["b".to_owned(), "m".to_owned()];
        let sql_type = SqlType::VarChar(Length::Of(10));
        let parts = between(&ends, "key", sql_type, true);
        let said: Vec<String> = parts.iter().map(said).collect();
        assert_eq!(
            said,
            [
                "([key] < CAST(@P1 AS varchar(10)) OR [key] IS NULL)",
                "[key] >= CAST(@P1 AS varchar(10)) AND [key] < CAST(@P2 AS varchar(10))",
                "[key] >= CAST(@P1 AS varchar(10))",
            ]
        );
        assert_eq!(between(&[], "key", sql_type, true), []);
    }

    #[test]
    fn a_sample_is_small_however_large_the_table_is() {
        let table = TableName::parse("dbo.t").unwrap();
        let share = |rows| {
            let sql = sample(&table, "k", "{}", rows, 7);
            let (_, rest) = sql.split_once("SYSTEM (").unwrap();
            rest.split_once(' ').unwrap().0.to_owned()
        };
        assert_eq!(share(1_000), "100.00");
        assert_eq!(share(1_000_000), "0.70");
        assert_eq!(share(100_000_000_000), "0.10");
    }
}
