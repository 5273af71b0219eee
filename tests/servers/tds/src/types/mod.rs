//! SQL Server's types: how each is named, declared on the wire and kept.

pub(crate) mod clock;
pub(crate) mod collation;
pub(crate) mod convert;
pub(crate) mod decimal;
mod document;
pub(crate) mod info;
pub(crate) mod show;
pub(crate) mod text;
pub(crate) mod value;
pub(crate) mod variant;

pub(crate) use collation::Collation;
pub(crate) use decimal::Decimal;
pub(crate) use value::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Bit,
    Decimal,
    Numeric,
    Money,
    SmallMoney,
    Real,
    Float,
    Char,
    VarChar,
    NChar,
    NVarChar,
    Text,
    NText,
    Image,
    Binary,
    VarBinary,
    RowVersion,
    Date,
    Time,
    DateTime,
    SmallDateTime,
    DateTime2,
    DateTimeOffset,
    UniqueIdentifier,
    Xml,
    Json,
    Vector,
    Variant,
    HierarchyId,
    Geometry,
    Geography,
}

/// The length of a (max) type, and of those that have no other.
pub(crate) const MAX: u16 = 0xFFFF;

/// A type with all that a column's declaration says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SqlType {
    pub(crate) kind: Kind,
    /// In bytes, as on the wire: twice the characters of an nvarchar; [`MAX`] for (max).
    pub(crate) length: u16,
    pub(crate) precision: u8,
    pub(crate) scale: u8,
    pub(crate) collation: Collation,
}

/// How a value's length is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One byte, 0 for NULL.
    Byte,
    /// Two bytes, 0xFFFF for NULL.
    Short,
    /// Partially length-prefixed (2.2.5.2.3): eight bytes, then chunks.
    Chunked,
    /// A text pointer and a time stamp, then four bytes.
    Pointer,
    /// Four bytes, 0 for NULL.
    Long,
}

impl SqlType {
    /// A type without parameters, or with those that it has by default.
    pub(crate) fn plain(kind: Kind) -> Self {
        let (length, precision, scale) = match kind {
            Kind::TinyInt => (1, 3, 0),
            Kind::SmallInt => (2, 5, 0),
            Kind::Int => (4, 10, 0),
            Kind::BigInt => (8, 19, 0),
            Kind::Bit => (1, 1, 0),
            Kind::Decimal | Kind::Numeric => (9, 18, 0),
            Kind::Money => (8, 19, 4),
            Kind::SmallMoney => (4, 10, 4),
            Kind::Real => (4, 24, 0),
            Kind::Float => (8, 53, 0),
            Kind::Char | Kind::VarChar | Kind::Binary | Kind::VarBinary => (1, 0, 0),
            Kind::NChar | Kind::NVarChar => (2, 0, 0),
            Kind::RowVersion => (8, 0, 0),
            Kind::Date => (3, 10, 0),
            Kind::Time => (5, 16, 7),
            Kind::DateTime => (8, 23, 3),
            Kind::SmallDateTime => (4, 16, 0),
            Kind::DateTime2 => (8, 27, 7),
            Kind::DateTimeOffset => (10, 34, 7),
            Kind::UniqueIdentifier => (16, 0, 0),
            Kind::Variant => (8009, 0, 0),
            Kind::Text
            | Kind::NText
            | Kind::Image
            | Kind::Xml
            | Kind::Json
            | Kind::Vector
            | Kind::HierarchyId
            | Kind::Geometry
            | Kind::Geography => (MAX, 0, 0),
        };
        Self {
            kind,
            length,
            precision,
            scale,
            collation: Collation::DEFAULT,
        }
    }

    pub(crate) fn sized(kind: Kind, length: u16) -> Self {
        Self {
            length,
            ..Self::plain(kind)
        }
    }

    /// An nvarchar of so many characters.
    pub(crate) fn nvarchar(chars: usize) -> Self {
        let length = if chars > 4000 {
            MAX
        } else {
            u16::try_from(chars.max(1) * 2).unwrap_or(MAX)
        };
        Self::sized(Kind::NVarChar, length)
    }

    pub(crate) fn decimal(precision: u8, scale: u8) -> Self {
        Self {
            precision,
            scale,
            length: decimal::wire_length(precision),
            ..Self::plain(Kind::Decimal)
        }
    }

    pub(crate) fn timed(kind: Kind, scale: u8) -> Self {
        let length = clock::time_length(scale)
            + match kind {
                Kind::DateTime2 => 3,
                Kind::DateTimeOffset => 5,
                _ => 0,
            };
        let precision = match kind {
            Kind::DateTime2 => 19,
            Kind::DateTimeOffset => 26,
            _ => 8,
        } + if scale == 0 { 0 } else { scale + 1 };
        Self {
            kind,
            length: u16::from(length),
            precision,
            scale,
            collation: Collation::DEFAULT,
        }
    }

    pub(crate) fn layout(&self) -> Layout {
        match self.kind {
            Kind::Text | Kind::NText | Kind::Image => Layout::Pointer,
            Kind::Variant => Layout::Long,
            Kind::Xml
            | Kind::Json
            | Kind::Vector
            | Kind::HierarchyId
            | Kind::Geometry
            | Kind::Geography => Layout::Chunked,
            Kind::VarChar | Kind::NVarChar | Kind::VarBinary if self.length == MAX => {
                Layout::Chunked
            }
            Kind::Char
            | Kind::VarChar
            | Kind::NChar
            | Kind::NVarChar
            | Kind::Binary
            | Kind::VarBinary
            | Kind::RowVersion => Layout::Short,
            _ => Layout::Byte,
        }
    }

    pub(crate) fn is_rowversion(&self) -> bool {
        self.kind == Kind::RowVersion
    }

    pub(crate) fn has_text_pointer(&self) -> bool {
        self.layout() == Layout::Pointer
    }

    /// Whether a value that can't be NULL stands without a length (FIXEDLENTYPE, 2.2.5.4.1).
    pub(crate) fn can_be_fixed(&self) -> bool {
        matches!(
            self.kind,
            Kind::TinyInt
                | Kind::SmallInt
                | Kind::Int
                | Kind::BigInt
                | Kind::Bit
                | Kind::Money
                | Kind::SmallMoney
                | Kind::Real
                | Kind::Float
                | Kind::DateTime
                | Kind::SmallDateTime
        )
    }

    /// Types of which every sequence of so many bytes is a value.
    pub(crate) fn can_be_fixed_or_guid(&self) -> bool {
        matches!(
            self.kind,
            Kind::TinyInt
                | Kind::SmallInt
                | Kind::Int
                | Kind::BigInt
                | Kind::UniqueIdentifier
                | Kind::Money
                | Kind::SmallMoney
        )
    }

    pub(crate) fn is_integer(&self) -> bool {
        matches!(
            self.kind,
            Kind::TinyInt | Kind::SmallInt | Kind::Int | Kind::BigInt | Kind::Bit
        )
    }

    pub(crate) fn is_exact(&self) -> bool {
        matches!(
            self.kind,
            Kind::Decimal | Kind::Numeric | Kind::Money | Kind::SmallMoney
        )
    }

    pub(crate) fn is_money(&self) -> bool {
        matches!(self.kind, Kind::Money | Kind::SmallMoney)
    }

    pub(crate) fn is_float(&self) -> bool {
        matches!(self.kind, Kind::Real | Kind::Float)
    }

    pub(crate) fn is_number(&self) -> bool {
        self.is_integer() || self.is_exact() || self.is_float()
    }

    /// Texts, whose comparisons follow a collation.
    pub(crate) fn is_text(&self) -> bool {
        self.is_unicode() || self.is_narrow()
    }

    pub(crate) fn is_unicode(&self) -> bool {
        matches!(
            self.kind,
            Kind::NChar | Kind::NVarChar | Kind::NText | Kind::Xml | Kind::Json | Kind::Vector
        )
    }

    pub(crate) fn is_narrow(&self) -> bool {
        matches!(self.kind, Kind::Char | Kind::VarChar | Kind::Text)
    }

    pub(crate) fn is_binary(&self) -> bool {
        matches!(
            self.kind,
            Kind::Binary
                | Kind::VarBinary
                | Kind::Image
                | Kind::RowVersion
                | Kind::HierarchyId
                | Kind::Geometry
                | Kind::Geography
        )
    }

    pub(crate) fn is_dated(&self) -> bool {
        matches!(
            self.kind,
            Kind::Date
                | Kind::Time
                | Kind::DateTime
                | Kind::SmallDateTime
                | Kind::DateTime2
                | Kind::DateTimeOffset
        )
    }

    /// How many characters or bytes a text or binary type holds; `None` for (max).
    pub(crate) fn capacity(&self) -> Option<usize> {
        let length = usize::from(self.length);
        match self.kind {
            _ if self.length == MAX => None,
            Kind::NChar | Kind::NVarChar => Some(length / 2),
            _ => Some(length),
        }
    }

    /// A vector of so many numbers: four bytes each, after a head of eight.
    pub(crate) fn vector(dimensions: u16) -> Self {
        Self::sized(Kind::Vector, 8 + 4 * dimensions)
    }

    pub(crate) fn dimensions(&self) -> usize {
        usize::from(self.length.saturating_sub(8) / 4)
    }

    /// Texts that are more than texts, and so have no collation.
    pub(crate) fn is_document(&self) -> bool {
        matches!(self.kind, Kind::Xml | Kind::Json | Kind::Vector)
    }

    /// The name that `sys.types` has for it.
    pub(crate) fn name(&self) -> &'static str {
        match self.kind {
            Kind::TinyInt => "tinyint",
            Kind::SmallInt => "smallint",
            Kind::Int => "int",
            Kind::BigInt => "bigint",
            Kind::Bit => "bit",
            Kind::Decimal => "decimal",
            Kind::Numeric => "numeric",
            Kind::Money => "money",
            Kind::SmallMoney => "smallmoney",
            Kind::Real => "real",
            Kind::Float => "float",
            Kind::Char => "char",
            Kind::VarChar => "varchar",
            Kind::NChar => "nchar",
            Kind::NVarChar => "nvarchar",
            Kind::Text => "text",
            Kind::NText => "ntext",
            Kind::Image => "image",
            Kind::Binary => "binary",
            Kind::VarBinary => "varbinary",
            Kind::RowVersion => "timestamp",
            Kind::Date => "date",
            Kind::Time => "time",
            Kind::DateTime => "datetime",
            Kind::SmallDateTime => "smalldatetime",
            Kind::DateTime2 => "datetime2",
            Kind::DateTimeOffset => "datetimeoffset",
            Kind::UniqueIdentifier => "uniqueidentifier",
            Kind::Xml => "xml",
            Kind::Json => "json",
            Kind::Vector => "vector",
            Kind::Variant => "sql_variant",
            Kind::HierarchyId => "hierarchyid",
            Kind::Geometry => "geometry",
            Kind::Geography => "geography",
        }
    }

    /// As in a declaration: `nvarchar(20)`, `decimal(10,2)`.
    pub(crate) fn declared(&self) -> String {
        let name = self.name();
        match self.kind {
            Kind::Decimal | Kind::Numeric => format!("{name}({},{})", self.precision, self.scale),
            Kind::Time | Kind::DateTime2 | Kind::DateTimeOffset => {
                format!("{name}({})", self.scale)
            }
            Kind::Char
            | Kind::VarChar
            | Kind::NChar
            | Kind::NVarChar
            | Kind::Binary
            | Kind::VarBinary => match self.capacity() {
                Some(count) => format!("{name}({count})"),
                None => format!("{name}(max)"),
            },
            Kind::Vector => format!("{name}({})", self.dimensions()),
            _ => name.to_owned(),
        }
    }
}
