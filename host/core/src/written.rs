//! Dates, times and moments that are written as text: each as exactly what its type holds, or not
//! at all.

use arrow_array::timezone::Tz;
use arrow_array::types::{Date32Type, Time64NanosecondType};
use arrow_cast::parse::{Parser, string_to_datetime};
use arrow_schema::TimeUnit;

use crate::zone_offset;

/// Days from 1970 of `2013-01-31`.
pub fn date(text: &str) -> Option<i32> {
    // Arrow's parser also takes a time behind it, and drops it.
    if text.bytes().any(|b| matches!(b, b'T' | b't' | b' ' | b':')) {
        return None;
    }
    Date32Type::parse(text)
}

/// Ticks from midnight of `13:05` or `13:05:09.25`. No type here tells a leap second from the second
/// that follows, so it is none.
pub fn time(text: &str, unit: TimeUnit) -> Option<i64> {
    // Arrow's parser takes a number for ticks, and cuts digits that it has no room for.
    if !text.contains(':') || beyond_nanos(text) {
        return None;
    }
    let second = text.split(':').nth(2).unwrap_or_default();
    if second.starts_with("60") {
        return None;
    }
    let nanos = Time64NanosecondType::parse(text)?;
    let tick = nanos_per_tick(unit);
    let within = (0..86_400_000_000_000).contains(&nanos);
    (within && nanos % tick == 0).then_some(nanos / tick)
}

fn nanos_per_tick(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}

/// Whether a fraction has more digits than anything here holds.
fn beyond_nanos(text: &str) -> bool {
    let fraction = text.rsplit_once('.').map_or("", |(_, fraction)| fraction);
    fraction.bytes().take_while(u8::is_ascii_digit).count() > 9
}

/// Whether a timestamp's text says its zone.
pub fn says_zone(text: &str) -> bool {
    let time = text.get(10..).unwrap_or_default();
    time.contains(['+', '-', 'Z', 'z']) && parsed(utc(), text).is_some()
}

fn utc() -> Tz {
    zone_offset("UTC").unwrap_or_else(|| unreachable!("UTC is a fixed offset"))
}

/// Seconds from 1970 and nanoseconds. A leap second has none: no type here tells it from the
/// second that follows.
fn parsed(zone: Tz, text: &str) -> Option<(i64, i64)> {
    let at = string_to_datetime(&zone, text).ok()?;
    let nanos = i64::from(at.timestamp_subsec_nanos());
    (nanos < 1_000_000_000).then(|| (at.timestamp(), nanos))
}

/// Ticks from 1970 of `2013-01-31T10:00:00.5`. A column without a zone takes no values with
/// one: it couldn't say which moment they mean.
pub fn moment(text: &str, unit: TimeUnit, zone: Option<&str>) -> Option<i64> {
    let says_zone = says_zone(text);
    let of = match zone {
        None if says_zone => return None,
        Some(zone) if !says_zone => zone_offset(zone)?,
        _ => utc(),
    };
    if beyond_nanos(text) {
        return None;
    }
    let (seconds, nanos) = parsed(of, text)?;
    let tick = nanos_per_tick(unit);
    if nanos % tick != 0 {
        return None;
    }
    let per_second = 1_000_000_000 / tick;
    seconds.checked_mul(per_second)?.checked_add(nanos / tick)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_exact_or_refused() {
        let us = TimeUnit::Microsecond;
        assert_eq!(moment("1970-01-01 00:00:01", us, None), Some(1_000_000));
        assert_eq!(moment("1970-01-01T00:00:00.000001", us, None), Some(1));
        assert_eq!(moment("1970-01-01T00:00:00.0000001", us, None), None);
        assert_eq!(moment("1970-01-01T00:00:00Z", us, None), None);
        assert_eq!(moment("2016-12-31 23:59:60", us, None), None);
        assert_eq!(moment("2016-12-31 23:59:60Z", us, Some("UTC")), None);
        assert_eq!(
            moment("1970-01-01T01:00:00+01:00", us, Some("UTC")),
            Some(0)
        );
        assert_eq!(moment("1970-01-01T01:00:00", us, Some("+01:00")), Some(0));
        assert_eq!(
            moment("1970-01-01T01:00:00", us, Some("Europe/Berlin")),
            None
        );
        assert_eq!(
            moment("1970-01-01T01:00:00Z", us, Some("Europe/Berlin")),
            Some(3_600_000_000)
        );
        assert_eq!(
            moment("9999-12-31T00:00:00", TimeUnit::Nanosecond, None),
            None
        );
    }

    #[test]
    fn dates_are_days() {
        assert_eq!(date("1970-01-02"), Some(1));
        assert_eq!(date("1970-01-02 10:00"), None);
        assert_eq!(date("1970-02-30"), None);
    }

    #[test]
    fn times_are_of_a_day_and_exact() {
        let us = |text| time(text, TimeUnit::Microsecond);
        assert_eq!(us("00:00:01"), Some(1_000_000));
        assert_eq!(us("23:59:59.999999"), Some(86_399_999_999));
        assert_eq!(us("10:11:12.1234560"), us("10:11:12.123456"));
        for none in [
            "23:59:60",
            "10:11:60",
            "10:11:60.5",
            "24:00:00",
            "10:11:12.1234567",
            "10:11:12.1234560000",
            "3600",
            "-5",
            "",
        ] {
            assert_eq!(us(none), None, "{none}");
        }
        assert_eq!(time("10:00:00.5", TimeUnit::Second), None);
        assert_eq!(time("10:00:00.5", TimeUnit::Millisecond), Some(36_000_500));
    }
}
