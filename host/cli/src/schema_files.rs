use std::path::{Path, PathBuf};

use hygge_core::{Fault, Registry, code};
use hygge_project::FileKind;
use serde_json::Value;

use crate::complaint::Complaint;
use crate::registry::with_plugins;

/// Where editors find the schemas: the first line of each YAML file that `hygge init` writes
/// points here.
const FOLDER: &str = ".hygge/schema";

/// Writes the schema of every kind of file below the project, and says where.
pub(crate) fn write(root: &Path) -> Result<PathBuf, Complaint> {
    let folder = root.join(FOLDER);
    let refused = |path: &Path, error: &std::io::Error| {
        Complaint::from(Fault::io(code::STATE, "can't write", path, error))
    };
    std::fs::create_dir_all(&folder).map_err(|error| refused(&folder, &error))?;
    let (registry, _) = with_plugins(root);
    for kind in [FileKind::Project, FileKind::Flow, FileKind::Entity] {
        let path = folder.join(format!("{}.json", name(kind)));
        let text = format!("{}\n", print(&of(kind, &registry))?);
        std::fs::write(&path, text).map_err(|error| refused(&path, &error))?;
    }
    Ok(folder)
}

/// Brings the schemas back after a clone. They are for editors, so a run doesn't fail for them.
pub(crate) fn write_if_missing(root: &Path) {
    if !root.join(FOLDER).exists()
        && let Err(complaint) = write(root)
    {
        tracing::info!("no schemas for editors: {}", complaint.message);
    }
}

/// The schema of a kind of file, with the settings of every connector there is.
pub(crate) fn of(kind: FileKind, registry: &Registry) -> Value {
    hygge_project::schema(kind, registry)
}

fn name(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Project => "project",
        FileKind::Flow => "flow",
        FileKind::Entity => "entity",
    }
}

/// A schema as text.
pub(crate) fn print(schema: &Value) -> Result<String, Complaint> {
    serde_json::to_string_pretty(schema)
        .map_err(|error| Complaint::failed(format!("can't print the schema: {error}")))
}
