//! What is added to moments and lengths of time. Polars wraps around where a sum leaves its type: a day
//! after the last nanosecond of 2262 is in 1677. Here it fails, as with whole numbers.

use polars::error::{PolarsError, PolarsResult, polars_err};
use polars::prelude::{Column, DataType, Duration, Field, Schema, TimeUnit};
use polars_plan::prelude::{Expr, FunctionExpr, LiteralValue, TemporalFunction};

use crate::failure;
use crate::units::{has_moments, ticks};
use crate::whole::{BEYOND, Op};

/// Years between the first and the last nanosecond that a moment has.
const NANOSECONDS: i64 = 585;

/// The expression with sums of moments that fail where there is no such moment.
pub(crate) fn held(expr: Expr, schema: &Schema) -> Expr {
    if !has_moments(&expr, schema) {
        return expr;
    }
    expr.map_expr(|part| match &part {
        Expr::BinaryExpr { .. } => sum(&part, schema).unwrap_or(part),
        Expr::Function { input, function } => match (function, input.as_slice()) {
            (FunctionExpr::TemporalExpr(TemporalFunction::OffsetBy), [moment, interval]) => {
                let moment = moment.clone();
                offset(&moment, interval, &part, schema).unwrap_or(part)
            }
            _ => part,
        },
        _ => part,
    })
}

fn sum(part: &Expr, schema: &Schema) -> Option<Expr> {
    let (op, left, right) = Op::of(part)?;
    let made = part.to_field(schema).ok()?.dtype;
    let types = [
        left.to_field(schema).ok()?.dtype,
        right.to_field(schema).ok()?.dtype,
    ];
    let whole = |each: &DataType| match each {
        DataType::Datetime(..) | DataType::Duration(_) => true,
        other => other.is_integer(),
    };
    // Days have room.
    if !matches!(made, DataType::Datetime(..) | DataType::Duration(_)) || !types.iter().all(whole) {
        return None;
    }
    let compute = {
        let made = made.clone();
        move |columns: &mut [Column]| match columns {
            [left, right] => {
                let (l, r) = (counts(left)?, counts(right)?);
                let computed = op.of_columns(&l, &r);
                let computed = computed.map_err(|_| beyond(op, (left, &l), (right, &r), &made))?;
                computed.cast(&made)
            }
            _ => Err(polars_err!(ComputeError: "arithmetic has two sides")),
        }
    };
    let gives = move |_: &Schema, sides: &[Field]| {
        let name = sides.first().map(|left| left.name().clone());
        Ok(Field::new(name.unwrap_or_default(), made.clone()))
    };
    Some(
        left.clone()
            .map_many(compute, std::slice::from_ref(right), gives),
    )
}

/// What is counted, whatever its unit.
fn counts(column: &Column) -> PolarsResult<Column> {
    column.to_physical_repr().strict_cast(&DataType::Int64)
}

/// Tells of the first row whose sum there isn't.
fn beyond(
    op: Op,
    (left, l): (&Column, &Column),
    (right, r): (&Column, &Column),
    made: &DataType,
) -> PolarsError {
    // What stands in the expression has one value for all rows.
    let one = |column: &Column, row: usize| match column.len() {
        1 => column.slice(0, 1),
        _ => column.slice(i64::try_from(row).unwrap_or_default(), 1),
    };
    let rows = left.len().max(right.len());
    let fails = |row: &usize| op.of_columns(&one(l, *row), &one(r, *row)).is_err();
    let row = (0..rows).find(fails).unwrap_or_default();
    let value = |column: &Column| one(column, row).get(0).map(|value| value.to_string());
    let told = match (value(left), value(right)) {
        (Ok(left), Ok(right)) => op.told(&left, &right),
        (Err(error), _) | (_, Err(error)) => return error,
    };
    let made = failure::name(&made.to_string());
    polars_err!(ComputeError: "it meets {told}{BEYOND}{made}")
}

/// A written interval that is added to nanoseconds: others have room for each that can be written.
fn offset(moment: &Expr, interval: &Expr, added: &Expr, schema: &Schema) -> Option<Expr> {
    let made = moment.to_field(schema).ok()?.dtype;
    let Expr::Literal(LiteralValue::Scalar(written)) = interval else {
        return None;
    };
    let interval = Duration::try_parse(written.value().get_str()?).ok()?;
    if !matches!(made, DataType::Datetime(TimeUnit::Nanoseconds, _)) {
        return None;
    }
    let (back, far) = (interval.negative(), interval.months() > 12 * NANOSECONDS);
    let name = failure::name(&made.to_string());
    let compute = move |columns: &mut [Column]| match columns {
        [added, moment] => {
            let (after, before) = (ticks(added)?, ticks(moment)?);
            // Whoever wraps around comes out on the other side.
            let wrapped = |(after, before): (Option<i64>, Option<i64>)| match (after, before) {
                (Some(after), Some(before)) => far || (after < before) != back && after != before,
                _ => false,
            };
            match after.iter().zip(before.iter()).position(wrapped) {
                Some(row) => {
                    let moment = moment.get(row)?;
                    let way = if back { "before" } else { "after" };
                    Err(polars_err!(
                        ComputeError: "it meets a moment that long {way} {moment}{BEYOND}{name}"
                    ))
                }
                None => Ok(added.clone()),
            }
        }
        _ => Err(polars_err!(ComputeError: "an interval is added to a moment")),
    };
    let gives = move |_: &Schema, sides: &[Field]| {
        let name = sides.first().map(|moment| moment.name().clone());
        Ok(Field::new(name.unwrap_or_default(), made.clone()))
    };
    Some(
        added
            .clone()
            .map_many(compute, std::slice::from_ref(moment), gives),
    )
}
