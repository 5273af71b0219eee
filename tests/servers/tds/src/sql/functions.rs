//! Calls of functions: which there are, and what they give.

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArguments, Value as Literal, WindowFrameBound, WindowSpec, WindowType,
};

use super::expr::int;
use super::infer::{self, Typed, code};
use super::names;
use super::query::Compiler;
use crate::fault::SqlError;
use crate::reply::Outcome;
use crate::types::{Kind, MAX, SqlType, Value};

/// What a scalar function gives for what it is given; `None` for a function that isn't there.
fn result(name: &str, args: &[Typed]) -> Option<SqlType> {
    let first = args.first().map_or_else(int, |arg| arg.ty);
    let text = |ty: SqlType| {
        if ty.is_text() {
            SqlType {
                kind: if ty.is_unicode() {
                    Kind::NVarChar
                } else {
                    Kind::VarChar
                },
                ..ty
            }
        } else {
            SqlType::nvarchar(4000)
        }
    };
    let long = |ty: SqlType| {
        let kind = if ty.is_unicode() {
            Kind::NVarChar
        } else {
            Kind::VarChar
        };
        let length = if ty.length == MAX { MAX } else { 8000 };
        SqlType { length, kind, ..ty }
    };
    let date_or = |ty: SqlType| {
        if ty.is_text() {
            SqlType::plain(Kind::DateTime)
        } else {
            ty
        }
    };
    Some(match name {
        "len" | "datalength" if first.length == MAX => SqlType::plain(Kind::BigInt),
        "len" | "datalength" | "ascii" | "unicode" | "year" | "month" | "day" | "datepart"
        | "datediff" | "isnumeric" | "isdate" | "charindex" | "patindex" | "checksum"
        | "sign_int" => int(),
        "datediff_big" => SqlType::plain(Kind::BigInt),
        "upper" | "lower" | "ltrim" | "rtrim" | "trim" | "left" | "right" | "substring"
        | "reverse"
            if first.is_text() =>
        {
            text(first)
        }
        "substring" if first.is_binary() => SqlType {
            kind: Kind::VarBinary,
            ..first
        },
        "upper" | "lower" | "ltrim" | "rtrim" | "trim" | "left" | "right" | "substring"
        | "reverse" => SqlType::sized(Kind::VarChar, 8000),
        "replace" | "replicate" | "stuff" => long(if first.is_text() {
            first
        } else {
            SqlType::sized(Kind::VarChar, 8000)
        }),
        "space" => SqlType::sized(Kind::VarChar, 8000),
        "concat" | "concat_ws" => {
            let unicode = args.iter().any(|arg| arg.ty.is_unicode());
            let max = args
                .iter()
                .any(|arg| arg.ty.is_text() && arg.ty.length == MAX);
            SqlType::sized(
                if unicode {
                    Kind::NVarChar
                } else {
                    Kind::VarChar
                },
                if max { MAX } else { 8000 },
            )
        }
        "char" => SqlType::sized(Kind::Char, 1),
        "nchar" => SqlType::sized(Kind::NChar, 2),
        "quotename" => SqlType::nvarchar(258),
        "parsename" | "datename" => SqlType::nvarchar(128),
        "str" => SqlType::sized(Kind::VarChar, 30),
        "abs" | "sign" | "round" | "ceiling" | "floor" | "power" if first.is_number() => {
            match (name, first.kind) {
                ("ceiling" | "floor", Kind::Decimal | Kind::Numeric) => SqlType {
                    kind: first.kind,
                    ..SqlType::decimal(first.precision, 0)
                },
                (_, Kind::Real) => SqlType::plain(Kind::Float),
                (_, Kind::TinyInt | Kind::SmallInt | Kind::Bit) => int(),
                _ => first,
            }
        }
        "abs" | "sign" | "round" | "ceiling" | "floor" | "power" | "sqrt" | "exp" | "log"
        | "log10" => SqlType::plain(Kind::Float),
        "dateadd" => date_or(args.get(2)?.ty),
        "eomonth" | "datefromparts" => SqlType::plain(Kind::Date),
        "getdate" | "getutcdate" => SqlType::plain(Kind::DateTime),
        "sysdatetime" | "sysutcdatetime" => SqlType::plain(Kind::DateTime2),
        "sysdatetimeoffset" | "at_time_zone" | "switchoffset" | "todatetimeoffset" => {
            SqlType::plain(Kind::DateTimeOffset)
        }
        "newid" | "newsequentialid" => SqlType::plain(Kind::UniqueIdentifier),
        "hashbytes" => SqlType::sized(Kind::VarBinary, 8000),
        "rand" => SqlType::plain(Kind::Float),
        "sql_variant_property" => SqlType::plain(Kind::Variant),
        _ => return None,
    })
}

const VOLATILE: [&str; 8] = [
    "getdate",
    "getutcdate",
    "sysdatetime",
    "sysutcdatetime",
    "sysdatetimeoffset",
    "newid",
    "newsequentialid",
    "rand",
];

/// Aggregates, which a query with any of has one row, or one a group.
pub(crate) const AGGREGATES: [&str; 8] = [
    "count",
    "count_big",
    "sum",
    "avg",
    "min",
    "max",
    "string_agg",
    "checksum_agg",
];

impl Compiler<'_> {
    /// What stands without parentheses and is a function all the same.
    pub(crate) fn bare_function(&mut self, name: &str) -> Outcome<Option<Typed>> {
        Ok(match name.to_lowercase().as_str() {
            "current_timestamp" => Some(Self::scalar("getdate", &[])?),
            "current_user" | "session_user" | "user" => {
                Some(self.bound(SqlType::nvarchar(128), Value::text("dbo")))
            }
            "system_user" => self.session("suser_sname", &[])?,
            _ => None,
        })
    }

    pub(crate) fn call(&mut self, name: &str, args: &[&Expr]) -> Outcome<Typed> {
        let mut values = Vec::new();
        for arg in args {
            values.push(self.value(arg)?);
        }
        Self::scalar(name, &values)
    }

    fn scalar(name: &str, args: &[Typed]) -> Outcome<Typed> {
        let ty = result(name, args).ok_or_else(|| SqlError::new(195, format!("'{name}' is not a recognized built-in function name. (The test server may just not know it.)")).class(15))?;
        let function = if VOLATILE.contains(&name) {
            "tsql_volatile"
        } else {
            "tsql"
        };
        let mut sql = format!("{function}('{name}',{}", code(&ty));
        for arg in args {
            sql += &format!(",{},{}", arg.sql, code(&arg.ty));
        }
        Ok(Typed::new(sql + ")", ty))
    }

    /// A value that needs no row.
    pub(crate) fn constant(&mut self, expr: &Expr) -> Outcome<(SqlType, Value)> {
        let scopes = std::mem::take(&mut self.scopes);
        let typed = self.value(expr);
        self.scopes = scopes;
        let typed = typed?;
        let value = self.world.evaluate(&typed, &self.binds)?;
        Ok((typed.ty, value))
    }

    fn session(&mut self, name: &str, args: &[&Expr]) -> Outcome<Option<Typed>> {
        if !crate::engine::session_functions::NAMES.contains(&name) {
            return Ok(None);
        }
        let mut values = Vec::new();
        for arg in args {
            values.push(self.constant(arg)?.1);
        }
        let (ty, value) = self.world.session_function(name, &values)?;
        Ok(Some(self.bound(ty, value)))
    }

    pub(crate) fn function(&mut self, function: &Function) -> Outcome<Typed> {
        let unknown = || SqlError::unknown(function);
        let name = names::parts(&function.name)?.name.to_lowercase();
        let (args, distinct, clauses) = match &function.args {
            FunctionArguments::None => (Vec::new(), false, &[][..]),
            FunctionArguments::List(list) => (
                list.args.iter().collect(),
                list.duplicate_treatment == Some(DuplicateTreatment::Distinct),
                list.clauses.as_slice(),
            ),
            FunctionArguments::Subquery(_) => return Err(unknown().into()),
        };
        if let Some(WindowType::WindowSpec(window)) = &function.over {
            return self.windowed(&name, &args, window);
        }
        if AGGREGATES.contains(&name.as_str()) {
            return self.aggregate(&name, &args, distinct, clauses, function);
        }
        let mut plain = Vec::new();
        for arg in &args {
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => plain.push(expr),
                _ => return Err(unknown().into()),
            }
        }
        if let Some(special) = self.special(&name, &plain)? {
            return Ok(special);
        }
        if let Some(session) = self.catalogue_lookup(&name, &plain)? {
            return Ok(session);
        }
        if let Some(session) = self.session(&name, &plain)? {
            return Ok(session);
        }
        if matches!(
            name.as_str(),
            "dateadd" | "datediff" | "datediff_big" | "datepart" | "datename"
        ) {
            let part = plain.first().ok_or_else(unknown)?;
            let part = Expr::value(Literal::SingleQuotedString(part.to_string().to_lowercase()));
            let all: Vec<&Expr> = std::iter::once(&part)
                .chain(plain[1..].iter().copied())
                .collect();
            return self.call(&name, &all);
        }
        self.call(&name, &plain)
    }

    /// Functions whose result has the type of their arguments, or that take conditions.
    fn special(&mut self, name: &str, args: &[&Expr]) -> Outcome<Option<Typed>> {
        Ok(Some(match (name, args) {
            ("isnull", [value, otherwise]) => {
                let (value, otherwise) = (self.value(value)?, self.value(otherwise)?);
                let ty = if value.untyped {
                    otherwise.ty
                } else {
                    value.ty
                };
                let second = if otherwise.untyped {
                    "NULL".to_owned()
                } else {
                    infer::cast(&otherwise, &ty, 0, false)
                };
                Typed {
                    nullable: value.nullable && otherwise.nullable,
                    ..Typed::new(format!("ifnull({}, {second})", value.sql), ty)
                }
            }
            ("coalesce", [_, _, ..]) => {
                let mut values = Vec::new();
                for arg in args {
                    values.push(self.value(arg)?);
                }
                let ty = self.common(values.iter())?;
                let list: Vec<String> = values.iter().map(|value| value.coerced(&ty)).collect();
                Typed {
                    nullable: values.iter().all(|value| value.nullable),
                    ..Typed::new(format!("coalesce({})", list.join(", ")), ty)
                }
            }
            ("nullif", [left, right]) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                Typed::new(
                    format!(
                        "(CASE WHEN {} THEN NULL ELSE {} END)",
                        Self::compare(&left, "=", &right),
                        left.sql
                    ),
                    left.ty,
                )
            }
            ("iif", [condition, yes, no]) => {
                let condition = self.condition(condition)?;
                let (yes, no) = (self.value(yes)?, self.value(no)?);
                let ty = self.common([&yes, &no].into_iter())?;
                Typed::new(
                    format!(
                        "(CASE WHEN {condition} THEN {} ELSE {} END)",
                        yes.coerced(&ty),
                        no.coerced(&ty)
                    ),
                    ty,
                )
            }
            ("min_active_rowversion", []) => {
                let (ty, value) = self.world.session_function("min_active_rowversion", &[])?;
                self.bound(ty, value)
            }
            _ => return Ok(None),
        }))
    }

    /// Functions that look something up by an id that a row may hold.
    fn catalogue_lookup(&mut self, name: &str, args: &[&Expr]) -> Outcome<Option<Typed>> {
        let text = match (name, args) {
            ("schema_name", [_]) => "(SELECT name FROM sys.schemas WHERE schema_id = $0)".to_owned(),
            ("object_name", [_]) => "(SELECT name FROM sys.all_objects WHERE object_id = $0)".to_owned(),
            ("object_schema_name", [_]) => {
                "(SELECT s.name FROM sys.all_objects o JOIN sys.schemas s ON s.schema_id = o.schema_id WHERE o.object_id = $0)".to_owned()
            }
            ("type_name", [_]) => "(SELECT name FROM sys.types WHERE user_type_id = $0)".to_owned(),
            ("col_name", [_, _]) => {
                "(SELECT name FROM sys.columns WHERE object_id = $0 AND column_id = $1)".to_owned()
            }
            ("columnproperty", [_, _, Expr::Value(property)]) => {
                let property = property.value.clone().into_string().unwrap_or_default();
                let field = match property.to_lowercase().as_str() {
                    "isidentity" => "is_identity",
                    "iscomputed" => "is_computed",
                    "allowsnull" => "is_nullable",
                    "columnid" => "column_id",
                    _ => return Ok(None),
                };
                format!("(SELECT CAST({field} AS int) FROM sys.columns WHERE object_id = $0 AND name = $1)")
            }
            _ => return Ok(None),
        };
        // The arguments are compiled here, where their names mean what the statement means.
        let mut typed = Vec::new();
        for arg in args.iter().take(2) {
            typed.push(self.value(arg)?);
        }
        let text = text
            .replace("$0", "[@@argument 0]")
            .replace("$1", "[@@argument 1]");
        let expr = super::parse::expression(&text)?;
        let outer = std::mem::replace(&mut self.arguments, typed);
        let compiled = self.value(&expr);
        self.arguments = outer;
        compiled.map(Some)
    }

    fn aggregate(
        &mut self,
        name: &str,
        args: &[&FunctionArg],
        distinct: bool,
        clauses: &[FunctionArgumentClause],
        function: &Function,
    ) -> Outcome<Typed> {
        let unknown = || SqlError::unknown(function);
        self.aggregated = true;
        let distinct = if distinct { "DISTINCT " } else { "" };
        if name == "string_agg" {
            let [
                FunctionArg::Unnamed(FunctionArgExpr::Expr(value)),
                FunctionArg::Unnamed(FunctionArgExpr::Expr(separator)),
            ] = args
            else {
                return Err(unknown().into());
            };
            let (value, separator) = (self.value(value)?, self.value(separator)?);
            let ty = if value.ty.is_text() {
                value.ty
            } else {
                SqlType::nvarchar(4000)
            };
            let mut order = String::new();
            for (index, item) in function.within_group.iter().enumerate() {
                let key = self.value(&item.expr)?.ordered();
                order += &format!(
                    "{}{key}{}",
                    if index == 0 { " ORDER BY " } else { ", " },
                    descending(item.options.sort.as_ref())
                );
            }
            if !clauses.is_empty() {
                return Err(unknown().into());
            }
            let long = SqlType {
                length: if ty.length == MAX { MAX } else { 8000 },
                kind: if ty.is_unicode() {
                    Kind::NVarChar
                } else {
                    Kind::VarChar
                },
                ..ty
            };
            return Ok(Typed::new(
                format!(
                    "group_concat({}, {}{order})",
                    value.coerced(&ty),
                    separator.sql
                ),
                long,
            ));
        }
        let [argument] = args else {
            return Err(unknown().into());
        };
        let argument = match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard)
                if matches!(name, "count" | "count_big") =>
            {
                None
            }
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(self.value(expr)?),
            _ => return Err(unknown().into()),
        };
        let Some(argument) = argument else {
            let ty = if name == "count" {
                int()
            } else {
                SqlType::plain(Kind::BigInt)
            };
            return Ok(Typed::new("count(*)", ty).not_null());
        };
        Ok(match name {
            "count" => {
                Typed::new(format!("count({distinct}{})", argument.ordered()), int()).not_null()
            }
            "count_big" => Typed::new(
                format!("count({distinct}{})", argument.ordered()),
                SqlType::plain(Kind::BigInt),
            )
            .not_null(),
            "min" | "max" => Typed::new(format!("{name}({})", argument.ordered()), argument.ty),
            "sum" | "avg" => Self::total(name, distinct, &argument)?,
            _ => return Err(unknown().into()),
        })
    }

    fn total(name: &str, distinct: &str, argument: &Typed) -> Outcome<Typed> {
        let ty = argument.ty;
        if ty.is_integer() {
            let ty = if ty.kind == Kind::BigInt { ty } else { int() };
            let sql = if name == "sum" {
                format!("sum({distinct}{})", argument.sql)
            } else {
                format!("(sum({distinct}{0}) / count({distinct}{0}))", argument.sql)
            };
            return Ok(Typed::new(sql, ty));
        }
        if ty.is_float() {
            return Ok(Typed::new(
                format!("{name}({distinct}{})", argument.sql),
                SqlType::plain(Kind::Float),
            ));
        }
        if ty.is_exact() {
            let ty = match (ty.is_money(), name) {
                (true, _) => SqlType::plain(Kind::Money),
                (false, "sum") => SqlType {
                    kind: ty.kind,
                    ..SqlType::decimal(38, ty.scale)
                },
                (false, _) => SqlType {
                    kind: ty.kind,
                    ..SqlType::decimal(38, ty.scale.max(6))
                },
            };
            return Ok(Typed::new(
                format!("tsql_{name}({distinct}{}, {})", argument.sql, ty.scale),
                ty,
            ));
        }
        Err(SqlError::new(
            8117,
            format!(
                "Operand data type {} is invalid for {name} operator.",
                ty.name()
            ),
        )
        .into())
    }

    fn windowed(
        &mut self,
        name: &str,
        args: &[&FunctionArg],
        window: &WindowSpec,
    ) -> Outcome<Typed> {
        let unknown = || SqlError::unknown(format!("{name} OVER (...)"));
        let mut values = Vec::new();
        for arg in args {
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => values.push(self.value(expr)?),
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => {}
                _ => return Err(unknown().into()),
            }
        }
        let big = SqlType::plain(Kind::BigInt);
        let list: Vec<String> = values.iter().map(|value| value.sql.clone()).collect();
        let inner = list.join(", ");
        let (call, ty) = match (name, values.as_slice()) {
            ("row_number" | "rank" | "dense_rank", []) => (format!("{name}()"), big),
            ("ntile", [_]) => (format!("ntile({inner})"), big),
            ("count", []) => ("count(*)".to_owned(), int()),
            ("count_big", []) => ("count(*)".to_owned(), big),
            ("count", [_]) => (format!("count({inner})"), int()),
            ("min" | "max" | "first_value" | "last_value", [value]) => {
                (format!("{name}({})", value.ordered()), value.ty)
            }
            ("lag" | "lead", [value, ..]) => (format!("{name}({inner})"), value.ty),
            ("sum", [value]) if value.ty.is_integer() => (
                format!("sum({inner})"),
                if value.ty.kind == Kind::BigInt {
                    big
                } else {
                    int()
                },
            ),
            ("sum" | "avg", [value]) if value.ty.is_float() => {
                (format!("{name}({inner})"), SqlType::plain(Kind::Float))
            }
            _ => return Err(unknown().into()),
        };
        let mut over = String::new();
        if !window.partition_by.is_empty() {
            let mut keys = Vec::new();
            for key in &window.partition_by {
                keys.push(self.value(key)?.ordered());
            }
            over += &format!("PARTITION BY {}", keys.join(", "));
        }
        for (index, item) in window.order_by.iter().enumerate() {
            // ORDER BY (SELECT NULL) asks for no order.
            let key = self.value(&item.expr)?.ordered();
            over += &format!(
                "{}{key}{}",
                if index == 0 { " ORDER BY " } else { ", " },
                descending(item.options.sort.as_ref())
            );
        }
        if let Some(frame) = &window.window_frame {
            let bound = |bound: &WindowFrameBound| match bound {
                WindowFrameBound::CurrentRow => Ok("CURRENT ROW".to_owned()),
                WindowFrameBound::Preceding(None) => Ok("UNBOUNDED PRECEDING".to_owned()),
                WindowFrameBound::Following(None) => Ok("UNBOUNDED FOLLOWING".to_owned()),
                WindowFrameBound::Preceding(Some(count)) => Ok(format!("{count} PRECEDING")),
                WindowFrameBound::Following(Some(count)) => Ok(format!("{count} FOLLOWING")),
            };
            let start: Result<String, SqlError> = bound(&frame.start_bound);
            let end = frame
                .end_bound
                .as_ref()
                .map_or(Ok("CURRENT ROW".to_owned()), bound);
            over += &format!(" {} BETWEEN {} AND {}", frame.units, start?, end?);
        }
        Ok(Typed::new(format!("{call} OVER ({over})"), ty))
    }
}

pub(crate) fn descending(sort: Option<&sqlparser::ast::OrderBySort>) -> &'static str {
    match sort {
        Some(sqlparser::ast::OrderBySort::Desc) => " DESC",
        _ => "",
    }
}
