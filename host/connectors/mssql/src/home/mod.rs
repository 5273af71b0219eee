//! A table, view or query of SQL Server as a Home.

mod account;
mod changes;
mod decode;
mod kind;
mod known;
mod quantile;
mod reader;
mod settings;
mod split;
mod utf16;
mod wildcard;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use hygge_core::{
    Bounds, Changes, Context, Discovered, Fault, Finding, Home, OPERATION_COLUMN, Position, Reader,
    Result, Split, SplitId, SplitPlan, SplitRequest, Want, async_trait, code,
};

use self::changes::Since;
use self::known::Known;
use self::reader::TableReader;
use self::settings::{Read, Source};
use self::split::{Part, Range, Spec, SpecColumn};
use crate::bound;
use crate::connection::{Connection, Login, Statements, readers};
use crate::describe;
use crate::fault::Doing;
use crate::name::{TableName, quoted};
use crate::types::SqlType;

pub use self::kind::MssqlHomeKind;
pub(crate) use self::kind::first;
pub use self::settings::{HomeSettings, Isolation, Offsets, TimestampUnit};
pub(crate) use self::wildcard::Wildcard;

/// Tables with fewer rows are read in one piece unless `splits` says otherwise.
const WORTH_SPLITTING: u64 = 100_000;

/// Reads one entity.
#[derive(Debug)]
pub struct MssqlHome {
    read: Read,
    connection: Arc<Connection>,
    who: String,
}

impl MssqlHome {
    /// Reads all of a table, as it was written.
    pub(crate) fn of_table(login: Login, table: TableName, connection: Arc<Connection>) -> Self {
        Self {
            who: format!("reading {table}"),
            read: Read::table(login, table),
            connection,
        }
    }

    fn what(&self) -> String {
        format!("can't read {}", self.read.source.describe())
    }

    /// The watermark is one value a row, and `offsets: keep` makes two of it.
    fn kept(&self, name: &str) -> Fault {
        let source = self.read.source.describe();
        Fault::new(
            code::CONFIG,
            format!("{source}: `offsets: keep` makes a struct of the watermark column {name:?}"),
        )
        .with("column", name)
        .advise("follow another column, or leave `offsets` out of the home")
    }

    fn schema(&self, columns: &[SpecColumn], since: Option<&Since>) -> SchemaRef {
        let fields = columns.iter().map(|column| {
            let sql_type = column.sql_type.0;
            // Of a row that was deleted nothing is left but its key.
            let gone = since.is_some_and(|since| !since.key.contains(&column.name));
            let nullable = column.nullable || gone || self.read.may_set_null(sql_type);
            sql_type.field(&column.name, nullable, self.read.times)
        });
        let mut fields: Vec<_> = fields.collect();
        if since.is_some() {
            fields.push(Arc::new(Field::new(
                OPERATION_COLUMN,
                DataType::Utf8,
                false,
            )));
        }
        Arc::new(Schema::new(fields))
    }

    /// The watermark's range: low as asked, high fixed before any row is read.
    async fn watermark(
        &self,
        session: &mut Statements,
        column: &SpecColumn,
        bounds: Option<&Bounds>,
    ) -> Result<Option<Range>> {
        let what = self.what();
        let (name, sql_type) = (&column.name, column.sql_type.0);
        let kind = bound::kind(name, sql_type, self.read.times.unit)?;
        let quoted = quoted(name);
        let from = split::from(&self.read.source);
        let sql = match sql_type {
            // Versions of transactions that are still open lie above it.
            SqlType::RowVersion => {
                "SELECT CAST(CAST(MIN_ACTIVE_ROWVERSION() AS bigint) - 1 AS binary(8))".to_owned()
            }
            _ => format!(
                "SELECT MAX({quoted}) FROM {from}{}",
                self.read.where_clause()
            ),
        };
        let found = session.query(&what, Doing::Reading, &sql, &[]).await?;
        let row = found.first().and_then(|rows| rows.first());
        let cell = row.and_then(|row| row.get_column_data(0usize).ok());
        let high = match cell {
            Some(cell) => {
                bound::ordinal(cell, sql_type, self.read.times.unit).ok_or_else(|| {
                    Fault::internal(format!("MAX of column {name:?} has another type than it"))
                })?
            }
            None => None,
        };
        let low = match bounds {
            None => None,
            Some(bounds) => {
                let low = bounds.kind.convert(bounds.low, kind).ok_or_else(|| {
                    Fault::new(
                        code::SCHEMA,
                        format!(
                            "the watermark column {name:?} was {} and is now {kind}",
                            bounds.kind
                        ),
                    )
                    .with("column", name)
                    .advise("run it once with `--full`")
                })?;
                Some(kind.show(low))
            }
        };
        if low.is_none() && high.is_none() {
            return Ok(None);
        }
        Ok(Some(Range {
            column: name.clone(),
            sql_type: column.sql_type,
            kind,
            // Rows without a value are taken once, by a run that takes everything.
            nulls: low.is_none() && column.nullable,
            low,
            high: high.map(|high| kind.show(high)),
        }))
    }

    /// How many rows an incremental run leaves out, since they have no watermark.
    async fn left_out(&self, session: &mut Statements, column: &SpecColumn) -> Result<u64> {
        let name = quoted(&column.name);
        let from = split::from(&self.read.source);
        let and = match &self.read.condition {
            Some(condition) => format!(" AND (\n{condition}\n)"),
            None => String::new(),
        };
        let sql = format!("SELECT COUNT_BIG(*) FROM {from} WHERE {name} IS NULL{and}");
        let found = session
            .query(&self.what(), Doing::Reading, &sql, &[])
            .await?;
        let row = found.first().and_then(|rows| rows.first());
        let count = row
            .and_then(|row| describe::whole(row, 0))
            .unwrap_or_default();
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Ranges of the column to split by, or nothing when the source is read in one piece.
    async fn parts(
        &self,
        session: &mut Statements,
        known: &Known,
        most: usize,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<Part>> {
        let asked = self.read.split_by.as_ref();
        let name = match (asked, known.key.as_slice()) {
            (Some(name), _) => name,
            (None, [only]) => only,
            _ => return Ok(Vec::new()),
        };
        let Some(column) = known.all.iter().find(|column| column.name == *name) else {
            return Err(Fault::internal(format!("no column {name:?} to split by")));
        };
        let sql_type = column.sql_type.0;
        let splittable = matches!(
            sql_type,
            SqlType::TinyInt
                | SqlType::SmallInt
                | SqlType::Int
                | SqlType::BigInt
                | SqlType::Decimal { .. }
                | SqlType::Date
                | SqlType::DateTime
                | SqlType::SmallDateTime
                | SqlType::DateTime2(_)
                | SqlType::DateTimeOffset(_)
        );
        if let (Source::Table(table), Some(rows)) = (&self.read.source, known.rows)
            && quantile::can_split(sql_type)
        {
            let column = (name.as_str(), sql_type, column.nullable);
            let parts = quantile::parts(session, table, column, rows, most).await?;
            return Ok(parts.into_iter().map(Part::Between).collect());
        }
        if !splittable {
            if asked.is_some() {
                warnings.push(format!(
                    "{} is read in one piece: column {name:?} is {sql_type}, and parts are made of \
                     whole numbers, decimals, dates and times, of tables also by uniqueidentifier, \
                     text and bytes",
                    self.read.source.describe()
                ));
            }
            return Ok(Vec::new());
        }
        let kind = bound::kind(name, sql_type, self.read.times.unit)?;
        let quoted = quoted(name);
        let sql = format!(
            "SELECT MIN({quoted}), MAX({quoted}) FROM {}{}",
            split::from(&self.read.source),
            self.read.where_clause()
        );
        let found = session
            .query(&self.what(), Doing::Reading, &sql, &[])
            .await?;
        let row = found.first().and_then(|rows| rows.first());
        let end = |at: usize| {
            let cell = row?.get_column_data(at).ok()?;
            bound::ordinal(cell, sql_type, self.read.times.unit).flatten()
        };
        let (Some(low), Some(high)) = (end(0), end(1)) else {
            return Ok(Vec::new());
        };
        let ranges = split::ranges(low, high, most, name, sql_type, kind, column.nullable);
        Ok(ranges.into_iter().map(Part::Range).collect())
    }

    /// How many splits to make at most.
    fn most(&self, request: &SplitRequest, rows: Option<u64>) -> usize {
        let most = match (self.read.splits, rows) {
            (Some(splits), _) => splits,
            (None, Some(rows)) if rows >= WORTH_SPLITTING => readers(self.read.login.pool_size),
            (None, None) if self.read.split_by.is_some() => readers(self.read.login.pool_size),
            _ => 1,
        };
        most.min(request.max_splits.unwrap_or(usize::MAX)).max(1)
    }
}

/// Rows of a table can change at any time, and nothing says whether they did: what an earlier
/// run staged of it is of no use to a later one.
fn fingerprint() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let nanos = since.map_or(0, |since| since.as_nanos());
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{nanos:x}-{:x}-{next:x}", std::process::id())
}

#[async_trait]
impl Home for MssqlHome {
    async fn check(&self, cx: &Context) -> Result<Vec<Finding>> {
        let mut findings = crate::check::connection(&self.connection, &self.who).await?;
        if findings.iter().all(|finding| finding.ok) {
            if let Source::Tables(wildcard) = &self.read.source {
                let found = self.discover(cx).await?;
                findings.push(match found.len() {
                    0 => Finding::bad(
                        format!("there are no {}", wildcard.describe()),
                        "look at `tables` and `database`, and whether the login may see the tables",
                    ),
                    found => Finding::good(format!("{}: {found} found", wildcard.describe())),
                });
                return Ok(findings);
            }
            findings.push(match self.readable().await {
                Ok(known) => Finding::good(format!(
                    "{} can be read: {}",
                    self.read.source.describe(),
                    describe::counted(known.columns.len())
                )),
                Err(fault) => Finding::bad(fault.message, fault.advice.unwrap_or_default()),
            });
        }
        Ok(findings)
    }

    async fn discover(&self, _cx: &Context) -> Result<Vec<Discovered>> {
        let wildcard = match &self.read.source {
            Source::Tables(wildcard) => Some(wildcard),
            _ => None,
        };
        crate::check::tables(&self.connection, &self.who, wildcard).await
    }

    async fn splits(&self, request: &SplitRequest, _cx: &Context) -> Result<SplitPlan> {
        let known = self.know().await?;
        let mut warnings = Vec::new();
        for column in &known.columns {
            let name = &column.name;
            match column.sql_type.0 {
                SqlType::SqlVariant => warnings.push(format!(
                    "column {name:?} is sql_variant: its values are read as text"
                )),
                SqlType::Vector(_) => warnings.push(format!(
                    "column {name:?} is vector: its values are read as the text that the server \
                     makes of them, with eight digits"
                )),
                _ => {}
            }
        }
        let mut session = self.connection.statements(&self.who).await?;
        let mut tracked = None;
        if let (Source::Table(table), changes @ (Changes::Begin | Changes::Since)) =
            (&self.read.source, request.changes)
        {
            if self.read.secret_condition {
                return Err(changes::secret(table));
            }
            let (key, columns) = (&known.key, &known.columns);
            let before = request.position.as_ref();
            let connection = &self.connection;
            tracked = Some(
                changes::begin(
                    &mut session,
                    connection,
                    (table, self.read.condition.as_deref()),
                    key,
                    columns,
                    changes,
                    before,
                )
                .await?,
            );
        }
        let (since, position) = match tracked {
            Some(tracked) => (tracked.since, Some(tracked.position)),
            None => (None, None),
        };
        let mut watermark = None;
        let mut left_out = 0;
        // A column that isn't there is told by whoever follows it, with the same words for all.
        let followed = request.watermark.as_ref();
        let followed = followed.and_then(|name| known.all.iter().find(|c| c.name == *name));
        if let Some(column) = followed {
            if self.read.times.offsets && matches!(column.sql_type.0, SqlType::DateTimeOffset(_)) {
                return Err(self.kept(&column.name));
            }
            watermark = self
                .watermark(&mut session, column, request.bounds.as_ref())
                .await?;
            if request.bounds.is_some() && column.nullable {
                left_out = self.left_out(&mut session, column).await?;
            }
        }
        let most = self.most(request, known.rows);
        let mut parts = Vec::new();
        // What is new is little, and its range an index of its own.
        if most > 1 && request.bounds.is_none() && since.is_none() {
            parts = self
                .parts(&mut session, &known, most, &mut warnings)
                .await?;
        }
        if parts.is_empty() {
            parts.push(Part::Whole);
        }
        let rows = match (&watermark, parts.len(), &self.read.condition, &since) {
            (None, 1, None, None) => known.rows,
            _ => None,
        };
        let splits = parts.into_iter().enumerate().map(|(n, part)| {
            let (part, between) = match part {
                Part::Whole => (None, None),
                Part::Range(range) => (Some(range), None),
                Part::Between(between) => (None, Some(between)),
            };
            let spec = Spec {
                columns: known.columns.clone(),
                watermark: watermark.clone(),
                part,
                between,
                since: since.clone(),
                left_out: if n == 0 { left_out } else { 0 },
            };
            Ok(Split {
                id: SplitId::nth(n),
                spec: serde_json::to_value(spec)
                    .map_err(|error| Fault::internal(error.to_string()))?,
                rows,
                bytes: None,
            })
        });
        let splits = splits.collect::<Result<_>>()?;
        let high = watermark.as_ref().and_then(|range: &Range| {
            let high = range.high.as_ref()?;
            range.kind.ordinal(high).ok()
        });
        Ok(SplitPlan {
            schema: self.schema(&known.columns, since.as_ref()),
            splits,
            fingerprint: fingerprint(),
            high,
            key: match position {
                Some(_) => known.key,
                None => Vec::new(),
            },
            position,
            memory: None,
            // Told by the reader of the first split.
            without_watermark: 0,
            warnings,
        })
    }

    async fn open(
        &self,
        split: &Split,
        _resume: &Position,
        want: &Want,
        cx: &Context,
    ) -> Result<Box<dyn Reader>> {
        let spec = split::read(&split.spec)?;
        let schema = self.schema(&spec.columns, spec.since.as_ref());
        let who = format!("{} split {}", self.who, split.id);
        let reader = TableReader::open(
            &self.read,
            &spec,
            &self.connection,
            schema,
            want.batch_bytes,
            &who,
            cx,
        );
        Ok(Box::new(reader.await?))
    }
}
