//! ALTER TABLE: what becomes of the rows.

use std::sync::Arc;

use sqlparser::ast::ObjectName;

use super::Engine;
use super::constraint::{place, short};
use super::dml::Found;
use super::tablecheck::Keys;
use super::write::kept;
use crate::fault::SqlError;
use crate::reply::Outcome;
use crate::sql::ast::Alter;
use crate::sql::names::{self};
use crate::store::locks::Mode;
use crate::store::rows::Rows;
use crate::store::table::{Identity, IndexKind, Table, next_shape};
use crate::types::convert::{How, convert};
use crate::types::{SqlType, Value};

impl Engine {
    pub(super) fn alter(&mut self, name: &ObjectName, alter: &Alter) -> Outcome {
        let parts = names::parts(name)?;
        if let Alter::SwitchTo(target) = alter {
            return self.switch(&parts, &names::parts(target)?);
        }
        let Found { name: own, table } = self.target(&parts, Mode::Schema)?;
        let mut changed = Table::clone(&table);
        changed.touch();
        match alter {
            Alter::Add(columns, constraints, defaults) => {
                self.add_columns(&mut changed, columns, constraints)?;
                for (label, column, value) in defaults {
                    let at = place(&changed, column)?;
                    let label = label.clone().unwrap_or_else(|| {
                        format!(
                            "DF__{}__{column}__{}",
                            table.name,
                            short(table.object_id + 77)
                        )
                    });
                    Arc::make_mut(&mut changed.columns)[at].default =
                        Some((value.to_string(), label));
                }
                if !columns.is_empty() {
                    changed.rows = self.with_new_columns(&table, &changed)?;
                }
            }
            Alter::DropColumns(columns, if_exists) => {
                let mut gone = Vec::new();
                for column in columns {
                    match table.column(column) {
                        Some((at, _)) if table.indexes.iter().any(|index| index.columns.iter().any(|(other, _)| *other == at)) => {
                            return Err(SqlError::new(5074, format!("The object is dependent on column '{column}'.")).into());
                        }
                        Some((at, _)) => gone.push(at),
                        None if *if_exists => {}
                        None => return Err(SqlError::new(4924, format!("ALTER TABLE DROP COLUMN failed because column '{column}' does not exist in table '{}'.", table.name)).into()),
                    }
                }
                self.without_columns(&table, &mut changed, &gone)?;
            }
            Alter::DropConstraints(names, if_exists) => {
                for constraint in names {
                    if !drop_constraint(&mut changed, constraint) && !if_exists {
                        return Err(SqlError::new(
                            3728,
                            format!("'{constraint}' is not a constraint."),
                        )
                        .into());
                    }
                }
            }
            Alter::Retype {
                name: column,
                ty,
                nullable,
            } => {
                let at = place(&table, column)?;
                let altered = &mut Arc::make_mut(&mut changed.columns)[at];
                let collation = if ty.collation == crate::types::Collation::DEFAULT {
                    altered.ty.collation
                } else {
                    ty.collation
                };
                altered.ty = SqlType { collation, ..*ty };
                altered.nullable = nullable.unwrap_or(true);
                changed.shape = next_shape();
                changed.rows = self.converted_rows(&table, &changed)?;
            }
            Alter::Track(on) => {
                changed.tracking = match on {
                    true => Some(super::tracking::begin(&self.database, &table)?),
                    false => None,
                };
            }
            Alter::Nothing | Alter::SwitchTo(_) => {}
        }
        Keys::verify(&changed)?;
        self.put(&own, changed);
        self.check_references(&own)
    }

    pub(super) fn with_new_columns(&mut self, before: &Table, after: &Table) -> Outcome<Rows> {
        let mut extra = Vec::new();
        for column in &after.columns[before.columns.len()..] {
            let value = match (
                &column.default,
                column.nullable
                    || column.computed.is_some()
                    || column.ty.is_rowversion()
                    || column.identity.is_some(),
            ) {
                // With a default, old rows get it where the column can't be NULL.
                (Some((text, _)), false) => {
                    let (from, value) = self.value(&crate::sql::parse::expression(text)?)?;
                    convert(value, &from, &column.ty, 0, How::Assign)?
                }
                (None, false) if before.rows.len() > 0 => {
                    return Err(SqlError::new(4901, format!("ALTER TABLE only allows columns to be added that can contain nulls, or have a DEFAULT definition specified. Column '{}' cannot be added to non-empty table '{}'.", column.name, before.name)).into());
                }
                _ => Value::Null,
            };
            extra.push(value);
        }
        let mut rows = Rows::default();
        let mut identity = None;
        for row in before.rows.iter() {
            let mut values = self.values_of(before, row)?;
            values.extend(extra.iter().cloned());
            for (column, value) in after
                .columns
                .iter()
                .zip(&mut values)
                .skip(before.columns.len())
            {
                if column.ty.is_rowversion() {
                    *value = Value::Bytes(
                        self.database
                            .next_rowversion(self.spid)
                            .to_be_bytes()
                            .to_vec(),
                    );
                }
                if let Some(Identity { seed, step }) = &column.identity {
                    let next = identity.map_or(*seed, |last: i64| last + step);
                    identity = Some(next);
                    *value = convert(
                        Value::Int(next),
                        &SqlType::plain(crate::types::Kind::BigInt),
                        &column.ty,
                        0,
                        How::Assign,
                    )?;
                }
            }
            rows.push(&kept(after, &values)?);
        }
        if identity.is_some() {
            *crate::control::locked(&after.last_identity) = identity;
        }
        self.computed(&Arc::new(after.clone()), rows)
    }

    pub(super) fn without_columns(
        &mut self,
        before: &Table,
        after: &mut Table,
        gone: &[usize],
    ) -> Outcome {
        let keep: Vec<usize> = (0..before.columns.len())
            .filter(|at| !gone.contains(at))
            .collect();
        let new_place = |at: usize| keep.iter().position(|kept| *kept == at).unwrap_or_default();
        after.columns = Arc::new(keep.iter().map(|at| before.columns[*at].clone()).collect());
        for index in Arc::make_mut(&mut after.indexes) {
            index
                .columns
                .iter_mut()
                .for_each(|(at, _)| *at = new_place(*at));
            index.included.retain(|at| !gone.contains(at));
            index
                .included
                .iter_mut()
                .for_each(|at| *at = new_place(*at));
        }
        for key in Arc::make_mut(&mut after.foreign_keys) {
            key.columns.iter_mut().for_each(|at| *at = new_place(*at));
        }
        after.shape = next_shape();
        let mut rows = Rows::default();
        for row in before.rows.iter() {
            let values = self.values_of(before, row)?;
            let values: Vec<Value> = keep.iter().map(|at| values[*at].clone()).collect();
            rows.push(&kept(after, &values)?);
        }
        after.rows = rows;
        Ok(())
    }

    pub(super) fn converted_rows(&mut self, before: &Table, after: &Table) -> Outcome<Rows> {
        let mut rows = Rows::default();
        for row in before.rows.iter() {
            let mut values = self.values_of(before, row)?;
            for ((old, new), value) in before
                .columns
                .iter()
                .zip(after.columns.iter())
                .zip(&mut values)
            {
                if old.ty != new.ty || old.nullable != new.nullable {
                    *value = convert(
                        std::mem::replace(value, Value::Null),
                        &old.ty,
                        &new.ty,
                        0,
                        How::Assign,
                    )?;
                    self.check_null(after, new, value)?;
                }
            }
            rows.push(&kept(after, &values)?);
        }
        Ok(rows)
    }
}

pub(super) fn drop_constraint(table: &mut Table, name: &str) -> bool {
    let same = |other: &str| crate::store::table::same(other, name);
    let count = |table: &Table| {
        table.indexes.len()
            + table.checks.len()
            + table.foreign_keys.len()
            + table
                .columns
                .iter()
                .filter(|column| column.default.is_some())
                .count()
    };
    let before = count(table);
    Arc::make_mut(&mut table.indexes)
        .retain(|index| index.kind == IndexKind::Index || !same(&index.name));
    Arc::make_mut(&mut table.checks).retain(|check| !same(&check.name));
    Arc::make_mut(&mut table.foreign_keys).retain(|key| !same(&key.name));
    for column in Arc::make_mut(&mut table.columns) {
        if column
            .default
            .as_ref()
            .is_some_and(|(_, label)| same(label))
        {
            column.default = None;
        }
    }
    count(table) < before
}
