//! What a run that died left behind: commits to finish, and state that was lost.

use std::sync::Arc;

use hygge_core::{
    Action, BuildContext, CommitRecord, Context, EntityId, Fault, Home, Level, Mode, Place,
    Position, REDACTED, Registry, Result, RunId, Settings, SplitRequest, Standing, Store, Strategy,
    Want, code, count_rows, quoted,
};
use hygge_project::PlannedEntity;
use hygge_state::{Columns, EntityState, Memories, StateStore};
use serde_json::Value;

use crate::shared::Shared;
use crate::window::{Observer, Seen};
use crate::{Event, commit, drift, increment, making, orphan, start};

/// Finishes the commit that an earlier run of this entity had decided on.
pub(crate) async fn finish(shared: &Shared, planned: &PlannedEntity, cx: &Context) -> Result<()> {
    let finished = finish_with(
        shared.state.as_ref(),
        &shared.registry,
        &shared.place,
        &planned.id,
        Some(planned),
        shared.options.retries,
        cx,
    )
    .await;
    let finished = match finished {
        // A run that replaces everything needs nothing of it. The intent stays until there is a
        // new one, so that nothing but such a run begins meanwhile.
        Err(fault) if fault.code == code::COMMIT_LOST && planned.mode == Mode::Full => {
            shared.events.event(&Event::Note {
                id: planned.id.clone(),
                warning: true,
                message: format!("{}; this run takes its place", fault.message),
            });
            return Ok(());
        }
        finished => finished?,
    };
    match finished {
        Finished::Nothing => {}
        Finished::Committed(state) => shared.events.event(&Event::Recovered {
            id: planned.id.clone(),
            run: state.run_id,
            message: format!(
                "finished its commit of {}",
                count_rows(state.rows_processed)
            ),
        }),
        Finished::Undone(fault) => shared.events.event(&Event::Note {
            id: planned.id.clone(),
            warning: true,
            message: moved_again(&fault),
        }),
    }
    Ok(())
}

/// What is told of a commit that didn't come about.
pub(crate) fn moved_again(fault: &Fault) -> String {
    format!("{}; its rows are moved again", fault.message)
}

/// What became of an intent.
enum Finished {
    /// There was none.
    Nothing,
    Committed(Box<EntityState>),
    /// Nothing was left of it, so it was dropped.
    Undone(Fault),
}

/// Finishes an intent that waits in the state store, given nothing but that record: any
/// process that can reach the destination can do it. The caller holds the entity's lock.
pub async fn finish_intent(
    state: &dyn StateStore,
    registry: &Registry,
    place: &BuildContext,
    id: &EntityId,
    cx: &Context,
) -> Result<Option<EntityState>> {
    match finish_with(state, registry, place, id, None, 3, cx).await? {
        Finished::Nothing => Ok(None),
        Finished::Committed(state) => Ok(Some(*state)),
        Finished::Undone(fault) => Err(fault
            .advise("`hygge start` moves its rows again, once the entity is in the project again")),
    }
}

async fn finish_with(
    state: &dyn StateStore,
    registry: &Registry,
    place: &BuildContext,
    id: &EntityId,
    planned: Option<&PlannedEntity>,
    retries: u32,
    cx: &Context,
) -> Result<Finished> {
    let Some(intent) = state.intent(id).await? else {
        return Ok(Finished::Nothing);
    };
    let record = &intent.record;
    if record.version > CommitRecord::VERSION {
        return Err(Fault::new(
            code::STATE,
            format!(
                "{id} has a commit begun by hygge {}, which is newer than this one",
                record.hygge
            ),
        )
        .advise("finish it with that version"));
    }
    let recorded = (&*record.store_type, &record.store);
    let store = build_recorded(registry, recorded, &intent.to(), id, planned, place);
    let store = store.map_err(|fault| {
        let ways = fault
            .advice
            .clone()
            .into_iter()
            .chain([commit::give_up(id)]);
        let ways = ways.collect::<Vec<_>>().join("; ");
        fault.advise(ways)
    })?;
    let carried = commit::carry_out(state, store.as_ref(), &intent, "committed", retries, cx);
    let finished = match carried.await {
        Err(fault) if store.undone(&fault) => Finished::Undone(fault),
        carried => {
            let carried = carried.map_err(|fault| match planned {
                Some(_) => commit::decided(fault, store.stages(), id),
                None => orphan::unfinished(fault, id),
            });
            let (state, _) = carried?;
            for why in &intent.warned {
                let told = format!("a check warned of those rows: {why}");
                cx.notes.note(Level::Warning, &told);
            }
            Finished::Committed(Box::new(state))
        }
    };
    commit::tidy(store.as_ref(), id, cx).await;
    Ok(finished)
}

/// Makes a Store as a record names it by type and settings; `to` is its place, for people.
pub(crate) fn build_recorded(
    registry: &Registry,
    (kind, recorded): (&str, &Value),
    to: &str,
    id: &EntityId,
    planned: Option<&PlannedEntity>,
    place: &BuildContext,
) -> Result<Arc<dyn Store>> {
    let known = registry.store(kind).ok_or_else(|| {
        Fault::new(
            code::STATE,
            format!("what was staged of {id} is of a store of unknown type {kind:?}"),
        )
        .advise("put the plugin back that brings this type")
    })?;
    let settings = with_secrets((kind, recorded), to, planned)?;
    let place = place.of(id);
    if let (Some(planned), Some(_)) = (planned, settings.secrets().next()) {
        // What can't be planned can't be built either, which is told then.
        let then = known.plan(&settings, &place).ok();
        stays_within(then.and_then(|plan| plan.place), planned, to)?;
    }
    known.build(&settings, &place)
}

/// Refuses to show the secrets of one system to another: what was staged may be for a server that the
/// connection left since, and whose today's password is no business of that server's.
fn stays_within(then: Option<Place>, planned: &PlannedEntity, to: &str) -> Result<()> {
    let (Some(Place::Named { system: then, .. }), Some(Place::Named { system: now, .. })) =
        (then, &planned.store_plan.place)
    else {
        return Ok(());
    };
    if then == *now {
        return Ok(());
    }
    Err(Fault::new(
        code::STATE,
        format!("what it left is for {to}, and its store is in {now} now, whose secrets go nowhere else"),
    )
    .advise(
        "put its old store or connection back into the project: `hygge start` finishes what it left",
    ))
}

/// The recorded settings, with the secrets of today's configuration where `***` stands.
fn with_secrets(
    (kind, recorded): (&str, &Value),
    to: &str,
    planned: Option<&PlannedEntity>,
) -> Result<Settings> {
    let mut value = recorded.clone();
    let mut secrets = Vec::new();
    if let Some(planned) = planned.filter(|planned| planned.store.kind == kind) {
        for pointer in planned.store.settings.secrets() {
            let known = planned.store.settings.expose().pointer(pointer);
            if let (Some(hole), Some(known)) = (value.pointer_mut(pointer), known) {
                *hole = known.clone();
                secrets.push(pointer.to_owned());
            }
        }
    }
    if secrets.is_empty() && recorded.to_string().contains(&format!("\"{REDACTED}\"")) {
        let (why, put) = match planned {
            None => ("they are in the project only", "the entity"),
            Some(_) => (
                "the store that the entity has now has none of them",
                "its old store",
            ),
        };
        return Err(Fault::new(
            code::STATE,
            format!(
                "what it left is for {to}, which has secrets, and the record holds none: {why}"
            ),
        )
        .advise(format!(
            "put {put} back into the project: `hygge start` finishes what it left"
        )));
    }
    let connection = planned.and_then(|planned| planned.store.connection.clone());
    Ok(Settings::new(value, secrets).of_connection(connection))
}

/// The entity's resolved configuration, without secrets, for the record.
pub(crate) fn config(planned: &PlannedEntity) -> Value {
    serde_json::json!({
        "home": { "type": planned.home.kind, "settings": planned.home.settings.redacted() },
        "transforms": planned.transforms.iter().map(|each| serde_json::json!({
            "type": each.kind, "settings": each.settings.redacted(),
        })).collect::<Vec<_>>(),
        "store": { "type": planned.store.kind, "settings": planned.store.settings.redacted() },
        "mode": planned.mode,
        "incremental": planned.incremental.as_ref().map(|i| serde_json::json!({
            "strategy": i.strategy, "column": i.column, "key": i.key,
            "lookback": i.lookback.map(|l| format!("{l:?}")),
        })),
        "versions": { "hygge": env!("CARGO_PKG_VERSION") },
    })
}

/// Makes the Home and Store of an entity.
pub(crate) fn build(
    registry: &Registry,
    planned: &PlannedEntity,
    place: &BuildContext,
) -> Result<(Arc<dyn Home>, Arc<dyn Store>)> {
    let unknown = |kind: &str| Fault::internal(format!("no connector of type {kind:?}"));
    let place = place.of(&planned.id);
    let home = registry
        .home(&planned.home.kind)
        .ok_or_else(|| unknown(&planned.home.kind))?;
    let store = registry
        .store(&planned.store.kind)
        .ok_or_else(|| unknown(&planned.store.kind))?;
    Ok((
        home.build(&planned.home.settings, &place)?,
        store.build(&planned.store.settings, &place)?,
    ))
}

/// Where an entity's data stands, as a Store says it after a commit: the path or table.
pub(crate) fn location(registry: &Registry, planned: &PlannedEntity) -> String {
    let store = registry.store(&planned.store.kind);
    let settings = planned.store.settings.redacted();
    let written = store.and_then(|kind| settings.get(kind.location()?)?.as_str());
    written.unwrap_or(&planned.store_plan.describe).to_owned()
}

/// This machine's name, for telling who holds a lock.
pub(crate) fn host_name() -> String {
    ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok())
        .map_or_else(|| "this machine".to_owned(), |name| name.trim().to_owned())
}

/// Rebuilds the state of an incremental entity from what stands at its destination: the
/// greatest watermark there, and the rows within the lookback. The caller holds the lock.
pub async fn recover_state(
    state: &dyn StateStore,
    registry: &Registry,
    place: &BuildContext,
    planned: &PlannedEntity,
    cx: &Context,
) -> Result<EntityState> {
    let id = &planned.id;
    let named = quoted(&id.to_string());
    let finished = finish_with(state, registry, place, id, Some(planned), 3, cx);
    // What was undone left nothing: what stands there says how far it came.
    if let Finished::Committed(state) = finished.await? {
        return Ok(*state);
    }
    let incremental = planned
        .incremental
        .as_ref()
        .filter(|i| !matches!(i.strategy, Strategy::Files | Strategy::ChangeTracking));
    let Some(incremental) = incremental else {
        return Err(
            Fault::new(code::STATE, format!("{id} keeps no watermark to recover"))
                .advise(format!("`hygge start --full --entity {named}` begins anew")),
        );
    };
    if !planned.transforms.is_empty() {
        // What stands there is what left the last transform; rows are told apart, and watermarks
        // read, before the first.
        return Err(Fault::new(
            code::STATE,
            format!("{id} has transforms, so its watermark can't be read from its destination"),
        )
        .advise(format!(
            "`hygge start --full --entity {named}` loads everything again, \
             `hygge state set {named} --watermark …` sets it by hand"
        )));
    }
    let (_, store) = build(registry, planned, place)?;
    let memory = state.memory(id, "store").await?;
    let standing = store.inspect(id, memory.as_deref(), cx).await?;
    let lost = matches!(standing, Standing::Marked { .. });
    let run = match standing {
        Standing::Marked { run } => run,
        Standing::Ours => state.load(id).await?.map(|s| s.run_id),
        Standing::Vacant => {
            return Err(Fault::new(
                code::STATE,
                format!(
                    "nothing stands at {}, so there is nothing to recover from",
                    planned.store_plan.describe
                ),
            )
            .advise(format!(
                "`hygge start --full --entity {named}` loads everything"
            )));
        }
        Standing::Foreign { example, .. } => {
            return Err(Fault::new(
                code::DESTINATION_FOREIGN,
                format!(
                    "{} holds {example}, which hygge didn't write for {id}",
                    planned.store_plan.describe
                ),
            )
            .advise(format!(
                "`adopt: true` in its store takes over what is there; then `hygge start --full \
                 --entity {named}` replaces it, or `hygge state set {named} --watermark …` says how far \
                 it came"
            )));
        }
    };
    let home = store.read_back().ok_or_else(|| {
        Fault::new(
            code::STATE,
            format!("{} can't be read back", planned.store_plan.describe),
        )
        .advise(format!(
            "`hygge state set {named} --watermark …` sets it by hand"
        ))
    })?;
    let request = SplitRequest {
        watermark: incremental.column.clone(),
        ..SplitRequest::default()
    };
    let plan = home.splits(&request, cx).await?;
    let follow = increment::follow(incremental, Action::Replace, None, None, &plan.schema)?;
    let Some((follow, _)) = follow else {
        return Err(Fault::internal(
            "an incremental entity without a watermark column",
        ));
    };
    let mut seen = Seen::default();
    let want = Want {
        batch_bytes: 2 << 20,
        encoded: None,
        bounds: None,
    };
    let columns = drift::columns(&plan.schema);
    let mut rows = 0;
    for split in &plan.splits {
        let mut reader = home.open(split, &Position::start(), &want, cx).await?;
        let mut observer = Observer::new(Arc::clone(&follow));
        while let Some(step) = reader.next().await? {
            rows += step.batch.rows();
            if let hygge_core::Batch::Rows(batch) = step.batch {
                observer.take(batch)?;
            }
        }
        seen.add(&observer.finish()?, &follow, false)?;
    }
    let high = seen.high(None);
    let watermark = commit::watermark_of(&follow.column, follow.kind, high);
    let mut memories: Memories = vec![(making::MEMORY, Some(making::untouched(&plan.schema)?))];
    if lost {
        // What is remembered is older than what stands there: the Store goes by its mark.
        memories.push(("store", None));
    }
    let mut window = None;
    if !follow.columns.is_empty() {
        let (described, bytes) = seen.window(Vec::new(), high, None, &follow)?;
        window = Some(serde_json::to_value(described).map_err(|e| Fault::internal(e.to_string()))?);
        memories.push(("window", Some(bytes)));
    }
    let recovered = EntityState {
        flow: id.flow.clone(),
        entity: id.entity.clone(),
        last_run: jiff::Timestamp::now(),
        run_id: run.unwrap_or_else(|| RunId::new(jiff::Timestamp::now(), 0)),
        status: "recovered".to_owned(),
        watermark,
        rows_processed: rows,
        position: None,
        location: location(registry, planned),
        ends: Some(start::ends(planned, place, rows > 0)),
        action: Action::Append,
        window,
        columns,
        columns_before: Columns::default(),
    };
    state.put(&recovered, &memories).await?;
    Ok(recovered)
}
