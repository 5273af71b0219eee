/// Appends UTF-16LE text as UTF-8; false, with nothing appended, when it isn't valid UTF-16.
pub(crate) fn append(bytes: &[u8], into: &mut Vec<u8>) -> bool {
    let start = into.len();
    let (units, odd) = bytes.as_chunks::<2>();
    if !odd.is_empty() {
        return false;
    }
    let mut rest = units;
    loop {
        // Most text is ASCII: eight units at a time, with one look at all their upper bits.
        while let Some((eight, more)) = rest.split_first_chunk::<8>() {
            let mut ascii = [0; 8];
            let mut high = 0;
            for (unit, byte) in eight.iter().zip(&mut ascii) {
                high |= unit[1] | (unit[0] & 0x80);
                *byte = unit[0];
            }
            if high != 0 {
                break;
            }
            into.extend_from_slice(&ascii);
            rest = more;
        }
        let plain = rest
            .iter()
            .take_while(|unit| unit[1] == 0 && unit[0] < 0x80)
            .count();
        into.extend(rest[..plain].iter().map(|unit| unit[0]));
        rest = &rest[plain..];
        let Some(first) = rest.first() else {
            return true;
        };
        let first = u16::from_le_bytes(*first);
        let (code, units) = match first {
            0xD800..=0xDBFF => {
                let second = rest.get(1).map_or(0, |unit| u16::from_le_bytes(*unit));
                if !(0xDC00..=0xDFFF).contains(&second) {
                    into.truncate(start);
                    return false;
                }
                let high = u32::from(first - 0xD800) << 10;
                (0x1_0000 + high + u32::from(second - 0xDC00), 2)
            }
            _ => (u32::from(first), 1),
        };
        let Some(letter) = char::from_u32(code) else {
            into.truncate(start);
            return false;
        };
        into.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        rest = &rest[units..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_comes_back(text in "\\PC{0,40}") {
            let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let mut into = b"before".to_vec();
            prop_assert!(append(&bytes, &mut into));
            prop_assert_eq!(&into[6..], text.as_bytes());
        }

        #[test]
        fn it_agrees_with_the_standard_library(units in proptest::collection::vec(any::<u16>(), 0..30)) {
            let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
            let mut into = Vec::new();
            let well = append(&bytes, &mut into);
            match String::from_utf16(&units) {
                Ok(text) => prop_assert_eq!((well, into), (true, text.into_bytes())),
                Err(_) => prop_assert_eq!((well, into), (false, Vec::new())),
            }
        }
    }

    #[test]
    fn half_a_unit_is_no_text() {
        assert!(!append(&[65], &mut Vec::new()));
    }
}
