use std::sync::Arc;

use clap::{Args, ValueEnum};
use clap_complete::ArgValueCompleter;
use hygge_engine::{After, FirstRows};

use super::Ended;
use crate::args::{Global, VarArgs};
use crate::complaint::{Complaint, Exit};
use crate::console::Console;
use crate::{complete, diagnostics, project, rows, runtime, units};

const EXAMPLES: &str = "\
Examples:
  hygge peek sales.orders                       The first rows as they would reach the store
  hygge peek sales.orders --after home          ... as they leave the home
  hygge peek sales.orders --after 2 --rows 50   ... after the second transform
  hygge peek sales.orders --format csv > few.csv

Rows are read as a full run would read them. Nothing is written, committed or remembered.";

/// Show the first rows of an entity, after its transforms or on the way
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PeekArgs {
    /// The entity
    #[arg(value_name = "FLOW.ENTITY", add = ArgValueCompleter::new(complete::entities))]
    entity: String,
    #[command(flatten)]
    vars: VarArgs,
    /// How many rows, at most
    #[arg(long, default_value_t = 10, value_name = "N")]
    rows: usize,
    /// After which step: home, the number of a transform or its type [default: all of them]
    #[arg(long, value_name = "TRANSFORM")]
    after: Option<String>,
    /// How they are printed
    #[arg(long, value_enum, default_value_t = Format::Table, value_name = "FORM")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// One JSON object a line
    Json,
    /// With a heading
    Csv,
}

pub(crate) fn run(args: &PeekArgs, global: &Global, console: &Arc<Console>) -> Ended {
    diagnostics::begin(global.verbose, console, None)?;
    let (project, planned) =
        project::load_one_with(global, &args.entity, &args.vars.vars, console)?;
    let after = match &args.after {
        Some(step) => After::One(step.clone()),
        None => After::All,
    };
    let (runtime, threads) = runtime::whole()?;
    let cx = runtime::context(&threads, console);
    let (plan, registry) = (&project.plan, &project.registry);
    let peek = hygge_engine::peek(plan, &planned, registry, &after, args.rows, &cx);
    let first = runtime.block_on(peek)?;
    project.warn(console);
    show(&first, args.format, console)
}

fn show(first: &FirstRows, format: Format, console: &Console) -> Ended {
    let unshown =
        |error: arrow_schema::ArrowError| Complaint::failed(format!("can't be shown: {error}"));
    for warning in &first.warnings {
        let word = console.paint_err().warn("warning:");
        console.err(&format!("{word} {warning}\n"));
    }
    match format {
        Format::Json => console.out(&rows::json(&first.batches).map_err(unshown)?),
        Format::Csv => {
            let csv = hygge_files::store::csv_text(&first.schema, &first.batches);
            console.out(&csv.map_err(unshown)?);
        }
        Format::Table => {
            console.out(&rows::table(&first.schema, &first.batches).map_err(unshown)?);
            let many = first.batches.iter().map(|batch| batch.num_rows() as u64);
            let many = units::rows(many.sum());
            console.out(&match first.more {
                true if many == units::rows(0) => {
                    "\nThere are rows; --rows N shows some.\n".to_owned()
                }
                true => format!("\nThe first {many}; --rows N shows more.\n"),
                false => format!("\n{many}.\n"),
            });
        }
    }
    Ok(Exit::Well)
}
