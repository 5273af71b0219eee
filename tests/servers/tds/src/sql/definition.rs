//! Reads what declares: tables, indexes, schemas, databases.

use sqlparser::ast::{ColumnDef, ColumnOption, ColumnOptionDef, DataType, Expr, TableConstraint};
use sqlparser::tokenizer::Token;

use super::ast::{Alter, Kind};
use super::names;
use super::parse::Reader;
use crate::fault::{Result, SqlError};

impl Reader {
    pub(super) fn definition(&mut self) -> Result<Kind> {
        if self.take(&["create", "table"]) {
            let name = self.object()?;
            let (columns, constraints) = self.columns()?;
            if self.take(&["on"]) {
                self.name()?;
            }
            self.table_options()?;
            return Ok(Kind::CreateTable {
                name,
                columns,
                constraints,
            });
        }
        if self.take(&["create", "schema"]) {
            let name = self.name()?;
            if self.take(&["authorization"]) {
                self.name()?;
            }
            return Ok(Kind::CreateSchema(name));
        }
        if self.take(&["create", "database"]) {
            return Ok(Kind::CreateDatabase(self.name()?));
        }
        if self.words(&["create"]) {
            return self.create_index();
        }
        if self.take(&["truncate", "table"]) {
            return Ok(Kind::Truncate(self.object()?));
        }
        if self.take(&["drop", "table"]) {
            let if_exists = self.take(&["if", "exists"]);
            let mut names = vec![self.object()?];
            while self.comma() {
                names.push(self.object()?);
            }
            return Ok(Kind::DropTable { names, if_exists });
        }
        if self.take(&["drop", "index"]) {
            let if_exists = self.take(&["if", "exists"]);
            let name = self.name()?;
            self.expect("on")?;
            return Ok(Kind::DropIndex {
                name,
                table: self.object()?,
                if_exists,
            });
        }
        if self.take(&["drop", "schema"]) {
            self.take(&["if", "exists"]);
            return Ok(Kind::DropSchema(self.name()?));
        }
        if self.take(&["alter", "table"]) {
            return self.alter_table();
        }
        if self.take(&["alter", "index"]) {
            self.name()?;
            self.expect("on")?;
            self.object()?;
            if self.take(&["rebuild"]) || self.take(&["reorganize"]) {
                return Ok(Kind::AlterIndex);
            }
            return Err(self.wrong("REBUILD"));
        }
        if self.take(&["alter", "database"]) {
            let name = self.name()?;
            self.expect("set")?;
            let setting = self.name()?.to_lowercase();
            // SET CHANGE_TRACKING = ON (...).
            let _ = self.parser.consume_token(&Token::Eq);
            let on = self.take(&["on"]);
            if !on {
                self.expect("off")?;
            }
            if setting == "change_tracking" {
                self.ignored_options()?;
            }
            if self.take(&["with"]) {
                while !self.at_end() && self.parser.peek_token_ref().token != Token::SemiColon {
                    self.parser.advance_token();
                }
            }
            return Ok(Kind::AlterDatabase { name, setting, on });
        }
        if self.take(&["checkpoint"]) {
            return Ok(Kind::Nothing);
        }
        Err(self.wrong("something to create, drop or alter that the test server has"))
    }

    /// Columns, computed columns and constraints, in parentheses.
    pub(super) fn columns(&mut self) -> Result<(Vec<ColumnDef>, Vec<TableConstraint>)> {
        let (mut columns, mut constraints) = (Vec::new(), Vec::new());
        self.token(&Token::LParen)?;
        loop {
            if self.parser.consume_token(&Token::RParen) {
                return Ok((columns, constraints));
            }
            if let Some(constraint) = self.parser.parse_optional_table_constraint()? {
                self.table_options()?;
                constraints.push(constraint);
            } else {
                columns.push(self.column()?);
            }
            if !self.comma() {
                self.token(&Token::RParen)?;
                return Ok((columns, constraints));
            }
        }
    }

    fn column(&mut self) -> Result<ColumnDef> {
        let is_computed = matches!(&self.parser.peek_nth_token_ref(1).token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("as"));
        if !is_computed {
            return Ok(self.parser.parse_column_def()?);
        }
        let name = self.parser.parse_identifier()?;
        self.expect("as")?;
        let expr = self.expr()?;
        let option = if self.take(&["persisted"]) {
            self.take(&["not", "null"]);
            ColumnOption::Materialized(expr)
        } else {
            ColumnOption::Alias(expr)
        };
        Ok(ColumnDef {
            name,
            data_type: DataType::Unspecified,
            options: vec![ColumnOptionDef { name: None, option }],
        })
    }

    /// `WITH (DATA_COMPRESSION = PAGE, ...)`: stored differently there, not here.
    fn table_options(&mut self) -> Result<Vec<(String, String)>> {
        let mut options = Vec::new();
        if !self.take(&["with"]) {
            return Ok(options);
        }
        self.token(&Token::LParen)?;
        loop {
            let name = self.name()?.to_lowercase();
            let value = if self.parser.consume_token(&Token::Eq) {
                self.parser.next_token().token.to_string().to_lowercase()
            } else {
                String::new()
            };
            if !matches!(
                name.as_str(),
                "data_compression"
                    | "fillfactor"
                    | "pad_index"
                    | "online"
                    | "maxdop"
                    | "sort_in_tempdb"
                    | "statistics_norecompute"
                    | "allow_row_locks"
                    | "allow_page_locks"
                    | "ignore_dup_key"
                    | "drop_existing"
                    | "optimize_for_sequential_key"
            ) {
                return Err(SqlError::unknown(format!("the option {name}")));
            }
            options.push((name, value));
            if !self.comma() {
                break;
            }
        }
        self.token(&Token::RParen)?;
        Ok(options)
    }

    fn create_index(&mut self) -> Result<Kind> {
        self.expect("create")?;
        let unique = self.take(&["unique"]);
        let clustered = self.take(&["clustered"]);
        let _ = clustered || self.take(&["nonclustered"]);
        let columnstore = self.take(&["columnstore"]);
        if !self.take(&["index"]) {
            return Err(self.wrong("TABLE, SCHEMA or INDEX"));
        }
        let name = self.name()?;
        self.expect("on")?;
        let table = self.object()?;
        let mut columns = Vec::new();
        if self.parser.consume_token(&Token::LParen) {
            loop {
                let column = self.name()?;
                let descending = self.take(&["desc"]);
                let _ = descending || self.take(&["asc"]);
                columns.push((column, descending));
                if !self.comma() {
                    break;
                }
            }
            self.token(&Token::RParen)?;
        }
        let included = if self.take(&["include"]) {
            self.names()?
        } else {
            Vec::new()
        };
        if self.words(&["where"]) {
            return Err(SqlError::unknown("an index with a filter"));
        }
        let options = self.table_options()?;
        let ignore_duplicates = options
            .iter()
            .any(|(name, value)| name == "ignore_dup_key" && value == "on");
        if self.take(&["on"]) {
            self.name()?;
        }
        Ok(Kind::CreateIndex {
            name,
            table,
            columns,
            included,
            unique,
            clustered,
            columnstore,
            ignore_duplicates,
        })
    }

    /// `[CONSTRAINT name] DEFAULT value FOR column`.
    fn default_for(&mut self) -> Result<Option<(Option<String>, String, Expr)>> {
        let named = self.words(&["constraint"])
            && matches!(&self.parser.peek_nth_token_ref(2).token, Token::Word(word) if word.value.eq_ignore_ascii_case("default"));
        let name = if named {
            self.take(&["constraint"]);
            Some(self.name()?)
        } else {
            None
        };
        if !self.take(&["default"]) {
            return Ok(None);
        }
        let value = self.expr()?;
        self.expect("for")?;
        Ok(Some((name, self.name()?, value)))
    }

    /// Options that change nothing here.
    fn ignored_options(&mut self) -> Result<()> {
        if !self.parser.consume_token(&Token::LParen) {
            return Ok(());
        }
        let mut depth = 1;
        while depth > 0 && !self.at_end() {
            match self.parser.next_token().token {
                Token::LParen => depth += 1,
                Token::RParen => depth -= 1,
                _ => {}
            }
        }
        Ok(())
    }

    fn alter_table(&mut self) -> Result<Kind> {
        let name = self.object()?;
        let checked = self.take(&["with", "check"]) || self.take(&["with", "nocheck"]);
        let alter = if self.take(&["add"]) {
            // A list of columns and constraints, which sqlparser reads in parentheses only.
            let (mut columns, mut constraints, mut defaults) = (Vec::new(), Vec::new(), Vec::new());
            loop {
                if let Some(default) = self.default_for()? {
                    defaults.push(default);
                } else if let Some(constraint) = self.parser.parse_optional_table_constraint()? {
                    self.table_options()?;
                    // A filegroup.
                    if self.take(&["on"]) {
                        self.name()?;
                    }
                    constraints.push(constraint);
                } else {
                    columns.push(self.column()?);
                }
                if !self.comma() {
                    break;
                }
            }
            Alter::Add(columns, constraints, defaults)
        } else if self.take(&["drop", "constraint"]) {
            let if_exists = self.take(&["if", "exists"]);
            let mut names = vec![self.name()?];
            while self.comma() {
                names.push(self.name()?);
            }
            Alter::DropConstraints(names, if_exists)
        } else if self.take(&["drop", "column"]) {
            let if_exists = self.take(&["if", "exists"]);
            let mut names = vec![self.name()?];
            while self.comma() {
                names.push(self.name()?);
            }
            Alter::DropColumns(names, if_exists)
        } else if self.take(&["alter", "column"]) {
            let column = self.name()?;
            let mut ty = names::parse_type(&self.parser.parse_data_type()?.to_string())?;
            if self.take(&["collate"]) {
                ty.collation = names::collation(&self.name()?)?;
            }
            let nullable = if self.take(&["not", "null"]) {
                Some(false)
            } else if self.take(&["null"]) {
                Some(true)
            } else {
                None
            };
            Alter::Retype {
                name: column,
                ty,
                nullable,
            }
        } else if self.take(&["enable", "change_tracking"]) {
            if self.take(&["with"]) {
                self.ignored_options()?;
            }
            Alter::Track(true)
        } else if self.take(&["disable", "change_tracking"]) {
            Alter::Track(false)
        } else if self.take(&["switch", "to"]) {
            let target = self.object()?;
            if self.take(&["with"]) {
                // WAIT_AT_LOW_PRIORITY (...): how to wait for locks.
                self.ignored_options()?;
            }
            Alter::SwitchTo(target)
        } else if checked
            || self.take(&["check"])
            || self.take(&["nocheck"])
            || self.take(&["rebuild"])
        {
            let _ = self.take(&["check"]);
            if self.take(&["constraint"]) {
                self.name()?;
            }
            Alter::Nothing
        } else if self.take(&["set"]) {
            self.token(&Token::LParen)?;
            if !self.take(&["lock_escalation"]) {
                return Err(self.wrong("LOCK_ESCALATION"));
            }
            self.token(&Token::Eq)?;
            self.name()?;
            self.token(&Token::RParen)?;
            Alter::Nothing
        } else {
            return Err(self.wrong("ADD, DROP, ALTER COLUMN or SWITCH TO"));
        };
        Ok(Kind::AlterTable { name, alter })
    }
}
