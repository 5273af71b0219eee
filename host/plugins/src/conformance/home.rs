//! A Home: the same rows twice, from every position, in the sizes that were asked for.

use arrow_array::RecordBatch;
use hygge_core::{Split, SplitPlan};
use serde_json::Value;

use super::calls::{BYTES, Called, Caller, Open, ROWS};
use super::{Sheet, Verdict, Why, rows, unseen, wrong};
use crate::fault::clean;

/// Most splits that are read.
const SPLITS: usize = 20;
/// Rows of a split after which no more are read.
const MOST: usize = 200_000;
/// Most positions that are gone on from, spread over the split.
const POSITIONS: usize = 24;
/// How often a reader may say that nothing has come.
const WAITS: usize = 5;
/// Bytes below which no host asks for less.
const LEAST: u64 = 64 << 10;

/// What was read of one split.
struct Read {
    rows: RecordBatch,
    /// Where the reader was after so many rows.
    positions: Vec<(usize, String)>,
    /// Whether it came to the end.
    whole: bool,
}

pub(super) async fn look(sheet: &mut Sheet<'_>, caller: &Caller) {
    sheet.note("its check finds nothing wrong", check(caller).await);
    sheet.note("its catalog can be read", discover(caller).await);
    let plan = sheet.take(
        "the same source is taken apart the same way twice",
        plan(caller).await,
    );
    let Some(plan) = plan else { return };
    sheet.note(
        "it gives no more splits than it is asked for",
        few(caller).await,
    );
    let read = sheet.take(
        "reading every split twice gives the same rows, in the schema of the plan",
        twice(caller, &plan).await,
    );
    let Some(read) = read else { return };
    sheet.note(
        "a batch is no larger than it was asked for",
        sizes(caller, &plan, &read).await,
    );
    sheet.note(
        "reading on from a position gives exactly the rows after it",
        resume(caller, &plan, &read).await,
    );
    sheet.note(
        "a position can be acknowledged twice",
        acknowledge(caller, &plan).await,
    );
    sheet.note(
        "a reader that is asked to stop stops",
        stop(caller, &plan).await,
    );
    sheet.note(
        "a reader can be dropped before its end",
        dropped(caller, &plan).await,
    );
}

/// The text of a check's findings, or the first that isn't as it should be.
pub(super) fn findings(found: &[crate::contract::types::Finding]) -> Verdict {
    match found.iter().find(|each| !each.ok) {
        Some(bad) => wrong(clean(&bad.message, 500)),
        None => Ok(found
            .iter()
            .map(|each| clean(&each.message, 200))
            .collect::<Vec<_>>()
            .join("; ")),
    }
}

async fn check(caller: &Caller) -> Verdict {
    findings(&caller.home_check().await?)
}

async fn discover(caller: &Caller) -> Verdict {
    let catalog = match caller.discover().await {
        Err(failed) if failed.told => return unseen(failed.to_string()),
        catalog => catalog?,
    };
    match crate::home::discovered(&catalog) {
        Ok(found) => Ok(format!("{} entities", found.len())),
        Err(why) => wrong(format!("it {why}")),
    }
}

async fn plan(caller: &Caller) -> Result<(SplitPlan, String), Why> {
    let first = caller.splits(None).await?;
    let second = caller.splits(None).await?;
    if first.schema != second.schema {
        return wrong("two plans have two schemas");
    }
    let ids = |plan: &SplitPlan| -> Vec<String> {
        plan.splits.iter().map(|split| split.id.0.clone()).collect()
    };
    if ids(&first) != ids(&second) {
        return wrong("two plans have splits with other ids, so none can be kept after a crash");
    }
    let many = first.splits.len();
    Ok((first, format!("{many} splits")))
}

async fn few(caller: &Caller) -> Verdict {
    // More than was asked for is refused where the plan is read.
    caller.splits(Some(1)).await?;
    Ok(String::new())
}

/// Reads what comes of an open reader.
async fn read(reader: &mut Open, most: u32, bytes: u64) -> Called<Read> {
    let (mut batches, mut positions) = (Vec::new(), Vec::new());
    let (mut rows, mut waits, mut whole) = (0, 0, false);
    while rows < MOST && waits < WAITS {
        let Some(gave) = reader.next(most, bytes).await? else {
            whole = true;
            break;
        };
        let Some(batch) = gave.batch else {
            waits += 1;
            continue;
        };
        rows += batch.num_rows();
        batches.push(batch);
        positions.extend(gave.position.map(|position| (rows, position)));
    }
    let rows = rows::joined(&reader.schema, &batches)
        .map_err(|error| hygge_core::Fault::internal(error.clone()))?;
    Ok(Read {
        rows,
        positions,
        whole,
    })
}

async fn open(caller: &Caller, plan: &SplitPlan, split: &Split) -> Result<Open, Why> {
    let reader = caller.open(split, None).await?;
    let id = &split.id.0;
    match crate::columns::same(&plan.schema, &reader.schema) {
        Ok(()) => Ok(reader),
        Err(why) => wrong(format!(
            "the reader of split {id} has another schema: {why}"
        )),
    }
}

async fn twice(caller: &Caller, plan: &SplitPlan) -> Result<(Vec<Read>, String), Why> {
    let mut all = Vec::new();
    for split in plan.splits.iter().take(SPLITS) {
        let first = read(&mut open(caller, plan, split).await?, ROWS, BYTES).await?;
        let second = read(&mut open(caller, plan, split).await?, ROWS, BYTES).await?;
        let (a, b) = (first.rows.num_rows(), second.rows.num_rows());
        if first.rows != second.rows {
            let id = &split.id.0;
            return wrong(format!(
                "split {id}: {a} rows the first time, {b} the second, and not the same ones"
            ));
        }
        all.push(first);
    }
    let rows: usize = all.iter().map(|read| read.rows.num_rows()).sum();
    let mut note = format!("{rows} rows");
    if plan.splits.len() > SPLITS || all.iter().any(|read| !read.whole) {
        note.push_str(", and there are more that weren't looked at");
    }
    if rows == 0 {
        return unseen("it gave no rows; test it on a source that has some");
    }
    Ok((all, note))
}

/// The split with the most rows.
fn largest<'a>(plan: &'a SplitPlan, all: &'a [Read]) -> Result<(&'a Split, &'a Read), Why> {
    let pairs = plan.splits.iter().zip(all);
    match pairs.max_by_key(|(_, read)| read.rows.num_rows()) {
        Some(pair) => Ok(pair),
        None => unseen("there is no split"),
    }
}

async fn sizes(caller: &Caller, plan: &SplitPlan, all: &[Read]) -> Verdict {
    let (split, expected) = largest(plan, all)?;
    let most = u32::try_from(expected.rows.num_rows() / 4).map_or(1, |n| n.clamp(1, 1_000));
    let mut reader = open(caller, plan, split).await?;
    let mut rows = 0;
    while rows < expected.rows.num_rows() {
        // More rows than were asked for are refused where the batch is read.
        let Some(gave) = reader.next(most, LEAST).await? else {
            break;
        };
        let Some(batch) = gave.batch else { continue };
        rows += batch.num_rows();
        if batch.num_rows() > 1 && gave.bytes as u64 > LEAST * 8 {
            let bytes = gave.bytes;
            return wrong(format!(
                "asked for {LEAST} bytes, it gave {bytes} in a batch"
            ));
        }
    }
    Ok(format!("{most} rows at a time"))
}

async fn resume(caller: &Caller, plan: &SplitPlan, all: &[Read]) -> Verdict {
    let mut looked = 0;
    for (split, expected) in plan.splits.iter().zip(all).take(3) {
        if !expected.whole {
            continue;
        }
        // In small batches, so that there are positions between.
        let whole = &expected.rows;
        let most = u32::try_from(whole.num_rows() / 7).map_or(1, |n| n.max(1));
        let small = read(&mut open(caller, plan, split).await?, most, LEAST).await?;
        if small.rows != *whole {
            let id = &split.id.0;
            return wrong(format!("split {id} gives other rows in batches of {most}"));
        }
        let step = small.positions.len().div_ceil(POSITIONS).max(1);
        for (at, position) in small.positions.iter().step_by(step) {
            let mut reader = caller.open(split, Some(position.clone())).await?;
            let rest = read(&mut reader, ROWS, BYTES).await?.rows;
            let wanted = whole.slice(*at, whole.num_rows() - at);
            if rest != wanted {
                let position = clean(position, 100);
                return wrong(format!(
                    "split {}, from position {position:?} after {at} rows: {} rows came, {} were \
                     expected, or they differ",
                    split.id.0,
                    rest.num_rows(),
                    wanted.num_rows()
                ));
            }
            looked += 1;
        }
    }
    match looked {
        0 => unseen("its readers give no positions, or don't come to an end"),
        many => Ok(format!("{many} positions")),
    }
}

async fn acknowledge(caller: &Caller, plan: &SplitPlan) -> Verdict {
    let Some(Value::String(position)) = plan.position.as_ref().map(|position| &position.0) else {
        return unseen("its plan has no position");
    };
    caller.acknowledge(position.clone()).await?;
    caller.acknowledge(position.clone()).await?;
    Ok(String::new())
}

async fn stop(caller: &Caller, plan: &SplitPlan) -> Verdict {
    let (caller, stop) = caller.apart();
    let Some(split) = plan.splits.first() else {
        return unseen("there is no split");
    };
    let mut reader = open(&caller, plan, split).await?;
    stop.set();
    match reader.next(ROWS, BYTES).await {
        Ok(_) => Ok("it went on with a call that is short".to_owned()),
        Err(failed) if failed.told && failed.fault.code == "stopped" => Ok(String::new()),
        Err(failed) => wrong(format!("{failed}; expected is a fault of code `stopped`")),
    }
}

async fn dropped(caller: &Caller, plan: &SplitPlan) -> Verdict {
    let Some(split) = plan.splits.first() else {
        return unseen("there is no split");
    };
    open(caller, plan, split).await?.drop().await?;
    let mut reader = open(caller, plan, split).await?;
    reader.next(1, LEAST).await?;
    reader.drop().await?;
    Ok(String::new())
}
