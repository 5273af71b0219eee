use std::sync::Arc;

use clap::{Args, Subcommand};
use clap_complete::ArgValueCompleter;
use hygge_core::{nearest, type_name};
use hygge_engine::Passed;
use hygge_project::FileKind;

use super::Ended;
use super::schema_diff::{self, DiffArgs};
use crate::args::{Global, OutputArgs, VarArgs};
use crate::complaint::Exit;
use crate::console::{Console, on_one_line};
use crate::table::Table;
use crate::{complete, diagnostics, project, registry, runtime, schema_files};

const EXAMPLES: &str = "\
Examples:
  hygge schema flow                  Print the JSON Schema of flow.yml
  hygge schema sales.orders          Print the columns of an entity, after each step on their way
  hygge schema diff sales.orders     Show what changed in them since the last run
  hygge schema --write               Write all of them to .hygge/schema, for editors

Files that `hygge init` writes begin with a line that tells editors (the YAML language server)
where their schema is; nothing is fetched from anywhere. In a project the schemas know the types
that its plugins bring.";

/// What the kinds of file are called, as [`asked`] reads them.
pub(crate) const KINDS: [&str; 3] = ["project", "flow", "entity"];

/// Print the JSON Schema of a kind of file, or the columns of an entity
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct SchemaArgs {
    #[command(subcommand)]
    what: Option<What>,
    /// A kind of file (project, flow, entity), or an entity, whose home is opened
    #[arg(default_value = "project", value_name = "KIND|FLOW.ENTITY", value_parser = asked,
        add = ArgValueCompleter::new(complete::kinds_and_entities))]
    of: Asked,
    #[command(flatten)]
    vars: VarArgs,
    /// Write the schemas of all kinds to .hygge/schema in the project
    #[arg(long, conflicts_with = "of")]
    write: bool,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Subcommand)]
enum What {
    Diff(DiffArgs),
}

#[derive(Debug, Clone)]
enum Asked {
    File(FileKind),
    Entity(String),
}

fn asked(text: &str) -> Result<Asked, String> {
    match text {
        // hygge.yml
        "project" => Ok(Asked::File(FileKind::Project)),
        // flows/*/flow.yml
        "flow" => Ok(Asked::File(FileKind::Flow)),
        // flows/*/entities/*.yml
        "entity" => Ok(Asked::File(FileKind::Entity)),
        name if name.contains('.') => Ok(Asked::Entity(name.to_owned())),
        _ => {
            let near = nearest(text, KINDS).map(|near| format!("; did you mean `{near}`?"));
            let near = near.unwrap_or_default();
            Err(format!(
                "there are {}, and FLOW.ENTITY{near}",
                KINDS.join(", ")
            ))
        }
    }
}

pub(crate) fn run(args: &SchemaArgs, global: &Global, console: &Arc<Console>) -> Ended {
    if let Some(What::Diff(args)) = &args.what {
        return schema_diff::run(args, global, console);
    }
    if args.write {
        let root = project::root(global)?;
        let written = schema_files::write(&root)?;
        console.out(&format!(
            "The schemas are in {}\n",
            project::shown(&written)
        ));
        return Ok(Exit::Well);
    }
    let kind = match &args.of {
        Asked::File(kind) => *kind,
        Asked::Entity(name) => return steps(name, args, global, console),
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

/// What leaves the home, and each transform after it.
fn steps(name: &str, args: &SchemaArgs, global: &Global, console: &Arc<Console>) -> Ended {
    diagnostics::begin(global.verbose, console, None)?;
    let (project, planned) = project::load_one_with(global, name, &args.vars.vars, console)?;
    let (runtime, threads) = runtime::whole()?;
    let cx = runtime::context(&threads, console);
    let passed = hygge_engine::passed(&project.plan, &planned, &project.registry, &cx);
    let passed = runtime.block_on(passed)?;
    project.warn(console);
    if args.output.json() {
        for step in &passed {
            console.out(&format!("{}\n", line(step)));
        }
        return Ok(Exit::Well);
    }
    for (at, step) in passed.iter().enumerate() {
        let gap = if at == 0 { "" } else { "\n" };
        console.out(&format!("{gap}{}: {}\n", step.step, step.describe));
        let mut table = Table::new(&["  COLUMN", "TYPE", "NULLS"]);
        for field in step.schema.fields() {
            let nulls = if field.is_nullable() { "" } else { "none" };
            table.row(vec![
                format!("  {}", on_one_line(field.name())).into(),
                type_name(field.data_type()).into(),
                nulls.into(),
            ]);
        }
        console.out(&table.within(console.width()));
    }
    Ok(Exit::Well)
}

fn line(step: &Passed) -> serde_json::Value {
    let columns = step.schema.fields().iter().map(|field| {
        serde_json::json!({
            "name": field.name(),
            "type": type_name(field.data_type()),
            "nullable": field.is_nullable(),
        })
    });
    serde_json::json!({
        "step": step.step,
        "describe": step.describe,
        "columns": columns.collect::<Vec<_>>(),
    })
}
