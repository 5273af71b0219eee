//! The statements of a script, one after the other.
//!
//! The trade-off: SQLite says where a statement ends by preparing it, and copies all that it is given
//! first. Given all that is left, a seed of many rows takes time with the square of its length. So it
//! is given a piece, and a larger one where that ends in the middle of a statement.

use std::sync::Mutex;

use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::{Batch, Connection, Error, Statement};

use crate::apply::Watch;

/// As much of a script as is given at first.
const PIECE: usize = 16 << 10;

/// Runs the statements of a text; an error comes with where its statement, or the word that is wrong,
/// begins.
pub(crate) fn run(
    connection: &Connection,
    watch: &Mutex<Watch>,
    sql: &str,
) -> Result<(), (Error, usize)> {
    let mut piece = Piece {
        sql,
        at: 0,
        length: PIECE,
    };
    while !piece.run(connection, watch)? {}
    Ok(())
}

struct Piece<'a> {
    sql: &'a str,
    /// Where it begins: what comes before was run.
    at: usize,
    length: usize,
}

impl Piece<'_> {
    /// Runs what is whole of it; whether that was the end of the script. If not, it is the next one
    /// then.
    fn run(
        &mut self,
        connection: &Connection,
        watch: &Mutex<Watch>,
    ) -> Result<bool, (Error, usize)> {
        let sql = self.sql;
        let end = sql.floor_char_boundary(self.at.saturating_add(self.length));
        let last = end == sql.len();
        let mut statements = Batch::new(connection, &sql[self.at..end]);
        let began = self.at;
        loop {
            let begins = self.at + blank(&sql[self.at..end]);
            let open = Watch::open(watch);
            let next = match statements.next() {
                Err(error) if last => {
                    let word = match &error {
                        Error::SqlInputError {
                            sql: rest, offset, ..
                        } => usize::try_from(*offset)
                            .ok()
                            .map(|offset| end - rest.len() + offset),
                        _ => None,
                    };
                    return Err((error, word.unwrap_or(begins)));
                }
                Ok(None) if last => return Ok(true),
                Ok(next) => next,
                Err(_) => None,
            };
            // With what stands before it.
            let text = next.as_ref().and_then(Statement::expanded_sql);
            let text = text.unwrap_or_default();
            let length = sql[self.at..end]
                .find(&text)
                .map(|found| found + text.len());
            let whole = |_: &_| last || text.trim_end().ends_with(';');
            let Some(mut statement) = next.filter(whole).filter(|_| last || length.is_some())
            else {
                Watch::unprepare(watch, open);
                self.length = match self.at == began {
                    true => self.length.saturating_mul(2),
                    false => PIECE,
                };
                return Ok(false);
            };
            let mut step = || {
                let mut rows = statement.query([])?;
                while rows.next()?.is_some() {}
                Ok(())
            };
            step().map_err(|error| (error, begins))?;
            self.at += length.unwrap_or_default();
        }
    }
}

/// How much of a text comes before its first word.
fn blank(text: &str) -> usize {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ';');
        let after = if let Some(comment) = rest.strip_prefix("--") {
            comment.split_once('\n').map(|(_, after)| after)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").map(|(_, after)| after)
        } else {
            return text.len() - rest.len();
        };
        rest = after.unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_before_a_word_is_known() {
        for (text, word) in [
            ("x", "x"),
            (" -- a\n ;\n/* b * */ x y", "x y"),
            ("-- a", ""),
            ("/* a", ""),
        ] {
            assert_eq!(&text[blank(text)..], word);
        }
    }

    fn ran(sql: &str) -> (Result<(), String>, usize, i64) {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE x (v)").unwrap();
        let ran = run(&connection, &Mutex::default(), sql);
        let at = ran.as_ref().err().map_or(0, |(_, at)| *at);
        let count = "SELECT count(*) FROM x";
        let rows = connection.query_row(count, (), |row| row.get(0)).unwrap();
        (ran.map_err(|(error, _)| error.to_string()), at, rows)
    }

    #[test]
    fn pieces_end_anywhere() {
        // Statements of every length around that of a piece, with all that may hold a semicolon.
        for length in (PIECE - 200..PIECE + 200).step_by(7) {
            let filled = "é".repeat(length / 2);
            let sql = format!(
                "INSERT INTO x VALUES ('{filled};');\n-- {filled};\nINSERT INTO x VALUES (1);\n/* ; */\n\
                 CREATE TRIGGER t AFTER INSERT ON x WHEN new.v = 2 BEGIN SELECT '{filled}'; INSERT INTO x VALUES (3); END;\n\
                 INSERT INTO x VALUES (2);\nINSERT INTO x VALUES (NULL), (4)"
            );
            assert_eq!(ran(&sql), (Ok(()), 0, 6), "{length}");
            let wrong =
                format!("{sql};\nINSERT INTO x VALUES (5); INSERT INTO y VALUES (1);\nSELECT 1");
            let (error, at, rows) = ran(&wrong);
            assert!(wrong[at..].starts_with("INSERT INTO y"), "{error:?}");
            assert_eq!(rows, 7);
        }
    }

    #[test]
    fn many_statements_take_no_more_time_each() {
        let timed = |rows: usize| {
            let sql = "INSERT INTO x VALUES ('some text that a row of a seed has in it');\n";
            let sql = sql.repeat(rows);
            let began = std::time::Instant::now();
            assert_eq!(ran(&sql), (Ok(()), 0, i64::try_from(rows).unwrap()));
            began.elapsed()
        };
        let few = timed(8_000);
        let many = timed(64_000);
        assert!(many < few * 32, "{few:?}, {many:?}");
    }
}
