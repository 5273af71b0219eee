//! The file types as the registry knows them.

use std::sync::Arc;

use hygge_core::{
    BuildContext, Fault, Problem, Result, Settings, Store, StoreKind, StorePlan, code,
};

use super::FileStore;
use super::settings::{Layout, StoreSettings};
use crate::config::Format;

/// A type of Store that writes files: `files`, or one of the formats.
#[derive(Debug)]
pub struct FileStoreKind {
    format: Option<Format>,
}

impl FileStoreKind {
    /// `type: files`, or the short type of a format.
    pub fn new(format: Option<Format>) -> Self {
        Self { format }
    }

    /// Makes the Store.
    pub(crate) fn make(&self, settings: &Settings, cx: &BuildContext) -> Result<FileStore> {
        let layout = Layout::read(settings, self.format, cx).map_err(|problems| {
            let messages: Vec<String> = problems.into_iter().map(|p| p.message).collect();
            Fault::new(code::CONFIG, messages.join("; "))
        })?;
        Ok(FileStore::new(layout, cx))
    }
}

impl StoreKind for FileStoreKind {
    fn name(&self) -> &str {
        self.format.map_or("files", Format::name)
    }

    fn summary(&self) -> &str {
        match self.format {
            None => "files in a folder or a single file, in any of the formats",
            Some(Format::Parquet) => "Parquet files in a folder, or a single one",
            Some(Format::Csv) => "CSV files in a folder, or a single one",
            Some(Format::Ndjson) => "NDJSON files in a folder, or a single one",
            Some(Format::Arrow) => "Arrow IPC files in a folder, or a single one",
        }
    }

    fn schema(&self) -> serde_json::Value {
        schemars::schema_for!(StoreSettings).to_value()
    }

    fn location(&self) -> Option<&str> {
        Some("path")
    }

    fn plan(&self, settings: &Settings, cx: &BuildContext) -> Result<StorePlan, Vec<Problem>> {
        Ok(Layout::read(settings, self.format, cx)?.plan())
    }

    fn build(&self, settings: &Settings, cx: &BuildContext) -> Result<Arc<dyn Store>> {
        Ok(Arc::new(self.make(settings, cx)?))
    }
}
