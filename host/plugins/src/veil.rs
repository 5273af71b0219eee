//! Secrets that a plugin knows, kept out of what it says: of its log lines, faults and findings.

use std::sync::{Mutex, PoisonError};

use crate::fault::clean;

/// Shorter values would blot out half of every text, and hide nothing that can't be guessed.
const LEAST: usize = 4;

/// Bytes of a text that are looked at, several times what is shown of any.
const LOOKED_AT: usize = 64 << 10;

/// The values that may not be shown.
#[derive(Default)]
pub(crate) struct Veil(Mutex<Vec<String>>);

impl Veil {
    /// Hides a value from now on.
    pub(crate) fn hide(&self, value: &str) {
        let mut hidden = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if value.len() >= LEAST && !hidden.iter().any(|each| each == value) {
            hidden.push(value.to_owned());
            // The longest first: one may be a part of another.
            hidden.sort_by_key(|each| std::cmp::Reverse(each.len()));
        }
    }

    /// The text as one line that is safe to show, at most so long, with stars where secrets
    /// stood. Looked for before cleaning and after it: cleaning puts together what a character
    /// that isn't shown held apart, and takes apart a secret of several lines.
    pub(crate) fn line(&self, text: &str, most: usize) -> String {
        let whole = clean(&self.over(self.beginning(text)), usize::MAX);
        clean(&self.over(&whole), most)
    }

    /// As much of a text as is looked at: one may have as many bytes as a guest has memory. No
    /// part of a secret stands at its end.
    fn beginning<'a>(&self, text: &'a str) -> &'a str {
        if text.len() <= LOOKED_AT {
            return text;
        }
        let end = text.floor_char_boundary(LOOKED_AT);
        let hidden = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = |secret: &String| {
            let from = text.floor_char_boundary(end.saturating_sub(secret.len()));
            let at = text[from..].find(secret.as_str())? + from;
            (at < end).then_some(at)
        };
        &text[..hidden.iter().filter_map(begun).min().unwrap_or(end)]
    }

    /// The text with stars where secrets stood.
    pub(crate) fn over(&self, text: &str) -> String {
        let hidden = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = text.to_owned();
        for secret in hidden.iter() {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), "***");
            }
        }
        text
    }
}

impl std::fmt::Debug for Veil {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Veil")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_blotted_out() {
        let veil = Veil::default();
        veil.hide("hunter2");
        veil.hide("hunter2-long");
        veil.hide("no");
        assert_eq!(veil.over("not hunter2-long, hunter2"), "not ***, ***");
    }

    #[test]
    fn of_a_text_without_end_the_beginning_is_looked_at() {
        let veil = Veil::default();
        veil.hide("hunter2");
        // Nothing that is shown but what stands at the end of it.
        for before in LOOKED_AT - 8..=LOOKED_AT {
            let text = format!("{}hunter2{}", "\0".repeat(before), "x".repeat(LOOKED_AT));
            let line = veil.line(&text, 100);
            assert!(!line.contains(['h', 'u', 'n', 't', 'e', 'r']), "{line}");
        }
        let long = veil.line(&"é".repeat(LOOKED_AT), usize::MAX);
        assert_eq!(long.len(), LOOKED_AT);
    }

    #[test]
    fn nothing_that_is_not_shown_holds_a_secret_apart() {
        let veil = Veil::default();
        veil.hide("hunter2");
        veil.hide("two\nlines");
        assert_eq!(veil.line("it is hun\u{200b}ter2", 100), "it is ***");
        assert_eq!(veil.line("h\u{7}unter2\u{202e}", 100), "***");
        assert_eq!(veil.line("say two\nlines", 100), "say ***");
        // Cut after the stars are in: a part of a secret is a secret.
        assert_eq!(veil.line("it is hunter2", 9), "it is ***");
    }
}
