//! What is added to moments and lengths of time. Polars wraps around where a sum leaves its type: a day
//! after the last nanosecond of 2262 is in 1677. Here it fails, as with whole numbers.

use polars::error::{PolarsError, PolarsResult, polars_err};
use polars::prelude::{Column, DataType, Duration, Field, Schema, TimeUnit};
use polars_plan::prelude::{Expr, FunctionExpr, TemporalFunction};

use crate::failure;
use crate::units::{has_moments, ticks};
use crate::whole::{BEYOND, Op};

/// The expression with sums of moments that fail where there is no such moment.
pub(crate) fn held(expr: Expr, schema: &Schema) -> Expr {
    if !has_moments(&expr, schema) {
        return expr;
    }
    expr.map_expr(|part| match &part {
        Expr::BinaryExpr { .. } => sum(&part, schema).unwrap_or(part),
        Expr::Function { input, function } => match (function, input.as_slice()) {
            (FunctionExpr::TemporalExpr(TemporalFunction::OffsetBy), [moment, interval]) => {
                match within(moment.clone(), interval, schema) {
                    Some(moment) => Expr::Function {
                        input: vec![moment, interval.clone()],
                        function: function.clone(),
                    },
                    None => part,
                }
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

/// A moment to which a written interval is added, where both are within nanoseconds: other units have room
/// for each that can be written.
fn within(moment: Expr, interval: &Expr, schema: &Schema) -> Option<Expr> {
    let made = moment.to_field(schema).ok()?.dtype;
    let (DataType::Datetime(TimeUnit::Nanoseconds, zone), Expr::Literal(written)) =
        (&made, interval)
    else {
        return None;
    };
    let interval = Duration::try_parse(written.extract_str()?).ok()?;
    let last = last(interval, zone.is_some());
    let back = interval.negative();
    let name = failure::name(&made.to_string());
    let compute = move |column: Column| {
        let beyond = |moment: Option<i64>| match (moment, last) {
            (Some(moment), Some(last)) if back => moment < last,
            (Some(moment), Some(last)) => moment > last,
            (moment, None) => moment.is_some(),
            (None, _) => false,
        };
        match ticks(&column)?.iter().position(beyond) {
            Some(row) => {
                let moment = column.get(row)?;
                let way = if back { "before" } else { "after" };
                Err(polars_err!(
                    ComputeError: "it meets a moment that long {way} {moment}{BEYOND}{name}"
                ))
            }
            None => Ok(column),
        }
    };
    let gives = move |_: &Schema, field: &Field| Ok(Field::new(field.name.clone(), made.clone()));
    Some(moment.map(compute, gives))
}

/// The last moment, or the first, to which it can be added; none where it is longer than all of them.
fn last(interval: Duration, zoned: bool) -> Option<i64> {
    const DAY: i128 = 86_400_000_000_000;
    let months = i128::from(interval.months()) * 31 * DAY;
    let rest = i128::from(interval.nanoseconds())
        + (i128::from(interval.days()) + 7 * i128::from(interval.weeks())) * DAY;
    if months + rest > i128::from(u64::MAX) {
        return None;
    }
    let end = if interval.negative() {
        i64::MIN
    } else {
        i64::MAX
    };
    // A day less, since the hours of a zone are others here than there.
    let end = match (zoned, interval.negative()) {
        (false, _) => end,
        (true, true) => end + 86_400_000_000_000,
        (true, false) => end - 86_400_000_000_000,
    };
    (-interval).add_ns(end, None).ok()
}
