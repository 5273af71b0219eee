//! `direct: true`: rows are loaded straight into the table, in a transaction that waits for the
//! commit.
//!
//! The trade-off settled here: nothing is written twice, but nothing is durable either before the
//! commit. The session that loaded is the only one that can commit, so it is kept from the last
//! row to the commit of the same process. Whoever comes to commit without it (another process, or
//! this one after the line was cut) can only ask for the transaction's fate: its mark in
//! `hygge_commits` is there, or it never will be. The second is made sure of by putting a mark of
//! its own there, under the same id: that waits for whoever is still committing, and whoever
//! comes later fails on it.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hygge_core::failpoint::hit;
use hygge_core::{CommitRecord, Context, Fault, Receipt, Result, code};
use mssql_tds::connection::tds_client::ExecuteOptions;
use mssql_tds::datatypes::sql_string::SqlString;
use mssql_tds::datatypes::sqltypes::SqlType as Parameter;
use mssql_tds::message::parameters::rpc_parameters::{RpcParameter, StatusFlags};

use super::patience::told_until_stopped;
use super::record::{self, Begun, StagedRows};
use super::settings::{Write, WriteStrategy};
use super::{MssqlStore, publish};
use crate::connection::{ColumnSession, StatementSession};
use crate::fault::{self, Doing};
use crate::name::TableName;
use crate::types::SqlType;

/// How rows are loaded straight into the table.
#[derive(Debug, Clone)]
pub(super) struct Direct {
    pub(super) table_lock: bool,
    pub(super) keep_nulls: bool,
    pub(super) check_constraints: bool,
    pub(super) fire_triggers: bool,
    /// Where the transaction waits for its commit.
    pub(super) open: Open,
    pub(super) cx: Context,
}

impl Direct {
    pub(super) fn of(write: &Write, open: &Open, cx: &Context) -> Option<Self> {
        write.direct.then(|| Self {
            table_lock: write.table_hints.iter().any(|hint| hint == "TABLOCK"),
            keep_nulls: write.keep_nulls,
            check_constraints: write.check_constraints,
            fire_triggers: write.fire_triggers,
            open: open.clone(),
            cx: cx.clone(),
        })
    }

    /// Begins the transaction; rows that are replaced go first.
    pub(super) async fn begin(
        &self,
        session: &mut ColumnSession,
        begun: &Begun,
        what: &str,
    ) -> Result<()> {
        // An error rolls all of it back, instead of leaving what came before.
        run(session, what, "SET XACT_ABORT ON").await?;
        run(session, what, "BEGIN TRANSACTION").await?;
        if begun.strategy == WriteStrategy::TruncateInsert {
            let table = begun.table();
            let sql = format!("TRUNCATE TABLE {}", table.quoted());
            told_until_stopped(&table, &self.cx, run(session, what, &sql)).await?;
        }
        Ok(())
    }
}

/// The transaction of a run whose rows are all loaded. Given up, it is rolled back: its session is
/// closed.
#[derive(Clone, Default)]
pub(super) struct Open(Arc<Mutex<Option<(String, ColumnSession)>>>);

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Open")
    }
}

impl Open {
    fn held(&self) -> MutexGuard<'_, Option<(String, ColumnSession)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a transaction for its commit, and gives the name it is known by.
    pub(super) fn keep(&self, session: ColumnSession) -> String {
        // A run may load the same split more than once; each has a fate of its own.
        let name = format!("{:016x}", RandomState::new().build_hasher().finish());
        *self.held() = Some((name.clone(), session));
        name
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.held().as_ref().is_some_and(|(held, _)| held == name)
    }

    fn take(&self, name: &str) -> Option<ColumnSession> {
        self.held()
            .take_if(|(held, _)| held == name)
            .map(|(_, session)| session)
    }
}

/// The transaction that a run's rows wait in, if they do.
pub(super) fn waits_in(receipts: &[Receipt]) -> Result<Option<String>> {
    for receipt in receipts {
        if let Some(open) = StagedRows::read(receipt)?.open {
            return Ok(Some(open));
        }
    }
    Ok(None)
}

/// Why columns can't be loaded straight, if some can't.
pub(super) fn unfit(begun: &Begun) -> Result<()> {
    let converted = begun.columns.iter().find(|column| {
        use SqlType as S;
        matches!(
            column.sql_type.0,
            S::Text
                | S::NText
                | S::Image
                | S::Xml
                | S::Json
                | S::Vector(_)
                | S::SqlVariant
                | S::HierarchyId
                | S::Geometry
                | S::Geography
        )
    });
    if let Some(column) = converted {
        return Err(Fault::new(
            code::DESTINATION_UNSUPPORTED,
            format!(
                "column {:?} is {}, which rows are converted to from what is staged, and `direct` \
                 stages nothing",
                column.name, column.sql_type.0
            ),
        )
        .with("column", &column.name)
        .advise("leave `direct` out, or the column"));
    }
    if begun.merges() {
        return Err(Fault::new(
            code::CONFIG,
            "`direct` can't tell which row of a key is the last: that is found out among staged rows",
        )
        .advise("leave `direct` out"));
    }
    Ok(())
}

/// Runs a statement, however long it takes.
async fn run(session: &mut ColumnSession, what: &str, sql: &str) -> Result<()> {
    let wrong = |error| fault::rows(what, Doing::Writing, &error);
    let client = session.begin();
    let sent = client.execute(sql.to_owned(), ExecuteOptions::new()).await;
    sent.map_err(wrong)?;
    client.close_query().await.map_err(wrong)
}

/// Marks the transaction as committed, and commits it.
async fn commit(
    session: &mut ColumnSession,
    record: &CommitRecord,
    table: &TableName,
) -> Result<()> {
    let what = format!("can't commit to {table}");
    let wrong = |error| fault::rows(&what, Doing::Writing, &error);
    // Outside of the transaction (if the server has ended it) a mark would be a lie.
    let sql = format!(
        "IF @@TRANCOUNT = 1 INSERT INTO {} (id, run, flow, entity, destination, row_count, \
         committed_at) VALUES (@P1, @P2, @P3, @P4, @P5, @P6, SYSUTCDATETIME())",
        publish::commits(table).quoted()
    );
    let rows = i64::try_from(record.rows).unwrap_or(i64::MAX);
    let (id, run_id, shown) = (
        record::commit_id(record)?,
        record.run.to_string(),
        table.to_string(),
    );
    let texts = [
        &id,
        &run_id,
        &record.entity.flow,
        &record.entity.entity,
        &shown,
    ];
    let texts = texts.map(|text| {
        let text = SqlString::from_utf8_string(text.clone());
        Parameter::NVarchar(Some(text), 4_000)
    });
    let values = texts.into_iter().chain([Parameter::BigInt(Some(rows))]);
    let parameters = values.enumerate().map(|(nth, value)| {
        RpcParameter::new(Some(format!("@P{}", nth + 1)), StatusFlags::NONE, value)
    });
    let client = session.begin();
    let marked = client
        .execute_sp_executesql(sql, parameters.collect(), ExecuteOptions::new())
        .await;
    marked.map_err(wrong)?;
    client.close_query().await.map_err(wrong)?;
    hit("commit.linked")?;
    hit("commit.synced")?;
    run(session, &what, "COMMIT TRANSACTION").await
}

impl MssqlStore {
    /// Commits the transaction that a run's rows wait in, or says that they have to be moved
    /// again.
    pub(super) async fn commit_open(&self, record: &CommitRecord, open: &str) -> Result<()> {
        let table = Begun::read(&record.begun)?.table();
        let mut why = "its session ended before it".to_owned();
        if let Some(mut session) = self.open.take(open) {
            match commit(&mut session, record, &table).await {
                Ok(()) => {
                    session.settled();
                    return Ok(());
                }
                Err(fault) => why = fault.message,
            }
            // With its session the transaction ends, unless the server has already committed it.
        }
        if self.was_committed(record, &table).await? {
            return Ok(());
        }
        Err(Fault::new(
            code::COMMIT_UNDONE,
            format!("the commit to {table} was undone ({why})"),
        ))
    }

    /// The fate of a transaction whose session is gone. One that wasn't committed never will be
    /// afterwards.
    async fn was_committed(&self, record: &CommitRecord, table: &TableName) -> Result<bool> {
        let mut session = self.session().await?;
        self.is_there(&mut session, record, &publish::commits(table))
            .await?;
        let refused = match publish::mark(&mut session, record, table, publish::NEVER).await {
            Ok(()) => return Ok(false),
            Err(fault) => fault,
        };
        drop(session);
        let number = refused.attribute("sql_error").and_then(|n| n.parse().ok());
        if !matches!(number, Some(2601 | 2627)) {
            return Err(refused);
        }
        // Somebody marked it before: the transaction itself, or whoever asked for its fate.
        let mut session: StatementSession = self.session().await?;
        publish::is_committed(&mut session, table, &record::commit_id(record)?).await
    }
}
