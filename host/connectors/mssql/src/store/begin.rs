//! What a run writes to the table, and how, decided before the first row.

use arrow_schema::Schema;
use hygge_core::{
    Action, Coming, Context, Fault, Level, OnSchemaChange, Result, Standing, Target, code,
};

use super::record::{Begun, BegunColumn};
use super::settings::{Create, Ordered, WriteStrategy};
use super::{MssqlStore, columns, direct, operation, publish};
use crate::describe::Table;

impl MssqlStore {
    /// What a run writes, and how: what its writers and its commit go by, in this process or another.
    pub(super) async fn decide(&self, target: &Target, cx: &Context) -> Result<Begun> {
        let write = &self.write;
        let name = &write.table;
        // First the lock, then anything that only a holder of it may do.
        self.hold(&target.run).await?;
        let mut session = self.session().await?;
        let table = self.table(&mut session).await?;
        let strategy = self
            .strategy(&mut session, target.action, table.is_some(), &*cx.notes)
            .await?;
        if target.action == Action::Replace {
            let standing = self
                .standing(&mut session, &target.entity, target.memory.as_deref())
                .await?;
            if let Standing::Foreign { adopted: false, .. } = standing {
                return Err(Fault::new(
                    code::DESTINATION_FOREIGN,
                    format!(
                        "{name} holds rows that hygge didn't write for {}",
                        target.entity
                    ),
                )
                .advise(
                    "write to another table, or say `adopt: true` in the store to let this run \
                     replace them",
                ));
            }
        }
        // What happened to a row is no column of the table.
        let (rows, operations) = operation::apart(&target.schema);
        let mut columns = match &table {
            Some(table) if table.view => {
                return Err(Fault::new(
                    code::DESTINATION_UNSUPPORTED,
                    format!("{name} is a view, and rows are loaded into tables"),
                ));
            }
            Some(table) => {
                let coming = Coming {
                    entity: &target.entity,
                    schema: &target.schema,
                    key: &target.key,
                    action: target.action,
                    policy: target.on_schema_change,
                    memory: target.memory.as_deref(),
                };
                self.into(table, &coming, &rows)?
            }
            None if write.create == Create::Never => {
                return Err(Fault::new(
                    code::DESTINATION_IO,
                    format!("there is no table {name} in {}", self.connection.describe()),
                )
                .advise("make it, or say `create: if_missing` in the store"));
            }
            None => columns::made(write, &rows)?,
        };
        if let (true, Some(table)) = (write.direct, &table) {
            // INSERT BULK names them so.
            let place = |name: &str| table.columns.iter().position(|own| own.name == name);
            columns.sort_by_key(|column| place(&column.name));
        }
        if target.on_schema_change == OnSchemaChange::IgnoreExtra {
            let left: Vec<&str> = rows
                .fields()
                .iter()
                .map(|field| field.name().as_str())
                .filter(|name| !columns.iter().any(|column| column.from == *name))
                .collect();
            if !left.is_empty() {
                cx.notes.note(
                    Level::Warning,
                    &format!("{name} has no column for {}: left out", left.join(", ")),
                );
            }
        }
        let identity = table.as_ref().is_some_and(|table| {
            let identities = table.columns.iter().filter(|column| column.identity);
            identities
                .into_iter()
                .any(|identity| columns.iter().any(|column| column.name == identity.name))
        });
        publish::remember_commits(&mut session, name).await?;
        let named = |name: &String| named(&columns, name);
        let keys = self.key(target, strategy)?.iter();
        let key = keys.map(named).collect::<Result<Vec<_>>>()?;
        if operations {
            operation::suits(target.action, &key)?;
        }
        let parts = self.partition(target, strategy)?.iter();
        let partition = parts.map(named).collect::<Result<_>>()?;
        let ordered = write.order.iter().map(|ordered| {
            Ok(Ordered {
                column: named(&ordered.column)?,
                descending: ordered.descending,
            })
        });
        let order = ordered.collect::<Result<_>>()?;
        let merge_statement = strategy == WriteStrategy::Merge && write.merge_statement;
        if merge_statement {
            self.can_merge().await?;
        }
        let latest_by = target.latest_by.as_ref().and_then(|latest_by| {
            let found = columns.iter().find(|column| column.from == *latest_by);
            found.map(|column| column.name.clone())
        });
        // What a full run brings is all there is, and changes come in their order.
        let newer_stay = latest_by.is_some() && target.action == Action::Upsert && !operations;
        let begun = Begun {
            schema: name.schema.clone(),
            table: name.table.clone(),
            strategy,
            columns,
            key,
            latest_by,
            create: table.is_none(),
            identity,
            on_overflow: write.on_overflow,
            or_else: write.write_strategy.is_none(),
            hints: write.table_hints.clone(),
            order,
            merge_statement,
            operations,
            delete_missing: target.action == Action::Replace && strategy == WriteStrategy::Merge,
            newer_stay,
            partition,
            lock_timeout: u64::try_from(write.lock_timeout.as_millis()).unwrap_or(u64::MAX),
        };
        if write.direct {
            direct::unfit(&begun)?;
        }
        Ok(begun)
    }

    /// The columns of rows that go into a table which is there, or why they can't.
    pub(super) fn into(
        &self,
        table: &Table,
        coming: &Coming<'_>,
        rows: &Schema,
    ) -> Result<Vec<BegunColumn>> {
        let write = &self.write;
        let keys = [coming.key, &write.key, &write.partition_by].concat();
        let columns = columns::matched(write, coming.policy, rows, table, &keys)?;
        let changes = |column: &BegunColumn| column.add || column.widen.is_some();
        if write.direct && columns.iter().any(changes) {
            return Err(Fault::new(
                code::CONFIG,
                format!(
                    "`direct` loads rows as they come, so {} can't be changed for them \
                     (`on_schema_change`)",
                    write.table
                ),
            )
            .advise("change the table first, or leave `direct` out"));
        }
        let replaces = coming.action == Action::Replace;
        let own = write
            .key
            .iter()
            .filter(|_| replaces && write.delete_missing);
        let parts = write.partition_by.iter();
        let parted = write.write_strategy == Some(WriteStrategy::DeleteInsert);
        let parts = parts.filter(|_| parted && coming.action != Action::Append);
        let order = write.order.iter().map(|ordered| &ordered.column);
        for name in coming.key.iter().chain(own).chain(parts).chain(order) {
            named(&columns, name)?;
        }
        Ok(columns)
    }

    /// The columns that tell rows apart in this run.
    fn key<'a>(&'a self, target: &'a Target, strategy: WriteStrategy) -> Result<&'a [String]> {
        let own = &self.write.key;
        if !own.is_empty() && !target.key.is_empty() && *own != target.key {
            return Err(Fault::new(
                code::CONFIG,
                format!(
                    "the store's `key` is {}, and that of `incremental` {}",
                    own.join(", "),
                    target.key.join(", ")
                ),
            )
            .advise("leave the store's out"));
        }
        // Also where the table is made, and so filled in another way.
        let mirrors = target.action == Action::Replace && self.write.delete_missing;
        let merges = mirrors || strategy == WriteStrategy::Merge;
        if !merges || !target.key.is_empty() {
            return Ok(&target.key);
        }
        if own.is_empty() {
            return Err(Fault::new(
                code::CONFIG,
                "`delete_missing` needs a key to tell by which rows are gone",
            )
            .advise("name the column or columns that tell rows apart: `key: id` in the store"));
        }
        Ok(own)
    }

    /// The columns to partition by, where a run may replace whole partitions: an incremental one
    /// takes all of a partition only if that is what it follows.
    fn partition(&self, target: &Target, strategy: WriteStrategy) -> Result<&[String]> {
        let partition = &self.write.partition_by;
        if strategy != WriteStrategy::DeleteInsert || partition.is_empty() {
            return Ok(&[]);
        }
        if target.action == Action::Upsert && partition.iter().ne(target.latest_by.iter()) {
            return Err(Fault::new(
                code::CONFIG,
                format!(
                    "an incremental run by another column than `partition_by: {}` doesn't take \
                     all rows of a partition, so it would lose the others",
                    partition.join(", ")
                ),
            )
            .advise("partition by the column of `incremental`, or use `mode: full`"));
        }
        Ok(partition)
    }
}

/// What a column is called in the table.
fn named(columns: &[BegunColumn], name: &str) -> Result<String> {
    let found = columns.iter().find(|column| column.from == *name);
    found.map(|column| column.name.clone()).ok_or_else(|| {
        Fault::new(
            code::SCHEMA,
            format!(
                "column {name:?}, which the store or the key names, isn't written to the table"
            ),
        )
        .with("column", name)
        .advise({
            let written: Vec<&str> = columns.iter().map(|column| &*column.from).collect();
            format!("those that are written are {}", written.join(", "))
        })
    })
}
