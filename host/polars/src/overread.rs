//! What Polars' SQL reads and leaves out: the places of `FLOOR(x, 1)`, and that `LAST_VALUE` is of all rows.

use std::ops::ControlFlow;

use sqlparser_of_polars::ast::{CeilFloorKind, DateTimeField, Expr, Value, visit_expressions};

/// The first such part, and what to write instead.
pub(crate) fn left_out(expr: &Expr) -> Option<(String, &'static str)> {
    let found = visit_expressions(expr, |part| match instead(part) {
        Some(found) => ControlFlow::Break(found),
        None => ControlFlow::Continue(()),
    });
    found.break_value()
}

fn instead(part: &Expr) -> Option<(String, &'static str)> {
    match part {
        Expr::Floor { field, .. } | Expr::Ceil { field, .. } if !is_none(field) => {
            let name = if matches!(part, Expr::Floor { .. }) {
                "FLOOR"
            } else {
                "CEIL"
            };
            let advice = "`FLOOR(x * 10) / 10` is `x` downwards to one place";
            Some((
                format!("{name} to something else than a whole number"),
                advice,
            ))
        }
        Expr::Function(function) => {
            let name = function.name.to_string().to_ascii_lowercase();
            match name.as_str() {
                "last_value" => Some((
                    "LAST_VALUE, which would depend on which rows happen to pass together"
                        .to_owned(),
                    "compute it where all rows are: in the query of the home, or after",
                )),
                "array_to_string" => Some((
                    "ARRAY_TO_STRING, and lists can't be looked into".to_owned(),
                    "`type: unnest` makes rows of a list; `||` and CONCAT put texts together",
                )),
                _ => None,
            }
        }
        _ => None,
    }
}

fn is_none(field: &CeilFloorKind) -> bool {
    match field {
        CeilFloorKind::DateTimeField(field) => *field == DateTimeField::NoDateTime,
        CeilFloorKind::Scale(places) => {
            matches!(&places.value, Value::Number(places, _) if places == "0")
        }
    }
}
