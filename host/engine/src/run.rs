use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use futures::future::{BoxFuture, FutureExt, ready};
use hygge_core::{
    Action, BuildContext, EntityId, Fault, Memory, Registry, Result, RunId, Running, Watermark,
    code,
};
use hygge_project::{OnError, Plan, PlannedEntity, PlannedFlow};
use hygge_state::{Checked, Outcome, RunEntity, RunRecord, StateStore};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::entity::{Moved, Mover};
use crate::history::History;
use crate::shared::Shared;
use crate::veiled::Veiled;
use crate::{Event, Events, StopSignal, Threads, Tuning};

/// What a front end gives a run.
pub struct RunRequest {
    /// The run's id.
    pub run: RunId,
    /// The command line, for the history; without values that may be secret.
    pub command: String,
    /// Every connector there is.
    pub registry: Registry,
    /// Where to remember.
    pub state: Arc<dyn StateStore>,
    /// Whom to tell.
    pub events: Arc<dyn Events>,
    /// Asks the run to stop.
    pub signal: StopSignal,
    /// Sizes.
    pub tuning: Tuning,
    /// The run's threads.
    pub threads: Arc<Threads>,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct RunSummary {
    /// The run.
    pub run: RunId,
    /// Its entities, in plan order.
    pub entities: Vec<EntityResult>,
    /// Seconds it took.
    pub seconds: f64,
    /// Why the history doesn't know how it ended, if it doesn't. The rows are where they are.
    pub unrecorded: Option<Fault>,
}

impl RunSummary {
    /// How many entities ended that way.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.entities
            .iter()
            .filter(|e| e.outcome == outcome)
            .count()
    }
}

/// How an entity ended.
#[derive(Debug, Clone)]
pub struct EntityResult {
    /// The entity.
    pub id: EntityId,
    /// How.
    pub outcome: Outcome,
    /// What was done, when it came that far.
    pub action: Option<Action>,
    /// Rows committed.
    pub rows: u64,
    /// Rows that reached the Store.
    pub rows_staged: u64,
    /// Rows read.
    pub rows_read: u64,
    /// Bytes committed, as stored.
    pub bytes: u64,
    /// Seconds it took.
    pub seconds: f64,
    /// Where the data settled.
    pub location: Option<String>,
    /// The watermark after the run.
    pub watermark: Option<Watermark>,
    /// What went wrong.
    pub fault: Option<Fault>,
    /// Why it was skipped.
    pub reason: Option<String>,
    /// What its checks came to.
    pub checks: Vec<Checked>,
}

/// Runs a plan to its end. Fails only when it can't begin; what happens to entities is in the
/// summary.
pub async fn run(plan: &Plan, request: RunRequest) -> Result<RunSummary> {
    let clock = Instant::now();
    let began = jiff::Timestamp::now();
    let shared = Arc::new(Shared {
        run: request.run.clone(),
        began,
        place: BuildContext {
            run: Some(Running {
                id: request.run.clone(),
                began,
            }),
            ..plan.place.clone()
        },
        options: plan.options.clone(),
        tuning: request.tuning,
        registry: request.registry,
        state: request.state,
        history: History::default(),
        events: Arc::new(Veiled {
            veil: plan.veil.clone(),
            heard: request.events,
        }),
        veil: plan.veil.clone(),
        signal: request.signal,
        threads: request.threads,
        memory: Memory::new(plan.options.memory),
        splits: Arc::new(Semaphore::new(plan.options.concurrency)),
        connections: connections(plan),
    });
    let mut record = RunRecord {
        run: request.run.clone(),
        began,
        ended: None,
        command: request.command,
        hygge: env!("CARGO_PKG_VERSION").to_owned(),
        entities: Vec::new(),
        plugins: Vec::new(),
        pools: Vec::new(),
    };
    shared.state.put_run(&record).await?;
    shared.events.event(&Event::RunStarted {
        run: request.run.clone(),
        entities: plan.entities().count() as u64,
    });
    let mut summary = RunSummary {
        run: request.run.clone(),
        entities: all(&shared, plan).await,
        seconds: 0.0,
        unrecorded: None,
    };
    summary.seconds = clock.elapsed().as_secs_f64();
    record.ended = Some(jiff::Timestamp::now());
    record.entities = summary.entities.iter().map(remembered).collect();
    record.plugins = shared.registry.usage();
    for usage in &record.plugins {
        let usage = usage.clone();
        shared.events.event(&Event::PluginUsed { usage });
    }
    record.pools = shared.registry.pools();
    for usage in &record.pools {
        let usage = usage.clone();
        shared.events.event(&Event::PoolUsed { usage });
    }
    summary.unrecorded = shared.state.put_run(&record).await.err();
    let count = |outcome| summary.count(outcome) as u64;
    shared.events.event(&Event::RunFinished {
        run: request.run,
        passed: count(Outcome::Pass),
        failed: count(Outcome::Fail),
        skipped: count(Outcome::Skip),
        stopped: count(Outcome::Stopped),
        rows: summary.entities.iter().map(|e| e.rows).sum(),
        bytes: summary.entities.iter().map(|e| e.bytes).sum(),
        seconds: summary.seconds,
    });
    Ok(summary)
}

/// For each named connection, how many splits it lets be open.
fn connections(plan: &Plan) -> HashMap<String, Arc<Semaphore>> {
    let mut least: HashMap<&String, usize> = HashMap::new();
    // Those that some split needs two sessions of.
    let mut twice: HashSet<&String> = HashSet::new();
    for planned in plan.entities() {
        if planned.home.connection == planned.store.connection {
            twice.extend(&planned.home.connection);
        }
        let ends = [
            (&planned.home.connection, planned.home_plan.max_open),
            (&planned.store.connection, planned.store_plan.max_open),
        ];
        for (name, most) in ends {
            if let (Some(name), Some(most)) = (name, most) {
                let known = least.entry(name).or_insert(most);
                *known = most.min(*known);
            }
        }
    }
    least
        .into_iter()
        .map(|(name, most)| {
            let least = if twice.contains(name) { 2 } else { 1 };
            (name.clone(), Arc::new(Semaphore::new(most.max(least))))
        })
        .collect()
}

/// Moves every entity, side by side; gives the results in plan order.
async fn all(shared: &Arc<Shared>, plan: &Plan) -> Vec<EntityResult> {
    // Entities under way at once: each may hold files open and splits in mind, so the bound on
    // splits bounds them too.
    let slots = Arc::new(Semaphore::new(shared.options.concurrency));
    let failed = Arc::new(AtomicBool::new(false));
    let flows: HashMap<&str, Arc<FlowEnd>> = plan
        .flows
        .iter()
        .map(|flow| (flow.name.as_str(), Arc::new(FlowEnd::new(flow))))
        .collect();
    let mut tasks = JoinSet::new();
    let mut order = HashMap::new();
    for flow in &plan.flows {
        let own = &flows[flow.name.as_str()];
        // A flow that this run leaves out isn't waited for.
        let after: Vec<Arc<FlowEnd>> = flow
            .after
            .iter()
            .filter_map(|name| flows.get(name.as_str()).cloned())
            .collect();
        for planned in &flow.entities {
            let nth = order.len();
            order.insert(planned.id.clone(), nth);
            // Queued here, not in the task: entities begin in plan order.
            let slot = queue(&slots, after.is_empty());
            let turn = Turn {
                shared: Arc::clone(shared),
                planned: planned.clone(),
                own: Arc::clone(own),
                after: after.clone(),
                failed: Arc::clone(&failed),
            };
            tasks.spawn(turn.take(slot));
        }
    }
    let mut results = tasks.join_all().await;
    results.sort_by_key(|result| order.get(&result.id).copied());
    results
}

/// A slot, when it is free.
type Slot = BoxFuture<'static, Result<OwnedSemaphorePermit, AcquireError>>;

/// Waits for a slot; `now` takes a place in the queue at once, otherwise the first poll does.
fn queue(slots: &Arc<Semaphore>, now: bool) -> Slot {
    let mut slot = Box::pin(Arc::clone(slots).acquire_owned());
    match now.then(|| (&mut slot).now_or_never()).flatten() {
        Some(free) => Box::pin(ready(free)),
        None => slot,
    }
}

/// How a flow ended, for those that wait for it.
struct FlowEnd {
    name: String,
    /// Entities that have not ended, and how those that did ended.
    left: watch::Sender<(usize, End)>,
}

/// How the entities of a flow ended, the worst of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Well,
    Stopped,
    Badly,
}

impl From<Outcome> for End {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Pass => Self::Well,
            Outcome::Stopped => Self::Stopped,
            Outcome::Fail | Outcome::Skip => Self::Badly,
        }
    }
}

impl FlowEnd {
    fn new(flow: &PlannedFlow) -> Self {
        Self {
            name: flow.name.clone(),
            left: watch::Sender::new((flow.entities.len(), End::Well)),
        }
    }

    fn one_ended(&self, end: End) {
        self.left.send_modify(|(left, worst)| {
            *left = left.saturating_sub(1);
            *worst = end.max(*worst);
        });
    }

    async fn ended(&self) -> End {
        let mut left = self.left.subscribe();
        // The sender is `self`, so waiting ends only with the value.
        let ended = left.wait_for(|(left, _)| *left == 0).await;
        ended.map_or(End::Badly, |end| end.1)
    }
}

/// An entity's turn: after the flows it waits for, in one of the slots.
struct Turn {
    shared: Arc<Shared>,
    planned: PlannedEntity,
    own: Arc<FlowEnd>,
    after: Vec<Arc<FlowEnd>>,
    failed: Arc<AtomicBool>,
}

impl Turn {
    async fn take(self, slot: Slot) -> EntityResult {
        let result = self.moved_or_skipped(slot).await;
        self.shared.events.event(&finished(&result));
        self.own.one_ended(result.outcome.into());
        result
    }

    async fn moved_or_skipped(&self, slot: Slot) -> EntityResult {
        for flow in &self.after {
            match flow.ended().await {
                End::Well => {}
                End::Stopped => return self.ended(Outcome::Stopped, 0.0),
                End::Badly => {
                    return self.skipped(format!("flow {} did not succeed", flow.name));
                }
            }
        }
        let Ok(_slot) = slot.await else {
            return self.skipped("the run is over".to_owned());
        };
        if self.shared.signal.is_set() {
            return self.ended(Outcome::Stopped, 0.0);
        }
        if self.shared.options.on_error == OnError::Stop && self.failed.load(Ordering::Acquire) {
            return self.skipped("another entity failed and `on_error` is `stop`".to_owned());
        }
        let clock = Instant::now();
        // A task of its own, so that a panic in it is this entity's failure and no more.
        let checked = Arc::new(OnceLock::new());
        let own = Arc::clone(&checked);
        let mover = Mover::new(Arc::clone(&self.shared), self.planned.clone(), own);
        let moved = tokio::spawn(async move { mover.run().await }).await;
        let seconds = clock.elapsed().as_secs_f64();
        let mut result = match moved {
            Ok(Ok(moved)) => self.passed(moved, seconds),
            // When nobody asked it to, something else ended it, or a plugin says so.
            Ok(Err(fault)) if fault.code == code::STOPPED && self.shared.signal.is_set() => {
                self.ended(Outcome::Stopped, seconds)
            }
            Ok(Err(fault)) => self.failed(fault, seconds),
            Err(died) => self.failed(
                Fault::internal(format!("the entity's task died: {died}")),
                seconds,
            ),
        };
        result.checks = checked.get().cloned().unwrap_or_default();
        result
    }

    fn ended(&self, outcome: Outcome, seconds: f64) -> EntityResult {
        EntityResult {
            id: self.planned.id.clone(),
            outcome,
            action: None,
            rows: 0,
            rows_staged: 0,
            rows_read: 0,
            bytes: 0,
            seconds,
            location: None,
            watermark: None,
            fault: None,
            reason: None,
            checks: Vec::new(),
        }
    }

    fn passed(&self, moved: Moved, seconds: f64) -> EntityResult {
        EntityResult {
            action: Some(moved.action),
            rows: moved.rows,
            rows_staged: moved.rows_staged,
            rows_read: moved.rows_read,
            bytes: moved.bytes,
            location: Some(moved.location),
            watermark: moved.watermark,
            ..self.ended(Outcome::Pass, seconds)
        }
    }

    fn failed(&self, fault: Fault, seconds: f64) -> EntityResult {
        // Before the slot is given up, so that the next in it knows.
        self.failed.store(true, Ordering::Release);
        let mut fault = fault
            .with("flow", &self.planned.id.flow)
            .with("entity", &self.planned.id.entity);
        // The message goes into the history, too.
        self.shared.veil.cover_fault(&mut fault);
        EntityResult {
            fault: Some(fault),
            ..self.ended(Outcome::Fail, seconds)
        }
    }

    fn skipped(&self, reason: String) -> EntityResult {
        EntityResult {
            reason: Some(reason),
            ..self.ended(Outcome::Skip, 0.0)
        }
    }
}

fn finished(result: &EntityResult) -> Event {
    let EntityResult {
        id,
        outcome,
        action,
        rows,
        rows_read,
        bytes,
        seconds,
        ..
    } = result.clone();
    Event::EntityFinished {
        id,
        outcome,
        action,
        rows,
        rows_read,
        bytes,
        seconds,
        location: result.location.clone(),
        watermark: result.watermark.clone(),
        fault: result.fault.clone(),
        reason: result.reason.clone(),
    }
}

fn remembered(result: &EntityResult) -> RunEntity {
    RunEntity {
        id: result.id.clone(),
        outcome: result.outcome,
        action: result.action,
        rows: result.rows,
        rows_staged: Some(result.rows_staged),
        bytes: result.bytes,
        seconds: result.seconds,
        location: result.location.clone(),
        error: match &result.fault {
            Some(fault) => Some(fault.message.clone()),
            None => result.reason.clone(),
        },
        checks: result.checks.clone(),
    }
}
