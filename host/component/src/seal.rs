//! Writing the description into a component.

use crate::inspect::SECTION;

/// The component with a section that holds the description, in the place of one it had itself.
pub fn seal(component: &[u8], description: &[u8]) -> Result<Vec<u8>, String> {
    let mut sealed = Vec::with_capacity(component.len() + description.len() + 32);
    let mut at = 0;
    for (from, to) in own_sections(component)? {
        sealed.extend_from_slice(&component[at..from]);
        at = to;
    }
    sealed.extend_from_slice(&component[at..]);
    let mut payload = Vec::new();
    leb128(&mut payload, SECTION.len());
    payload.extend_from_slice(SECTION.as_bytes());
    payload.extend_from_slice(description);
    sealed.push(0);
    leb128(&mut sealed, payload.len());
    sealed.extend_from_slice(&payload);
    Ok(sealed)
}

/// Where the component's own description sections begin and end, headers included.
fn own_sections(component: &[u8]) -> Result<Vec<(usize, usize)>, String> {
    let broken = || "it is damaged: a section ends outside the file".to_owned();
    let mut found = Vec::new();
    // After the magic number and the version, everything is `id, length, bytes`.
    let mut at = 8;
    while at < component.len() {
        let from = at;
        let id = component[at];
        let (length, bytes) = read_leb128(&component[at + 1..]).ok_or_else(broken)?;
        let body = at + 1 + bytes;
        at = body.checked_add(length).ok_or_else(broken)?;
        let body = component.get(body..at).ok_or_else(broken)?;
        if id == 0
            && let Some((length, bytes)) = read_leb128(body)
            && body.get(bytes..bytes + length) == Some(SECTION.as_bytes())
        {
            found.push((from, at));
        }
    }
    Ok(found)
}

fn leb128(out: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or(0);
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// A length of up to 32 bits, and how many bytes it takes.
fn read_leb128(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value: u64 = 0;
    for (n, byte) in bytes.iter().take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * n);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, n + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sealing_again_replaces() {
        let empty = b"\0asm\x0d\0\x01\0".to_vec();
        let once = seal(&empty, b"one").unwrap();
        let twice = seal(&once, &[b'2'; 300]).unwrap();
        assert_eq!(twice, seal(&empty, &[b'2'; 300]).unwrap());
        assert!(
            wasmparser::Parser::new(0)
                .parse_all(&twice)
                .all(|p| p.is_ok())
        );
    }

    proptest! {
        #[test]
        fn lengths_read_back(value in 0_usize..u32::MAX as usize) {
            let mut bytes = Vec::new();
            leb128(&mut bytes, value);
            prop_assert_eq!(read_leb128(&bytes), Some((value, bytes.len())));
        }

        #[test]
        fn damage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(seal(&bytes, b"x"));
            crate::fuzz_component(&bytes);
        }
    }
}
