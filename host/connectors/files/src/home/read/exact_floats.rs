//! Which numbers, as text, a float column takes.
//!
//! A fraction is rarely a float exactly, and whoever writes one as text means the nearest. A
//! whole number is an identifier or a count, where a neighbour is another one: it is taken only
//! when the float is that very number. Nor is a number without an end anybody's number.

/// Digits that every float64, and every float32, holds exactly.
const SAFE: [usize; 2] = [15, 7];

/// Whether a float64 holds a number as it is written; true for what isn't a number at all.
pub(crate) fn float64_holds(text: &str) -> bool {
    let ends = |text: &str| text.parse().map_or(true, f64::is_finite);
    holds(text, SAFE[0], ends, |whole| {
        whole.parse::<f64>().ok().map(|value| format!("{value:.0}"))
    })
}

/// As [`float64_holds`], for a float32.
pub(crate) fn float32_holds(text: &str) -> bool {
    let ends = |text: &str| text.parse().map_or(true, f32::is_finite);
    holds(text, SAFE[1], ends, |whole| {
        whole.parse::<f32>().ok().map(|value| format!("{value:.0}"))
    })
}

/// `ends` says whether the nearest float is finite, `exactly` gives that of a whole number with all
/// its digits.
fn holds(
    text: &str,
    safe: usize,
    ends: impl Fn(&str) -> bool,
    exactly: impl Fn(&str) -> Option<String>,
) -> bool {
    if text.bytes().any(|b| matches!(b, b'e' | b'E')) {
        return ends(text);
    }
    if text.len() <= safe {
        return true;
    }
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) {
        return true;
    }
    if fraction.bytes().any(|b| b != b'0') {
        return ends(text);
    }
    let whole = whole.trim_start_matches('0');
    whole.len() <= safe || exactly(whole).is_some_and(|exact| exact == whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_held_exactly_or_not_at_all() {
        for held in [
            "9007199254740992",
            "-9007199254740994",
            "9007199254740992.00",
            "100000000000000000000",
            "18446744073709551616",
            "0.12345678901234567890123",
            "1e300",
            "NaN",
        ] {
            assert!(float64_holds(held), "{held}");
        }
        for lost in [
            "9007199254740993",
            "-9007199254740993",
            "9007199254740993.0",
            "0009007199254740993",
            "18446744073709551617",
            "123456789012345678901234567890",
            "1e400",
            "-1E309",
        ] {
            assert!(!float64_holds(lost), "{lost}");
        }
        assert!(float32_holds("16777216") && !float32_holds("16777217"));
        assert!(float32_holds("1e38") && !float32_holds("1e39"));
        assert!(!float32_holds("400000000000000000000000000000000000000.5"));
    }
}
