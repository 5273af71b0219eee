//! A table of SQL Server as a Store.
//!
//! The trade-off settled here: rows are loaded twice, first into heaps of their own and then, by
//! the server itself, into the table. The second step costs the server time; it is what makes
//! every writer independent of every other, and the publish one short transaction that can be
//! found out about afterwards.

mod begin;
mod change;
mod columns;
mod ddl;
mod direct;
mod encode;
mod kind;
mod lost;
mod operation;
mod owner;
mod patience;
mod publish;
mod record;
mod runs;
mod settings;
mod standing;
mod strategy;
mod twin;
mod wider;
mod writer;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

pub use self::columns::declared;
use self::direct::{Direct, Open, waits_in};
use self::owner::Owner;
use self::record::{Begun, BegunColumn, StagedRows, Widen};
pub(crate) use self::runs::{RunLock, Runs};
use self::settings::{Create, Write, WriteStrategy};
use self::writer::{Desk, TableWriter};
use crate::connection::{Connection, StatementSession};
use crate::describe::{self, Table, Written, text};
use crate::fault::Doing;
use crate::home::MssqlHome;
use arrow_schema::SchemaRef;
use hygge_core::failpoint::hit;
use hygge_core::{
    Coming, CommitRecord, Context, EntityId, Fault, Finding, Home, Level, Notes, Receipt, Result,
    RunId, Settled, SplitId, Standing, Store, Target, Writer, async_trait, code,
};

#[cfg(test)]
pub(crate) use self::encode::fits;
pub use self::kind::MssqlStoreKind;
pub(crate) use self::settings::Needs;
pub use self::settings::StoreSettings;

/// Writes one entity.
#[derive(Debug)]
pub struct MssqlStore {
    write: Write,
    connection: Arc<Connection>,
    who: String,
    owner: Owner,
    /// The lock of the run that is under way.
    lock: Mutex<Option<Arc<RunLock>>>,
    /// Rows that were loaded straight into the table, and wait for their commit.
    open: Open,
}

impl MssqlStore {
    fn new(write: Write, connection: Arc<Connection>, who: String, work: &Path) -> Self {
        Self {
            write,
            connection,
            who,
            owner: Owner::of(work),
            lock: Mutex::default(),
            open: Open::default(),
        }
    }

    async fn session(&self) -> Result<StatementSession> {
        self.connection.statements(&self.who).await
    }

    /// Holds the run's lock for as long as this store is used.
    async fn hold(&self, run: &RunId) -> Result<Arc<RunLock>> {
        let lock = self.connection.lock_run(run).await?;
        let mut held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        *held = Some(Arc::clone(&lock));
        Ok(lock)
    }

    async fn table(&self, session: &mut StatementSession) -> Result<Option<Table>> {
        describe::table(session, &self.write.table, Doing::Writing).await
    }

    async fn has_schema(&self, session: &mut StatementSession) -> Result<bool> {
        let schema = &self.write.table.schema;
        let what = format!("can't look for the schema {schema}");
        let sql = "SELECT schema_id FROM sys.schemas WHERE name = @P1";
        let found = session.query(&what, Doing::Writing, sql, &[schema]).await?;
        Ok(found.first().is_some_and(|rows| !rows.is_empty()))
    }

    /// Drops the staging tables of this project's runs that nobody works on any more.
    async fn sweep(&self, entity: &EntityId, live: Option<&RunId>) -> Result<()> {
        let Some(owner) = self.owner.known().await? else {
            return Ok(());
        };
        let whose = record::whose(entity, &owner);
        let mut session = self.session().await?;
        let what = format!("can't look for what {entity} staged");
        let sql = "SELECT o.name FROM sys.objects AS o \
                   JOIN sys.schemas AS s ON s.schema_id = o.schema_id \
                   WHERE o.type = 'U' AND s.name = @P1 AND LEFT(o.name, 12) = @P2";
        let schema = &self.write.table.schema;
        let parameters: [&dyn tiberius::ToSql; 2] = [schema, &record::STAGING];
        let found = session
            .query(&what, Doing::Writing, sql, &parameters)
            .await?;
        let rows = found.into_iter().next().unwrap_or_default();
        let mut by_run: BTreeMap<RunId, Vec<String>> = BTreeMap::new();
        for name in rows.iter().filter_map(|row| text(row, 0)) {
            if let Some(run) = record::run_of(&name, &whose) {
                by_run.entry(run).or_default().push(name);
            }
        }
        for (run, tables) in by_run {
            if Some(&run) == live || !self.connection.is_abandoned(&run, &mut session).await? {
                continue;
            }
            for table in tables {
                let table = self.write.table.beside(table);
                let what = format!("can't drop {table}");
                session.unhurried(&what, &ddl::drop_table(&table)).await?;
            }
        }
        Ok(())
    }

    /// Makes the table, or adds columns to it and widens others, now that the lengths of values are known.
    async fn make(
        &self,
        session: &mut StatementSession,
        begun: &Begun,
        receipts: &[Receipt],
        notes: &dyn Notes,
    ) -> Result<()> {
        let changes = |column: &BegunColumn| column.add || column.widen.is_some();
        if !begun.create && !begun.columns.iter().any(changes) {
            return Ok(());
        }
        let mut longest = vec![0; begun.columns.len()];
        for receipt in receipts {
            let staged = StagedRows::read(receipt)?;
            for (longest, own) in longest.iter_mut().zip(staged.longest) {
                *longest = own.max(*longest);
            }
        }
        let mut columns = begun.columns.clone();
        for (column, longest) in columns.iter_mut().zip(longest) {
            let fits = |widen: Widen| widen.length.is_some_and(|own| longest <= own.into());
            column.widen = column.widen.filter(|widen| !fits(*widen));
            if column.measured {
                column.sql_type = Written(columns::measured(column.sql_type.0, longest));
            }
        }
        let table = begun.table();
        if begun.create {
            let what = format!("can't make {table}");
            return session
                .unhurried(&what, &ddl::table(&table, &columns))
                .await;
        }
        for column in columns.iter().filter(|column| column.add) {
            let what = format!("can't add {:?} to {table}", column.name);
            session.unhurried(&what, &ddl::add(&table, column)).await?;
            // As soon as it is so: what comes after it may fail.
            let told = format!(
                "{table} has a new column {:?}, {}",
                column.name, column.sql_type.0
            );
            notes.note(Level::Warning, &told);
        }
        for column in &columns {
            let Some(widen) = column.widen else { continue };
            let what = format!(
                "can't make {:?} of {table} {}",
                column.name, column.sql_type.0
            );
            let sql = ddl::widen(&table, column, widen);
            session.unhurried(&what, &sql).await?;
            let told = format!("{:?} of {table} is {} now", column.name, column.sql_type.0);
            notes.note(Level::Warning, &told);
        }
        Ok(())
    }
}

#[async_trait]
impl Store for MssqlStore {
    async fn check(&self, _cx: &Context) -> Result<Vec<Finding>> {
        let mut findings = crate::check::connection(&self.connection, &self.who).await?;
        if findings.iter().any(|finding| !finding.ok) {
            return Ok(findings);
        }
        let mut session = self.session().await?;
        let table = &self.write.table;
        let found = self.table(&mut session).await?;
        if found.is_some() {
            findings.extend(self.in_the_way(&mut session).await?);
        }
        findings.push(match found {
            Some(found) if found.view => Finding::bad(
                format!("{table} is a view"),
                "name a table: rows are loaded into one",
            ),
            Some(found) => Finding::good(format!(
                "{table} is there: {}",
                describe::counted(found.columns.len())
            )),
            None if !self.has_schema(&mut session).await? => Finding::bad(
                format!(
                    "there is no schema {:?} in {}",
                    table.schema,
                    self.connection.describe()
                ),
                "make it with `CREATE SCHEMA`, or name another one in `table`",
            ),
            None if self.write.create == Create::IfMissing => {
                Finding::good(format!("{table} isn't there yet, and will be made"))
            }
            None => Finding::bad(
                format!("{table} isn't there"),
                "make it, or say `create: if_missing` in the store",
            ),
        });
        findings.extend(crate::check::permissions(&mut session, table, &self.write.needs()).await?);
        Ok(findings)
    }

    async fn inspect(
        &self,
        entity: &EntityId,
        memory: Option<&[u8]>,
        cx: &Context,
    ) -> Result<Standing> {
        let mut session = self.session().await?;
        let standing = self.standing(&mut session, entity, memory);
        patience::told(&self.write.table, cx, standing).await
    }

    fn replaces_all(&self) -> bool {
        self.write.partition_by.is_empty()
    }

    fn fits(&self, schema: &SchemaRef) -> Result<()> {
        let unfit = schema
            .fields()
            .iter()
            .find(|field| crate::types::SqlType::for_arrow(field.data_type()).is_none());
        match unfit {
            None => Ok(()),
            Some(field) => Err(Fault::new(
                code::DESTINATION_UNSUPPORTED,
                format!(
                    "column {:?} is {}, which no type of SQL Server holds",
                    field.name(),
                    field.data_type()
                ),
            )
            .with("column", field.name())
            .advise("leave the column out")),
        }
    }

    async fn suits(&self, coming: &Coming<'_>, cx: &Context) -> Result<Option<Vec<String>>> {
        let mut session = self.session().await?;
        let looked = self.table(&mut session);
        let found = patience::told(&self.write.table, cx, looked).await?;
        let Some(table) = found.filter(|table| !table.view) else {
            return Ok(None);
        };
        let (rows, _) = operation::apart(coming.schema);
        let columns = self.into(&table, coming, &rows)?;
        let names = rows.fields().iter().map(|field| field.name());
        let left = names.filter(|name| !columns.iter().any(|column| column.from == **name));
        Ok(Some(left.cloned().collect()))
    }

    async fn begin(&self, target: &Target, cx: &Context) -> Result<serde_json::Value> {
        let decided = patience::told(&self.write.table, cx, self.decide(target, cx));
        record::written(&decided.await?)
    }

    async fn open_writer(
        &self,
        target: &Target,
        split: &SplitId,
        attempt: u32,
        cx: &Context,
    ) -> Result<Box<dyn Writer>> {
        let begun = Begun::read(&target.begun)?;
        let names = begun.columns.iter().map(|column| column.from.as_str());
        let order = names.chain(begun.operation()).map(|name| {
            target
                .schema
                .index_of(name)
                .map_err(|error| Fault::internal(error.to_string()))
        });
        let order = order.collect::<Result<_>>()?;
        Ok(Box::new(TableWriter::new(Desk {
            connection: Arc::clone(&self.connection),
            begun: Arc::new(begun),
            entity: target.entity.clone(),
            whose: record::whose(&target.entity, &self.owner.made().await?),
            run: target.run.clone(),
            split: split.clone(),
            attempt,
            order,
            batch_size: self.write.batch_size,
            direct: Direct::of(&self.write, &self.open, cx),
            cx: cx.clone(),
            _lock: self.hold(&target.run).await?,
        })))
    }

    async fn still_staged(
        &self,
        _target: &Target,
        receipts: Vec<Receipt>,
        _cx: &Context,
    ) -> Result<Vec<Receipt>> {
        let mut session = self.session().await?;
        let mut kept = Vec::new();
        for receipt in receipts {
            let StagedRows { table, open, .. } = StagedRows::read(&receipt)?;
            let there = match (table, open) {
                // Rolled back with the session of the process that loaded them.
                (_, Some(open)) => self.open.has(&open),
                // A split without rows has no table.
                (None, None) => true,
                (Some(name), None) => {
                    let staging = self.write.table.beside(name);
                    describe::table(&mut session, &staging, Doing::Writing)
                        .await?
                        .is_some()
                }
            };
            if there {
                kept.push(receipt);
            }
        }
        Ok(kept)
    }

    async fn prepare(
        &self,
        target: &Target,
        receipts: Vec<Receipt>,
        cx: &Context,
    ) -> Result<Vec<Receipt>> {
        if self.write.direct {
            // They are where they belong, in a session that a small pool has none beside.
            return Ok(receipts);
        }
        let begun = Begun::read(&target.begun)?;
        let table = begun.table();
        let mut session = self.session().await?;
        let made = self.make(&mut session, &begun, &receipts, cx.notes.as_ref());
        patience::told_until_stopped(&table, cx, made).await?;
        let staged = publish::staged(&table, &receipts)?;
        let gathers = begun.merges() || begun.strategy == WriteStrategy::TempSwap;
        if !gathers || staged.is_empty() {
            return Ok(receipts);
        }
        let (name, rows) = self.gathered(&mut session, target, &begun, &staged).await?;
        Ok(vec![Receipt {
            split: SplitId("gathered".to_owned()),
            attempt: 1,
            rows,
            bytes: receipts.iter().map(|receipt| receipt.bytes).sum(),
            data: record::written(&StagedRows {
                table: Some(name),
                open: None,
                longest: Vec::new(),
            })?,
        }])
    }

    async fn commit(&self, record: &CommitRecord, cx: &Context) -> Result<Settled> {
        let begun = Begun::read(&record.begun)?;
        let table = begun.table();
        let id = record::commit_id(record)?;
        hit("commit.started")?;
        if let Some(open) = waits_in(&record.receipts)? {
            self.commit_open(record, &open).await?;
        } else {
            let mut session = self.session().await?;
            self.is_there(&mut session, record, &publish::commits(&table))
                .await?;
            if !publish::is_committed(&mut session, &table, &id).await? {
                self.is_there(&mut session, record, &table).await?;
                for (staged, _) in publish::staged(&table, &record.receipts)? {
                    self.is_there(&mut session, record, &staged).await?;
                }
                self.published(session, record, begun, cx).await?;
            }
        }
        hit("commit.swapped")?;
        let mut session = self.session().await?;
        for (staging, _) in publish::staged(&table, &record.receipts)? {
            let what = format!("can't drop {staging}");
            session.unhurried(&what, &ddl::drop_table(&staging)).await?;
        }
        hit("commit.cleaned")?;
        Ok(Settled {
            location: format!("{table} of {}", self.connection.describe()),
            parts: 1,
            memory: Some(self.memory()),
        })
    }

    fn undone(&self, fault: &Fault) -> bool {
        matches!(&*fault.code, code::COMMIT_UNDONE | code::COMMIT_REFUSED)
    }

    fn stages(&self) -> bool {
        !self.write.direct
    }

    fn read_back(&self) -> Option<Arc<dyn Home>> {
        let Write { login, table, .. } = &self.write;
        let connection = Arc::clone(&self.connection);
        let home = MssqlHome::of_table(login.clone(), table.clone(), connection);
        Some(Arc::new(home))
    }

    async fn cleanup(&self, entity: &EntityId, live: Option<&RunId>, _cx: &Context) -> Result<()> {
        self.sweep(entity, live).await
    }
}
