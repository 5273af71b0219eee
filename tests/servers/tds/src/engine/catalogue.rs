//! The views of the catalogue, made of the tables when they are asked for.

use std::sync::Arc;

use super::Engine;
use crate::fault::SqlError;
use crate::reply::Outcome;
use crate::sql::names::{self, Parts};
use crate::store::rows::Rows;
use crate::store::table::{Column, IndexKind, Table};
use crate::types::convert::{How, convert};
use crate::types::{Kind, MAX, SqlType, Value, value};

mod information;
mod server_views;
mod table_views;
mod views;

/// A value of a view.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    Null,
    Int(i64),
    Bit(bool),
    Text(String),
    Moment(i64),
    Bytes(Vec<u8>),
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<usize> for Cell {
    fn from(number: usize) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Cell {
    fn from(bit: bool) -> Self {
        Self::Bit(bit)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// A view with its rows. The columns' declarations are T-SQL's.
pub(super) fn build(
    schema: &str,
    name: &str,
    columns: &[(&str, &str)],
    rows: Vec<Vec<Cell>>,
) -> Result<Arc<Table>, SqlError> {
    let mut declared = Vec::new();
    for (id, (name, ty)) in (1..).zip(columns) {
        declared.push(Column {
            id,
            name: (*name).to_owned(),
            ty: names::parse_type(ty)?,
            nullable: true,
            identity: None,
            default: None,
            computed: None,
            persisted: false,
        });
    }
    let hash = name.bytes().fold(5381_i64, |hash, byte| {
        (hash * 33 + i64::from(byte)) % 1_000_000
    });
    let mut table = Table::new(-hash - 100, schema, name, declared);
    let mut kept = Rows::default();
    let mut bytes = Vec::new();
    let (big, text, moment) = (
        SqlType::plain(Kind::BigInt),
        SqlType::sized(Kind::NVarChar, MAX),
        SqlType::plain(Kind::DateTime2),
    );
    let binary = SqlType::sized(Kind::VarBinary, MAX);
    for row in rows {
        bytes.clear();
        debug_assert_eq!(row.len(), columns.len(), "{schema}.{name}");
        for (column, cell) in table.columns.iter().zip(row) {
            let (value, from) = match cell {
                Cell::Null => (Value::Null, &big),
                Cell::Int(number) => (Value::Int(number), &big),
                Cell::Bit(bit) => (Value::bit(bit), &big),
                Cell::Text(text_) => (Value::text(text_), &text),
                Cell::Bytes(bytes) => (Value::Bytes(bytes), &binary),
                Cell::Moment(ticks) => (Value::Moment(ticks), &moment),
            };
            value::put(
                &mut bytes,
                &column.ty,
                &convert(value, from, &column.ty, 0, How::Cast)?,
            )?;
        }
        kept.push(&bytes);
    }
    table.rows = kept;
    Ok(Arc::new(table))
}

/// `system_type_id`, which is the user type's id for all types but a few.
pub(super) fn type_id(ty: &SqlType) -> i64 {
    match ty.kind {
        Kind::Image => 34,
        Kind::Text => 35,
        Kind::UniqueIdentifier => 36,
        Kind::Date => 40,
        Kind::Time => 41,
        Kind::DateTime2 => 42,
        Kind::DateTimeOffset => 43,
        Kind::TinyInt => 48,
        Kind::SmallInt => 52,
        Kind::Int => 56,
        Kind::SmallDateTime => 58,
        Kind::Real => 59,
        Kind::Money => 60,
        Kind::DateTime => 61,
        Kind::Float => 62,
        Kind::Variant => 98,
        Kind::NText => 99,
        Kind::Bit => 104,
        Kind::Decimal => 106,
        Kind::Numeric => 108,
        Kind::SmallMoney => 122,
        Kind::BigInt => 127,
        // What a vector is kept as.
        Kind::VarBinary | Kind::Vector => 165,
        Kind::VarChar => 167,
        Kind::Binary => 173,
        Kind::Char => 175,
        Kind::RowVersion => 189,
        Kind::NVarChar => 231,
        Kind::NChar => 239,
        Kind::HierarchyId | Kind::Geometry | Kind::Geography => 240,
        Kind::Xml => 241,
        Kind::Json => 244,
    }
}

fn user_type_id(ty: &SqlType) -> i64 {
    match ty.kind {
        Kind::HierarchyId => 128,
        Kind::Geometry => 129,
        Kind::Geography => 130,
        Kind::Vector => 255,
        _ => type_id(ty),
    }
}

const ALL_KINDS: [Kind; 35] = [
    Kind::TinyInt,
    Kind::SmallInt,
    Kind::Int,
    Kind::BigInt,
    Kind::Bit,
    Kind::Decimal,
    Kind::Numeric,
    Kind::Money,
    Kind::SmallMoney,
    Kind::Real,
    Kind::Float,
    Kind::Char,
    Kind::VarChar,
    Kind::NChar,
    Kind::NVarChar,
    Kind::Text,
    Kind::NText,
    Kind::Image,
    Kind::Binary,
    Kind::VarBinary,
    Kind::RowVersion,
    Kind::Date,
    Kind::Time,
    Kind::DateTime,
    Kind::SmallDateTime,
    Kind::DateTime2,
    Kind::DateTimeOffset,
    Kind::UniqueIdentifier,
    Kind::Xml,
    Kind::Json,
    Kind::Vector,
    Kind::Variant,
    Kind::HierarchyId,
    Kind::Geometry,
    Kind::Geography,
];

fn length(ty: &SqlType) -> i64 {
    match ty.kind {
        Kind::Text | Kind::NText | Kind::Image => 16,
        Kind::HierarchyId => 892,
        Kind::Variant => 8016,
        Kind::Decimal | Kind::Numeric => {
            i64::from(crate::types::decimal::wire_length(ty.precision))
        }
        _ if ty.length == MAX => -1,
        _ => i64::from(ty.length),
    }
}

/// `precision` as the catalogue has it: only for numbers and times.
fn precision(ty: &SqlType) -> i64 {
    i64::from(ty.precision)
}

fn collation(ty: &SqlType) -> Cell {
    if ty.is_text() && !ty.is_document() {
        ty.collation.name().into()
    } else {
        Cell::Null
    }
}

fn index_kind(index: &crate::store::table::Index) -> (i64, &'static str) {
    match (index.columnstore, index.clustered) {
        (true, true) => (5, "CLUSTERED COLUMNSTORE"),
        (true, false) => (6, "NONCLUSTERED COLUMNSTORE"),
        (false, true) => (1, "CLUSTERED"),
        (false, false) => (2, "NONCLUSTERED"),
    }
}

fn is_key(kind: IndexKind) -> bool {
    kind != IndexKind::Index
}

impl Engine {
    /// A view of the system by its name.
    pub(super) fn system_view(&mut self, schema: &str, name: &str) -> Option<Arc<Table>> {
        let name = name.to_lowercase();
        let (columns, rows) = if schema.eq_ignore_ascii_case("sys") {
            self.sys_view(&name)?
        } else {
            self.information_view(&name)?
        };
        let schema = if schema.eq_ignore_ascii_case("sys") {
            "sys"
        } else {
            "INFORMATION_SCHEMA"
        };
        // A declaration that can't be read is a mistake of this file.
        build(schema, &name, &columns, rows)
            .inspect_err(|error| debug_assert!(false, "{schema}.{name}: {error}"))
            .ok()
    }

    fn schema_id_of(&self, table: &Table) -> i64 {
        self.schemas()
            .get(&table.schema.to_lowercase())
            .map_or(1, |(id, _)| *id)
    }

    /// A function that gives a table.
    pub(super) fn function_table(
        &mut self,
        parts: &Parts,
        args: &[(SqlType, Value)],
    ) -> Outcome<Arc<Table>> {
        let text = |at: usize| {
            args.get(at)
                .map(|(_, value)| value.lossy_or_empty())
                .unwrap_or_default()
        };
        let number = |at: usize| match args.get(at) {
            Some((_, Value::Int(number))) => Ok(*number),
            _ => Err(SqlError::unknown(format!(
                "{} with other arguments",
                parts.name
            ))),
        };
        match parts.name.to_lowercase().as_str() {
            "dm_exec_describe_first_result_set" => self.describe_table(&text(0), &text(1)),
            "fn_my_permissions" => {
                let all = if text(1).eq_ignore_ascii_case("database") {
                    vec![
                        "CONNECT",
                        "CREATE TABLE",
                        "CREATE SCHEMA",
                        "ALTER",
                        "SELECT",
                        "INSERT",
                        "UPDATE",
                        "DELETE",
                        "EXECUTE",
                        "VIEW DATABASE STATE",
                        "CONTROL",
                    ]
                } else if text(1).eq_ignore_ascii_case("server") {
                    vec!["CONNECT SQL", "VIEW SERVER STATE", "CONTROL SERVER"]
                } else {
                    vec![
                        "SELECT",
                        "INSERT",
                        "UPDATE",
                        "DELETE",
                        "ALTER",
                        "REFERENCES",
                        "VIEW DEFINITION",
                        "CONTROL",
                    ]
                };
                let entity = if args.first().is_none_or(|(_, value)| value.is_null()) {
                    text(1).to_lowercase()
                } else {
                    text(0)
                };
                let rows = all
                    .into_iter()
                    .map(|permission| vec![entity.clone().into(), "".into(), permission.into()])
                    .collect();
                Ok(build(
                    "sys",
                    "fn_my_permissions",
                    &[
                        ("entity_name", "sysname"),
                        ("subentity_name", "sysname"),
                        ("permission_name", "nvarchar(60)"),
                    ],
                    rows,
                )?)
            }
            "string_split" => {
                let separator = text(1);
                let rows = text(0)
                    .split(&separator)
                    .map(|part| vec![part.into()])
                    .collect();
                Ok(build(
                    "dbo",
                    "string_split",
                    &[("value", "nvarchar(4000)")],
                    rows,
                )?)
            }
            "generate_series" => {
                let (start, stop) = (number(0)?, number(1)?);
                let step = if args.len() > 2 { number(2)? } else { 1 };
                if step <= 0 {
                    return Err(SqlError::unknown("GENERATE_SERIES downwards").into());
                }
                let mut rows = Vec::new();
                let mut next = start;
                while next <= stop {
                    rows.push(vec![Cell::Int(next)]);
                    next += step;
                }
                Ok(build(
                    "dbo",
                    "generate_series",
                    &[("value", "bigint")],
                    rows,
                )?)
            }
            "hygge_rows" => Ok(super::sample::rows(number(0)?)?),
            other => Err(SqlError::new(
                208,
                format!("Invalid object name '{other}'. (The test server may just not know it.)"),
            )
            .into()),
        }
    }
}
