use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use clap_complete::ArgValueCompleter;
use hygge_core::{CatalogueTable, Database, fits_pattern, nearest};

use super::kept::{Made, file_name, keep};
use super::named::{DEFAULT_SCHEMA, names};
use super::taken::taken;
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
    let found = runtime.block_on(asked(args, database.as_ref()));
    registry.forget_sessions();
    let Asked {
        mut tables,
        missing,
    } = found?;
    tables.sort_by(|a, b| a.written.cmp(&b.written));
    tables.dedup_by(|a, b| a.written == b.written);
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
    let unreadable = tables.extract_if(.., |table| filled_in(table));
    let unreadable: Vec<String> = unreadable.map(|table| table.written).collect();
    let broken = tables.extract_if(.., |table| table.columns.is_empty());
    let broken: Vec<String> = broken.map(|table| table.written).collect();
    let readable = registry.home(&connected.kind).is_some();
    let into = flow.as_ref().map(|flow| flow.join("entities"));
    if let Some(flow) = &flow {
        once(&tables, flow)?;
    }
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
    let word = console.paint_err().warn("warning:");
    for pattern in missing {
        console.err(&format!(
            "{word} nothing there fits {pattern}: look at its name, and whether it is a view (--views)\n"
        ));
    }
    for table in unreadable {
        console.err(&format!(
            "{word} {table} is left out: hygge fills in names in braces; read it through a view\n"
        ));
    }
    for table in broken {
        console.err(&format!(
            "{word} {table} is left out: it has no columns, as what it reads isn't there\n"
        ));
    }
    if !readable {
        console.err(&format!(
            "{word} hygge reads no home of type {}: give these entities another\n",
            connected.kind
        ));
    }
    Ok(Exit::Well)
}

/// What was found of what was asked for.
struct Asked {
    tables: Vec<CatalogueTable>,
    /// What nothing fits.
    missing: Vec<String>,
}

/// All at once: a catalogue is read whole, however little of it is asked for.
async fn asked(args: &EntitiesArgs, database: &dyn Database) -> hygge_core::Result<Asked> {
    let wanted = |table: &CatalogueTable| args.views || !table.view;
    let mut tables = database.tables(&args.tables).await?;
    tables.retain(wanted);
    let mut missing = Vec::new();
    for pattern in &args.tables {
        if tables.iter().any(|table| fits(pattern, table)) {
            continue;
        }
        // It may be written as only the database reads it.
        let found = database.tables(std::slice::from_ref(pattern)).await?;
        if !found.iter().any(wanted) {
            missing.push(pattern.clone());
        }
    }
    Ok(Asked { tables, missing })
}

/// Whether a table fits a pattern without quotes.
fn fits(pattern: &str, table: &CatalogueTable) -> bool {
    let (schema, name) = pattern.split_once('.').unwrap_or((DEFAULT_SCHEMA, pattern));
    let of_schema = |its: &str| fits_pattern(schema, its);
    table.schema.as_deref().is_none_or(of_schema) && fits_pattern(name, &table.name)
}

/// Whether a name in what is written of a table is none when it is read: there is no way to write one
/// that isn't filled in.
fn filled_in(table: &CatalogueTable) -> bool {
    const PLACEHOLDERS: [&str; 3] = ["{entity}", "{flow}", "{run_date}"];
    let written = hygge_ddl::entity(table, None, "");
    let mut settings = written.lines().filter(|line| !line.starts_with('#'));
    settings.any(|line| PLACEHOLDERS.iter().any(|name| line.contains(name)))
}

/// Refuses entities that a flow has already somewhere else: with two of one, every command would stop.
fn once(tables: &[CatalogueTable], flow: &Path) -> Result<(), Complaint> {
    let taken = taken(flow);
    for entity in names(tables) {
        let own = flow.join("entities").join(format!("{entity}.yml"));
        let other = taken
            .iter()
            .find(|(name, file)| *name == entity && *file != own);
        if let Some((_, other)) = other {
            return Err(Complaint::usage(format!(
                "the entity {entity} is there already, in {}",
                project::shown(other)
            ))
            .advise("take it out there, or leave its table out of --tables"));
        }
    }
    Ok(())
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

fn files(tables: &[CatalogueTable], connection: &str, folder: Option<&Path>) -> Vec<Made> {
    let named = names(tables).into_iter().zip(tables);
    let made = |(entity, table): (String, &CatalogueTable)| Made {
        file: folder
            .unwrap_or(Path::new(""))
            .join(format!("{entity}.yml")),
        text: hygge_ddl::entity(table, folder.is_none().then_some(&entity), connection),
        holds: units::many(table.columns.len() as u64, "column", "columns"),
    };
    named.map(made).collect()
}
