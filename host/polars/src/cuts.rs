//! Parts of texts. Polars counts from the end where a place is before the beginning, so that the last
//! five letters of a text of three would be two, and takes all that is left where a length is NULL.

use polars::error::{PolarsResult, polars_err};
use polars::prelude::{ChunkAgg, Column, DataType, Field, IntoColumn, Schema, StringNameSpaceImpl};
use polars_plan::prelude::{
    DynLiteralValue, Expr, FunctionExpr, LiteralValue, StringFunction, lit,
};
use sqlparser_of_polars::ast::{
    Expr as SqlExpr, FunctionArg, FunctionArgExpr, FunctionArguments, UnaryOperator, Value,
};

use crate::spelling::rewrite;

/// The expression with parts that begin within the text, of a length that is known.
pub(crate) fn within(expr: Expr) -> Expr {
    expr.map_expr(|part| {
        let Expr::Function { input, function } = part else {
            return part;
        };
        match (&function, input.as_slice()) {
            (FunctionExpr::StringExpr(StringFunction::Slice), [text, from, length]) => {
                let from = at_least_nothing(from.clone());
                match is_written(length) {
                    true => Expr::Function {
                        input: vec![text.clone(), from, length.clone()],
                        function,
                    },
                    false => {
                        let length = at_least_nothing(length.clone());
                        text.clone().map_many(cut, &[from, length], gives)
                    }
                }
            }
            (
                FunctionExpr::StringExpr(
                    StringFunction::PadStart { .. } | StringFunction::PadEnd { .. },
                ),
                [text, length],
            ) => Expr::Function {
                input: vec![
                    text.clone(),
                    at_least_nothing(length.clone()).map(|lengths| room(&lengths), counts),
                ],
                function,
            },
            _ => Expr::Function { input, function },
        }
    })
}

fn gives(_: &Schema, sides: &[Field]) -> PolarsResult<Field> {
    let name = sides.first().map(|text| text.name().clone());
    Ok(Field::new(name.unwrap_or_default(), DataType::String))
}

/// A part of a length that may be NULL.
fn cut(columns: &mut [Column]) -> PolarsResult<Column> {
    let [text, from, length] = columns else {
        return Err(polars_err!(ComputeError: "a part is one of a text"));
    };
    let made = text.str()?.str_slice(from, length)?.into_column();
    if length.null_count() == 0 {
        return Ok(made);
    }
    let none = Column::full_null(made.name().clone(), made.len(), &DataType::String);
    // What stands in the expression has one value for all rows.
    match length.len() == made.len() {
        true => made.zip_with(&length.is_not_null(), &none),
        false => Ok(none),
    }
}

/// The longest text that one is filled up to.
const MOST_LETTERS: i64 = 10_000_000;

/// Lengths of texts that there is room for.
fn room(lengths: &Column) -> PolarsResult<Column> {
    let lengths = lengths.cast(&DataType::Int64)?;
    let most = lengths.i64()?.max();
    match most.filter(|most| *most > MOST_LETTERS) {
        Some(most) => Err(polars_err!(
            ComputeError: "it meets a text of {most} letters, and LPAD and RPAD make {MOST_LETTERS} at most"
        )),
        None => Ok(lengths),
    }
}

fn counts(_: &Schema, field: &Field) -> PolarsResult<Field> {
    Ok(Field::new(field.name().clone(), DataType::Int64))
}

fn at_least_nothing(number: Expr) -> Expr {
    match is_written(&number) {
        true => number,
        false => number.clip_min(lit(0)),
    }
}

/// Whether it is a number that isn't negative, or nothing, which Polars' SQL puts for the end.
fn is_written(number: &Expr) -> bool {
    match number {
        Expr::Literal(LiteralValue::Dyn(DynLiteralValue::Int(0..))) => true,
        Expr::Literal(LiteralValue::Scalar(value)) => value.is_null(),
        _ => false,
    }
}

/// Writes `LEFT(x, 0)` and `RIGHT(x, 0)` as a part of `x`, since Polars takes them for a text that is
/// empty where `x` is NULL too; gives whether there were any.
pub(crate) fn spell(expr: &mut SqlExpr) -> bool {
    rewrite(expr, spelt)
}

/// Whether it is a written 0.
fn is_nothing(number: &SqlExpr) -> bool {
    match number {
        SqlExpr::Nested(number) => is_nothing(number),
        SqlExpr::UnaryOp {
            op: UnaryOperator::Minus | UnaryOperator::Plus,
            expr,
        } => is_nothing(expr),
        SqlExpr::Value(number) => match &number.value {
            Value::Number(number, _) => number.parse() == Ok(0_u8),
            _ => false,
        },
        _ => false,
    }
}

fn spelt(part: &SqlExpr) -> Option<SqlExpr> {
    let SqlExpr::Function(function) = part else {
        return None;
    };
    let name = function.name.to_string();
    if !["left", "right"].contains(&name.to_ascii_lowercase().as_str()) {
        return None;
    }
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    let [
        FunctionArg::Unnamed(FunctionArgExpr::Expr(text)),
        FunctionArg::Unnamed(FunctionArgExpr::Expr(length)),
    ] = list.args.as_slice()
    else {
        return None;
    };
    if !is_nothing(length) {
        return None;
    }
    let number = |number: &str| Box::new(SqlExpr::value(Value::Number(number.to_owned(), false)));
    Some(SqlExpr::Substring {
        expr: Box::new(text.clone()),
        substring_from: Some(number("1")),
        substring_for: Some(number("0")),
        special: true,
        shorthand: true,
    })
}
