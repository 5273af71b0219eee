//! Whose staging tables are.
//!
//! Two projects may call an entity alike and write into one schema. A commit that one of them
//! decided on needs its staged rows, however long its process has been dead. So a project sweeps
//! what carries its own mark and nothing else: a number made of chance once and kept in its
//! `.hygge`, with that folder's place, lest a copy be taken for the original.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use hygge_core::{Fault, Result, code};
use xxhash_rust::xxh3::xxh3_64;

/// The project that something is staged for.
#[derive(Debug, Clone)]
pub(super) struct Owner(PathBuf);

impl Owner {
    /// The project whose `.hygge` that is.
    pub(super) fn of(work: &Path) -> Self {
        Self(work.to_owned())
    }

    /// The mark; none where the project never staged anything.
    pub(super) async fn known(&self) -> Result<Option<String>> {
        self.look(|work| match std::fs::read(work.join(FILE)) {
            Ok(number) => mark(work, &number).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    /// The mark, made now if there is none.
    pub(super) async fn made(&self) -> Result<String> {
        if let Some(mark) = self.known().await? {
            return Ok(mark);
        }
        self.look(|work| {
            std::fs::create_dir_all(work)?;
            let mut file = tempfile::NamedTempFile::new_in(work)?;
            let number = RandomState::new().build_hasher().finish();
            writeln!(file, "{number:016x}")?;
            file.as_file().sync_all()?;
            match file.persist_noclobber(work.join(FILE)) {
                Err(failed) if failed.error.kind() != ErrorKind::AlreadyExists => {
                    return Err(failed.error);
                }
                // Somebody else of this project may have been faster.
                _ => {}
            }
            mark(work, &std::fs::read(work.join(FILE))?)
        })
        .await
    }

    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Path) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let work = self.0.clone();
        let looked = tokio::task::spawn_blocking(move || {
            look(&work).map_err(|error| {
                let file = work.join(FILE);
                Fault::io(
                    code::STATE,
                    "can't keep this project's mark in",
                    &file,
                    &error,
                )
            })
        });
        looked
            .await
            .map_err(|error| Fault::internal(error.to_string()))?
    }
}

/// Where the number is kept.
const FILE: &str = "mssql.id";

fn mark(work: &Path, number: &[u8]) -> std::io::Result<String> {
    let place = work.canonicalize()?;
    let mut bytes = number.to_owned();
    bytes.extend_from_slice(place.as_os_str().as_encoded_bytes());
    Ok(format!("{:016x}", xxh3_64(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_project_knows_its_own_mark_and_a_copy_has_another() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        let own = Owner::of(&one);
        assert_eq!(own.known().await.unwrap(), None);
        assert!(!one.exists(), "looking makes nothing");
        let mark = own.made().await.unwrap();
        assert_eq!(own.made().await.unwrap(), mark);
        assert_eq!(own.known().await.unwrap(), Some(mark.clone()));
        std::fs::create_dir(&other).unwrap();
        std::fs::copy(one.join(FILE), other.join(FILE)).unwrap();
        assert_ne!(Owner::of(&other).made().await.unwrap(), mark);
    }
}
