use std::sync::Arc;
use std::time::Duration;

use arrow_schema::SchemaRef;
use hygge_core::{
    Batch, Context, Fault, Level, Position, Reader, Result, Step, Stop, async_trait, code,
};
use mssql_tds::connection::tds_client::{ExecuteOptions, ResultSet};
use tokio::runtime::Handle;

use super::changes::{self, Since};
use super::decode::Rows;
use super::settings::{Read, Source};
use super::split::Spec;
use crate::connection::{ColumnSession, Connection};
use crate::describe;
use crate::fault::{self, Doing};
use crate::name::TableName;
use crate::overflow::OnOverflow;
use crate::types::{SqlType, Times};

/// Reads one split over a session of its own.
pub(super) struct TableReader {
    schema: SchemaRef,
    /// None once all rows were read.
    open: Option<Open>,
    what: String,
    batch_bytes: usize,
    left_out: u64,
    /// What changed since a version is read, which the server may throw away meanwhile.
    recheck: Option<Recheck>,
    cx: Context,
}

struct Recheck {
    connection: Arc<Connection>,
    who: String,
    table: TableName,
    since: Since,
}

/// A query whose rows are coming in.
struct Open {
    session: ColumnSession,
    rows: Rows,
    /// Whether the session may be lent again afterwards.
    reusable: bool,
}

impl TableReader {
    pub(super) async fn open(
        read: &Read,
        spec: &Spec,
        connection: &Arc<Connection>,
        schema: SchemaRef,
        batch_bytes: usize,
        who: &str,
        cx: &Context,
    ) -> Result<Self> {
        let what = format!("can't read {}", read.source.describe());
        let statement = spec.statement(read)?;
        let mut session = connection.reading(who).await?;
        let limit = session.command_timeout;
        let isolation = read.isolation;
        let client = session.begin();
        let beginning = async {
            if let Some(isolation) = isolation {
                let set = isolation.statement().to_owned();
                client.execute(set, ExecuteOptions::new()).await?;
                client.close_query().await?;
            }
            match statement.parameters.is_empty() {
                true => client.execute(statement.sql, ExecuteOptions::new()).await?,
                false => {
                    let parameters = statement.parameters;
                    client
                        .execute_sp_executesql(statement.sql, parameters, ExecuteOptions::new())
                        .await?
                }
            };
            if !client.on_rows() {
                client.advance_to_rows().await?;
            }
            Ok(())
        };
        let begun = async {
            match limit {
                None => Ok(beginning.await),
                Some(limit) => tokio::time::timeout(limit, beginning).await.map_err(|_| {
                    Fault::new(
                        code::SOURCE_IO,
                        format!("{what}: no answer within {}s", limit.as_secs()),
                    )
                    .retryable()
                    .advise("a longer `command_timeout` of the connection waits longer")
                }),
            }
        };
        let begun: Result<_, mssql_tds::error::Error> = tokio::select! {
            begun = begun => begun?,
            fault = stopped(&cx.stop) => return Err(fault),
        };
        begun.map_err(|error| fault::rows(&what, Doing::Reading, &error))?;
        same(session.client().get_metadata(), &schema, read.times, &what)?;
        let open = Open {
            session,
            rows: Rows::new(Arc::clone(&schema), |column| {
                // What is followed must be what the server has.
                let followed = spec.watermark.as_ref();
                match followed.is_some_and(|range| range.column == column) {
                    true => OnOverflow::Error,
                    false => read.on_overflow,
                }
            })?,
            reusable: isolation.is_none(),
        };
        let recheck = match (&read.source, &spec.since) {
            (Source::Table(table), Some(since)) => Some(Recheck {
                connection: Arc::clone(connection),
                who: who.to_owned(),
                table: table.clone(),
                since: since.clone(),
            }),
            _ => None,
        };
        Ok(Self {
            schema,
            open: Some(open),
            what,
            batch_bytes,
            left_out: spec.left_out,
            recheck,
            cx: cx.clone(),
        })
    }

    fn told(&self, rows: &Rows) {
        let why = "lay outside the years 1678 to 2261, which nanoseconds can't count";
        for (column, values, on_overflow) in rows.unfit() {
            let told = on_overflow.told(column, values, why);
            self.cx.notes.note(Level::Warning, &told);
        }
        for (column, values) in rows.shortened() {
            let count = if values == 1 { "value" } else { "values" };
            self.cx.notes.note(
                Level::Warning,
                &format!(
                    "column {column:?}: {values} {count} had a seventh digit behind the second, \
                     which microseconds can't hold; `timestamp_unit: ns` keeps it"
                ),
            );
        }
    }
}

/// The result must have the columns that were announced, or rows would land in others.
fn same(
    found: &[mssql_tds::query::metadata::ColumnMetadata],
    schema: &SchemaRef,
    times: Times,
    what: &str,
) -> Result<()> {
    let changed = |why: String| {
        Fault::new(
            code::SOURCE_CHANGED,
            format!("{what}: {why} since the run began"),
        )
        .advise("run it again")
    };
    if found.len() != schema.fields().len() {
        return Err(changed("its columns changed".to_owned()));
    }
    for (found, field) in found.iter().zip(schema.fields()) {
        let arrow = describe::of_result(found).map(|sql_type| sql_type.arrow(times));
        let text = SqlType::remembered(field) == Some(SqlType::SqlVariant);
        if arrow.as_ref() != Some(field.data_type()) && !text {
            return Err(changed(format!(
                "column {:?} changed its type",
                field.name()
            )));
        }
    }
    Ok(())
}

/// Ends when somebody asks to stop.
pub(crate) async fn stopped(stop: &Stop) -> Fault {
    loop {
        if let Err(fault) = stop.check() {
            return fault;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Rows until a batch is full, or the last of them.
async fn fill(open: &mut Open, what: &str, batch_bytes: usize, most: usize) -> Result<bool> {
    let client = open.session.client();
    loop {
        let more = client.next_row_into(&mut open.rows).await;
        if let Some(fault) = open.rows.fault() {
            return Err(fault);
        }
        if !more.map_err(|error| fault::rows(what, Doing::Reading, &error))? {
            client
                .close_query()
                .await
                .map_err(|error| fault::rows(what, Doing::Reading, &error))?;
            if open.reusable {
                open.session.settled();
            }
            return Ok(false);
        }
        if open.rows.bytes() > most {
            return Err(Fault::new(
                code::MEMORY,
                format!("{what}: a row is larger than the memory of the run"),
            )
            .advise("give the run more: `options.memory` in hygge.yml"));
        }
        if open.rows.bytes() >= batch_bytes {
            return Ok(true);
        }
    }
}

#[async_trait]
impl Reader for TableReader {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    async fn next(&mut self) -> Result<Option<Step>> {
        let Some(mut open) = self.open.take() else {
            return Ok(None);
        };
        // Decoding is work, and waiting for the server is waiting: a thread that may do both.
        let runtime = Handle::current();
        let (what, batch_bytes) = (self.what.clone(), self.batch_bytes);
        let (most, stop) = (self.cx.share.whole(), self.cx.stop.clone());
        let job = move || {
            let more = runtime.block_on(async {
                tokio::select! {
                    more = fill(&mut open, &what, batch_bytes, most) => more,
                    fault = stopped(&stop) => Err(fault),
                }
            })?;
            let batch = open.rows.batch()?;
            Ok((open, batch, more))
        };
        let (open, batch, more) = self.cx.io(job).await?;
        if more {
            self.open = Some(open);
        } else {
            self.told(&open.rows);
            drop(open);
            if let Some(check) = &self.recheck {
                let Recheck {
                    connection, who, ..
                } = check;
                changes::still_known(connection, who, &check.table, &check.since).await?;
            }
        }
        Ok(Some(Step {
            batch: Batch::Rows(batch),
            position: Position::start(),
        }))
    }

    fn without_watermark(&self) -> u64 {
        self.left_out
    }
}
