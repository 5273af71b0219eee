//! One plugin of a project: a file, what it says of itself, and what it may do.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use hygge_component::Description;
use hygge_core::{Context, Metered, Result, Usage};
use tokio::sync::OnceCell;
use wasmtime::component::InstancePre;

use crate::cache::Cache;
use crate::contract;
use crate::fault::{self, clean};
use crate::grants::Grants;
use crate::guest::Guest;
use crate::log::Quota;
use crate::machine::Machine;
use crate::network::Traffic;
use crate::tally::Tally;
use crate::veil::Veil;
use crate::writes::Writes;

/// The digest of a file: `blake3:` and 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest(String);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(format!("blake3:{}", blake3::hash(bytes).to_hex()))
    }

    pub(crate) fn hex(&self) -> &str {
        self.0.trim_start_matches("blake3:")
    }

    /// The digest as it stands in `hygge.lock`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A plugin that can be used.
pub struct Plugin {
    /// What it calls itself; the name in `type:`.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// The file.
    pub file: PathBuf,
    /// The file's name without `.wasm`: what hygge.yml and `hygge.lock` call it.
    pub key: String,
    /// The file's digest.
    pub digest: Digest,
    /// What it says of itself.
    pub description: Description,
    /// Whether `hygge.lock` has this very file.
    pub trusted: bool,
    /// What it may do.
    pub grants: Grants,
    pub(crate) veil: Arc<Veil>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) traffic: Traffic,
    pub(crate) quota: Arc<Quota>,
    pub(crate) writes: Arc<Writes>,
    pub(crate) cache: Cache,
    /// The hash of what its file says of it; none where that doesn't matter.
    pub(crate) sealed: Option<blake3::Hash>,
    /// Whether it says the same when asked.
    pub(crate) agrees: OnceCell<Result<()>>,
    /// Shared with those of the same code that may do something else: it is loaded once.
    ready: Arc<OnceLock<Result<Arc<Ready>>>>,
}

/// A plugin that was compiled and linked.
pub(crate) struct Ready {
    pub(crate) pre: InstancePre<Guest>,
    pub(crate) home: Option<contract::home::GuestIndices>,
    pub(crate) store: Option<contract::store::GuestIndices>,
    pub(crate) transform: Option<contract::transform::GuestIndices>,
}

impl Plugin {
    pub(crate) fn new(
        file: PathBuf,
        key: String,
        digest: Digest,
        description: Description,
        grants: Grants,
        cache: Cache,
    ) -> Self {
        let veil = Veil::default();
        for secret in grants.secrets.values() {
            veil.hide(secret.value.expose());
        }
        Self {
            name: description.name.clone(),
            version: description.version.clone(),
            file,
            key,
            digest,
            description,
            trusted: false,
            veil: Arc::new(veil),
            tally: Arc::default(),
            traffic: Traffic::default(),
            quota: Arc::default(),
            writes: Arc::new(Writes::new(grants.limits.write)),
            grants,
            cache,
            sealed: None,
            agrees: OnceCell::new(),
            ready: Arc::default(),
        }
    }

    /// The same code, which may do this and nothing else.
    pub(crate) fn with(&self, grants: Grants) -> Self {
        Self {
            name: self.name.clone(),
            version: self.version.clone(),
            file: self.file.clone(),
            key: self.key.clone(),
            digest: self.digest.clone(),
            description: self.description.clone(),
            trusted: self.trusted,
            veil: Arc::clone(&self.veil),
            tally: Arc::clone(&self.tally),
            traffic: Traffic::default(),
            quota: Arc::clone(&self.quota),
            writes: Arc::clone(&self.writes),
            grants,
            cache: self.cache.clone(),
            sealed: self.sealed,
            agrees: OnceCell::new(),
            ready: Arc::clone(&self.ready),
        }
    }

    /// Compiles and links, the first time. Blocks.
    pub(crate) fn ready(&self, cx: &Context) -> Result<Arc<Ready>> {
        self.ready
            .get_or_init(|| self.make_ready(cx).map(Arc::new))
            .clone()
    }

    fn make_ready(&self, cx: &Context) -> Result<Ready> {
        let machine = Machine::get()?;
        let bytes = || {
            let show = self.file.display();
            let bytes = crate::folder::read(&self.file)
                .map_err(|why| fault::load(format!("{show} can't be used: {why}")))?;
            match Digest::of(&bytes) == self.digest {
                true => Ok(bytes),
                false => Err(fault::load(format!("{show} was changed a moment ago"))
                    .advise("run the command again")),
            }
        };
        let component =
            self.cache
                .component(&machine.engine, &self.name, &self.digest, &bytes, cx)?;
        let pre = machine
            .linker
            .instantiate_pre(&component)
            .map_err(|error| {
                fault::load(format!(
                    "{} asks for what this hygge doesn't have: {}",
                    self.name,
                    clean(&format!("{error:#}"), 500)
                ))
            })?;
        let wrong = |error: wasmtime::Error| {
            fault::load(format!(
                "{} doesn't export what the contract says: {}",
                self.name,
                clean(&format!("{error:#}"), 500)
            ))
        };
        let Description {
            home,
            store,
            transform,
            ..
        } = &self.description;
        Ok(Ready {
            home: home
                .as_ref()
                .map(|_| contract::home::GuestIndices::new(&pre))
                .transpose()
                .map_err(wrong)?,
            store: store
                .as_ref()
                .map(|_| contract::store::GuestIndices::new(&pre))
                .transpose()
                .map_err(wrong)?,
            transform: transform
                .as_ref()
                .map(|_| contract::transform::GuestIndices::new(&pre))
                .transpose()
                .map_err(wrong)?,
            pre,
        })
    }
}

impl Metered for Plugin {
    fn usage(&self) -> Option<Usage> {
        let usage = self.tally.usage()?;
        Some(Usage {
            plugin: self.key.clone(),
            version: self.version.clone(),
            digest: self.digest.to_string(),
            ..usage
        })
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("name", &self.name)
            .field("version", &self.version)
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}
