//! Dates and times (2.2.5.5.1.7 to 2.2.5.5.1.9), all as ticks of 100 ns since the first day of year 1.

use std::fmt::Write as _;

pub(crate) const SECOND: i64 = 10_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const DAY: i64 = 1440 * MINUTE;
/// The day that datetime counts from.
pub(crate) const YEAR_1900: i64 = 693_595;
/// The day after the last.
pub(crate) const END: i64 = 3_652_059;

/// Bytes of a time of a scale.
pub(crate) fn time_length(scale: u8) -> u8 {
    match scale {
        0..=2 => 3,
        3..=4 => 4,
        _ => 5,
    }
}

/// Ticks in one unit of the last digit of a scale.
pub(crate) fn unit(scale: u8) -> i64 {
    10_i64.pow(u32::from(7 - scale.min(7)))
}

/// Rounded to the digits of a scale, half up.
pub(crate) fn round(ticks: i64, scale: u8) -> i64 {
    let unit = unit(scale);
    (ticks + unit / 2).div_euclid(unit) * unit
}

/// Rounded to what datetime holds: 1/300 s.
pub(crate) fn round_datetime(ticks: i64) -> i64 {
    from_threehundredths(ticks.div_euclid(DAY), threehundredths(ticks))
}

/// Units of 1/300 s in the day, nearest; may be a whole day.
pub(crate) fn threehundredths(ticks: i64) -> i64 {
    (ticks.rem_euclid(DAY) * 3 + 50_000) / 100_000
}

pub(crate) fn from_threehundredths(day: i64, units: i64) -> i64 {
    day * DAY + (units * 100_000 + 1) / 3
}

/// Days since the first of year 1.
pub(crate) fn day_of(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=9999).contains(&year)
        || !(1..=12).contains(&month)
        || day < 1
        || day > days_in(year, month)
    {
        return None;
    }
    let before = year - 1;
    let whole = before * 365 + before / 4 - before / 100 + before / 400;
    Some(whole + (1..month).map(|month| days_in(year, month)).sum::<i64>() + day - 1)
}

pub(crate) fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Year, month and day.
pub(crate) fn date_of(day: i64) -> (i64, i64, i64) {
    let mut year = day / 366 + 1;
    while day_of(year + 1, 1, 1).is_some_and(|next| next <= day) {
        year += 1;
    }
    let mut rest = day - day_of(year, 1, 1).unwrap_or_default();
    let mut month = 1;
    while rest >= days_in(year, month) {
        rest -= days_in(year, month);
        month += 1;
    }
    (year, month, rest + 1)
}

pub(crate) fn show_date(day: i64) -> String {
    let (year, month, day) = date_of(day);
    format!("{year:04}-{month:02}-{day:02}")
}

pub(crate) fn show_time(ticks: i64, scale: u8) -> String {
    let ticks = ticks.rem_euclid(DAY);
    let (hour, minute, second) = (
        ticks / (60 * MINUTE),
        ticks / MINUTE % 60,
        ticks / SECOND % 60,
    );
    let mut text = format!("{hour:02}:{minute:02}:{second:02}");
    if scale > 0 {
        let _ = write!(
            text,
            ".{:0width$}",
            ticks % SECOND / unit(scale),
            width = usize::from(scale)
        );
    }
    text
}

pub(crate) fn show_offset(minutes: i64) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

/// What a text says: ticks as written, and the offset in minutes if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) ticks: i64,
    pub(crate) has_date: bool,
    pub(crate) offset: Option<i64>,
}

/// A date, a time, or both, in ISO 8601 or as SQL Server writes them. Other notations depend on a
/// session's language there and are not known here.
pub(crate) fn parse(text: &str) -> Option<Moment> {
    let text = text.trim();
    let (date, rest) = split_date(text)?;
    let rest = rest.trim_start_matches(['T', ' ']).trim();
    let (clock, offset) = split_offset(rest)?;
    let time = if clock.is_empty() {
        0
    } else {
        parse_time(clock)?
    };
    if date.is_none() && clock.is_empty() && !text.is_empty() {
        return None;
    }
    Some(Moment {
        ticks: date.unwrap_or(YEAR_1900) * DAY + time,
        has_date: date.is_some(),
        offset,
    })
}

fn split_date(text: &str) -> Option<(Option<i64>, &str)> {
    let bytes = text.as_bytes();
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let digits = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if digits == 4
        && matches!(bytes.get(4), Some(b'-' | b'/' | b'.'))
        && bytes.get(7) == bytes.get(4)
    {
        return Some((
            Some(day_of(number(0..4)?, number(5..7)?, number(8..10)?)?),
            text.get(10..)?,
        ));
    }
    if digits == 8 {
        return Some((
            Some(day_of(number(0..4)?, number(4..6)?, number(6..8)?)?),
            text.get(8..)?,
        ));
    }
    Some((None, text))
}

fn split_offset(text: &str) -> Option<(&str, Option<i64>)> {
    if let Some(clock) = text.strip_suffix(['Z', 'z']) {
        return Some((clock, Some(0)));
    }
    let Some(at) = text.rfind(['+', '-']) else {
        return Some((text, None));
    };
    let (hours, minutes) = text[at + 1..].split_once(':')?;
    let minutes = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?;
    if minutes > 14 * 60 {
        return None;
    }
    let minutes = if text[at..].starts_with('-') {
        -minutes
    } else {
        minutes
    };
    Some((text[..at].trim_end(), Some(minutes)))
}

fn parse_time(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let hour: i64 = parts.next()?.parse().ok()?;
    let minute: i64 = parts.next()?.parse().ok()?;
    let (second, fraction) = match parts.next() {
        None => (0, 0),
        Some(seconds) => {
            let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
            if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            // One digit past what a tick can hold rounds it.
            let mut digits: String = fraction.chars().take(8).collect();
            while digits.len() < 8 {
                digits.push('0');
            }
            (
                whole.parse::<i64>().ok()?,
                (digits.parse::<i64>().ok()? + 5) / 10,
            )
        }
    };
    let fits = (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..60).contains(&second)
        && parts.next().is_none();
    fits.then_some(hour * 60 * MINUTE + minute * MINUTE + second * SECOND + fraction)
}
