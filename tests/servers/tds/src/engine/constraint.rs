//! Keys, checks, references and indexes.

use std::sync::Arc;

use sqlparser::ast::{Expr, IndexColumn, TableConstraint};

use super::Engine;
use super::dml::Found;
use super::tablecheck::Keys;
use crate::fault::SqlError;
use crate::reply::Outcome;
use crate::sql::ast::Kind;
use crate::sql::names::{self};
use crate::store::Name;
use crate::store::locks::Mode;
use crate::store::table::{Check, ForeignKey, Index, IndexKind, Table};

impl Engine {
    pub(super) fn constrain(&mut self, table: &mut Table, constraint: &TableConstraint) -> Outcome {
        let id = self.database.object_id();
        let named = |name: Option<&sqlparser::ast::Ident>, prefix: &str| {
            name.map_or_else(
                || format!("{prefix}__{}__{}", table.name, short(id)),
                |name| name.value.clone(),
            )
        };
        match constraint {
            TableConstraint::PrimaryKey(key) => {
                let columns = key_columns(table, &key.columns)?;
                if table
                    .indexes
                    .iter()
                    .any(|index| index.kind == IndexKind::PrimaryKey)
                {
                    return Err(SqlError::new(
                        1779,
                        format!(
                            "Table '{}' already has a primary key defined on it.",
                            table.name
                        ),
                    )
                    .into());
                }
                let name = named(key.name.as_ref(), "PK");
                for (at, _) in &columns {
                    let column = &mut Arc::make_mut(&mut table.columns)[*at];
                    if column.nullable && table.rows.len() > 0 {
                        return Err(SqlError::new(8111, format!("Cannot define PRIMARY KEY constraint on nullable column in table '{}'.", table.name)).into());
                    }
                    column.nullable = false;
                }
                let clustered = table.is_heap()
                    && !self
                        .hints
                        .iter()
                        .any(|(follows, hint)| follows == "key" && hint == "nonclustered");
                add_index(
                    table,
                    Index {
                        id: 0,
                        name,
                        columns,
                        included: Vec::new(),
                        unique: true,
                        clustered,
                        columnstore: false,
                        kind: IndexKind::PrimaryKey,
                        ignore_duplicates: false,
                        object_id: id,
                    },
                )?;
            }
            TableConstraint::Unique(key) => {
                let columns = key_columns(table, &key.columns)?;
                let name = named(key.name.as_ref(), "UQ");
                add_index(
                    table,
                    Index {
                        id: 0,
                        name,
                        columns,
                        included: Vec::new(),
                        unique: true,
                        clustered: false,
                        columnstore: false,
                        kind: IndexKind::UniqueConstraint,
                        ignore_duplicates: false,
                        object_id: id,
                    },
                )?;
            }
            TableConstraint::Check(check) => {
                let check = Check {
                    object_id: id,
                    name: named(check.name.as_ref(), "CK"),
                    text: check.expr.to_string(),
                };
                Arc::make_mut(&mut table.checks).push(check);
                let made = Arc::new(table.clone());
                let rows = made.rows.clone();
                self.check_rows(&made, &rows)?;
            }
            TableConstraint::ForeignKey(key) => {
                let parts = names::parts(&key.foreign_table)?;
                let target = self.own_name(&parts)?;
                let mut columns = Vec::new();
                for column in &key.columns {
                    columns.push(place(table, &column.value)?);
                }
                let parent = if target == Name::new(&table.schema, &table.name) {
                    table.clone()
                } else {
                    Table::clone(&*self.lookup(&target).ok_or_else(|| {
                        SqlError::new(
                            1767,
                            format!("Foreign key references invalid table '{}'.", parts.name),
                        )
                    })?)
                };
                let mut target_columns: Vec<String> = key
                    .referred_columns
                    .iter()
                    .map(|column| column.value.clone())
                    .collect();
                if target_columns.is_empty() {
                    target_columns = parent
                        .indexes
                        .iter()
                        .find(|index| index.kind == IndexKind::PrimaryKey)
                        .map(|index| {
                            index
                                .columns
                                .iter()
                                .map(|(at, _)| parent.columns[*at].name.clone())
                                .collect()
                        })
                        .unwrap_or_default();
                }
                if key.on_delete.is_some() || key.on_update.is_some() {
                    return Err(SqlError::unknown("a foreign key that cascades").into());
                }
                let places: Vec<usize> = target_columns
                    .iter()
                    .map(|column| place(&parent, column))
                    .collect::<Outcome<_>>()?;
                let is_key = parent.indexes.iter().any(|index| {
                    index.unique
                        && index
                            .columns
                            .iter()
                            .map(|(at, _)| *at)
                            .eq(places.iter().copied())
                });
                if !is_key || places.len() != columns.len() {
                    return Err(SqlError::new(1776, format!("There are no primary or candidate keys in the referenced table '{}' that match the referencing column list in the foreign key.", parts.name)).into());
                }
                let name = named(key.name.as_ref(), "FK");
                Arc::make_mut(&mut table.foreign_keys).push(ForeignKey {
                    object_id: id,
                    name,
                    columns,
                    target,
                    target_columns,
                });
            }
            other => return Err(SqlError::unknown(other).into()),
        }
        Ok(())
    }

    pub(super) fn create_index(&mut self, kind: &Kind) -> Outcome {
        let Kind::CreateIndex {
            name,
            table,
            columns,
            included,
            unique,
            clustered,
            columnstore,
            ignore_duplicates,
        } = kind
        else {
            return Err(SqlError::broken("no index").into());
        };
        let Found { name: own, table } = self.target(&names::parts(table)?, Mode::Schema)?;
        let mut changed = Table::clone(&table);
        let mut places = Vec::new();
        for (column, descending) in columns {
            places.push((place(&table, column)?, *descending));
        }
        let included = included
            .iter()
            .map(|column| place(&table, column))
            .collect::<Outcome<Vec<usize>>>()?;
        let index = Index {
            id: 0,
            name: name.clone(),
            columns: places,
            included,
            unique: *unique,
            clustered: *clustered,
            columnstore: *columnstore,
            kind: IndexKind::Index,
            ignore_duplicates: *ignore_duplicates,
            object_id: self.database.object_id(),
        };
        add_index(&mut changed, index)?;
        self.put(&own, changed);
        Ok(())
    }
}

pub(super) fn own_column(name: &sqlparser::ast::Ident) -> IndexColumn {
    IndexColumn {
        column: sqlparser::ast::OrderByExpr {
            expr: Expr::Identifier(name.clone()),
            options: sqlparser::ast::OrderByOptions {
                sort: None,
                nulls_first: None,
            },
            with_fill: None,
        },
        operator_class: None,
    }
}

pub(super) fn place(table: &Table, column: &str) -> Outcome<usize> {
    let found = table.column(column).ok_or_else(|| {
        SqlError::new(
            1911,
            format!("Column name '{column}' does not exist in the target table or view."),
        )
    })?;
    Ok(found.0)
}

pub(super) fn key_columns(table: &Table, columns: &[IndexColumn]) -> Outcome<Vec<(usize, bool)>> {
    let mut places = Vec::new();
    for column in columns {
        let Expr::Identifier(ident) = &column.column.expr else {
            return Err(SqlError::unknown(&column.column).into());
        };
        places.push((
            place(table, &ident.value)?,
            matches!(
                column.column.options.sort,
                Some(sqlparser::ast::OrderBySort::Desc)
            ),
        ));
    }
    Ok(places)
}

pub(super) fn add_index(table: &mut Table, mut index: Index) -> Outcome {
    if table
        .indexes
        .iter()
        .any(|other| crate::store::table::same(&other.name, &index.name))
    {
        return Err(SqlError::new(1913, format!("The operation failed because an index or statistics with name '{}' already exists on table '{}'.", index.name, table.name)).into());
    }
    if index.clustered && !table.is_heap() {
        return Err(SqlError::new(
            1902,
            format!(
                "Cannot create more than one clustered index on table '{}'.",
                table.name
            ),
        )
        .into());
    }
    index.id = if index.clustered {
        1
    } else {
        table
            .indexes
            .iter()
            .map(|other| other.id)
            .max()
            .unwrap_or_default()
            .max(1)
            + 1
    };
    Arc::make_mut(&mut table.indexes).push(index);
    table.touch();
    Keys::verify(table).map_err(|error| SqlError::new(1505, format!("The CREATE UNIQUE INDEX statement terminated because a duplicate key was found: {}", error.message)))?;
    Ok(())
}

pub(super) fn short(object_id: i64) -> String {
    format!("{:08X}", object_id & 0xFFFF_FFFF)
}
