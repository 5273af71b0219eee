//! Change streams: rows that say what happened to them.
//!
//! They are staged like others, with a column more. A publish deletes the rows that are gone, and
//! reads the rest as it reads rows of any merge.

use arrow_array::{Array, RecordBatch};
use arrow_schema::{Schema, SchemaRef};
use hygge_core::{Action, Fault, OPERATION_COLUMN, Operation, Result, code};
use mssql_tds::token::tokens::SqlCollation;

use super::change::alike;
use super::encode::{NO_VALUE, Staged};
use super::record::Begun;
use crate::connection::StatementSession;
use crate::name::{TableName, quoted};
use crate::overflow::OnOverflow;
use crate::types::{Length, SqlType};

/// What the column is staged as.
pub(super) const TYPE: SqlType = SqlType::NVarChar(Length::Of(10));

impl Begun {
    /// The column that says what happened to each row, where there is one.
    pub(super) fn operation(&self) -> Option<&'static str> {
        self.operations.then_some(OPERATION_COLUMN)
    }
}

/// The columns of the rows themselves, and whether there is one that says what happened to them.
pub(super) fn apart(schema: &SchemaRef) -> (Schema, bool) {
    let fields = schema.fields().iter();
    let rows = fields.filter(|field| field.name() != OPERATION_COLUMN);
    let rows: Vec<_> = rows.cloned().collect();
    let operations = rows.len() < schema.fields().len();
    (Schema::new(rows), operations)
}

/// Refuses a change stream that isn't merged: nothing else says which rows are gone.
pub(super) fn suits(action: Action, key: &[String]) -> Result<()> {
    if action == Action::Upsert && !key.is_empty() {
        return Ok(());
    }
    Err(Fault::new(
        code::DESTINATION_UNSUPPORTED,
        format!("a change stream is merged by key into a table, and this run would {action}"),
    )
    .advise("follow it with `strategy: change_tracking`, or with `strategy: merge` and a `key`"))
}

/// The column, as it is loaded.
pub(super) fn staged(collation: Option<SqlCollation>) -> Staged {
    Staged {
        name: OPERATION_COLUMN.to_owned(),
        sql_type: TYPE,
        collation,
        nullable: false,
        on_overflow: OnOverflow::Error,
        key: false,
        measured: false,
    }
}

/// Staged rows that are there afterwards, as they stand in FROM.
pub(super) fn kept(begun: &Begun, from: &TableName) -> String {
    match begun.operation() {
        None => from.quoted(),
        Some(operation) => format!(
            "(SELECT * FROM {} WHERE {} <> N'{}')",
            from.quoted(),
            quoted(operation),
            Operation::Delete.as_str()
        ),
    }
}

/// Deletes the rows that are gone, and says how many of the staged ones tell of one.
pub(super) async fn delete(
    session: &mut StatementSession,
    table: &TableName,
    begun: &Begun,
    from: &TableName,
    what: &str,
) -> Result<u64> {
    let Some(operation) = begun.operation() else {
        return Ok(0);
    };
    let (staged, gone) = (from.quoted(), Operation::Delete.as_str());
    let operation = quoted(operation);
    let sql = format!(
        "DELETE t FROM {} AS t WHERE EXISTS (SELECT 1 FROM {staged} AS s WHERE {} AND \
         s.{operation} = N'{gone}')",
        table.quoted(),
        alike(begun)
    );
    // One that was inserted and deleted between two runs never stood there.
    session.execute(what, &sql, &[]).await?;
    let sql = format!("SELECT COUNT_BIG(*) FROM {staged} AS s WHERE s.{operation} = N'{gone}'");
    session.count(what, &sql).await
}

/// Refuses rows that stay without a value that their column must have: the staging table takes
/// any, since rows that are gone have none.
pub(super) fn complete(batch: &RecordBatch, begun: &Begun, before: u64) -> Result<()> {
    let operations = Operation::column(batch)
        .ok_or_else(|| Fault::internal("a change stream without its operations"))?;
    for row in 0..batch.num_rows() {
        let operation = (!operations.is_null(row)).then(|| operations.value(row));
        let Some(operation) = operation.and_then(Operation::parse) else {
            return Err(Fault::new(
                code::SOURCE_INVALID,
                format!(
                    "row {}: column {OPERATION_COLUMN:?} is none of insert, update and delete",
                    before + row as u64 + 1
                ),
            ));
        };
        if operation == Operation::Delete {
            continue;
        }
        let mut columns = begun.columns.iter().zip(batch.columns());
        let missing = columns.find(|(column, values)| {
            let needed = !column.nullable && !begun.key.contains(&column.name);
            needed && values.is_null(row)
        });
        if let Some((column, _)) = missing {
            return Err(Fault::new(
                code::SCHEMA,
                format!(
                    "column {:?}, row {} of its split: NULL, and {} takes none",
                    column.from,
                    before + row as u64 + 1,
                    column.name
                ),
            )
            .with("column", &column.from)
            .advise(NO_VALUE));
        }
    }
    Ok(())
}
