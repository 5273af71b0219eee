//! What a script does to the transaction that it runs in, and to the record.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hygge_core::{Fault, code};
use rusqlite::hooks::{AuthAction, AuthContext, Authorization, TransactionOperation};

/// What a script does to the transaction that it runs in.
#[derive(Default)]
pub(crate) struct Watch {
    /// A script runs, which must leave the transaction alone.
    pub(crate) guarded: bool,
    /// It didn't, or would have done something else than it says.
    pub(crate) refused: Option<Refused>,
    /// The savepoints that the file has open, in lower case. One that outlives its file would let
    /// another file undo what this one did, and its record.
    pub(crate) savepoints: Vec<String>,
    /// What the statement that was prepared last does to one.
    prepared: Option<(TransactionOperation, String)>,
}

#[derive(Clone, Copy)]
pub(crate) enum Refused {
    Transaction,
    ForeignKeys,
    /// A setting of the database that no transaction changes; SQLite says nothing of it.
    Setting(&'static str),
    Record,
}

/// What of the database stays as it is within a transaction.
const SETTINGS: [&str; 3] = ["journal_mode", "page_size", "auto_vacuum"];

/// The table of the record.
const TABLE: &str = "hygge_applied";

impl Refused {
    pub(crate) fn fault(self) -> Fault {
        let (why, advice) = match self {
            Self::Transaction => (
                "all that is applied is one transaction, which no script begins or ends",
                "leave BEGIN, COMMIT and ROLLBACK out; what fails is undone anyway",
            ),
            Self::ForeignKeys => (
                "PRAGMA foreign_keys does nothing within a transaction, so what follows would not do \
                 what it was written for",
                "leave it out where foreign keys may be looked at; else run the file with the tool \
                 sqlite3",
            ),
            Self::Setting(name) => (
                &*format!("PRAGMA {name} does nothing within a transaction"),
                "leave it out, and run it once by itself, with the tool sqlite3",
            ),
            Self::Record => (
                "the table hygge_applied says what was applied, and no script changes it",
                "leave it alone: without it the files would be run again",
            ),
        };
        Fault::new(
            code::DESTINATION_UNSUPPORTED,
            format!("can't run this: {why}"),
        )
        .advise(advice)
    }
}

impl Watch {
    pub(crate) fn of(watch: &Mutex<Self>) -> MutexGuard<'_, Self> {
        watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn allows(&mut self, asked: &AuthContext<'_>) -> bool {
        if self.guarded && changed(asked).is_some_and(|name| name.eq_ignore_ascii_case(TABLE)) {
            self.refused = Some(Refused::Record);
            return false;
        }
        match &asked.action {
            AuthAction::Transaction { .. } if self.guarded => {
                self.refused = Some(Refused::Transaction);
                return false;
            }
            AuthAction::Pragma {
                pragma_name,
                pragma_value: Some(value),
            } if self.guarded && pragma_name.eq_ignore_ascii_case("foreign_keys") => {
                // They are looked at already.
                let mut on = ["on", "yes", "true"].into_iter();
                if on.any(|on| value.eq_ignore_ascii_case(on))
                    || value.parse::<u8>().is_ok_and(|number| number > 0)
                {
                    return true;
                }
                self.refused = Some(Refused::ForeignKeys);
                return false;
            }
            AuthAction::Pragma {
                pragma_name,
                pragma_value: Some(_),
            } if self.guarded => {
                let mut settings = SETTINGS.into_iter();
                if let Some(name) = settings.find(|name| pragma_name.eq_ignore_ascii_case(name)) {
                    self.refused = Some(Refused::Setting(name));
                    return false;
                }
            }
            AuthAction::Savepoint {
                operation,
                savepoint_name,
            } => self.prepared = Some((*operation, savepoint_name.to_ascii_lowercase())),
            _ => {}
        }
        true
    }

    /// A statement was prepared, which runs, or is only explained.
    pub(crate) fn prepared(&mut self, explained: bool) {
        let Some((operation, name)) = self.prepared.take().filter(|_| !explained) else {
            return;
        };
        let open = self.savepoints.iter().rposition(|open| *open == name);
        match (operation, open) {
            (TransactionOperation::Begin, _) => self.savepoints.push(name),
            (TransactionOperation::Release, Some(at)) => self.savepoints.truncate(at),
            (TransactionOperation::Rollback, Some(at)) => self.savepoints.truncate(at + 1),
            // SQLite says that there is none.
            _ => {}
        }
    }
}

/// The table that is changed, where it isn't one of a database that was attached.
fn changed<'a>(asked: &AuthContext<'a>) -> Option<&'a str> {
    let (database, table) = match asked.action {
        AuthAction::Insert { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::Delete { table_name }
        | AuthAction::CreateTable { table_name }
        | AuthAction::DropTable { table_name }
        | AuthAction::CreateIndex { table_name, .. }
        | AuthAction::CreateTrigger { table_name, .. } => (asked.database_name, table_name),
        AuthAction::AlterTable {
            database_name,
            table_name,
        } => (Some(database_name), table_name),
        // It is a temporary one, of whatever table.
        AuthAction::CreateTempTrigger { table_name, .. } => (None, table_name),
        _ => return None,
    };
    let main = database.is_none_or(|name| name.eq_ignore_ascii_case("main"));
    main.then_some(table)
}

/// Lets a script do what it likes, but for ending the transaction that it runs in.
pub(crate) fn guard(
    watch: &Arc<Mutex<Watch>>,
) -> impl for<'c> FnMut(AuthContext<'c>) -> Authorization + Send + 'static {
    let watch = Arc::clone(watch);
    move |asked| match Watch::of(&watch).allows(&asked) {
        true => Authorization::Allow,
        false => Authorization::Deny,
    }
}
