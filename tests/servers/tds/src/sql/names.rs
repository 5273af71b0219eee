//! Names of tables, types and variables in the text of a statement.

use sqlparser::ast::{Expr, Ident, ObjectName, ObjectNamePart};

use crate::fault::{Result, SqlError};
use crate::types::{Collation, Kind, MAX, SqlType};

/// A name's parts: database, schema, table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) database: Option<String>,
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
}

pub(crate) fn parts(name: &ObjectName) -> Result<Parts> {
    let mut all: Vec<String> = Vec::new();
    for part in &name.0 {
        match part {
            ObjectNamePart::Identifier(ident) => all.push(ident.value.clone()),
            other @ ObjectNamePart::Function(_) => return Err(SqlError::unknown(other)),
        }
    }
    from_list(all)
}

fn from_list(mut all: Vec<String>) -> Result<Parts> {
    let name = all
        .pop()
        .ok_or_else(|| SqlError::unknown("an empty name"))?;
    let schema = all.pop().filter(|schema| !schema.is_empty());
    let database = all.pop().filter(|database| !database.is_empty());
    if all.is_empty() {
        Ok(Parts {
            database,
            schema,
            name,
        })
    } else {
        Err(SqlError::unknown("a name with a server in it"))
    }
}

/// A name as a text holds it: `dbo.[a.b]`.
pub(crate) fn parse(text: &str) -> Option<Parts> {
    let (mut all, mut part, mut chars) =
        (Vec::new(), String::new(), text.trim().chars().peekable());
    while let Some(char) = chars.next() {
        match char {
            '[' | '"' => {
                let close = if char == '[' { ']' } else { '"' };
                loop {
                    match chars.next()? {
                        char if char == close && chars.peek() == Some(&close) => {
                            part.extend(chars.next());
                        }
                        char if char == close => break,
                        char => part.push(char),
                    }
                }
            }
            '.' => all.push(std::mem::take(&mut part)),
            char => part.push(char),
        }
    }
    all.push(part);
    from_list(all).ok()
}

/// The names of an identifier in one, two or three parts.
pub(crate) fn identifiers(expr: &Expr) -> Option<Vec<&Ident>> {
    match expr {
        Expr::Identifier(ident) => Some(vec![ident]),
        Expr::CompoundIdentifier(parts) => Some(parts.iter().collect()),
        _ => None,
    }
}

/// A type from its declaration: `nvarchar(20)`, `decimal(10, 2)`, `float(24)`.
pub(crate) fn parse_type(text: &str) -> Result<SqlType> {
    let unknown = || {
        SqlError::new(
            2715,
            format!("Column, parameter, or variable: Cannot find data type {text}."),
        )
    };
    let text = text.trim().replace(['[', ']', '"'], "");
    let (name, rest) = text.split_once('(').unwrap_or((&text, ""));
    let arguments: Vec<String> = rest
        .trim_end_matches([')', ' '])
        .split(',')
        .map(|part| part.trim().to_lowercase())
        .filter(|part| !part.is_empty())
        .collect();
    let number = |index: usize| {
        arguments
            .get(index)
            .map(|text| text.parse::<u16>().map_err(|_| unknown()))
            .transpose()
    };
    let is_max = arguments.first().is_some_and(|first| first == "max");
    let name = name.trim().to_lowercase();
    let name = name.strip_prefix("sys.").unwrap_or(&name);
    let sized = |kind: Kind, width: u16, most: u16| -> Result<SqlType> {
        if is_max {
            return Ok(SqlType::sized(kind, MAX));
        }
        let count = number(0)?.unwrap_or(1);
        if count == 0 || count > most {
            return Err(SqlError::new(131, format!("The size ({count}) given to the type '{name}' exceeds the maximum allowed for any data type ({most}).")).class(15));
        }
        Ok(SqlType::sized(kind, count * width))
    };
    let timed = |kind: Kind| -> Result<SqlType> {
        let scale = number(0)?.unwrap_or(7);
        match u8::try_from(scale) {
            Ok(scale) if scale <= 7 => Ok(SqlType::timed(kind, scale)),
            _ => Err(
                SqlError::new(1002, format!("Line 1: Specified scale {scale} is invalid."))
                    .class(15),
            ),
        }
    };
    Ok(match name {
        "tinyint" => SqlType::plain(Kind::TinyInt),
        "smallint" => SqlType::plain(Kind::SmallInt),
        "int" | "integer" => SqlType::plain(Kind::Int),
        "bigint" => SqlType::plain(Kind::BigInt),
        "bit" => SqlType::plain(Kind::Bit),
        "decimal" | "dec" | "numeric" => {
            let (precision, scale) = (number(0)?.unwrap_or(18), number(1)?.unwrap_or(0));
            if precision == 0 || precision > 38 || scale > precision {
                return Err(SqlError::new(
                    2750,
                    format!(
                        "Column or parameter #1: Specified column precision {precision} is greater than the maximum precision of 38."
                    ),
                ));
            }
            let kind = if name == "numeric" {
                Kind::Numeric
            } else {
                Kind::Decimal
            };
            SqlType {
                kind,
                ..SqlType::decimal(
                    u8::try_from(precision).unwrap_or(38),
                    u8::try_from(scale).unwrap_or(38),
                )
            }
        }
        "money" => SqlType::plain(Kind::Money),
        "smallmoney" => SqlType::plain(Kind::SmallMoney),
        "real" => SqlType::plain(Kind::Real),
        "float" | "double precision" | "double" => {
            SqlType::plain(if number(0)?.is_some_and(|bits| bits <= 24) {
                Kind::Real
            } else {
                Kind::Float
            })
        }
        "char" | "character" => sized(Kind::Char, 1, 8000)?,
        "varchar" | "char varying" | "character varying" => sized(Kind::VarChar, 1, 8000)?,
        "nchar" | "national char" => sized(Kind::NChar, 2, 4000)?,
        "nvarchar" | "national char varying" => sized(Kind::NVarChar, 2, 4000)?,
        "sysname" => SqlType::nvarchar(128),
        "text" => SqlType::plain(Kind::Text),
        "ntext" => SqlType::plain(Kind::NText),
        "image" => SqlType::plain(Kind::Image),
        "binary" => sized(Kind::Binary, 1, 8000)?,
        "varbinary" => sized(Kind::VarBinary, 1, 8000)?,
        "rowversion" | "timestamp" => SqlType::plain(Kind::RowVersion),
        "date" => SqlType::plain(Kind::Date),
        "time" => timed(Kind::Time)?,
        "datetime" => SqlType::plain(Kind::DateTime),
        "smalldatetime" => SqlType::plain(Kind::SmallDateTime),
        "datetime2" => timed(Kind::DateTime2)?,
        "datetimeoffset" => timed(Kind::DateTimeOffset)?,
        "uniqueidentifier" => SqlType::plain(Kind::UniqueIdentifier),
        "xml" => SqlType::plain(Kind::Xml),
        "json" => SqlType::plain(Kind::Json),
        "vector" => match number(0)? {
            Some(dimensions @ 1..=1998) => SqlType::vector(dimensions),
            _ => return Err(unknown()),
        },
        "sql_variant" => SqlType::plain(Kind::Variant),
        "hierarchyid" => SqlType::plain(Kind::HierarchyId),
        "geometry" => SqlType::plain(Kind::Geometry),
        "geography" => SqlType::plain(Kind::Geography),
        _ => return Err(unknown()),
    })
}

/// A collation by its name.
pub(crate) fn collation(name: &str) -> Result<Collation> {
    let found = Collation::named(name.trim_matches(['[', ']', '"']))
        .filter(|collation| !collation.ignores_accents());
    found.ok_or_else(|| {
        SqlError::new(
            448,
            format!("Invalid collation '{name}'. The test server knows no such collation."),
        )
    })
}

/// For an SQL text: quoted as a T-SQL identifier.
pub(crate) fn quoted(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}
