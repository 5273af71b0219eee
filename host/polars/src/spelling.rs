//! Parts of an expression in words that Polars' SQL takes for what they are.

use std::ops::ControlFlow;

use sqlparser_of_polars::ast::{Expr, visit_expressions_mut};

/// Puts others in the place of parts; gives whether there were any.
pub(crate) fn rewrite(expr: &mut Expr, other: impl Fn(&Expr) -> Option<Expr>) -> bool {
    let mut any = false;
    let visited = visit_expressions_mut::<_, (), _>(expr, |part| {
        if let Some(other) = other(part) {
            any = true;
            *part = other;
        }
        ControlFlow::Continue(())
    });
    debug_assert!(visited.is_continue());
    any
}
