//! Reads what changes rows: INSERT, UPDATE, DELETE, MERGE, INSERT BULK.

use sqlparser::ast::{Expr, OutputClause, SelectInto, TableWithJoins, With};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::ast::{Kind, Source, Target};
use super::names;
use super::parse::{Reader, compound, folded};
use crate::fault::{Result, SqlError};

impl Reader {
    pub(super) fn output(&mut self) -> Result<Option<OutputClause>> {
        if !self.words(&["output"]) {
            return Ok(None);
        }
        let output_token = self.parser.next_token();
        let mut select_items = Vec::new();
        loop {
            select_items.push(self.parser.parse_select_item()?);
            if !self.comma() {
                break;
            }
        }
        let into_table = if self.take(&["into"]) {
            let target = Expr::CompoundIdentifier(
                self.object()?
                    .0
                    .iter()
                    .filter_map(|part| part.as_ident().cloned())
                    .collect(),
            );
            if !self.names()?.is_empty() {
                return Err(SqlError::unknown("columns after OUTPUT ... INTO"));
            }
            Some(SelectInto {
                temporary: false,
                unlogged: false,
                table: false,
                targets: vec![target],
            })
        } else {
            None
        };
        Ok(Some(OutputClause::Output {
            output_token: sqlparser::ast::helpers::attached_token::AttachedToken(output_token),
            select_items,
            into_table,
        }))
    }

    pub(super) fn top(&mut self) -> Result<Option<Expr>> {
        if !self.take(&["top"]) {
            return Ok(None);
        }
        self.token(&Token::LParen)?;
        let count = self.expr()?;
        self.token(&Token::RParen)?;
        Ok(Some(count))
    }

    pub(super) fn insert(&mut self) -> Result<Kind> {
        self.expect("insert")?;
        let top = self.top()?;
        self.take(&["into"]);
        let table = self.object()?;
        // A parenthesis begins the columns, unless it begins a query.
        let columns = if self.parser.peek_token_ref().token == Token::LParen
            && !matches!(
                folded(&self.parser.peek_nth_token_ref(1).token).as_deref(),
                Some("select" | "with")
            ) {
            self.names()?
        } else {
            Vec::new()
        };
        let output = self.output()?;
        let source = if self.take(&["default", "values"]) {
            Source::DefaultValues
        } else if self.words(&["exec"]) || self.words(&["execute"]) {
            self.control()?;
            Source::Exec
        } else {
            Source::Query(self.parser.parse_query()?)
        };
        Ok(Kind::Insert {
            table,
            columns,
            output,
            top,
            source,
        })
    }

    pub(super) fn update(&mut self, with: Option<With>) -> Result<Kind> {
        self.expect("update")?;
        let top = self.top()?;
        let target = self.object()?;
        self.expect("set")?;
        let mut set = Vec::new();
        loop {
            set.push(self.assignment()?);
            if !self.comma() {
                break;
            }
        }
        let output = self.output()?;
        let (from, filter) = self.source_and_condition()?;
        Ok(Kind::Update {
            target,
            set,
            output,
            top,
            from,
            filter,
            with,
        })
    }

    pub(super) fn assignment(&mut self) -> Result<(Target, Expr)> {
        if let Ok(name) = self.variable() {
            self.token(&Token::Eq)?;
            return Ok((Target::Variable(name), self.expr()?));
        }
        let column = names::parts(&self.object()?)?.name;
        let own = Expr::Identifier(sqlparser::ast::Ident::with_quote('[', &column));
        for (token, op) in compound() {
            if self.parser.peek_token_ref().token == token
                && self.parser.peek_nth_token_ref(1).token == Token::Eq
            {
                self.parser.advance_token();
                self.parser.advance_token();
                let right = Box::new(Expr::Nested(Box::new(self.expr()?)));
                return Ok((
                    Target::Column(column),
                    Expr::BinaryOp {
                        left: Box::new(own),
                        op,
                        right,
                    },
                ));
            }
        }
        self.token(&Token::Eq)?;
        if self.take(&["default"]) {
            return Err(SqlError::unknown("SET column = DEFAULT"));
        }
        Ok((Target::Column(column), self.expr()?))
    }

    pub(super) fn delete(&mut self, with: Option<With>) -> Result<Kind> {
        self.expect("delete")?;
        let top = self.top()?;
        self.take(&["from"]);
        let target = self.object()?;
        let output = self.output()?;
        let (from, filter) = self.source_and_condition()?;
        Ok(Kind::Delete {
            target,
            output,
            top,
            from,
            filter,
            with,
        })
    }

    fn source_and_condition(&mut self) -> Result<(Vec<TableWithJoins>, Option<Expr>)> {
        let from = if self.take(&["from"]) {
            self.parser
                .parse_comma_separated(Parser::parse_table_and_joins)?
        } else {
            Vec::new()
        };
        let filter = if self.take(&["where"]) {
            Some(self.expr()?)
        } else {
            None
        };
        Ok((from, filter))
    }

    pub(super) fn merge(&mut self) -> Result<Kind> {
        let token = self.parser.next_token();
        Ok(Kind::Merge(Box::new(self.parser.parse_merge(token)?)))
    }

    pub(super) fn insert_bulk(&mut self) -> Result<Kind> {
        self.take(&["insert", "bulk"]);
        let table = self.object()?;
        let mut columns = Vec::new();
        self.token(&Token::LParen)?;
        loop {
            let name = self.name()?;
            let mut ty = names::parse_type(&self.parser.parse_data_type()?.to_string())?;
            if self.take(&["collate"]) {
                ty.collation = names::collation(&self.name()?)?;
            }
            let _ = self.take(&["not", "null"]) || self.take(&["null"]);
            columns.push((name, ty));
            if !self.comma() {
                break;
            }
        }
        self.token(&Token::RParen)?;
        let mut options: Vec<String> = Vec::new();
        if self.take(&["with"]) {
            self.token(&Token::LParen)?;
            while !self.parser.consume_token(&Token::RParen) {
                if self.at_end() {
                    return Err(self.wrong("')'"));
                }
                options.push(self.parser.next_token().token.to_string().to_lowercase());
            }
        }
        Ok(Kind::InsertBulk {
            table,
            columns,
            options,
        })
    }
}
