use std::cmp::Ordering;
use std::io::{BufRead, IsTerminal};
use std::sync::Arc;

use clap::{Args, Subcommand};
use clap_complete::ArgValueCompleter;
use hygge_core::{EntityId, Fault, RunId, Strategy, Watermark, WatermarkType, parse_type, quoted};
use hygge_project::PlannedEntity;
use hygge_state::{EntityLock, EntityState, StateStore};

use super::Ended;
use crate::args::{Global, OutputArgs};
use crate::complaint::{Complaint, Exit};
use crate::console::Console;
use crate::project::{self, Changes};
use crate::table::Table;
use crate::{complete, diagnostics, new_run, recover, registry, runtime, units, unknown, waiting};

const EXAMPLES: &str = "\
Examples:
  hygge state list                             What is remembered, entity by entity
  hygge state show sales.orders                All of one
  hygge state set sales.orders --watermark 2026-01-01T00:00:00
  hygge state reset sales.orders --yes         Forget it; then `start --full` begins anew
  hygge state recover sales.orders             Remember it again, from what was written";

/// Show and mend what hygge remembers between runs
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StateArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List what is remembered of every entity
    List(ListArgs),
    /// Show what is remembered of one entity
    Show(ShowArgs),
    /// Set how far an entity came: the next run goes on from there
    #[command(after_help = SET_EXAMPLES)]
    Set(SetArgs),
    /// Forget how far an entity came; its data stays where it is
    Reset(ResetArgs),
    /// Read back what was written, and remember how far it came
    Recover(RecoverArgs),
}

const SET_EXAMPLES: &str = "\
Examples:
  hygge state set sales.orders --watermark 2026-01-01T00:00:00
  hygge state set sales.lines --watermark 120000 --type integer

Types: integer, date, decimal[SCALE], timestamp[UNIT] or timestamp[UNIT, utc] with s, ms, us or
ns as unit. The type is needed only when nothing is remembered yet. Rows at the value itself
are taken again.";

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// FLOW.ENTITY
    #[arg(add = ArgValueCompleter::new(complete::entities))]
    entity: String,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
struct SetArgs {
    /// FLOW.ENTITY
    #[arg(add = ArgValueCompleter::new(complete::entities))]
    entity: String,
    /// The value, in the form that `state show` has
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    watermark: String,
    /// Its type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
struct ResetArgs {
    /// FLOW.ENTITY
    #[arg(add = ArgValueCompleter::new(complete::entities))]
    entity: String,
    /// Don't ask
    #[arg(long, short)]
    yes: bool,
}

#[derive(Debug, Args)]
struct RecoverArgs {
    /// FLOW.ENTITY
    #[arg(add = ArgValueCompleter::new(complete::entities))]
    entity: String,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn run(args: &StateArgs, global: &Global, console: &Arc<Console>) -> Ended {
    diagnostics::begin(global.verbose, console, None)?;
    match &args.what {
        What::List(args) => list(args, global, console),
        What::Show(args) => show(args, global, console),
        What::Set(args) => set(args, global, console),
        What::Reset(args) => reset(args, global, console),
        What::Recover(args) => recover::run(&args.entity, args.output.json(), global, console),
    }
}

fn list(args: &ListArgs, global: &Global, console: &Arc<Console>) -> Ended {
    let state = project::state_of(&project::root(global)?);
    let runtime = runtime::small()?;
    let all = runtime.block_on(state.list())?;
    let (commits, unfinished) =
        runtime.block_on(waiting::commits(state.as_ref(), global, console))?;
    let unread = all.iter().filter_map(|each| each.as_ref().err());
    let mut unread: Vec<&Fault> = unread.chain(&unfinished).collect();
    // Of a state that can't be read, nobody knows whether its commit waits.
    unread.sort_by(|a, b| a.message.cmp(&b.message));
    unread.dedup_by(|a, b| a.message == b.message);
    let all: Vec<&EntityState> = all.iter().filter_map(|each| each.as_ref().ok()).collect();
    if args.output.json() {
        for each in &all {
            console.out(&format!("{}\n", json(each)?));
        }
        for commit in &commits {
            console.out(&format!("{}\n", commit.json()));
        }
    } else if all.is_empty() && unread.is_empty() && commits.is_empty() {
        console.out("Nothing is remembered yet; the first `hygge start` changes that.\n");
    } else if !all.is_empty() {
        let mut table = Table::new(&["ENTITY", "LAST RUN", "STATUS", ">ROWS", "WATERMARK"]);
        for each in &all {
            table.row(vec![
                format!("{}.{}", each.flow, each.entity).into(),
                units::moment(each.last_run).into(),
                each.status.clone().into(),
                units::count(each.rows_processed).into(),
                each.watermark
                    .as_ref()
                    .map_or("-".to_owned(), |mark| {
                        format!("{} {}", mark.column, mark.value)
                    })
                    .into(),
            ]);
        }
        console.out(&table.show());
    }
    if !args.output.json() {
        let (mut gap, paint) = (!all.is_empty(), console.paint());
        for commit in &commits {
            let gap = if std::mem::take(&mut gap) { "\n" } else { "" };
            let next = paint.strong("next:");
            let (what, advice) = (commit.message(), commit.advice());
            console.out(&format!("{gap}{what}\n{next} {advice}\n"));
        }
    }
    for fault in &unread {
        let complaint = Complaint::from((*fault).clone());
        console.err(&complaint.show(&console.paint_err()));
    }
    Ok(match unread.is_empty() {
        true => Exit::Well,
        false => Exit::Failed,
    })
}

fn show(args: &ShowArgs, global: &Global, console: &Arc<Console>) -> Ended {
    let state = project::state_of(&project::root(global)?);
    let found = known(state.as_ref(), &args.entity, global, console)?;
    print(&found, args.output.json(), console)
}

/// Prints a state, as YAML or JSON.
pub(crate) fn print(state: &EntityState, as_json: bool, console: &Arc<Console>) -> Ended {
    if as_json {
        console.out(&format!("{}\n", json(state)?));
    } else {
        let text = serde_saphyr::to_string(state)
            .map_err(|error| Complaint::failed(format!("can't print the state: {error}")))?;
        console.out(&text);
    }
    Ok(Exit::Well)
}

fn json(state: &EntityState) -> Result<String, Complaint> {
    serde_json::to_string(state).map_err(|error| {
        Complaint::failed(format!(
            "can't print {}.{}: {error}",
            state.flow, state.entity
        ))
    })
}

/// What is remembered under a name that a person typed.
fn known(
    state: &dyn StateStore,
    name: &str,
    global: &Global,
    console: &Arc<Console>,
) -> Result<EntityState, Complaint> {
    let runtime = runtime::small()?;
    if let Some((flow, entity)) = name.split_once('.') {
        let id = EntityId::new(flow, entity);
        if let Some(found) = runtime.block_on(state.load(&id))? {
            return Ok(found);
        }
        let commit = runtime.block_on(waiting::commit(state, &id, global, console))?;
        if let Some(commit) = commit {
            return Err(Complaint::failed(commit.message()).advise(commit.advice()));
        }
    }
    let there: Vec<String> = runtime
        .block_on(state.list())?
        .iter()
        .flatten()
        .map(|each| format!("{}.{}", each.flow, each.entity))
        .collect();
    let of_flow: Vec<&String> = there
        .iter()
        .filter(|each| {
            each.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('.'))
        })
        .collect();
    if !of_flow.is_empty() {
        let names = of_flow.iter().map(|each| each.as_str());
        return Err(Complaint::usage(format!(
            "`{name}` is a flow; what is remembered is of its entities"
        ))
        .advise(format!(
            "choose from {}",
            names.collect::<Vec<_>>().join(", ")
        )));
    }
    if let Some(wrong) = project::not_one_entity(name) {
        return Err(wrong);
    }
    // What is in the project and didn't run yet is no slip.
    if project::load_one(global, name, console).is_ok() {
        return Err(Complaint::usage(format!(
            "nothing is remembered of {name}: it hasn't run yet"
        ))
        .advise(format!("hygge start --entity {}", quoted(name))));
    }
    let mut complaint = unknown::nothing("entity", name, &there);
    complaint.message =
        complaint
            .message
            .replacen("there is no entity", "nothing is remembered of", 1);
    if there.is_empty() {
        complaint.advice = Some("the first `hygge start` remembers something".to_owned());
    }
    Err(complaint)
}

/// Takes an entity for this process, as a run would.
pub(crate) async fn hold(
    state: &dyn StateStore,
    entity: &EntityId,
    run: &RunId,
) -> Result<EntityLock, Complaint> {
    Ok(state.lock(entity, &new_run::holder(run)).await?)
}

fn set(args: &SetArgs, global: &Global, console: &Arc<Console>) -> Ended {
    let (project, planned) = project::load_one(global, &args.entity, console)?;
    let id = &planned.id;
    let state = project::state_of(&project.plan.place.root);
    let (runtime, threads) = runtime::whole()?;
    let cx = runtime::context(&threads, console);
    runtime.block_on(async {
        let run = new_run::id(jiff::Timestamp::now());
        let _lock = hold(state.as_ref(), id, &run).await?;
        let before = state.load(id).await?;
        let watermark = watermark(args, &planned, before.as_ref())?;
        let (registry, place) = (&project.registry, &project.plan.place);
        let state = state.as_ref();
        let set = hygge_engine::set_state(state, registry, place, &planned, watermark, run, &cx);
        let after = set.await?;
        if args.output.json() {
            return print(&after, true, console);
        }
        if let Some(mark) = &after.watermark {
            let until_now = before.as_ref().and_then(|state| state.watermark.as_ref());
            let until_now = until_now.filter(|was| was.column == mark.column);
            console.out(&goes_on(&planned, until_now, mark));
            if let Some(warning) = hygge_engine::in_the_future(mark, jiff::Timestamp::now()) {
                let word = console.paint_err().warn("warning:");
                console.err(&format!("{word} {warning}\n"));
            }
        }
        Ok(Exit::Well)
    })
}

/// From where the next run goes on, and what becomes of rows that it skips, or that earlier runs
/// took and it takes again.
fn goes_on(planned: &PlannedEntity, was: Option<&Watermark>, now: &Watermark) -> String {
    let (id, column, value) = (&planned.id, &now.column, &now.value);
    let merges = planned.incremental.as_ref().map(|how| how.strategy) == Some(Strategy::Merge);
    let forward = was.and_then(|was| {
        let from = was.kind.convert(was.ordinal().ok()?, now.kind)?;
        Some(from.cmp(&now.ordinal().ok()?))
    });
    let place = format!("{id} goes on from {column} = {value} at its next incremental run");
    let (head, range) = match (was, forward) {
        (Some(was), Some(Ordering::Less)) => {
            return format!(
                "{place}; until now it was {}.\nRows in between that it has not taken yet are \
                 skipped.\n",
                was.value
            );
        }
        (_, Some(Ordering::Equal)) => (format!("{place}, as before.\n"), "Rows at that value"),
        (Some(was), Some(Ordering::Greater)) => {
            let head = format!("{place}; until now it was {}.\n", was.value);
            (head, "Rows in between")
        }
        _ => (format!("{place}.\n"), "Rows from there on"),
    };
    match merges {
        true => format!("{head}{range} are taken again and replace those with their key.\n"),
        false => format!(
            "{head}{range} are taken again; any that are already in its store would stand there \
             twice.\n"
        ),
    }
}

/// The watermark that was typed, in the type that is known or named.
fn watermark(
    args: &SetArgs,
    planned: &PlannedEntity,
    before: Option<&EntityState>,
) -> Result<Watermark, Complaint> {
    let id = &planned.id;
    let Some(column) = planned
        .incremental
        .as_ref()
        .and_then(|how| how.column.clone())
    else {
        return Err(
            Complaint::usage(format!("{id} follows no watermark column"))
                .advise("say `incremental: {column: …}` in its home first"),
        );
    };
    let known = before.and_then(|state| state.watermark.as_ref());
    let known = known.filter(|mark| mark.column == column);
    let by_hand = before.is_some_and(typed_by_hand);
    let kind = match (&args.kind, known) {
        (Some(text), _) => {
            let kind = WatermarkType::try_from(text.clone())
                .map_err(|why| Complaint::usage(why).advise(KINDS))?;
            // What a person said of it, a person may correct; a run finds out whether it is true.
            let bound = known.filter(|known| !by_hand && !alike(known.kind, kind));
            if let Some(known) = bound {
                let (known, id) = (known.kind, quoted(&id.to_string()));
                return Err(Complaint::usage(format!(
                    "{column} is of type {known}, and not {kind}"
                ))
                .advise(format!(
                    "leave --type out; if the column is of another type now, `hygge state \
                             reset {id}` forgets the old one first"
                )));
            }
            kind
        }
        (None, Some(mark)) => mark.kind,
        (None, None) => {
            return Err(Complaint::usage(format!(
                "nothing is known of the type of {column} in {id} yet"
            ))
            .advise(format!("add --type; {KINDS}")));
        }
    };
    let ordinal = kind.ordinal(&args.watermark).map_err(|fault| {
        let other = match args.kind.is_none() && by_hand {
            true => "; --type says it when the column is of another type",
            false => "",
        };
        Complaint::usage(fault.message).advise(format!("write it like {}{other}", kind.show(0)))
    })?;
    Ok(Watermark {
        column,
        value: kind.show(ordinal),
        kind,
    })
}

/// Whether the type of a watermark is a person's word alone: the columns that a run left say nothing
/// of the kind.
fn typed_by_hand(state: &EntityState) -> bool {
    let Some(mark) = state.watermark.as_ref().filter(|_| state.status == "set") else {
        return false;
    };
    let mut columns = state.columns.0.iter();
    let left = columns.find(|(name, _)| *name == mark.column);
    let left = left.and_then(|(name, kind)| WatermarkType::of(name, &parse_type(kind)?).ok());
    left.is_none_or(|left| !alike(left, mark.kind))
}

/// Whether values of two types are of one column, perhaps in other units.
fn alike(one: WatermarkType, two: WatermarkType) -> bool {
    use WatermarkType as T;
    match (one, two) {
        (T::Timestamp { utc: one, .. }, T::Timestamp { utc: two, .. }) => one == two,
        (T::Decimal { .. }, T::Decimal { .. }) => true,
        _ => one == two,
    }
}

const KINDS: &str = "types are integer, date, decimal[SCALE], timestamp[us] and \
                     timestamp[us, utc] (with s, ms, us or ns)";

fn reset(args: &ResetArgs, global: &Global, console: &Arc<Console>) -> Ended {
    let root = project::root(global)?;
    let state = project::state_of(&root);
    let small = runtime::small()?;
    let id = anything(state.as_ref(), &args.entity, global, console)?;
    let (intent, attempt) =
        small.block_on(async { (state.intent(&id).await, state.attempt(&id).await) });
    let intent = intent.ok().flatten();
    let rows = intent
        .as_ref()
        .map(|intent| units::rows(intent.record.rows));
    if !args.yes && !agreed(&id, rows.as_deref(), console)? {
        console.out("Nothing was changed.\n");
        return Ok(Exit::Well);
    }
    let (registry, _) = registry::with_plugins(&root);
    let place = project::place(&root);
    // Secrets of where it was staged, if there are any, stand there only.
    let staged = intent.is_some() || matches!(attempt, Ok(Some(_)));
    let planned = staged.then(|| project::load_one(global, &args.entity, console).ok());
    let planned = planned.flatten().map(|(_, planned)| planned);
    let (runtime, threads) = runtime::whole()?;
    let cx = runtime::context(&threads, console);
    let left = runtime.block_on(async {
        let run = new_run::id(jiff::Timestamp::now());
        let state = state.as_ref();
        let _lock = hold(state, &id, &run).await?;
        let left = hygge_engine::forget(state, &registry, &place, &id, planned.as_ref(), &cx);
        Ok::<_, Complaint>(left.await?)
    })?;
    if let Some(left) = left {
        let word = console.paint_err().warn("warning:");
        let why = Complaint::from(left).line_of_text();
        console.err(&format!(
            "{word} what was staged of {id} is still there: {why}\n"
        ));
    }
    let project = project::load(global, &Changes::default(), console).ok();
    let next = match project.is_none_or(|project| project.plan.has(&id)) {
        true => format!(
            "Next: hygge start --full --entity {named} begins anew; for one that follows a \
             watermark, hygge state recover {named} reads it back from its data\n",
            named = quoted(&id.to_string())
        ),
        false => String::new(),
    };
    let given_up = rows.map_or_else(String::new, |rows| {
        format!("Its commit of {rows}, which waited to be finished, is given up.\n")
    });
    console.out(&format!(
        "{id} is forgotten; its data stays where it is.\n{given_up}{next}"
    ));
    Ok(Exit::Well)
}

/// The entity of that name, if there is anything to forget about it: also what was left half
/// done, or can't be read any more.
fn anything(
    state: &dyn StateStore,
    name: &str,
    global: &Global,
    console: &Arc<Console>,
) -> Result<EntityId, Complaint> {
    if let Some((flow, entity)) = name.split_once('.') {
        let id = EntityId::new(flow, entity);
        let there = runtime::small()?.block_on(async {
            !matches!(state.load(&id).await, Ok(None))
                || !matches!(state.intent(&id).await, Ok(None))
                || !matches!(state.attempt(&id).await, Ok(None))
        });
        if there {
            return Ok(id);
        }
    }
    let known = known(state, name, global, console)?;
    Ok(EntityId::new(known.flow, known.entity))
}

fn agreed(id: &EntityId, decided: Option<&str>, console: &Arc<Console>) -> Result<bool, Complaint> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(
            Complaint::usage(format!("forgetting {id} needs a yes")).advise(format!(
                "hygge state reset {} --yes",
                quoted(&id.to_string())
            )),
        );
    }
    let also = decided.map_or_else(String::new, |rows| {
        format!(", and give up its commit of {rows} that waits to be finished")
    });
    console.err(&format!("Forget how far {id} came{also}? [y/N] "));
    let mut answer = String::new();
    // No answer is a no.
    drop(stdin.lock().read_line(&mut answer));
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
