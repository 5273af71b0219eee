//! What was run, and which file it is by now.
//!
//! A file that is only renamed is recorded as well, with the name that it had, so that what was run goes
//! on under its new name and is no other file's any more.

use std::collections::HashSet;
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
        let renamed = self.renamed(last);
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
                stands: Stands::There,
            }),
        }
    }

    /// The run that has another name from here on. In the same apply another file may have been run in
    /// its place before that is recorded.
    fn renamed(&self, last: &Applied) -> Option<usize> {
        let from = last.renamed_from.as_ref()?;
        let mut runs = self.0.iter();
        runs.rposition(|run| run.last.file == *from && run.last.checksum == last.checksum)
    }

    /// What a script's file was last. Where a link leads by now is the least that can be said of it.
    pub(crate) fn last(&self, script: &Script) -> Option<usize> {
        let ways: [&dyn Fn(&Run<'_>) -> bool; 4] = [
            &|run| run.last.checksum == script.checksum,
            &|run| run.last.file == script.name,
            &|run| !run.linked,
            &|_| true,
        ];
        let mut found = ways.iter().filter_map(|way| {
            let mut runs = self.0.iter();
            runs.rposition(|run| run.is_of(script) && way(run))
        });
        found.next()
    }

    /// What was a script under another name, as far as it isn't another's: that of a file which has its
    /// text no more. One that is still there is somebody's own, and the script a copy of it.
    pub(crate) fn moved(
        &self,
        script: &Script,
        taken: &HashSet<usize>,
        scripts: &[Script],
        root: &Path,
    ) -> Option<usize> {
        let mut runs = self.0.iter().enumerate().rev();
        let found = runs.find(|(at, run)| {
            run.last.checksum == script.checksum
                && run.stands != Stands::Replaced
                && !taken.contains(at)
                && !self.edited_by_a_link(*at)
                && !run.is_kept(scripts, root)
        });
        found.map(|(at, _)| at)
    }

    /// Whether its file was run again since, under the name of a link to it.
    fn edited_by_a_link(&self, at: usize) -> bool {
        let later = self.0.get(at + 1..).unwrap_or_default();
        let run = self.0.get(at).filter(|run| !run.linked);
        run.is_some_and(|run| {
            let again = |later: &Run<'_>| later.linked && later.place == run.place;
            later
                .iter()
                .any(|later| again(later) && later.stands == Stands::There)
        })
    }

    pub(crate) fn get(&self, at: usize) -> Option<&'a Applied> {
        self.0.get(at).map(|run| run.last)
    }
}
