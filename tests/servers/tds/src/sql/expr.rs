//! Expressions and conditions as `SQLite` runs them.

use sqlparser::ast::{
    BinaryOperator, CaseWhen, CastKind, Expr, InTarget, Query, UnaryOperator, Value as Literal,
};

use super::infer::{self, Typed, cast, code};
use super::names;
use super::query::Compiler;
use crate::fault::SqlError;
use crate::reply::Outcome;
use crate::types::{Decimal, Kind, SqlType, Value};

/// Stands for an argument that was compiled where it stood, before a number.
pub(super) const ARGUMENT: &str = "@@argument ";

pub(crate) fn int() -> SqlType {
    SqlType::plain(Kind::Int)
}

impl Compiler<'_> {
    /// A value, kept for `SQLite` as a parameter.
    pub(crate) fn bound(&mut self, ty: SqlType, value: Value) -> Typed {
        let is_null = value.is_null();
        self.binds.push(value);
        let typed = Typed::new(format!("?{}", self.binds.len()), ty);
        if is_null { typed } else { typed.not_null() }
    }

    pub(crate) fn null() -> Typed {
        Typed {
            untyped: true,
            ..Typed::new("NULL", int())
        }
    }

    fn literal(&mut self, value: &Literal) -> Outcome<Typed> {
        Ok(match value {
            Literal::Null => Self::null(),
            Literal::Number(text, _) => self.number(text)?,
            Literal::SingleQuotedString(text) => {
                let ty = infer::sized(Kind::VarChar, text.chars().count());
                self.bound(ty, Value::text(text))
            }
            Literal::NationalStringLiteral(text) => {
                let ty = SqlType::nvarchar(text.encode_utf16().count());
                self.bound(ty, Value::text(text))
            }
            Literal::HexStringLiteral(text) => {
                let text = if text.len() % 2 == 1 {
                    format!("0{text}")
                } else {
                    text.clone()
                };
                let bytes = crate::types::show::parse_hex(&text)
                    .ok_or_else(|| SqlError::unknown(format!("0x{text}")))?;
                let length = u16::try_from(bytes.len().max(1))
                    .ok()
                    .filter(|length| *length <= 8000)
                    .unwrap_or(crate::types::MAX);
                self.bound(SqlType::sized(Kind::VarBinary, length), Value::Bytes(bytes))
            }
            other => return Err(SqlError::unknown(other).into()),
        })
    }

    fn number(&mut self, text: &str) -> Outcome<Typed> {
        if text.contains(['e', 'E']) {
            let number = text.parse::<f64>().map_err(|_| SqlError::unknown(text))?;
            return Ok(self.bound(SqlType::plain(Kind::Float), Value::Float(number)));
        }
        if let Ok(number) = text.parse::<i32>() {
            return Ok(Typed::new(number.to_string(), int()).not_null());
        }
        let number = Decimal::parse(text).ok_or_else(|| SqlError::new(1007, format!("The number '{text}' is out of the range for numeric representation (maximum precision 38).")).class(15))?;
        let ty = SqlType {
            kind: Kind::Numeric,
            ..SqlType::decimal(number.precision(), number.scale)
        };
        Ok(self.bound(ty, Value::Decimal(number)))
    }

    pub(crate) fn value(&mut self, expr: &Expr) -> Outcome<Typed> {
        match expr {
            Expr::Value(literal) => self.literal(&literal.value),
            Expr::Nested(inner) => {
                let mut inner = self.value(inner)?;
                inner.sql = format!("({})", inner.sql);
                Ok(inner)
            }
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => self.identifier(expr),
            Expr::UnaryOp { op, expr } => self.unary(*op, expr),
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right),
            Expr::Case {
                operand,
                conditions,
                else_result,
                ..
            } => self.case(operand.as_deref(), conditions, else_result.as_deref()),
            Expr::Cast {
                kind,
                expr,
                data_type,
                format: None,
            } => {
                let to = self.cast_type(&data_type.to_string())?;
                self.converted(expr, &to, 0, *kind == CastKind::TryCast)
            }
            Expr::Convert {
                is_try,
                expr,
                data_type: Some(data_type),
                styles,
                ..
            } => {
                let to = self.cast_type(&data_type.to_string())?;
                let style = match styles.first() {
                    None => 0,
                    Some(style) => match self.constant(style)?.1 {
                        Value::Int(style) => style,
                        _ => return Err(SqlError::unknown(expr).into()),
                    },
                };
                self.converted(expr, &to, style, *is_try)
            }
            Expr::Collate { expr, collation } => {
                let mut inner = self.value(expr)?;
                inner.ty.collation = names::collation(&names::parts(collation)?.name)?;
                inner.column = None;
                if inner.ty.is_narrow() {
                    inner.sql = cast(&inner, &inner.ty, 0, false);
                }
                Ok(inner)
            }
            Expr::Subquery(query) => self.scalar_query(query),
            Expr::Function(function) => self.function(function),
            Expr::Ceil { expr, .. } => self.call("ceiling", &[expr]),
            Expr::Floor { expr, .. } => self.call("floor", &[expr]),
            Expr::Substring {
                expr,
                substring_from: Some(from),
                substring_for: Some(length),
                ..
            } => self.call("substring", &[expr, from, length]),
            Expr::Trim {
                expr,
                trim_where: None,
                trim_what: None,
                trim_characters: None,
            } => self.call("trim", &[expr]),
            Expr::AtTimeZone {
                timestamp,
                time_zone,
            } => self.call("at_time_zone", &[timestamp, time_zone]),
            Expr::Prefixed { prefix, value } if prefix.value.eq_ignore_ascii_case("n") => {
                self.value(value)
            }
            other => Err(SqlError::unknown(other).into()),
        }
    }

    fn cast_type(&self, text: &str) -> Outcome<SqlType> {
        let ty = names::parse_type(text)?;
        // In a cast, a text without a length has 30.
        let bare = !text.contains('(')
            && matches!(
                ty.kind,
                Kind::Char
                    | Kind::VarChar
                    | Kind::NChar
                    | Kind::NVarChar
                    | Kind::Binary
                    | Kind::VarBinary
            );
        let width = if matches!(ty.kind, Kind::NChar | Kind::NVarChar) {
            60
        } else {
            30
        };
        Ok(if bare && !text.eq_ignore_ascii_case("sysname") {
            SqlType {
                length: width,
                ..ty
            }
        } else {
            ty
        })
    }

    fn converted(&mut self, expr: &Expr, to: &SqlType, style: i64, is_try: bool) -> Outcome<Typed> {
        let from = self.value(expr)?;
        let mut to = *to;
        if from.ty.is_text() && to.is_text() {
            to.collation = from.ty.collation;
        }
        let nullable = from.nullable || is_try;
        Ok(Typed {
            nullable,
            ..Typed::new(cast(&from, &to, style, is_try), to)
        })
    }

    fn unary(&mut self, op: UnaryOperator, expr: &Expr) -> Outcome<Typed> {
        match op {
            UnaryOperator::Plus => self.value(expr),
            UnaryOperator::Minus => {
                let inner = self.value(expr)?;
                if inner.ty.is_integer() || inner.ty.is_float() {
                    return Ok(Typed {
                        sql: format!("(-{})", inner.sql),
                        column: None,
                        ..inner
                    });
                }
                if !inner.ty.is_exact() {
                    return Err(SqlError::new(
                        8117,
                        format!(
                            "Operand data type {} is invalid for minus operator.",
                            inner.ty.name()
                        ),
                    )
                    .into());
                }
                let sql = format!("tsql('neg',{0},{1},{0})", code(&inner.ty), inner.sql);
                Ok(Typed {
                    sql,
                    column: None,
                    ..inner
                })
            }
            UnaryOperator::BitwiseNot => {
                let inner = self.value(expr)?;
                Ok(Typed {
                    sql: format!("(~{})", inner.sql),
                    column: None,
                    ..inner
                })
            }
            _ => Err(SqlError::unknown(expr).into()),
        }
    }

    fn binary(&mut self, left: &Expr, op: &BinaryOperator, right: &Expr) -> Outcome<Typed> {
        let op = match op {
            BinaryOperator::Plus => '+',
            BinaryOperator::Minus => '-',
            BinaryOperator::Multiply => '*',
            BinaryOperator::Divide => '/',
            BinaryOperator::Modulo => '%',
            BinaryOperator::BitwiseAnd => '&',
            BinaryOperator::BitwiseOr => '|',
            BinaryOperator::BitwiseXor => '^',
            other => {
                return Err(SqlError::unknown(format!("{left} {other} {right} as a value")).into());
            }
        };
        let (left, right) = (self.value(left)?, self.value(right)?);
        Self::operation(op, &left, &right)
    }

    fn operation(op: char, left: &Typed, right: &Typed) -> Outcome<Typed> {
        let nullable = left.nullable || right.nullable;
        let made = |sql: String, ty: SqlType| {
            Ok(Typed {
                nullable,
                ..Typed::new(sql, ty)
            })
        };
        if op == '+' && (left.ty.is_text() || left.untyped) && (right.ty.is_text() || right.untyped)
        {
            let ty = infer::concatenated(&left.ty, &right.ty);
            return made(format!("({} || {})", left.sql, right.sql), ty);
        }
        if op == '+' && left.ty.is_binary() && right.ty.is_binary() {
            return made(
                format!(
                    "tsql('concat_bytes',{0},{1},{0},{2},{0})",
                    code(&SqlType::sized(Kind::VarBinary, crate::types::MAX)),
                    left.sql,
                    right.sql
                ),
                SqlType::sized(Kind::VarBinary, crate::types::MAX),
            );
        }
        if matches!(left.ty.kind, Kind::DateTime | Kind::SmallDateTime)
            && right.ty.is_integer()
            && matches!(op, '+' | '-')
        {
            return made(
                format!(
                    "({} {op} {} * {})",
                    left.sql,
                    right.sql,
                    crate::types::clock::DAY
                ),
                left.ty,
            );
        }
        let common = infer::unified(left, right);
        if !common.is_number() {
            return Err(SqlError::new(
                402,
                format!(
                    "The data types {} and {} are incompatible in the {op} operator.",
                    left.ty.name(),
                    right.ty.name()
                ),
            )
            .into());
        }
        let (a, b) = (left.coerced(&common), right.coerced(&common));
        if matches!(op, '&' | '|' | '^') {
            return if common.is_integer() {
                made(
                    if op == '^' {
                        format!("(({a} | {b}) - ({a} & {b}))")
                    } else {
                        format!("({a} {op} {b})")
                    },
                    common,
                )
            } else {
                Err(SqlError::new(
                    402,
                    format!(
                        "The data types {} and {} are incompatible in the {op} operator.",
                        left.ty.name(),
                        right.ty.name()
                    ),
                )
                .into())
            };
        }
        if matches!(op, '+' | '-' | '*') && (common.is_integer() || common.is_float()) {
            let ty = if common.kind == Kind::Bit {
                int()
            } else {
                common
            };
            return made(format!("({a} {op} {b})"), ty);
        }
        if common.is_integer() || common.is_float() {
            return made(
                format!("tsql('{op}',{0},{a},{0},{b},{0})", code(&common)),
                common,
            );
        }
        let (lt, rt) = (exact_or(left, &common), exact_or(right, &common));
        let ty = infer::arithmetic(op, &lt, &rt);
        let (ca, cb) = (infer::as_decimal(&lt), infer::as_decimal(&rt));
        let (a, b) = (left.coerced(&ca), right.coerced(&cb));
        made(
            format!(
                "tsql('{op}',{},{a},{},{b},{})",
                code(&ty),
                code(&ca),
                code(&cb)
            ),
            ty,
        )
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        conditions: &[CaseWhen],
        otherwise: Option<&Expr>,
    ) -> Outcome<Typed> {
        let mut branches = Vec::new();
        for when in conditions {
            let condition = match operand {
                None => self.condition(&when.condition)?,
                Some(operand) => self.comparison(operand, "=", &when.condition)?,
            };
            branches.push((condition, self.value(&when.result)?));
        }
        let last = match otherwise {
            Some(otherwise) => self.value(otherwise)?,
            None => Self::null(),
        };
        let ty = self.common(branches.iter().map(|(_, value)| value).chain([&last]))?;
        let mut sql = "CASE".to_owned();
        for (condition, value) in &branches {
            sql += &format!(" WHEN {condition} THEN {}", value.coerced(&ty));
        }
        sql += &format!(" ELSE {} END", last.coerced(&ty));
        let nullable = last.nullable || branches.iter().any(|(_, value)| value.nullable);
        Ok(Typed {
            nullable,
            ..Typed::new(format!("({sql})"), ty)
        })
    }

    /// The type that holds all of these.
    pub(crate) fn common<'t>(&self, values: impl Iterator<Item = &'t Typed>) -> Outcome<SqlType> {
        let mut common: Option<Typed> = None;
        for value in values {
            common = Some(match common {
                None => value.clone(),
                Some(known) => Typed {
                    untyped: known.untyped && value.untyped,
                    ..Typed::new("", infer::unified(&known, value))
                },
            });
        }
        Ok(common.map_or_else(int, |typed| typed.ty))
    }

    /// A condition, which T-SQL keeps apart from values.
    pub(crate) fn condition(&mut self, expr: &Expr) -> Outcome<String> {
        Ok(match expr {
            Expr::Nested(inner) => format!("({})", self.condition(inner)?),
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => format!("(NOT {})", self.condition(expr)?),
            Expr::BinaryOp { left, op, right } => {
                let op = match op {
                    BinaryOperator::And => return Ok(format!("({} AND {})", self.condition(left)?, self.condition(right)?)),
                    BinaryOperator::Or => return Ok(format!("({} OR {})", self.condition(left)?, self.condition(right)?)),
                    BinaryOperator::Eq => "=",
                    BinaryOperator::NotEq => "<>",
                    BinaryOperator::Lt => "<",
                    BinaryOperator::LtEq => "<=",
                    BinaryOperator::Gt => ">",
                    BinaryOperator::GtEq => ">=",
                    other => return Err(SqlError::unknown(format!("{left} {other} {right} as a condition")).into()),
                };
                self.comparison(left, op, right)?
            }
            Expr::IsNull(inner) => format!("({} IS NULL)", self.value(inner)?.sql),
            Expr::IsNotNull(inner) => format!("({} IS NOT NULL)", self.value(inner)?.sql),
            Expr::IsDistinctFrom(left, right) => self.comparison(left, "IS NOT", right)?,
            Expr::IsNotDistinctFrom(left, right) => self.comparison(left, "IS", right)?,
            Expr::Between { expr, negated, low, high } => {
                let (least, most) = (self.comparison(expr, ">=", low)?, self.comparison(expr, "<=", high)?);
                format!("({}({least} AND {most}))", if *negated { "NOT " } else { "" })
            }
            Expr::In { expr, target, negated, .. } => self.is_in(expr, target, *negated)?,
            Expr::Exists { subquery, negated } => format!("({}EXISTS ({}))", if *negated { "NOT " } else { "" }, self.nested(subquery)?.sql),
            Expr::Like { negated, expr, pattern, escape_char, .. } => {
                let (value, pattern) = (self.value(expr)?, self.value(pattern)?);
                let escape = match escape_char {
                    Some(escape) => self.value(escape)?,
                    None => Self::null(),
                };
                let text = |typed: &Typed| if typed.ty.is_text() { typed.sql.clone() } else { cast(typed, &SqlType::nvarchar(4000), 0, false) };
                let ty = code(&if value.ty.is_text() { value.ty } else { SqlType::nvarchar(4000) });
                let call = format!("tsql('like',{},{},{ty},{},{},{},{})", code(&SqlType::plain(Kind::Bit)), text(&value), text(&pattern), code(&SqlType::nvarchar(4000)), escape.sql, code(&SqlType::nvarchar(1)));
                if *negated { format!("(NOT {call})") } else { call }
            }
            other => return Err(SqlError::new(4145, format!("An expression of non-boolean type specified in a context where a condition is expected, near '{other}'.")).class(15).into()),
        })
    }

    fn comparison(&mut self, left: &Expr, op: &str, right: &Expr) -> Outcome<String> {
        let (left, right) = (self.value(left)?, self.value(right)?);
        Ok(Self::compare(&left, op, &right))
    }

    pub(crate) fn compare(left: &Typed, op: &str, right: &Typed) -> String {
        let mut ty = infer::unified(left, right);
        // A column's own collation wins over a literal's.
        if ty.is_text() {
            ty.collation = if left.column.is_some() || right.column.is_none() {
                left.ty.collation
            } else {
                right.ty.collation
            };
        }
        let (a, b) = (left.coerced(&ty), right.coerced(&ty));
        match infer::collation(&ty) {
            Some(name) => format!("(({a}) COLLATE {name} {op} {b})"),
            None => format!("({a} {op} {b})"),
        }
    }

    fn is_in(&mut self, expr: &Expr, target: &InTarget, negated: bool) -> Outcome<String> {
        let not = if negated { "NOT " } else { "" };
        let value = self.value(expr)?;
        match target {
            InTarget::List(list) => {
                let mut values = Vec::new();
                for item in list {
                    values.push(self.value(item)?);
                }
                let ty = self.common(values.iter().chain([&value]))?;
                let ty = SqlType {
                    collation: value.ty.collation,
                    ..ty
                };
                let list: Vec<String> = values.iter().map(|item| item.coerced(&ty)).collect();
                let own = Typed {
                    sql: value.coerced(&ty),
                    ..Typed::new("", ty)
                };
                Ok(format!("({} {not}IN ({}))", own.ordered(), list.join(", ")))
            }
            InTarget::Subquery(query) => {
                let inner = self.nested(query)?;
                let [column] = inner.columns.as_slice() else {
                    return Err(SqlError::new(116, "Only one expression can be specified in the select list when the subquery is not introduced with EXISTS.").into());
                };
                let ty = infer::unify(&value.ty, &column.ty);
                let own = Typed {
                    sql: value.coerced(&ty),
                    ..Typed::new(
                        "",
                        SqlType {
                            collation: value.ty.collation,
                            ..ty
                        },
                    )
                };
                let theirs = Typed::new("c0", column.ty).coerced(&ty);
                Ok(format!(
                    "({} {not}IN (SELECT {theirs} FROM ({})))",
                    own.ordered(),
                    inner.sql
                ))
            }
            other => Err(SqlError::unknown(other).into()),
        }
    }

    fn scalar_query(&mut self, query: &Query) -> Outcome<Typed> {
        let inner = self.nested(query)?;
        let [column] = inner.columns.as_slice() else {
            return Err(SqlError::new(116, "Only one expression can be specified in the select list when the subquery is not introduced with EXISTS.").into());
        };
        Ok(Typed::new(format!("({})", inner.sql), column.ty))
    }

    fn identifier(&mut self, expr: &Expr) -> Outcome<Typed> {
        let parts = names::identifiers(expr).ok_or_else(|| SqlError::unknown(expr))?;
        if let [ident] = parts.as_slice()
            && !self.arguments.is_empty()
            && let Some(number) = ident.value.strip_prefix(ARGUMENT)
        {
            let number = number.parse::<usize>().ok();
            let found = number.and_then(|number| self.arguments.get(number));
            return found
                .cloned()
                .ok_or_else(|| SqlError::broken("no such argument").into());
        }
        if let [ident] = parts.as_slice()
            && ident.quote_style.is_none()
        {
            let name = ident.value.as_str();
            if name.starts_with("@@") {
                let (ty, value) = self
                    .world
                    .global(&name.to_lowercase())
                    .ok_or_else(|| SqlError::unknown(name))?;
                return Ok(self.bound(ty, value));
            }
            if name.starts_with('@') {
                let (ty, value) = self.world.variable(name).ok_or_else(|| {
                    SqlError::new(137, format!("Must declare the scalar variable \"{name}\"."))
                        .class(15)
                        .state(2)
                })?;
                return Ok(self.bound(ty, value));
            }
            if let Some(special) = self.bare_function(name)? {
                return Ok(special);
            }
        }
        let names: Vec<&str> = parts.iter().map(|ident| ident.value.as_str()).collect();
        self.column(&names)
    }
}

/// The type itself if it is exact or an integer, else the one that it becomes.
fn exact_or(typed: &Typed, common: &SqlType) -> SqlType {
    if typed.ty.is_exact() || typed.ty.is_integer() {
        typed.ty
    } else {
        *common
    }
}
