//! The statements by which staged rows change the table.

use super::operation::kept;
use super::record::{Begun, BegunColumn};
use crate::name::{TableName, quoted};
use crate::types::SqlType;

pub(super) fn insert(
    table: &TableName,
    begun: &Begun,
    from: &TableName,
    condition: &str,
) -> String {
    let into: Vec<String> = begun.columns.iter().map(|c| quoted(&c.name)).collect();
    let values: Vec<String> = begun.columns.iter().map(written).collect();
    format!(
        "INSERT INTO {}{} ({}) SELECT {} FROM {} AS s{condition}{}",
        table.quoted(),
        hints(begun),
        into.join(", "),
        values.join(", "),
        kept(begun, from),
        order(begun)
    )
}

/// The UPDATE of a merge; none when every column belongs to the key.
pub(super) fn update(table: &TableName, begun: &Begun, from: &TableName) -> Option<String> {
    let columns = begun.columns.iter();
    let others = columns.filter(|column| !begun.key.contains(&column.name));
    let sets: Vec<String> = others
        .map(|column| format!("t.{} = {}", quoted(&column.name), written(column)))
        .collect();
    (!sets.is_empty()).then(|| {
        format!(
            "UPDATE t SET {} FROM {} AS t{} JOIN {} AS s ON {}",
            sets.join(", "),
            table.quoted(),
            hints(begun),
            kept(begun, from),
            replaced(begun)
        )
    })
}

/// The MERGE that does both.
pub(super) fn merge(table: &TableName, begun: &Begun, from: &TableName) -> String {
    // Without HOLDLOCK, of two that merge the same new key at once one fails.
    let mut hints = vec!["HOLDLOCK"];
    let others = begun.hints.iter().map(String::as_str);
    hints.extend(others.filter(|hint| !matches!(*hint, "HOLDLOCK" | "SERIALIZABLE")));
    let columns = || begun.columns.iter();
    let sets: Vec<String> = columns()
        .filter(|column| !begun.key.contains(&column.name))
        .map(|column| format!("{} = {}", quoted(&column.name), written(column)))
        .collect();
    let only = gives_way(begun).map_or(String::new(), |condition| format!(" AND {condition}"));
    let matched = match sets.is_empty() {
        true => String::new(),
        false => format!(" WHEN MATCHED{only} THEN UPDATE SET {}", sets.join(", ")),
    };
    let into: Vec<String> = columns().map(|column| quoted(&column.name)).collect();
    let values: Vec<String> = columns().map(written).collect();
    format!(
        "MERGE {} WITH ({}) AS t USING {} AS s ON {}{matched} WHEN NOT MATCHED BY TARGET THEN \
         INSERT ({}) VALUES ({});",
        table.quoted(),
        hints.join(", "),
        kept(begun, from),
        alike(begun),
        into.join(", "),
        values.join(", ")
    )
}

/// A condition of staged rows: that no row of the table has their key.
pub(super) fn unknown(table: &TableName, begun: &Begun) -> String {
    format!(
        " WHERE NOT EXISTS (SELECT 1 FROM {} AS t WITH (HOLDLOCK) WHERE {})",
        table.quoted(),
        alike(begun)
    )
}

/// Counts the staged rows that a newer one in the table stays for; none where every row gives way.
pub(super) fn late(table: &TableName, begun: &Begun, from: &TableName) -> Option<String> {
    let gives_way = gives_way(begun)?;
    Some(format!(
        "SELECT COUNT_BIG(*) FROM {} AS s WHERE EXISTS (SELECT 1 FROM {} AS t WHERE {}) AND NOT \
         EXISTS (SELECT 1 FROM {} AS t WHERE {} AND {gives_way})",
        kept(begun, from),
        table.quoted(),
        alike(begun),
        table.quoted(),
        alike(begun),
    ))
}

/// Deletes the rows whose key nothing that was staged has.
pub(super) fn delete_missing(
    table: &TableName,
    begun: &Begun,
    from: &[(TableName, u64)],
) -> String {
    let missing: Vec<String> = from
        .iter()
        .map(|(from, _)| {
            let (from, alike) = (from.quoted(), alike(begun));
            format!("NOT EXISTS (SELECT 1 FROM {from} AS s WHERE {alike})")
        })
        .collect();
    let condition = match missing.is_empty() {
        true => String::new(),
        false => format!(" WHERE {}", missing.join(" AND ")),
    };
    format!(
        "DELETE t FROM {} AS t{}{condition}",
        table.quoted(),
        hints(begun)
    )
}

/// Deletes the rows that staged ones take the place of: those with their keys, and those with their
/// values of the columns to partition by.
pub(super) fn delete(table: &TableName, begun: &Begun, from: &TableName) -> String {
    let mut conditions = Vec::new();
    if begun.merges() {
        conditions.push(replaced(begun));
    }
    if !begun.partition.is_empty() {
        let columns = begun.columns.iter();
        let parts = columns.filter(|column| begun.partition.contains(&column.name));
        let equal = parts.map(|column| {
            // Rows without a value are a partition like any other.
            let (own, new) = (format!("t.{}", quoted(&column.name)), written(column));
            format!("({own} = {new} OR ({own} IS NULL AND {new} IS NULL))")
        });
        conditions.push(equal.collect::<Vec<_>>().join(" AND "));
    }
    let exists = conditions.iter().map(|condition| {
        format!(
            "EXISTS (SELECT 1 FROM {} AS s WHERE {condition})",
            from.quoted()
        )
    });
    format!(
        "DELETE t FROM {} AS t{} WHERE {}",
        table.quoted(),
        hints(begun),
        exists.collect::<Vec<_>>().join(" OR ")
    )
}

fn hints(begun: &Begun) -> String {
    match begun.hints.is_empty() {
        true => String::new(),
        false => format!(" WITH ({})", begun.hints.join(", ")),
    }
}

fn order(begun: &Begun) -> String {
    let columns = begun.order.iter().map(|ordered| {
        let way = if ordered.descending { " DESC" } else { "" };
        format!("s.{}{way}", quoted(&ordered.column))
    });
    match begun.order.is_empty() {
        true => String::new(),
        false => format!(" ORDER BY {}", columns.collect::<Vec<_>>().join(", ")),
    }
}

/// Rows of the table and of the staging table that have the same key.
pub(super) fn alike(begun: &Begun) -> String {
    let columns = begun.columns.iter();
    let keys = columns.filter(|column| begun.key.contains(&column.name));
    let equal = keys.map(|column| format!("t.{} = {}", quoted(&column.name), value(column)));
    equal.collect::<Vec<_>>().join(" AND ")
}

/// Rows of the table that a staged one with their key takes the place of.
fn replaced(begun: &Begun) -> String {
    match gives_way(begun) {
        None => alike(begun),
        Some(gives_way) => format!("{} AND {gives_way}", alike(begun)),
    }
}

/// That a row of the table isn't newer than the staged one; none where that doesn't matter. A row
/// without a watermark is older than any.
fn gives_way(begun: &Begun) -> Option<String> {
    let latest_by = begun.latest_by.as_ref().filter(|_| begun.newer_stay)?;
    let column = begun.columns.iter().find(|c| c.name == *latest_by)?;
    let (own, new) = (format!("t.{}", quoted(latest_by)), written(column));
    Some(format!("({own} IS NULL OR {own} <= {new})"))
}

/// A staged value as it is written.
fn written(column: &BegunColumn) -> String {
    match &column.default {
        Some(default) => format!("ISNULL({}, {default})", value(column)),
        None => value(column),
    }
}

/// A staged value, as one of the column's own type.
fn value(column: &BegunColumn) -> String {
    let name = format!("s.{}", quoted(&column.name));
    match column.sql_type.0 {
        // From bytes there is no way but a cast.
        sql_type @ (SqlType::HierarchyId | SqlType::Geometry | SqlType::Geography) => {
            format!("CAST({name} AS {sql_type})")
        }
        _ => name,
    }
}

/// Gathers staged rows in one table, of several with one key the last. Into a twin of the
/// destination they go as the types that they have there.
pub(super) fn gather(
    into: &TableName,
    begun: &Begun,
    from: &[(TableName, u64)],
    twin: bool,
) -> String {
    let names = begun.columns.iter().map(|column| column.name.as_str());
    let columns: Vec<String> = names.chain(begun.operation()).map(quoted).collect();
    let values: Vec<String> = match twin {
        true => begun.columns.iter().map(written).collect(),
        false => columns.iter().map(|name| format!("s.{name}")).collect(),
    };
    let columns = columns.join(", ");
    let numbered = begun.merges();
    let [row, split_no, nth] = [
        begun.row(),
        begun.own("hygge_split"),
        begun.own("hygge_nth"),
    ]
    .map(|name| quoted(&name));
    let parts: Vec<String> = from
        .iter()
        .enumerate()
        .map(|(split, (table, _))| {
            let place = match numbered {
                true => format!(", {row}, {split} AS {split_no}"),
                false => String::new(),
            };
            format!("SELECT {columns}{place} FROM {}", table.quoted())
        })
        .collect();
    let mut rows = parts.join(" UNION ALL ");
    let mut condition = String::new();
    if numbered {
        let key: Vec<String> = begun.key.iter().map(|name| quoted(name)).collect();
        let mut last = Vec::new();
        if let Some(latest_by) = &begun.latest_by {
            last.push(format!("{} DESC", quoted(latest_by)));
        }
        last.push(format!("{split_no} DESC"));
        last.push(format!("{row} DESC"));
        rows = format!(
            "SELECT {columns}, ROW_NUMBER() OVER (PARTITION BY {} ORDER BY {}) AS {nth} \
             FROM ({rows}) AS u",
            key.join(", "),
            last.join(", "),
        );
        condition = format!(" WHERE s.{nth} = 1");
    }
    format!(
        "INSERT INTO {} WITH (TABLOCK) ({columns}) SELECT {} FROM ({rows}) AS s{condition}{}",
        into.quoted(),
        values.join(", "),
        if twin { order(begun) } else { String::new() },
    )
}
