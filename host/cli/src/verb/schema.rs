use std::sync::Arc;

use clap::{Args, ValueEnum};
use hygge_project::FileKind;

use super::Ended;
use crate::args::Global;
use crate::complaint::Exit;
use crate::console::Console;
use crate::{project, registry, schema_files};

const EXAMPLES: &str = "\
Examples:
  hygge schema flow                  Print the JSON Schema of flow.yml
  hygge schema --write               Write all of them to .hygge/schema, for editors

Files that `hygge init` writes begin with a line that tells editors (the YAML language server)
where their schema is; nothing is fetched from anywhere. In a project the schemas know the types
that its plugins bring.";

/// Print the JSON Schema of a kind of file
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SchemaArgs {
    /// The kind of file
    #[arg(value_enum, default_value_t = Asked::Project)]
    kind: Asked,
    /// Write the schemas of all kinds to .hygge/schema in the project
    #[arg(long, conflicts_with = "kind")]
    write: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Asked {
    /// hygge.yml
    Project,
    /// flows/*/flow.yml
    Flow,
    /// flows/*/entities/*.yml
    Entity,
}

pub(crate) fn run(args: &SchemaArgs, global: &Global, console: &Arc<Console>) -> Ended {
    if args.write {
        let root = project::root(global)?;
        let written = schema_files::write(&root)?;
        console.out(&format!(
            "The schemas are in {}\n",
            project::shown(&written)
        ));
        return Ok(Exit::Well);
    }
    let kind = match args.kind {
        Asked::Project => FileKind::Project,
        Asked::Flow => FileKind::Flow,
        Asked::Entity => FileKind::Entity,
    };
    // Outside of a project the types are those that hygge brings.
    let known = match project::root(global) {
        Ok(root) => registry::with_plugins(&root).0,
        Err(_) => registry(),
    };
    console.out(&schema_files::print(&schema_files::of(kind, &known))?);
    console.out("\n");
    Ok(Exit::Well)
}
