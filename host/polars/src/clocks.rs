//! Times of day as text. Polars leaves out what is behind the second, in a `CAST` as where texts are
//! put together.

use std::sync::Arc;

use polars::prelude::{DataType, Schema};
use polars_plan::prelude::{Expr, FunctionExpr, StringFunction};

/// With as many digits behind the second as it takes, as files are written.
const WHOLE: &str = "%H:%M:%S%.f";

/// The expression with times that are whole as text.
pub(crate) fn whole(expr: Expr, schema: &Schema) -> Expr {
    // Whoever has none doesn't wait for types to be worked out.
    let clock = |data_type: &DataType| *data_type == DataType::Time;
    let becomes = |part: &Expr| match part {
        Expr::Cast { dtype, .. } => dtype.as_literal().is_some_and(clock),
        Expr::Function { function, .. } => matches!(
            function,
            FunctionExpr::TemporalExpr(_) | FunctionExpr::StringExpr(StringFunction::Strptime(..))
        ),
        Expr::AnonymousFunction { .. } => true,
        _ => false,
    };
    if !schema.iter_values().any(clock) && !expr.into_iter().any(becomes) {
        return expr;
    }
    expr.map_expr(|part| match part {
        Expr::Cast {
            expr,
            dtype,
            options,
        } if dtype.as_literal() == Some(&DataType::String) => Expr::Cast {
            expr: Arc::new(told(Arc::unwrap_or_clone(expr), schema)),
            dtype,
            options,
        },
        Expr::Function { input, function }
            if matches!(
                function,
                FunctionExpr::StringExpr(StringFunction::ConcatHorizontal { .. })
            ) || function == FunctionExpr::Coalesce && texts(input.iter(), schema) =>
        {
            let input = input.into_iter();
            Expr::Function {
                input: input.map(|each| told(each, schema)).collect(),
                function,
            }
        }
        Expr::Ternary {
            predicate,
            truthy,
            falsy,
        } if texts([truthy.as_ref(), falsy.as_ref()], schema) => Expr::Ternary {
            predicate,
            truthy: Arc::new(told(Arc::unwrap_or_clone(truthy), schema)),
            falsy: Arc::new(told(Arc::unwrap_or_clone(falsy), schema)),
        },
        part => part,
    })
}

fn is(part: &Expr, data_type: &DataType, schema: &Schema) -> bool {
    part.to_field(schema)
        .is_ok_and(|field| field.dtype == *data_type)
}

/// Whether a text is among them, so that all become texts.
fn texts<'a>(parts: impl IntoIterator<Item = &'a Expr>, schema: &Schema) -> bool {
    let mut parts = parts.into_iter();
    parts.any(|part| is(part, &DataType::String, schema))
}

fn told(part: Expr, schema: &Schema) -> Expr {
    match is(&part, &DataType::Time, schema) {
        true => part.dt().to_string(WHOLE),
        false => part,
    }
}
