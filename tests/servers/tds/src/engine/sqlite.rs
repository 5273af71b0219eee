//! A session's SQLite: it holds no rows of its own, and reads those of the tables as virtual ones.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::{CStr, CString, c_int};
use std::sync::{Arc, Mutex};

use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::{Value as Plain, ValueRef};
use rusqlite::vtab::{
    self, CreateVTab, Filters, IndexConstraintOp, IndexInfo, Module, VTab, VTabConnection,
    VTabCursor, VTabKind,
};
use rusqlite::{Connection, InterruptHandle, Statement, ffi};

use super::{codes, form, scalar};
use crate::control::locked;
use crate::fault::SqlError;
use crate::reply::{Halt, Outcome};
use crate::sql::infer;
use crate::store::rows::RowId;
use crate::store::table::{self, Table};
use crate::types::collation::Comparison;
use crate::types::{Decimal, SqlType, Value, value};
use crate::wire::reader::Reader;

/// Tables by their shape, as the statement that runs sees them.
type Tables = Arc<Mutex<HashMap<u64, Arc<Table>>>>;
/// What a function failed with, which SQLite itself only has a text for.
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
            const ROWS: Module<'static, View> = vtab::Module::read_only_module();
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

    /// Lets SQLite see a table, and says what it calls it.
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

#[repr(C)]
struct View {
    /// SQLite's own part; it must be the first.
    base: ffi::sqlite3_vtab,
    shape: u64,
    tables: Tables,
}

impl View {
    fn made(aux: Option<&Tables>, args: &[&[u8]]) -> rusqlite::Result<(Cow<'static, CStr>, Self)> {
        let wrong = || rusqlite::Error::ModuleError("no such shape".to_owned());
        let tables = Arc::clone(aux.ok_or_else(wrong)?);
        let shape: u64 = args
            .first()
            .and_then(|arg| std::str::from_utf8(arg).ok())
            .and_then(|text| text.trim().parse().ok())
            .ok_or_else(wrong)?;
        let table = locked(&tables).get(&shape).cloned().ok_or_else(wrong)?;
        let columns: Vec<String> = table
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| {
                format!(
                    "c{at}{}",
                    infer::collation(&column.ty)
                        .map(|name| format!(" COLLATE {name}"))
                        .unwrap_or_default()
                )
            })
            .collect();
        let declaration =
            CString::new(format!("CREATE TABLE x({})", columns.join(", "))).map_err(|_| wrong())?;
        Ok((
            Cow::Owned(declaration),
            Self {
                base: ffi::sqlite3_vtab::default(),
                shape,
                tables,
            },
        ))
    }
}

// SAFETY: `base` is the first field of a `repr(C)` struct, as SQLite expects.
unsafe impl<'vtab> VTab<'vtab> for View {
    type Aux = Tables;
    type Cursor = Cursor<'vtab>;

    fn connect(
        _: &mut VTabConnection,
        aux: Option<&Tables>,
        _: &[u8],
        _: &[u8],
        _: &[u8],
        args: &[&[u8]],
    ) -> rusqlite::Result<(Cow<'static, CStr>, Self)> {
        Self::made(aux, args)
    }

    fn best_index(&self, info: &mut IndexInfo) -> rusqlite::Result<bool> {
        let count = locked(&self.tables)
            .get(&self.shape)
            .map_or(0, |table| table.rows.len());
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let rows = count as f64;
        let mut column = None;
        for (constraint, mut usage) in info.constraints_and_usages() {
            if column.is_none()
                && constraint.is_usable()
                && constraint.operator() == IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_EQ
                && constraint.column() >= 0
            {
                column = Some(constraint.column());
                usage.set_argv_index(1);
                // SQLite compares again, by the collation: the index may find too many.
            }
        }
        match column {
            Some(column) => {
                info.set_idx_num(column + 1);
                info.set_estimated_cost(rows / 20.0 + 2.0);
                info.set_estimated_rows(2);
            }
            None => {
                info.set_estimated_cost(rows + 10.0);
                info.set_estimated_rows(i64::try_from(count.max(1)).unwrap_or(i64::MAX));
            }
        }
        Ok(true)
    }

    fn open(&'vtab mut self) -> rusqlite::Result<Self::Cursor> {
        Ok(Cursor {
            base: ffi::sqlite3_vtab_cursor::default(),
            view: self,
            table: None,
            chunk: 0,
            row: 0,
            found: None,
            filters: 0,
            index: None,
            places: Vec::new(),
        })
    }
}

impl<'vtab> CreateVTab<'vtab> for View {
    const KIND: VTabKind = VTabKind::Default;

    fn create(
        _: &mut VTabConnection,
        aux: Option<&Tables>,
        _: &[u8],
        _: &[u8],
        _: &[u8],
        args: &[&[u8]],
    ) -> rusqlite::Result<(Cow<'static, CStr>, Self)> {
        Self::made(aux, args)
    }
}

type Index = HashMap<Vec<u8>, Vec<(usize, usize)>>;

#[repr(C)]
struct Cursor<'vtab> {
    /// SQLite's own part; it must be the first.
    base: ffi::sqlite3_vtab_cursor,
    view: &'vtab View,
    table: Option<Arc<Table>>,
    chunk: usize,
    row: usize,
    /// Rows that an index found, and how many of them were taken.
    found: Option<(Vec<(usize, usize)>, usize)>,
    /// How often a value was looked for: an index pays from the second time on.
    filters: usize,
    index: Option<(c_int, Index)>,
    places: Vec<usize>,
}

/// Equal for values that may be equal in SQLite by any of the collations.
fn key(value: ValueRef<'_>) -> Option<Vec<u8>> {
    Some(match value {
        ValueRef::Null => return None,
        #[expect(
            clippy::cast_precision_loss,
            reason = "numbers too near to tell apart share a key, and SQLite compares them again"
        )]
        ValueRef::Integer(number) => (number as f64).to_bits().to_be_bytes().to_vec(),
        ValueRef::Real(number) => (if number == 0.0 { 0.0 } else { number })
            .to_bits()
            .to_be_bytes()
            .to_vec(),
        ValueRef::Text(text) => {
            let text = String::from_utf8_lossy(text);
            let mut folded: Vec<u8> = text
                .trim_end_matches(' ')
                .chars()
                .flat_map(char::to_lowercase)
                .collect::<String>()
                .into_bytes();
            if folded.len() == 23 && folded.iter().all(u8::is_ascii_digit) {
                folded.truncate(form::OFFSET_DIGITS);
            }
            folded
        }
        ValueRef::Blob(bytes) => bytes.to_vec(),
    })
}

impl Cursor<'_> {
    fn at(&self) -> Option<&[u8]> {
        self.table
            .as_ref()?
            .rows
            .chunks()
            .get(self.chunk)?
            .row(self.row)
    }

    fn settle(&mut self) -> rusqlite::Result<()> {
        let Some(table) = self.table.clone() else {
            return Ok(());
        };
        if let Some((found, next)) = &mut self.found {
            match found.get(*next) {
                Some((chunk, row)) => (self.chunk, self.row) = (*chunk, *row),
                None => self.chunk = table.rows.chunks().len(),
            }
            *next += 1;
        } else {
            while table
                .rows
                .chunks()
                .get(self.chunk)
                .is_some_and(|chunk| self.row >= chunk.len())
            {
                self.chunk += 1;
                self.row = 0;
            }
        }
        let mut places = std::mem::take(&mut self.places);
        if let Some(row) = self.at() {
            table::places(&table.columns, row, &mut places);
        }
        self.places = places;
        Ok(())
    }

    fn value(&self, at: usize) -> rusqlite::Result<Value> {
        let (Some(table), Some(row), Some(place)) = (&self.table, self.at(), self.places.get(at))
        else {
            return Ok(Value::Null);
        };
        let broken = |error: SqlError| rusqlite::Error::ModuleError(error.to_string());
        value::read_kept(&table.columns[at].ty, &mut Reader::new(&row[*place..])).map_err(broken)
    }

    fn build(&self, column: usize) -> rusqlite::Result<Index> {
        let broken = |error: SqlError| rusqlite::Error::ModuleError(error.to_string());
        let Some(table) = &self.table else {
            return Ok(Index::new());
        };
        let mut index = Index::with_capacity(table.rows.len());
        let mut places = Vec::new();
        for (number, chunk) in table.rows.chunks().iter().enumerate() {
            for (place, row) in chunk.rows().enumerate() {
                table::places(&table.columns, row, &mut places);
                let value = value::read_kept(
                    &table.columns[column].ty,
                    &mut Reader::new(&row[places[column]..]),
                )
                .map_err(broken)?;
                let output = form::to_sqlite(&value).map_err(broken)?;
                let plain = match &output {
                    rusqlite::types::ToSqlOutput::Borrowed(plain) => *plain,
                    rusqlite::types::ToSqlOutput::Owned(plain) => ValueRef::from(plain),
                    _ => ValueRef::Null,
                };
                if let Some(key) = key(plain) {
                    index.entry(key).or_default().push((number, place));
                }
            }
        }
        Ok(index)
    }
}

// SAFETY: `base` is the first field of a `repr(C)` struct, as SQLite expects.
unsafe impl VTabCursor for Cursor<'_> {
    fn filter(
        &mut self,
        index: c_int,
        _: Option<&str>,
        args: &Filters<'_>,
    ) -> rusqlite::Result<()> {
        let fresh = locked(&self.view.tables).get(&self.view.shape).cloned();
        let unchanged =
            matches!((&self.table, &fresh), (Some(old), Some(new)) if Arc::ptr_eq(old, new));
        if !unchanged {
            self.index = None;
            self.filters = 0;
        }
        self.table = fresh;
        (self.chunk, self.row, self.found) = (0, 0, None);
        if index > 0 {
            self.filters += 1;
            let wanted = args.iter().next().and_then(key);
            if wanted.is_none() {
                self.found = Some((Vec::new(), 0));
            } else if self.filters > 1 {
                if self
                    .index
                    .as_ref()
                    .is_none_or(|(column, _)| *column != index)
                {
                    self.index = Some((
                        index,
                        self.build(usize::try_from(index - 1).unwrap_or_default())?,
                    ));
                }
                let found = self
                    .index
                    .as_ref()
                    .and_then(|(_, rows)| rows.get(wanted.as_deref().unwrap_or_default()))
                    .cloned()
                    .unwrap_or_default();
                self.found = Some((found, 0));
            }
        }
        self.settle()
    }

    fn next(&mut self) -> rusqlite::Result<()> {
        if self.found.is_none() {
            self.row += 1;
        }
        self.settle()
    }

    fn eof(&self) -> bool {
        self.at().is_none()
    }

    fn column(&self, context: &mut vtab::Context, at: c_int) -> rusqlite::Result<()> {
        let value = self.value(usize::try_from(at).unwrap_or(usize::MAX))?;
        let output = form::to_sqlite(&value)
            .map_err(|error| rusqlite::Error::ModuleError(error.to_string()))?;
        context.set_result(&output)
    }

    fn rowid(&self) -> rusqlite::Result<i64> {
        Ok(RowId::new(self.chunk, self.row).0)
    }
}
