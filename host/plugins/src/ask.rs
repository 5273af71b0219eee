//! Asking a component what it says of itself, with nothing granted and little time: for toolchains
//! that can't write it into the file, and in each run once, before a plugin is used, whether it
//! still says what the file says.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hygge_component::{Description, Wanted, inspect, seal, validate};
use hygge_core::{Context, Result};

use crate::cache::Cache;
use crate::contract;
use crate::fault::{self, clean};
use crate::grants::Grants;
use crate::instance::Instance;
use crate::limits::Limits;
use crate::lock::put;
use crate::plugin::{Digest, Plugin};
use crate::schema;

/// Enough for the runtimes of interpreted languages to come up.
const MEMORY: usize = 128 << 20;
const TIME: Duration = Duration::from_secs(10);

/// A component that says in its file what it is.
#[derive(Debug)]
pub struct Sealed {
    /// The file's bytes, with the section.
    pub bytes: Vec<u8>,
    /// What the section says.
    pub description: Description,
    /// Whether it was asked just now, and the section is new.
    pub asked: bool,
}

impl Sealed {
    /// Reads a file that may not be sealed yet. `anew`: asks also one that is.
    pub async fn read(file: &Path, anew: bool, cx: &Context) -> Result<Self> {
        let show = clean(&file.display().to_string(), 1_000);
        let load = |why: String| fault::load(format!("{show} can't be used: {why}"));
        let bytes = crate::folder::read(file).map_err(load)?;
        let inspected = inspect(&bytes).map_err(load)?;
        validate(&bytes).map_err(load)?;
        if let Some(description) = inspected.description
            && !anew
        {
            schema::all_valid(&description).map_err(load)?;
            return Ok(Self {
                bytes,
                description,
                asked: false,
            });
        }
        let said = ask(file, &bytes, cx).await?;
        if inspected.sealed.as_ref() == Some(&said)
            && let Ok(description) = Description::read(&said)
        {
            schema::all_valid(&description).map_err(load)?;
            return Ok(Self {
                bytes,
                description,
                asked: false,
            });
        }
        let bytes = seal(&bytes, &said).map_err(load)?;
        // As it will be read from now on: what it says must agree with what it exports.
        let again = inspect(&bytes).map_err(load)?;
        let description = again
            .description
            .ok_or_else(|| load("its description can't be read back".to_owned()))?;
        schema::all_valid(&description).map_err(load)?;
        Ok(Self {
            bytes,
            description,
            asked: true,
        })
    }

    /// Writes the sealed component, whole or not at all.
    pub fn write(&self, file: &Path) -> Result<()> {
        put(file, &self.bytes)
    }
}

/// Runs `describe` once.
async fn ask(file: &Path, bytes: &[u8], cx: &Context) -> Result<Vec<u8>> {
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let name = clean(&name, 64);
    let unknown = Description {
        describe: 1,
        name: name.clone(),
        version: "?".to_owned(),
        summary: String::new(),
        home: None,
        store: None,
        transform: None,
        grants: Wanted::default(),
        delivery: None,
    };
    let mut grants = Grants::default();
    grants.limits = Limits {
        memory: MEMORY,
        call_timeout: TIME,
        ..Limits::default()
    };
    // Not kept compiled: the sealed file is another one.
    let cache = Cache::open(None);
    let digest = Digest::of(bytes);
    let plugin = Plugin::new(file.to_owned(), name, digest, unknown, grants, cache);
    describe(&Arc::new(plugin), cx).await
}

/// Makes sure, the first time, that a plugin says what stands in its file: that is what people
/// looked at, and what it is held to.
pub(crate) async fn agrees(plugin: &Arc<Plugin>, cx: &Context) -> Result<()> {
    let Some(sealed) = plugin.sealed else {
        return Ok(());
    };
    let asked = plugin.agrees.get_or_init(|| async {
        let mut grants = Grants::default();
        let limits = plugin.grants.limits;
        grants.limits = Limits {
            call_timeout: limits.call_timeout.min(TIME),
            ..limits
        };
        let said = describe(&Arc::new(plugin.with(grants)), cx).await?;
        match blake3::hash(&said) == sealed {
            true => Ok(()),
            false => Err(fault::invalid(
                plugin,
                "says something else of itself in `describe` than its file says",
            )),
        }
    });
    asked.await.clone()
}

/// Calls `describe` in an instance of its own.
async fn describe(plugin: &Arc<Plugin>, cx: &Context) -> Result<Vec<u8>> {
    let mut instance = Instance::start(plugin, cx).await?;
    let said = instance.quick("describe", |live| {
        Box::pin(async move {
            let guest = contract::describe::GuestIndices::new(&live.ready.pre)?
                .load(&mut live.store, &live.linked)?;
            guest.call_describe(&mut live.store).await
        })
    });
    Ok(said.await?.into_bytes())
}
