//! Runs queries and sends their rows.

use std::sync::Arc;

use sqlparser::ast::{Expr, Query, SelectItem, SetExpr};

use super::{Engine, form};
use crate::fault::SqlError;
use crate::reply::{Outcome, Reply};
use crate::sql::names;
use crate::sql::query::{Compiled, Compiler, Plain};
use crate::store::rows::RowId;
use crate::store::table;
use crate::types::{Value, value};
use crate::wire::token::{self, Column};

impl Engine {
    pub(super) fn compile(&mut self, query: &Query) -> Outcome<(Compiled, Vec<Value>)> {
        let mut compiler = Compiler::new(self);
        let compiled = compiler.query(query)?;
        Ok((compiled, compiler.binds))
    }

    pub(super) fn run_query(&mut self, reply: &mut Reply, query: &Query) -> Outcome {
        if let SetExpr::Select(select) = query.body.as_ref() {
            if select.into.is_some() {
                return self.select_into(reply, query);
            }
            let targets: Vec<Option<&str>> = select.projection.iter().map(variable).collect();
            if targets.iter().any(Option::is_some) {
                let targets = targets.into_iter().collect::<Option<Vec<&str>>>().ok_or_else(|| {
                    SqlError::new(141, "A SELECT statement that assigns a value to a variable must not be combined with data-retrieval operations.").class(15)
                })?;
                return self.assign(query, &targets);
            }
        }
        let (compiled, binds) = self.compile(query)?;
        reply.columns(&compiled.columns);
        let count = if self.settings.format_only {
            0
        } else {
            self.send_rows(reply, &compiled, &binds)?
        };
        self.row_count = i64::try_from(count).unwrap_or(i64::MAX);
        reply.done(token::COUNT, token::CMD_SELECT, count);
        Ok(())
    }

    fn send_rows(
        &mut self,
        reply: &mut Reply,
        compiled: &Compiled,
        binds: &[Value],
    ) -> Outcome<u64> {
        if let Some(plain) = &compiled.plain {
            return self.send_plain(reply, plain, &compiled.columns, binds);
        }
        let columns = &compiled.columns;
        let mut count = 0;
        let (mut kept, mut places) = (Vec::new(), Vec::new());
        self.sqlite.query(&compiled.sql, binds, |row| {
            kept.clear();
            places.clear();
            for (at, column) in columns.iter().enumerate() {
                places.push(kept.len());
                let found = form::from_sqlite(super::sqlite::cell(row, at)?, &column.ty)?;
                value::put(&mut kept, &column.ty, &found)?;
            }
            places.push(kept.len());
            put_row(reply.tokens(), columns, &kept, |at| {
                places[at]..places[at + 1]
            })?;
            count += 1;
            reply.pace()?;
            Ok(true)
        })?;
        Ok(count)
    }

    /// Sends columns of a table as they are kept, without looking into them.
    fn send_plain(
        &mut self,
        reply: &mut Reply,
        plain: &Plain,
        columns: &[Column],
        binds: &[Value],
    ) -> Outcome<u64> {
        let mut places = Vec::new();
        let mut count = 0;
        let declared = Arc::clone(&plain.table.columns);
        let mut send = |reply: &mut Reply, row: &[u8]| -> Outcome {
            table::places(&declared, row, &mut places);
            put_row(reply.tokens(), columns, row, |at| {
                places[plain.columns[at]]..places[plain.columns[at] + 1]
            })?;
            count += 1;
            reply.pace()
        };
        match &plain.rows {
            None => {
                for row in plain.table.rows.iter() {
                    send(reply, row)?;
                }
            }
            Some(sql) => self.sqlite.query(sql, binds, |found| {
                let id = super::sqlite::cell(found, 0)?
                    .as_i64()
                    .map_err(SqlError::broken)?;
                let row = plain
                    .table
                    .rows
                    .get(RowId(id))
                    .ok_or_else(|| SqlError::broken("a row is gone within a statement"))?;
                send(reply, row)?;
                Ok(true)
            })?,
        }
        Ok(count)
    }

    /// `SELECT @a = x, @b = y`: row by row where a value depends on the one before, else the last
    /// row's.
    fn assign(&mut self, query: &Query, targets: &[&str]) -> Outcome {
        let text = query.to_string().to_lowercase();
        let gathers = targets
            .iter()
            .any(|target| text.matches(&target.to_lowercase()).count() > 1);
        let mut count = 0_usize;
        loop {
            let (compiled, binds) = self.compile(query)?;
            let types: Vec<_> = compiled.columns.iter().map(|column| column.ty).collect();
            let sql = if gathers {
                format!("SELECT * FROM ({}) LIMIT 1 OFFSET {count}", compiled.sql)
            } else {
                compiled.sql
            };
            let rows = self.sqlite.values(&sql, &binds, &types)?;
            count += rows.len();
            let found = rows.into_iter().last();
            let goes_on = gathers && found.is_some();
            if let Some(last) = found {
                for ((target, value), ty) in targets.iter().zip(last).zip(&types) {
                    self.set_variable(target, ty, value)?;
                }
            }
            if !goes_on {
                self.row_count = i64::try_from(count).unwrap_or(i64::MAX);
                return Ok(());
            }
        }
    }

    fn select_into(&mut self, reply: &mut Reply, query: &Query) -> Outcome {
        let mut query = query.clone();
        let SetExpr::Select(select) = query.body.as_mut() else {
            return Err(SqlError::unknown(query).into());
        };
        let into = select
            .into
            .take()
            .ok_or_else(|| SqlError::broken("INTO without a target"))?;
        let target = match into.targets.as_slice() {
            [Expr::Identifier(ident)] => names::Parts {
                database: None,
                schema: None,
                name: ident.value.clone(),
            },
            [Expr::CompoundIdentifier(parts)] => {
                names::parts(&sqlparser::ast::ObjectName::from(parts.clone()))?
            }
            _ => return Err(SqlError::unknown("INTO").into()),
        };
        let (compiled, binds) = self.compile(&query)?;
        let name = self.own_name(&target)?;
        self.lock_to_write(&name, crate::store::locks::Mode::Schema)?;
        let mut columns = Vec::new();
        for (id, column) in (1..).zip(&compiled.columns) {
            if column.name.is_empty() {
                return Err(SqlError::new(1038, "An object or column name is missing or empty. For SELECT INTO statements, verify each column has a name.").class(15).into());
            }
            columns.push(table::Column {
                id,
                name: column.name.clone(),
                ty: column.ty,
                nullable: column.nullable,
                identity: column
                    .identity
                    .then_some(table::Identity { seed: 1, step: 1 }),
                default: None,
                computed: None,
                persisted: false,
            });
        }
        let mut made = self.new_table(&target, columns)?;
        let types: Vec<_> = compiled.columns.iter().map(|column| column.ty).collect();
        let rows = self.sqlite.values(&compiled.sql, &binds, &types)?;
        let mut bytes = Vec::new();
        for row in &rows {
            bytes.clear();
            for (value, ty) in row.iter().zip(&types) {
                value::put(&mut bytes, ty, value)?;
            }
            made.rows.push(&bytes);
        }
        self.put(&name, made);
        self.row_count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        reply.done(
            self.counted(),
            token::CMD_SELECT,
            u64::try_from(rows.len()).unwrap_or_default(),
        );
        Ok(())
    }

    /// Whether a DONE tells how many rows there were.
    pub(super) fn counted(&self) -> u16 {
        if self.settings.no_count {
            0
        } else {
            token::COUNT
        }
    }
}

fn variable(item: &SelectItem) -> Option<&str> {
    match item {
        SelectItem::ExprWithAlias { alias, .. }
            if alias.value.starts_with('@') && alias.quote_style.is_none() =>
        {
            Some(&alias.value)
        }
        _ => None,
    }
}

/// Whether a kept value is NULL, by its first bytes.
fn is_null(column: &Column, bytes: &[u8]) -> bool {
    use crate::types::Layout;
    match column.ty.layout() {
        Layout::Byte | Layout::Pointer => bytes.first() == Some(&0),
        Layout::Short => bytes.starts_with(&[0xFF, 0xFF]),
        Layout::Chunked => bytes.starts_with(&[0xFF; 8]),
        Layout::Long => bytes.starts_with(&[0; 4]),
    }
}

/// Appends a row, without its NULLs where a bitmap of them is shorter (NBCROW, 2.2.7.15).
pub(super) fn put_row(
    out: &mut Vec<u8>,
    columns: &[Column],
    row: &[u8],
    place: impl Fn(usize) -> std::ops::Range<usize>,
) -> Result<(), SqlError> {
    let bitmap = columns.len().div_ceil(8);
    let saved: usize = (0..columns.len())
        .filter(|at| columns[*at].nullable)
        .map(|at| &row[place(at)])
        .zip(columns.iter().filter(|column| column.nullable))
        .filter(|(bytes, column)| is_null(column, bytes))
        .map(|(bytes, _)| bytes.len())
        .sum();
    let compact = saved > bitmap;
    if compact {
        out.push(token::NBCROW);
        let start = out.len();
        out.resize(start + bitmap, 0);
        for (at, column) in columns.iter().enumerate() {
            if column.nullable && is_null(column, &row[place(at)]) {
                out[start + at / 8] |= 1 << (at % 8);
            }
        }
    } else {
        out.push(token::ROW);
    }
    for (at, column) in columns.iter().enumerate() {
        let bytes = &row[place(at)];
        if column.nullable {
            if !(compact && is_null(column, bytes)) {
                out.extend_from_slice(bytes);
            }
        } else if column.ty.can_be_fixed() {
            if bytes.len() <= value::FIXED_PREFIX {
                return Err(SqlError::broken(format!(
                    "a NULL in the column '{}', which has none",
                    column.name
                )));
            }
            // Declared without a length.
            out.extend_from_slice(&bytes[value::FIXED_PREFIX..]);
        } else {
            out.extend_from_slice(bytes);
        }
    }
    Ok(())
}
