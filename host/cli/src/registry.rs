use hygge_core::Registry;

/// Every type of Home and Store this program knows: one line a connector.
pub fn registry() -> Registry {
    let mut registry = Registry::default();
    hygge_files::register(&mut registry);
    registry
}
