//! The semicolons that end something.
//!
//! As SQLite reads a text: what is a text, a name or a comment of it is found where it finds one, as
//! what is cut elsewhere would be run as something else.

/// Those of a text, and its end.
pub(crate) struct Semicolons<'a> {
    sql: &'a [u8],
    at: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Semicolon {
    /// Where what it ends is over.
    pub(crate) end: usize,
    /// Nothing but the word END stands between it and the one before, so it may be a trigger's last.
    pub(crate) closes: bool,
}

impl<'a> Semicolons<'a> {
    pub(crate) fn of(sql: &'a str) -> Self {
        Self {
            sql: sql.as_bytes(),
            at: 0,
        }
    }
}

impl Iterator for Semicolons<'_> {
    type Item = Semicolon;

    fn next(&mut self) -> Option<Semicolon> {
        if self.at == self.sql.len() {
            return None;
        }
        let (mut empty, mut closes) = (true, false);
        loop {
            let rest = &self.sql[self.at..];
            // A quote that is written twice ends one text and begins the next.
            let (length, blank) = match rest {
                [] | [b';', ..] => {
                    self.at += rest.len().min(1);
                    return Some(Semicolon {
                        end: self.at,
                        closes,
                    });
                }
                [b'-', b'-', ..] => (through(rest, 2, b"\n"), true),
                [b'/', b'*', ..] => (through(rest, 2, b"*/"), true),
                [0xef, 0xbb, 0xbf, ..] => (3, true),
                [quote @ (b'\'' | b'"' | b'`'), ..] => (through(rest, 1, &[*quote]), false),
                [b'[', ..] => (through(rest, 1, b"]"), false),
                [byte, ..] if in_word(*byte) => {
                    let others = rest.iter().position(|byte| !in_word(*byte));
                    (others.unwrap_or(rest.len()), false)
                }
                [byte, ..] => (1, byte.is_ascii_whitespace()),
            };
            if !blank {
                closes = empty && rest[..length].eq_ignore_ascii_case(b"end");
                empty = false;
            }
            self.at += length;
        }
    }
}

/// How far it is through what closes something that is so many letters long itself.
fn through(rest: &[u8], opening: usize, closing: &[u8]) -> usize {
    let mut after = rest[opening..].windows(closing.len());
    match after.position(|each| each == closing) {
        Some(at) => opening + at + closing.len(),
        None => rest.len(),
    }
}

fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_within_something_end_nothing() {
        for (sql, parts) in [
            ("", vec![]),
            (";", vec![(";", false)]),
            ("a", vec![("a", false)]),
            ("a;b; ", vec![("a;", false), ("b;", false), (" ", false)]),
            (
                "'a;''b;' \";\" `;` [;] é;x",
                vec![("'a;''b;' \";\" `;` [;] é;", false), ("x", false)],
            ),
            (
                "a -- ;'\n;b /* ; -- */;",
                vec![("a -- ;'\n;", false), ("b /* ; -- */;", false)],
            ),
            ("a /*/;*/ - - ;", vec![("a /*/;*/ - - ;", false)]),
            (
                "END;end -- ;\n;bend;",
                vec![("END;", true), ("end -- ;\n;", true), ("bend;", false)],
            ),
            (
                "CASE a WHEN b THEN c END; /* a */\u{feff}END;END a;'a'END;(END;",
                vec![
                    ("CASE a WHEN b THEN c END;", false),
                    (" /* a */\u{feff}END;", true),
                    ("END a;", false),
                    ("'a'END;", false),
                    ("(END;", false),
                ],
            ),
            ("a 'b;", vec![("a 'b;", false)]),
            ("a /* b;", vec![("a /* b;", false)]),
        ] {
            let mut at = 0;
            let found: Vec<_> = Semicolons::of(sql)
                .map(|Semicolon { end, closes }| {
                    let part = &sql[at..end];
                    at = end;
                    (part, closes)
                })
                .collect();
            assert_eq!(found, parts, "{sql}");
        }
    }
}
