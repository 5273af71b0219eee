//! The types of SQL Server and what they are in Arrow: one place that says both ways, from which
//! the table in docs/connectors/mssql.md is made.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, TimeUnit};

/// The key of a field's metadata that holds the SQL Server type it came from: `datetime2(3)`.
pub const TYPE_KEY: &str = "mssql.type";

/// How long a variable-length type may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// Bytes, or characters of two bytes.
    Of(u16),
    /// 2 GB.
    Max,
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(n) => write!(f, "{n}"),
            Self::Max => f.write_str("max"),
        }
    }
}

/// A type of SQL Server, as a column is declared with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SqlType {
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Bit,
    Decimal {
        precision: u8,
        scale: u8,
    },
    Money,
    SmallMoney,
    Real,
    Float,
    Char(u16),
    VarChar(Length),
    Text,
    NChar(u16),
    NVarChar(Length),
    NText,
    Binary(u16),
    VarBinary(Length),
    Image,
    Date,
    Time(u8),
    SmallDateTime,
    DateTime,
    DateTime2(u8),
    DateTimeOffset(u8),
    UniqueIdentifier,
    Xml,
    Json,
    /// So many dimensions. Its values are read and written as the text of a JSON array.
    Vector(u16),
    RowVersion,
    SqlVariant,
    HierarchyId,
    Geometry,
    Geography,
}

/// The unit in which times of day and moments are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Unit {
    /// Covers every year SQL Server has; a seventh digit is lost, and told.
    #[default]
    Micro,
    /// Keeps all seven digits; covers the years 1678 to 2261.
    Nano,
}

impl Unit {
    fn arrow(self) -> TimeUnit {
        match self {
            Self::Micro => TimeUnit::Microsecond,
            Self::Nano => TimeUnit::Nanosecond,
        }
    }
}

/// How times and moments are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Times {
    pub(crate) unit: Unit,
    /// Whether a `datetimeoffset` keeps its offset, and so is a struct.
    pub(crate) offsets: bool,
}

/// The fields of a `datetimeoffset` that keeps its offset.
const MOMENT: &str = "utc";
const OFFSET: &str = "offset_minutes";

/// The struct that a `datetimeoffset` with its offset is, around that moment.
pub(crate) fn with_offset(moment: DataType) -> Fields {
    Fields::from(vec![
        Field::new(MOMENT, moment, false),
        Field::new(OFFSET, DataType::Int16, false),
    ])
}

/// The moment of such a struct; none for every other type.
pub(crate) fn moment_of(data_type: &DataType) -> Option<&DataType> {
    let DataType::Struct(fields) = data_type else {
        return None;
    };
    let [moment, offset] = fields.iter().as_slice() else {
        return None;
    };
    let named = moment.name() == MOMENT && offset.name() == OFFSET;
    let typed = matches!(moment.data_type(), DataType::Timestamp(_, Some(_)))
        && *offset.data_type() == DataType::Int16;
    (named && typed).then_some(moment.data_type())
}

impl SqlType {
    /// The Arrow type its values are read as.
    pub(crate) fn arrow(self, times: Times) -> DataType {
        let unit = times.unit;
        match self {
            Self::TinyInt => DataType::UInt8,
            Self::SmallInt => DataType::Int16,
            Self::Int => DataType::Int32,
            Self::BigInt => DataType::Int64,
            Self::Bit => DataType::Boolean,
            Self::Decimal { precision, scale } => {
                DataType::Decimal128(precision, i8::try_from(scale).unwrap_or(i8::MAX))
            }
            Self::Money => DataType::Decimal128(19, 4),
            Self::SmallMoney => DataType::Decimal128(10, 4),
            Self::Real => DataType::Float32,
            Self::Float => DataType::Float64,
            Self::Char(_)
            | Self::VarChar(_)
            | Self::Text
            | Self::NChar(_)
            | Self::NVarChar(_)
            | Self::NText
            | Self::UniqueIdentifier
            | Self::Xml
            | Self::Json
            | Self::Vector(_)
            | Self::SqlVariant => DataType::Utf8,
            Self::Binary(_)
            | Self::VarBinary(_)
            | Self::Image
            | Self::HierarchyId
            | Self::Geometry
            | Self::Geography => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Time(_) => DataType::Time64(unit.arrow()),
            // Neither has a digit below the millisecond, so the unit doesn't matter to them.
            Self::SmallDateTime | Self::DateTime => {
                DataType::Timestamp(TimeUnit::Microsecond, None)
            }
            Self::DateTime2(_) => DataType::Timestamp(unit.arrow(), None),
            Self::DateTimeOffset(_) => {
                let moment = DataType::Timestamp(unit.arrow(), Some("UTC".into()));
                match times.offsets {
                    false => moment,
                    true => DataType::Struct(with_offset(moment)),
                }
            }
            Self::RowVersion => DataType::UInt64,
        }
    }

    /// A field of that name and type, which remembers the type.
    pub(crate) fn field(self, name: &str, nullable: bool, times: Times) -> Arc<Field> {
        let field = Field::new(name, self.arrow(times), nullable);
        let remembered = HashMap::from([(TYPE_KEY.to_owned(), self.to_string())]);
        Arc::new(field.with_metadata(remembered))
    }

    /// The type that a field's metadata names, if it names one.
    pub(crate) fn remembered(field: &Field) -> Option<Self> {
        Self::parse(field.metadata().get(TYPE_KEY)?)
    }

    /// The type to declare for values of an Arrow type that came from somewhere else. Texts and
    /// bytes have no length there; `(max)` loads about four times slower than a length.
    pub(crate) fn for_arrow(data_type: &DataType) -> Option<Self> {
        let digits = |unit: &TimeUnit| match unit {
            TimeUnit::Second => 0,
            TimeUnit::Millisecond => 3,
            TimeUnit::Microsecond => 6,
            TimeUnit::Nanosecond => 7,
        };
        Some(match data_type {
            DataType::Boolean => Self::Bit,
            DataType::UInt8 => Self::TinyInt,
            DataType::Int8 | DataType::Int16 => Self::SmallInt,
            DataType::UInt16 | DataType::Int32 => Self::Int,
            DataType::UInt32 | DataType::Int64 => Self::BigInt,
            DataType::UInt64 => Self::Decimal {
                precision: 20,
                scale: 0,
            },
            DataType::Float16 | DataType::Float32 => Self::Real,
            DataType::Float64 => Self::Float,
            DataType::Decimal32(precision, scale)
            | DataType::Decimal64(precision, scale)
            | DataType::Decimal128(precision, scale) => Self::Decimal {
                precision: *precision,
                scale: u8::try_from(*scale).ok()?,
            },
            DataType::Utf8 | DataType::LargeUtf8 => Self::NVarChar(Length::Max),
            DataType::Binary | DataType::LargeBinary => Self::VarBinary(Length::Max),
            DataType::FixedSizeBinary(n) => match u16::try_from(*n).ok()? {
                n @ 1..=8000 => Self::Binary(n),
                _ => Self::VarBinary(Length::Max),
            },
            DataType::Date32 => Self::Date,
            DataType::Time32(unit) | DataType::Time64(unit) => Self::Time(digits(unit)),
            DataType::Timestamp(unit, None) => Self::DateTime2(digits(unit)),
            DataType::Timestamp(unit, Some(_)) => Self::DateTimeOffset(digits(unit)),
            DataType::Date64 => Self::DateTime2(3),
            DataType::Struct(_) => match moment_of(data_type)? {
                DataType::Timestamp(unit, _) => Self::DateTimeOffset(digits(unit)),
                _ => return None,
            },
            DataType::Dictionary(_, values) => return Self::for_arrow(values),
            _ => return None,
        })
    }

    /// Reads a declaration: `decimal(18, 4)`, `nvarchar(max)`, `datetime2` (which is `(7)`).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let (name, inside) = match text.split_once('(') {
            Some((name, rest)) => (name.trim(), Some(rest.strip_suffix(')')?.trim())),
            None => (text.as_str(), None),
        };
        let byte = |default: u8| match inside {
            None => Some(default),
            Some(inside) => inside.parse().ok(),
        };
        // What a file says of its columns need not be true.
        let within = |most: u16| {
            let n: u16 = inside.map_or(Some(1), |inside| inside.parse().ok())?;
            (1..=most).contains(&n).then_some(n)
        };
        let length = |most: u16| match inside {
            Some("max") => Some(Length::Max),
            _ => within(most).map(Length::Of),
        };
        let digits = || byte(7).filter(|digits| *digits <= 7);
        let plain = |sql_type| inside.is_none().then_some(sql_type);
        match name {
            "decimal" | "numeric" | "dec" => {
                let (precision, scale) = match inside {
                    None => ("18", "0"),
                    Some(inside) => inside.split_once(',').unwrap_or((inside, "0")),
                };
                let precision: u8 = precision.trim().parse().ok()?;
                let scale: u8 = scale.trim().parse().ok()?;
                ((1..=38).contains(&precision) && scale <= precision)
                    .then_some(Self::Decimal { precision, scale })
            }
            "float" => match byte(53)? {
                1..=24 => Some(Self::Real),
                25..=53 => Some(Self::Float),
                _ => None,
            },
            "char" => Some(Self::Char(within(8_000)?)),
            "varchar" => Some(Self::VarChar(length(8_000)?)),
            "nchar" => Some(Self::NChar(within(4_000)?)),
            "nvarchar" => Some(Self::NVarChar(length(4_000)?)),
            "binary" => Some(Self::Binary(within(8_000)?)),
            "varbinary" => Some(Self::VarBinary(length(8_000)?)),
            "time" => Some(Self::Time(digits()?)),
            "datetime2" => Some(Self::DateTime2(digits()?)),
            "datetimeoffset" => Some(Self::DateTimeOffset(digits()?)),
            "tinyint" => plain(Self::TinyInt),
            "smallint" => plain(Self::SmallInt),
            "int" => plain(Self::Int),
            "bigint" => plain(Self::BigInt),
            "bit" => plain(Self::Bit),
            "money" => plain(Self::Money),
            "smallmoney" => plain(Self::SmallMoney),
            "real" => plain(Self::Real),
            "text" => plain(Self::Text),
            "ntext" => plain(Self::NText),
            "image" => plain(Self::Image),
            "date" => plain(Self::Date),
            "smalldatetime" => plain(Self::SmallDateTime),
            "datetime" => plain(Self::DateTime),
            "uniqueidentifier" => plain(Self::UniqueIdentifier),
            "xml" => plain(Self::Xml),
            "json" => plain(Self::Json),
            "vector" => inside.and(within(3_996)).map(Self::Vector),
            "rowversion" | "timestamp" => plain(Self::RowVersion),
            "sql_variant" => plain(Self::SqlVariant),
            "hierarchyid" => plain(Self::HierarchyId),
            "geometry" => plain(Self::Geometry),
            "geography" => plain(Self::Geography),
            _ => None,
        }
    }

    /// From a row of `sys.columns`: the type's name, its length in bytes (-1 for max), precision
    /// and scale.
    pub(crate) fn of_catalogue(
        name: &str,
        max_length: i16,
        precision: u8,
        scale: u8,
    ) -> Option<Self> {
        let wide = matches!(name, "nchar" | "nvarchar" | "sysname");
        let length = match max_length {
            -1 => Length::Max,
            bytes => Length::Of(u16::try_from(bytes).ok()? / if wide { 2 } else { 1 }),
        };
        let fixed = match length {
            Length::Of(n) => n,
            Length::Max => 0,
        };
        Some(match name {
            "char" => Self::Char(fixed),
            "nchar" => Self::NChar(fixed),
            "binary" => Self::Binary(fixed),
            "varchar" => Self::VarChar(length),
            "nvarchar" | "sysname" => Self::NVarChar(length),
            "varbinary" => Self::VarBinary(length),
            "decimal" | "numeric" => Self::Decimal { precision, scale },
            "time" => Self::Time(scale),
            "datetime2" => Self::DateTime2(scale),
            "datetimeoffset" => Self::DateTimeOffset(scale),
            // Eight bytes, then four for each dimension.
            "vector" => Self::Vector(fixed.checked_sub(8)? / 4),
            other => Self::parse(other)?,
        })
    }

    /// Whether the server makes its values, so that nobody can write them.
    pub(crate) fn is_generated(self) -> bool {
        self == Self::RowVersion
    }
}

/// As it is written in a declaration.
impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            Self::Char(n) => write!(f, "char({n})"),
            Self::NChar(n) => write!(f, "nchar({n})"),
            Self::Binary(n) => write!(f, "binary({n})"),
            Self::VarChar(length) => write!(f, "varchar({length})"),
            Self::NVarChar(length) => write!(f, "nvarchar({length})"),
            Self::VarBinary(length) => write!(f, "varbinary({length})"),
            Self::Time(digits) => write!(f, "time({digits})"),
            Self::DateTime2(digits) => write!(f, "datetime2({digits})"),
            Self::DateTimeOffset(digits) => write!(f, "datetimeoffset({digits})"),
            Self::Vector(dimensions) => write!(f, "vector({dimensions})"),
            Self::TinyInt => f.write_str("tinyint"),
            Self::SmallInt => f.write_str("smallint"),
            Self::Int => f.write_str("int"),
            Self::BigInt => f.write_str("bigint"),
            Self::Bit => f.write_str("bit"),
            Self::Money => f.write_str("money"),
            Self::SmallMoney => f.write_str("smallmoney"),
            Self::Real => f.write_str("real"),
            Self::Float => f.write_str("float"),
            Self::Text => f.write_str("text"),
            Self::NText => f.write_str("ntext"),
            Self::Image => f.write_str("image"),
            Self::Date => f.write_str("date"),
            Self::SmallDateTime => f.write_str("smalldatetime"),
            Self::DateTime => f.write_str("datetime"),
            Self::UniqueIdentifier => f.write_str("uniqueidentifier"),
            Self::Xml => f.write_str("xml"),
            Self::Json => f.write_str("json"),
            Self::RowVersion => f.write_str("rowversion"),
            Self::SqlVariant => f.write_str("sql_variant"),
            Self::HierarchyId => f.write_str("hierarchyid"),
            Self::Geometry => f.write_str("geometry"),
            Self::Geography => f.write_str("geography"),
        }
    }
}

#[cfg(test)]
pub(crate) const EVERY: &[SqlType] = &[
    SqlType::TinyInt,
    SqlType::SmallInt,
    SqlType::Int,
    SqlType::BigInt,
    SqlType::Bit,
    SqlType::Decimal {
        precision: 38,
        scale: 38,
    },
    SqlType::Money,
    SqlType::SmallMoney,
    SqlType::Real,
    SqlType::Float,
    SqlType::Char(10),
    SqlType::VarChar(Length::Of(8000)),
    SqlType::VarChar(Length::Max),
    SqlType::Text,
    SqlType::NChar(10),
    SqlType::NVarChar(Length::Of(4000)),
    SqlType::NVarChar(Length::Max),
    SqlType::NText,
    SqlType::Binary(16),
    SqlType::VarBinary(Length::Of(8000)),
    SqlType::VarBinary(Length::Max),
    SqlType::Image,
    SqlType::Date,
    SqlType::Time(7),
    SqlType::SmallDateTime,
    SqlType::DateTime,
    SqlType::DateTime2(7),
    SqlType::DateTimeOffset(7),
    SqlType::UniqueIdentifier,
    SqlType::Xml,
    SqlType::Json,
    SqlType::Vector(1536),
    SqlType::RowVersion,
    SqlType::SqlVariant,
    SqlType::HierarchyId,
    SqlType::Geometry,
    SqlType::Geography,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_read_back() {
        for sql_type in EVERY {
            assert_eq!(SqlType::parse(&sql_type.to_string()), Some(*sql_type));
        }
        assert_eq!(SqlType::parse("datetime2"), Some(SqlType::DateTime2(7)));
        assert_eq!(
            SqlType::parse("Numeric( 9 , 2 )"),
            SqlType::parse("decimal(9,2)")
        );
        assert_eq!(SqlType::parse("float(24)"), Some(SqlType::Real));
        assert_eq!(SqlType::parse("int(4)"), None);
        assert_eq!(SqlType::parse("decimal(2,3)"), None);
        assert_eq!(
            SqlType::parse("nvarchar"),
            Some(SqlType::NVarChar(Length::Of(1)))
        );
        for wrong in [
            "nvarchar(5000)",
            "nvarchar(0)",
            "char(9000)",
            "vector",
            "vector(5000)",
        ] {
            assert_eq!(SqlType::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn fields_remember_their_type() {
        for sql_type in EVERY {
            let field = sql_type.field("c", true, Times::default());
            assert_eq!(SqlType::remembered(&field), Some(*sql_type));
        }
    }

    #[test]
    fn the_catalogue_counts_bytes() {
        assert_eq!(
            SqlType::of_catalogue("nvarchar", 100, 0, 0),
            Some(SqlType::NVarChar(Length::Of(50)))
        );
        assert_eq!(
            SqlType::of_catalogue("varbinary", -1, 0, 0),
            Some(SqlType::VarBinary(Length::Max))
        );
        assert_eq!(
            SqlType::of_catalogue("sysname", 256, 0, 0),
            Some(SqlType::NVarChar(Length::Of(128)))
        );
        assert_eq!(
            SqlType::of_catalogue("vector", 20, 0, 0),
            Some(SqlType::Vector(3))
        );
        assert_eq!(SqlType::of_catalogue("cursor", 20, 0, 0), None);
    }
}
