//! Zones of moments. Polars knows them by their names alone, so that a fixed distance from UTC comes in
//! as the one that has it; where there is none, as UTC, whose hours aren't those that the column says.
//! And it compares no moment with one of another zone, though each is the same everywhere.

use std::sync::Arc;

use arrow_schema::DataType as ArrowType;
use hygge_core::zone_offset;
use polars::prelude::{DataType, Duration, Schema, TimeZone};
use polars_plan::prelude::{Expr, FunctionExpr, Operator, StringFunction, TemporalFunction};

use crate::units::has_moments;

/// The name by which Polars knows a zone.
pub(crate) fn named(zone: &str) -> String {
    match (zone_offset(zone), hours(zone)) {
        (None, _) => zone.to_owned(),
        // Which count westwards.
        (_, Some(east @ 1..=14)) => format!("Etc/GMT-{east}"),
        (_, Some(west @ -12..=-1)) => format!("Etc/GMT+{}", -west),
        _ => "UTC".to_owned(),
    }
}

/// What a zone of Polars is called elsewhere.
pub(crate) fn fixed(zone: &str) -> String {
    let east = |hours: &str, sign: char| {
        let hours: u8 = hours.parse().ok().filter(|hours| *hours > 0)?;
        Some(format!("{sign}{hours:02}:00"))
    };
    let distance = zone.strip_prefix("Etc/GMT").unwrap_or_default();
    let known = match distance.split_at_checked(1) {
        Some(("-", hours)) => east(hours, '+'),
        Some(("+", hours)) => east(hours, '-'),
        _ => None,
    };
    known.unwrap_or_else(|| zone.to_owned())
}

/// Whether a column comes in as UTC though its zone is another.
pub(crate) fn is_lost(given: &ArrowType) -> bool {
    match given {
        ArrowType::Timestamp(_, Some(zone)) => {
            zone_offset(zone).is_some() && named(zone) == "UTC" && minutes(zone) != Some(0)
        }
        ArrowType::Dictionary(_, values) => is_lost(values),
        ArrowType::RunEndEncoded(_, values) => is_lost(values.data_type()),
        _ => false,
    }
}

/// The first of such columns whose hours or days are read.
pub(crate) fn read_of<'a>(expr: &Expr, lost: &[&'a str], schema: &Schema) -> Option<&'a str> {
    let of = |part: &Expr| {
        let zoned = part.to_field(schema).ok()?.dtype;
        if !matches!(zoned, DataType::Datetime(_, Some(_))) {
            return None;
        }
        let is = |part: &Expr, name: &str| matches!(part, Expr::Column(column) if column == name);
        let mut lost = lost.iter().copied();
        lost.find(|name| part.into_iter().any(|part| is(part, name)))
    };
    if lost.is_empty() {
        return None;
    }
    let is_text = |part: &Expr| {
        let field = part.to_field(schema);
        field.is_ok_and(|field| field.dtype == DataType::String)
    };
    expr.into_iter().find_map(|part| match part {
        Expr::Cast { expr, dtype, .. } if dtype.as_literal() == Some(&DataType::String) => of(expr),
        Expr::Ternary { truthy, falsy, .. } if is_text(truthy) || is_text(falsy) => {
            of(truthy).or_else(|| of(falsy))
        }
        Expr::Function { input, function } => match (function, input.as_slice()) {
            (FunctionExpr::TemporalExpr(TemporalFunction::OffsetBy), [moment, interval]) => {
                let Expr::Literal(interval) = interval else {
                    return of(moment);
                };
                let interval = Duration::try_parse(interval.extract_str()?).ok()?;
                (interval.months() > 0).then(|| of(moment)).flatten()
            }
            (FunctionExpr::TemporalExpr(_), [moment, ..]) => of(moment),
            (FunctionExpr::StringExpr(StringFunction::ConcatHorizontal { .. }), parts) => {
                parts.iter().find_map(of)
            }
            (FunctionExpr::Coalesce, parts) if parts.iter().any(is_text) => {
                parts.iter().find_map(of)
            }
            _ => None,
        },
        _ => None,
    })
}

/// Whole hours east of UTC.
fn hours(zone: &str) -> Option<i32> {
    let minutes = minutes(zone)?;
    (minutes % 60 == 0).then_some(minutes / 60)
}

/// Minutes east of UTC, where it is written in digits: `+02:00`, `-0530`, `+02`.
fn minutes(zone: &str) -> Option<i32> {
    let Some(digits) = zone.strip_prefix(['+', '-']) else {
        return Some(0);
    };
    let digits = digits.replace(':', "");
    let minutes = match digits.len() {
        2 => 60 * digits.parse::<i32>().ok()?,
        4 => 60 * digits[..2].parse::<i32>().ok()? + digits[2..].parse::<i32>().ok()?,
        _ => return None,
    };
    Some(if zone.starts_with('-') {
        -minutes
    } else {
        minutes
    })
}

/// The expression with moments of one zone where they meet.
pub(crate) fn alike(expr: Expr, schema: &Schema) -> Expr {
    if !has_moments(&expr, schema) {
        return expr;
    }
    expr.map_expr(|part| match part {
        Expr::BinaryExpr { left, op, right }
            if (op.is_comparison() || op == Operator::Minus)
                && differ([left.as_ref(), right.as_ref()], schema) =>
        {
            Expr::BinaryExpr {
                left: side(left),
                op,
                right: side(right),
            }
        }
        Expr::Ternary {
            predicate,
            truthy,
            falsy,
        } if differ([truthy.as_ref(), falsy.as_ref()], schema) => Expr::Ternary {
            predicate,
            truthy: side(truthy),
            falsy: side(falsy),
        },
        Expr::Function { input, function }
            if matches!(
                function,
                FunctionExpr::Coalesce | FunctionExpr::MaxHorizontal | FunctionExpr::MinHorizontal
            ) && differ(&input, schema) =>
        {
            Expr::Function {
                input: input.into_iter().map(utc).collect(),
                function,
            }
        }
        part => part,
    })
}

/// Whether all are moments of zones, which aren't one.
fn differ<'a>(parts: impl IntoIterator<Item = &'a Expr>, schema: &Schema) -> bool {
    let zones = parts
        .into_iter()
        .map(|part| match part.to_field(schema).ok()?.dtype {
            DataType::Datetime(_, zone) => zone,
            _ => None,
        });
    let zones = zones.collect::<Option<Vec<_>>>();
    zones.is_some_and(|zones| zones.iter().any(|zone| *zone != zones[0]))
}

fn side(part: Arc<Expr>) -> Arc<Expr> {
    Arc::new(utc(Arc::unwrap_or_clone(part)))
}

fn utc(part: Expr) -> Expr {
    part.dt().convert_time_zone(TimeZone::UTC)
}
