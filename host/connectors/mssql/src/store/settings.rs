use std::time::Duration;

use hygge_core::{BuildContext, Fault, OneOrMany, Problem, Result, Settings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::check::Need;
use crate::connection::{ConnectionSettings, Login, Seconds, problem};
use crate::name::TableName;
use crate::overflow::OnOverflow;

/// Settings of `store: {type: mssql}`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
// serde denies nothing to a struct that another is part of; whoever checks a project does.
#[schemars(deny_unknown_fields)]
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
    /// What becomes of a value that its column can't hold. Columns of a key take no part in it.
    /// Default: error.
    pub on_overflow: Option<OnOverflow>,
    /// Let the first run replace rows that hygge didn't write. Default: false.
    pub adopt: Option<bool>,
    /// Write the source's values into an identity column. Default: false.
    pub keep_identity: Option<bool>,
    /// Rows of one INSERT BULK. Default: 102400.
    pub batch_size: Option<usize>,
    /// Most splits that are loaded at once, within the connection's `pool_size`. Default: 8.
    pub workers: Option<usize>,
    /// Table hints for the statement that writes to the table: `[TABLOCK]`.
    pub table_hints: Option<OneOrMany>,
    /// Whether a row without a value keeps it so where the table has a default for it. Default: true.
    pub keep_nulls: Option<bool>,
    /// Load straight into the table instead of staging, in one transaction of one worker. For
    /// appends and full runs. Default: false.
    pub direct: Option<bool>,
    /// With `direct`: whether the table's constraints are checked. Staged rows are always checked.
    /// Default: true.
    pub check_constraints: Option<bool>,
    /// With `direct`: whether the table's triggers fire. For staged rows they always do. Default:
    /// true.
    pub fire_triggers: Option<bool>,
    /// The order in which rows are inserted: `[day, id desc]`. Default: none.
    pub order: Option<OneOrMany>,
    /// Merge with one MERGE instead of UPDATE and INSERT. Default: false.
    pub merge_statement: Option<bool>,
    /// With `write_strategy: merge`: a full run merges as well, and deletes the rows whose key the
    /// source doesn't have any more. Default: false.
    pub delete_missing: Option<bool>,
    /// The columns that tell rows apart in a full run with `delete_missing`. Default: those of
    /// `incremental`.
    pub key: Option<OneOrMany>,
    /// With `write_strategy: delete_insert`: rows of the table that share these values with a row
    /// that comes are deleted first.
    pub partition_by: Option<OneOrMany>,
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

/// Settings that are right.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub(crate) login: Login,
    pub(crate) table: TableName,
    pub(crate) write_strategy: Option<WriteStrategy>,
    pub(crate) create: Create,
    pub(crate) on_overflow: OnOverflow,
    pub(crate) adopt: bool,
    pub(crate) keep_identity: bool,
    pub(crate) lock_timeout: Duration,
    pub(crate) batch_size: usize,
    pub(crate) workers: usize,
    pub(crate) table_hints: Vec<String>,
    pub(crate) keep_nulls: bool,
    pub(crate) direct: bool,
    pub(crate) check_constraints: bool,
    pub(crate) fire_triggers: bool,
    pub(crate) order: Vec<Ordered>,
    pub(crate) merge_statement: bool,
    pub(crate) delete_missing: bool,
    pub(crate) key: Vec<String>,
    pub(crate) partition_by: Vec<String>,
}

/// A column that rows are inserted in the order of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ordered {
    pub(crate) column: String,
    pub(crate) descending: bool,
}

impl Ordered {
    fn parse(text: &str) -> Self {
        let (column, descending) = match text.trim().rsplit_once(' ') {
            Some((column, way)) if way.eq_ignore_ascii_case("desc") => (column, true),
            Some((column, way)) if way.eq_ignore_ascii_case("asc") => (column, false),
            _ => (text, false),
        };
        Self {
            column: column.trim().to_owned(),
            descending,
        }
    }
}

/// Hints that a statement which writes may bring.
const HINTS: [&str; 12] = [
    "HOLDLOCK",
    "NOWAIT",
    "PAGLOCK",
    "READCOMMITTED",
    "READCOMMITTEDLOCK",
    "REPEATABLEREAD",
    "ROWLOCK",
    "SERIALIZABLE",
    "TABLOCK",
    "TABLOCKX",
    "UPDLOCK",
    "XLOCK",
];

fn listed(names: Option<OneOrMany>) -> Vec<String> {
    names.map(OneOrMany::into_vec).unwrap_or_default()
}

impl StoreSettings {
    /// Settings that say nothing without another, or can't be had.
    fn contradictions(&self) -> Vec<Problem> {
        let mut wrong = Vec::new();
        for (size, pointer) in [(self.batch_size, "batch_size"), (self.workers, "workers")] {
            if size == Some(0) {
                let message = format!("`{pointer}` must be at least 1");
                wrong.push(problem(&format!("/{pointer}"), message, None));
            }
        }
        let strategy = self.write_strategy;
        let merges = strategy == Some(WriteStrategy::Merge);
        let replaces = strategy == Some(WriteStrategy::DeleteInsert);
        let deletes = self.delete_missing == Some(true);
        for (given, fits, pointer, needed) in [
            (deletes, merges, "delete_missing", "write_strategy: merge"),
            (
                self.merge_statement == Some(true),
                merges,
                "merge_statement",
                "write_strategy: merge",
            ),
            (self.key.is_some(), deletes, "key", "delete_missing: true"),
            (
                self.partition_by.is_some(),
                replaces,
                "partition_by",
                "write_strategy: delete_insert",
            ),
        ] {
            if given && !fits {
                let message = format!("`{pointer}` belongs to `{needed}`");
                let advice = format!("say `{needed}` as well, or leave `{pointer}` out");
                wrong.push(problem(&format!("/{pointer}"), message, Some(&advice)));
            }
        }
        // What a full run does without being told may be a swap.
        let swaps =
            self.direct != Some(true) && matches!(strategy, None | Some(WriteStrategy::TempSwap));
        if self.lock_timeout.is_some() && !swaps {
            wrong.push(problem(
                "/lock_timeout",
                "`lock_timeout` belongs to a swap: nothing else of a publish times out",
                Some("leave `lock_timeout` out, or say `write_strategy: temp_swap`"),
            ));
        }
        if self.merge_statement == Some(true) && self.order.is_some() {
            let advice = "leave `order` or `merge_statement` out";
            wrong.push(problem("/order", "a MERGE has no order", Some(advice)));
        }
        wrong.extend(match self.direct {
            Some(true) => self.against_direct(),
            _ => self.only_direct(),
        });
        let hints = listed(self.table_hints.clone());
        if !hints.is_empty() && strategy == Some(WriteStrategy::TempSwap) {
            wrong.push(problem(
                "/table_hints",
                "a swap takes no table hints: it locks the whole table, for a moment",
                Some("leave `table_hints` out"),
            ));
        }
        for hint in hints {
            if !HINTS.iter().any(|known| known.eq_ignore_ascii_case(&hint)) {
                let advice = format!("those that can are {}", HINTS.join(", "));
                let message = format!("{hint:?} can't hint at how a table is written");
                wrong.push(problem("/table_hints", message, Some(&advice)));
            }
        }
        wrong
    }

    /// What can't be had of rows that aren't staged.
    fn against_direct(&self) -> Vec<Problem> {
        use WriteStrategy as S;
        let strategy = match self.write_strategy {
            Some(S::Merge | S::DeleteInsert) => {
                Some("compares staged rows with those of the table, and `direct` stages none")
            }
            Some(S::TempSwap) => Some("fills a twin of the table, and `direct` the table itself"),
            Some(S::DirectInsert | S::TruncateInsert) | None => None,
        };
        let strategy_said = self.write_strategy.map_or("", WriteStrategy::name);
        let hints = listed(self.table_hints.clone());
        let other = hints
            .iter()
            .find(|hint| !hint.eq_ignore_ascii_case("TABLOCK"));
        let unknown = "follows the rows that were staged, and `direct` stages none: the lengths of \
                       new columns aren't known before";
        let found = [
            (
                self.workers.is_some_and(|workers| workers > 1),
                "/workers",
                "`direct` has one worker: one session holds the transaction that all rows are \
                 loaded in"
                    .to_owned(),
                "leave `workers` out, or `direct`",
            ),
            (
                strategy.is_some(),
                "/write_strategy",
                format!("`{strategy_said}` {}", strategy.unwrap_or_default()),
                "leave `direct` out, or use `direct_insert` or `truncate_insert`",
            ),
            (
                self.create == Some(Create::IfMissing),
                "/create",
                format!("`create: if_missing` {unknown}"),
                "make the table first (`hygge generate ddl` writes the statement), or leave \
                 `direct` out",
            ),
            (
                self.order.is_some(),
                "/order",
                "rows are loaded in the order they come in: the driver can't give INSERT BULK an \
                 order"
                    .to_owned(),
                "leave `order` or `direct` out",
            ),
            (
                other.is_some(),
                "/table_hints",
                format!(
                    "INSERT BULK takes the hint TABLOCK, and not {}",
                    other.map_or("", String::as_str)
                ),
                "leave that hint or `direct` out",
            ),
        ];
        let given = found.into_iter().filter(|(given, ..)| *given);
        given
            .map(|(_, pointer, message, advice)| problem(pointer, message, Some(advice)))
            .collect()
    }

    /// What can't be had of rows that are staged.
    fn only_direct(&self) -> Vec<Problem> {
        let found = [
            (
                self.check_constraints,
                "check_constraints",
                "constraints are always checked",
            ),
            (self.fire_triggers, "fire_triggers", "triggers always fire"),
        ];
        let given = found
            .into_iter()
            .filter(|(given, ..)| *given == Some(false));
        given
            .map(|(_, name, always)| {
                let message = format!(
                    "`{name}: false` needs `direct: true`: staged rows reach the table by INSERT … \
                     SELECT, where {always}"
                );
                problem(
                    &format!("/{name}"),
                    message,
                    Some("say `direct: true` as well"),
                )
            })
            .collect()
    }
}

/// What a store may need a permission for, beside adding rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) update: Need,
    pub(crate) delete: Need,
    pub(crate) alter: Need,
}

impl Write {
    /// What the login must be allowed to do to the table, as far as the settings tell.
    pub(crate) fn needs(&self) -> Needs {
        use WriteStrategy as S;
        let strategy = self.write_strategy;
        // Also to load past constraints and triggers.
        let past = self.direct && !(self.check_constraints && self.fire_triggers);
        let alters = self.keep_identity || past;
        Needs {
            update: match strategy {
                Some(S::Merge) => Need::Always,
                None => Need::For("a merge"),
                Some(_) => Need::Never,
            },
            delete: match strategy {
                Some(S::DeleteInsert) => Need::Always,
                _ if self.delete_missing => Need::Always,
                _ => Need::Never,
            },
            alter: match strategy {
                _ if alters => Need::Always,
                Some(S::TempSwap | S::TruncateInsert) => Need::Always,
                None => Need::For("a full run"),
                Some(_) => Need::For("a column that is new or wider (`on_schema_change`)"),
            },
        }
    }

    /// Reads settings; the entity is the table's name where none is given.
    pub(crate) fn of(settings: &Settings, cx: &BuildContext) -> Result<Self, Vec<Problem>> {
        let entity = cx.entity.as_ref().map(|id| id.entity.as_str());
        let settings: StoreSettings = settings
            .parse()
            .map_err(|fault: Fault| vec![problem("", fault.message, None)])?;
        let mut problems = settings.contradictions();
        let login = settings
            .connection
            .login(&cx.root)
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
                on_overflow: settings.on_overflow.unwrap_or_default(),
                adopt: settings.adopt.unwrap_or(false),
                keep_identity: settings.keep_identity.unwrap_or(false),
                lock_timeout: Duration::from_secs(settings.lock_timeout.map_or(30, |time| time.0)),
                batch_size: settings.batch_size.unwrap_or(102_400),
                workers: settings.workers.unwrap_or(8),
                table_hints: listed(settings.table_hints)
                    .iter()
                    .map(|hint| hint.to_uppercase())
                    .collect(),
                keep_nulls: settings.keep_nulls.unwrap_or(true),
                direct: settings.direct.unwrap_or(false),
                check_constraints: settings.check_constraints.unwrap_or(true),
                fire_triggers: settings.fire_triggers.unwrap_or(true),
                order: listed(settings.order)
                    .iter()
                    .map(|text| Ordered::parse(text))
                    .collect(),
                merge_statement: settings.merge_statement.unwrap_or(false),
                delete_missing: settings.delete_missing.unwrap_or(false),
                key: listed(settings.key),
                partition_by: listed(settings.partition_by),
            }),
            _ => Err(problems),
        }
    }
}
