//! Which type an expression has, by SQL Server's rules.

use crate::types::{Kind, Layout, MAX, SqlType, decimal};

/// An expression as `SQLite` runs it, and what it is to the client.
#[derive(Clone, Debug)]
pub(crate) struct Typed {
    pub(crate) sql: String,
    pub(crate) ty: SqlType,
    pub(crate) nullable: bool,
    /// A NULL that nothing gave a type.
    pub(crate) untyped: bool,
    /// The column that it is, and no more than that: its source and its place there.
    pub(crate) column: Option<(usize, usize)>,
}

impl Typed {
    pub(crate) fn new(sql: impl Into<String>, ty: SqlType) -> Self {
        Self {
            sql: sql.into(),
            ty,
            nullable: true,
            untyped: false,
            column: None,
        }
    }

    pub(crate) fn not_null(mut self) -> Self {
        self.nullable = false;
        self
    }

    /// For ORDER BY, GROUP BY and comparisons: by the type's collation.
    pub(crate) fn ordered(&self) -> String {
        match collation(&self.ty) {
            Some(name) => format!("({}) COLLATE {name}", self.sql),
            None => self.sql.clone(),
        }
    }

    /// As a value of a type, for a comparison or a union.
    pub(crate) fn coerced(&self, to: &SqlType) -> String {
        if self.untyped || same_form(&self.ty, to) {
            self.sql.clone()
        } else {
            cast(self, to, 0, false)
        }
    }
}

/// The collation that `SQLite` compares values of a type by.
pub(crate) fn collation(ty: &SqlType) -> Option<&'static str> {
    match ty.kind {
        Kind::DateTimeOffset => Some("tsql_offset"),
        _ if ty.is_text() => Some(ty.collation.comparison().name()),
        _ => None,
    }
}

/// Whether values of both compare as they are.
fn same_form(from: &SqlType, to: &SqlType) -> bool {
    (from.is_integer() && to.is_integer())
        || (from.is_exact() && to.is_exact())
        || (from.is_float() && to.is_float())
        || (from.is_text() && to.is_text())
        || (from.is_binary() && to.is_binary())
        || (has_day(from) && has_day(to))
        || from.kind == to.kind
}

fn has_day(ty: &SqlType) -> bool {
    matches!(
        ty.kind,
        Kind::Date | Kind::DateTime | Kind::SmallDateTime | Kind::DateTime2
    )
}

/// A call of the function that converts.
pub(crate) fn cast(from: &Typed, to: &SqlType, style: i64, is_try: bool) -> String {
    if from.untyped {
        return "NULL".to_owned();
    }
    let name = if is_try { "try_cast" } else { "cast" };
    format!(
        "tsql('{name}',{},{},{},{style},{})",
        code(to),
        from.sql,
        code(&from.ty),
        code(&SqlType::plain(Kind::Int))
    )
}

/// A type as a number in `SQLite`'s text.
pub(crate) fn code(ty: &SqlType) -> i64 {
    crate::engine::codes::code(ty)
}

/// Who gives way to whom (data type precedence).
fn rank(ty: &SqlType) -> u8 {
    match ty.kind {
        Kind::HierarchyId | Kind::Geometry | Kind::Geography => 31,
        Kind::Variant => 30,
        Kind::Xml | Kind::Json | Kind::Vector => 29,
        Kind::DateTimeOffset => 28,
        Kind::DateTime2 => 27,
        Kind::DateTime => 26,
        Kind::SmallDateTime => 25,
        Kind::Date => 24,
        Kind::Time => 23,
        Kind::Float => 22,
        Kind::Real => 21,
        Kind::Decimal | Kind::Numeric => 20,
        Kind::Money => 19,
        Kind::SmallMoney => 18,
        Kind::BigInt => 17,
        Kind::Int => 16,
        Kind::SmallInt => 15,
        Kind::TinyInt => 14,
        Kind::Bit => 13,
        Kind::NText => 12,
        Kind::Text => 11,
        Kind::Image => 10,
        Kind::RowVersion => 9,
        Kind::UniqueIdentifier => 8,
        Kind::NVarChar => 7,
        Kind::NChar => 6,
        Kind::VarChar => 5,
        Kind::Char => 4,
        Kind::VarBinary => 3,
        Kind::Binary => 2,
    }
}

/// An integer or money as the decimal that holds it.
pub(crate) fn as_decimal(ty: &SqlType) -> SqlType {
    match ty.kind {
        Kind::Decimal | Kind::Numeric => *ty,
        _ => SqlType::decimal(ty.precision, ty.scale),
    }
}

pub(crate) fn unified(left: &Typed, right: &Typed) -> SqlType {
    if left.untyped {
        return right.ty;
    }
    if right.untyped {
        return left.ty;
    }
    unify(&left.ty, &right.ty)
}

/// The type that holds values of both.
pub(crate) fn unify(left: &SqlType, right: &SqlType) -> SqlType {
    let (high, low) = if rank(left) >= rank(right) {
        (left, right)
    } else {
        (right, left)
    };
    if matches!(high.kind, Kind::Decimal | Kind::Numeric) && low.is_number() && !low.is_float() {
        let (a, b) = (*high, as_decimal(low));
        let scale = a.scale.max(b.scale);
        let whole = (a.precision - a.scale).max(b.precision - b.scale);
        return SqlType {
            kind: high.kind,
            ..SqlType::decimal((whole + scale).min(decimal::DIGITS), scale)
        };
    }
    if high.is_text() && low.is_text() && high.layout() == Layout::Short && low.is_text() {
        let chars = |ty: &SqlType| ty.capacity();
        let length = match (chars(high), chars(low)) {
            (Some(a), Some(b)) => sized(high.kind, a.max(b)),
            _ => SqlType::sized(variable(high.kind), MAX),
        };
        let kind = if high.kind == low.kind && high.length == low.length {
            high.kind
        } else {
            variable(high.kind)
        };
        return SqlType {
            kind,
            collation: high.collation,
            ..length
        };
    }
    if high.is_binary()
        && low.is_binary()
        && matches!(high.kind, Kind::Binary | Kind::VarBinary)
        && matches!(low.kind, Kind::Binary | Kind::VarBinary)
    {
        return SqlType {
            length: high.length.max(low.length),
            ..SqlType::plain(Kind::VarBinary)
        };
    }
    if high.is_dated()
        && low.is_dated()
        && high.scale < low.scale
        && matches!(
            high.kind,
            Kind::DateTime2 | Kind::DateTimeOffset | Kind::Time
        )
    {
        return SqlType::timed(high.kind, low.scale);
    }
    *high
}

fn variable(kind: Kind) -> Kind {
    match kind {
        Kind::Char => Kind::VarChar,
        Kind::NChar => Kind::NVarChar,
        other => other,
    }
}

/// A text of so many characters, (max) where that is too many.
pub(crate) fn sized(kind: Kind, chars: usize) -> SqlType {
    let (width, most) = if matches!(kind, Kind::NChar | Kind::NVarChar) {
        (2, 4000)
    } else {
        (1, 8000)
    };
    if chars > most {
        return SqlType::sized(variable(kind), MAX);
    }
    SqlType::sized(kind, u16::try_from(chars.max(1) * width).unwrap_or(MAX))
}

/// What texts are when they stand one after the other.
pub(crate) fn concatenated(left: &SqlType, right: &SqlType) -> SqlType {
    let kind = if left.is_unicode() || right.is_unicode() {
        Kind::NVarChar
    } else {
        Kind::VarChar
    };
    let most = if kind == Kind::NVarChar { 4000 } else { 8000 };
    let ty = match (left.capacity(), right.capacity()) {
        (Some(a), Some(b)) => sized(kind, (a + b).min(most)),
        _ => SqlType::sized(kind, MAX),
    };
    SqlType {
        collation: left.collation,
        ..ty
    }
}

/// The type of an arithmetic operation on two exact numbers.
pub(crate) fn arithmetic(op: char, left: &SqlType, right: &SqlType) -> SqlType {
    if left.is_money() && right.is_money() {
        return unify(left, right);
    }
    let (a, b) = (as_decimal(left), as_decimal(right));
    let (p1, s1, p2, s2) = (
        i32::from(a.precision),
        i32::from(a.scale),
        i32::from(b.precision),
        i32::from(b.scale),
    );
    let (precision, scale) = match op {
        '*' => (p1 + p2 + 1, s1 + s2),
        '/' => {
            let scale = (s1 + p2 + 1).max(6);
            (p1 - s1 + s2 + scale, scale)
        }
        '%' => ((p1 - s1).min(p2 - s2) + s1.max(s2), s1.max(s2)),
        _ => (s1.max(s2) + (p1 - s1).max(p2 - s2) + 1, s1.max(s2)),
    };
    // What doesn't fit 38 digits is taken from those after the point, down to six.
    let (precision, scale) = if precision > 38 {
        let whole = precision - scale;
        let least = scale.min(6);
        (
            38,
            if matches!(op, '*' | '/') {
                (38 - whole).max(least)
            } else {
                (38 - whole).max(0).min(scale)
            },
        )
    } else {
        (precision, scale)
    };
    SqlType::decimal(
        u8::try_from(precision.max(1)).unwrap_or(38),
        u8::try_from(scale).unwrap_or(0),
    )
}
