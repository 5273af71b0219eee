//! What SQLite reports, as faults.

use hygge_core::{Fault, code};
use rusqlite::{Error, ErrorCode};

/// The fault, after what was being done: `can't open seeds.db`.
pub(crate) fn of(what: &str, error: &Error) -> Fault {
    let said = match error {
        // Its own words quote all of the script.
        Error::SqlInputError { msg, .. } => msg.clone(),
        Error::SqliteFailure(_, Some(said)) => said.clone(),
        other => other.to_string(),
    };
    let number = error.sqlite_error_code();
    let fault_code = if number == Some(ErrorCode::DatabaseBusy) {
        code::LOCKED
    } else {
        code::DESTINATION_IO
    };
    let fault = Fault::new(fault_code, format!("{what}: {said}"));
    match number {
        Some(ErrorCode::CannotOpen) => {
            fault.advise("look at `path` of the connection, and whether its folder is there")
        }
        Some(ErrorCode::NotADatabase) => {
            fault.advise("look at `path` of the connection: the file there is something else")
        }
        // Not where it is locked, which is by somebody of the same connection.
        Some(ErrorCode::DatabaseBusy) => fault
            .retryable()
            .advise("somebody else writes to it; run again when they are done"),
        _ => fault,
    }
}
