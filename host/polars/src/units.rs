//! Moments of different units. Polars brings what meets to the coarser one, in which a moment is the
//! same as one a nanosecond later, and makes NULL of what the finer one has no room for. Here nothing is
//! cut off: what is compared is told apart as it is, and what is computed or chosen gets the finer unit,
//! or fails.

use std::sync::Arc;

use polars::error::{PolarsError, PolarsResult};
use polars::prelude::{
    AnyValue, ChunkApply, Column, DataType, Duration, Field, Int64Chunked, IntoColumn, Scalar,
    Schema, TimeUnit,
};
use polars_plan::prelude::{
    BooleanFunction, Expr, FunctionExpr, LiteralValue, Operator, StringFunction, TemporalFunction,
};

/// The expression with moments in units that tell them apart.
pub(crate) fn alike(expr: Expr, schema: &Schema) -> Expr {
    if !has_moments(&expr, schema) {
        return expr;
    }
    expr.map_expr(|part| match part {
        Expr::Literal(written) => Expr::Literal(interval(written)),
        Expr::BinaryExpr { left, op, right } => operands(left, op, right, schema),
        Expr::Ternary {
            predicate,
            truthy,
            falsy,
        } => {
            let to = finest(&[&truthy, &falsy], schema);
            Expr::Ternary {
                predicate,
                truthy: side(truthy, to.as_ref(), schema),
                falsy: side(falsy, to.as_ref(), schema),
            }
        }
        Expr::Function { input, function } if is_in(&function) => {
            let list = input.get(1).and_then(|list| list.to_field(schema).ok());
            let to = list.and_then(|list| list.dtype.inner_dtype().cloned());
            let mut input = input.into_iter();
            let value = input.next().map(|value| finer(value, to.as_ref(), schema));
            Expr::Function {
                input: value.into_iter().chain(input).collect(),
                function,
            }
        }
        Expr::Function { input, function } if is_offset(&function) => {
            let to = input.get(1).and_then(of_interval);
            let mut input = input.into_iter();
            let moment = input
                .next()
                .map(|moment| finer(moment, to.as_ref(), schema));
            Expr::Function {
                input: moment.into_iter().chain(input).collect(),
                function,
            }
        }
        Expr::Function { input, function } if one_of(&function) => {
            let to = finest(&input.iter().collect::<Vec<_>>(), schema);
            let input = input.into_iter();
            Expr::Function {
                input: input.map(|each| finer(each, to.as_ref(), schema)).collect(),
                function,
            }
        }
        Expr::Cast {
            expr,
            dtype,
            options,
        } if options.is_strict() => Expr::Cast {
            expr: side(expr, dtype.as_literal(), schema),
            dtype,
            options,
        },
        part => part,
    })
}

/// Whether moments or lengths may be in it: whoever has none doesn't wait for types to be worked out at
/// every level.
pub(crate) fn has_moments(expr: &Expr, schema: &Schema) -> bool {
    let counted = |data_type: &DataType| a_day(data_type).is_some();
    let becomes = |part: &Expr| match part {
        Expr::Cast { .. } | Expr::AnonymousFunction { .. } => true,
        Expr::Function { function, .. } => matches!(
            function,
            FunctionExpr::StringExpr(StringFunction::Strptime(..)) | FunctionExpr::TemporalExpr(_)
        ),
        Expr::Literal(LiteralValue::Scalar(written)) => counted(written.dtype()),
        _ => false,
    };
    schema.iter_values().any(counted) || expr.into_iter().any(becomes)
}

/// Whether it gives one of its inputs.
fn one_of(function: &FunctionExpr) -> bool {
    matches!(
        function,
        FunctionExpr::Coalesce | FunctionExpr::MaxHorizontal | FunctionExpr::MinHorizontal
    )
}

/// Whether it adds an interval to a moment.
fn is_offset(function: &FunctionExpr) -> bool {
    matches!(
        function,
        FunctionExpr::TemporalExpr(TemporalFunction::OffsetBy)
    )
}

/// A moment in a unit that a written interval has room in, where not each has.
fn of_interval(written: &Expr) -> Option<DataType> {
    let Expr::Literal(LiteralValue::Scalar(written)) = written else {
        return None;
    };
    let interval = Duration::try_parse(written.value().get_str()?).ok()?;
    let unit = match interval.nanoseconds() {
        whole if whole % 1_000_000 == 0 => return None,
        whole if whole % 1_000 == 0 => TimeUnit::Microseconds,
        _ => TimeUnit::Nanoseconds,
    };
    Some(DataType::Datetime(unit, None))
}

fn is_in(function: &FunctionExpr) -> bool {
    matches!(
        function,
        FunctionExpr::Boolean(BooleanFunction::IsIn { .. })
    )
}

/// A written interval in the unit of a written moment, where that holds it.
fn interval(written: LiteralValue) -> LiteralValue {
    if let LiteralValue::Scalar(value) = &written
        && let AnyValue::Duration(length, TimeUnit::Nanoseconds) = value.value()
        && length % 1_000 == 0
    {
        let length = Scalar::new_duration(length / 1_000, TimeUnit::Microseconds);
        return LiteralValue::Scalar(length);
    }
    written
}

/// How many of what it counts are a day.
pub(crate) fn a_day(data_type: &DataType) -> Option<i64> {
    Some(match data_type {
        DataType::Date => 1,
        DataType::Datetime(unit, _) | DataType::Duration(unit) => match unit {
            TimeUnit::Milliseconds => 86_400_000,
            TimeUnit::Microseconds => 86_400_000_000,
            TimeUnit::Nanoseconds => 86_400_000_000_000,
        },
        _ => return None,
    })
}

/// A moment or the length of time that it is.
fn type_of(expr: &Expr, schema: &Schema) -> Option<DataType> {
    let made = expr.to_field(schema).ok()?.dtype;
    a_day(&made).map(|_| made)
}

fn is_length(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Duration(_))
}

fn operands(left: Arc<Expr>, op: Operator, right: Arc<Expr>, schema: &Schema) -> Expr {
    let plain = |left, right| Expr::BinaryExpr { left, op, right };
    let (Some(l), Some(r)) = (type_of(&left, schema), type_of(&right, schema)) else {
        return plain(left, right);
    };
    let same = is_length(&l) == is_length(&r);
    if op.is_comparison() {
        return match (a_day(&l), a_day(&r)) {
            // Others than nanoseconds have room for every date.
            (Some(1), Some(..86_400_000_000_000)) | (Some(..86_400_000_000_000), Some(1)) => {
                plain(left, right)
            }
            (Some(of_left), Some(of_right)) if same && of_left != of_right => {
                compared((&left, &l), op, (&right, &r), of_left > of_right)
            }
            _ => plain(left, right),
        };
    }
    // What is added to a date leaves it one.
    if !same && (l == DataType::Date || r == DataType::Date) {
        return plain(left, right);
    }
    match op {
        Operator::Plus
        | Operator::Minus
        | Operator::TrueDivide
        | Operator::FloorDivide
        | Operator::Modulus => plain(side(left, Some(&r), schema), side(right, Some(&l), schema)),
        _ => plain(left, right),
    }
}

/// A comparison in the coarser unit, to which the finer side is rounded so that nothing changes: a
/// moment is before noon where its second is.
fn compared(
    (left, l): (&Expr, &DataType),
    op: Operator,
    (right, r): (&Expr, &DataType),
    left_is_finer: bool,
) -> Expr {
    let rounded = |up: bool| {
        let (left, right) = match left_is_finer {
            true => (coarser(left.clone(), l, r, up), right.clone()),
            false => (left.clone(), coarser(right.clone(), r, l, up)),
        };
        Expr::BinaryExpr {
            left: Arc::new(left),
            op,
            right: Arc::new(right),
        }
    };
    match op {
        Operator::Eq | Operator::EqValidity => rounded(false).and(rounded(true)),
        Operator::NotEq | Operator::NotEqValidity => rounded(false).or(rounded(true)),
        Operator::Lt | Operator::GtEq => rounded(!left_is_finer),
        _ => rounded(left_is_finer),
    }
}

/// The type with the finest unit, of what all are moments or all lengths.
fn finest(parts: &[&Expr], schema: &Schema) -> Option<DataType> {
    let types = parts.iter().map(|part| type_of(part, schema));
    // Of others than moments Polars says that they don't fit, and NULL does.
    types.flatten().max_by_key(a_day)
}

fn side(expr: Arc<Expr>, to: Option<&DataType>, schema: &Schema) -> Arc<Expr> {
    Arc::new(finer(Arc::unwrap_or_clone(expr), to, schema))
}

/// In the unit of another, if that is finer.
fn finer(expr: Expr, to: Option<&DataType>, schema: &Schema) -> Expr {
    let own = type_of(&expr, schema);
    let Some((to, own, by)) = to.zip(own).and_then(|(to, own)| {
        let by = a_day(to)? / a_day(&own)?;
        Some((alike_but_for(&own, to)?, own, by))
    }) else {
        return expr;
    };
    if by <= 1 {
        return expr;
    }
    mapped(expr, to.clone(), move |column| {
        let ticks = ticks(column)?;
        let made = ticks.iter().map(|ticks| ticks?.checked_mul(by));
        let made: Int64Chunked = made.collect();
        if made.null_count() > ticks.null_count() {
            let mut beyond = ticks.iter().zip(made.iter());
            let row = beyond.position(|(ticks, made)| ticks.is_some() && made.is_none());
            let value = column.get(row.unwrap_or_default())?;
            let name = column.name();
            // As Polars says it of other types.
            let why = format!(
                "conversion from `{own}` to `{to}` failed in column '{name}' for some values: [{value}]"
            );
            return Err(PolarsError::InvalidOperation(why.into()));
        }
        made.into_column().cast(&to)
    })
}

/// In the coarser unit of another, rounded down or up.
fn coarser(expr: Expr, own: &DataType, to: &DataType, up: bool) -> Expr {
    let (Some(target), Some(by)) = (
        alike_but_for(own, to),
        a_day(own).zip(a_day(to)).map(|(own, to)| own / to),
    ) else {
        return expr;
    };
    mapped(expr, target.clone(), move |column| {
        let ticks = ticks(column)?;
        let rounded = |ticks: i64| match up {
            true => ticks.div_euclid(by) + i64::from(ticks.rem_euclid(by) != 0),
            false => ticks.div_euclid(by),
        };
        ticks.apply_values(rounded).into_column().cast(&target)
    })
}

/// A type in the unit of another.
fn alike_but_for(own: &DataType, of: &DataType) -> Option<DataType> {
    Some(match (own, of) {
        (DataType::Datetime(_, zone), DataType::Datetime(unit, _) | DataType::Duration(unit)) => {
            DataType::Datetime(*unit, zone.clone())
        }
        (DataType::Duration(_), DataType::Datetime(unit, _) | DataType::Duration(unit)) => {
            DataType::Duration(*unit)
        }
        (DataType::Datetime(..), DataType::Date) | (DataType::Date, DataType::Datetime(..)) => {
            of.clone()
        }
        _ => return None,
    })
}

pub(crate) fn ticks(column: &Column) -> PolarsResult<Int64Chunked> {
    let ticks = column.to_physical_repr().cast(&DataType::Int64)?;
    Ok(ticks.i64()?.clone())
}

fn mapped(
    expr: Expr,
    to: DataType,
    make: impl Fn(&Column) -> PolarsResult<Column> + Send + Sync + 'static,
) -> Expr {
    expr.map(
        move |column| Ok(make(&column)?.with_name(column.name().clone())),
        move |_, field| Ok(Field::new(field.name.clone(), to.clone())),
    )
}
