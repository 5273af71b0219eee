//! A script's batches, which lines with nothing but `GO` part.

use hygge_core::ScriptSyntax;

/// What is sent to the database at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its text.
    pub sql: String,
    /// The line of the file that it begins at, from 1.
    pub line: usize,
    /// The line of its first word: what comes before is empty, or comments.
    pub first: usize,
    /// Where that word is in the text.
    pub word: usize,
    /// How often it is run.
    pub times: usize,
}

/// Why a script can't be parted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unparted {
    /// Something begins and never ends.
    Unclosed {
        /// What it is.
        what: &'static str,
        /// The line it begins at, from 1.
        line: usize,
    },
    /// A line begins with `GO`, and is none that parts batches. Whether it was meant to is anybody's
    /// guess, and a guess would run something else than was written.
    Go {
        /// The line, from 1.
        line: usize,
    },
    /// A line ends with `\r` alone. To some it is the end of a line and to some none, so what comes
    /// after a comment would be run or not.
    Return {
        /// The line, from 1.
        line: usize,
    },
}

/// A line as one that parts batches.
enum Parting {
    /// It does; the batch before it is run so many times.
    Times(usize),
    /// It looks as if.
    Wrong,
}

/// Where the reader is.
enum Within {
    Statements,
    /// A text or name, up to this character; twice it is one of its letters.
    Quoted(char, &'static str),
    /// A comment, and how deep.
    Comment(usize),
}

/// Parts a script at lines that hold `GO` and, maybe, how often; in any case, and not within a text, a
/// quoted name or a comment. Batches of nothing but comments are left out.
pub fn batches(script: &str, syntax: ScriptSyntax) -> Result<Vec<Batch>, Unparted> {
    let mut found = Vec::new();
    let mut within = Within::Statements;
    // Where what is open began.
    let mut opened = 0;
    let (mut sql, mut begins, mut first) = (String::new(), 1, None);
    for (nth, line) in script.split_inclusive('\n').enumerate() {
        let number = nth + 1;
        if let (Within::Statements, Some(parting)) = (&within, parted(line)) {
            let Parting::Times(times) = parting else {
                return Err(Unparted::Go { line: number });
            };
            let sql = std::mem::take(&mut sql);
            if let Some((first, word)) = first.take() {
                found.push(Batch {
                    sql,
                    line: begins,
                    first,
                    word,
                    times,
                });
            }
            begins = number + 1;
            continue;
        }
        let before = sql.len();
        sql.push_str(line);
        let mut letters = line
            .trim_end_matches(['\r', '\n'])
            .char_indices()
            .peekable();
        while let Some((at, letter)) = letters.next() {
            let next = letters.peek().map(|(_, next)| *next);
            match (&within, letter, next) {
                (Within::Statements, '-', Some('-')) => {
                    if letters.any(|(_, letter)| letter == '\r') {
                        return Err(Unparted::Return { line: number });
                    }
                    break;
                }
                (Within::Statements, '\r', _) => {
                    return Err(Unparted::Return { line: number });
                }
                (Within::Statements, '/', Some('*')) => {
                    letters.next();
                    (within, opened) = (Within::Comment(1), number);
                }
                (Within::Statements, _, _) => {
                    if let Some((closing, what)) = opens(letter, syntax) {
                        (within, opened) = (Within::Quoted(closing, what), number);
                    }
                    // Nothing but semicolons is nothing to run.
                    if !letter.is_whitespace() && letter != ';' {
                        first.get_or_insert((number, before + at));
                    }
                }
                (Within::Quoted(closing, _), _, _) if letter == *closing => {
                    if next == Some(*closing) {
                        letters.next();
                    } else {
                        within = Within::Statements;
                    }
                }
                (Within::Comment(depth), '*', Some('/')) => {
                    letters.next();
                    within = match depth {
                        1 => Within::Statements,
                        more => Within::Comment(more - 1),
                    };
                }
                (Within::Comment(depth), '/', Some('*')) if syntax.nested_comments => {
                    letters.next();
                    within = Within::Comment(depth + 1);
                }
                _ => {}
            }
        }
    }
    let what = match within {
        Within::Statements => None,
        Within::Quoted(_, what) => Some(what),
        Within::Comment(_) => Some("a comment"),
    };
    if let Some(what) = what {
        return Err(Unparted::Unclosed { what, line: opened });
    }
    if let Some((first, word)) = first {
        found.push(Batch {
            sql,
            line: begins,
            first,
            word,
            times: 1,
        });
    }
    Ok(found)
}

/// What a letter opens: what closes it, and what it is.
fn opens(letter: char, syntax: ScriptSyntax) -> Option<(char, &'static str)> {
    Some(match letter {
        '\'' => ('\'', "a text"),
        '"' => ('"', "a name in quotes"),
        '[' => (']', "a name in brackets"),
        '`' if syntax.backticks => ('`', "a name in backticks"),
        _ => return None,
    })
}

/// What a line that begins with the word `GO` says, by itself or with a semicolon.
fn parted(line: &str) -> Option<Parting> {
    let line = match line.split_once("--") {
        Some((line, _)) => line,
        None => line,
    };
    let mut words = line.split_whitespace();
    let first = words.next()?;
    let go = first.trim_end_matches(';');
    if !go.eq_ignore_ascii_case("go") {
        return None;
    }
    let times = match (words.next(), words.next()) {
        (None, _) => Some(1),
        (Some(times), None) => times.parse().ok().filter(|times| *times > 0),
        _ => None,
    };
    Some(match times.filter(|_| go.len() == first.len()) {
        Some(times) => Parting::Times(times),
        None => Parting::Wrong,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TSQL: ScriptSyntax = ScriptSyntax {
        nested_comments: true,
        backticks: false,
    };

    fn read(script: &str) -> Vec<(String, usize, usize, usize)> {
        let found = batches(script, TSQL).unwrap();
        let each = |batch: Batch| (batch.sql, batch.line, batch.first, batch.times);
        found.into_iter().map(each).collect()
    }

    fn texts(script: &str) -> Vec<String> {
        read(script).into_iter().map(|batch| batch.0).collect()
    }

    #[test]
    fn lines_of_go_part_batches() {
        let script =
            "-- first\n\nSELECT 1\nGO\n  go 3 -- thrice\nselect 2;\n\tGo\t2\nSELECT go\nGO";
        assert_eq!(
            read(script),
            [
                ("-- first\n\nSELECT 1\n".to_owned(), 1, 3, 1),
                ("select 2;\n".to_owned(), 6, 6, 2),
                ("SELECT go\n".to_owned(), 8, 8, 1),
            ]
        );
        assert_eq!(texts("a\r\nGO\r\nb"), ["a\r\n", "b"]);
        assert_eq!(texts("\n-- nothing\nGO\n/* and nothing */ ;\n"), [""; 0]);
        assert_eq!(texts(""), [""; 0]);
    }

    #[test]
    fn a_batch_begins_at_its_first_word() {
        let script = "/* é\n; b */ ;SELECT 1\nGO\n-- c\n SELECT 2";
        let found = batches(script, TSQL).unwrap();
        let begun = found.iter().map(|batch| &batch.sql[batch.word..]);
        assert_eq!(begun.collect::<Vec<_>>(), ["SELECT 1\n", "SELECT 2"]);
    }

    #[test]
    fn what_only_looks_like_go_parts_nothing() {
        for script in [
            "SELECT 'a\nGO\nit''s\nGO\n'",
            "SELECT \"a\nGO\n\"\"\nGO\n\"",
            "SELECT [a\nGO\n]]\nGO\n]",
            "/* a\nGO\n/* b */\nGO\n*/ SELECT 1",
            "SELECT 1 -- 'it\nGOTO x",
            "SELECT 1 a,\ngo.x",
            "SELECT\ngo, x",
            "a GO",
        ] {
            assert_eq!(texts(script), [script], "{script}");
        }
        // A quote in a comment opens nothing, and dashes in a text are its own.
        assert_eq!(texts("-- it's\nSELECT 1\nGO\nb").len(), 2);
        assert_eq!(texts("SELECT '--'\nGO\nb").len(), 2);
        assert_eq!(texts("SELECT 1 /* -- */\nGO\nb").len(), 2);
    }

    #[test]
    fn a_line_that_only_begins_with_go_is_refused() {
        for line in [
            "GO;",
            "go ;",
            "GO; 2",
            "GO 0",
            "GO -1",
            "GO x",
            "GO 1 2",
            "GO 2;",
            "GO /* a */",
            "GO 99999999999999999999",
        ] {
            let script = format!("SELECT 1\n{line}\nSELECT 2\n");
            let refused = batches(&script, TSQL);
            assert_eq!(refused, Err(Unparted::Go { line: 2 }), "{line}");
        }
    }

    #[test]
    fn lines_that_end_as_nobody_says_are_refused() {
        for script in ["-- a\rSELECT 1\r", "SELECT 1\rSELECT 2"] {
            let refused = batches(script, TSQL);
            assert_eq!(refused, Err(Unparted::Return { line: 1 }), "{script:?}");
        }
        for script in ["-- a\r\nSELECT 'a\rb'\r\r\n", "SELECT 1\r"] {
            assert_eq!(texts(script), [script]);
        }
    }

    #[test]
    fn what_is_never_closed_is_named_where_it_begins() {
        let wrong = |script| batches(script, TSQL).unwrap_err();
        let unclosed = |what, line| Unparted::Unclosed { what, line };
        assert_eq!(wrong("a\nb '\nGO\n"), unclosed("a text", 2));
        assert_eq!(wrong("a\n\n/* /* */ b"), unclosed("a comment", 3));
        assert_eq!(wrong("[a]]"), unclosed("a name in brackets", 1));
        // SQLite's comments end at the first end.
        let sqlite = ScriptSyntax {
            nested_comments: false,
            backticks: true,
        };
        let found = batches("/* /* */ b\nGO\n`c\nGO\n`", sqlite).unwrap();
        assert_eq!(found.len(), 2);
    }

    proptest! {
        /// Whatever batches hold, they come back; and nothing of them is lost.
        #[test]
        fn batches_come_back(
            written in prop::collection::vec(
                prop::collection::vec("SELECT 1|'GO\nit''s'|\\[GO\n\\]\\]a\\]|\"\n\"|/\\*\nGO\n/\\* \\*/ \\*/|-- it's \\[\n|\nGOTO", 1..5),
                1..5,
            ),
        ) {
            let written: Vec<String> = written.iter().map(|parts| format!("x {}\n", parts.join(" "))).collect();
            let script = written.join("GO\n");
            prop_assert_eq!(texts(&script), written);
        }

        #[test]
        fn any_text_is_read_or_refused(script in "(?s).*") {
            drop(batches(&script, TSQL));
        }
    }
}
