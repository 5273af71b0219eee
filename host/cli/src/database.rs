use std::path::Path;

use hygge_core::Registry;
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
