//! The history of runs, one folder a run; the run's log lies beside its record.

use hygge_core::{Fault, Result, RunId};

use crate::durable::{entries, read};
use crate::local::Local;
use crate::sheet::damaged;
use crate::{RunRecord, journal, layout};

impl Local {
    pub(crate) fn put_run(&self, run: &RunRecord) -> Result<()> {
        let content = serde_json::to_vec_pretty(run)
            .map_err(|e| Fault::internal(format!("can't write down run {}: {e}", run.run)))?;
        let path = layout::run(&self.work, &run.run);
        self.disk.write_volatile(&path, &content)
    }

    pub(crate) fn runs(&self, most: usize) -> Result<Vec<RunRecord>> {
        let mut folders = entries(&layout::runs(&self.work))?;
        // The ids sort by the time the runs began.
        folders.sort();
        let mut runs = Vec::new();
        for folder in folders.iter().rev() {
            if runs.len() == most {
                break;
            }
            // A run that was killed at once has no record, a power cut may have torn one: the
            // history is shorter by it, and `run` says why.
            if let Some(content) = read(&folder.join("run.json"))?
                && let Ok(record) = serde_json::from_slice(&content)
            {
                runs.push(record);
            }
        }
        Ok(runs)
    }

    pub(crate) fn run(&self, run: &RunId) -> Result<Option<RunRecord>> {
        let path = layout::run(&self.work, run);
        let Some(content) = read(&path)? else {
            return Ok(None);
        };
        let record = serde_json::from_slice(&content).map_err(|e| {
            damaged(
                &path,
                Some(e.line() as u64),
                &journal::plain(&e),
                "only the history of runs needs the file; remove it if nothing else helps".into(),
            )
        })?;
        Ok(Some(record))
    }
}
