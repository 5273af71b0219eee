use std::path::Path;
use std::sync::Arc;

use clap::Args;
use hygge_core::{EntityId, Mode, RunId};
use hygge_engine::{RunRequest, RunSummary, StopSignal, Tuning};
use hygge_project::Plan;
use hygge_state::{LocalState, Outcome};

use super::Ended;
use crate::args::{Global, Output, OutputArgs, SelectArgs, VarArgs};
use crate::complaint::{Complaint, Exit};
use crate::console::Console;
use crate::desk::Desk;
use crate::project::{self, Changes, Project};
use crate::render::{Json, Live, Plain, Quiet, Renderer, Scene};
use crate::run_log::RunLog;
use crate::waiting::Orphans;
use crate::{diagnostics, dry_run, new_run, runtime, schema_files, signals};

const EXAMPLES: &str = "\
Examples:
  hygge start                                  Move everything
  hygge start --flow sales,crm                 ... of two flows
  hygge start --entity 'sales.order*'          ... of some entities
  hygge start --full --flow sales              Take everything again and replace what is there
  hygge start --dry-run                        Say what would run; write nothing
  hygge start --var flow.sales.store.compression=snappy
  hygge start --output json | jq .event        One JSON event a line (docs/events.md)

Ctrl-C once lets the run put its work away; twice stops at once. Either way the next run
goes on from there.";

/// Move data: all of it, or the flows and entities you name
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StartArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// Take everything and replace what is there, whatever the configuration says
    #[arg(long, conflicts_with = "incremental")]
    full: bool,
    /// Take only what is new, whatever the configuration says
    #[arg(long)]
    incremental: bool,
    /// Say what would run, and create nothing in the project; only sources whose columns transforms
    /// change are opened, and servers are asked what `tables` stands for
    #[arg(long)]
    dry_run: bool,
    /// Splits open at once, over the whole run
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: Option<u16>,
    /// Decode what is copied, and compare it with what was promised
    #[arg(long)]
    verify: bool,
    /// Most bytes of Arrow in a batch; for docs/benchmarks.md
    #[arg(long, hide = true, default_value_t = Tuning::default().batch_bytes)]
    batch_bytes: usize,
    /// Most bytes between a reader and its writer; for docs/benchmarks.md
    #[arg(long, hide = true, default_value_t = Tuning::default().queue_bytes)]
    queue_bytes: usize,
    #[command(flatten)]
    vars: VarArgs,
    /// Print only what failed
    #[arg(long, short, conflicts_with = "verbose")]
    quiet: bool,
    #[command(flatten)]
    output: OutputArgs,
}

impl StartArgs {
    fn changes(&self) -> Changes {
        Changes {
            vars: self.vars.vars.clone(),
            selection: self.select.selection(),
            mode: match (self.full, self.incremental) {
                (true, _) => Some(Mode::Full),
                (_, true) => Some(Mode::Incremental),
                _ => None,
            },
            concurrency: self.concurrency.map(usize::from),
        }
    }
}

pub(crate) fn run(args: &StartArgs, global: &Global, console: &Arc<Console>) -> Ended {
    let mut changes = args.changes();
    // Where a server is away, a dry run can say something all the same.
    let load = match args.dry_run {
        true => project::load_as_far,
        false => project::load_found,
    };
    let mut project = load(global, &changes, console)?;
    if args.verify {
        changes.vars.extend(verifying(&project.plan));
        project = project.again(&changes, console)?;
    }
    let state = project::state_of(&project.plan.place.root);
    let orphans = runtime::small()?.block_on(Orphans::of(&project.plan, state.as_ref()))?;
    let said = orphans.complaints().map(|each| each.line_of_text());
    project.plan.warnings.extend(said);
    if args.dry_run {
        diagnostics::begin(global.verbose, console, None)?;
        return dry_run::show(&project, args.output.json(), console);
    }
    let gone = orphans.discard(&project, state.as_ref(), console)?;
    project.plan.warnings.extend(gone);
    go(&project, args, global, console)
}

/// `--verify` is the setting `verify` of every store that takes data as it is stored; the others
/// decode anyway.
fn verifying(plan: &Plan) -> Vec<String> {
    plan.entities()
        .filter(|entity| entity.store_plan.capabilities.encoded.is_some())
        .map(|entity| {
            let EntityId { flow, entity } = &entity.id;
            format!("flow.\"{flow}\".entities.\"{entity}\".store.verify=true")
        })
        .collect()
}

/// As `hygge start` without options, in a project that was just written.
pub(crate) fn everything(root: &Path, global: &Global, console: &Arc<Console>) -> Ended {
    let global = Global {
        project: Some(root.to_owned()),
        verbose: global.verbose,
    };
    let args = StartArgs {
        select: SelectArgs::default(),
        full: false,
        incremental: false,
        dry_run: false,
        concurrency: None,
        verify: false,
        batch_bytes: Tuning::default().batch_bytes,
        queue_bytes: Tuning::default().queue_bytes,
        vars: VarArgs { vars: Vec::new() },
        quiet: false,
        output: OutputArgs {
            output: Output::Text,
        },
    };
    run(&args, &global, console)
}

fn go(project: &Project, args: &StartArgs, global: &Global, console: &Arc<Console>) -> Ended {
    let run = new_run::id(jiff::Timestamp::now());
    let work = &project.plan.place.work;
    let log = Arc::new(RunLog::begin(work, &run, project.plan.veil.clone())?);
    diagnostics::begin(global.verbose, console, Some(&log))?;
    schema_files::write_if_missing(&project.plan.place.root);
    for warning in &project.plan.warnings {
        tracing::warn!("{warning}");
    }
    if !args.quiet && !args.output.json() {
        project.warn(console);
    }

    let (runtime, threads) = runtime::whole()?;
    let live = console.draws()
        && !args.quiet
        && !args.output.json()
        && !global.verbose
        && std::env::var_os("HYGGE_LOG").is_none();
    let scene = scene(project, &run, global, console);
    let renderer = renderer(scene, args, live.then_some(console));
    let desk = Arc::new(Desk::open(
        renderer,
        Arc::clone(console),
        Arc::clone(&log),
        live,
    ));
    let signal = StopSignal::default();
    let request = RunRequest {
        run,
        command: new_run::command(std::env::args().skip(1)),
        registry: project.registry.clone(),
        state: Arc::new(LocalState::open(work, Arc::clone(&threads) as _)),
        events: Arc::clone(&desk) as _,
        signal: signal.clone(),
        tuning: Tuning {
            batch_bytes: args.batch_bytes,
            queue_bytes: args.queue_bytes,
        },
        threads,
    };
    let ended = runtime.block_on(async {
        signals::listen(
            signal.clone(),
            Arc::clone(console),
            "the next `hygge start` recovers",
        )?;
        Ok::<_, Complaint>(hygge_engine::run(&project.plan, request).await?)
    });
    // Whatever happened, what was said comes first.
    desk.close();
    console.drew();
    let warning = console.paint_err().warn("warning:");
    if let Some(why) = log.failure() {
        console.err(&format!("{warning} {why}\n"));
    }
    let summary = ended?;
    if let Some(why) = &summary.unrecorded {
        console.err(&format!(
            "{warning} `hygge runs` won't know how this run ended: {why}\n"
        ));
    }
    Ok(outcome(&summary, signal.is_set()))
}

fn renderer(scene: Scene, args: &StartArgs, live: Option<&Arc<Console>>) -> Box<dyn Renderer> {
    match (args.output.json(), args.quiet, live) {
        (true, quiet, _) => Box::new(Json::new(quiet)),
        (false, true, _) => Box::new(Quiet::new(scene)),
        (false, false, Some(console)) => {
            let live = Live::new(scene);
            console.draw_below(live.lines());
            Box::new(live)
        }
        (false, false, None) => Box::new(Plain::new(scene)),
    }
}

fn scene(project: &Project, run: &RunId, global: &Global, console: &Console) -> Scene {
    Scene {
        project: project.plan.name.clone(),
        origins: project
            .plan
            .entities()
            .map(|entity| (entity.id.clone(), entity.origin.to_string()))
            .collect(),
        log: project::shown(&project.plan.place.work.join("runs").join(run.as_str()))
            + "/log.jsonl",
        paint: console.paint(),
        width: console.width(),
        verbose: global.verbose,
    }
}

fn outcome(summary: &RunSummary, interrupted: bool) -> Exit {
    let any = |outcome| summary.count(outcome) > 0;
    if any(Outcome::Stopped) || (interrupted && any(Outcome::Skip)) {
        Exit::Interrupted
    } else if any(Outcome::Fail) || any(Outcome::Skip) {
        Exit::Failed
    } else {
        Exit::Well
    }
}
