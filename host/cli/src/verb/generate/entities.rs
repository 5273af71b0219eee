use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use clap_complete::ArgValueCompleter;
use hygge_core::{CatalogueTable, nearest};

use super::kept::{Made, file_name, keep};
use crate::args::Global;
use crate::complaint::{Complaint, Exit};
use crate::console::Console;
use crate::registry::registry;
use crate::verb::Ended;
use crate::{complete, database, diagnostics, project, registry as plugins, runtime, units};

const EXAMPLES: &str = "\
Examples:
  hygge generate entities --connection erp --tables 'dbo.*'                Print them
  hygge generate entities --connection erp --tables 'dbo.*' --flow erp     Into the flow's entities
  hygge generate entities --connection erp --tables 'dbo.*,sales.o*' --output drafts

A file says where its table is read, what tells rows apart and, in a comment where the catalogue
can't be sure, which column says that a row changed. Look them over.";

/// Write entity files from the tables of a database
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct EntitiesArgs {
    /// The connection of hygge.yml to look up tables over
    #[arg(long, value_name = "NAME")]
    connection: String,
    /// The tables; * and ? are wildcards (repeatable, comma-separated)
    #[arg(
        long,
        value_name = "SCHEMA.TABLE",
        required = true,
        value_delimiter = ','
    )]
    tables: Vec<String>,
    /// Views as well
    #[arg(long)]
    views: bool,
    /// Write them among the entities of this flow
    #[arg(
        long,
        value_name = "FLOW",
        conflicts_with = "output",
        add = ArgValueCompleter::new(complete::flows)
    )]
    flow: Option<String>,
    /// The folder to write them to [default: print]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Write over files that are there and say something else
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &EntitiesArgs, global: &Global, console: &Arc<Console>) -> Ended {
    diagnostics::begin(global.verbose, console, None)?;
    let root = project::root(global)?;
    let flow = match &args.flow {
        Some(flow) => Some(folder(&root, flow)?),
        None => None,
    };
    let registry = registry();
    let connected = database::of_connection(&root, &args.connection, &registry, console)?;
    let database = &connected.database;
    let (runtime, _threads) = runtime::whole()?;
    let found = runtime.block_on(database.tables(&args.tables));
    registry.forget_sessions();
    let mut tables = found?;
    tables.retain(|table| args.views || !table.view);
    tables.sort_by(|a, b| a.written.cmp(&b.written));
    if tables.is_empty() {
        return Err(Complaint::failed(format!(
            "{} has no {} that {} fits",
            database.describe(),
            if args.views { "table or view" } else { "table" },
            args.tables.join(", ")
        ))
        .advise(
            "look at --tables, at what the login may see, and whether it is a view (--views)",
        ));
    }
    let readable = registry.home(&connected.kind).is_some();
    let into = flow.as_ref().map(|flow| flow.join("entities"));
    let made = files(
        &tables,
        &args.connection,
        into.or_else(|| args.output.clone()).as_deref(),
    );
    if args.flow.is_none() && args.output.is_none() {
        let texts: Vec<&str> = made.iter().map(|each| each.text.as_str()).collect();
        console.out(&texts.join("---\n"));
    } else {
        keep(&made, args.force, console)?;
        console.out("next: look them over, then `hygge debug`\n");
    }
    let bare = |pattern: &&String| !pattern.contains('.') && pattern.contains(['*', '?']);
    if let (Some(pattern), Some(schema)) = (
        args.tables.iter().find(bare),
        tables.first().and_then(|table| table.schema.as_ref()),
    ) {
        console.err(&format!(
            "{pattern} was looked for in {schema}; --tables '*.{pattern}' takes all schemas\n"
        ));
    }
    if !readable {
        let word = console.paint_err().warn("warning:");
        console.err(&format!(
            "{word} hygge reads no home of type {}: give these entities another\n",
            connected.kind
        ));
    }
    Ok(Exit::Well)
}

/// The folder of a flow, which has to be there: entities without one stop every command.
fn folder(root: &Path, flow: &str) -> Result<PathBuf, Complaint> {
    if flow.is_empty() || flow.starts_with('.') || file_name(flow) != flow {
        return Err(Complaint::usage(format!(
            "{flow:?} can't be the name of a flow"
        )));
    }
    let flows = root.join(plugins::flows(root));
    let folder = flows.join(flow);
    if folder.join(FLOW_FILE).is_file() {
        return Ok(folder);
    }
    let entries = std::fs::read_dir(&flows).into_iter().flatten().flatten();
    let there: Vec<String> = entries
        .filter(|entry| entry.path().join(FLOW_FILE).is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let message = format!("there is no flow {flow:?}");
    Err(
        Complaint::usage(message).advise(match nearest(flow, there.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "write {} first, which says where they settle (`store: lake`), or drafts with \
                 --output",
                project::shown(&folder.join(FLOW_FILE))
            ),
        }),
    )
}

const FLOW_FILE: &str = "flow.yml";

/// The schema that is meant where none is said.
const DEFAULT_SCHEMA: &str = "dbo";

fn files(tables: &[CatalogueTable], connection: &str, folder: Option<&Path>) -> Vec<Made> {
    let mut made: Vec<Made> = Vec::new();
    let mut taken = BTreeSet::new();
    for table in tables {
        // Whatever else is selected, so that a table has one file.
        let called = match &table.schema {
            Some(schema) if schema != DEFAULT_SCHEMA => format!("{schema}.{}", table.name),
            _ => table.name.clone(),
        };
        let called = plain(&called);
        let (mut entity, mut number) = (called.clone(), 1);
        // Some file systems don't tell upper from lower case.
        while !taken.insert(entity.to_lowercase()) {
            number += 1;
            entity = format!("{called}_{number}");
        }
        made.push(Made {
            file: folder
                .unwrap_or(Path::new(""))
                .join(format!("{entity}.yml")),
            text: hygge_ddl::entity(table, folder.is_none().then_some(&entity), connection),
            holds: units::many(table.columns.len() as u64, "column", "columns"),
        });
    }
    made
}

/// A table's name as that of an entity, which can't have every character.
fn plain(name: &str) -> String {
    let odd = |c: char| c.is_control() || "/\\*?[]{}\"<>|:,$".contains(c);
    let name: String = name.chars().take(100).collect();
    let name = name.trim_start_matches(['.', ' ', '-']);
    match name.trim_end_matches(['.', ' ']) {
        // Nothing that could be read back as a file.
        "" => "_".to_owned(),
        name => name.replace(odd, "_"),
    }
}
