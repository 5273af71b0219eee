//! INSERT BULK: announced by a statement, then a message of rows.

use super::transaction::Pending;
use super::write::Given;
use super::{Engine, Load, cut};
use crate::fault::SqlError;
use crate::reply::{Halt, Outcome, Reply};
use crate::sql::ast::{Kind, Statement};
use crate::sql::names;
use crate::store::Name;
use crate::store::locks::Mode;
use crate::store::rows::Rows;
use crate::store::table::{Table, same};
use crate::types::info::{Declared, Form};
use crate::types::{Layout, SqlType, Value, value};
use crate::wire::bulk::{self, Stop, Stream};
use crate::wire::reader::Reader;
use crate::wire::token;

/// A table that counts rows and keeps none, for measuring clients.
const SINK: &str = "hygge_sink";

impl Load {
    /// What the log and faults call the moment when its rows arrive.
    fn name(&self) -> String {
        match &self.statement.kind {
            Kind::InsertBulk { table, .. } => format!("BULK LOAD {table}"),
            _ => self.statement.text.clone(),
        }
    }
}

/// Where a column of the load goes, and whether its bytes are kept as they come.
struct Way {
    declared: Declared,
    to: usize,
    as_is: bool,
}

impl Engine {
    pub(super) fn announce_load(&mut self, statement: &Statement) -> Outcome {
        let Kind::InsertBulk { table, columns, .. } = &statement.kind else {
            return Err(SqlError::broken("no load").into());
        };
        let parts = names::parts(table)?;
        let name = self.own_name(&parts)?;
        let found = self.lookup(&name).ok_or_else(|| Self::no_object(&parts))?;
        for (column, _) in columns {
            if found.column(column).is_none() {
                return Err(SqlError::new(207, format!("Invalid column name '{column}'.")).into());
            }
        }
        self.load = Some(Load {
            statement: statement.clone(),
        });
        Ok(())
    }

    pub(crate) fn bulk(&mut self, reply: &mut Reply, stream: &mut Stream<'_>) -> Outcome {
        self.signals = std::sync::Arc::clone(&reply.signals);
        let Some(load) = self.load.take() else {
            stream.drain()?;
            return Err(SqlError::protocol(
                "rows of a bulk load without an INSERT BULK before them",
            )
            .into());
        };
        // Faults of the load itself were struck by its statement; this is the moment of its rows.
        let drop_after = self.enter(reply, &load.name());
        let before: Pending = self.pending.clone();
        self.hints.clear();
        let outcome = drop_after.and_then(|drop_after| {
            self.load_rows(reply, stream, &load)
                .map(|count| (drop_after, count))
        });
        self.writes = None;
        self.settle(outcome.is_ok(), before);
        self.report(reply);
        match outcome {
            Ok((true, _)) => Err(cut(reply)),
            Ok((false, count)) => {
                self.row_count = i64::try_from(count).unwrap_or(i64::MAX);
                reply.done(
                    token::COUNT,
                    token::CMD_BULK,
                    u64::try_from(count).unwrap_or_default(),
                );
                Ok(())
            }
            Err(Halt::Sql(error)) => {
                // The rest of the rows is on its way and has to be taken.
                stream.drain()?;
                if error.number == 1205 || self.settings.xact_abort {
                    if let Some(id) = self.roll_back() {
                        reply.change(&token::Change::RolledBack(id));
                    }
                    self.report(reply);
                }
                Err(error.into())
            }
            Err(halt) => Err(halt),
        }
    }

    fn load_rows(
        &mut self,
        reply: &mut Reply,
        stream: &mut Stream<'_>,
        load: &Load,
    ) -> Outcome<usize> {
        let Kind::InsertBulk {
            table,
            columns,
            options,
        } = &load.statement.kind
        else {
            return Err(SqlError::broken("no load").into());
        };
        let has = |option: &str| options.iter().any(|word| word == option);
        let hinted =
            |hint: &str| has(hint) || load.statement.hints.iter().any(|(_, word)| word == hint);
        let parts = names::parts(table)?;
        let name = self.own_name(&parts)?;
        let found = self.lookup(&name).ok_or_else(|| Self::no_object(&parts))?;
        let keep_nulls = hinted("keep_nulls");

        let mut announced = Vec::new();
        for (column, ty) in columns {
            let (at, _) = found
                .column(column)
                .ok_or_else(|| SqlError::new(207, format!("Invalid column name '{column}'.")))?;
            announced.push((column.clone(), at, *ty));
        }
        let sent = stream.read(bulk::columns)?;
        if sent.len() != announced.len() {
            return Err(SqlError::new(4804, format!("While reading the bulk load's columns, {} were found where INSERT BULK named {}.", sent.len(), announced.len())).into());
        }
        // Clients flag the column, whatever the statement says: SqlClient and drivers after it.
        let keep_identity = hinted("keep_identity")
            || hinted("keepidentity")
            || sent.iter().any(|column| column.identity);
        let mut ways = Vec::new();
        for (sent, (column, at, _)) in sent.iter().zip(&announced) {
            if !sent.name.is_empty() && !same(&sent.name, column) {
                return Err(SqlError::new(4819, format!("Cannot bulk load. The bulk data stream was incorrectly specified as sorted or the column '{}' stands where '{column}' was named.", sent.name)).into());
            }
            let target = &found.columns[*at];
            if target.computed.is_some() {
                return Err(SqlError::new(271, format!("The column \"{column}\" cannot be modified because it is either a computed column or is the result of a UNION operator.")).into());
            }
            ways.push(Way {
                declared: sent.declared,
                to: *at,
                as_is: as_is(&sent.declared, &target.ty),
            });
        }
        if parts.name.eq_ignore_ascii_case(SINK) {
            return count_only(stream, &ways);
        }
        // Columns in the table's order, all of them, nothing to add: bytes go in as they come.
        let in_order = ways.iter().map(|way| way.to).eq(0..found.columns.len())
            && found
                .columns
                .iter()
                .all(|column| column.identity.is_none() || keep_identity)
            && found.columns.iter().all(|column| {
                !column.ty.is_rowversion() && (column.default.is_none() || keep_nulls)
            });
        let mut rows = Rows::default();
        let mut given: Vec<Vec<Given>> = Vec::new();
        let mut count = 0_usize;
        let mut bytes = Vec::new();
        while !stream.is_over()? {
            let row = stream.read(|reader| {
                if !bulk::next(reader)? {
                    return Ok(None);
                }
                if in_order {
                    bytes.clear();
                    for way in &ways {
                        self.direct(&found, way, reader, &mut bytes)?;
                    }
                    return Ok(Some(Vec::new()));
                }
                let mut values = Vec::with_capacity(ways.len());
                for way in &ways {
                    values.push(parsed(&way.declared, reader)?);
                }
                Ok(Some(values))
            })?;
            let Some(values) = row else { break };
            count += 1;
            if in_order {
                rows.push(&bytes);
            } else {
                let mut new: Vec<Given> = found.columns.iter().map(|_| Given::Nothing).collect();
                for (way, value) in ways.iter().zip(values) {
                    let column = &found.columns[way.to];
                    let defaulted = value.is_null() && !keep_nulls && column.default.is_some();
                    if !(defaulted
                        || column.ty.is_rowversion()
                        || (column.identity.is_some() && !keep_identity))
                    {
                        new[way.to] = Given::Value(value, way.declared.ty);
                    }
                }
                given.push(new);
            }
            if count.is_multiple_of(1024) {
                self.signals.check()?;
            }
        }
        stream.drain()?;
        self.finish_load(
            reply,
            &name,
            &parts,
            rows,
            given,
            (keep_identity, hinted("check_constraints")),
        )?;
        Ok(count)
    }

    fn finish_load(
        &mut self,
        _: &mut Reply,
        name: &Name,
        parts: &names::Parts,
        rows: Rows,
        given: Vec<Vec<Given>>,
        (keep_identity, check): (bool, bool),
    ) -> Outcome {
        let unique = self.lookup(name).is_some_and(|table| table.has_unique());
        // Only now, as the rows arrived: a slow client holds no lock, unlike in SQL Server.
        let found = self.target(
            parts,
            if unique {
                Mode::Exclusive
            } else {
                Mode::Append
            },
        )?;
        let mut all = self.new_rows(&found.table, given, keep_identity)?;
        if rows.len() > 0 {
            let rows = self.computed(&found.table, rows)?;
            if keep_identity && let Some((at, column)) = found.table.identity_column() {
                let mut most: Option<i64> = None;
                let mut places = Vec::new();
                for row in rows.iter() {
                    crate::store::table::places(&found.table.columns, row, &mut places);
                    if let Value::Int(number) =
                        value::read_kept(&column.ty, &mut Reader::new(&row[places[at]..]))?
                    {
                        most = most.max(Some(number));
                    }
                }
                let mut last = crate::control::locked(&found.table.last_identity);
                *last = (*last).max(most);
            }
            all.append(&rows);
        }
        self.add_rows(name, &found.table, all, check)?;
        Ok(())
    }

    /// Appends one value in the form that the table keeps.
    fn direct(
        &self,
        table: &Table,
        way: &Way,
        reader: &mut Reader<'_>,
        bytes: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        let column = &table.columns[way.to];
        if way.as_is {
            let start = bytes.len();
            match way.declared.form {
                Form::Fixed(length) => {
                    bytes.push(length);
                    bytes.extend_from_slice(reader.take(usize::from(length))?);
                }
                _ => {
                    let mut ahead = reader.clone();
                    value::skip(&way.declared.ty, &mut ahead)?;
                    let length = ahead.position() - reader.position();
                    bytes.extend_from_slice(reader.take(length)?);
                }
            }
            let wrong = match column.ty.layout() {
                Layout::Byte => bytes[start] != 0 && u16::from(bytes[start]) != column.ty.length,
                _ => column.ty.is_unicode() && !(bytes.len() - start).is_multiple_of(2),
            };
            if wrong {
                return Err(Stop::Sql(SqlError::protocol(format!(
                    "a value of the column '{}' has a length that its type hasn't",
                    column.name
                ))));
            }
            let is_null = bytes[start..] == [0] || bytes[start..] == [0xFF, 0xFF];
            if is_null && !column.nullable {
                self.check_null(table, column, &Value::Null)
                    .map_err(Stop::Sql)?;
            }
            return Ok(());
        }
        let parsed = parsed(&way.declared, reader)?;
        let fitted = self
            .fitted(table, column, parsed, &way.declared.ty)
            .map_err(Stop::Sql)?;
        value::put(bytes, &column.ty, &fitted).map_err(Stop::Sql)
    }
}

/// Whether every value of the declared type is one of the column's, byte for byte.
fn as_is(declared: &Declared, to: &SqlType) -> bool {
    let from = &declared.ty;
    let alike = from.kind == to.kind
        && from.collation == to.collation
        && from.precision == to.precision
        && from.scale == to.scale;
    match declared.form {
        Form::Fixed(_) => from.kind == to.kind && to.can_be_fixed_or_guid(),
        Form::Usual => match to.layout() {
            Layout::Byte => alike && from.length == to.length && to.can_be_fixed_or_guid(),
            Layout::Short => {
                alike
                    && to.kind != crate::types::Kind::Char
                    && to.kind != crate::types::Kind::NChar
                    && to.kind != crate::types::Kind::Binary
                    && from.length <= to.length
                    && from.layout() == Layout::Short
            }
            _ => false,
        },
        _ => false,
    }
}

fn parsed(declared: &Declared, reader: &mut Reader<'_>) -> Result<Value, Stop> {
    match value::raw(declared, reader)? {
        None => Ok(Value::Null),
        Some(data) => value::parse(&declared.ty, &data).map_err(Stop::Sql),
    }
}

/// Reads every value and keeps none.
fn count_only(stream: &mut Stream<'_>, ways: &[Way]) -> Outcome<usize> {
    let mut count = 0;
    while !stream.is_over()?
        && stream.read(|reader| {
            let more = bulk::next(reader)?;
            if more {
                for way in ways {
                    value::raw(&way.declared, reader)?;
                }
            }
            Ok(more)
        })?
    {
        count += 1;
    }
    stream.drain()?;
    Ok(count)
}
