use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use hygge_sdk::{Entity, Fault, Result, code};

/// Staging stands in the destination, under a name that readers of `*.ndjson` pass over: one
/// rename then publishes a file, since both names are in the same granted folder.
const STAGING: &str = ".hygge-staging";

/// What is written and removed again to see whether it can be.
const PROBE: &str = ".hygge-check";

/// Where the files of a run are staged.
pub(crate) fn staging(entity: &Entity, run: &str) -> PathBuf {
    of(entity).join(run)
}

fn of(entity: &Entity) -> PathBuf {
    Path::new(STAGING)
        .join(plain(&entity.flow))
        .join(plain(&entity.name))
}

/// A name that can be a folder's: letters, digits, `-` and `_` stay, others become their code, so
/// that different names stay different.
fn plain(name: &str) -> String {
    use std::fmt::Write;
    let mut all = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_".contains(&byte) {
            all.push(byte.into());
        } else {
            // Writing to a String can't fail.
            let _ = write!(all, "%{byte:02x}");
        }
    }
    all
}

/// The destination.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(path: PathBuf) -> Result<Self> {
        if path.as_os_str().is_empty() {
            return Err(Fault::config("`path` is empty"));
        }
        Ok(Self(path))
    }

    pub(crate) fn within(&self, path: &Path) -> PathBuf {
        self.0.join(path)
    }

    pub(crate) fn create(&self, path: &Path) -> Result<()> {
        let path = self.within(path);
        fs::create_dir_all(&path).map_err(|error| failed("can't create", &path, &error))
    }

    /// Whether it can be written, as far as it is there; leaves nothing behind.
    pub(crate) fn probe(&self) -> Result<()> {
        let Some(there) = self.0.ancestors().find(|above| above.is_dir()) else {
            let error = io::Error::from(ErrorKind::NotFound);
            return Err(failed("can't reach", &self.0, &error));
        };
        let probe = there.join(PROBE);
        File::create(&probe)
            .and_then(|_| fs::remove_file(&probe))
            .map_err(|error| failed("can't write", &self.0, &error))
    }

    /// The names of everything that isn't staging, sorted.
    pub(crate) fn data(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed("can't list", &self.0, &error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| failed("can't list", &self.0, &error))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name != STAGING {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Renames a staged file in. That it was done before is as good.
    pub(crate) fn publish(&self, staged: &Path, file: &str) -> Result<()> {
        let (from, to) = (self.within(&staged.join(file)), self.0.join(file));
        match fs::rename(&from, &to) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound && to.is_file() => Ok(()),
            Err(error) => Err(failed("can't publish", &to, &error)),
        }
    }

    pub(crate) fn remove(&self, file: &str) -> Result<()> {
        let path = self.0.join(file);
        gone(fs::remove_file(&path)).map_err(|error| failed("can't remove", &path, &error))
    }

    pub(crate) fn remove_all(&self, path: &Path) -> Result<()> {
        let path = self.within(path);
        gone(fs::remove_dir_all(&path)).map_err(|error| failed("can't remove", &path, &error))
    }

    /// Removes the folders of staging that are empty, from the entity's up.
    pub(crate) fn tidy(&self, entity: &Entity) -> Result<()> {
        for path in of(entity)
            .ancestors()
            .filter(|path| !path.as_os_str().is_empty())
        {
            let path = self.within(path);
            match fs::remove_dir(&path) {
                Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => return Ok(()),
                done => gone(done).map_err(|error| failed("can't remove", &path, &error))?,
            }
        }
        Ok(())
    }

    /// Makes the names in the folder durable. A sandbox that can't sync folders says so, and then
    /// nobody can do more.
    pub(crate) fn sync(&self) -> Result<()> {
        match File::open(&self.0).and_then(|folder| folder.sync_all()) {
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Unsupported
                        | ErrorKind::InvalidInput
                        | ErrorKind::IsADirectory
                        | ErrorKind::NotFound
                ) =>
            {
                Ok(())
            }
            done => done.map_err(|error| failed("can't sync", &self.0, &error)),
        }
    }
}

/// What was removed before is removed.
fn gone(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// The folder that would have to be granted for a path: below the project the first one of it,
/// elsewhere the destination itself.
fn granted(path: &Path) -> PathBuf {
    let parts = path
        .components()
        .take_while(|part| part.as_os_str() != STAGING);
    parts
        .take(if path.is_absolute() { usize::MAX } else { 1 })
        .collect()
}

pub(crate) fn failed(doing: &str, path: &Path, error: &io::Error) -> Fault {
    let fault = Fault::io(code::DESTINATION_IO, doing, path, error);
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::NotFound => fault.advise(format!(
            "if it may write there, put `plugins: {{ndjson: {{write: [{}]}}}}` into hygge.yml, \
                 with the name of the plugin's file; then `hygge plugin trust ndjson`",
            granted(path).display()
        )),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            fault.advise("free some space, or raise the plugin's quota")
        }
        _ => fault,
    }
}
