//! What the databases hold. A table is a value that never changes: a statement that writes makes
//! the next one, and a commit publishes it. So a reader always sees whole statements, a rollback
//! forgets, and a table that is only read costs nothing to keep.

pub(crate) mod locks;
pub(crate) mod rows;
pub(crate) mod table;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::control::{Options, locked};
use crate::engine::tablecheck::Keys;
use crate::engine::tracking;
use crate::fault::SqlError;
use crate::store::locks::Locks;
use crate::store::table::Table;

/// A schema's and a table's name, folded: two names that SQL Server takes for one are one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name {
    pub(crate) schema: String,
    pub(crate) table: String,
}

impl Name {
    pub(crate) fn new(schema: &str, table: &str) -> Self {
        Self {
            schema: schema.to_lowercase(),
            table: table.to_lowercase(),
        }
    }
}

/// All tables at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) tables: BTreeMap<Name, Arc<Table>>,
    /// Schemas by folded name, as written.
    pub(crate) schemas: BTreeMap<String, (i64, String)>,
}

impl Snapshot {
    fn new() -> Self {
        let schemas = [
            ("dbo", 1),
            ("guest", 2),
            ("information_schema", 3),
            ("sys", 4),
        ];
        let name = |folded: &str| {
            if folded == "information_schema" {
                "INFORMATION_SCHEMA".to_owned()
            } else {
                folded.to_owned()
            }
        };
        Self {
            tables: BTreeMap::new(),
            schemas: schemas
                .iter()
                .map(|(folded, id)| ((*folded).to_owned(), (*id, name(folded))))
                .collect(),
        }
    }
}

pub(crate) struct Database {
    pub(crate) id: i64,
    pub(crate) name: String,
    current: Mutex<Arc<Snapshot>>,
    pub(crate) locks: Locks,
    next_object: AtomicI64,
    rowversion: AtomicU64,
    /// The first rowversion of each session that isn't committed.
    active: Mutex<BTreeMap<u16, u64>>,
    pub(crate) read_committed_snapshot: AtomicBool,
    /// The version of the last commit that changed a tracked table, once changes are tracked.
    tracked: Mutex<Option<i64>>,
    /// How often it was put back from a backup.
    restored: AtomicU64,
    /// Unique keys of tables, by object.
    pub(crate) keys: Mutex<HashMap<i64, Keys>>,
}

impl Database {
    pub(crate) fn new(id: i64, name: &str, options: &Options) -> Arc<Self> {
        Arc::new(Self {
            id,
            name: name.to_owned(),
            current: Mutex::new(Arc::new(Snapshot::new())),
            locks: Locks::default(),
            next_object: AtomicI64::new(901_578_250),
            rowversion: AtomicU64::new(2000),
            active: Mutex::default(),
            read_committed_snapshot: AtomicBool::new(options.read_committed_snapshot),
            tracked: Mutex::default(),
            restored: AtomicU64::new(0),
            keys: Mutex::default(),
        })
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&locked(&self.current))
    }

    /// Publishes what a transaction changed; nobody sees a part of it.
    pub(crate) fn publish(&self, change: impl FnOnce(&mut Snapshot)) {
        let mut current = locked(&self.current);
        let mut version = locked(&self.tracked);
        let before = version.is_some().then(|| Arc::clone(&current));
        change(Arc::make_mut(&mut current));
        if let (Some(version), Some(before)) = (version.as_mut(), before) {
            tracking::follow(&before, Arc::make_mut(&mut current), version);
        }
    }

    pub(crate) fn tracked_version(&self) -> Option<i64> {
        *locked(&self.tracked)
    }

    /// Begins to track changes, or ends.
    pub(crate) fn track(&self, on: bool) -> Result<(), SqlError> {
        let tables = self.snapshot();
        let mut version = locked(&self.tracked);
        if !on && tables.tables.values().any(|table| table.tracking.is_some()) {
            return Err(SqlError::new(
                22115,
                "Change tracking is enabled for one or more tables in the database. Disable change tracking on each table before disabling it for the database.",
            ));
        }
        *version = on.then(|| version.unwrap_or(0));
        Ok(())
    }

    pub(crate) fn backup(&self) -> Backup {
        let current = locked(&self.current);
        Backup {
            tables: Arc::clone(&current),
            version: *locked(&self.tracked),
        }
    }

    /// Puts it back, versions of its changes included.
    pub(crate) fn restore(&self, backup: &Backup) {
        let mut current = locked(&self.current);
        *current = Arc::clone(&backup.tables);
        *locked(&self.tracked) = backup.version;
        locked(&self.keys).clear();
        self.restored.fetch_add(1, Ordering::SeqCst);
    }

    /// Its `recovery_fork_guid`: another one after it was put back.
    pub(crate) fn recovery_fork(&self) -> String {
        let restored = self.restored.load(Ordering::SeqCst);
        format!("{:08X}-0000-4000-8000-{restored:012X}", self.id)
    }

    pub(crate) fn object_id(&self) -> i64 {
        self.next_object.fetch_add(16, Ordering::SeqCst)
    }

    /// The next rowversion, for a session that hasn't committed it yet.
    pub(crate) fn next_rowversion(&self, spid: u16) -> u64 {
        let mut active = locked(&self.active);
        let next = self.rowversion.fetch_add(1, Ordering::SeqCst) + 1;
        active.entry(spid).or_insert(next);
        next
    }

    /// What a session's rowversions were given for is committed or gone.
    pub(crate) fn end_rowversions(&self, spid: u16) {
        locked(&self.active).remove(&spid);
    }

    /// The least rowversion that isn't committed, or the next one (`MIN_ACTIVE_ROWVERSION`).
    pub(crate) fn least_active_rowversion(&self) -> u64 {
        let active = locked(&self.active);
        let next = self.rowversion.load(Ordering::SeqCst) + 1;
        active.values().copied().min().unwrap_or(next)
    }

    pub(crate) fn last_rowversion(&self) -> u64 {
        self.rowversion.load(Ordering::SeqCst)
    }
}

/// What a database held.
pub struct Backup {
    tables: Arc<Snapshot>,
    version: Option<i64>,
}

pub(crate) struct Databases {
    all: Mutex<Vec<Arc<Database>>>,
    options: Options,
    next_id: AtomicI32,
}

impl Databases {
    pub(crate) fn new(options: &Options) -> Self {
        let mut all = vec![
            Database::new(1, "master", options),
            Database::new(2, "tempdb", options),
        ];
        for (id, name) in (5..).zip(&options.databases) {
            all.push(Database::new(id, name, options));
        }
        Self {
            all: Mutex::new(all),
            options: options.clone(),
            next_id: AtomicI32::new(100),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Database>> {
        locked(&self.all)
            .iter()
            .find(|database| database.name.eq_ignore_ascii_case(name))
            .cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Database>> {
        locked(&self.all).clone()
    }

    pub(crate) fn create(&self, name: &str) {
        let id = i64::from(self.next_id.fetch_add(1, Ordering::SeqCst));
        locked(&self.all).push(Database::new(id, name, &self.options));
    }

    /// What a login gets that names none.
    pub(crate) fn first(&self) -> Arc<Database> {
        let all = locked(&self.all);
        Arc::clone(all.get(2).unwrap_or(&all[0]))
    }
}
