//! `hygge schema diff`: how an entity's columns differ from those of its last run.

use std::sync::Arc;

use clap::Args;
use clap_complete::ArgValueCompleter;
use hygge_core::OnSchemaChange;
use hygge_engine::{Change, Drift};
use serde::Serialize;

use super::Ended;
use crate::args::{Global, OutputArgs, VarArgs};
use crate::complaint::{Complaint, Exit};
use crate::console::Console;
use crate::table::Table;
use crate::{complete, diagnostics, project, runtime, units};

const EXAMPLES: &str = "\
Examples:
  hygge schema diff sales.orders                 What changed since the last run
  hygge schema diff sales.orders --output json   The same, for machines

No rows are read, and nothing is written. The exit code is 1 when the next run would stop at what
changed (`on_schema_change` in the store).";

/// Show how an entity's columns differ from those of its last run
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DiffArgs {
    /// The entity, whose home is opened
    #[arg(value_name = "FLOW.ENTITY", add = ArgValueCompleter::new(complete::entities))]
    entity: String,
    #[command(flatten)]
    vars: VarArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn run(args: &DiffArgs, global: &Global, console: &Arc<Console>) -> Ended {
    diagnostics::begin(global.verbose, console, None)?;
    let vars = &args.vars.vars;
    let (project, planned) = project::load_one_with(global, &args.entity, vars, console)?;
    let state = project::state_of(&project.plan.place.root);
    let (runtime, threads) = runtime::whole()?;
    let cx = runtime::context(&threads, console);
    let (plan, registry) = (&project.plan, &project.registry);
    let drift = hygge_engine::drift(plan, &planned, registry, state.as_ref(), &cx);
    let drift = runtime.block_on(drift)?;
    project.warn(console);
    if args.output.json() {
        let line = Line {
            flow: &planned.id.flow,
            entity: &planned.id.entity,
            drift: &drift,
        };
        let line = serde_json::to_string(&line)
            .map_err(|error| Complaint::failed(format!("can't print what changed: {error}")))?;
        console.out(&format!("{line}\n"));
    } else {
        show(&args.entity, &drift, console);
    }
    Ok(match drift.fault {
        None => Exit::Well,
        Some(_) => Exit::Failed,
    })
}

#[derive(Serialize)]
struct Line<'a> {
    flow: &'a str,
    entity: &'a str,
    #[serde(flatten)]
    drift: &'a Drift,
}

fn show(entity: &str, drift: &Drift, console: &Console) {
    match drift.last_run.map(units::moment) {
        None => console.out(&format!(
            "The columns of the last run of {entity} aren't known: none has committed to this \
             destination yet.\n"
        )),
        Some(_) if drift.empty => {
            return console.out(&format!(
                "There are no columns of {entity} to compare: its source is empty, or has nothing \
                 new.\n"
            ));
        }
        Some(last_run) if drift.changes.is_empty() => console.out(&format!(
            "The columns of {entity} are those of its last run ({last_run}).\n"
        )),
        Some(last_run) => {
            console.out(&format!("Since the last run of {entity} ({last_run}):\n\n"));
            console.out(&changed(&drift.changes).within(console.width()));
        }
    }
    if let Some(fault) = &drift.fault {
        // Where the columns are the same it is something else that stops it.
        let policy = match drift.changes.is_empty() {
            true => String::new(),
            false => format!(" (on_schema_change: {})", named(drift.on_schema_change)),
        };
        console.out(&format!(
            "\nThe next run stops before it moves rows{policy}.\n  {}\n",
            fault.message
        ));
        if let Some(advice) = &fault.advice {
            console.out(&format!("  next: {advice}\n"));
        }
        return;
    }
    if !drift.left_out.is_empty() {
        console.out(&format!(
            "\nThe next run leaves out what the table doesn't have (on_schema_change: {}): {}.\n",
            named(drift.on_schema_change),
            drift.left_out.join(", ")
        ));
    } else if !drift.changes.is_empty() {
        console.out(&format!(
            "\nThe next run {} (on_schema_change: {}).\n",
            next(drift),
            named(drift.on_schema_change)
        ));
    }
}

/// What the next run does about changes.
fn next(drift: &Drift) -> String {
    let any = |of: fn(&Change) -> bool| drift.changes.iter().any(of);
    let new = any(|change| matches!(change, Change::Added { .. } | Change::Returned { .. }));
    let wider = any(|change| matches!(change, Change::Retyped { .. }) && !change.narrows());
    let narrower = any(Change::narrows);
    let (adds, widens) = match drift.table {
        true => (
            "adds what the table doesn't have yet",
            "widens what is narrower in the table",
        ),
        false => (
            "adds what is new to the destination",
            "widens types at the destination",
        ),
    };
    let policy = drift.on_schema_change;
    let evolves = policy == OnSchemaChange::Evolve;
    let does = [
        (new && policy.adds(), adds),
        (evolves && wider, widens),
        (
            evolves && narrower,
            "writes what came narrower as wide as it was",
        ),
        (
            policy == OnSchemaChange::IgnoreExtra && new && !drift.table,
            "leaves out what is new",
        ),
    ];
    let does = does
        .into_iter()
        .filter_map(|(does, what)| does.then_some(what));
    let does: Vec<&str> = does.collect();
    match does.is_empty() {
        true => "tells it and goes on".to_owned(),
        false => does.join(", and "),
    }
}

fn changed(changes: &[Change]) -> Table {
    let mut table = Table::new(&["  CHANGE", "COLUMN", "WAS", "IS"]);
    for change in changes {
        let [what, column, was, is] = match change {
            Change::Added { column, kind } => ["new", column, "", kind],
            Change::Returned { column, kind } => ["back", column, "", kind],
            Change::Removed { column, kind } => ["gone", column, kind, ""],
            Change::Retyped {
                column, was, is, ..
            } => ["type", column, was, is],
        };
        table.row(vec![
            format!("  {what}").into(),
            column.into(),
            was.into(),
            is.into(),
        ]);
    }
    table
}

/// As it is written in the store.
fn named(policy: OnSchemaChange) -> &'static str {
    match policy {
        OnSchemaChange::Warn => "warn",
        OnSchemaChange::Fail => "fail",
        OnSchemaChange::Additive => "additive",
        OnSchemaChange::Evolve => "evolve",
        OnSchemaChange::IgnoreExtra => "ignore_extra",
    }
}
