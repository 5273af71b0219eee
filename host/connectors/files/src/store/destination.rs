//! Where data will stand, where it is staged, and whether one can be swapped for the other.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hygge_core::{EntityId, Fault, Result, RunId, code, quoted};
use rustix::fs::{Access, AtFlags, CWD, RenameFlags, StatxAttributes, StatxFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::name;

/// The folders hygge makes for staging: the run's, the entity's, and the one all are in.
pub(crate) const STAGING_LEVELS: usize = 3;

/// What a destination is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Shape {
    /// A folder that holds nothing but data files.
    Folder,
    /// One file.
    File,
}

/// The destination of an entity, as configured.
#[derive(Debug, Clone)]
pub(crate) struct Destination {
    /// Its absolute path.
    pub(crate) path: PathBuf,
    /// What it is.
    pub(crate) shape: Shape,
    /// The project's folder for staging.
    pub(crate) work: PathBuf,
}

impl Destination {
    /// The path with a symbolic link at its end followed, so that what the link points at is
    /// swapped and the link stays.
    pub(crate) fn resolved(&self) -> Result<PathBuf> {
        match fs::symlink_metadata(&self.path) {
            Ok(found) if found.is_symlink() => fs::canonicalize(&self.path).map_err(|error| {
                Fault::io(
                    code::DESTINATION_IO,
                    "can't follow the symbolic link",
                    &self.path,
                    &error,
                )
                .advise("point the link at a folder that exists, or remove it")
            }),
            Ok(_) => Ok(self.path.clone()),
            Err(error) if absent(&error) => Ok(self.path.clone()),
            Err(error) => Err(look(&self.path, &error)),
        }
    }

    /// The folders in which this entity may be staged: the project's, and the one beside the
    /// destination for when the project's is on another file system.
    pub(crate) fn stagings(&self, entity: &EntityId) -> Result<[PathBuf; 2]> {
        let entity = name::entity(entity);
        Ok([
            self.work.join("staging").join(&entity),
            beside(&self.resolved()?).join(entity),
        ])
    }

    /// Folders for staging beside earlier destinations, such as those of other days: nobody else
    /// looks there any more.
    pub(crate) fn stagings_beside(&self) -> Result<Vec<PathBuf>> {
        let resolved = self.resolved()?;
        let Some(parent) = resolved.parent() else {
            return Ok(Vec::new());
        };
        let entries = match fs::read_dir(parent) {
            Ok(entries) => entries,
            // Whoever may write there needn't be allowed to list it.
            Err(error) if absent(&error) || error.kind() == io::ErrorKind::PermissionDenied => {
                return Ok(Vec::new());
            }
            Err(error) => return Err(look(parent, &error)),
        };
        let own = beside(&resolved);
        let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
        let is_staging = |name: &OsString| {
            let name = name.as_encoded_bytes();
            name.starts_with(b".")
                && name.ends_with(BESIDE.as_bytes())
                && name.len() > BESIDE.len() + 1
        };
        let folders = names.filter(is_staging).map(|name| parent.join(name));
        Ok(folders.filter(|folder| *folder != own).collect())
    }

    /// Refuses a destination that isn't of its shape, or can't be swapped whatever is staged.
    pub(crate) fn refuse(&self, resolved: &Path) -> Result<()> {
        self.refuse_long(resolved)?;
        let found = match fs::symlink_metadata(resolved) {
            Ok(found) => found,
            Err(error) if absent(&error) => return Ok(()),
            Err(error) => return Err(look(resolved, &error)),
        };
        match self.shape {
            Shape::Folder if !found.is_dir() => {
                return Err(Fault::new(
                    code::DESTINATION_UNSUPPORTED,
                    format!("{} is a file, not a folder", self.path.display()),
                )
                .with("file", self.path.display())
                .advise("give the store another `path`, or move the file away"));
            }
            Shape::File if found.is_dir() => {
                return Err(Fault::new(
                    code::DESTINATION_UNSUPPORTED,
                    format!("{} is a folder, not a file", self.path.display()),
                )
                .with("file", self.path.display())
                .advise("end `path` with `/` to write files into the folder"));
            }
            Shape::File if !found.is_file() => {
                return Err(Fault::new(
                    code::DESTINATION_UNSUPPORTED,
                    format!("{} is not a regular file", self.path.display()),
                )
                .with("file", self.path.display())
                .advise("give the store another `path`"));
            }
            _ => {}
        }
        if is_mount(resolved)? {
            return Err(Fault::new(
                code::DESTINATION_UNSUPPORTED,
                format!(
                    "{} is a mount point, which can't be swapped in one step",
                    self.path.display()
                ),
            )
            .with("file", self.path.display())
            .advise("give the store a folder below it as `path`"));
        }
        Ok(())
    }

    /// The fault for a folder that overlayfs won't move.
    fn lower(&self, resolved: &Path) -> Fault {
        let path = quoted(&resolved.display().to_string());
        Fault::new(
            code::DESTINATION_UNSUPPORTED,
            format!(
                "{} is of a lower layer of an overlay file system, such as a container's image, and \
                 can't be swapped",
                self.path.display()
            ),
        )
        .with("file", self.path.display())
        .advise(format!(
            "put a copy in its place (`cp -a {path} {path}.new && rm -r {path} && mv {path}.new \
             {path}`), or give the store a `path` on a volume"
        ))
    }

    /// Refuses names that no file system takes: what is staged under a shorter one would be decided
    /// on, and could never be moved there.
    fn refuse_long(&self, resolved: &Path) -> Result<()> {
        let names = resolved.iter().map(OsStr::len);
        // A folder for staging may have to stand beside the destination.
        let last = beside(resolved).file_name().map_or(0, OsStr::len);
        let longest = names.chain([last]).max().unwrap_or_default();
        if longest <= LONGEST_NAME && resolved.as_os_str().len() <= LONGEST_PATH {
            return Ok(());
        }
        Err(Fault::new(
            code::DESTINATION_UNSUPPORTED,
            format!(
                "{} is too long for a file system: a name there has up to {} bytes",
                self.path.display(),
                LONGEST_NAME - "..hygge".len()
            ),
        )
        .with("file", self.path.display())
        .advise("give the store a shorter `path`"))
    }

    /// Makes the folder in which a run is staged, where it can be swapped with the destination.
    pub(crate) fn stage(&self, entity: &EntityId, run: &RunId) -> Result<PathBuf> {
        let resolved = self.resolved()?;
        let above = standing(&resolved)?;
        writable(&above)?;
        if self.shape == Shape::Folder && resolved.is_dir() {
            writable(&resolved)?;
        }
        let mut refused = None;
        for base in self.stagings(entity)? {
            let staging = base.join(run.as_str());
            create(&staging)?;
            match swappable(&staging, &above, self.shape) {
                Ok(()) if self.shape == Shape::Folder && is_lower(&resolved, &staging) => {
                    remove_empty(&staging, STAGING_LEVELS);
                    return Err(self.lower(&resolved));
                }
                Ok(()) => return Ok(staging),
                Err(error) => {
                    remove_empty(&staging, STAGING_LEVELS);
                    refused = Some(error);
                }
            }
        }
        let why = refused.map_or_else(String::new, |error| {
            format!(": {}", io::Error::from(error).kind())
        });
        Err(Fault::new(
            code::DESTINATION_UNSUPPORTED,
            format!(
                "the file system of {} can't swap two folders in one step{why}",
                self.path.display()
            ),
        )
        .with("file", self.path.display())
        .advise(
            "give the store a `path` on a local file system such as ext4, xfs or btrfs, or a \
             single file",
        ))
    }
}

/// Bytes that a name may have, on every file system that can swap folders.
const LONGEST_NAME: usize = 255;
/// Bytes that the destination's path may have: the kernel takes 4,096, and the names of partitions and
/// files come behind it.
const LONGEST_PATH: usize = 3_500;

/// How the name of a folder for staging ends that stands beside a destination.
const BESIDE: &str = ".hygge";

/// The folder for staging beside a destination.
fn beside(resolved: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(resolved.file_name().unwrap_or_default());
    name.push(BESIDE);
    resolved.with_file_name(name)
}

/// The nearest folder above a path that is there.
fn standing(path: &Path) -> Result<PathBuf> {
    for above in path.ancestors().skip(1) {
        match fs::metadata(above) {
            Ok(found) if found.is_dir() => return Ok(above.to_owned()),
            Ok(_) => {
                return Err(Fault::new(
                    code::DESTINATION_UNSUPPORTED,
                    format!(
                        "{} is a file, so nothing can be written below it",
                        above.display()
                    ),
                )
                .with("file", above.display())
                .advise("give the store another `path`"));
            }
            Err(error) if absent(&error) => {}
            Err(error) => return Err(look(above, &error)),
        }
    }
    Ok(PathBuf::from("/"))
}

fn writable(folder: &Path) -> Result<()> {
    rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| {
        let error = io::Error::from(error);
        Fault::io(code::DESTINATION_IO, "can't write into", folder, &error)
    })
}

/// Whether something can be written into a run's folder for staging; nobody sees it.
pub(crate) fn has_room(staging: &Path) -> Result<()> {
    let tried = || {
        let mut spare = tempfile::tempfile_in(staging)?;
        spare.write_all(&[0; 64 << 10])
    };
    // A person knows the folder that was there before.
    let above = staging.ancestors().nth(STAGING_LEVELS);
    tried().map_err(|error| {
        let doing = "can't write anything into";
        Fault::io(
            code::DESTINATION_IO,
            doing,
            above.unwrap_or(staging),
            &error,
        )
    })
}

/// Whether something is mounted at the path itself.
fn is_mount(path: &Path) -> Result<bool> {
    let stat = rustix::fs::statx(
        CWD,
        path,
        AtFlags::SYMLINK_NOFOLLOW,
        StatxFlags::BASIC_STATS,
    )
    .map_err(|error| look(path, &error.into()))?;
    if stat
        .stx_attributes_mask
        .contains(StatxAttributes::MOUNT_ROOT)
    {
        return Ok(stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT));
    }
    let own = fs::metadata(path).map_err(|error| look(path, &error))?;
    let Some(parent) = path.parent() else {
        return Ok(true);
    };
    let above = fs::metadata(parent).map_err(|error| look(parent, &error))?;
    Ok(own.dev() != above.dev())
}

/// Tries, with nothing a reader of the destination could see, whether a rename goes from
/// `staging` to `above`, and whether this file system swaps folders.
fn swappable(staging: &Path, above: &Path, shape: Shape) -> Result<(), Errno> {
    let one = staging.join("probe-one");
    let other = staging.join("probe-other");
    let make = |path: &Path| match rustix::fs::mkdir(path, 0o777.into()) {
        Err(Errno::EXIST) => Ok(()),
        made => made,
    };
    make(&one)?;
    make(&other)?;
    // The kernel compares the mounts before it looks for the second name, which isn't there.
    let nowhere = above.join(format!(".hygge-probe-{}", std::process::id()));
    let across = match rustix::fs::renameat_with(CWD, &one, CWD, &nowhere, RenameFlags::EXCHANGE) {
        Err(Errno::NOENT) => Ok(()),
        // Without exchange there is no telling; the next probe says so.
        Err(Errno::INVAL | Errno::NOSYS) if shape == Shape::File => same_device(staging, above),
        tried => tried,
    };
    let swapped = match shape {
        Shape::Folder => rustix::fs::renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE),
        Shape::File => Ok(()),
    };
    // What is left of them is removed with the run's folder.
    let _ = rustix::fs::rmdir(&one);
    let _ = rustix::fs::rmdir(&other);
    across.and(swapped)
}

/// Whether the folder is one that overlayfs won't move: of a lower layer, such as a container's
/// image. Only trying tells; a folder is never renamed over one that isn't empty, so nothing moves.
fn is_lower(folder: &Path, staging: &Path) -> bool {
    const OVERLAYFS: u64 = 0x794c_7630;
    let of_type = |found: rustix::fs::StatFs| u64::try_from(found.f_type) == Ok(OVERLAYFS);
    let overlay = rustix::fs::statfs(folder).is_ok_and(of_type);
    if !overlay {
        return false;
    }
    let taken = staging.join("probe-taken");
    let tried = fs::create_dir_all(taken.join("inside")).is_ok()
        && rustix::fs::rename(folder, &taken) == Err(Errno::XDEV);
    let _ = fs::remove_dir_all(&taken);
    tried
}

fn same_device(one: &Path, other: &Path) -> Result<(), Errno> {
    let same = rustix::fs::stat(one)?.st_dev == rustix::fs::stat(other)?.st_dev;
    if same { Ok(()) } else { Err(Errno::XDEV) }
}

/// Creates a folder and those above it. Another entity's cleanup may remove an empty one in
/// between, so it tries again.
pub(crate) fn create(folder: &Path) -> Result<()> {
    let mut tries = 0;
    loop {
        match fs::create_dir_all(folder) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound && tries < 100 => tries += 1,
            Err(error) => {
                let what = "can't create the folder";
                let mut fault = Fault::io(code::DESTINATION_IO, what, folder, &error);
                fault.advice.get_or_insert_with(|| {
                    "no folder can be made there: name another place in the store's `path`".into()
                });
                return Err(fault);
            }
        }
    }
}

/// Removes a folder when it is empty, then those above it, at most `levels` in all.
pub(crate) fn remove_empty(folder: &Path, levels: usize) {
    for path in folder.ancestors().take(levels) {
        let gone = match fs::remove_dir(path) {
            Ok(()) => true,
            Err(error) => absent(&error),
        };
        if !gone {
            return;
        }
    }
}

/// Removes the folders of runs in an entity's folder for staging that stayed empty for a day, and it
/// when nothing is left: whoever made them died before anything was staged. It may be of another
/// project that has an entity of that name, so what holds a file stays.
pub(crate) fn remove_empty_old(base: &Path) {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let old = |path: &Path| {
        let changed = fs::metadata(path).and_then(|found| found.modified());
        changed.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > DAY))
    };
    let entries = fs::read_dir(base).into_iter().flatten().flatten();
    let runs: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    if runs.is_empty() {
        return;
    }
    for run in runs.iter().filter(|run| old(run)) {
        remove_empty(run, 1);
    }
    remove_empty(base, STAGING_LEVELS - 1);
}

/// A name that no file system takes isn't there either.
pub(crate) fn absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename
    )
}

pub(crate) fn look(path: &Path, error: &io::Error) -> Fault {
    Fault::io(code::DESTINATION_IO, "can't look at", path, error)
}

/// Removes what runs staged in an entity's folder, but for the live one, then the folder itself
/// when nothing is left in it, and the one above it.
pub(crate) fn clear(base: &Path, live: Option<&RunId>) -> Result<()> {
    let failed = |path: &Path, error: &io::Error| {
        Fault::io(code::DESTINATION_IO, "can't remove", path, error)
    };
    let entries = match fs::read_dir(base) {
        Ok(entries) => entries,
        Err(error) if absent(&error) => return Ok(()),
        Err(error) => return Err(failed(base, &error)),
    };
    for entry in entries {
        let entry = entry.map_err(|error| failed(base, &error))?;
        if live.is_some_and(|live| entry.file_name() == live.as_str()) {
            continue;
        }
        match fs::remove_dir_all(entry.path()) {
            Ok(()) => {}
            Err(error) if absent(&error) => {}
            Err(error) => return Err(failed(&entry.path(), &error)),
        }
    }
    remove_empty(base, STAGING_LEVELS - 1);
    Ok(())
}
