//! Transactions: what was changed and not yet published, and how it becomes so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::options::Isolation;
use super::{Engine, cut};
use crate::control::locked;
use crate::fault::SqlError;
use crate::reply::{Halt, Outcome, Reply};
use crate::store::locks::Owner;
use crate::store::rows::Rows;
use crate::store::table::Table;
use crate::store::{Name, Snapshot};
use crate::wire::request::Manage;
use crate::wire::token::{self, Change as Environment};

/// What became of a table.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Gone,
    Made(Arc<Table>),
    /// Rows were put behind the others, which somebody else may have done as well.
    Grown {
        table: Arc<Table>,
        added: Rows,
    },
}

impl Change {
    fn table(&self) -> Option<&Arc<Table>> {
        match self {
            Self::Gone => None,
            Self::Made(table) | Self::Grown { table, .. } => Some(table),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Pending {
    /// By database, then by name.
    pub(crate) tables: BTreeMap<(String, Name), Change>,
    pub(crate) schemas: BTreeMap<(String, String), Option<(i64, String)>>,
}

pub(crate) struct Transaction {
    pub(crate) id: u64,
    pub(crate) level: u32,
    /// It can only be rolled back any more.
    pub(crate) doomed: bool,
    savepoints: Vec<(String, Pending)>,
    /// What it sees under SNAPSHOT.
    pub(crate) snapshot: Option<Arc<Snapshot>>,
}

fn next_id() -> u64 {
    static IDS: AtomicU64 = AtomicU64::new(0x01_0000_0000);
    IDS.fetch_add(1, Ordering::SeqCst)
}

impl Engine {
    /// The table as the session sees it now.
    pub(super) fn lookup(&self, name: &Name) -> Option<Arc<Table>> {
        self.lookup_in(&self.database_of(name).name, name)
    }

    pub(super) fn lookup_in(&self, database: &str, name: &Name) -> Option<Arc<Table>> {
        if let Some(change) = self
            .pending
            .tables
            .get(&(database.to_lowercase(), name.clone()))
        {
            return change.table().cloned();
        }
        self.committed(database, name)
    }

    fn committed(&self, database: &str, name: &Name) -> Option<Arc<Table>> {
        if let Some(view) = self.view.as_ref().filter(|_| {
            database.eq_ignore_ascii_case(&self.database.name)
                && !name.table.starts_with(['#', '@'])
        }) {
            return view.tables.get(name).cloned();
        }
        if name.table.starts_with(['#', '@']) {
            return self.temporary.snapshot().tables.get(name).cloned();
        }
        self.shared
            .databases
            .get(database)?
            .snapshot()
            .tables
            .get(name)
            .cloned()
    }

    /// Keeps a table that the statement made or changed.
    pub(super) fn put(&mut self, name: &Name, table: Table) {
        let key = (self.database_of(name).name.to_lowercase(), name.clone());
        self.pending
            .tables
            .insert(key, Change::Made(Arc::new(table)));
    }

    pub(super) fn put_gone(&mut self, name: &Name) {
        let key = (self.database_of(name).name.to_lowercase(), name.clone());
        self.pending.tables.insert(key, Change::Gone);
    }

    /// Keeps rows that were put behind the others.
    pub(super) fn put_grown(&mut self, name: &Name, table: &Arc<Table>, rows: &Rows) {
        let key = (self.database_of(name).name.to_lowercase(), name.clone());
        let mut grown = Table::clone(table);
        grown.rows.append(rows);
        let grown = Arc::new(grown);
        let change = match self.pending.tables.remove(&key) {
            Some(Change::Made(_)) => Change::Made(grown),
            Some(Change::Grown { mut added, .. }) => {
                added.append(rows);
                Change::Grown {
                    table: grown,
                    added,
                }
            }
            Some(Change::Gone) | None => Change::Grown {
                table: grown,
                added: rows.clone(),
            },
        };
        self.pending.tables.insert(key, change);
    }

    /// Shows everybody what is pending.
    fn publish(&mut self) {
        self.publish_tables();
        self.end_rowversions();
    }

    fn publish_tables(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        let mut databases: Vec<String> = pending
            .tables
            .keys()
            .map(|(database, _)| database.clone())
            .chain(pending.schemas.keys().map(|(database, _)| database.clone()))
            .collect();
        databases.sort();
        databases.dedup();
        for name in databases {
            let change = |wanted_temporary: bool| {
                let (pending, name) = (&pending, &name);
                move |snapshot: &mut Snapshot| {
                    for ((database, table), change) in &pending.tables {
                        if database != name
                            || table.table.starts_with(['#', '@']) != wanted_temporary
                        {
                            continue;
                        }
                        match change {
                            Change::Gone => drop(snapshot.tables.remove(table)),
                            Change::Made(made) => {
                                drop(snapshot.tables.insert(table.clone(), Arc::clone(made)));
                            }
                            Change::Grown {
                                table: grown,
                                added,
                            } => {
                                let grown = match snapshot.tables.get(table) {
                                    Some(current) => {
                                        let mut current = Table::clone(current);
                                        current.rows.append(added);
                                        Arc::new(current)
                                    }
                                    None => Arc::clone(grown),
                                };
                                snapshot.tables.insert(table.clone(), grown);
                            }
                        }
                    }
                    for ((database, folded), schema) in &pending.schemas {
                        if database == name && !wanted_temporary {
                            match schema {
                                Some(schema) => {
                                    drop(snapshot.schemas.insert(folded.clone(), schema.clone()));
                                }
                                None => drop(snapshot.schemas.remove(folded)),
                            }
                        }
                    }
                }
            };
            if let Some(database) = self.shared.databases.get(&name) {
                database.publish(change(false));
            }
            self.temporary.publish(change(true));
        }
    }

    /// The end of a statement: outside a transaction it is one of its own.
    pub(super) fn settle(&mut self, succeeded: bool, before: Pending) {
        if !succeeded {
            self.pending = before;
        }
        if self.transaction.is_none() {
            if succeeded {
                self.publish();
            }
            self.end_rowversions();
            self.release(&[Owner::Statement, Owner::Transaction]);
        } else {
            self.release(&[Owner::Statement]);
        }
        self.view = None;
        self.sqlite.forget();
    }

    /// What the next statement sees of others.
    pub(super) fn look(&mut self) {
        self.view = match (&self.transaction, self.settings.isolation) {
            (
                Some(Transaction {
                    snapshot: Some(snapshot),
                    ..
                }),
                Isolation::Snapshot,
            ) => Some(Arc::clone(snapshot)),
            (None, Isolation::Snapshot) => Some(self.database.snapshot()),
            (_, Isolation::ReadCommitted)
                if self.database.read_committed_snapshot.load(Ordering::SeqCst) =>
            {
                Some(self.database.snapshot())
            }
            _ => None,
        };
    }

    pub(super) fn begin(&mut self, reply: &mut Reply) {
        match &mut self.transaction {
            Some(transaction) => transaction.level += 1,
            None => {
                let id = next_id();
                let snapshot = (self.settings.isolation == Isolation::Snapshot)
                    .then(|| self.database.snapshot());
                self.transaction = Some(Transaction {
                    id,
                    level: 1,
                    doomed: false,
                    savepoints: Vec::new(),
                    snapshot,
                });
                reply.change(&Environment::Began(id));
            }
        }
    }

    pub(super) fn commit(&mut self, reply: &mut Reply) -> Outcome {
        let Some(transaction) = &mut self.transaction else {
            return Err(SqlError::new(
                3902,
                "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.",
            )
            .into());
        };
        if transaction.doomed {
            return Err(SqlError::new(3930, "The current transaction cannot be committed and cannot support operations that write to the log file. Roll back the transaction.").into());
        }
        if transaction.level > 1 {
            transaction.level -= 1;
            return Ok(());
        }
        let id = transaction.id;
        self.transaction = None;
        self.publish();
        self.release(&[Owner::Statement, Owner::Transaction]);
        reply.change(&Environment::Committed(id));
        Ok(())
    }

    /// Forgets the transaction; its number, if there was one.
    pub(super) fn roll_back(&mut self) -> Option<u64> {
        let transaction = self.transaction.take()?;
        self.pending = Pending::default();
        self.end_rowversions();
        self.release(&[Owner::Statement, Owner::Transaction]);
        Some(transaction.id)
    }

    pub(super) fn roll_back_to(&mut self, reply: &mut Reply, name: Option<&str>) -> Outcome {
        let Some(transaction) = &mut self.transaction else {
            return Err(SqlError::new(
                3903,
                "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.",
            )
            .into());
        };
        if let Some(name) = name
            && let Some(at) = transaction
                .savepoints
                .iter()
                .rposition(|(saved, _)| saved.eq_ignore_ascii_case(name))
        {
            transaction.savepoints.truncate(at + 1);
            if let Some((_, pending)) = transaction.savepoints.last() {
                self.pending = pending.clone();
            }
            return Ok(());
        }
        if let Some(id) = self.roll_back() {
            reply.change(&Environment::RolledBack(id));
        }
        Ok(())
    }

    pub(super) fn save(&mut self, name: &str) -> Outcome {
        let pending = self.pending.clone();
        match &mut self.transaction {
            Some(transaction) => {
                transaction.savepoints.push((name.to_owned(), pending));
                Ok(())
            }
            None => Err(SqlError::new(
                628,
                "Cannot issue SAVE TRANSACTION when there is no active transaction.",
            )
            .into()),
        }
    }

    pub(super) fn manage_transaction(&mut self, reply: &mut Reply, request: &Manage) -> Outcome {
        let text = match request {
            Manage::Begin { .. } => "BEGIN TRANSACTION",
            Manage::Commit { .. } => "COMMIT TRANSACTION",
            Manage::RollBack { .. } => "ROLLBACK TRANSACTION",
            Manage::Save { .. } => "SAVE TRANSACTION",
        };
        let drop_after = self.enter(reply, text).inspect_err(|halt| {
            if let Halt::Sql(error) = halt
                && error.number == 1205
            {
                self.roll_back();
            }
        })?;
        let isolate = |engine: &mut Self, isolation: u8| match isolation {
            1 => engine.settings.isolation = Isolation::ReadUncommitted,
            2 => engine.settings.isolation = Isolation::ReadCommitted,
            3 => engine.settings.isolation = Isolation::RepeatableRead,
            4 => engine.settings.isolation = Isolation::Serializable,
            5 => engine.settings.isolation = Isolation::Snapshot,
            _ => {}
        };
        match request {
            Manage::Begin { isolation } => {
                isolate(self, *isolation);
                self.begin(reply);
            }
            Manage::Commit { then_begin } => {
                self.commit(reply)?;
                if let Some(isolation) = then_begin {
                    isolate(self, *isolation);
                    self.begin(reply);
                }
            }
            Manage::RollBack { name, then_begin } => {
                self.roll_back_to(reply, Some(name.as_str()).filter(|name| !name.is_empty()))?;
                if let Some(isolation) = then_begin {
                    isolate(self, *isolation);
                    self.begin(reply);
                }
            }
            Manage::Save { name } => self.save(name)?,
        }
        if drop_after {
            return Err(cut(reply));
        }
        reply.in_transaction = self.transaction.is_some();
        reply.done(0, token::CMD_OTHER, 0);
        Ok(())
    }

    /// Schemas as the session sees them.
    pub(super) fn schemas(&self) -> BTreeMap<String, (i64, String)> {
        let mut schemas = self.database.snapshot().schemas.clone();
        for ((database, folded), schema) in &self.pending.schemas {
            if *database == self.database.name.to_lowercase() {
                match schema {
                    Some(schema) => drop(schemas.insert(folded.clone(), schema.clone())),
                    None => drop(schemas.remove(folded)),
                }
            }
        }
        schemas
    }

    /// Tables as the session sees them.
    pub(super) fn tables(&self) -> Vec<Arc<Table>> {
        let snapshot = self
            .view
            .clone()
            .unwrap_or_else(|| self.database.snapshot());
        let mut tables = snapshot.tables.clone();
        for ((database, name), change) in &self.pending.tables {
            if *database == self.database.name.to_lowercase() && !name.table.starts_with(['#', '@'])
            {
                match change.table() {
                    Some(table) => drop(tables.insert(name.clone(), Arc::clone(table))),
                    None => drop(tables.remove(name)),
                }
            }
        }
        tables.into_values().collect()
    }

    /// How many sessions are open, for `sys.dm_exec_sessions`.
    pub(super) fn open_sessions(&self) -> Vec<crate::control::Open> {
        locked(&self.shared.sessions)
            .open
            .iter()
            .map(|(open, _)| open.clone())
            .collect()
    }
}
