//! A connection as a whole: scripts are applied to it, and its tables are looked up.

use std::sync::Arc;

use hygge_core::{
    Applied, Applying, BuildContext, CatalogueTable, Database, DatabaseKind, Fault, Problem,
    Result, ScriptSyntax, Settings, async_trait,
};

use crate::connection::{Connection, ConnectionSettings, Connections, problem};
use crate::{apply, catalogue};

/// `connections: {NAME: {type: mssql}}`.
#[derive(Debug)]
pub(crate) struct MssqlDatabaseKind {
    connections: Arc<Connections>,
}

impl MssqlDatabaseKind {
    pub(crate) fn new(connections: Arc<Connections>) -> Self {
        Self { connections }
    }
}

impl DatabaseKind for MssqlDatabaseKind {
    fn name(&self) -> &str {
        "mssql"
    }

    fn summary(&self) -> &str {
        "SQL Server and Azure SQL"
    }

    fn schema(&self) -> serde_json::Value {
        schemars::schema_for!(ConnectionSettings).to_value()
    }

    fn build(
        &self,
        settings: &Settings,
        cx: &BuildContext,
    ) -> Result<Arc<dyn Database>, Vec<Problem>> {
        let parsed: ConnectionSettings = settings
            .parse()
            .map_err(|fault: Fault| vec![problem("", fault.message, None)])?;
        let login = parsed.login(&cx.root)?;
        Ok(Arc::new(MssqlDatabase(
            self.connections.get(&login, settings.connection()),
        )))
    }
}

/// A database of SQL Server.
#[derive(Debug)]
struct MssqlDatabase(Arc<Connection>);

#[async_trait]
impl Database for MssqlDatabase {
    fn describe(&self) -> String {
        self.0.describe()
    }

    fn script_syntax(&self) -> ScriptSyntax {
        ScriptSyntax {
            nested_comments: true,
            backticks: false,
        }
    }

    async fn applied(&self) -> Result<Vec<Applied>> {
        let mut session = self.0.statements("looking up what was applied").await?;
        apply::hasten(&mut session, &self.describe()).await?;
        apply::applied(&mut session, &self.describe()).await
    }

    async fn begin(&self) -> Result<Box<dyn Applying>> {
        Ok(Box::new(apply::Transaction::begin(&self.0).await?))
    }

    async fn tables(&self, patterns: &[String]) -> Result<Vec<CatalogueTable>> {
        catalogue::tables(&self.0, patterns).await
    }
}
