use std::path::Path;
use std::sync::Arc;

use hygge_core::{
    BuildContext, Capabilities, Fault, Home, HomeKind, HomePlan, Place, Problem, Registry, Secret,
    Settings, Store, StoreKind, StorePlan, Transform, TransformKind,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;

/// Files, as one of the formats or by their names.
struct Files(&'static str);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "for the schema")]
struct FilesHome {
    path: String,
    format: Option<Format>,
    delimiter: Option<char>,
    header: Option<bool>,
    null_values: Option<Vec<String>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    Parquet,
    Csv,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "for the schema")]
struct FilesStore {
    path: String,
    delimiter: Option<char>,
    compression: Option<Compression>,
    #[schemars(range(min = 1))]
    row_group_rows: Option<u32>,
    partition_by: Option<Vec<String>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the schema")]
enum Compression {
    Name(Codec),
    Full(CodecLevel),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "for the schema")]
struct CodecLevel {
    codec: Codec,
    #[schemars(range(min = 1, max = 22))]
    level: Option<u8>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Codec {
    /// The default.
    Zstd,
    Snappy,
    None,
}

/// Tables on a server.
struct Sql;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SqlSettings {
    host: String,
    port: Option<u16>,
    #[expect(dead_code, reason = "for the schema")]
    password: Option<Secret>,
    #[expect(dead_code, reason = "for the schema")]
    dsn: Option<Secret>,
    table: String,
}

/// Hides columns.
struct Mask;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MaskSettings {
    columns: Vec<String>,
    #[expect(dead_code, reason = "for the schema")]
    key: Option<Secret>,
}

/// A stream of changes.
struct Changes;

fn schema<T: JsonSchema>() -> Json {
    schemars::schema_for!(T).to_value()
}

fn place(path: &str, cx: &BuildContext) -> Place {
    if path.contains('*') {
        Place::glob(&cx.root, path)
    } else {
        Place::files(&cx.root.join(path))
    }
}

fn parse<T: for<'a> Deserialize<'a>>(settings: &Settings) -> Result<T, Vec<Problem>> {
    settings.parse().map_err(|fault| {
        vec![Problem {
            pointer: String::new(),
            message: fault.message,
            advice: None,
        }]
    })
}

impl HomeKind for Files {
    fn name(&self) -> &str {
        self.0
    }

    fn summary(&self) -> &str {
        "files"
    }

    fn schema(&self) -> Json {
        schema::<FilesHome>()
    }

    fn location(&self) -> Option<&str> {
        Some("path")
    }

    fn plan(&self, settings: &Settings, cx: &BuildContext) -> Result<HomePlan, Vec<Problem>> {
        let home: FilesHome = parse(settings)?;
        if self.0 == "parquet" && home.delimiter.is_some() {
            return Err(vec![Problem {
                pointer: "/delimiter".into(),
                message: "parquet files have no delimiter".into(),
                advice: Some("leave it out".into()),
            }]);
        }
        Ok(HomePlan {
            place: Some(place(&home.path, cx)),
            describe: format!("{} files {}", self.0, home.path),
            operations: false,
            watermarks: true,
            files: true,
            changes: false,
            max_open: None,
            splits: None,
            many: false,
        })
    }

    fn build(&self, _: &Settings, _: &BuildContext) -> Result<Arc<dyn Home>, Fault> {
        Err(Fault::internal("only plans"))
    }
}

impl StoreKind for Files {
    fn name(&self) -> &str {
        self.0
    }

    fn summary(&self) -> &str {
        "files"
    }

    fn schema(&self) -> Json {
        schema::<FilesStore>()
    }

    fn location(&self) -> Option<&str> {
        Some("path")
    }

    fn plan(&self, settings: &Settings, cx: &BuildContext) -> Result<StorePlan, Vec<Problem>> {
        let store: FilesStore = parse(settings)?;
        let single = Path::new(&store.path).extension().is_some();
        Ok(StorePlan {
            place: Some(place(&store.path, cx)),
            describe: format!("{} {}", self.0, store.path),
            capabilities: Capabilities {
                append: !single,
                replace: true,
                upsert: self.0 == "parquet" && !single,
                operations: false,
                single,
                encoded: None,
            },
            max_open: None,
            writers: None,
        })
    }

    fn build(&self, _: &Settings, _: &BuildContext) -> Result<Arc<dyn Store>, Fault> {
        Err(Fault::internal("only plans"))
    }
}

impl HomeKind for Sql {
    fn name(&self) -> &str {
        "sql"
    }

    fn summary(&self) -> &str {
        "tables"
    }

    fn schema(&self) -> Json {
        schema::<SqlSettings>()
    }

    fn location(&self) -> Option<&str> {
        Some("table")
    }

    fn plan(&self, settings: &Settings, _: &BuildContext) -> Result<HomePlan, Vec<Problem>> {
        let home: SqlSettings = parse(settings)?;
        Ok(HomePlan {
            place: Some(Place::Named {
                system: home.host.clone(),
                name: home.table.clone(),
            }),
            describe: format!("table {} on {}", home.table, home.host),
            operations: false,
            watermarks: true,
            files: false,
            changes: false,
            max_open: home.port.map(usize::from),
            splits: None,
            many: false,
        })
    }

    fn build(&self, _: &Settings, _: &BuildContext) -> Result<Arc<dyn Home>, Fault> {
        Err(Fault::internal("only plans"))
    }
}

impl TransformKind for Mask {
    fn name(&self) -> &str {
        "mask"
    }

    fn summary(&self) -> &str {
        "hides columns"
    }

    fn schema(&self) -> Json {
        schema::<MaskSettings>()
    }

    fn plan(&self, settings: &Settings, _: &BuildContext) -> Result<String, Vec<Problem>> {
        let mask: MaskSettings = parse(settings)?;
        if mask.columns.is_empty() {
            return Err(vec![Problem {
                pointer: "/columns".into(),
                message: format!("nothing to mask with {}", settings.expose()["key"]),
                advice: None,
            }]);
        }
        Ok(format!("mask {}", mask.columns.join(", ")))
    }

    fn build(&self, _: &Settings, _: &BuildContext) -> Result<Arc<dyn Transform>, Fault> {
        Err(Fault::internal("only plans"))
    }
}

impl HomeKind for Changes {
    fn name(&self) -> &str {
        "changes"
    }

    fn summary(&self) -> &str {
        "changes"
    }

    fn schema(&self) -> Json {
        serde_json::json!({"type": "object", "additionalProperties": false})
    }

    fn location(&self) -> Option<&str> {
        None
    }

    fn plan(&self, _: &Settings, _: &BuildContext) -> Result<HomePlan, Vec<Problem>> {
        Ok(HomePlan {
            place: None,
            describe: "changes".into(),
            operations: true,
            watermarks: false,
            files: false,
            changes: false,
            max_open: None,
            splits: None,
            many: false,
        })
    }

    fn build(&self, _: &Settings, _: &BuildContext) -> Result<Arc<dyn Home>, Fault> {
        Err(Fault::internal("only plans"))
    }
}

pub(super) fn registry() -> Registry {
    let mut registry = Registry::default();
    for name in ["files", "parquet", "csv"] {
        registry.add_home(Arc::new(Files(name)));
    }
    for name in ["parquet", "csv"] {
        registry.add_store(Arc::new(Files(name)));
    }
    registry.add_home(Arc::new(Sql));
    registry.add_home(Arc::new(Changes));
    registry.add_transform(Arc::new(Mask));
    registry
}
