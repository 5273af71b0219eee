use blake3::Hasher;

/// What makes a mask one's own: without it nobody can try values until one fits.
///
/// BLAKE3 in its keyed mode: one compression for values up to 64 bytes, the same in every build
/// (the portable code runs in WebAssembly), and available outside of hygge too. The key of a mask
/// is `blake3::derive_key(CONTEXT, text of the key)`.
#[derive(Clone)]
pub struct Key {
    hash: Hasher,
    tokens: Hasher,
}

impl Key {
    /// The context of the key that values are hashed with.
    pub const HASH: &'static str = "hygge mask 2026-11-22 hash";
    /// The context of the key that tokens are made with.
    pub const TOKENS: &'static str = "hygge mask 2026-11-22 tokenise";

    /// From the text in the settings.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let hasher = |context| Hasher::new_keyed(&blake3::derive_key(context, text.as_bytes()));
        Self {
            hash: hasher(Self::HASH),
            tokens: hasher(Self::TOKENS),
        }
    }

    /// The first 128 bits of the keyed hash of a value, as 32 lower-case hexadecimal digits.
    #[must_use]
    pub fn hash(&self, value: &[u8]) -> [u8; 32] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let hash = self.hash.clone().update(value).finalize();
        let mut text = [0; 32];
        for (pair, byte) in text.chunks_exact_mut(2).zip(hash.as_bytes()) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        text
    }

    /// Puts another letter in the place of each letter and another digit in the place of each
    /// digit, all of them dependent on the whole value; the rest stays. Appends to `into`.
    pub fn tokenise(&self, value: &str, into: &mut String) {
        let mut random = self.tokens.clone().update(value.as_bytes()).finalize_xof();
        let mut block = [0_u8; 64];
        let mut at = block.len();
        for letter in value.chars() {
            let (first, many) = if letter.is_numeric() {
                (b'0', 10)
            } else if letter.is_uppercase() {
                (b'A', 26)
            } else if letter.is_alphabetic() {
                (b'a', 26)
            } else {
                into.push(letter);
                continue;
            };
            if at == block.len() {
                random.fill(&mut block);
                at = 0;
            }
            let number = u16::from_le_bytes([block[at], block[at + 1]]);
            at += 2;
            // Less than 26, so it stays a byte.
            let step = (number % many).to_le_bytes()[0];
            into.push(char::from(first + step));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_what_anyone_computes_with_the_key() {
        let key = blake3::derive_key(Key::HASH, b"k");
        let expected = blake3::keyed_hash(&key, b"ada@example.com").to_hex();
        assert_eq!(
            Key::new("k").hash(b"ada@example.com"),
            expected.as_bytes()[..32]
        );
    }

    #[test]
    fn a_token_has_the_shape_of_its_value() {
        let mut token = String::new();
        Key::new("k").tokenise("Ada Lovelace, +49 (30) 12-34 Ünïcode ٣", &mut token);
        let shape: String = token
            .chars()
            .map(|c| match c {
                '0'..='9' => '9',
                'A'..='Z' => 'A',
                'a'..='z' => 'a',
                other => other,
            })
            .collect();
        assert_eq!(shape, "Aaa Aaaaaaaa, +99 (99) 99-99 Aaaaaaa 9");
        let mut other = String::new();
        Key::new("l").tokenise("Ada Lovelace, +49 (30) 12-34 Ünïcode ٣", &mut other);
        assert_ne!(token, other);
    }
}
