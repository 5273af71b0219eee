//! Rows on their way into a table: defaults, identities, conversions, and what must hold of them.

use std::sync::Arc;

use super::Engine;
use super::tablecheck::Keys;
use crate::fault::SqlError;
use crate::reply::Outcome;
use crate::sql::parse;
use crate::sql::query::{Compiler, Scope, Source, SourceColumn};
use crate::store::Name;
use crate::store::rows::{RowId, Rows};
use crate::store::table::{self, Column, Table};
use crate::types::convert::{How, convert};
use crate::types::{Decimal, SqlType, Value, value};

/// What a column of a new row gets.
pub(super) enum Given {
    Value(Value, SqlType),
    /// Its default, or NULL.
    Nothing,
}

impl Engine {
    /// A value as a column keeps it.
    pub(super) fn fitted(
        &self,
        table: &Table,
        column: &Column,
        value: Value,
        from: &SqlType,
    ) -> Result<Value, SqlError> {
        let value = convert(value, from, &column.ty, 0, How::Assign).map_err(|mut error| {
            if error.number == 2628 {
                let rest = error.message.split_once("Truncated value").map_or("", |(_, rest)| rest).to_owned();
                error.message =
                    format!("String or binary data would be truncated in table '{}.{}.{}', column '{}'. Truncated value{rest}", self.database.name, table.schema, table.name, column.name);
            }
            error
        })?;
        self.check_null(table, column, &value)?;
        Ok(value)
    }

    pub(super) fn check_null(
        &self,
        table: &Table,
        column: &Column,
        value: &Value,
    ) -> Result<(), SqlError> {
        if value.is_null() && !column.nullable && column.computed.is_none() {
            return Err(SqlError::new(
                515,
                format!("Cannot insert the value NULL into column '{}', table '{}.{}.{}'; column does not allow nulls. INSERT fails.", column.name, self.database.name, table.schema, table.name),
            )
            .state(2));
        }
        Ok(())
    }

    /// The value of a column's default.
    fn default(&mut self, column: &Column) -> Outcome<Value> {
        let Some((text, _)) = &column.default else {
            return Ok(Value::Null);
        };
        let expr = parse::expression(text)?;
        let (from, value) = self.value(&expr)?;
        Ok(convert(value, &from, &column.ty, 0, How::Assign)?)
    }

    /// Makes kept rows of what an INSERT gives, with all that the table adds.
    pub(super) fn new_rows(
        &mut self,
        table: &Arc<Table>,
        given: Vec<Vec<Given>>,
        keep_identity: bool,
    ) -> Outcome<Rows> {
        let mut defaults: Vec<Option<Value>> = vec![None; table.columns.len()];
        let mut rows = Rows::default();
        let mut bytes = Vec::new();
        for row in given {
            bytes.clear();
            for ((at, column), given) in table.columns.iter().enumerate().zip(row) {
                let value = match given {
                    _ if column.computed.is_some() => Value::Null,
                    _ if column.ty.is_rowversion() => Value::Bytes(
                        self.database
                            .next_rowversion(self.spid)
                            .to_be_bytes()
                            .to_vec(),
                    ),
                    Given::Value(value, from) if column.identity.is_none() => {
                        self.fitted(table, column, value, &from)?
                    }
                    Given::Value(value, from) => {
                        let value = self.fitted(table, column, value, &from)?;
                        if keep_identity {
                            self.note_identity(table, column, &value);
                        }
                        value
                    }
                    Given::Nothing if column.identity.is_some() => {
                        self.next_identity(table, column)?
                    }
                    Given::Nothing => {
                        let volatile = column
                            .default
                            .as_ref()
                            .is_some_and(|(text, _)| text.to_lowercase().contains("newid"));
                        let value = match &defaults[at] {
                            Some(value) if !volatile => value.clone(),
                            _ => self.default(column)?,
                        };
                        defaults[at] = Some(value.clone());
                        self.check_null(table, column, &value)?;
                        value
                    }
                };
                value::put(&mut bytes, &column.ty, &value)?;
            }
            rows.push(&bytes);
        }
        self.computed(table, rows)
    }

    fn next_identity(&mut self, table: &Table, column: &Column) -> Outcome<Value> {
        let identity = column
            .identity
            .as_ref()
            .ok_or_else(|| SqlError::broken("no identity"))?;
        let mut last = crate::control::locked(&table.last_identity);
        let next = last.map_or(identity.seed, |last| last + identity.step);
        *last = Some(next);
        self.scope_identity = Some(next);
        let big = SqlType::plain(crate::types::Kind::BigInt);
        Ok(convert(Value::Int(next), &big, &column.ty, 0, How::Assign)?)
    }

    fn note_identity(&mut self, table: &Table, column: &Column, value: &Value) {
        let number = match value {
            Value::Int(number) => *number,
            Value::Decimal(Decimal { unscaled, .. }) => {
                i64::try_from(*unscaled).unwrap_or(i64::MAX)
            }
            _ => return,
        };
        let mut last = crate::control::locked(&table.last_identity);
        let grows = column
            .identity
            .as_ref()
            .is_none_or(|identity| identity.step > 0);
        if last.is_none_or(|last| if grows { number > last } else { number < last }) {
            *last = Some(number);
        }
        self.scope_identity = Some(number);
    }

    /// One source whose rows are these.
    fn source(
        &mut self,
        table: &Table,
        rows: Rows,
        alias: &str,
        number: usize,
    ) -> Outcome<(Source, String)> {
        let mut shown = table.clone();
        shown.rows = rows;
        shown.shape = table::next_shape();
        let shown = Arc::new(shown);
        let name = self.sqlite.show(&shown)?;
        let columns = table
            .columns
            .iter()
            .map(|column| SourceColumn {
                name: column.name.clone(),
                ty: column.ty,
                nullable: column.nullable,
                identity: column.identity.is_some(),
                computed: column.computed.is_some(),
            })
            .collect();
        let sql = format!("w{number}");
        Ok((
            Source {
                alias: alias.to_lowercase(),
                sql: sql.clone(),
                columns,
                table: Some(shown),
            },
            format!("{name} AS {sql}"),
        ))
    }

    /// Fills the computed columns of rows that have everything else.
    pub(super) fn computed(&mut self, table: &Arc<Table>, rows: Rows) -> Outcome<Rows> {
        let computed: Vec<(usize, String)> = table
            .columns
            .iter()
            .enumerate()
            .filter_map(|(at, column)| Some((at, column.computed.clone()?)))
            .collect();
        if computed.is_empty() || rows.len() == 0 {
            return Ok(rows);
        }
        let (source, from) = self.source(table, rows.clone(), &table.name, 0)?;
        let mut compiler = Compiler::new(self);
        compiler.scopes.push(Scope {
            sources: vec![source],
        });
        let (mut list, mut types) = (
            vec!["w0.rowid".to_owned()],
            vec![SqlType::plain(crate::types::Kind::BigInt)],
        );
        for (at, text) in &computed {
            let typed = compiler.value(&parse::expression(text)?)?;
            list.push(typed.coerced(&table.columns[*at].ty));
            types.push(table.columns[*at].ty);
        }
        let binds = std::mem::take(&mut compiler.binds);
        let found = self.sqlite.values(
            &format!("SELECT {} FROM {from}", list.join(", ")),
            &binds,
            &types,
        )?;
        let mut changes = Vec::new();
        for row in found {
            let mut row = row.into_iter();
            let Some(Value::Int(id)) = row.next() else {
                return Err(SqlError::broken("a row without a place").into());
            };
            let mut values = self.values_of(table, rows.get(RowId(id)).unwrap_or_default())?;
            for ((at, _), value) in computed.iter().zip(row) {
                values[*at] = value;
            }
            changes.push((RowId(id), Some(kept(table, &values)?)));
        }
        changes.sort_by_key(|(id, _)| *id);
        Ok(rows.replaced(&changes))
    }

    /// The values of a kept row.
    pub(super) fn values_of(&self, table: &Table, row: &[u8]) -> Outcome<Vec<Value>> {
        let mut reader = crate::wire::reader::Reader::new(row);
        let mut values = Vec::with_capacity(table.columns.len());
        for column in table.columns.iter() {
            values.push(value::read_kept(&column.ty, &mut reader)?);
        }
        Ok(values)
    }

    /// What a statement set in a row that is there.
    pub(super) fn changed_row(
        &mut self,
        table: &Table,
        row: &[u8],
        set: &[(usize, Value, SqlType)],
    ) -> Outcome<Vec<u8>> {
        let mut values = self.values_of(table, row)?;
        for (at, value, from) in set {
            values[*at] = self.fitted(table, &table.columns[*at], value.clone(), from)?;
        }
        for (at, column) in table.columns.iter().enumerate() {
            if column.ty.is_rowversion() {
                values[at] = Value::Bytes(
                    self.database
                        .next_rowversion(self.spid)
                        .to_be_bytes()
                        .to_vec(),
                );
            }
        }
        Ok(kept(table, &values)?)
    }

    /// Whether rows meet the CHECK constraints.
    pub(super) fn check_rows(&mut self, table: &Arc<Table>, rows: &Rows) -> Outcome {
        if table.checks.is_empty() || rows.len() == 0 {
            return Ok(());
        }
        let (source, from) = self.source(table, rows.clone(), &table.name, 0)?;
        for check in table.checks.iter() {
            let mut compiler = Compiler::new(self);
            compiler.scopes.push(Scope {
                sources: vec![source.clone()],
            });
            let condition = compiler.condition(&parse::expression(&check.text)?)?;
            let binds = std::mem::take(&mut compiler.binds);
            let mut broken = false;
            self.sqlite.query(
                &format!("SELECT 1 FROM {from} WHERE NOT {condition} LIMIT 1"),
                &binds,
                |_| {
                    broken = true;
                    Ok(false)
                },
            )?;
            if broken {
                return Err(SqlError::new(
                    547,
                    format!("The statement conflicted with the CHECK constraint \"{}\". The conflict occurred in database \"{}\", table \"{}.{}\".", check.name, self.database.name, table.schema, table.name),
                )
                .into());
            }
        }
        Ok(())
    }

    /// Puts new rows into a table once everything about them holds; how many went in.
    pub(super) fn add_rows(
        &mut self,
        name: &Name,
        table: &Arc<Table>,
        rows: Rows,
        check: bool,
    ) -> Outcome<Rows> {
        if check {
            self.check_rows(table, &rows)?;
        }
        let rows = if table.has_unique() {
            Keys::add(self.database_of(name), table, &rows)?
        } else {
            rows
        };
        if table.has_unique() {
            let mut grown = Table::clone(table);
            grown.rows.append(&rows);
            grown.touch();
            Keys::follow(self.database_of(name), table, &grown);
            self.put(name, grown);
        } else {
            self.put_grown(name, table, &rows);
        }
        if check {
            self.check_references(name)?;
        }
        Ok(rows)
    }

    /// Rows of a table exchanged for others, or taken out.
    pub(super) fn change_rows(
        &mut self,
        name: &Name,
        table: &Arc<Table>,
        mut changes: Vec<(RowId, Option<Vec<u8>>)>,
        keys_changed: bool,
    ) -> Outcome {
        changes.sort_by_key(|(id, _)| *id);
        let made: Vec<&Vec<u8>> = changes.iter().filter_map(|(_, row)| row.as_ref()).collect();
        if !table.checks.is_empty() {
            let mut rows = Rows::default();
            made.iter().for_each(|row| rows.push(row));
            self.check_rows(table, &rows)?;
        }
        let mut changed = Table::clone(table);
        changed.rows = table.rows.replaced(&changes);
        changed.touch();
        if keys_changed && changed.has_unique() {
            Keys::verify(&changed)?;
        }
        self.put(name, changed);
        self.check_references(name)
    }

    /// Whether every foreign key that has to do with a table still finds its rows.
    pub(super) fn check_references(&mut self, name: &Name) -> Outcome {
        if name.table.starts_with(['#', '@']) {
            return Ok(());
        }
        for child in self.tables() {
            let child_name = Name::new(&child.schema, &child.name);
            for key in child.foreign_keys.iter() {
                if key.target != *name && child_name != *name {
                    continue;
                }
                let Some(parent) = self.lookup(&key.target) else {
                    continue;
                };
                let (child_sql, parent_sql) =
                    (self.sqlite.show(&child)?, self.sqlite.show(&parent)?);
                let mut pairs = Vec::new();
                let mut set = Vec::new();
                for (at, target) in key.columns.iter().zip(&key.target_columns) {
                    let (to, _) = parent
                        .column(target)
                        .ok_or_else(|| SqlError::broken("a foreign key without its target"))?;
                    pairs.push(format!("p.c{to} = c.c{at}"));
                    set.push(format!("c.c{at} IS NOT NULL"));
                }
                let sql = format!(
                    "SELECT 1 FROM {child_sql} AS c WHERE {} AND NOT EXISTS (SELECT 1 FROM {parent_sql} AS p WHERE {}) LIMIT 1",
                    set.join(" AND "),
                    pairs.join(" AND ")
                );
                let mut broken = false;
                self.sqlite.query(&sql, &[], |_| {
                    broken = true;
                    Ok(false)
                })?;
                if broken {
                    return Err(SqlError::new(547, format!("The statement conflicted with the FOREIGN KEY constraint \"{}\". The conflict occurred in database \"{}\".", key.name, self.database.name)).into());
                }
            }
        }
        Ok(())
    }

    /// Answers OUTPUT: what was put in and what was taken out, row by row.
    pub(super) fn output(
        &mut self,
        reply: &mut crate::reply::Reply,
        output: &sqlparser::ast::OutputClause,
        table: &Table,
        inserted: Option<Rows>,
        deleted: Option<Rows>,
    ) -> Outcome {
        let (items, into) = crate::sql::ast::output_items(output);
        let mut sources = Vec::new();
        let mut from = String::new();
        for (number, (rows, alias)) in [(inserted, "inserted"), (deleted, "deleted")]
            .into_iter()
            .enumerate()
        {
            if let Some(rows) = rows {
                let (source, sql) = self.source(table, rows, alias, number)?;
                from += &if from.is_empty() {
                    sql
                } else {
                    format!(" JOIN {sql} ON w0.rowid = w1.rowid")
                };
                sources.push(source);
            }
        }
        let mut compiler = Compiler::new(self);
        compiler.scopes.push(Scope { sources });
        let (list, columns) = compiler.list(items)?;
        let binds = std::mem::take(&mut compiler.binds);
        let sql = format!("SELECT {list} FROM {from}");
        let types: Vec<SqlType> = columns.iter().map(|column| column.ty).collect();
        let rows = self.sqlite.values(&sql, &binds, &types)?;
        if let Some(into) = into {
            let target = match into.targets.as_slice() {
                [sqlparser::ast::Expr::CompoundIdentifier(parts)] => {
                    crate::sql::names::parts(&sqlparser::ast::ObjectName::from(parts.clone()))?
                }
                _ => return Err(SqlError::unknown("OUTPUT INTO").into()),
            };
            let name = self.own_name(&target)?;
            let table = self.lookup(&name).ok_or_else(|| Self::no_object(&target))?;
            let given = rows
                .into_iter()
                .map(|row| {
                    row.into_iter()
                        .zip(&types)
                        .map(|(value, ty)| Given::Value(value, *ty))
                        .collect()
                })
                .collect();
            let rows = self.new_rows(&table, given, false)?;
            self.add_rows(&name, &table, rows, true)?;
            return Ok(());
        }
        reply.columns(&columns);
        for row in rows {
            let (mut bytes, mut places) = (Vec::new(), Vec::new());
            for (value, ty) in row.iter().zip(&types) {
                places.push(bytes.len());
                value::put(&mut bytes, ty, value)?;
            }
            places.push(bytes.len());
            super::select::put_row(reply.tokens(), &columns, &bytes, |at| {
                places[at]..places[at + 1]
            })?;
        }
        Ok(())
    }
}

pub(super) fn kept(table: &Table, values: &[Value]) -> Result<Vec<u8>, SqlError> {
    let mut bytes = Vec::new();
    for (column, value) in table.columns.iter().zip(values) {
        value::put(&mut bytes, &column.ty, value)?;
    }
    Ok(bytes)
}
