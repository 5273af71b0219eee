//! Runs the statements of a batch, one after the other.

use sqlparser::ast::{Expr, SetExpr};

use super::{Engine, cut, wait};
use crate::fault::SqlError;
use crate::reply::{Halt, Outcome, Reply};
use crate::sql::ast::{DeclaredAs, Kind, Statement};
use crate::sql::names;
use crate::sql::parse;
use crate::sql::query::Compiler;
use crate::store::Name;
use crate::store::table::Table;
use crate::types::convert::{How, convert};
use crate::types::{SqlType, Value, clock};
use crate::wire::token::{self, Change};

/// Where a batch goes on after a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Break,
    Continue,
    Return(i64),
    /// An error ended it, and the client was told.
    Abort,
}

/// Errors that end a statement and not its batch.
const STATEMENT_ONLY: [i32; 24] = [
    220, 232, 515, 544, 545, 547, 1222, 1505, 1750, 1779, 1902, 1904, 2601, 2627, 2628, 2705, 2714,
    3701, 4922, 8102, 8115, 8134, 8152, 15_225,
];

const DEEPEST: usize = 32;

/// Whether a statement begins a transaction by itself, as `SET IMPLICIT_TRANSACTIONS ON` wants it.
fn begins_by_itself(kind: &Kind) -> bool {
    match kind {
        Kind::Query(query) => !matches!(
            query.body.as_ref(),
            SetExpr::Select(select) if select.from.is_empty()
        ),
        kind => matches!(
            kind,
            Kind::Insert { .. }
                | Kind::Update { .. }
                | Kind::Delete { .. }
                | Kind::Merge(_)
                | Kind::CreateTable { .. }
                | Kind::DropTable { .. }
                | Kind::AlterTable { .. }
                | Kind::CreateIndex { .. }
                | Kind::DropIndex { .. }
                | Kind::CreateSchema(_)
                | Kind::DropSchema(_)
                | Kind::Truncate(_)
                // It opens two then.
                | Kind::Begin
        ),
    }
}

impl Engine {
    /// Runs a text in the variables that are there.
    pub(super) fn text(&mut self, reply: &mut Reply, text: &str) -> Outcome {
        let statements = match parse::batch(text) {
            Ok(statements) => statements,
            Err(error) => {
                // A batch that can't be read is logged as a whole: nothing of it ran.
                self.enter(reply, text)?;
                return self.failed(reply, error, 1).map(drop);
            }
        };
        self.block(reply, &statements).map(drop)
    }

    pub(super) fn block(&mut self, reply: &mut Reply, statements: &[Statement]) -> Outcome<Flow> {
        for statement in statements {
            match self.statement(reply, statement)? {
                Flow::Next => {}
                other => return Ok(other),
            }
        }
        Ok(Flow::Next)
    }

    fn statement(&mut self, reply: &mut Reply, statement: &Statement) -> Outcome<Flow> {
        self.signals.check()?;
        match &statement.kind {
            Kind::Block(body) => return self.block(reply, body),
            Kind::If {
                condition,
                then,
                otherwise,
            } => {
                let met = match self.within(statement, |engine| engine.decide(condition)) {
                    Err(Halt::Sql(error)) => return self.failed(reply, error, statement.line),
                    other => other?,
                };
                return match (met, otherwise) {
                    (true, _) => self.statement(reply, then),
                    (false, Some(otherwise)) => self.statement(reply, otherwise),
                    (false, None) => Ok(Flow::Next),
                };
            }
            Kind::While { condition, body } => loop {
                match self.within(statement, |engine| engine.decide(condition)) {
                    Ok(true) => {}
                    Ok(false) => return Ok(Flow::Next),
                    Err(Halt::Sql(error)) => return self.failed(reply, error, statement.line),
                    Err(halt) => return Err(halt),
                }
                match self.statement(reply, body)? {
                    Flow::Next | Flow::Continue => {}
                    Flow::Break => return Ok(Flow::Next),
                    other => return Ok(other),
                }
            },
            Kind::Try { body, catch } => return self.try_catch(reply, body, catch),
            _ => {}
        }
        let drop_after = match self.enter(reply, &statement.text) {
            Err(Halt::Sql(error)) => return self.failed(reply, error, statement.line),
            other => other?,
        };
        if self.settings.implicit_transactions
            && self.transaction.is_none()
            && begins_by_itself(&statement.kind)
        {
            self.begin(reply);
        }
        let outcome = self.within(statement, |engine| engine.execute(reply, statement));
        reply.in_transaction = self.transaction.is_some();
        match outcome {
            Ok(_) if drop_after => Err(cut(reply)),
            Ok(flow) => {
                self.last_error = 0;
                Ok(flow)
            }
            Err(Halt::Sql(error)) => self.failed(reply, error, statement.line),
            Err(halt) => Err(halt),
        }
    }

    /// Runs something as one statement: all of it is kept, or nothing.
    fn within<T>(
        &mut self,
        statement: &Statement,
        run: impl FnOnce(&mut Self) -> Outcome<T>,
    ) -> Outcome<T> {
        // A statement within a procedure's call within a statement settles for itself.
        let hints = std::mem::replace(&mut self.hints, statement.hints.clone());
        let before = self.pending.clone();
        self.look();
        let outcome = run(self);
        self.writes = None;
        // What a nested text or a COMMIT did is settled already.
        let nested = matches!(
            statement.kind,
            Kind::Exec { .. }
                | Kind::ExecText(_)
                | Kind::Begin
                | Kind::Commit
                | Kind::RollBack(_)
                | Kind::Save(_)
        );
        if !nested || outcome.is_ok() {
            self.settle(outcome.is_ok(), before);
        }
        self.hints = hints;
        outcome
    }

    /// What an error does to the transaction and to the batch.
    fn failed(&mut self, reply: &mut Reply, error: SqlError, line: u32) -> Outcome<Flow> {
        self.last_error = error.number;
        self.row_count = 0;
        let only_statement = STATEMENT_ONLY.contains(&error.number) && !self.settings.xact_abort;
        if matches!(error.number, 1205 | 3960) {
            if let Some(id) = self.roll_back() {
                reply.change(&Change::RolledBack(id));
            }
        } else if !only_statement && self.in_try > 0 && error.class < 20 {
            if let Some(transaction) = &mut self.transaction {
                transaction.doomed |= self.settings.xact_abort || !matches!(error.number, 50_000..);
            }
        } else if self.settings.xact_abort
            && let Some(id) = self.roll_back()
        {
            reply.change(&Change::RolledBack(id));
        }
        reply.in_transaction = self.transaction.is_some();
        if self.in_try > 0 || error.class >= 20 {
            return Err(error.into());
        }
        reply.message(&error, line);
        reply.done(token::ERROR, token::CMD_OTHER, 0);
        Ok(
            if only_statement
                || (error.number >= 50_000 && !self.settings.xact_abort && error.state != THROWN)
            {
                Flow::Next
            } else {
                Flow::Abort
            },
        )
    }

    fn try_catch(
        &mut self,
        reply: &mut Reply,
        body: &[Statement],
        catch: &[Statement],
    ) -> Outcome<Flow> {
        self.in_try += 1;
        let outcome = self.block(reply, body);
        self.in_try -= 1;
        match outcome {
            Err(Halt::Sql(error)) if error.class < 20 => {
                self.caught.push(error);
                let outcome = self.block(reply, catch);
                self.caught.pop();
                outcome
            }
            other => other,
        }
    }

    /// Whether a condition is met.
    fn decide(&mut self, condition: &Expr) -> Outcome<bool> {
        let mut compiler = Compiler::new(self);
        let sql = compiler.condition(condition)?;
        let binds = std::mem::take(&mut compiler.binds);
        let mut met = false;
        self.sqlite.query(&format!("SELECT {sql}"), &binds, |row| {
            met = matches!(super::sqlite::cell(row, 0)?, rusqlite::types::ValueRef::Integer(number) if number != 0);
            Ok(false)
        })?;
        Ok(met)
    }

    /// The value of an expression outside any query.
    pub(super) fn value(&mut self, expr: &Expr) -> Outcome<(SqlType, Value)> {
        let mut compiler = Compiler::new(self);
        compiler.constant(expr)
    }

    fn text_of(&mut self, expr: &Expr) -> Outcome<String> {
        let (ty, value) = self.value(expr)?;
        Ok(convert(
            value,
            &ty,
            &SqlType::sized(crate::types::Kind::NVarChar, crate::types::MAX),
            0,
            How::Cast,
        )?
        .lossy_or_empty())
    }

    pub(super) fn set_variable(&mut self, name: &str, from: &SqlType, value: Value) -> Outcome {
        let folded = name.to_lowercase();
        let ty = self
            .variables
            .last()
            .and_then(|variables| variables.get(&folded))
            .map(|(ty, _)| *ty);
        let ty = ty.ok_or_else(|| {
            SqlError::new(137, format!("Must declare the scalar variable \"{name}\".")).class(15)
        })?;
        let value = convert(value, from, &ty, 0, How::Cast)?;
        if let Some(variables) = self.variables.last_mut() {
            variables.insert(folded, (ty, value));
        }
        Ok(())
    }

    fn execute(&mut self, reply: &mut Reply, statement: &Statement) -> Outcome<Flow> {
        let doomed = self
            .transaction
            .as_ref()
            .is_some_and(|transaction| transaction.doomed);
        if doomed
            && !matches!(
                statement.kind,
                Kind::RollBack(None)
                    | Kind::Query(_)
                    | Kind::Throw(_)
                    | Kind::SetVariable(..)
                    | Kind::Declare(_)
                    | Kind::Print(_)
                    | Kind::RaiseError(_)
                    | Kind::Return(_)
            )
        {
            return Err(SqlError::new(3930, "The current transaction cannot be committed and cannot support operations that write to the log file. Roll back the transaction.").into());
        }
        match &statement.kind {
            Kind::Query(query) => self.run_query(reply, query)?,
            Kind::Insert {
                table,
                columns,
                output,
                top,
                source,
            } => self.insert(reply, table, columns, output.as_ref(), top.as_ref(), source)?,
            Kind::Update { .. } => self.update(reply, &statement.kind)?,
            Kind::Delete { .. } => self.delete(reply, &statement.kind)?,
            Kind::Merge(merge) => self.merge(reply, merge)?,
            Kind::Truncate(name) => self.truncate(reply, name)?,
            Kind::Declare(declared) => {
                for (name, declared, value) in declared {
                    self.declare(name, declared, value.as_ref())?;
                }
            }
            Kind::SetVariable(name, expr) => {
                let (ty, value) = self.value(expr)?;
                self.set_variable(name, &ty, value)?;
            }
            Kind::SetOption(words) => {
                self.set_option(words)?;
                reply.done(0, token::CMD_OTHER, 0);
            }
            Kind::Use(name) => {
                let database = self.shared.databases.get(name).ok_or_else(|| SqlError::new(911, format!("Database '{name}' does not exist. Make sure that the name is entered correctly.")))?;
                if self.view.is_some() {
                    return Err(SqlError::unknown("USE in a snapshot").into());
                }
                reply.change(&Change::Database(&database.name, &self.database.name));
                reply.message(
                    &SqlError::new(
                        5701,
                        format!("Changed database context to '{}'.", database.name),
                    )
                    .class(0)
                    .state(1),
                    1,
                );
                self.database = database;
                reply.done(0, token::CMD_OTHER, 0);
            }
            Kind::Throw(thrown) => return self.throw(thrown.as_ref()),
            Kind::RaiseError(arguments) => self.raise_error(reply, arguments)?,
            Kind::Print(expr) => {
                let text = self.text_of(expr)?;
                reply.message(&SqlError::new(0, text).class(0), statement.line);
            }
            Kind::Return(status) => {
                let status = match status {
                    Some(expr) => match self.value(expr)?.1 {
                        Value::Int(status) => status,
                        _ => 0,
                    },
                    None => 0,
                };
                return Ok(Flow::Return(status));
            }
            Kind::Break => return Ok(Flow::Break),
            Kind::Continue => return Ok(Flow::Continue),
            Kind::Begin => {
                self.begin(reply);
                reply.done(0, token::CMD_OTHER, 0);
            }
            Kind::Commit => {
                self.commit(reply)?;
                reply.done(0, token::CMD_OTHER, 0);
            }
            Kind::RollBack(name) => {
                self.roll_back_to(reply, name.as_deref())?;
                reply.done(0, token::CMD_OTHER, 0);
            }
            Kind::Save(name) => {
                self.save(name)?;
                reply.done(0, token::CMD_OTHER, 0);
            }
            Kind::Exec {
                into,
                procedure,
                arguments,
            } => self.execute_procedure(reply, into.as_deref(), procedure, arguments)?,
            Kind::ExecText(expr) => {
                let text = self.text_of(expr)?;
                self.nested_text(reply, &text, None)?;
            }
            Kind::InsertBulk { .. } => {
                self.announce_load(statement)?;
                reply.done(0, token::CMD_OTHER, 0);
            }
            Kind::WaitFor(expr) => {
                let text = self.text_of(expr)?;
                let time = clock::parse(&text)
                    .map(|moment| moment.ticks.rem_euclid(clock::DAY))
                    .ok_or_else(|| {
                        SqlError::new(
                            148,
                            format!(
                                "Incorrect time syntax in time string '{text}' used with WAITFOR."
                            ),
                        )
                        .class(15)
                    })?;
                wait(
                    std::time::Duration::from_micros(u64::try_from(time / 10).unwrap_or_default()),
                    &self.signals.clone(),
                )?;
                reply.done(0, token::CMD_OTHER, 0);
            }
            Kind::Block(_) | Kind::If { .. } | Kind::While { .. } | Kind::Try { .. } => {
                return Err(SqlError::broken("a block was to run as a statement").into());
            }
            definition => {
                self.define(definition)?;
                reply.done(0, token::CMD_OTHER, 0);
            }
        }
        Ok(Flow::Next)
    }

    fn declare(&mut self, name: &str, declared: &DeclaredAs, value: Option<&Expr>) -> Outcome {
        match declared {
            DeclaredAs::Scalar(ty) => {
                let value = match value {
                    Some(expr) => {
                        let (from, value) = self.value(expr)?;
                        convert(value, &from, ty, 0, How::Cast)?
                    }
                    None => Value::Null,
                };
                if let Some(variables) = self.variables.last_mut() {
                    variables.insert(name.to_lowercase(), (*ty, value));
                }
            }
            DeclaredAs::Table(columns, constraints) => {
                let parts = names::Parts {
                    database: None,
                    schema: None,
                    name: name.to_owned(),
                };
                let table: Table = self.table_of(&parts, columns, constraints)?;
                self.put(&Name::new("dbo", name), table);
            }
        }
        Ok(())
    }

    fn throw(&mut self, thrown: Option<&(Expr, Expr, Expr)>) -> Outcome<Flow> {
        let Some((number, text, state)) = thrown else {
            let error = self.caught.last().cloned();
            return Err(error
                .unwrap_or_else(|| {
                    SqlError::new(
                        10704,
                        "To rethrow an error, a THROW statement must be used inside a CATCH block.",
                    )
                    .class(15)
                })
                .into());
        };
        let number = match self.value(number)?.1 {
            Value::Int(number) if number >= 50_000 => i32::try_from(number).unwrap_or(50_000),
            _ => return Err(SqlError::new(35_100, "Error number in the THROW statement is outside the valid range: 50000 to 2147483647.").into()),
        };
        let text = self.text_of(text)?;
        let state = match self.value(state)?.1 {
            Value::Int(state) => u8::try_from(state).unwrap_or(1),
            _ => 1,
        };
        if self.in_try == 0 && !self.settings.xact_abort {
            // It ends the batch, as no RAISERROR does.
            return Err(SqlError::new(number, text)
                .state(if state == 0 { THROWN } else { state })
                .into());
        }
        Err(SqlError::new(number, text).state(state).into())
    }

    fn raise_error(&mut self, reply: &mut Reply, arguments: &[Expr]) -> Outcome {
        let [text, severity, state, rest @ ..] = arguments else {
            return Err(
                SqlError::new(102, "RAISERROR takes a text, a severity and a state.")
                    .class(15)
                    .into(),
            );
        };
        let mut message = self.text_of(text)?;
        for argument in rest {
            let value = self.text_of(argument)?;
            let at = message
                .find("%s")
                .or_else(|| message.find("%d"))
                .or_else(|| message.find("%i"));
            if let Some(at) = at {
                message.replace_range(at..at + 2, &value);
            }
        }
        let number = |value: Value| {
            if let Value::Int(number) = value {
                u8::try_from(number).unwrap_or(16)
            } else {
                16
            }
        };
        let (severity, state) = (
            number(self.value(severity)?.1),
            number(self.value(state)?.1),
        );
        let error = SqlError::new(50_000, message).class(severity).state(state);
        if severity > 10 {
            return Err(error.into());
        }
        reply.message(&error, 1);
        Ok(())
    }

    /// Runs a text within another: EXEC('...') and procedures that run one.
    pub(super) fn nested_text(
        &mut self,
        reply: &mut Reply,
        text: &str,
        variables: Option<super::Variables>,
    ) -> Outcome {
        if self.depth >= DEEPEST {
            return Err(SqlError::new(217, "Maximum stored procedure, function, trigger, or view nesting level exceeded (limit 32).").into());
        }
        self.depth += 1;
        self.variables.push(variables.unwrap_or_default());
        let outcome = self.text(reply, text);
        self.depth -= 1;
        outcome
    }
}

/// The state that tells a THROW with state 0 from a RAISERROR.
const THROWN: u8 = 255;

impl Value {
    pub(super) fn lossy_or_empty(&self) -> String {
        if self.is_null() {
            String::new()
        } else {
            self.lossy()
        }
    }
}
