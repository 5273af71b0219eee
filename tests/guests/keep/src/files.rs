//! The folder, and what is staged in it under a name that isn't looked at.

use std::fs::{self, File};
use std::io::ErrorKind;

use crate::hygge::plugin::types::Fault;
use crate::{failed, fault};

const STAGING: &str = ".staging";

pub(crate) struct Folder {
    pub(crate) path: String,
}

impl Folder {
    pub(crate) fn of(config: &str) -> Result<Self, Fault> {
        let config: serde_json::Value =
            serde_json::from_str(config).map_err(|error| fault("config", error))?;
        let path = config["path"].as_str().unwrap_or_default().to_owned();
        Ok(Self { path })
    }

    /// Everything but what is staged.
    pub(crate) fn files(&self) -> Result<Vec<String>, Fault> {
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut files = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            let name = name.to_string_lossy().into_owned();
            if name != STAGING {
                files.push(name);
            }
        }
        files.sort();
        Ok(files)
    }

    pub(crate) fn foreign(&self, mine: impl Fn(&str) -> bool) -> Result<Option<String>, Fault> {
        Ok(self.files()?.into_iter().find(|file| !mine(file)))
    }

    fn staged(&self, run: &str) -> String {
        format!("{}/{STAGING}/{run}", self.path)
    }

    pub(crate) fn stage(&self, run: &str) -> Result<(), Fault> {
        fs::create_dir_all(self.staged(run)).map_err(failed)
    }

    pub(crate) fn create(&self, run: &str, name: &str) -> Result<File, Fault> {
        File::create(format!("{}/{name}", self.staged(run))).map_err(failed)
    }

    /// That it was done before is as good.
    pub(crate) fn publish(&self, run: &str, name: &str) -> Result<(), Fault> {
        let to = format!("{}/{name}", self.path);
        match fs::rename(format!("{}/{name}", self.staged(run)), &to) {
            Err(error)
                if error.kind() == ErrorKind::NotFound && fs::exists(&to).unwrap_or(false) =>
            {
                Ok(())
            }
            done => done.map_err(failed),
        }
    }

    pub(crate) fn remove(&self, name: &str) -> Result<(), Fault> {
        gone(fs::remove_file(format!("{}/{name}", self.path)))
    }

    pub(crate) fn unstage(&self, run: &str) -> Result<(), Fault> {
        gone(fs::remove_dir_all(self.staged(run)))?;
        match fs::remove_dir(format!("{}/{STAGING}", self.path)) {
            // Another run's.
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Ok(()),
            done => gone(done),
        }
    }
}

fn gone(done: std::io::Result<()>) -> Result<(), Fault> {
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done.map_err(failed),
    }
}
