use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use hygge_apply::{Script, Step, What};
use hygge_core::Database;
use serde_json::json;

use super::Ended;
use crate::args::{Global, OutputArgs};
use crate::complaint::{Complaint, Exit};
use crate::console::Console;
use crate::registry::registry;
use crate::{database, diagnostics, project, runtime, signals, units};

const EXAMPLES: &str = "\
Examples:
  hygge apply schema/*.sql --connection target_db --dry-run   Show what would be run
  hygge apply schema/*.sql --connection target_db             Run it, each file once
  hygge apply schema/dbo.Users.sql --connection target_db --allow-edited

Files are run in the order they are given in, batch by batch (lines with GO part them), in one
transaction: the first error undoes all of it. Which files were applied is kept in the database,
in the table hygge_applied.";

/// Run SQL files in a database, each once
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ApplyArgs {
    /// The files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The connection of hygge.yml to run them over
    #[arg(long, value_name = "NAME")]
    connection: String,
    /// Show what would be run, and run nothing
    #[arg(long)]
    dry_run: bool,
    /// Run files again that were edited after they were applied
    #[arg(long)]
    allow_edited: bool,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn run(args: &ApplyArgs, global: &Global, console: &Arc<Console>) -> Ended {
    diagnostics::begin(global.verbose, console, None)?;
    let root = project::root(global)?;
    let registry = registry();
    let database = database::of_connection(&root, &args.connection, &registry, console)?.database;
    let scripts = scripts(&args.files, &root, database.as_ref())?;
    let (runtime, _threads) = runtime::whole()?;
    let done = runtime.block_on(async {
        signals::end_at_once(Arc::clone(console), STOPPED)?;
        work(args, &root, database.as_ref(), &scripts).await
    });
    registry.forget_sessions();
    let steps = done?;
    if args.output.json() {
        for step in &steps {
            console.out(&format!("{}\n", line(step, args.dry_run)));
        }
    } else {
        tell(args, &steps, &database.describe(), console);
    }
    Ok(Exit::Well)
}

fn scripts(
    files: &[PathBuf],
    root: &Path,
    database: &dyn Database,
) -> Result<Vec<Script>, Complaint> {
    let here = std::env::current_dir()
        .map_err(|error| Complaint::usage(format!("the current folder is gone: {error}")))?;
    let mut scripts: Vec<Script> = Vec::new();
    for file in files {
        let shown = file.display().to_string();
        let script = hygge_apply::read(root, &here.join(file), &shown, database.script_syntax())?;
        if scripts.iter().any(|other| other.place == script.place) {
            return Err(Complaint::usage(format!("{shown} is named twice")));
        }
        scripts.push(script);
    }
    Ok(scripts)
}

/// Stopped in the middle, nothing is left but what was committed, which the database knows.
const STOPPED: &str = "stopped at once: either all of it was applied, or nothing; apply again, and only what \
     isn't there is run";

async fn work<'a>(
    args: &ApplyArgs,
    root: &Path,
    database: &dyn Database,
    scripts: &'a [Script],
) -> Result<Vec<Step<'a>>, Complaint> {
    if args.dry_run {
        let applied = database.applied().await?;
        return Ok(hygge_apply::plan(
            scripts,
            &applied,
            root,
            args.allow_edited,
        )?);
    }
    let mut applying = database.begin().await?;
    let applied = applying.applied().await?;
    let steps = hygge_apply::plan(scripts, &applied, root, args.allow_edited)?;
    let mut began = |script: &Script| tracing::info!("applying {}", script.shown);
    hygge_apply::run(applying, &steps, &mut began).await?;
    Ok(steps)
}

fn tell(args: &ApplyArgs, steps: &[Step<'_>], database: &str, console: &Console) {
    let mut text = String::new();
    let mut run = 0;
    for Step { script, what } in steps {
        let shown = &script.shown;
        let batches = units::many(script.runs() as u64, "batch", "batches");
        let (did, would) = match what {
            What::Apply => ("Applied", "Would apply"),
            What::Again(_) => ("Applied again", "Would apply again"),
            What::Unchanged(last) if last.file == script.name => {
                text.push_str(&format!("Unchanged {shown} (applied {} UTC)\n", last.at));
                continue;
            }
            What::Unchanged(last) | What::Renamed(last) => {
                text.push_str(&format!(
                    "Unchanged {shown} (applied as {}, {} UTC)\n",
                    last.file, last.at
                ));
                continue;
            }
        };
        run += 1;
        if !args.dry_run {
            text.push_str(&format!("{did} {shown} ({batches})\n"));
            continue;
        }
        text.push_str(&format!("{would} {shown} ({batches})\n"));
        for batch in &script.batches {
            let first = batch.sql.get(batch.word..).unwrap_or_default();
            let first = first.lines().next().unwrap_or_default().trim();
            let first = match units::beginning(first, 69) {
                all if all.len() == first.len() => first.to_owned(),
                beginning => format!("{beginning}…"),
            };
            let times = match batch.times {
                1 => String::new(),
                times => format!(" ({times} times)"),
            };
            text.push_str(&format!("  line {}: {first}{times}\n", batch.first));
        }
    }
    let files = units::many(run, "file", "files");
    text.push_str(&match (args.dry_run, run) {
        (_, 0) => format!("\nNothing to do: {database} has all of it.\n"),
        (true, _) => format!("\n{files} to apply to {database}; nothing was run.\n"),
        (false, _) => format!("\n{files} applied to {database}, in one transaction.\n"),
    });
    console.out(&text);
}

fn line(step: &Step<'_>, dry_run: bool) -> serde_json::Value {
    let Step { script, what } = step;
    let (status, before) = match what {
        What::Apply if dry_run => ("would_apply", None),
        What::Apply => ("applied", None),
        What::Again(last) if dry_run => ("would_apply_again", Some(last)),
        What::Again(last) => ("applied_again", Some(last)),
        What::Unchanged(last) => ("unchanged", Some(last)),
        What::Renamed(last) => ("renamed", Some(last)),
    };
    json!({
        "file": script.name,
        "status": status,
        "batches": script.runs(),
        "checksum": script.checksum,
        "applied_before": before.map(|last| format!("{}Z", last.at.replace(' ', "T"))),
        "applied_as": before.filter(|last| last.file != script.name).map(|last| &last.file),
    })
}
