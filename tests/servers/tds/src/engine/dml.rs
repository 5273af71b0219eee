//! INSERT, UPDATE, DELETE, TRUNCATE: a query says which rows and what of them, the rest is done here.

use std::collections::HashSet;
use std::sync::Arc;

use sqlparser::ast::{
    Expr, ObjectName, OutputClause, Query, SetExpr, TableFactor, TableWithJoins, With,
};

use super::Engine;
use super::write::Given;
use crate::fault::SqlError;
use crate::reply::{Outcome, Reply};
use crate::sql::ast::{Kind, Source, Target};
use crate::sql::names::{self, Parts};
use crate::sql::query::{Compiler, Scope};
use crate::store::Name;
use crate::store::locks::Mode;
use crate::store::rows::{RowId, Rows};
use crate::store::table::{Table, next_shape, same};
use crate::types::{SqlType, Value};
use crate::wire::token;

/// A statement's target, found and locked.
pub(super) struct Found {
    pub(super) name: Name,
    pub(super) table: Arc<Table>,
}

impl Engine {
    pub(super) fn target(&mut self, parts: &Parts, mode: Mode) -> Outcome<Found> {
        let name = self.own_name(parts)?;
        if matches!(name.schema.as_str(), "sys" | "information_schema") {
            return Err(
                SqlError::new(259, "Ad hoc updates to system catalogs are not allowed.").into(),
            );
        }
        self.lock_to_write(&name, mode)?;
        // Looked up once the lock is held, past what the statement saw before.
        self.view = self
            .view
            .take()
            .filter(|_| self.settings.isolation == super::options::Isolation::Snapshot);
        let table = self.lookup(&name).ok_or_else(|| Self::no_object(parts))?;
        self.refuse_conflict(&name)?;
        self.writes = Some(name.clone());
        Ok(Found { name, table })
    }

    /// Under SNAPSHOT nothing may be changed that another changed since (3960).
    fn refuse_conflict(&self, name: &Name) -> Outcome {
        let Some(view) = &self.view else {
            return Ok(());
        };
        let database = self.database_of(name);
        let touched = self
            .pending
            .tables
            .contains_key(&(database.name.to_lowercase(), name.clone()));
        let current = database.snapshot();
        let unchanged = match (view.tables.get(name), current.tables.get(name)) {
            (Some(seen), Some(now)) => Arc::ptr_eq(seen, now),
            _ => true,
        };
        if touched || unchanged || name.table.starts_with(['#', '@']) {
            return Ok(());
        }
        Err(SqlError::new(
            3960,
            format!(
                "Snapshot isolation transaction aborted due to update conflict. You cannot use snapshot isolation to access table '{}.{}' directly or indirectly in database '{}' to update, delete, or insert the row that has been modified or deleted by another transaction. Retry the transaction or change the isolation level for the update/delete statement.",
                name.schema, name.table, database.name
            ),
        )
        .state(2)
        .into())
    }

    /// How an INSERT locks: rows go behind the others unless something has to be unique.
    pub(super) fn insert_mode(&self, parts: &Parts) -> Mode {
        let found = self
            .own_name(parts)
            .ok()
            .and_then(|name| self.lookup(&name));
        let exclusive = self
            .hints
            .iter()
            .any(|(_, hint)| hint == "tablock" || hint == "tablockx" || hint == "xlock");
        if exclusive || found.is_some_and(|table| table.has_unique()) {
            Mode::Exclusive
        } else {
            Mode::Append
        }
    }

    pub(super) fn insert(
        &mut self,
        reply: &mut Reply,
        table: &ObjectName,
        columns: &[String],
        output: Option<&OutputClause>,
        top: Option<&Expr>,
        source: &Source,
    ) -> Outcome {
        if top.is_some() {
            return Err(SqlError::unknown("INSERT TOP").into());
        }
        let parts = names::parts(table)?;
        let mode = self.insert_mode(&parts);
        let Found { name, table } = self.target(&parts, mode)?;
        let chosen = self.insert_columns(&table, &name, columns)?;
        let rows: Vec<Vec<Given>> = match source {
            Source::DefaultValues => vec![table.columns.iter().map(|_| Given::Nothing).collect()],
            Source::Exec => return Err(SqlError::unknown("INSERT ... EXEC").into()),
            Source::Query(query) if has_default(query) => {
                self.rows_with_defaults(query, &table, &chosen)?
            }
            Source::Query(query) => {
                let (compiled, binds) = self.compile(query)?;
                let types: Vec<SqlType> = compiled.columns.iter().map(|column| column.ty).collect();
                if types.len() != chosen.len() {
                    let (number, which) = if types.len() > chosen.len() {
                        (
                            110,
                            "fewer columns in the INSERT statement than values specified",
                        )
                    } else {
                        (
                            109,
                            "more columns in the INSERT statement than values specified",
                        )
                    };
                    return Err(SqlError::new(number, format!("There are {which}. The number of values must match the number of columns.")).class(15).into());
                }
                let rows = self.sqlite.values(&compiled.sql, &binds, &types)?;
                let width = table.columns.len();
                rows.into_iter()
                    .map(|row| {
                        let mut given: Vec<Given> = (0..width).map(|_| Given::Nothing).collect();
                        for ((value, ty), at) in row.into_iter().zip(&types).zip(&chosen) {
                            given[*at] = Given::Value(value, *ty);
                        }
                        given
                    })
                    .collect()
            }
        };
        let keep = self.settings.identity_insert.as_ref() == Some(&name);
        let rows = self.new_rows(&table, rows, keep)?;
        let rows = self.add_rows(&name, &table, rows, true)?;
        self.tell(
            reply,
            token::CMD_INSERT,
            rows.len(),
            |engine, reply| match output {
                Some(output) => engine.output(reply, output, &table, Some(rows.clone()), None),
                None => Ok(()),
            },
        )
    }

    /// VALUES with DEFAULT somewhere in it, value by value.
    fn rows_with_defaults(
        &mut self,
        query: &Query,
        table: &Table,
        chosen: &[usize],
    ) -> Outcome<Vec<Vec<Given>>> {
        let SetExpr::Values(values) = query.body.as_ref() else {
            return Err(SqlError::broken("DEFAULT outside VALUES").into());
        };
        let mut rows = Vec::new();
        for row in &values.rows {
            if row.content.len() != chosen.len() {
                return Err(SqlError::new(109, "The number of values must match the number of columns in the INSERT statement.").class(15).into());
            }
            let mut given: Vec<Given> = table.columns.iter().map(|_| Given::Nothing).collect();
            for (expr, at) in row.content.iter().zip(chosen) {
                if !is_default(expr) {
                    let (ty, value) = self.value(expr)?;
                    given[*at] = Given::Value(value, ty);
                }
            }
            rows.push(given);
        }
        Ok(rows)
    }

    /// Places of the columns that an INSERT fills, in its order.
    pub(super) fn insert_columns(
        &self,
        table: &Table,
        name: &Name,
        columns: &[String],
    ) -> Outcome<Vec<usize>> {
        let keep = self.settings.identity_insert.as_ref() == Some(name);
        let full = format!("{}.{}", table.schema, table.name);
        let mut chosen = Vec::new();
        if columns.is_empty() {
            for (at, column) in table.columns.iter().enumerate() {
                let filled = column.computed.is_some()
                    || column.ty.is_rowversion()
                    || (column.identity.is_some() && !keep);
                if !filled {
                    chosen.push(at);
                }
            }
            if keep {
                return Err(SqlError::new(8101, format!("An explicit value for the identity column in table '{full}' can only be specified when a column list is used and IDENTITY_INSERT is ON.")).into());
            }
            return Ok(chosen);
        }
        for column in columns {
            let (at, found) = table
                .column(column)
                .ok_or_else(|| SqlError::new(207, format!("Invalid column name '{column}'.")))?;
            if chosen.contains(&at) {
                return Err(SqlError::new(
                    264,
                    format!(
                        "The column name '{column}' is specified more than once in the column list."
                    ),
                )
                .into());
            }
            if found.computed.is_some() {
                return Err(SqlError::new(271, format!("The column \"{column}\" cannot be modified because it is either a computed column or is the result of a UNION operator.")).into());
            }
            if found.ty.is_rowversion() {
                return Err(SqlError::new(273, "Cannot insert an explicit value into a timestamp column. Use INSERT with a column list to exclude the timestamp column, or insert a DEFAULT into the timestamp column.").into());
            }
            if found.identity.is_some() && !keep {
                return Err(SqlError::new(544, format!("Cannot insert explicit value for identity column in table '{}' when IDENTITY_INSERT is set to OFF.", table.name)).into());
            }
            chosen.push(at);
        }
        if keep
            && table
                .identity_column()
                .is_some_and(|(at, _)| !chosen.contains(&at))
        {
            return Err(SqlError::new(545, format!("Explicit value must be specified for identity column in table '{}' either when IDENTITY_INSERT is set to ON or when a replication user is inserting into a NOT FOR REPLICATION identity column.", table.name)).into());
        }
        Ok(chosen)
    }

    /// Says how many rows a statement changed, after what its OUTPUT says.
    pub(super) fn tell(
        &mut self,
        reply: &mut Reply,
        command: u16,
        count: usize,
        output: impl FnOnce(&mut Self, &mut Reply) -> Outcome,
    ) -> Outcome {
        output(self, reply)?;
        self.row_count = i64::try_from(count).unwrap_or(i64::MAX);
        reply.done(
            self.counted(),
            command,
            u64::try_from(count).unwrap_or_default(),
        );
        Ok(())
    }

    /// The table that an UPDATE or DELETE names, perhaps by an alias of its FROM.
    fn named_target(target: &Parts, from: &[TableWithJoins]) -> Outcome<Parts> {
        if target.schema.is_some() {
            return Ok(target.clone());
        }
        let factors = from.iter().flat_map(|table| {
            std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation))
        });
        for factor in factors {
            if let TableFactor::Table {
                name,
                alias: Some(alias),
                ..
            } = factor
                && same(&alias.name.value, &target.name)
            {
                return Ok(names::parts(name)?);
            }
        }
        Ok(target.clone())
    }

    /// FROM with the target in it; the rest of the query, and the place of the target in the scope.
    fn with_target(
        compiler: &mut Compiler<'_>,
        with: Option<&With>,
        target: &Parts,
        table: &Table,
        from: &[TableWithJoins],
    ) -> Outcome<(String, usize)> {
        if let Some(with) = with {
            compiler.with(with)?;
        }
        compiler.scopes.push(Scope::default());
        let mut sql = compiler.from(from)?;
        let sources = compiler
            .scopes
            .last()
            .map(|scope| scope.sources.clone())
            .unwrap_or_default();
        let by_alias = sources.iter().position(|source| {
            same(&source.alias, &target.name)
                && source
                    .table
                    .as_ref()
                    .is_some_and(|found| found.object_id == table.object_id)
        });
        let at = match by_alias.or_else(|| {
            sources.iter().position(|source| {
                source
                    .table
                    .as_ref()
                    .is_some_and(|found| found.object_id == table.object_id)
            })
        }) {
            Some(at) => at,
            None => {
                let own = compiler.add_table(target, None)?;
                sql = if sql.is_empty() {
                    own
                } else {
                    format!("{sql} CROSS JOIN {own}")
                };
                sources.len()
            }
        };
        Ok((sql, at))
    }

    pub(super) fn update(&mut self, reply: &mut Reply, kind: &Kind) -> Outcome {
        let Kind::Update {
            target,
            set,
            output,
            top,
            from,
            filter,
            with,
        } = kind
        else {
            return Err(SqlError::broken("no UPDATE").into());
        };
        let target = names::parts(target)?;
        let stored = Self::named_target(&target, from)?;
        let Found { name, table } = self.target(&stored, Mode::Exclusive)?;
        let mut columns = Vec::new();
        for (target, _) in set {
            match target {
                Target::Variable(name) => {
                    return Err(SqlError::unknown(format!("UPDATE ... SET {name}")).into());
                }
                Target::Column(column) => columns.push(Self::settable(&table, column)?),
            }
        }
        let alias = if from.is_empty() {
            stored.clone()
        } else {
            target
        };
        let mut compiler = Compiler::new(self);
        let (sql, at) = Self::with_target(&mut compiler, with.as_ref(), &alias, &table, from)?;
        let (mut list, mut types) = (Vec::new(), vec![SqlType::plain(crate::types::Kind::BigInt)]);
        list.push(format!("{}.rowid", compiler.scopes[0].sources[at].sql));
        for (_, expr) in set {
            let typed = compiler.value(expr)?;
            list.push(typed.sql);
            types.push(typed.ty);
        }
        let rest = restriction(&mut compiler, filter.as_ref(), top.as_ref())?;
        let binds = std::mem::take(&mut compiler.binds);
        let found = self.sqlite.values(
            &format!("SELECT {} FROM {sql}{rest}", list.join(", ")),
            &binds,
            &types,
        )?;
        let (mut seen, mut changes) = (HashSet::new(), Vec::new());
        let (mut before, mut after) = (Rows::default(), Rows::default());
        for row in found {
            let mut row = row.into_iter();
            let Some(Value::Int(id)) = row.next() else {
                return Err(SqlError::broken("a row without a place").into());
            };
            if !seen.insert(id) {
                continue;
            }
            let set: Vec<(usize, Value, SqlType)> = columns
                .iter()
                .zip(row)
                .zip(&types[1..])
                .map(|((at, value), ty)| (*at, value, *ty))
                .collect();
            let old = table
                .rows
                .get(RowId(id))
                .ok_or_else(|| SqlError::broken("a row is gone within a statement"))?;
            before.push(old);
            after.push(&self.changed_row(&table, old, &set)?);
            changes.push(RowId(id));
        }
        let after = self.computed(&table, after)?;
        let count = changes.len();
        let changes: Vec<(RowId, Option<Vec<u8>>)> = changes
            .into_iter()
            .zip(after.iter())
            .map(|(id, row)| (id, Some(row.to_vec())))
            .collect();
        self.change_rows(&name, &table, changes, keys_touched(&table, &columns))?;
        self.tell(
            reply,
            token::CMD_UPDATE,
            count,
            |engine, reply| match output {
                Some(output) => engine.output(reply, output, &table, Some(after), Some(before)),
                None => Ok(()),
            },
        )
    }

    pub(super) fn settable(table: &Table, column: &str) -> Outcome<usize> {
        let (at, found) = table
            .column(column)
            .ok_or_else(|| SqlError::new(207, format!("Invalid column name '{column}'.")))?;
        if found.identity.is_some() {
            return Err(
                SqlError::new(8102, format!("Cannot update identity column '{column}'.")).into(),
            );
        }
        if found.computed.is_some() {
            return Err(SqlError::new(271, format!("The column \"{column}\" cannot be modified because it is either a computed column or is the result of a UNION operator.")).into());
        }
        if found.ty.is_rowversion() {
            return Err(SqlError::new(272, "Cannot update a timestamp column.").into());
        }
        Ok(at)
    }

    pub(super) fn delete(&mut self, reply: &mut Reply, kind: &Kind) -> Outcome {
        let Kind::Delete {
            target,
            output,
            top,
            from,
            filter,
            with,
        } = kind
        else {
            return Err(SqlError::broken("no DELETE").into());
        };
        let target = names::parts(target)?;
        let stored = Self::named_target(&target, from)?;
        let Found { name, table } = self.target(&stored, Mode::Exclusive)?;
        let alias = if from.is_empty() {
            stored.clone()
        } else {
            target
        };
        let mut compiler = Compiler::new(self);
        let (sql, at) = Self::with_target(&mut compiler, with.as_ref(), &alias, &table, from)?;
        let rowid = format!("{}.rowid", compiler.scopes[0].sources[at].sql);
        let rest = restriction(&mut compiler, filter.as_ref(), top.as_ref())?;
        let binds = std::mem::take(&mut compiler.binds);
        let found = self.sqlite.values(
            &format!("SELECT {rowid} FROM {sql}{rest}"),
            &binds,
            &[SqlType::plain(crate::types::Kind::BigInt)],
        )?;
        let (mut seen, mut before) = (HashSet::new(), Rows::default());
        let mut changes = Vec::new();
        for row in found {
            if let Some(Value::Int(id)) = row.first()
                && seen.insert(*id)
            {
                before.push(
                    table
                        .rows
                        .get(RowId(*id))
                        .ok_or_else(|| SqlError::broken("a row is gone within a statement"))?,
                );
                changes.push((RowId(*id), None));
            }
        }
        let count = changes.len();
        self.change_rows(&name, &table, changes, false)?;
        self.tell(
            reply,
            token::CMD_DELETE,
            count,
            |engine, reply| match output {
                Some(output) => engine.output(reply, output, &table, None, Some(before)),
                None => Ok(()),
            },
        )
    }

    pub(super) fn truncate(&mut self, reply: &mut Reply, name: &ObjectName) -> Outcome {
        let parts = names::parts(name)?;
        let Found { name, table } = self.target(&parts, Mode::Schema)?;
        if self.tables().iter().any(|other| {
            other.object_id != table.object_id
                && other.foreign_keys.iter().any(|key| key.target == name)
        }) {
            return Err(SqlError::new(4712, format!("Cannot truncate table '{}' because it is being referenced by a FOREIGN KEY constraint.", table.name)).into());
        }
        let mut emptied = Table::clone(&table);
        emptied.touch();
        emptied.rows = Rows::default();
        emptied.last_identity = Arc::default();
        emptied.shape = next_shape();
        emptied.tracking = emptied
            .tracking
            .map(|tracking| Arc::new(tracking.emptied()));
        self.put(&name, emptied);
        reply.done(0, token::CMD_OTHER, 0);
        Ok(())
    }
}

/// WHERE and TOP, at the end of a query.
fn restriction(
    compiler: &mut Compiler<'_>,
    filter: Option<&Expr>,
    top: Option<&Expr>,
) -> Outcome<String> {
    let mut sql = String::new();
    if let Some(filter) = filter {
        sql += &format!(" WHERE {}", compiler.condition(filter)?);
    }
    if let Some(top) = top {
        sql += &format!(" LIMIT {}", compiler.value(top)?.sql);
    }
    Ok(sql)
}

fn is_default(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("default"))
}

fn has_default(query: &Query) -> bool {
    let SetExpr::Values(values) = query.body.as_ref() else {
        return false;
    };
    values
        .rows
        .iter()
        .any(|row| row.content.iter().any(is_default))
}

/// Whether columns are part of a unique key.
pub(super) fn keys_touched(table: &Table, columns: &[usize]) -> bool {
    table.indexes.iter().any(|index| {
        index.unique
            && index
                .columns
                .iter()
                .any(|(at, _)| columns.contains(at) || table.columns[*at].computed.is_some())
    })
}
