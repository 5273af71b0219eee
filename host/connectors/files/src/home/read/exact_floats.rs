//! Which numbers, as text, a float column takes.
//!
//! A fraction is rarely a float exactly, and whoever writes one as text means the nearest. A
//! whole number is an identifier or a count, where a neighbour is another one: it is taken only
//! when the float is that very number.

/// Digits that every float64, and every float32, holds exactly.
const SAFE: [usize; 2] = [15, 7];

/// Whether a float64 holds a number as it is written; true for what isn't a number at all.
pub(crate) fn float64_holds(text: &str) -> bool {
    holds(text, SAFE[0], |whole| {
        whole.parse::<f64>().ok().map(|value| format!("{value:.0}"))
    })
}

/// As [`float64_holds`], for a float32.
pub(crate) fn float32_holds(text: &str) -> bool {
    holds(text, SAFE[1], |whole| {
        whole.parse::<f32>().ok().map(|value| format!("{value:.0}"))
    })
}

/// `exactly` gives the nearest float of a whole number with all its digits.
fn holds(text: &str, safe: usize, exactly: impl Fn(&str) -> Option<String>) -> bool {
    if text.len() <= safe {
        return true;
    }
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || fraction.bytes().any(|b| b != b'0') {
        return true;
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
        ] {
            assert!(!float64_holds(lost), "{lost}");
        }
        assert!(float32_holds("16777216") && !float32_holds("16777217"));
    }
}
