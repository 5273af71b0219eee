//! Which way staged rows go into the table, and what is done where the first choice can't be had.

use hygge_core::{
    Action, CommitRecord, Context, Fault, Finding, Level, Notes, Result, Silent, Target, code,
};

use super::record::{self, Begun};
use super::settings::WriteStrategy;
use super::twin::{self, Obstacle, Twin};
use super::{MssqlStore, change, ddl, publish};
use crate::connection::StatementSession;
use crate::name::TableName;

impl MssqlStore {
    /// How the run's rows become visible.
    pub(super) async fn strategy(
        &self,
        session: &mut StatementSession,
        action: Action,
        exists: bool,
        notes: &dyn Notes,
    ) -> Result<WriteStrategy> {
        use WriteStrategy::{DeleteInsert, DirectInsert, Merge, TempSwap, TruncateInsert};
        let mut asked = self.write.write_strategy;
        if self.write.direct && action == Action::Replace {
            // A swap needs a twin, and this loads the table itself.
            asked = asked.or(Some(TruncateInsert));
        }
        let contradicts = |asked: WriteStrategy, but: &str| {
            Fault::new(
                code::CONFIG,
                format!("`write_strategy: {}` {but}", asked.name()),
            )
            .advise("leave `write_strategy` out, and the run's mode decides")
        };
        Ok(match (action, asked) {
            (Action::Append, None | Some(DirectInsert)) => DirectInsert,
            (Action::Append, Some(asked)) if !matches!(asked, TruncateInsert | TempSwap) => {
                return Err(contradicts(
                    asked,
                    "needs a key, and this run only adds rows",
                ));
            }
            // What a full run of it does; every other one adds.
            (Action::Append, Some(_)) => DirectInsert,
            (Action::Upsert, Some(DeleteInsert)) => DeleteInsert,
            (Action::Upsert, None | Some(Merge | TempSwap | TruncateInsert)) => Merge,
            (Action::Upsert, Some(asked)) => {
                return Err(contradicts(
                    asked,
                    "only adds rows, and this run merges by key",
                ));
            }
            (Action::Replace, Some(asked @ DirectInsert)) => {
                if exists && !self.is_empty(session).await? {
                    return Err(contradicts(
                        asked,
                        &format!(
                            "only adds rows, and this run replaces all of {}",
                            self.write.table
                        ),
                    ));
                }
                DirectInsert
            }
            // One that is made is empty, so nobody sees it filled.
            (Action::Replace, _) if !exists => TruncateInsert,
            // In place: rows whose key stays are updated, and those that are gone deleted.
            (Action::Replace, Some(Merge)) if self.write.delete_missing => Merge,
            (Action::Replace, Some(DeleteInsert)) if !self.write.partition_by.is_empty() => {
                DeleteInsert
            }
            (Action::Replace, asked) => self.replacing(session, asked, notes).await?,
        })
    }

    /// Whether the server has MERGE, tried on a table that is none.
    pub(super) async fn can_merge(&self) -> Result<()> {
        const PROBE: &str = "\
DECLARE @t TABLE (k int); \
MERGE @t AS t USING (SELECT 1 AS k) AS s ON t.k = s.k WHEN MATCHED THEN UPDATE SET k = s.k;";
        let mut session = self.session().await?;
        let what = "can't try a MERGE";
        match session.unhurried(what, PROBE).await {
            Err(fault)
                if fault
                    .attribute("sql_error")
                    .and_then(|number| number.parse().ok())
                    .is_some_and(publish::has_no_such_statement) =>
            {
                Err(Fault::new(
                    code::DESTINATION_UNSUPPORTED,
                    format!("this server has no MERGE: {}", fault.message),
                )
                .advise("leave `merge_statement` out: an UPDATE and an INSERT do the same"))
            }
            tried => tried,
        }
    }

    /// How all rows of a table that is there are replaced.
    async fn replacing(
        &self,
        session: &mut StatementSession,
        asked: Option<WriteStrategy>,
        notes: &dyn Notes,
    ) -> Result<WriteStrategy> {
        use WriteStrategy::{TempSwap, TruncateInsert};
        let table = &self.write.table;
        let wanted = match asked {
            None | Some(TempSwap) => TempSwap,
            Some(_) => TruncateInsert,
        };
        match twin::obstacle(session, table).await? {
            Some(Obstacle::Referenced) => Err(Fault::new(
                code::DESTINATION_UNSUPPORTED,
                format!(
                    "{table} can't be replaced as a whole: foreign keys of other tables point to it"
                ),
            )
            .advise("drop those foreign keys, or write it with a merge, which leaves the rows in their place")),
            Some(Obstacle::Swap(why)) if asked == Some(TempSwap) => Err(Fault::new(
                code::DESTINATION_UNSUPPORTED,
                format!("{table} can't be swapped: {why}"),
            )
            .advise("`write_strategy: truncate_insert` does it within one transaction")),
            Some(Obstacle::Swap(why)) => {
                if wanted == TempSwap {
                    notes.note(
                        Level::Info,
                        &format!("{table} is emptied and filled instead of swapped: {why}"),
                    );
                }
                Ok(TruncateInsert)
            }
            None => Ok(wanted),
        }
    }

    /// What keeps the table from being replaced in the way that was asked for; for `hygge debug`.
    pub(super) async fn in_the_way(
        &self,
        session: &mut StatementSession,
    ) -> Result<Option<Finding>> {
        use WriteStrategy::{TempSwap, TruncateInsert};
        let asked = self.write.write_strategy;
        if !matches!(asked, Some(TempSwap | TruncateInsert)) {
            return Ok(None);
        }
        let replaced = self.replacing(session, asked, &Silent).await;
        let bad = |fault: Fault| Finding::bad(fault.message, fault.advice.unwrap_or_default());
        Ok(replaced.err().map(bad))
    }

    /// Gathers what the splits staged in one table: a twin of the destination, or a heap.
    pub(super) async fn gathered(
        &self,
        session: &mut StatementSession,
        target: &Target,
        begun: &Begun,
        staged: &[(TableName, u64)],
    ) -> Result<(String, u64)> {
        let table = begun.table();
        let swaps = begun.strategy == WriteStrategy::TempSwap;
        let kind = if swaps { "twin" } else { "gathered" };
        let whose = record::whose(&target.entity, &self.owner.made().await?);
        let name = record::staging(&whose, &target.run, kind, 1);
        let into = table.beside(&name);
        let what = match swaps {
            true => format!("can't fill a twin of {table}"),
            false => format!("can't gather what was staged for {table}"),
        };
        session.unhurried(&what, &ddl::drop_table(&into)).await?;
        let made = match swaps {
            true => twin::of(session, &table, &into).await?,
            false => Twin {
                before: vec![ddl::staging(&into, begun)],
                ..Twin::default()
            },
        };
        for sql in &made.before {
            session.unhurried(&what, sql).await?;
        }
        let sql = change::gather(&into, begun, staged, swaps);
        let own = |fault, name: &str| twin::of_the_original(fault, &what, (&table, &into), name);
        let filled = session.execute(&what, &sql, &[]).await;
        let filled_by = made.filled_by.as_deref().unwrap_or_default();
        let rows = filled.map_err(|fault| own(fault, filled_by))?;
        let expected: u64 = staged.iter().map(|(_, rows)| rows).sum();
        // Of several rows with one key the last is kept.
        let least = if begun.merges() {
            expected.min(1)
        } else {
            expected
        };
        if rows < least || rows > expected {
            return Err(Fault::new(
                code::DESTINATION_IO,
                format!("{what}: {expected} rows were staged, and {rows} arrived"),
            ));
        }
        for (sql, name) in &made.after {
            let made = session.unhurried(&what, sql).await;
            made.map_err(|fault| own(fault, name))?;
        }
        Ok((name, rows))
    }

    /// Publishes, whoever else may be doing the same; in the next best way where the server can't
    /// swap and nobody insisted on it.
    pub(super) async fn published(
        &self,
        mut session: StatementSession,
        record: &CommitRecord,
        mut begun: Begun,
        cx: &Context,
    ) -> Result<()> {
        let (table, id) = (begun.table(), record::commit_id(record)?);
        loop {
            let published = publish::publish(&mut session, record, &begun, cx).await;
            // With it ends whatever it had begun.
            drop(session);
            let fault = match published {
                Ok(0) => return Ok(()),
                Ok(rows) => {
                    cx.notes.note(Level::Warning, &late(&begun, rows));
                    return Ok(());
                }
                Err(fault) => fault,
            };
            if fault.code == code::STOPPED {
                let text = format!(
                    "nothing was written to {table}: what is staged for it waits, and the next \
                     `hygge start` puts it there before anything else"
                );
                cx.notes.note(Level::Warning, &text);
                return Err(fault);
            }
            session = self.session().await?;
            let number = fault.attribute("sql_error").and_then(|n| n.parse().ok());
            if begun.strategy == WriteStrategy::TempSwap && number.is_some_and(publish::cant_switch)
            {
                if !begun.or_else {
                    return Err(fault.advise(
                        "`write_strategy: truncate_insert` needs no SWITCH, and does it within \
                         one transaction",
                    ));
                }
                let text = format!(
                    "{table} is emptied and filled instead of swapped, since the server won't: {}",
                    fault.message
                );
                cx.notes.note(Level::Warning, &text);
                begun.strategy = WriteStrategy::TruncateInsert;
                continue;
            }
            // A duplicate key may be that of the mark: somebody else committed this.
            let twice = matches!(number, Some(2601 | 2627));
            if twice && publish::is_committed(&mut session, &table, &id).await? {
                return Ok(());
            }
            return Err(fault);
        }
    }
}

/// What is told of rows that came too late.
fn late(begun: &Begun, rows: u64) -> String {
    let (table, by) = (begun.table(), begun.latest_by.as_deref());
    let by = by.unwrap_or_default();
    match rows {
        1 => format!("1 row isn't written: the one with its key in {table} is newer by {by:?}"),
        rows => {
            format!(
                "{rows} rows aren't written: those with their keys in {table} are newer by {by:?}"
            )
        }
    }
}
