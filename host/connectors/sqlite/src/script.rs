//! The statements of a script, one after the other.
//!
//! The trade-off: SQLite says where a statement ends by preparing it, and copies all that it is given
//! first. Given all that is left, a seed of many rows takes time with the square of its length. So it
//! is given a piece up to the next semicolon that ends something, and says itself whether that is a
//! statement: within a trigger it isn't. A piece ends in no text, name or comment, so what is run is what
//! would have been run of the whole.

use std::ops::Range;

use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::{Batch, Connection, Error, Statement};

use crate::semicolons::Semicolons;

/// What SQLite says of a statement that could go on.
const INCOMPLETE: &str = "incomplete input";

/// Runs the statements of a text, `prepared` being told of each before; an error comes with where its
/// statement, or the word that is wrong, begins.
pub(crate) fn run(
    connection: &Connection,
    sql: &str,
    prepared: &dyn Fn(&Statement<'_>),
) -> Result<(), (Error, usize)> {
    let mut semicolons = Semicolons::of(sql);
    let mut at = 0;
    while let Some(semicolon) = semicolons.next() {
        let mut end = semicolon.end;
        while !piece(connection, sql, at..end, prepared)? {
            let closing = semicolons.find(|semicolon| semicolon.closes);
            end = closing.map_or(sql.len(), |semicolon| semicolon.end);
        }
        at = end;
    }
    Ok(())
}

/// Runs what stands between two places; whether it was whole.
fn piece(
    connection: &Connection,
    sql: &str,
    Range { start: mut at, end }: Range<usize>,
    prepared: &dyn Fn(&Statement<'_>),
) -> Result<bool, (Error, usize)> {
    let mut statements = Batch::new(connection, &sql[at..end]);
    at += blank(&sql[at..end]);
    let mut ran = false;
    loop {
        let mut statement = match statements.next() {
            Ok(None) => return Ok(true),
            Ok(Some(statement)) => statement,
            Err(Error::SqliteFailure(_, Some(said)))
                if said == INCOMPLETE && end < sql.len() && !ran =>
            {
                return Ok(false);
            }
            Err(error) => {
                let word = match &error {
                    Error::SqlInputError {
                        sql: rest, offset, ..
                    } => usize::try_from(*offset)
                        .ok()
                        .map(|offset| end - rest.len() + offset),
                    _ => None,
                };
                return Err((error, word.unwrap_or(at)));
            }
        };
        prepared(&statement);
        let mut step = || {
            let mut rows = statement.query([])?;
            while rows.next()?.is_some() {}
            Ok(())
        };
        step().map_err(|error| (error, at))?;
        ran = true;
    }
}

/// How much of a text comes before its first word. SQLite passes over a byte order mark as over a space.
fn blank(text: &str) -> usize {
    let mut rest = text;
    loop {
        rest =
            rest.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, ';' | '\u{feff}'));
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
            ("\u{feff}\n\u{feff}x", "x"),
            ("-- a", ""),
            ("/* a", ""),
        ] {
            assert_eq!(&text[blank(text)..], word);
        }
    }

    fn ran(sql: &str) -> (Result<(), String>, usize, i64) {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE x (v)").unwrap();
        let ran = run(&connection, sql, &|_| {});
        let at = ran.as_ref().err().map_or(0, |(_, at)| *at);
        let count = "SELECT count(*) FROM x";
        let rows = connection.query_row(count, (), |row| row.get(0)).unwrap();
        (ran.map_err(|(error, _)| error.to_string()), at, rows)
    }

    #[test]
    fn statements_end_where_sqlite_says() {
        // Of every length around that of a page, with all that may hold a semicolon.
        for length in (16_300..16_500).step_by(7) {
            let filled = "é".repeat(length / 2);
            let sql = format!(
                "INSERT INTO x VALUES ('{filled};');\n-- {filled};\nINSERT INTO x VALUES (1);\n/* ; */\n\
                 CREATE TRIGGER t AFTER INSERT ON x WHEN new.v = 2 BEGIN SELECT '{filled}'; \
                 SELECT CASE 1 WHEN 1 THEN 2 END; SELECT 1 AS end ; INSERT INTO x VALUES (3); eNd /* ; */ ;\n\
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
    fn a_comment_is_never_run() {
        let rows = "INSERT INTO x VALUES (1);\n";
        // Wherever in it something else would end.
        for filling in 16_300..16_400 {
            let filled = format!("-- {}\n", "x".repeat(filling));
            let comment = "SELECT 1 -- was: DELETE FROM x; DELETE FROM x;\n;";
            assert_eq!(ran(&format!("{rows}{filled}{comment}")), (Ok(()), 0, 1));
            let within = "UPDATE x SET v = 2 /* all; */ -- all; but the first\nWHERE v > 1;";
            assert_eq!(ran(&format!("{rows}{filled}{within}")), (Ok(()), 0, 1));
        }
        for script in [
            "INSERT INTO x VALUES (1) -- DELETE FROM x;\n",
            "INSERT INTO x VALUES (1) /* ; DELETE FROM x; */",
            "INSERT INTO x VALUES (1) -- ';\n; -- '; DELETE FROM x;",
            "INSERT INTO x SELECT 1 AS [a;'] /*/; DELETE FROM x; /*/;",
            "INSERT INTO x SELECT 1 AS `a``;` -- ;\nFROM (SELECT 1 AS \"\"\";--\");",
        ] {
            assert_eq!(ran(script), (Ok(()), 0, 1), "{script}");
        }
    }

    #[test]
    fn what_has_no_end_is_told() {
        let trigger =
            "INSERT INTO x VALUES (1);\nCREATE TRIGGER t AFTER INSERT ON x BEGIN SELECT 1;";
        for (rest, word) in [
            ("", ""),
            (" SELECT 2; -- END;", ""),
            (" CREATE TABLE y (v); SELECT 1 AS end; ", "CREATE TABLE"),
            (" SELEC 2; END; DELETE FROM x;", "SELEC 2"),
        ] {
            let sql = format!("{trigger}{rest}");
            let (error, at, rows) = ran(&sql);
            assert_eq!(rows, 1, "{rest}");
            let error = error.unwrap_err();
            let near = at == 26 || (at > trigger.len() && sql[at..].starts_with(word));
            assert!(near, "{rest}: {error} {at}");
        }
        // A variable may have a semicolon in it; no script has variables.
        for script in ["SELECT $a(;DELETE FROM x;);", "SELECT $a(');', ?;"] {
            assert!(ran(script).0.is_err(), "{script}");
        }
    }

    #[test]
    fn a_mark_in_the_middle_is_a_space() {
        let trigger = "CREATE TRIGGER t AFTER INSERT ON x WHEN new.v = 1 BEGIN SELECT CASE 1 WHEN 1 THEN 2 \
                       END; INSERT INTO x VALUES (2); \u{feff}END;";
        let sql = format!("SELECT 1;\n\u{feff}{trigger}\n\u{feff}\nINSERT INTO x VALUES (1);");
        assert_eq!(ran(&sql), (Ok(()), 0, 2));
    }

    #[test]
    fn many_statements_take_no_more_time_each() {
        let timed = |rows: usize| {
            let sql = "INSERT INTO x VALUES ('some text that a row of a seed has in it');\n";
            let sql = sql.repeat(rows);
            let began = std::time::Instant::now();
            // With as much in one, before them.
            let sql = format!("INSERT INTO x VALUES ('{}');\n{sql}", sql.replace('\'', ""));
            assert_eq!(ran(&sql), (Ok(()), 0, i64::try_from(rows + 1).unwrap()));
            began.elapsed()
        };
        let few = timed(8_000);
        let many = timed(64_000);
        assert!(many < few * 32, "{few:?}, {many:?}");
    }
}
