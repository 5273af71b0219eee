//! How columns are made on their way. When that changes for the key of a merge, the rows that stand at
//! the destination have other keys than the same rows get now, and a merge would put those beside them.
//! What an append or a full run brings may be merged with later, so it is remembered of every run and
//! every column.

use std::collections::BTreeSet;

use arrow_schema::{DataType, Schema};
use hygge_core::{Action, Fault, Result, code, quoted, type_name};
use hygge_project::PlannedEntity;
use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::xxh3_128;

use crate::start::Start;
use crate::traced::{Making, Merge};

/// What an entity's memory of it is called.
pub(crate) const MEMORY: &str = "key";

/// How each column is made, by their names.
fn making(planned: &PlannedEntity, source: &Schema, columns: &[Making]) -> Map<String, Value> {
    let columns = columns.iter();
    let columns = columns.map(|each| (each.column.clone(), made(planned, source, each)));
    columns.collect()
}

/// The columns of the source that it is made of, and the transforms that make it, with what is set of
/// them, without secrets.
fn made(planned: &PlannedEntity, source: &Schema, making: &Making) -> Value {
    let item = |number: usize| planned.transforms.get(number);
    let kind = |number: usize| item(number).map_or("", |item| &*item.kind);
    // What a cast gives at last has another type, which is found as such.
    let last = making.by.iter().map(|(number, _)| *number);
    let last = last.filter(|number| kind(*number) != "cast").max();
    let within = making.by.iter().filter(|(number, _)| Some(*number) <= last);
    // A constant is of the run, as `{run_date}` is.
    let within = within.filter(|(number, _)| kind(*number) != "constant");
    let by = within.filter_map(|(number, column)| {
        let settings = of_column(item(*number)?.settings.redacted(), column);
        Some(json!({"type": kind(*number), "column": column, "settings": settings}))
    });
    let by: Vec<Value> = by.collect();
    let of = making.of.iter().map(|index| source.field(*index));
    let of = of.map(|field| match by.is_empty() {
        true => json!(field.name()),
        // A number within a text, say, is another text than one that was read as text.
        false => json!([field.name(), likeness(field.data_type())]),
    });
    let of: Vec<Value> = of.collect();
    match by.is_empty() {
        true => json!({"of": of}),
        // A query of many columns stands among the settings of each.
        false => {
            let by = format!("{:032x}", xxh3_128(Value::from(by).to_string().as_bytes()));
            json!({"of": of, "by": by})
        }
    }
}

/// Whether it only comes from columns that have other names in the source now: from there their old ones
/// are gone.
fn renamed(was: &Value, now: &Value, source: &Schema) -> bool {
    let names = |made: &Value| -> BTreeSet<String> {
        let of = made["of"].as_array().into_iter().flatten();
        let names = of.filter_map(|each| each.as_str().or_else(|| each[0].as_str()));
        names.map(str::to_owned).collect()
    };
    let (had, has) = (names(was), names(now));
    let mut lost = had.difference(&has).peekable();
    was["by"] == now["by"]
        && had.len() == has.len()
        && lost.peek().is_some()
        && lost.all(|name| source.index_of(name).is_err())
}

/// A type, as far as the text of a value depends on it.
fn likeness(data_type: &DataType) -> String {
    match data_type {
        whole if whole.is_integer() => "integer".to_owned(),
        other => type_name(other),
    }
}

/// Without what is set of other columns.
fn of_column(mut settings: Value, column: &str) -> Value {
    if let Some(columns) = settings.get_mut("columns").and_then(Value::as_object_mut)
        && columns.contains_key(column)
    {
        columns.retain(|name, _| name == column);
    }
    settings
}

/// What is to be remembered of it. Refuses to merge rows by a key that is made otherwise than that of the
/// rows that are there.
pub(crate) fn same(
    planned: &PlannedEntity,
    start: &Start,
    source: &Schema,
    (columns, merge): (&[Making], Option<&Merge>),
    before: Option<Vec<u8>>,
) -> Result<Option<Vec<u8>>> {
    // A source that found nothing new may know no columns.
    if source.fields().is_empty() {
        return Ok(before);
    }
    let mut now = making(planned, source, columns);
    if start.action == Action::Replace || start.state.is_none() {
        return Ok(Some(Value::from(now).to_string().into_bytes()));
    }
    let id = quoted(&planned.id.to_string());
    let before = before.map(|before| serde_json::from_slice::<Map<String, Value>>(&before));
    let before = before.transpose().map_err(|error| {
        let message = format!("what is remembered of how the key is made can't be read: {error}");
        Fault::new(code::STATE, message)
            .advise(format!("`hygge start --full --entity {id}` begins anew"))
    })?;
    for (column, was) in before.unwrap_or_default() {
        let same = |now: &Value| *now == was || renamed(&was, now, source);
        if now.get(&column).is_some_and(same) {
            continue;
        }
        let key = merge.map(|merge| &merge.key);
        if let Some(key) = key.filter(|key| key.contains(&column)) {
            return Err(otherwise(key, &id));
        }
        // Rows of both kinds are there from now on.
        let now = now.entry(column);
        now.and_modify(|made| *made = json!(SEVERAL)).or_insert(was);
    }
    Ok(Some(Value::from(now).to_string().into_bytes()))
}

/// In the place of how a column is made that rows have in more than one way.
const SEVERAL: &str = "several";

fn otherwise(key: &[String], id: &str) -> Fault {
    Fault::new(
        code::SCHEMA,
        format!(
            "the key ({}) is made otherwise than in earlier runs",
            key.join(", ")
        ),
    )
    .advise(format!(
        "rows that are there have the keys of then, so the same rows would stand beside them: \
         `hygge start --full --entity {id}` begins anew, or put the transforms back"
    ))
}
