//! A Store that keeps batches as they came: a file a split, each batch in it an Arrow stream of
//! its own. It stands on the bare bindings and knows no more of Arrow than where a batch says how
//! many rows it has, so that what it is built to is small.

mod files;
mod rows;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs::File;
use std::io::Write;

wit_bindgen::generate!({
    path: "../../../wit/0.1.0",
    world: "hygge:plugin/store-plugin",
    generate_all,
});

use exports::hygge::plugin::{describe, store};
use files::Folder;
use hygge::plugin::types::{Attribute, Entity, Fault, Finding};

const DESCRIPTION: &str = include_str!("describe.json");

/// What can be read without running anything.
#[used]
#[unsafe(link_section = "hygge:describe")]
static SEAL: [u8; DESCRIPTION.len()] = {
    let mut bytes = [0; DESCRIPTION.len()];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = DESCRIPTION.as_bytes()[at];
        at += 1;
    }
    bytes
};

struct Keep;

export!(Keep);

impl describe::Guest for Keep {
    fn describe() -> String {
        DESCRIPTION.to_owned()
    }
}

/// Names of files, one a line: what is remembered, and what `begin` gives.
fn names(lines: &str) -> BTreeSet<String> {
    lines.lines().map(str::to_owned).collect()
}

fn lines(names: &BTreeSet<String>) -> String {
    names.iter().map(|name| format!("{name}\n")).collect()
}

fn remembered(memory: Option<&[u8]>) -> BTreeSet<String> {
    names(&String::from_utf8_lossy(memory.unwrap_or_default()))
}

impl store::Guest for Keep {
    type Writer = Writer;

    fn check(config: String) -> Result<Vec<Finding>, Fault> {
        let folder = Folder::of(&config)?;
        let files = folder.files()?.len();
        Ok(vec![Finding {
            ok: true,
            message: format!("{} holds {files} files", folder.path),
            advice: None,
        }])
    }

    fn inspect(
        config: String,
        _: Entity,
        memory: Option<Vec<u8>>,
    ) -> Result<store::Standing, Fault> {
        let own = remembered(memory.as_deref());
        let example = Folder::of(&config)?.foreign(|file| own.contains(file))?;
        let what = match (&example, own.is_empty()) {
            (Some(_), _) => "foreign",
            (None, true) => "vacant",
            (None, false) => "ours",
        };
        Ok(store::Standing {
            what: what.to_owned(),
            run: None,
            example,
        })
    }

    fn begin(config: String, target: store::Target) -> Result<String, Fault> {
        let folder = Folder::of(&config)?;
        let own = remembered(target.memory.as_deref());
        // A run that is resumed may have committed in part.
        let of_this_run = format!("{}-", target.run);
        let mine = |file: &str| own.contains(file) || file.starts_with(&of_this_run);
        if let Some(file) = folder.foreign(mine)? {
            return Err(fault(
                "destination.foreign",
                format!("{file} is not its own"),
            ));
        }
        folder.stage(&target.run)?;
        Ok(lines(&own))
    }

    fn open_writer(
        config: String,
        target: store::Target,
        _: String,
        split: String,
        attempt: u32,
    ) -> Result<store::Writer, Fault> {
        let name = format!("{}-{split}-{attempt}.arrows", target.run);
        let file = Folder::of(&config)?.create(&target.run, &name)?;
        Ok(store::Writer::new(Writer {
            split,
            attempt,
            name,
            staged: RefCell::new(Staged {
                file,
                rows: 0,
                bytes: 0,
            }),
        }))
    }

    fn commit(
        config: String,
        known: store::CommitRecord,
        receipts: Vec<store::Receipt>,
    ) -> Result<store::Settled, Fault> {
        let folder = Folder::of(&config)?;
        let mut own = BTreeSet::new();
        for receipt in receipts.into_iter().filter(|receipt| receipt.rows > 0) {
            folder.publish(&known.run, &receipt.data)?;
            own.insert(receipt.data);
        }
        let before = names(&known.begun);
        if known.action == "replace" {
            for file in before.difference(&own) {
                folder.remove(file)?;
            }
        } else {
            own.extend(before);
        }
        Ok(store::Settled {
            location: folder.path,
            parts: own.len() as u64,
            memory: Some(lines(&own).into_bytes()),
        })
    }

    fn abort(
        config: String,
        known: store::CommitRecord,
        _: Vec<store::Receipt>,
    ) -> Result<(), Fault> {
        Folder::of(&config)?.unstage(&known.run)
    }

    fn cleanup(config: String, _: Entity, runs: Vec<String>) -> Result<(), Fault> {
        let folder = Folder::of(&config)?;
        runs.iter().try_for_each(|run| folder.unstage(run))
    }
}

struct Staged {
    file: File,
    rows: u64,
    bytes: u64,
}

struct Writer {
    split: String,
    attempt: u32,
    name: String,
    staged: RefCell<Staged>,
}

impl store::GuestWriter for Writer {
    fn write(&self, _: u64, batch: Vec<u8>) -> Result<(), Fault> {
        let mut staged = self.staged.borrow_mut();
        staged.rows += rows::of(&batch).ok_or_else(|| fault("schema", "that is no batch"))?;
        staged.bytes += batch.len() as u64;
        staged.file.write_all(&batch).map_err(failed)
    }

    fn finish(&self) -> Result<store::Receipt, Fault> {
        let staged = self.staged.borrow();
        staged.file.sync_all().map_err(failed)?;
        Ok(store::Receipt {
            split: self.split.clone(),
            attempt: self.attempt,
            rows: staged.rows,
            bytes: staged.bytes,
            data: self.name.clone(),
            attributes: Vec::new(),
        })
    }
}

fn fault(code: &str, message: impl Display) -> Fault {
    Fault {
        code: code.to_owned(),
        message: message.to_string(),
        retryable: false,
        after_ms: None,
        attributes: vec![Attribute {
            name: "advice".to_owned(),
            value: "name an empty folder in one that is granted for writing".to_owned(),
        }],
    }
}

fn failed(error: std::io::Error) -> Fault {
    fault("destination.io", error)
}
