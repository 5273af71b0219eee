//! Products of decimals. Polars rounds them to the places of the factor that has more, without a
//! word; here they get the places of both, as far as 38 digits hold them.

use std::sync::Arc;

use polars::prelude::{DataType, Schema};
use polars_plan::prelude::{Expr, Operator};

/// The digits of a decimal, which is always 128 bits wide.
const DIGITS: usize = 38;

/// The expression with exact products.
pub(crate) fn exact(expr: Expr, schema: &Schema) -> Expr {
    expr.map_expr(|part| match part {
        Expr::BinaryExpr {
            left,
            op: Operator::Multiply,
            right,
        } => {
            let left = match places(&left, &right, schema) {
                Some(scale) => {
                    let wide = DataType::Decimal(DIGITS, scale);
                    Arc::new(Arc::unwrap_or_clone(left).strict_cast(wide))
                }
                None => left,
            };
            Expr::BinaryExpr {
                left,
                op: Operator::Multiply,
                right,
            }
        }
        other => other,
    })
}

/// How many places a product needs, if those are more than it would get.
fn places(left: &Expr, right: &Expr, schema: &Schema) -> Option<usize> {
    let (left, right) = (digits(left, schema)?, digits(right, schema)?);
    let room = DIGITS.saturating_sub(left.whole + right.whole);
    let scale = (left.places + right.places).min(room);
    (scale > left.places.max(right.places)).then_some(scale)
}

/// The most digits before and behind the point that a decimal can have.
struct Digits {
    whole: usize,
    places: usize,
}

fn digits(expr: &Expr, schema: &Schema) -> Option<Digits> {
    let field = expr.to_field(schema).ok()?;
    let DataType::Decimal(precision, places) = field.dtype else {
        return None;
    };
    // Whatever is computed is said to have 38 digits: its parts tell how many it can have.
    let own = precision.saturating_sub(places);
    let whole = match expr {
        Expr::Cast { expr, .. } => digits(expr, schema).map(|inner| inner.whole),
        Expr::BinaryExpr { left, op, right } => {
            let both = digits(left, schema).zip(digits(right, schema));
            both.and_then(|(left, right)| match op {
                Operator::Multiply => Some(left.whole + right.whole),
                Operator::Plus | Operator::Minus => Some(left.whole.max(right.whole) + 1),
                _ => None,
            })
        }
        _ => None,
    };
    Some(Digits {
        whole: whole.map_or(own, |whole| whole.min(own)),
        places,
    })
}
