//! One session's engine: runs statements, keeps the session's state.

mod alter;
mod bulk;
mod catalogue;
pub(crate) mod codes;
mod constraint;
mod dates;
mod ddl;
mod describe;
mod dml;
pub(crate) mod form;
mod like;
mod merge;
mod options;
mod procedures;
mod rowview;
mod run;
mod sample;
mod scalar;
mod select;
pub(crate) mod session_functions;
mod sqlite;
mod switch;
pub(crate) mod tablecheck;
pub(crate) mod tracking;
mod transaction;
mod world;
mod write;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use self::options::Settings;
use self::sqlite::Sqlite;
use self::transaction::{Pending, Transaction};
use crate::control::{Logged, Shared, locked};
use crate::fault::SqlError;
use crate::faults::Effect;
use crate::reply::{Halt, Outcome, Reply, Signals};
use crate::sql::ast::Statement;
use crate::store::locks::Owner;
use crate::store::{Database, Name, Snapshot};
use crate::types::{SqlType, Value};
use crate::wire::login::Login;
use crate::wire::request::{Call, Manage};

/// Who logged in, and from where.
#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    pub(crate) login: String,
    pub(crate) program: String,
    pub(crate) host: String,
    pub(crate) began: i64,
}

/// A text that was prepared under a number.
#[derive(Clone, Debug)]
struct Prepared {
    declarations: String,
    text: String,
}

/// A load that `INSERT BULK` announced.
struct Load {
    statement: Statement,
}

type Variables = HashMap<String, (SqlType, Value)>;

pub(crate) struct Engine {
    shared: Arc<Shared>,
    spid: u16,
    client: Client,
    database: Arc<Database>,
    /// Where tables named `#...` are.
    temporary: Arc<Database>,
    sqlite: Sqlite,
    settings: Settings,
    transaction: Option<Transaction>,
    /// What the statement or the transaction changed and nobody else sees yet.
    pending: Pending,
    /// What the statement sees of others, where it sees one moment.
    view: Option<Arc<Snapshot>>,
    variables: Vec<Variables>,
    hints: Vec<(String, String)>,
    /// The name that the running statement writes to, which its own FROM may mention.
    writes: Option<Name>,
    prepared: HashMap<i64, Prepared>,
    next_prepared: i64,
    row_count: i64,
    last_error: i32,
    scope_identity: Option<i64>,
    /// Errors that CATCH blocks are inside of.
    caught: Vec<SqlError>,
    in_try: usize,
    load: Option<Load>,
    signals: Arc<Signals>,
    depth: usize,
}

/// Waits as long as somebody still wants it.
pub(crate) fn wait(time: Duration, signals: &Signals) -> Outcome {
    let began = Instant::now();
    while began.elapsed() < time {
        signals.check()?;
        std::thread::park_timeout((time - began.elapsed()).min(Duration::from_millis(10)));
    }
    Ok(())
}

impl Engine {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        spid: u16,
        login: &Login,
        database: Arc<Database>,
    ) -> Result<Self, SqlError> {
        Ok(Self {
            shared: Arc::clone(shared),
            spid,
            client: Client {
                login: if login.user.is_empty() {
                    "token".to_owned()
                } else {
                    login.user.clone()
                },
                program: login.app.clone(),
                host: login.host.clone(),
                began: scalar::now(),
            },
            temporary: Database::new(2, "tempdb", &shared.options),
            database,
            sqlite: Sqlite::open()?,
            settings: Settings::default(),
            transaction: None,
            pending: Pending::default(),
            view: None,
            variables: vec![Variables::new()],
            hints: Vec::new(),
            writes: None,
            prepared: HashMap::new(),
            next_prepared: 1,
            row_count: 0,
            last_error: 0,
            scope_identity: None,
            caught: Vec::new(),
            in_try: 0,
            load: None,
            signals: Arc::new(Signals::default()),
            depth: 0,
        })
    }

    pub(crate) fn database(&self) -> &Arc<Database> {
        &self.database
    }

    pub(crate) fn interrupt_handle(&self) -> rusqlite::InterruptHandle {
        self.sqlite.interrupt_handle()
    }

    pub(crate) fn in_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    /// The end of the session: what was not committed is forgotten, and every lock given back.
    pub(crate) fn close(&mut self) {
        self.transaction = None;
        self.pending = Pending::default();
        self.end_rowversions();
        self.release(&[Owner::Statement, Owner::Transaction, Owner::Session]);
    }

    /// Of every database: a USE may have gone on from one to another.
    fn end_rowversions(&self) {
        for database in self.shared.databases.all() {
            database.end_rowversions(self.spid);
        }
    }

    fn release(&self, owners: &[Owner]) {
        for database in self.shared.databases.all() {
            database.locks.release(self.spid, owners);
        }
        self.temporary.locks.release(self.spid, owners);
    }

    /// RESETCONNECTION (2.2.3.1.2): as if just logged in.
    pub(crate) fn reset(&mut self, keep_transaction: bool) -> Outcome {
        if !keep_transaction && self.transaction.is_some() {
            self.roll_back();
        }
        self.settings = Settings::default();
        self.temporary = Database::new(2, "tempdb", &self.shared.options);
        self.prepared.clear();
        self.variables = vec![Variables::new()];
        self.caught.clear();
        self.load = None;
        self.release(&[Owner::Statement, Owner::Session]);
        Ok(())
    }

    /// Writes a statement into the log and lets happen what is to go wrong before it. What is to go
    /// wrong after it comes back.
    fn enter(&mut self, reply: &mut Reply, text: &str) -> Outcome<bool> {
        if self.spid == 0 {
            return Ok(false);
        }
        if self.shared.logging.load(Ordering::SeqCst) {
            locked(&self.shared.log).push(Logged {
                spid: self.spid,
                text: text.to_owned(),
            });
        }
        let mut drop_after = false;
        for effect in self.shared.faults.strike(text) {
            match effect {
                Effect::DropBefore => return Err(cut(reply)),
                Effect::DropAfter => drop_after = true,
                Effect::DropAfterBytes(count) => {
                    if let Some(out) = &mut reply.out {
                        out.cut_after(count);
                    }
                }
                Effect::Delay(time) => wait(time, &self.signals)?,
                Effect::Error(error) => return Err(error.into()),
            }
        }
        Ok(drop_after)
    }

    /// The session's state, where the server shows it.
    fn report(&self, reply: &mut Reply) {
        reply.in_transaction = self.transaction.is_some();
        let mut sessions = locked(&self.shared.sessions);
        if let Some((open, _)) = sessions
            .open
            .iter_mut()
            .find(|(open, _)| open.spid == self.spid)
        {
            open.transactions = self
                .transaction
                .as_ref()
                .map_or(0, |transaction| transaction.level);
            if open.database != self.database.name {
                open.database.clone_from(&self.database.name);
            }
        }
    }

    pub(crate) fn batch(&mut self, reply: &mut Reply, text: &str) -> Outcome {
        self.signals = Arc::clone(&reply.signals);
        self.variables = vec![Variables::new()];
        self.depth = 0;
        let outcome = self.text(reply, text);
        self.report(reply);
        outcome
    }

    pub(crate) fn calls(&mut self, reply: &mut Reply, calls: Vec<Call>) -> Outcome {
        self.signals = Arc::clone(&reply.signals);
        self.depth = 0;
        for call in calls {
            let outcome = self.call(reply, &call);
            self.report(reply);
            outcome?;
        }
        Ok(())
    }

    pub(crate) fn manage(&mut self, reply: &mut Reply, request: &Manage) -> Outcome {
        self.signals = Arc::clone(&reply.signals);
        let outcome = self.manage_transaction(reply, request);
        self.report(reply);
        outcome
    }
}

/// Cuts the connection, as a server that dies or a network that breaks would.
fn cut(reply: &mut Reply) -> Halt {
    if let Some(out) = &mut reply.out {
        out.discard();
        out.reset();
    }
    Halt::Gone
}
