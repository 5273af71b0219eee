//! Dates, times, moments and intervals that are written in an expression: Polars makes NULL of a 30th of
//! February, and a condition with it false of every row.

use std::ops::ControlFlow;

use arrow_schema::TimeUnit;
use hygge_core::written;
use sqlparser_of_polars::ast::{DataType, Expr, Value, visit_expressions};

use crate::intervals;

/// The first that there isn't, and how one is written.
pub(crate) fn impossible(expr: &Expr) -> Option<(String, &'static str)> {
    let found = visit_expressions(expr, |part| {
        let literal = match part {
            Expr::Interval(interval) if !intervals::is(interval) => {
                return ControlFlow::Break((interval.to_string(), intervals::FORM));
            }
            Expr::TypedString(literal) => literal,
            _ => return ControlFlow::Continue(()),
        };
        let Value::SingleQuotedString(text) = &literal.value.value else {
            return ControlFlow::Continue(());
        };
        let (is, form) = match &literal.data_type {
            DataType::Date => (written::date(text).is_some(), "DATE '2026-01-31'"),
            DataType::Time(..) => (
                written::time(text, TimeUnit::Nanosecond).is_some(),
                "TIME '13:05:09.5'",
            ),
            DataType::Timestamp(..) | DataType::Datetime(_) => (
                written::moment(text, TimeUnit::Microsecond, None).is_some(),
                "TIMESTAMP '2026-01-31 13:05:09.5'",
            ),
            _ => return ControlFlow::Continue(()),
        };
        match is {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break((literal.to_string(), form)),
        }
    });
    found.break_value()
}
