//! Tables as `SQLite` reads them: virtual ones, whose rows stay where they are.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::{CStr, CString, c_int};
use std::sync::Arc;

use rusqlite::ffi;
use rusqlite::types::ValueRef;
use rusqlite::vtab::{
    self, CreateVTab, Filters, IndexConstraintOp, IndexInfo, VTab, VTabConnection, VTabCursor,
    VTabKind,
};

use super::form;
use super::sqlite::Tables;
use crate::control::locked;
use crate::fault::SqlError;
use crate::sql::infer;
use crate::store::rows::RowId;
use crate::store::table::{self, Table};
use crate::types::{Value, value};
use crate::wire::reader::Reader;

#[repr(C)]
pub(super) struct View {
    /// `SQLite`'s own part; it must be the first.
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
pub(super) struct Cursor<'vtab> {
    /// `SQLite`'s own part; it must be the first.
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

/// Equal for values that may be equal in `SQLite` by any of the collations.
pub(super) fn key(value: ValueRef<'_>) -> Option<Vec<u8>> {
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
