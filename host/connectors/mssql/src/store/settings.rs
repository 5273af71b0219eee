use std::time::Duration;

use hygge_core::{Fault, Problem, Result, Settings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::connection::{ConnectionSettings, Login, Seconds, problem};
use crate::name::TableName;
use crate::overflow::OnOverflow;

/// Settings of `store: {type: mssql}`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct StoreSettings {
    /// The connection; usually named by `connection` and written once in hygge.yml.
    #[serde(flatten)]
    pub connection: ConnectionSettings,
    /// The table to write: `dbo.users`. Default: the entity's name.
    pub table: Option<String>,
    /// How staged rows become visible. Default: `temp_swap` for a full run where the table can be
    /// swapped and `truncate_insert` where not, `direct_insert` for an append, merge for a merge.
    pub write_strategy: Option<WriteStrategy>,
    /// Whether a table that isn't there is made. Default: never.
    pub create: Option<Create>,
    /// What happens when the source's columns aren't the table's. Default: fail.
    pub on_schema_change: Option<OnSchemaChange>,
    /// What becomes of a value that its column can't hold. Columns of a key take no part in it.
    /// Default: error.
    pub on_overflow: Option<OnOverflow>,
    /// Let the first run replace rows that hygge didn't write. Default: false.
    pub adopt: Option<bool>,
    /// Write the source's values into an identity column. Default: false.
    pub keep_identity: Option<bool>,
    /// How long `temp_swap` waits for those who read the table, before it lets others pass and
    /// tries again: `30s`, or seconds. Default: 30s.
    pub lock_timeout: Option<Seconds>,
}

/// How staged rows become visible, in one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WriteStrategy {
    /// INSERT beside the rows that are there.
    DirectInsert,
    /// Fill a twin of the table, then TRUNCATE TABLE and SWITCH the twin's rows in.
    TempSwap,
    /// TRUNCATE TABLE, then INSERT.
    TruncateInsert,
    /// UPDATE rows with a known key, INSERT the others.
    Merge,
    /// DELETE rows with a known key, then INSERT.
    DeleteInsert,
}

impl WriteStrategy {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::DirectInsert => "direct_insert",
            Self::TempSwap => "temp_swap",
            Self::TruncateInsert => "truncate_insert",
            Self::Merge => "merge",
            Self::DeleteInsert => "delete_insert",
        }
    }
}

/// Whether a table that isn't there is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Create {
    /// No: a missing table is an error.
    Never,
    /// Yes, from the rows' columns.
    IfMissing,
}

/// What happens when the source's columns aren't the table's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnSchemaChange {
    /// The run ends before a row is read.
    Fail,
    /// Columns that the table lacks are added to it.
    Additive,
    /// Columns that the table lacks are left out.
    IgnoreExtra,
}

/// Settings that are right.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub(crate) login: Login,
    pub(crate) table: TableName,
    pub(crate) write_strategy: Option<WriteStrategy>,
    pub(crate) create: Create,
    pub(crate) on_schema_change: OnSchemaChange,
    pub(crate) on_overflow: OnOverflow,
    pub(crate) adopt: bool,
    pub(crate) keep_identity: bool,
    pub(crate) lock_timeout: Duration,
}

impl Write {
    /// Reads settings; `entity` is the table's name where none is given.
    pub(crate) fn of(settings: &Settings, entity: Option<&str>) -> Result<Self, Vec<Problem>> {
        let settings: StoreSettings = settings
            .parse()
            .map_err(|fault: Fault| vec![problem("", fault.message, None)])?;
        let mut problems = Vec::new();
        let login = settings
            .connection
            .login()
            .map_err(|wrong| problems.extend(wrong))
            .ok();
        // One session holds the run's lock, another one works.
        if let Some(login) = &login
            && login.pool_size < 2
        {
            problems.push(problem(
                "/pool_size",
                "a store needs a `pool_size` of at least 2: one session holds the run's lock",
                None,
            ));
        }
        let named = settings.table.as_deref().or(entity).unwrap_or("table");
        let table = TableName::parse(named).map_err(|why| {
            problems.push(problem(
                "/table",
                why,
                Some("write it as schema.table, with [brackets] around a name that has dots or spaces"),
            ));
        });
        match (login, table) {
            (Some(login), Ok(table)) if problems.is_empty() => Ok(Self {
                login,
                table,
                write_strategy: settings.write_strategy,
                create: settings.create.unwrap_or(Create::Never),
                on_schema_change: settings.on_schema_change.unwrap_or(OnSchemaChange::Fail),
                on_overflow: settings.on_overflow.unwrap_or_default(),
                adopt: settings.adopt.unwrap_or(false),
                keep_identity: settings.keep_identity.unwrap_or(false),
                lock_timeout: Duration::from_secs(settings.lock_timeout.map_or(30, |time| time.0)),
            }),
            _ => Err(problems),
        }
    }
}
