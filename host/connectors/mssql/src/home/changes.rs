//! What changed in a table since a version, as SQL Server's change tracking keeps account of it.
//!
//! A version is taken before rows are read, and is where the next run goes on. What changes while
//! they are read may so be met twice, and is the same both times: the row as it stands by then.

use std::sync::Arc;

use hygge_core::{Changes, Fault, OPERATION_COLUMN, Operation, Position, Result, code};
use mssql_tds::datatypes::sqltypes::SqlType as Sent;
use mssql_tds::message::parameters::rpc_parameters::{RpcParameter, StatusFlags};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::account::Account;
use super::split::{SpecColumn, Statement, selected};
use crate::connection::{Connection, Statements};
use crate::describe;
use crate::fault::Doing;
use crate::name::{TableName, quoted};

/// What a split reads of the changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Since {
    pub(super) version: i64,
    /// The columns of the primary key.
    pub(super) key: Vec<String>,
    pub(super) account: Account,
}

/// Where a table's changes stand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Mark {
    version: i64,
    /// Versions of one table say nothing of another's.
    table: String,
    server: String,
    /// Nor do those of a database before it was put back from a backup, when another life of it
    /// begins. Not every server tells, and not everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fork: Option<String>,
    /// Nor those of an account that was ended. Earlier versions didn't remember which it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<Account>,
    /// Rows that don't change are met by no later run, so what is remembered is true of one
    /// condition only; its hash.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    condition: Option<String>,
}

/// What is wanted of a table's changes, once it is known that they are tracked.
pub(super) struct Tracked {
    /// None when all rows are read.
    pub(super) since: Option<Since>,
    /// Where the next run goes on.
    pub(super) position: Position,
}

/// The version now, the least from which changes are known, and the account that they are of.
struct Versions {
    now: Option<i64>,
    least: Option<i64>,
    account: Account,
}

/// Which life of the database this is. What it needs to be seen, and whether a server has the view,
/// differs; where it can't be, nothing is known.
async fn fork(session: &mut Statements, table: &TableName) -> Result<Option<String>> {
    const SQL: &str = "BEGIN TRY EXEC(N'SELECT CAST(recovery_fork_guid AS varchar(36)) FROM \
                       sys.database_recovery_status WHERE database_id = DB_ID()') END TRY \
                       BEGIN CATCH SELECT CAST(NULL AS varchar(36)) END CATCH";
    let what = format!("can't ask which life of its database {table} is in");
    let found = session.query(&what, Doing::Reading, SQL, &[]).await?;
    let row = found.iter().flatten().next();
    Ok(row.and_then(|row| describe::text(row, 0)))
}

async fn versions(session: &mut Statements, table: &TableName) -> Result<Versions> {
    const SQL: &str = "SELECT CHANGE_TRACKING_CURRENT_VERSION(), \
                       CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID(@P1)), OBJECT_ID(@P1), \
                       (SELECT MAX(t.begin_version) FROM sys.change_tracking_tables AS t \
                       WHERE t.object_id = OBJECT_ID(@P1)), \
                       (SELECT MAX(i.object_id) FROM sys.internal_tables AS i \
                       WHERE i.name = CONCAT(N'change_tracking_', OBJECT_ID(@P1)))";
    let what = format!("can't ask for the changes of {table}");
    let named = table.quoted();
    let found = session.query(&what, Doing::Reading, SQL, &[&named]).await?;
    let row = found.first().and_then(|rows| rows.first());
    let at = |n| row.and_then(|row| describe::whole(row, n));
    Ok(Versions {
        now: at(0),
        least: at(1),
        account: Account {
            object: at(2),
            begun: at(3),
            kept_in: at(4),
        },
    })
}

/// What is remembered is true of one condition only, and nothing of a secret is kept.
pub(super) fn secret(table: &TableName) -> Fault {
    Fault::new(
        code::CONFIG,
        format!(
            "`where` of {table} holds a secret, so no run could tell whether it is still that of the \
             run before"
        ),
    )
    .advise(
        "use a variable whose name doesn't look like that of a secret, or leave `where` out",
    )
}

/// Fixes the version, before any row is read.
pub(super) async fn begin(
    session: &mut Statements,
    connection: &Connection,
    (table, condition): (&TableName, Option<&str>),
    key: &[String],
    columns: &[SpecColumn],
    changes: Changes,
    before: Option<&Position>,
) -> Result<Tracked> {
    tracked_by(table, key, columns)?;
    let Versions {
        now,
        least,
        account,
    } = versions(session, table).await?;
    let (name, server) = (table.quoted(), connection.describe());
    let Some(now) = now else {
        return Err(Fault::new(
            code::SOURCE_INVALID,
            format!("{server} doesn't track changes"),
        )
        .advise(format!(
            "run `ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 7 DAYS, \
             AUTO_CLEANUP = ON)`, then `ALTER TABLE {name} ENABLE CHANGE_TRACKING`"
        )));
    };
    let Some(least) = least else {
        return Err(Fault::new(
            code::SOURCE_INVALID,
            format!("changes of {table} aren't tracked, or the login may not see them"),
        )
        .advise(format!(
            "run `ALTER TABLE {name} ENABLE CHANGE_TRACKING`; the login needs `GRANT VIEW CHANGE \
             TRACKING ON {name}`"
        )));
    };
    let mark = Mark {
        version: now,
        table: name,
        server,
        fork: fork(session, table).await?,
        account: Some(account),
        condition: condition.map(|text| format!("{:016x}", xxh3_64(text.trim().as_bytes()))),
    };
    let since = match (changes, before) {
        (Changes::Since, Some(before)) => Some(Since {
            version: goes_on(table, &mark, least, before)?,
            key: key.to_vec(),
            account,
        }),
        _ => None,
    };
    let position = serde_json::to_value(mark).map_err(|e| Fault::internal(e.to_string()))?;
    Ok(Tracked {
        since,
        position: Position(position),
    })
}

/// Changes are told by the primary key alone.
fn tracked_by(table: &TableName, key: &[String], columns: &[SpecColumn]) -> Result<()> {
    if key.is_empty() {
        return Err(Fault::new(
            code::SOURCE_INVALID,
            format!("{table} has no primary key, by which changes are told"),
        )
        .advise(format!(
            "run `ALTER TABLE {} ADD PRIMARY KEY (…)`, or use `strategy: merge` with a `column`",
            table.quoted()
        )));
    }
    let read = |name: &&String| columns.iter().any(|column| column.name == **name);
    match key.iter().find(|name| !read(name)) {
        None => Ok(()),
        Some(left) => Err(Fault::new(
            code::CONFIG,
            format!("{left:?} belongs to the primary key of {table}, and isn't read"),
        )
        .with("column", left)
        .advise("changes are told by the primary key: read its columns")),
    }
}

/// The version to go on from, while the server knows what changed since.
fn goes_on(table: &TableName, now: &Mark, least: i64, before: &Position) -> Result<i64> {
    let lost = |why: String| Err(Fault::new(code::POSITION_LOST, why));
    let Ok(mark) = serde_json::from_value::<Mark>(before.0.clone()) else {
        return lost(format!("no version of {table} is remembered"));
    };
    let version = mark.version;
    if mark.table != now.table || mark.server != now.server {
        return lost(format!(
            "the version that is remembered is of {} of {}",
            mark.table, mark.server
        ));
    }
    if let (Some(before), Some(now)) = (&mark.fork, &now.fork)
        && before != now
    {
        return lost(format!(
            "the database of {table} was put back since the last run"
        ));
    }
    if mark.condition != now.condition {
        return lost(format!(
            "`where` of {table} is another one than in the last run"
        ));
    }
    if version < least {
        return lost(format!(
            "changes of {table} are known since version {least}, and the last run came to {version}"
        ));
    }
    if let (Some(before), Some(now)) = (&mark.account, &now.account)
        && let Some(why) = now.since(before, table)
    {
        return lost(why);
    }
    if version > now.version {
        return lost(format!(
            "{table} is at version {}, and the last run came to {version}: the database was put \
             back",
            now.version
        ));
    }
    Ok(version)
}

/// Whether the server still knew all changes once they were read: it may have thrown some away
/// meanwhile.
pub(super) async fn still_known(
    connection: &Arc<Connection>,
    who: &str,
    table: &TableName,
    since: &Since,
) -> Result<()> {
    let mut session = connection.statements(who).await?;
    let Versions { least, account, .. } = versions(&mut session, table).await?;
    match least {
        Some(least) if least <= since.version && account.since(&since.account, table).is_none() => {
            Ok(())
        }
        _ => Err(Fault::new(
            code::SOURCE_CHANGED,
            format!("changes of {table} were thrown away by the server while they were read"),
        )
        .advise(
            "the next run reads all rows; a longer CHANGE_RETENTION of the database keeps changes \
             longer",
        )),
    }
}

/// The statement that reads what changed. A row that isn't there any more, or doesn't meet the
/// condition any more, is one that was deleted.
pub(super) fn statement(
    table: &TableName,
    columns: &[SpecColumn],
    condition: &str,
    since: &Since,
) -> Statement {
    let values: Vec<String> = columns
        .iter()
        .map(|column| {
            let side = if since.key.contains(&column.name) {
                "c"
            } else {
                "t"
            };
            selected(column, side)
        })
        .collect();
    let names: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
    let key = || since.key.iter().map(|name| quoted(name));
    let alike: Vec<String> = key().map(|name| format!("t.{name} = c.{name}")).collect();
    let first = key().next().unwrap_or_default();
    let [insert, update, delete] =
        [Operation::Insert, Operation::Update, Operation::Delete].map(Operation::as_str);
    let table = table.quoted();
    let sql = format!(
        "SELECT {}, CASE WHEN t.{first} IS NULL THEN N'{delete}' WHEN c.SYS_CHANGE_OPERATION = \
         N'I' THEN N'{insert}' ELSE N'{update}' END AS {} FROM CHANGETABLE(CHANGES {table}, @P1) \
         AS c LEFT JOIN (SELECT {} FROM {table}{condition}) AS t ON {}",
        values.join(", "),
        quoted(OPERATION_COLUMN),
        names.join(", "),
        alike.join(" AND "),
    );
    let version = Sent::BigInt(Some(since.version));
    let parameter = RpcParameter::new(Some("@P1".to_owned()), StatusFlags::NONE, version);
    Statement {
        sql,
        parameters: vec![parameter],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_goes_on_only_where_all_changes_since_are_known() {
        let table = TableName::parse("dbo.t").unwrap();
        let mark = |version, table: &str, server: &str| Mark {
            version,
            table: table.to_owned(),
            server: server.to_owned(),
            fork: None,
            account: None,
            condition: None,
        };
        let now = mark(20, "[dbo].[t]", "db/a");
        let from = |before: Mark| {
            let before = Position(serde_json::to_value(before).unwrap());
            goes_on(&table, &now, 10, &before)
        };
        for version in [10, 15, 20] {
            assert_eq!(from(mark(version, "[dbo].[t]", "db/a")).unwrap(), version);
        }
        let lost = |before| {
            let fault = from(before).unwrap_err();
            assert_eq!(fault.code, code::POSITION_LOST);
            fault.message
        };
        assert_eq!(
            lost(mark(9, "[dbo].[t]", "db/a")),
            "changes of dbo.t are known since version 10, and the last run came to 9"
        );
        assert_eq!(
            lost(mark(21, "[dbo].[t]", "db/a")),
            "dbo.t is at version 20, and the last run came to 21: the database was put back"
        );
        let elsewhere = [mark(15, "[dbo].[u]", "db/a"), mark(15, "[dbo].[t]", "db/b")];
        for before in elsewhere {
            assert!(lost(before).starts_with("the version that is remembered is of "));
        }
        let narrowed = Mark {
            condition: Some("another".to_owned()),
            ..mark(15, "[dbo].[t]", "db/a")
        };
        assert_eq!(
            lost(narrowed),
            "`where` of dbo.t is another one than in the last run"
        );
        let forked = |before: &str, now: &str| {
            let of = |fork: &str| Mark {
                fork: (!fork.is_empty()).then(|| fork.to_owned()),
                ..mark(15, "[dbo].[t]", "db/a")
            };
            let before = Position(serde_json::to_value(of(before)).unwrap());
            goes_on(&table, &of(now), 10, &before)
        };
        assert_eq!(
            forked("a", "b").unwrap_err().message,
            "the database of dbo.t was put back since the last run"
        );
        for (before, now) in [("a", "a"), ("", "b"), ("a", "")] {
            assert_eq!(forked(before, now).unwrap(), 15);
        }
        let accounts = |before: Option<i64>, now: Option<i64>| {
            let of = |object: Option<i64>| Mark {
                account: object.map(|object| Account {
                    object: Some(object),
                    begun: None,
                    kept_in: None,
                }),
                ..mark(15, "[dbo].[t]", "db/a")
            };
            let before = Position(serde_json::to_value(of(before)).unwrap());
            goes_on(&table, &of(now), 10, &before)
        };
        assert_eq!(
            accounts(Some(1), Some(2)).unwrap_err().message,
            "dbo.t is another table than in the last run"
        );
        // Positions of earlier versions say nothing of it.
        for (before, now) in [(Some(1), Some(1)), (None, Some(1))] {
            assert_eq!(accounts(before, now).unwrap(), 15);
        }
        let none = goes_on(&table, &now, 10, &Position(serde_json::json!({})));
        assert_eq!(none.unwrap_err().code, code::POSITION_LOST);
    }
}
