//! Cuts CSV text into values.
//!
//! An own cutter, since three things matter that others don't tell: whether a value was quoted
//! (a quoted empty value is an empty text, not NULL), the true line of every row (quoted values
//! may hold line ends), and a quote that is never closed.

use hygge_core::{Fault, Result};
use memchr::{memchr, memchr_iter, memchr2, memchr3};

use super::super::at_line;
use crate::config::CsvOptions;

/// Rows cut into values; every row has the same number of them.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    /// The text of all values, one after the other, without quotes.
    pub data: Vec<u8>,
    /// Where each value ends in `data`.
    pub ends: Vec<usize>,
    /// Whether each value was quoted.
    pub quoted: Vec<bool>,
    /// The line each row begins in, counted from 1.
    pub lines: Vec<u64>,
}

impl Tokens {
    pub(crate) fn rows(&self) -> usize {
        self.lines.len()
    }

    pub(crate) fn clear(&mut self) {
        self.data.clear();
        self.ends.clear();
        self.quoted.clear();
        self.lines.clear();
    }

    /// About how many bytes the rows take as Arrow.
    pub(crate) fn bytes(&self) -> usize {
        self.data.len() + self.ends.len() * 5
    }

    /// The place of a value in `data`.
    pub(crate) fn range(&self, index: usize) -> std::ops::Range<usize> {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[index]
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before the first value of a row.
    Row,
    /// Before a value.
    Value,
    /// In a value without quotes.
    Plain,
    /// Between quotes.
    Quoted,
    /// After an escape between quotes.
    Escaped,
    /// After a quote that ends the value, or is the first of two.
    Closing,
}

/// The state of cutting one file.
#[derive(Debug)]
pub(crate) struct Cutter {
    delimiter: u8,
    quote: Option<u8>,
    escape: Option<u8>,
    at: At,
    /// The line reading is in, counted from 1.
    line: u64,
    /// The line the current row began in.
    began: u64,
    /// Values the current row has so far.
    values: usize,
    /// Values every row has, once known.
    pub width: Option<usize>,
    /// The last byte was a carriage return that ended a row; a line feed belongs to it.
    returned: bool,
    /// Whether the current value is quoted.
    quoted: bool,
}

impl Cutter {
    pub(crate) fn new(options: &CsvOptions) -> Self {
        Self {
            delimiter: options.delimiter,
            quote: options.quote,
            escape: options.escape,
            at: At::Row,
            line: 1,
            began: 1,
            values: 0,
            width: None,
            returned: false,
            quoted: false,
        }
    }

    /// Cuts rows out of `text` into `tokens` until there are `rows` of them or the text ends;
    /// gives how many bytes were used. Values may go on in the next text.
    pub(crate) fn cut(
        &mut self,
        text: &[u8],
        tokens: &mut Tokens,
        rows: usize,
        name: &str,
    ) -> Result<usize> {
        let mut at = 0;
        while at < text.len() && tokens.rows() < rows {
            let byte = text[at];
            match self.at {
                At::Row => {
                    at += 1;
                    if byte == b'\n' && std::mem::take(&mut self.returned) {
                        // The second half of the line end before.
                        continue;
                    }
                    self.returned = false;
                    self.began = self.line;
                    match byte {
                        b'\n' | b'\r' => {
                            // An empty line is nothing, except where a row is one value.
                            if self.width == Some(1) {
                                self.end_value(tokens);
                                self.end_row(tokens, name)?;
                            }
                            self.line_ended(byte);
                        }
                        _ => {
                            at -= 1;
                            self.at = At::Value;
                        }
                    }
                }
                At::Value => {
                    self.quoted = false;
                    if Some(byte) == self.quote {
                        self.quoted = true;
                        self.at = At::Quoted;
                        at += 1;
                    } else {
                        self.at = At::Plain;
                    }
                }
                At::Plain => {
                    let rest = &text[at..];
                    let Some(length) = memchr3(self.delimiter, b'\n', b'\r', rest) else {
                        tokens.data.extend_from_slice(rest);
                        return Ok(text.len());
                    };
                    tokens.data.extend_from_slice(&rest[..length]);
                    at += length + 1;
                    self.end_value(tokens);
                    self.after_value(rest[length], tokens, name)?;
                }
                At::Quoted => {
                    let rest = &text[at..];
                    let quote = self.quote.unwrap_or(b'"');
                    let found = match self.escape {
                        Some(escape) => memchr2(quote, escape, rest),
                        None => memchr(quote, rest),
                    };
                    let length = found.unwrap_or(rest.len());
                    self.line += memchr_iter(b'\n', &rest[..length]).count() as u64;
                    tokens.data.extend_from_slice(&rest[..length]);
                    at += length;
                    if found.is_some() {
                        at += 1;
                        self.at = if rest[length] == quote {
                            At::Closing
                        } else {
                            At::Escaped
                        };
                    }
                }
                At::Escaped => {
                    self.line += u64::from(byte == b'\n');
                    // In front of anything else it is a character as others: `"C:\temp"`.
                    if Some(byte) != self.quote && Some(byte) != self.escape {
                        tokens.data.extend(self.escape);
                    }
                    tokens.data.push(byte);
                    at += 1;
                    self.at = At::Quoted;
                }
                At::Closing => {
                    at += 1;
                    if Some(byte) == self.quote && self.escape.is_none() {
                        tokens.data.push(byte);
                        self.at = At::Quoted;
                    } else if byte == self.delimiter || byte == b'\n' || byte == b'\r' {
                        self.end_value(tokens);
                        self.after_value(byte, tokens, name)?;
                    } else {
                        return Err(at_line(
                            name,
                            self.line,
                            &format!(
                                "value {} goes on after its closing quote",
                                self.values + 1
                            ),
                        )
                        .advise("a quote within a quoted value is doubled, or set `escape`; if quotes are plain text, set `quote: none`"));
                    }
                }
            }
        }
        Ok(at)
    }

    /// The line in which the row began that was cut last, whole or not.
    pub(super) fn began(&self) -> u64 {
        self.began
    }

    /// The text has ended: a last row may lack its line end.
    pub(crate) fn finish(&mut self, tokens: &mut Tokens, name: &str) -> Result<()> {
        match self.at {
            At::Row => Ok(()),
            At::Quoted | At::Escaped => Err(at_line(
                name,
                self.began,
                &format!(
                    "the quote that opens value {} is never closed",
                    self.values + 1
                ),
            )
            .advise("close it, or set `quote: none` if quotes are plain text")),
            At::Value | At::Plain | At::Closing => {
                self.end_value(tokens);
                self.end_row(tokens, name)
            }
        }
    }

    /// Whether reading is between two rows.
    pub(crate) fn between_rows(&self) -> bool {
        self.at == At::Row
    }

    fn end_value(&mut self, tokens: &mut Tokens) {
        tokens.ends.push(tokens.data.len());
        tokens.quoted.push(std::mem::take(&mut self.quoted));
        self.values += 1;
    }

    fn after_value(&mut self, byte: u8, tokens: &mut Tokens, name: &str) -> Result<()> {
        if byte == self.delimiter {
            self.at = At::Value;
            return Ok(());
        }
        self.end_row(tokens, name)?;
        self.line_ended(byte);
        Ok(())
    }

    fn end_row(&mut self, tokens: &mut Tokens, name: &str) -> Result<()> {
        let values = std::mem::take(&mut self.values);
        let width = *self.width.get_or_insert(values);
        if values != width {
            return Err(ragged(name, self.began, values, width));
        }
        tokens.lines.push(self.began);
        self.at = At::Row;
        Ok(())
    }

    fn line_ended(&mut self, byte: u8) {
        self.line += 1;
        self.returned = byte == b'\r';
        self.at = At::Row;
    }
}

fn ragged(name: &str, line: u64, values: usize, width: usize) -> Fault {
    let plural = if values == 1 { "" } else { "s" };
    at_line(
        name,
        line,
        &format!("the row has {values} value{plural}, not {width}"),
    )
    .advise("check `delimiter` and `quote`, or mend the line")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Values, and whether each was quoted.
    type Row = Vec<(String, bool)>;

    fn cut(text: &[u8], options: &CsvOptions, chunk: usize) -> Result<(Vec<Row>, Vec<u64>)> {
        let mut cutter = Cutter::new(options);
        let mut tokens = Tokens::default();
        for part in text.chunks(chunk) {
            let used = cutter.cut(part, &mut tokens, usize::MAX, "x.csv")?;
            assert_eq!(used, part.len());
        }
        cutter.finish(&mut tokens, "x.csv")?;
        let width = cutter.width.unwrap_or(1);
        let values: Vec<(String, bool)> = (0..tokens.ends.len())
            .map(|n| {
                let text = String::from_utf8_lossy(&tokens.data[tokens.range(n)]).into_owned();
                (text, tokens.quoted[n])
            })
            .collect();
        let rows = values.chunks(width).map(<[_]>::to_vec).collect();
        Ok((rows, tokens.lines))
    }

    fn texts(text: &str) -> (Vec<Vec<String>>, Vec<u64>) {
        let (rows, lines) = cut(text.as_bytes(), &CsvOptions::default(), 1).unwrap();
        let rows = rows
            .into_iter()
            .map(|r| r.into_iter().map(|(v, _)| v).collect())
            .collect();
        (rows, lines)
    }

    #[test]
    fn lines_are_those_of_an_editor() {
        let (rows, lines) = texts("a,b\r\n\"1\n2\",3\n\n4,\"x\"\"y\"\r5,6");
        assert_eq!(rows, [["a", "b"], ["1\n2", "3"], ["4", "x\"y"], ["5", "6"]]);
        assert_eq!(lines, [1, 2, 5, 6]);
    }

    #[test]
    fn a_single_column_keeps_its_empty_rows() {
        let (rows, lines) = texts("a\n\n1\n\n");
        assert_eq!(rows, [["a"], [""], ["1"], [""]]);
        assert_eq!(lines, [1, 2, 3, 4]);
        assert_eq!(texts("a,b\n\n1,2\n\n").0.len(), 2);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let fails = |text: &str| {
            cut(text.as_bytes(), &CsvOptions::default(), 3)
                .unwrap_err()
                .message
        };
        assert_eq!(
            fails("a,b\n1\n"),
            "x.csv, line 2: the row has 1 value, not 2"
        );
        assert_eq!(
            fails("a,b\n1,\"2\n3"),
            "x.csv, line 2: the quote that opens value 2 is never closed"
        );
        assert_eq!(
            fails("a,b\n1,\"2\"3\n"),
            "x.csv, line 2: value 2 goes on after its closing quote"
        );
    }

    #[test]
    fn escapes_and_unquoted_text() {
        let escaped = CsvOptions {
            escape: Some(b'\\'),
            ..CsvOptions::default()
        };
        let (rows, _) = cut(b"\"a\\\"b\",\"c\\\\\"\n", &escaped, 2).unwrap();
        assert_eq!(
            rows[0],
            [("a\"b".to_owned(), true), ("c\\".to_owned(), true)]
        );
        let (rows, _) = cut(b"\"C:\\temp\",\"\\\n\"\n", &escaped, 2).unwrap();
        assert_eq!(
            rows[0],
            [("C:\\temp".to_owned(), true), ("\\\n".to_owned(), true)]
        );
        let none = CsvOptions {
            quote: None,
            ..CsvOptions::default()
        };
        let (rows, _) = cut(b"\"a,b\"\n", &none, 2).unwrap();
        assert_eq!(
            rows[0],
            [("\"a".to_owned(), false), ("b\"".to_owned(), false)]
        );
    }

    proptest! {
        /// Whatever stands in values, and however the text is chunked, they come back.
        #[test]
        fn written_values_come_back(
            rows in prop::collection::vec(prop::collection::vec("[a,\"\n\r; é]{0,5}", 3), 1..8),
            chunk in 1_usize..9,
            quote_all in any::<bool>(),
            end in prop_oneof![Just("\n"), Just("\r\n")],
        ) {
            let mut text = String::new();
            for row in &rows {
                let values: Vec<String> = row
                    .iter()
                    .map(|v| {
                        if quote_all || v.contains([',', '"', '\n', '\r']) || v.is_empty() {
                            format!("\"{}\"", v.replace('"', "\"\""))
                        } else {
                            v.clone()
                        }
                    })
                    .collect();
                text.push_str(&values.join(","));
                text.push_str(end);
            }
            let (read, _) = cut(text.as_bytes(), &CsvOptions::default(), chunk).unwrap();
            let read: Vec<Vec<String>> = read
                .into_iter()
                .map(|r| r.into_iter().map(|(v, _)| v).collect())
                .collect();
            prop_assert_eq!(read, rows);
        }

        #[test]
        fn no_text_makes_it_panic(text in prop::collection::vec(any::<u8>(), 0..60), chunk in 1_usize..9) {
            drop(cut(&text, &CsvOptions::default(), chunk));
        }
    }
}
