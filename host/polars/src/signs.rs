//! Signs that stand beside each other. What is written anew has no space between them, and two begin a
//! comment, so that the rest of the expression would be none.

use std::ops::ControlFlow;

use sqlparser_of_polars::ast::{Expr, UnaryOperator, Value, visit_expressions_mut};

/// Puts a sign that follows another into parentheses.
pub(crate) fn part(expr: &mut Expr) {
    let visited = visit_expressions_mut::<_, (), _>(expr, |part| {
        if let Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr: signed,
        } = part
            && matches!(
                **signed,
                Expr::UnaryOp {
                    op: UnaryOperator::Minus,
                    ..
                }
            )
        {
            let inner = std::mem::replace(&mut **signed, Expr::value(Value::Null));
            **signed = Expr::Nested(Box::new(inner));
        }
        ControlFlow::Continue(())
    });
    debug_assert!(visited.is_continue());
}
