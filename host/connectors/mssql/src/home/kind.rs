use std::sync::Arc;

use hygge_core::{
    BuildContext, Fault, Home, HomeKind, HomePlan, Place, Problem, Result, Settings, code,
};

use super::MssqlHome;
use super::settings::{HomeSettings, Read, Source};
use crate::connection::{Connections, readers};

/// `home: {type: mssql}`.
#[derive(Debug)]
pub struct MssqlHomeKind {
    connections: Arc<Connections>,
}

impl MssqlHomeKind {
    pub(crate) fn new(connections: Arc<Connections>) -> Self {
        Self { connections }
    }
}

impl HomeKind for MssqlHomeKind {
    fn name(&self) -> &str {
        "mssql"
    }

    fn summary(&self) -> &str {
        "tables, views and queries of SQL Server and Azure SQL"
    }

    fn schema(&self) -> serde_json::Value {
        schemars::schema_for!(HomeSettings).to_value()
    }

    fn location(&self) -> Option<&str> {
        Some("table")
    }

    fn plan(&self, settings: &Settings, cx: &BuildContext) -> Result<HomePlan, Vec<Problem>> {
        let read = Read::of(settings, cx)?;
        let place = match &read.source {
            Source::Table(table) => Some(Place::Named {
                system: read.login.describe(),
                name: table.to_string(),
            }),
            Source::Query(_) | Source::Tables(_) => None,
        };
        Ok(HomePlan {
            place,
            describe: format!("{} of {}", read.source.describe(), read.login.describe()),
            operations: false,
            watermarks: true,
            files: false,
            changes: matches!(read.source, Source::Table(_) | Source::Tables(_)),
            max_open: Some(readers(read.login.pool_size)),
            splits: read.splits,
            many: matches!(read.source, Source::Tables(_)),
        })
    }

    fn build(&self, settings: &Settings, cx: &BuildContext) -> Result<Arc<dyn Home>> {
        let read = Read::of(settings, cx).map_err(|problems| first(&problems))?;
        let who = match &cx.entity {
            Some(id) => format!("reading {id}"),
            None => format!("reading {}", read.source.describe()),
        };
        let connection = self.connections.get(&read.login, settings.connection());
        Ok(Arc::new(MssqlHome {
            read,
            connection,
            who,
        }))
    }
}

/// The first thing wrong, as a fault: all of them were told when the plan was made.
pub(crate) fn first(problems: &[Problem]) -> Fault {
    match problems.first() {
        Some(problem) => {
            let mut fault = Fault::new(code::CONFIG, problem.message.clone());
            fault.advice.clone_from(&problem.advice);
            fault
        }
        None => Fault::internal("settings are wrong, and nothing says why"),
    }
}
