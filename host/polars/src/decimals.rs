//! Decimals in expressions. What meets (in a sum, a comparison, a CASE) Polars brings to the more
//! digits and the more places of the two, and an operator gives NULL for a value that this can't hold;
//! a product it rounds to the places of the factor that has more. All without a word. Here, what meets
//! gets a type that holds it, a product the places of both factors, as far as 38 digits go, and what
//! isn't held by them fails.

use std::cmp::Reverse;
use std::sync::Arc;

use polars::prelude::{DataType, Schema, UnknownKind};
use polars_plan::prelude::{DynLiteralValue, Expr, FunctionExpr, LiteralValue, Operator};

/// The digits of a decimal, which is always 128 bits wide.
const DIGITS: usize = 38;

/// The expression with exact decimals.
pub(crate) fn exact(expr: Expr, schema: &Schema) -> Expr {
    // Whoever has none doesn't wait for types to be worked out at every level.
    let decimal = |data_type: &DataType| matches!(data_type, DataType::Decimal(..));
    let becomes = |part: &Expr| matches!(part, Expr::Cast { .. });
    if !schema.iter_values().any(decimal) && !expr.into_iter().any(becomes) {
        return expr;
    }
    let expr = expr.map_expr(|part| ordered(part, schema));
    expr.map_expr(|part| match part {
        Expr::BinaryExpr { left, op, right } => operands(left, op, right, schema),
        Expr::Ternary {
            predicate,
            truthy,
            falsy,
        } => match wide_enough(&[&truthy, &falsy], schema) {
            Some(wide) => Expr::Ternary {
                predicate,
                truthy: cast(truthy, &wide),
                falsy: cast(falsy, &wide),
            },
            None => Expr::Ternary {
                predicate,
                truthy,
                falsy,
            },
        },
        Expr::Function { input, function } if one_of(&function) => {
            let parts: Vec<&Expr> = input.iter().collect();
            let input = match wide_enough(&parts, schema) {
                Some(wide) => {
                    let each = input.into_iter();
                    each.map(|part| part.strict_cast(wide.clone())).collect()
                }
                None => input,
            };
            Expr::Function { input, function }
        }
        other => other,
    })
}

fn cast(expr: Arc<Expr>, to: &DataType) -> Arc<Expr> {
    Arc::new(Arc::unwrap_or_clone(expr).strict_cast(to.clone()))
}

/// A product of three or more with the factors first that have the most places, which a product of
/// many digits may have no room for: so their order doesn't matter.
fn ordered(part: Expr, schema: &Schema) -> Expr {
    let mut factors = Vec::new();
    gather(&part, &mut factors);
    if factors.len() < 3 {
        return part;
    }
    let known = factors.iter().map(|factor| digits(factor, schema));
    let Some(known) = known.collect::<Option<Vec<_>>>() else {
        return part;
    };
    if !known.iter().any(|digits| digits.precision.is_some()) {
        return part;
    }
    let mut factors: Vec<_> = known.iter().zip(factors).collect();
    factors.sort_by_key(|(digits, _)| (Reverse(digits.places), digits.whole));
    let factors = factors.into_iter().map(|(_, factor)| factor.clone());
    factors.reduce(|left, right| left * right).unwrap_or(part)
}

fn gather<'a>(part: &'a Expr, factors: &mut Vec<&'a Expr>) {
    match part {
        Expr::BinaryExpr {
            left,
            op: Operator::Multiply,
            right,
        } => {
            gather(left, factors);
            gather(right, factors);
        }
        other => factors.push(other),
    }
}

/// Both sides of an operator in a type that its result needs, where Polars would take a smaller one.
fn operands(left: Arc<Expr>, op: Operator, right: Arc<Expr>, schema: &Schema) -> Expr {
    let wide = wide_operands(&left, op, &right, schema);
    let side = |side| match &wide {
        Some(wide) => cast(side, wide),
        None => side,
    };
    Expr::BinaryExpr {
        left: side(left),
        op,
        right: side(right),
    }
}

fn wide_operands(left: &Expr, op: Operator, right: &Expr, schema: &Schema) -> Option<DataType> {
    let (left, right) = (digits(left, schema)?, digits(right, schema)?);
    // Which Polars says is a float, and computes as a decimal.
    let whole = op == Operator::TrueDivide && left.precision.is_none();
    let most = left.places.max(right.places);
    let places = match op {
        Operator::Multiply => {
            let room = DIGITS.saturating_sub(left.whole + right.whole);
            (left.places + right.places).min(room).max(most)
        }
        _ => most,
    };
    let fits = left.whole.max(right.whole) <= held(&[left, right])?;
    (places > most || !fits || whole).then_some(DataType::Decimal(DIGITS, places))
}

/// A type for values of which each row has one, where Polars would take one that doesn't hold them all.
fn wide_enough(parts: &[&Expr], schema: &Schema) -> Option<DataType> {
    let each = parts.iter().map(|part| digits(part, schema));
    let each = each.collect::<Option<Vec<_>>>()?;
    let whole = each.iter().map(|each| each.whole).max()?;
    let places = each.iter().map(|each| each.places).max()?;
    let wide = DataType::Decimal((whole + places).min(DIGITS), places);
    (whole > held(&each)?).then_some(wide)
}

/// The digits before the point that the type holds which Polars would bring these to; none when no
/// decimal is among them.
fn held(each: &[Digits]) -> Option<usize> {
    let places = each.iter().map(|each| each.places).max()?;
    let precision = each.iter().filter_map(|each| each.precision).max()?;
    let held = precision - places.min(precision);
    let fits = |each: &Digits| each.precision.is_some() || each.whole <= held;
    Some(match each.iter().all(fits) {
        true => held,
        false => DIGITS - places,
    })
}

/// Whether it gives one of its inputs.
fn one_of(function: &FunctionExpr) -> bool {
    matches!(
        function,
        FunctionExpr::Coalesce | FunctionExpr::MaxHorizontal | FunctionExpr::MinHorizontal
    )
}

/// The most digits before and behind the point that a number can have.
#[derive(Clone, Copy)]
struct Digits {
    whole: usize,
    places: usize,
    /// Of the type, where that is a decimal.
    precision: Option<usize>,
}

impl Digits {
    fn of(data_type: &DataType) -> Option<Self> {
        let (whole, places) = match data_type {
            DataType::Decimal(precision, places) => (precision.saturating_sub(*places), *places),
            DataType::Int8 | DataType::UInt8 => (3, 0),
            DataType::Int16 | DataType::UInt16 => (5, 0),
            DataType::Int32 | DataType::UInt32 => (10, 0),
            DataType::Int64 | DataType::Unknown(UnknownKind::Int(_)) => (19, 0),
            DataType::UInt64 => (20, 0),
            DataType::Null => (0, 0),
            _ => return None,
        };
        let precision = match data_type {
            DataType::Decimal(precision, _) => Some(*precision),
            _ => None,
        };
        Some(Self {
            whole,
            places,
            precision,
        })
    }

    fn is_zero(&self) -> bool {
        self.whole + self.places == 0
    }
}

fn digits(expr: &Expr, schema: &Schema) -> Option<Digits> {
    // From its parts alone: a CASE has as many levels as WHENs, and a type is worked out from all
    // that are below.
    if let Expr::Ternary { truthy, falsy, .. } = expr {
        return Some(either(digits(truthy, schema)?, digits(falsy, schema)?));
    }
    let own = Digits::of(&expr.to_field(schema).ok()?.dtype)?;
    // Whatever is computed is said to have 38 digits: its parts tell how many it can have.
    let whole = match own.precision {
        Some(_) => computed(expr, own.places, schema),
        None => written(expr),
    };
    Some(Digits {
        whole: whole.map_or(own.whole, |whole| whole.min(own.whole)),
        ..own
    })
}

/// One or the other, in the type that Polars brings them to.
fn either(one: Digits, other: Digits) -> Digits {
    let (whole, places) = (one.whole.max(other.whole), one.places.max(other.places));
    let held = held(&[one, other]);
    Digits {
        whole: held.map_or(whole, |held| whole.min(held)),
        places,
        precision: held.map(|held| held + places),
    }
}

/// Digits before the point of a number that stands in the expression.
fn written(expr: &Expr) -> Option<usize> {
    let Expr::Literal(LiteralValue::Dyn(DynLiteralValue::Int(number))) = expr else {
        return None;
    };
    let tens = number.unsigned_abs().checked_ilog10();
    Some(tens.map_or(0, |tens| tens as usize + 1))
}

/// Digits before the point of what is made of other numbers.
fn computed(expr: &Expr, places: usize, schema: &Schema) -> Option<usize> {
    let most = |parts: &[&Expr]| {
        let each = parts.iter().map(|part| digits(part, schema));
        let each = each.map(|digits| digits.map(|digits| digits.whole));
        each.collect::<Option<Vec<_>>>()?.into_iter().max()
    };
    match expr {
        Expr::Alias(inner, _) => most(&[inner]),
        // Rounding may carry over.
        Expr::Cast { expr, .. } => {
            let inner = digits(expr, schema)?;
            Some(inner.whole + usize::from(inner.places > places))
        }
        Expr::BinaryExpr { left, op, right } => {
            let (left, right) = (digits(left, schema)?, digits(right, schema)?);
            match op {
                Operator::Multiply => Some(left.whole + right.whole),
                Operator::TrueDivide => Some(left.whole + right.places),
                // As a minus sign is read.
                Operator::Plus | Operator::Minus if left.is_zero() => Some(right.whole),
                Operator::Plus | Operator::Minus => Some(left.whole.max(right.whole) + 1),
                _ => None,
            }
        }
        Expr::Function { input, function } => {
            let inputs: Vec<&Expr> = input.iter().collect();
            match function {
                FunctionExpr::Abs => most(&inputs),
                FunctionExpr::Round { .. }
                | FunctionExpr::Truncate { .. }
                | FunctionExpr::Floor
                | FunctionExpr::Ceil => most(&inputs).map(|whole| whole + 1),
                given if one_of(given) => most(&inputs),
                _ => None,
            }
        }
        _ => None,
    }
}
