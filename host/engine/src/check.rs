use std::collections::{BTreeMap, BTreeSet};

use arrow_schema::SchemaRef;
use hygge_core::{
    Action, Bound as _, Coming, Context, Discovered, EntityId, Fault, Finding, Home, Registry,
    Result, RunId, SplitRequest, Standing, Store, code, quoted,
};
use hygge_project::{Filler, Plan, PlannedEntity};
use hygge_state::StateStore;

use crate::chain::Chain;
use crate::checks::Checks;
use crate::recover::build;
use crate::start::{self, Start};
use crate::traced::{Making, Merge};
use crate::{drift, empty, increment, making, met, preview};

/// What `hygge debug` found out about one entity.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The entity.
    pub id: EntityId,
    /// About its Home.
    pub home: Vec<Finding>,
    /// About what happens between the two: transforms, keys, changed columns, checks.
    pub between: Vec<Finding>,
    /// About its Store.
    pub store: Vec<Finding>,
    /// The flow that goes first and fills its Home, which has nothing to read yet.
    pub waits: Option<String>,
}

impl Checked {
    /// Whether everything is as it should be.
    pub fn ok(&self) -> bool {
        let all = self.home.iter().chain(&self.between).chain(&self.store);
        all.into_iter().all(|finding| finding.ok)
    }
}

/// Opens every Home and Store of the plan, looks, and binds them to each other as a run would;
/// moves nothing.
pub async fn check(
    plan: &Plan,
    registry: &Registry,
    state: &dyn StateStore,
    cx: &Context,
) -> Vec<Checked> {
    let mut checked = Vec::new();
    for planned in plan.entities() {
        let each = match build(registry, planned, &plan.place) {
            Ok((home, store)) => {
                let mut each = Checked {
                    id: planned.id.clone(),
                    home: home.check(cx).await.unwrap_or_else(found),
                    between: Vec::new(),
                    store: store.check(cx).await.unwrap_or_else(found),
                    waits: None,
                };
                if each.home.iter().any(|finding| !finding.ok)
                    && let Some(filler) = &planned.filled_by
                    && nothing_yet(home.discover(cx).await)
                {
                    let (home, flow) = (&planned.home_plan.describe, &filler.flow);
                    if filler.planned {
                        each.home = vec![Finding::good(format!("{home}: flow {flow} writes it"))];
                        each.waits = Some(flow.clone());
                    } else {
                        let bad = each.home.iter_mut().filter(|finding| !finding.ok);
                        bad.for_each(|finding| finding.advice = Some(goes_first(filler)));
                    }
                }
                if each.ok() {
                    let bound = Rehearsal {
                        plan,
                        planned,
                        registry,
                        state,
                        cx,
                    };
                    bound.all(home.as_ref(), store.as_ref(), &mut each).await;
                }
                each
            }
            Err(fault) => Checked {
                id: planned.id.clone(),
                home: found(fault),
                between: Vec::new(),
                store: Vec::new(),
                waits: None,
            },
        };
        checked.push(each);
    }
    checked
}

/// What to do about a source that a flow outside of this run is yet to write.
pub(crate) fn goes_first(filler: &Filler) -> String {
    let flow = &filler.flow;
    let run = quoted(flow);
    format!("flow {flow} writes it: run `hygge start --flow {run}` first")
}

fn nothing_yet<T>(looked: Result<T>) -> bool {
    looked.is_err_and(|fault| fault.code == code::SOURCE_MISSING)
}

/// What a run does before rows move, without leaving anything behind.
pub(crate) struct Rehearsal<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) planned: &'a PlannedEntity,
    pub(crate) registry: &'a Registry,
    pub(crate) state: &'a dyn StateStore,
    pub(crate) cx: &'a Context,
}

impl Rehearsal<'_> {
    async fn all(&self, home: &dyn Home, store: &dyn Store, checked: &mut Checked) {
        let start = match self.start(store).await {
            Ok(Ok(start)) => start,
            // What is remembered after it isn't known yet.
            Ok(Err(run)) => {
                let waits = format!(
                    "the next run finishes the commit of run {run} first, and looks then at what \
                     stands there"
                );
                return checked.store.push(Finding::good(waits));
            }
            Err(fault) => return checked.store.extend(found(fault)),
        };
        if checked.waits.is_some() {
            return;
        }
        let arriving = match self.next(home, &start).await {
            Ok(Some(next)) => self.reaches(next, &start),
            Ok(None) => return,
            Err(stop) => Err(stop),
        };
        let arriving = match arriving {
            Ok(arriving) => arriving,
            Err(Stop::Home(fault)) => return checked.home.extend(self.would_be(fault).await),
            Err(Stop::Between(fault)) => {
                return checked.between.extend(self.would_be(fault).await);
            }
        };
        if let Err(fault) = self.suits(store, &arriving, &start).await {
            checked.store.extend(self.would_be(fault).await);
        }
    }

    /// What is found of the columns that the source has now. Where a flow of the same run writes others
    /// before, they are nothing that a run stops at.
    async fn would_be(&self, fault: Fault) -> Vec<Finding> {
        match self.planned.filled_by.as_ref() {
            Some(filler) if filler.planned && self.changes(filler).await => {
                vec![Finding::good(format!(
                    "flow {} goes first and writes other columns; as the source is now, {}",
                    filler.flow, fault.message
                ))]
            }
            _ => found(fault),
        }
    }

    /// Whether a flow, or one before it, may write other columns than stand there.
    async fn changes(&self, filler: &Filler) -> bool {
        let mut seen = BTreeSet::new();
        let mut before = vec![filler];
        while let Some(filler) = before.pop() {
            if !seen.insert(&filler.flow) {
                continue;
            }
            let mut flows = self.plan.flows.iter();
            let flow = flows.find(|flow| flow.name == filler.flow);
            for entity in flow.iter().flat_map(|flow| &flow.entities) {
                let drift = drift(self.plan, entity, self.registry, self.state, self.cx);
                let same = |drift: &drift::Drift| drift.run.is_some() && drift.changes.is_empty();
                if !drift.await.is_ok_and(|drift| same(&drift)) {
                    return true;
                }
                before.extend(entity.filled_by.iter().filter(|filler| filler.planned));
            }
        }
        false
    }

    /// Where a run would begin; or the run whose commit it would finish before.
    async fn start(&self, store: &dyn Store) -> Result<Result<Start, RunId>> {
        let intent = self.state.intent(&self.planned.id).await?;
        let (planned, place) = (self.planned, &self.plan.place);
        // What is known already may stop a run once that commit is finished.
        let start = preview::begins(planned, place, self.state, intent.as_ref()).await?;
        if let Some(intent) = intent {
            return Ok(Err(intent.record.run));
        }
        // What it may say besides isn't about what is wrong.
        let _known = start::compare(self.planned, &start, store, self.cx).await?;
        if start.action == Action::Replace {
            self.stands_alone(&start, store).await?;
        }
        Ok(Ok(start))
    }

    /// No Store replaces what others wrote, unless it was told to.
    async fn stands_alone(&self, start: &Start, store: &dyn Store) -> Result<()> {
        let id = &self.planned.id;
        let standing = store.inspect(id, start.memory.as_deref(), self.cx);
        match standing.await? {
            Standing::Foreign {
                example,
                adopted: false,
            } => Err(Fault::new(
                code::DESTINATION_FOREIGN,
                format!("hygge didn't write {example} for {id}, and a run would replace it"),
            )
            .advise(
                "move it away, settle elsewhere, or say `adopt: true` in the store to take it over",
            )),
            _ => Ok(()),
        }
    }

    /// What reaches the Store, past all that a run looks at before rows move.
    pub(crate) fn reaches(&self, next: Next, start: &Start) -> Result<Arriving, Stop> {
        if let Some(stop) = next.unfit {
            return Err(stop);
        }
        let schema = self.brought(next.schema, next.merge.as_ref(), &next.made, start);
        Ok(Arriving {
            schema: schema.map_err(Stop::Between)?,
            key: next.merge.unwrap_or_default().key,
        })
    }

    /// What becomes of the columns that reach the Store; see [`Store::suits`]. Refuses those that it
    /// can't take at all.
    pub(crate) async fn suits(
        &self,
        store: &dyn Store,
        arriving: &Arriving,
        start: &Start,
    ) -> Result<Option<Vec<String>>> {
        store.fits(&arriving.schema)?;
        let coming = Coming {
            entity: &self.planned.id,
            schema: &arriving.schema,
            key: &arriving.key,
            action: start.action,
            policy: self.planned.on_schema_change,
            memory: start.memory.as_deref(),
        };
        let left = store.suits(&coming, self.cx).await?;
        if drift::leaves_out(self.planned, self.registry) {
            let left = left.iter().flatten().map(String::as_str).collect();
            let settles = met::without(&arriving.schema, &left);
            Checks::bind(self.registry, self.planned, &self.plan.place, &settles)?;
        }
        Ok(left)
    }

    fn brought(
        &self,
        leaves: SchemaRef,
        merge: Option<&Merge>,
        made: &[Making],
        start: &Start,
    ) -> Result<SchemaRef> {
        let planned = self.planned;
        let before = drift::before(planned, &self.plan.place, start.state.as_ref());
        let table = drift::table(planned, self.registry);
        let met = met::meet(planned.on_schema_change, before, &leaves, table)?;
        if let Some((_, met)) = &met {
            met::some_left(met, &leaves, made)?;
        }
        let brought = met.and_then(|(_, met)| met.schema);
        if let (Some(merge), Some(brought)) = (merge, &brought) {
            merge.stays(brought)?;
        }
        let schema = brought.unwrap_or(leaves);
        Checks::bind(self.registry, planned, &self.plan.place, &schema)?;
        Ok(schema)
    }

    /// What a run that begins there would get; none when the source is empty, and may be.
    pub(crate) async fn next(&self, home: &dyn Home, start: &Start) -> Result<Option<Next>, Stop> {
        let planned = self.planned;
        let incremental = planned.incremental.as_ref();
        let request = SplitRequest {
            // Changes that can't be gone on from are no reason to stop: all is read again.
            changes: start::changes(planned, Action::Replace),
            ..start::request(planned, start, self.state).await?
        };
        let splits = match home.splits(&request, self.cx).await {
            Err(fault) if fault.code == code::SOURCE_MISSING && planned.allow_empty => {
                return Ok(None);
            }
            splits => splits?,
        };
        match empty::columns(planned, start.action, &splits.schema) {
            Err(_) if planned.allow_empty => return Ok(None),
            looked => looked?,
        }
        start::no_operations(planned, Action::Replace, &splits.schema)?;
        let mut unfit = None;
        if let Some(incremental) = incremental {
            let window = self.state.memory(&planned.id, "window").await?;
            let (low, window) = (start.low.as_ref(), window.as_deref());
            let followed =
                increment::follow(incremental, start.action, low, window, &splits.schema);
            unfit = followed.err();
        }
        let chain = Chain::build(self.registry, planned, &self.plan.place)?;
        let bound = match chain.bind(&splits.schema, self.cx).await {
            Ok(bound) => bound,
            Err(fault) => return Err(unfit.map_or(Stop::Between(fault), Stop::Home)),
        };
        let merge = bound.traced().merge(incremental, &splits);
        let before = self.state.memory(&planned.id, making::MEMORY).await?;
        let made = bound.traced().made();
        let merged = merge.and_then(|merge| {
            let how = (&*made, merge.as_ref());
            making::same(planned, start, &splits.schema, how, before)?;
            Ok(merge)
        });
        let (merge, refused) = match merged {
            Ok(merge) => (merge, None),
            Err(fault) => (None, Some(fault)),
        };
        Ok(Some(Next {
            schema: bound.schema(),
            merge,
            made,
            unfit: unfit.map(Stop::Home).or(refused.map(Stop::Between)),
        }))
    }
}

/// What a run would get.
pub(crate) struct Next {
    /// The schema that leaves the last transform.
    pub(crate) schema: SchemaRef,
    merge: Option<Merge>,
    /// How its columns are made.
    made: Vec<Making>,
    /// Why it would stop, although that is known.
    unfit: Option<Stop>,
}

/// What reaches the Store.
pub(crate) struct Arriving {
    pub(crate) schema: SchemaRef,
    /// By which columns it is merged.
    key: Vec<String>,
}

/// Where it would stop before that is known.
pub(crate) enum Stop {
    Home(Fault),
    Between(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Home(fault)
    }
}

impl Stop {
    pub(crate) fn fault(self) -> Fault {
        match self {
            Self::Home(fault) | Self::Between(fault) => fault,
        }
    }
}

fn found(fault: Fault) -> Vec<Finding> {
    let advice = fault.advice.unwrap_or_default();
    vec![Finding::bad(fault.message, advice)]
}

/// What an entity's Home could read.
#[derive(Debug)]
pub enum Found {
    /// These.
    There(Vec<Discovered>),
    /// Nothing yet: that flow goes first and writes it.
    Waits(String),
    /// It can't be looked at.
    Failed(Fault),
}

/// What each entity's Home could read.
pub async fn discover(plan: &Plan, registry: &Registry, cx: &Context) -> Vec<(EntityId, Found)> {
    let mut all = Vec::new();
    // Connections that couldn't be made: each is tried once.
    let mut away: BTreeMap<&str, Fault> = BTreeMap::new();
    for planned in plan.entities() {
        let connection = planned.home.connection.as_deref();
        let discovered = match build(registry, planned, &plan.place) {
            Ok((home, _)) => match connection.and_then(|name| away.get(name)) {
                Some(fault) => Err(fault.clone()),
                None => home.discover(cx).await,
            },
            Err(fault) => Err(fault),
        };
        if let (Err(fault), Some(name)) = (&discovered, connection)
            && fault.retryable
        {
            away.insert(name, fault.clone());
        }
        let found = match (discovered, &planned.filled_by) {
            (Ok(there), _) => Found::There(there),
            (Err(fault), Some(filler)) if fault.code == code::SOURCE_MISSING => {
                match filler.planned {
                    true => Found::Waits(filler.flow.clone()),
                    false => Found::Failed(fault.advise(goes_first(filler))),
                }
            }
            (Err(fault), _) => Found::Failed(fault),
        };
        all.push((planned.id.clone(), found));
    }
    all
}
