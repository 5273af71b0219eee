//! Reads a batch into statements. What T-SQL has of its own is read here, from sqlparser's tokens;
//! queries and expressions by sqlparser.

use sqlparser::ast::{Expr, ObjectName, With};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Word};

use super::ast::{Argument, Kind, Source, Statement};
use super::dialect::TSql;
use crate::fault::{Result, SqlError};

static DIALECT: TSql = TSql::new();

impl From<ParserError> for SqlError {
    fn from(error: ParserError) -> Self {
        let text = match error {
            ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
            ParserError::RecursionLimitExceeded => "nested too deeply".to_owned(),
        };
        Self::unknown(text)
    }
}

/// Reads one expression, such as a default's.
pub(crate) fn expression(text: &str) -> Result<Expr> {
    let mut parser = Parser::new(&DIALECT).try_with_sql(text)?;
    let expr = parser.parse_expr()?;
    parser.expect_token(&Token::EOF)?;
    Ok(expr)
}

pub(crate) fn batch(text: &str) -> Result<Vec<Statement>> {
    let tokens = Tokenizer::new(&DIALECT, text)
        .tokenize_with_location()
        .map_err(|error| SqlError::unknown(error.message))?;
    let (tokens, hints) = take_hints(tokens);
    let mut reader = Reader {
        parser: Parser::new(&DIALECT)
            .with_recursion_limit(200)
            .with_tokens_with_locations(tokens),
        text: Lines::new(text),
        hints,
    };
    let mut statements = Vec::new();
    loop {
        reader.semicolons();
        if reader.at_end() {
            return Ok(statements);
        }
        statements.push(reader.statement()?);
    }
}

/// Lines of a text, to cut statements out of it.
struct Lines(Vec<String>);

impl Lines {
    fn new(text: &str) -> Self {
        Self(text.split_inclusive('\n').map(str::to_owned).collect())
    }

    fn between(&self, from: Location, to: Location) -> String {
        let mut out = String::new();
        for number in from.line..=to.line {
            let Some(line) = usize::try_from(number)
                .ok()
                .and_then(|number| self.0.get(number.saturating_sub(1)))
            else {
                break;
            };
            let start = if number == from.line {
                usize::try_from(from.column).unwrap_or(1) - 1
            } else {
                0
            };
            let end = if number == to.line {
                usize::try_from(to.column).unwrap_or(1).saturating_sub(1)
            } else {
                usize::MAX
            };
            out.extend(line.chars().take(end).skip(start));
        }
        out.trim().to_owned()
    }
}

const HINTS: [&str; 22] = [
    "tablock",
    "tablockx",
    "nolock",
    "readuncommitted",
    "rowlock",
    "paglock",
    "updlock",
    "holdlock",
    "serializable",
    "repeatableread",
    "readcommitted",
    "readcommittedlock",
    "readpast",
    "xlock",
    "nowait",
    "snapshot",
    "keepidentity",
    "keepdefaults",
    "ignore_constraints",
    "ignore_triggers",
    "forceseek",
    "nolocks",
];

pub(super) fn folded(token: &Token) -> Option<String> {
    match token {
        Token::Word(word) => Some(word.value.to_lowercase()),
        _ => None,
    }
}

type Hint = (Location, String, String);

/// Takes `WITH (hints)` and `OPTION (...)` out of the tokens, the former to be kept by what they
/// follow. So sqlparser needn't know where T-SQL allows them: the latter at a statement's end, in no
/// brackets.
fn take_hints(tokens: Vec<TokenWithSpan>) -> (Vec<TokenWithSpan>, Vec<Hint>) {
    let tokens: Vec<TokenWithSpan> = tokens
        .into_iter()
        .filter(|token| !matches!(token.token, Token::Whitespace(_)))
        .collect();
    let mut kept: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut hints = Vec::new();
    let (mut at, mut depth) = (0, 0_usize);
    let is_hint = |token: &Token| folded(token).is_some_and(|word| HINTS.contains(&word.as_str()));
    let word = |at: usize, text: &str| {
        tokens
            .get(at)
            .is_some_and(|token| folded(&token.token).as_deref() == Some(text))
    };
    let open = |at: usize| {
        tokens
            .get(at)
            .is_some_and(|token| token.token == Token::LParen)
    };
    let close = |from: usize| {
        let mut depth = 0;
        (from..tokens.len()).find(|at| {
            match tokens[*at].token {
                Token::LParen => depth += 1,
                Token::RParen => depth -= 1,
                _ => {}
            }
            depth == 0
        })
    };
    while at < tokens.len() {
        let hinted = word(at, "with")
            && open(at + 1)
            && tokens
                .get(at + 2)
                .is_some_and(|token| is_hint(&token.token));
        if hinted && let Some(end) = close(at + 1) {
            let follows = kept
                .last()
                .and_then(|token| folded(&token.token))
                .unwrap_or_default();
            for token in &tokens[at + 2..end] {
                if let Some(hint) = folded(&token.token) {
                    hints.push((tokens[at].span.start, follows.clone(), hint));
                }
            }
            at = end + 1;
            continue;
        }
        match tokens[at].token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        if word(at, "option")
            && depth == 0
            && open(at + 1)
            && let Some(end) = close(at + 1)
        {
            at = end + 1;
            continue;
        }
        // CHANGETABLE(CHANGES t, ...): the word stands before a name, which no function has.
        if word(at, "changetable") && open(at + 1) && word(at + 2, "changes") {
            kept.extend([tokens[at].clone(), tokens[at + 1].clone()]);
            (at, depth) = (at + 3, depth + 1);
            continue;
        }
        // It only marks a column.
        if word(at, "rowguidcol") {
            at += 1;
            continue;
        }
        // PRIMARY KEY CLUSTERED, UNIQUE NONCLUSTERED (...): kept as a hint of the statement.
        let after_key = kept
            .last()
            .and_then(|token| folded(&token.token))
            .is_some_and(|word| word == "key" || word == "unique");
        if after_key
            && (word(at, "clustered") || word(at, "nonclustered"))
            && !word(at + 1, "index")
        {
            if let Some(kind) = folded(&tokens[at].token) {
                hints.push((tokens[at].span.start, "key".to_owned(), kind));
            }
            at += 1;
            continue;
        }
        kept.push(tokens[at].clone());
        at += 1;
    }
    (kept, hints)
}

pub(super) struct Reader {
    pub(super) parser: Parser<'static>,
    text: Lines,
    hints: Vec<Hint>,
}

impl Reader {
    pub(super) fn at_end(&self) -> bool {
        self.parser.peek_token_ref().token == Token::EOF
    }

    pub(super) fn semicolons(&mut self) {
        while self.parser.consume_token(&Token::SemiColon) {}
    }

    fn start(&self) -> Location {
        self.parser.peek_token_ref().span.start
    }

    pub(super) fn words(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(index, word)| {
            match &self.parser.peek_nth_token_ref(index).token {
                Token::Word(found) => {
                    found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word)
                }
                _ => false,
            }
        })
    }

    /// Takes these words, if they are next.
    pub(super) fn take(&mut self, words: &[&str]) -> bool {
        let found = self.words(words);
        if found {
            words.iter().for_each(|_| self.parser.advance_token());
        }
        found
    }

    pub(super) fn expect(&mut self, word: &str) -> Result<()> {
        if self.take(&[word]) {
            Ok(())
        } else {
            Err(self.wrong(word))
        }
    }

    pub(super) fn wrong(&self, wanted: &str) -> SqlError {
        let found = self.parser.peek_token_ref();
        let mut error = SqlError::unknown(format!("'{}' where {wanted} would be", found.token));
        if found.token == Token::EOF {
            error.message = format!("Incorrect syntax: the text ends where {wanted} would be.");
        }
        error
    }

    pub(super) fn name(&mut self) -> Result<String> {
        Ok(self.parser.parse_identifier()?.value)
    }

    pub(super) fn object(&mut self) -> Result<ObjectName> {
        Ok(self.parser.parse_object_name(false)?)
    }

    pub(super) fn expr(&mut self) -> Result<Expr> {
        Ok(self.parser.parse_expr()?)
    }

    pub(super) fn comma(&mut self) -> bool {
        self.parser.consume_token(&Token::Comma)
    }

    pub(super) fn token(&mut self, token: &Token) -> Result<()> {
        if self.parser.consume_token(token) {
            Ok(())
        } else {
            Err(self.wrong(&format!("'{token}'")))
        }
    }

    pub(super) fn variable(&mut self) -> Result<String> {
        match self.parser.peek_token_ref().token.clone() {
            Token::Word(Word {
                value,
                quote_style: None,
                ..
            }) if value.starts_with('@') => {
                self.parser.advance_token();
                Ok(value)
            }
            _ => Err(self.wrong("a variable")),
        }
    }

    /// Names in parentheses, if there are any.
    pub(super) fn names(&mut self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        if self.parser.consume_token(&Token::LParen) {
            loop {
                names.push(self.name()?);
                if !self.comma() {
                    break;
                }
            }
            self.token(&Token::RParen)?;
        }
        Ok(names)
    }

    pub(super) fn statement(&mut self) -> Result<Statement> {
        let from = self.start();
        let kind = self.kind()?;
        let to = self.parser.get_current_token().span.end;
        let hints = self.hints.iter().filter(|(at, ..)| {
            (at.line, at.column) >= (from.line, from.column)
                && (at.line, at.column) <= (self.start_or_end().line, self.start_or_end().column)
        });
        let hints = hints
            .map(|(_, follows, hint)| (follows.clone(), hint.clone()))
            .collect();
        Ok(Statement {
            text: self.text.between(from, to),
            line: u32::try_from(from.line).unwrap_or(1),
            kind,
            hints,
        })
    }

    fn start_or_end(&self) -> Location {
        let next = self.parser.peek_token_ref();
        if next.token == Token::EOF {
            Location {
                line: u64::MAX,
                column: u64::MAX,
            }
        } else {
            next.span.start
        }
    }

    fn kind(&mut self) -> Result<Kind> {
        let Token::Word(word) = self.parser.peek_token_ref().token.clone() else {
            if self.parser.peek_token_ref().token == Token::LParen {
                return Ok(Kind::Query(self.parser.parse_query()?));
            }
            return Err(self.wrong("a statement"));
        };
        match word.value.to_lowercase().as_str() {
            "select" | "values" => Ok(Kind::Query(self.parser.parse_query()?)),
            "with" => self.with(),
            "insert" if self.words(&["insert", "bulk"]) => self.insert_bulk(),
            "insert" => self.insert(),
            "update" if self.take(&["update", "statistics"]) => {
                self.object()?;
                self.rest_of_line();
                Ok(Kind::UpdateStatistics)
            }
            "update" => self.update(None),
            "delete" => self.delete(None),
            "merge" => self.merge(),
            "if" | "while" | "begin" | "declare" | "set" | "throw" | "raiserror" | "print"
            | "return" | "break" | "continue" | "commit" | "rollback" | "save" | "exec"
            | "execute" | "use" | "waitfor" | "go" => self.control(),
            "create" | "drop" | "alter" | "truncate" | "checkpoint" | "dbcc" => self.definition(),
            _ if word.keyword == Keyword::NoKeyword => Ok(self.call(None)?),
            _ => Err(self.wrong("a statement")),
        }
    }

    /// What follows up to the next statement on another line, of what is known to change nothing.
    fn rest_of_line(&mut self) {
        let line = self.parser.get_current_token().span.start.line;
        while !self.at_end()
            && self.parser.peek_token_ref().token != Token::SemiColon
            && self.start().line == line
        {
            self.parser.advance_token();
        }
    }

    fn with(&mut self) -> Result<Kind> {
        let with_token =
            sqlparser::ast::helpers::attached_token::AttachedToken(self.parser.next_token());
        let cte_tables = self.parser.parse_comma_separated(Parser::parse_cte)?;
        let with = With {
            with_token,
            recursive: false,
            cte_tables,
        };
        if self.words(&["update"]) {
            return self.update(Some(with));
        }
        if self.words(&["delete"]) {
            return self.delete(Some(with));
        }
        if self.words(&["insert"]) {
            let mut insert = self.insert()?;
            if let Kind::Insert {
                source: Source::Query(query),
                ..
            } = &mut insert
            {
                query.with = Some(with);
                return Ok(insert);
            }
            return Err(SqlError::unknown("WITH before an INSERT without a query"));
        }
        let mut query = self.parser.parse_query()?;
        query.with = Some(with);
        Ok(Kind::Query(query))
    }

    /// A procedure and its arguments, after EXEC or at the start of a batch.
    pub(super) fn call(&mut self, into: Option<String>) -> Result<Kind> {
        let procedure = self.object()?;
        let mut arguments = Vec::new();
        let ends = |reader: &Self| {
            reader.at_end()
                || reader.parser.peek_token_ref().token == Token::SemiColon
                || reader.is_statement_word()
        };
        while !ends(self) {
            let name = self.assigned();
            let default = self.take(&["default"]);
            let value = if default {
                Expr::value(sqlparser::ast::Value::Null)
            } else {
                self.expr()?
            };
            let output = self.take(&["output"]) || self.take(&["out"]);
            arguments.push(Argument {
                name,
                value,
                output,
            });
            if !self.comma() {
                break;
            }
        }
        Ok(Kind::Exec {
            into,
            procedure,
            arguments,
        })
    }

    /// Takes `@name =`, if that is next.
    pub(super) fn assigned(&mut self) -> Option<String> {
        let (Token::Word(word), Token::Eq) = (
            &self.parser.peek_token_ref().token,
            &self.parser.peek_nth_token_ref(1).token,
        ) else {
            return None;
        };
        let name = word.value.clone();
        if !name.starts_with('@') {
            return None;
        }
        self.parser.advance_token();
        self.parser.advance_token();
        Some(name)
    }

    fn is_statement_word(&self) -> bool {
        const WORDS: [&str; 24] = [
            "select",
            "insert",
            "update",
            "delete",
            "merge",
            "if",
            "else",
            "while",
            "begin",
            "end",
            "declare",
            "set",
            "throw",
            "raiserror",
            "print",
            "return",
            "commit",
            "rollback",
            "save",
            "exec",
            "execute",
            "create",
            "drop",
            "alter",
        ];
        WORDS.iter().any(|word| self.words(&[word]))
    }
}

pub(super) fn compound() -> [(Token, sqlparser::ast::BinaryOperator); 3] {
    use sqlparser::ast::BinaryOperator::{Minus, Multiply, Plus};
    [
        (Token::Plus, Plus),
        (Token::Minus, Minus),
        (Token::Mul, Multiply),
    ]
}
