//! SQLite as a database that scripts are applied to, and whose tables are looked up.
//!
//! The trade-off: SQLite's calls block, and a script's is as long as the script. Whoever applies one
//! does nothing else meanwhile, so they are made where they are asked for, on no thread of their own.
//! As a Home or Store, whose reading and writing go on side by side, it would need one; it is none.

mod apply;
mod catalogue;
mod fault;
mod script;
mod semicolons;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;

use hygge_core::{
    Applied, Applying, BuildContext, CatalogueTable, Database, DatabaseKind, Fault, Problem,
    Registry, Result, ScriptSyntax, Settings, async_trait, code,
};
use rusqlite::{Connection, OpenFlags};
use schemars::JsonSchema;
use serde::Deserialize;

/// Adds the type of this crate.
pub fn register(registry: &mut Registry) {
    registry.add_database(Arc::new(SqliteKind));
}

/// Settings of a connection of `type: sqlite`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqliteSettings {
    /// The database's file, from the project's folder. `hygge apply` makes it where it isn't there.
    pub path: String,
}

/// `connections: {NAME: {type: sqlite}}`.
#[derive(Debug)]
pub struct SqliteKind;

impl DatabaseKind for SqliteKind {
    fn name(&self) -> &str {
        "sqlite"
    }

    fn summary(&self) -> &str {
        "a file of SQLite"
    }

    fn schema(&self) -> serde_json::Value {
        schemars::schema_for!(SqliteSettings).to_value()
    }

    fn build(
        &self,
        settings: &Settings,
        cx: &BuildContext,
    ) -> Result<Arc<dyn Database>, Vec<Problem>> {
        let wrong = |pointer: &str, message: String| {
            vec![Problem {
                pointer: pointer.to_owned(),
                message,
                advice: None,
            }]
        };
        let settings: SqliteSettings = settings
            .parse()
            .map_err(|fault: Fault| wrong("", fault.message))?;
        if settings.path.trim().is_empty() {
            return Err(wrong("/path", "`path` is empty".to_owned()));
        }
        Ok(Arc::new(Sqlite {
            file: cx.root.join(&settings.path),
            shown: settings.path,
        }))
    }
}

/// A database in a file.
#[derive(Debug)]
struct Sqlite {
    file: PathBuf,
    /// As it is written.
    shown: String,
}

impl Sqlite {
    /// Opens the file, which has to be there. Nothing is written, but what somebody who died left
    /// half done is undone, which one that only reads can't do.
    fn look(&self) -> Result<Connection> {
        self.open(OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    fn open(&self, flags: OpenFlags) -> Result<Connection> {
        let what = format!("can't open {}", self.shown);
        let connection = Connection::open_with_flags(&self.file, flags)
            .map_err(|error| fault::of(&what, &error))?;
        connection
            .busy_timeout(std::time::Duration::from_secs(5))
            .map_err(|error| fault::of(&what, &error))?;
        Ok(connection)
    }
}

#[async_trait]
impl Database for Sqlite {
    fn describe(&self) -> String {
        self.shown.clone()
    }

    fn script_syntax(&self) -> ScriptSyntax {
        ScriptSyntax {
            nested_comments: false,
            backticks: true,
        }
    }

    async fn applied(&self) -> Result<Vec<Applied>> {
        if !self.file.exists() {
            return Ok(Vec::new());
        }
        apply::applied(&self.look()?, &self.shown)
    }

    async fn begin(&self) -> Result<Box<dyn Applying>> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let transaction = apply::Transaction::begin(self.open(flags)?, &self.shown)?;
        Ok(Box::new(transaction))
    }

    async fn tables(&self, patterns: &[String]) -> Result<Vec<CatalogueTable>> {
        if !self.file.exists() {
            return Err(
                Fault::new(code::SOURCE_MISSING, format!("there is no {}", self.shown))
                    .advise("look at `path` of the connection; `hygge apply` makes a new database"),
            );
        }
        catalogue::tables(&self.look()?, patterns, &self.shown)
    }
}
