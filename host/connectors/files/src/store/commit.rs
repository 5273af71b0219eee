//! Makes staged files visible, given nothing but the record.
//!
//! Every step can be done again after it was done: a file that isn't in staging any more is
//! looked for where it was going, and a folder that holds this run's files was swapped.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hygge_core::failpoint::hit;
use hygge_core::{Action, CommitRecord, EntityId, Fault, Result, RunId, code, quoted};
use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;

use super::destination::{self, Shape, absent, look};
use super::lock::Lock;
use super::memory::Memory;
use super::own::{self, Own};
use super::record::{Begun, Staged, StagedFile};
use super::replaced;
use super::sync;
use crate::config::Format;
use crate::home::modified;

/// The folder, among what is staged, in which a new set is built.
const NEXT: &str = "next";

/// A commit, ready to be carried out.
#[derive(Debug)]
pub(crate) struct Commit {
    begun: Begun,
    action: Action,
    files: Vec<StagedFile>,
    /// After a merge, files that stay.
    keep: Option<Own>,
    run: RunId,
    entity: EntityId,
    how: How,
}

/// What the Store's settings say about a commit, and what it holds.
#[derive(Debug, Clone)]
pub(crate) struct How {
    /// Lets foreign files be.
    pub(crate) adopt: bool,
    /// Leaves the replaced set to readers, for a while.
    pub(crate) keep_replaced: bool,
    /// Of the files.
    pub(crate) format: Format,
    /// On the destination.
    pub(crate) lock: Lock,
}

/// What a commit left.
#[derive(Debug)]
pub(crate) struct Committed {
    /// What to remember: every file that stands in the destination now, and its columns.
    pub(crate) memory: Memory,
    /// Files this commit brought.
    pub(crate) parts: u64,
    /// The old set could not be removed; the commit stands.
    pub(crate) left: Option<Fault>,
}

impl Commit {
    /// Reads the record.
    pub(crate) fn read(record: &CommitRecord, root: &Path, how: How) -> Result<Self> {
        let mut commit = Self {
            begun: Begun::read(&record.begun, root)?,
            action: record.action,
            files: Vec::new(),
            keep: None,
            run: record.run.clone(),
            entity: record.entity.clone(),
            how,
        };
        for receipt in &record.receipts {
            let staged = Staged::read(receipt)?;
            commit.files.extend(staged.files);
            commit.keep = staged.keep.or(commit.keep);
        }
        if commit.action == Action::Upsert && commit.keep.is_none() && !commit.files.is_empty() {
            return Err(Fault::internal("a merge that was not prepared"));
        }
        Ok(commit)
    }

    /// Refuses to settle anywhere but where the destination is now: the project may be a copy,
    /// or the link was pointed elsewhere.
    pub(crate) fn goes_to(&self, destination: &Path) -> Result<()> {
        let began = &self.begun.destination;
        let real = |path: &Path| fs::canonicalize(path).ok();
        if began == destination || real(began).is_some_and(|it| real(destination) == Some(it)) {
            return Ok(());
        }
        Err(self.given_up(format!(
            "run {} staged rows for {}, and the destination is {} now",
            self.run,
            began.display(),
            destination.display()
        )))
    }

    /// Carries it out, from wherever an earlier try came to.
    pub(crate) fn run(&self) -> Result<Committed> {
        hit("commit.started")?;
        self.how.lock.hold(&self.begun.destination)?;
        let left = match (self.begun.shape, self.action) {
            (Shape::File, _) => self.replace_file()?,
            (Shape::Folder, Action::Append) => self.append()?,
            (Shape::Folder, Action::Replace | Action::Upsert) => self.swap()?,
        };
        hit("commit.cleaned")?;
        let mut own = match self.action {
            Action::Append => self.begun.own.clone(),
            Action::Upsert if self.files.is_empty() => self.begun.own.clone(),
            Action::Replace | Action::Upsert => self.keep.clone().unwrap_or_default(),
        };
        for file in &self.files {
            let path = super::within(&self.begun.destination, file.name.as_ref());
            // One that went away meanwhile is missed by the next run.
            let modified = fs::metadata(path).ok().map(|found| modified(&found));
            own.0.insert(file.name.clone(), file.written(modified));
        }
        Ok(Committed {
            memory: Memory {
                own,
                at: self.begun.at.clone(),
                columns: self.begun.columns.clone(),
            },
            parts: self.files.len() as u64,
            left,
        })
    }

    fn staged(&self, file: &StagedFile) -> PathBuf {
        self.begun.staging.join(&file.staged)
    }

    fn replace_file(&self) -> Result<Option<Fault>> {
        let destination = &self.begun.destination;
        let [file] = self.files.as_slice() else {
            return Err(Fault::internal(format!(
                "{} files for {}",
                self.files.len(),
                destination.display()
            )));
        };
        let staged = self.staged(file);
        if !is_file(&staged, file.size)? {
            // A file of that size may be an earlier run's.
            let done = is_file(destination, file.size)?
                && (file.modified.is_none() || written(destination)? == file.modified);
            return if done {
                Ok(None)
            } else {
                Err(self.lost(&staged))
            };
        }
        let parent = parent(destination);
        destination::create(parent)?;
        hit("commit.synced")?;
        let next = Lock::next(&staged)?;
        let stands = !own::single(destination)?.is_empty();
        self.refuse_foreign()?;
        if stands {
            rename(&staged, destination)?;
        } else {
            self.rename_new(&staged)?;
        }
        self.how.lock.pass(next);
        hit("commit.swapped")?;
        sync::folder(parent)?;
        Ok(None)
    }

    fn append(&self) -> Result<Option<Fault>> {
        let destination = &self.begun.destination;
        if self.files.is_empty() {
            return Ok(None);
        }
        // All of them, before the first can be seen.
        for file in &self.files {
            let (staged, target) = (self.staged(file), destination.join(&file.name));
            if !is_file(&staged, file.size)? && !is_file(&target, file.size)? {
                return Err(self.lost(&staged));
            }
        }
        destination::create(destination)?;
        self.how.lock.hold(destination)?;
        self.refuse_foreign()?;
        let mut folders = BTreeSet::from([destination.clone(), parent(destination).to_owned()]);
        for file in &self.files {
            let staged = self.staged(file);
            let target = destination.join(&file.name);
            folders.extend(between(&target, destination));
            if is_file(&staged, file.size)? {
                destination::create(parent(&target))?;
                rename(&staged, &target)?;
            } else if !is_file(&target, file.size)? {
                return Err(self.lost(&staged));
            }
            hit("commit.renamed")?;
        }
        // From the deepest up, so that a folder is durable before the one that names it.
        for folder in folders.iter().rev() {
            sync::folder(folder)?;
        }
        hit("commit.synced")?;
        Ok(None)
    }

    fn swap(&self) -> Result<Option<Fault>> {
        let destination = &self.begun.destination;
        let next = self.begun.staging.join(NEXT);
        if self.files.is_empty() {
            // A merge that brought nothing changes nothing.
            return if self.action == Action::Upsert {
                Ok(None)
            } else {
                Err(Fault::internal("no files to put in place"))
            };
        }
        if !self.swapped()? {
            self.build(&next)?;
            hit("commit.linked")?;
            let old = match fs::metadata(destination) {
                Ok(old) => Some(old),
                Err(error) if absent(&error) => None,
                Err(error) => return Err(look(destination, &error)),
            };
            if let Some(old) = &old {
                fs::set_permissions(&next, old.permissions()).map_err(|error| {
                    Fault::io(
                        code::DESTINATION_IO,
                        "can't set permissions of",
                        &next,
                        &error,
                    )
                })?;
            }
            self.sync(&next)?;
            destination::create(parent(destination))?;
            hit("commit.synced")?;
            let new = Lock::next(&next)?;
            self.refuse_foreign()?;
            if old.is_some() {
                rustix::fs::renameat_with(CWD, &next, CWD, destination, RenameFlags::EXCHANGE)
                    .map_err(|error| self.unswappable(&error.into()))?;
            } else {
                self.rename_new(&next)?;
            }
            self.how.lock.pass(new);
            hit("commit.swapped")?;
        }
        // Also after a crash: that the names are swapped doesn't say that it is durable.
        sync::folder(parent(destination))?;
        if self.begun.staging.exists() {
            sync::folder(&self.begun.staging)?;
        }
        // The commit stands, whether or not what was swapped out can be put away.
        Ok(self.put_away(&next).err())
    }

    /// Moves what was swapped out to where a later cleanup finds it. A listing that was under
    /// way still sees all of it.
    fn put_away(&self, old: &Path) -> Result<()> {
        let aside = match self.begun.staging.parent() {
            Some(entity) if self.how.keep_replaced && !own::list(old)?.is_empty() => Some(entity),
            _ => None,
        };
        let (doing, done) = match aside {
            Some(entity) => (
                "can't move the replaced files in",
                replaced::put_away(old, entity, &self.run),
            ),
            None => (
                "can't remove the replaced files in",
                fs::remove_dir_all(old),
            ),
        };
        match done {
            Err(error) if !absent(&error) => {
                Err(Fault::io(code::DESTINATION_IO, doing, old, &error))
            }
            _ => Ok(()),
        }
    }

    /// Renames to a destination that isn't there, and mustn't have come meanwhile.
    fn rename_new(&self, new: &Path) -> Result<()> {
        let destination = &self.begun.destination;
        let flags = RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(CWD, new, CWD, destination, flags) {
            Ok(()) => Ok(()),
            Err(Errno::INVAL | Errno::NOSYS) if self.begun.shape == Shape::File => {
                rename(new, destination)
            }
            Err(Errno::EXIST) => {
                self.refuse_foreign()?;
                Err(self.unswappable(&Errno::EXIST.into()))
            }
            Err(error) => Err(self.unswappable(&error.into())),
        }
    }

    /// Whether the destination already holds this run's files; all came in one step.
    fn swapped(&self) -> Result<bool> {
        for file in &self.files {
            if is_file(&self.begun.destination.join(&file.name), file.size)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Fills `next` with the whole new set.
    fn build(&self, next: &Path) -> Result<()> {
        destination::create(next)?;
        for (name, written) in self.keep.iter().flat_map(|keep| &keep.0) {
            let (from, to) = (self.begun.destination.join(name), next.join(name));
            destination::create(parent(&to))?;
            match fs::hard_link(&from, &to) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) if absent(&error) && is_file(&to, written.size)? => {}
                Err(error) if absent(&error) => return Err(self.lost(&from)),
                Err(error) => {
                    return Err(Fault::io(code::DESTINATION_IO, "can't link", &from, &error));
                }
            }
        }
        for file in &self.files {
            let (from, to) = (self.staged(file), next.join(&file.name));
            if is_file(&from, file.size)? {
                destination::create(parent(&to))?;
                rename(&from, &to)?;
            } else if !is_file(&to, file.size)? {
                return Err(self.lost(&from));
            }
        }
        Ok(())
    }

    /// Makes the folders of `next` durable, from the deepest up.
    fn sync(&self, next: &Path) -> Result<()> {
        let kept = self.keep.iter().flat_map(|keep| keep.0.keys());
        let names = self.files.iter().map(|f| &f.name).chain(kept);
        let mut folders = BTreeSet::from([next.to_owned()]);
        for name in names {
            folders.extend(between(&next.join(name), next));
        }
        for folder in folders.iter().rev() {
            sync::folder(folder)?;
        }
        Ok(())
    }

    /// Looks once more, right before anything becomes visible.
    fn refuse_foreign(&self) -> Result<()> {
        if self.how.adopt {
            return Ok(());
        }
        let destination = &self.begun.destination;
        let found = match self.begun.shape {
            Shape::Folder => own::list(destination)?,
            Shape::File => own::single(destination)?,
        };
        let mut known = self.begun.own.clone();
        if self.begun.shape == Shape::Folder {
            let new = self.files.iter().map(|f| (f.name.clone(), f.written(None)));
            known.0.extend(new);
        }
        let sorted = own::sort(destination, self.how.format, found, &known)?;
        match sorted.foreign.first() {
            None => Ok(()),
            Some(foreign) => Err(self.waits(&super::within(destination, &foreign.path))),
        }
    }

    /// The fault for something that came after the rows began to move.
    fn waits(&self, foreign: &Path) -> Fault {
        Fault::new(
            code::DESTINATION_FOREIGN,
            format!(
                "{} came or changed while run {} moved rows, and holds up its commit",
                foreign.display(),
                self.run
            ),
        )
        .with("file", foreign.display())
        .advise(format!(
            "move it away and `hygge start --entity {named}` commits what is staged, before \
             anything else; or give the commit up with `hygge state reset {named} --yes`: then \
             `adopt: true` in the store takes the file over, and `hygge start --full --entity \
             {named}` replaces all of it",
            named = quoted(&self.entity.to_string())
        ))
    }

    fn lost(&self, path: &Path) -> Fault {
        let what = "is gone, and the commit of run";
        let path = path.display();
        self.given_up(format!("{path} {what} {} needs it", self.run))
            .with("file", path)
    }

    /// The fault for a commit that can't be finished.
    fn given_up(&self, why: String) -> Fault {
        Fault::new(code::COMMIT_LOST, why).advise(format!(
            "put it back; or give the run up: `hygge start --full --entity {}` replaces what \
             stands by all that the source holds now",
            quoted(&self.entity.to_string())
        ))
    }

    fn unswappable(&self, error: &io::Error) -> Fault {
        let destination = &self.begun.destination;
        let fault = Fault::io(code::DESTINATION_IO, "can't swap in", destination, error);
        match error.kind() {
            io::ErrorKind::CrossesDevices | io::ErrorKind::InvalidInput => fault
                .advise("the file system can't move this folder; give the store another `path`"),
            io::ErrorKind::ResourceBusy => fault.advise(
                "something is mounted there or uses it as its root; give the store a folder \
                 below it as `path`",
            ),
            _ => fault,
        }
    }
}

/// The folders from a file's up to `top`, without `top`.
fn between<'a>(file: &'a Path, top: &'a Path) -> impl Iterator<Item = PathBuf> + 'a {
    file.ancestors()
        .skip(1)
        .take_while(move |folder| *folder != top)
        .map(Path::to_owned)
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to)
        .map_err(|error| Fault::io(code::DESTINATION_IO, "can't move a file to", to, &error))
}

/// Whether a file of that size is there.
pub(crate) fn is_file(path: &Path, size: u64) -> Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(found.is_file() && found.len() == size),
        Err(error) if absent(&error) => Ok(false),
        Err(error) => Err(look(path, &error)),
    }
}

/// When a file was last written.
fn written(path: &Path) -> Result<Option<i64>> {
    let found = fs::metadata(path).map_err(|error| look(path, &error))?;
    Ok(Some(modified(&found)))
}

/// Removes the new set that a commit was building.
pub(crate) fn unbuild(staging: &Path) -> Result<()> {
    let next = staging.join(NEXT);
    match fs::remove_dir_all(&next) {
        Err(error) if !absent(&error) => {
            let doing = "can't remove";
            Err(Fault::io(code::DESTINATION_IO, doing, &next, &error))
        }
        _ => Ok(()),
    }
}
