//! What tables a database has, and of which columns.

use std::sync::Arc;

use hygge_core::{CatalogueColumn, CatalogueKey, CatalogueTable, Fault, Moment, Result, code};
use tiberius::Row;

use crate::check::is_own;
use crate::connection::Connection;
use crate::describe::{text, whole};
use crate::fault::Doing;
use crate::home::Wildcard;
use crate::name::TableName;
use crate::types::SqlType;

const COLUMNS: &str = "\
SELECT s.name, o.name, o.type, c.name, CASE WHEN t.is_user_defined = 1 AND b.name IS NOT NULL THEN b.name \
ELSE t.name END AS type_name, c.max_length, \
c.precision, c.scale, c.is_nullable, t.name \
FROM sys.objects AS o \
JOIN sys.schemas AS s ON s.schema_id = o.schema_id \
JOIN sys.columns AS c ON c.object_id = o.object_id \
JOIN sys.types AS t ON t.user_type_id = c.user_type_id \
LEFT JOIN sys.types AS b ON b.user_type_id = c.system_type_id \
WHERE o.type IN ('U', 'V') \
ORDER BY s.name, o.name, c.column_id";

/// A filtered index says nothing of the rows outside of its filter, and one that is disabled, or made up
/// for a plan, nothing of any.
const KEYS: &str = "\
SELECT s.name, o.name, i.index_id, i.is_primary_key, c.name \
FROM sys.indexes AS i \
JOIN sys.objects AS o ON o.object_id = i.object_id \
JOIN sys.schemas AS s ON s.schema_id = o.schema_id \
JOIN sys.index_columns AS k ON k.object_id = i.object_id AND k.index_id = i.index_id \
JOIN sys.columns AS c ON c.object_id = k.object_id AND c.column_id = k.column_id \
WHERE i.is_unique = 1 AND i.has_filter = 0 AND i.is_disabled = 0 AND i.is_hypothetical = 0 \
AND k.key_ordinal > 0 AND o.type = 'U' \
ORDER BY s.name, o.name, i.index_id, k.key_ordinal";

/// The tables and views that fit a pattern.
pub(crate) async fn tables(
    connection: &Arc<Connection>,
    patterns: &[String],
) -> Result<Vec<CatalogueTable>> {
    let wildcard = Wildcard::of(patterns, &[]).map_err(|why| {
        Fault::new(code::CONFIG, why)
            .advise("write it as schema.table, where * stands for any characters: 'dbo.*'")
    })?;
    let mut session = connection.statements("looking up tables").await?;
    let what = format!("can't look up the tables of {}", connection.describe());
    let named = |row: &Row| TableName {
        schema: text(row, 0).unwrap_or_default(),
        table: text(row, 1).unwrap_or_default(),
    };
    let found = session.query(&what, Doing::Reading, COLUMNS, &[]).await?;
    let mut tables: Vec<(TableName, CatalogueTable)> = Vec::new();
    for row in found.iter().flatten() {
        let name = named(row);
        if is_own(&name.table) || !wildcard.takes(&name) {
            continue;
        }
        let column = column(row);
        match tables.last_mut() {
            Some((last, table)) if *last == name => table.columns.push(column),
            _ => {
                let table = CatalogueTable {
                    schema: Some(name.schema.clone()),
                    name: name.table.clone(),
                    written: name.to_string(),
                    view: text(row, 2).is_some_and(|kind| kind.trim() == "V"),
                    columns: vec![column],
                    key: None,
                };
                tables.push((name, table));
            }
        }
    }
    let found = session.query(&what, Doing::Reading, KEYS, &[]).await?;
    let mut indexes: Vec<(TableName, i64, CatalogueKey)> = Vec::new();
    for row in found.iter().flatten() {
        let (name, index) = (named(row), whole(row, 2).unwrap_or_default());
        let column = text(row, 4).unwrap_or_default();
        match indexes.last_mut() {
            Some((last, of, key)) if *last == name && *of == index => key.columns.push(column),
            _ => indexes.push((
                name,
                index,
                CatalogueKey {
                    columns: vec![column],
                    primary: whole(row, 3) == Some(1),
                },
            )),
        }
    }
    for (name, table) in &mut tables {
        let keys = indexes.iter().filter(|(of, ..)| of == name);
        let columns = &table.columns;
        let sure = |column: &String| columns.iter().any(|c| c.name == *column && !c.nullable);
        let keys = keys.filter(|(_, _, key)| key.primary || key.columns.iter().all(sure));
        // The primary key, else the narrowest.
        let key = keys.min_by_key(|(_, index, key)| (!key.primary, key.columns.len(), *index));
        table.key = key.map(|(_, _, key)| key.clone());
    }
    Ok(tables.into_iter().map(|(_, table)| table).collect())
}

fn column(row: &Row) -> CatalogueColumn {
    let base = text(row, 4).unwrap_or_default();
    let number = |at| whole(row, at).unwrap_or_default();
    let small = |at| u8::try_from(number(at)).unwrap_or_default();
    let length = i16::try_from(number(5)).unwrap_or_default();
    let sql_type = SqlType::of_catalogue(&base, length, small(6), small(7));
    let moment = match sql_type {
        Some(SqlType::RowVersion) => Moment::Version,
        Some(
            SqlType::SmallDateTime
            | SqlType::DateTime
            | SqlType::DateTime2(_)
            | SqlType::DateTimeOffset(_),
        ) => Moment::Time,
        _ => Moment::No,
    };
    CatalogueColumn {
        name: text(row, 3).unwrap_or_default(),
        type_name: match sql_type {
            Some(sql_type) => sql_type.to_string(),
            None => text(row, 9).unwrap_or(base),
        },
        nullable: number(8) != 0,
        moment,
        moves: sql_type.is_some(),
    }
}
