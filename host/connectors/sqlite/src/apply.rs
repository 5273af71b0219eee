//! Scripts in one transaction, and the table that says which were applied.

use std::sync::{Arc, Mutex};

use hygge_core::{Applied, Applying, BatchFault, Fault, Result, Stays, async_trait, code};
use rusqlite::{Connection, Error, ErrorCode};

use crate::watch::{Watch, guard};
use crate::{fault, script};

const THERE: &str = "\
SELECT count(*) FROM sqlite_master
WHERE type IN ('table', 'view') AND name = 'hygge_applied' COLLATE NOCASE";

const CREATE: &str = "\
CREATE TABLE IF NOT EXISTS main.hygge_applied (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    file_name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    batches INTEGER NOT NULL,
    renamed_from TEXT,
    applied_at TEXT NOT NULL
)";

const SELECT: &str = "SELECT file_name, checksum, batches, applied_at, renamed_from FROM main.hygge_applied ORDER BY id";

const INSERT: &str = "\
INSERT INTO main.hygge_applied (file_name, checksum, batches, renamed_from, applied_at)
VALUES (?1, ?2, ?3, ?4, strftime('%Y-%m-%d %H:%M:%S', 'now'))";

const LAST: &str = "SELECT file_name, checksum FROM main.hygge_applied ORDER BY id DESC LIMIT 1";

/// What every file finds, and the record of it, whatever was set before.
const BEGINS: &str = "\
PRAGMA ignore_check_constraints = OFF; PRAGMA recursive_triggers = OFF; PRAGMA writable_schema = OFF; \
PRAGMA query_only = OFF; PRAGMA count_changes = OFF";

/// What was applied, in order.
pub(crate) fn applied(connection: &Connection, shown: &str) -> Result<Vec<Applied>> {
    let read = || {
        let there: i64 = connection.query_row(THERE, [], |row| row.get(0))?;
        if there == 0 {
            return Ok(Vec::new());
        }
        let mut statement = connection.prepare(SELECT)?;
        let rows = statement.query_map([], |row| {
            Ok(Applied {
                file: row.get(0)?,
                checksum: row.get(1)?,
                batches: usize::try_from(row.get::<_, i64>(2)?).unwrap_or_default(),
                at: row.get(3)?,
                renamed_from: row.get(4)?,
            })
        })?;
        rows.collect::<Result<Vec<_>, Error>>()
    };
    read().map_err(|error| {
        let what = format!("can't look up what was applied to {shown}");
        let fault = fault::of(&what, &error);
        match error {
            // A column that it has not.
            Error::SqlInputError { .. } | Error::SqliteFailure(_, Some(_))
                if fault.advice.is_none() =>
            {
                fault.advise(
                    "what is called hygge_applied there isn't hygge's table: give it another name; \
                     nothing was applied",
                )
            }
            _ => fault,
        }
    })
}

/// A transaction that nobody else writes beside.
pub(crate) struct Transaction {
    connection: Connection,
    shown: String,
    watch: Arc<Mutex<Watch>>,
}

impl Transaction {
    pub(crate) fn begin(mut connection: Connection, shown: &str) -> Result<Self> {
        let watch = Arc::<Mutex<Watch>>::default();
        let begun = (|| {
            connection.authorizer(Some(guard(&watch)))?;
            connection.execute_batch("PRAGMA foreign_keys = ON; BEGIN IMMEDIATE")
        })();
        begun.map_err(|error| {
            let fault = fault::of(&format!("can't begin to apply to {shown}"), &error);
            match fault.code.as_ref() {
                code::LOCKED => fault.advise(
                    "another `hygge apply`, or somebody else, writes to it; run again when they are done",
                ),
                _ => fault,
            }
        })?;
        Ok(Self {
            connection,
            shown: shown.to_owned(),
            watch,
        })
    }

    fn execute(&self, sql: &str, what: &str) -> Result<()> {
        let ran = self.connection.execute_batch(sql);
        ran.map_err(|error| fault::of(&format!("{what} {}", self.shown), &error))
    }

    /// The table of a row whose foreign key names none, and the one that it names.
    fn unmatched(&self) -> Option<(String, String)> {
        let tables = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(2)?));
        let found = self
            .connection
            .query_row("PRAGMA foreign_key_check", (), tables);
        found.ok()
    }
}

#[async_trait]
impl Applying for Transaction {
    async fn applied(&mut self) -> Result<Vec<Applied>> {
        applied(&self.connection, &self.shown)
    }

    async fn file(&mut self) -> Result<()> {
        self.execute(BEGINS, "can't apply to")
    }

    async fn batch(&mut self, sql: &str) -> Result<(), BatchFault> {
        Watch::of(&self.watch).guarded = true;
        let ran = script::run(&self.connection, sql, &|statement| {
            Watch::of(&self.watch).prepared(statement.is_explain() != 0);
        });
        Watch::of(&self.watch).guarded = false;
        let (error, at) = match ran {
            // Some errors, and RAISE(ROLLBACK) of a trigger, end it as well.
            Ok(()) if self.connection.is_autocommit() => (
                Error::SqliteFailure(
                    rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ABORT),
                    Some("the transaction was ended".to_owned()),
                ),
                0,
            ),
            Ok(()) => return Ok(()),
            Err(wrong) => wrong,
        };
        let line = Some(1 + sql[..at.min(sql.len())].matches('\n').count());
        let fault = fault::of("can't run this", &error);
        let unfit = [
            "within a transaction",
            "within transaction",
            "inside a transaction",
            // PRAGMA wal_checkpoint says it so.
            "table is locked",
        ];
        let refused = Watch::of(&self.watch).refused;
        let fault = if let Some(refused) = refused {
            refused.fault()
        } else if unfit.iter().any(|end| fault.message.ends_with(end)) {
            fault.advise(
                "all that is applied is one transaction, which this statement can't be in; run it by \
                 itself, with the tool sqlite3",
            )
        } else {
            fault
        };
        // No script gets to commit anything.
        Err(BatchFault {
            fault,
            line,
            stays: Stays::Nothing,
        })
    }

    async fn record(&mut self, applied: &Applied) -> Result<()> {
        if let Some(open) = Watch::of(&self.watch).savepoints.first() {
            return Err(Fault::new(
                code::DESTINATION_UNSUPPORTED,
                format!(
                    "{} opens the savepoint {open} and doesn't release it",
                    applied.file
                ),
            )
            .advise(
                "add RELEASE at its end, or leave the savepoint out: what fails is undone anyway; \
                 nothing was applied",
            ));
        }
        let what = format!(
            "can't record that {} was applied to {}",
            applied.file, self.shown
        );
        let wrong = |error: Error| {
            let fault = fault::of(&what, &error);
            fault.advise("mend it, and apply again: nothing was applied")
        };
        self.connection.execute_batch(BEGINS).map_err(wrong)?;
        self.connection.execute_batch(CREATE).map_err(wrong)?;
        let batches = i64::try_from(applied.batches).unwrap_or(i64::MAX);
        let values = rusqlite::params![
            applied.file,
            applied.checksum,
            batches,
            applied.renamed_from
        ];
        let added = self.connection.execute(INSERT, values).map_err(wrong)?;
        // It can be written to also where the schema has it no more.
        let there: i64 = self
            .connection
            .query_row(THERE, [], |row| row.get(0))
            .map_err(wrong)?;
        if there == 0 {
            return Err(Fault::new(
                code::DESTINATION_UNSUPPORTED,
                format!(
                    "{} takes the table hygge_applied out of the schema",
                    applied.file
                ),
            )
            .advise(
                "leave it alone: without it the files would be run again; nothing was applied",
            ));
        }
        // A trigger on it may pass the row over, or take it out.
        let last = self.connection.query_row(LAST, (), |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        });
        let there =
            |last: (String, String)| last == (applied.file.clone(), applied.checksum.clone());
        match last.is_ok_and(there) && added == 1 {
            true => Ok(()),
            false => Err(Fault::new(
                code::DESTINATION_IO,
                format!("{what}: the table hygge_applied took no row"),
            )
            .advise("drop the trigger on it, and apply again: nothing was applied")),
        }
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        let committed = self.connection.execute_batch("COMMIT");
        committed.map_err(|error| {
            let fault = fault::of(
                &format!("can't commit what was applied to {}", self.shown),
                &error,
            );
            // A row that was there before may name none as well, and isn't looked for.
            let key = error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation);
            match key.then(|| self.unmatched()).flatten() {
                Some((table, other)) => fault.advise(format!(
                    "a row of {table} names one of {other} that isn't there, which a deferred key looks \
                     for at the end; mend it, and apply again: nothing was applied"
                )),
                None => fault,
            }
        })
    }
}
