//! Secrets that a plugin knows, kept out of what it says: of its log lines, faults and findings.

use std::sync::{Mutex, PoisonError};

use crate::fault::clean;

/// Shorter values would blot out half of every text, and hide nothing that can't be guessed.
const LEAST: usize = 4;

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
        let whole = clean(&self.over(text), usize::MAX);
        clean(&self.over(&whole), most)
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
