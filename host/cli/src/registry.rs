use std::path::{Path, PathBuf};

use hygge_core::Registry;
use hygge_plugins::{Place, Shelf};

/// Every type of Home and Store this program knows: one line a connector.
pub fn registry() -> Registry {
    let mut registry = Registry::default();
    hygge_files::register(&mut registry);
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
        granted: &hygge_project::granted(root, &env),
        env: &env,
        cache: cache(&env),
    });
    shelf.register(&mut registry);
    (registry, shelf)
}

/// The user's own folder for what can be made again.
fn cache(env: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let given = env("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || env("HOME").map(|home| Path::new(&home).join(".cache"));
    let folder = given.filter(|path| path.is_absolute()).or_else(home)?;
    Some(folder.join("hygge/plugins"))
}
