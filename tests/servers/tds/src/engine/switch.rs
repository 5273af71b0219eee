//! `ALTER TABLE ... SWITCH TO` and `sp_rename`: tables exchange rows and names.

use std::sync::Arc;

use super::Engine;
use super::dml::Found;
use crate::fault::SqlError;
use crate::reply::Outcome;
use crate::sql::names::{self, Parts};
use crate::store::Name;
use crate::store::locks::{Mode, Resource};
use crate::store::table::{IndexKind, Table, next_shape};

impl Engine {
    /// `ALTER TABLE a SWITCH TO b`: the rows of a become those of b, which must be empty and alike.
    pub(super) fn switch(&mut self, from: &Parts, to: &Parts) -> Outcome {
        let Found {
            name: from_name,
            table: source,
        } = self.target(from, Mode::Schema)?;
        let Found {
            name: to_name,
            table: target,
        } = self.target(to, Mode::Schema)?;
        let full =
            |table: &Table| format!("{}.{}.{}", self.database.name, table.schema, table.name);
        let failed = |number: i32, why: String| {
            SqlError::new(
                number,
                format!("ALTER TABLE SWITCH statement failed. {why}"),
            )
        };
        if target.rows.len() > 0 {
            return Err(failed(
                4905,
                format!("The target table '{}' must be empty.", full(&target)),
            )
            .into());
        }
        if source.columns.len() != target.columns.len() {
            return Err(failed(
                4943,
                format!(
                    "Table '{}' has another number of columns than table '{}'.",
                    full(&source),
                    full(&target)
                ),
            )
            .into());
        }
        for (a, b) in source.columns.iter().zip(target.columns.iter()) {
            if !crate::store::table::same(&a.name, &b.name) {
                return Err(failed(
                    4957,
                    format!(
                        "'{}' and '{}' stand in the same place and have other names.",
                        a.name, b.name
                    ),
                )
                .into());
            }
            if a.ty != b.ty || a.computed != b.computed {
                return Err(failed(4944, format!("Column '{}' has data type {} in source table '{}' which is different from its type {} in target table '{}'.", a.name, a.ty.declared(), full(&source), b.ty.declared(), full(&target))).into());
            }
            if a.nullable != b.nullable {
                return Err(failed(4985, format!("Column '{}' does not have the same nullability attribute in tables '{}' and '{}'.", a.name, full(&source), full(&target))).into());
            }
        }
        let shape = |table: &Table| {
            let mut all: Vec<_> = table
                .indexes
                .iter()
                .map(|index| (index.columns.clone(), index.unique, index.clustered))
                .collect();
            all.sort();
            all
        };
        // The target's indexes must all be there in the source, the clustered one included.
        let (ours, theirs) = (shape(&source), shape(&target));
        if let Some(missing) = theirs.iter().find(|index| !ours.contains(index)) {
            let clustered = if missing.2 { "clustered " } else { "" };
            return Err(failed(4947, format!("There is no identical {clustered}index in source table '{}' for an index of target table '{}'.", full(&source), full(&target))).into());
        }
        if source.is_heap() != target.is_heap() {
            return Err(failed(
                4913,
                format!(
                    "The table '{}' has a clustered index while '{}' has none.",
                    full(&source),
                    full(&target)
                ),
            )
            .into());
        }
        for check in target.checks.iter() {
            if !source.checks.iter().any(|other| other.text == check.text) {
                return Err(failed(4972, format!("The check constraints of source table '{}' allow values that are not allowed by target table '{}'.", full(&source), full(&target))).into());
            }
        }
        if self
            .tables()
            .iter()
            .any(|table| table.foreign_keys.iter().any(|key| key.target == from_name))
        {
            return Err(failed(
                4967,
                format!(
                    "The source table '{}' is referenced by a foreign key.",
                    full(&source)
                ),
            )
            .into());
        }
        let (mut emptied, mut filled) = (Table::clone(&source), Table::clone(&target));
        filled.rows = std::mem::take(&mut emptied.rows);
        filled.touch();
        emptied.touch();
        let last = *crate::control::locked(&source.last_identity);
        filled.last_identity = Arc::new(std::sync::Mutex::new(
            last.or(*crate::control::locked(&target.last_identity)),
        ));
        self.put(&from_name, emptied);
        self.put(&to_name, filled);
        self.check_references(&to_name)
    }

    /// `sp_rename`.
    pub(super) fn rename(&mut self, old: &str, new: &str, kind: &str) -> Outcome {
        let database = self.database.name.clone();
        let unknown = || {
            SqlError::new(15_225, format!("No item by the name of '{old}' could be found in the current database '{database}', given that @itemtype was input as '({kind})'.")).class(11)
        };
        let parts = names::parse(old).ok_or_else(unknown)?;
        match kind {
            "object" | "" => {
                if let Some(outcome) = self.rename_constraint(&parts, new)? {
                    return Ok(outcome);
                }
                let name = self.own_name(&parts)?;
                self.lock_to_write(&name, Mode::Schema)?;
                let table = self.lookup(&name).ok_or_else(unknown)?;
                let to = Name::new(&name.schema, new);
                self.lock(
                    &self.database,
                    &Resource::Table(to.clone()),
                    Mode::Schema,
                    crate::store::locks::Owner::Transaction,
                    self.settings.lock_timeout,
                )?;
                if self.lookup(&to).is_some() {
                    return Err(SqlError::new(15_335, format!("Error: The new name '{new}' is already in use as a object name and would cause a duplicate that is not permitted.")).class(11).into());
                }
                let mut renamed = Table::clone(&table);
                new.clone_into(&mut renamed.name);
                self.put_gone(&name);
                self.put(&to, renamed);
                // Foreign keys point at the table, not at its name.
                for child in self.tables() {
                    if child.foreign_keys.iter().any(|key| key.target == name) {
                        let mut changed = Table::clone(&child);
                        Arc::make_mut(&mut changed.foreign_keys)
                            .iter_mut()
                            .filter(|key| key.target == name)
                            .for_each(|key| key.target = to.clone());
                        self.put(&Name::new(&child.schema, &child.name), changed);
                    }
                }
            }
            "column" | "index" => {
                let table_parts = Parts {
                    database: None,
                    schema: parts.database.clone(),
                    name: parts.schema.clone().ok_or_else(unknown)?,
                };
                let Found { name, table } = self.target(&table_parts, Mode::Schema)?;
                let mut changed = Table::clone(&table);
                if kind == "column" {
                    let (at, _) = table.column(&parts.name).ok_or_else(unknown)?;
                    new.clone_into(&mut Arc::make_mut(&mut changed.columns)[at].name);
                    changed.shape = next_shape();
                } else {
                    let at = table
                        .indexes
                        .iter()
                        .position(|index| crate::store::table::same(&index.name, &parts.name))
                        .ok_or_else(unknown)?;
                    new.clone_into(&mut Arc::make_mut(&mut changed.indexes)[at].name);
                }
                self.put(&name, changed);
            }
            other => return Err(SqlError::unknown(format!("sp_rename of a {other}")).into()),
        }
        Ok(())
    }

    /// A constraint has a name in the schema of its table, as tables have.
    pub(super) fn rename_constraint(&mut self, parts: &Parts, new: &str) -> Outcome<Option<()>> {
        for table in self.tables() {
            let in_schema = parts
                .schema
                .as_ref()
                .is_none_or(|schema| crate::store::table::same(schema, &table.schema));
            let Some(at) = table.indexes.iter().position(|index| {
                index.kind != IndexKind::Index
                    && crate::store::table::same(&index.name, &parts.name)
            }) else {
                continue;
            };
            if in_schema {
                let name = Name::new(&table.schema, &table.name);
                self.lock_to_write(&name, Mode::Schema)?;
                let mut changed = Table::clone(&table);
                new.clone_into(&mut Arc::make_mut(&mut changed.indexes)[at].name);
                self.put(&name, changed);
                return Ok(Some(()));
            }
        }
        Ok(None)
    }
}
