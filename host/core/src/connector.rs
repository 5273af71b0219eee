use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::{
    CheckKind, DatabaseKind, EntityId, Home, Metered, Place, PoolUsage, Pooled, Result, RunId,
    Settings, Store, TransformKind, Usage,
};

/// A type of Home: what `home: {type: …}` names. Planning looks only at the settings; building
/// comes later and may still not connect anywhere.
pub trait HomeKind: Send + Sync {
    /// The name in `type:`.
    fn name(&self) -> &str;
    /// One line for lists.
    fn summary(&self) -> &str;
    /// What tells its code from other code of that name: what one staged is of no use to another.
    /// None where hygge's own version says it.
    fn edition(&self) -> Option<String> {
        None
    }
    /// The JSON Schema of the settings, without `type`, `connection` and `incremental`.
    fn schema(&self) -> serde_json::Value;
    /// The setting that holds a path or table name, to which the entity's name is added when a
    /// flow lists several.
    fn location(&self) -> Option<&str>;
    /// Checks what the schema can't, and says what can be known without I/O.
    fn plan(&self, settings: &Settings, cx: &BuildContext) -> Result<HomePlan, Vec<Problem>>;
    /// Makes the Home.
    fn build(&self, settings: &Settings, cx: &BuildContext) -> Result<Arc<dyn Home>>;
}

/// A type of Store: what `store: {type: …}` names.
pub trait StoreKind: Send + Sync {
    /// The name in `type:`.
    fn name(&self) -> &str;
    /// One line for lists.
    fn summary(&self) -> &str;
    /// As [`HomeKind::edition`].
    fn edition(&self) -> Option<String> {
        None
    }
    /// The JSON Schema of the settings, without `type` and `connection`.
    fn schema(&self) -> serde_json::Value;
    /// As [`HomeKind::location`].
    fn location(&self) -> Option<&str>;
    /// As [`HomeKind::plan`].
    fn plan(&self, settings: &Settings, cx: &BuildContext) -> Result<StorePlan, Vec<Problem>>;
    /// Makes the Store.
    fn build(&self, settings: &Settings, cx: &BuildContext) -> Result<Arc<dyn Store>>;
}

/// Where a project stands on this machine.
#[derive(Debug, Clone)]
pub struct BuildContext {
    /// Relative data paths start here.
    pub root: PathBuf,
    /// The project's own folder for what isn't data: `.hygge`.
    pub work: PathBuf,
    /// The entity that something is made for; none while all of a project is looked at.
    pub entity: Option<EntityId>,
    /// The run that it is made for; none where nothing is moved.
    pub run: Option<Running>,
}

/// A run that goes on.
#[derive(Debug, Clone)]
pub struct Running {
    /// Its id.
    pub id: RunId,
    /// When it began.
    pub began: jiff::Timestamp,
}

impl BuildContext {
    /// The same, for one entity.
    #[must_use]
    pub fn of(&self, entity: &EntityId) -> Self {
        Self {
            entity: Some(entity.clone()),
            ..self.clone()
        }
    }
}

/// What is known of a Home before it is opened.
#[derive(Debug, Clone)]
pub struct HomePlan {
    /// Where it reads, when that can be compared.
    pub place: Option<Place>,
    /// Where it reads, for people: `parquet files data/flights`.
    pub describe: String,
    /// Whether its batches carry an operation column.
    pub operations: bool,
    /// Whether it can be read by a watermark column.
    pub watermarks: bool,
    /// Whether it can tell new files from those it read (`strategy: files`).
    pub files: bool,
    /// Whether it can tell what changed since a version (`strategy: change_tracking`): then its
    /// batches carry an operation column, once a first run took everything.
    pub changes: bool,
    /// Most splits that its connection allows to be open at once.
    pub max_open: Option<usize>,
    /// In how many splits it is told to be read, when it is.
    pub splits: Option<usize>,
    /// Whether it names many things at once (`tables: dbo.*`): each that `discover` finds is an
    /// entity of its own, and this one is none.
    pub many: bool,
}

/// What is known of a Store before it is opened.
#[derive(Debug, Clone)]
pub struct StorePlan {
    /// Where it writes, when that can be compared.
    pub place: Option<Place>,
    /// Where it writes, for people.
    pub describe: String,
    /// What it can do.
    pub capabilities: Capabilities,
    /// Most writers that its connection allows to be open at once.
    pub max_open: Option<usize>,
    /// Most writers of one entity at once, whatever its connection allows.
    pub writers: Option<usize>,
}

/// What a Store can do.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent ability"
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// It can add rows to what is there.
    pub append: bool,
    /// It can put new rows in the place of what is there, in one step.
    pub replace: bool,
    /// It can merge by key.
    pub upsert: bool,
    /// It takes change streams; see [`OPERATION_COLUMN`](crate::OPERATION_COLUMN).
    pub operations: bool,
    /// It writes one thing (a single file), so everything goes through one writer, in order.
    pub single: bool,
    /// The stored form its writers take as it is: `parquet`.
    pub encoded: Option<&'static str>,
}

/// Something wrong with settings, and where in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// JSON pointer into the settings: `/compression/codec`; empty for all of them.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// The way out.
    pub advice: Option<String>,
}

/// Every type of Home, Store, transform, check and database there is, by name. Filled in one place, by the front end.
#[derive(Clone, Default)]
pub struct Registry {
    homes: BTreeMap<String, Arc<dyn HomeKind>>,
    stores: BTreeMap<String, Arc<dyn StoreKind>>,
    transforms: BTreeMap<String, Arc<dyn TransformKind>>,
    checks: BTreeMap<String, Arc<dyn CheckKind>>,
    databases: BTreeMap<String, Arc<dyn DatabaseKind>>,
    metered: Vec<Arc<dyn Metered>>,
    pooled: Vec<Arc<dyn Pooled>>,
}

impl Registry {
    /// Adds a type of Home; the first of a name stays.
    pub fn add_home(&mut self, kind: Arc<dyn HomeKind>) {
        self.homes.entry(kind.name().to_owned()).or_insert(kind);
    }

    /// Adds a type of Store; the first of a name stays.
    pub fn add_store(&mut self, kind: Arc<dyn StoreKind>) {
        self.stores.entry(kind.name().to_owned()).or_insert(kind);
    }

    /// Adds a type of transform; the first of a name stays.
    pub fn add_transform(&mut self, kind: Arc<dyn TransformKind>) {
        let name = kind.name().to_owned();
        self.transforms.entry(name).or_insert(kind);
    }

    /// Adds a type of check; the first of a name stays.
    pub fn add_check(&mut self, kind: Arc<dyn CheckKind>) {
        self.checks.entry(kind.name().to_owned()).or_insert(kind);
    }

    /// Adds a type of database; the first of a name stays.
    pub fn add_database(&mut self, kind: Arc<dyn DatabaseKind>) {
        let name = kind.name().to_owned();
        self.databases.entry(name).or_insert(kind);
    }

    /// Adds something whose use is counted over a run.
    pub fn add_metered(&mut self, metered: Arc<dyn Metered>) {
        self.metered.push(metered);
    }

    /// What of it was used, and how much.
    pub fn usage(&self) -> Vec<Usage> {
        self.metered
            .iter()
            .filter_map(|each| each.usage())
            .collect()
    }

    /// Adds something that lends sessions.
    pub fn add_pooled(&mut self, pooled: Arc<dyn Pooled>) {
        self.pooled.push(pooled);
    }

    /// What the connections that were used came to.
    pub fn pools(&self) -> Vec<PoolUsage> {
        self.pooled.iter().flat_map(|each| each.pools()).collect()
    }

    /// Lets go of all sessions that rest. They belong to the runtime they were opened in, and must
    /// not outlive it.
    pub fn forget_sessions(&self) {
        self.pooled.iter().for_each(|each| each.forget());
    }

    /// The Home type of a name.
    pub fn home(&self, name: &str) -> Option<&Arc<dyn HomeKind>> {
        self.homes.get(name)
    }

    /// The Store type of a name.
    pub fn store(&self, name: &str) -> Option<&Arc<dyn StoreKind>> {
        self.stores.get(name)
    }

    /// The transform type of a name.
    pub fn transform(&self, name: &str) -> Option<&Arc<dyn TransformKind>> {
        self.transforms.get(name)
    }

    /// The check type of a name.
    pub fn check(&self, name: &str) -> Option<&Arc<dyn CheckKind>> {
        self.checks.get(name)
    }

    /// The database type of a name.
    pub fn database(&self, name: &str) -> Option<&Arc<dyn DatabaseKind>> {
        self.databases.get(name)
    }

    /// All database types, by name.
    pub fn databases(&self) -> impl Iterator<Item = &Arc<dyn DatabaseKind>> {
        self.databases.values()
    }

    /// All check types, by name.
    pub fn checks(&self) -> impl Iterator<Item = &Arc<dyn CheckKind>> {
        self.checks.values()
    }

    /// All Home types, by name.
    pub fn homes(&self) -> impl Iterator<Item = &Arc<dyn HomeKind>> {
        self.homes.values()
    }

    /// All Store types, by name.
    pub fn stores(&self) -> impl Iterator<Item = &Arc<dyn StoreKind>> {
        self.stores.values()
    }

    /// All transform types, by name.
    pub fn transforms(&self) -> impl Iterator<Item = &Arc<dyn TransformKind>> {
        self.transforms.values()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("homes", &self.homes.keys())
            .field("stores", &self.stores.keys())
            .field("transforms", &self.transforms.keys())
            .field("databases", &self.databases.keys())
            .field("checks", &self.checks.keys())
            .finish()
    }
}
