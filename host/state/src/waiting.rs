//! What runs left in the middle of their work, whichever entities it is of: found by looking at
//! every record, so also for those that the project doesn't have any more.

use std::collections::BTreeSet;
use std::path::Path;

use hygge_core::{EntityId, Result};
use serde::Deserialize;

use crate::durable::{entries, read};
use crate::layout::{self, Files};
use crate::local::Local;
use crate::{Unfinished, Waiting, journal};

/// As much of an intent's file as says whose it is.
#[derive(Deserialize)]
struct Named {
    intent: NamedIntent,
}

#[derive(Deserialize)]
struct NamedIntent {
    record: NamedRecord,
}

#[derive(Deserialize)]
struct NamedRecord {
    entity: EntityId,
}

impl Local {
    pub(crate) fn waiting_anywhere(&self) -> Result<Vec<Result<Waiting>>> {
        let mut found = Vec::new();
        for flow in entries(&layout::states(&self.work))? {
            let mut names = BTreeSet::new();
            for path in entries(&flow)? {
                let name = path.file_name().and_then(|name| name.to_str());
                names.extend(name.and_then(layout::stem_of_unfinished).map(str::to_owned));
            }
            for stem in names {
                found.extend(self.waiting_at(&flow, &stem).transpose());
            }
        }
        found.sort_by(|a, b| match (a, b) {
            (Ok(a), Ok(b)) => a.entity.cmp(&b.entity),
            (Err(a), Err(b)) => a.message.cmp(&b.message),
            (a, b) => a.is_err().cmp(&b.is_err()),
        });
        Ok(found)
    }

    /// What waits in the files of that stem; nothing when it was finished in between.
    fn waiting_at(&self, flow: &Path, stem: &str) -> Result<Option<Waiting>> {
        let Some(entity) = self.whose(flow, stem)? else {
            return Ok(None);
        };
        let of_it = |fault: hygge_core::Fault| fault.with("entity", &entity);
        if let Some(intent) = self.intent_only(&entity).map_err(of_it)? {
            let work = Unfinished::Commit(Box::new(intent));
            return Ok(Some(Waiting { entity, work }));
        }
        let attempt = self.attempt(&entity).map_err(of_it)?;
        Ok(attempt.map(|(attempt, _)| Waiting {
            entity,
            work: Unfinished::Attempt(Box::new(attempt)),
        }))
    }

    /// Most names are their files'; one that had to be escaped stands in the records.
    fn whose(&self, flow: &Path, stem: &str) -> Result<Option<EntityId>> {
        let named = flow
            .file_name()
            .and_then(|name| name.to_str())
            .map(|flow| EntityId::new(flow, stem));
        let fits = |entity: &EntityId| {
            let files = Files::of(&self.work, entity);
            files.folder == flow && files.has_stem(stem)
        };
        if let Some(named) = named.filter(fits) {
            return Ok(Some(named));
        }
        let (intent, attempt) = layout::unfinished(flow, stem);
        if let Some(content) = read(&intent)?
            && let Ok(named) = serde_json::from_slice::<Named>(&content)
        {
            return Ok(Some(named.intent.record.entity).filter(fits));
        }
        let nobody = EntityId::new("", stem);
        let attempt = journal::attempt(&attempt, &nobody)?;
        let staged = attempt.and_then(|(attempt, _)| attempt.staged);
        Ok(staged.map(|staged| staged.entity).filter(fits))
    }
}
