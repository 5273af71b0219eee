//! Intervals that are written in an expression. Polars panics over a text that is none, and wraps around
//! where one is too long.

use std::ops::ControlFlow;

use sqlparser_of_polars::ast::{Expr, Interval, Value, visit_expressions};

pub(crate) const FORM: &str =
    "INTERVAL '1 year 2 days 12 hours'; days and hours are less than 292 years";

/// In nanoseconds; months have no fixed length, and are counted apart.
const LENGTHS: [(&[&str], i64); 8] = [
    (&["ns", "nanosecond", "nanoseconds"], 1),
    (&["us", "microsecond", "microseconds"], 1_000),
    (&["ms", "millisecond", "milliseconds"], 1_000_000),
    (&["s", "sec", "secs", "second", "seconds"], 1_000_000_000),
    (&["m", "min", "mins", "minute", "minutes"], 60_000_000_000),
    (&["h", "hour", "hours"], 3_600_000_000_000),
    (&["d", "day", "days"], 86_400_000_000_000),
    (&["w", "week", "weeks"], 604_800_000_000_000),
];
const MONTHS: [(&[&str], i64); 3] = [
    (&["mo", "mon", "mons", "month", "months"], 1),
    (&["q", "quarter", "quarters"], 3),
    (&["y", "year", "years"], 12),
];
/// Which lead from any year that can be written to any other.
const MOST_MONTHS: i64 = 12 * 10_000;

/// Whether its text is one that can be counted; how else it may be written, Polars tells.
pub(crate) fn is(interval: &Interval) -> bool {
    match interval.value.as_ref() {
        Expr::Value(value) => match &value.value {
            // Of which Polars says that they aren't taken.
            Value::SingleQuotedString(text) if text.contains('-') => true,
            Value::SingleQuotedString(text) => sum(&text.to_ascii_lowercase()).is_some(),
            _ => true,
        },
        _ => true,
    }
}

/// Whether two stand beside each other: Polars compares them with months of 28 days.
pub(crate) fn meet(expr: &Expr) -> bool {
    let found = visit_expressions(expr, |part| match part {
        Expr::BinaryOp { left, right, .. }
            if matches!(**left, Expr::Interval(_)) && matches!(**right, Expr::Interval(_)) =>
        {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

fn sum(text: &str) -> Option<()> {
    let mut rest = text.trim_start();
    rest = rest
        .strip_prefix('+')
        .unwrap_or(rest)
        .trim_start_matches(' ');
    let (mut months, mut length) = (0_i64, 0_i64);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, after) = cut(rest, u8::is_ascii_digit);
        let (unit, after) = cut(apart(after), u8::is_ascii_alphabetic);
        rest = apart(after);
        let number: i64 = number.parse().ok()?;
        let of = |units: &[(&[&str], i64)]| {
            let mut units = units.iter();
            units.find_map(|(names, size)| names.contains(&unit).then_some(*size))
        };
        let (total, size) = match of(&LENGTHS) {
            Some(size) => (&mut length, size),
            None => (&mut months, of(&MONTHS)?),
        };
        *total = total.checked_add(number.checked_mul(size)?)?;
    }
    (months <= MOST_MONTHS).then_some(())
}

fn cut(text: &str, of: impl Fn(&u8) -> bool) -> (&str, &str) {
    text.split_at(text.bytes().take_while(of).count())
}

fn apart(text: &str) -> &str {
    text.trim_start_matches([' ', ','])
}
