//! The statement: columns in line, what was seen in comments, the key at the end.

use arrow_schema::{DataType, Field, Schema, TimeUnit};
use hygge_core::{Fault, Result, code};

use crate::dialect::Dialect;
use crate::profile::Profile;
use crate::{limit, mssql, portable};

/// How SQL Server stores the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// In the order of the primary key, where there is one.
    #[default]
    Rowstore,
    /// In no order.
    Heap,
    /// Column by column, compressed.
    Columnstore,
}

/// What table is wanted.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// Whose SQL.
    pub dialect: Dialect,
    /// The table's name in parts: schema and table, or the table alone.
    pub table: &'a [String],
    /// The columns of its primary key.
    pub key: &'a [String],
    /// How its rows are stored.
    pub form: Form,
    /// What it was generated from, for people.
    pub source: &'a str,
    /// What rows showed, if they were looked at.
    pub profile: Option<&'a Profile>,
}

/// Writes the statement.
///
/// # Errors
/// All columns that the dialect has no type for, and keys that aren't there, listed together.
pub fn write(schema: &Schema, wanted: &Wanted<'_>) -> Result<String> {
    let mut wrong = problems(schema, wanted);
    let mut columns = Vec::new();
    for field in schema.fields() {
        match declared(field, wanted) {
            Ok(column) => columns.push(column),
            Err(why) => wrong.push(why),
        }
    }
    if !wrong.is_empty() {
        return Err(Fault::new(
            code::SCHEMA,
            format!(
                "no table can be made of {}: {}",
                wanted.source,
                wrong.join("; ")
            ),
        )
        .advise(
            "leave columns out, rename or cast them (`transforms:`), or name another --table, --dialect or \
             --key",
        ));
    }
    Ok(put_together(&columns, wanted))
}

/// What is wrong with names and the key.
fn problems(schema: &Schema, wanted: &Wanted<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    if schema.fields().is_empty() {
        wrong.push("it has no columns".to_owned());
    }
    let (columns, most) = (schema.fields().len(), wanted.dialect.most_columns());
    if let Some(most) = most.filter(|most| columns > *most) {
        wrong.push(format!(
            "it has {columns} columns, a table in {} at most {most}",
            wanted.dialect
        ));
    }
    for field in schema.fields() {
        if wanted.dialect.keeps_name(field.name()) {
            wrong.push(format!(
                "{:?} is the name of a column that {} has in every table",
                field.name(),
                wanted.dialect
            ));
        }
    }
    if let Some(name) = wanted
        .table
        .last()
        .filter(|name| wanted.dialect.keeps_table(name))
    {
        wrong.push(format!(
            "{name:?} is a name that {} keeps for tables of its own",
            wanted.dialect
        ));
    }
    let parts = wanted.table.iter();
    let names = parts.chain(schema.fields().iter().map(|field| field.name()));
    for name in names {
        if let Some((most, unit)) = wanted.dialect.longest_name() {
            let length = match unit {
                "bytes" => name.len(),
                _ => name.encode_utf16().count(),
            };
            if length > most {
                wrong.push(format!(
                    "{name:?} has {length} {unit}, a name in {} at most {most}",
                    wanted.dialect
                ));
            }
        }
        if name.is_empty() || name.contains('\0') {
            wrong.push(format!("{name:?} is no name"));
        }
    }
    let mut folded: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| (wanted.dialect.folded(field.name()), field.name()))
        .collect();
    folded.sort_unstable();
    let same = |pair: &&[(String, &String)]| pair[0].0 == pair[1].0;
    for pair in folded.windows(2).filter(same) {
        wrong.push(format!(
            "two columns are named {:?}, but for upper and lower case",
            pair[0].0
        ));
    }
    for (at, key) in wanted.key.iter().enumerate() {
        if wanted.key[..at].contains(key) {
            wrong.push(format!("the key names {key:?} twice"));
        }
        if schema.field_with_name(key).is_err() {
            wrong.push(format!("it has no column {key:?}, which is of the key"));
        }
    }
    wrong
}

/// A column, its declaration in parts.
struct Column {
    name: String,
    declared: String,
    null: &'static str,
    comment: Option<String>,
    keyed: bool,
}

fn declared(field: &Field, wanted: &Wanted<'_>) -> Result<Column, String> {
    let rows = wanted.profile.map_or(0, Profile::rows);
    let seen = wanted.profile.filter(|_| rows > 0);
    let seen = seen.and_then(|profile| profile.of(field.name()));
    let declared = match wanted.dialect {
        Dialect::Mssql => mssql::column_type(field, seen)?,
        other => portable::column_type(other, field, seen)?,
    };
    let keyed = wanted.key.contains(field.name());
    let of_text = matches!(
        field.data_type(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    );
    let must = keyed || !field.is_nullable();
    let mut said = Vec::new();
    if keyed && declared.ends_with("(max)") {
        let how = match wanted.profile {
            None => "write one, or use --profile",
            Some(_) => "write one",
        };
        said.push(format!("a key needs a length: {how}"));
    }
    if keyed && limit::no_key(&declared, wanted.dialect) {
        said.push(format!("no key of {} has this type", wanted.dialect));
    }
    if wanted.form == Form::Columnstore && limit::no_columnstore(&declared) {
        said.push("no columnstore index has this type".to_owned());
    }
    if let Some(seen) = seen {
        if !must && seen.nulls == 0 {
            said.push(format!("no nulls in {}: NOT NULL?", count(rows)));
        }
        if keyed && seen.nulls > 0 {
            said.push(format!("{} of {} have none", seen.nulls, count(rows)));
        }
        if seen.longest > 0 {
            said.push(format!("longest {}", many(seen.longest, "letter")));
        } else if seen.longest_bytes > 0 {
            said.push(format!("longest {}", many(seen.longest_bytes, "byte")));
        } else if of_text {
            said.push(format!("no letter in {}", count(rows)));
        }
        if seen.digits > 0 {
            let digits = many(seen.digits.into(), "digit");
            said.push(match roomy(field, &declared, seen.digits) {
                Some(type_name) => format!("at most {digits}: {type_name}?"),
                None => format!("at most {digits}"),
            });
        }
    }
    said.extend(coarser(field, &declared, wanted.dialect));
    Ok(Column {
        name: wanted.dialect.quoted(field.name()),
        declared,
        null: if must { "NOT NULL" } else { "NULL" },
        comment: (!said.is_empty()).then(|| said.join("; ")),
        keyed,
    })
}

/// What a type for moments, times or spans loses of those that are counted in nanoseconds.
fn coarser(field: &Field, declared: &str, dialect: Dialect) -> Option<String> {
    let kept = match dialect {
        // One that had its type in SQL Server has no more digits than that.
        Dialect::Mssql if field.metadata().contains_key(hygge_mssql::TYPE_KEY) => return None,
        Dialect::Mssql => 7,
        // It keeps texts.
        Dialect::Postgres if declared == "jsonb" || declared == "jsonb[]" => return None,
        Dialect::Postgres | Dialect::DuckDb => 6,
        Dialect::Sqlite => return None,
    };
    nanoseconds(field.data_type(), dialect)
        .then(|| format!("keeps {kept} of the 9 digits of a second"))
}

/// Whether something of a type is counted in nanoseconds, for which the dialect has a coarser type.
fn nanoseconds(data_type: &DataType, dialect: Dialect) -> bool {
    match data_type {
        DataType::Timestamp(TimeUnit::Nanosecond, None) => dialect != Dialect::DuckDb,
        DataType::Timestamp(TimeUnit::Nanosecond, Some(_))
        | DataType::Time64(TimeUnit::Nanosecond)
        | DataType::Duration(TimeUnit::Nanosecond) => true,
        DataType::Dictionary(_, values) => nanoseconds(values, dialect),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => nanoseconds(item.data_type(), dialect),
        DataType::Struct(fields) => fields
            .iter()
            .any(|field| nanoseconds(field.data_type(), dialect)),
        _ => false,
    }
}

/// A narrower type that would still have room, for decimals of at most that many digits: two digits
/// more, and then as many as take no more bytes. It is named as the column's own is.
fn roomy(field: &Field, declared: &str, digits: u8) -> Option<String> {
    let (DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale)) =
        field.data_type()
    else {
        return None;
    };
    let (name, _) = declared.split_once('(')?;
    let before = digits.saturating_sub(u8::try_from(*scale).ok()?);
    let wanted = before + 2 + u8::try_from(*scale).ok()?;
    let room = [9, 18, 28, 38].into_iter().find(|room| wanted <= *room)?;
    (room < *precision).then(|| format!("{name}({room},{scale})"))
}

fn put_together(columns: &[Column], wanted: &Wanted<'_>) -> String {
    let dialect = wanted.dialect;
    let quoted: Vec<_> = wanted
        .table
        .iter()
        .map(|part| dialect.quoted(part))
        .collect();
    let table = quoted.join(".");
    let width = |of: fn(&Column) -> &str| {
        let widths = columns.iter().map(|column| of(column).chars().count());
        widths.max().unwrap_or(0)
    };
    let (names, types) = (width(|c| &c.name), width(|c| &c.declared));
    let key = key(wanted);
    let mut text = format!(
        "-- {dialect}: {}\n-- Generated by hygge from {}. Look it over, edit it, then apply it.\n\
         CREATE TABLE {table} (\n",
        one_line(&wanted.table.join(".")),
        one_line(wanted.source)
    );
    for (index, column) in columns.iter().enumerate() {
        let Column {
            name,
            declared,
            null,
            comment,
            ..
        } = column;
        let last = index + 1 == columns.len() && key.is_none();
        let comma = if last { "" } else { "," };
        let mut line = format!("    {name:names$} {declared:types$} {null}{comma}");
        if let Some(comment) = comment {
            line = format!("{line:0$} -- {comment}", 4 + names + types + 11);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    if let Some(key) = key {
        let keyed = columns.iter().filter(|column| column.keyed);
        let declared: Vec<&str> = keyed.map(|column| column.declared.as_str()).collect();
        let said = limit::of_key(&declared, dialect, wanted.form);
        let said = said.map_or(String::new(), |said| format!(" -- {said}"));
        text.push_str(&format!("    {key}{said}\n"));
    }
    text.push_str(");\n");
    if dialect == Dialect::Mssql && wanted.form == Form::Columnstore {
        let name = name_of("CCI", wanted);
        text.push_str(&format!(
            "CREATE CLUSTERED COLUMNSTORE INDEX {name} ON {table};\n"
        ));
    }
    text
}

/// Rows, for people.
fn count(rows: u64) -> String {
    many(rows, "row")
}

fn many(n: u64, what: &str) -> String {
    match n {
        1 => format!("1 {what}"),
        _ => format!("{n} {what}s"),
    }
}

/// The primary key, as a constraint of the table.
fn key(wanted: &Wanted<'_>) -> Option<String> {
    if wanted.key.is_empty() {
        return None;
    }
    let dialect = wanted.dialect;
    let columns: Vec<_> = wanted.key.iter().map(|name| dialect.quoted(name)).collect();
    let columns = columns.join(", ");
    Some(match dialect {
        Dialect::Mssql => {
            let clustered = match wanted.form {
                Form::Rowstore => "CLUSTERED",
                Form::Heap | Form::Columnstore => "NONCLUSTERED",
            };
            let name = name_of("PK", wanted);
            format!("CONSTRAINT {name} PRIMARY KEY {clustered} ({columns})")
        }
        _ => format!("PRIMARY KEY ({columns})"),
    })
}

/// A name for something of the table, no longer than names may be.
fn name_of(kind: &str, wanted: &Wanted<'_>) -> String {
    let table = wanted.table.last().map_or("", String::as_str);
    let room = wanted
        .dialect
        .longest_name()
        .map_or(usize::MAX, |(most, _)| most);
    let mut name = String::new();
    for letter in format!("{kind}_{table}").chars() {
        if name.encode_utf16().count() + letter.len_utf16() > room {
            break;
        }
        name.push(letter);
    }
    wanted.dialect.quoted(&name)
}

/// A text that stays within its comment.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
