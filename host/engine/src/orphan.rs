//! What runs left of entities that the project doesn't have any more: nothing is known of them
//! but the record, and that is enough.

use hygge_core::{BuildContext, Context, EntityId, Fault, Registry, Result, code, quoted};
use hygge_project::PlannedEntity;
use hygge_state::{Staged, StateStore};

use crate::commit;
use crate::recover::build_recorded;

/// What there is to do about a commit that couldn't be finished from its record: no run can be told to
/// begin with it as long as the project doesn't have the entity.
pub(crate) fn unfinished(fault: Fault, id: &EntityId) -> Fault {
    let (named, give_up) = (quoted(&id.to_string()), commit::give_up(id));
    let advice = match (&*fault.code, &fault.advice) {
        (code::COMMIT_LOST, _) => format!(
            "`hygge state reset {named} --yes` gives the commit up; or put the entity back into the \
             project, and `hygge start --full --entity {named}` replaces what stands by all that \
             the source holds then"
        ),
        (code::DESTINATION_FOREIGN, _) => format!(
            "move it away and `hygge state recover {named}` commits what is staged; {give_up}"
        ),
        (_, advice) => {
            let mend = advice
                .as_ref()
                .map_or_else(String::new, |a| format!("{a}; "));
            format!("{mend}then `hygge state recover {named}` goes on with it; {give_up}")
        }
    };
    fault.advise(advice)
}

/// Throws away what a run staged for an entity and decided on no commit of; says whether there
/// was anything. The caller holds the entity's lock.
pub async fn discard(
    state: &dyn StateStore,
    registry: &Registry,
    place: &BuildContext,
    id: &EntityId,
    cx: &Context,
) -> Result<bool> {
    discard_with(state, registry, place, id, None, cx).await
}

/// The same for an entity that the project has, but with another destination now.
pub(crate) async fn discard_with(
    state: &dyn StateStore,
    registry: &Registry,
    place: &BuildContext,
    id: &EntityId,
    planned: Option<&PlannedEntity>,
    cx: &Context,
) -> Result<bool> {
    if state.intent(id).await?.is_some() {
        return Ok(false);
    }
    let Some((attempt, _)) = state.attempt(id).await? else {
        return Ok(false);
    };
    let Some(staged) = &attempt.staged else {
        return Err(Fault::new(
            code::STATE,
            format!("nothing says where run {} staged {id}", attempt.run),
        ));
    };
    let recorded = (&*staged.store_type, &staged.store);
    let store = build_recorded(registry, recorded, &staged.location, id, planned, place)?;
    // Its receipts go for good before what they name, and it itself last: killed in between, it
    // is found again.
    state.begin_attempt(id, &attempt).await?;
    store.cleanup(id, None, cx).await?;
    state.drop_attempt(id).await?;
    Ok(true)
}

/// Forgets everything about an entity, and throws away what was staged for it. That the last
/// can't be done is no reason to remember: it is given back. The caller holds the entity's lock.
pub async fn forget(
    state: &dyn StateStore,
    registry: &Registry,
    place: &BuildContext,
    id: &EntityId,
    planned: Option<&PlannedEntity>,
    cx: &Context,
) -> Result<Option<Fault>> {
    // Records that can't be read don't keep anybody from it.
    let staged = match (state.intent(id).await, state.attempt(id).await) {
        (Ok(Some(intent)), _) => {
            let to = intent.to();
            Some((intent.record.store_type, intent.record.store, to))
        }
        (_, Ok(Some((attempt, _)))) => attempt.staged.map(
            |Staged {
                 store_type,
                 store,
                 location,
                 ..
             }| (store_type, store, location),
        ),
        _ => None,
    };
    state.reset(id).await?;
    let Some((kind, settings, to)) = staged else {
        return Ok(None);
    };
    let cleaned = async {
        let store = build_recorded(registry, (&*kind, &settings), &to, id, planned, place)?;
        store.cleanup(id, None, cx).await
    };
    Ok(cleaned.await.err())
}
