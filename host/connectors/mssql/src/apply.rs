//! Scripts in one transaction, and the table that says which were applied.
//!
//! The trade-off settled here: a script may hold anything, also a COMMIT of its own, and nothing on
//! the server forbids one. So the transaction is begun several times over, which makes such a COMMIT
//! end nothing, and after each batch it is asked whether all is as it was. The lock that keeps others
//! from applying is the transaction's, so it can be seen whether it is still the same one.

use std::sync::Arc;

use hygge_core::{Applied, Applying, BatchFault, Fault, Result, Stays, async_trait, code};
use tiberius::Row;

use crate::connection::{Connection, StatementSession, Statements};
use crate::describe::{text, whole};
use crate::fault::Doing;
use crate::name::quoted;

/// Where the record is, in the connection's database.
pub(crate) const TABLE: &str = "hygge_applied";

const THERE: &str = "SELECT OBJECT_ID(N'[dbo].[hygge_applied]')";

/// A script may have it read but so many rows.
const CREATE: &str = "\
SET ROWCOUNT 0; \
IF OBJECT_ID(N'[dbo].[hygge_applied]', N'U') IS NULL \
CREATE TABLE [dbo].[hygge_applied] (\
[id] int IDENTITY(1,1) NOT NULL PRIMARY KEY, \
[file_name] nvarchar(2000) NOT NULL, \
[checksum] varchar(64) NOT NULL, \
[batches] int NOT NULL, \
[renamed_from] nvarchar(2000) NULL, \
[applied_at] datetime2(0) NOT NULL)";

const SELECT: &str = "\
SELECT [file_name], [checksum], [batches], CONVERT(varchar(19), [applied_at], 120), \
[renamed_from] \
FROM [dbo].[hygge_applied] ORDER BY [id]";

const INSERT: &str = "\
INSERT INTO [dbo].[hygge_applied] ([file_name], [checksum], [batches], [renamed_from], [applied_at]) \
VALUES (@P1, @P2, @P3, @P4, SYSUTCDATETIME())";

/// A session may have been left waiting by somebody who just died.
const LOCK: &str = "\
DECLARE @taken int; \
EXEC @taken = sp_getapplock @Resource = N'hygge:apply', @LockMode = 'Exclusive', \
@LockOwner = 'Transaction', @LockTimeout = 2000; \
SELECT @taken";

/// As often as the transaction is begun.
const DEPTH: i64 = 8;

/// What every file finds, as in the tools that such scripts are written with.
/// The first error of a batch ends it.
const OPTIONS: &str = "\
SET ANSI_NULLS ON; SET ANSI_PADDING ON; SET ANSI_WARNINGS ON; SET ARITHABORT ON; \
SET CONCAT_NULL_YIELDS_NULL ON; SET QUOTED_IDENTIFIER ON; SET NUMERIC_ROUNDABORT OFF; \
SET ROWCOUNT 0; SET XACT_ABORT ON";

/// Each BEGIN begins one.
const EXPLICIT: &str = "SET IMPLICIT_TRANSACTIONS OFF";

/// What a file does after a ROLLBACK of its own is in a transaction again, that ends with the session,
/// instead of lasting statement by statement.
const IMPLICIT: &str = "SET IMPLICIT_TRANSACTIONS ON";

/// The bit of @@OPTIONS that says so.
const IMPLICIT_BIT: i64 = 2;

/// It goes with the transaction when that is rolled back, and stays in the session when it is
/// committed: so the one can be told from the other afterwards.
const MARK: &str = "CREATE TABLE [#hygge_applying] ([id] int NULL)";

/// What one batch sets is asked, and is no matter of the next one's.
const STANDING: &str = "\
SELECT @@TRANCOUNT, XACT_STATE(), APPLOCK_MODE('public', N'hygge:apply', 'Transaction'), DB_NAME(), \
OBJECT_ID(N'tempdb..[#hygge_applying]'), @@OPTIONS; SET IMPLICIT_TRANSACTIONS ON";

/// Has what a session asks wait no longer for others than who applies does: somebody who applies holds
/// the record for as long as that takes.
pub(crate) async fn hasten(session: &mut Statements, describe: &str) -> Result<()> {
    session.keep_to_oneself();
    let what = format!("can't look up what was applied to {describe}");
    session.unhurried(&what, "SET LOCK_TIMEOUT 2000").await
}

/// What was applied, in order.
pub(crate) async fn applied(session: &mut Statements, describe: &str) -> Result<Vec<Applied>> {
    let what = format!("can't look up what was applied to {describe}");
    let found = session.query(&what, Doing::Reading, THERE, &[]).await?;
    if first(&found).and_then(|row| whole(row, 0)).is_none() {
        return Ok(Vec::new());
    }
    let found = session.query(&what, Doing::Reading, SELECT, &[]).await;
    let found = found.map_err(|fault| match fault.attribute("sql_error") {
        // It has no such columns, or is nothing to select from.
        Some("207" | "208") => fault.advise(
            "what is called dbo.hygge_applied there isn't hygge's table: give it another name; nothing \
             was applied",
        ),
        _ => fault,
    })?;
    let each = |row: &Row| Applied {
        file: text(row, 0).unwrap_or_default(),
        checksum: text(row, 1).unwrap_or_default(),
        batches: whole(row, 2)
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or_default(),
        at: text(row, 3).unwrap_or_default(),
        renamed_from: text(row, 4),
    };
    Ok(found.iter().flatten().map(each).collect())
}

fn first(found: &[Vec<Row>]) -> Option<&Row> {
    found.first()?.first()
}

/// A transaction that nobody else applies beside.
pub(crate) struct Transaction {
    session: StatementSession,
    describe: String,
    database: String,
    /// What is recorded, once that was looked up.
    kept: Option<Vec<Applied>>,
}

impl Transaction {
    pub(crate) async fn begin(connection: &Arc<Connection>) -> Result<Self> {
        let describe = connection.describe();
        let mut session = connection.statements("applying scripts").await?;
        // Scripts may leave anything behind in it.
        session.keep_to_oneself();
        let what = format!("can't begin to apply to {describe}");
        session.unhurried(&what, OPTIONS).await?;
        session.unhurried(&what, EXPLICIT).await?;
        for _ in 0..DEPTH {
            session.unhurried(&what, "BEGIN TRANSACTION").await?;
        }
        let found = session.query(&what, Doing::Writing, LOCK, &[]).await?;
        let taken = first(&found).and_then(|row| whole(row, 0));
        if taken.is_none_or(|taken| taken < 0) {
            return Err(Fault::new(
                code::LOCKED,
                format!("{what}: another `hygge apply` is at work there"),
            )
            .retryable()
            .advise("run again when it is done"));
        }
        session.unhurried(&what, MARK).await?;
        let sql = "SELECT DB_NAME()";
        let found = session.query(&what, Doing::Writing, sql, &[]).await?;
        let database = first(&found).and_then(|row| text(row, 0));
        Ok(Self {
            session,
            describe,
            database: database.unwrap_or_default(),
            kept: None,
        })
    }

    async fn standing(&mut self) -> Result<Standing> {
        let mut standing = self.ask_standing().await?;
        if standing.database != self.database {
            // A lock is seen from its own database only.
            let back = format!("USE {}", quoted(&self.database));
            self.session.unhurried("can't run this", &back).await?;
            standing.ours = self.ask_standing().await?.ours;
        }
        Ok(standing)
    }

    async fn ask_standing(&mut self) -> Result<Standing> {
        let what = "can't run this";
        let found = self.session.query(what, Doing::Writing, STANDING, &[]);
        let found = found.await?;
        let Some(row) = first(&found) else {
            return Err(Fault::new(
                code::DESTINATION_UNSUPPORTED,
                "can't run this: nothing is run any more after it",
            )
            .advise("leave SET NOEXEC, SET PARSEONLY and SET FMTONLY out"));
        };
        Ok(Standing {
            depth: whole(row, 0).unwrap_or(0),
            state: whole(row, 1).unwrap_or(0),
            ours: text(row, 2).as_deref() == Some("Exclusive"),
            database: text(row, 3).unwrap_or_default(),
            marked: whole(row, 4).is_some(),
            implicit: whole(row, 5).unwrap_or(0) & IMPLICIT_BIT != 0,
        })
    }

    fn fit(&self, standing: Standing) -> Result<i64> {
        let Standing {
            depth,
            state,
            ours,
            database,
            ..
        } = standing;
        if depth < DEPTH || !ours {
            return Err(Fault::new(
                code::DESTINATION_UNSUPPORTED,
                "can't run this: it ends the transaction that all of the scripts are in",
            )
            .advise("leave COMMIT and ROLLBACK out that end no transaction of the script's own"));
        }
        if state != 1 {
            return Err(Fault::new(
                code::DESTINATION_IO,
                "can't run this: after an error that it caught nothing can be committed any more",
            ));
        }
        if database != self.database {
            return Err(Fault::new(
                code::DESTINATION_UNSUPPORTED,
                format!(
                    "can't run this: it goes on in the database {database}, and what is applied is \
                     recorded in {}",
                    self.database
                ),
            )
            .advise("leave USE out, and apply over a connection to that database"));
        }
        Ok(depth)
    }
}

/// How the transaction is.
struct Standing {
    depth: i64,
    state: i64,
    /// It is the one that was begun.
    ours: bool,
    database: String,
    /// The mark is there.
    marked: bool,
    /// What comes after it is in another one.
    implicit: bool,
}

impl Standing {
    /// What of a batch may have become lasting.
    fn stays(&self, sql: &str) -> Stays {
        match (self.ours, self.marked) {
            (true, _) => Stays::Nothing,
            (false, true) => Stays::Committed,
            (false, false) if !self.implicit || commits(sql) => Stays::Maybe,
            (false, false) => Stays::Nothing,
        }
    }
}

/// Whether a batch may have committed something after the transaction was rolled back. Nobody keeps
/// count of commits, so its words have to say: the server rolls back when the batch ends with an error,
/// and only what the batch rolls back itself, or calls, or catches is followed by anything.
fn commits(sql: &str) -> bool {
    let sql = sql.to_ascii_lowercase();
    let back = [
        word(&sql, "rollback"),
        word(&sql, "catch"),
        calls(&sql).then(|| executes(&sql).unwrap_or(0)),
    ];
    let Some(back) = back.into_iter().flatten().min() else {
        return false;
    };
    // What is done again may be done in another order.
    let repeats = word(&sql, "while").or(word(&sql, "goto")).is_some();
    let after = if repeats { &*sql } else { &sql[back..] };
    word(after, "commit").is_some()
        || (word(&sql, "rollback").is_some()
            && ["implicit_transactions", "ansi_defaults"]
                .iter()
                .any(|option| sql.contains(option)))
}

/// Whether a batch of which nobody can tell how it left the transaction may have committed that.
fn may_have_committed(sql: &str) -> bool {
    let sql = sql.to_ascii_lowercase();
    commits(&sql) || word(&sql, "commit").is_some() || calls(&sql)
}

/// Where a word stands, of which no longer name is made.
fn word(sql: &str, word: &str) -> Option<usize> {
    let of_a_name = |c: char| c.is_alphanumeric() || "_@#$".contains(c);
    let mut found = sql.match_indices(word);
    let found = found.find(|(at, _)| {
        let (before, after) = (&sql[..*at], &sql[at + word.len()..]);
        !before.ends_with(of_a_name) && !after.starts_with(of_a_name)
    });
    found.map(|(at, _)| at)
}

fn executes(sql: &str) -> Option<usize> {
    let each = [word(sql, "exec"), word(sql, "execute")];
    each.into_iter().flatten().min()
}

/// Whether a batch, in small letters, runs what stands somewhere else. As its first statement a procedure
/// is called by its name alone.
fn calls(sql: &str) -> bool {
    const WORDS: &str = "add alter backup begin break bulk checkpoint close commit continue create dbcc \
                         deallocate declare delete deny disable drop enable fetch goto grant if insert \
                         kill merge open print raiserror receive reconfigure restore return revert \
                         revoke rollback save select set shutdown throw truncate update use waitfor \
                         while with";
    let mut rest = sql.trim_start_matches(|c: char| c.is_whitespace() || c == ';');
    loop {
        let end = match (rest.starts_with("--"), rest.starts_with("/*")) {
            (true, _) => rest.find('\n'),
            (_, true) => rest.find("*/").map(|at| at + 2),
            _ => break,
        };
        rest = end.and_then(|end| rest.get(end..)).unwrap_or_default();
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ';');
    }
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
    let first = end.map_or(rest, |end| &rest[..end]);
    let named = rest.starts_with(['[', '"']) || !first.is_empty();
    executes(sql).is_some() || (named && !WORDS.split_whitespace().any(|known| known == first))
}

/// Says what to do about an error that comes of the transaction.
fn advised(fault: Fault) -> Fault {
    match fault.attribute("sql_error") {
        // A statement that isn't allowed in a transaction.
        Some("226" | "574" | "3021" | "3906" | "5011" | "7698" | "15002" | "46518") => fault.advise(
            "all that is applied is one transaction, which this statement can't be in; run it by \
             itself, with a tool such as sqlcmd",
        ),
        _ => fault,
    }
}

#[async_trait]
impl Applying for Transaction {
    async fn applied(&mut self) -> Result<Vec<Applied>> {
        let applied = applied(&mut self.session, &self.describe).await?;
        self.kept = Some(applied.clone());
        Ok(applied)
    }

    async fn file(&mut self) -> Result<()> {
        let what = format!("can't apply to {}", self.describe);
        self.session.unhurried(&what, OPTIONS).await?;
        self.session.unhurried(&what, IMPLICIT).await
    }

    async fn batch(&mut self, sql: &str) -> Result<(), BatchFault> {
        if let Err((fault, line)) = self.session.script("can't run this", sql).await {
            // A line that broke can't be asked, nor a statement that still runs.
            let standing = match fault.attribute("sql_error") {
                Some(_) => self.standing().await.ok(),
                None => None,
            };
            return Err(BatchFault {
                fault: advised(fault),
                line,
                stays: match standing {
                    Some(now) => now.stays(sql),
                    None if may_have_committed(sql) => Stays::Maybe,
                    None => Stays::Nothing,
                },
            });
        }
        let wrong = |stays| {
            move |fault| BatchFault {
                fault,
                line: None,
                stays,
            }
        };
        let standing = self.standing().await.map_err(wrong(Stays::Nothing))?;
        let stays = standing.stays(sql);
        self.fit(standing).map_err(wrong(stays)).map(drop)
    }

    async fn record(&mut self, applied: &Applied) -> Result<()> {
        let standing = self.standing().await?;
        if self.fit(standing)? > DEPTH {
            return Err(Fault::new(
                code::DESTINATION_UNSUPPORTED,
                format!("{} begins a transaction that it doesn't end", applied.file),
            )
            .advise(
                "leave BEGIN TRANSACTION out: all that is applied is one transaction; nothing was applied",
            ));
        }
        let what = format!("can't record what was applied to {}", self.describe);
        self.session.unhurried(&what, CREATE).await?;
        // Savepoints can't be asked for, and one of an earlier file stands until the commit. Who rolls
        // back to it takes that file's record along.
        let kept = self::applied(&mut self.session, &self.describe).await?;
        if self.kept.as_ref().is_some_and(|before| *before != kept) {
            return Err(Fault::new(
                code::DESTINATION_UNSUPPORTED,
                format!(
                    "{} rolls back to a savepoint that isn't its own, or changes the record of what was \
                     applied before it",
                    applied.file
                ),
            )
            .advise(
                "leave SAVE TRANSACTION and ROLLBACK TRANSACTION out, as what fails is undone anyway, and \
                 the table hygge_applied alone; nothing was applied",
            ));
        }
        let batches = i32::try_from(applied.batches).unwrap_or(i32::MAX);
        let parameters: [&dyn tiberius::ToSql; 4] = [
            &applied.file,
            &applied.checksum,
            &batches,
            &applied.renamed_from,
        ];
        self.session.execute(&what, INSERT, &parameters).await?;
        let mut now = self::applied(&mut self.session, &self.describe).await?;
        let last = now.pop();
        let there = |last: Applied| last.file == applied.file && last.checksum == applied.checksum;
        // A trigger on it may do something else instead, and a script have it count no rows.
        if now != kept || !last.clone().is_some_and(there) {
            return Err(Fault::new(
                code::DESTINATION_IO,
                format!("{what}: the table hygge_applied took no row, or not as it is"),
            )
            .advise("drop the trigger on it, and apply again: nothing was applied"));
        }
        now.extend(last);
        self.kept = Some(now);
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        let what = format!("can't commit what was applied to {}", self.describe);
        let sql = "WHILE @@TRANCOUNT > 0 COMMIT TRANSACTION";
        let committed = self.session.unhurried(&what, sql).await;
        committed.map_err(|fault| {
            fault.advise("run it again: what was committed is recorded there, and is not run twice")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_comes_after_a_rollback_can_be_committed() {
        for sql in [
            "ROLLBACK; INSERT INTO t VALUES (1); COMMIT",
            "rollback\nwhile @@trancount > 0 commit",
            "WHILE @i < 2 BEGIN IF @i = 1 COMMIT; ROLLBACK; SET @i += 1 END",
            "EXEC p; INSERT INTO t VALUES (1); COMMIT",
            "-- A procedure.\n/* Its name */ dbo.p\nINSERT INTO t VALUES (1); COMMIT",
            "[p] 1; COMMIT",
            "BEGIN TRY INSERT INTO t VALUES (1) END TRY BEGIN CATCH SELECT 1; COMMIT END CATCH",
            "SET IMPLICIT_TRANSACTIONS OFF; ROLLBACK; INSERT INTO t VALUES (1)",
        ] {
            assert!(commits(sql), "{sql}");
        }
        for sql in [
            "INSERT INTO t VALUES (1)",
            "BEGIN TRAN; INSERT INTO t VALUES (1); COMMIT",
            "BEGIN TRY BEGIN TRAN; SELECT 1; COMMIT END TRY BEGIN CATCH ROLLBACK; THROW END CATCH",
            "SET IMPLICIT_TRANSACTIONS OFF; INSERT INTO t VALUES (1)",
            "EXEC sp_rename 'a', 'b'",
            "SELECT 1 FROM executions; INSERT INTO catchment VALUES (1); SELECT * FROM commits",
        ] {
            assert!(!commits(sql), "{sql}");
        }
    }

    #[test]
    fn what_nobody_can_tell_may_have_been_committed() {
        for sql in [
            "CREATE TABLE t (i int);\nWHILE @@TRANCOUNT > 0 COMMIT;\nRAISERROR('x', 20, 1) WITH LOG",
            "EXEC p",
            "dbo.p",
            "überall",
            "EXECUTE p",
            "ROLLBACK; COMMIT",
        ] {
            assert!(may_have_committed(sql), "{sql}");
        }
        for sql in [
            "INSERT INTO t VALUES (1)",
            "/* A table */ CREATE TABLE t (i int)",
            "CREATE TABLE executions (commits int)",
            "",
            "-- Nothing",
            ";WITH x AS (SELECT 1 AS n) SELECT n FROM x",
            "ROLLBACK",
        ] {
            assert!(!may_have_committed(sql), "{sql}");
        }
    }
}
