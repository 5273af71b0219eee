use std::sync::Arc;

use hygge_core::{Discovered, EntityId, Fault, code};
use hygge_engine::Found;
use serde_json::json;

use crate::complaint::Exit;
use crate::console::Console;
use crate::project::Project;
use crate::table::Table;
use crate::verb::Ended;
use crate::{runtime, units};

/// What is found is read as this entity.
fn entity<'a>(id: &'a EntityId, found: &'a Discovered) -> &'a str {
    found.entity.as_ref().map_or(&id.entity, |(name, _)| name)
}

/// Whether an entity stands for many, as its home says by a pattern.
fn is_pattern(project: &Project, id: &EntityId) -> bool {
    let planned = project.plan.entities().find(|planned| planned.id == *id);
    planned.is_some_and(|planned| planned.home_plan.many)
}

/// Opens every Home and lists what it could read.
pub(crate) fn show(project: &Project, as_json: bool, console: &Arc<Console>) -> Ended {
    let (runtime, threads) = runtime::whole()?;
    let cx = runtime::context(&threads, console);
    let found = runtime.block_on(hygge_engine::discover(
        &project.plan,
        &project.registry,
        &cx,
    ));
    // A run finds the same, and fails.
    let nothing = |id: &EntityId, found: Found| match found {
        Found::There(there) if there.is_empty() && is_pattern(project, id) => Found::Failed(
            Fault::new(code::SOURCE_MISSING, "its pattern finds nothing")
                .advise("look at `tables`, and at what the login may see"),
        ),
        found => found,
    };
    let found: Vec<_> = found
        .into_iter()
        .map(|(id, found)| {
            let found = nothing(&id, found);
            (id, found)
        })
        .collect();
    let mut exit = Exit::Well;
    let mut table = Table::new(&["ENTITY", "FOUND", ">ROWS", ">SIZE"]);
    let mut failures = String::new();
    for (id, found) in &found {
        match found {
            Found::There(there) if as_json => {
                for each in there {
                    let line = json!({
                        "flow": id.flow, "entity": entity(id, each),
                        "found": each.name, "rows": each.rows, "bytes": each.bytes,
                    });
                    console.out(&format!("{line}\n"));
                }
            }
            Found::There(there) => {
                for each in there {
                    table.row(vec![
                        EntityId::new(&id.flow, entity(id, each)).to_string().into(),
                        each.name.clone().into(),
                        each.rows.map_or("-".to_owned(), units::count).into(),
                        each.bytes.map_or("-".to_owned(), units::bytes).into(),
                    ]);
                }
            }
            Found::Waits(flow) if as_json => {
                let line = json!({"flow": id.flow, "entity": id.entity, "waits": flow});
                console.out(&format!("{line}\n"));
            }
            Found::Waits(flow) => table.row(vec![
                id.to_string().into(),
                format!("nothing yet: flow {flow} writes it").into(),
                "-".into(),
                "-".into(),
            ]),
            Found::Failed(fault) => {
                exit = Exit::Failed;
                if as_json {
                    let line = json!({"flow": id.flow, "entity": id.entity, "fault": fault});
                    console.out(&format!("{line}\n"));
                } else {
                    failures.push_str(&format!("\n{id}: {fault}\n"));
                    if let Some(advice) = &fault.advice {
                        failures.push_str(&format!("  next: {advice}\n"));
                    }
                }
            }
        }
    }
    if !as_json {
        console.out(&table.show());
        console.out(&failures);
    }
    Ok(exit)
}
