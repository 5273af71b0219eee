use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{Bytes, CsvOptions, Format, character};

/// `home:` of `type: files` and of the short types named after a format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HomeSettings {
    /// A file, a folder (everything in it and below) or a glob such as `in/2026-*/*.csv`.
    /// Relative paths start at the project's root.
    pub path: String,

    /// The files' format; without it their names say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,

    /// About how many bytes of files make one split: larger files are cut (Parquet between
    /// row groups, uncompressed NDJSON between lines), smaller ones are read together. 256 MiB unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_size: Option<Bytes>,

    /// CSV: what stands between two values; one character, or `tab`. A comma unless set, a tab
    /// in `.tsv` files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,

    /// CSV: what stands around a value that holds delimiters or line ends; one character, or
    /// `none`. A double quote unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,

    /// CSV: what stands before a quote within a quoted value; one character. Unless set, such a
    /// quote is doubled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escape: Option<String>,

    /// CSV: whether the first line names the columns. True unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,

    /// CSV: the columns' names, for files without a header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,

    /// CSV: unquoted values that mean NULL. Only the empty one unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub null_values: Option<Vec<String>>,

    /// CSV and NDJSON: types of columns, such as `{id: int64, price: "decimal(18, 2)"}`.
    /// Columns that are not listed are inferred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<BTreeMap<String, String>>,

    /// CSV and NDJSON: how many rows are looked at to infer types. 10,000 unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub infer_rows: Option<usize>,
}

/// About how many bytes of files make one split.
pub const SPLIT_SIZE: u64 = 256 << 20;

/// How many rows are looked at to infer types.
pub const INFER_ROWS: usize = 10_000;

impl HomeSettings {
    /// The settings that only make sense for some formats, and whether this one is among them.
    pub(crate) fn applies(name: &str, format: Format) -> bool {
        match name {
            "delimiter" | "quote" | "escape" | "header" | "columns" | "null_values" => {
                format == Format::Csv
            }
            "schema" | "infer_rows" => format.is_text(),
            _ => true,
        }
    }

    /// Names of the format-specific settings that are set.
    pub(crate) fn specific(&self) -> Vec<&'static str> {
        [
            ("delimiter", self.delimiter.is_some()),
            ("quote", self.quote.is_some()),
            ("escape", self.escape.is_some()),
            ("header", self.header.is_some()),
            ("columns", self.columns.is_some()),
            ("null_values", self.null_values.is_some()),
            ("schema", self.schema.is_some()),
            ("infer_rows", self.infer_rows.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, set)| set.then_some(name))
        .collect()
    }

    /// How the CSV text is laid out, or which setting is wrong and why.
    pub(crate) fn csv(&self) -> Result<CsvOptions, (&'static str, String)> {
        let mut options = CsvOptions::default();
        if let Some(text) = &self.delimiter {
            options.delimiter = character(text).map_err(|why| ("delimiter", why))?;
        }
        if let Some(text) = &self.quote {
            options.quote = match text.as_str() {
                "" | "none" => None,
                text => Some(character(text).map_err(|why| ("quote", why))?),
            };
        }
        if let Some(text) = &self.escape {
            options.escape = Some(character(text).map_err(|why| ("escape", why))?);
        }
        if options.quote == Some(options.delimiter) {
            return Err((
                "delimiter",
                "delimiter and quote are the same character".into(),
            ));
        }
        if options.escape == Some(options.delimiter) {
            return Err((
                "escape",
                "escape and delimiter are the same character".into(),
            ));
        }
        if options.escape.is_some() && options.quote.is_none() {
            return Err(("escape", "escape needs a quote character".into()));
        }
        // An escape that is the quote itself is the usual doubling.
        if options.escape == options.quote {
            options.escape = None;
        }
        options.header = self.header.unwrap_or(options.header);
        if self.columns.is_some() && options.header {
            return Err((
                "columns",
                "columns names the columns of files without a header; set header: false".into(),
            ));
        }
        if let Some(values) = &self.null_values {
            options.null_values.clone_from(values);
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(yaml: serde_json::Value) -> HomeSettings {
        serde_json::from_value(yaml).unwrap()
    }

    #[test]
    fn csv_settings_that_contradict_are_refused() {
        let good = settings(serde_json::json!({"path": "a", "delimiter": "tab", "quote": "none"}));
        let options = good.csv().unwrap();
        assert_eq!((options.delimiter, options.quote), (b'\t', None));
        for bad in [
            serde_json::json!({"path": "a", "delimiter": "\""}),
            serde_json::json!({"path": "a", "delimiter": "::"}),
            serde_json::json!({"path": "a", "delimiter": "\n"}),
            serde_json::json!({"path": "a", "columns": ["a"]}),
            serde_json::json!({"path": "a", "quote": "none", "escape": "\\"}),
        ] {
            assert!(settings(bad.clone()).csv().is_err(), "{bad}");
        }
    }
}
