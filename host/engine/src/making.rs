//! How columns are made on their way. When that changes for the key of a merge, the rows that stand at
//! the destination have other keys than the same rows get now, and a merge would put those beside them.
//! What an append or a full run brings may be merged with later, so it is remembered of every run and
//! every column.

use std::collections::BTreeSet;

use arrow_schema::{Field, Schema};
use hygge_core::{Action, Fault, Result, code, quoted};
use hygge_project::PlannedEntity;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::xxh3_128;

use crate::start::Start;
use crate::traced::{Change, Making, Merge, likeness};

/// What an entity's memory of it is called.
pub(crate) const MEMORY: &str = "key";

/// What is remembered of a run.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Memory {
    /// The columns that rows were merged by; none where they weren't.
    key: Option<BTreeSet<String>>,
    /// How each column is made, by their names.
    columns: Map<String, Value>,
}

/// How each column is made.
fn making(planned: &PlannedEntity, source: &Schema, columns: &[Making]) -> Map<String, Value> {
    let settings = planned.transforms.iter();
    let settings: Vec<Value> = settings.map(|item| item.settings.redacted()).collect();
    let columns = columns.iter();
    let columns = columns.map(|each| {
        let made = made(planned, &settings, source, each);
        (each.column.clone(), made)
    });
    columns.collect()
}

/// The columns of the source that it is made of, and the transforms that make it, with what is set of
/// them, without secrets.
fn made(planned: &PlannedEntity, settings: &[Value], source: &Schema, making: &Making) -> Value {
    let item = |number: usize| planned.transforms.get(number);
    let kind = |number: usize| item(number).map_or("", |item| &*item.kind);
    let named = |each: &&Change| {
        let settings = settings.get(each.number);
        !each.perhaps || settings.is_some_and(|settings| names(settings, &each.column))
    };
    // A constant is of the run, as `{run_date}` is.
    let changes = making.by.iter();
    let changes = changes.filter(|each| kind(each.number) != "constant" && named(each));
    let last = changes.clone().map(|each| each.number);
    let last = last.filter(|number| kind(*number) != "cast").max();
    let (within, casts): (Vec<&Change>, Vec<&Change>) =
        changes.partition(|each| Some(each.number) <= last);
    // In the order in which they come in, since they may get other names in the source.
    let inputs = within.iter().flat_map(|each| &each.of);
    let mut of: Vec<usize> = Vec::new();
    let mut rest: Vec<usize> = making.of.iter().copied().collect();
    rest.sort_by_key(|at| source.field(*at).name());
    for at in inputs.flat_map(|(_, of)| of).chain(&rest) {
        if !of.contains(at) {
            of.push(*at);
        }
    }
    let place = |at: &usize| of.iter().position(|of| of == at);
    let by = within.iter().filter_map(|each| {
        let settings = of_column(settings.get(each.number)?, &each.column);
        let inputs = each.of.iter();
        let inputs =
            inputs.map(|(name, of)| json!([name, of.iter().map(place).collect::<Vec<_>>()]));
        Some(json!({
            "type": kind(each.number), "column": each.column, "settings": settings,
            "of": inputs.collect::<Vec<_>>(),
        }))
    });
    let by: Vec<Value> = by.collect();
    let of: Vec<&Field> = of.iter().map(|at| source.field(*at)).collect();
    // A type of its own is found as such; what was asked to be another on the way isn't. What a source
    // takes for a number by itself has the text that it was.
    let mut types: Vec<String> = Vec::new();
    if by.is_empty() && !casts.is_empty() {
        let home = planned.home.settings.redacted();
        let declared = of
            .iter()
            .filter(|field| home["schema"].get(field.name()).is_some());
        types.extend(declared.map(|field| likeness(field.data_type())));
    }
    types.extend(casts.iter().map(|cast| cast.gives.clone()));
    types.dedup();
    let of = of.iter().map(|field| match by.is_empty() {
        true => json!(field.name()),
        // A number within a text, say, is another text than one that was read as text.
        false => json!([field.name(), likeness(field.data_type())]),
    });
    let mut made = json!({"of": of.collect::<Vec<_>>()});
    if types.len() > 1 {
        made["cast"] = json!(types);
    }
    if !by.is_empty() {
        // A query of many columns stands among the settings of each.
        let by = Value::from(by).to_string();
        made["by"] = json!(format!("{:032x}", xxh3_128(by.as_bytes())));
    }
    made
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
    (&was["by"], &was["cast"]) == (&now["by"], &now["cast"])
        && had.len() == has.len()
        && lost.peek().is_some()
        && lost.all(|name| source.index_of(name).is_err())
}

/// Whether settings name a column, in whatever way.
fn names(settings: &Value, column: &str) -> bool {
    match settings {
        Value::String(text) => text == column,
        Value::Array(each) => each.iter().any(|each| names(each, column)),
        Value::Object(map) => map
            .iter()
            .any(|(key, each)| key == column || names(each, column)),
        _ => false,
    }
}

/// Without what is set of other columns.
fn of_column(settings: &Value, column: &str) -> Value {
    let own = settings["columns"].as_object();
    let own = own.and_then(|columns| columns.get(column));
    let (Some(own), Some(all)) = (own, settings.as_object()) else {
        return settings.clone();
    };
    // The others may be thousands.
    let rest = all.iter().filter(|(name, _)| *name != "columns");
    let mut settings: Map<String, Value> = rest
        .map(|(name, each)| (name.clone(), each.clone()))
        .collect();
    settings.insert("columns".to_owned(), json!({column: own}));
    Value::from(settings)
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
    let merged = merge.map(|merge| merge.key.iter().cloned().collect::<BTreeSet<_>>());
    let mut now = Memory {
        key: merged.filter(|_| start.action != Action::Append),
        columns: making(planned, source, columns),
    };
    if start.action == Action::Replace || start.state.is_none() {
        return Ok(Some(now.written()?));
    }
    let id = quoted(&planned.id.to_string());
    let before = before.map(|before| serde_json::from_slice::<Memory>(&before));
    let before = before.transpose().map_err(|error| {
        let message = format!("what is remembered of how the key is made can't be read: {error}");
        Fault::new(code::STATE, message)
            .advise(format!("`hygge start --full --entity {id}` begins anew"))
    })?;
    let before = before.unwrap_or_default();
    if let (Some(was), Some(is)) = (&before.key, &now.key)
        && was != is
    {
        let of = |key: &BTreeSet<String>| key.iter().cloned().collect::<Vec<_>>().join(", ");
        let message = format!(
            "the key is ({}) and was ({}) in the last run",
            of(is),
            of(was)
        );
        return Err(Fault::new(code::SCHEMA, message).advise(anew(&id, "key")));
    }
    for (column, was) in before.columns {
        let same = |now: &Value| *now == was || renamed(&was, now, source);
        if now.columns.get(&column).is_some_and(same) {
            continue;
        }
        if now.key.as_ref().is_some_and(|key| key.contains(&column)) {
            let message =
                format!("the key column {column:?} is made otherwise than in earlier runs");
            return Err(Fault::new(code::SCHEMA, message)
                .with("column", column)
                .advise(anew(&id, "transforms")));
        }
        // Rows of both kinds are there from now on.
        let now = now.columns.entry(column);
        now.and_modify(|made| *made = json!(SEVERAL)).or_insert(was);
    }
    Ok(Some(now.written()?))
}

/// What is to be remembered of rows that stand as the source has them.
pub(crate) fn untouched(source: &Schema) -> Result<Vec<u8>> {
    let names = source.fields().iter().map(|field| field.name());
    let columns = names.map(|name| (name.clone(), json!({"of": [name]})));
    let memory = Memory {
        key: None,
        columns: columns.collect(),
    };
    memory.written()
}

impl Memory {
    fn written(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|error| Fault::internal(error.to_string()))
    }
}

/// In the place of how a column is made that rows have in more than one way.
const SEVERAL: &str = "several";

fn anew(id: &str, what: &str) -> String {
    format!(
        "rows that are there have the keys of then, so the same rows would stand beside them: \
         `hygge start --full --entity {id}` begins anew, or put the {what} back"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_name_a_column_in_whatever_way() {
        for (settings, named) in [
            (json!({"columns": ["email", "id"]}), true),
            (json!({"columns": {"id": "hash"}}), true),
            (json!({"column": "id"}), true),
            (json!({"columns": ["email"]}), false),
            (json!({"into": "loaded", "value": "2026-11-28"}), false),
            (json!({}), false),
        ] {
            assert_eq!(names(&settings, "id"), named, "{settings}");
        }
    }
}
