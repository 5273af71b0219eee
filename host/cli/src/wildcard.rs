use std::path::Path;
use std::sync::Arc;

use hygge_core::Registry;
use hygge_engine::Found;
use hygge_project::{Load, Wild};
use jiff::tz::TimeZone;

use crate::complaint::Complaint;
use crate::console::Console;
use crate::project::Changes;
use crate::runtime;

/// What came of looking.
#[derive(Default)]
pub(crate) struct Looked {
    /// The entities that were found.
    pub(crate) wild: Wild,
    /// Why it can't be told of other wildcards what they name.
    pub(crate) failed: Vec<Complaint>,
}

/// The entities that wildcards name, looked for with connections of their own.
pub(crate) fn look(
    root: &Path,
    registry: &Registry,
    changes: &Changes,
    console: &Arc<Console>,
) -> Result<Looked, Complaint> {
    let mut looked = Looked::default();
    let request = Load {
        root,
        env: &|name| std::env::var(name).ok(),
        vars: &[],
        selection: changes.selection.whole_flows(),
        wild: &Wild::new(),
        mode: None,
        today: jiff::Timestamp::now().to_zoned(TimeZone::UTC).date(),
    };
    // What is wrong is told by loading what was selected.
    let Ok(mut plan) = hygge_project::load(&request, registry) else {
        return Ok(looked);
    };
    for flow in &mut plan.flows {
        flow.entities.retain(|entity| entity.home_plan.many);
    }
    if plan.entities().next().is_none() {
        return Ok(looked);
    }
    let (runtime, threads) = runtime::whole()?;
    let cx = runtime::context(&threads, console);
    let discovered = runtime.block_on(hygge_engine::discover(&plan, registry, &cx));
    registry.forget_sessions();
    for (id, found) in discovered {
        let there = match found {
            Found::There(there) => there,
            Found::Waits(_) => Vec::new(),
            Found::Failed(fault) => {
                let failed = Complaint::failed(format!("can't look what `{id}` has: {fault}"));
                looked.failed.push(match fault.advice {
                    Some(advice) => failed.advise(advice),
                    None => failed,
                });
                continue;
            }
        };
        if there.is_empty() {
            let planned = plan.entities().find(|planned| planned.id == id);
            let named = planned.map_or("a wildcard", |planned| &planned.home_plan.describe);
            let failed = Complaint::failed(format!("`{}` finds nothing: {named}", id.flow));
            return Err(failed.advise(
                "look at `tables` and at what the login may see: `hygge list --discover` shows it",
            ));
        }
        let entities = there.into_iter().filter_map(|each| each.entity);
        looked.wild.entry(id.flow).or_default().extend(entities);
    }
    Ok(looked)
}
