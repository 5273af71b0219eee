//! What `hygge debug` and `hygge list --discover` ask of a connection.

use std::sync::Arc;
use std::time::Instant;

use hygge_core::{Discovered, Finding, Result};

use crate::apply;
use crate::connection::{Connection, Shown, Statements};
use crate::describe::{text, whole};
use crate::fault::Doing;
use crate::home::Wildcard;
use crate::name::{TableName, quoted};
use crate::store::Needs;

/// Whether the server answers, and as what.
pub(crate) async fn connection(connection: &Arc<Connection>, who: &str) -> Result<Vec<Finding>> {
    let begun = Instant::now();
    let mut session = match connection.statements(who).await {
        Ok(session) => session,
        Err(fault) => {
            let advice = fault.advice.as_deref();
            let mut findings = vec![Finding::bad(
                &fault.message,
                advice.unwrap_or("look at the connection"),
            )];
            // Often it is the certificate that isn't trusted.
            if let Ok(shown) = connection.shown().await {
                findings.push(Finding::good(shown.to_string()));
            }
            return Ok(findings);
        }
    };
    let opened = begun.elapsed();
    let asked = Instant::now();
    let what = format!("can't ask {}", connection.describe());
    let sql = "SELECT @@VERSION, DB_NAME(), SUSER_SNAME()";
    let found = session.query(&what, Doing::Reading, sql, &[]).await?;
    let took = asked.elapsed();
    let row = found.first().and_then(|rows| rows.first());
    let said = |at| row.and_then(|row| text(row, at)).unwrap_or_default();
    let version = said(0);
    let version = version.lines().next().unwrap_or_default().trim().to_owned();
    Ok(vec![
        Finding::good(format!(
            "{} answers: opening a session took {} ms, a statement {} ms",
            connection.describe(),
            opened.as_millis(),
            took.as_millis()
        )),
        Finding::good(secured(connection).await),
        Finding::good(format!("it is {version}")),
        Finding::good(format!("database {}, as {}", said(1), said(2))),
    ])
}

async fn secured(connection: &Connection) -> String {
    match connection.shown().await {
        Ok(shown) if connection.trusts() && !matches!(shown, Shown::Nothing) => {
            format!("{shown}; taken unseen, as `trust_server_certificate` wants it")
        }
        Ok(shown) => shown.to_string(),
        Err(why) => format!("how it is encrypted can't be shown: {why}"),
    }
}

const TABLES: &str = "\
SELECT s.name, o.name, SUM(p.rows) AS n, o.type \
FROM sys.objects AS o \
JOIN sys.schemas AS s ON s.schema_id = o.schema_id \
LEFT JOIN sys.partitions AS p ON p.object_id = o.object_id AND p.index_id IN (0, 1) \
WHERE o.type IN ('U', 'V') \
GROUP BY s.name, o.name, o.type \
ORDER BY s.name, o.name";

/// hygge's own tables are nobody's source.
pub(crate) fn is_own(table: &str) -> bool {
    matches!(table, "hygge_commits" | apply::TABLE) || table.starts_with("hygge_stage_")
}

/// The tables and views that the login may see, with about how many rows they have; or the tables
/// that a wildcard takes.
pub(crate) async fn tables(
    connection: &Arc<Connection>,
    who: &str,
    wildcard: Option<&Wildcard>,
) -> Result<Vec<Discovered>> {
    let mut session = connection.statements(who).await?;
    let what = format!("can't list the tables of {}", connection.describe());
    let found = session.query(&what, Doing::Reading, TABLES, &[]).await?;
    let rows = found.into_iter().next().unwrap_or_default();
    let mut tables = Vec::new();
    for row in &rows {
        let name = TableName {
            schema: text(row, 0).unwrap_or_default(),
            table: text(row, 1).unwrap_or_default(),
        };
        let is_table = text(row, 3).is_some_and(|kind| kind.trim() == "U");
        let taken = wildcard.is_none_or(|wildcard| is_table && wildcard.takes(&name));
        if is_own(&name.table) || !taken {
            continue;
        }
        tables.push(Discovered {
            entity: wildcard.map(|wildcard| wildcard.entity(&name)),
            name: name.to_string(),
            rows: whole(row, 2).and_then(|rows| u64::try_from(rows).ok()),
            bytes: None,
        });
    }
    Ok(tables)
}

const PERMISSIONS: &str = "\
SELECT HAS_PERMS_BY_NAME(@P1, 'OBJECT', 'SELECT'), HAS_PERMS_BY_NAME(@P1, 'OBJECT', 'INSERT'), \
HAS_PERMS_BY_NAME(@P1, 'OBJECT', 'UPDATE'), HAS_PERMS_BY_NAME(@P1, 'OBJECT', 'DELETE'), \
HAS_PERMS_BY_NAME(@P1, 'OBJECT', 'ALTER'), HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'CREATE TABLE'), \
HAS_PERMS_BY_NAME(@P2, 'SCHEMA', 'ALTER'), HAS_PERMS_BY_NAME(@P3, 'OBJECT', 'SELECT'), \
HAS_PERMS_BY_NAME(@P3, 'OBJECT', 'INSERT')";

/// Whether the login may do what a store does.
pub(crate) async fn permissions(
    session: &mut Statements,
    table: &TableName,
    needs: &Needs,
) -> Result<Vec<Finding>> {
    let what = format!("can't ask what may be done to {table}");
    let commits = table.beside("hygge_commits");
    let object = (table.quoted(), quoted(&table.schema), commits.quoted());
    let parameters: [&dyn tiberius::ToSql; 3] = [&object.0, &object.1, &object.2];
    let found = session
        .query(&what, Doing::Writing, PERMISSIONS, &parameters)
        .await?;
    let row = found.first().and_then(|rows| rows.first());
    let always = |permission| (permission, Need::Always);
    let asked = [
        always(format!("SELECT on {table}")),
        always(format!("INSERT on {table}")),
        (format!("UPDATE on {table}"), needs.update),
        (format!("DELETE on {table}"), needs.delete),
        (format!("ALTER on {table}"), needs.alter),
        always("CREATE TABLE in the database, to stage rows".to_owned()),
        always(format!(
            "ALTER on the schema {}, to stage rows in it",
            table.schema
        )),
        always(format!(
            "SELECT on {commits}, to look whether a run was committed"
        )),
        always(format!("INSERT on {commits}, to remember commits")),
    ];
    let (mut has, mut findings) = (Vec::new(), Vec::new());
    for (at, (permission, need)) in asked.into_iter().enumerate() {
        match (row.and_then(|row| whole(row, at)), need) {
            // Of a table that isn't there nothing is said.
            (None, _) | (_, Need::Never) => {}
            (Some(0), Need::Always) => findings.push(Finding::bad(
                format!("the login lacks {permission}"),
                "grant it; docs/connectors/mssql.md lists what is needed",
            )),
            (Some(0), Need::For(what)) => findings.push(Finding::good(format!(
                "the login lacks {permission}, which only {what} needs"
            ))),
            (Some(_), _) => has.push(permission),
        }
    }
    if !has.is_empty() {
        findings.insert(
            0,
            Finding::good(format!("the login has {}", has.join("; "))),
        );
    }
    Ok(findings)
}

/// When a store needs a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// In every run.
    Always,
    /// In runs of that kind.
    For(&'static str),
    /// In none.
    Never,
}
