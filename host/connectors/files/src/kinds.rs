use std::sync::Arc;

use hygge_core::Registry;

use crate::config::Format;
use crate::home::FilesHomeKind;
use crate::store::FileStoreKind;

/// Adds `files` and its short forms `parquet`, `csv`, `ndjson` and `arrow`.
pub fn register(registry: &mut Registry) {
    for format in [None].into_iter().chain(Format::ALL.map(Some)) {
        registry.add_home(Arc::new(FilesHomeKind::new(format)));
        registry.add_store(Arc::new(FileStoreKind::new(format)));
    }
}
