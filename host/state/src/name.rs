//! Names of flows and entities as names of files.
//!
//! A name may hold anything; a file name may not, and must never lead out of its folder. So
//! all but letters, digits, `-`, `_` and `.` becomes `%` and two hex digits a byte, also a dot
//! at the beginning. Names that would be too long keep their beginning and get a hash; a `~`
//! marks them, which no other name holds.

use xxhash_rust::xxh3::xxh3_128;

/// Room for a name, so that what is added to it stays below the 255 bytes of a file name.
pub(crate) const LONG: usize = 150;

/// The name as (part of) a file name of at most `room` bytes.
pub(crate) fn file_name(name: &str, room: usize) -> String {
    let mut safe = escape(name, |c, first| {
        c.is_alphanumeric() || matches!(c, '-' | '_') || (c == '.' && !first)
    });
    if safe.is_empty() {
        // No escaped name is a single `%`.
        safe.push('%');
    }
    shorten(safe, name, room)
}

/// As [`file_name`], but without any dot: what follows a dot is something else.
pub(crate) fn file_name_without_dots(name: &str, room: usize) -> String {
    let safe = escape(name, |c, _| c.is_alphanumeric() || matches!(c, '-' | '_'));
    shorten(safe, name, room)
}

fn escape(name: &str, stays: impl Fn(char, bool) -> bool) -> String {
    let mut safe = String::with_capacity(name.len());
    for (at, c) in name.char_indices() {
        if stays(c, at == 0) {
            safe.push(c);
        } else {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                safe.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    safe
}

fn shorten(safe: String, name: &str, room: usize) -> String {
    if safe.len() <= room {
        return safe;
    }
    let hash = format!("~{:032x}", xxh3_128(name.as_bytes()));
    let mut end = room.saturating_sub(hash.len());
    while !safe.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{hash}", &safe[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    /// What `file_name` can be undone by; the product itself reads names from inside files.
    fn back(safe: &str) -> Option<String> {
        if safe == "%" {
            return Some(String::new());
        }
        let mut bytes = Vec::new();
        let mut rest = safe.as_bytes();
        while let Some((&first, tail)) = rest.split_first() {
            if first == b'%' {
                let hex = std::str::from_utf8(tail.get(..2)?).ok()?;
                bytes.push(u8::from_str_radix(hex, 16).ok()?);
                rest = &tail[2..];
            } else {
                bytes.push(first);
                rest = tail;
            }
        }
        String::from_utf8(bytes).ok()
    }

    proptest! {
        #[test]
        fn a_file_name_is_one_component_and_can_be_undone(name in any::<String>()) {
            let safe = file_name(&name, LONG);
            prop_assert!(!safe.is_empty() && safe.len() <= LONG);
            prop_assert!(!safe.starts_with('.') && !safe.contains(['/', '\\', '\0', ':']));
            if !safe.contains('~') {
                prop_assert_eq!(back(&safe), Some(name));
            }
        }
    }

    #[test]
    fn names_stay_apart() {
        let long = "x".repeat(400);
        let longer = "x".repeat(401);
        let names = [
            "", ".", "..", "../x", "a/b", "a%2Fb", "a b", "a.b", ".a", "%", "~", "ü", "Orders",
            "orders", "\n", &long, &longer,
        ];
        let mut seen = HashMap::new();
        for name in names {
            let safe = file_name(name, LONG);
            assert_eq!(seen.insert(safe.clone(), name), None, "{safe}");
        }
        assert_eq!(file_name("public.orders", LONG), "public.orders");
        assert_eq!(file_name("../x", LONG), "%2E.%2Fx");
        assert_eq!(file_name_without_dots("a.b", LONG), "a%2Eb");
    }
}
