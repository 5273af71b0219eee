//! One entity of one run: the order in which things are read, staged, made durable and made
//! visible. docs/architecture.md draws it; each named point below is one at which the crash
//! tests kill the process.

mod begin;
mod failure;
mod splits;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arrow_schema::SchemaRef;
use hygge_core::failpoint::hit;
use hygge_core::{
    About, Action, Bound as _, Changes, Coming, Context, Fault, Home, Mode, Result, SplitPlan,
    SplitRequest, Store, Strategy, Target, Watermark, code,
};
use hygge_project::PlannedEntity;
use hygge_state::{Checked, Holder};

use crate::attempt;
use crate::brought::Brought;
use crate::chain::Chain;
use crate::checks::Checks;
use crate::commit::Ended;
use crate::increment;
use crate::making;
use crate::progress::Progress;
use crate::retry::Retries;
use crate::shared::{Lent, Shared};
use crate::start::{self, Start};
use crate::traced::Making;
use crate::window::{Follow, Taken};
use crate::{Event, check, commit, drift, empty, met, recover};

/// What moving an entity came to.
#[derive(Debug)]
pub(crate) struct Moved {
    pub(crate) action: Action,
    pub(crate) rows: u64,
    pub(crate) rows_staged: u64,
    pub(crate) rows_read: u64,
    pub(crate) bytes: u64,
    pub(crate) location: String,
    pub(crate) watermark: Option<Watermark>,
}

/// One entity on its way.
pub(crate) struct Mover {
    pub(crate) shared: Arc<Shared>,
    pub(crate) planned: PlannedEntity,
    pub(crate) progress: Arc<Progress>,
    lent: Lent,
    /// What the Store was told that is coming, once it was.
    target: OnceLock<Target>,
    /// What the checks came to, for whoever tells of the entity.
    checked: Arc<OnceLock<Vec<Checked>>>,
}

impl Mover {
    pub(crate) fn new(
        shared: Arc<Shared>,
        planned: PlannedEntity,
        checked: Arc<OnceLock<Vec<Checked>>>,
    ) -> Self {
        let progress = Arc::new(Progress::new(
            planned.id.clone(),
            Arc::clone(&shared.events),
        ));
        let lent = Lent::new(&shared, &progress);
        Self {
            shared,
            planned,
            progress,
            lent,
            target: OnceLock::new(),
            checked,
        }
    }

    /// Moves the entity, holding its lock until nothing of it runs any more.
    pub(crate) async fn run(&self) -> Result<Moved> {
        let holder = Holder {
            run: self.shared.run.clone(),
            pid: std::process::id(),
            host: recover::host_name(),
            since: jiff::Timestamp::now(),
        };
        let lock = self.shared.state.lock(&self.planned.id, &holder).await?;
        hit("entity.locked")?;
        let mut moved = self.locked().await;
        if let Err(Early::Undone(fault)) = &moved {
            // Once: what undoes a commit twice in a row isn't mended by a third time.
            self.lent.quiet().await?;
            self.progress.begin_anew();
            self.note(true, recover::moved_again(fault));
            moved = self.locked().await;
        }
        let result = match moved {
            Ok(moved) => Ok(moved),
            Err(Early::Empty(why)) => self.empty(&why).await,
            Err(Early::Undone(fault)) => {
                Err(fault.advise("nothing of it was written: run `hygge start` again"))
            }
            Err(Early::Failed(fault)) => Err(fault),
        };
        self.lent.quiet().await?;
        if let Err(fault) = &result
            && let Err(left) = self.after_failure(fault).await
            && left.message != fault.message
        {
            // What went wrong before is the news.
            self.note(
                true,
                format!("what was staged isn't thrown away yet: {left}"),
            );
        }
        drop(lock);
        result
    }

    async fn locked(&self) -> Result<Moved, Early> {
        let cx = self.context();
        recover::finish(&self.shared, &self.planned, &cx).await?;
        let (home, store) = self.build()?;
        let start = self.start(store.as_ref(), &cx);
        let start = self.shared.signal.or_stopped(start).await?;
        let chain = Chain::build(&self.shared.registry, &self.planned, &self.shared.place)?;
        let split = self.split(home.as_ref(), &start, chain.whole(), &cx).await;
        let (start, plan) = match split {
            // Only of a home that was asked for changes: what a plugin says steers nothing.
            Err(Early::Failed(fault))
                if fault.code == code::POSITION_LOST
                    && start::changes(&self.planned, start.action) == Changes::Since =>
            {
                self.note(true, format!("{}: all rows are read again", fault.message));
                let start = start.anew();
                let again = self.split(home.as_ref(), &start, chain.whole(), &cx);
                let plan = again.await?;
                (start, plan)
            }
            plan => (start, plan?),
        };
        let followed = self.follow(&start, &plan).await?;
        let bound = chain.bind(&plan.schema, &cx);
        let bound = self.shared.signal.or_stopped(bound).await?;
        let incremental = self.planned.incremental.as_ref();
        let merge = bound.traced().merge(incremental, &plan)?;
        let before = self.shared.state.memory(&self.planned.id, making::MEMORY);
        let made = bound.traced().made();
        let how = (&*made, merge.as_ref());
        let making = making::same(&self.planned, &start, &plan.schema, how, before.await?)?;
        let schema = bound.schema();
        drop(bound);
        let chain = chain.merged(merge.as_ref());
        let key = merge.as_ref().map_or(&[][..], |merge| &merge.key);
        let (chain, schema) = self
            .settling(store.as_ref(), &start, (chain, schema), key, &cx)
            .await?;
        let leaves = Arc::clone(&schema);
        let (chain, schema) = self.met(&start, chain, schema, &made)?;
        if let Some(merge) = merge.as_ref().filter(|_| leaves != schema) {
            merge.stays(&schema)?;
        }
        let checks = self.checks(&schema)?;
        let anew = attempt::anew(&self.planned, &self.shared.registry);
        let (registry, bounds) = (&self.shared.registry, start.bounds.as_ref());
        let digest = attempt::digest(registry, &self.planned, start.action, bounds, &plan);
        let begun = attempt::begin(
            &self.shared,
            &self.planned,
            start.action,
            &plan,
            digest,
            anew,
        )
        .await?;
        let (target, begun) = self
            .begin(store.as_ref(), &start, &plan, (schema, merge), begun, &cx)
            .await?;
        drop(cx);

        let (follow, before) = match followed {
            Some((follow, before)) => (Some(follow), before),
            None => (None, Vec::new()),
        };
        let pipeline = self.pipeline(
            Arc::clone(&home),
            (chain, Arc::clone(&checks)),
            Arc::clone(&store),
            &target,
            start.bounds.clone(),
            follow.clone(),
        );
        let (done, seen) = self
            .move_splits(pipeline, &plan, begun, follow.as_deref())
            .await?;

        let cx = self.context();
        let ended = Ended {
            done,
            seen,
            before,
            follow,
            target,
            checks,
            making,
        };
        let (moved, position) = self
            .commit(store.as_ref(), &start, plan, ended, &cx)
            .await?;
        if let Some(position) = &position {
            home.acknowledge(position, &cx).await?;
            hit("entity.acknowledged")?;
        }
        commit::tidy(store.as_ref(), &self.planned.id, &cx).await;
        hit("entity.cleaned")?;
        Ok(moved)
    }

    /// An empty source, where that is allowed: a full run replaces what stands, an incremental
    /// one finds nothing new.
    async fn empty(&self, why: &str) -> Result<Moved> {
        let mut moved = Moved {
            action: Action::Append,
            rows: 0,
            rows_staged: 0,
            rows_read: 0,
            bytes: 0,
            location: recover::location(&self.shared.registry, &self.planned),
            watermark: None,
        };
        let (full, cx) = (self.planned.mode == Mode::Full, self.context());
        let shared = &self.shared;
        let counting = Checks::of_nothing(&shared.registry, &self.planned, &shared.place)?;
        let strategy = self.planned.incremental.as_ref().map(|each| each.strategy);
        let action = match strategy {
            _ if full => Action::Replace,
            Some(Strategy::Merge | Strategy::ChangeTracking) => Action::Upsert,
            _ => Action::Append,
        };
        self.judge(&counting, Vec::new(), 0, action, &cx).await?;
        if full {
            let (_, store) = self.build()?;
            let replaced = empty::replace(&self.shared, &self.planned, store.as_ref(), &cx);
            if let Some(state) = replaced.await? {
                let now = "what stood at the destination gave way to an empty data set";
                self.note(true, format!("{why}; {now}"));
                moved.action = Action::Replace;
                moved.location = state.location;
                return Ok(moved);
            }
        }
        self.note(true, format!("{why}; nothing was moved"));
        Ok(moved)
    }

    fn context(&self) -> Context {
        self.lent.context(&self.shared.memory)
    }

    fn build(&self) -> Result<(Arc<dyn Home>, Arc<dyn Store>)> {
        recover::build(&self.shared.registry, &self.planned, &self.shared.place)
    }

    /// Decides what this run does, and makes sure that it fits what stands at the destination.
    async fn start(&self, store: &dyn Store, cx: &Context) -> Result<Start> {
        let shared = &self.shared;
        let start = start::decide(&self.planned, &shared.place, shared.state.as_ref()).await?;
        if let Some(known) = start::compare(&self.planned, &start, store, cx).await? {
            self.note(false, known);
        }
        for warning in &start.warnings {
            self.note(true, warning.clone());
        }
        Ok(start)
    }

    /// Takes the source apart.
    async fn split(
        &self,
        home: &dyn Home,
        start: &Start,
        whole: bool,
        cx: &Context,
    ) -> Result<SplitPlan, Early> {
        let single = whole || self.planned.store_plan.capabilities.single;
        let state = self.shared.state.as_ref();
        let request = SplitRequest {
            max_splits: single.then_some(1),
            ..start::request(&self.planned, start, state).await?
        };
        let retries = self.retries("plan".to_owned());
        let split = retries.run(|_| home.splits(&request, cx));
        let plan = self.shared.signal.or_stopped(split).await;
        let plan = match plan {
            Err(fault) if fault.code == code::SOURCE_MISSING && self.planned.allow_empty => {
                return Err(Early::Empty(fault.message));
            }
            Err(fault) if fault.code == code::SOURCE_MISSING => {
                return Err(Early::Failed(match &self.planned.filled_by {
                    Some(filler) if !filler.planned => fault.advise(check::goes_first(filler)),
                    _ => fault,
                }));
            }
            plan => plan?,
        };
        match empty::columns(&self.planned, start.action, &plan.schema) {
            Err(fault) if self.planned.allow_empty => {
                return Err(Early::Empty(fault.message));
            }
            looked => looked?,
        }
        start::no_operations(&self.planned, start.action, &plan.schema)?;
        if whole && plan.splits.len() > 1 {
            let message = "a home gave several splits where one was asked for";
            return Err(Early::Failed(Fault::internal(message)));
        }
        for warning in &plan.warnings {
            self.note(true, warning.clone());
        }
        self.progress.left_out(plan.without_watermark);
        Ok(plan)
    }

    /// The checks, bound to what reaches the Store.
    fn checks(&self, schema: &SchemaRef) -> Result<Arc<Checks>> {
        let shared = &self.shared;
        let bound = Checks::bind(&shared.registry, &self.planned, &shared.place, schema)?;
        Ok(Arc::new(bound))
    }

    /// What the checks say of rows that are all staged; a failure that isn't only told ends it.
    pub(crate) async fn judge(
        &self,
        checks: &Checks,
        seen: Vec<serde_json::Value>,
        rows: u64,
        action: Action,
        cx: &Context,
    ) -> Result<()> {
        if checks.is_empty() {
            return Ok(());
        }
        let state = self.shared.state.as_ref();
        let (history, id) = (&self.shared.history, &self.planned.id);
        let before = history.rejects(state, id).await?;
        checks.forget(before, &self.shared.place, cx).await?;
        let about = About {
            rows,
            began: self.shared.began,
            earlier: history.counts(state, id).await?.of(action).to_vec(),
        };
        let mut checked = checks.judge(seen, &about, cx).await?;
        for each in &mut checked {
            // What it found goes into the history, too.
            self.shared.veil.cover(&mut each.check);
            each.why
                .iter_mut()
                .for_each(|why| self.shared.veil.cover(why));
        }
        self.shared.events.event(&Event::Checked {
            id: self.planned.id.clone(),
            checks: checked.clone(),
        });
        let refusal = checks.refusal(&checked);
        // Once a run.
        drop(self.checked.set(checked));
        refusal.map_or(Ok(()), Err)
    }

    /// What checks found that only warn.
    pub(crate) fn warned(&self) -> Vec<String> {
        let checked = self.checked.get().into_iter().flatten();
        let warned = checked.filter_map(|each| each.why.clone());
        warned.collect()
    }

    /// Without the columns that a table doesn't have, where these are left out: they are neither checked
    /// nor remembered.
    async fn settling(
        &self,
        store: &dyn Store,
        start: &Start,
        (chain, schema): (Chain, SchemaRef),
        key: &[String],
        cx: &Context,
    ) -> Result<(Chain, SchemaRef)> {
        let leaves_out = drift::leaves_out(&self.planned, &self.shared.registry);
        if !leaves_out || schema.fields().is_empty() {
            return Ok((chain, schema));
        }
        let coming = Coming {
            entity: &self.planned.id,
            schema: &schema,
            key,
            action: start.action,
            policy: self.planned.on_schema_change,
            memory: start.memory.as_deref(),
        };
        let left = self.shared.signal.or_stopped(store.suits(&coming, cx));
        let left = left.await?.unwrap_or_default();
        if left.is_empty() {
            return Ok((chain, schema));
        }
        let to = &self.planned.store_plan.describe;
        let told = format!("{to} has no column for {}: left out", left.join(", "));
        self.note(true, told);
        let settles = met::without(&schema, &left.iter().map(String::as_str).collect());
        let last = Arc::new(Brought(Arc::clone(&settles)));
        Ok((chain.then("on_schema_change", last), settles))
    }

    /// Other columns than in the last run: told, and met as the store says.
    fn met(
        &self,
        start: &Start,
        chain: Chain,
        schema: SchemaRef,
        made: &[Making],
    ) -> Result<(Chain, SchemaRef)> {
        let before = drift::before(&self.planned, &self.shared.place, start.state.as_ref());
        let policy = self.planned.on_schema_change;
        let table = drift::table(&self.planned, &self.shared.registry);
        let Some((changes, met)) = met::meet(policy, before, &schema, table)? else {
            return Ok((chain, schema));
        };
        met::some_left(&met, &schema, made)?;
        self.shared.events.event(&Event::SchemaChanged {
            id: self.planned.id.clone(),
            warning: met.warning,
            message: met.message,
            changes,
        });
        Ok(match met.schema {
            None => (chain, schema),
            Some(schema) => {
                let last = Arc::new(Brought(Arc::clone(&schema)));
                (chain.then("on_schema_change", last), schema)
            }
        })
    }

    async fn follow(
        &self,
        start: &Start,
        plan: &SplitPlan,
    ) -> Result<Option<(Arc<Follow>, Vec<Taken>)>> {
        // Also a full run of an entity that is usually incremental says where the next one
        // goes on.
        let Some(incremental) = &self.planned.incremental else {
            return Ok(None);
        };
        let window = self.shared.state.memory(&self.planned.id, "window").await?;
        increment::follow(
            incremental,
            start.action,
            start.low.as_ref(),
            window.as_deref(),
            &plan.schema,
        )
    }

    pub(crate) fn note(&self, warning: bool, message: String) {
        self.shared.events.event(&Event::Note {
            id: self.planned.id.clone(),
            warning,
            message,
        });
    }

    /// Tries that people hear of.
    fn retries(&self, split: String) -> Retries<'static> {
        let (events, id) = (Arc::clone(&self.shared.events), self.planned.id.clone());
        let told = move |attempt, fault: &Fault, wait| {
            events.event(&Event::Retrying {
                id: id.clone(),
                split: split.clone(),
                attempt,
                fault: fault.clone(),
                wait_ms: millis(wait),
            });
        };
        Retries::new(self.shared.options.retries, told).until(self.shared.signal.clone())
    }
}

/// Why a run of an entity ends early. No code of a fault says the first two: faults come from
/// connectors and plugins as well, and what stands gives way to nothing.
pub(crate) enum Early {
    /// The source is empty, and that is allowed.
    Empty(String),
    /// Its commit didn't come about, and nothing of it is left.
    Undone(Fault),
    Failed(Fault),
}

impl From<Fault> for Early {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

fn millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}
