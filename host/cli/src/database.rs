use std::path::Path;

use hygge_core::{Fault, Registry};
use hygge_project::Connected;

use crate::complaint::Complaint;
use crate::console::Console;
use crate::project;

/// The database that a connection of the project leads to. Nothing is connected to yet.
pub(crate) fn of_connection(
    root: &Path,
    name: &str,
    registry: &Registry,
    console: &Console,
) -> Result<Connected, Complaint> {
    let env = |name: &str| std::env::var(name).ok();
    let connected = hygge_project::database(&project::place(root), name, &env, registry)?;
    console.veil(connected.veil.clone());
    Ok(connected)
}

/// Says what to look at where no database answered.
pub(crate) fn unanswered(fault: Fault) -> Fault {
    match fault.advice {
        None if fault.retryable => {
            fault.advise("is the database up, and is its address in the connection right?")
        }
        _ => fault,
    }
}
