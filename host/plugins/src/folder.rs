//! The plugins of a project: every `*.wasm` in its `plugins/` folder.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hygge_component::{FILE, inspect};
use hygge_core::Registry;
use serde_json::Value;

use crate::cache::Cache;
use crate::fault::clean;
use crate::grants::Grants;
use crate::kind::{PluginHomeKind, PluginStoreKind, PluginTransformKind};
use crate::lock::Lock;
use crate::plugin::{Digest, Plugin};

/// Where plugins are, and what hygge.yml says of them.
pub struct Place<'a> {
    /// The project's folder.
    pub root: &'a Path,
    /// `plugins:` of hygge.yml: what each may do, by the name of its file.
    pub granted: &'a BTreeMap<String, Value>,
    /// The folder of the flows, below the project's.
    pub flows: &'a str,
    /// Looks an environment variable up.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// The user's folder for compiled plugins, which nobody else can write.
    pub cache: Option<PathBuf>,
}

/// The plugins of a project.
#[derive(Debug, Default)]
pub struct Shelf {
    /// Those that can be used, by file name.
    pub plugins: Vec<Arc<Plugin>>,
    /// Those that can't.
    pub quarantined: Vec<Quarantined>,
    /// Types that `hygge.lock` keeps, and the file that each is kept for.
    kept: Vec<(String, String)>,
}

/// A file that isn't used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// The file.
    pub file: PathBuf,
    /// The type that it would have been, when that is known.
    pub name: Option<String>,
    /// Why not, as a sentence that begins with the file.
    pub message: String,
    /// The way out.
    pub advice: Option<String>,
}

impl Shelf {
    /// Looks at the project's `plugins/` folder. Runs none of what is there, and compiles
    /// nothing: that comes when one is used.
    pub fn look(place: &Place<'_>) -> Self {
        let mut shelf = Self::default();
        let folder = place.root.join("plugins");
        // Most projects have none, and pay for no more than this.
        let Ok(entries) = std::fs::read_dir(&folder) else {
            return shelf;
        };
        let mut files: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|ending| ending == "wasm"))
            .collect();
        if files.is_empty() {
            return shelf;
        }
        files.sort();
        let lock = Lock::read(place.root);
        if let Ok(lock) = &lock {
            let locked = lock.plugins.iter();
            shelf.kept = locked
                .map(|(k, locked)| (locked.kind.clone(), k.clone()))
                .collect();
        }
        let cache = Cache::open(place.cache.as_deref());
        for file in files {
            match take(&file, &shown(&file), place, &lock, &cache) {
                Ok(plugin) => shelf.plugins.push(Arc::new(plugin)),
                Err(quarantined) => shelf.quarantined.push(quarantined),
            }
        }
        shelf
    }

    /// One file from anywhere, with nothing granted.
    pub fn alone(file: &Path, cache: Option<&Path>) -> Self {
        let place = Place {
            root: file.parent().unwrap_or(Path::new("")),
            granted: &BTreeMap::new(),
            flows: "flows",
            env: &|_| None,
            cache: None,
        };
        let cache = Cache::open(cache);
        let mut shelf = Self::default();
        match take(
            file,
            &clean(&file.display().to_string(), 500),
            &place,
            &Ok(Lock::default()),
            &cache,
        ) {
            Ok(plugin) => shelf.plugins.push(Arc::new(plugin)),
            Err(quarantined) => shelf.quarantined.push(quarantined),
        }
        shelf
    }

    /// Adds the types to the registry. A name that is taken is an error naming both.
    pub fn register(&mut self, registry: &mut Registry) {
        let mut taken: BTreeMap<(&'static str, String), String> = BTreeMap::new();
        let mut kept = Vec::new();
        // A file that was trusted keeps its name, whatever is dropped beside it.
        self.plugins.sort_by_key(|plugin| !plugin.trusted);
        let claims = Claims::of(&self.plugins);
        for plugin in std::mem::take(&mut self.plugins) {
            let name = plugin.name.clone();
            let described = &plugin.description;
            let by = |what: &'static str, built_in: bool| {
                taken
                    .get(&(what, name.clone()))
                    .cloned()
                    .or_else(|| built_in.then(|| "hygge itself".to_owned()))
                    .map(|by| (what, by))
            };
            let clash = [
                (
                    "home",
                    described.home.is_some(),
                    registry.home(&name).is_some(),
                ),
                (
                    "store",
                    described.store.is_some(),
                    registry.store(&name).is_some(),
                ),
                (
                    "transform",
                    described.transform.is_some(),
                    registry.transform(&name).is_some(),
                ),
            ]
            .into_iter()
            .filter(|(_, is_one, _)| *is_one)
            .find_map(|(what, _, there)| {
                by(what, there).or_else(|| Some((what, claims.other(what, &plugin)?)))
            });
            let show = shown(&plugin.file);
            // Also while the file that was trusted is gone, or is another by now: what a flow
            // hands to that type isn't for whoever comes first.
            let other = |(kind, key): &&(String, String)| *kind == name && *key != plugin.key;
            let held = (!plugin.trusted)
                .then(|| self.kept.iter().find(other))
                .flatten();
            let why = match (clash, held) {
                (Some((what, by)), _) => Some((
                    format!("it is a {what} of type `{name}`, and so is {by}"),
                    format!("remove {show}"),
                )),
                (None, Some((_, key))) => Some((
                    format!(
                        "it is of type `{name}`, which hygge.lock keeps for plugins/{key}.wasm"
                    ),
                    format!("remove {show}, or give the type free: `hygge plugin remove {key}`"),
                )),
                (None, None) => None,
            };
            if let Some((why, advice)) = why {
                self.quarantined.push(Quarantined {
                    message: format!("{show} isn't used: {why}"),
                    advice: Some(advice),
                    file: plugin.file.clone(),
                    name: Some(name),
                });
                continue;
            }
            if described.home.is_some() {
                taken.insert(("home", name.clone()), show.clone());
                registry.add_home(Arc::new(PluginHomeKind::new(&plugin)));
            }
            if described.store.is_some() {
                taken.insert(("store", name.clone()), show.clone());
                registry.add_store(Arc::new(PluginStoreKind::new(&plugin)));
            }
            if described.transform.is_some() {
                taken.insert(("transform", name.clone()), show.clone());
                registry.add_transform(Arc::new(PluginTransformKind::new(&plugin)));
            }
            registry.add_metered(Arc::clone(&plugin) as _);
            kept.push(plugin);
        }
        kept.sort_by(|a, b| a.file.cmp(&b.file));
        self.plugins = kept;
    }
}

/// Which files that nobody trusted want which type. When several want the same, none gets it:
/// rows and secrets of a flow aren't for whoever's name comes first.
struct Claims(Vec<(&'static str, String, PathBuf)>);

impl Claims {
    fn of(plugins: &[Arc<Plugin>]) -> Self {
        let untrusted = plugins.iter().filter(|plugin| !plugin.trusted);
        let claims = untrusted.flat_map(|plugin| {
            let described = &plugin.description;
            [
                ("home", described.home.is_some()),
                ("store", described.store.is_some()),
                ("transform", described.transform.is_some()),
            ]
            .into_iter()
            .filter(|(_, is_one)| *is_one)
            .map(|(what, _)| (what, plugin.name.clone(), plugin.file.clone()))
        });
        Self(claims.collect())
    }

    /// Another file that wants what this one wants.
    fn other(&self, what: &str, plugin: &Plugin) -> Option<String> {
        if plugin.trusted {
            return None;
        }
        let mut claims = self.0.iter();
        let other = claims.find(|(part, name, file)| {
            *part == what && *name == plugin.name && *file != plugin.file
        });
        other.map(|(_, _, file)| shown(file))
    }
}

/// The bytes of a file, if it is one and isn't too large. A pipe or a device would never end.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| format!("it can't be read: {error}");
    let meta = std::fs::metadata(file).map_err(unreadable)?;
    if !meta.is_file() {
        return Err("it isn't a file".to_owned());
    }
    // One more than there is: then the end is found without asking for more room.
    let room = usize::try_from(meta.len().min(FILE) + 1).unwrap_or(0);
    let mut bytes = Vec::with_capacity(room);
    std::fs::File::open(file)
        .and_then(|opened| opened.take(FILE + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    match bytes.len() as u64 > FILE {
        true => Err(format!("it is larger than {} MiB", FILE >> 20)),
        false => Ok(bytes),
    }
}

/// `plugins/crm.wasm`.
fn shown(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    format!("plugins/{}", clean(&name, 200))
}

fn take(
    file: &Path,
    show: &str,
    place: &Place<'_>,
    lock: &Result<Lock, String>,
    cache: &Cache,
) -> Result<Plugin, Quarantined> {
    let bad = |name: Option<&str>, message: String, advice: Option<String>| Quarantined {
        file: file.to_owned(),
        name: name.map(str::to_owned),
        message,
        advice,
    };
    let refuse = |why: String| bad(None, format!("{show} isn't used: {why}"), None);
    let bytes = read(file).map_err(&refuse)?;
    let inspected = inspect(&bytes).map_err(&refuse)?;
    let Some(description) = inspected.description else {
        return Err(bad(
            None,
            format!("{show} isn't used: it is not sealed"),
            Some(format!(
                "`hygge plugin seal {show}` writes what it says of itself into it"
            )),
        ));
    };
    let name = description.name.clone();
    let key = file
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let digest = Digest::of(&bytes);
    let lock = lock
        .as_ref()
        .map_err(|why| bad(Some(&name), format!("{show} isn't used: {why}"), None))?;
    let locked = lock.plugins.get(&key);
    let trust =
        format!("look at it with `hygge plugin inspect {show}`, then `hygge plugin trust {key}`");
    if let Some(locked) = locked
        && locked.digest != digest.as_str()
    {
        let difference = locked
            .difference(&description)
            .map(|difference| format!(" ({difference})"))
            .unwrap_or_default();
        return Err(bad(
            Some(&name),
            format!("{show} isn't used: it isn't the file that was trusted{difference}"),
            Some(trust),
        ));
    }
    let written = place.granted.get(&key).unwrap_or(&Value::Null);
    let grants = Grants::read(written, place.root, place.flows, place.env).map_err(|problems| {
        let problem = &problems[0];
        let pointer = problem.pointer.replace('/', ".");
        bad(
            Some(&name),
            format!(
                "{show} isn't used: `plugins.{key}{pointer}`: {}",
                problem.message
            ),
            problem.advice.clone(),
        )
    })?;
    if let Some(cache) = &place.cache
        && let Some((folder, _)) = grants.write.iter().find(|(_, path)| {
            let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.into());
            let (path, cache) = (real(path), real(cache));
            cache.starts_with(&path) || path.starts_with(&cache)
        })
    {
        // What lies there is run as it is, outside of any sandbox.
        return Err(bad(
            Some(&name),
            format!(
                "{show} isn't used: `plugins.{key}.write`: {} holds compiled plugins",
                clean(folder, 200)
            ),
            Some("grant a folder that holds data only".to_owned()),
        ));
    }
    if locked.is_none() && gives(written) {
        return Err(bad(
            Some(&name),
            format!("{show} isn't used: it is granted something, but was never trusted"),
            Some(trust),
        ));
    }
    let mut plugin = Plugin::new(
        file.to_owned(),
        key,
        digest,
        description,
        grants,
        cache.clone(),
    );
    plugin.trusted = locked.is_some();
    plugin.sealed = inspected.sealed.as_deref().map(blake3::hash);
    Ok(plugin)
}

/// Whether something beyond limits is granted.
fn gives(written: &Value) -> bool {
    written.as_object().is_some_and(|map| {
        map.iter()
            .any(|(key, value)| key != "limits" && !value.is_null())
    })
}
