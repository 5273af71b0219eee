use std::sync::Arc;

use hygge_core::{EntityId, quoted};
use hygge_state::EntityState;

use crate::args::Global;
use crate::complaint::{Complaint, Exit};
use crate::console::Console;
use crate::verb::{Ended, state};
use crate::{new_run, project, registry, runtime, units};

/// `hygge state recover`: remembers an entity again, from what stands at its destination; or
/// finishes its commit, which needs nothing but the record.
pub(crate) fn run(name: &str, as_json: bool, global: &Global, console: &Arc<Console>) -> Ended {
    let (project, planned) = match project::load_one(global, name, console) {
        Ok(found) => found,
        Err(complaint) => {
            let finished = from_record(name, global, console)?.ok_or(complaint)?;
            return tell_finished(&finished, as_json, console);
        }
    };
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

/// Finishes the commit of an entity that the project doesn't have, or that can't be resolved now;
/// none when there is none.
fn from_record(
    name: &str,
    global: &Global,
    console: &Arc<Console>,
) -> Result<Option<EntityState>, Complaint> {
    let Some((flow, entity)) = name.split_once('.') else {
        return Ok(None);
    };
    let id = &EntityId::new(flow, entity);
    let root = project::root(global)?;
    let store = project::state_of(&root);
    if runtime::small()?.block_on(store.intent(id))?.is_none() {
        return Ok(None);
    }
    let (registry, _) = registry::with_plugins(&root);
    let place = project::place(&root);
    let (runtime, threads) = runtime::whole()?;
    let cx = runtime::context(&threads, console);
    runtime.block_on(async {
        let run = new_run::id(jiff::Timestamp::now());
        let _lock = state::hold(store.as_ref(), id, &run).await?;
        let finished = hygge_engine::finish_intent(store.as_ref(), &registry, &place, id, &cx);
        Ok(finished.await?)
    })
}

fn tell_finished(state: &EntityState, as_json: bool, console: &Arc<Console>) -> Ended {
    if as_json {
        return state::print(state, true, console);
    }
    let id = format!("{}.{}", state.flow, state.entity);
    let (rows, run) = (units::rows(state.rows_processed), &state.run_id);
    console.out(&format!(
        "The commit of run {run} is finished: {rows} of {id} settled in {}.\n\
         Next: hygge state reset {} --yes forgets it, if the project is done with it\n",
        state.location,
        quoted(&id)
    ));
    Ok(Exit::Well)
}
