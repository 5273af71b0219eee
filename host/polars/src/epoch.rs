//! `EXTRACT(EPOCH FROM …)`. Polars' SQL counts nanoseconds for it, which there are none for before 1677
//! and after 2262, and a moment before 1970 is off by what floats have no room for.

use polars::error::{PolarsResult, polars_err};
use polars::prelude::{
    ChunkApply, Column, DataType, Field, Int64Chunked, IntoColumn, Schema, TimeUnit,
};
use polars_plan::prelude::{Expr, FunctionExpr, Operator, TemporalFunction};

use crate::failure;
use crate::units::ticks;

/// The expression with seconds since 1970 of every moment.
pub(crate) fn counted(expr: Expr) -> Expr {
    expr.map_expr(|part| match seconds_of(&part) {
        Some(moment) => moment.clone().map(seconds, |_: &Schema, field: &Field| {
            Ok(Field::new(field.name.clone(), DataType::Float64))
        }),
        None => part,
    })
}

/// The moment, where it is what Polars' SQL writes for it: whole seconds, and the rest of one.
fn seconds_of(part: &Expr) -> Option<&Expr> {
    let Expr::BinaryExpr {
        left: whole,
        op: Operator::Plus,
        ..
    } = part
    else {
        return None;
    };
    let Expr::BinaryExpr { left: ticks, .. } = whole.as_ref() else {
        return None;
    };
    let Expr::Function { input, function } = ticks.as_ref() else {
        return None;
    };
    match (function, input.as_slice()) {
        (
            FunctionExpr::TemporalExpr(TemporalFunction::TimeStamp(TimeUnit::Nanoseconds)),
            [moment],
        ) => Some(moment),
        _ => None,
    }
}

fn seconds(column: Column) -> PolarsResult<Column> {
    let (column, a_second, parts) = match column.dtype() {
        DataType::Date => {
            let moments = DataType::Datetime(TimeUnit::Milliseconds, None);
            (column.cast(&moments)?, 1_000, 1e3)
        }
        DataType::Datetime(unit, _) | DataType::Duration(unit) => match unit {
            TimeUnit::Milliseconds => (column, 1_000, 1e3),
            TimeUnit::Microseconds => (column, 1_000_000, 1e6),
            TimeUnit::Nanoseconds => (column, 1_000_000_000, 1e9),
        },
        DataType::Time => (column, 1_000_000_000, 1e9),
        other => {
            let other = failure::name(&other.to_string());
            return Err(polars_err!(InvalidOperation: "{other} has no EPOCH"));
        }
    };
    let ticks = ticks(&column)?;
    let float = |part: Int64Chunked| part.into_column().cast(&DataType::Float64);
    // Apart, since a float has no room for nanoseconds since 1970.
    let whole = float(ticks.apply_values(|ticks| ticks / a_second))?;
    let rest = float(ticks.apply_values(|ticks| ticks % a_second))?;
    // Not by Polars, which multiplies by what 1 is divided into.
    let rest = rest.f64()?.apply_values(|rest| rest / parts);
    Ok((whole + rest.into_column())?.with_name(column.name().clone()))
}
