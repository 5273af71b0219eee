//! Statements that make tables and columns, but for those of a [twin](super::twin).

use super::encode::staged_as;
use super::operation;
use super::record::{Begun, BegunColumn, Widen};
use crate::name::{TableName, literal, quoted};
use crate::types::SqlType;

/// A table that remembers what was committed: one row an entity and run.
pub(super) fn commits(table: &TableName) -> String {
    format!(
        "IF OBJECT_ID({}) IS NULL CREATE TABLE {} (\
         id varchar(100) NOT NULL PRIMARY KEY, \
         run varchar(64) NOT NULL, \
         flow nvarchar(200) NOT NULL, \
         entity nvarchar(200) NOT NULL, \
         destination nvarchar(300) NOT NULL, \
         row_count bigint NOT NULL, \
         committed_at datetime2(3) NOT NULL)",
        literal(&table.quoted()),
        table.quoted()
    )
}

/// A heap to stage rows in, with every column free to be NULL.
pub(super) fn staging(table: &TableName, begun: &Begun) -> String {
    let mut columns: Vec<String> = Vec::new();
    if begun.merges() {
        columns.push(format!("{} bigint NULL", quoted(&begun.row())));
    }
    for column in &begun.columns {
        let staged = staged_as(column.sql_type.0);
        let collation = match &column.collation {
            Some(collation) if is_text(staged) && is_plain(collation) => {
                format!(" COLLATE {collation}")
            }
            _ => String::new(),
        };
        columns.push(format!("{} {staged}{collation} NULL", quoted(&column.name)));
    }
    if let Some(operation) = begun.operation() {
        columns.push(format!("{} {} NULL", quoted(operation), operation::TYPE));
    }
    format!("CREATE TABLE {} ({})", table.quoted(), columns.join(", "))
}

/// The destination, as it is made when it is missing.
pub(super) fn table(table: &TableName, columns: &[BegunColumn]) -> String {
    let columns: Vec<String> = columns.iter().map(declared).collect();
    format!(
        "IF OBJECT_ID({}) IS NULL CREATE TABLE {} ({})",
        literal(&table.quoted()),
        table.quoted(),
        columns.join(", ")
    )
}

/// A column that is added to a table that is there.
pub(super) fn add(table: &TableName, column: &BegunColumn) -> String {
    format!(
        "IF COL_LENGTH({}, {}) IS NULL ALTER TABLE {} ADD {}",
        literal(&table.quoted()),
        literal(&column.name),
        table.quoted(),
        declared(column)
    )
}

/// A column whose type becomes wider; all else that it says has to be said again.
pub(super) fn widen(table: &TableName, column: &BegunColumn, widen: Widen) -> String {
    let collation = match &column.collation {
        Some(collation) if is_text(column.sql_type.0) && is_plain(collation) => {
            format!(" COLLATE {collation}")
        }
        _ => String::new(),
    };
    format!(
        "ALTER TABLE {} ALTER COLUMN {} {}{collation} {}",
        table.quoted(),
        quoted(&column.name),
        column.sql_type.0,
        if widen.nullable { "NULL" } else { "NOT NULL" }
    )
}

pub(super) fn drop_table(table: &TableName) -> String {
    format!(
        "IF OBJECT_ID({}) IS NOT NULL DROP TABLE {}",
        literal(&table.quoted()),
        table.quoted()
    )
}

fn declared(column: &BegunColumn) -> String {
    let null = if column.nullable { "NULL" } else { "NOT NULL" };
    format!("{} {} {null}", quoted(&column.name), column.sql_type.0)
}

fn is_text(sql_type: SqlType) -> bool {
    use SqlType as S;
    matches!(
        sql_type,
        S::Char(_) | S::VarChar(_) | S::NChar(_) | S::NVarChar(_)
    )
}

/// A collation's name takes no brackets, so it must be one.
pub(super) fn is_plain(collation: &str) -> bool {
    collation
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
