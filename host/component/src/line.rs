/// One line that is safe to show: without control characters and direction overrides, cut at
/// `most` bytes.
pub fn clean(text: &str, most: usize) -> String {
    let mut cleaned = String::with_capacity(text.len().min(most));
    for c in text.chars() {
        let c = match c {
            '\n' | '\t' | '\r' => ' ',
            c if c.is_control() => continue,
            '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}' => {
                continue;
            }
            c => c,
        };
        if most - cleaned.len() < c.len_utf8() {
            cleaned.push('…');
            break;
        }
        cleaned.push(c);
    }
    cleaned.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(clean("äää", 4), "ää…");
        assert_eq!(clean("a\u{9b}31mb\r\n", 100), "a31mb");
    }
}
