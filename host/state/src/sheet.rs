//! What stands in an entity's state file: YAML that people can read, and mend if they must.

use std::collections::BTreeMap;
use std::path::Path;

use hygge_core::{Action, EntityId, Fault, Position, Result, RunId, Watermark, code, quoted};
use serde::{Deserialize, Serialize};

use crate::{Columns, Ends, EntityState, seal};

/// The format written by this version.
const VERSION: u32 = 1;

/// Levels of lists and maps that a position or window may have.
const DEEPEST: usize = 24;

const HEADER: &str = "# What hygge remembers of this entity; `hygge state` shows and changes it.\n";

/// A state file: the state, and what the local files need besides.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sheet {
    pub(crate) state: EntityState,
    /// The run whose attempt and intent ended with this state. Files of that run that are
    /// still there, or there again after a power cut, count as gone.
    pub(crate) closed: Option<RunId>,
    pub(crate) memories: References,
}

/// The memories of a state or intent, by name.
pub(crate) type References = BTreeMap<String, Reference>;

/// A file that holds a memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reference {
    /// Its name, in the state file's folder.
    pub(crate) file: String,
    /// Its length.
    pub(crate) bytes: u64,
    /// XXH3 of its content, 128 bits, as hexadecimal digits.
    pub(crate) xxh3: String,
}

/// The keys in the order people read them.
#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    flow: &'a str,
    entity: &'a str,
    status: &'a str,
    last_run: jiff::Timestamp,
    run_id: &'a RunId,
    rows_processed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    watermark: Option<&'a Watermark>,
    location: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends: Option<&'a Ends>,
    action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<&'a Position>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<&'a serde_json::Value>,
    #[serde(skip_serializing_if = "Columns::is_empty")]
    columns: &'a Columns,
    #[serde(skip_serializing_if = "Columns::is_empty")]
    columns_before: &'a Columns,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<&'a RunId>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    memories: &'a References,
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// What is read beside the state. The text is read twice and not through one flattened type:
/// that would read every scalar untyped, and take `value: 2013-01-01` typed by a person amiss.
#[derive(Deserialize)]
struct Besides {
    version: u32,
    #[serde(default)]
    closed: Option<RunId>,
    #[serde(default)]
    memories: References,
}

impl Sheet {
    pub(crate) fn write(&self) -> Result<Vec<u8>> {
        // Taken apart by name, so that a new key of the state can't be forgotten here.
        let EntityState {
            flow,
            entity,
            last_run,
            run_id,
            status,
            watermark,
            rows_processed,
            position,
            location,
            ends,
            action,
            window,
            columns,
            columns_before,
        } = &self.state;
        check_depth("position", position.as_ref().map(|p| &p.0))?;
        check_depth("window", window.as_ref())?;
        let written = Written {
            version: VERSION,
            flow,
            entity,
            status,
            last_run: *last_run,
            run_id,
            rows_processed: *rows_processed,
            watermark: watermark.as_ref(),
            location,
            ends: ends.as_ref(),
            action: *action,
            position: position.as_ref(),
            window: window.as_ref(),
            columns,
            columns_before,
            closed: self.closed.as_ref(),
            memories: &self.memories,
        };
        let yaml = serde_saphyr::to_string(&written).map_err(|e| {
            Fault::internal(format!("can't write the state of {flow}.{entity}: {e}"))
        })?;
        Ok(seal::yaml(format!("{HEADER}{yaml}")).into_bytes())
    }

    /// Reads a state file. `entity` is whose it should be; without one, it may be anyone's.
    pub(crate) fn read(path: &Path, content: &[u8], entity: Option<&EntityId>) -> Result<Self> {
        let text = std::str::from_utf8(content).map_err(|e| {
            let good = &content[..e.valid_up_to()];
            let line = good.iter().filter(|b| **b == b'\n').count() + 1;
            damaged(path, Some(line as u64), "not UTF-8", advice(entity))
        })?;
        if text.trim().is_empty() {
            return Err(damaged(path, None, "it is empty", advice(entity)));
        }
        // The version first: a newer format needn't have any of the other keys.
        let besides: Result<Besides> = parse(path, text, entity);
        let version = match &besides {
            Ok(besides) => besides.version,
            Err(_) => parse::<Versioned>(path, text, entity)?.version,
        };
        if version > VERSION {
            return Err(Fault::new(
                code::STATE,
                format!(
                    "{} is in format {version}; this hygge reads formats up to {VERSION}",
                    path.display()
                ),
            )
            .with("file", path.display())
            .advise("use the hygge that wrote it, or a newer one"));
        }
        let state: EntityState = parse(path, text, entity)?;
        let Besides {
            closed, memories, ..
        } = besides?;
        if let Some(entity) = entity
            && (entity.flow != state.flow || entity.entity != state.entity)
        {
            let found = EntityId::new(state.flow, state.entity);
            return Err(misplaced(path, &found, Some(entity)));
        }
        if let Some(watermark) = &state.watermark {
            watermark
                .ordinal()
                .map_err(|f| damaged(path, line_of(text, "value:"), &f.message, advice(entity)))?;
        }
        // Last: what a person who mends it needs first is the line that can't be read.
        seal::check_yaml(text).map_err(|why| {
            let advice = format!("{}; {}", seal::vouch(), advice(entity));
            damaged(path, None, &why, advice)
        })?;
        Ok(Self {
            state,
            closed,
            memories,
        })
    }
}

/// Refuses what couldn't be read back. Called before the intent is stored as well: once the
/// commit is done it would be too late.
pub(crate) fn check_depth(what: &str, value: Option<&serde_json::Value>) -> Result<()> {
    let mut level: Vec<&serde_json::Value> = value.into_iter().collect();
    // One level more than lists and maps: what is in the innermost.
    for _ in 0..=DEEPEST + 1 {
        if level.is_empty() {
            return Ok(());
        }
        level = level
            .into_iter()
            .flat_map(|value| match value {
                serde_json::Value::Array(items) => items.iter().collect(),
                serde_json::Value::Object(map) => map.values().collect(),
                _ => Vec::new(),
            })
            .collect();
    }
    Err(Fault::internal(format!(
        "a {what} is nested deeper than {DEEPEST} levels"
    )))
}

fn parse<'a, T: Deserialize<'a>>(
    path: &Path,
    text: &'a str,
    entity: Option<&EntityId>,
) -> Result<T> {
    // hygge wrote the file: bounds against hostile YAML would only refuse long positions. But
    // the reader recurses, so that something nested without end must not get that far.
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 2 * DEEPEST,
            max_events: usize::MAX,
            max_nodes: usize::MAX,
            max_total_scalar_bytes: usize::MAX,
        },
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let line = error.location().map(|l| l.line());
        let why = error.without_snippet().to_string();
        let first = why.lines().next().unwrap_or_default();
        damaged(path, line, first, advice(entity))
    })
}

fn line_of(text: &str, what: &str) -> Option<u64> {
    let at = text
        .lines()
        .position(|l| l.trim_start().starts_with(what))?;
    Some(at as u64 + 1)
}

/// A file that should hold a record and doesn't. Never the same as no file: forgetting a state
/// would take every row a second time.
pub(crate) fn damaged(path: &Path, line: Option<u64>, why: &str, advice: String) -> Fault {
    let place = line.map_or_else(String::new, |l| format!(":{l}"));
    let fault = Fault::new(
        code::STATE,
        format!("{}{place} can't be read: {why}", path.display()),
    )
    .with("file", path.display())
    .advise(advice);
    match line {
        Some(line) => fault.with("line", line),
        None => fault,
    }
}

/// A state file that isn't where the entity it names would have it.
pub(crate) fn misplaced(path: &Path, found: &EntityId, wanted: Option<&EntityId>) -> Fault {
    let wanted = wanted.map_or_else(
        || "of the entity it is named for".into(),
        |w| format!("of {w}"),
    );
    Fault::new(
        code::STATE,
        format!(
            "{} holds the state of {found}, not {wanted}",
            path.display()
        ),
    )
    .with("file", path.display())
    .advise(
        "give one of the two another name if they differ only in capitals and this file system \
         doesn't tell those apart; otherwise put the right file back",
    )
}

fn advice(entity: Option<&EntityId>) -> String {
    let Some(name) = entity else {
        return "put the file back from a copy, or mend it; if it is lost, remove it, then `hygge \
                state recover FLOW.ENTITY` finds out what the destination can tell"
            .to_owned();
    };
    let name = quoted(&name.to_string());
    format!(
        "put the file back from a copy, or mend it; if it is lost, `hygge state reset {name} \
         --yes` forgets it, then `hygge start --full --entity {name}` takes everything anew, or, \
         of an entity that follows a watermark, `hygge state recover {name}` finds out what the \
         destination can tell"
    )
}
