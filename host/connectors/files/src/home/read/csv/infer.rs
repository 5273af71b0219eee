//! Types of text values, guessed without ever losing anything: `007` stays text, a number with
//! more digits than a float holds stays text.

use arrow_schema::{DataType, TimeUnit};
use hygge_core::written;

use crate::home::read::exact_floats::float64_holds;

/// Which types all values seen so far have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidates {
    bits: u8,
    seen: bool,
    /// A timestamp with more than six digits of fraction was seen.
    nanos: bool,
}

const BOOL: u8 = 1;
const INT: u8 = 2;
const FLOAT: u8 = 4;
const DATE: u8 = 8;
const MOMENT: u8 = 16;
const ZONED: u8 = 32;
const ALL: u8 = 63;

impl Default for Candidates {
    fn default() -> Self {
        Self {
            bits: ALL,
            seen: false,
            nanos: false,
        }
    }
}

impl Candidates {
    /// Looks at a value that isn't NULL.
    pub(crate) fn see(&mut self, text: &str) {
        self.seen = true;
        if self.bits == 0 {
            return;
        }
        let text = text.trim_ascii();
        let mut bits = 0;
        if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
            bits |= BOOL;
        }
        if is_int(text) {
            bits |= INT;
        }
        if is_float(text) {
            bits |= FLOAT;
        }
        match text.as_bytes() {
            [_, _, _, _, b'-', _, _, b'-', _, _] if written::date(text).is_some() => {
                bits |= DATE | MOMENT;
            }
            [_, _, _, _, b'-', _, _, b'-', _, _, b'T' | b' ', ..] => {
                if written::moment(text, TimeUnit::Nanosecond, None).is_some() {
                    bits |= MOMENT;
                } else if written::says_zone(text) {
                    bits |= ZONED;
                }
                self.nanos |= fraction_digits(text) > 6;
            }
            _ => {}
        }
        self.bits &= bits;
    }

    /// Takes over what another part of the column showed.
    pub(crate) fn join(&mut self, other: Self) {
        self.bits &= other.bits;
        self.seen |= other.seen;
        self.nanos |= other.nanos;
    }

    /// The narrowest type all values have.
    pub(crate) fn data_type(self) -> DataType {
        let unit = if self.nanos {
            TimeUnit::Nanosecond
        } else {
            TimeUnit::Microsecond
        };
        let has = |bit: u8| self.bits & bit != 0;
        if !self.seen {
            DataType::Utf8
        } else if has(BOOL) {
            DataType::Boolean
        } else if has(INT) {
            DataType::Int64
        } else if has(FLOAT) {
            DataType::Float64
        } else if has(DATE) {
            DataType::Date32
        } else if has(MOMENT) {
            DataType::Timestamp(unit, None)
        } else if has(ZONED) {
            DataType::Timestamp(unit, Some("UTC".into()))
        } else {
            DataType::Utf8
        }
    }
}

/// A whole number as a computer writes it: `-12`, not `+12`, `012` or `-0`.
pub(super) fn is_int(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = match digits.as_bytes() {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    plain && text.parse::<i64>().is_ok()
}

/// A number that a float64 holds as well as its text does: a whole one exactly, a fraction of no
/// more digits than floats are written with.
pub(super) fn is_float(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if matches!(digits, "NaN" | "nan" | "inf" | "Infinity") {
        return true;
    }
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (digits, None),
    };
    let exponent_fits = exponent.is_none_or(|e| {
        let digits = e.strip_prefix(['-', '+']).unwrap_or(e);
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    });
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    let significant = mantissa
        .trim_start_matches(['0', '.'])
        .bytes()
        .filter(u8::is_ascii_digit)
        .count();
    exponent_fits
        && !(whole.is_empty() && fraction.is_empty())
        && all_digits(whole)
        && all_digits(fraction)
        && !leading_zero
        && significant <= 17
        && float64_holds(text)
        && text.parse::<f64>().is_ok_and(f64::is_finite)
}

fn fraction_digits(text: &str) -> usize {
    text.split_once('.').map_or(0, |(_, rest)| {
        rest.bytes().take_while(u8::is_ascii_digit).count()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hygge_core::type_name;

    fn inferred(values: &[&str]) -> String {
        let mut candidates = Candidates::default();
        for value in values {
            candidates.see(value);
        }
        type_name(&candidates.data_type())
    }

    #[test]
    fn guesses() {
        assert_eq!(inferred(&[]), "string");
        assert_eq!(inferred(&["1", "-20", " 3"]), "int64");
        assert_eq!(inferred(&["1", "2.5", "1e-3", "NaN"]), "float64");
        assert_eq!(inferred(&["true", "FALSE"]), "bool");
        assert_eq!(inferred(&["9007199254740993", "1"]), "int64");
        assert_eq!(inferred(&["9007199254740992", "1.5"]), "float64");
        assert_eq!(inferred(&["2013-01-01"]), "date");
        assert_eq!(
            inferred(&["2013-01-01", "2013-01-01 10:00:00"]),
            "timestamp[us]"
        );
        assert_eq!(
            inferred(&["2013-01-01T10:00:00.123456789"]),
            "timestamp[ns]"
        );
        assert_eq!(
            inferred(&["2013-01-01T10:00:00Z", "2013-01-01 10:00:00+02:00"]),
            "timestamp[us, UTC]"
        );
    }

    #[test]
    fn what_would_lose_something_stays_text() {
        for values in [
            ["007", "8"],
            ["+1", "2"],
            ["1", "x"],
            ["true", "1"],
            ["2013-13-01", "2013-01-01"],
            ["2016-12-31 23:59:60", "2017-01-01 00:00:00"],
            ["2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"],
            ["2013-01-01T10:00:00Z", "2013-01-01T10:00:00"],
            ["12345678901234567890", "1"],
            ["123456789012345678.5", "1"],
            ["9007199254740993", "1.5"],
            ["1e3", "-9007199254740993"],
            ["1e999", "1"],
            ["0x10", "1"],
            ["1,5", "1"],
        ] {
            assert_eq!(inferred(&values), "string", "{values:?}");
        }
    }
}
