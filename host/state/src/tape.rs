//! For tests: every step that was made on disk, and what a crash after any of them would leave.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Steps, as they are made.
#[derive(Debug, Default)]
pub(crate) struct Tape(Mutex<Vec<Step>>, AtomicBool);

/// One step.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Folder(PathBuf),
    Write(PathBuf, Vec<u8>),
    Append(PathBuf, Vec<u8>),
    Cut(PathBuf, u64),
    Sync(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    SyncFolder(PathBuf),
}

impl Tape {
    /// From now on syncs are taped, not made.
    pub(crate) fn pretend(&self) {
        self.1.store(true, Ordering::Relaxed);
    }

    pub(crate) fn pretends(&self) -> bool {
        self.1.load(Ordering::Relaxed)
    }

    fn push(&self, step: Step) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(step);
    }

    pub(crate) fn steps(&self) -> Vec<Step> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn folder(&self, path: &Path) {
        self.push(Step::Folder(path.to_owned()));
    }

    pub(crate) fn write(&self, path: &Path, content: &[u8]) {
        self.push(Step::Write(path.to_owned(), content.to_owned()));
    }

    pub(crate) fn append(&self, path: &Path, content: &[u8]) {
        self.push(Step::Append(path.to_owned(), content.to_owned()));
    }

    pub(crate) fn cut(&self, path: &Path, length: u64) {
        self.push(Step::Cut(path.to_owned(), length));
    }

    pub(crate) fn sync(&self, path: &Path) {
        self.push(Step::Sync(path.to_owned()));
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) {
        self.push(Step::Rename(from.to_owned(), to.to_owned()));
    }

    pub(crate) fn remove(&self, path: &Path) {
        self.push(Step::Remove(path.to_owned()));
    }

    pub(crate) fn sync_folder(&self, path: &Path) {
        self.push(Step::SyncFolder(path.to_owned()));
    }
}

/// How a machine goes down.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Crash {
    /// The process is killed: what it told the system stands.
    Killed,
    /// The power goes: of what wasn't synced, anything may be there or not, as the seed has it.
    Power(u64),
}

/// A file's content and how much of it is known to last.
#[derive(Debug, Clone, Default)]
struct Inode {
    content: Vec<u8>,
    lasting: Vec<u8>,
}

/// A change to a folder that isn't synced yet.
#[derive(Debug, Clone)]
enum Change {
    Folder(PathBuf),
    Link(PathBuf, usize),
    Move(PathBuf, PathBuf, usize),
    Unlink(PathBuf),
}

impl Change {
    fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(path) | Self::Link(path, _) | Self::Unlink(path) => path.parent(),
            Self::Move(_, to, _) => to.parent(),
        }
    }

    fn apply(&self, files: &mut BTreeMap<PathBuf, usize>, folders: &mut Vec<PathBuf>) {
        match self {
            Self::Folder(path) => folders.push(path.clone()),
            Self::Link(path, inode) => {
                files.insert(path.clone(), *inode);
            }
            Self::Move(from, to, inode) => {
                files.remove(from);
                files.insert(to.clone(), *inode);
            }
            Self::Unlink(path) => {
                files.remove(path);
            }
        }
    }
}

/// What a crash after these steps leaves below `top`, written below `into`.
pub(crate) fn leave(steps: &[Step], crash: Crash, top: &Path, into: &Path) {
    let mut inodes: Vec<Inode> = Vec::new();
    let mut live: BTreeMap<PathBuf, usize> = BTreeMap::new();
    let mut lasting: BTreeMap<PathBuf, usize> = BTreeMap::new();
    let mut folders: Vec<PathBuf> = Vec::new();
    let mut known: Vec<PathBuf> = Vec::new();
    let mut waiting: Vec<Change> = Vec::new();
    for step in steps {
        match step {
            Step::Folder(path) => {
                for folder in path.ancestors().take_while(|f| f.starts_with(top)) {
                    if !known.iter().any(|k| k == folder) {
                        known.push(folder.to_owned());
                        waiting.push(Change::Folder(folder.to_owned()));
                    }
                }
            }
            Step::Write(path, content) => {
                inodes.push(Inode {
                    content: content.clone(),
                    lasting: Vec::new(),
                });
                live.insert(path.clone(), inodes.len() - 1);
                waiting.push(Change::Link(path.clone(), inodes.len() - 1));
            }
            Step::Append(path, content) => {
                let inode = *live.entry(path.clone()).or_insert_with(|| {
                    inodes.push(Inode::default());
                    waiting.push(Change::Link(path.clone(), inodes.len() - 1));
                    inodes.len() - 1
                });
                inodes[inode].content.extend_from_slice(content);
            }
            Step::Cut(path, length) => {
                let inode = live[path];
                inodes[inode]
                    .content
                    .truncate(usize::try_from(*length).unwrap());
            }
            Step::Sync(path) => {
                let inode = &mut inodes[live[path]];
                inode.lasting = inode.content.clone();
            }
            Step::Rename(from, to) => {
                let inode = live.remove(from).unwrap();
                live.insert(to.clone(), inode);
                waiting.push(Change::Move(from.clone(), to.clone(), inode));
            }
            Step::Remove(path) => {
                live.remove(path);
                waiting.push(Change::Unlink(path.clone()));
            }
            Step::SyncFolder(folder) => waiting.retain(|change| {
                let here = change.folder() == Some(folder);
                if here {
                    change.apply(&mut lasting, &mut folders);
                }
                !here
            }),
        }
    }
    match crash {
        Crash::Killed => {
            for (path, inode) in live {
                put(&path, &inodes[inode].content, top, into);
            }
        }
        Crash::Power(seed) => {
            let mut dice = Dice(seed);
            for change in &waiting {
                if dice.roll(2) == 0 {
                    change.apply(&mut lasting, &mut folders);
                }
            }
            for (path, inode) in lasting {
                let reachable = path
                    .ancestors()
                    .skip(1)
                    .take_while(|f| f.starts_with(top))
                    .all(|f| folders.iter().any(|k| k == f));
                if !reachable {
                    continue;
                }
                let Inode { content, lasting } = &inodes[inode];
                if content.len() > lasting.len() && content.starts_with(lasting) {
                    let more = dice.roll(content.len() - lasting.len() + 1);
                    put(&path, &content[..lasting.len() + more], top, into);
                } else {
                    put(&path, lasting, top, into);
                }
            }
        }
    }
}

fn put(path: &Path, content: &[u8], top: &Path, into: &Path) {
    let to = into.join(path.strip_prefix(top).unwrap());
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::write(to, content).unwrap();
}

/// A small generator of numbers that are random enough.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % sides as u64).unwrap()
    }
}
