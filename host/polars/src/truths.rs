//! `IS TRUE` and its kin, which are true or false of NULL as well. Polars reads `x IS NOT TRUE` as
//! `NOT (x = TRUE)`, which is NULL then, so that a filter would drop such rows.

use sqlparser_of_polars::ast::{Expr, Value};

use crate::spelling::rewrite;

/// Writes them in words that Polars takes for what they are; gives whether there were any.
pub(crate) fn spell(expr: &mut Expr) -> bool {
    // In parentheses, since what is beside it may bind otherwise than before.
    rewrite(expr, |part| spelt(part).map(nested))
}

fn spelt(part: &Expr) -> Option<Expr> {
    let truth = |truth| Box::new(Expr::value(Value::Boolean(truth)));
    let of = |of: &Expr| Box::new(nested(of.clone()));
    Some(match part {
        Expr::IsTrue(x) => Expr::IsNotDistinctFrom(of(x), truth(true)),
        Expr::IsNotTrue(x) => Expr::IsDistinctFrom(of(x), truth(true)),
        Expr::IsFalse(x) => Expr::IsNotDistinctFrom(of(x), truth(false)),
        Expr::IsNotFalse(x) => Expr::IsDistinctFrom(of(x), truth(false)),
        Expr::IsUnknown(x) => Expr::IsNull(of(x)),
        Expr::IsNotUnknown(x) => Expr::IsNotNull(of(x)),
        _ => return None,
    })
}

fn nested(expr: Expr) -> Expr {
    Expr::Nested(Box::new(expr))
}
