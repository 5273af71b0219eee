//! Change tracking: a commit holds the rows of a tracked table against those before it, by primary
//! key, and keeps what it finds under the commit's version. SQL Server notes a change when a
//! statement makes it, so an UPDATE that changes no value is one there, and none here.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::tablecheck::{Primary, primary};
use crate::fault::SqlError;
use crate::reply::Outcome;
use crate::sql::names;
use crate::store::table::{Column, IndexKind, Table};
use crate::store::{Database, Snapshot};
use crate::types::{SqlType, Value, value};

/// What is known of a table's changes.
#[derive(Debug, Default)]
pub(crate) struct Tracking {
    /// The version since which all changes are known; the default's is that of the commit.
    pub(crate) since: i64,
    /// The number of the table that they are kept in.
    pub(crate) kept_in: i64,
    begun: bool,
    /// By what tells a row apart.
    changes: BTreeMap<Vec<u8>, Changed>,
}

#[derive(Clone, Debug)]
struct Changed {
    version: i64,
    /// When the row was made, if that is known.
    created: Option<i64>,
    operation: &'static str,
    /// The primary key, as it is kept.
    key: Vec<u8>,
}

/// Begins to track a table.
pub(crate) fn begin(database: &Database, table: &Table) -> Result<Arc<Tracking>, SqlError> {
    let Some(since) = database.tracked_version() else {
        return Err(SqlError::new(
            5088,
            format!(
                "Change tracking is disabled for database '{}'. Change tracking must be enabled on a database to enable on a table.",
                database.name
            ),
        ));
    };
    if table.tracking.is_some() {
        return Err(SqlError::new(
            4996,
            format!(
                "Change tracking is already enabled for table '{}'.",
                table.name
            ),
        ));
    }
    let key = |index: &crate::store::table::Index| index.kind == IndexKind::PrimaryKey;
    if !table.indexes.iter().any(key) {
        return Err(SqlError::new(
            4997,
            format!(
                "Cannot enable change tracking on table '{}'. Change tracking requires a primary key on the table. Create a primary key on the table before enabling change tracking.",
                table.name
            ),
        ));
    }
    Ok(Arc::new(Tracking {
        since,
        kept_in: database.object_id(),
        begun: true,
        changes: BTreeMap::new(),
    }))
}

impl Tracking {
    /// What it is once the rows went at once: nothing says which.
    pub(super) fn emptied(&self) -> Self {
        Self {
            kept_in: self.kept_in,
            ..Self::default()
        }
    }
}

/// Notes what a commit changed.
pub(crate) fn follow(before: &Snapshot, after: &mut Snapshot, version: &mut i64) {
    let next = *version + 1;
    for (name, table) in &mut after.tables {
        let Some(tracking) = &table.tracking else {
            continue;
        };
        let old = before.tables.get(name);
        let same = |old: &&Arc<Table>| {
            old.object_id == table.object_id && !Arc::ptr_eq(old, table) && old.tracking.is_some()
        };
        let Some(old) = old.filter(same) else {
            continue;
        };
        let tracking = if tracking.begun {
            // Others may have committed to it meanwhile.
            let known = old.tracking.as_ref().unwrap_or(tracking);
            match noted(known, old, table, next) {
                Ok(Some(noted)) => noted,
                Ok(None) => continue,
                Err(error) => {
                    debug_assert!(false, "rows of a table that can't be read: {error:?}");
                    continue;
                }
            }
        } else {
            Tracking {
                since: next,
                kept_in: tracking.kept_in,
                begun: true,
                changes: BTreeMap::new(),
            }
        };
        Arc::make_mut(table).tracking = Some(Arc::new(tracking));
        *version = next;
    }
}

/// Rows by what tells them apart, with their keys as they are kept.
type Keyed<'a> = BTreeMap<Vec<u8>, (Vec<u8>, &'a [u8])>;

fn rows(table: &Table) -> Result<Keyed<'_>, SqlError> {
    let mut rows = BTreeMap::new();
    for row in table.rows.iter() {
        if let Some(Primary { key, kept }) = primary(table, row)? {
            rows.insert(key, (kept, row));
        }
    }
    Ok(rows)
}

fn noted(
    known: &Tracking,
    before: &Table,
    after: &Table,
    version: i64,
) -> Result<Option<Tracking>, SqlError> {
    let (old, new) = (rows(before)?, rows(after)?);
    let mut changes = known.changes.clone();
    let mut any = false;
    let mut note = |key: &Vec<u8>, kept: &Vec<u8>, operation: &'static str| {
        any = true;
        let created = match (operation, changes.entry(key.clone())) {
            ("I", _) => Some(version),
            (_, Entry::Occupied(entry)) => entry.get().created,
            (_, Entry::Vacant(_)) => None,
        };
        changes.insert(
            key.clone(),
            Changed {
                version,
                created,
                operation,
                key: kept.clone(),
            },
        );
    };
    for (key, (kept, row)) in &new {
        match old.get(key) {
            None => note(key, kept, "I"),
            Some((_, was)) if was != row => note(key, kept, "U"),
            Some(_) => {}
        }
    }
    for (key, (kept, _)) in &old {
        if !new.contains_key(key) {
            note(key, kept, "D");
        }
    }
    Ok(any.then_some(Tracking {
        since: known.since,
        kept_in: known.kept_in,
        begun: true,
        changes,
    }))
}

/// `CHANGETABLE(CHANGES table, since)`.
pub(super) fn changes(table: &Table, since: &Value) -> Outcome<Arc<Table>> {
    let Some(tracking) = &table.tracking else {
        return Err(SqlError::new(
            22105,
            format!("Change tracking is not enabled on table '{}'.", table.name),
        )
        .into());
    };
    let since = match since {
        Value::Null => 0,
        Value::Int(version) => *version,
        other => return Err(SqlError::unknown(format!("CHANGETABLE since {other:?}")).into()),
    };
    let own = [
        ("SYS_CHANGE_VERSION", "bigint"),
        ("SYS_CHANGE_CREATION_VERSION", "bigint"),
        ("SYS_CHANGE_OPERATION", "nchar(1)"),
        ("SYS_CHANGE_COLUMNS", "varbinary(4100)"),
        ("SYS_CHANGE_CONTEXT", "varbinary(128)"),
    ];
    let mut columns = Vec::new();
    for (id, (name, ty)) in (1..).zip(own) {
        columns.push(Column {
            id,
            name: name.to_owned(),
            ty: names::parse_type(ty)?,
            nullable: true,
            identity: None,
            default: None,
            computed: None,
            persisted: false,
        });
    }
    let types: Vec<SqlType> = columns.iter().map(|column| column.ty).collect();
    let key = table
        .indexes
        .iter()
        .find(|index| index.kind == IndexKind::PrimaryKey);
    for (at, _) in key.map(|key| key.columns.as_slice()).unwrap_or_default() {
        columns.push(Column {
            identity: None,
            ..table.columns[*at].clone()
        });
    }
    let mut found = Table::new(-7, "sys", "changetable", columns);
    let mut row = Vec::new();
    for changed in tracking.changes.values() {
        if changed.version <= since {
            continue;
        }
        // What was made since is new, whatever became of it then.
        let operation = match changed.created {
            Some(created) if created > since && changed.operation == "U" => "I",
            _ => changed.operation,
        };
        let values = [
            Value::Int(changed.version),
            changed.created.map_or(Value::Null, Value::Int),
            Value::text(operation),
            Value::Null,
            Value::Null,
        ];
        row.clear();
        for (ty, value) in types.iter().zip(&values) {
            value::put(&mut row, ty, value)?;
        }
        row.extend(&changed.key);
        found.rows.push(&row);
    }
    Ok(Arc::new(found))
}
