//! What tables there are, and of which columns.

use hygge_core::{
    CatalogueColumn, CatalogueKey, CatalogueTable, Fault, Moment, Result, code, fits_pattern,
};
use rusqlite::{Connection, Error, ErrorCode};

use crate::fault;

/// Without the tables in which virtual ones (of full texts, say) keep what is theirs.
const TABLES: &str = "\
SELECT name, type FROM pragma_table_list
WHERE schema = 'main' AND type IN ('table', 'view', 'virtual')
AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> 'hygge_applied' COLLATE NOCASE
ORDER BY name";

const COLUMNS: &str =
    "SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo(?1) WHERE hidden <> 1 ORDER BY cid";

const UNIQUE: &str = "\
SELECT name FROM pragma_index_list(?1) WHERE \"unique\" = 1 AND origin <> 'pk' AND partial = 0
ORDER BY name";

const INDEXED: &str = "SELECT name FROM pragma_index_info(?1) ORDER BY seqno";

/// The tables and views that fit a pattern.
pub(crate) fn tables(
    connection: &Connection,
    patterns: &[String],
    shown: &str,
) -> Result<Vec<CatalogueTable>> {
    let patterns = patterns
        .iter()
        .map(|pattern| plain(pattern))
        .collect::<Result<Vec<&str>>>()?;
    let read = || {
        let mut statement = connection.prepare(TABLES)?;
        let names = statement.query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        })?;
        let mut found = Vec::new();
        for each in names {
            let (name, kind) = each?;
            if patterns.iter().any(|pattern| fits_pattern(pattern, &name)) {
                found.push(table(connection, name, kind == "view")?);
            }
        }
        Ok(found)
    };
    read()
        .map_err(|error: Error| fault::of(&format!("can't look up the tables of {shown}"), &error))
}

/// A pattern without the one schema that a file has.
fn plain(pattern: &str) -> Result<&str> {
    match pattern.split_once('.') {
        None => Ok(pattern),
        Some((schema, table)) if fits_pattern(schema, "main") => Ok(table),
        Some((schema, table)) => Err(Fault::new(
            code::CONFIG,
            format!("SQLite has no schema {schema:?}"),
        )
        .advise(format!(
            "write the name alone: --tables '{table}'; one that has a dot in it: --tables 'main.{pattern}'"
        ))),
    }
}

fn table(connection: &Connection, name: String, view: bool) -> Result<CatalogueTable, Error> {
    let (columns, primary) = match columns(connection, &name) {
        // A view of what isn't there any more, or a virtual table of what this SQLite hasn't.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::Unknown) => Default::default(),
        read => read?,
    };
    let key = match primary.is_empty() {
        false => Some(CatalogueKey {
            columns: primary,
            primary: true,
        }),
        true => unique(connection, &name, &columns)?,
    };
    Ok(CatalogueTable {
        schema: None,
        written: name.clone(),
        name,
        view,
        columns,
        key,
    })
}

/// The columns of a table, and those of its primary key.
fn columns(
    connection: &Connection,
    table: &str,
) -> Result<(Vec<CatalogueColumn>, Vec<String>), Error> {
    let mut columns = Vec::new();
    let mut primary: Vec<(i64, String)> = Vec::new();
    let mut statement = connection.prepare(COLUMNS)?;
    let mut rows = statement.query([table])?;
    while let Some(row) = rows.next()? {
        let (column, type_name): (String, String) = (row.get(0)?, row.get(1)?);
        let (not_null, nth): (bool, i64) = (row.get(2)?, row.get(3)?);
        if nth > 0 {
            primary.push((nth, column.clone()));
        }
        columns.push(CatalogueColumn {
            moment: moment(&type_name),
            nullable: !not_null,
            moves: true,
            name: column,
            type_name,
        });
    }
    // The number of a row takes no NULL, whatever the catalogue says of it.
    if let [(_, key)] = &primary[..] {
        let key = columns.iter_mut().find(|column| column.name == *key);
        if let Some(key) = key.filter(|key| key.type_name.eq_ignore_ascii_case("integer")) {
            key.nullable = false;
        }
    }
    primary.sort();
    let primary = primary.into_iter().map(|(_, column)| column).collect();
    Ok((columns, primary))
}

/// The narrowest unique index over columns that take no NULL.
fn unique(
    connection: &Connection,
    table: &str,
    columns: &[CatalogueColumn],
) -> Result<Option<CatalogueKey>, Error> {
    let texts = |sql: &str, of: &str| {
        let mut statement = connection.prepare(sql)?;
        let found = statement.query_map([of], |row| row.get::<_, Option<String>>(0))?;
        found.collect::<Result<Vec<_>, Error>>()
    };
    let mut found: Vec<Vec<String>> = Vec::new();
    for index in texts(UNIQUE, table)?.into_iter().flatten() {
        // An expression has no name.
        let of: Option<Vec<String>> = texts(INDEXED, &index)?.into_iter().collect();
        let sure = |name: &String| columns.iter().any(|c| c.name == *name && !c.nullable);
        found.extend(of.filter(|of| !of.is_empty() && of.iter().all(sure)));
    }
    found.sort_by_key(Vec::len);
    Ok(found.into_iter().next().map(|columns| CatalogueKey {
        columns,
        primary: false,
    }))
}

/// SQLite has no type for moments, but people declare them.
fn moment(type_name: &str) -> Moment {
    let declared = type_name.to_ascii_lowercase();
    match declared.contains("date") || declared.contains("time") {
        true => Moment::Time,
        false => Moment::No,
    }
}
