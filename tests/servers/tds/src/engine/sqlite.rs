//! A session's `SQLite`: it holds no rows of its own, and reads those of the tables as virtual ones.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::{Value as Plain, ValueRef};
use rusqlite::vtab::Module;
use rusqlite::{Connection, InterruptHandle, Statement};

use super::rowview::View;
use super::{codes, form, scalar};
use crate::control::locked;
use crate::fault::SqlError;
use crate::reply::{Halt, Outcome};
use crate::store::table::Table;
use crate::types::collation::Comparison;
use crate::types::{Decimal, SqlType, Value};

/// Tables by their shape, as the statement that runs sees them.
pub(super) type Tables = Arc<Mutex<HashMap<u64, Arc<Table>>>>;
/// What a function failed with, which `SQLite` itself only has a text for.
type Failure = Arc<Mutex<Option<SqlError>>>;

pub(crate) struct Sqlite {
    connection: Connection,
    tables: Tables,
    known: Mutex<Vec<u64>>,
    failure: Failure,
}

impl Sqlite {
    pub(crate) fn open() -> Result<Self, SqlError> {
        let connection = Connection::open_in_memory().map_err(SqlError::broken)?;
        let tables = Tables::default();
        let failure = Failure::default();
        let set_up = || -> rusqlite::Result<()> {
            for comparison in [Comparison::IgnoreCase, Comparison::Case, Comparison::Binary] {
                connection.create_collation(comparison.name(), move |left, right| {
                    comparison.compare(left, right)
                })?;
            }
            connection.create_collation("tsql_offset", |left, right| {
                left.get(..form::OFFSET_DIGITS)
                    .cmp(&right.get(..form::OFFSET_DIGITS))
            })?;
            for (name, flags) in [
                (
                    "tsql",
                    FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC,
                ),
                ("tsql_volatile", FunctionFlags::SQLITE_UTF8),
            ] {
                let failure = Arc::clone(&failure);
                connection.create_scalar_function(name, -1, flags, move |context| {
                    function(context).map_err(|error| {
                        let text = error.to_string();
                        *locked(&failure) = Some(error);
                        rusqlite::Error::UserFunctionError(text.into())
                    })
                })?;
            }
            connection.create_aggregate_function(
                "tsql_sum",
                2,
                FunctionFlags::SQLITE_UTF8,
                Total { mean: false },
            )?;
            connection.create_aggregate_function(
                "tsql_avg",
                2,
                FunctionFlags::SQLITE_UTF8,
                Total { mean: true },
            )?;
            const ROWS: Module<'static, View> = Module::read_only_module();
            connection.create_module("tsql_rows", &ROWS, Some(Arc::clone(&tables)))
        };
        set_up().map_err(SqlError::broken)?;
        Ok(Self {
            connection,
            tables,
            known: Mutex::default(),
            failure,
        })
    }

    pub(crate) fn interrupt_handle(&self) -> InterruptHandle {
        self.connection.get_interrupt_handle()
    }

    /// Lets `SQLite` see a table, and says what it calls it.
    pub(crate) fn show(&self, table: &Arc<Table>) -> Outcome<String> {
        let shape = table.shape;
        locked(&self.tables).insert(shape, Arc::clone(table));
        let mut known = locked(&self.known);
        if !known.contains(&shape) {
            self.connection
                .execute_batch(&format!(
                    "CREATE VIRTUAL TABLE temp.t{shape} USING tsql_rows({shape})"
                ))
                .map_err(|error| self.halt(&error))?;
            known.push(shape);
        }
        Ok(format!("t{shape}"))
    }

    /// Forgets the rows that a statement saw.
    pub(crate) fn forget(&self) {
        locked(&self.tables).clear();
        let mut known = locked(&self.known);
        // Shapes of tables that are gone would pile up.
        if known.len() > 200 {
            for shape in known.drain(..) {
                if self
                    .connection
                    .execute_batch(&format!("DROP TABLE temp.t{shape}"))
                    .is_err()
                {
                    debug_assert!(false, "a table is in use between statements");
                }
            }
        }
    }

    pub(crate) fn halt(&self, error: &rusqlite::Error) -> Halt {
        if let Some(error) = locked(&self.failure).take() {
            return error.into();
        }
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::OperationInterrupted) => Halt::Attention,
            _ if error.to_string().contains("integer overflow") => SqlError::new(
                8115,
                "Arithmetic overflow error converting expression to data type int.",
            )
            .state(2)
            .into(),
            _ => SqlError::broken(error).into(),
        }
    }

    /// Runs a query; the closure gets each row and says whether to go on.
    pub(crate) fn query(
        &self,
        sql: &str,
        binds: &[Value],
        mut each: impl FnMut(&rusqlite::Row<'_>) -> Outcome<bool>,
    ) -> Outcome {
        let mut statement: Statement<'_> =
            self.connection
                .prepare(sql)
                .map_err(|error| match self.halt(&error) {
                    Halt::Sql(told) if told.number == 50_999 => {
                        SqlError::broken(format!("{error} in {sql}")).into()
                    }
                    halt => halt,
                })?;
        for at in 1..=statement.parameter_count() {
            let bind = binds
                .get(at - 1)
                .ok_or_else(|| SqlError::broken("a parameter is missing"))?;
            statement
                .raw_bind_parameter(at, form::to_sqlite(bind)?)
                .map_err(|error| self.halt(&error))?;
        }
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(|error| self.halt(&error))? {
            if !each(row)? {
                break;
            }
        }
        Ok(())
    }

    /// The rows of a query as values.
    pub(crate) fn values(
        &self,
        sql: &str,
        binds: &[Value],
        types: &[SqlType],
    ) -> Outcome<Vec<Vec<Value>>> {
        let mut rows = Vec::new();
        self.query(sql, binds, |row| {
            let mut values = Vec::with_capacity(types.len());
            for (at, ty) in types.iter().enumerate() {
                values.push(form::from_sqlite(cell(row, at)?, ty)?);
            }
            rows.push(values);
            Ok(true)
        })?;
        Ok(rows)
    }
}

pub(crate) fn cell<'r>(row: &'r rusqlite::Row<'_>, at: usize) -> Outcome<ValueRef<'r>> {
    row.get_ref(at)
        .map_err(|error| SqlError::broken(error).into())
}

/// `tsql(name, result, value, type, value, type, ...)`.
fn function(context: &Context<'_>) -> Result<Plain, SqlError> {
    let broken = || SqlError::broken("a function without its types");
    let name = context.get_raw(0).as_str().map_err(SqlError::broken)?;
    let result =
        codes::decode(context.get_raw(1).as_i64().map_err(SqlError::broken)?).ok_or_else(broken)?;
    let mut args = Vec::new();
    let mut at = 2;
    while at + 1 < context.len() {
        let ty = codes::decode(context.get_raw(at + 1).as_i64().map_err(SqlError::broken)?)
            .ok_or_else(broken)?;
        args.push((form::from_sqlite(context.get_raw(at), &ty)?, ty));
        at += 2;
    }
    let value = scalar::call(name, &args, &result)?;
    Ok(match form::to_sqlite(&value)? {
        rusqlite::types::ToSqlOutput::Owned(plain) => plain,
        rusqlite::types::ToSqlOutput::Borrowed(ValueRef::Text(text)) => {
            match String::from_utf8(text.to_vec()) {
                Ok(text) => Plain::Text(text),
                Err(_) => {
                    return Err(SqlError::unknown(
                        "a function on a text with half a surrogate pair",
                    ));
                }
            }
        }
        rusqlite::types::ToSqlOutput::Borrowed(ValueRef::Blob(bytes)) => {
            Plain::Blob(bytes.to_vec())
        }
        _ => return Err(broken()),
    })
}

/// SUM and AVG of exact numbers.
struct Total {
    mean: bool,
}

struct Sum {
    unscaled: i128,
    scale: u8,
    count: i128,
    overflowed: bool,
}

impl Aggregate<Sum, Plain> for Total {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Sum> {
        Ok(Sum {
            unscaled: 0,
            scale: 0,
            count: 0,
            overflowed: false,
        })
    }

    fn step(&self, context: &mut Context<'_>, sum: &mut Sum) -> rusqlite::Result<()> {
        if let ValueRef::Blob(bytes) = context.get_raw(0) {
            sum.scale = u8::try_from(context.get_raw(1).as_i64()?).unwrap_or_default();
            match Decimal::from_sortable(bytes, sum.scale)
                .and_then(|number| sum.unscaled.checked_add(number.unscaled))
            {
                Some(total) => sum.unscaled = total,
                None => sum.overflowed = true,
            }
            sum.count += 1;
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, sum: Option<Sum>) -> rusqlite::Result<Plain> {
        let Some(sum) = sum.filter(|sum| sum.count > 0) else {
            return Ok(Plain::Null);
        };
        let total = Decimal::new(sum.unscaled, sum.scale);
        let number = if self.mean {
            let scale = sum.scale.max(6);
            total
                .rescale(scale)
                .map(|total| Decimal::new(total.unscaled / sum.count, scale))
        } else {
            Some(total).filter(|total| total.fits(38))
        };
        match number {
            Some(number) if !sum.overflowed => Ok(Plain::Blob(number.sortable().to_vec())),
            _ => Err(rusqlite::Error::UserFunctionError(
                "integer overflow".into(),
            )),
        }
    }
}
