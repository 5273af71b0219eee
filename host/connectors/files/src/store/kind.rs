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
        let mut schema = schemars::schema_for!(StoreSettings).to_value();
        if let Some(format) = self.format
            && let Some(properties) = schema.get_mut("properties").and_then(|p| p.as_object_mut())
        {
            properties.retain(|name, _| name != "format" && StoreSettings::applies(name, format));
            if let Some(definitions) = schema.get_mut("$defs").and_then(|d| d.as_object_mut()) {
                definitions.remove("Format");
            }
        }
        schema
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_shows_the_settings_it_takes() {
        let has = |format, name: &str| {
            let schema = FileStoreKind::new(format).schema();
            schema["properties"].get(name).is_some()
        };
        assert!(has(None, "format") && has(None, "delimiter") && has(None, "rewrite"));
        assert!(has(Some(Format::Csv), "delimiter") && !has(Some(Format::Csv), "rewrite"));
        assert!(!has(Some(Format::Parquet), "format"));
        assert!(has(Some(Format::Parquet), "rewrite") && has(Some(Format::Parquet), "path"));
    }
}
