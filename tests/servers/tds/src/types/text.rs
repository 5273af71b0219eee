//! Texts as they are kept: UTF-8, with half a surrogate pair as the three bytes that it would have
//! (so that nvarchar, which may hold one, comes back as it was sent).

use super::Collation;

/// UTF-16, little-endian, as it is kept. An odd last byte is dropped.
pub(crate) fn from_utf16(bytes: &[u8]) -> Vec<u8> {
    let units = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    let mut text = Vec::with_capacity(bytes.len());
    let mut buffer = [0; 4];
    for unit in char::decode_utf16(units) {
        match unit {
            Ok(char) => text.extend(char.encode_utf8(&mut buffer).bytes()),
            Err(half) => {
                let unit = half.unpaired_surrogate();
                let low = |shift: u32| {
                    u8::try_from((u32::from(unit) >> shift) & 0x3F).unwrap_or_default()
                };
                text.extend([0xE0 | (low(12) & 0x0F), 0x80 | low(6), 0x80 | low(0)]);
            }
        }
    }
    text
}

/// As on the wire.
pub(crate) fn to_utf16(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() * 2);
    for unit in units(text) {
        bytes.extend(unit.to_le_bytes());
    }
    bytes
}

/// UTF-16 units of a kept text.
pub(crate) fn units(text: &[u8]) -> Vec<u16> {
    if let Ok(text) = std::str::from_utf8(text) {
        return text.encode_utf16().collect();
    }
    let mut units = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        if let [0xED, second @ 0xA0..=0xBF, third @ 0x80..=0xBF, ..] = text[at..] {
            units.push(0xD000 | (u16::from(second & 0x3F) << 6) | u16::from(third & 0x3F));
            at += 3;
            continue;
        }
        let rest = &text[at..];
        let next = rest
            .windows(2)
            .position(|pair| pair[0] == 0xED && pair[1] >= 0xA0)
            .unwrap_or(rest.len());
        let take = next.max(1);
        units.extend(String::from_utf8_lossy(&rest[..take]).encode_utf16());
        at += take;
    }
    units
}

/// A text of one code page as it is kept.
pub(crate) fn from_narrow(bytes: &[u8], collation: Collation) -> Vec<u8> {
    if bytes.is_ascii() {
        return bytes.to_vec();
    }
    let (text, _) = collation.encoding().decode_without_bom_handling(bytes);
    text.into_owned().into_bytes()
}

/// A kept text in a code page; a question mark where that has no such character.
pub(crate) fn to_narrow(text: &[u8], collation: Collation) -> Vec<u8> {
    if text.is_ascii() {
        return text.to_vec();
    }
    let text = String::from_utf8_lossy(text);
    if collation.is_utf8() {
        return text.into_owned().into_bytes();
    }
    let encoding = collation.encoding();
    let mut bytes = Vec::with_capacity(text.len());
    let mut buffer = [0; 4];
    for char in text.chars() {
        let (narrow, _, unmappable) = encoding.encode(char.encode_utf8(&mut buffer));
        if unmappable {
            bytes.push(b'?');
        } else {
            bytes.extend(narrow.iter());
        }
    }
    bytes
}
