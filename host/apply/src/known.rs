//! What was run, and which file it is by now.
//!
//! A file that is only renamed is recorded as well, with no batches run, so that what was run goes on
//! under its new name and is no other file's any more.

use std::path::{Path, PathBuf};

use hygge_core::Applied;

use crate::file::{Script, checksum};
use crate::name::{plain, real};

/// A text that was run.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    /// The last that is recorded of it.
    pub(crate) last: &'a Applied,
    /// Where its file is, or was.
    place: PathBuf,
    /// Its name leads there through a link, which may have led somewhere else.
    linked: bool,
    /// Whether it ran anything.
    ran: bool,
    stands: Stands,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    /// It is what its file was last.
    There,
    /// Another that was renamed has its place.
    Displaced,
    /// Its file was edited, and run again.
    Replaced,
}

impl Run<'_> {
    /// Whether it is this script's, by whatever way that is named.
    fn is_of(&self, script: &Script) -> bool {
        self.stands == Stands::There
            && (self.last.file == script.name || self.place == script.place)
    }

    /// Whether its file still has its text: those given are as they were read.
    fn is_kept(&self, scripts: &[Script], root: &Path) -> bool {
        if self.stands != Stands::There {
            return false;
        }
        let given = scripts.iter().find(|script| self.is_of(script));
        let now = match given {
            Some(script) => Some(script.checksum.clone()),
            None => checksum(&root.join(&self.last.file)),
        };
        now.as_ref() == Some(&self.last.checksum)
    }
}

/// All that was run, in order.
#[derive(Debug)]
pub(crate) struct Known<'a>(Vec<Run<'a>>);

impl<'a> Known<'a> {
    pub(crate) fn of(applied: &'a [Applied], root: &Path) -> Self {
        let mut known = Self(Vec::new());
        let root = real(root);
        for each in applied {
            let named = plain(&root.join(&each.file));
            let place = real(&named);
            let linked = place != named;
            known.note(each, place, linked);
        }
        known
    }

    fn note(&mut self, last: &'a Applied, place: PathBuf, linked: bool) {
        let ran = last.batches > 0;
        let renamed = match ran {
            true => None,
            false => self.renamed(last, &place),
        };
        for (at, run) in self.0.iter_mut().enumerate() {
            let same = run.last.file == last.file || (run.place == place && !run.linked && !linked);
            if same && run.stands == Stands::There && Some(at) != renamed {
                run.stands = match renamed {
                    Some(_) => Stands::Displaced,
                    None => Stands::Replaced,
                };
            }
        }
        match renamed.and_then(|at| self.0.get_mut(at)) {
            Some(run) => {
                run.last = last;
                run.place = place;
                run.linked = linked;
                run.stands = Stands::There;
            }
            None => self.0.push(Run {
                last,
                place,
                linked,
                ran,
                stands: Stands::There,
            }),
        }
    }

    /// The run that has another name from here on. What has no place comes first; and in one apply another
    /// file may have been run in its place before this is recorded.
    fn renamed(&self, last: &Applied, place: &Path) -> Option<usize> {
        let rank = |stands| match stands {
            Stands::Displaced => 2,
            Stands::Replaced => 1,
            Stands::There => 0,
        };
        let same = self.0.iter().enumerate().filter(|(_, run)| {
            let elsewhere = run.stands != Stands::There || run.place != *place;
            run.ran && run.last.checksum == last.checksum && elsewhere
        });
        same.max_by_key(|(at, run)| (rank(run.stands), *at))
            .map(|(at, _)| at)
    }

    /// What a script's file was last.
    pub(crate) fn last(&self, script: &Script) -> Option<usize> {
        self.0.iter().rposition(|run| run.is_of(script))
    }

    /// What may have been a script under another name: that of a file which has its text no more. One
    /// that is still there is somebody's own, and the script a copy of it.
    pub(crate) fn moved(
        &self,
        script: &Script,
        scripts: &[Script],
        root: &Path,
    ) -> impl Iterator<Item = usize> {
        let same = self.0.iter().enumerate().rev().filter(move |(_, run)| {
            let alike = run.last.checksum == script.checksum;
            run.stands != Stands::Replaced && alike && !run.is_kept(scripts, root)
        });
        same.map(|(at, _)| at)
    }

    pub(crate) fn get(&self, at: usize) -> Option<&'a Applied> {
        self.0.get(at).map(|run| run.last)
    }
}
