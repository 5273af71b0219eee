//! Hashes and tokens that nobody can make again without the key.
//!
//! BLAKE3 in its keyed mode, as in `plugins/mask`: a table that one of them masked can be joined
//! with one of the other, and a test compares them.

use blake3::{Hasher, derive_key};

/// The context of the key that values are hashed with.
const HASH: &str = "hygge mask 2026-11-22 hash";
/// The context of the key that tokens are made with.
const TOKENS: &str = "hygge mask 2026-11-22 tokenise";

pub(super) struct Key {
    hash: Hasher,
    tokens: Hasher,
}

impl Key {
    pub(super) fn new(text: &str) -> Self {
        let keyed = |context| Hasher::new_keyed(&derive_key(context, text.as_bytes()));
        Self {
            hash: keyed(HASH),
            tokens: keyed(TOKENS),
        }
    }

    /// Adds the first 128 bits of a value's keyed hash, as hexadecimal digits.
    pub(super) fn hash(&self, value: &[u8], into: &mut String) {
        let hash = self.hash.clone().update(value).finalize();
        into.push_str(&hash.to_hex()[..32]);
    }

    /// Adds another letter for each letter and another digit for each digit, which all depend on
    /// the whole value; the rest stays.
    pub(super) fn tokenise(&self, value: &str, into: &mut String) {
        let mut random = self.tokens.clone().update(value.as_bytes()).finalize_xof();
        for letter in value.chars() {
            let (first, many) = match letter {
                _ if letter.is_numeric() => (b'0', 10),
                _ if letter.is_uppercase() => (b'A', 26),
                _ if letter.is_alphabetic() => (b'a', 26),
                _ => {
                    into.push(letter);
                    continue;
                }
            };
            let mut two = [0; 2];
            random.fill(&mut two);
            let [step, _] = (u16::from_le_bytes(two) % many).to_le_bytes();
            into.push(char::from(first + step));
        }
    }
}
