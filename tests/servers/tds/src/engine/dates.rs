//! Parts of dates, and counting in them.

use crate::fault::SqlError;
use crate::types::convert::{How, convert};
use crate::types::{Kind, SqlType, Value, clock};

#[derive(Clone, Copy)]
enum Part {
    Year,
    Quarter,
    Month,
    DayOfYear,
    Day,
    Week,
    Weekday,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
}

fn named(name: &str) -> Result<Part, SqlError> {
    Ok(match name {
        "year" | "yy" | "yyyy" => Part::Year,
        "quarter" | "qq" | "q" => Part::Quarter,
        "month" | "mm" | "m" => Part::Month,
        "dayofyear" | "dy" | "y" => Part::DayOfYear,
        "day" | "dd" | "d" => Part::Day,
        "week" | "wk" | "ww" => Part::Week,
        "weekday" | "dw" => Part::Weekday,
        "hour" | "hh" => Part::Hour,
        "minute" | "mi" | "n" => Part::Minute,
        "second" | "ss" | "s" => Part::Second,
        "millisecond" | "ms" => Part::Millisecond,
        "microsecond" | "mcs" => Part::Microsecond,
        "nanosecond" | "ns" => Part::Nanosecond,
        other => {
            return Err(SqlError::new(
                155,
                format!("'{other}' is not a recognized datepart option."),
            )
            .class(15));
        }
    })
}

pub(crate) fn part(name: &str, ticks: i64) -> Result<i64, SqlError> {
    let day = ticks.div_euclid(clock::DAY);
    let (year, month, date) = clock::date_of(day);
    let first = clock::day_of(year, 1, 1).unwrap_or_default();
    Ok(match named(name)? {
        Part::Year => year,
        Part::Quarter => (month + 2) / 3,
        Part::Month => month,
        Part::DayOfYear => day - first + 1,
        Part::Day => date,
        // Weeks begin on Sunday; the first of year 1 was a Monday.
        Part::Week => (day + 1) / 7 - (first + 1) / 7 + 1,
        Part::Weekday => (day + 1) % 7 + 1,
        Part::Hour => ticks.rem_euclid(clock::DAY) / (60 * clock::MINUTE),
        Part::Minute => ticks / clock::MINUTE % 60,
        Part::Second => ticks / clock::SECOND % 60,
        Part::Millisecond => ticks / 10_000 % 1000,
        Part::Microsecond => ticks / 10 % 1_000_000,
        Part::Nanosecond => ticks % clock::SECOND * 100,
    })
}

/// Ticks of a part that always has as many.
fn length(part: Part) -> Option<i64> {
    Some(match part {
        Part::DayOfYear | Part::Day | Part::Weekday => clock::DAY,
        Part::Week => 7 * clock::DAY,
        Part::Hour => 60 * clock::MINUTE,
        Part::Minute => clock::MINUTE,
        Part::Second => clock::SECOND,
        Part::Millisecond => 10_000,
        Part::Microsecond => 10,
        Part::Year | Part::Quarter | Part::Month | Part::Nanosecond => return None,
    })
}

fn months(part: Part) -> i64 {
    match part {
        Part::Year => 12,
        Part::Quarter => 3,
        _ => 1,
    }
}

/// How many borders of a part lie between two moments.
pub(crate) fn difference(name: &str, from: i64, to: i64) -> Result<i64, SqlError> {
    let part = named(name)?;
    if matches!(part, Part::Nanosecond) {
        return Ok((to - from) * 100);
    }
    if matches!(part, Part::Week) {
        let week = |ticks: i64| (ticks.div_euclid(clock::DAY) + 1).div_euclid(7);
        return Ok(week(to) - week(from));
    }
    if let Some(length) = length(part) {
        return Ok(to.div_euclid(length) - from.div_euclid(length));
    }
    let count = |ticks: i64| {
        let (year, month, _) = clock::date_of(ticks.div_euclid(clock::DAY));
        (year * 12 + month - 1).div_euclid(months(part))
    };
    Ok(count(to) - count(from))
}

pub(crate) fn add(
    name: &str,
    count: i64,
    value: &(Value, SqlType),
    result: &SqlType,
) -> Result<Value, SqlError> {
    let overflow = || {
        SqlError::new(
            517,
            format!(
                "Adding a value to a '{}' column caused an overflow.",
                result.name()
            ),
        )
    };
    let start = convert(value.0.clone(), &value.1, result, 0, How::Cast)?;
    let part = named(name)?;
    let moved = |ticks: i64| -> Result<i64, SqlError> {
        if matches!(part, Part::Nanosecond) {
            return ticks.checked_add(count / 100).ok_or_else(overflow);
        }
        if let Some(length) = length(part) {
            return count
                .checked_mul(length)
                .and_then(|by| ticks.checked_add(by))
                .ok_or_else(overflow);
        }
        let (year, month, day) = clock::date_of(ticks.div_euclid(clock::DAY));
        let all = year * 12 + month - 1 + count.checked_mul(months(part)).ok_or_else(overflow)?;
        let (year, month) = (all.div_euclid(12), all.rem_euclid(12) + 1);
        let day = clock::day_of(year, month, day.min(clock::days_in(year, month)))
            .ok_or_else(overflow)?;
        Ok(day * clock::DAY + ticks.rem_euclid(clock::DAY))
    };
    let in_years = |ticks: i64| {
        if (0..clock::END * clock::DAY).contains(&ticks) {
            Ok(ticks)
        } else {
            Err(overflow())
        }
    };
    Ok(match start {
        Value::Date(day) => Value::Date(in_years(moved(day * clock::DAY)?)?.div_euclid(clock::DAY)),
        Value::Time(ticks) => {
            Value::Time(moved(ticks + clock::YEAR_1900 * clock::DAY)?.rem_euclid(clock::DAY))
        }
        Value::Moment(ticks) => {
            let ticks = in_years(moved(ticks)?)?;
            Value::Moment(if result.kind == Kind::DateTime {
                clock::round_datetime(ticks)
            } else {
                ticks
            })
        }
        Value::Offset(utc, minutes) => {
            let by = i64::from(minutes) * clock::MINUTE;
            Value::Offset(in_years(moved(utc + by)? - by)?, minutes)
        }
        other => other,
    })
}

/// An offset as `+hh:mm`, or in minutes.
pub(crate) fn offset(text: &str) -> Result<i16, SqlError> {
    let invalid = || SqlError::new(9812, "The timezone provided is invalid.");
    let found = match text.parse::<i64>() {
        Ok(minutes) if !text.contains(':') => Some(minutes),
        _ => clock::parse(&format!("00:00:00 {text}")).and_then(|moment| moment.offset),
    };
    i16::try_from(
        found
            .filter(|minutes| minutes.abs() <= 840)
            .ok_or_else(invalid)?,
    )
    .map_err(|_| invalid())
}
