//! What stands at a destination, and what is said of what shouldn't.

use std::path::Path;

use hygge_core::{EntityId, Fault, Result, RunId, code};

use super::destination::{Destination, Shape};
use super::memory::Memory;
use super::own::{self, Found, Own};
use super::{mark, within};
use crate::config::Format;

/// What stands at the destination, as far as hygge's own files go.
#[derive(Debug)]
pub(super) struct Look {
    /// What was remembered.
    pub(super) memory: Memory,
    pub(super) ours: Own,
    pub(super) gone: Vec<String>,
    pub(super) foreign: Vec<Found>,
    /// Every foreign file carries this entity's mark; the latest run that left one.
    pub(super) marked: Option<Option<RunId>>,
}

pub(super) fn look(
    destination: &Destination,
    resolved: &Path,
    format: Format,
    entity: &EntityId,
    memory: Option<&[u8]>,
) -> Result<Look> {
    let memory = memory.map(Memory::decode).transpose()?.unwrap_or_default();
    let found = match destination.shape {
        Shape::Folder => own::list(resolved)?,
        Shape::File => own::single(resolved)?,
    };
    let sorted = own::sort(resolved, format, found, &memory.own)?;
    let mut marked = None;
    for file in &sorted.foreign {
        // Each run's files have names of their own. A single file has the same one always, so
        // there this may as well be an older state.
        if destination.shape == Shape::Folder && changed(file, &memory) {
            marked = None;
            break;
        }
        match mark::read(&within(resolved, &file.path), format) {
            Some((owner, run)) if owner == *entity => {
                marked = Some(run.max(marked.flatten()));
            }
            _ => {
                marked = None;
                break;
            }
        }
    }
    Ok(Look {
        memory,
        ours: sorted.ours,
        gone: sorted.gone,
        foreign: sorted.foreign,
        marked,
    })
}

/// The fault for something that no run of this entity wrote. Text carries no mark, so where
/// nothing is remembered it may as well be the entity's own.
pub(super) fn foreign(path: &Path, entity: &EntityId, perhaps_own: bool) -> Fault {
    let fault = Fault::new(
        code::DESTINATION_FOREIGN,
        if perhaps_own {
            format!(
                "{} was not written by hygge for {entity}, or the state of {entity} was lost",
                path.display()
            )
        } else {
            format!("{} was not written by hygge for {entity}", path.display())
        },
    );
    fault.with("file", path.display()).advise(if perhaps_own {
        "move it away or give the store another `path`; if it is the entity's own, set \
             `adopt: true`, and run with `--full` or say with `hygge state set` where to go on"
    } else {
        "move it away, give the store another `path`, or set `adopt: true` to take it over"
    })
}

/// Whether it has the place of a file that an earlier run wrote, and isn't as that left it.
pub(super) fn changed(file: &Found, memory: &Memory) -> bool {
    file.key().is_some_and(|key| memory.own.0.contains_key(key))
}

pub(super) fn edited(path: &Path) -> Fault {
    let path = path.display();
    Fault::new(
        code::DESTINATION_FOREIGN,
        format!("{path} was changed since an earlier run wrote it"),
    )
    .with("file", path)
    .advise("move it away, or set `adopt: true` to take it over as it is now")
}

/// What is said of own files that are gone from where they were.
pub(super) fn gone(destination: &Path, gone: &[String]) -> Option<String> {
    let (first, more) = gone.split_first()?;
    let first = within(destination, first.as_ref());
    let first = first.display();
    Some(match more.len() {
        0 => format!("{first}, written by an earlier run, is gone"),
        1 => format!("{first} and another file, written by earlier runs, are gone"),
        more => format!("{first} and {more} other files, written by earlier runs, are gone"),
    })
}

pub(super) fn lost_state(destination: &Path, run: Option<&RunId>) -> Fault {
    let run = run.map_or_else(String::new, |run| format!(" (run {run})"));
    Fault::new(
        code::STATE_LOST,
        format!(
            "{} holds rows of an earlier run{run} that nothing is remembered of",
            destination.display()
        ),
    )
    .with("file", destination.display())
    .advise(
        "`hygge state recover` reads the state back from it; `--full` replaces it; \
         `hygge state set` says where to go on",
    )
}
