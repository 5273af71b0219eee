use std::sync::Arc;

use async_trait::async_trait;

use crate::{BuildContext, Fault, Problem, Result, Settings};

/// A type of connection to a database that can be worked on as a whole: what `connections:` of
/// hygge.yml names, for scripts and for what the catalogue says.
pub trait DatabaseKind: Send + Sync {
    /// The name in `type:`.
    fn name(&self) -> &str;
    /// One line for lists.
    fn summary(&self) -> &str;
    /// The JSON Schema of a connection's settings, without `type`.
    fn schema(&self) -> serde_json::Value;
    /// Makes the database, without connecting anywhere.
    fn build(
        &self,
        settings: &Settings,
        cx: &BuildContext,
    ) -> Result<Arc<dyn Database>, Vec<Problem>>;
}

/// A database.
#[async_trait]
pub trait Database: Send + Sync {
    /// Which it is, for people.
    fn describe(&self) -> String;

    /// How its scripts are read.
    fn script_syntax(&self) -> ScriptSyntax;

    /// What was applied to it. Changes nothing, and creates nothing.
    async fn applied(&self) -> Result<Vec<Applied>>;

    /// Locks out whoever else applies anything, and begins a transaction.
    async fn begin(&self) -> Result<Box<dyn Applying>>;

    /// The tables whose names fit one of the patterns, ordered by name. `*` stands for any characters,
    /// `?` for one.
    async fn tables(&self, patterns: &[String]) -> Result<Vec<CatalogueTable>>;
}

/// A transaction that scripts are run in. Dropped, all of it is undone.
#[async_trait]
pub trait Applying: Send {
    /// What was applied before.
    async fn applied(&mut self) -> Result<Vec<Applied>>;

    /// Begins a file: what the last one set of the session is as it was.
    async fn file(&mut self) -> Result<()>;

    /// Runs one batch.
    async fn batch(&mut self, sql: &str) -> Result<(), BatchFault>;

    /// Keeps in the database that a file was applied.
    async fn record(&mut self, applied: &Applied) -> Result<()>;

    /// Makes all of it last.
    async fn commit(self: Box<Self>) -> Result<()>;
}

/// Why a batch didn't run.
#[derive(Debug)]
pub struct BatchFault {
    /// What the database says.
    pub fault: Fault,
    /// The line of the batch, from 1, where that is known.
    pub line: Option<usize>,
    /// What of it can't be undone.
    pub stays: Stays,
}

/// What stays of a batch that didn't run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stays {
    /// Nothing.
    Nothing,
    /// Something, if the batch committed it itself; nobody can say.
    Maybe,
    /// What the batch committed itself.
    Committed,
}

/// How scripts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScriptSyntax {
    /// Whether a `/* */` comment may stand in another.
    pub nested_comments: bool,
    /// Whether names may stand in `` ` ``.
    pub backticks: bool,
}

/// A file that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Its path from the project's root, with `/`.
    pub file: String,
    /// What its text comes to, in hexadecimal digits.
    pub checksum: String,
    /// How many batches of it were run; none of one that was only renamed.
    pub batches: usize,
    /// The name that it had until then, where it was only renamed.
    pub renamed_from: Option<String>,
    /// When, in UTC; the database says it.
    pub at: String,
}

/// A table or view, as a database's catalogue has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueTable {
    /// Its schema, where the database has such.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// How it is written in a setting: `dbo.users`, with brackets where they are needed.
    pub written: String,
    /// Whether it is a view.
    pub view: bool,
    /// Its columns, in their order.
    pub columns: Vec<CatalogueColumn>,
    /// What tells its rows apart.
    pub key: Option<CatalogueKey>,
}

/// Columns that together tell rows apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueKey {
    /// In the key's order.
    pub columns: Vec<String>,
    /// Whether it is the primary key; else a unique index over columns that take no NULL.
    pub primary: bool,
}

/// A column, as a database's catalogue has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueColumn {
    /// Its name.
    pub name: String,
    /// Its type, as the database writes it.
    pub type_name: String,
    /// Whether it takes NULL.
    pub nullable: bool,
    /// How it may tell which rows changed.
    pub moment: Moment,
    /// Whether hygge can move it.
    pub moves: bool,
}

/// What a column's type says of when a row changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Nothing.
    No,
    /// It holds moments, of whatever.
    Time,
    /// The database sets it to more with every change (`rowversion`).
    Version,
}
