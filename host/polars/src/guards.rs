//! Conditions that keep what can fail from rows it isn't for: `CASE WHEN n < 40000 THEN n * n END`, and
//! `AND` and `OR` as well. Polars computes all of an expression for all rows and chooses afterwards, so
//! that a row which nobody asked for would fail the others. What failed is computed once more, with NULL
//! in the place of such rows.

use std::sync::Arc;

use polars::prelude::{DataType, Schema};
use polars_plan::prelude::{Expr, LiteralValue, Operator, lit};

/// Conditions of one expression: each is written into all that stands behind it.
const MOST: usize = 60;

/// The expression with its conditions before all that can fail; none where there is nothing to keep
/// apart.
pub(crate) fn written(expr: &Expr, schema: &Schema) -> Option<Expr> {
    let guards = expr.into_iter().filter(|part| is_guard(part)).count();
    let fails = expr.into_iter().any(can_fail);
    if !fails || guards == 0 || guards > MOST {
        return None;
    }
    Some(expr.clone().map_expr(|part| match part {
        Expr::Ternary {
            predicate,
            truthy,
            falsy,
        } => {
            let chosen = predicate.as_ref().clone();
            let other = chosen.clone().neq_missing(lit(true));
            Expr::Ternary {
                predicate,
                truthy: behind(truthy, &chosen),
                falsy: behind(falsy, &other),
            }
        }
        Expr::BinaryExpr { left, op, right } => {
            let truth = left
                .to_field(schema)
                .is_ok_and(|left| left.dtype == DataType::Boolean);
            let decided = match op {
                Operator::And | Operator::LogicalAnd if truth => lit(false),
                Operator::Or | Operator::LogicalOr if truth => lit(true),
                _ => return Expr::BinaryExpr { left, op, right },
            };
            let open = left.as_ref().clone().neq_missing(decided);
            Expr::BinaryExpr {
                left,
                op,
                right: behind(right, &open),
            }
        }
        part => part,
    }))
}

fn is_guard(part: &Expr) -> bool {
    match part {
        Expr::Ternary { .. } => true,
        Expr::BinaryExpr { op, .. } => matches!(
            op,
            Operator::And | Operator::LogicalAnd | Operator::Or | Operator::LogicalOr
        ),
        _ => false,
    }
}

fn can_fail(part: &Expr) -> bool {
    match part {
        Expr::Cast { options, .. } => options.is_strict(),
        Expr::AnonymousFunction { .. } => true,
        _ => false,
    }
}

/// With NULL where the condition isn't true, in all that can fail.
fn behind(expr: Arc<Expr>, condition: &Expr) -> Arc<Expr> {
    let masked = |given: Expr| match given {
        // Of no row.
        Expr::Literal(_) => given,
        given => Expr::Ternary {
            predicate: Arc::new(condition.clone()),
            truthy: Arc::new(given),
            falsy: Arc::new(Expr::Literal(LiteralValue::untyped_null())),
        },
    };
    let expr = Arc::unwrap_or_clone(expr);
    Arc::new(expr.map_expr(|part| match part {
        Expr::Cast {
            expr,
            dtype,
            options,
        } if options.is_strict() => Expr::Cast {
            expr: Arc::new(masked(Arc::unwrap_or_clone(expr))),
            dtype,
            options,
        },
        Expr::AnonymousFunction {
            input,
            function,
            options,
            fmt_str,
        } => Expr::AnonymousFunction {
            input: input.into_iter().map(masked).collect(),
            function,
            options,
            fmt_str,
        },
        part => part,
    }))
}
