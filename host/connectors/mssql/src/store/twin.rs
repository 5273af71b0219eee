//! A twin of the destination: a table like it in everything that `ALTER TABLE … SWITCH` compares,
//! so that full of new rows it can take the destination's place in an instant.
//!
//! The trade-off settled here: what would change a table's meaning when it is swapped (a counter
//! that starts anew, a trigger that doesn't fire) is looked for beforehand and stands in the way.
//! What only SQL Server itself would refuse is left to it: it does so before anything changes.

use hygge_core::{Fault, Result};
use tiberius::Row;

use crate::connection::StatementSession;
use crate::describe::{text, whole};
use crate::fault::Doing;
use crate::name::{TableName, quoted};

/// Why a table can't be swapped, as far as the catalogue says.
const OBSTACLES: &str = "\
SELECT \
(SELECT COUNT(*) FROM sys.foreign_keys AS f WHERE f.referenced_object_id = OBJECT_ID(@P1)), \
(SELECT COUNT(*) FROM sys.identity_columns AS i WHERE i.object_id = OBJECT_ID(@P1)), \
(SELECT COUNT(*) FROM sys.triggers AS t WHERE t.parent_id = OBJECT_ID(@P1) AND t.is_disabled = 0), \
(SELECT COUNT(*) FROM sys.partitions AS p WHERE p.object_id = OBJECT_ID(@P1) AND p.partition_number > 1), \
(SELECT COUNT(*) FROM sys.indexes AS x WHERE x.object_id = OBJECT_ID(@P1) \
AND (x.type NOT IN (0, 1, 2, 5) OR x.has_filter = 1 OR x.is_disabled = 1 OR x.ignore_dup_key = 1)), \
(SELECT COUNT(*) FROM sys.tables AS t WHERE t.object_id = OBJECT_ID(@P1) \
AND (t.temporal_type <> 0 OR t.is_memory_optimized = 1)), \
(SELECT COUNT(*) FROM sys.change_tracking_tables AS c WHERE c.object_id = OBJECT_ID(@P1))";

/// What each number of [`OBSTACLES`] means.
const WHY: [&str; 7] = [
    "foreign keys of other tables point to it",
    "it has an identity column, whose counter would start anew",
    "it has triggers, which a swap doesn't fire",
    "it is partitioned",
    "it has an index that is filtered, disabled, ignores duplicates, or is of another kind than rows or a clustered columnstore",
    "it is temporal or lives in memory",
    "its changes are tracked",
];

/// What stands in the way of emptying and filling a table again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// It can't even be truncated.
    Referenced,
    /// It can't be swapped.
    Swap(&'static str),
}

/// The first thing that stands in the way.
pub(super) async fn obstacle(
    session: &mut StatementSession,
    table: &TableName,
) -> Result<Option<Obstacle>> {
    let what = format!("can't look what {table} is made of");
    let name = table.quoted();
    let found = session
        .query(&what, Doing::Writing, OBSTACLES, &[&name])
        .await?;
    let row = found.first().and_then(|rows| rows.first());
    let Some(row) = row else {
        return Ok(None);
    };
    let met = (0..WHY.len()).find(|at| whole(row, *at).is_some_and(|count| count > 0));
    Ok(met.map(|at| match at {
        0 => Obstacle::Referenced,
        at => Obstacle::Swap(WHY[at]),
    }))
}

const COLUMNS: &str = "\
SELECT c.name, t.name AS type_name, c.max_length, c.precision, c.scale, c.is_nullable, \
c.collation_name, k.definition AS computed, k.is_persisted, d.definition AS default_value, \
t.is_user_defined, s.name AS type_schema \
FROM sys.columns AS c \
JOIN sys.types AS t ON t.user_type_id = c.user_type_id \
JOIN sys.schemas AS s ON s.schema_id = t.schema_id \
LEFT JOIN sys.computed_columns AS k ON k.object_id = c.object_id AND k.column_id = c.column_id \
LEFT JOIN sys.default_constraints AS d ON d.parent_object_id = c.object_id AND d.parent_column_id = c.column_id \
WHERE c.object_id = OBJECT_ID(@P1) \
ORDER BY c.column_id";

const INDEXES: &str = "\
SELECT x.index_id, x.type, x.is_unique, x.is_primary_key, x.is_unique_constraint, \
p.data_compression_desc, c.name, k.is_descending_key, k.is_included_column, g.name AS filegroup, x.name AS index_name \
FROM sys.indexes AS x \
LEFT JOIN sys.partitions AS p ON p.object_id = x.object_id AND p.index_id = x.index_id \
LEFT JOIN sys.data_spaces AS g ON g.data_space_id = x.data_space_id \
LEFT JOIN sys.index_columns AS k ON k.object_id = x.object_id AND k.index_id = x.index_id \
LEFT JOIN sys.columns AS c ON c.object_id = k.object_id AND c.column_id = k.column_id \
WHERE x.object_id = OBJECT_ID(@P1) \
ORDER BY x.index_id, k.is_included_column, k.key_ordinal, k.index_column_id";

const CHECKS: &str = "\
SELECT c.definition, c.name FROM sys.check_constraints AS c \
WHERE c.parent_object_id = OBJECT_ID(@P1) AND c.is_disabled = 0 ORDER BY c.name";

const FOREIGN_KEYS: &str = "\
SELECT f.object_id, s.name AS to_schema, o.name AS to_table, c.name, r.name AS to_column, \
f.delete_referential_action, f.update_referential_action, f.name AS constraint_name \
FROM sys.foreign_keys AS f \
JOIN sys.foreign_key_columns AS k ON k.constraint_object_id = f.object_id \
JOIN sys.columns AS c ON c.object_id = k.parent_object_id AND c.column_id = k.parent_column_id \
JOIN sys.columns AS r ON r.object_id = k.referenced_object_id AND r.column_id = k.referenced_column_id \
JOIN sys.objects AS o ON o.object_id = f.referenced_object_id \
JOIN sys.schemas AS s ON s.schema_id = o.schema_id \
WHERE f.parent_object_id = OBJECT_ID(@P1) AND f.is_disabled = 0 \
ORDER BY f.object_id, k.constraint_column_id";

/// The statements that make a twin, in the order they are run in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Twin {
    /// Before it is filled: the table, and the index its rows stand in.
    pub(super) before: Vec<String>,
    /// What rows may break while it is filled: the index they stand in, as the original calls it.
    pub(super) filled_by: Option<String>,
    /// After that: other indexes, and constraints; with what the original calls them.
    pub(super) after: Vec<(String, String)>,
}

/// Reads what a table is made of, and says how to make another.
pub(super) async fn of(
    session: &mut StatementSession,
    table: &TableName,
    twin: &TableName,
) -> Result<Twin> {
    let what = format!("can't look what {table} is made of");
    let name = table.quoted();
    let mut rows = Vec::new();
    for sql in [COLUMNS, INDEXES, CHECKS, FOREIGN_KEYS] {
        let found = session.query(&what, Doing::Writing, sql, &[&name]).await?;
        rows.push(found.into_iter().next().unwrap_or_default());
    }
    let [columns, indexes, checks, keys] = <[Vec<Row>; 4]>::try_from(rows).unwrap_or_default();
    let columns: Vec<String> = columns.iter().map(column).collect();
    let indexes = gathered(&indexes);
    let name = twin.quoted();
    let first = indexes.first();
    let place = first
        .filter(|index| index.kind == Kind::Heap)
        .map(Index::place);
    let mut made = Twin {
        before: vec![format!(
            "CREATE TABLE {name} ({}){}",
            columns.join(", "),
            place.unwrap_or_default()
        )],
        filled_by: None,
        after: Vec::new(),
    };
    for (n, index) in indexes.iter().enumerate() {
        let Some(sql) = index.made(&name, n) else {
            continue;
        };
        match index.kind {
            Kind::Rows => made.after.push((sql, index.name.clone())),
            _ => {
                made.before.push(sql);
                made.filled_by = Some(index.name.clone()).filter(|_| index.unique);
            }
        }
    }
    for row in &checks {
        let check = text(row, 0).unwrap_or_default();
        let sql = format!("ALTER TABLE {name} WITH CHECK ADD CHECK {check}");
        made.after.push((sql, text(row, 1).unwrap_or_default()));
    }
    made.after.extend(references(&keys, &name));
    Ok(made)
}

/// A column as it is declared.
fn column(row: &Row) -> String {
    let said = |at| text(row, at).unwrap_or_default();
    let number = |at| whole(row, at).unwrap_or_default();
    let name = quoted(&said(0));
    if let Some(computed) = text(row, 7) {
        let persisted = match (number(8), number(5)) {
            (0, _) => "",
            (_, 0) => " PERSISTED NOT NULL",
            _ => " PERSISTED",
        };
        return format!("{name} AS {computed}{persisted}");
    }
    let declared = match number(10) {
        0 => declared(&said(1), number(2), number(3), number(4)),
        _ => format!("{}.{}", quoted(&said(11)), quoted(&said(1))),
    };
    let collation = match text(row, 6) {
        // A type that somebody made brings its own.
        Some(collation) if number(10) == 0 && super::ddl::is_plain(&collation) => {
            format!(" COLLATE {collation}")
        }
        _ => String::new(),
    };
    let null = if number(5) == 0 { "NOT NULL" } else { "NULL" };
    let default = match text(row, 9) {
        Some(value) => format!(" DEFAULT {value}"),
        None => String::new(),
    };
    format!("{name} {declared}{collation} {null}{default}")
}

/// A type with its length or digits, by the name it was declared with.
fn declared(name: &str, length: i64, precision: i64, scale: i64) -> String {
    let sized = |length: i64| match length {
        length if length < 0 => format!("{name}(max)"),
        length => format!("{name}({length})"),
    };
    match name {
        "char" | "varchar" | "binary" | "varbinary" => sized(length),
        "nchar" | "nvarchar" if length > 0 => sized(length / 2),
        "nvarchar" => sized(length),
        "decimal" | "numeric" => format!("{name}({precision},{scale})"),
        "time" | "datetime2" | "datetimeoffset" => format!("{name}({scale})"),
        // Eight bytes, then four for each dimension.
        "vector" => format!("vector({})", (length - 8) / 4),
        // The catalogue knows it by the name it had in the first versions.
        "timestamp" => "rowversion".to_owned(),
        _ => name.to_owned(),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Heap,
    Clustered,
    Columnstore,
    Rows,
}

/// An index, its columns in order.
#[derive(Debug, Clone)]
struct Index {
    id: i64,
    name: String,
    kind: Kind,
    unique: bool,
    primary: bool,
    constraint: bool,
    compression: String,
    filegroup: Option<String>,
    keys: Vec<String>,
    included: Vec<String>,
}

fn gathered(rows: &[Row]) -> Vec<Index> {
    let mut indexes: Vec<Index> = Vec::new();
    for row in rows {
        let number = |at| whole(row, at).unwrap_or_default();
        let id = number(0);
        if indexes.last().is_none_or(|last| last.id != id) {
            indexes.push(Index {
                id,
                name: text(row, 10).unwrap_or_default(),
                kind: match number(1) {
                    0 => Kind::Heap,
                    1 => Kind::Clustered,
                    5 => Kind::Columnstore,
                    _ => Kind::Rows,
                },
                unique: number(2) != 0,
                primary: number(3) != 0,
                constraint: number(4) != 0,
                compression: text(row, 5).unwrap_or_default(),
                filegroup: text(row, 9),
                keys: Vec::new(),
                included: Vec::new(),
            });
        }
        let (Some(index), Some(name)) = (indexes.last_mut(), text(row, 6)) else {
            continue;
        };
        let descending = if number(7) != 0 { " DESC" } else { "" };
        match number(8) {
            0 => index.keys.push(format!("{}{descending}", quoted(&name))),
            _ => index.included.push(quoted(&name)),
        }
    }
    indexes
}

impl Index {
    /// The filegroup it lies in.
    fn place(&self) -> String {
        match &self.filegroup {
            Some(name) => format!(" ON {}", quoted(name)),
            None => String::new(),
        }
    }

    /// The statement that makes it on another table; a heap has none, unless it is compressed.
    fn made(&self, table: &str, nth: usize) -> Option<String> {
        let compressed = match self.compression.as_str() {
            "ROW" | "PAGE" | "COLUMNSTORE_ARCHIVE" => {
                format!(" WITH (DATA_COMPRESSION = {})", self.compression)
            }
            _ => String::new(),
        };
        let keys = self.keys.join(", ");
        let place = self.place();
        let clustered = match self.kind {
            Kind::Clustered => "CLUSTERED",
            _ => "NONCLUSTERED",
        };
        Some(match self.kind {
            Kind::Heap if compressed.is_empty() => return None,
            Kind::Heap => format!("ALTER TABLE {table} REBUILD{compressed}"),
            Kind::Columnstore => {
                format!("CREATE CLUSTERED COLUMNSTORE INDEX [i{nth}] ON {table}{compressed}{place}")
            }
            _ if self.primary || self.constraint => {
                let constraint = if self.primary {
                    "PRIMARY KEY"
                } else {
                    "UNIQUE"
                };
                format!(
                    "ALTER TABLE {table} ADD {constraint} {clustered} ({keys}){compressed}{place}"
                )
            }
            _ => {
                let unique = if self.unique { "UNIQUE " } else { "" };
                let included = match self.included.is_empty() {
                    true => String::new(),
                    false => format!(" INCLUDE ({})", self.included.join(", ")),
                };
                format!(
                    "CREATE {unique}{clustered} INDEX [i{nth}] ON {table} ({keys}){included}{compressed}{place}"
                )
            }
        })
    }
}

/// The statements that point a twin to the tables that its original points to.
fn references(rows: &[Row], table: &str) -> Vec<(String, String)> {
    const ACTIONS: [&str; 4] = ["NO ACTION", "CASCADE", "SET NULL", "SET DEFAULT"];
    let action = |row: &Row, at| {
        let nth = whole(row, at).and_then(|n| usize::try_from(n).ok());
        ACTIONS
            .get(nth.unwrap_or_default())
            .filter(|action| **action != ACTIONS[0])
    };
    let mut made = Vec::new();
    for key in rows.chunk_by(|one, other| whole(one, 0) == whole(other, 0)) {
        let Some(first) = key.first() else { continue };
        let names = |at| {
            let names = key.iter().filter_map(|row| text(row, at));
            names
                .map(|name| quoted(&name))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let to = TableName {
            schema: text(first, 1).unwrap_or_default(),
            table: text(first, 2).unwrap_or_default(),
        };
        let mut sql = format!(
            "ALTER TABLE {table} WITH CHECK ADD FOREIGN KEY ({}) REFERENCES {} ({})",
            names(3),
            to.quoted(),
            names(4)
        );
        for (at, event) in [(5, "DELETE"), (6, "UPDATE")] {
            if let Some(action) = action(first, at) {
                sql.push_str(&format!(" ON {event} {action}"));
            }
        }
        made.push((sql, text(first, 7).unwrap_or_default()));
    }
    made
}

/// What a server says of rows that break a constraint of a twin, told of the table itself: what
/// the twin's are called is made up.
pub(super) fn of_the_original(
    mut fault: Fault,
    what: &str,
    (table, twin): (&TableName, &TableName),
    name: &str,
) -> Fault {
    let number = fault.attribute("sql_error").and_then(|n| n.parse().ok());
    if matches!(number, Some(547_u32 | 1505 | 2601 | 2627)) && !name.is_empty() {
        let told = fault.message.replacen(what, "", 1);
        let told = told.replace(&twin.table, &table.table);
        fault.message = format!("the rows break {name:?} of {table}{told}");
    }
    fault
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_declared_as_they_were() {
        for (name, length, precision, scale, expected) in [
            ("nvarchar", 40, 0, 0, "nvarchar(20)"),
            ("nvarchar", -1, 0, 0, "nvarchar(max)"),
            ("varbinary", -1, 0, 0, "varbinary(max)"),
            ("numeric", 9, 18, 4, "numeric(18,4)"),
            ("datetime2", 8, 27, 7, "datetime2(7)"),
            ("timestamp", 8, 0, 0, "rowversion"),
            ("money", 8, 19, 4, "money"),
            ("vector", 20, 0, 0, "vector(3)"),
            ("xml", -1, 0, 0, "xml"),
        ] {
            assert_eq!(declared(name, length, precision, scale), expected);
        }
    }

    #[test]
    fn indexes_are_made_as_they_were() {
        let rows = Index {
            id: 2,
            name: "own".into(),
            kind: Kind::Rows,
            unique: true,
            primary: false,
            constraint: false,
            compression: "PAGE".into(),
            filegroup: Some("PRIMARY".into()),
            keys: vec!["[a]".into(), "[b] DESC".into()],
            included: vec!["[c]".into()],
        };
        assert_eq!(
            rows.made("[dbo].[t]", 1).unwrap_or_default(),
            "CREATE UNIQUE NONCLUSTERED INDEX [i1] ON [dbo].[t] ([a], [b] DESC) INCLUDE ([c]) \
             WITH (DATA_COMPRESSION = PAGE) ON [PRIMARY]"
        );
        let columns = Index {
            kind: Kind::Columnstore,
            compression: "COLUMNSTORE".into(),
            filegroup: None,
            ..rows.clone()
        };
        assert_eq!(
            columns.made("[dbo].[t]", 0).unwrap_or_default(),
            "CREATE CLUSTERED COLUMNSTORE INDEX [i0] ON [dbo].[t]"
        );
        let heap = Index {
            kind: Kind::Heap,
            compression: "NONE".into(),
            ..rows
        };
        assert_eq!(heap.made("[dbo].[t]", 0), None);
    }
}
