//! Reads what steers a batch: blocks, conditions, variables, transactions, calls.

use sqlparser::tokenizer::Token;

use super::ast::{DeclaredAs, Kind, Statement};
use super::names;
use super::parse::Reader;
use crate::fault::{Result, SqlError};

impl Reader {
    pub(super) fn control(&mut self) -> Result<Kind> {
        if self.take(&["if"]) {
            let condition = self.expr()?;
            let then = Box::new(self.statement()?);
            // One semicolon may stand before ELSE.
            if self.parser.peek_token_ref().token == Token::SemiColon
                && matches!(&self.parser.peek_nth_token_ref(1).token, Token::Word(word) if word.value.eq_ignore_ascii_case("else"))
            {
                self.parser.advance_token();
            }
            let otherwise = if self.take(&["else"]) {
                Some(Box::new(self.statement()?))
            } else {
                None
            };
            return Ok(Kind::If {
                condition,
                then,
                otherwise,
            });
        }
        if self.take(&["while"]) {
            return Ok(Kind::While {
                condition: self.expr()?,
                body: Box::new(self.statement()?),
            });
        }
        if self.words(&["begin"]) {
            return self.begin();
        }
        if self.take(&["declare"]) {
            return self.declare();
        }
        if self.take(&["set"]) {
            return self.set();
        }
        if self.take(&["throw"]) {
            if self.at_end()
                || self.parser.peek_token_ref().token == Token::SemiColon
                || self.words(&["end"])
            {
                return Ok(Kind::Throw(None));
            }
            let number = self.expr()?;
            self.token(&Token::Comma)?;
            let text = self.expr()?;
            self.token(&Token::Comma)?;
            return Ok(Kind::Throw(Some((number, text, self.expr()?))));
        }
        if self.take(&["raiserror"]) {
            self.token(&Token::LParen)?;
            let mut arguments = vec![self.expr()?];
            while self.comma() {
                arguments.push(self.expr()?);
            }
            self.token(&Token::RParen)?;
            if self.take(&["with"]) {
                self.name()?;
            }
            return Ok(Kind::RaiseError(arguments));
        }
        if self.take(&["print"]) {
            return Ok(Kind::Print(self.expr()?));
        }
        if self.take(&["return"]) {
            let ends = self.at_end()
                || self.parser.peek_token_ref().token == Token::SemiColon
                || self.words(&["end"])
                || self.words(&["else"]);
            return Ok(Kind::Return(if ends { None } else { Some(self.expr()?) }));
        }
        if self.take(&["break"]) {
            return Ok(Kind::Break);
        }
        if self.take(&["continue"]) {
            return Ok(Kind::Continue);
        }
        if self.take(&["commit"]) {
            self.transaction_name()?;
            return Ok(Kind::Commit);
        }
        if self.take(&["rollback"]) {
            return Ok(Kind::RollBack(self.transaction_name()?));
        }
        if self.take(&["save"]) {
            let name = self.transaction_name()?;
            return name
                .map(Kind::Save)
                .ok_or_else(|| self.wrong("a savepoint's name"));
        }
        if self.take(&["use"]) {
            return Ok(Kind::Use(self.name()?));
        }
        if self.take(&["waitfor", "delay"]) {
            return Ok(Kind::WaitFor(self.expr()?));
        }
        if self.take(&["exec"]) || self.take(&["execute"]) {
            if self.parser.consume_token(&Token::LParen) {
                let text = self.expr()?;
                self.token(&Token::RParen)?;
                return Ok(Kind::ExecText(text));
            }
            let into = self.assigned();
            return self.call(into);
        }
        Err(self.wrong("a statement"))
    }

    fn begin(&mut self) -> Result<Kind> {
        if self.take(&["begin", "tran"]) || self.take(&["begin", "transaction"]) {
            if self.at_end() || self.parser.peek_token_ref().token == Token::SemiColon {
                return Ok(Kind::Begin);
            }
            // A name is only a comment, but a word that begins a statement is none.
            if let Token::Word(word) = &self.parser.peek_token_ref().token
                && (word.keyword == sqlparser::keywords::Keyword::NoKeyword
                    || word.quote_style.is_some())
            {
                self.parser.advance_token();
            }
            return Ok(Kind::Begin);
        }
        if self.take(&["begin", "try"]) {
            let body = self.statements()?;
            self.expect("end")?;
            self.expect("try")?;
            self.semicolons();
            if !self.take(&["begin", "catch"]) {
                return Err(self.wrong("BEGIN CATCH"));
            }
            let catch = self.statements()?;
            self.expect("end")?;
            self.expect("catch")?;
            return Ok(Kind::Try { body, catch });
        }
        self.expect("begin")?;
        let body = self.statements()?;
        self.expect("end")?;
        Ok(Kind::Block(body))
    }

    fn statements(&mut self) -> Result<Vec<Statement>> {
        let mut statements = Vec::new();
        loop {
            self.semicolons();
            if self.words(&["end"]) {
                return Ok(statements);
            }
            if self.at_end() {
                return Err(self.wrong("END"));
            }
            statements.push(self.statement()?);
        }
    }

    /// After COMMIT, ROLLBACK or SAVE: the word for a transaction, then perhaps a name.
    fn transaction_name(&mut self) -> Result<Option<String>> {
        if !(self.take(&["tran"]) || self.take(&["transaction"]) || self.take(&["work"])) {
            return Ok(None);
        }
        match &self.parser.peek_token_ref().token {
            Token::Word(word)
                if word.keyword == sqlparser::keywords::Keyword::NoKeyword
                    || word.quote_style.is_some() =>
            {
                Ok(Some(self.name()?))
            }
            _ => Ok(None),
        }
    }

    fn declare(&mut self) -> Result<Kind> {
        let mut declared = Vec::new();
        loop {
            let name = self.variable()?;
            self.take(&["as"]);
            if self.take(&["table"]) {
                let (columns, constraints) = self.columns()?;
                declared.push((name, DeclaredAs::Table(columns, constraints), None));
            } else {
                let ty = names::parse_type(&self.parser.parse_data_type()?.to_string())?;
                let value = if self.parser.consume_token(&Token::Eq) {
                    Some(self.expr()?)
                } else {
                    None
                };
                declared.push((name, DeclaredAs::Scalar(ty), value));
            }
            if !self.comma() {
                return Ok(Kind::Declare(declared));
            }
        }
    }

    fn set(&mut self) -> Result<Kind> {
        if let Ok(name) = self.variable() {
            for (token, op) in super::parse::compound() {
                if self.parser.peek_token_ref().token == token {
                    self.parser.advance_token();
                    self.token(&Token::Eq)?;
                    let left = Box::new(sqlparser::ast::Expr::Identifier(
                        sqlparser::ast::Ident::new(&name),
                    ));
                    let right = Box::new(sqlparser::ast::Expr::Nested(Box::new(self.expr()?)));
                    return Ok(Kind::SetVariable(
                        name,
                        sqlparser::ast::Expr::BinaryOp { left, op, right },
                    ));
                }
            }
            self.token(&Token::Eq)?;
            return Ok(Kind::SetVariable(name, self.expr()?));
        }
        // An option: words, and a value of a word or a number.
        let mut words = Vec::new();
        loop {
            match self.parser.peek_token_ref().token.clone() {
                Token::Word(word) => words.push(word.value.to_lowercase()),
                Token::Number(number, _) => words.push(number),
                Token::Minus => words.push("-".to_owned()),
                Token::SingleQuotedString(text) => words.push(text),
                Token::Comma => words.push(",".to_owned()),
                _ => break,
            }
            self.parser.advance_token();
            let last = words.last().map(String::as_str).unwrap_or_default();
            let numeric = last.parse::<i64>().is_ok() && words.len() > 1;
            let isolation = words.first().is_some_and(|word| word == "transaction");
            let done = if isolation {
                matches!(
                    last,
                    "committed" | "uncommitted" | "serializable" | "snapshot"
                ) || words.ends_with(&["repeatable".to_owned(), "read".to_owned()])
            } else {
                matches!(last, "on" | "off") || numeric
            };
            if done && self.parser.peek_token_ref().token != Token::Comma {
                return Ok(Kind::SetOption(words));
            }
            if self.at_end() || self.parser.peek_token_ref().token == Token::SemiColon {
                return Ok(Kind::SetOption(words));
            }
            // SET IDENTITY_INSERT names a table in parts.
            if self.parser.consume_token(&Token::Period)
                && let Some(last) = words.last_mut()
            {
                last.push('.');
                let part = self.name()?;
                last.push_str(&part);
            }
            if words.len() > 16 {
                return Err(SqlError::unknown(format!("SET {}", words.join(" "))));
            }
            // SET LANGUAGE x, SET DATEFORMAT ymd, SET TEXTSIZE n: one word more, then the end.
            if words.len() == 2
                && matches!(
                    words[0].as_str(),
                    "language" | "dateformat" | "context_info" | "deadlock_priority"
                )
            {
                return Ok(Kind::SetOption(words));
            }
        }
        Ok(Kind::SetOption(words))
    }
}
