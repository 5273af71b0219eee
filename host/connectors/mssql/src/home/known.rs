//! What a table or query has, before a row of it is read.

use hygge_core::{Fault, Result, code};
use mssql_tds::connection::tds_client::{ExecuteOptions, ResultSet};

use super::MssqlHome;
use super::settings::Source;
use super::split::{self, Spec, SpecColumn};
use crate::describe::{self, Written};
use crate::fault::{self, Doing};

/// What is known of the source.
pub(super) struct Known {
    pub(super) columns: Vec<SpecColumn>,
    /// Every column there is, for the one that is followed or split by.
    pub(super) all: Vec<SpecColumn>,
    pub(super) key: Vec<String>,
    pub(super) rows: Option<u64>,
}

impl MssqlHome {
    /// The columns of the source, those that are wanted, and what else helps to split it.
    pub(super) async fn know(&self) -> Result<Known> {
        match &self.read.source {
            Source::Table(name) => {
                let mut session = self.connection.statements(&self.who).await?;
                let table = describe::table(&mut session, name, Doing::Reading).await?;
                let table = table.ok_or_else(|| {
                    Fault::new(
                        code::SOURCE_MISSING,
                        format!("there is no table {name} in {}", self.connection.describe()),
                    )
                    .advise(
                        "look at `table` and `database`, and whether the login may see the table",
                    )
                })?;
                let all = table.columns.into_iter().map(|column| SpecColumn {
                    name: column.name,
                    sql_type: Written(column.sql_type),
                    nullable: column.nullable,
                });
                self.known(all.collect(), table.key, table.rows)
            }
            Source::Query(query) => {
                let all = self.described(query).await?;
                self.known(all, Vec::new(), None)
            }
            Source::Tables(_) => Err(self.not_one()),
        }
    }

    /// What is known, once the server let the login read it.
    pub(super) async fn readable(&self) -> Result<Known> {
        let known = self.know().await?;
        let spec = Spec {
            columns: known.columns.clone(),
            watermark: None,
            part: None,
            between: None,
            since: None,
            left_out: 0,
        };
        let sql = spec.statement(&self.read)?.sql;
        let none = sql.replacen("SELECT ", "SELECT TOP (0) ", 1);
        let mut session = self.connection.statements(&self.who).await?;
        session
            .query(&self.what(), Doing::Reading, &none, &[])
            .await?;
        Ok(known)
    }

    /// Tables of a wildcard are read one by one: this is an entity that none of them is.
    fn not_one(&self) -> Fault {
        let what = self.read.source.describe();
        Fault::new(
            code::SOURCE_MISSING,
            format!("none of the {what} is called as this entity"),
        )
        .advise(
            "look at its name under `entities:` (`hygge list --discover` shows those that are found), \
             or give its home a `table` of its own",
        )
    }

    /// The columns that a query gives, without reading a row.
    async fn described(&self, query: &str) -> Result<Vec<SpecColumn>> {
        let what = self.what();
        let wrong = |error| fault::rows(&what, Doing::Reading, &error);
        let mut session = self.connection.reading(&self.who).await?;
        let client = session.begin();
        let from = split::from(&Source::Query(query.to_owned()));
        let sql = format!("SELECT TOP (0) * FROM {from}");
        client
            .execute(sql, ExecuteOptions::new())
            .await
            .map_err(wrong)?;
        let columns = client.get_metadata().iter().map(|column| {
            let sql_type = describe::of_result(column).ok_or_else(|| {
                let name = &column.column_name;
                Fault::new(
                    code::SOURCE_INVALID,
                    format!("{what}: column {name:?} has a type that hygge can't move yet"),
                )
                .with("column", name)
                .advise("cast it in the query, as in CAST(v AS varchar(max)), or leave it out")
            })?;
            Ok(SpecColumn {
                name: column.column_name.clone(),
                sql_type: Written(sql_type),
                nullable: column.is_nullable(),
            })
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        client.close_query().await.map_err(wrong)?;
        session.settled();
        Ok(columns)
    }

    fn known(&self, all: Vec<SpecColumn>, key: Vec<String>, rows: Option<u64>) -> Result<Known> {
        let find = |name: &String| {
            all.iter()
                .find(|column| column.name == *name)
                .ok_or_else(|| {
                    let names: Vec<&str> = all.iter().map(|column| column.name.as_str()).collect();
                    Fault::new(
                        code::CONFIG,
                        format!("{} has no column {name:?}", self.read.source.describe()),
                    )
                    .with("column", name)
                    .advise(format!("it has {}", names.join(", ")))
                })
        };
        for name in self.read.exclude.iter().chain(&self.read.split_by) {
            find(name)?;
        }
        let wanted: Vec<SpecColumn> = match &self.read.columns {
            Some(names) => names
                .iter()
                .map(|name| find(name).cloned())
                .collect::<Result<_>>()?,
            None => all.clone(),
        };
        let columns: Vec<SpecColumn> = wanted
            .into_iter()
            .filter(|column| !self.read.exclude.contains(&column.name))
            .collect();
        if columns.is_empty() {
            return Err(Fault::new(
                code::CONFIG,
                format!(
                    "{}: `exclude` leaves no column",
                    self.read.source.describe()
                ),
            ));
        }
        Ok(Known {
            columns,
            all,
            key,
            rows,
        })
    }
}
