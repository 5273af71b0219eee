use std::sync::Arc;

use hygge_core::quoted;

use crate::args::Global;
use crate::complaint::{Complaint, Exit};
use crate::console::Console;
use crate::project;
use crate::verb::{Ended, state};
use crate::{new_run, runtime, units};

/// `hygge state recover`: remembers an entity again, from what stands at its destination.
pub(crate) fn run(name: &str, as_json: bool, global: &Global, console: &Arc<Console>) -> Ended {
    let (project, planned) = project::load_one(global, name, console)?;
    let id = &planned.id;
    let (runtime, threads) = runtime::whole()?;
    let cx = runtime::context(&threads, console);
    let store = project::state_of(&project.plan.place.root);
    let recovered = runtime.block_on(async {
        let run = new_run::id(jiff::Timestamp::now());
        let _lock = state::hold(store.as_ref(), id, &run).await?;
        let place = &project.plan.place;
        let found =
            hygge_engine::recover_state(store.as_ref(), &project.registry, place, &planned, &cx);
        Ok::<_, Complaint>(found.await?)
    })?;
    if as_json {
        return state::print(&recovered, true, console);
    }
    let rows = units::rows(recovered.rows_processed);
    console.out(&match &recovered.watermark {
        Some(mark) => format!(
            "{id} is remembered again: {rows} stand in {}, up to {} {}.\nNext: hygge start --entity {}\n",
            recovered.location, mark.column, mark.value, quoted(&id.to_string())
        ),
        None => format!("{id} is remembered again: {rows} stand in {}.\n", recovered.location),
    });
    Ok(Exit::Well)
}
