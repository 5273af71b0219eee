//! Whole numbers in expressions. Polars wraps around where a sum or a product leaves its type, without
//! a word: two billion and another make less than nothing. Here it fails, and tells of which numbers.

use std::fmt::Display;

use polars::chunked_array::cast::CastOptions;
use polars::error::{PolarsResult, polars_err};
use polars::prelude::{
    ChunkFullNull, ChunkedArray, Column, DataType, Field, IntoColumn, PolarsIntegerType, Schema,
    UnknownKind,
};
use polars_arrow::compute::utils::combine_validities_and;
use polars_plan::prelude::{
    DynLiteralValue, Expr, FunctionExpr, LiteralValue, Operator, PowFunction,
};

use crate::failure;

/// In the message of such a failure alone.
pub(crate) const BEYOND: &str = ", which is beyond ";

/// The expression with arithmetic that doesn't wrap around.
pub(crate) fn checked(expr: Expr, schema: &Schema) -> Expr {
    expr.map_expr(|part| {
        let part = divided(part);
        let Some((op, left, right)) = Op::of(&part) else {
            return part;
        };
        if let Some(number) = op.of_written(left, right) {
            return Expr::Literal(LiteralValue::Dyn(DynLiteralValue::Int(number)));
        }
        let Some(whole) = whole(&part, &[left, right], schema) else {
            return part;
        };
        let side = |side: &Expr| match side.to_field(schema) {
            // Each cast is a level more.
            Ok(field) if field.dtype == whole => side.clone(),
            _ => side.clone().strict_cast(whole.clone()),
        };
        // Once, or those in each other would be as many as two to the power of their levels.
        if matches!(op, Op::Abs) {
            let number = side(left);
            let compute = move |column: Column| op.of_columns(&column, &column);
            let gives =
                move |_: &Schema, field: &Field| Ok(Field::new(field.name.clone(), whole.clone()));
            return number.map(compute, gives);
        }
        let (left, right) = (side(left), side(right));
        let compute = move |columns: &mut [Column]| match columns {
            [left, right] => op.of_columns(left, right),
            _ => Err(polars_err!(ComputeError: "arithmetic has two sides")),
        };
        let gives = move |_: &Schema, sides: &[Field]| {
            let name = sides.first().map(|left| left.name().clone());
            Ok(Field::new(name.unwrap_or_default(), whole.clone()))
        };
        left.map_many(compute, &[right], gives)
    })
}

/// What `//` gives, as an int64 or not at all: Polars gives NULL for what that doesn't hold.
fn divided(part: Expr) -> Expr {
    match part {
        Expr::Cast {
            expr,
            dtype,
            options: CastOptions::NonStrict,
        } if matches!(
            expr.as_ref(),
            Expr::BinaryExpr {
                op: Operator::FloorDivide,
                ..
            }
        ) =>
        {
            Expr::Cast {
                expr,
                dtype,
                options: CastOptions::Strict,
            }
        }
        part => part,
    }
}

/// What to do instead, where an error is of this, or of moments that leave theirs.
pub(crate) fn advice(why: &str) -> Option<&'static str> {
    let (told, whole) = why.split_once(BEYOND)?;
    // The power of a number below zero.
    if told.contains("POWER(") && told.contains(", -") {
        return Some("make a float of it before: `POWER(CAST(… AS DOUBLE), …)`");
    }
    if whole.starts_with("timestamp") || whole.starts_with("duration") {
        return Some("microseconds have more room: `CAST(… AS TIMESTAMP)` before");
    }
    Some(match whole.contains("64") {
        true => "give one of them more room before: `CAST(… AS DECIMAL(38, 0))`",
        false => "give one of them more room before: `CAST(… AS BIGINT)`",
    })
}

/// The type of whole numbers that it gives.
fn whole(expr: &Expr, sides: &[&Expr], schema: &Schema) -> Option<DataType> {
    let made = expr.to_field(schema).ok()?.dtype;
    let any = |of: fn(i128) -> bool| sides.iter().any(|side| written(side).is_some_and(of));
    let negative = any(|number| number < 0);
    let long = any(|number| i32::try_from(number).is_err());
    match made {
        DataType::Unknown(UnknownKind::Int(_)) => match made.materialize_unknown(true) {
            Ok(made) if is_known(&made) && !long => Some(made),
            _ => Some(DataType::Int64),
        },
        // Which Polars takes for such numbers as well.
        DataType::UInt32 if negative => Some(DataType::Int64),
        made => is_known(&made).then_some(made),
    }
}

fn is_known(whole: &DataType) -> bool {
    matches!(
        whole,
        DataType::Int32 | DataType::Int64 | DataType::UInt32 | DataType::UInt64
    )
}

/// A number that stands in the expression, which has no type yet.
fn written(side: &Expr) -> Option<i128> {
    match side {
        Expr::Literal(LiteralValue::Dyn(DynLiteralValue::Int(number))) => Some(*number),
        _ => None,
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Op {
    Plus,
    Minus,
    Times,
    Power,
    /// Of the left side; the other is itself again.
    Abs,
}

impl Op {
    /// What is computed, and of what.
    pub(crate) fn of(part: &Expr) -> Option<(Self, &Expr, &Expr)> {
        Some(match part {
            Expr::BinaryExpr { left, op, right } => match op {
                Operator::Plus => (Self::Plus, left, right),
                Operator::Minus => (Self::Minus, left, right),
                Operator::Multiply => (Self::Times, left, right),
                _ => return None,
            },
            Expr::Function { input, function } => match (function, input.as_slice()) {
                (FunctionExpr::Pow(PowFunction::Generic), [left, right]) => {
                    (Self::Power, left, right)
                }
                (FunctionExpr::Abs, [number]) => (Self::Abs, number, number),
                _ => return None,
            },
            _ => return None,
        })
    }

    fn of_written(self, left: &Expr, right: &Expr) -> Option<i128> {
        let (left, right) = (written(left)?, written(right)?);
        let made = match self {
            Self::Plus => left.checked_add(right),
            Self::Minus => left.checked_sub(right),
            Self::Times => left.checked_mul(right),
            Self::Power => left.checked_pow(u32::try_from(right).ok()?),
            Self::Abs => left.checked_abs(),
        };
        let typed = i128::from(i64::MIN)..=i128::from(u64::MAX);
        made.filter(|made| typed.contains(made))
    }

    pub(crate) fn of_columns(self, left: &Column, right: &Column) -> PolarsResult<Column> {
        macro_rules! made {
            ($native:ident, $abs:expr) => {{
                let (left, right) = (left.$native()?, right.$native()?);
                let power = |base: $native, exponent: $native| match u32::try_from(exponent) {
                    Ok(exponent) => base.overflowing_pow(exponent),
                    Err(_) => (0, true),
                };
                let made = match self {
                    Self::Plus => self.made(left, right, $native::overflowing_add),
                    Self::Minus => self.made(left, right, $native::overflowing_sub),
                    Self::Times => self.made(left, right, $native::overflowing_mul),
                    Self::Power => self.made(left, right, power),
                    Self::Abs => self.made(left, right, |number, _| $abs(number)),
                };
                Ok(made?.into_column())
            }};
        }
        match left.dtype() {
            DataType::Int32 => made!(i32, i32::overflowing_abs),
            DataType::Int64 => made!(i64, i64::overflowing_abs),
            DataType::UInt32 => made!(u32, |number| (number, false)),
            DataType::UInt64 => made!(u64, |number| (number, false)),
            other => Err(polars_err!(ComputeError: "{other} is no whole number")),
        }
    }

    pub(crate) fn told(self, left: &impl Display, right: &impl Display) -> String {
        match self {
            Self::Plus => format!("{left} + {right}"),
            Self::Minus => format!("{left} - {right}"),
            Self::Times => format!("{left} * {right}"),
            Self::Power => format!("POWER({left}, {right})"),
            Self::Abs => format!("ABS({left})"),
        }
    }

    fn made<T: PolarsIntegerType>(
        self,
        left: &ChunkedArray<T>,
        right: &ChunkedArray<T>,
        compute: impl Fn(T::Native, T::Native) -> (T::Native, bool),
    ) -> PolarsResult<ChunkedArray<T>> {
        let name = left.name().clone();
        let (left, right) = (left.rechunk(), right.rechunk());
        // What stands in the expression has one value for all rows.
        let rows = match (left.len(), right.len()) {
            (1, rows) | (rows, _) => rows,
        };
        let alone = |side: usize| side == 1 && rows != 1;
        let (of_left, of_right) = (alone(left.len()), alone(right.len()));
        if of_left && left.get(0).is_none() || of_right && right.get(0).is_none() {
            return Ok(ChunkedArray::full_null(name, rows));
        }
        // Looked at once behind the loop, so that it stays one that a compiler makes wide.
        let mut beyond = false;
        let mut one = |left: &T::Native, right: &T::Native| {
            let (made, wrapped) = compute(*left, *right);
            beyond |= wrapped;
            made
        };
        let (l, r) = (left.downcast_as_array(), right.downcast_as_array());
        let (lefts, rights) = (l.values().as_slice(), r.values().as_slice());
        let values = match (of_left, of_right) {
            (true, _) => rights.iter().map(|right| one(&lefts[0], right)).collect(),
            (_, true) => lefts.iter().map(|left| one(left, &rights[0])).collect(),
            _ => lefts
                .iter()
                .zip(rights)
                .map(|(left, right)| one(left, right))
                .collect(),
        };
        if beyond {
            // Under NULL stands anything.
            let at = |row: usize| {
                let left = left.get(if of_left { 0 } else { row })?;
                let right = right.get(if of_right { 0 } else { row })?;
                compute(left, right).1.then_some((left, right))
            };
            if let Some((left, right)) = (0..rows).find_map(at) {
                let whole = failure::words(&T::get_static_dtype().to_string());
                let told = self.told(&left, &right);
                return Err(polars_err!(ComputeError: "it meets {told}{BEYOND}{whole}"));
            }
        }
        let valid = match (of_left, of_right) {
            (true, _) => r.validity().cloned(),
            (_, true) => l.validity().cloned(),
            _ => combine_validities_and(l.validity(), r.validity()),
        };
        Ok(ChunkedArray::from_vec_validity(name, values, valid))
    }
}
