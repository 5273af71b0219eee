//! One plugin alone, outside of a project: granted what whoever tries it says on the spot.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hygge_component::{Inspected, inspect};
use hygge_core::{Context, Fault, Result};
use serde_json::Value;

use crate::ask::Sealed;
use crate::cache::Cache;
use crate::fault::{self, clean};
use crate::folder;
use crate::grants::Grants;
use crate::plugin::{Digest, Plugin};

/// A file to be tried, and what it may do meanwhile. Naming the file and its grants in one
/// command is the trust that `hygge.lock` is elsewhere.
pub struct Trial<'a> {
    /// The file.
    pub file: &'a Path,
    /// What it may do, in the words of `plugins.<name>` in hygge.yml.
    pub granted: &'a Value,
    /// Where relative folders that it may read are.
    pub root: &'a Path,
    /// Where relative folders that it may write are.
    pub scratch: &'a Path,
    /// Looks an environment variable up.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// The user's folder for compiled plugins.
    pub cache: Option<PathBuf>,
}

impl Trial<'_> {
    /// The plugin. One that isn't sealed is asked what it is; the file stays as it is.
    pub async fn plugin(&self, cx: &Context) -> Result<Arc<Plugin>> {
        let mut plugin = self.unchecked(cx).await?;
        let sealed = self.inspected()?.sealed;
        plugin.sealed = sealed.as_deref().map(blake3::hash);
        Ok(Arc::new(plugin))
    }

    /// The same, also when its section lies: to say so, and what else is wrong.
    pub(crate) async fn unchecked(&self, cx: &Context) -> Result<Plugin> {
        let sealed = Sealed::read(self.file, false, cx).await?;
        let bytes = self.bytes()?;
        let key = self.key();
        let grants = self.grants()?;
        let digest = Digest::of(&bytes);
        let cache = Cache::open(self.cache.as_deref());
        let file = self.file.to_owned();
        let mut plugin = Plugin::new(file, key, digest, sealed.description, grants, cache);
        plugin.trusted = true;
        Ok(plugin)
    }

    /// What the file says, without running any of it.
    pub(crate) fn inspected(&self) -> Result<Inspected> {
        inspect(&self.bytes()?).map_err(|why| self.unfit(&why))
    }

    fn bytes(&self) -> Result<Vec<u8>> {
        folder::read(self.file).map_err(|why| self.unfit(&why))
    }

    fn unfit(&self, why: &str) -> Fault {
        let show = clean(&self.file.display().to_string(), 1_000);
        fault::load(format!("{show} can't be used: {why}"))
    }

    /// The file's name, as hygge.yml would call it.
    fn key(&self) -> String {
        let stem = self.file.file_stem().unwrap_or_default();
        clean(&stem.to_string_lossy(), 64)
    }

    fn grants(&self) -> Result<Grants> {
        let read = |root: &Path| {
            Grants::read(self.granted, root, "flows", self.env).map_err(|problems| {
                let problem = &problems[0];
                let pointer = problem.pointer.trim_start_matches('/').replace('/', ".");
                let place = match pointer.is_empty() {
                    true => String::new(),
                    false => format!(" `{pointer}`"),
                };
                let mut wrong = Fault::new(
                    hygge_core::code::CONFIG,
                    format!("the grant{place} can't be given: {}", problem.message),
                );
                wrong.advice = problem.advice.clone();
                wrong
            })
        };
        let mut grants = read(self.root)?;
        grants.write = read(self.scratch)?.write;
        Ok(grants)
    }
}
