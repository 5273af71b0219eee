//! Unique keys. The keys of a table's rows are remembered with the version that they are of, so
//! that a row more costs no look at all the others.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::control::locked;
use crate::fault::SqlError;
use crate::store::Database;
use crate::store::rows::Rows;
use crate::store::table::{self, Index, IndexKind, Table};
use crate::types::collation::Comparison;
use crate::types::show::show;
use crate::types::{SqlType, Value, value};
use crate::wire::reader::Reader;

type Set = HashSet<Vec<u8>>;

/// Keys by index, of one version of a table.
#[derive(Default)]
pub(crate) struct Keys {
    version: u64,
    sets: HashMap<i64, Set>,
}

/// Equal for values that are equal to SQL Server.
fn put(key: &mut Vec<u8>, ty: &SqlType, value: &Value) -> Result<(), SqlError> {
    let mut part = Vec::new();
    match value {
        Value::Null => {
            key.push(0);
            return Ok(());
        }
        Value::Text(text) => {
            let text = String::from_utf8_lossy(text);
            let text = text.trim_end_matches(' ');
            match ty.collation.comparison() {
                Comparison::IgnoreCase => part.extend(text.to_lowercase().bytes()),
                _ => part.extend(text.bytes()),
            }
        }
        Value::Offset(utc, _) => part.extend(utc.to_be_bytes()),
        other => value::put(&mut part, ty, other)?,
    }
    key.push(1);
    key.extend(part.len().to_be_bytes());
    key.extend(part);
    Ok(())
}

fn key(
    table: &Table,
    index: &Index,
    row: &[u8],
    places: &mut Vec<usize>,
) -> Result<(Vec<u8>, Vec<Value>), SqlError> {
    table::places(&table.columns, row, places);
    let (mut key, mut values) = (Vec::new(), Vec::new());
    for (at, _) in &index.columns {
        let ty = &table.columns[*at].ty;
        let value = value::read_kept(ty, &mut Reader::new(&row[places[*at]..]))?;
        put(&mut key, ty, &value)?;
        values.push(value);
    }
    Ok((key, values))
}

/// A row's primary key.
pub(crate) struct Primary {
    /// Equal for keys that are equal to SQL Server.
    pub(crate) key: Vec<u8>,
    /// As it is kept.
    pub(crate) kept: Vec<u8>,
}

/// The primary key of a row, where the table has one.
pub(crate) fn primary(table: &Table, row: &[u8]) -> Result<Option<Primary>, SqlError> {
    let mut indexes = table.indexes.iter();
    let Some(index) = indexes.find(|index| index.kind == IndexKind::PrimaryKey) else {
        return Ok(None);
    };
    let (key, values) = key(table, index, row, &mut Vec::new())?;
    let mut kept = Vec::new();
    for ((at, _), value) in index.columns.iter().zip(&values) {
        value::put(&mut kept, &table.columns[*at].ty, value)?;
    }
    Ok(Some(Primary { key, kept }))
}

fn duplicate(table: &Table, index: &Index, values: &[Value]) -> SqlError {
    let shown: Vec<String> = index
        .columns
        .iter()
        .zip(values)
        .map(|((at, _), value)| {
            if value.is_null() {
                "<NULL>".to_owned()
            } else {
                show(value, &table.columns[*at].ty, 121)
            }
        })
        .collect();
    let shown = shown.join(", ");
    let object = format!("{}.{}", table.schema, table.name);
    match index.kind {
        IndexKind::Index => SqlError::new(2601, format!("Cannot insert duplicate key row in object '{object}' with unique index '{}'. The duplicate key value is ({shown}).", index.name)).class(14),
        IndexKind::PrimaryKey => SqlError::new(2627, format!("Violation of PRIMARY KEY constraint '{}'. Cannot insert duplicate key in object '{object}'. The duplicate key value is ({shown}).", index.name)).class(14),
        IndexKind::UniqueConstraint => SqlError::new(2627, format!("Violation of UNIQUE KEY constraint '{}'. Cannot insert duplicate key in object '{object}'. The duplicate key value is ({shown}).", index.name)).class(14),
    }
}

fn all(table: &Table, index: &Index) -> Result<Set, SqlError> {
    let mut set = Set::with_capacity(table.rows.len());
    let mut places = Vec::new();
    for row in table.rows.iter() {
        let (key, values) = key(table, index, row, &mut places)?;
        if !set.insert(key) {
            return Err(duplicate(table, index, &values));
        }
    }
    Ok(set)
}

impl Keys {
    /// Whether every unique index of a table has each key once.
    pub(super) fn verify(table: &Table) -> Result<(), SqlError> {
        table
            .indexes
            .iter()
            .filter(|index| index.unique)
            .try_for_each(|index| all(table, index).map(drop))
    }

    /// The rows that may be added; an error for a key that is there, unless it is to be ignored.
    pub(super) fn add(
        database: &Arc<Database>,
        table: &Table,
        rows: &Rows,
    ) -> Result<Rows, SqlError> {
        let mut known = locked(&database.keys);
        let keys = known.entry(table.object_id).or_default();
        if keys.version != table.version {
            keys.sets.clear();
            keys.version = table.version;
        }
        let mut added: Vec<(i64, Vec<u8>)> = Vec::new();
        let mut kept = Rows::default();
        let mut places = Vec::new();
        let outcome = (|| {
            for row in rows.iter() {
                let mut ignored = false;
                let mut own = Vec::new();
                for index in table.indexes.iter().filter(|index| index.unique) {
                    if let std::collections::hash_map::Entry::Vacant(e) = keys.sets.entry(index.id)
                    {
                        e.insert(all(table, index)?);
                    }
                    let (key, values) = key(table, index, row, &mut places)?;
                    let set = keys
                        .sets
                        .get_mut(&index.id)
                        .ok_or_else(|| SqlError::broken("an index without keys"))?;
                    if set.insert(key.clone()) {
                        own.push((index.id, key));
                    } else if index.ignore_duplicates {
                        ignored = true;
                        break;
                    } else {
                        added.append(&mut own);
                        return Err(duplicate(table, index, &values));
                    }
                }
                if ignored {
                    take_back(&mut keys.sets, &own);
                } else {
                    added.append(&mut own);
                    kept.push(row);
                }
            }
            Ok(())
        })();
        if let Err(error) = outcome {
            take_back(&mut keys.sets, &added);
            return Err(error);
        }
        Ok(kept)
    }

    /// The keys of one version, with those added since, are those of the next.
    pub(super) fn follow(database: &Arc<Database>, before: &Table, after: &Table) {
        if let Some(keys) = locked(&database.keys).get_mut(&before.object_id)
            && keys.version == before.version
        {
            keys.version = after.version;
        }
    }
}

fn take_back(sets: &mut HashMap<i64, Set>, added: &[(i64, Vec<u8>)]) {
    for (index, key) in added {
        if let Some(set) = sets.get_mut(index) {
            set.remove(key);
        }
    }
}
