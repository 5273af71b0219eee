use std::time::Duration;

use unicode_width::UnicodeWidthStr as _;

pub(crate) use hygge_core::{count, count_rows as rows};

/// `1 entity`, `12 entities`.
pub(crate) fn many(n: u64, one: &str, several: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { several })
}

/// How many columns of a terminal a text takes: a Chinese letter takes two.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// A text with spaces behind it, as wide as that.
pub(crate) fn padded(text: &str, wide: usize) -> String {
    format!("{text}{}", " ".repeat(wide.saturating_sub(width(text))))
}

/// The beginning of a text, as much as fits.
pub(crate) fn beginning(text: &str, room: usize) -> &str {
    let fits = text
        .char_indices()
        .map(|(at, letter)| at + letter.len_utf8());
    let end = fits.take_while(|end| width(&text[..*end]) <= room).last();
    &text[..end.unwrap_or_default()]
}

/// A text that is too long without its middle: names often differ at their end.
pub(crate) fn shortened(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let tail = room.saturating_sub(1) / 2;
    let start = beginning(text, room.saturating_sub(1 + tail));
    let mut ends = text.char_indices().map(|(at, _)| &text[at..]);
    let end = ends.find(|end| width(end) <= tail).unwrap_or_default();
    format!("{start}…{end}")
}

/// `999 B`, `1.2 MiB`.
pub(crate) fn bytes(n: u64) -> String {
    if n < 1024 {
        return format!("{n} B");
    }
    let mut value = float(n);
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
        // 1023.97 KiB would round to 1024.0.
        if value < 1023.95 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// `0.04 s`, `12.3 s`, `4 min 02 s`, `3 h 05 min`.
pub(crate) fn time(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    if seconds < 9.995 {
        format!("{seconds:.2} s")
    } else if seconds < 59.95 {
        format!("{seconds:.1} s")
    } else {
        let whole = span.as_secs() + u64::from(span.subsec_millis() >= 500);
        if whole < 3600 {
            format!("{} min {:02} s", whole / 60, whole % 60)
        } else {
            format!("{} h {:02} min", whole / 3600, whole % 3600 / 60)
        }
    }
}

/// [`time`] of a number of seconds that came from elsewhere.
pub(crate) fn seconds(seconds: f64) -> String {
    time(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// `45,300` a second; none when there is nothing to divide.
pub(crate) fn rate(n: u64, seconds: f64) -> Option<u64> {
    if n == 0 || seconds < 0.000_001 {
        return None;
    }
    // Below 100 ms the rate says more about the clock than about the data: two digits will do.
    let exact = float(n) / seconds;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate of rows fits, and casts saturate"
    )]
    Some(exact.round() as u64)
}

/// Time left, from what was done of a known whole since the start.
pub(crate) fn left(done: u64, whole: u64, spent: Duration) -> Option<Duration> {
    if done == 0 || whole <= done || spent < Duration::from_secs(1) {
        return None;
    }
    let share = float(whole - done) / float(done);
    Duration::try_from_secs_f64(spent.as_secs_f64() * share).ok()
}

/// How far something is, of how much: by rows, or where nobody knows how many there are, by bytes
/// of the source.
pub(crate) fn far(
    rows: (u64, Option<u64>),
    bytes: (Option<u64>, Option<u64>),
) -> Option<(u64, u64)> {
    let of_rows = rows.1.map(|whole| (rows.0, whole));
    of_rows.or_else(|| bytes.0.zip(bytes.1))
}

/// How much of a known whole is done, in percent.
pub(crate) fn percent(done: u64, whole: u64) -> u64 {
    if whole == 0 {
        return 100;
    }
    u64::try_from(u128::from(done.min(whole)) * 100 / u128::from(whole)).unwrap_or(100)
}

fn float(n: u64) -> f64 {
    // Exact up to 2^53, which is 9 PB or 9,000 trillion rows; beyond, the nearest.
    n as f64
}

/// `2026-11-22 17:09:08Z`, for people.
pub(crate) fn moment(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_write_them() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(336_776), "336,776");
        assert_eq!(rows(1), "1 row");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1024), "1.0 KiB");
        assert_eq!(bytes((1 << 20) - 1), "1.0 MiB");
        assert_eq!(bytes(1_258_291), "1.2 MiB");
        assert_eq!(bytes(u64::MAX), "16384.0 PiB");
    }

    #[test]
    fn times_as_people_say_them() {
        let show = |ms| time(Duration::from_millis(ms));
        assert_eq!(show(4), "0.00 s");
        assert_eq!(show(9_990), "9.99 s");
        assert_eq!(show(9_999), "10.0 s");
        assert_eq!(show(59_999), "1 min 00 s");
        assert_eq!(show(242_000), "4 min 02 s");
        assert_eq!(show(11_100_000), "3 h 05 min");
    }

    #[test]
    fn what_is_left() {
        let ten = Duration::from_secs(10);
        assert_eq!(left(250, 1_000, ten), Some(Duration::from_secs(30)));
        assert_eq!(left(0, 1_000, ten), None);
        assert_eq!(left(1_000, 1_000, ten), None);
        assert_eq!(percent(999, 1_000), 99);
        assert_eq!(percent(2_000, 1_000), 100);
        assert_eq!(percent(0, 0), 100);
    }
}
