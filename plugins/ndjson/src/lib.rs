#![doc = include_str!("../README.md")]

mod folder;
mod writer;
mod zones;

use std::collections::BTreeSet;
use std::path::PathBuf;

use hygge_sdk::{
    CommitRecord, Config, Entity, Fault, Finding, Receipt, Result, Settled, Standing, Store,
    Target, code,
};
use serde::{Deserialize, Serialize};

use folder::{Folder, staging};
use writer::Lines;

/// Writes rows as NDJSON files: one JSON object a line.
#[derive(Debug, Deserialize, Config)]
#[serde(deny_unknown_fields)]
pub struct Ndjson {
    /// The folder, in one that is granted for writing.
    path: String,
    /// Whether a value that is null is written, as `null`, instead of left out.
    #[serde(default)]
    nulls: bool,
}

/// What a receipt says of a staged split: its file, none without rows.
#[derive(Debug, Serialize, Deserialize)]
struct Part {
    file: Option<String>,
}

/// What the next run is told: the files that are this entity's own.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Memory {
    files: BTreeSet<String>,
}

impl Memory {
    fn read(bytes: Option<&[u8]>) -> Result<Self> {
        let Some(bytes) = bytes else {
            return Ok(Self::default());
        };
        serde_json::from_slice(bytes).map_err(|error| broken("what was remembered", &error))
    }
}

/// What `begin` hands to `commit`: which files are the entity's own so far.
#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    own: BTreeSet<String>,
}

impl Ndjson {
    fn folder(&self) -> Result<Folder> {
        Folder::new(PathBuf::from(&self.path))
    }
}

impl Store for Ndjson {
    type Writer = Lines;

    const LOCATION: Option<&'static str> = Some("path");
    const ABILITIES: &'static [&'static str] = &["append", "replace"];

    fn check(&self) -> Result<Vec<Finding>> {
        let folder = self.folder()?;
        folder.probe()?;
        let data = folder.data()?.len();
        Ok(vec![Finding::good(match data {
            0 => format!("{} can be written", self.path),
            some => format!("{} can be written, {some} files are in it", self.path),
        })])
    }

    fn inspect(&self, _: &Entity, memory: Option<&[u8]>) -> Result<Standing> {
        let own = Memory::read(memory)?.files;
        let found = self.folder()?.data()?;
        if let Some(example) = found.iter().find(|file| !own.contains(*file)) {
            return Ok(Standing::Foreign {
                example: example.clone(),
            });
        }
        Ok(if own.is_empty() {
            Standing::Vacant
        } else {
            Standing::Ours
        })
    }

    fn begin(&self, target: &Target) -> Result<String> {
        let folder = self.folder()?;
        let own = Memory::read(target.memory.as_deref())?.files;
        // A run that is resumed may have committed in part: its files are nobody else's.
        let of_this_run = format!("{}-", target.run);
        let foreign = folder
            .data()?
            .into_iter()
            .find(|file| !own.contains(file) && !file.starts_with(&of_this_run));
        if let Some(file) = foreign {
            let message = format!(
                "{} holds {file}, which no run of this entity wrote",
                self.path
            );
            return Err(Fault::new(code::DESTINATION_FOREIGN, message)
                .with("file", file)
                .advise("name an empty folder, or move what is in this one"));
        }
        folder.create(&staging(&target.entity, &target.run))?;
        json(&Begun { own })
    }

    fn open_writer(&self, target: &Target, _: &str, split: &str, attempt: u32) -> Result<Lines> {
        let staging = self.folder()?.within(&staging(&target.entity, &target.run));
        let name = format!("{}-{split}-{attempt}.ndjson", target.run);
        Lines::create(&staging, name, self.nulls)
    }

    fn commit(&self, record: &CommitRecord, receipts: &[Receipt]) -> Result<Settled> {
        let folder = self.folder()?;
        let begun: Begun =
            serde_json::from_str(&record.begun).map_err(|e| broken("what `begin` gave", &e))?;
        let mut new = BTreeSet::new();
        for receipt in receipts {
            let part: Part =
                serde_json::from_str(&receipt.data).map_err(|e| broken("a receipt", &e))?;
            new.extend(part.file);
        }
        let staged = staging(&record.entity, &record.run);
        for file in &new {
            folder.publish(&staged, file)?;
        }
        // Renames are durable before what they replace goes.
        folder.sync()?;
        let mut own = new;
        if record.action == "replace" {
            for file in begun.own.difference(&own) {
                folder.remove(file)?;
            }
            folder.sync()?;
        } else {
            own.extend(begun.own);
        }
        Ok(Settled {
            location: self.path.clone(),
            parts: own.len() as u64,
            memory: Some(json(&Memory { files: own })?.into_bytes()),
        })
    }

    fn cleanup(&self, entity: &Entity, runs: &[String]) -> Result<()> {
        let folder = self.folder()?;
        for run in runs {
            folder.remove_all(&staging(entity, run))?;
        }
        folder.tidy(entity)
    }
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| broken("what is to be kept", &error))
}

fn broken(what: &str, error: &serde_json::Error) -> Fault {
    Fault::new(code::PLUGIN, format!("{what} can't be understood: {error}"))
}

hygge_sdk::export! {
    name: "ndjson-wasm",
    summary: "Writes NDJSON files into a granted folder",
    store: Ndjson,
}

#[cfg(test)]
mod tests;
