//! The config types: what may stand in hygge.yml, flow.yml and the entity files. The JSON
//! Schemas for editors and for checking come from these, and what is read goes through them.

use std::collections::BTreeMap;

use hygge_core::{Mode, OneOrMany, Strategy};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::quantity::{Amount, Size};

/// hygge.yml: a hygge project.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "hygge project")]
pub(crate) struct ProjectFile {
    /// The project's name; the folder's when left out.
    pub(crate) name: Option<String>,
    /// What the project is for.
    #[serde(rename = "description")]
    _description: Option<String>,
    /// The folder with the flows: `flows_dir/<flow>/flow.yml`. Default: `flows`.
    pub(crate) flows_dir: Option<String>,
    /// Settings of a run.
    pub(crate) options: OptionsConfig,
    /// What every flow starts from.
    #[schemars(with = "LayerConfig")]
    #[serde(rename = "defaults")]
    _defaults: Described,
    /// Connections by name; a home or store uses one with `connection: name`.
    #[schemars(with = "BTreeMap<String, ConnectionConfig>")]
    #[serde(rename = "connections")]
    _connections: Described,
    /// Flows by name, besides those in `flows_dir`.
    #[schemars(with = "BTreeMap<String, Option<FlowFile>>")]
    #[serde(rename = "flows")]
    _flows: Described,
    /// What each plugin may do, by the name of its file in `plugins/` without `.wasm`.
    #[schemars(with = "BTreeMap<String, Option<serde_json::Map<String, serde_json::Value>>>")]
    #[serde(rename = "plugins")]
    _plugins: Described,
}

/// Settings of a run.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OptionsConfig {
    /// Splits open at once over the whole run. Default: 8.
    #[schemars(range(min = 1, max = 1024))]
    pub(crate) concurrency: Option<u16>,
    /// Memory for data on its way, over the whole run: `256 MiB`, or bytes. Default: 256 MiB.
    pub(crate) memory: Option<Size>,
    /// How often a split is tried again after a fault that may pass. Default: 3.
    #[schemars(range(max = 1000))]
    pub(crate) retries: Option<u16>,
    /// What happens to the other entities when one fails. Default: continue.
    pub(crate) on_error: Option<OnErrorConfig>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnErrorConfig {
    /// They go on.
    Continue,
    /// Those that have not begun are skipped.
    Stop,
}

/// What less specific layers say for more specific ones.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LayerConfig {
    /// Where data is read.
    #[schemars(with = "HomeConfig")]
    #[serde(rename = "home")]
    _home: Described,
    /// Where data is written.
    #[schemars(with = "StoreConfig")]
    #[serde(rename = "store")]
    _store: Described,
    /// What happens to the rows on their way, in order. A list replaces that of a less specific
    /// layer.
    #[schemars(with = "Option<Vec<TransformConfig>>")]
    #[serde(rename = "transforms")]
    _transforms: Described,
    /// What is asked of the rows before they are committed. A list replaces that of a less
    /// specific layer.
    #[schemars(with = "Option<Vec<CheckConfig>>")]
    #[serde(rename = "checks")]
    _checks: Described,
    /// How much a run takes. Default: incremental when the home has `incremental`, else full.
    pub(crate) mode: Option<Mode>,
}

/// flow.yml: a flow moves its entities from a home to a store.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "hygge flow")]
pub(crate) struct FlowFile {
    /// What the flow is for.
    #[serde(rename = "description")]
    _description: Option<String>,
    /// Where data is read: a path, or a type with its settings.
    #[schemars(with = "HomeConfig")]
    #[serde(rename = "home")]
    _home: Described,
    /// Where data is written: a path, or a type with its settings.
    #[schemars(with = "StoreConfig")]
    #[serde(rename = "store")]
    _store: Described,
    /// What happens to the rows on their way, in order. A list replaces that of a less specific
    /// layer.
    #[schemars(with = "Option<Vec<TransformConfig>>")]
    #[serde(rename = "transforms")]
    _transforms: Described,
    /// What is asked of the rows before they are committed. A list replaces that of a less
    /// specific layer.
    #[schemars(with = "Option<Vec<CheckConfig>>")]
    #[serde(rename = "checks")]
    _checks: Described,
    /// How much a run takes. Default: incremental when the home has `incremental`, else full.
    pub(crate) mode: Option<Mode>,
    /// Flows that must have succeeded first: a name, or a list.
    pub(crate) after: Option<OneOrMany>,
    /// What the entities start from; `home` and `store` beside it win.
    #[schemars(with = "LayerConfig")]
    #[serde(rename = "defaults")]
    _defaults: Described,
    /// The entities: names or maps, besides those in `entities/*.yml`. Without any, the flow is
    /// one entity with the flow's name.
    #[schemars(with = "EntitiesConfig")]
    #[serde(rename = "entities")]
    _entities: Described,
}

#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(
    dead_code,
    reason = "for its schema; entities are read from the tree, which knows places"
)]
enum EntitiesConfig {
    /// Names, or maps with a `name`.
    List(Vec<EntityItem>),
    /// Settings by name.
    Map(BTreeMap<String, Option<EntityFile>>),
}

#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "for its schema")]
enum EntityItem {
    /// A name alone.
    Name(String),
    /// A name with settings.
    Map(EntityFile),
}

/// entities/<entity>.yml: what differs for one entity of a flow.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "hygge entity")]
pub(crate) struct EntityFile {
    /// The entity's name; in a file of its own the file's when left out.
    pub(crate) name: Option<String>,
    /// What the entity is.
    #[serde(rename = "description")]
    _description: Option<String>,
    /// Where data is read, as far as it differs from the flow.
    #[schemars(with = "HomeConfig")]
    #[serde(rename = "home")]
    _home: Described,
    /// Where data is written, as far as it differs from the flow.
    #[schemars(with = "StoreConfig")]
    #[serde(rename = "store")]
    _store: Described,
    /// What happens to the rows on their way, in order. A list replaces that of a less specific
    /// layer.
    #[schemars(with = "Option<Vec<TransformConfig>>")]
    #[serde(rename = "transforms")]
    _transforms: Described,
    /// What is asked of the rows before they are committed. A list replaces that of a less
    /// specific layer.
    #[schemars(with = "Option<Vec<CheckConfig>>")]
    #[serde(rename = "checks")]
    _checks: Described,
    /// How much a run takes.
    pub(crate) mode: Option<Mode>,
}

/// What `--var` may set: `flow.<name>.home.path=…`, also for one entity.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "for its schema")]
pub(crate) struct Overrides {
    home: Option<HomeConfig>,
    store: Option<StoreConfig>,
    mode: Option<Mode>,
    entities: Option<BTreeMap<String, LayerConfig>>,
}

/// Part of a file that is described here, but read from the tree.
pub(crate) type Described = Option<IgnoredAny>;

/// `home.incremental`: how a run finds what is new.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IncrementalConfig {
    /// The column that grows: an integer, date, timestamp or decimal. Not for `files` and
    /// `change_tracking`.
    pub(crate) column: Option<String>,
    /// What happens to the new rows. Default: append.
    pub(crate) strategy: Option<Strategy>,
    /// The column or columns that tell rows apart; needed for merge. For `change_tracking` it is
    /// the table's primary key.
    pub(crate) key: Option<OneOrMany>,
    /// How far before the watermark to read again: a number in the column's unit, or a duration
    /// (`5m`). Default: 0 for integers, 5 minutes for timestamps.
    pub(crate) lookback: Option<Amount>,
}

/// A part whose keys depend on its `type`: in a file it may be incomplete, so it is checked
/// after the layers are merged.
macro_rules! by_type {
    ($name:ident, $id:literal, $doc:literal, $types:expr) => {
        #[doc = $doc]
        pub(crate) struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $id.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "description": $doc,
                    "type": $types,
                    "x-by-type": $id,
                })
            }
        }
    };
}

by_type!(
    HomeConfig,
    "Home",
    "Where data is read: a path, or a type with its settings.",
    ["string", "object"]
);
by_type!(
    StoreConfig,
    "Store",
    "Where data is written: a path, or a type with its settings.",
    ["string", "object"]
);
by_type!(
    TransformConfig,
    "Transform",
    "What happens to the rows on their way: a type with its settings.",
    ["object"]
);
by_type!(
    CheckConfig,
    "Check",
    "What is asked of the rows before they are committed: a type with its settings.",
    ["object"]
);
by_type!(
    ConnectionConfig,
    "Connection",
    "Settings that homes and stores share.",
    ["object"]
);

/// The keys of every home, whatever its type.
pub(crate) const HOME_KEYS: [&str; 4] = ["type", "connection", "incremental", "allow_empty"];

/// The keys of every store, whatever its type.
pub(crate) const STORE_KEYS: [&str; 5] = [
    "type",
    "connection",
    "emptied_by_others",
    "on_schema_change",
    "polish",
];

/// Where a key belongs that was written in a flow or an entity, judged by the keys known there.
pub(crate) fn belongs(key: &str, known: &[&str]) -> Option<&'static str> {
    if key == "format" && known.contains(&"type") && known.contains(&"path") {
        return Some("leave it out: `type` is the format; `type: files` takes one");
    }
    if !known.contains(&"home") || !known.contains(&"mode") {
        return None;
    }
    match key {
        "options" | "connections" | "flows_dir" | "flows" => Some("this belongs into hygge.yml"),
        "name" => Some("leave it out: a flow has the name of its folder, or of its key in `flows`"),
        "incremental" | "allow_empty" => Some("this belongs into `home`"),
        "path" | "type" | "format" | "connection" | "table" => {
            Some("this belongs into `home` or `store`")
        }
        "compression" | "partition_by" | "emptied_by_others" | "on_schema_change" | "polish" => {
            Some("this belongs into `store`")
        }
        "concurrency" | "memory" | "retries" | "on_error" => {
            Some("this belongs into `options` in hygge.yml")
        }
        _ => None,
    }
}
