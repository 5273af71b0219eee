//! {{summary}}.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use hygge_sdk::{
    CommitRecord, Config, Entity, Fault, Finding, Receipt, RecordBatch, Result, Settled, Staged,
    Standing, Store, Target, Writer, code, ipc,
};

/// Staged files stand here until they are committed, in a folder for each run.
const STAGING: &str = ".staging";

/// The settings: what stands beside `type: {{name}}` in a flow.
#[derive(Debug, serde::Deserialize, Config)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The folder, in one that is granted: `write: [out]` for `out/people`. Rows stand in it as
    /// Arrow files.
    path: String,
}

/// The names of the files that earlier runs of this entity committed.
fn own(memory: Option<&[u8]>) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(memory.unwrap_or_default());
    text.lines().map(str::to_owned).collect()
}

fn text(own: &BTreeSet<String>) -> String {
    own.iter().map(|name| format!("{name}\n")).collect()
}

impl Settings {
    fn path(&self, name: &str) -> PathBuf {
        Path::new(&self.path).join(name)
    }

    fn staging(&self, run: &str) -> PathBuf {
        self.path(STAGING).join(run)
    }

    /// A file that none of these is, if there is one.
    fn foreign(&self, own: &BTreeSet<String>) -> Result<Option<String>> {
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            entries => {
                entries.map_err(|error| failed("can't list", Path::new(&self.path), &error))?
            }
        };
        for entry in entries {
            let entry =
                entry.map_err(|error| failed("can't list", Path::new(&self.path), &error))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name != STAGING && !own.contains(&name) {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}

fn failed(doing: &str, path: &Path, error: &std::io::Error) -> Fault {
    Fault::io(code::DESTINATION_IO, doing, path, error)
}

impl Store for Settings {
    type Writer = Files;

    const LOCATION: Option<&'static str> = Some("path");
    const ABILITIES: &'static [&'static str] = &["append", "replace"];

    /// What `hygge debug` says. Changes nothing.
    fn check(&self) -> Result<Vec<Finding>> {
        self.foreign(&BTreeSet::new())?;
        Ok(vec![Finding::good(format!("{} can be written", self.path))])
    }

    fn inspect(&self, _: &Entity, memory: Option<&[u8]>) -> Result<Standing> {
        let own = own(memory);
        Ok(match self.foreign(&own)? {
            Some(example) => Standing::Foreign { example },
            None if own.is_empty() => Standing::Vacant,
            None => Standing::Ours,
        })
    }

    /// Makes ready. Gives a text that `commit` gets: here, which files are this entity's own.
    fn begin(&self, target: &Target) -> Result<String> {
        let mut own = own(target.memory.as_deref());
        // A run that is gone on with may have committed a part already.
        let part = self.staging(&target.run);
        fs::create_dir_all(&part).map_err(|error| failed("can't create", &part, &error))?;
        if let Some(name) = self.foreign(&own)? {
            if !name.starts_with(&target.run) {
                let message = format!("{} holds {name}, which isn't ours", self.path);
                return Err(Fault::new(code::DESTINATION_FOREIGN, message));
            }
        }
        own.retain(|name| !name.starts_with(&target.run));
        Ok(text(&own))
    }

    fn open_writer(&self, target: &Target, _: &str, split: &str, attempt: u32) -> Result<Files> {
        Ok(Files {
            folder: self.staging(&target.run),
            prefix: format!("{}-{split}-{attempt}", target.run),
            files: 0,
            bytes: 0,
        })
    }

    /// Makes all of it visible. May be called again after it was killed anywhere, so a file that
    /// was moved already is moved already.
    fn commit(&self, record: &CommitRecord, receipts: &[Receipt]) -> Result<Settled> {
        let before = own(Some(record.begun.as_bytes()));
        let mut now: BTreeSet<String> = receipts
            .iter()
            .flat_map(|each| staged(&each.data))
            .collect();
        for name in &now {
            let from = self.staging(&record.run).join(name);
            match fs::rename(&from, self.path(name)) {
                Err(error) if error.kind() == ErrorKind::NotFound && self.path(name).exists() => {}
                done => done.map_err(|error| failed("can't move", &from, &error))?,
            }
        }
        if record.action == "append" {
            now.extend(before);
        } else {
            for name in before.difference(&now) {
                let path = self.path(name);
                match fs::remove_file(&path) {
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    done => done.map_err(|error| failed("can't remove", &path, &error))?,
                }
            }
        }
        Ok(Settled {
            location: self.path.clone(),
            parts: now.len() as u64,
            memory: Some(text(&now).into_bytes()),
        })
    }

    /// These runs are over: throws away what they have staged, and nothing else.
    fn cleanup(&self, _: &Entity, runs: &[String]) -> Result<()> {
        for run in runs {
            let path = self.staging(run);
            match fs::remove_dir_all(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                done => done.map_err(|error| failed("can't remove", &path, &error))?,
            }
        }
        // Gone when it is empty; else another run is under way.
        let _ = fs::remove_dir(self.path(STAGING));
        Ok(())
    }
}

/// The files that a receipt names: `PREFIX 3` is three of them.
fn staged(data: &str) -> Vec<String> {
    let (prefix, files) = data.split_once(' ').unwrap_or((data, "0"));
    let files: u64 = files.parse().unwrap_or(0);
    (0..files)
        .map(|n| format!("{prefix}-{n:06}.arrow"))
        .collect()
}

/// Stages one attempt at one split: a file for each batch.
pub struct Files {
    folder: PathBuf,
    prefix: String,
    files: u64,
    bytes: u64,
}

impl Writer for Files {
    fn write(&mut self, batch: RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let bytes = ipc::encode(&batch)?;
        let path = self
            .folder
            .join(format!("{}-{:06}.arrow", self.prefix, self.files));
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_all()
        });
        written.map_err(|error| failed("can't write", &path, &error))?;
        self.files += 1;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// All of it is durable by now. `data` is what `commit` needs to find it, in any process.
    fn finish(self) -> Result<Staged> {
        Ok(Staged {
            bytes: self.bytes,
            data: format!("{} {}", self.prefix, self.files),
        })
    }
}

hygge_sdk::export! {
    name: "{{name}}",
    summary: "{{summary}}",
    store: Settings,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use hygge_sdk::arrow_array::Int64Array;

    #[test]
    fn committing_twice_is_committing_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let settings = format!(r#"{{"path": {:?}}}"#, path.display().to_string());
        let store: Settings = serde_json::from_str(&settings).unwrap();
        let entity = Entity {
            flow: "f".into(),
            name: "e".into(),
        };
        let n = Arc::new(Int64Array::from(vec![1, 2]));
        let rows = RecordBatch::try_from_iter([("n", n as _)]).unwrap();
        let target = Target {
            run: "run-1".into(),
            entity: entity.clone(),
            schema: rows.schema(),
            action: "replace".into(),
            key: Vec::new(),
            latest_by: None,
            memory: None,
            attributes: Vec::new(),
        };
        let begun = store.begin(&target).unwrap();
        let mut writer = store.open_writer(&target, &begun, "s", 1).unwrap();
        writer.write(rows.clone()).unwrap();
        let staged = writer.finish().unwrap();
        let receipt = Receipt {
            split: "s".into(),
            attempt: 1,
            rows: 2,
            bytes: staged.bytes,
            data: staged.data,
            attributes: Vec::new(),
        };
        let record = CommitRecord {
            run: target.run,
            entity: entity.clone(),
            action: target.action,
            key: Vec::new(),
            begun,
            attributes: Vec::new(),
        };
        let once = store.commit(&record, &[receipt.clone()]).unwrap();
        store.cleanup(&entity, &[record.run.clone()]).unwrap();
        assert_eq!(store.commit(&record, &[receipt]).unwrap(), once);
        let files: Vec<_> = fs::read_dir(&path)
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        assert_eq!(files.len(), 1);
        let stored = ipc::decode(fs::read(&files[0]).unwrap()).unwrap();
        assert_eq!(stored, rows);
    }
}
