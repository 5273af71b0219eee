use hygge_core::{BuildContext, Fault, Problem, Result, Settings};
use schemars::JsonSchema;
use serde::Deserialize;

use super::wildcard::Wildcard;
use crate::connection::{ConnectionSettings, Login, problem};
use crate::name::TableName;
use crate::overflow::OnOverflow;
use crate::types::{SqlType, Times, Unit};

/// Settings of `home: {type: mssql}`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
// serde denies nothing to a struct that another is part of; whoever checks a project does.
#[schemars(deny_unknown_fields)]
pub struct HomeSettings {
    /// The connection; usually named by `connection` and written once in hygge.yml.
    #[serde(flatten)]
    pub connection: ConnectionSettings,
    /// The table or view to read: `dbo.users`. Default: the entity's name.
    pub table: Option<String>,
    /// Many tables at once: `dbo.*`, or a list. Each that fits is an entity of its own.
    pub tables: Option<Names>,
    /// Tables that `tables` leaves out: `audit_*`, or a list.
    pub exclude_tables: Option<Names>,
    /// A SELECT to read instead of a table.
    pub query: Option<String>,
    /// The columns to read, in that order. Default: all.
    pub columns: Option<Vec<String>>,
    /// Columns to leave out.
    pub exclude: Option<Vec<String>>,
    /// A condition in SQL that rows must meet, as it would stand behind WHERE.
    #[serde(rename = "where")]
    pub condition: Option<String>,
    /// How rows are read that others are changing. Default: the server's.
    pub isolation: Option<Isolation>,
    /// The column whose ranges a table is split by, so that it is read by several sessions at
    /// once. Default: the primary key, when that is one column.
    pub split_by: Option<String>,
    /// Most splits of one table. 1 reads it in one piece. Default: as many as the connection's
    /// sessions, for tables of 100,000 rows or more.
    pub splits: Option<usize>,
    /// The unit of times: microseconds cover every year, nanoseconds keep the seventh digit.
    /// Default: us.
    pub timestamp_unit: Option<TimestampUnit>,
    /// What `datetimeoffset` is read as: `drop`, a moment in UTC; `keep`, a struct of that moment
    /// (`utc`) and the offset (`offset_minutes`). Default: drop.
    pub offsets: Option<Offsets>,
    /// What becomes of moments outside the years that `timestamp_unit: ns` can count. Default:
    /// error.
    pub on_overflow: Option<OnOverflow>,
}

/// One name or several.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Names {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl Names {
    fn all(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        }
    }
}

/// How rows are read that others are changing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// Waits for whoever changes a row.
    ReadCommitted,
    /// Sees what stood when the read began; the database must allow it.
    Snapshot,
    /// Doesn't wait, and may see what is never committed.
    ReadUncommitted,
}

impl Isolation {
    pub(crate) fn statement(self) -> &'static str {
        match self {
            Self::ReadCommitted => "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
            Self::Snapshot => "SET TRANSACTION ISOLATION LEVEL SNAPSHOT",
            Self::ReadUncommitted => "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED",
        }
    }
}

/// The unit of times of day and moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum TimestampUnit {
    /// Microseconds.
    #[serde(rename = "us")]
    Micro,
    /// Nanoseconds.
    #[serde(rename = "ns")]
    Nano,
}

/// What becomes of the offset of a `datetimeoffset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Offsets {
    /// It is lost: the value is read as a moment in UTC.
    Drop,
    /// It is kept, beside the moment.
    Keep,
}

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Table(TableName),
    Query(String),
    Tables(Wildcard),
}

impl Source {
    /// For people.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Table(table) => table.to_string(),
            Self::Query(_) => "a query".to_owned(),
            Self::Tables(wildcard) => wildcard.describe(),
        }
    }
}

/// Settings that are right.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    pub(crate) login: Login,
    pub(crate) source: Source,
    pub(crate) columns: Option<Vec<String>>,
    pub(crate) exclude: Vec<String>,
    pub(crate) condition: Option<String>,
    /// Whether there is a secret in it.
    pub(crate) secret_condition: bool,
    pub(crate) isolation: Option<Isolation>,
    pub(crate) split_by: Option<String>,
    pub(crate) splits: Option<usize>,
    pub(crate) times: Times,
    pub(crate) on_overflow: OnOverflow,
}

impl Read {
    /// All of a table, in one piece.
    pub(crate) fn table(login: Login, table: TableName) -> Self {
        Self {
            login,
            source: Source::Table(table),
            columns: None,
            exclude: Vec::new(),
            condition: None,
            secret_condition: false,
            isolation: None,
            split_by: None,
            splits: Some(1),
            times: Times::default(),
            on_overflow: OnOverflow::Error,
        }
    }

    /// ` WHERE …`, when rows must meet a condition.
    pub(crate) fn where_clause(&self) -> String {
        match &self.condition {
            Some(condition) => format!(" WHERE (\n{condition}\n)"),
            None => String::new(),
        }
    }

    /// Whether a value that doesn't fit may become NULL in a column of that type.
    pub(crate) fn may_set_null(&self, sql_type: SqlType) -> bool {
        self.on_overflow == OnOverflow::SetNull
            && self.times.unit == Unit::Nano
            && matches!(sql_type, SqlType::DateTime2(_) | SqlType::DateTimeOffset(_))
    }

    /// Reads settings; the entity is the table's name where none is given.
    pub(crate) fn of(settings: &Settings, cx: &BuildContext) -> Result<Self, Vec<Problem>> {
        let entity = cx.entity.as_ref().map(|id| id.entity.as_str());
        let secret_condition = settings.secrets().any(|pointer| pointer == "/where");
        let settings: HomeSettings = settings
            .parse()
            .map_err(|fault: Fault| vec![problem("", fault.message, None)])?;
        let mut problems = Vec::new();
        let login = settings
            .connection
            .login(&cx.root)
            .map_err(|wrong| problems.extend(wrong))
            .ok();
        let many = settings.tables.as_ref().map(Names::all);
        let source = match (&settings.table, &settings.query, entity) {
            _ if many.is_some() => wildcard(&settings),
            (Some(_), Some(_), _) => Err(problem(
                "/query",
                "both `table` and `query` say what to read",
                Some("leave one of them out"),
            )),
            (None, Some(query), _) => selected(query).map(Source::Query),
            (Some(table), None, _) => named("/table", table),
            (None, None, Some(entity)) => named("", entity),
            (None, None, None) => Ok(Source::Query(String::new())),
        };
        let source = source.map_err(|wrong| problems.push(wrong)).ok();
        if settings.columns.as_ref().is_some_and(Vec::is_empty) {
            problems.push(problem(
                "/columns",
                "`columns` names none",
                Some("leave it out for all"),
            ));
        }
        for (columns, pointer) in [
            (&settings.columns, "/columns"),
            (&settings.exclude, "/exclude"),
        ] {
            let columns = columns.as_deref().unwrap_or_default();
            if let Some(twice) = (1..columns.len())
                .find(|n| columns[..*n].contains(&columns[*n]))
                .map(|n| &columns[n])
            {
                problems.push(problem(pointer, format!("{twice:?} is named twice"), None));
            }
        }
        if settings.exclude_tables.is_some() && settings.tables.is_none() {
            problems.push(problem(
                "/exclude_tables",
                "`exclude_tables` leaves out of `tables`, which isn't there",
                None,
            ));
        }
        if settings
            .splits
            .is_some_and(|splits| !(1..=10_000).contains(&splits))
        {
            problems.push(problem("/splits", "`splits` must be from 1 to 10000", None));
        }
        match (login, source) {
            (Some(login), Some(source)) if problems.is_empty() => Ok(Self {
                login,
                source,
                columns: settings.columns,
                exclude: settings.exclude.unwrap_or_default(),
                condition: settings.condition.filter(|text| !text.trim().is_empty()),
                secret_condition,
                isolation: settings.isolation,
                split_by: settings.split_by,
                splits: settings.splits,
                times: Times {
                    unit: match settings.timestamp_unit {
                        Some(TimestampUnit::Nano) => Unit::Nano,
                        _ => Unit::Micro,
                    },
                    offsets: settings.offsets == Some(Offsets::Keep),
                },
                on_overflow: settings.on_overflow.unwrap_or_default(),
            }),
            _ => Err(problems),
        }
    }
}

fn wildcard(settings: &HomeSettings) -> Result<Source, Problem> {
    let of = |names: &Option<Names>| names.as_ref().map_or(&[][..], Names::all).to_vec();
    if settings.table.is_some() || settings.query.is_some() {
        return Err(problem(
            "/tables",
            "`tables` and one table or query both say what to read",
            Some("leave one of them out"),
        ));
    }
    let tables = of(&settings.tables);
    if tables.is_empty() {
        return Err(problem("/tables", "`tables` names none", None));
    }
    match Wildcard::of(&tables, &of(&settings.exclude_tables)) {
        Ok(wildcard) => Ok(Source::Tables(wildcard)),
        Err(why) => Err(problem(
            "/tables",
            why,
            Some("write it as schema.table, where * stands for any characters: `dbo.*`"),
        )),
    }
}

fn named(pointer: &str, text: &str) -> Result<Source, Problem> {
    match TableName::parse(text) {
        Ok(table) => Ok(Source::Table(table)),
        Err(why) => Err(problem(
            pointer,
            why,
            Some("write it as schema.table, with [brackets] around a name that has dots or spaces"),
        )),
    }
}

/// A query stands in brackets within others, where it can be neither two statements nor sorted.
fn selected(query: &str) -> Result<String, Problem> {
    let query = query.trim().trim_end_matches(';').trim_end();
    let first = query
        .split(|c: char| !c.is_alphanumeric())
        .next()
        .unwrap_or_default();
    if first.eq_ignore_ascii_case("select") || query.starts_with('(') {
        return Ok(query.to_owned());
    }
    Err(problem(
        "/query",
        "`query` must be one SELECT",
        Some("put WITH clauses, procedures and the like into a view, and read that"),
    ))
}
