//! One transaction that makes staged rows visible, and its mark: the row in `hygge_commits` that
//! answers "did it commit?" whatever happened since.
//!
//! The mark is written first. Whoever commits the same thing at the same time, or again after
//! the connection was lost in the middle, waits for that row's fate instead of doing it twice.

use hygge_core::failpoint::hit;
use hygge_core::{CommitRecord, Context, Fault, Receipt, Result, code};

use super::change::{alike, delete, delete_missing, insert, late, merge, unknown, update};
use super::ddl;
use super::operation;
use super::patience::told_until_stopped;
use super::record::{self, Begun, StagedRows};
use super::settings::WriteStrategy;
use crate::connection::StatementSession;
use crate::fault::Doing;
use crate::name::TableName;

/// Where commits are remembered, beside the table.
pub(super) fn commits(table: &TableName) -> TableName {
    table.beside("hygge_commits")
}

/// Makes the table that commits are remembered in, unless it is there.
pub(super) async fn remember_commits(
    session: &mut StatementSession,
    table: &TableName,
) -> Result<()> {
    const THERE_ALREADY: &str = "2714";
    let commits = commits(table);
    let what = format!("can't make {commits}");
    let sql = ddl::commits(&commits);
    match session.unhurried(&what, &sql).await {
        // Another entity made it between the look and the making; if it is anything else that has
        // that name, it is refused again.
        Err(fault) if fault.attribute("sql_error") == Some(THERE_ALREADY) => {
            session.unhurried(&what, &sql).await
        }
        made => made,
    }
}

/// Whether an error says that a table can't be switched, or that the server has no such
/// statement.
pub(super) fn cant_switch(number: u32) -> bool {
    matches!(
        number,
        4903..=4988 | 11_400..=11_499
    ) || has_no_such_statement(number)
}

/// Whether an error says that the server doesn't know a statement.
pub(super) fn has_no_such_statement(number: u32) -> bool {
    matches!(number, 102 | 156 | 343 | 40_512 | 40_517)
}

/// Whether the commit was made.
pub(super) async fn is_committed(
    session: &mut StatementSession,
    table: &TableName,
    id: &str,
) -> Result<bool> {
    let sql = format!(
        "SELECT id FROM {} WHERE id = @P1 AND row_count >= 0",
        commits(table).quoted()
    );
    let what = format!("can't look whether {table} was committed");
    let found = session.query(&what, Doing::Writing, &sql, &[&id]).await?;
    Ok(found.first().is_some_and(|rows| !rows.is_empty()))
}

/// Publishes what the receipts staged. When this returns well, it is committed; gives how many rows
/// weren't written, since newer ones stand there.
pub(super) async fn publish(
    session: &mut StatementSession,
    record: &CommitRecord,
    begun: &Begun,
    cx: &Context,
) -> Result<u64> {
    let table = begun.table();
    let what = format!("can't commit to {table}");
    // A transaction that fails anywhere is closed with its session, and so rolled back.
    session.keep_to_oneself();
    session.unhurried(&what, "SET XACT_ABORT ON").await?;
    let uncommitted = async {
        if begun.strategy == WriteStrategy::TempSwap {
            let sql = format!("SET LOCK_TIMEOUT {}", begun.lock_timeout);
            session.unhurried(&what, &sql).await?;
        }
        session.unhurried(&what, "BEGIN TRANSACTION").await?;
        let rows = i64::try_from(record.rows).unwrap_or(i64::MAX);
        mark(session, record, &table, rows).await?;
        hit("commit.linked")?;
        let stayed = write(session, record, begun, &what)
            .await
            .map_err(refused)?;
        hit("commit.synced")?;
        Ok(stayed)
    };
    let stayed = told_until_stopped(&table, cx, uncommitted).await?;
    session.unhurried(&what, "COMMIT TRANSACTION").await?;
    Ok(stayed)
}

/// What went wrong within the transaction, which was rolled back: what the server will say of these
/// rows and this table every time undoes the commit, lest the entity wait for it for ever. That
/// space or a lock was missing passes, and a line that was lost says nothing.
fn refused(mut fault: Fault) -> Fault {
    let number = fault.attribute("sql_error").and_then(|n| n.parse().ok());
    let passes = fault.retryable || matches!(number, Some(1101 | 1105 | 9002 | 40_544));
    if number.is_some() && !passes {
        fault.code = code::COMMIT_REFUSED.into();
    }
    fault
}

/// The number of rows in the mark of a commit that never will be.
pub(super) const NEVER: i64 = -1;

pub(super) async fn mark(
    session: &mut StatementSession,
    record: &CommitRecord,
    table: &TableName,
    rows: i64,
) -> Result<()> {
    let sql = format!(
        "INSERT INTO {} (id, run, flow, entity, destination, row_count, committed_at) \
         VALUES (@P1, @P2, @P3, @P4, @P5, @P6, SYSUTCDATETIME())",
        commits(table).quoted()
    );
    let (id, shown) = (record::commit_id(record)?, table.to_string());
    let (flow, entity) = (&record.entity.flow, &record.entity.entity);
    let what = format!("can't mark the commit to {table}");
    let run = record.run.as_str();
    session
        .execute(&what, &sql, &[&id, &run, flow, entity, &shown, &rows])
        .await
        .map(drop)
}

async fn write(
    session: &mut StatementSession,
    record: &CommitRecord,
    begun: &Begun,
    what: &str,
) -> Result<u64> {
    let table = begun.table();
    let staged = staged(&table, &record.receipts)?;
    if matches!(
        begun.strategy,
        WriteStrategy::TruncateInsert | WriteStrategy::TempSwap
    ) {
        let sql = format!("TRUNCATE TABLE {}", table.quoted());
        session.unhurried(what, &sql).await?;
    }
    if begun.strategy == WriteStrategy::TempSwap {
        // There is one at most, and its rows were counted when they were put there.
        for (twin, _) in &staged {
            let sql = format!("ALTER TABLE {} SWITCH TO {}", twin.quoted(), table.quoted());
            session.unhurried(what, &sql).await?;
        }
        return Ok(0);
    }
    if begun.identity && !staged.is_empty() {
        let sql = format!("SET IDENTITY_INSERT {} ON", table.quoted());
        session.unhurried(what, &sql).await?;
    }
    if begun.strategy == WriteStrategy::DeleteInsert {
        // All of them first: several staging tables may have rows of one partition.
        for (from, _) in &staged {
            session
                .execute(what, &delete(&table, begun, from), &[])
                .await?;
        }
    }
    if begun.delete_missing {
        let sql = delete_missing(&table, begun, &staged);
        session.execute(what, &sql, &[]).await?;
    }
    let mut stayed = 0;
    for (from, rows) in &staged {
        let gone = operation::delete(session, &table, begun, from, what).await?;
        let rows = rows.saturating_sub(gone);
        let written = match begun.strategy {
            WriteStrategy::DirectInsert
            | WriteStrategy::TruncateInsert
            | WriteStrategy::TempSwap
            | WriteStrategy::DeleteInsert => {
                // After the DELETE only those that are newer have a key that comes.
                let condition = match begun.newer_stay {
                    true => unknown(&table, begun),
                    false => String::new(),
                };
                session
                    .execute(what, &insert(&table, begun, from, &condition), &[])
                    .await?
            }
            WriteStrategy::Merge if begun.merge_statement => {
                let others = begun.columns.len() > begun.key.len();
                let untouched = match others {
                    true => 0,
                    false => known(session, &table, begun, from, what).await?,
                };
                let sql = merge(&table, begun, from);
                untouched + session.execute(what, &sql, &[]).await?
            }
            WriteStrategy::Merge => {
                let updated = match update(&table, begun, from) {
                    Some(sql) => session.execute(what, &sql, &[]).await?,
                    None => known(session, &table, begun, from, what).await?,
                };
                let new = unknown(&table, begun);
                updated
                    + session
                        .execute(what, &insert(&table, begun, from, &new), &[])
                        .await?
            }
        };
        let late = late(&table, begun, from).filter(|_| written < rows);
        let late = match late {
            // A trigger may make rows newer that were just written.
            Some(sql) => session.count(what, &sql).await?.min(rows - written),
            None => 0,
        };
        stayed += late;
        let written = written + late;
        // An UPDATE may meet one key several times in the table, never fewer rows than staged.
        let fits = match begun.strategy {
            WriteStrategy::Merge => written >= rows,
            _ => written == rows,
        };
        if !fits {
            return Err(Fault::new(
                code::COMMIT_REFUSED,
                format!("{what}: {rows} rows were staged in {from}, and {written} arrived"),
            )
            .advise("a trigger of the table may change what is written"));
        }
    }
    if begun.identity && !staged.is_empty() {
        let sql = format!("SET IDENTITY_INSERT {} OFF", table.quoted());
        session.unhurried(what, &sql).await?;
    }
    Ok(stayed)
}

/// How many staged rows have a key that stands in the table; where there is nothing to update.
async fn known(
    session: &mut StatementSession,
    table: &TableName,
    begun: &Begun,
    from: &TableName,
    what: &str,
) -> Result<u64> {
    let sql = format!(
        "SELECT COUNT_BIG(*) FROM {} AS s WHERE EXISTS \
         (SELECT 1 FROM {} AS t WITH (HOLDLOCK) WHERE {})",
        operation::kept(begun, from),
        table.quoted(),
        alike(begun)
    );
    session.count(what, &sql).await
}

/// The staging tables that have rows, and how many.
pub(super) fn staged(table: &TableName, receipts: &[Receipt]) -> Result<Vec<(TableName, u64)>> {
    let mut staged = Vec::new();
    for receipt in receipts {
        if let Some(name) = StagedRows::read(receipt)?.table {
            staged.push((table.beside(name), receipt.rows));
        }
    }
    Ok(staged)
}
