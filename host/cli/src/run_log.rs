use std::fs::{File, TryLockError};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hygge_core::{Fault, RunId, Veil, code};
use hygge_engine::Event;
use serde_json::{Map, Value};

/// Everything that happened in one run: `.hygge/runs/<id>/log.jsonl`, one JSON object a line.
#[derive(Debug)]
pub(crate) struct RunLog {
    path: PathBuf,
    veil: Veil,
    file: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: BufWriter<File>,
    failed: Option<std::io::Error>,
}

impl RunLog {
    /// Begins the log of a run.
    pub(crate) fn begin(work: &Path, run: &RunId, veil: Veil) -> Result<Self, Fault> {
        let folder = work.join("runs").join(run.as_str());
        let path = folder.join("log.jsonl");
        let file = std::fs::create_dir_all(&folder)
            .and_then(|()| File::options().append(true).create(true).open(&path))
            .map_err(|error| {
                Fault::io(code::STATE, "can't begin the log", &path, &error)
                    .advise("see that you may write to the project's .hygge folder")
            })?;
        // Held until this process ends, however it does; a file system without locks only means
        // that nobody can tell.
        drop(file.try_lock());
        Ok(Self {
            path,
            veil,
            file: Mutex::new(State {
                file: BufWriter::new(file),
                failed: None,
            }),
        })
    }

    /// Adds a line that ends with a newline. A log that can't be written doesn't stop data; it
    /// is told at the end, see [`RunLog::failure`].
    pub(crate) fn line(&self, line: &str) {
        let line = self.veil.hide(line);
        let mut state = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let result = state.file.write_all(line.as_bytes());
        state.remember(result);
    }

    /// Hands everything to the operating system.
    pub(crate) fn flush(&self) {
        let mut state = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let result = state.file.flush();
        state.remember(result);
    }

    /// Why the log isn't whole, if it isn't.
    pub(crate) fn failure(&self) -> Option<String> {
        let state = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let error = state.failed.as_ref()?;
        Some(format!(
            "the run's log isn't whole: can't write {}: {error}",
            self.path.display()
        ))
    }
}

impl State {
    fn remember(&mut self, result: std::io::Result<()>) {
        if let Err(error) = result {
            self.failed.get_or_insert(error);
        }
    }
}

/// Whether the process that writes a run's log is still there.
pub(crate) fn is_written(work: &Path, run: &RunId) -> bool {
    let path = work.join("runs").join(run.as_str()).join("log.jsonl");
    File::open(path).is_ok_and(|log| matches!(log.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// An event as a line of JSON, with the time it happened.
pub(crate) fn event_line(event: &Event, now: jiff::Timestamp) -> String {
    match serde_json::to_value(event) {
        Ok(Value::Object(fields)) => stamped(fields, now),
        Ok(other) => stamped(Map::from_iter([("event".to_owned(), other)]), now),
        Err(error) => {
            let mut fields = Map::new();
            fields.insert("event".into(), "unprintable".into());
            fields.insert("message".into(), error.to_string().into());
            stamped(fields, now)
        }
    }
}

/// A JSON object as a line: the time first, then `event`, then the rest.
pub(crate) fn stamped(mut fields: Map<String, Value>, now: jiff::Timestamp) -> String {
    let time = Value::from(now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string());
    let mut line = format!("{{\"time\":{time}");
    if let Some(event) = fields.remove("event") {
        line.push_str(&format!(",\"event\":{event}"));
    }
    for (name, value) in &fields {
        line.push_str(&format!(",{}:{value}", Value::from(name.as_str())));
    }
    line.push_str("}\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use hygge_core::EntityId;

    #[test]
    fn time_and_event_come_first() {
        let event = Event::Committing {
            id: EntityId::new("nyc", "flights"),
        };
        let now = jiff::Timestamp::from_millisecond(1_356_998_400_007).unwrap();
        assert_eq!(
            event_line(&event, now),
            "{\"time\":\"2013-01-01T00:00:00.007Z\",\"event\":\"committing\",\
             \"id\":{\"entity\":\"flights\",\"flow\":\"nyc\"}}\n"
        );
    }

    #[test]
    fn a_log_is_appended_to_and_says_when_it_could_not_be() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunId::parse("r1").unwrap();
        for text in ["{}\n", "{\"a\":1}\n"] {
            let log = RunLog::begin(folder.path(), &run, Veil::default()).unwrap();
            log.line(text);
            log.flush();
            assert_eq!(log.failure(), None);
            assert!(is_written(folder.path(), &run));
        }
        assert!(!is_written(folder.path(), &run));
        let whole = std::fs::read_to_string(folder.path().join("runs/r1/log.jsonl")).unwrap();
        assert_eq!(whole, "{}\n{\"a\":1}\n");
        std::fs::write(folder.path().join("file"), "").unwrap();
        let refused =
            RunLog::begin(&folder.path().join("file"), &run, Veil::default()).unwrap_err();
        assert!(refused.advice.is_some());
    }
}
