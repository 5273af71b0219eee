use std::sync::Arc;

use hygge_core::{
    BuildContext, Capabilities, Place, Problem, Result, Settings, Store, StoreKind, StorePlan,
};

use super::MssqlStore;
use super::settings::{StoreSettings, Write};
use crate::connection::Connections;
use crate::home::first;

/// `store: {type: mssql}`.
#[derive(Debug)]
pub struct MssqlStoreKind {
    connections: Arc<Connections>,
}

impl MssqlStoreKind {
    pub(crate) fn new(connections: Arc<Connections>) -> Self {
        Self { connections }
    }
}

impl StoreKind for MssqlStoreKind {
    fn name(&self) -> &str {
        "mssql"
    }

    fn summary(&self) -> &str {
        "tables of SQL Server and Azure SQL"
    }

    fn schema(&self) -> serde_json::Value {
        schemars::schema_for!(StoreSettings).to_value()
    }

    fn location(&self) -> Option<&str> {
        Some("table")
    }

    fn plan(&self, settings: &Settings, cx: &BuildContext) -> Result<StorePlan, Vec<Problem>> {
        let write = Write::of(settings, cx)?;
        let named = write.table.to_string();
        Ok(StorePlan {
            place: Some(Place::Named {
                system: write.login.describe(),
                name: named.clone(),
            }),
            describe: format!("{named} of {}", write.login.describe()),
            capabilities: Capabilities {
                append: true,
                replace: true,
                upsert: !write.direct,
                operations: !write.direct,
                // One transaction, which one session holds.
                single: write.direct,
                encoded: None,
            },
            // One session holds the run's lock.
            max_open: Some(write.login.pool_size.saturating_sub(1).max(1)),
            writers: Some(if write.direct { 1 } else { write.workers }),
        })
    }

    fn build(&self, settings: &Settings, cx: &BuildContext) -> Result<Arc<dyn Store>> {
        let write = Write::of(settings, cx).map_err(|problems| first(&problems))?;
        let who = match &cx.entity {
            Some(id) => format!("writing {id}"),
            None => format!("writing {}", write.table),
        };
        let connection = self.connections.get(&write.login, settings.connection());
        Ok(Arc::new(MssqlStore::new(write, connection, who, &cx.work)))
    }
}
