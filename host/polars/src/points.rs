//! Numbers that are written with a point, which are floats, beside decimals and short floats. Polars
//! compares a decimal with one as floats, in which neighbours of many digits are the same, and looks for
//! a short float among long ones, where 0.1 is another number.

use std::sync::Arc;

use polars::prelude::{AnyValue, DataType, Scalar, Schema};
use polars_plan::prelude::{BooleanFunction, DynLiteralValue, Expr, FunctionExpr, LiteralValue};

/// Digits that a float keeps, whichever they are.
const KEPT: usize = 15;
/// The digits that a decimal can have.
const DIGITS: usize = 38;

/// The expression with such numbers in the type of what they are compared with.
pub(crate) fn alike(expr: Expr, schema: &Schema) -> Expr {
    // Whoever writes none doesn't wait for types to be worked out.
    if !expr
        .into_iter()
        .any(|part| written(part).is_some() || is_list(part))
    {
        return expr;
    }
    expr.map_expr(|part| match part {
        Expr::BinaryExpr { left, op, right } if op.is_comparison() => {
            let (of_left, of_right) =
                (beside(&left, &right, schema), beside(&right, &left, schema));
            Expr::BinaryExpr {
                left: of_left.map_or(left, Arc::new),
                op,
                right: of_right.map_or(right, Arc::new),
            }
        }
        Expr::Function { input, function }
            if matches!(
                function,
                FunctionExpr::Boolean(BooleanFunction::IsIn { .. })
            ) =>
        {
            let input = match input.as_slice() {
                [value, list] if is(value, &DataType::Float32, schema) => {
                    vec![value.clone(), short(list).unwrap_or_else(|| list.clone())]
                }
                _ => input,
            };
            Expr::Function { input, function }
        }
        part => part,
    })
}

/// Whether a number beside a decimal has more digits than a float keeps. What no decimal holds, of which
/// there are none to miss, is compared as it is.
pub(crate) fn too_long(number: f64) -> bool {
    let (whole, behind) = digits(number);
    let all = format!("{whole}{behind}");
    all.trim_matches('0').len() > KEPT && !beyond(&whole, &behind)
}

/// A float that is written in the expression.
pub(crate) fn written(part: &Expr) -> Option<f64> {
    match part {
        Expr::Literal(LiteralValue::Dyn(DynLiteralValue::Float(number))) => Some(*number),
        _ => None,
    }
}

fn is_list(part: &Expr) -> bool {
    matches!(part, Expr::Literal(LiteralValue::Scalar(list)) if list.dtype().is_list())
}

fn is(part: &Expr, data_type: &DataType, schema: &Schema) -> bool {
    part.to_field(schema)
        .is_ok_and(|field| field.dtype == *data_type)
}

/// The digits before and behind the point.
fn digits(number: f64) -> (String, String) {
    let text = number.abs().to_string();
    let (whole, behind) = text.split_once('.').unwrap_or((&text, ""));
    (whole.trim_start_matches('0').to_owned(), behind.to_owned())
}

fn beyond(whole: &str, behind: &str) -> bool {
    whole.len() + behind.len() > DIGITS
}

/// A written number as a decimal, where the other side is one.
fn beside(number: &Expr, other: &Expr, schema: &Schema) -> Option<Expr> {
    let number = written(number)?;
    let (whole, behind) = digits(number);
    let other = other.to_field(schema).ok()?.dtype;
    if !other.is_decimal() || beyond(&whole, &behind) {
        return None;
    }
    let value: i128 = format!("0{whole}{behind}").parse().ok()?;
    let value = if number < 0.0 { -value } else { value };
    let (precision, scale) = ((whole.len() + behind.len()).max(1), behind.len());
    let decimal = AnyValue::Decimal(value, precision, scale);
    let decimal = Scalar::new(DataType::Decimal(precision, scale), decimal);
    Some(Expr::Literal(LiteralValue::Scalar(decimal)))
}

/// A list of written numbers as short floats.
fn short(list: &Expr) -> Option<Expr> {
    let Expr::Literal(LiteralValue::Scalar(list)) = list else {
        return None;
    };
    let AnyValue::List(values) = list.value() else {
        return None;
    };
    let values = values.cast(&DataType::Float32).ok()?;
    let list = DataType::List(Box::new(DataType::Float32));
    let list = Scalar::new(list, AnyValue::List(values));
    Some(Expr::Literal(LiteralValue::Scalar(list)))
}
