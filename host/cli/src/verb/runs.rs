use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use hygge_core::{PoolUsage, RunId, Severity, Usage};
use hygge_state::{Outcome, RunEntity, RunRecord, StateStore};

use super::Ended;
use crate::args::{Global, OutputArgs};
use crate::complaint::{Complaint, Exit};
use crate::console::Console;
use crate::render::word;
use crate::table::Table;
use crate::{project, run_log, runtime, units};

const EXAMPLES: &str = "\
Examples:
  hygge runs                         The last runs
  hygge runs list --last 100         More of them
  hygge runs show                    The last run, entity by entity
  hygge runs show 20261122t170908123z-4f2k9a --output json";

/// Show what ran, and how it went
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct RunsArgs {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the last runs, the newest first
    List(ListArgs),
    /// Show one run, entity by entity
    Show(ShowArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// How many
    #[arg(long, value_name = "N", default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(1..))]
    last: u32,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// The run's id, or its beginning, or `last`
    #[arg(default_value = LAST)]
    run: String,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn run(args: &RunsArgs, global: &Global, console: &Arc<Console>) -> Ended {
    let root = project::root(global)?;
    let state = project::state_of(&root);
    let work = project::work_of(&root);
    match &args.what {
        None => list(&args.list, state.as_ref(), &work, console),
        Some(What::List(args)) => list(args, state.as_ref(), &work, console),
        Some(What::Show(args)) => show(args, state.as_ref(), &work, console),
    }
}

/// Stands for the last run.
const LAST: &str = "last";

fn list(args: &ListArgs, state: &dyn StateStore, work: &Path, console: &Console) -> Ended {
    let most = usize::try_from(args.last).unwrap_or(usize::MAX);
    let runs = runtime::small()?.block_on(newest(state, most))?;
    if args.output.json() {
        for run in &runs {
            console.out(&format!("{}\n", json(run)?));
        }
    } else if runs.is_empty() {
        console.out("Nothing ran here yet. Begin with: hygge start\n");
    } else {
        let mut table = Table::new(&[
            "RUN",
            "BEGAN",
            ">TIME",
            "OUTCOME",
            ">ENTITIES",
            ">ROWS",
            ">BYTES",
        ]);
        for run in &runs {
            table.row(vec![
                run.run.as_str().into(),
                units::moment(run.began).into(),
                duration(run).into(),
                verdict(run, work).into(),
                units::count(run.entities.len() as u64).into(),
                units::count(run.entities.iter().map(|e| e.rows).sum()).into(),
                units::bytes(run.entities.iter().map(|e| e.bytes).sum()).into(),
            ]);
        }
        console.out(&table.within(console.width()));
    }
    Ok(Exit::Well)
}

fn show(args: &ShowArgs, state: &dyn StateStore, work: &Path, console: &Console) -> Ended {
    let runtime = runtime::small()?;
    let found = match args.run.as_str() {
        LAST => runtime.block_on(newest(state, 1))?.into_iter().next(),
        text => runtime.block_on(find(state, text))?,
    };
    let Some(run) = found else {
        return Err(match args.run.as_str() {
            LAST => Complaint::usage("nothing ran here yet").advise("begin with: hygge start"),
            text => Complaint::usage(format!("there is no run {text}"))
                .advise("`hygge runs` lists them"),
        });
    };
    if args.output.json() {
        console.out(&format!("{}\n", json(&run)?));
    } else {
        console.out(&story(&run, work));
    }
    Ok(Exit::Well)
}

/// The last runs, the newest first. Ids sort by the second, so runs of one second are put in
/// order here.
async fn newest(state: &dyn StateStore, most: usize) -> Result<Vec<RunRecord>, Complaint> {
    const OF_ONE_SECOND: usize = 16;
    let mut runs = state.runs(most.saturating_add(OF_ONE_SECOND)).await?;
    runs.sort_by_key(|run| std::cmp::Reverse(run.began));
    runs.truncate(most);
    Ok(runs)
}

/// A run by its id or the beginning of it.
async fn find(state: &dyn StateStore, text: &str) -> Result<Option<RunRecord>, Complaint> {
    let Some(id) = RunId::parse(text) else {
        return Ok(None);
    };
    if let Some(run) = state.run(&id).await? {
        return Ok(Some(run));
    }
    let all = state.runs(usize::MAX).await?;
    let mut fits = all
        .into_iter()
        .filter(|run| run.run.as_str().starts_with(text));
    let first = fits.next();
    if first.is_some() && fits.next().is_some() {
        return Err(
            Complaint::usage(format!("more than one run begins with {text}"))
                .advise("type more of its id; `hygge runs` lists them"),
        );
    }
    Ok(first)
}

fn json(run: &RunRecord) -> Result<String, Complaint> {
    serde_json::to_string(run)
        .map_err(|error| Complaint::failed(format!("can't print run {}: {error}", run.run)))
}

fn duration(run: &RunRecord) -> String {
    match run.ended {
        Some(ended) => {
            let spent = ended.duration_since(run.began);
            units::time(spent.try_into().unwrap_or_default())
        }
        None => "-".to_owned(),
    }
}

/// How a run went, in a word or two.
fn verdict(run: &RunRecord, work: &Path) -> String {
    if run.ended.is_none() {
        return match run_log::is_written(work, &run.run) {
            true => "running".to_owned(),
            false => "died".to_owned(),
        };
    }
    let count = |outcome| run.entities.iter().filter(|e| e.outcome == outcome).count() as u64;
    let bad: Vec<String> = [
        (count(Outcome::Fail), "failed"),
        (count(Outcome::Stopped), "stopped"),
        (count(Outcome::Skip), "skipped"),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, word)| format!("{} {word}", units::count(n)))
    .collect();
    if bad.is_empty() {
        "passed".to_owned()
    } else {
        bad.join(", ")
    }
}

fn story(run: &RunRecord, work: &Path) -> String {
    let mut text = format!(
        "run      {}\ncommand  hygge {}\nbegan    {}\ntook     {}\noutcome  {}\nhygge    {}\n",
        run.run,
        run.command,
        units::moment(run.began),
        duration(run),
        verdict(run, work),
        run.hygge,
    );
    if run.ended.is_none() && !run_log::is_written(work, &run.run) {
        text.push_str("\nThis run died; the next `hygge start` goes on from what it left.\n");
    }
    if run.entities.is_empty() {
        return text;
    }
    let mut table = Table::new(&[
        "RESULT",
        "ENTITY",
        "ACTION",
        ">ROWS",
        ">BYTES",
        ">TIME",
        "SETTLED IN, OR WHY NOT",
    ]);
    for each in &run.entities {
        let where_or_why = match each.outcome {
            Outcome::Pass => each.location.clone(),
            _ => each.error.clone(),
        };
        table.row(vec![
            word(each.outcome).into(),
            each.id.to_string().into(),
            each.action.map_or("-".to_owned(), |a| a.to_string()).into(),
            units::count(each.rows).into(),
            units::bytes(each.bytes).into(),
            units::seconds(each.seconds).into(),
            where_or_why.unwrap_or_default().into(),
        ]);
    }
    text.push('\n');
    text.push_str(&table.show());
    text.push_str(&checks(&run.entities));
    text.push_str(&plugins(&run.plugins));
    text.push_str(&pools(&run.pools));
    text
}

/// What the checks of all entities came to.
fn checks(entities: &[RunEntity]) -> String {
    let mut table = Table::new(&["CHECK", "ENTITY", "LOOKED FOR", "FOUND"]);
    let mut any = false;
    for entity in entities {
        for each in &entity.checks {
            any = true;
            let word = match (each.passed, each.severity) {
                (true, _) => "pass",
                (false, Severity::Fail) => "fail",
                (false, Severity::Warn) => "warn",
            };
            let found = match (&each.why, &each.rejects) {
                (Some(why), Some(file)) => format!("{why}; see {file}"),
                (why, _) => why.clone().unwrap_or_default(),
            };
            table.row(vec![
                word.into(),
                entity.id.to_string().into(),
                each.check.clone().into(),
                found.into(),
            ]);
        }
    }
    match any {
        true => format!("\n{}", table.show()),
        false => String::new(),
    }
}

/// What the sessions of connections came to.
fn pools(used: &[PoolUsage]) -> String {
    if used.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&[
        "CONNECTION",
        ">AT MOST",
        ">OPENED",
        ">REUSED",
        ">BROKEN",
        ">WAITS",
        ">WAITED",
        ">OPENING",
        ">SAVED",
    ]);
    let time = |ms| units::seconds(Duration::from_millis(ms).as_secs_f64());
    for each in used {
        let taken = each.opened + each.reused;
        let share = (each.reused * 100).checked_div(taken).unwrap_or_default();
        table.row(vec![
            each.connection.clone().into(),
            units::count(each.size).into(),
            units::count(each.opened).into(),
            units::count(each.reused).into(),
            units::count(each.broken).into(),
            units::count(each.waits).into(),
            time(each.waited_ms).into(),
            time(each.opening_ms).into(),
            format!("{} ({share}%)", time(each.saved_ms)).into(),
        ]);
    }
    format!("\n{}", table.show())
}

/// What plugins took, and what they sent where.
fn plugins(used: &[Usage]) -> String {
    if used.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&[
        "PLUGIN",
        ">CALLS",
        ">WASM",
        ">HOST",
        ">MEMORY",
        ">ROWS IN",
        ">ROWS OUT",
        ">FAULTS",
        ">REFUSED",
    ]);
    let mut sent = Table::new(&["PLUGIN", "SENT TO", ">REQUESTS", ">SENT", ">RECEIVED"]);
    let mut any = false;
    for each in used {
        let name = || format!("{} {}", each.plugin, each.version);
        let time = |ms| units::seconds(Duration::from_millis(ms).as_secs_f64());
        table.row(vec![
            name().into(),
            units::count(each.calls).into(),
            time(each.wasm_ms).into(),
            time(each.host_ms).into(),
            units::bytes(each.peak_memory).into(),
            units::count(each.rows_in).into(),
            units::count(each.rows_out).into(),
            units::count(each.faults).into(),
            units::count(each.denied).into(),
        ]);
        for to in &each.egress {
            any = true;
            sent.row(vec![
                name().into(),
                to.host.clone().into(),
                units::count(to.requests).into(),
                units::bytes(to.sent).into(),
                units::bytes(to.received).into(),
            ]);
        }
    }
    let mut text = format!("\n{}", table.show());
    if any {
        text.push_str(&format!("\n{}", sent.show()));
    }
    text
}
