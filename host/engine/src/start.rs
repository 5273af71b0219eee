//! Where a run of an entity begins: decided from the plan and what is remembered alone, so that
//! a dry run says the same; then held against what stands at the destination.

use arrow_schema::Schema;
use hygge_core::{
    Action, Bounds, BuildContext, Changes, Context, Fault, Mode, OPERATION_COLUMN, Place, Result,
    SplitRequest, Standing, Store, Strategy, action, code, quoted,
};
use hygge_project::{Endpoint, Incremental, PlannedEntity};
use hygge_state::{Ends, EntityState, StateStore};

use crate::increment::Low;

/// What is known before anything is opened.
#[derive(Debug)]
pub(crate) struct Start {
    /// What is remembered.
    pub(crate) state: Option<EntityState>,
    /// Where an incremental run goes on.
    pub(crate) low: Option<Low>,
    pub(crate) bounds: Option<Bounds>,
    pub(crate) action: Action,
    /// What the Store remembers of its files, unless it is of another destination.
    pub(crate) memory: Option<Vec<u8>>,
    pub(crate) warnings: Vec<String>,
}

impl Start {
    /// The same, by taking everything once more: the source can't go on from where it was.
    pub(crate) fn anew(self) -> Self {
        Self {
            action: Action::Replace,
            low: None,
            bounds: None,
            ..self
        }
    }
}

/// What a run wants of the changes that a Home keeps account of.
pub(crate) fn changes(planned: &PlannedEntity, action: Action) -> Changes {
    let tracked = planned
        .incremental
        .as_ref()
        .is_some_and(|i| i.strategy == Strategy::ChangeTracking);
    match (tracked, action) {
        (false, _) => Changes::Ignored,
        (true, Action::Replace) => Changes::Begin,
        (true, Action::Append | Action::Upsert) => Changes::Since,
    }
}

/// Refuses a source with a column called as that which says what becomes of each row at the
/// destination: what stands in it would be done.
pub(crate) fn no_operations(
    planned: &PlannedEntity,
    action: Action,
    schema: &Schema,
) -> Result<()> {
    let asked = changes(planned, action) == Changes::Since;
    if asked || schema.index_of(OPERATION_COLUMN).is_err() {
        return Ok(());
    }
    let message = format!(
        "the source has a column {OPERATION_COLUMN}, which is hygge's own: it would say which rows \
         are deleted at the destination"
    );
    Err(Fault::new(code::SCHEMA, message)
        .with("column", OPERATION_COLUMN)
        .advise("give it another name there, or leave it out where it is read"))
}

/// What a run that begins there asks of its Home.
pub(crate) async fn request(
    planned: &PlannedEntity,
    start: &Start,
    remembered: &dyn StateStore,
) -> Result<SplitRequest> {
    let incremental = planned.incremental.as_ref();
    Ok(SplitRequest {
        bounds: start.bounds.clone(),
        watermark: incremental.and_then(|i| i.column.clone()),
        position: start.state.as_ref().and_then(|s| s.position.clone()),
        memory: remembered.memory(&planned.id, "home").await?,
        only_new: start.action == Action::Append
            && followed(planned).is_some_and(|i| i.strategy == Strategy::Files),
        changes: changes(planned, start.action),
        max_splits: None,
    })
}

/// `home.incremental`, when this run is incremental.
pub(crate) fn followed(planned: &PlannedEntity) -> Option<&Incremental> {
    match planned.mode {
        Mode::Full => None,
        Mode::Incremental => planned.incremental.as_ref(),
    }
}

/// What earlier runs left to go by.
pub(crate) struct Remembered {
    pub(crate) state: Option<EntityState>,
    /// Whether the files that were read are known.
    pub(crate) files: bool,
    /// The Store's own memory.
    pub(crate) memory: Option<Vec<u8>>,
}

/// Reads the state and decides what a run does. Opens nothing.
pub(crate) async fn decide(
    planned: &PlannedEntity,
    place: &BuildContext,
    remembered: &dyn StateStore,
) -> Result<Start> {
    let id = &planned.id;
    let known = Remembered {
        state: remembered.load(id).await?,
        files: remembered.memory(id, "home").await?.is_some(),
        memory: remembered.memory(id, "store").await?,
    };
    decide_by(planned, place, known)
}

/// Decides what a run does that goes by this.
pub(crate) fn decide_by(
    planned: &PlannedEntity,
    place: &BuildContext,
    known: Remembered,
) -> Result<Start> {
    let Remembered {
        state,
        files,
        mut memory,
    } = known;
    let incremental = followed(planned);
    let low = match incremental {
        Some(incremental) => Low::of(incremental, state.as_ref())?,
        None => None,
    };
    let first = match incremental.map(|i| i.strategy) {
        Some(Strategy::Files) => !files,
        Some(Strategy::ChangeTracking) => {
            let position = state.as_ref().and_then(|state| state.position.as_ref());
            position.is_none_or(hygge_core::Position::is_start)
        }
        _ => low.is_none(),
    };
    let action = action(
        planned.mode,
        planned.incremental.as_ref().map(|i| i.strategy),
        first,
        &planned.store_plan.capabilities,
    )
    .map_err(|c| Fault::new(code::CONFIG, c.message).advise(c.advice))?;

    let mut warnings = Vec::new();
    let mut moved = false;
    if let Some((state, before)) = state.as_ref().and_then(|s| Some((s, s.ends.as_ref()?))) {
        let now = ends(planned, place, false);
        if before.store != now.store {
            if action != Action::Replace {
                return Err(elsewhere(planned, state, low.as_ref()));
            }
            memory = None;
            moved = true;
            if before.filled {
                warnings.push(format!(
                    "it settled in {} until now; what stands there stays",
                    state.location
                ));
            }
        }
        if before.home != now.home && action != Action::Replace {
            let taken = low.as_ref().map_or_else(String::new, |low| {
                format!(
                    "; only rows from {} = {} on are taken from there",
                    low.watermark.column, low.watermark.value
                )
            });
            warnings.push(format!(
                "it was read from {} until now, and now from {}{taken}",
                before.home, now.home
            ));
        }
    }
    if let (Some(incremental), Some(state), false) = (incremental, &state, moved) {
        knows_where(planned, incremental, state, action)?;
    }
    let mut bounds = None;
    if let (Some(incremental), Some(low)) = (incremental, &low) {
        bounds = Some(low.bounds(incremental)?);
        warnings.extend(low.warning(incremental)?);
    }
    Ok(Start {
        state,
        low,
        bounds,
        action,
        memory,
        warnings,
    })
}

/// A first run replaces what stands. Where rows settled before, what is remembered must say how
/// an incremental run goes on: under another strategy, or without a watermark, it doesn't.
fn knows_where(
    planned: &PlannedEntity,
    incremental: &Incremental,
    state: &EntityState,
    action: Action,
) -> Result<()> {
    let settled = state.watermark.is_some() || state.ends.as_ref().is_none_or(|ends| ends.filled);
    let why = match (&incremental.column, action) {
        (_, Action::Replace) if !settled => return Ok(()),
        (Some(column), Action::Replace) => format!("left no watermark of {column} to go on from"),
        (None, Action::Replace) if incremental.strategy == Strategy::ChangeTracking => {
            "left no version of its changes to go on from".to_owned()
        }
        (None, Action::Replace) => "left no list of files to go on from".to_owned(),
        // A merge keeps no window, and whoever sets a watermark by hand was told what comes of it.
        (Some(column), Action::Append) if state.window.is_none() && state.status != "set" => {
            format!("didn't note which rows at the newest {column} it took")
        }
        _ => return Ok(()),
    };
    let id = quoted(&planned.id.to_string());
    Err(Fault::new(
        code::STATE_INCOMPLETE,
        format!(
            "rows settled in {}, but the run before {why}",
            state.location
        ),
    )
    .advise(format!(
        "{}`hygge start --full --entity {id}` replaces what stands there by all that the source \
         holds now, or put the old `incremental` back",
        by_hand(planned)
    )))
}

/// How a watermark that isn't remembered can be, if the entity follows one.
fn by_hand(planned: &PlannedEntity) -> String {
    let id = quoted(&planned.id.to_string());
    let column = planned.incremental.as_ref().and_then(|i| i.column.as_ref());
    let set = format!("`hygge state set {id} --watermark …` sets it by hand, ");
    match column {
        // What left a transform doesn't tell what was read.
        Some(_) if !planned.transforms.is_empty() => set,
        Some(_) => {
            format!("`hygge state recover {id}` reads the watermark from the destination, {set}")
        }
        None => String::new(),
    }
}

/// The remembered watermark says nothing about another destination: what settled in the old
/// one would be missing there.
fn elsewhere(planned: &PlannedEntity, state: &EntityState, low: Option<&Low>) -> Fault {
    let id = quoted(&planned.id.to_string());
    let now = &planned.store_plan.describe;
    let goes_on = low.map_or_else(String::new, |low| {
        let value = &low.watermark.value;
        format!(", `hygge state set {id} --watermark {value}` goes on from there")
    });
    Fault::new(
        code::STATE_ELSEWHERE,
        format!(
            "what is remembered is true of {}, where it settled until now, and not of {now}",
            state.location
        ),
    )
    .advise(format!(
        "`hygge start --full --entity {id}` loads everything into the new place{goes_on}, or put \
         the old destination back; `hygge state reset {id} --yes` forgets the old one"
    ))
}

/// An incremental run must not add everything once more because its memory was lost, nor only
/// what is new where nothing stands any more. Gives what is worth knowing.
pub(crate) async fn compare(
    planned: &PlannedEntity,
    start: &Start,
    store: &dyn Store,
    cx: &Context,
) -> Result<Option<String>> {
    let id = &planned.id;
    if followed(planned).is_none() {
        return Ok(None);
    }
    let standing = store.inspect(id, start.memory.as_deref(), cx).await?;
    let replaces = start.action == Action::Replace;
    match (&start.state, standing) {
        (state, Standing::Marked { run }) if state.is_none() || replaces => {
            let by = run.map(|run| format!(" (run {run})")).unwrap_or_default();
            let by_hand = by_hand(planned);
            let named = quoted(&id.to_string());
            Err(Fault::new(
                code::STATE_LOST,
                format!(
                    "hygge wrote {}{by}, but nothing is remembered of it",
                    planned.store_plan.describe
                ),
            )
            .advise(format!(
                "{by_hand}`hygge start --full --entity {named}` loads everything again"
            )))
        }
        (Some(state), Standing::Vacant)
            if !replaces
                && planned.store.dated.is_none()
                && state.ends.as_ref().is_none_or(|ends| ends.filled) =>
        {
            match planned.emptied_by_others {
                true => Ok(Some(taken_away(state))),
                false => Err(emptied(planned, state)),
            }
        }
        (
            _,
            Standing::Foreign {
                example,
                adopted: true,
            },
        ) if replaces => Err(not_replaced(planned, &example)),
        _ => Ok(None),
    }
}

/// What is said where others take away what settled, as they may.
fn taken_away(state: &EntityState) -> String {
    let from = match &state.watermark {
        Some(mark) => format!("goes on after {} = {}", mark.column, mark.value),
        None => "takes only what is new".to_owned(),
    };
    format!(
        "{} is empty, as `emptied_by_others` allows: this run {from}",
        state.location
    )
}

/// Taking files over doesn't mean throwing them away: only a full run is asked to replace.
fn not_replaced(planned: &PlannedEntity, example: &str) -> Fault {
    let id = quoted(&planned.id.to_string());
    let goes_on = match planned.incremental.as_ref().and_then(|i| i.column.as_ref()) {
        Some(_) => format!(
            "`hygge state set {id} --watermark …` says how far what stands there came and keeps \
             it, "
        ),
        None => String::new(),
    };
    Fault::new(
        code::DESTINATION_FOREIGN,
        format!(
            "the first run of {id} would replace {example}, which it didn't write or nothing is \
             remembered of"
        ),
    )
    .with("file", example)
    .advise(format!(
        "{goes_on}`hygge start --full --entity {id}` replaces it by all that the source holds \
         now, or move it away"
    ))
}

fn emptied(planned: &PlannedEntity, state: &EntityState) -> Fault {
    let id = quoted(&planned.id.to_string());
    let (up_to, goes_on) = match &state.watermark {
        Some(mark) => (
            format!(" up to {} = {}", mark.column, mark.value),
            format!(
                ", `hygge state set {id} --watermark {}` goes on from there all the same",
                mark.value
            ),
        ),
        None => Default::default(),
    };
    Fault::new(
        code::STATE_ELSEWHERE,
        format!("{} is empty, but rows{up_to} settled there", state.location),
    )
    .advise(format!(
        "`hygge start --full --entity {id}` loads everything again{goes_on}, or put back what \
         was there; if others pick up what settles there, say `emptied_by_others: true` in the \
         store"
    ))
}

/// What tells the entity's two ends apart from others, as text that a person can read in the
/// state. Paths count from the project's root, so that a project can be moved as a whole.
pub(crate) fn ends(planned: &PlannedEntity, place: &BuildContext, filled: bool) -> Ends {
    let PlannedEntity {
        home,
        home_plan,
        store,
        store_plan,
        ..
    } = planned;
    Ends {
        home: one_end(home, home_plan.place.as_ref(), &home_plan.describe, place),
        store: one_end(
            store,
            store_plan.place.as_ref(),
            &store_plan.describe,
            place,
        ),
        filled,
    }
}

fn one_end(end: &Endpoint, at: Option<&Place>, describe: &str, place: &BuildContext) -> String {
    // A type that covers several formats says which in `format`.
    let settings = end.settings.redacted();
    let form = settings.get("format").and_then(|format| format.as_str());
    let form = form.unwrap_or(&end.kind);
    if let Some(dated) = &end.dated {
        return format!("{form} {dated}");
    }
    let Some(at) = at else {
        return describe.to_owned();
    };
    let root = Place::files(&place.root).to_string();
    let whole = at.to_string();
    let from_root = whole
        .strip_prefix(&root)
        .and_then(|rest| rest.strip_prefix('/'));
    format!("{form} {}", from_root.unwrap_or(&whole))
}
