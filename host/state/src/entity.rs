//! The records of one entity as files: what is written before what, and what each step leaves
//! when a crash follows it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::PoisonError;

use hygge_core::{EntityId, Fault, Result, RunId, code, failpoint, quoted};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use crate::durable::{entries, read};
use crate::layout::{self, Files};
use crate::local::Local;
use crate::sheet::{Reference, References, Sheet, check_depth, damaged, misplaced};
use crate::{
    Attempt, EntityLock, EntityState, Holder, Intent, Memories, SplitDone, journal, lock, seal,
};

/// The format of an intent's file written by this version.
const INTENT_VERSION: u32 = 1;

/// An intent's file.
#[derive(Serialize, Deserialize)]
struct Filed<I> {
    version: u32,
    intent: I,
    /// `null` for a memory that will be gone.
    memories: BTreeMap<String, Option<Reference>>,
}

impl Local {
    fn files(&self, entity: &EntityId) -> Files {
        Files::of(&self.work, entity)
    }

    pub(crate) fn lock(&self, entity: &EntityId, holder: &Holder) -> Result<EntityLock> {
        self.disk.create_folder(&layout::locks(&self.work))?;
        let held = lock::hold(&layout::lock(&self.work, entity), entity, holder)?;
        Ok(EntityLock::new(held))
    }

    pub(crate) fn sheet(&self, entity: &EntityId) -> Result<Option<Sheet>> {
        let path = self.files(entity).state;
        match read(&path)? {
            None => Ok(None),
            Some(content) => Sheet::read(&path, &content, Some(entity)).map(Some),
        }
    }

    pub(crate) fn memory(&self, entity: &EntityId, name: &str) -> Result<Option<Vec<u8>>> {
        let mut before: Option<Reference> = None;
        loop {
            let Some(sheet) = self.sheet(entity)? else {
                return Ok(None);
            };
            let Some(reference) = sheet.memories.get(name) else {
                return Ok(None);
            };
            let path = self.files(entity).folder.join(&reference.file);
            match read(&path)? {
                Some(content) if fits(reference, &content) => return Ok(Some(content)),
                // A run may have closed between the two reads; then the state points elsewhere
                // now. If it doesn't, the file is really gone.
                None if before.as_ref() != Some(reference) => before = Some(reference.clone()),
                None => return Err(lost(&path, "it isn't there", entity)),
                Some(_) => return Err(lost(&path, "its content isn't what was written", entity)),
            }
        }
    }

    pub(crate) fn list(&self) -> Result<Vec<Result<EntityState>>> {
        let (mut states, mut unread) = (Vec::new(), Vec::new());
        for flow in entries(&layout::states(&self.work))? {
            for path in entries(&flow)? {
                let name = path.file_name().and_then(|n| n.to_str());
                let Some(stem) = name.and_then(|n| n.strip_suffix(layout::STATE)) else {
                    continue;
                };
                match self.listed(&path, stem) {
                    Ok(state) => states.extend(state),
                    Err(fault) => unread.push(fault),
                }
            }
        }
        states.sort_by(|a, b| (&a.flow, &a.entity).cmp(&(&b.flow, &b.entity)));
        unread.sort_by(|a, b| a.message.cmp(&b.message));
        let unread = unread.into_iter().map(Err);
        Ok(states.into_iter().map(Ok).chain(unread).collect())
    }

    /// The state in a file that was found; none when it was reset in between.
    fn listed(&self, path: &Path, stem: &str) -> Result<Option<EntityState>> {
        let Some(content) = read(path)? else {
            return Ok(None);
        };
        // Most names are their file's; one that had to be escaped is known once it is read.
        let folder = path
            .parent()
            .and_then(|folder| folder.file_name()?.to_str());
        let named = folder.map(|flow| EntityId::new(flow, stem));
        let named = named.filter(|entity| self.files(entity).state == path);
        let state = Sheet::read(path, &content, named.as_ref())?.state;
        let entity = EntityId::new(&*state.flow, &*state.entity);
        if self.files(&entity).state != path {
            return Err(misplaced(path, &entity, None));
        }
        Ok(Some(state))
    }

    pub(crate) fn begin_attempt(&self, entity: &EntityId, attempt: &Attempt) -> Result<()> {
        let files = self.files(entity);
        self.disk.ensure_folder(&files.folder)?;
        if self.disk.remove(&files.attempt)? {
            // What the earlier attempt staged is being thrown away: it must not come back.
            self.disk.sync_folder(&files.folder)?;
            self.sweep(entity, &files)?;
        }
        journal::begin(&self.disk, &files.attempt, attempt)?;
        failpoint::hit("attempt.recorded")
    }

    pub(crate) fn resume_attempt(&self, entity: &EntityId, attempt: &Attempt) -> Result<()> {
        let files = self.files(entity);
        {
            let _one = self
                .appending
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            journal::resume(&self.disk, &files.attempt, attempt)?;
        }
        self.sweep(entity, &files)
    }

    pub(crate) fn attempt(&self, entity: &EntityId) -> Result<Option<(Attempt, Vec<SplitDone>)>> {
        let found = journal::attempt(&self.files(entity).attempt, entity)?;
        let Some((attempt, splits)) = found else {
            return Ok(None);
        };
        let closed = self.sheet(entity)?.and_then(|s| s.closed);
        Ok((closed.as_ref() != Some(&attempt.run)).then_some((attempt, splits)))
    }

    pub(crate) fn split_done(&self, entity: &EntityId, done: &SplitDone) -> Result<()> {
        let path = self.files(entity).attempt;
        {
            let _one = self
                .appending
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            journal::done(&self.disk, &path, done)?;
        }
        failpoint::hit("receipt.stored")
    }

    pub(crate) fn drop_attempt(&self, entity: &EntityId) -> Result<()> {
        let files = self.files(entity);
        if self.disk.remove(&files.attempt)? {
            self.disk.sync_folder(&files.folder)?;
            self.sweep(entity, &files)?;
        }
        Ok(())
    }

    pub(crate) fn put_intent(&self, intent: &Intent, memories: &Memories) -> Result<()> {
        let files = self.files(&intent.record.entity);
        check_depth("position", intent.record.position.as_ref().map(|p| &p.0))?;
        check_depth("window", intent.window.as_ref())?;
        let standing = Points::of(self.sheet(&intent.record.entity)?).files;
        let memories = self.write_memories(&files, memories, &standing)?;
        let filed = Filed {
            version: INTENT_VERSION,
            intent,
            memories,
        };
        let content = serde_json::to_vec(&filed)
            .map_err(|e| Fault::internal(format!("can't write down an intent: {e}")))?;
        let mut content = seal::json(content);
        content.push(b'\n');
        self.disk.write(&files.intent, &content)?;
        failpoint::hit("intent.stored")
    }

    /// The intent's file, whether or not the state says that it is closed.
    fn filed(&self, entity: &EntityId, files: &Files) -> Result<Option<Filed<Intent>>> {
        let Some(content) = read(&files.intent)? else {
            return Ok(None);
        };
        let named = quoted(&entity.to_string());
        let bad = |line: Option<u64>, why: &str| {
            damaged(
                &files.intent,
                line,
                why,
                format!(
                    "put the file back from a copy: it says how to finish a commit that may be \
                     half done; if it is lost, `hygge state reset {named} --yes`, then `hygge \
                     start --full --entity {named}`"
                ),
            )
        };
        let version = serde_json::from_slice::<Version>(&content)
            .map_err(|e| bad(Some(e.line() as u64), &journal::plain(&e)))?;
        if version.version > INTENT_VERSION {
            return Err(Fault::new(
                code::STATE,
                format!(
                    "{} is in format {}; this hygge reads formats up to {INTENT_VERSION}",
                    files.intent.display(),
                    version.version
                ),
            )
            .with("file", files.intent.display())
            .advise("finish it with the hygge that wrote it, or a newer one"));
        }
        let filed: Filed<Intent> = serde_json::from_slice(&content)
            .map_err(|e| bad(Some(e.line() as u64), &journal::plain(&e)))?;
        if seal::open_json(content.trim_ascii_end()).is_none() {
            return Err(bad(None, seal::NOT_AS_WRITTEN));
        }
        if filed.intent.record.entity != *entity {
            let whose = format!("it is of {}", filed.intent.record.entity);
            return Err(bad(None, &whose));
        }
        Ok(Some(filed))
    }

    /// The intent's file, if the commit still waits.
    fn waiting(
        &self,
        entity: &EntityId,
        files: &Files,
        sheet: Option<&Sheet>,
    ) -> Result<Option<Filed<Intent>>> {
        let closed = sheet.and_then(|s| s.closed.as_ref());
        let filed = self.filed(entity, files)?;
        Ok(filed.filter(|f| closed != Some(&f.intent.record.run)))
    }

    pub(crate) fn intent(&self, entity: &EntityId) -> Result<Option<Intent>> {
        let files = self.files(entity);
        let sheet = self.sheet(entity)?;
        let filed = self.waiting(entity, &files, sheet.as_ref())?;
        if filed.is_some() {
            self.sweep(entity, &files)?;
        }
        Ok(filed.map(|f| f.intent))
    }

    /// The same for whoever doesn't hold the entity, and so changes nothing.
    pub(crate) fn intent_only(&self, entity: &EntityId) -> Result<Option<Intent>> {
        let sheet = self.sheet(entity)?;
        let filed = self.waiting(entity, &self.files(entity), sheet.as_ref())?;
        Ok(filed.map(|f| f.intent))
    }

    /// The attempt first: its receipts must not outlive the intent that says they are worth
    /// nothing.
    pub(crate) fn drop_intent(&self, entity: &EntityId) -> Result<()> {
        let files = self.files(entity);
        for gone in [&files.attempt, &files.intent] {
            if self.disk.remove(gone)? {
                self.disk.sync_folder(&files.folder)?;
            }
        }
        self.sweep(entity, &files)
    }

    pub(crate) fn close(&self, state: &EntityState, memories: &Memories) -> Result<()> {
        let entity = EntityId::new(&*state.flow, &*state.entity);
        let files = self.files(&entity);
        let sheet = self.sheet(&entity)?;
        let filed = self.waiting(&entity, &files, sheet.as_ref())?;
        let closed = match &filed {
            Some(filed) => Some(filed.intent.record.run.clone()),
            // Closed before, then it names that run already; or closed without an intent.
            None => match journal::attempt(&files.attempt, &entity)? {
                Some((attempt, _)) => Some(attempt.run),
                None => sheet.as_ref().and_then(|s| s.closed.clone()),
            },
        };
        let mut points = Points::of(sheet);
        for (name, reference) in filed.into_iter().flat_map(|f| f.memories) {
            points.set(name, reference);
        }
        self.switch(&files, state, closed, points, memories)?;
        failpoint::hit("intent.closed")
    }

    pub(crate) fn put(&self, state: &EntityState, memories: &Memories) -> Result<()> {
        let entity = EntityId::new(&*state.flow, &*state.entity);
        let files = self.files(&entity);
        let sheet = self.sheet(&entity)?;
        if let Some(filed) = self.waiting(&entity, &files, sheet.as_ref())? {
            return Err(waits(&entity, &filed.intent.record.run));
        }
        let closed = match journal::attempt(&files.attempt, &entity)? {
            Some((attempt, _)) => Some(attempt.run),
            None => sheet.as_ref().and_then(|s| s.closed.clone()),
        };
        self.switch(&files, state, closed, Points::of(sheet), memories)?;
        self.sweep(&entity, &files)
    }

    /// From the old state to the new one. Up to the moment the new state file is in its place,
    /// everything the old one points to stands; after it, everything the new one points to.
    fn switch(
        &self,
        files: &Files,
        state: &EntityState,
        closed: Option<RunId>,
        mut points: Points,
        memories: &Memories,
    ) -> Result<()> {
        let written = self.write_memories(files, memories, &points.files)?;
        for (name, reference) in written {
            points.set(name, reference);
        }
        let sheet = Sheet {
            state: state.clone(),
            closed,
            memories: points.references,
        };
        self.disk.write(&files.state, &sheet.write()?)?;
        failpoint::hit("state.written")?;
        // Nothing from here on needs to last: `closed` tells that these are done with. The
        // attempt goes last: as long as it is there, the next run looks for what was left.
        let kept: BTreeSet<&String> = sheet.memories.values().map(|r| &r.file).collect();
        for file in points.files.iter().filter(|f| !kept.contains(f)) {
            self.disk.remove(&files.folder.join(file))?;
        }
        self.disk.remove(&files.intent)?;
        self.disk.remove(&files.attempt)?;
        Ok(())
    }

    /// Writes memories so that they last, apart from those whose content is in one of the
    /// files that stand already.
    fn write_memories(
        &self,
        files: &Files,
        memories: &Memories,
        standing: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, Option<Reference>>> {
        let mut references = BTreeMap::new();
        let mut any_new = false;
        for (name, content) in memories {
            let reference = content.as_ref().map(|content| {
                let xxh3 = format!("{:032x}", xxh3_128(content));
                Reference {
                    file: files.memory(name, &xxh3),
                    bytes: content.len() as u64,
                    xxh3,
                }
            });
            if let (Some(content), Some(reference)) = (content, &reference)
                && !standing.contains(&reference.file)
            {
                let path = files.folder.join(&reference.file);
                self.disk.write_unsynced(&path, content)?;
                any_new = true;
            }
            references.insert((*name).to_owned(), reference);
        }
        if any_new {
            // Before anything points to them.
            self.disk.sync_folder(&files.folder)?;
        }
        Ok(references)
    }

    /// Removes what a run that died left: memories that neither the state nor a waiting intent
    /// points to, and unfinished files.
    fn sweep(&self, entity: &EntityId, files: &Files) -> Result<()> {
        let mut kept: BTreeSet<String> = BTreeSet::new();
        let sheet = self.sheet(entity)?;
        if let Some(filed) = self.waiting(entity, files, sheet.as_ref())? {
            kept.extend(filed.memories.into_values().flatten().map(|r| r.file));
        }
        kept.extend(Points::of(sheet).files);
        for path in entries(&files.folder)? {
            let name = path.file_name().and_then(|n| n.to_str());
            if name.is_some_and(|n| files.owns(n) && !kept.contains(n)) {
                self.disk.remove(&path)?;
            }
        }
        Ok(())
    }

    /// Each step leaves what a run could also have left, so that a crash in between is safe:
    /// first no attempt (the state stands, an intent is finished as always), then no state (an
    /// intent that waits brings it back whole; one that is closed must go before, since only
    /// the state tells that it is), last no intent. Were the intent to go before the state, a
    /// half-done append would stay half done and its rows be taken again.
    pub(crate) fn reset(&self, entity: &EntityId) -> Result<bool> {
        let files = self.files(entity);
        // Records that can't be read must not keep a person from resetting; then the intent may
        // wait.
        let closed = self.sheet(entity).ok().flatten().and_then(|s| s.closed);
        let waits = match self.filed(entity, &files) {
            Ok(Some(filed)) => closed.as_ref() != Some(&filed.intent.record.run),
            Ok(None) => false,
            Err(_) => true,
        };
        let attempt = self.disk.remove(&files.attempt)?;
        let done_intent = !waits && self.disk.remove(&files.intent)?;
        if attempt || done_intent {
            self.disk.sync_folder(&files.folder)?;
        }
        let state = self.disk.remove(&files.state)?;
        if state {
            self.disk.sync_folder(&files.folder)?;
        }
        let intent = self.disk.remove(&files.intent)?;
        if intent {
            self.disk.sync_folder(&files.folder)?;
        }
        self.sweep(entity, &files)?;
        Ok(attempt || done_intent || state || intent)
    }
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// What a new state will point to, and every file that it or an older record points to now.
struct Points {
    references: References,
    files: BTreeSet<String>,
}

impl Points {
    fn of(sheet: Option<Sheet>) -> Self {
        let references = sheet.map(|s| s.memories).unwrap_or_default();
        let files = references.values().map(|r| r.file.clone()).collect();
        Self { references, files }
    }

    fn set(&mut self, name: String, reference: Option<Reference>) {
        match reference {
            Some(reference) => {
                self.files.insert(reference.file.clone());
                self.references.insert(name, reference);
            }
            None => {
                self.references.remove(&name);
            }
        }
    }
}

fn fits(reference: &Reference, content: &[u8]) -> bool {
    reference.bytes == content.len() as u64
        && reference.xxh3 == format!("{:032x}", xxh3_128(content))
}

fn lost(path: &Path, why: &str, entity: &EntityId) -> Fault {
    damaged(
        path,
        None,
        why,
        format!(
            "put the file back from a copy; if it is lost, `hygge state reset {named} --yes`, \
             then `hygge start --full --entity {named}` takes everything anew",
            named = quoted(&entity.to_string())
        ),
    )
}

/// The refusal to write a state while a commit waits, the same for every backend.
pub(crate) fn waits(entity: &EntityId, run: &RunId) -> Fault {
    Fault::new(
        code::STATE,
        format!("run {run} left a commit of {entity} that waits to be finished"),
    )
    .with("entity", entity)
    .advise(format!(
        "run `hygge start --entity {named}`, which finishes it first; or `hygge state reset \
         {named}`",
        named = quoted(&entity.to_string())
    ))
}
