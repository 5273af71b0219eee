use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hygge_core::Registry;
use hygge_plugins::{Place, Shelf};
use serde_json::Value;

use crate::unknown;

/// Every type of Home, Store, transform and database this program knows: one line a crate.
pub fn registry() -> Registry {
    let mut registry = Registry::default();
    hygge_files::register(&mut registry);
    hygge_mssql::register(&mut registry);
    hygge_sqlite::register(&mut registry);
    hygge_checks::register(&mut registry);
    hygge_polars::register(&mut registry);
    hygge_transforms::register(&mut registry);
    registry
}

/// The same, and what the project's own plugins bring.
pub(crate) fn with_plugins(root: &Path) -> (Registry, Shelf) {
    let mut registry = registry();
    if !root.join("plugins").is_dir() {
        return (registry, Shelf::default());
    }
    let env = |name: &str| std::env::var(name).ok();
    let mut shelf = Shelf::look(&Place {
        root,
        granted: &granted(root),
        flows: &flows(root),
        env: &env,
        cache: cache(),
    });
    shelf.register(&mut registry);
    (registry, shelf)
}

/// `plugins:` of the project's hygge.yml: what each may do.
pub(crate) fn granted(root: &Path) -> BTreeMap<String, Value> {
    hygge_project::granted(root, &|name| std::env::var(name).ok())
}

/// What is said of grants for a file that isn't there: nobody gets them, and a slip of the pen in
/// the name would otherwise show only where something is missing.
pub(crate) fn ghosts(root: &Path) -> Vec<String> {
    let there: Vec<String> = std::fs::read_dir(root.join("plugins"))
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            Some(name.strip_suffix(".wasm")?.to_owned())
        })
        .collect();
    let granted = granted(root);
    let ghosts = granted.keys().filter(|key| !there.contains(*key));
    let said = |key: &String| {
        let said = format!("`plugins.{key}` of hygge.yml: there is no plugins/{key}.wasm");
        match unknown::nearest(key, &there) {
            Some(near) => format!("{said}; did you mean `{near}`?"),
            None => said,
        }
    };
    ghosts.map(said).collect()
}

/// The folder of the project's flows, which no plugin may write.
pub(crate) fn flows(root: &Path) -> String {
    hygge_project::flows_dir(root, &|name| std::env::var(name).ok())
}

/// The user's own folder for what can be made again.
pub(crate) fn cache() -> Option<PathBuf> {
    let env = |name: &str| std::env::var(name).ok();
    // One that isn't whole would be another wherever the program is called.
    let whole = |path: &PathBuf| path.is_absolute();
    let given = env("XDG_CACHE_HOME").map(PathBuf::from).filter(whole);
    let home = || env("HOME").map(PathBuf::from).filter(whole);
    let folder = given.or_else(|| Some(home()?.join(".cache")))?;
    Some(folder.join("hygge/plugins"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key that nobody hears is a setting that isn't followed.
    #[test]
    fn nothing_takes_a_key_that_it_does_not_know() {
        let registry = registry();
        let homes = registry.homes().map(|kind| (kind.name(), kind.schema()));
        let stores = registry.stores().map(|kind| (kind.name(), kind.schema()));
        let transforms = registry.transforms();
        let transforms = transforms.map(|kind| (kind.name(), kind.schema()));
        let checks = registry.checks().map(|kind| (kind.name(), kind.schema()));
        let databases = registry.databases();
        let databases = databases.map(|kind| (kind.name(), kind.schema()));
        let all = homes.chain(stores).chain(transforms);
        let all: Vec<_> = all.chain(checks).chain(databases).collect();
        assert!(all.len() > 30, "{}", all.len());
        for (name, schema) in all {
            let closed = ["additionalProperties", "unevaluatedProperties"]
                .iter()
                .any(|key| schema.get(key) == Some(&Value::Bool(false)));
            assert!(closed, "{name}: {schema}");
        }
    }
}
