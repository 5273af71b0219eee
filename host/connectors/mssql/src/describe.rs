//! What columns a table or a query has, asked of the server.

use hygge_core::{Fault, Result, code};
use mssql_tds::datatypes::sqldatatypes::TdsDataType;
use mssql_tds::query::metadata::ColumnMetadata;
use serde::{Deserialize, Serialize};
use tiberius::Row;

use crate::connection::Statements;
use crate::fault::Doing;
use crate::name::TableName;
use crate::types::{Length, SqlType};

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) sql_type: SqlType,
    pub(crate) nullable: bool,
    pub(crate) identity: bool,
    pub(crate) computed: bool,
    pub(crate) has_default: bool,
    /// The default as it is declared, where the login may see it.
    pub(crate) default: Option<String>,
    pub(crate) collation: Option<String>,
}

/// What is known of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) columns: Vec<Column>,
    /// The columns of the primary key, in its order.
    pub(crate) key: Vec<String>,
    /// About how many rows it has.
    pub(crate) rows: Option<u64>,
    /// Whether it is a view.
    pub(crate) view: bool,
}

const COLUMNS: &str = "\
SELECT c.name, CASE WHEN t.is_user_defined = 1 AND b.name IS NOT NULL THEN b.name ELSE t.name END AS type_name, c.max_length, c.precision, c.scale, \
c.is_nullable, c.is_identity, c.is_computed, c.collation_name, c.default_object_id, \
d.definition \
FROM sys.columns AS c \
JOIN sys.types AS t ON t.user_type_id = c.user_type_id \
LEFT JOIN sys.types AS b ON b.user_type_id = c.system_type_id \
LEFT JOIN sys.default_constraints AS d ON d.parent_object_id = c.object_id AND d.parent_column_id = c.column_id \
WHERE c.object_id = OBJECT_ID(@P1) \
ORDER BY c.column_id";

const KEY: &str = "\
SELECT c.name \
FROM sys.indexes AS i \
JOIN sys.index_columns AS k ON k.object_id = i.object_id AND k.index_id = i.index_id \
JOIN sys.columns AS c ON c.object_id = k.object_id AND c.column_id = k.column_id \
WHERE i.is_primary_key = 1 AND i.object_id = OBJECT_ID(@P1) \
ORDER BY k.key_ordinal";

const ROWS: &str = "\
SELECT SUM(p.rows) AS n FROM sys.partitions AS p \
WHERE p.index_id IN (0, 1) AND p.object_id = OBJECT_ID(@P1)";

const KIND: &str = "SELECT o.type FROM sys.objects AS o WHERE o.object_id = OBJECT_ID(@P1)";

/// Looks a table up; none when there is none that the login may see.
pub(crate) async fn table(
    session: &mut Statements,
    name: &TableName,
    doing: Doing,
) -> Result<Option<Table>> {
    let what = format!("can't look up {name}");
    let quoted = name.quoted();
    let found = session.query(&what, doing, COLUMNS, &[&quoted]).await?;
    let rows = found.into_iter().next().unwrap_or_default();
    if rows.is_empty() {
        return Ok(None);
    }
    let columns = rows
        .iter()
        .map(|row| column(row, name))
        .collect::<Result<Vec<_>>>()?;
    let kind = session.query(&what, doing, KIND, &[&quoted]).await?;
    let kind = kind.first().and_then(|rows| rows.first());
    let kind = kind.and_then(|row| row.get::<&str, _>(0)).unwrap_or("U");
    let view = kind.trim() == "V";
    let (mut key, mut rows) = (Vec::new(), None);
    if !view {
        let found = session.query(&what, doing, KEY, &[&quoted]).await?;
        let found = found.into_iter().next().unwrap_or_default();
        key = found.iter().filter_map(|row| text(row, 0)).collect();
        let found = session.query(&what, doing, ROWS, &[&quoted]).await?;
        let first = found.first().and_then(|rows| rows.first());
        rows = first
            .and_then(|row| whole(row, 0))
            .and_then(|n| u64::try_from(n).ok());
    }
    Ok(Some(Table {
        columns,
        key,
        rows,
        view,
    }))
}

fn column(row: &Row, table: &TableName) -> Result<Column> {
    let name = text(row, 0).unwrap_or_default();
    let type_name = text(row, 1).unwrap_or_default();
    let number = |at| whole(row, at).unwrap_or_default();
    let small = |at| u8::try_from(number(at)).unwrap_or_default();
    let sql_type = SqlType::of_catalogue(
        &type_name,
        i16::try_from(number(2)).unwrap_or_default(),
        small(3),
        small(4),
    );
    let Some(sql_type) = sql_type else {
        return Err(Fault::new(
            code::SOURCE_INVALID,
            format!("column {name:?} of {table} is {type_name}, which hygge can't move yet"),
        )
        .with("column", &name)
        .advise(
            "leave it out (`exclude` in the home), or read a `query` that casts it, as in CAST(v AS \
             varchar(max))",
        ));
    };
    Ok(Column {
        name,
        sql_type,
        nullable: number(5) != 0,
        identity: number(6) != 0,
        computed: number(7) != 0,
        collation: text(row, 8),
        has_default: number(9) != 0,
        default: text(row, 10),
    })
}

/// A text cell.
pub(crate) fn text(row: &Row, at: usize) -> Option<String> {
    row.try_get::<&str, _>(at).ok().flatten().map(str::to_owned)
}

/// A whole number or truth, whatever its width.
pub(crate) fn whole(row: &Row, at: usize) -> Option<i64> {
    use tiberius::ColumnData as Cell;
    match row.get_column_data(at).ok()? {
        Cell::U8(n) => n.map(i64::from),
        Cell::I16(n) => n.map(i64::from),
        Cell::I32(n) => n.map(i64::from),
        Cell::I64(n) => *n,
        Cell::Bit(b) => b.map(i64::from),
        _ => None,
    }
}

/// The type of a result's column, as the wire says it.
pub(crate) fn of_result(column: &ColumnMetadata) -> Option<SqlType> {
    let info = &column.type_info;
    let length = || match column.is_plp() {
        true => Some(Length::Max),
        false => Some(Length::Of(u16::try_from(info.length).ok()?)),
    };
    let fixed = || u16::try_from(info.length).ok();
    let digits = || column.get_scale().unwrap_or(7);
    let decimal = || {
        Some(SqlType::Decimal {
            precision: column.get_precision()?,
            scale: column.get_scale()?,
        })
    };
    // [MS-TDS] 2.2.5.4; a rowversion is told apart from binary(8) by its user type.
    Some(match column.data_type {
        TdsDataType::BigBinary | TdsDataType::Binary if column.user_type == 80 => {
            SqlType::RowVersion
        }
        TdsDataType::Int1 => SqlType::TinyInt,
        TdsDataType::Int2 => SqlType::SmallInt,
        TdsDataType::Int4 => SqlType::Int,
        TdsDataType::Int8 => SqlType::BigInt,
        TdsDataType::IntN => match info.length {
            1 => SqlType::TinyInt,
            2 => SqlType::SmallInt,
            4 => SqlType::Int,
            _ => SqlType::BigInt,
        },
        TdsDataType::Bit | TdsDataType::BitN => SqlType::Bit,
        TdsDataType::Flt4 => SqlType::Real,
        TdsDataType::Flt8 => SqlType::Float,
        TdsDataType::FltN if info.length == 4 => SqlType::Real,
        TdsDataType::FltN => SqlType::Float,
        TdsDataType::Money4 => SqlType::SmallMoney,
        TdsDataType::Money => SqlType::Money,
        TdsDataType::MoneyN if info.length == 4 => SqlType::SmallMoney,
        TdsDataType::MoneyN => SqlType::Money,
        TdsDataType::Decimal
        | TdsDataType::DecimalN
        | TdsDataType::Numeric
        | TdsDataType::NumericN => decimal()?,
        TdsDataType::DateN => SqlType::Date,
        TdsDataType::TimeN => SqlType::Time(digits()),
        TdsDataType::DateTim4 => SqlType::SmallDateTime,
        TdsDataType::DateTime => SqlType::DateTime,
        TdsDataType::DateTimeN if info.length == 4 => SqlType::SmallDateTime,
        TdsDataType::DateTimeN => SqlType::DateTime,
        TdsDataType::DateTime2N => SqlType::DateTime2(digits()),
        TdsDataType::DateTimeOffsetN => SqlType::DateTimeOffset(digits()),
        TdsDataType::Guid => SqlType::UniqueIdentifier,
        TdsDataType::BigChar | TdsDataType::Char => SqlType::Char(fixed()?),
        TdsDataType::BigVarChar | TdsDataType::VarChar => SqlType::VarChar(length()?),
        TdsDataType::Text => SqlType::Text,
        TdsDataType::NChar => SqlType::NChar(fixed()? / 2),
        TdsDataType::NVarChar => SqlType::NVarChar(match length()? {
            Length::Of(bytes) => Length::Of(bytes / 2),
            Length::Max => Length::Max,
        }),
        TdsDataType::NText => SqlType::NText,
        TdsDataType::BigBinary | TdsDataType::Binary => SqlType::Binary(fixed()?),
        TdsDataType::BigVarBinary | TdsDataType::VarBinary => SqlType::VarBinary(length()?),
        TdsDataType::Image => SqlType::Image,
        TdsDataType::Xml => SqlType::Xml,
        TdsDataType::Json => SqlType::Json,
        TdsDataType::SsVariant => SqlType::SqlVariant,
        // The wire says that it is a CLR type and not which; all are bytes.
        TdsDataType::Udt => SqlType::VarBinary(Length::Max),
        _ => return None,
    })
}

/// A type as plain text in what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Written(pub(crate) SqlType);

impl From<Written> for String {
    fn from(written: Written) -> Self {
        written.0.to_string()
    }
}

impl TryFrom<String> for Written {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        SqlType::parse(&text)
            .map(Self)
            .ok_or_else(|| format!("{text:?} is no type of SQL Server"))
    }
}

/// `1 column`, `2 columns`.
pub(crate) fn counted(columns: usize) -> String {
    match columns {
        1 => "1 column".to_owned(),
        columns => format!("{columns} columns"),
    }
}
