//! What a statement can name: tables, views, functions, variables.

use std::sync::Arc;
use std::time::Duration;

use super::Engine;
use super::options::Isolation;
use crate::fault::SqlError;
use crate::reply::Outcome;
use crate::sql::infer::Typed;
use crate::sql::names::Parts;
use crate::sql::query::World;
use crate::store::locks::{Mode, Owner, Resource};
use crate::store::table::Table;
use crate::store::{Database, Name};
use crate::types::{Kind, SqlType, Value};

impl Engine {
    /// The name of a table in this session's default schema where it has none.
    pub(super) fn own_name(&self, parts: &Parts) -> Result<Name, SqlError> {
        if parts.name.starts_with(['#', '@']) {
            return Ok(Name::new("dbo", &parts.name));
        }
        match &parts.database {
            Some(database) if !database.eq_ignore_ascii_case(&self.database.name) => {
                Err(SqlError::unknown(format!(
                    "a change in the database {database} from {}",
                    self.database.name
                )))
            }
            _ => Ok(Name::new(
                parts.schema.as_deref().unwrap_or("dbo"),
                &parts.name,
            )),
        }
    }

    pub(super) fn database_of(&self, name: &Name) -> &Arc<Database> {
        if name.table.starts_with(['#', '@']) {
            &self.temporary
        } else {
            &self.database
        }
    }

    pub(super) fn no_object(parts: &Parts) -> SqlError {
        let schema = parts
            .schema
            .as_ref()
            .map(|schema| format!("{schema}."))
            .unwrap_or_default();
        let database = parts
            .database
            .as_ref()
            .map(|database| format!("{database}."))
            .unwrap_or_default();
        SqlError::new(
            208,
            format!("Invalid object name '{database}{schema}{}'.", parts.name),
        )
    }

    pub(super) fn lock(
        &self,
        database: &Database,
        resource: &Resource,
        mode: Mode,
        owner: Owner,
        limit: Option<Duration>,
    ) -> Outcome {
        database
            .locks
            .acquire(self.spid, resource, mode, owner, limit, &self.signals)
            .map(|_| ())
    }

    /// Locks a table for as long as what is written to it isn't committed.
    pub(super) fn lock_to_write(&self, name: &Name, mode: Mode) -> Outcome {
        let limit = self.settings.lock_timeout;
        self.lock(
            self.database_of(name),
            &Resource::Table(name.clone()),
            mode,
            Owner::Transaction,
            limit,
        )
    }

    fn hints(&self, name: &Name, alias: Option<&str>) -> Vec<&str> {
        let alias = alias.map(str::to_lowercase);
        self.hints
            .iter()
            .filter(|(follows, _)| *follows == name.table || Some(follows) == alias.as_ref())
            .map(|(_, hint)| hint.as_str())
            .collect()
    }

    /// Locks a table for reading as the hints and the isolation say.
    fn lock_to_read(&self, database: &Database, name: &Name, alias: Option<&str>) -> Outcome {
        let hints = self.hints(name, alias);
        let has = |hint: &str| hints.contains(&hint);
        let isolation = self.settings.isolation;
        let (mode, owner) = if has("tablockx") || has("xlock") {
            (Mode::Exclusive, Owner::Transaction)
        } else if has("updlock") {
            (Mode::Update, Owner::Transaction)
        } else if has("nolock") || has("readuncommitted") || isolation == Isolation::ReadUncommitted
        {
            (Mode::Stable, Owner::Statement)
        } else if has("holdlock")
            || has("serializable")
            || has("repeatableread")
            || matches!(
                isolation,
                Isolation::RepeatableRead | Isolation::Serializable
            )
        {
            (Mode::Shared, Owner::Transaction)
        } else if self.view.is_some() && !has("readcommittedlock") {
            (Mode::Stable, Owner::Statement)
        } else {
            (Mode::Shared, Owner::Statement)
        };
        // A lock for the transaction outlives the statement only where there is one.
        let limit = if has("nowait") {
            Some(Duration::ZERO)
        } else {
            self.settings.lock_timeout
        };
        self.lock(database, &Resource::Table(name.clone()), mode, owner, limit)
    }
}

impl World for Engine {
    fn table(&mut self, parts: &Parts, alias: Option<&str>) -> Outcome<(Arc<Table>, String)> {
        let schema = parts.schema.as_deref().unwrap_or("dbo");
        if schema.eq_ignore_ascii_case("sys") || schema.eq_ignore_ascii_case("information_schema") {
            let table = self
                .system_view(schema, &parts.name)
                .ok_or_else(|| Self::no_object(parts))?;
            let shown = self.sqlite.show(&table)?;
            return Ok((table, shown));
        }
        let name = Name::new(schema, &parts.name);
        let temporary = parts.name.starts_with(['#', '@']);
        let database = match &parts.database {
            Some(other) if !temporary => self
                .shared
                .databases
                .get(other)
                .ok_or_else(|| Self::no_object(parts))?,
            _ if temporary => Arc::clone(&self.temporary),
            _ => Arc::clone(&self.database),
        };
        if !temporary && self.writes.as_ref() != Some(&name) {
            self.lock_to_read(&database, &name, alias)?;
        }
        let table = self
            .lookup_in(&database.name, &name)
            .ok_or_else(|| Self::no_object(parts))?;
        let shown = self.sqlite.show(&table)?;
        Ok((table, shown))
    }

    fn table_function(
        &mut self,
        parts: &Parts,
        args: &[(SqlType, Value)],
    ) -> Outcome<(Arc<Table>, String)> {
        let table = self.function_table(parts, args)?;
        let shown = self.sqlite.show(&table)?;
        Ok((table, shown))
    }

    fn change_table(&mut self, of: &Parts, since: &Value) -> Outcome<(Arc<Table>, String)> {
        let name = Name::new(of.schema.as_deref().unwrap_or("dbo"), &of.name);
        let table = self.lookup(&name).ok_or_else(|| Self::no_object(of))?;
        let changes = super::tracking::changes(&table, since)?;
        let shown = self.sqlite.show(&changes)?;
        Ok((changes, shown))
    }

    fn variable(&self, name: &str) -> Option<(SqlType, Value)> {
        self.variables.last()?.get(&name.to_lowercase()).cloned()
    }

    fn global(&self, name: &str) -> Option<(SqlType, Value)> {
        let int = |number: i64| (SqlType::plain(Kind::Int), Value::Int(number));
        let text = |text: &str| (SqlType::nvarchar(300), Value::text(text));
        Some(match name {
            "@@version" => text(super::session_functions::VERSION),
            "@@spid" => (
                SqlType::plain(Kind::SmallInt),
                Value::Int(i64::from(self.spid)),
            ),
            "@@trancount" => int(self
                .transaction
                .as_ref()
                .map_or(0, |transaction| i64::from(transaction.level))),
            "@@rowcount" => int(self.row_count),
            "@@error" => int(i64::from(self.last_error)),
            "@@identity" => (
                SqlType::decimal(38, 0),
                self.scope_identity.map_or(Value::Null, |number| {
                    Value::Decimal(crate::types::Decimal::new(i128::from(number), 0))
                }),
            ),
            "@@servername" => text(crate::SERVER_NAME),
            "@@servicename" => text("MSSQLSERVER"),
            "@@language" => text("us_english"),
            "@@lock_timeout" => int(self.settings.lock_timeout.map_or(-1, |time| {
                i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
            })),
            "@@options" => int(match self.settings.implicit_transactions {
                true => 5498,
                false => 5496,
            }),
            "@@datefirst" => (SqlType::plain(Kind::TinyInt), Value::Int(7)),
            "@@max_precision" => (SqlType::plain(Kind::TinyInt), Value::Int(38)),
            "@@microsoftversion" => int(0x1000_101D),
            "@@textsize" => int(-1),
            "@@nestlevel" => int(i64::try_from(self.depth).unwrap_or_default()),
            "@@dbts" => (
                SqlType::sized(Kind::VarBinary, 8),
                Value::Bytes(self.database.last_rowversion().to_be_bytes().to_vec()),
            ),
            _ => return None,
        })
    }

    fn session_function(&mut self, name: &str, args: &[Value]) -> Outcome<(SqlType, Value)> {
        self.call_session_function(name, args)
    }

    fn evaluate(&mut self, typed: &Typed, binds: &[Value]) -> Outcome<Value> {
        if typed.untyped {
            return Ok(Value::Null);
        }
        let rows = self
            .sqlite
            .values(&format!("SELECT {}", typed.sql), binds, &[typed.ty])?;
        Ok(rows
            .into_iter()
            .next()
            .and_then(|row| row.into_iter().next())
            .unwrap_or(Value::Null))
    }
}
