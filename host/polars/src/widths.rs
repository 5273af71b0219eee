//! Whole numbers that are narrower than those of columns: a month is an int8, and a hundred of them
//! wrap around in it. Here they are int32, as such columns are, and what is counted is an int64, so
//! that one length may be less than another.

use polars::prelude::DataType;
use polars_plan::prelude::{Expr, FunctionExpr, StringFunction, TemporalFunction};

/// The expression with such numbers in types that have room.
pub(crate) fn widened(expr: Expr) -> Expr {
    expr.map_expr(|part| match room(&part) {
        Some(wide) => part.strict_cast(wide),
        None => part,
    })
}

fn room(part: &Expr) -> Option<DataType> {
    match part {
        Expr::Cast { dtype, .. } => match dtype.as_literal()? {
            DataType::Int8 | DataType::Int16 => Some(DataType::Int32),
            _ => None,
        },
        Expr::Function { function, .. } => match function {
            FunctionExpr::TemporalExpr(
                TemporalFunction::Quarter
                | TemporalFunction::Month
                | TemporalFunction::Week
                | TemporalFunction::WeekDay
                | TemporalFunction::Day
                | TemporalFunction::OrdinalDay
                | TemporalFunction::Hour
                | TemporalFunction::Minute
                | TemporalFunction::Second,
            ) => Some(DataType::Int32),
            FunctionExpr::StringExpr(StringFunction::LenBytes | StringFunction::LenChars) => {
                Some(DataType::Int64)
            }
            _ => None,
        },
        _ => None,
    }
}
