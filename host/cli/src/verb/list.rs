use std::sync::Arc;

use clap::Args;
use hygge_core::{Mode, Strategy};
use hygge_project::{Plan, PlannedEntity};
use serde_json::json;

use super::Ended;
use crate::args::{Global, OutputArgs, SelectArgs, VarArgs};
use crate::complaint::Exit;
use crate::console::Console;
use crate::project::{self, Changes};
use crate::table::Table;
use crate::{diagnostics, discover};

const EXAMPLES: &str = "\
Examples:
  hygge list                         Flows and entities, from where to where
  hygge list --flow sales --output json
  hygge list --discover              Also what the homes could read";

/// List flows and entities
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// Open the homes and list what they could read
    #[arg(long)]
    discover: bool,
    #[command(flatten)]
    vars: VarArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn run(args: &ListArgs, global: &Global, console: &Arc<Console>) -> Ended {
    diagnostics::begin(global.verbose, console, None)?;
    let changes = Changes {
        vars: args.vars.vars.clone(),
        selection: args.select.selection(),
        ..Changes::default()
    };
    let project = project::load(global, &changes, console)?;
    if args.discover {
        return discover::show(&project, args.output.json(), console);
    }
    if args.output.json() {
        for entity in project.plan.entities() {
            console.out(&format!("{}\n", json_line(entity)));
        }
    } else {
        console.out(&table(&project.plan, console.width()));
        project.warn(console);
    }
    Ok(Exit::Well)
}

fn table(plan: &Plan, width: Option<usize>) -> String {
    if plan.entities().next().is_none() {
        return format!(
            "{} has no flow yet. Write one to flows/NAME/flow.yml; `hygge init` shows how.\n",
            plan.name
        );
    }
    let mut table = Table::new(&["ENTITY", "FROM", "TO", "MODE"]);
    for entity in plan.entities() {
        table.row(vec![
            entity.id.to_string().into(),
            entity.home_plan.describe.clone().into(),
            entity.store_plan.describe.clone().into(),
            mode(entity).into(),
        ]);
    }
    let mut text = table.within(width);
    for flow in plan.flows.iter().filter(|flow| !flow.after.is_empty()) {
        text.push_str(&format!(
            "\n{} runs after {}",
            flow.name,
            flow.after.join(", ")
        ));
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// `full`, or `incremental: append by time_hour`.
pub(crate) fn mode(entity: &PlannedEntity) -> String {
    match (entity.mode, &entity.incremental) {
        (Mode::Full, _) => "full".to_owned(),
        (Mode::Incremental, None) => "incremental".to_owned(),
        (Mode::Incremental, Some(how)) => {
            let strategy = match how.strategy {
                Strategy::Append => "append",
                Strategy::Merge => "merge",
                Strategy::Files => "new files",
                Strategy::ChangeTracking => "changes",
            };
            match &how.column {
                Some(column) => format!("incremental: {strategy} by {column}"),
                None => format!("incremental: {strategy}"),
            }
        }
    }
}

fn json_line(entity: &PlannedEntity) -> serde_json::Value {
    let mut line = json!({
        "flow": entity.id.flow,
        "entity": entity.id.entity,
        "home": {
            "type": entity.home.kind,
            "describe": entity.home_plan.describe,
            "settings": entity.home.settings.redacted(),
        },
        "store": {
            "type": entity.store.kind,
            "describe": entity.store_plan.describe,
            "settings": entity.store.settings.redacted(),
        },
        "mode": entity.mode,
        "origin": {"file": entity.origin.file, "line": entity.origin.line},
    });
    if let Some(how) = &entity.incremental {
        line["incremental"] = json!({
            "strategy": how.strategy,
            "column": how.column,
            "key": how.key,
        });
    }
    line
}
