//! Which runs may have staged something in a plugin's store. A guest is told the runs that are
//! over, by name: it never has to guess what in a shared destination it may throw away.

use std::io::Write;
use std::path::{Path, PathBuf};

use hygge_core::{Context, EntityId, Fault, Result, RunId, code};

/// Runs by entity, a file each below `.hygge/plugins/staged`.
#[derive(Debug, Clone)]
pub(crate) struct Staged {
    folder: PathBuf,
}

impl Staged {
    pub(crate) fn new(work: &Path, plugin: &str) -> Self {
        Self {
            folder: work.join("plugins/staged").join(plugin),
        }
    }

    fn file(&self, id: &EntityId) -> PathBuf {
        // Names of entities can be anything, and two must not share a file.
        let whole = format!("{}\0{}", id.flow, id.entity);
        let hash = blake3::hash(whole.as_bytes()).to_hex();
        self.folder.join(&hash[..32])
    }

    /// Writes down that a run begins, durably.
    pub(crate) async fn add(&self, id: &EntityId, run: &RunId, cx: &Context) -> Result<()> {
        let (file, run) = (self.file(id), run.to_string());
        cx.io(move || {
            let mut runs = read(&file)?;
            if !runs.contains(&run) {
                runs.push(run);
                write(&file, &runs)?;
            }
            Ok(())
        })
        .await
    }

    /// All runs but the one that lives.
    pub(crate) async fn but(
        &self,
        id: &EntityId,
        live: Option<&RunId>,
        cx: &Context,
    ) -> Result<Vec<String>> {
        let (file, live) = (self.file(id), live.map(ToString::to_string));
        cx.io(move || {
            let mut runs = read(&file)?;
            runs.retain(|run| Some(run) != live.as_ref());
            Ok(runs)
        })
        .await
    }

    /// Forgets all runs but the one that lives.
    pub(crate) async fn keep(
        &self,
        id: &EntityId,
        live: Option<&RunId>,
        cx: &Context,
    ) -> Result<()> {
        let (file, live) = (self.file(id), live.map(ToString::to_string));
        cx.io(move || {
            let mut runs = read(&file)?;
            runs.retain(|run| Some(run) == live.as_ref());
            write(&file, &runs)
        })
        .await
    }
}

fn failed(doing: &'static str, file: &Path) -> impl Fn(std::io::Error) -> Fault {
    let file = file.to_owned();
    move |error| Fault::io(code::STATE, doing, &file, &error)
}

fn read(file: &Path) -> Result<Vec<String>> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(text
            .lines()
            .filter(|line| RunId::parse(line).is_some())
            .map(str::to_owned)
            .collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(failed("can't read", file)(error)),
    }
}

fn write(file: &Path, runs: &[String]) -> Result<()> {
    let failed = failed("can't write", file);
    if runs.is_empty() {
        return match std::fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        };
    }
    let folder = file.parent().unwrap_or(Path::new(""));
    let temporary = file.with_extension("new");
    std::fs::create_dir_all(folder)
        .and_then(|()| {
            let mut out = std::fs::File::create(&temporary)?;
            for run in runs {
                writeln!(out, "{run}")?;
            }
            out.sync_all()?;
            std::fs::rename(&temporary, file)?;
            std::fs::File::open(folder)?.sync_all()
        })
        .map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;

    #[test]
    fn runs_are_remembered_until_they_are_cleaned_up() {
        let work = tempfile::tempdir().unwrap();
        let staged = Staged::new(work.path(), "crm");
        let cx = Context::inline();
        let id = EntityId::new("a", "b.c");
        let [one, two] = ["one", "two"].map(|run| RunId::parse(run).unwrap());
        block_on(async {
            assert!(staged.but(&id, None, &cx).await.unwrap().is_empty());
            for run in [&one, &two, &two] {
                staged.add(&id, run, &cx).await.unwrap();
            }
            assert_eq!(staged.but(&id, Some(&two), &cx).await.unwrap(), ["one"]);
            staged.keep(&id, Some(&two), &cx).await.unwrap();
            assert_eq!(staged.but(&id, None, &cx).await.unwrap(), ["two"]);
            staged.keep(&id, None, &cx).await.unwrap();
            assert!(staged.but(&id, None, &cx).await.unwrap().is_empty());
            let other = EntityId::new("a.b", "c");
            staged.add(&other, &one, &cx).await.unwrap();
            assert!(staged.but(&id, None, &cx).await.unwrap().is_empty());
        });
    }
}
